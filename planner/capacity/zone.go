package capacity

import (
	"cmp"
	"maps"
	"slices"

	"mcloud"
)

// Class is what a host, a zone or a cloud has of one resource class, in the
// class's unit (VCPU, PCPU: one; MEMORY_MB: MiB; DISK_GB: GiB).
type Class struct {
	Total    int64 `json:"total"`    // physical, of hosts in service
	Reserved int64 `json:"reserved"` // kept for the host itself
	// Capacity is Σ int((total − reserved) × allocation_ratio) of the hosts in
	// service: what Placement allocates up to.
	// Source: placement/objects/resource_provider.py, _check_capacity_exceeded.
	Capacity int64 `json:"capacity"`
	// OutOfService is the Capacity of disabled and down hosts, not in Capacity.
	OutOfService int64 `json:"out_of_service,omitempty"`
	// Allocated counts all hosts: what runs on a host under maintenance must
	// find a place too.
	Allocated int64 `json:"allocated"`
	// Free is Σ max(0, capacity − allocated) of the hosts in service.
	Free int64 `json:"free"`
	// Reserve is what is kept back so that the largest host in service of each
	// zone may fail, or what else a Reserve says (N+1). Zero in a zone of one host,
	// where nothing could be reserved.
	Reserve int64 `json:"reserve"`
	// Limit is Capacity − Reserve: what a plan may fill.
	Limit int64 `json:"limit"`
	// Stranded is the part of Free that the zone's present mix of servers
	// cannot use, because another class runs out first on the same host.
	Stranded int64 `json:"stranded"`
}

// Ratio is the mean allocation ratio, Capacity / (Total − Reserved); 0 when
// nothing is left to allocate.
func (c Class) Ratio() float64 {
	if c.Total <= c.Reserved {
		return 0
	}
	return float64(c.Capacity) / float64(c.Total-c.Reserved)
}

// HostSum is one host's classes.
type HostSum struct {
	Name    string           `json:"name"`
	Zone    string           `json:"zone"`
	Out     string           `json:"out_of_service,omitempty"` // why it takes no server
	Classes map[string]Class `json:"classes"`

	// Rack is what it fails with, where racks are told.
	Rack string `json:"rack,omitempty"`
}

// ZoneSum is an availability zone's classes, or with Zone "" the cloud's.
type ZoneSum struct {
	Zone      string           `json:"zone"`
	Hosts     int              `json:"hosts"`
	InService int              `json:"in_service"`
	Out       map[string]int   `json:"out_of_service,omitempty"` // hosts by reason
	Classes   map[string]Class `json:"classes"`
}

// Sum adds up the providers of h. The same class on several providers of the
// tree is summed.
func (h Host) Sum() HostSum {
	s := HostSum{Name: h.Name, Zone: h.Zone, Out: h.OutOfService(), Classes: map[string]Class{}}
	for _, p := range h.Providers {
		for class, inv := range p.Inventories {
			c := s.Classes[class]
			capacity := inv.Capacity()
			c.Allocated += p.Usages[class]
			if s.Out != "" {
				c.OutOfService += capacity
			} else {
				c.Total += inv.Total
				c.Reserved += inv.Reserved
				c.Capacity += capacity
				c.Free += max(0, capacity-p.Usages[class])
			}
			s.Classes[class] = c
		}
	}
	return s
}

// Zones sums the hosts by availability zone, ordered by name.
func Zones(c Cloud) []ZoneSum {
	byZone, racks := map[string][]HostSum{}, c.Reserve.racks(c)
	for _, h := range c.Hosts {
		sum := h.Sum()
		sum.Rack = racks[h.ID]
		byZone[h.Zone] = append(byZone[h.Zone], sum)
	}
	zones := make([]ZoneSum, 0, len(byZone))
	for _, name := range slices.Sorted(maps.Keys(byZone)) {
		zones = append(zones, c.Reserve.sum(name, byZone[name]))
	}
	return zones
}

// Total sums the zones to the cloud: every zone keeps its own N+1 reserve.
func Total(zones []ZoneSum) ZoneSum {
	t := ZoneSum{Out: map[string]int{}, Classes: map[string]Class{}}
	for _, z := range zones {
		t.Hosts += z.Hosts
		t.InService += z.InService
		for why, n := range z.Out {
			t.Out[why] += n
		}
		for name, c := range z.Classes {
			t.Classes[name] = add(t.Classes[name], c)
		}
	}
	return t
}

func add(a, b Class) Class {
	return Class{
		Total: a.Total + b.Total, Reserved: a.Reserved + b.Reserved, Capacity: a.Capacity + b.Capacity,
		OutOfService: a.OutOfService + b.OutOfService, Allocated: a.Allocated + b.Allocated, Free: a.Free + b.Free,
		Reserve: a.Reserve + b.Reserve, Limit: a.Limit + b.Limit, Stranded: a.Stranded + b.Stranded,
	}
}

func (r Reserve) sum(name string, hosts []HostSum) ZoneSum {
	z := ZoneSum{Zone: name, Hosts: len(hosts), Out: map[string]int{}, Classes: map[string]Class{}}
	for _, h := range hosts {
		if h.Out != "" {
			z.Out[h.Out]++
		} else {
			z.InService++
		}
		for class, c := range h.Classes {
			z.Classes[class] = add(z.Classes[class], c)
		}
	}
	stranded := strandedBy(hosts, z.Classes)
	for class, c := range z.Classes {
		c.Reserve = r.of(class, hosts)
		c.Limit = max(0, c.Capacity-c.Reserve)
		c.Stranded = stranded[class]
		z.Classes[class] = c
	}
	return z
}

// strandedBy fills each host's free resources with servers of the zone's
// present mix (Σ allocated by class) until the first class runs out; what then
// remains of the others is stranded.
func strandedBy(hosts []HostSum, zone map[string]Class) map[string]int64 {
	stranded := map[string]int64{}
	for _, h := range hosts {
		if h.Out != "" {
			continue
		}
		fill := -1.0 // how much of the mix fits, as a multiple of it
		for class, c := range h.Classes {
			if mix := zone[class].Allocated; mix > 0 {
				if f := float64(c.Free) / float64(mix); fill < 0 || f < fill {
					fill = f
				}
			}
		}
		if fill < 0 {
			continue
		}
		for class, c := range h.Classes {
			if mix := zone[class].Allocated; mix > 0 {
				stranded[class] += max(0, c.Free-int64(fill*float64(mix)+0.5))
			}
		}
	}
	return stranded
}

// CommonHost returns the inventory that most hosts in service of zone have
// ("" means any zone): the natural unit to buy more of. ok is false when no
// host is in service. Ties go to the larger memory, then the larger VCPU.
func CommonHost(c Cloud, zone string) (inventory map[string]mcloud.ProviderInventory, ok bool) {
	h, ok := TypicalHost(c, zone)
	if !ok {
		return nil, false
	}
	return h.Providers[0].Inventories, true
}

// TypicalHost is one of the hosts whose inventory CommonHost returns.
func TypicalHost(c Cloud, zone string) (host Host, ok bool) {
	type shape struct{ vcpu, memory int64 }
	count := map[shape]int{}
	example := map[shape]Host{}
	for _, h := range c.Hosts {
		if h.OutOfService() != "" || (zone != "" && h.Zone != zone) {
			continue
		}
		inv := h.Providers[0].Inventories
		s := shape{inv["VCPU"].Total, inv["MEMORY_MB"].Total}
		count[s]++
		example[s] = h
	}
	if len(count) == 0 {
		return Host{}, false
	}
	best := slices.MaxFunc(slices.Collect(maps.Keys(count)), func(a, b shape) int {
		return cmp.Or(cmp.Compare(count[a], count[b]), cmp.Compare(a.memory, b.memory), cmp.Compare(a.vcpu, b.vcpu))
	})
	return example[best], true
}
