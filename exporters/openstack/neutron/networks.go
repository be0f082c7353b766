package neutron

import (
	"context"
	"strconv"
	"strings"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var (
	networks = &exporters.Family{
		Name: "openstack_neutron_networks", Type: exporters.Gauge, Labels: []string{"status", "type", "shared", "external"}, Set: exporters.SetBase, Call: "GET /networks",
		Help: "Networks by status (ACTIVE, DOWN, BUILD, ERROR), provider type (vlan, geneve, …), and whether they are shared and external.",
	}
	networksEmpty = &exporters.Family{
		Name: "openstack_neutron_networks_empty", Type: exporters.Gauge, Labels: []string{"external"}, Set: exporters.SetBase, Call: "GET /networks, /ports",
		Help: "Networks without any port but those that Neutron makes for itself (DHCP, metadata).",
	}
	networkInfo = &exporters.Family{
		Name: "openstack_neutron_network_info", Type: exporters.Gauge,
		Labels: []string{"id", "name", "project_id", "status", "shared", "external", "type", "physical_network", "segment", "mtu"}, Set: exporters.SetObjects, Call: "GET /networks",
		Help: "Always 1; says what a network is. mtu is in bytes; segment is the VLAN or tunnel id.",
	}
	networkPorts = &exporters.Family{
		Name: "openstack_neutron_network_ports", Type: exporters.Gauge, Labels: []string{"network_id"}, Set: exporters.SetObjects, Call: "GET /ports",
		Help: "Ports on the network, Neutron's own among them.",
	}
	networkFamilies = append([]*exporters.Family{networks, networksEmpty, networkInfo, networkPorts, quotaUsed}, portFamilies...)
)

type network struct {
	owned
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Status   string         `json:"status"`
	Shared   openstack.Bool `json:"shared"`
	External openstack.Bool `json:"router:external"`
	MTU      openstack.Int  `json:"mtu"`
	Type     string         `json:"provider:network_type"`
	Physical string         `json:"provider:physical_network"`
	Segment  openstack.Int  `json:"provider:segmentation_id"`
	Created  openstack.Time `json:"created_at"`
}

var networkFields = []string{
	"id", "name", "status", "shared", "router:external", "mtu", "project_id", "tenant_id", "created_at",
	"provider:network_type", "provider:physical_network", "provider:segmentation_id",
}

type networksCollector struct {
	cloud *openstack.Cloud
	use   *usage
	on    map[string]onNetwork // by network, of the last complete list of ports
}

func (c *networksCollector) collect(ctx context.Context) (*exporters.Snapshot, error) {
	l := newLook(c.cloud)
	// Networks first: a network that is made meanwhile, with its ports, is
	// missing here, and not taken for an empty one.
	all, complete := list[network](ctx, l, "/networks", "networks", page(networkFields...))
	c.ports(ctx, l)
	if !complete && len(all.Objects) == 0 {
		return l.end()
	}
	whole := complete && len(all.Failed) == 0
	c.count(ctx, l, all.Objects, whole)
	var objects []mcloud.Object
	for _, n := range all.Objects {
		objects = append(objects, mcloud.NewObject(mcloud.KindNetwork, n.ID, n.Name, "", n.project(), mcloud.Network{
			Status: n.Status, Shared: bool(n.Shared), External: bool(n.External), MTU: int64(n.MTU),
			Type: n.Type, Physical: n.Physical, Segment: int64(n.Segment), Empty: c.empty(n.ID), Created: n.Created.Time,
		}))
	}
	l.record(mcloud.KindNetwork, whole, objects)
	return l.end()
}

// empty says whether nobody's port is on the network; nil when it is not known.
func (c *networksCollector) empty(id string) *bool {
	if c.on == nil {
		return nil
	}
	empty := c.on[id].others == 0
	return &empty
}

func (c *networksCollector) count(ctx context.Context, l *look, all []network, whole bool) {
	var count, empty exporters.Tally
	byProject := map[string]float64{}
	for _, external := range []bool{false, true} {
		empty.Add(0, strconv.FormatBool(external))
	}
	objects := exporters.Wants(ctx, exporters.SetObjects)
	for _, n := range all {
		shared, external := strconv.FormatBool(bool(n.Shared)), strconv.FormatBool(bool(n.External))
		count.Add(1, n.Status, n.Type, shared, external)
		byProject[n.project()]++
		if e := c.empty(n.ID); e != nil && *e {
			empty.Add(1, external)
		}
		if !objects {
			continue
		}
		segment := ""
		if n.Segment != 0 {
			segment = strconv.FormatInt(int64(n.Segment), 10)
		}
		l.s.Add(networkInfo, 1, n.ID, n.Name, n.project(), n.Status, shared, external, n.Type, n.Physical, segment, strconv.FormatInt(int64(n.MTU), 10))
		if c.on != nil {
			l.s.Add(networkPorts, float64(c.on[n.ID].ports), n.ID)
		}
	}
	if !whole {
		return
	}
	count.AddTo(l.s, networks)
	if c.on != nil {
		empty.AddTo(l.s, networksEmpty)
	}
	c.use.add(ctx, l.s, "network", byProject)
}

// neutronsOwn says whether Neutron makes the port for itself on each network:
// DHCP, metadata, OVN's health monitors, a distributed router's agents.
func neutronsOwn(deviceOwner string) bool {
	switch {
	case deviceOwner == "network:dhcp", deviceOwner == "network:distributed", deviceOwner == "network:local_ip",
		deviceOwner == "network:router_ha_interface", strings.HasPrefix(deviceOwner, "ovn-lb-hm"):
		return true
	}
	return false
}
