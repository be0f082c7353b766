package oslo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"mcloud"
)

// picky stores what it is given but for the kinds it refuses, and is away for
// the first calls.
type picky struct {
	away   int
	stored []string
}

func (p *picky) Post(_ context.Context, b mcloud.Batch) error {
	if p.away > 0 {
		p.away--
		return errors.New("away")
	}
	for _, e := range b.Events {
		if e.Kind == "refused" {
			return fmt.Errorf("events: %w", mcloud.ErrInvalid)
		}
	}
	for _, e := range b.Events {
		p.stored = append(p.stored, e.ID)
	}
	return nil
}

func TestOneRefusedEventHoldsUpNoOther(t *testing.T) {
	store := &picky{away: 1}
	c, err := New(Options{Cloud: "lab", URL: "amqp://u:p@127.0.0.1/", Logger: slog.New(slog.DiscardHandler)}, store)
	if err != nil {
		t.Fatal(err)
	}
	var events []mcloud.Event
	for i := range 9 {
		kind := "taken"
		if i == 4 {
			kind = "refused"
		}
		events = append(events, mcloud.Event{ID: fmt.Sprint(i), Kind: kind})
	}
	if !c.storeEvents(t.Context(), events) {
		t.Fatal("it gave up")
	}
	if got := fmt.Sprint(store.stored); got != "[0 1 2 3 5 6 7 8]" || c.stats.refused.Load() != 1 || c.stats.stored.Load() != 8 || c.stats.storeErrors.Load() != 1 {
		t.Errorf("stored %s, refused %d, counted %d stored and %d errors", got, c.stats.refused.Load(), c.stats.stored.Load(), c.stats.storeErrors.Load())
	}
	ended, end := context.WithCancel(t.Context())
	end()
	store.away = 100
	if c.storeEvents(ended, events[:1]) {
		t.Error("it says that an event is stored which is not")
	}
}

// What has settled is looked at less and less often, and often again as soon as
// it changes.
func TestPace(t *testing.T) {
	p := pace{least: leastBind, most: mostBind}
	var waits []time.Duration
	for _, seen := range []string{"", "nova", "nova", "nova", "nova", "nova", "nova", "nova neutron", "nova neutron", "nova neutron", "", "", "nova"} {
		p.saw(seen)
		waits = append(waits, p.wait()/time.Second)
	}
	if want := []time.Duration{2, 2, 4, 8, 16, 30, 30, 2, 4, 8, 2, 4, 2}; !slices.Equal(waits, want) {
		t.Errorf("waits %d s, want %d", waits, want)
	}
	constant := pace{least: queueRefresh, most: queueRefresh}
	for range 3 {
		if got := constant.wait(); got != queueRefresh {
			t.Errorf("waits %v, want %v", got, queueRefresh)
		}
	}
}
