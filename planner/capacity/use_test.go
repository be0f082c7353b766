package capacity

import (
	"math"
	"testing"

	"mcloud"
)

func useCloud() Cloud {
	host := func(name, service, zone string, vcpu, pcpu int64) Host {
		return Host{ID: "id-" + name, Host: mcloud.Host{Name: name, ServiceHost: service, Zone: zone, State: "up", Status: "enabled"}, Providers: []Provider{{ID: "id-" + name, Provider: mcloud.Provider{
			Inventories: map[string]mcloud.ProviderInventory{"VCPU": {Total: 10, AllocationRatio: 4}, "PCPU": {Total: 4, AllocationRatio: 1}},
			Usages:      map[string]int64{"VCPU": vcpu, "PCPU": pcpu},
		}}}}
	}
	return Cloud{Hosts: []Host{
		host("a1.example.org", "a1", "az-a", 8, 2), host("a2.example.org", "a2", "az-a", 6, 0), host("b1.example.org", "b1", "az-b", 4, 0),
		host("node-1", "ironic", "az-b", 0, 0), host("node-2", "ironic", "az-b", 0, 0),
	}}
}

var nan = math.NaN()

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestUses(t *testing.T) {
	hosts, zones, total, unmeasured := Uses(useCloud(), []Measure{
		{Host: "a1", Class: "VCPU", Total: 10, Used: []float64{9, 1, 1, 1, 1}},             // by the service's name
		{Host: "a2.example.org", Class: "VCPU", Total: 10, Used: []float64{1, 1, 1, 1, 9}}, // by the hypervisor's
		{Host: "ironic", Class: "VCPU", Total: 10, Used: []float64{5, 5, 5, 5, 5}},         // nobody's: two hypervisors share it
		{Host: "mon-1", Class: "VCPU", Total: 10, Used: []float64{5, 5, 5, 5, 5}},          // no compute host
		{Host: "b1", Class: "VCPU", Total: 0, Used: []float64{5, 5, 5, 5, 5}},              // of what is not known
		{Host: "b1", Class: "MEMORY_MB", Total: 100, Used: []float64{nan, nan, nan, nan, nan}},
	})
	if len(hosts) != 2 || len(zones) != 1 || len(unmeasured) != 3 || unmeasured[0] != "b1.example.org" {
		t.Fatalf("hosts %+v, zones %+v, unmeasured %v", hosts, zones, unmeasured)
	}
	a1, az := hosts[0].Classes["VCPU"], zones[0].Classes["VCPU"]
	if a1.P50 != 1 || !near(a1.P95, 1+0.8*8) || !near(a1.P95Ratio, 0.74) || a1.Allocated != 10 || a1.Measured != 1 {
		t.Errorf("a1: %+v, want P95 7.4 between the two highest of five and pinned CPUs among the allocated", a1)
	}
	// Each host's peak is 9 of 10 once; together they never use more than 10 of 20.
	if az.P50 != 2 || !near(az.P95, 10) || !near(az.P95Ratio, 0.5) || az.Total != 20 || az.Allocated != 16 || az.Measured != 2 || zones[0].Hosts != 2 {
		t.Errorf("az-a: %+v: its P95 is that of the sum, not the sum of P95s", az)
	}
	if c := total.Classes["VCPU"]; c != az || total.Hosts != 5 {
		t.Errorf("cloud: %+v of %d hosts", c, total.Hosts)
	}
	if _, there := total.Classes["MEMORY_MB"]; there {
		t.Error("memory that nobody measured is given")
	}
}

// TestUsesWithGaps: a host that is not seen is no host that uses nothing.
func TestUsesWithGaps(t *testing.T) {
	c := useCloud()
	measures := []Measure{
		{Host: "a1", Class: "VCPU", Total: 30, Used: []float64{15, 15, nan, 15}},
		{Host: "a2", Class: "VCPU", Total: 10, Used: []float64{5, nan, 10}}, // not seen at the second, alone at the third
		{Host: "a1", Class: "MEMORY_MB", Total: 100, Used: []float64{10}},
		{Host: "a2", Class: "MEMORY_MB", Used: []float64{10}}, // of what is not known
	}
	_, zones, _, _ := Uses(c, measures)
	if az := zones[0].Classes["VCPU"]; az.P50 != 20 || az.P95 != 20 || az.Total != 40 {
		t.Errorf("az-a %+v, want 20 of 40 throughout", az)
	}
	if m := zones[0].Classes["MEMORY_MB"]; m.P50 != 10 || m.Measured != 1 {
		t.Errorf("memory of az-a %+v, want that of a1", m)
	}
	if _, zones, total, unmeasured := Uses(c, nil); len(zones) != 0 || len(total.Classes) != 0 || len(unmeasured) != 5 {
		t.Errorf("of nothing: zones %v, total %v, unmeasured %v", zones, total, unmeasured)
	}
}

func TestBusiest(t *testing.T) {
	hosts := []RealUse{
		{Host: "idle", Classes: map[string]ClassUse{"VCPU": {P95Ratio: 0.1}}},
		{Host: "full", Classes: map[string]ClassUse{"VCPU": {P95Ratio: 0.1}, "MEMORY_MB": {P95Ratio: 0.9}}},
		{Host: "busy", Classes: map[string]ClassUse{"VCPU": {P95Ratio: 0.8}}},
	}
	if got := Busiest(hosts, 2); len(got) != 2 || got[0].Host != "full" || got[1].Host != "busy" || hosts[0].Host != "idle" {
		t.Errorf("busiest %+v", got)
	}
}
