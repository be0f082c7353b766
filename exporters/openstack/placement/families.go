package placement

import (
	"mcloud/exporters"
)

// ofClass are the labels of everything that is per provider and resource class.
// hostname is the provider's name: for a compute host its hypervisor_hostname.
var ofClass = []string{"hostname", "resource_class"}

var (
	total = &exporters.Family{
		Name: "openstack_placement_inventory_units", Type: exporters.Gauge, Labels: ofClass, Set: exporters.SetBase, Call: "GET /resource_providers/{uuid}/inventories",
		Help: "What the provider has of the resource class, in the class's unit (VCPU 1, MEMORY_MB MiB, DISK_GB GiB), before reservation and allocation ratio.",
	}
	reserved = &exporters.Family{
		Name: "openstack_placement_reserved_units", Type: exporters.Gauge, Labels: ofClass, Set: exporters.SetBase, Call: "GET /resource_providers/{uuid}/inventories",
		Help: "What of the inventory is kept from servers, in the class's unit.",
	}
	ratio = &exporters.Family{
		Name: "openstack_placement_allocation_ratio", Unit: "ratio", Type: exporters.Gauge, Labels: ofClass, Set: exporters.SetBase, Call: "GET /resource_providers/{uuid}/inventories",
		Help: "How many times the unreserved inventory may be allocated.",
	}
	capacity = &exporters.Family{
		Name: "openstack_placement_capacity_units", Type: exporters.Gauge, Labels: ofClass, Set: exporters.SetBase, Call: "GET /resource_providers/{uuid}/inventories",
		Help: "What may be allocated: (total - reserved) * allocation ratio, rounded down, in the class's unit.",
	}
	usage = &exporters.Family{
		Name: "openstack_placement_usage_units", Type: exporters.Gauge, Labels: ofClass, Set: exporters.SetBase, Call: "GET /allocation_candidates",
		Help: "What is allocated, in the class's unit.",
	}
	generation = &exporters.Family{
		Name: "openstack_placement_generation", Type: exporters.Gauge, Labels: []string{"hostname"}, Set: exporters.SetBase, Call: "GET /resource_providers",
		Help: "The provider's generation, which grows with changes of its inventories, traits, aggregates and allocations.",
	}
)

func families() []*exporters.Family {
	return []*exporters.Family{total, reserved, ratio, capacity, usage, generation}
}

func addSamples(s *exporters.Snapshot, p provider, k known, used map[string]int64) {
	for _, class := range sortedClasses(k.inventories) {
		v := k.inventories[class]
		s.Add(total, float64(v.Total), p.Name, class)
		s.Add(reserved, float64(v.Reserved), p.Name, class)
		s.Add(ratio, v.AllocationRatio, p.Name, class)
		s.Add(capacity, float64(v.Capacity()), p.Name, class)
		s.Add(usage, float64(used[class]), p.Name, class)
	}
	s.Add(generation, float64(p.Generation), p.Name)
}
