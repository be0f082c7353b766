package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"mcloud"
	"mcloud/planner"
)

// Chronicler is what the routes of events and projects ask.
type Chronicler interface {
	Happened(ctx context.Context, f planner.EventFilter) (planner.Happenings, error)
	Projects(ctx context.Context, sight planner.Sight) ([]planner.ProjectName, error)
}

const (
	defaultEvents = 1000
	maxEvents     = 10_000
)

var severities = []string{string(mcloud.SeverityDebug), string(mcloud.SeverityInfo), string(mcloud.SeverityWarning), string(mcloud.SeverityError), string(mcloud.SeverityCritical)}

// EventRoutes tell what happened, and which projects there are.
//
//	GET /api/v1/events?from=T[&to=T][&source=S]…[&kind=K]…[&severity=S]…[&project=ID][&resource=ID][&limit=N][&payload=true]
//	GET /api/v1/projects    those that who asks may see
//
// The first events in time are given when there are more than limit; payloads, which may
// be large, only when they are asked for.
func EventRoutes(c Chronicler, now func() time.Time) []Route {
	return []Route{
		{"GET /api/v1/events", func(r *http.Request) (any, error) {
			f, err := eventFilter(r, now)
			if err != nil {
				return nil, err
			}
			payload := false
			if text := r.FormValue("payload"); text != "" {
				if payload, err = strconv.ParseBool(text); err != nil {
					return nil, Invalid("write payload=true", "payload=%q is neither true nor false", text)
				}
			}
			h, err := c.Happened(r.Context(), f)
			if err != nil {
				return nil, problemOfPlan(err)
			}
			if !payload {
				for i := range h.Events {
					h.Events[i].Payload = nil
				}
			}
			return h, nil
		}},
		{"GET /api/v1/projects", func(r *http.Request) (any, error) {
			return c.Projects(r.Context(), sightOf(r.Context()))
		}},
	}
}

func eventFilter(r *http.Request, now func() time.Time) (f planner.EventFilter, err error) {
	if f.From, err = moment(r.FormValue("from")); err != nil {
		return f, err
	}
	if f.From.IsZero() {
		return f, Invalid("write for example from=2026-11-01T12:00:00Z", "from is missing")
	}
	if f.To, err = moment(r.FormValue("to")); err != nil {
		return f, err
	}
	if f.To.IsZero() {
		f.To = now().UTC()
	}
	f.Limit = defaultEvents
	if text := r.FormValue("limit"); text != "" {
		if f.Limit, err = strconv.Atoi(text); err != nil || f.Limit < 1 || f.Limit > maxEvents {
			return f, Invalid("write a whole number from 1 to "+strconv.Itoa(maxEvents), "limit=%q is no such number", text)
		}
	}
	f.Sources, f.Kinds, f.Severities = r.Form["source"], r.Form["kind"], r.Form["severity"]
	for _, s := range f.Severities {
		if !slices.Contains(severities, s) {
			return f, Invalid("write debug, info, warning, error or critical", "severity=%q is not known", s)
		}
	}
	f.Project, f.Resource = r.FormValue("project"), r.FormValue("resource")
	return f, nil
}
