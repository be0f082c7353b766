package capacity

import (
	"maps"
	"slices"
)

// slot is a part of a request that must come from a single provider: one class
// of the unnamed group, or a whole suffixed group.
type slot struct {
	group     Group
	resources map[string]int64
	unnamed   bool
}

// treePacker allocates request after request from a tree of providers, each
// time taking the first arrangement that Placement would offer. With several
// equal children (NUMA nodes, GPUs) Nova may choose otherwise; for groups that
// compete for the same children the count is then a lower bound.
// Source: placement/objects/allocation_candidate.py.
type treePacker struct {
	tree  []Provider
	used  []map[string]int64 // by provider, allocated by the servers packed here
	slots []slot
	req   Request
	steps int // of the search for the present server
}

// maxSearch bounds the arrangements tried for one server.
const maxSearch = 10_000

func packTree(tree []Provider, req Request) (servers int64, limit, refused string) {
	p := &treePacker{tree: tree, req: req, used: make([]map[string]int64, len(tree))}
	for i := range p.used {
		p.used[i] = map[string]int64{}
	}
	for _, class := range slices.Sorted(maps.Keys(req.Unnamed.Resources)) {
		p.slots = append(p.slots, slot{req.Unnamed, map[string]int64{class: req.Unnamed.Resources[class]}, true})
	}
	for _, g := range req.Groups {
		p.slots = append(p.slots, slot{g, g.Resources, false})
	}
	if why := p.impossible(); why != "" {
		return 0, "", why
	}
	for {
		p.steps = 0
		if !p.place(0, make([]int, len(p.slots))) {
			return servers, p.scarcest(), ""
		}
		servers++
	}
}

// place gives slot i and all after it a provider and takes the resources;
// chosen holds the provider of each slot before i.
func (p *treePacker) place(i int, chosen []int) bool {
	if p.steps++; p.steps > maxSearch {
		return false
	}
	if i == len(p.slots) {
		return p.traitsMet(chosen)
	}
	s := p.slots[i]
	for n, provider := range p.tree {
		if (s.unnamed && forbidden(provider, s.group) != "") || (!s.unnamed && lacks(provider, s.group) != "") {
			continue
		}
		if p.req.Isolate && !s.unnamed && p.taken(i, chosen, n) || !p.hasRoom(n, s.resources) {
			continue
		}
		for class, amount := range s.resources {
			p.used[n][class] += amount
		}
		chosen[i] = n
		if p.place(i+1, chosen) {
			return true
		}
		for class, amount := range s.resources {
			p.used[n][class] -= amount
		}
	}
	return false
}

// taken says whether another suffixed group already has provider n.
func (p *treePacker) taken(i int, chosen []int, n int) bool {
	for j := range i {
		if !p.slots[j].unnamed && chosen[j] == n {
			return true
		}
	}
	return false
}

func (p *treePacker) hasRoom(n int, resources map[string]int64) bool {
	for class, amount := range resources {
		inv, ok := p.tree[n].Inventories[class]
		if !ok || unitRefusal(inv, amount) != "" || p.tree[n].Usages[class]+p.used[n][class]+amount > inv.Capacity() {
			return false
		}
	}
	return true
}

// traitsMet checks that the providers of the unnamed group have its required
// traits between them.
func (p *treePacker) traitsMet(chosen []int) bool {
	for _, trait := range p.req.Unnamed.Required {
		met := false
		for i, n := range chosen {
			met = met || p.slots[i].unnamed && slices.Contains(p.tree[n].Traits, trait)
		}
		if !met {
			return false
		}
	}
	return true
}

// impossible says which class no provider of the tree could ever give.
func (p *treePacker) impossible() string {
	for _, s := range p.slots {
		for class, amount := range s.resources {
			why := "has no " + class
			for _, provider := range p.tree {
				if _, never := fits(provider, class, amount); never == "" {
					why = ""
					break
				} else if why == "has no "+class {
					why = never
				}
			}
			if why != "" {
				return why
			}
		}
	}
	for _, trait := range p.req.Unnamed.Required {
		if !slices.ContainsFunc(p.tree, func(q Provider) bool { return slices.Contains(q.Traits, trait) }) {
			return "lacks trait " + trait
		}
	}
	return ""
}

// scarcest is the class that can be given the fewest times more.
func (p *treePacker) scarcest() string {
	least, name := int64(-1), ""
	for _, s := range p.slots {
		for _, class := range slices.Sorted(maps.Keys(s.resources)) {
			var times int64
			for n, provider := range p.tree {
				if inv, ok := provider.Inventories[class]; ok {
					times += max(0, inv.Capacity()-provider.Usages[class]-p.used[n][class]) / s.resources[class]
				}
			}
			if least < 0 || times < least {
				least, name = times, class
			}
		}
	}
	return name
}
