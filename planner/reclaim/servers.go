package reclaim

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"mcloud"
	"mcloud/planner/chargeback"
)

// off are the states in which a server holds its room and does nothing.
var off = []string{"SHUTOFF", "STOPPED", "SUSPENDED", "PAUSED"}

func (f *finder) servers() {
	byID, ok := f.newest(mcloud.KindServer, ServersOff, ServersIdle, ServersOversized)
	if !ok {
		return
	}
	offKnown := f.recorded(mcloud.KindServer, ServersOff, f.limits.Off)
	measured := false
	for id, all := range byID {
		var a mcloud.Server
		v, ok := last(f, all, &a)
		if !ok {
			continue
		}
		if isOff(a) {
			if offKnown {
				f.off(v, all, a)
			}
			continue
		}
		if a.Status != "ACTIVE" {
			continue
		}
		use, known := f.in.Use[id]
		if !known || use.Span < f.limits.Measured || a.VCPUs <= 0 {
			f.states[ServersIdle].Undecided++
			f.states[ServersOversized].Undecided++
			continue
		}
		measured = true
		f.active(v, a, use)
	}
	if !measured && f.states[ServersIdle].Undecided > 0 {
		why := cmp.Or(f.in.UseWhy, fmt.Sprintf("no server's use is measured for %.0f days", f.limits.Measured.Hours()/24))
		f.unknown(ServersIdle, why)
		f.unknown(ServersOversized, why)
	}
}

func isOff(a mcloud.Server) bool { return slices.Contains(off, a.Status) }

func (f *finder) off(v mcloud.Version, all []mcloud.Version, a mcloud.Server) {
	finding := Finding{Amount: amountOf(a), Why: fmt.Sprintf("flavor %s, status %s", a.Flavor, a.Status)}
	finding.PerMonth, finding.Unpriced = f.price(chargeback.MeterServer, a.Flavor, 1)
	f.add(ServersOff, v, a.Name, since(all, isOff), f.limits.Off, finding)
}

// amountOf is what a server holds on its host.
func amountOf(a mcloud.Server) Amount {
	disk := a.DiskGiB
	if a.BootVolume {
		disk = 0
	}
	return Amount{VCPUs: a.VCPUs, MemoryMiB: a.MemoryMiB, DiskGiB: disk + a.EphemeralGiB + (a.SwapMiB+1023)/1024}
}

// active judges a server that runs by what it uses.
func (f *finder) active(v mcloud.Version, a mcloud.Server, use Use) {
	from := f.in.At.Add(-use.Span)
	share := use.CoresP95 / float64(a.VCPUs)
	if share < f.limits.IdleCPU {
		finding := Finding{Amount: amountOf(a), Why: fmt.Sprintf("flavor %s, in 95 %% of the time less than %.2g %% of its %d vCPUs", a.Flavor, 100*math.Max(share, 0.0001), a.VCPUs)}
		finding.PerMonth, finding.Unpriced = f.price(chargeback.MeterServer, a.Flavor, 1)
		f.add(ServersIdle, v, a.Name, from, 0, finding)
		return
	}
	vcpus, memory := f.fitting(a, use)
	if vcpus*2 > a.VCPUs && memory*2 > a.MemoryMiB {
		return
	}
	finding := Finding{Amount: Amount{VCPUs: a.VCPUs - vcpus, MemoryMiB: a.MemoryMiB - memory}}
	finding.Why = fmt.Sprintf("flavor %s; at its peak (P95) it uses %.2g of %d vCPUs", a.Flavor, use.CoresP95, a.VCPUs)
	if use.MemoryP95 != nil {
		finding.Why += fmt.Sprintf(" and %.0f of %d MiB", *use.MemoryP95, a.MemoryMiB)
	} else {
		finding.Why += "; its use of memory is not known, so that it keeps it"
	}
	if smaller, ok := f.smallerFlavor(a, vcpus, memory); ok {
		finding.Amount = Amount{VCPUs: a.VCPUs - smaller.VCPUs, MemoryMiB: a.MemoryMiB - smaller.MemoryMiB}
		finding.Why += "; flavor " + smaller.Name + " would do"
		finding.PerMonth, finding.Unpriced = f.saving(a.Flavor, smaller.Name)
	} else {
		finding.Why += fmt.Sprintf("; %d vCPUs and %d MiB would do, but no public flavor is smaller", vcpus, memory)
		finding.Unpriced = "no smaller flavor to compare with"
	}
	f.add(ServersOversized, v, a.Name, from, 0, finding)
}

// fitting is how much would leave the peak below the target.
func (f *finder) fitting(a mcloud.Server, use Use) (vcpus, memoryMiB int64) {
	vcpus = min(a.VCPUs, max(1, int64(math.Ceil(use.CoresP95/f.limits.TargetUse))))
	memoryMiB = a.MemoryMiB
	if use.MemoryP95 != nil {
		memoryMiB = min(a.MemoryMiB, max(1, int64(math.Ceil(*use.MemoryP95/f.limits.TargetUse))))
	}
	return vcpus, memoryMiB
}

// smallerFlavor is the smallest public one that fits, has the disks that the server
// has, and asks for the same.
func (f *finder) smallerFlavor(a mcloud.Server, vcpus, memory int64) (best mcloud.Flavor, ok bool) {
	for _, c := range f.in.Flavors {
		fits := c.Public && c.VCPUs >= vcpus && c.MemoryMiB >= memory && c.VCPUs <= a.VCPUs && c.MemoryMiB <= a.MemoryMiB && (c.VCPUs < a.VCPUs || c.MemoryMiB < a.MemoryMiB) &&
			c.EphemeralGiB == a.EphemeralGiB && (a.BootVolume || c.DiskGiB >= a.DiskGiB) && equal(c.ExtraSpecs, a.ExtraSpecs)
		if !fits {
			continue
		}
		if !ok || cmp.Or(cmp.Compare(c.VCPUs, best.VCPUs), cmp.Compare(c.MemoryMiB, best.MemoryMiB), cmp.Compare(c.Name, best.Name)) < 0 {
			best, ok = c, true
		}
	}
	return best, ok
}

func equal(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}
