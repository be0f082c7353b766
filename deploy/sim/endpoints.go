package sim

import (
	"context"
	"fmt"
	"os"

	"mcloud/deploy/sim/model"
)

// Mon takes monitor commands of a cluster; exporters/ceph declares the same.
type Mon interface {
	Command(ctx context.Context, command map[string]any) ([]byte, error)
	Close()
}

// Cluster is where one Ceph cluster is reached.
type Cluster struct {
	Name, FSID string
	VolumeType string // of the tier it holds
	Mon        Mon
	Sockets    string // glob of its daemons' admin sockets
}

// Host is where one host's OVS and OVN daemons are reached.
type Host struct {
	Name    string
	Sockets string // glob of their control sockets
}

// Endpoints are where the cloud is reached.
type Endpoints struct {
	Cloud   string
	URL     string // root of the HTTP APIs; Horizon is at URL/dashboard/auth/login/
	AuthURL string // Keystone
	Region  string

	NB, SB string // OVSDB, "tcp:127.0.0.1:41234"
	Hosts  []Host // the chassis: hypervisors, then gateways

	Clusters []Cluster
}

// Endpoints tells where the cloud is reached.
func (c *Cloud) Endpoints() Endpoints {
	e := Endpoints{
		Cloud: c.options.Name, URL: "http://" + c.listener.Addr().String(), AuthURL: c.api.AuthURL(), Region: "RegionOne",
		NB: c.network.address("OVN_Northbound"), SB: c.network.address("OVN_Southbound"),
	}
	for _, h := range c.network.hosts {
		e.Hosts = append(e.Hosts, Host{Name: h, Sockets: c.network.glob(h)})
	}
	c.With(func(w *model.World) {
		for i, t := range w.Tiers {
			e.Clusters = append(e.Clusters, Cluster{
				Name: t.Cluster.Name, FSID: t.Cluster.FSID, VolumeType: t.VolumeType, Mon: c.mons[i], Sockets: c.sockets.Glob(t.Cluster.Name),
			})
		}
	})
	return e
}

// WriteClouds writes a clouds.yaml with two clouds: Name for user admin and
// Name-reader for one with the role reader only. Only the owner may read it.
func (c *Cloud) WriteClouds(path string) error {
	entry := func(name, user, password string) string {
		return fmt.Sprintf("  %s:\n    region_name: RegionOne\n    auth:\n      auth_url: %s\n      username: %s\n      password: %s\n"+
			"      project_name: admin\n      user_domain_name: Default\n      project_domain_name: Default\n", name, c.api.AuthURL(), user, password)
	}
	yaml := "# Written by the simulated cloud at each start; the passwords change with it.\nclouds:\n" +
		entry(c.options.Name, "admin", c.passwords.admin) + entry(c.options.Name+"-reader", "exporter", c.passwords.reader)
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		return fmt.Errorf("clouds.yaml of the simulated cloud: %w", err)
	}
	return nil
}
