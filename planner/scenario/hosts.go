package scenario

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"mcloud"
	"mcloud/planner/capacity"
)

func (s *state) addHosts(c Change) error {
	if err := s.known(c); err != nil {
		return err
	}
	example, err := s.example(c)
	if err != nil {
		return err
	}
	number := len(s.Cloud.Hosts)
	if int64(number)+c.Count > maxHosts {
		return invalid("that makes more than %d hosts", maxHosts)
	}
	for i := range max(1, c.Count) {
		h := example
		h.Name = fmt.Sprintf("new host %d", int64(number)+i+1)
		h.ID, h.ServiceHost, h.Zone = h.Name, h.Name, c.Zone
		h.State, h.Status, h.ForcedDown = "up", "enabled", false
		h.Providers = slices.Clone(example.Providers)
		for j := range h.Providers {
			p := &h.Providers[j]
			p.Usages, p.Aggregates = nil, nil
			p.Traits = slices.DeleteFunc(slices.Clone(p.Traits), func(t string) bool { return t == "COMPUTE_STATUS_DISABLED" })
		}
		s.Cloud.Hosts = append(s.Cloud.Hosts, h)
	}
	return nil
}

// example is the host that added ones are like.
func (s *state) example(c Change) (capacity.Host, error) {
	if c.Like != "" {
		i := slices.IndexFunc(s.Cloud.Hosts, func(h capacity.Host) bool { return h.Name == c.Like })
		switch {
		case i < 0:
			return capacity.Host{}, unknown("host", c.Like, hosts(s.Cloud.Hosts))
		case len(s.Cloud.Hosts[i].Providers) == 0:
			return capacity.Host{}, invalid("Placement knows no inventory of %s", c.Like)
		}
		return s.Cloud.Hosts[i], nil
	}
	typical, ok := capacity.TypicalHost(s.Cloud, c.Zone)
	if !ok {
		typical, ok = capacity.TypicalHost(s.Cloud, "")
	}
	if c.VCPUs == 0 {
		if !ok {
			return capacity.Host{}, invalid("no host is in service that a new one could be like: write vcpus= and memory=")
		}
		return typical, nil
	}
	inventories := map[string]mcloud.ProviderInventory{}
	for class, total := range map[string]int64{"VCPU": c.VCPUs, "MEMORY_MB": c.MemoryMiB, "DISK_GB": c.DiskGiB} {
		ratio := 1.0
		if ok {
			ratio = cmp.Or(typical.Providers[0].Inventories[class].AllocationRatio, 1)
		}
		if total > 0 {
			inventories[class] = mcloud.ProviderInventory{Total: total, MinUnit: 1, MaxUnit: total, StepSize: 1, AllocationRatio: ratio}
		}
	}
	return capacity.Host{Providers: []capacity.Provider{{Provider: mcloud.Provider{Inventories: inventories}}}}, nil
}

// removeHosts takes hosts out of service. What runs on them must find a place
// elsewhere, so that demand stays.
func (s *state) removeHosts(c Change) error {
	if err := s.known(c); err != nil {
		return err
	}
	if c.Host != "" {
		i := slices.IndexFunc(s.Cloud.Hosts, func(h capacity.Host) bool { return h.Name == c.Host })
		switch {
		case i < 0:
			return unknown("host", c.Host, hosts(s.Cloud.Hosts))
		case c.Zone != "" && s.Cloud.Hosts[i].Zone != c.Zone:
			return invalid("host %s is in zone %s, not %s", c.Host, s.Cloud.Hosts[i].Zone, c.Zone)
		case c.Count > 1:
			return invalid("host %s is one, not %d", c.Host, c.Count)
		}
		s.retire(i)
		return nil
	}
	for n := range max(1, c.Count) {
		typical, ok := capacity.TypicalHost(s.Cloud, c.Zone)
		if !ok {
			return invalid("zone %s has only %d hosts in service", c.Zone, n)
		}
		s.retire(slices.IndexFunc(s.Cloud.Hosts, func(h capacity.Host) bool { return h.ID == typical.ID && h.Name == typical.Name }))
	}
	return nil
}

// retire takes host i out of service, if it is not already.
func (s *state) retire(i int) { s.Cloud.Hosts[i].Status = "disabled" }

// ratio sets an allocation ratio.
func (s *state) ratio(c Change) error {
	if err := s.known(c); err != nil {
		return err
	}
	if c.Host != "" && !slices.Contains(hosts(s.Cloud.Hosts), c.Host) {
		return unknown("host", c.Host, hosts(s.Cloud.Hosts))
	}
	found := false
	classes := map[string]bool{}
	for i := range s.Cloud.Hosts {
		h := &s.Cloud.Hosts[i]
		if c.Zone != "" && h.Zone != c.Zone || c.Host != "" && h.Name != c.Host {
			continue
		}
		h.Providers = slices.Clone(h.Providers)
		for j := range h.Providers {
			p := &h.Providers[j]
			for class := range p.Inventories {
				classes[class] = true
			}
			inventory, ok := p.Inventories[c.Class]
			if !ok {
				continue
			}
			found = true
			inventory.AllocationRatio = c.Ratio
			p.Inventories = maps.Clone(p.Inventories)
			p.Inventories[c.Class] = inventory
		}
	}
	if !found {
		return unknown("resource class", c.Class, slices.Collect(maps.Keys(classes)))
	}
	return nil
}

func hosts(all []capacity.Host) []string {
	names := make([]string, len(all))
	for i, h := range all {
		names[i] = h.Name
	}
	return names
}
