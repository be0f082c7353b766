package exporters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"mcloud"
)

// maxPending bounds the events, and the objects of incomplete Inventories, that
// one Source offers again after its Recorder did not take them.
const maxPending = 10_000

// outbox hands one Source's records to the Recorder, one batch at a time, and
// never keeps the Source's loop longer than wait.
type outbox struct {
	to     Recorder
	wait   time.Duration
	log    *slog.Logger
	repeat time.Duration
	busy   chan struct{} // holds a token while Record runs

	mu          sync.Mutex // guards the fields below
	pending     []mcloud.Event
	partial     []mcloud.Inventory // incomplete ones: the next look may not have their objects
	inventories float64            // that were lost
	events      float64            // that were lost
	said        time.Time
}

func (o *outbox) send(ctx context.Context, events []mcloud.Event, inventories []mcloud.Inventory) {
	if o.to == nil {
		return
	}
	o.mu.Lock()
	events = append(o.pending, events...)
	inventories = append(o.partial, inventories...)
	o.pending, o.partial = nil, nil
	o.mu.Unlock()
	if len(events) == 0 && len(inventories) == 0 {
		return
	}
	timer := time.NewTimer(o.wait)
	defer timer.Stop()
	select {
	case o.busy <- struct{}{}:
	case <-timer.C:
		o.refused(events, inventories, fmt.Errorf("the recorder is still busy with the batch before, after %v", o.wait))
		return
	case <-ctx.Done():
		o.refused(events, inventories, ctx.Err())
		return
	}
	done := make(chan struct{})
	go func() {
		defer func() { <-o.busy; close(done) }()
		ctx, cancel := context.WithTimeout(ctx, o.wait)
		defer cancel()
		if err := o.record(ctx, mcloud.Batch{Events: events, Inventories: inventories}); err != nil {
			o.refused(events, inventories, err)
		}
	}()
	select {
	case <-done:
	case <-timer.C:
	}
}

func (o *outbox) record(ctx context.Context, b mcloud.Batch) (err error) {
	defer func() {
		if p := recover(); p != nil {
			o.log.Error("recorder panicked, which is a bug", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return o.to.Record(ctx, b)
}

// refused keeps the events and incomplete Inventories for the next look, as far
// as the bound allows. Complete Inventories are not kept, since the next look
// brings newer ones.
func (o *outbox) refused(events []mcloud.Event, inventories []mcloud.Inventory, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pending = append(events, o.pending...)
	if lost := len(o.pending) - maxPending; lost > 0 {
		o.events += float64(lost)
		o.pending = append([]mcloud.Event(nil), o.pending[lost:]...)
	}
	room := maxPending
	for _, v := range o.partial {
		room -= len(v.Objects)
	}
	for _, v := range inventories {
		if v.Complete || len(v.Objects) > room {
			o.inventories++
			continue
		}
		room -= len(v.Objects)
		o.partial = append(o.partial, v)
	}
	if errors.Is(err, context.Canceled) {
		return // the program stops
	}
	if now := time.Now(); now.Sub(o.said) >= o.repeat {
		o.said = now
		o.log.Error("records were not taken: events and incomplete inventories are offered again with the next look, complete ones are replaced by its own",
			"error", err.Error(), "events", len(events), "inventories", len(inventories), "events_lost", o.events)
	}
}

func (o *outbox) lost() (inventories, events float64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.inventories, o.events
}
