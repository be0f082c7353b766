package capacity

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Measure is what a host was seen to use of a resource class, in the class's unit
// (VCPU: CPUs of the host; MEMORY_MB: MiB).
type Measure struct {
	Host  string // by either of the names that Nova has for it
	Class string
	Total float64 // what the host has
	// Used is its use at the instants of a grid that all measures share, NaN where
	// nobody looked.
	Used []float64
}

// RealUse is what a host, a zone or the cloud really uses, by resource class.
type RealUse struct {
	Zone    string              `json:"zone,omitempty"`
	Host    string              `json:"host,omitempty"`
	Hosts   int                 `json:"hosts"`
	Classes map[string]ClassUse `json:"classes"`
}

// ClassUse is the real use of one class on the hosts that are measured. It is of
// the hosts' own CPUs and memory: neither an allocation ratio nor what is reserved
// for the host is in it, and what the host itself uses is.
type ClassUse struct {
	Measured int     `json:"measured"` // hosts
	Total    float64 `json:"total"`    // what these have
	// Allocated is what Placement has allocated on these. For VCPU it has the pinned
	// ones (PCPU) too: the host's CPUs are the same.
	Allocated int64 `json:"allocated"`
	// P50 and P95 are the use that was not exceeded in half and in 95 % of the time.
	P50      float64 `json:"p50"`
	P95      float64 `json:"p95"`
	P50Ratio float64 `json:"p50_ratio"` // of Total
	P95Ratio float64 `json:"p95_ratio"`
}

// Uses joins measures to hosts: those of each host that is measured, by name, of
// each zone that has such a host, and of the cloud. unmeasured are the other hosts.
// Measures of what is no compute host are left out.
//
// The quantiles of a zone are those of its hosts' sum over time, not a sum of
// quantiles: peaks of different hours do not add up. An instant at which hosts with
// half of the measured total or less were seen is left out; at others, those not
// seen are taken to be as busy as the rest.
func Uses(c Cloud, measures []Measure) (hosts, zones []RealUse, total RealUse, unmeasured []string) {
	byHost := c.measured(measures)
	inZone, countInZone := map[string][]measured{}, map[string]int{}
	var all []measured
	for _, h := range c.Hosts {
		countInZone[h.Zone]++
		own := byHost[h.ID]
		if use := classUses(own); len(use) > 0 {
			hosts = append(hosts, RealUse{Zone: h.Zone, Host: h.Name, Hosts: 1, Classes: use})
			inZone[h.Zone] = append(inZone[h.Zone], own...)
			all = append(all, own...)
		} else {
			unmeasured = append(unmeasured, h.Name)
		}
	}
	for _, zone := range slices.Sorted(maps.Keys(inZone)) {
		zones = append(zones, RealUse{Zone: zone, Hosts: countInZone[zone], Classes: classUses(inZone[zone])})
	}
	return hosts, zones, RealUse{Hosts: len(c.Hosts), Classes: classUses(all)}, unmeasured
}

// measured is a measure of a compute host.
type measured struct {
	Measure
	allocated int64
}

// measurable are the measures by host ID. A host is known by its hypervisor's name
// or by its service's, unless several hypervisors share that (Ironic).
func (c Cloud) measurable(measures []Measure) map[string][]Measure {
	byName, byService := map[string]string{}, map[string][]string{}
	for _, h := range c.Hosts {
		byName[h.Name] = h.ID
		byService[h.ServiceHost] = append(byService[h.ServiceHost], h.ID)
	}
	found := map[string][]Measure{}
	take := func(m Measure, id string) {
		if !slices.ContainsFunc(found[id], func(have Measure) bool { return have.Class == m.Class }) {
			found[id] = append(found[id], m)
		}
	}
	for _, m := range measures {
		if id, ok := byName[m.Host]; ok {
			take(m, id)
		}
	}
	for _, m := range measures {
		if ids := byService[m.Host]; len(ids) == 1 {
			take(m, ids[0])
		}
	}
	return found
}

func classUses(measures []measured) map[string]ClassUse {
	byClass := map[string][]measured{}
	for _, m := range measures {
		if m.Total > 0 {
			byClass[m.Class] = append(byClass[m.Class], m)
		}
	}
	uses := map[string]ClassUse{}
	for class, list := range byClass {
		if use, ok := classUse(list); ok {
			uses[class] = use
		}
	}
	return uses
}

// classUse sums measures of one class; ok is false when no instant counts.
func classUse(list []measured) (u ClassUse, ok bool) {
	var used, seen []float64 // by instant
	for _, m := range list {
		any := false
		for i, v := range m.Used {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				continue
			}
			any = true
			if more := i + 1 - len(used); more > 0 {
				used, seen = append(used, make([]float64, more)...), append(seen, make([]float64, more)...)
			}
			used[i] += v
			seen[i] += m.Total
		}
		if any {
			u.Measured++
			u.Total += m.Total
			u.Allocated += m.allocated
		}
	}
	var shares []float64
	for i, total := range seen {
		if total > u.Total/2 {
			shares = append(shares, used[i]/total)
		}
	}
	if len(shares) == 0 {
		return ClassUse{}, false
	}
	slices.Sort(shares)
	u.P50Ratio, u.P95Ratio = quantile(shares, 0.5), quantile(shares, 0.95)
	u.P50, u.P95 = u.P50Ratio*u.Total, u.P95Ratio*u.Total
	return u, true
}

// quantile of sorted values, between two of them in proportion, as PromQL has it.
func quantile(sorted []float64, q float64) float64 {
	rank := q * float64(len(sorted)-1)
	low := int(rank)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (rank-float64(low))*(sorted[high]-sorted[low])
}

// Busiest are the n of hosts whose fullest class has the highest P95, the busiest
// first.
func Busiest(hosts []RealUse, n int) []RealUse {
	fullest := func(u RealUse) (most float64) {
		for _, c := range u.Classes {
			most = max(most, c.P95Ratio)
		}
		return most
	}
	sorted := slices.SortedStableFunc(slices.Values(hosts), func(a, b RealUse) int {
		return cmp.Or(cmp.Compare(fullest(b), fullest(a)), cmp.Compare(a.Host, b.Host))
	})
	return sorted[:min(n, len(sorted))]
}
