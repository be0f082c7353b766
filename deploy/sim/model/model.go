// Package model is a cloud as a pure function of a seed and a clock: hosts and
// flavors, projects whose servers and volumes come, change and go in daily and
// weekly rhythms, Ceph clusters that fill, and things that break now and then.
//
// Start with New and AdvanceTo. The same Config advanced to the same time is
// the same cloud, bit for bit, as long as nobody changed it by hand. The
// package speaks no protocol and reads no clock.
//
// A World is not safe for concurrent use: its owner locks.
package model

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
)

// Step is the time between two decisions of the population: within a step,
// things happen at their own second.
const Step = 5 * time.Minute

// Config is everything a World depends on.
type Config struct {
	Seed uint64
	// Start is when the story begins; End when the population has the sizes
	// below. The World may be advanced past End: growth goes on.
	Start, End time.Time
	Zones      int // availability zones
	Hosts      int // hypervisors, spread over the zones
	Servers    int // at End
	Projects   int
	Volumes    int // at End, about: what is controlled is the space they take
	OSDs       int // of each Ceph cluster
	// Ports at End; servers get a second one until there are as many. 0: none does.
	Ports int
	// Faults lets hosts, OSDs and chassis fail at random.
	Faults bool
}

// DefaultConfig is the demo: 3 zones, 60 hosts, 2,000 servers and 180 days
// that end at end.
func DefaultConfig(end time.Time) Config {
	return Config{
		Seed: 1, Start: end.Add(-180 * 24 * time.Hour), End: end,
		Zones: 3, Hosts: 60, Servers: 2000, Projects: 40, Volumes: 3000, OSDs: 18,
		Faults: true,
	}
}

func (c Config) validate() error {
	switch {
	case !c.End.After(c.Start):
		return fmt.Errorf("simulated cloud: history ends %s, not after its start %s", c.End.Format(time.RFC3339), c.Start.Format(time.RFC3339))
	case c.Zones < 1 || c.Zones > 26:
		return fmt.Errorf("simulated cloud: %d zones, want 1 to 26", c.Zones)
	case c.Hosts < c.Zones || c.Hosts > 5000:
		return fmt.Errorf("simulated cloud: %d hosts, want one per zone (%d) to 5000", c.Hosts, c.Zones)
	case c.Servers < 1 || c.Servers > 200_000:
		return fmt.Errorf("simulated cloud: %d servers, want 1 to 200000", c.Servers)
	case c.Projects < 1 || c.Projects > 5000:
		return fmt.Errorf("simulated cloud: %d projects, want 1 to 5000", c.Projects)
	case c.Volumes < 1 || c.Volumes > 200_000:
		return fmt.Errorf("simulated cloud: %d volumes, want 1 to 200000", c.Volumes)
	case c.Ports < 0 || c.Ports > 500_000:
		return fmt.Errorf("simulated cloud: %d ports, want 0 to 500000", c.Ports)
	case c.OSDs < 6 || c.OSDs > 1000:
		return fmt.Errorf("simulated cloud: %d OSDs a cluster, want 6 to 1000", c.OSDs)
	}
	return nil
}

// World is the cloud at one instant.
type World struct {
	Config Config
	Now    time.Time

	Zones      []*Zone
	Hosts      []*Host
	Aggregates []*Aggregate
	Flavors    []*Flavor
	Projects   []*Project
	Servers    Collection[Server]
	Volumes    Collection[Volume]
	// Deleted are the servers deleted within the last keepDeleted, as Nova's
	// database keeps them until it is purged.
	Deleted    Collection[Server]
	Tiers      []*Tier // one Ceph cluster and one volume type each
	Networks   []*Network
	FloatingIP Collection[FloatingIP]
	Gateways   []*Chassis // chassis without servers
	Images     []*Image
	Traits     map[string]bool // custom traits that exist

	// NBCfg is OVN's configuration counter: one more for each change.
	NBCfg int64

	// OnChange is called for every change of a server, volume or host service,
	// in the order of time; nil is fine.
	OnChange func(Change)

	rand     *rand.Rand
	agenda   agenda
	sequence uint64
	nextStep time.Time
	nextID   uint64 // of instance names

	aggregateID int // the last one given
	churned     int // rounds of Churn

	fitting []*Host // room for Schedule's use
}

// New builds the cloud as it was at c.Start.
func New(c Config) (*World, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	c.Start = c.Start.UTC().Truncate(Step)
	c.End = c.End.UTC().Truncate(time.Second)
	w := &World{
		Config: c, Now: c.Start, nextStep: c.Start, NBCfg: 1000,
		rand:   rand.New(rand.NewPCG(c.Seed, 0x6d636c6f7564)),
		Traits: map[string]bool{},
	}
	w.buildIdentity()
	w.buildFlavors()
	w.buildHosts()
	w.buildNetworks()
	w.buildTiers()
	w.settle()
	if c.Faults {
		w.scheduleFaults()
	}
	return w, nil
}

// AdvanceTo lets time pass up to and including t. Going back is a no-op.
func (w *World) AdvanceTo(t time.Time) {
	t = t.UTC()
	for !w.nextStep.After(t) {
		w.drain(w.nextStep)
		w.populate()
		w.nextStep = w.nextStep.Add(Step)
	}
	w.drain(t)
}

// drain does everything on the agenda up to and including t.
func (w *World) drain(t time.Time) {
	for len(w.agenda) > 0 && !w.agenda[0].at.After(t) {
		item := heap.Pop(&w.agenda).(appointment)
		if item.at.After(w.Now) {
			w.Now = item.at
		}
		item.do()
	}
	if t.After(w.Now) {
		w.Now = t
	}
}

// at puts do on the agenda.
func (w *World) at(t time.Time, do func()) {
	w.sequence++
	heap.Push(&w.agenda, appointment{at: t, sequence: w.sequence, do: do})
}

type appointment struct {
	at       time.Time
	sequence uint64 // makes the order of equal times the order of asking
	do       func()
}

type agenda []appointment

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if a[i].at.Equal(a[j].at) {
		return a[i].sequence < a[j].sequence
	}
	return a[i].at.Before(a[j].at)
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(appointment)) }
func (a *agenda) Pop() any {
	old := *a
	x := old[len(old)-1]
	old[len(old)-1] = appointment{}
	*a = old[:len(old)-1]
	return x
}
