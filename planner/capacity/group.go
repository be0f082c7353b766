package capacity

import (
	"cmp"
	"maps"
	"slices"
)

// Units are the amounts in which a provider gives a resource class away, in its unit.
// Max is 0 where there is no bound.
type Units struct {
	Min  int64 `json:"min_unit"`
	Max  int64 `json:"max_unit,omitempty"`
	Step int64 `json:"step_size"`
}

// Units are the units of each class of h. Of several providers with the same class
// (GPUs, NUMA nodes) it is the widest range that any of them has.
func (h Host) Units() map[string]Units {
	all := map[string]Units{}
	for _, p := range h.Providers {
		for class, inv := range p.Inventories {
			u := Units{Min: cmp.Or(inv.MinUnit, 1), Max: inv.MaxUnit, Step: cmp.Or(inv.StepSize, 1)}
			if have, ok := all[class]; ok {
				u.Min, u.Step = min(u.Min, have.Min), min(u.Step, have.Step)
				if u.Max = max(u.Max, have.Max); inv.MaxUnit == 0 || have.Max == 0 {
					u.Max = 0
				}
			}
			all[class] = u
		}
	}
	return all
}

// HostRow is a host with all that is told of it.
type HostRow struct {
	HostSum
	ID         string           `json:"id"`
	Aggregates []string         `json:"aggregates,omitempty"` // names
	Traits     []string         `json:"traits,omitempty"`     // of all its providers
	Units      map[string]Units `json:"units"`
	// Providers is how many resource providers it has, itself included.
	Providers int `json:"providers"`
	// Maintenance is the window that somebody works on it in, with its end and reason. It
	// counts all the same: Nova gives it servers, and the window ends.
	Maintenance string `json:"maintenance,omitempty"`
}

// HostRows are the hosts, by name.
func HostRows(c Cloud) []HostRow {
	in, racks := c.membership(), c.Reserve.racks(c)
	mix := map[string]map[string]Class{} // what servers take, by zone
	for _, z := range Zones(c) {
		mix[z.Zone] = z.Classes
	}
	rows := make([]HostRow, 0, len(c.Hosts))
	for _, h := range c.Hosts {
		row := HostRow{HostSum: h.Sum(), ID: h.ID, Units: h.Units(), Providers: len(h.Providers)}
		row.Rack = racks[h.ID]
		stranded := strandedBy([]HostSum{row.HostSum}, mix[h.Zone])
		for class, k := range row.Classes {
			// A host keeps no reserve of its own: what a plan may fill of it is all.
			k.Limit, k.Stranded = k.Capacity, stranded[class]
			row.Classes[class] = k
		}
		for _, a := range in[h.ID] {
			row.Aggregates = append(row.Aggregates, a.Name)
		}
		traits := map[string]bool{}
		for _, p := range h.Providers {
			for _, t := range p.Traits {
				traits[t] = true
			}
		}
		row.Traits = slices.Sorted(maps.Keys(traits))
		rows = append(rows, row)
	}
	return rows
}

// GroupSum is the sum of hosts that something other than their zone puts together.
type GroupSum struct {
	Name      string           `json:"name"`
	Zones     []string         `json:"zones,omitempty"`
	Hosts     int              `json:"hosts"`
	InService int              `json:"in_service"`
	Out       map[string]int   `json:"out_of_service,omitempty"` // hosts by reason
	Classes   map[string]Class `json:"classes"`
}

// AggregateSums are the host aggregates that have hosts, by name. A host of several
// aggregates counts in each: do not add them up.
func AggregateSums(c Cloud) []GroupSum {
	return groupSums(c, func(in []Aggregate) []string {
		var all []string
		for _, a := range in {
			all = append(all, a.Name)
		}
		return all
	})
}

// GroupSums are the sums by the value that host aggregates' metadata has for key, as
// for cells, racks or rooms, which no API tells. A host without one is in none.
func GroupSums(c Cloud, key string) []GroupSum {
	return groupSums(c, func(in []Aggregate) []string {
		for _, a := range in {
			if v := a.Metadata[key]; v != "" && key != "" {
				return []string{v}
			}
		}
		return nil
	})
}

func groupSums(c Cloud, of func(in []Aggregate) []string) []GroupSum {
	in, racks := c.membership(), c.Reserve.racks(c)
	members, zones := map[string][]HostSum{}, map[string]map[string]bool{}
	for _, h := range c.Hosts {
		sum := h.Sum()
		sum.Rack = racks[h.ID]
		for _, name := range of(in[h.ID]) {
			members[name] = append(members[name], sum)
			if zones[name] == nil {
				zones[name] = map[string]bool{}
			}
			zones[name][h.Zone] = true
		}
	}
	sums := make([]GroupSum, 0, len(members))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		z := c.Reserve.sum("", members[name])
		sums = append(sums, GroupSum{Name: name, Zones: slices.Sorted(maps.Keys(zones[name])), Hosts: z.Hosts, InService: z.InService, Out: z.Out, Classes: z.Classes})
	}
	return sums
}

// GroupUses are the real use of the hosts of each aggregate, by name; see Uses.
func GroupUses(c Cloud, measures []Measure) map[string]RealUse {
	byHost, in := c.measured(measures), c.membership()
	own, count := map[string][]measured{}, map[string]int{}
	for _, h := range c.Hosts {
		for _, a := range in[h.ID] {
			own[a.Name] = append(own[a.Name], byHost[h.ID]...)
			count[a.Name]++
		}
	}
	uses := map[string]RealUse{}
	for name, list := range own {
		if use := classUses(list); len(use) > 0 {
			uses[name] = RealUse{Hosts: count[name], Classes: use}
		}
	}
	return uses
}

// measured joins measures to hosts, by host ID, with what is allocated there.
func (c Cloud) measured(measures []Measure) map[string][]measured {
	byName, all := c.measurable(measures), map[string][]measured{}
	for _, h := range c.Hosts {
		sum := h.Sum()
		for _, m := range byName[h.ID] {
			allocated := sum.Classes[m.Class].Allocated
			if m.Class == "VCPU" {
				allocated += sum.Classes["PCPU"].Allocated
			}
			all[h.ID] = append(all[h.ID], measured{m, allocated})
		}
	}
	return all
}
