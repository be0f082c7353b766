package capacity

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mcloud"
)

// compute is a host in service with one provider: 8 VCPU × 2, 16 GiB, 100 GiB.
func compute(name, zone string, change ...func(*Host)) Host {
	h := Host{
		ID:   "id-" + name,
		Host: mcloud.Host{Name: name, ServiceHost: name, Zone: zone, State: "up", Status: "enabled"},
		Providers: []Provider{{ID: "id-" + name, Provider: mcloud.Provider{
			Name: name, Root: "id-" + name,
			Inventories: map[string]mcloud.ProviderInventory{
				"VCPU":      {Total: 8, MinUnit: 1, MaxUnit: 8, StepSize: 1, AllocationRatio: 2},
				"MEMORY_MB": {Total: 17408, Reserved: 1024, MinUnit: 1, MaxUnit: 17408, StepSize: 1, AllocationRatio: 1},
				"DISK_GB":   {Total: 100, MinUnit: 1, MaxUnit: 100, StepSize: 1, AllocationRatio: 1},
			},
			Usages: map[string]int64{},
			Traits: []string{"HW_CPU_X86_AVX2"},
		}}},
	}
	for _, c := range change {
		c(&h)
	}
	return h
}

func used(class string, n int64) func(*Host) {
	return func(h *Host) { h.Providers[0].Usages[class] = n }
}

func trait(t string) func(*Host) {
	return func(h *Host) { h.Providers[0].Traits = append(h.Providers[0].Traits, t) }
}

func inventory(class string, inv mcloud.ProviderInventory) func(*Host) {
	return func(h *Host) { h.Providers[0].Inventories[class] = inv }
}

func child(name string, p mcloud.Provider) func(*Host) {
	return func(h *Host) {
		p.Name, p.Root = name, h.ID
		if p.Usages == nil {
			p.Usages = map[string]int64{}
		}
		h.Providers = append(h.Providers, Provider{ID: name, Parent: h.ID, Provider: p})
	}
}

func gpu(total int64) mcloud.Provider {
	return mcloud.Provider{Inventories: map[string]mcloud.ProviderInventory{
		"VGPU": {Total: total, MinUnit: 1, MaxUnit: total, StepSize: 1, AllocationRatio: 1},
	}}
}

func flavor(vcpus, memory, disk int64, specs ...string) Flavor {
	f := Flavor{ID: "f", Flavor: mcloud.Flavor{Name: "f", VCPUs: vcpus, MemoryMiB: memory, DiskGiB: disk, Public: true, ExtraSpecs: map[string]string{}}}
	for i := 0; i+1 < len(specs); i += 2 {
		f.ExtraSpecs[specs[i]] = specs[i+1]
	}
	return f
}

func private(f Flavor, projects ...string) Flavor {
	f.Public, f.Projects = false, projects
	return f
}

func aggregate(name string, hosts []string, metadata ...string) Aggregate {
	a := Aggregate{ID: name, Aggregate: mcloud.Aggregate{Name: name, UUID: "agg-" + name, Hosts: hosts, Metadata: map[string]string{}}}
	for i := 0; i+1 < len(metadata); i += 2 {
		a.Metadata[metadata[i]] = metadata[i+1]
	}
	return a
}

// TestFit holds the rules of Placement and Nova one by one.
func TestFit(t *testing.T) {
	small := flavor(1, 1024, 5)
	for _, tt := range []struct {
		name string
		host Host
		aggs []Aggregate
		q    Question
		want int64
		why  string // the one refusal or limit
	}{
		{name: "memory runs out first", host: compute("h", "a"), q: Question{Flavor: flavor(1, 4096, 5)}, want: 4, why: "MEMORY_MB"},
		{name: "ratio counts for VCPU", host: compute("h", "a"), q: Question{Flavor: flavor(1, 512, 1)}, want: 16, why: "VCPU"},
		{name: "used is taken off", host: compute("h", "a", used("VCPU", 10)), q: Question{Flavor: small}, want: 6, why: "VCPU"},
		{name: "used above capacity is none, not negative", host: compute("h", "a", used("VCPU", 99)), q: Question{Flavor: small}, want: 0, why: "VCPU"},
		{name: "root disk counts", host: compute("h", "a"), q: Question{Flavor: flavor(1, 128, 30)}, want: 3, why: "DISK_GB"},
		{name: "volume-backed has no root disk", host: compute("h", "a"), q: Question{Flavor: flavor(1, 1024, 30), VolumeBacked: true}, want: 16, why: "MEMORY_MB"},
		{name: "swap is rounded up to a GiB", host: compute("h", "a"), q: Question{Flavor: func() Flavor {
			f := flavor(1, 64, 24)
			f.SwapMiB = 1
			return f
		}()}, want: 4, why: "DISK_GB"},
		{name: "max_unit bounds one server, not the ratio", host: compute("h", "a"), q: Question{Flavor: flavor(9, 128, 1)}, want: 0, why: "VCPU above max_unit"},
		{name: "step_size", host: compute("h", "a", inventory("DISK_GB", mcloud.ProviderInventory{Total: 100, StepSize: 10, AllocationRatio: 1})), q: Question{Flavor: flavor(1, 128, 25)}, want: 0, why: "DISK_GB not a multiple of step_size"},
		{name: "min_unit", host: compute("h", "a", inventory("DISK_GB", mcloud.ProviderInventory{Total: 100, MinUnit: 10, AllocationRatio: 1})), q: Question{Flavor: flavor(1, 128, 5)}, want: 0, why: "DISK_GB below min_unit"},
		{name: "required trait present", host: compute("h", "a", trait("CUSTOM_SSD")), q: Question{Flavor: flavor(1, 4096, 1, "trait:CUSTOM_SSD", "required")}, want: 4, why: "MEMORY_MB"},
		{name: "required trait absent", host: compute("h", "a"), q: Question{Flavor: flavor(1, 4096, 1, "trait:CUSTOM_SSD", "required")}, want: 0, why: "lacks trait CUSTOM_SSD"},
		{name: "forbidden trait", host: compute("h", "a", trait("CUSTOM_SSD")), q: Question{Flavor: flavor(1, 4096, 1, "trait:CUSTOM_SSD", "forbidden")}, want: 0, why: "has forbidden trait CUSTOM_SSD"},
		{name: "resources: override", host: compute("h", "a"), q: Question{Flavor: flavor(1, 4096, 1, "resources:MEMORY_MB", "8192")}, want: 2, why: "MEMORY_MB"},
		{name: "resources: 0 takes a class out", host: compute("h", "a"), q: Question{Flavor: flavor(4, 1024, 1, "resources:VCPU", "0")}, want: 16, why: "MEMORY_MB"},
		{name: "custom class absent", host: compute("h", "a"), q: Question{Flavor: flavor(1, 1024, 1, "resources:CUSTOM_LICENCE", "1")}, want: 0, why: "has no CUSTOM_LICENCE"},
		{name: "custom class", host: compute("h", "a", inventory("CUSTOM_LICENCE", mcloud.ProviderInventory{Total: 3, AllocationRatio: 1})), q: Question{Flavor: flavor(1, 1024, 1, "resources:CUSTOM_LICENCE", "1")}, want: 3, why: "CUSTOM_LICENCE"},
		{name: "dedicated CPUs come from PCPU", host: compute("h", "a", inventory("PCPU", mcloud.ProviderInventory{Total: 6, AllocationRatio: 1})), q: Question{Flavor: flavor(2, 128, 1, "hw:cpu_policy", "dedicated")}, want: 3, why: "PCPU"},
		{name: "mixed CPUs", host: compute("h", "a", inventory("PCPU", mcloud.ProviderInventory{Total: 6, AllocationRatio: 1})), q: Question{Flavor: flavor(4, 128, 1, "hw:cpu_policy", "mixed", "hw:cpu_dedicated_mask", "^0-1")}, want: 3, why: "PCPU"},

		{name: "disabled", host: compute("h", "a", func(h *Host) { h.Status = "disabled" }), q: Question{Flavor: small}, why: "disabled"},
		{name: "disabled in Placement", host: compute("h", "a", trait("COMPUTE_STATUS_DISABLED")), q: Question{Flavor: small}, why: "disabled"},
		{name: "down", host: compute("h", "a", func(h *Host) { h.State = "down" }), q: Question{Flavor: small}, why: "down"},
		{name: "forced down", host: compute("h", "a", func(h *Host) { h.ForcedDown = true }), q: Question{Flavor: small}, why: "forced down"},
		{name: "no provider", host: compute("h", "a", func(h *Host) { h.Providers = nil }), q: Question{Flavor: small}, why: "no resource provider"},

		{name: "isolated aggregate keeps others out", host: compute("h", "a", trait("CUSTOM_LICENSED")), aggs: []Aggregate{aggregate("lic", []string{"h"}, "trait:CUSTOM_LICENSED", "required")}, q: Question{Flavor: small}, why: "isolated by aggregate lic"},
		{name: "isolated aggregate lets its own in", host: compute("h", "a", trait("CUSTOM_LICENSED")), aggs: []Aggregate{aggregate("lic", []string{"h"}, "trait:CUSTOM_LICENSED", "required")}, q: Question{Flavor: flavor(1, 4096, 1, "trait:CUSTOM_LICENSED", "required")}, want: 4, why: "MEMORY_MB"},
		{name: "isolated through Placement's mirror", host: compute("h", "a", func(h *Host) { h.Providers[0].Aggregates = []string{"agg-lic"} }), aggs: []Aggregate{aggregate("lic", nil, "trait:CUSTOM_LICENSED", "required")}, q: Question{Flavor: small}, why: "isolated by aggregate lic"},
		{name: "extra spec met", host: compute("h", "a"), aggs: []Aggregate{aggregate("ssd", []string{"h"}, "disk", "nvme,ssd")}, q: Question{Flavor: flavor(1, 4096, 1, "aggregate_instance_extra_specs:disk", "ssd")}, want: 4, why: "MEMORY_MB"},
		{name: "extra spec unmet", host: compute("h", "a"), aggs: []Aggregate{aggregate("ssd", []string{"other"}, "disk", "ssd")}, q: Question{Flavor: flavor(1, 4096, 1, "aggregate_instance_extra_specs:disk", "ssd")}, why: "no aggregate meets disk=ssd"},
		{name: "extra spec with operator", host: compute("h", "a"), aggs: []Aggregate{aggregate("gen", []string{"h"}, "generation", "3")}, q: Question{Flavor: flavor(1, 4096, 1, "aggregate_instance_extra_specs:generation", ">= 2")}, want: 4, why: "MEMORY_MB"},
		{name: "extra spec <or>", host: compute("h", "a"), aggs: []Aggregate{aggregate("gen", []string{"h"}, "generation", "3")}, q: Question{Flavor: flavor(1, 4096, 1, "aggregate_instance_extra_specs:generation", "<or> 2 <or> 3")}, want: 4, why: "MEMORY_MB"},
		{name: "other project's aggregate", host: compute("h", "a"), aggs: []Aggregate{aggregate("t", []string{"h"}, "filter_tenant_id", "p1,p2")}, q: Question{Flavor: small, Project: "p3"}, why: "kept for other projects"},
		{name: "own aggregate", host: compute("h", "a"), aggs: []Aggregate{aggregate("t", []string{"h"}, "filter_tenant_id", "p1,p2")}, q: Question{Flavor: flavor(1, 4096, 1), Project: "p2"}, want: 4, why: "MEMORY_MB"},
		{name: "private flavor stands for its projects", host: compute("h", "a"), aggs: []Aggregate{aggregate("t", []string{"h"}, "filter_tenant_id", "p1")}, q: Question{Flavor: private(flavor(1, 4096, 1), "p1")}, want: 4, why: "MEMORY_MB"},

		{name: "child provider gives its class", host: compute("h", "a", child("gpu0", gpu(3))), q: Question{Flavor: flavor(1, 1024, 1, "resources:VGPU", "1")}, want: 3, why: "VGPU"},
		{name: "two children add up", host: compute("h", "a", child("gpu0", gpu(3)), child("gpu1", gpu(2))), q: Question{Flavor: flavor(1, 1024, 1, "resources:VGPU", "1")}, want: 5, why: "VGPU"},
		{name: "one server is not split over children", host: compute("h", "a", child("gpu0", gpu(3)), child("gpu1", gpu(3))), q: Question{Flavor: flavor(1, 1024, 1, "resources:VGPU", "2")}, want: 2, why: "VGPU"},
		{name: "isolated groups need two children", host: compute("h", "a", child("gpu0", gpu(3)), child("gpu1", gpu(2))), q: Question{Flavor: flavor(1, 1024, 1, "resources1:VGPU", "1", "resources2:VGPU", "1", "group_policy", "isolate")}, want: 2, why: "VGPU"},
		{name: "trait of a suffixed group", host: compute("h", "a", child("gpu0", gpu(3)), child("gpu1", func() mcloud.Provider {
			p := gpu(2)
			p.Traits = []string{"CUSTOM_A100"}
			return p
		}())), q: Question{Flavor: flavor(1, 1024, 1, "resources1:VGPU", "1", "trait1:CUSTOM_A100", "required")}, want: 2, why: "VGPU"},
		{name: "nothing asked", host: compute("h", "a"), q: Question{Flavor: flavor(0, 0, 0)}, want: 0},
		{name: "other zone", host: compute("h", "a"), q: Question{Flavor: small, Zone: "b"}, want: 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := AllRules().Fit(Cloud{Hosts: []Host{tt.host}, Aggregates: tt.aggs}, tt.q)
			if got.Servers != tt.want {
				t.Errorf("%d servers fit, want %d (%+v)", got.Servers, tt.want, got)
			}
			if tt.why != "" && got.Limits[tt.why]+got.Refused[tt.why] != 1 {
				t.Errorf("limits %v, refused %v, want %q", got.Limits, got.Refused, tt.why)
			}
		})
	}
}

func TestRulesOff(t *testing.T) {
	cloud := Cloud{
		Hosts:      []Host{compute("h", "a")},
		Aggregates: []Aggregate{aggregate("x", []string{"h"}, "trait:CUSTOM_X", "required", "filter_tenant_id", "p1")},
	}
	q := Question{Flavor: flavor(1, 4096, 1, "aggregate_instance_extra_specs:disk", "ssd")}
	if got := (Rules{}).Fit(cloud, q).Servers; got != 4 {
		t.Errorf("with every rule off %d servers fit, want 4", got)
	}
}

// TestFitIsWhatPlacementAccepts compares the closed form with a Placement that
// takes one server after another on random hosts, until none takes it.
func TestFitIsWhatPlacementAccepts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var cloud Cloud
		n := rapid.IntRange(1, 5).Draw(t, "hosts")
		for i := range n {
			h := compute(fmt.Sprintf("h%d", i), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "zone"))
			for _, class := range []string{"VCPU", "MEMORY_MB", "DISK_GB"} {
				total := rapid.Int64Range(0, 64).Draw(t, class)
				h.Providers[0].Inventories[class] = mcloud.ProviderInventory{
					Total: total, Reserved: rapid.Int64Range(0, total).Draw(t, "reserved"),
					MinUnit: rapid.Int64Range(0, 2).Draw(t, "min"), MaxUnit: rapid.Int64Range(0, 64).Draw(t, "max"),
					StepSize: rapid.Int64Range(0, 2).Draw(t, "step"), AllocationRatio: rapid.SampledFrom([]float64{1, 1.1, 1.5, 4, 16}).Draw(t, "ratio"),
				}
				h.Providers[0].Usages[class] = rapid.Int64Range(0, 80).Draw(t, "used")
			}
			cloud.Hosts = append(cloud.Hosts, h)
		}
		f := flavor(rapid.Int64Range(1, 6).Draw(t, "vcpus"), rapid.Int64Range(1, 6).Draw(t, "memory"), rapid.Int64Range(0, 6).Draw(t, "disk"))
		got := AllRules().Fit(cloud, Question{Flavor: f})

		var accepted int64
		for _, h := range cloud.Hosts {
			p := h.Providers[0]
			taken := map[string]int64{}
			for accepts(p, taken, map[string]int64{"VCPU": f.VCPUs, "MEMORY_MB": f.MemoryMiB, "DISK_GB": f.DiskGiB}) {
				accepted++
			}
		}
		if got.Servers != accepted {
			t.Fatalf("Fit says %d, Placement accepts %d", got.Servers, accepted)
		}
		var zones int64
		for _, z := range got.Zones {
			zones += z.Servers
		}
		if zones != got.Servers {
			t.Fatalf("zones sum to %d, total is %d", zones, got.Servers)
		}
	})
}

// accepts is Placement's check written the other way round, allocating on yes.
func accepts(p Provider, taken, request map[string]int64) bool {
	for class, n := range request {
		inv := p.Inventories[class]
		if n == 0 {
			continue
		}
		if n < max(1, inv.MinUnit) || (inv.MaxUnit > 0 && n > inv.MaxUnit) || n%max(1, inv.StepSize) != 0 {
			return false
		}
		if float64(p.Usages[class]+taken[class]+n) > float64(inv.Total-inv.Reserved)*inv.AllocationRatio {
			return false
		}
	}
	for class, n := range request {
		taken[class] += n
	}
	return true
}

// TestTreeAgreesWithSingle: a tree whose children have nothing to give takes
// exactly as many as the provider alone.
func TestTreeAgreesWithSingle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := compute("h", "a", used("VCPU", rapid.Int64Range(0, 20).Draw(t, "vcpu")), used("MEMORY_MB", rapid.Int64Range(0, 20000).Draw(t, "memory")))
		f := flavor(rapid.Int64Range(1, 8).Draw(t, "vcpus"), rapid.Int64Range(64, 4096).Draw(t, "mem"), rapid.Int64Range(0, 40).Draw(t, "disk"))
		req := RequestFor(f, false)
		alone, limit, _ := packHost(h.Providers, req)
		child("empty", mcloud.Provider{})(&h)
		tree, treeLimit, _ := packHost(h.Providers, req)
		if alone != tree || limit != treeLimit {
			t.Fatalf("alone %d (%s), in a tree %d (%s)", alone, limit, tree, treeLimit)
		}
	})
}

func TestZones(t *testing.T) {
	cloud := Cloud{Hosts: []Host{
		compute("a1", "az-a", used("VCPU", 4), used("MEMORY_MB", 8192)),
		compute("a2", "az-a", used("VCPU", 16), used("MEMORY_MB", 8192)), // VCPU full: half its memory is stranded
		compute("a3", "az-a", func(h *Host) { h.Status = "disabled" }, used("VCPU", 2)),
		compute("b1", "az-b", func(h *Host) { h.State = "down" }),
		compute("b2", "az-b", used("VCPU", 1)),
	}}
	zones := Zones(cloud)
	if len(zones) != 2 {
		t.Fatalf("%d zones, want 2", len(zones))
	}
	want := Class{Total: 16, Capacity: 32, OutOfService: 16, Allocated: 22, Free: 12, Reserve: 16, Limit: 16, Stranded: 0}
	got := zones[0].Classes["VCPU"]
	got.Stranded = 0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("az-a VCPU (-want +got):\n%s", diff)
	}
	if s := zones[0].Classes["MEMORY_MB"].Stranded; s < 8192 {
		t.Errorf("stranded memory %d MiB, want at least the 8192 of the host without VCPU", s)
	}
	if c := zones[1].Classes["VCPU"]; c.Reserve != 0 || c.Limit != 16 {
		t.Errorf("a zone of one host in service has reserve %d and limit %d, want 0 and 16", c.Reserve, c.Limit)
	}
	if diff := cmp.Diff(map[string]int{"down": 1}, zones[1].Out); diff != "" {
		t.Errorf("az-b out of service (-want +got):\n%s", diff)
	}
	total := Total(zones)
	if total.Hosts != 5 || total.InService != 3 || total.Classes["VCPU"].Limit != 32 {
		t.Errorf("total %d hosts, %d in service, VCPU limit %d", total.Hosts, total.InService, total.Classes["VCPU"].Limit)
	}
}

func TestReadNamesWhatItLeavesOut(t *testing.T) {
	objects := []mcloud.Object{
		mcloud.NewObject(mcloud.KindHost, "u1", "cmp-1", "", "", mcloud.Host{Name: "cmp-1", State: "up", Status: "enabled"}),
		mcloud.NewObject(mcloud.KindProvider, "u1", "cmp-1", "", "", mcloud.Provider{Name: "cmp-1", Root: "u1"}),
		mcloud.NewObject(mcloud.KindProvider, "u1-gpu", "cmp-1-gpu", "u1", "", mcloud.Provider{Name: "cmp-1-gpu", Root: "u1"}),
		mcloud.NewObject(mcloud.KindHost, "u2", "cmp-2", "", "", mcloud.Host{Name: "cmp-2", State: "up", Status: "enabled"}),
		mcloud.NewObject(mcloud.KindProvider, "u9", "shared-nfs", "", "", mcloud.Provider{Name: "shared-nfs", Root: "u9"}),
		{Kind: mcloud.KindFlavor, ID: "f1", Name: "m1.odd", Attributes: []byte(`{"vcpus":"two"}`)},
	}
	c := Read(objects)
	if len(c.Hosts) != 2 || len(c.Hosts[0].Providers) != 2 || c.Hosts[0].Providers[0].ID != "u1" {
		t.Fatalf("hosts %+v", c.Hosts)
	}
	var named []string
	for _, p := range c.Problems {
		named = append(named, p.Object)
	}
	if diff := cmp.Diff([]string{"flavor m1.odd", "host cmp-2", "provider shared-nfs"}, named); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
