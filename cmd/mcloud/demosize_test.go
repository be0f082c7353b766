package main

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"mcloud/deploy/sim"
)

func sized(t *testing.T, demo bool, args ...string) (demoSize, error) {
	t.Helper()
	var d demoSize
	command := &cobra.Command{}
	d.flags(command)
	if err := command.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return d, d.check(command, demo)
}

// The demo without flags is the one that it was; a larger one has the proportions of the
// cloud that make bench-exporter measures.
func TestDemoSize(t *testing.T) {
	usual := pace{look: 15 * time.Second, near: 15 * time.Second, scrape: 5 * time.Second, plan: 30 * time.Second, first: 20 * time.Second}
	large := pace{look: time.Minute, near: time.Minute, scrape: 30 * time.Second, plan: 5 * time.Minute, first: 3 * time.Minute}
	for _, c := range []struct {
		args string
		want sim.Options
		dir  string
		pace pace
	}{
		{"", sim.Options{Days: 180}, "demo", usual},
		{"--demo.days=3", sim.Options{Days: 3}, "demo", usual},
		{"--demo.hosts=6", sim.Options{Days: 180, Hosts: 6, Servers: 180, Projects: 40, Volumes: 300, OSDs: 18, Ports: 360}, "demo-6", usual},
		{"--demo.hosts=2000", sim.Options{Days: 7, Hosts: 2000, Servers: 60_000, Projects: 500, Volumes: 100_000, OSDs: 1000, Ports: 120_000, SocketHosts: 60, CephSocketHosts: 1}, "demo-2000", large},
		{"--demo.hosts=5000 --demo.days=2", sim.Options{Days: 2, Hosts: 5000, Servers: 150_000, Projects: 1250, Volumes: 200_000, OSDs: 1000, Ports: 300_000, SocketHosts: 60, CephSocketHosts: 1}, "demo-5000", large},
	} {
		d, err := sized(t, true, strings.Fields(c.args)...)
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
		}
		got := d.options()
		got.Events = nil
		if got.Hosts != c.want.Hosts || got.Servers != c.want.Servers || got.Projects != c.want.Projects || got.Volumes != c.want.Volumes || got.OSDs != c.want.OSDs ||
			got.Ports != c.want.Ports || got.Days != c.want.Days || got.SocketHosts != c.want.SocketHosts || got.CephSocketHosts != c.want.CephSocketHosts {
			t.Errorf("%s: %+v, want %+v", c.args, got, c.want)
		}
		if d.dir() != c.dir || d.pace() != c.pace {
			t.Errorf("%s: in %s, looked at %+v; want %s and %+v", c.args, d.dir(), d.pace(), c.dir, c.pace)
		}
	}
}

func TestDemoSizeRefuses(t *testing.T) {
	for _, c := range []struct {
		demo bool
		args string
		says string
	}{
		{false, "--demo.hosts=2000", "--demo.hosts is of the simulated cloud: give it together with --demo"},
		{false, "--demo.days=2", "--demo.days is of the simulated cloud"},
		{true, "--demo.hosts=5", "want 6 to 5000"},
		{true, "--demo.hosts=5001", "want 6 to 5000"},
		{true, "--demo.days=0", "want 1 to 3650"},
		{true, "--demo.days=-1", "want 1 to 3650"},
		{false, "", ""},
		{true, "", ""},
	} {
		_, err := sized(t, c.demo, strings.Fields(c.args)...)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v %s: %v, want %q", c.demo, c.args, err, c.says)
		}
	}
}
