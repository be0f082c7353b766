package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"mcloud/planner"
)

// Caretaker is what the maintenance routes ask.
type Caretaker interface {
	Start(ctx context.Context, m planner.Maintenance) (planner.Maintenance, error)
	End(ctx context.Context, id string) (planner.Maintenance, error)
	All(ctx context.Context) ([]planner.Maintenance, error)
}

// MaintenanceRoutes open, end and list maintenance windows: who works on a host, a zone,
// a Ceph cluster or one of its datacentres is not paged for it, and nothing is planned
// onto it.
//
//	GET  /api/v1/maintenance           all, those that end last first
//	POST /api/v1/maintenance           {"of":"host","name":"cmp-a1","until":TIME,"reason":"…","by":"…"}, "from" if not now
//	POST /api/v1/maintenance/{id}/end  it is over now
func MaintenanceRoutes(c Caretaker) []Route {
	const windows = "/api/v1/maintenance"
	return []Route{
		{"GET " + windows, func(r *http.Request) (any, error) {
			all, err := c.All(r.Context())
			return all, err
		}},
		{"POST " + windows, func(r *http.Request) (any, error) {
			raw, err := io.ReadAll(io.LimitReader(r.Body, maxRecordBytes+1))
			var m planner.Maintenance
			if err != nil || len(raw) > maxRecordBytes || json.Unmarshal(raw, &m) != nil {
				return nil, Invalid(`send {"of":"host","name":"cmp-a1","until":"2026-11-01T04:00:00Z","reason":"…","by":"…"}`, "the body is no maintenance window")
			}
			m, err = c.Start(r.Context(), m)
			return m, problemOfMaintenance(err)
		}},
		{"POST " + windows + "/{id}/end", func(r *http.Request) (any, error) {
			m, err := c.End(r.Context(), r.PathValue("id"))
			return m, problemOfMaintenance(err)
		}},
	}
}

func problemOfMaintenance(err error) error {
	switch {
	case errors.Is(err, planner.ErrBadRequest):
		return &Problem{http.StatusBadRequest, err.Error(), ""}
	case errors.Is(err, planner.ErrSilencer):
		return &Problem{http.StatusBadGateway, err.Error(), "nothing was recorded; see collector.alertmanagers and collector.alertmanager_client"}
	}
	return err
}
