package conformance

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcloud/deploy/sim"
	"mcloud/exporters"
	"mcloud/exporters/ceph"
	"mcloud/exporters/openstack"
	"mcloud/exporters/openstack/barbican"
	"mcloud/exporters/openstack/cinder"
	"mcloud/exporters/openstack/designate"
	"mcloud/exporters/openstack/glance"
	"mcloud/exporters/openstack/heat"
	"mcloud/exporters/openstack/keystone"
	"mcloud/exporters/openstack/masakari"
	"mcloud/exporters/openstack/neutron"
	"mcloud/exporters/openstack/nova"
	"mcloud/exporters/openstack/octavia"
	"mcloud/exporters/openstack/placement"
	"mcloud/exporters/ovn"
	"mcloud/exporters/ovs"
)

// serveSim runs a small simulated cloud for the test.
func serveSim(t *testing.T, change func(*sim.Options)) (*sim.Cloud, string) {
	t.Helper()
	o := sim.Options{
		Dir: t.TempDir(), Hosts: 9, Servers: 120, Projects: 6, Volumes: 150, OSDs: 12, Days: 20, Quiet: true, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	c, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the simulated cloud ended: %v", err)
		}
	})
	<-c.Ready()
	clouds := filepath.Join(o.Dir, "clouds.yaml")
	if err := c.WriteClouds(clouds); err != nil {
		t.Fatal(err)
	}
	return c, clouds
}

// allSources are the real exporters' Sources, pointed at the simulated cloud.
func allSources(t *testing.T, c *sim.Cloud, clouds string) []exporters.Source {
	t.Helper()
	e := c.Endpoints()
	conn, err := openstack.Connect(t.Context(), openstack.Options{
		CloudsFile: clouds, Cloud: e.Cloud,
		Budgets: map[string]openstack.Budget{"nova": {InFlight: 8, PerSecond: 500}, "placement": {InFlight: 8, PerSecond: 500}},
	})
	if err != nil {
		t.Fatal(err)
	}
	all := []exporters.Source{openstack.UpSource(conn, openstack.UpConfig{})}
	all = append(all, keystone.Sources(conn, keystone.Config{})...)
	all = append(all, nova.Sources(conn, nova.Config{})...)
	all = append(all, placement.Sources(conn, placement.Config{})...)
	all = append(all, cinder.Sources(conn, cinder.Config{})...)
	all = append(all, neutron.Sources(conn, neutron.Config{})...)
	all = append(all, glance.Sources(conn, glance.Config{})...)
	all = append(all, heat.Sources(conn, heat.Config{})...)
	all = append(all, octavia.Sources(conn, octavia.Config{})...)
	all = append(all, barbican.Sources(conn, barbican.Config{})...)
	all = append(all, designate.Sources(conn, designate.Config{})...)
	all = append(all, masakari.Sources(conn, masakari.Config{})...)
	for _, cluster := range e.Clusters {
		sources, err := ceph.Sources(ceph.ClusterConfig{Cloud: e.Cloud, Name: cluster.Name, Sockets: []string{cluster.Sockets}, Perf: true}, cluster.Mon)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, sources...)
	}
	sources, end, err := ovn.Sources(ovn.Config{Cloud: e.Cloud, Southbound: []string{e.SB}, Northbound: []string{e.NB}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	all = append(all, sources...)
	var hosts []ovs.Host
	for _, h := range e.Hosts {
		hosts = append(hosts, ovs.Host{Name: h.Name, Sockets: []string{h.Sockets}})
	}
	if sources, err = ovs.Sources(ovs.Config{Cloud: e.Cloud, Hosts: hosts}); err != nil {
		t.Fatal(err)
	}
	return append(all, sources...)
}

// TestEverySourceSucceeds runs each real Source against the simulated cloud: all
// must succeed, with all objects read and with samples to show.
func TestEverySourceSucceeds(t *testing.T) {
	c, clouds := serveSim(t, nil)
	for _, s := range allSources(t, c, clouds) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		started := time.Now()
		snap, err := s.Collector.Collect(ctx)
		cancel()
		if err != nil && !errors.Is(err, exporters.ErrAbsent) { // what is not simulated
			t.Errorf("%s: %v", s.Name, err)
		}
		if snap == nil {
			continue
		}
		if failed := snap.Failed; len(failed) > 0 {
			t.Errorf("%s: %d objects failed, the first: %v", s.Name, len(failed), failed[0])
		}
		// Nothing may have moved of late in so small a cloud, and a log that is told
		// as Events has neither samples nor objects.
		if len(snap.Samples)+len(snap.Inventories) == 0 && s.Name != "nova_migrations" && !strings.HasPrefix(s.Name, "ceph_log/") {
			t.Errorf("%s: nothing came of it", s.Name)
		}
		var inventory []error
		for _, v := range snap.Inventories {
			inventory = append(inventory, v.Validate())
			if !v.Complete && v.Kind != "server_action" {
				t.Errorf("%s: its inventory of %s is not complete", s.Name, v.Kind)
			}
		}
		if err := errors.Join(inventory...); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		t.Logf("%-28s %5d samples %2d inventories %6.1f ms", s.Name, len(snap.Samples), len(snap.Inventories), float64(time.Since(started).Microseconds())/1000)
	}
}
