package planner_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"mcloud/planner"
	"mcloud/planner/plannertest"
)

func TestRealUse(t *testing.T) {
	d := latest(t, shared(t))
	u := d.RealUse
	if u.Why != "" || u.StepHours != 1 || !u.To.Equal(plannertest.At) || !u.From.Equal(plannertest.At.AddDate(0, 0, -7)) || len(u.Hosts) != 17 || len(u.Unmeasured) != 1 || u.Unmeasured[0] != "cmp-c6" {
		t.Fatalf("%q, %s every %g h, %d hosts, unmeasured %v", u.Why, u.Period(), u.StepHours, len(u.Hosts), u.Unmeasured)
	}
	// Host i of az-a uses (10 + i) % of 96 CPUs, 30 % more in two of 24 hours.
	cpu, _ := u.In("az-a", "VCPU")
	if cpu.Measured != 6 || cpu.Total != 576 || math.Abs(cpu.P50Ratio-0.125) > 1e-9 || math.Abs(cpu.P95-0.425*576) > 1e-6 || cpu.Allocated != d.Zones[0].Classes["VCPU"].Allocated {
		t.Errorf("az-a: %+v", cpu)
	}
	if c, _ := u.In("az-c", "VCPU"); c.Measured != 5 || c.Total != 480 || c.Allocated >= d.Zones[2].Classes["VCPU"].Allocated {
		t.Errorf("az-c: %+v: cmp-c6 is not measured, so its allocations are not beside the use", c)
	}
	if m := u.Total.Classes["MEMORY_MB"]; m.P50 != 17*786432/2 || m.P95Ratio != 0.5 || u.Total.Hosts != 18 {
		t.Errorf("memory of the cloud: %+v", m)
	}
}

// TestNobodyScrapesHosts: what is not measured is absent, and said; it is no hole in
// the plan.
func TestNobodyScrapesHosts(t *testing.T) {
	o := plannertest.Options()
	o.History = &plannertest.History{Unscraped: true}
	d := latest(t, start(t, o))
	if !strings.Contains(d.RealUse.Why, "no node_exporter of a compute host is scraped") || len(d.Partial) != 0 {
		t.Errorf("why %q, missing %v", d.RealUse.Why, d.Partial)
	}
	raw, err := json.Marshal(d.RealUse)
	if err != nil || strings.ContainsAny(string(raw), "0123456789") {
		t.Errorf("what is not known is written as %s, error %v", raw, err)
	}
}

// history answers the queries that contain a word otherwise, and counts those.
type history struct {
	planner.History
	about  string
	answer func([]planner.Series, error) ([]planner.Series, error)

	mu    sync.Mutex
	asked []string
	spans []time.Duration
}

func (h *history) Range(ctx context.Context, query string, from, to time.Time, step time.Duration) ([]planner.Series, error) {
	series, err := h.History.Range(ctx, query, from, to, step)
	if !strings.Contains(query, h.about) {
		return series, err
	}
	h.mu.Lock()
	h.asked, h.spans = append(h.asked, query), append(h.spans, to.Sub(from))
	h.mu.Unlock()
	if h.answer != nil {
		return h.answer(series, err)
	}
	return series, err
}

func TestHostsUnderOtherNames(t *testing.T) {
	o := plannertest.Options()
	o.History = &history{History: &plannertest.History{}, about: "mcloud_host_", answer: func(series []planner.Series, err error) ([]planner.Series, error) {
		for _, s := range series {
			s.Labels["host"] += ".example.org:9100"
		}
		return series, err
	}}
	if u := latest(t, start(t, o)).RealUse; u.Total != nil || !strings.Contains(u.Why, `"cmp-a1.example.org:9100"`) {
		t.Errorf("why %q, total %+v", u.Why, u.Total)
	}
	o.History = &history{History: &plannertest.History{}, about: "mcloud_host_", answer: func([]planner.Series, error) ([]planner.Series, error) {
		return nil, errors.New("query timed out")
	}}
	d := latest(t, start(t, o))
	if u := d.RealUse; u.Total != nil || u.Why != d.Partial[0].Why || !strings.Contains(u.Why, "query timed out") {
		t.Errorf("why %q, missing %v", u.Why, d.Partial)
	}
}

// TestRealUseIsCheap: a query for the use of all hosts and one for what they have;
// later ones ask for a few hours only.
func TestRealUseIsCheap(t *testing.T) {
	o := plannertest.Options()
	h := &history{History: &plannertest.History{}, about: "mcloud_host_"}
	o.History, o.Period = h, 50*time.Millisecond
	p := start(t, o)
	latest(t, p)
	for p.Status().Runs < 2 {
		time.Sleep(20 * time.Millisecond)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.spans) < 4 || h.spans[0] != 7*24*time.Hour || h.spans[1] != 0 || h.spans[2] > 3*time.Hour || h.spans[3] != 0 {
		t.Errorf("queries over %v", h.spans)
	}
}

// TestRealUseOfFewHours: in the first day ten minutes apart.
func TestRealUseOfFewHours(t *testing.T) {
	o := plannertest.Options()
	h := &plannertest.History{Days: 1}
	o.History = &history{History: h, about: "mcloud_host_", answer: func(series []planner.Series, err error) ([]planner.Series, error) {
		for i := range series {
			for len(series[i].Points) > 0 && series[i].Points[0].Time.Before(plannertest.At.Add(-90*time.Minute)) {
				series[i].Points = series[i].Points[1:]
			}
		}
		return series, err
	}}
	u := latest(t, start(t, o)).RealUse
	if u.StepHours != 1./6 || !u.From.Equal(plannertest.At.Add(-90*time.Minute)) || u.Total == nil {
		t.Errorf("%q, %s every %g h", u.Why, u.Period(), u.StepHours)
	}
}
