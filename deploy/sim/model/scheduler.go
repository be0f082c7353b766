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
	isolated := w.isolated(required)
	from := w.Hosts
	if z := w.zone(zone); z != nil {
		from = z.Hosts
	}
	w.fitting = w.fitting[:0]
	for _, h := range from {
		switch {
		case h == except, !h.Up, !h.Enabled && forced == "":
		case forced != "" && h.Name != forced:
		case zone != "" && h.Zone.Name != zone:
		case !fits(h, need), !admits(h, required, forbidden, isolated):
		default:
			w.fitting = append(w.fitting, h)
		}
	}
	if len(w.fitting) == 0 {
		return nil
	}
	// host_subset_size = 3: races of several schedulers are avoided, and hosts
	// are filled less evenly, as in a real cloud.
	best := w.best(w.fitting, 3)
	return best[w.rand.IntN(len(best))]
}

// zone returns the zone of a name, or nil.
func (w *World) zone(name string) *Zone {
	for _, z := range w.Zones {
		if z.Name == name {
			return z
		}
	}
	return nil
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
	if need.VCPU > max(free.VCPU, 0) || need.MemoryMB > max(free.MemoryMB, 0) || need.DiskGB > max(free.DiskGB, 0) {
		return false
	}
	if total := h.total; h.plain && need.VCPU <= total.VCPU && need.MemoryMB <= total.MemoryMB && need.DiskGB <= total.DiskGB {
		return true
	}
	for _, class := range ResourceClasses {
		n, inventory := need.Of(class), h.Inventories[class]
		if n > 0 && (n > inventory.MaxUnit || n < inventory.MinUnit || inventory.StepSize > 1 && n%inventory.StepSize != 0) {
			return false
		}
	}
	return true
}

// isolated are the aggregates that demand a trait which is not asked for: their
// hosts take nobody else (scheduler.enable_isolated_aggregate_filtering).
func (w *World) isolated(required []string) []*Aggregate {
	var closed []*Aggregate
	for _, a := range w.Aggregates {
		for key, value := range a.Metadata {
			if trait, ok := strings.CutPrefix(key, "trait:"); ok && value == "required" && !slices.Contains(required, trait) {
				closed = append(closed, a)
				break
			}
		}
	}
	return closed
}

// admits checks traits, and that no isolated aggregate has the host.
func admits(h *Host, required, forbidden []string, isolated []*Aggregate) bool {
	if len(required)+len(forbidden) > 0 {
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
	}
	for _, a := range isolated {
		if a.Has(h) {
			return false
		}
	}
	return true
}

// best returns the n hosts that weigh most, the best first, those that weigh the
// same in their own order. Each weigher's values are scaled to 0…1 over the
// hosts before they are multiplied (nova/weights.py).
func (w *World) best(hosts []*Host, n int) []*Host {
	weights := make([]float64, len(hosts))
	free := make([]Resources, len(hosts))
	for i, h := range hosts {
		free[i] = h.Free()
	}
	for _, class := range [...]struct{ name, multiplier string }{
		{"MEMORY_MB", "ram_weight_multiplier"}, {"VCPU", "cpu_weight_multiplier"}, {"DISK_GB", "disk_weight_multiplier"},
	} {
		low, high := math.Inf(1), math.Inf(-1)
		for i := range hosts {
			x := float64(free[i].Of(class.name))
			low, high = min(low, x), max(high, x)
		}
		if high <= low {
			continue
		}
		set := w.setting(class.multiplier)
		for i, h := range hosts {
			multiplier := 1.0
			if len(set) > 0 {
				multiplier = w.multiplier(h, class.multiplier)
			}
			weights[i] += multiplier * (float64(free[i].Of(class.name)) - low) / (high - low)
		}
	}
	n = min(n, len(hosts))
	top := make([]int, 0, n+1)
	for i := range hosts {
		at := len(top)
		for at > 0 && weights[top[at-1]] < weights[i] {
			at--
		}
		if at < n {
			top = slices.Insert(top, at, i)
			top = top[:min(len(top), n)]
		}
	}
	chosen := make([]*Host, n)
	for i, at := range top {
		chosen[i] = hosts[at]
	}
	return chosen
}

// setting are the aggregates that set a key.
func (w *World) setting(key string) []*Aggregate {
	var set []*Aggregate
	for _, a := range w.Aggregates {
		if _, ok := a.Metadata[key]; ok {
			set = append(set, a)
		}
	}
	return set
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
