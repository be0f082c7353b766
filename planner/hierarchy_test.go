package planner_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"mcloud/planner"
	"mcloud/planner/plannertest"
	"mcloud/planner/report"
)

// TestPartsAddUp: at each instant the hosts are their zone, the zones the cloud, the
// projects their tier.
func TestPartsAddUp(t *testing.T) {
	d := latest(t, shared(t))
	if len(d.Hierarchies) != 6 {
		t.Fatalf("%d hierarchies, want 2 of allocations and 4 of tiers", len(d.Hierarchies))
	}
	moved := 0.0
	for _, h := range d.Hierarchies {
		want := 1 + 3 + 18
		if h.Tier != "" {
			want = 1 + 3
		}
		if h.Why != "" || len(h.Members) != want || len(h.At) != 5 {
			t.Errorf("%s: %d members at %v, why %q", h.What, len(h.Members), h.At, h.Why)
			continue
		}
		for i := range h.At {
			sums, parts := make([]float64, len(h.Members)), make([]int, len(h.Members))
			for _, m := range h.Members[1:] {
				sums[m.Parent] += m.P50[i]
				parts[m.Parent]++
			}
			for n, m := range h.Members {
				if parts[n] > 0 && math.Abs(sums[n]-m.P50[i]) > 1e-9*math.Abs(m.P50[i])+1e-6 {
					t.Errorf("%s at %s: %s %s is %g, its parts %g", h.What, h.At[i], m.Kind, m.Name, m.P50[i], sums[n])
				}
				if m.P10[i] > m.P50[i] || m.P50[i] > m.P90[i] || m.P10[i] < 0 {
					t.Errorf("%s: %s has quantiles %g, %g, %g", h.What, m.Name, m.P10[i], m.P50[i], m.P90[i])
				}
				moved = math.Max(moved, math.Abs(m.P50[i]-m.Alone[i])/m.P50[i])
			}
		}
	}
	if moved < 1e-6 {
		t.Error("every forecast added up by itself: the test shows nothing")
	}
}

// TestZonesShowWhatAddsUp: the zone's own chart and date are of the forecast that
// adds up.
func TestZonesShowWhatAddsUp(t *testing.T) {
	d := latest(t, shared(t))
	h := d.Hierarchies[0]
	for _, m := range h.Members {
		if m.Kind != report.MemberZone {
			continue
		}
		for _, z := range d.Zones {
			if z.Zone != m.Name {
				continue
			}
			last := z.Outlooks[0].Chart.Fan[len(z.Outlooks[0].Chart.Fan)-1]
			i := len(h.At) - 1
			if gap := last.Time.Sub(h.At[i]); gap.Abs().Hours() > 48 || math.Abs(last.P50-m.P50[i]) > 0.02*m.P50[i] {
				t.Errorf("zone %s: the chart ends with %g at %s, the hierarchy with %g at %s", z.Zone, last.P50, last.Time, m.P50[i], h.At[i])
			}
		}
	}
}

// TestPartsAreMissing: without hosts and projects the wholes stand, and it is said.
func TestPartsAreMissing(t *testing.T) {
	o := plannertest.Options()
	o.History = &history{History: &plannertest.History{}, about: "by (hostname)", answer: func([]planner.Series, error) ([]planner.Series, error) {
		return nil, errors.New("query timed out")
	}}
	d := latest(t, start(t, o))
	if h := d.Hierarchies[0]; !strings.Contains(h.Why, "query timed out") || len(h.Members) != 4 {
		t.Errorf("%d members, why %q", len(h.Members), h.Why)
	}
	o.History = &plannertest.History{Days: 1}
	d = latest(t, start(t, o))
	for _, h := range d.Hierarchies {
		if !strings.Contains(h.Why, "too short") || len(h.Members) != 0 {
			t.Errorf("%s from one day: %d members, why %q", h.What, len(h.Members), h.Why)
		}
	}
	o = plannertest.Options()
	o.Tiers[0].VolumeTypes = nil
	if h := latest(t, start(t, o)).Hierarchies[2]; h.Tier != "nvme" || !strings.Contains(h.Why, "no volume types are named") {
		t.Errorf("%s: why %q", h.What, h.Why)
	}
}

// TestQueriesAreReal: every query that a plan asks can be parsed, whatever the test
// cloud makes of it.
func TestQueriesAreReal(t *testing.T) {
	o := plannertest.Options()
	h := &history{History: o.History}
	o.History = h
	latest(t, start(t, o))
	parse := parser.NewParser(parser.Options{})
	seen := map[string]bool{}
	for _, query := range h.asked {
		if seen[query] {
			continue
		}
		seen[query] = true
		if _, err := parse.ParseExpr(query); err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d queries were asked", len(seen))
	}
}

// A quick start has a first plan without the parts' forecasts, and the second has them.
func TestQuickStart(t *testing.T) {
	o := plannertest.Options()
	o.QuickStart, o.Period = true, 10*time.Millisecond
	p, err := planner.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	defer func() { stop(); <-done }()
	var first report.Document
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		d, err := p.Report(t.Context(), time.Time{})
		if err == nil && first.At.IsZero() {
			if first = d; len(d.Zones) != 3 || len(d.Hierarchies) != 1 || len(d.Hierarchies[0].Members) != 0 || !strings.Contains(d.Hierarchies[0].Why, "next plan") {
				t.Fatalf("the first plan has %d zones and the hierarchies %+v", len(d.Zones), d.Hierarchies)
			}
		}
		if err == nil && len(d.Hierarchies) == 6 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no plan has hierarchies: %v", err)
		}
	}
}
