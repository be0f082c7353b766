// Package capacity computes what a cloud can hold, how much of it is taken and
// how many more servers of a flavor would be accepted, from Objects of one
// instant. Everything is a pure function; nothing asks a network or a clock.
//
// Use Read first: it turns stored Objects into a Cloud. Zones and Total give
// the sums of compute, Fit answers how many servers of a flavor still fit, and
// TierOf does the same for Ceph. HostRows, AggregateSums and GroupSums are other views
// of the same hosts, Order is the order in which they fill. What is to be bought is in
// purchase.go.
//
// Not evaluated: NUMA topology, PCI devices, image traits and quotas. Where a flavor
// asks for one of these, the answer carries a note. Which cell a host is in no API
// tells: GroupSums by a key of aggregates' metadata stands for it.
package capacity

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"mcloud"
)

// Cloud is what Read understood of one instant.
type Cloud struct {
	Hosts      []Host      // by name
	Aggregates []Aggregate // by name
	Flavors    []Flavor    // by name
	// Reserve is what every zone keeps back; Read leaves it at the largest host.
	Reserve Reserve
	// Problems are objects that were left out, and why; the rest stands.
	Problems []Problem
}

// Host is a hypervisor with the resource providers Placement has for it.
type Host struct {
	ID string // uuid of the hypervisor and of its root provider
	mcloud.Host
	// Providers has the root first; the others are its descendants by name.
	// Empty when Placement has none: such a host takes no server.
	Providers []Provider
}

// Provider is a resource provider with its place in the tree.
type Provider struct {
	ID, Parent string
	mcloud.Provider
}

// Aggregate is a Nova host aggregate.
type Aggregate struct {
	ID string
	mcloud.Aggregate
}

// Flavor is a Nova flavor; ID is its flavorid.
type Flavor struct {
	ID string
	mcloud.Flavor
}

// Problem names an object that could not be used.
type Problem struct {
	Object string `json:"object"` // "host cmp-a1"
	Why    string `json:"why"`
}

func (p Problem) String() string { return p.Object + ": " + p.Why }

// Read decodes the hosts, providers, aggregates and flavors among objects and
// joins providers to hosts. Other kinds are ignored. An object that cannot be
// decoded is named in Problems and left out.
func Read(objects []mcloud.Object) Cloud {
	var c Cloud
	trees := map[string][]Provider{}
	for _, o := range objects {
		var err error
		switch o.Kind {
		case mcloud.KindHost:
			h := Host{ID: o.ID}
			if err = json.Unmarshal(o.Attributes, &h.Host); err == nil {
				h.Name = cmp.Or(h.Name, o.Name, o.ID)
				c.Hosts = append(c.Hosts, h)
			}
		case mcloud.KindProvider:
			p := Provider{ID: o.ID, Parent: o.Parent}
			if err = json.Unmarshal(o.Attributes, &p.Provider); err == nil {
				root := cmp.Or(p.Root, p.ID)
				trees[root] = append(trees[root], p)
			}
		case mcloud.KindAggregate:
			a := Aggregate{ID: o.ID}
			if err = json.Unmarshal(o.Attributes, &a.Aggregate); err == nil {
				c.Aggregates = append(c.Aggregates, a)
			}
		case mcloud.KindFlavor:
			f := Flavor{ID: o.ID}
			if err = json.Unmarshal(o.Attributes, &f.Flavor); err == nil {
				f.Name = cmp.Or(f.Name, o.Name, o.ID)
				c.Flavors = append(c.Flavors, f)
			}
		}
		if err != nil {
			c.Problems = append(c.Problems, Problem{fmt.Sprintf("%s %s", o.Kind, cmp.Or(o.Name, o.ID)), "attributes cannot be read: " + err.Error()})
		}
	}
	for i := range c.Hosts {
		h := &c.Hosts[i]
		h.Providers = trees[h.ID]
		delete(trees, h.ID)
		slices.SortFunc(h.Providers, func(a, b Provider) int {
			rootFirst := cmp.Compare(boolInt(b.ID == h.ID), boolInt(a.ID == h.ID))
			return cmp.Or(rootFirst, cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
		})
		if len(h.Providers) == 0 {
			c.Problems = append(c.Problems, Problem{"host " + h.Name, "Placement has no resource provider of its uuid, so it takes no server: start its nova-compute, or run `nova-manage placement audit`"})
		}
	}
	for root, tree := range trees {
		c.Problems = append(c.Problems, Problem{"provider " + cmp.Or(tree[0].Name, root), "belongs to no known hypervisor: its inventory is not counted"})
	}
	slices.SortFunc(c.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Why, b.Why))
	})
	slices.SortFunc(c.Hosts, func(a, b Host) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	slices.SortFunc(c.Aggregates, func(a, b Aggregate) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	slices.SortFunc(c.Flavors, func(a, b Flavor) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return c
}

// FlavorNamed finds a flavor by name or flavorid.
func (c Cloud) FlavorNamed(nameOrID string) (Flavor, bool) {
	for _, f := range c.Flavors {
		if f.Name == nameOrID || f.ID == nameOrID {
			return f, true
		}
	}
	return Flavor{}, false
}

// membership returns the aggregates of every host, by host ID: those that Nova
// lists its service host in, and those whose mirror Placement puts its root
// provider in. The two agree unless a sync failed (`nova-manage placement
// sync_aggregates`).
func (c Cloud) membership() map[string][]Aggregate {
	byService, byUUID := map[string][]int{}, map[string]int{}
	for i, a := range c.Aggregates {
		for _, host := range a.Hosts {
			byService[host] = append(byService[host], i)
		}
		if a.UUID != "" {
			byUUID[a.UUID] = i
		}
	}
	in := make(map[string][]Aggregate, len(c.Hosts))
	for _, h := range c.Hosts {
		member := slices.Clone(byService[h.ServiceHost])
		if len(h.Providers) > 0 {
			for _, uuid := range h.Providers[0].Aggregates {
				if i, ok := byUUID[uuid]; ok && !slices.Contains(member, i) {
					member = append(member, i)
				}
			}
		}
		slices.Sort(member)
		for _, i := range member {
			in[h.ID] = append(in[h.ID], c.Aggregates[i])
		}
	}
	return in
}

// OutOfService says why Nova's ComputeFilter or Placement's status pre-filter
// keeps every new server away from h; "" means that it takes servers.
// Source: nova/scheduler/filters/compute_filter.py and
// nova/scheduler/request_filter.py, compute_status_filter.
func (h Host) OutOfService() string {
	switch {
	case h.ForcedDown:
		return "forced down"
	case h.State != "up":
		return "down"
	case h.Status != "enabled":
		return "disabled"
	case len(h.Providers) == 0:
		return "no resource provider"
	case slices.Contains(h.Providers[0].Traits, "COMPUTE_STATUS_DISABLED"):
		return "disabled"
	}
	return ""
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
