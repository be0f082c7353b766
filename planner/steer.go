package planner

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"mcloud"
	"mcloud/planner/rebalance"
)

// Recorder stores a batch before it returns nil.
type Recorder interface {
	Post(ctx context.Context, batch mcloud.Batch) error
}

// Steerer makes plans and keeps their history, as Events of source "mcloud".
// It never changes the cloud: planner/placement does, run by an operator.
type Steerer struct {
	Cloud    string
	Ledger   Ledger
	Recorder Recorder
	Options  rebalance.Options
	Now      func() time.Time
}

// Stage is a point in a plan's life, in its events' kinds after "rebalance.".
type Stage string

// The stages. Applying is recorded before the first change, so that a plan
// whose operator died half way can still be undone.
const (
	Planned  Stage = "planned"
	Applying Stage = "applying"
	Applied  Stage = "applied"
	Failed   Stage = "failed"
	Undone   Stage = "undone"
)

const stagePrefix = "rebalance."

// PlanState is a plan and how far it came.
type PlanState struct {
	Plan  rebalance.Plan `json:"plan"`
	Stage Stage          `json:"stage"`
	// Time is when it came there.
	Time time.Time `json:"time"`
	// Record is what the one who applied or undid it wrote: placement.Record.
	Record json.RawMessage `json:"record,omitempty"`
}

// stagePayload is what a stage's Event holds.
type stagePayload struct {
	Plan   rebalance.Plan  `json:"plan"`
	Record json.RawMessage `json:"record,omitempty"`
}

// Plan looks at the newest stored cloud and says what to change. The plan is
// recorded, so that it can be applied by its ID.
func (s Steerer) Plan(ctx context.Context) (rebalance.Plan, error) {
	hosts, at, err := s.hosts(ctx)
	if err != nil {
		return rebalance.Plan{}, err
	}
	p, err := rebalance.New(s.Cloud, at, hosts, s.Options)
	if err != nil {
		return p, err
	}
	return p, s.Reached(ctx, p, Planned, nil)
}

// hosts joins the newest objects, and the maintenance windows that are open; the time is
// now, which they are true at.
func (s Steerer) hosts(ctx context.Context) ([]rebalance.Host, time.Time, error) {
	now := s.Now().UTC()
	kinds := []mcloud.Kind{mcloud.KindHost, mcloud.KindProvider, mcloud.KindAggregate}
	found := make([][]mcloud.Version, len(kinds))
	for i, kind := range kinds {
		var err error
		if found[i], err = s.Ledger.Objects(ctx, s.Cloud, kind, time.Time{}); err != nil {
			return nil, now, fmt.Errorf("read %ss: %w", kind, err)
		}
	}
	hosts, err := rebalance.Hosts(found[0], found[1], found[2])
	if err == nil {
		err = Caretaker{Cloud: s.Cloud, Ledger: s.Ledger}.mark(ctx, hosts, now)
	}
	return hosts, now, err
}

// Check says whether a plan's reason still holds, by the newest stored cloud.
func (s Steerer) Check(ctx context.Context, id string) error {
	state, err := s.Find(ctx, id)
	if err != nil {
		return err
	}
	hosts, _, err := s.hosts(ctx)
	if err != nil {
		return err
	}
	return state.Plan.StillHolds(hosts, s.Options)
}

// Reached records that a plan came to a stage.
func (s Steerer) Reached(ctx context.Context, p rebalance.Plan, stage Stage, record json.RawMessage) error {
	switch stage {
	case Planned, Applying, Applied, Failed, Undone:
	default:
		return fmt.Errorf("stage %q, want planned, applying, applied, failed or undone: %w", stage, ErrBadRequest)
	}
	now := s.Now().UTC()
	severity := mcloud.SeverityInfo
	if stage == Failed {
		severity = mcloud.SeverityError
	}
	e, err := event(s.Cloud, stagePrefix+string(stage), p.ID, strconv.FormatInt(now.UnixMilli(), 10), now, severity, stagePayload{Plan: p, Record: record})
	if err != nil {
		return err
	}
	if err := s.Recorder.Post(ctx, mcloud.Batch{Events: []mcloud.Event{e}}); err != nil {
		return fmt.Errorf("record that plan %s is %s: %w", p.ID, stage, err)
	}
	return nil
}

// Plans are all recorded plans, the newest first, each at its last stage. A
// stage that has no record of its own (planned again after applied) keeps the
// one before it, so that undo finds what was made.
func (s Steerer) Plans(ctx context.Context) ([]PlanState, error) {
	var kinds []string
	for _, stage := range []Stage{Planned, Applying, Applied, Failed, Undone} {
		kinds = append(kinds, stagePrefix+string(stage))
	}
	events, err := s.Ledger.Events(ctx, EventFilter{Cloud: s.Cloud, Sources: []string{"mcloud"}, Kinds: kinds})
	if err != nil {
		return nil, fmt.Errorf("read plans: %w", err)
	}
	byID := map[string]*PlanState{}
	for _, e := range events { // in the order of time
		var payload stagePayload
		if err := json.Unmarshal(e.Payload, &payload); err != nil {
			return nil, fmt.Errorf("stored event %s: %w", e.ID, err)
		}
		stage := Stage(e.Kind[len(stagePrefix):])
		state := byID[e.Resource]
		if state == nil {
			state = &PlanState{Plan: payload.Plan, Stage: stage, Time: e.Time}
			byID[e.Resource] = state
		}
		inForce := state.Stage == Applying || state.Stage == Applied || state.Stage == Failed
		if stage == Planned && inForce {
			continue // looked at again while it is in force
		}
		state.Plan, state.Stage, state.Time = payload.Plan, stage, e.Time
		if len(payload.Record) > 0 {
			state.Record = payload.Record
		}
	}
	var all []PlanState
	for _, state := range byID {
		all = append(all, *state)
	}
	slices.SortFunc(all, func(a, b PlanState) int { return b.Time.Compare(a.Time) })
	return all, nil
}

// Find returns the plan with the ID, or with "" the newest one.
func (s Steerer) Find(ctx context.Context, id string) (PlanState, error) {
	all, err := s.Plans(ctx)
	if err != nil {
		return PlanState{}, err
	}
	for _, state := range all {
		if id == "" || state.Plan.ID == id {
			return state, nil
		}
	}
	if id == "" {
		return PlanState{}, fmt.Errorf("no plan was made yet, `mcloud-plan rebalance plan` makes one: %w", ErrUnknown)
	}
	return PlanState{}, fmt.Errorf("plan %q is %w; `mcloud-plan rebalance status` lists them", id, ErrUnknown)
}
