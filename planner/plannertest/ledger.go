package plannertest

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"mcloud"
	"mcloud/planner"
)

// Ledger is an inventory with a host that is hot, and keeps the events that are posted: a
// planner.Ledger and a planner.Recorder. It may be used concurrently.
type Ledger struct {
	planner.Inventory

	mu     sync.Mutex
	events []mcloud.Event
}

// NewLedger has the inventory and what happened before.
func NewLedger(of planner.Inventory, before ...mcloud.Event) *Ledger {
	return &Ledger{Inventory: of, events: before}
}

// Objects makes the first provider the hottest: all of its memory is taken.
func (l *Ledger) Objects(ctx context.Context, cloud string, kind mcloud.Kind, at time.Time) ([]mcloud.Version, error) {
	found, err := l.Inventory.Objects(ctx, cloud, kind, at)
	if kind == mcloud.KindProvider && len(found) > 0 {
		var p mcloud.Provider
		if err := json.Unmarshal(found[0].Attributes, &p); err != nil {
			return nil, err
		}
		p.Usages["MEMORY_MB"] = p.Inventories["MEMORY_MB"].Capacity()
		found = slices.Clone(found)
		found[0].Object = mcloud.NewObject(kind, found[0].ID, found[0].Name, found[0].Parent, "", p)
	}
	return found, err
}

// Events are those that pass f, as the store gives them.
func (l *Ledger) Events(_ context.Context, f planner.EventFilter) (found []mcloud.Event, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := func(set []string, v string) bool { return len(set) == 0 || slices.Contains(set, v) }
	for _, e := range l.events {
		if (f.Cloud == "" || e.Cloud == f.Cloud) && in(f.Sources, e.Source) && in(f.Kinds, e.Kind) && in(f.Severities, string(e.Severity)) &&
			(f.Project == "" || e.Project == f.Project) && (f.Resource == "" || e.Resource == f.Resource) &&
			(f.From.IsZero() || !e.Time.Before(f.From)) && (f.To.IsZero() || e.Time.Before(f.To)) {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b mcloud.Event) int { return a.Time.Compare(b.Time) })
	if f.Limit > 0 && len(found) > f.Limit {
		found = found[:f.Limit]
	}
	return found, nil
}

// Post keeps events that are valid.
func (l *Ledger) Post(_ context.Context, b mcloud.Batch) error {
	if err := b.Validate(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, b.Events...)
	return nil
}
