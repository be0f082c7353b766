package neutron

import (
	"context"
	"strconv"
	"strings"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var (
	ports = &exporters.Family{
		Name: "openstack_neutron_ports", Type: exporters.Gauge, Labels: []string{"status", "owner"}, Set: exporters.SetBase, Call: "GET /ports",
		Help: "Ports by status (ACTIVE, DOWN, BUILD, ERROR, N/A) and what they are for: compute, baremetal, router, router_gateway, dhcp, floating_ip (status N/A), " +
			"load_balancer (an address of Octavia is DOWN while it works), trunk, other, none.",
	}
	portsBindingFailed = &exporters.Family{
		Name: "openstack_neutron_ports_binding_failed", Type: exporters.Gauge, Labels: []string{"host"}, Set: exporters.SetBase, Call: "GET /ports",
		Help: "Ports that no mechanism driver could bind on the host (vif_type binding_failed); a host that has ports and no failure has 0.",
	}
	portsUnbound = &exporters.Family{
		Name: "openstack_neutron_ports_unbound", Type: exporters.Gauge, Labels: []string{"owner"}, Set: exporters.SetBase, Call: "GET /ports",
		Help: "Ports that are bound to no host (vif_type unbound), by what they are for. Router interfaces and floating IPs never are with OVN.",
	}
	portsNoIPs = &exporters.Family{
		Name: "openstack_neutron_ports_no_ips", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /ports",
		Help: "Ports with status ACTIVE and without any address.",
	}
	portsLBNotActive = &exporters.Family{
		Name: "openstack_neutron_ports_lb_not_active", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /ports",
		Help: "Ports of device owner neutron:LOADBALANCERV2 whose status is not ACTIVE. Octavia's own addresses are DOWN by design and in openstack_neutron_ports{owner=\"load_balancer\"}.",
	}
	routerGateways = &exporters.Family{
		Name: "openstack_neutron_router_gateways", Type: exporters.Gauge, Labels: []string{"host"}, Set: exporters.SetBase, Call: "GET /ports",
		Help: "Routers' gateways by the host (with OVN: gateway chassis) that carries them now; host is empty for those that none carries.",
	}
	portInfo = &exporters.Family{
		Name: "openstack_neutron_port_info", Type: exporters.Gauge,
		Labels: []string{"id", "network_id", "project_id", "mac_address", "device_owner", "device_id", "status", "vif_type", "host", "admin_state_up", "fixed_ips"},
		Set:    exporters.SetObjects, Call: "GET /ports",
		Help: "Always 1; says what a port is. fixed_ips has commas between its addresses.",
	}
	portFamilies = []*exporters.Family{ports, portsBindingFailed, portsUnbound, portsNoIPs, portsLBNotActive, routerGateways, portInfo}
)

type port struct {
	owned
	ID          string         `json:"id"`
	Network     string         `json:"network_id"`
	MAC         string         `json:"mac_address"`
	DeviceOwner string         `json:"device_owner"`
	Device      string         `json:"device_id"`
	Status      string         `json:"status"`
	VIFType     string         `json:"binding:vif_type"`
	Host        string         `json:"binding:host_id"`
	AdminState  openstack.Bool `json:"admin_state_up"`
	IPs         []struct {
		Address string `json:"ip_address"`
	} `json:"fixed_ips"`
}

var (
	// tenant_id is the owner's name in every version: one is enough of 120,000.
	portFields       = []string{"id", "network_id", "tenant_id", "status", "device_owner", "binding:vif_type", "binding:host_id", "fixed_ips"}
	portObjectFields = append([]string{"mac_address", "device_id", "admin_state_up"}, portFields...)
)

// onNetwork counts a network's ports; others are those of somebody.
type onNetwork struct{ ports, others int }

// portCounts is what is made of the ports as they come.
type portCounts struct {
	count, failed, unbound, gateways exporters.Tally
	noIPs, lbNotActive               float64
	byProject                        map[string]float64
	on                               map[string]onNetwork
}

func (c *portCounts) see(p port) {
	owner := ownerClass(p.DeviceOwner)
	c.count.Add(1, p.Status, owner)
	switch {
	case p.VIFType == "binding_failed":
		c.failed.Add(1, p.Host)
	case p.Host != "":
		c.failed.Add(0, p.Host)
	}
	if p.VIFType == "unbound" {
		c.unbound.Add(1, owner)
	}
	if p.DeviceOwner == "network:router_gateway" {
		c.gateways.Add(1, p.Host)
	}
	if p.Status == "ACTIVE" && len(p.IPs) == 0 {
		c.noIPs++
	}
	if p.DeviceOwner == "neutron:LOADBALANCERV2" && p.Status != "ACTIVE" {
		c.lbNotActive++
	}
	c.byProject[p.project()]++
	on := c.on[p.Network]
	on.ports++
	if !neutronsOwn(p.DeviceOwner) {
		on.others++
	}
	c.on[p.Network] = on
}

// ports lists all ports and counts them.
func (c *networksCollector) ports(ctx context.Context, l *look) {
	counts := &portCounts{byProject: map[string]float64{}, on: map[string]onNetwork{}}
	fields, objects := portFields, exporters.Wants(ctx, exporters.SetObjects)
	if objects {
		fields = portObjectFields
	}
	list, err := openstack.Each(ctx, c.cloud, api, "/ports", "ports", page(fields...), func(p port) {
		counts.see(p)
		if objects {
			l.s.Add(portInfo, 1, p.ID, p.Network, p.project(), p.MAC, p.DeviceOwner, p.Device, p.Status, p.VIFType, p.Host,
				strconv.FormatBool(bool(p.AdminState)), p.addresses())
		}
	})
	if !note(l, list, err) || len(list.Failed) > 0 {
		return // a count that is too small looks true
	}
	counts.count.AddTo(l.s, ports)
	counts.failed.AddTo(l.s, portsBindingFailed)
	counts.unbound.AddTo(l.s, portsUnbound)
	counts.gateways.AddTo(l.s, routerGateways)
	l.s.Add(portsNoIPs, counts.noIPs)
	l.s.Add(portsLBNotActive, counts.lbNotActive)
	c.use.add(ctx, l.s, "port", counts.byProject)
	c.on = counts.on
}

func (p port) addresses() string {
	list := make([]string, len(p.IPs))
	for i, ip := range p.IPs {
		list[i] = ip.Address
	}
	return strings.Join(list, ",")
}

// ownerClass says what a port is for; there are too many device owners, with
// zones in their names, for a label.
func ownerClass(deviceOwner string) string {
	switch owner := strings.ToLower(deviceOwner); {
	case owner == "":
		return "none"
	case strings.HasPrefix(owner, "compute:"):
		return "compute"
	case strings.HasPrefix(owner, "baremetal:"):
		return "baremetal"
	case owner == "network:router_gateway":
		return "router_gateway"
	case strings.HasPrefix(owner, "network:router_"), owner == "network:ha_router_replicated_interface", owner == "network:floatingip_agent_gateway":
		return "router"
	case owner == "network:dhcp", owner == "network:distributed":
		return "dhcp"
	case owner == "network:floatingip":
		return "floating_ip"
	case strings.HasPrefix(owner, "octavia"), strings.HasPrefix(owner, "neutron:loadbalancer"), strings.HasPrefix(owner, "ovn-lb"):
		return "load_balancer"
	case strings.HasPrefix(owner, "trunk:"):
		return "trunk"
	}
	return "other"
}
