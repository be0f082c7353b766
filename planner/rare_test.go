package planner

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"mcloud/planner/forecast"
)

// fleet answers with so many series by day, and counts how often it was asked.
type fleet struct{ hosts, asked int }

func (f *fleet) Range(_ context.Context, _ string, from, to time.Time, step time.Duration) (all []Series, err error) {
	f.asked++
	for i := range f.hosts {
		s := Series{Labels: map[string]string{"hostname": fmt.Sprint(i)}}
		for t := from; !t.After(to); t = t.Add(step) {
			s.Points = append(s.Points, forecast.Point{Time: t, Value: float64(i) + float64(t.Unix()/86400%7)})
		}
		all = append(all, s)
	}
	return all, nil
}

// TestPartsOverSeveralPlans: a plan that is late forecasts a hundred parts, the next ones
// the others, and their history is read once.
func TestPartsOverSeveralPlans(t *testing.T) {
	history := &fleet{hosts: 2*eachPlan + 1}
	p, err := New(Options{Cloud: "c", History: history, Inventory: struct{ Inventory }{}, Window: 90 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	cache := newHistoryCache()
	at := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	late := &observation{at: at, half: time.Now()}
	group := func(all []Series) []Series { return all }
	asked := 0
	for _, left := range []int{eachPlan + 1, 1} {
		found, err := p.partsOf(t.Context(), late, cache, "q", "hostname", group)
		if want := fmt.Sprintf("%d of %d are not forecast yet", left, history.hosts); err == nil || !strings.Contains(err.Error(), want) || found != nil {
			t.Fatalf("%d found, error %v, want %q", len(found), err, want)
		}
		late.at = late.at.Add(10 * time.Minute)
		if asked == 0 {
			asked = history.asked
		}
	}
	for range 2 {
		found, err := p.partsOf(t.Context(), late, cache, "q", "hostname", group)
		if err != nil || len(found) != history.hosts {
			t.Fatalf("%d found, error %v, want %d", len(found), err, history.hosts)
		}
	}
	if history.asked != asked {
		t.Errorf("asked %d times for the first, %d in all", asked, history.asked)
	}
	// Two days later they are made anew, and those there are stand until all are there.
	late.at = at.Add(48 * time.Hour)
	for plan := range 4 {
		found, err := p.partsOf(t.Context(), late, cache, "q", "hostname", group)
		if err != nil || len(found) != history.hosts {
			t.Fatalf("%d found, error %v, want %d", len(found), err, history.hosts)
		}
		if fresh := found["0"].To.After(at.Add(24 * time.Hour)); fresh != (plan >= 2) {
			t.Errorf("plan %d: from a history that ends %s", plan, found["0"].To)
		}
	}
	if history.asked <= asked {
		t.Error("nothing was read again")
	}
	soon := &observation{at: at, half: time.Now().Add(time.Minute)}
	if found, err := p.partsOf(t.Context(), soon, newHistoryCache(), "q", "hostname", group); err != nil || len(found) != history.hosts {
		t.Errorf("with time left %d found, error %v", len(found), err)
	}
}

// TestHostsThatAreTooMany: what could not add up is not read either.
func TestHostsThatAreTooMany(t *testing.T) {
	history := &fleet{hosts: 5}
	p, err := New(Options{Cloud: "c", History: history, Inventory: struct{ Inventory }{}, Window: 90 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	seen := &observation{at: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), half: time.Now().Add(time.Minute)}
	for _, c := range []struct {
		hosts int
		step  time.Duration
		fit   bool
	}{{1000, time.Hour, true}, {2000, time.Hour, false}, {2000, 6 * time.Hour, true}, {6000, 6 * time.Hour, true}, {6001, 6 * time.Hour, false}, {20_000, 24 * time.Hour, true}} {
		before := history.asked
		_, err := p.hostParts(t.Context(), seen, newHistoryCache(), "VCPU", c.hosts, c.step)
		if fit := err == nil; fit != c.fit || fit != (history.asked > before) {
			t.Errorf("%d hosts by %s: error %v, asked %d times", c.hosts, c.step, err, history.asked-before)
		}
	}
}
