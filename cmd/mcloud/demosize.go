package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mcloud/deploy/sim"
)

const (
	// usualHosts and usualDays are the demo's without flags.
	usualHosts, usualDays = 60, 180
	// manyHosts is from where on the demo is looked at as a cloud of its size would be: a
	// page of the exporter has then some ten thousand samples.
	manyHosts = 300
	// fewestDays of the past are enough for the planner to see a trend.
	fewestDays = 7
	// socketHosts is on how many hosts of a large demo the control sockets of OVS and OVN
	// are served. Each is a listener of this process, and asked by the exporter, many of which
	// in a cloud run on the hosts themselves. Of each Ceph cluster one host has 24 OSDs.
	socketHosts, cephSocketHosts = usualHosts, 1
)

// demoSize is how large the simulated cloud of the demo is, and how long its past.
type demoSize struct{ hosts, days int }

func (d *demoSize) flags(command *cobra.Command) {
	command.Flags().IntVar(&d.hosts, "demo.hosts", usualHosts, "compute hosts of the simulated cloud; the rest of it grows with them")
	command.Flags().IntVar(&d.days, "demo.days", 0, "days of history that it begins with (default 180; fewer the more hosts, since telling them takes time: 7 for 2,000)")
}

// check refuses what cannot be simulated, and flags of the demo without it.
func (d *demoSize) check(command *cobra.Command, demo bool) error {
	for _, flag := range []string{"demo.hosts", "demo.days"} {
		if !demo && command.Flags().Changed(flag) {
			return fmt.Errorf("--%s is of the simulated cloud: give it together with --demo", flag)
		}
	}
	if d.hosts < 6 || d.hosts > 5000 {
		return fmt.Errorf("--demo.hosts %d: want 6 to 5000", d.hosts)
	}
	if d.days < 0 || d.days > 3650 || d.days == 0 && command.Flags().Changed("demo.days") {
		return fmt.Errorf("--demo.days %d: want 1 to 3650", d.days)
	}
	return nil
}

// dir is where the demo's data is unless --data-dir says otherwise: the store of one
// cloud must not be told the past of another.
func (d demoSize) dir() string {
	if d.hosts == usualHosts {
		return "demo"
	}
	return fmt.Sprintf("demo-%d", d.hosts)
}

// options of the simulated cloud. A large one has the proportions of 60,000 servers on
// 2,000 hosts.
func (d demoSize) options() sim.Options {
	o := sim.Options{Days: d.days}
	if o.Days == 0 {
		o.Days = max(fewestDays, min(usualDays, usualDays*usualHosts/d.hosts))
	}
	if d.hosts == usualHosts {
		return o
	}
	o.Hosts, o.Servers, o.Ports = d.hosts, 30*d.hosts, 60*d.hosts
	o.Projects = max(40, d.hosts/4)
	o.Volumes = min(50*d.hosts, 200_000)
	o.OSDs = min(max(18, d.hosts/2), 1000) // of each cluster
	if d.hosts >= manyHosts {
		o.SocketHosts, o.CephSocketHosts = socketHosts, cephSocketHosts
	}
	return o
}

// pace is how often the demo is looked at: so that something happens while one watches, or,
// where a look at everything takes seconds of the processor, as often as a cloud of that
// size would be.
// near is for Ceph and OVN, whose simulation is in this process too; first is how long the
// first plan waits for the first looks.
type pace struct{ look, near, scrape, plan, first time.Duration }

func (d demoSize) pace() pace {
	if d.hosts < manyHosts {
		return pace{look: 15 * time.Second, near: 15 * time.Second, scrape: 5 * time.Second, plan: 30 * time.Second, first: 20 * time.Second}
	}
	return pace{look: time.Minute, near: time.Minute, scrape: 30 * time.Second, plan: 5 * time.Minute, first: 3 * time.Minute}
}
