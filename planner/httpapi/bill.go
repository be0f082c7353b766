package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"mcloud/planner"
	"mcloud/planner/chargeback"
)

// Biller is what the chargeback route asks.
type Biller interface {
	BillWithin(ctx context.Context, sight planner.Sight, project string, from, to time.Time) (chargeback.Bill, error)
}

// BillRoutes answer GET /api/v1/chargeback?project=P&from=T&to=T, the times in
// RFC 3339 or as UTC days; from is inclusive, to exclusive and by default now.
// Without a project all are billed that who asks may see.
func BillRoutes(b Biller, now func() time.Time) []Route {
	return []Route{{"GET /api/v1/chargeback", func(r *http.Request) (any, error) {
		from, err := moment(r.FormValue("from"))
		if err != nil {
			return nil, err
		}
		if from.IsZero() {
			return nil, Invalid("write for example from=2026-11-01&to=2026-12-01", "from is missing")
		}
		to, err := moment(r.FormValue("to"))
		if err != nil {
			return nil, err
		}
		if to.IsZero() {
			to = now().UTC().Truncate(time.Second)
		}
		bill, err := b.BillWithin(r.Context(), sightOf(r.Context()), r.FormValue("project"), from, to)
		switch {
		case errors.Is(err, planner.ErrNoRateCard):
			return nil, &Problem{http.StatusNotFound, err.Error(), ""}
		case errors.Is(err, planner.ErrBadRequest):
			return nil, &Problem{http.StatusBadRequest, err.Error(), ""}
		}
		return bill, err
	}}}
}

func moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly, "2006-01"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, Invalid("write for example 2026-11-01T00:00:00Z, 2026-11-01 or 2026-11", "%q is no time", text)
}
