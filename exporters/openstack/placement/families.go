package placement

import (
	"context"
	"strconv"

	"mcloud/exporters"
)

// ofClass are the labels of everything that is per provider and resource class.
// hostname is the provider's name: for a compute host its hypervisor_hostname.
var ofClass = []string{"hostname", "resource_class"}

const (
	fromInventories = "GET /resource_providers/{uuid}/inventories"
	fromSummaries   = "GET /allocation_candidates"
	fromAllocations = "GET /resource_providers/{uuid}/allocations"
)

var (
	total = &exporters.Family{
		Name: "openstack_placement_inventory_units", Type: exporters.Gauge, Labels: ofClass, Set: exporters.SetBase, Call: fromInventories,
		Help: "What the provider has of the resource class, in the class's unit (VCPU 1, MEMORY_MB MiB, DISK_GB GiB), before reservation and allocation ratio.",
	}
	reserved = &exporters.Family{
		Name: "openstack_placement_reserved_units", Type: exporters.Gauge, Labels: ofClass, Set: exporters.SetBase, Call: fromInventories,
		Help: "What of the inventory is kept from servers, in the class's unit.",
	}
	ratio = &exporters.Family{
		Name: "openstack_placement_allocation_ratio", Unit: "ratio", Type: exporters.Gauge, Labels: ofClass, Set: exporters.SetBase, Call: fromInventories,
		Help: "How many times the unreserved inventory may be allocated.",
	}
	capacity = &exporters.Family{
		Name: "openstack_placement_capacity_units", Type: exporters.Gauge, Labels: ofClass, Set: exporters.SetBase, Call: fromInventories,
		Help: "What may be allocated: (total - reserved) * allocation ratio, rounded down, in the class's unit.",
	}
	usage = &exporters.Family{
		Name: "openstack_placement_usage_units", Type: exporters.Gauge, Labels: ofClass, Set: exporters.SetBase, Call: fromSummaries,
		Help: "What is allocated, in the class's unit.",
	}
	least = &exporters.Family{
		Name: "openstack_placement_allocation_min_units", Type: exporters.Gauge, Labels: ofClass, Set: exporters.SetObjects, Call: fromInventories,
		Help: "The least that one allocation may have of the provider's resource class, in the class's unit.",
	}
	most = &exporters.Family{
		Name: "openstack_placement_allocation_max_units", Type: exporters.Gauge, Labels: ofClass, Set: exporters.SetObjects, Call: fromInventories,
		Help: "The most that one allocation may have of the provider's resource class, in the class's unit.",
	}
	step = &exporters.Family{
		Name: "openstack_placement_allocation_step_units", Type: exporters.Gauge, Labels: ofClass, Set: exporters.SetObjects, Call: fromInventories,
		Help: "What an allocation of the provider's resource class must be a multiple of, in the class's unit.",
	}
	generation = &exporters.Family{
		Name: "openstack_placement_generation", Type: exporters.Gauge, Labels: []string{"hostname"}, Set: exporters.SetBase, Call: "GET /resource_providers",
		Help: "The provider's generation, which grows with changes of its inventories, traits, aggregates and allocations.",
	}
	providers = &exporters.Family{
		Name: "openstack_placement_providers", Type: exporters.Gauge, Labels: []string{"nested"}, Set: exporters.SetBase, Call: "GET /resource_providers",
		Help: "Resource providers, by whether they are nested in another one (true) or the root of their tree (false).",
	}
	providerInfo = &exporters.Family{
		Name: "openstack_placement_provider_info", Type: exporters.Gauge, Labels: []string{"hostname", "uuid", "parent", "root"}, Set: exporters.SetBase, Call: "GET /resource_providers",
		Help: "Always 1; says which uuid a provider has, and the names of its parent (empty for a root) and of the root of its tree.",
	}
	traitProviders = &exporters.Family{
		Name: "openstack_placement_trait_providers", Type: exporters.Gauge, Labels: []string{"trait"}, Set: exporters.SetBase, Call: fromSummaries,
		Help: "Providers that have the trait; absent while a provider is not known.",
	}
	aggregateProviders = &exporters.Family{
		Name: "openstack_placement_aggregate_providers", Type: exporters.Gauge, Labels: []string{"aggregate"}, Set: exporters.SetBase, Call: "GET /resource_providers?member_of, /resource_providers/{uuid}/aggregates",
		Help: "Providers in the aggregate, named by its uuid: that of Nova's host aggregate where there is one; absent while a provider is not known.",
	}
	traitInfo = &exporters.Family{
		Name: "openstack_placement_provider_trait_info", Type: exporters.Gauge, Labels: []string{"hostname", "trait"}, Set: exporters.SetObjects, Call: fromSummaries,
		Help: "Always 1; says that the provider has the trait.",
	}
	aggregateInfo = &exporters.Family{
		Name: "openstack_placement_provider_aggregate_info", Type: exporters.Gauge, Labels: []string{"hostname", "aggregate"}, Set: exporters.SetObjects, Call: "GET /resource_providers?member_of, /resource_providers/{uuid}/aggregates",
		Help: "Always 1; says that the provider is in the aggregate, named by its uuid.",
	}
	consumers = &exporters.Family{
		Name: "openstack_placement_consumers", Type: exporters.Gauge, Labels: []string{"hostname"}, Set: exporters.SetObjects, Call: fromAllocations,
		Help: "Consumers, such as servers and migrations, that have an allocation of the provider.",
	}
	allocation = &exporters.Family{
		Name: "openstack_placement_allocation_units", Type: exporters.Gauge, Labels: []string{"hostname", "consumer", "resource_class"}, Set: exporters.SetObjects, Call: fromAllocations,
		Help: "What the consumer (a server's or a migration's uuid) has of the provider, in the class's unit.",
	}
)

func families() []*exporters.Family {
	return []*exporters.Family{
		total, reserved, ratio, capacity, usage, least, most, step, generation, providers, providerInfo,
		traitProviders, aggregateProviders, traitInfo, aggregateInfo, consumers, allocation,
	}
}

// addSamples takes all providers, for their names, and those that are known.
// Counts are given only when whole: of a part they would look like those of all.
func (c *collector) addSamples(ctx context.Context, s *exporters.Snapshot, all, present []provider, used map[string]map[string]int64, whole bool) {
	names := make(map[string]string, len(all))
	for _, p := range all {
		names[p.UUID] = p.Name
	}
	perObject := exporters.Wants(ctx, exporters.SetObjects)
	var nested, withTrait, inAggregate exporters.Tally
	for _, p := range present {
		k := c.known[p.UUID]
		addInventories(s, p.Name, k, used[p.UUID], perObject)
		s.Add(generation, float64(p.Generation), p.Name)
		s.Add(providerInfo, 1, p.Name, p.UUID, names[p.Parent], names[p.Root])
		nested.Add(1, strconv.FormatBool(p.Parent != ""))
		for _, t := range k.traits {
			withTrait.Add(1, t)
			if perObject {
				s.Add(traitInfo, 1, p.Name, t)
			}
		}
		for _, a := range k.aggregates {
			inAggregate.Add(1, a)
			if perObject {
				s.Add(aggregateInfo, 1, p.Name, a)
			}
		}
	}
	if whole {
		nested.AddTo(s, providers)
		withTrait.AddTo(s, traitProviders)
		inAggregate.AddTo(s, aggregateProviders)
	}
}

func addInventories(s *exporters.Snapshot, name string, k *known, used map[string]int64, perObject bool) {
	for _, class := range sortedClasses(k.inventories) {
		v := k.inventories[class]
		s.Add(total, float64(v.Total), name, class)
		s.Add(reserved, float64(v.Reserved), name, class)
		s.Add(ratio, v.AllocationRatio, name, class)
		s.Add(capacity, float64(v.Capacity()), name, class)
		s.Add(usage, float64(used[class]), name, class)
		if perObject {
			s.Add(least, float64(v.MinUnit), name, class)
			s.Add(most, float64(v.MaxUnit), name, class)
			s.Add(step, float64(v.StepSize), name, class)
		}
	}
}
