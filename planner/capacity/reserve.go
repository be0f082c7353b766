package capacity

import (
	"cmp"
	"slices"
)

// Reserve says what must be able to fail in every zone while the rest carries on:
// the zero value is one host, the largest (N+1).
type Reserve struct {
	// Hosts is how many hosts may fail at once, the largest ones; zero means 1, and
	// below zero nothing is kept back.
	Hosts int
	// Rack is the key of host aggregates' metadata whose value names a rack. Where it
	// is set, the largest rack must be able to fail instead; a host that no aggregate
	// puts into a rack is one of its own.
	Rack string
}

// racks names the rack of each host, by host ID; nil when hosts fail one by one.
func (r Reserve) racks(c Cloud) map[string]string {
	if r.Rack == "" {
		return nil
	}
	in := c.membership()
	racks := map[string]string{}
	for _, h := range c.Hosts {
		for _, a := range in[h.ID] {
			if name := a.Metadata[r.Rack]; name != "" {
				racks[h.ID] = name
				break
			}
		}
	}
	return racks
}

// Racks are the hosts' names by rack, of the hosts that have one.
func (r Reserve) Racks(c Cloud) map[string][]string {
	racks, hosts := r.racks(c), map[string][]string{}
	for _, h := range c.Hosts {
		if name := racks[h.ID]; name != "" {
			hosts[name] = append(hosts[name], h.Name)
		}
	}
	return hosts
}

// of is what is kept back of one class: the capacity of the largest failure domains
// among hosts. It is zero where nothing would be left to carry on.
func (r Reserve) of(class string, hosts []HostSum) int64 {
	if r.Hosts < 0 {
		return 0
	}
	domains := map[string]int64{}
	for _, h := range hosts {
		if h.Out == "" {
			domains[cmp.Or(h.Rack, "host "+h.Name)] += h.Classes[class].Capacity
		}
	}
	may := max(1, r.Hosts)
	if r.Rack != "" {
		may = 1
	}
	if len(domains) <= may {
		return 0
	}
	sizes := make([]int64, 0, len(domains))
	for _, n := range domains {
		sizes = append(sizes, n)
	}
	slices.Sort(sizes)
	var sum int64
	for _, n := range sizes[len(sizes)-may:] {
		sum += n
	}
	return sum
}
