package model

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Schedule chooses a host as Nova does: Placement's candidates (room in every
// class, required and forbidden traits, aggregates isolated by trait:…=required
// metadata), the zone, services that are up and enabled, and then the weighers
// for free memory, CPU and disk with the aggregates' own multipliers
// (nova/scheduler/weights). forced names the only host allowed; except is left
// out, as a resize or migration does with the host it leaves. nil when no host
// takes it.
func (w *World) Schedule(f *Flavor, bootFromVolume bool, zone, forced string, except *Host) *Host {
	required, forbidden := f.required()
	need := f.Needs(bootFromVolume)
	var hosts []*Host
	for _, h := range w.Hosts {
		switch {
		case h == except, !h.Up, !h.Enabled && forced == "":
		case forced != "" && h.Name != forced:
		case zone != "" && h.Zone.Name != zone:
		case !fits(h, need), !w.admits(h, required, forbidden):
		default:
			hosts = append(hosts, h)
		}
	}
	if len(hosts) == 0 {
		return nil
	}
	best := w.weigh(hosts)
	// host_subset_size = 3: races of several schedulers are avoided, and hosts
	// are filled less evenly, as in a real cloud.
	return best[w.rand.IntN(min(3, len(best)))]
}

// Candidates returns the hosts with room for need and the traits, as
// GET /allocation_candidates does: without regard to services or zones.
func (w *World) Candidates(need Resources, required, forbidden []string) []*Host {
	var hosts []*Host
	for _, h := range w.Hosts {
		traits := h.Traits()
		ok := fits(h, need)
		for _, t := range required {
			ok = ok && slices.Contains(traits, t)
		}
		for _, t := range forbidden {
			ok = ok && !slices.Contains(traits, t)
		}
		if ok {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

func fits(h *Host, need Resources) bool {
	free := h.Free()
	for _, class := range ResourceClasses {
		n, inventory := need.Of(class), h.Inventories[class]
		if n > 0 && (n > free.Of(class) || n > inventory.MaxUnit || n < inventory.MinUnit || inventory.StepSize > 1 && n%inventory.StepSize != 0) {
			return false
		}
	}
	return true
}

// admits checks traits, and that every trait which the host's aggregates demand
// is asked for (scheduler.enable_isolated_aggregate_filtering).
func (w *World) admits(h *Host, required, forbidden []string) bool {
	traits := h.Traits()
	for _, t := range required {
		if !slices.Contains(traits, t) {
			return false
		}
	}
	for _, t := range forbidden {
		if slices.Contains(traits, t) {
			return false
		}
	}
	for _, a := range w.Aggregates {
		for key, value := range a.Metadata {
			if trait, ok := strings.CutPrefix(key, "trait:"); ok && value == "required" && a.Has(h) && !slices.Contains(required, trait) {
				return false
			}
		}
	}
	return true
}

// weigh sorts hosts, the best first. Each weigher's values are scaled to 0…1
// over the hosts before they are multiplied (nova/weights.py).
func (w *World) weigh(hosts []*Host) []*Host {
	weights := make([]float64, len(hosts))
	for _, class := range [...]struct{ name, multiplier string }{
		{"MEMORY_MB", "ram_weight_multiplier"}, {"VCPU", "cpu_weight_multiplier"}, {"DISK_GB", "disk_weight_multiplier"},
	} {
		low, high := math.Inf(1), math.Inf(-1)
		free := make([]float64, len(hosts))
		for i, h := range hosts {
			free[i] = float64(h.Free().Of(class.name))
			low, high = min(low, free[i]), max(high, free[i])
		}
		for i, h := range hosts {
			if high > low {
				weights[i] += w.multiplier(h, class.multiplier) * (free[i] - low) / (high - low)
			}
		}
	}
	order := make([]int, len(hosts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case weights[a] > weights[b]:
			return -1
		case weights[a] < weights[b]:
			return 1
		}
		return 0
	})
	sorted := make([]*Host, len(hosts))
	for i, at := range order {
		sorted[i] = hosts[at]
	}
	return sorted
}

// multiplier is the least of the values in the host's aggregates, or 1.
func (w *World) multiplier(h *Host, key string) float64 {
	value, found := 1.0, false
	for _, a := range w.Aggregates {
		text, ok := a.Metadata[key]
		if !ok || !a.Has(h) {
			continue
		}
		if x, err := strconv.ParseFloat(text, 64); err == nil && (!found || x < value) {
			value, found = x, true
		}
	}
	return value
}
