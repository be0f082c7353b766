// Package reclaim finds what is paid for and not used: servers that are off, idle or
// too large, volumes that nobody attaches, old snapshots, floating IPs that lead
// nowhere, networks and routers that nobody is on; how much that is, whose, and what
// it costs a month.
//
// Find is a pure function on stored objects. What cannot be told is unknown, never
// none: a Category says so.
package reclaim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"mcloud"
	"mcloud/planner/chargeback"
)

// Name is a kind of waste.
type Name string

// The categories, in the order in which they are told.
const (
	ServersOff       Name = "servers off"
	ServersIdle      Name = "servers idle"
	ServersOversized Name = "servers oversized"
	VolumesOrphaned  Name = "volumes not attached"
	SnapshotsOld     Name = "snapshots old"
	AddressesUnused  Name = "floating IPs unused"
	NetworksEmpty    Name = "networks empty"
	RoutersUnused    Name = "routers unused"
)

// Names are all categories.
var Names = []Name{ServersOff, ServersIdle, ServersOversized, VolumesOrphaned, SnapshotsOld, AddressesUnused, NetworksEmpty, RoutersUnused}

// Limits say from when on something counts; zero values are the defaults.
type Limits struct {
	Off       time.Duration // a server is off for so long; 30 days
	Available time.Duration // a volume is attached to nothing; 14 days
	Snapshot  time.Duration // a snapshot's age; 90 days
	Unused    time.Duration // a floating IP, network or router is; 14 days

	// A server is idle when its CPU is used by less than IdleCPU in 95 % of the time;
	// 0.03 of its vCPUs. It is oversized when half of its vCPUs, or half of its memory,
	// would leave the peak (P95) below TargetUse; 0.7.
	IdleCPU   float64
	TargetUse float64
	// Measured is for how long a server's use must be known; 7 days.
	Measured time.Duration
}

func (l Limits) withDefaults() Limits {
	const day = 24 * time.Hour
	l.Off = cmp.Or(l.Off, 30*day)
	l.Available = cmp.Or(l.Available, 14*day)
	l.Snapshot = cmp.Or(l.Snapshot, 90*day)
	l.Unused = cmp.Or(l.Unused, 14*day)
	l.IdleCPU = cmp.Or(l.IdleCPU, 0.03)
	l.TargetUse = cmp.Or(l.TargetUse, 0.7)
	l.Measured = cmp.Or(l.Measured, 7*day)
	return l
}

// Window is how far back versions are needed to tell for how long something is so.
func (l Limits) Window() time.Duration {
	l = l.withDefaults()
	return max(l.Off, l.Available, l.Unused) + 24*time.Hour
}

// Use is what a server was measured to use.
type Use struct {
	Span     time.Duration // for how long
	CoresP95 float64
	// MemoryP95 is in MiB, absent when its guest does not tell.
	MemoryP95 *float64
}

// Input is the cloud at one instant.
type Input struct {
	At time.Time
	// Versions are the stretches that overlap the window up to At, by kind. A kind that
	// is absent could not be read, or is not recorded: Missing may say why.
	Versions map[mcloud.Kind][]mcloud.Version
	Missing  map[mcloud.Kind]string
	// Use is by server id; UseWhy says why nobody's is known.
	Use    map[string]Use
	UseWhy string
	// Flavors that an oversized server could get instead.
	Flavors []mcloud.Flavor
	// Card has the prices; without a currency there are none.
	Card chargeback.RateCard
	// Projects are names by id.
	Projects map[string]string
}

// Amount is what would be free again.
type Amount struct {
	VCPUs     int64 `json:"vcpus,omitempty"`
	MemoryMiB int64 `json:"memory_mib,omitempty"`
	DiskGiB   int64 `json:"disk_gib,omitempty"` // on compute hosts
	VolumeGiB int64 `json:"volume_gib,omitempty"`
	Addresses int64 `json:"addresses,omitempty"`
}

func (a Amount) plus(b Amount) Amount {
	return Amount{a.VCPUs + b.VCPUs, a.MemoryMiB + b.MemoryMiB, a.DiskGiB + b.DiskGiB, a.VolumeGiB + b.VolumeGiB, a.Addresses + b.Addresses}
}

// Finding is one thing that could go, or shrink.
type Finding struct {
	Category    Name   `json:"category"`
	ID          string `json:"id"`
	Name        string `json:"name,omitempty"`
	Project     string `json:"project,omitempty"` // id of its owner
	ProjectName string `json:"project_name,omitempty"`
	// Since is from when on it is known to be so; it may be so for longer.
	Since  *time.Time `json:"since,omitempty"`
	Days   float64    `json:"days,omitempty"` // from Since to the report
	Amount Amount     `json:"amount"`
	// PerMonth is what it costs, or what the smaller flavor saves, in 730 hours; ""
	// when that is not known, which Unpriced explains.
	PerMonth string `json:"per_month,omitempty"`
	Unpriced string `json:"unpriced,omitempty"`
	Why      string `json:"why"`
}

// Category is what was found of one kind.
type Category struct {
	Name Name `json:"name"`
	// Known is false when nothing can be told; Why says so, and what to do.
	Known bool   `json:"known"`
	Why   string `json:"why,omitempty"`
	// Count, Amount and PerMonth are of what was found; absent when not Known.
	Count  *int    `json:"count,omitempty"`
	Amount *Amount `json:"amount,omitempty"`
	// PerMonth sums the priced findings, "" when none has a price; Unpriced counts the
	// others.
	PerMonth string `json:"per_month,omitempty"`
	Unpriced int    `json:"unpriced,omitempty"`
	// Undecided counts objects of which it cannot be told.
	Undecided int    `json:"undecided,omitempty"`
	Rule      string `json:"rule"` // what counts, in words
}

// ProjectSum is what one project could give back.
type ProjectSum struct {
	Project  string `json:"project"`
	Name     string `json:"name,omitempty"`
	Count    int    `json:"count"`
	Amount   Amount `json:"amount"`
	PerMonth string `json:"per_month,omitempty"`
	Unpriced int    `json:"unpriced,omitempty"`
}

// Result is everything that was found.
type Result struct {
	At       time.Time `json:"at"`
	Currency string    `json:"currency,omitempty"`
	// Categories are all of Names, in their order.
	Categories []Category   `json:"categories"`
	Projects   []ProjectSum `json:"projects,omitempty"` // the dearest first
	Findings   []Finding    `json:"findings"`           // by category, the dearest first
	// PerMonth is the sum of all that has a price.
	PerMonth string   `json:"per_month,omitempty"`
	Unread   []string `json:"unread,omitempty"` // objects that could not be decoded
}

// finder collects.
type finder struct {
	in     Input
	limits Limits
	found  map[Name][]Finding
	states map[Name]*Category
	unread []string
}

// Find looks through in.
func Find(in Input, limits Limits) (Result, error) {
	f := &finder{in: in, limits: limits.withDefaults(), found: map[Name][]Finding{}, states: map[Name]*Category{}}
	for _, name := range Names {
		f.states[name] = &Category{Name: name, Known: true}
	}
	f.servers()
	f.volumes()
	f.snapshots()
	f.addresses()
	f.networks()
	return f.result()
}

// newest groups versions by id, oldest first, and leaves those that still exist. It
// says no when the kind is not known, and marks the categories that rest on it.
func (f *finder) newest(kind mcloud.Kind, categories ...Name) (map[string][]mcloud.Version, bool) {
	versions, ok := f.in.Versions[kind]
	if !ok {
		for _, c := range categories {
			f.unknown(c, cmp.Or(f.in.Missing[kind], fmt.Sprintf("no %s is recorded: check that the exporter reads them and posts to the collector", kind)))
		}
		return nil, false
	}
	byID := map[string][]mcloud.Version{}
	for _, v := range versions {
		if v.From.After(f.in.At) {
			continue
		}
		byID[v.ID] = append(byID[v.ID], v)
	}
	for id, all := range byID {
		slices.SortFunc(all, func(a, b mcloud.Version) int { return a.From.Compare(b.From) })
		if last := all[len(all)-1]; !last.To.IsZero() && !last.To.After(f.in.At) {
			delete(byID, id)
		}
	}
	return byID, true
}

// recorded says whether the kind has been recorded for long enough to tell that
// something is so for least; otherwise the category is unknown until it has been.
func (f *finder) recorded(kind mcloud.Kind, c Name, least time.Duration) bool {
	versions := f.in.Versions[kind]
	if len(versions) == 0 {
		return true
	}
	begin := slices.MinFunc(versions, func(a, b mcloud.Version) int { return a.From.Compare(b.From) }).From
	if f.in.At.Sub(begin) >= least {
		return true
	}
	f.unknown(c, fmt.Sprintf("recorded only since %s: it cannot be told before %s what is so for %g days", begin.UTC().Format(time.DateOnly), begin.Add(least).UTC().Format(time.DateOnly), least.Hours()/24))
	return false
}

func (f *finder) unknown(c Name, why string) {
	f.states[c].Known, f.states[c].Why = false, why
}

// last decodes the newest version into a; an object that cannot be is named.
func last[T any](f *finder, all []mcloud.Version, a *T) (mcloud.Version, bool) {
	v := all[len(all)-1]
	if err := json.Unmarshal(v.Attributes, a); err != nil {
		f.unread = append(f.unread, fmt.Sprintf("%s %s: attributes cannot be read: %v", v.Kind, cmp.Or(v.Name, v.ID), err))
		return v, false
	}
	return v, true
}

// since is from when on versions, unbroken up to the newest, are all so.
func since[T any](all []mcloud.Version, so func(T) bool) time.Time {
	from := all[len(all)-1].From
	for i := len(all) - 2; i >= 0; i-- {
		var a T
		if !all[i].To.Equal(all[i+1].From) || json.Unmarshal(all[i].Attributes, &a) != nil || !so(a) {
			break
		}
		from = all[i].From
	}
	return from
}

// add notes a finding that is so since from, unless that is too short.
func (f *finder) add(c Name, v mcloud.Version, name string, from time.Time, least time.Duration, finding Finding) {
	age := f.in.At.Sub(from)
	if age < least {
		return
	}
	finding.Category, finding.ID, finding.Name = c, v.ID, cmp.Or(name, v.Name)
	finding.Project, finding.ProjectName = v.Project, f.in.Projects[v.Project]
	utc := from.UTC()
	finding.Since, finding.Days = &utc, age.Hours()/24
	f.found[c] = append(f.found[c], finding)
}

// later is the later of two times, of which a zero one is not known.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (f *finder) volumes() {
	byID, ok := f.newest(mcloud.KindVolume, VolumesOrphaned)
	if !ok {
		return
	}
	if !f.recorded(mcloud.KindVolume, VolumesOrphaned, f.limits.Available) {
		return
	}
	orphan := func(a mcloud.Volume) bool { return a.Status == "available" && len(a.AttachedTo) == 0 }
	for _, all := range byID {
		var a mcloud.Volume
		v, ok := last(f, all, &a)
		if !ok || !orphan(a) {
			continue
		}
		from := since(all, orphan)
		finding := Finding{Amount: Amount{VolumeGiB: a.SizeGiB}, Why: fmt.Sprintf("%d GiB of type %s, attached to nothing", a.SizeGiB, cmp.Or(a.Type, "none"))}
		finding.PerMonth, finding.Unpriced = f.price(chargeback.MeterVolume, a.Type, a.SizeGiB)
		f.add(VolumesOrphaned, v, a.Name, from, f.limits.Available, finding)
	}
}

func (f *finder) snapshots() {
	byID, ok := f.newest(mcloud.KindVolumeSnapshot, SnapshotsOld)
	if !ok {
		return
	}
	for _, all := range byID {
		var a mcloud.VolumeSnapshot
		v, ok := last(f, all, &a)
		if !ok || a.Created.IsZero() {
			if ok {
				f.states[SnapshotsOld].Undecided++
			}
			continue
		}
		f.add(SnapshotsOld, v, a.Name, a.Created, f.limits.Snapshot, Finding{
			Amount: Amount{VolumeGiB: a.SizeGiB}, Unpriced: "the price list has no snapshots",
			Why: fmt.Sprintf("taken %s of a volume of %d GiB, which is the most that it takes", a.Created.UTC().Format(time.DateOnly), a.SizeGiB),
		})
	}
}

func (f *finder) addresses() {
	byID, ok := f.newest(mcloud.KindFloatingIP, AddressesUnused)
	if !ok {
		return
	}
	if !f.recorded(mcloud.KindFloatingIP, AddressesUnused, f.limits.Unused) {
		return
	}
	unused := func(a mcloud.FloatingIP) bool { return a.Port == "" && a.Forwardings == 0 }
	for _, all := range byID {
		var a mcloud.FloatingIP
		if v, ok := last(f, all, &a); ok && unused(a) {
			f.add(AddressesUnused, v, v.Name, since(all, unused), f.limits.Unused, Finding{Amount: Amount{Addresses: 1}, Unpriced: "the price list has no floating IPs", Why: "leads to no port"})
		}
	}
}

// networks finds those that nobody is on, and the routers of projects that have no
// others: a router's own ports are not recorded.
func (f *finder) networks() {
	byID, ok := f.newest(mcloud.KindNetwork, NetworksEmpty, RoutersUnused)
	if !ok {
		return
	}
	emptiesKnown := f.recorded(mcloud.KindNetwork, NetworksEmpty, f.limits.Unused)
	empty := func(a mcloud.Network) bool { return a.Empty != nil && *a.Empty }
	inUse, unsure := map[string]bool{}, map[string]bool{} // by project
	for _, all := range byID {
		var a mcloud.Network
		v, ok := last(f, all, &a)
		switch {
		case !ok:
			unsure[v.Project] = true
			continue
		case a.External || a.Shared:
			continue // they are everybody's
		case a.Empty == nil:
			f.states[NetworksEmpty].Undecided++
			unsure[v.Project] = true
			continue
		case !*a.Empty:
			inUse[v.Project] = true
			continue
		}
		if !emptiesKnown {
			continue
		}
		from := later(since(all, empty), a.Created)
		f.add(NetworksEmpty, v, v.Name, from, f.limits.Unused, Finding{Unpriced: "the price list has no networks", Why: "no port is on it but Neutron's own"})
	}
	routers, ok := f.newest(mcloud.KindRouter, RoutersUnused)
	if !ok || !f.recorded(mcloud.KindRouter, RoutersUnused, f.limits.Unused) {
		return
	}
	for _, all := range routers {
		var a mcloud.Router
		v, ok := last(f, all, &a)
		switch {
		case !ok || inUse[v.Project]:
		case unsure[v.Project] || v.Project == "":
			f.states[RoutersUnused].Undecided++
		default:
			addresses := int64(len(a.GatewayIPs))
			f.add(RoutersUnused, v, v.Name, all[len(all)-1].From, f.limits.Unused, Finding{Amount: Amount{Addresses: addresses}, Unpriced: "the price list has no routers", Why: "its project has no network that anybody is on"})
		}
	}
}
