package planner

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcloud"
	"mcloud/planner/scenario"
)

// Promises are what has been promised and which questions are asked again and again,
// as they were known at an instant.
type Promises interface {
	Commitments(ctx context.Context, at time.Time) ([]scenario.Commitment, error)
	Scenarios(ctx context.Context, at time.Time) ([]scenario.Scenario, error)
}

// Keeper keeps commitments and scenarios by name, as Events of source "mcloud": what
// is stored last under a name holds, until it is removed.
type Keeper struct {
	Cloud    string
	Ledger   Ledger
	Recorder Recorder
	Now      func() time.Time
}

// Kinds of a Keeper's events: what it is, and what became of it.
const (
	keptCommitment = "commitment"
	keptScenario   = "scenario"
	keptStored     = ".stored"
	keptRemoved    = ".removed"
)

// maxKept bounds the commitments and the scenarios that a cloud may have, since every
// report computes with all of them.
const maxKept = 200

// Commitments implements Promises: by name.
func (k Keeper) Commitments(ctx context.Context, at time.Time) ([]scenario.Commitment, error) {
	return kept[scenario.Commitment](ctx, k, keptCommitment, at)
}

// Scenarios implements Promises: by name.
func (k Keeper) Scenarios(ctx context.Context, at time.Time) ([]scenario.Scenario, error) {
	return kept[scenario.Scenario](ctx, k, keptScenario, at)
}

// kept folds the events of a kind up to at; the zero time is now.
func kept[T any](ctx context.Context, k Keeper, what string, at time.Time) ([]T, error) {
	f := EventFilter{Cloud: k.Cloud, Sources: []string{"mcloud"}, Kinds: []string{what + keptStored, what + keptRemoved}}
	if !at.IsZero() {
		f.To = at.Add(time.Millisecond) // the store keeps these, and To is exclusive
	}
	events, err := k.Ledger.Events(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("read %ss: %w", what, err)
	}
	byName := map[string]json.RawMessage{}
	for _, e := range events { // in the order of time
		if delete(byName, e.Resource); strings.HasSuffix(e.Kind, keptStored) {
			byName[e.Resource] = e.Payload
		}
	}
	all := make([]T, 0, len(byName))
	for _, name := range sortedKeys(byName) {
		var one T
		if err := json.Unmarshal(byName[name], &one); err != nil {
			return nil, fmt.Errorf("the stored %s %s cannot be read: %w; remove it and store it again", what, name, err)
		}
		all = append(all, one)
	}
	return all, nil
}

// Promise stores a commitment, in the place of one of the same name.
func (k Keeper) Promise(ctx context.Context, c scenario.Commitment) (scenario.Commitment, error) {
	if err := c.Validate(); err != nil {
		return c, err
	}
	all, err := k.Commitments(ctx, time.Time{})
	if err != nil {
		return c, err
	}
	if len(all) >= maxKept && !slices.ContainsFunc(all, func(have scenario.Commitment) bool { return have.Name == c.Name }) {
		return c, fmt.Errorf("there are %d commitments already, remove those that are past: %w", len(all), ErrBadRequest)
	}
	c.Recorded = k.Now().UTC()
	return c, k.record(ctx, keptCommitment+keptStored, c.Name, c)
}

// Save stores a scenario, in the place of one of the same name.
func (k Keeper) Save(ctx context.Context, s scenario.Scenario) (scenario.Scenario, error) {
	if err := s.Validate(); err != nil {
		return s, err
	}
	all, err := k.Scenarios(ctx, time.Time{})
	if err != nil {
		return s, err
	}
	if len(all) >= maxKept && !slices.ContainsFunc(all, func(have scenario.Scenario) bool { return have.Name == s.Name }) {
		return s, fmt.Errorf("there are %d scenarios already, remove some: %w", len(all), ErrBadRequest)
	}
	s.Recorded = k.Now().UTC()
	return s, k.record(ctx, keptScenario+keptStored, s.Name, s)
}

// Withdraw removes a commitment.
func (k Keeper) Withdraw(ctx context.Context, name string) error {
	all, err := k.Commitments(ctx, time.Time{})
	if err != nil {
		return err
	}
	if _, err := scenario.Find(all, name); err != nil {
		return err
	}
	return k.record(ctx, keptCommitment+keptRemoved, name, struct{}{})
}

// Forget removes a scenario.
func (k Keeper) Forget(ctx context.Context, name string) error {
	all, err := k.Scenarios(ctx, time.Time{})
	if err != nil {
		return err
	}
	if _, err := scenario.Find(all, name); err != nil {
		return err
	}
	return k.record(ctx, keptScenario+keptRemoved, name, struct{}{})
}

func (k Keeper) record(ctx context.Context, kind, name string, payload any) error {
	now := k.Now().UTC()
	e, err := event(k.Cloud, kind, name, strconv.FormatInt(now.UnixNano(), 10), now, mcloud.SeverityInfo, payload)
	if err != nil {
		return err
	}
	if err := k.Recorder.Post(ctx, mcloud.Batch{Events: []mcloud.Event{e}}); err != nil {
		return fmt.Errorf("record %s of %s: %w", kind, name, err)
	}
	return nil
}
