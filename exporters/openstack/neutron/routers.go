package neutron

import (
	"context"
	"strconv"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var (
	routers = &exporters.Family{
		Name: "openstack_neutron_routers", Type: exporters.Gauge, Labels: []string{"status", "ha", "distributed"}, Set: exporters.SetBase, Call: "GET /routers",
		Help: "Routers by status (ACTIVE, DOWN, ALLOCATING, ERROR), and whether they are highly available and distributed.",
	}
	routersNotActive = &exporters.Family{
		Name: "openstack_neutron_routers_not_active", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /routers",
		Help: "Routers whose status is not ACTIVE.",
	}
	routersWithoutGateway = &exporters.Family{
		Name: "openstack_neutron_routers_without_gateway", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /routers",
		Help: "Routers that lead to no external network.",
	}
	routersByActive = &exporters.Family{
		Name: "openstack_neutron_routers_by_active_agents", Type: exporters.Gauge, Labels: []string{"active"}, Set: exporters.SetBase, Call: "GET /routers/{id}/l3-agents",
		Help: "Routers that L3 agents carry, by how many of them say that they are the active one (0, 1, 2 or more); 1 is right for a highly available router. Absent with OVN.",
	}
	routerInfo = &exporters.Family{
		Name: "openstack_neutron_router_info", Type: exporters.Gauge,
		Labels: []string{"id", "name", "project_id", "status", "admin_state_up", "ha", "distributed", "external_network_id"}, Set: exporters.SetObjects, Call: "GET /routers",
		Help: "Always 1; says what a router is.",
	}
	l3AgentOfRouter = &exporters.Family{
		Name: "openstack_neutron_l3_agent_of_router", Type: exporters.Gauge,
		Labels: []string{"router_id", "l3_agent_id", "ha_state", "agent_admin_up", "agent_host"}, Set: exporters.SetObjects, Call: "GET /routers/{id}/l3-agents",
		Help: "Whether the L3 agent that carries the router is alive: 1 alive, 0 not. Absent with OVN.",
	}
	floatingIPs = &exporters.Family{
		Name: "openstack_neutron_floating_ips", Type: exporters.Gauge, Labels: []string{"network_id", "status"}, Set: exporters.SetBase, Call: "GET /floatingips",
		Help: "Floating IPs by external network and status (ACTIVE, DOWN: not attached, ERROR).",
	}
	floatingIPsNotActive = &exporters.Family{
		Name: "openstack_neutron_floating_ips_associated_not_active", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /floatingips",
		Help: "Floating IPs that lead to an address and whose status is not ACTIVE.",
	}
	floatingIPsUnattached = &exporters.Family{
		Name: "openstack_neutron_floating_ips_unattached", Type: exporters.Gauge, Labels: []string{"network_id"}, Set: exporters.SetBase, Call: "GET /floatingips",
		Help: "Floating IPs that lead nowhere: neither to a port nor, by forwarding, to ports' ports.",
	}
	floatingIPInfo = &exporters.Family{
		Name: "openstack_neutron_floating_ip_info", Type: exporters.Gauge,
		Labels: []string{"id", "address", "project_id", "status", "network_id", "router_id", "port_id"}, Set: exporters.SetObjects, Call: "GET /floatingips",
		Help: "Always 1; says what a floating IP is.",
	}
	routerFamilies = []*exporters.Family{
		routers, routersNotActive, routersWithoutGateway, routersByActive, routerInfo, l3AgentOfRouter,
		floatingIPs, floatingIPsNotActive, floatingIPsUnattached, floatingIPInfo, quotaUsed,
	}
)

type router struct {
	owned
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	Status      string         `json:"status"`
	AdminState  openstack.Bool `json:"admin_state_up"`
	HA          openstack.Bool `json:"ha"`          // only administrators see it
	Distributed openstack.Bool `json:"distributed"` // nothing with OVN
	Created     openstack.Time `json:"created_at"`
	Gateway     *struct {
		Network string `json:"network_id"`
		IPs     []struct {
			Address string `json:"ip_address"`
		} `json:"external_fixed_ips"`
	} `json:"external_gateway_info"`
}

var routerFields = []string{"id", "name", "project_id", "tenant_id", "status", "admin_state_up", "ha", "distributed", "created_at", "external_gateway_info"}

type floatingIP struct {
	owned
	ID          string         `json:"id"`
	Address     string         `json:"floating_ip_address"`
	Network     string         `json:"floating_network_id"`
	Router      string         `json:"router_id"`
	Port        string         `json:"port_id"`
	FixedIP     string         `json:"fixed_ip_address"`
	Status      string         `json:"status"`
	Created     openstack.Time `json:"created_at"`
	Forwardings []struct{}     `json:"port_forwardings"`
	Details     *struct {
		Device string `json:"device_id"`
	} `json:"port_details"`
}

var floatingIPFields = []string{
	"id", "floating_ip_address", "floating_network_id", "router_id", "port_id", "fixed_ip_address", "status", "project_id", "tenant_id",
	"created_at", "port_forwardings", "port_details",
}

// attached says that packets to the address go somewhere.
func (f floatingIP) attached() bool { return f.Port != "" || len(f.Forwardings) > 0 }

// l3Agent is an agent as a router names it.
type l3Agent struct {
	ID         string         `json:"id"`
	Host       string         `json:"host"`
	HAState    string         `json:"ha_state"` // active, standby; nothing for a router that is not highly available
	Alive      openstack.Bool `json:"alive"`
	AdminState openstack.Bool `json:"admin_state_up"`
}

type routersCollector struct {
	cloud  *openstack.Cloud
	use    *usage
	l3     *l3Agents
	agents openstack.Rotation[[]l3Agent]
	status map[string]string // of each router, at the look before
}

func (c *routersCollector) collect(ctx context.Context) (*exporters.Snapshot, error) {
	l := newLook(c.cloud)
	c.routers(ctx, l)
	c.floatingIPs(ctx, l)
	return l.end()
}

func (c *routersCollector) routers(ctx context.Context, l *look) {
	all, complete := list[router](ctx, l, "/routers", "routers", page(routerFields...))
	whole := complete && len(all.Failed) == 0
	var count exporters.Tally
	var notActive, without float64
	byProject := map[string]float64{}
	var objects []mcloud.Object
	perObject := exporters.Wants(ctx, exporters.SetObjects)
	for _, r := range all.Objects {
		ha, distributed := strconv.FormatBool(bool(r.HA)), strconv.FormatBool(bool(r.Distributed))
		count.Add(1, r.Status, ha, distributed)
		byProject[r.project()]++
		if r.Status != "ACTIVE" {
			notActive++
		}
		external := ""
		var addresses []string
		if r.Gateway != nil {
			external = r.Gateway.Network
			for _, ip := range r.Gateway.IPs {
				addresses = append(addresses, ip.Address)
			}
		}
		if external == "" {
			without++
		}
		if perObject {
			l.s.Add(routerInfo, 1, r.ID, r.Name, r.project(), r.Status, strconv.FormatBool(bool(r.AdminState)), ha, distributed, external)
		}
		objects = append(objects, mcloud.NewObject(mcloud.KindRouter, r.ID, r.Name, external, r.project(), mcloud.Router{
			Status: r.Status, Enabled: bool(r.AdminState), HA: bool(r.HA), Distributed: bool(r.Distributed),
			GatewayIPs: sorted(addresses), Created: r.Created.Time,
		}))
	}
	l.record(mcloud.KindRouter, whole, objects)
	if !whole {
		return
	}
	count.AddTo(l.s, routers)
	l.s.Add(routersNotActive, notActive)
	l.s.Add(routersWithoutGateway, without)
	c.use.add(ctx, l.s, "router", byProject)
	if c.l3.there.Load() {
		c.carriers(ctx, l, all.Objects)
	}
}

// carriers asks which L3 agents carry the routers, and which is the active one.
func (c *routersCollector) carriers(ctx context.Context, l *look, all []router) {
	ids, status := make([]string, len(all)), make(map[string]string, len(all))
	for i, r := range all {
		ids[i], status[r.ID] = r.ID, r.Status
		if before, ok := c.status[r.ID]; ok && before != r.Status {
			c.agents.Touch(r.ID)
		}
	}
	c.status = status
	failed, err := c.agents.Refresh(ctx, ids, time.Now(), func(ctx context.Context, id string) ([]l3Agent, error) {
		list, err := openstack.List[l3Agent](ctx, c.cloud, api, "/routers/"+id+"/l3-agents", "agents", nil)
		if missing(err) {
			return nil, nil // the router went meanwhile
		}
		if err == nil && len(list.Failed) > 0 {
			err = list.Failed[0]
		}
		return list.Objects, err
	})
	l.s.Failed = append(l.s.Failed, failed...)
	if err != nil {
		l.errs = append(l.errs, err)
	}
	var count exporters.Tally
	for _, class := range []string{"0", "1", "2 or more"} {
		count.Add(0, class)
	}
	known := 0
	perObject := exporters.Wants(ctx, exporters.SetObjects)
	for id, agents := range c.agents.Values() {
		known++
		active, ha := 0, false
		for _, a := range agents {
			ha = ha || a.HAState != ""
			if a.HAState == "active" || a.HAState == "" && bool(a.Alive) {
				active++
			}
			if perObject {
				l.s.Add(l3AgentOfRouter, exporters.Bool(bool(a.Alive)), id, a.ID, a.HAState, strconv.FormatBool(bool(a.AdminState)), a.Host)
			}
		}
		switch {
		case active == 0:
			count.Add(1, "0")
		case active == 1 || !ha: // one that is not highly available may be on an agent of each kind
			count.Add(1, "1")
		default:
			count.Add(1, "2 or more")
		}
	}
	if known == len(ids) {
		count.AddTo(l.s, routersByActive)
	}
}

func (c *routersCollector) floatingIPs(ctx context.Context, l *look) {
	all, complete := list[floatingIP](ctx, l, "/floatingips", "floatingips", page(floatingIPFields...))
	whole := complete && len(all.Failed) == 0
	var count, unattached exporters.Tally
	notActive := 0.0
	byProject := map[string]float64{}
	var objects []mcloud.Object
	perObject := exporters.Wants(ctx, exporters.SetObjects)
	for _, f := range all.Objects {
		count.Add(1, f.Network, f.Status)
		byProject[f.project()]++
		if f.FixedIP != "" && f.Status != "ACTIVE" {
			notActive++
		}
		unattached.Add(exporters.Bool(!f.attached()), f.Network)
		if perObject {
			l.s.Add(floatingIPInfo, 1, f.ID, f.Address, f.project(), f.Status, f.Network, f.Router, f.Port)
		}
		objects = append(objects, f.object())
	}
	l.record(mcloud.KindFloatingIP, whole, objects)
	if !whole {
		return
	}
	count.AddTo(l.s, floatingIPs)
	l.s.Add(floatingIPsNotActive, notActive)
	unattached.AddTo(l.s, floatingIPsUnattached)
	c.use.add(ctx, l.s, "floatingip", byProject)
}

func (f floatingIP) object() mcloud.Object {
	device := ""
	if f.Details != nil {
		device = f.Details.Device
	}
	return mcloud.NewObject(mcloud.KindFloatingIP, f.ID, f.Address, f.Network, f.project(), mcloud.FloatingIP{
		Status: f.Status, Port: f.Port, FixedIP: f.FixedIP, Router: f.Router, Device: device,
		Forwardings: len(f.Forwardings), Created: f.Created.Time,
	})
}
