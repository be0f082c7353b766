package rebalance

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mcloud"
	"pgregory.net/rapid"
)

var at = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func host(name, zone string, used int64, more ...func(*Host)) Host {
	h := Host{ID: "uuid-" + name,
		Nova: mcloud.Host{Name: name, ServiceHost: name, Zone: zone, State: "up", Status: "enabled"},
		Placement: mcloud.Provider{Name: name, Root: "uuid-" + name, Generation: 7,
			Inventories: map[string]mcloud.ProviderInventory{
				"VCPU":      {Total: 100, AllocationRatio: 1, MinUnit: 1, MaxUnit: 100, StepSize: 1},
				"MEMORY_MB": {Total: 100000, AllocationRatio: 1, MinUnit: 1, MaxUnit: 100000, StepSize: 1},
			},
			Usages: map[string]int64{"VCPU": used, "MEMORY_MB": 10 * used}}}
	for _, change := range more {
		change(&h)
	}
	return h
}

func disabled(h *Host) { h.Nova.Status, h.Nova.DisabledReason = "disabled", "disk" }
func steered(h *Host)  { h.Aggregates = []mcloud.Aggregate{{Name: aggregatePrefix + h.Nova.Name}} }

func maintained(h *Host) { h.Maintenance = "4be1a0c2 until 2026-11-22T16:00:00Z: new memory" }

func TestNewPicksTheHottestThatItsZoneCanSpare(t *testing.T) {
	for _, c := range []struct {
		name  string
		hosts []Host
		opts  Options
		want  string // host, or the reason that there is none
	}{
		{"hottest", []Host{host("a1", "a", 50), host("a2", "a", 20), host("b1", "b", 40), host("b2", "b", 10)}, Options{}, "a1"},
		{"a disabled host takes none anyway", []Host{host("a1", "a", 50, disabled), host("a2", "a", 20), host("b1", "b", 40), host("b2", "b", 10)}, Options{}, "b1"},
		{"one in maintenance is left alone", []Host{host("a1", "a", 50, maintained), host("a2", "a", 20), host("b1", "b", 40), host("b2", "b", 10)}, Options{}, "b1"},
		{"one in maintenance takes nobody's servers", []Host{host("a1", "a", 50), host("a2", "a", 20, maintained)}, Options{}, "in maintenance 4be1a0c2 until"},
		{"a steered host is done", []Host{host("a1", "a", 50, steered), host("a2", "a", 20), host("b1", "b", 40), host("b2", "b", 10)}, Options{}, "b1"},
		{"alone in its zone", []Host{host("a1", "a", 50)}, Options{}, "no hotter"},
		{"no usable neighbour", []Host{host("a1", "a", 50), host("a2", "a", 20, disabled)}, Options{}, "no hotter"},
		{"neighbours are full", []Host{host("a1", "a", 99), host("a2", "a", 95)}, Options{MinFree: 0.1}, "is needed"},
		{"balanced", []Host{host("a1", "a", 30), host("a2", "a", 30)}, Options{}, "no hotter"},
		{"within the gap", []Host{host("a1", "a", 31), host("a2", "a", 30)}, Options{MinGap: 0.05}, "no hotter than 5.0 points"},
		{"nothing known", nil, Options{}, "no host is known"},
	} {
		p, err := New("lab", at, c.hosts, c.opts)
		switch {
		case err == nil:
			if p.Host.Name != c.want {
				t.Errorf("%s: %s, want %s", c.name, p.Host.Name, c.want)
			}
			if p.Steps[len(p.Steps)-1].Value != p.Host.ServiceHost || !strings.Contains(p.Reason, "50 of 100") && !strings.Contains(p.Reason, "40 of 100") {
				t.Errorf("%s: reason %q, steps %+v", c.name, p.Reason, p.Steps)
			}
		case !errors.Is(err, ErrNothingToDo) || !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestLeverFollowsTheOperatorsWord(t *testing.T) {
	hosts := []Host{host("a1", "a", 50), host("a2", "a", 20)}
	soft, err := New("lab", at, hosts, Options{})
	if err != nil {
		t.Fatal(err)
	}
	hard, err := New("lab", at, hosts, Options{Isolation: true})
	if err != nil {
		t.Fatal(err)
	}
	if soft.Lever != LeverWeights || soft.Steps[3].Metadata["ram_weight_multiplier"] != "-1.0" || soft.Steps[3].Metadata["trait:"+Trait] != "" {
		t.Errorf("without isolation: %s %v", soft.Lever, soft.Steps[3].Metadata)
	}
	if hard.Lever != LeverIsolate || hard.Steps[3].Metadata["trait:"+Trait] != "required" {
		t.Errorf("with isolation: %s %v", hard.Lever, hard.Steps[3].Metadata)
	}
	if soft.ID == hard.ID {
		t.Error("different plans have one ID")
	}
	again, _ := New("lab", at.Add(time.Hour), hosts, Options{})
	if again.ID != soft.ID {
		t.Error("the same look an hour later gives another ID")
	}
}

func TestStillHolds(t *testing.T) {
	p, err := New("lab", at, []Host{host("a1", "a", 50), host("a2", "a", 20)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.StillHolds([]Host{host("a1", "a", 52, steered), host("a2", "a", 20)}, Options{}); err != nil {
		t.Errorf("half applied, still hot: %v", err)
	}
	if err := p.StillHolds([]Host{host("a1", "a", 10), host("a2", "a", 20)}, Options{}); err == nil {
		t.Error("cooled down, but holds")
	}
	if err := p.StillHolds([]Host{host("a2", "a", 20)}, Options{}); err == nil {
		t.Error("gone, but holds")
	}
}

// TestNeverSteersFromTheLastHost holds for any cloud: a plan leaves its zone
// another usable host with what was asked to be free.
func TestNeverSteersFromTheLastHost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var hosts []Host
		for i := range rapid.IntRange(0, 12).Draw(t, "hosts") {
			var change []func(*Host)
			if rapid.Bool().Draw(t, "disabled") {
				change = append(change, disabled)
			}
			if rapid.Bool().Draw(t, "steered") {
				change = append(change, steered)
			}
			hosts = append(hosts, host(string(rune('a'+i)), rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "zone"), rapid.Int64Range(0, 110).Draw(t, "used"), change...))
		}
		p, err := New("lab", at, hosts, Options{MinFree: 0.2})
		if err != nil {
			if !errors.Is(err, ErrNothingToDo) {
				t.Fatal(err)
			}
			return
		}
		if !p.Host.Usable || p.Host.Steered {
			t.Fatalf("steers %+v", p.Host)
		}
		var free, capacity int64
		for _, h := range p.Hosts {
			if h.Zone == p.Host.Zone && h.Provider != p.Host.Provider && h.Usable && !h.Steered {
				free += h.Free["VCPU"]
				capacity += h.Capacity["VCPU"]
			}
		}
		if capacity == 0 || float64(free) < 0.2*float64(capacity) {
			t.Fatalf("%s leaves zone %s %d of %d", p.Host.Name, p.Host.Zone, free, capacity)
		}
	})
}
