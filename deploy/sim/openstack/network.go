package openstack

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcloud/deploy/sim/model"
)

var network = &service{fault: func(_ *call, status int, _, message string) any {
	kind := "HTTPNotFound"
	if status != http.StatusNotFound {
		kind = "HTTPBadRequest"
	}
	return object{"NeutronError": object{"type": kind, "message": message, "detail": ""}}
}}

func (s *Server) networkRoutes() {
	const v = "/networking/v2.0"
	s.route(network, "GET /networking", true, s.networkVersions)
	s.route(network, "GET /networking/{$}", true, s.networkVersions)
	eager := func(list func(*call, *model.World) []object) func(*call, *model.World) rows {
		return func(c *call, w *model.World) rows { return made(list(c, w)) }
	}
	for name, list := range map[string]func(*call, *model.World) rows{
		"agents": eager(agents), "networks": eager(networks), "subnets": eager(subnets), "ports": s.portRows, "routers": eager(routers),
		"floatingips": floatingIPs, "security_groups": eager(securityGroups), "network_ip_availabilities": eager(availabilities),
		"subnetpools": eager(subnetPools), "security_group_rules": eager(securityGroupRules), "segments": eager(segments),
		"address_scopes": eager(addressScopes), "rbac_policies": eager(rbacPolicies), "trunks": eager(none), "qos/policies": eager(none),
		"quotas":     eager(none),
		"extensions": eager(extensions),
	} {
		h := s.networkList(name[strings.LastIndex(name, "/")+1:], list)
		s.route(network, "GET "+v+"/"+strings.ReplaceAll(name, "_", "-"), false, h)
		s.route(network, "GET "+v+"/"+strings.ReplaceAll(name, "_", "-")+".json", false, h)
	}
	s.route(network, "GET "+v+"/quotas/{project}/details.json", false, s.networkQuota)
	s.route(network, "GET "+v+"/quotas/{project}/details", false, s.networkQuota)
	s.route(network, "GET "+v+"/quotas/{project}/default", false, func(*call) answer {
		return ok(object{"quota": recorded("network_quota_default", networkLimits(nil))})
	})
	s.route(network, "/networking/", false, func(c *call) answer {
		return network.fail(c, http.StatusNotFound, "The resource could not be found.")
	})
}

func (s *Server) networkVersions(*call) answer {
	return ok(object{"versions": []object{{
		"id": "v2.0", "status": "CURRENT", "links": []object{{"rel": "self", "href": s.root + "/networking/v2.0/"}},
	}}})
}

// networkList answers one list with Neutron's filters, fields and paging. What
// nobody filters is only made as far as the page goes.
func (s *Server) networkList(name string, list func(*call, *model.World) rows) handler {
	return func(c *call) (a answer) {
		query := c.URL.Query()
		s.cloud.With(func(w *model.World) {
			found := list(c, w)
			if filters(query) || !c.who.admin() {
				found = made(slices.DeleteFunc(found.all(), func(doc object) bool { return !passes(c, query, doc) }))
			}
			indexes := make([]int, found.n)
			for i := range indexes {
				indexes[i] = i
			}
			part, next, known := page(c, indexes, found.id, found.n+1)
			if !known {
				a = network.fail(c, http.StatusBadRequest, "The marker %s is not known", query.Get("marker"))
				return
			}
			docs := make([]object, len(part))
			for i, at := range part {
				docs[i] = onlyFields(found.doc(at), query["fields"])
			}
			doc := object{name: docs}
			if query.Has("limit") {
				s.nextLink(doc, name, c.URL.Path, next)
			}
			a = ok(doc)
		})
		return a
	}
}

// filters says whether a query asks for less than all.
func filters(query url.Values) bool {
	for key := range query {
		switch key {
		case "limit", "marker", "fields", "sort_key", "sort_dir", "page_reverse":
		default:
			return true
		}
	}
	return false
}

func passes(c *call, query url.Values, doc object) bool {
	if owner, owned := doc["project_id"]; owned && !c.who.admin() && owner != c.who.project && doc["shared"] != true {
		return false
	}
	for key, wanted := range query {
		if key == "changed_since" {
			if at, _ := doc["updated_at"].(string); strings.TrimSuffix(at, "Z") < strings.TrimSuffix(wanted[0], "Z") {
				return false
			}
		}
		value, filterable := doc[key].(string)
		if filterable && !slices.Contains(wanted, value) {
			return false
		}
	}
	return true
}

func onlyFields(doc object, fields []string) object {
	if len(fields) == 0 {
		return doc
	}
	few := object{}
	for _, f := range fields {
		if v, has := doc[f]; has {
			few[f] = v
		}
	}
	return few
}

// agents are the OVN chassis: the id is the chassis's name and no uuid.
func agents(_ *call, w *model.World) []object {
	docs := []object{}
	for _, ch := range w.AllChassis() {
		beat := w.Now
		if ch.Frozen {
			beat = ch.Since
		}
		kind := "OVN Controller agent"
		if ch.Gateway {
			kind = "OVN Controller Gateway agent"
		}
		docs = append(docs, object{
			"id": ch.Name, "host": ch.Hostname, "agent_type": kind, "binary": "ovn-controller", "topic": "n/a", "description": "",
			"alive": w.Now.Sub(beat) < 75*time.Second, "admin_state_up": true, "availability_zone": "",
			"heartbeat_timestamp": beat.Format("2006-01-02 15:04:05"),
			"configurations":      object{"chassis_name": ch.Name, "bridge-mappings": "physnet1:br-ex"},
		})
	}
	return docs
}

func stamps(doc object, created time.Time) object {
	doc["created_at"], doc["updated_at"], doc["revision_number"], doc["tags"] = when(created, second), when(created, second), 1, []string{}
	return doc
}

func networks(_ *call, w *model.World) []object {
	docs := []object{}
	for i, n := range w.Networks {
		kind, physical := "geneve", any(nil)
		if n.External {
			kind, physical = "flat", "physnet1"
		}
		segment := any(i + 1000)
		if n.External {
			segment = nil
		}
		docs = append(docs, stamps(object{
			"id": n.ID, "name": n.Name, "tenant_id": n.Project.ID, "project_id": n.Project.ID, "admin_state_up": true, "status": "ACTIVE",
			"mtu": 1442, "shared": n.External, "router:external": n.External, "subnets": []string{n.SubnetID}, "description": "",
			"availability_zone_hints": []string{}, "availability_zones": []string{}, "ipv4_address_scope": nil, "ipv6_address_scope": nil,
			"port_security_enabled": true, "qos_policy_id": nil, "dns_domain": "", "l2_adjacency": true, "provider:network_type": kind, "provider:physical_network": physical, "provider:segmentation_id": segment,
		}, n.Created))
	}
	return docs
}

func subnets(_ *call, w *model.World) []object {
	docs := []object{}
	for _, n := range w.Networks {
		docs = append(docs, stamps(object{
			"id": n.SubnetID, "name": n.Name + "-subnet", "network_id": n.ID, "tenant_id": n.Project.ID, "project_id": n.Project.ID,
			"cidr": n.CIDR, "ip_version": 4, "gateway_ip": n.GatewayIP, "enable_dhcp": !n.External, "allocation_pools": []object{},
			"dns_nameservers": []string{}, "host_routes": []any{}, "ipv6_address_mode": nil, "ipv6_ra_mode": nil, "description": "",
			"service_types": []string{}, "subnetpool_id": nil, "segment_id": nil, "router:external": n.External,
		}, n.Created))
	}
	return docs
}

func port(id, name, owner, device, host, status, mac, ip string, n *model.Network, project string, created time.Time) object {
	vif, vnic := "ovs", "normal"
	if host == "" {
		vif = "unbound"
	}
	return stamps(object{
		"id": id, "name": name, "network_id": n.ID, "tenant_id": project, "project_id": project, "mac_address": mac, "status": status,
		"admin_state_up": true, "device_owner": owner, "device_id": device, "description": "",
		"fixed_ips": []object{{"subnet_id": n.SubnetID, "ip_address": ip}}, "allowed_address_pairs": []any{}, "extra_dhcp_opts": []any{},
		"security_groups": []string{}, "port_security_enabled": true, "qos_policy_id": nil, "qos_network_policy_id": nil,
		"dns_name": "", "dns_assignment": []object{{"ip_address": ip, "hostname": "host-" + strings.ReplaceAll(ip, ".", "-"), "fqdn": "host-" + strings.ReplaceAll(ip, ".", "-") + ".openstacklocal."}},
		"ip_allocation": "immediate", "resource_request": nil,
		"binding:host_id": host, "binding:vif_type": vif, "binding:vnic_type": vnic, "binding:profile": object{}, "binding:vif_details": object{},
	}, created)
}

// portRef is one port: a server's, or one of a network's or a floating IP's own.
type portRef struct {
	id     string
	server *model.Server
	port   *model.Port
	other  func(*model.World) object
}

// portList are all ports, made anew when any came or went.
type portList struct {
	servers, addresses uint64
	list               []portRef
}

func (l *portList) of(w *model.World) []portRef {
	if l.list != nil && l.servers == w.Servers.Version() && l.addresses == w.FloatingIP.Version() {
		return l.list
	}
	l.servers, l.addresses, l.list = w.Servers.Version(), w.FloatingIP.Version(), l.list[:0:0]
	for _, server := range w.Ports() {
		l.list = append(l.list, portRef{id: server.Port.ID, server: server, port: server.Port})
		if server.Second != nil {
			l.list = append(l.list, portRef{id: server.Second.ID, server: server, port: server.Second})
		}
	}
	add := func(id string, doc func(*model.World) object) { l.list = append(l.list, portRef{id: id, other: doc}) }
	for _, n := range w.Networks[1:] {
		add(n.RouterPortID, func(*model.World) object {
			return port(n.RouterPortID, "", "network:router_interface", n.RouterID, "", "ACTIVE", "fa:16:3e:00:00:01", n.GatewayIP, n, n.Project.ID, n.Created)
		})
		add(n.GatewayPortID, func(w *model.World) object {
			return port(n.GatewayPortID, "", "network:router_gateway", n.RouterID, w.Gateways[0].Hostname, "ACTIVE", "fa:16:3e:00:00:02", w.Networks[0].GatewayIP, w.Networks[0], "", n.Created)
		})
		add(n.DistributedID, func(*model.World) object {
			return port(n.DistributedID, "", "network:distributed", "ovnmeta-"+n.ID, "", "DOWN", "fa:16:3e:00:00:03", n.GatewayIP, n, n.Project.ID, n.Created)
		})
	}
	for _, f := range w.FloatingIP.All() {
		add(f.PortID, func(w *model.World) object {
			return port(f.PortID, "", "network:floatingip", f.ID, "", "N/A", "fa:16:3e:00:00:04", f.Address, w.Networks[0], "", f.Created)
		})
	}
	return l.list
}

func (s *Server) portRows(_ *call, w *model.World) rows {
	list := s.ports.of(w)
	return rows{n: len(list), id: func(i int) string { return list[i].id }, doc: func(i int) object {
		p := list[i]
		if p.other != nil {
			return p.other(w)
		}
		host, status := "", "DOWN"
		if p.server.Host != nil {
			host, status = p.server.Host.Name, "ACTIVE"
		}
		doc := port(p.id, "", "compute:"+zoneName(p.server), p.server.ID, host, status, p.port.MAC, p.port.IP, p.port.Network, p.server.Project.ID, p.port.Created)
		doc["updated_at"] = when(p.port.Updated, second)
		if p.port.Down {
			doc["admin_state_up"], doc["status"] = false, "DOWN"
		}
		return doc
	}}
}

func zoneName(s *model.Server) string {
	if s.Zone == nil {
		return "nova"
	}
	return s.Zone.Name
}

func routers(_ *call, w *model.World) []object {
	docs := []object{}
	for _, n := range w.Networks[1:] {
		docs = append(docs, stamps(object{
			"id": n.RouterID, "name": n.Project.Name + "-router", "tenant_id": n.Project.ID, "project_id": n.Project.ID, "admin_state_up": true,
			"status": "ACTIVE", "description": "", "availability_zone_hints": []string{}, "availability_zones": []string{}, "flavor_id": nil,
			"routes": []any{}, "ha": true, "enable_default_route_bfd": false, "enable_default_route_ecmp": false,
			"external_gateway_info": object{
				"network_id": w.Networks[0].ID, "enable_snat": true,
				"external_fixed_ips": []object{{"subnet_id": w.Networks[0].SubnetID, "ip_address": w.Networks[0].GatewayIP}},
			},
			"external_gateways": []any{},
		}, n.Created))
	}
	return docs
}

func floatingIPs(_ *call, w *model.World) rows {
	all := w.FloatingIP.All()
	return rows{n: len(all), id: func(i int) string { return all[i].ID }, doc: func(i int) object { return floatingIP(w, all[i]) }}
}

func floatingIP(w *model.World, f *model.FloatingIP) object {
	doc := stamps(object{
		"id": f.ID, "tenant_id": f.Project.ID, "project_id": f.Project.ID, "floating_ip_address": f.Address, "floating_network_id": w.Networks[0].ID,
		"status": "DOWN", "description": "", "router_id": nil, "fixed_ip_address": nil, "port_id": nil, "port_details": nil,
		"qos_policy_id": nil, "port_forwardings": []any{}, "dns_domain": "", "dns_name": "",
	}, f.Created)
	if f.Server != nil && f.Server.Port != nil {
		p := f.Server.Port
		doc["status"], doc["port_id"], doc["fixed_ip_address"], doc["router_id"] = "ACTIVE", p.ID, p.IP, p.Network.RouterID
		doc["port_details"] = object{
			"name": "", "network_id": p.Network.ID, "mac_address": p.MAC, "admin_state_up": true, "status": "ACTIVE",
			"device_id": f.Server.ID, "device_owner": "compute:" + zoneName(f.Server),
		}
	}
	return doc
}

func securityGroups(_ *call, w *model.World) []object {
	docs := []object{}
	for _, p := range w.Projects {
		docs = append(docs, stamps(object{
			"id": p.ID[:8] + "-5ec0-4000-8000-" + p.ID[20:], "name": "default", "tenant_id": p.ID, "project_id": p.ID, "stateful": true, "shared": false,
			"description": "Default security group", "security_group_rules": []any{},
		}, w.Config.Start))
	}
	return docs
}

func availabilities(_ *call, w *model.World) []object {
	docs := []object{}
	for _, n := range w.Networks {
		docs = append(docs, object{
			"network_id": n.ID, "network_name": n.Name, "tenant_id": n.Project.ID, "project_id": n.Project.ID,
			"used_ips": n.Used(), "total_ips": n.Capacity(),
			"subnet_ip_availability": []object{{
				"subnet_id": n.SubnetID, "subnet_name": n.Name + "-subnet", "cidr": n.CIDR, "ip_version": 4, "used_ips": n.Used(), "total_ips": n.Capacity(),
			}},
		})
	}
	return docs
}

func extensions(*call, *model.World) []object {
	docs := []object{}
	for _, alias := range []string{
		"address-scope", "agent", "availability_zone", "binding", "external-net", "l3-ha", "net-mtu", "network-ip-availability", "pagination", "port-security", "project-id",
		"provider", "quotas", "quota_details", "rbac-policies", "router", "security-group", "segment", "sorting", "standard-attr-timestamp", "subnet_allocation",
	} {
		docs = append(docs, object{"alias": alias, "name": alias, "description": "", "updated": "2016-01-01T00:00:00-00:00", "links": []any{}})
	}
	return docs
}

// networkLimits are every project's.
func networkLimits(over object) object {
	limits := object{
		"network": 100, "subnet": 100, "port": 5000, "router": 10, "floatingip": 500, "security_group": 10, "security_group_rule": 100, "rbac_policy": 10,
		"subnetpool": -1, "trunk": -1,
	}
	for k, v := range over {
		limits[k] = v
	}
	return limits
}

func subnetPools(_ *call, w *model.World) []object {
	return []object{recorded("subnetpool", object{
		"id": madeID("subnet pool"), "name": "sim-pool", "tenant_id": w.Projects[0].ID, "project_id": w.Projects[0].ID, "prefixes": []string{"10.200.0.0/16"},
		"address_scope_id": madeID("address scope"), "created_at": when(w.Config.Start, second), "updated_at": when(w.Config.Start, second),
	})}
}

func addressScopes(_ *call, w *model.World) []object {
	return []object{recorded("address_scope", object{"id": madeID("address scope"), "name": "sim-scope", "tenant_id": w.Projects[0].ID, "project_id": w.Projects[0].ID})}
}

func rbacPolicies(_ *call, w *model.World) []object {
	return []object{recorded("rbac_policy", object{
		"id": madeID("rbac"), "tenant_id": w.Projects[0].ID, "project_id": w.Projects[0].ID, "action": "access_as_external", "object_type": "network",
		"object_id": w.Networks[0].ID, "target_tenant": "*",
	})}
}

// securityGroupRules are the four that every project's default group has.
func securityGroupRules(_ *call, w *model.World) []object {
	docs := []object{}
	for _, p := range w.Projects {
		for _, direction := range []string{"egress", "ingress"} {
			for _, ethertype := range []string{"IPv4", "IPv6"} {
				docs = append(docs, recorded("security_group_rule", object{
					"id": madeID("rule", p.ID, direction, ethertype), "tenant_id": p.ID, "project_id": p.ID, "direction": direction, "ethertype": ethertype,
					"security_group_id": p.ID[:8] + "-5ec0-4000-8000-" + p.ID[20:], "protocol": nil, "remote_ip_prefix": nil, "port_range_min": nil, "port_range_max": nil,
				}))
			}
		}
	}
	return docs
}

func segments(_ *call, w *model.World) []object {
	docs := []object{}
	for i, n := range w.Networks {
		doc := recorded("network_segment", object{
			"id": madeID("segment", n.ID), "network_id": n.ID, "network_type": "geneve", "physical_network": nil, "segmentation_id": i + 1000,
			"created_at": when(n.Created, second), "updated_at": when(n.Created, second),
		})
		if n.External {
			doc["network_type"], doc["physical_network"], doc["segmentation_id"] = "flat", "physnet1", nil
		}
		docs = append(docs, doc)
	}
	return docs
}

func (s *Server) networkQuota(c *call) (a answer) {
	project := c.PathValue("project")
	s.cloud.With(func(w *model.World) {
		used := map[string]int{"security_group": 1, "security_group_rule": 4}
		for _, n := range w.Networks[1:] {
			if n.Project.ID == project {
				used["network"]++
				used["subnet"]++
				used["router"]++
				used["port"] += 2
			}
		}
		for _, server := range w.Servers.All() {
			if server.Project.ID == project && server.Port != nil {
				used["port"]++
				if server.Second != nil {
					used["port"]++
				}
			}
		}
		for _, f := range w.FloatingIP.All() {
			if f.Project.ID == project {
				used["floatingip"]++
			}
		}
		doc := object{}
		for name, limit := range networkLimits(nil) {
			doc[name] = object{"limit": limit, "used": used[name], "reserved": 0}
		}
		a = ok(object{"quota": doc})
	})
	return a
}

func formatFloat(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }
