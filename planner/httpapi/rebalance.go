package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"mcloud/planner"
	"mcloud/planner/rebalance"
)

// Steerer is what the rebalance routes ask.
type Steerer interface {
	Plan(ctx context.Context) (rebalance.Plan, error)
	Plans(ctx context.Context) ([]planner.PlanState, error)
	Find(ctx context.Context, id string) (planner.PlanState, error)
	Check(ctx context.Context, id string) error
	Reached(ctx context.Context, p rebalance.Plan, stage planner.Stage, record json.RawMessage) error
}

// maxRecordBytes bounds what an operator's program reports of a plan.
const maxRecordBytes = 512 << 10

// RebalanceRoutes make, list and check plans and take note of what became of
// them. None changes the cloud: that is done by mcloud-plan, with its operator's
// account.
//
//	POST /api/v1/rebalance/plans              make a plan from the newest look
//	GET  /api/v1/rebalance/plans              all plans, the newest first
//	GET  /api/v1/rebalance/plans/{id}         one; "latest" is the newest
//	GET  /api/v1/rebalance/plans/{id}/check   whether its reason still holds
//	POST /api/v1/rebalance/plans/{id}/{stage} it came to applying, applied, failed or undone
func RebalanceRoutes(s Steerer) []Route {
	const plans = "/api/v1/rebalance/plans"
	return []Route{
		{"POST " + plans, func(r *http.Request) (any, error) {
			p, err := s.Plan(r.Context())
			return p, problemOfPlan(err)
		}},
		{"GET " + plans, func(r *http.Request) (any, error) {
			all, err := s.Plans(r.Context())
			if all == nil {
				all = []planner.PlanState{}
			}
			return all, problemOfPlan(err)
		}},
		{"GET " + plans + "/{id}", func(r *http.Request) (any, error) {
			state, err := s.Find(r.Context(), planID(r))
			return state, problemOfPlan(err)
		}},
		{"GET " + plans + "/{id}/check", func(r *http.Request) (any, error) {
			err := s.Check(r.Context(), planID(r))
			if errors.Is(err, rebalance.ErrStale) {
				return planCheck{Why: err.Error()}, nil
			}
			return planCheck{Holds: err == nil}, problemOfPlan(err)
		}},
		{"POST " + plans + "/{id}/{stage}", func(r *http.Request) (any, error) {
			record, err := io.ReadAll(io.LimitReader(r.Body, maxRecordBytes+1))
			if err != nil || len(record) > maxRecordBytes || len(record) > 0 && !json.Valid(record) {
				return nil, Invalid("send the JSON that apply or undo made", "the record is no JSON of at most %d bytes", maxRecordBytes)
			}
			state, err := s.Find(r.Context(), planID(r))
			if err != nil {
				return nil, problemOfPlan(err)
			}
			return struct{}{}, problemOfPlan(s.Reached(r.Context(), state.Plan, planner.Stage(r.PathValue("stage")), record))
		}},
	}
}

// planCheck says whether a plan's reason still holds.
type planCheck struct {
	Holds bool   `json:"holds"`
	Why   string `json:"why,omitempty"`
}

func planID(r *http.Request) string {
	if id := r.PathValue("id"); id != "latest" {
		return id
	}
	return ""
}

func problemOfPlan(err error) error {
	switch {
	case errors.Is(err, rebalance.ErrNothingToDo):
		return &Problem{http.StatusConflict, err.Error(), "nothing needs to be done; planner.rebalance.min_gap and min_free in mcloud.yaml are the bounds"}
	case errors.Is(err, planner.ErrBadRequest):
		return &Problem{http.StatusBadRequest, err.Error(), ""}
	}
	return err
}
