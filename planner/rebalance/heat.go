package rebalance

import (
	"slices"
	"strings"

	"mcloud"
)

// Classes are the resource classes that heat is measured in.
var Classes = []string{"VCPU", "MEMORY_MB", "DISK_GB"}

// Host is one compute host, as Nova and Placement see it.
type Host struct {
	ID         string // uuid of hypervisor and provider
	Nova       mcloud.Host
	Placement  mcloud.Provider
	Aggregates []mcloud.Aggregate // that the host is in
	// Maintenance is the window that the host is in, with its end and reason; empty: none.
	Maintenance string
}

// Heat is how full a host is by what is allocated on it.
type Heat struct {
	Name        string           `json:"name"` // hypervisor_hostname
	ServiceHost string           `json:"service_host"`
	Provider    string           `json:"provider"`
	Generation  int64            `json:"generation"`
	Zone        string           `json:"zone"`
	Used        map[string]int64 `json:"used"`     // by resource class, in its unit
	Capacity    map[string]int64 `json:"capacity"` // (total − reserved) × ratio
	Free        map[string]int64 `json:"free"`
	// Class is the fullest class, Score its used ÷ capacity (may be over 1), and
	// ZoneMean the mean of that class over the zone's usable hosts, by capacity.
	Class    string  `json:"class"`
	Score    float64 `json:"score"`
	ZoneMean float64 `json:"zone_mean"`
	// Usable hosts take new servers; Unusable says why not.
	Usable   bool   `json:"usable"`
	Unusable string `json:"unusable,omitempty"`
	// Steered hosts are in an aggregate of an earlier plan.
	Steered bool `json:"steered,omitempty"`
}

// Measure returns the heat of every host that has an inventory, hottest first,
// by name where equal.
func Measure(hosts []Host) []Heat {
	var heats []Heat
	for _, h := range hosts {
		heat := Heat{Name: h.Nova.Name, ServiceHost: h.Nova.ServiceHost, Provider: h.ID, Generation: h.Placement.Generation, Zone: h.Nova.Zone,
			Used: map[string]int64{}, Capacity: map[string]int64{}, Free: map[string]int64{}}
		for _, class := range Classes {
			inventory, ok := h.Placement.Inventories[class]
			if !ok {
				continue
			}
			capacity, used := inventory.Capacity(), h.Placement.Usages[class]
			heat.Capacity[class], heat.Used[class], heat.Free[class] = capacity, used, max(0, capacity-used)
			if capacity <= 0 {
				continue
			}
			if score := float64(used) / float64(capacity); heat.Class == "" || score > heat.Score {
				heat.Class, heat.Score = class, score
			}
		}
		if heat.Class == "" {
			continue
		}
		heat.Unusable = unusable(h)
		heat.Usable = heat.Unusable == ""
		for _, a := range h.Aggregates {
			heat.Steered = heat.Steered || strings.HasPrefix(a.Name, aggregatePrefix)
		}
		heats = append(heats, heat)
	}
	for i := range heats {
		heats[i].ZoneMean = zoneMean(heats, heats[i].Zone, heats[i].Class)
	}
	slices.SortFunc(heats, func(a, b Heat) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return heats
}

func unusable(h Host) string {
	switch {
	case h.Maintenance != "":
		return "in maintenance " + h.Maintenance
	case h.Nova.Status != "enabled":
		return "disabled: " + h.Nova.DisabledReason
	case h.Nova.State != "up":
		return "down"
	case h.Nova.ForcedDown:
		return "forced down"
	case slices.Contains(h.Placement.Traits, "COMPUTE_STATUS_DISABLED"):
		return "COMPUTE_STATUS_DISABLED"
	}
	return ""
}

func zoneMean(heats []Heat, zone, class string) float64 {
	var used, capacity int64
	for _, h := range heats {
		if h.Zone == zone && h.Usable {
			used += h.Used[class]
			capacity += h.Capacity[class]
		}
	}
	if capacity <= 0 {
		return 0
	}
	return float64(used) / float64(capacity)
}

// Hosts joins the stored objects of one instant. Providers without a
// hypervisor (nested ones, shared storage) are left out.
func Hosts(hosts, providers, aggregates []mcloud.Version) ([]Host, error) {
	byID := map[string]mcloud.Provider{}
	for _, v := range providers {
		var p mcloud.Provider
		if err := attributes(v, &p); err != nil {
			return nil, err
		}
		byID[v.ID] = p
	}
	var all []mcloud.Aggregate
	for _, v := range aggregates {
		var a mcloud.Aggregate
		if err := attributes(v, &a); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	var joined []Host
	for _, v := range hosts {
		var h mcloud.Host
		if err := attributes(v, &h); err != nil {
			return nil, err
		}
		p, ok := byID[v.ID]
		if !ok {
			continue
		}
		host := Host{ID: v.ID, Nova: h, Placement: p}
		for _, a := range all {
			if slices.Contains(a.Hosts, h.ServiceHost) {
				host.Aggregates = append(host.Aggregates, a)
			}
		}
		joined = append(joined, host)
	}
	return joined, nil
}
