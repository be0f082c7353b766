package capacity

import (
	"cmp"
	"maps"
	"slices"

	"mcloud"
)

// Question asks how many more servers of a flavor fit.
type Question struct {
	Flavor Flavor
	// Zone limits the answer to one availability zone; "" means all.
	Zone string
	// Project is who asks, for filter_tenant_id; "" means a project that no
	// aggregate names, or for a private flavor any that may use it.
	Project string
	// VolumeBacked servers have no root disk on the host.
	VolumeBacked bool
	// Group is the server group that all of them are in.
	Group ServerGroup
}

// Headroom is how many further servers Placement and Nova would accept one
// after another if nothing else changed. It keeps no N+1 reserve.
type Headroom struct {
	Flavor       string         `json:"flavor"`
	FlavorID     string         `json:"flavor_id"`
	VolumeBacked bool           `json:"volume_backed"`
	Servers      int64          `json:"servers"`
	Zones        []ZoneHeadroom `json:"zones"` // by name; only zones with hosts
	// Limits counts the hosts by the resource class that runs out first there.
	Limits map[string]int `json:"limits,omitempty"`
	// Refused counts the hosts that take none of them whatever their room, by reason.
	Refused map[string]int `json:"refused,omitempty"`
	Notes   []string       `json:"notes,omitempty"`
	// Policy of the server group that all of them would be in.
	Policy string `json:"server_group_policy,omitempty"`
	// Order is the order in which they fill the hosts, where that was asked for.
	Order []Fill `json:"order,omitempty"`
}

// ZoneHeadroom is the part of a Headroom in one availability zone.
type ZoneHeadroom struct {
	Zone    string `json:"zone"`
	Servers int64  `json:"servers"`
	Hosts   int    `json:"hosts"`   // that take at least one
	Largest int64  `json:"largest"` // the most that one host takes
}

// HostFit is how many servers one host takes.
type HostFit struct {
	Host    string
	Zone    string
	Servers int64
	// Limit is the resource class that runs out first; Refused is why the host
	// takes none whatever its room. At most one is set.
	Limit, Refused string
}

// Fit answers q. Servers of one flavor do not compete across hosts, so the sum
// over hosts is exact, fragmentation included.
func (r Rules) Fit(c Cloud, q Question) Headroom {
	req := RequestFor(q.Flavor, q.VolumeBacked)
	h := Headroom{
		Flavor: q.Flavor.Name, FlavorID: q.Flavor.ID, VolumeBacked: q.VolumeBacked,
		Limits: map[string]int{}, Refused: map[string]int{}, Notes: req.Notes, Policy: q.Group.Policy,
	}
	if req.Empty() {
		h.Notes = append(h.Notes, "the flavor asks for no resource: Placement refuses such a request")
		return h
	}
	zones := map[string]*ZoneHeadroom{}
	for _, f := range r.Hosts(c, q, req) {
		z := zones[f.Zone]
		if z == nil {
			z = &ZoneHeadroom{Zone: f.Zone}
			zones[f.Zone] = z
		}
		if f.Refused != "" {
			h.Refused[f.Refused]++
			continue
		}
		h.Limits[f.Limit]++
		h.Servers += f.Servers
		z.Servers += f.Servers
		z.Largest = max(z.Largest, f.Servers)
		z.Hosts += boolInt(f.Servers > 0)
	}
	for _, name := range slices.Sorted(maps.Keys(zones)) {
		h.Zones = append(h.Zones, *zones[name])
	}
	return h
}

// Hosts answers q host by host, in the order of c.Hosts.
func (r Rules) Hosts(c Cloud, q Question, req Request) []HostFit {
	var fits []HostFit
	in := c.membership()
	for _, host := range c.Hosts {
		if q.Zone != "" && host.Zone != q.Zone {
			continue
		}
		fit := HostFit{Host: host.Name, Zone: host.Zone}
		fit.Refused = r.refusal(host, in[host.ID], q.Flavor, req, q.Project)
		if fit.Refused == "" {
			fit.Servers, fit.Limit, fit.Refused = packHost(host.Providers, req)
		}
		fits = append(fits, fit)
	}
	q.Group.bound(fits)
	return fits
}

// packHost counts how many requests the provider tree takes one after another.
func packHost(tree []Provider, req Request) (servers int64, limit, refused string) {
	if len(tree) == 1 {
		return packProvider(tree[0], req)
	}
	return packTree(tree, req)
}

// packProvider is the closed form for the usual host with one provider: for
// every class (capacity − used) / amount, the least of them.
func packProvider(p Provider, req Request) (servers int64, limit, refused string) {
	if req.Isolate && len(req.Groups) > 1 {
		return 0, "", "group_policy isolate needs several providers"
	}
	amounts := map[string]int64{}
	for _, g := range append([]Group{req.Unnamed}, req.Groups...) {
		if missing := lacks(p, g); missing != "" {
			return 0, "", missing
		}
		for class, n := range g.Resources {
			amounts[class] += n
		}
	}
	servers = -1
	for _, class := range slices.Sorted(maps.Keys(amounts)) {
		n, why := fits(p, class, amounts[class])
		if why != "" {
			return 0, "", why
		}
		if servers < 0 || n < servers {
			servers, limit = n, class
		}
	}
	return max(0, servers), limit, ""
}

// lacks says which trait keeps provider p from serving group g alone.
func lacks(p Provider, g Group) string {
	for _, t := range g.Required {
		if !slices.Contains(p.Traits, t) {
			return "lacks trait " + t
		}
	}
	return forbidden(p, g)
}

func forbidden(p Provider, g Group) string {
	for _, t := range g.Forbidden {
		if slices.Contains(p.Traits, t) {
			return "has forbidden trait " + t
		}
	}
	return ""
}

// fits says how often amount of class may still be allocated from p, or why
// never. Source: placement/objects/resource_provider.py, _check_capacity_exceeded:
// min_unit ≤ amount ≤ max_unit, amount a multiple of step_size, and
// used + amount ≤ (total − reserved) × allocation_ratio.
func fits(p Provider, class string, amount int64) (times int64, never string) {
	inv, ok := p.Inventories[class]
	if !ok {
		return 0, "has no " + class
	}
	if unit := unitRefusal(inv, amount); unit != "" {
		return 0, class + " " + unit
	}
	return max(0, inv.Capacity()-p.Usages[class]) / amount, ""
}

// unitRefusal applies min_unit, max_unit and step_size; Placement's defaults
// stand in for absent (zero) ones: 1, no bound, 1.
func unitRefusal(inv mcloud.ProviderInventory, amount int64) string {
	switch {
	case amount < cmp.Or(inv.MinUnit, 1):
		return "below min_unit"
	case inv.MaxUnit > 0 && amount > inv.MaxUnit:
		return "above max_unit"
	case amount%cmp.Or(inv.StepSize, 1) != 0:
		return "not a multiple of step_size"
	}
	return ""
}
