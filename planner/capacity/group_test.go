package capacity

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mcloud"
)

func groupCloud() Cloud {
	return Cloud{
		Hosts: []Host{
			compute("a1", "az1", used("VCPU", 6), trait("CUSTOM_FAST")),
			compute("a2", "az1", used("MEMORY_MB", 8192), func(h *Host) { h.Status = "disabled" }),
			compute("b1", "az2", child("gpu0", gpu(4)), child("gpu1", mcloud.Provider{Traits: []string{"CUSTOM_A100"}, Inventories: map[string]mcloud.ProviderInventory{
				"VGPU": {Total: 8, MinUnit: 2, MaxUnit: 8, StepSize: 2, AllocationRatio: 1}}})),
		},
		Aggregates: []Aggregate{
			aggregate("both", []string{"a1", "b1"}, "cell", "cell1"),
			aggregate("fast", []string{"a1"}),
			aggregate("second", []string{"a2"}, "cell", "cell2"),
		},
	}
}

func TestHostRows(t *testing.T) {
	rows := HostRows(groupCloud())
	if len(rows) != 3 {
		t.Fatalf("%d rows", len(rows))
	}
	a1, a2, b1 := rows[0], rows[1], rows[2]
	if c := a1.Classes["VCPU"]; c.Total != 8 || c.Capacity != 16 || c.Allocated != 6 || c.Free != 10 || c.Limit != 16 || c.Ratio() != 2 {
		t.Errorf("a1: %+v", c)
	}
	if d := cmp.Diff([]string{"both", "fast"}, a1.Aggregates); d != "" {
		t.Error(d)
	}
	if !slices.Equal(a1.Traits, []string{"CUSTOM_FAST", "HW_CPU_X86_AVX2"}) || a1.Units["VCPU"] != (Units{1, 8, 1}) {
		t.Errorf("a1: traits %v, units %v", a1.Traits, a1.Units)
	}
	if c := a2.Classes["MEMORY_MB"]; a2.Out != "disabled" || c.Capacity != 0 || c.OutOfService != 16384 || c.Allocated != 8192 || c.Limit != 0 {
		t.Errorf("a2 is %q: %+v", a2.Out, c)
	}
	// Nested providers: what they have together, in the widest units of any.
	if c := b1.Classes["VGPU"]; b1.Providers != 3 || c.Capacity != 12 || b1.Units["VGPU"] != (Units{1, 8, 1}) || !slices.Contains(b1.Traits, "CUSTOM_A100") {
		t.Errorf("b1: %+v, units %v, traits %v", c, b1.Units["VGPU"], b1.Traits)
	}
}

func TestGroupSums(t *testing.T) {
	c := groupCloud()
	var names []string
	for _, g := range AggregateSums(c) {
		names = append(names, g.Name)
		if g.Name == "both" {
			if v := g.Classes["VCPU"]; g.Hosts != 2 || g.InService != 2 || v.Capacity != 32 || v.Reserve != 16 || v.Limit != 16 || !slices.Equal(g.Zones, []string{"az1", "az2"}) {
				t.Errorf("aggregate both: %+v", g)
			}
		}
		if g.Name == "second" && (g.InService != 0 || g.Out["disabled"] != 1) {
			t.Errorf("aggregate second: %+v", g)
		}
	}
	if d := cmp.Diff([]string{"both", "fast", "second"}, names); d != "" {
		t.Error(d)
	}
	cells := GroupSums(c, "cell")
	if len(cells) != 2 || cells[0].Name != "cell1" || cells[0].Hosts != 2 || cells[1].Name != "cell2" {
		t.Errorf("cells %+v", cells)
	}
	if none := GroupSums(c, ""); len(none) != 0 {
		t.Errorf("without a key: %+v", none)
	}
	use := GroupUses(c, []Measure{
		{Host: "a1", Class: "VCPU", Total: 8, Used: []float64{2, 4}},
		{Host: "b1", Class: "VCPU", Total: 8, Used: []float64{6, 4}},
		{Host: "elsewhere", Class: "VCPU", Total: 8, Used: []float64{8, 8}},
	})
	if u := use["both"].Classes["VCPU"]; u.Measured != 2 || u.P50 != 8 || u.Allocated != 6 {
		t.Errorf("real use of both: %+v", u)
	}
	if _, ok := use["second"]; ok {
		t.Error("an aggregate that nobody measures has a use")
	}
}

// TestViewsAgree: hosts sum to zones, zones to the cloud, and disjoint groups too.
func TestViewsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Cloud
		for i := range rapid.IntRange(1, 8).Draw(t, "hosts") {
			h := compute(string(rune('a'+i)), rapid.SampledFrom([]string{"az1", "az2"}).Draw(t, "zone"), used("VCPU", rapid.Int64Range(0, 16).Draw(t, "used")),
				inventory("MEMORY_MB", mcloud.ProviderInventory{Total: rapid.Int64Range(2048, 65536).Draw(t, "MiB"), Reserved: 1024, AllocationRatio: rapid.Float64Range(0.5, 2).Draw(t, "ratio")}))
			if rapid.Bool().Draw(t, "down") {
				h.State = "down"
			}
			c.Hosts = append(c.Hosts, h)
			c.Aggregates = append(c.Aggregates, aggregate("agg-"+h.Name, []string{h.Name}))
		}
		total := Total(Zones(c))
		for _, class := range []string{"VCPU", "MEMORY_MB", "DISK_GB"} {
			var hosts, groups Class
			for _, r := range HostRows(c) {
				hosts = add(hosts, r.Classes[class])
			}
			for _, g := range AggregateSums(c) {
				groups = add(groups, g.Classes[class])
			}
			want := total.Classes[class]
			for name, got := range map[string]Class{"hosts": hosts, "groups": groups} {
				if got.Total != want.Total || got.Capacity != want.Capacity || got.Allocated != want.Allocated || got.Free != want.Free || got.OutOfService != want.OutOfService {
					t.Fatalf("%s of %s: %+v, the cloud has %+v", name, class, got, want)
				}
			}
			if want.Limit+want.Reserve != want.Capacity || want.Stranded > want.Free || hosts.Stranded != want.Stranded {
				t.Fatalf("%s: %+v, hosts strand %d", class, want, hosts.Stranded)
			}
		}
	})
}

func TestServerGroups(t *testing.T) {
	c := Cloud{Hosts: []Host{compute("a", "az1", used("VCPU", 10)), compute("b", "az1"), compute("c", "az2", used("VCPU", 8))}}
	f := flavor(2, 1024, 1) // 3, 8 and 4 fit
	for _, tt := range []struct {
		group ServerGroup
		zone  string
		want  int64
	}{
		{ServerGroup{}, "", 15},
		{ServerGroup{Policy: "soft-anti-affinity"}, "", 15},
		{ServerGroup{Policy: "anti-affinity"}, "", 3},
		{ServerGroup{Policy: "anti-affinity", MaxPerHost: 4}, "", 3 + 4 + 4},
		{ServerGroup{Policy: "affinity"}, "", 8},
		{ServerGroup{Policy: "affinity"}, "az2", 4},
	} {
		if got := AllRules().Fit(c, Question{Flavor: f, Zone: tt.zone, Group: tt.group}); got.Servers != tt.want || got.Policy != tt.group.Policy {
			t.Errorf("%+v in %q: %d servers, want %d", tt.group, tt.zone, got.Servers, tt.want)
		}
	}
}

// TestOrder: servers go to the roomiest host first, by hand. a has 6 vCPUs free, b 16 and
// c 8; the other resources are alike, so that vCPUs decide.
func TestOrder(t *testing.T) {
	c := Cloud{Hosts: []Host{compute("a", "az1", used("VCPU", 10)), compute("b", "az1"), compute("c", "az2", used("VCPU", 8))}}
	q := Question{Flavor: flavor(2, 0, 0)}
	order, truncated := AllRules().Order(c, q)
	// b alone until it has 8 left like c (servers 1 to 4), then b and c in turn until all
	// have 6 (5, 6), then a, b and c in turn (7 to 15).
	want := []Fill{
		{Host: "a", Zone: "az1", Servers: 3, First: 7, Last: 13, Limit: "VCPU"},
		{Host: "b", Zone: "az1", Servers: 8, First: 1, Last: 14, Limit: "VCPU"},
		{Host: "c", Zone: "az2", Servers: 4, First: 6, Last: 15, Limit: "VCPU"},
	}
	if d := cmp.Diff(want, order); d != "" || truncated {
		t.Error(d)
	}
	// A multiplier below zero packs instead.
	c.Aggregates = []Aggregate{aggregate("pack", []string{"a", "b", "c"}, "cpu_weight_multiplier", "-1.0")}
	order, _ = AllRules().Order(c, q)
	if len(order) != 3 || order[0].Host != "a" || order[0].First != 1 || order[0].Last != 3 || order[1].Host != "c" || order[1].Last != 7 || order[2].Last != 15 {
		t.Errorf("packed: %+v", order)
	}
	if _, truncated := AllRules().Order(Cloud{Hosts: []Host{compute("big", "az1", inventory("VCPU", mcloud.ProviderInventory{Total: 1 << 30, AllocationRatio: 1}))}}, Question{Flavor: flavor(1, 0, 0)}); !truncated {
		t.Error("more servers than are placed, and nobody says so")
	}
}

// TestOrderPlacesAll: what is placed in order is what fits, whatever the hosts.
func TestOrderPlacesAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Cloud
		for i := range rapid.IntRange(0, 6).Draw(t, "hosts") {
			c.Hosts = append(c.Hosts, compute(string(rune('a'+i)), "az", used("VCPU", rapid.Int64Range(0, 20).Draw(t, "vcpus")), used("MEMORY_MB", rapid.Int64Range(0, 17000).Draw(t, "MiB"))))
		}
		q := Question{Flavor: flavor(rapid.Int64Range(1, 4).Draw(t, "v"), rapid.Int64Range(0, 4096).Draw(t, "m"), rapid.Int64Range(0, 30).Draw(t, "d"))}
		if rapid.Bool().Draw(t, "group") {
			q.Group = ServerGroup{Policy: rapid.SampledFrom(Policies).Draw(t, "policy"), MaxPerHost: rapid.Int64Range(0, 3).Draw(t, "most")}
		}
		order, _ := AllRules().Order(c, q)
		var placed, last int64
		for _, f := range order {
			placed += f.Servers
			if f.Last <= last || f.First < 1 || f.First > f.Last-f.Servers+1 {
				t.Fatalf("order %+v", order)
			}
			last = f.Last
		}
		if fit := AllRules().Fit(c, q); placed != fit.Servers || last != fit.Servers {
			t.Fatalf("%d placed, the last is %d, %d fit", placed, last, fit.Servers)
		}
	})
}

// TestUnitsOfUnbounded: no bound anywhere is none for all.
func TestUnitsOfUnbounded(t *testing.T) {
	h := compute("a", "az", inventory("VCPU", mcloud.ProviderInventory{Total: 4, AllocationRatio: 1}), child("numa1", mcloud.Provider{Inventories: map[string]mcloud.ProviderInventory{"VCPU": {Total: 4, MaxUnit: 4, StepSize: 2, AllocationRatio: 1}}}))
	if u := h.Units()["VCPU"]; u != (Units{1, 0, 1}) {
		t.Errorf("%+v", u)
	}
	if s := h.Sum(); s.Classes["VCPU"].Ratio() != 1 || math.IsNaN(s.Classes["VCPU"].Ratio()) {
		t.Errorf("%+v", s)
	}
}
