package capacity

import (
	"fmt"
	"reflect"
	"testing"

	"mcloud"
)

// rackCloud has hosts of so many vCPUs in one zone, named by their place in the list;
// racks names the hosts of each.
func rackCloud(vcpus []int64, racks map[string][]string) Cloud {
	var c Cloud
	for i, n := range vcpus {
		name := fmt.Sprintf("h%d", i)
		c.Hosts = append(c.Hosts, Host{ID: name, Host: mcloud.Host{Name: name, ServiceHost: name, Zone: "az", State: "up", Status: "enabled"},
			Providers: []Provider{{ID: name, Provider: mcloud.Provider{Inventories: map[string]mcloud.ProviderInventory{"VCPU": {Total: n, AllocationRatio: 1}}}}}})
	}
	for rack, hosts := range racks {
		c.Aggregates = append(c.Aggregates, Aggregate{ID: rack, Aggregate: mcloud.Aggregate{Name: "in " + rack, Hosts: hosts, Metadata: map[string]string{"rack": rack}}})
	}
	return c
}

func TestReserve(t *testing.T) {
	racks := map[string][]string{"r1": {"h0", "h1"}, "r2": {"h2", "h3"}}
	for _, tt := range []struct {
		reserve Reserve
		vcpus   []int64
		want    int64
	}{
		{Reserve{}, []int64{10, 40, 20}, 40},
		{Reserve{Hosts: 2}, []int64{10, 40, 20}, 60},
		{Reserve{Hosts: 2}, []int64{10, 40}, 0}, // nothing would be left
		{Reserve{Hosts: -1}, []int64{10, 40}, 0},
		{Reserve{}, []int64{40}, 0},
		{Reserve{Rack: "rack"}, []int64{10, 10, 15, 15, 20}, 30}, // the last is a rack of its own
		{Reserve{Rack: "rack"}, []int64{10, 10}, 0},              // one rack
		{Reserve{Rack: "other"}, []int64{10, 12, 11}, 12},
	} {
		c := rackCloud(tt.vcpus, racks)
		c.Reserve = tt.reserve
		got := Zones(c)[0].Classes["VCPU"]
		if got.Reserve != tt.want || got.Limit != got.Capacity-tt.want {
			t.Errorf("%+v of %v keeps back %d, limit %d of %d; want %d", tt.reserve, tt.vcpus, got.Reserve, got.Limit, got.Capacity, tt.want)
		}
	}
	c := rackCloud([]int64{1, 1, 1, 1, 1}, racks)
	if got := (Reserve{Rack: "rack"}).Racks(c); !reflect.DeepEqual(got, racks) {
		t.Errorf("racks %v", got)
	}
}
