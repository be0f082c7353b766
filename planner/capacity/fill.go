package capacity

import (
	"slices"
	"strconv"
)

// ServerGroup is what a server group's policy adds to a Question: the servers asked about
// are the members of one group that has none yet.
// Source: nova/scheduler/filters/affinity_filter.py.
type ServerGroup struct {
	// Policy is "affinity", "anti-affinity", "soft-affinity" or "soft-anti-affinity";
	// "" is no group. The soft ones refuse nothing.
	Policy string
	// MaxPerHost is the rule max_server_per_host of anti-affinity; zero means 1.
	MaxPerHost int64
}

// Policies are the policies that Nova has.
var Policies = []string{"affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"}

// bound applies the group to what each host takes, in place.
func (g ServerGroup) bound(fits []HostFit) {
	switch g.Policy {
	case "anti-affinity":
		for i := range fits {
			if most := max(1, g.MaxPerHost); fits[i].Servers > most {
				fits[i].Servers, fits[i].Limit = most, "server group"
			}
		}
	case "affinity":
		best := -1 // all go where the first goes: at best to the roomiest
		for i, f := range fits {
			if f.Servers > 0 && (best < 0 || f.Servers > fits[best].Servers) {
				best = i
			}
		}
		for i := range fits {
			if i != best && fits[i].Servers > 0 {
				fits[i].Servers, fits[i].Limit = 0, "server group"
			}
		}
	}
}

// Fill is a host's place in the order in which servers of a flavor fill the hosts.
type Fill struct {
	Host    string `json:"host"`
	Zone    string `json:"zone"`
	Servers int64  `json:"servers"` // that it takes in all
	// First and Last count the servers from 1: which is the first it gets, and which
	// fills it.
	First int64  `json:"first"`
	Last  int64  `json:"last"`
	Limit string `json:"limit,omitempty"` // the resource class that runs out
}

// maxFill bounds the servers that Order places one by one.
const maxFill = 50_000

// Order places servers of q's flavor one after another as Nova's default weighers
// would, until no host takes another: the roomiest host first, by the sum of what it
// has free of memory, vCPUs and disk, each scaled to the best and the worst host, times
// the multipliers in the metadata of its aggregates. Hosts come in the order in which
// they fill up. truncated says that maxFill servers were placed and more would fit.
//
// Not in it: what other servers take meanwhile, the weighers of IO, PCI, failed builds
// and metrics, and random choice (host_subset_size above 1).
// Source: nova/scheduler/weights/{ram,cpu,disk}.py, nova/weights.py, normalize;
// nova/scheduler/utils.py, get_weight_multiplier.
func (r Rules) Order(c Cloud, q Question) (order []Fill, truncated bool) {
	req := RequestFor(q.Flavor, q.VolumeBacked)
	if req.Empty() {
		return nil, false
	}
	fits, in, takes := r.Hosts(c, q, req), c.membership(), req.Total()
	byName := map[string]Host{}
	for _, h := range c.Hosts {
		byName[h.Name] = h
	}
	var candidates []*candidate
	for _, f := range fits {
		if f.Servers > 0 {
			h := byName[f.Host]
			candidates = append(candidates, &candidate{fill: Fill{Host: f.Host, Zone: f.Zone, Servers: f.Servers, Limit: f.Limit}, free: freeOf(h), multipliers: multipliers(in[h.ID])})
		}
	}
	for n := int64(1); len(candidates) > 0; n++ {
		if n > maxFill {
			return order, true
		}
		i := heaviest(candidates)
		got := candidates[i]
		if got.fill.First == 0 {
			got.fill.First = n
		}
		got.placed++
		for w, class := range weighed {
			got.free[w] -= float64(takes[class])
		}
		if got.placed == got.fill.Servers {
			got.fill.Last = n
			order = append(order, got.fill)
			candidates = slices.Delete(candidates, i, i+1)
		}
	}
	return order, false
}

// weighed are the classes that hosts are weighed by, and the key of the multiplier.
var (
	weighed        = [3]string{"MEMORY_MB", "VCPU", "DISK_GB"}
	multiplierKeys = [3]string{"ram_weight_multiplier", "cpu_weight_multiplier", "disk_weight_multiplier"}
)

type candidate struct {
	fill        Fill
	placed      int64
	free        [3]float64
	multipliers [3]float64
}

// freeOf is what Nova's host state has free: memory and disk without the allocation
// ratio, vCPUs with it.
func freeOf(h Host) (free [3]float64) {
	for w, class := range weighed {
		for _, p := range h.Providers {
			inv := p.Inventories[class]
			switch class {
			case "VCPU":
				free[w] += float64(inv.Total)*inv.AllocationRatio - float64(p.Usages[class])
			default:
				free[w] += float64(inv.Total - inv.Reserved - p.Usages[class])
			}
		}
	}
	return free
}

// multipliers are the least that the host's aggregates say; 1 where none does.
func multipliers(in []Aggregate) (all [3]float64) {
	for w, key := range multiplierKeys {
		all[w] = 1
		found := false
		for _, a := range in {
			if v, err := strconv.ParseFloat(a.Metadata[key], 64); err == nil && (!found || v < all[w]) {
				all[w], found = v, true
			}
		}
	}
	return all
}

// heaviest is the candidate of the greatest weight; of several the first.
func heaviest(all []*candidate) int {
	var least, most [3]float64
	for w := range weighed {
		least[w], most[w] = all[0].free[w], all[0].free[w]
		for _, c := range all {
			least[w], most[w] = min(least[w], c.free[w]), max(most[w], c.free[w])
		}
	}
	best, weight := 0, 0.0
	for i, c := range all {
		var sum float64
		for w := range weighed {
			if most[w] > least[w] {
				sum += c.multipliers[w] * (c.free[w] - least[w]) / (most[w] - least[w])
			}
		}
		if i == 0 || sum > weight {
			best, weight = i, sum
		}
	}
	return best
}
