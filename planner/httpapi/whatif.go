package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"mcloud/planner/report"
	"mcloud/planner/scenario"
)

// Asker answers questions about changes.
type Asker interface {
	WhatIf(ctx context.Context, name string, changes []scenario.Change) (report.WhatIf, error)
}

// Keeper keeps what is promised and what is asked again and again.
type Keeper interface {
	Commitments(ctx context.Context, at time.Time) ([]scenario.Commitment, error)
	Scenarios(ctx context.Context, at time.Time) ([]scenario.Scenario, error)
	Promise(ctx context.Context, c scenario.Commitment) (scenario.Commitment, error)
	Save(ctx context.Context, s scenario.Scenario) (scenario.Scenario, error)
	Withdraw(ctx context.Context, name string) error
	Forget(ctx context.Context, name string) error
}

// Question is the body of a POST to /api/v1/whatif.
type Question struct {
	// Scenario is the name of a stored one; Changes come on top of it.
	Scenario string            `json:"scenario,omitempty"`
	Changes  []scenario.Change `json:"changes,omitempty"`
}

// maxQuestionBytes bounds a question, a commitment and a scenario.
const maxQuestionBytes = 256 << 10

// WhatIfRoutes answer what changes do to dates, and keep commitments and scenarios.
// Nothing of it changes the cloud.
//
//	GET    /api/v1/whatif[?scenario=NAME][&change=add-host+az=az1,count=4]…
//	POST   /api/v1/whatif              the same, as a Question
//	GET    /api/v1/commitments, /api/v1/scenarios
//	PUT    /api/v1/commitments/{name}, /api/v1/scenarios/{name}    {"note": …, "changes": [{"action": …}]}
//	DELETE /api/v1/commitments/{name}, /api/v1/scenarios/{name}
func WhatIfRoutes(a Asker, k Keeper) []Route {
	const commitments, scenarios = "/api/v1/commitments", "/api/v1/scenarios"
	return []Route{
		{"GET /api/v1/whatif", func(r *http.Request) (any, error) {
			q := Question{Scenario: r.FormValue("scenario")}
			for _, text := range r.Form["change"] {
				action, rest, _ := strings.Cut(text, " ")
				c, err := scenario.Parse(scenario.Action(action), rest)
				if err != nil {
					return nil, problemOfChange(err)
				}
				q.Changes = append(q.Changes, c)
			}
			answer, err := a.WhatIf(r.Context(), q.Scenario, q.Changes)
			return answer, problemOfChange(err)
		}},
		{"POST /api/v1/whatif", func(r *http.Request) (any, error) {
			var q Question
			if err := decode(r, &q); err != nil {
				return nil, err
			}
			answer, err := a.WhatIf(r.Context(), q.Scenario, q.Changes)
			return answer, problemOfChange(err)
		}},
		{"GET " + commitments, func(r *http.Request) (any, error) { return k.Commitments(r.Context(), time.Time{}) }},
		{"GET " + scenarios, func(r *http.Request) (any, error) { return k.Scenarios(r.Context(), time.Time{}) }},
		{"PUT " + commitments + "/{name}", func(r *http.Request) (any, error) {
			var c scenario.Commitment
			if err := decode(r, &c); err != nil {
				return nil, err
			}
			c.Name = r.PathValue("name")
			// Names that the cloud does not have are told now, not in the next report.
			changes := c.Changes
			if have, err := k.Commitments(r.Context(), time.Time{}); err == nil {
				if _, err := scenario.Find(have, c.Name); err == nil { // it takes that one's place
					changes = append(slices.Clip(changes), scenario.Change{Action: scenario.Without, Name: c.Name})
				}
			}
			if err := check(r.Context(), a, changes); err != nil {
				return nil, problemOfChange(err)
			}
			stored, err := k.Promise(r.Context(), c)
			return stored, problemOfChange(err)
		}},
		{"PUT " + scenarios + "/{name}", func(r *http.Request) (any, error) {
			var s scenario.Scenario
			if err := decode(r, &s); err != nil {
				return nil, err
			}
			s.Name = r.PathValue("name")
			if err := check(r.Context(), a, s.Changes); err != nil {
				return nil, problemOfChange(err)
			}
			stored, err := k.Save(r.Context(), s)
			return stored, problemOfChange(err)
		}},
		{"DELETE " + commitments + "/{name}", func(r *http.Request) (any, error) {
			return struct{}{}, problemOfChange(k.Withdraw(r.Context(), r.PathValue("name")))
		}},
		{"DELETE " + scenarios + "/{name}", func(r *http.Request) (any, error) {
			return struct{}{}, problemOfChange(k.Forget(r.Context(), r.PathValue("name")))
		}},
	}
}

// check asks what changes would do, for the errors only.
func check(ctx context.Context, a Asker, changes []scenario.Change) error {
	if len(changes) == 0 {
		return nil // Validate says so
	}
	_, err := a.WhatIf(ctx, "", changes)
	return err
}

// decode reads a JSON body and refuses fields that it does not know: a misspelt one
// would silently change nothing.
func decode(r *http.Request, into any) error {
	const cure = `send for example {"changes": [{"action": "add-host", "zone": "az1", "count": 4, "from": "2027-03-01T00:00:00Z"}]}`
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxQuestionBytes+1))
	switch {
	case err != nil:
		return Invalid(cure, "the body cannot be read: %v", err)
	case len(raw) > maxQuestionBytes:
		return Invalid("", "the body is larger than %d bytes", maxQuestionBytes)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return Invalid(cure, "the body is not understood: %v", err)
	}
	return nil
}

func problemOfChange(err error) error {
	switch {
	case errors.Is(err, scenario.ErrUnknown):
		return &Problem{http.StatusNotFound, err.Error(), ""}
	case errors.Is(err, scenario.ErrInvalid):
		return &Problem{http.StatusBadRequest, err.Error(), ""}
	}
	return problemOfPlan(err)
}
