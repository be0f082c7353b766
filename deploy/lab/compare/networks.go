package main

import (
	"context"
	"strconv"
	"strings"
)

func networksOurs(p page) readings {
	out := make(readings)
	count := func(family, thing string, object func(labels map[string]string) string) {
		p.each(family, func(labels map[string]string, value float64) {
			// A kind that nothing is of may be a zero of ours and no line of the client's.
			if value != 0 {
				out.add(thing, object(labels), value)
			}
		})
	}
	status := func(labels map[string]string) string { return labels["status"] }
	count("openstack_neutron_networks", "networks", func(l map[string]string) string {
		return l["status"] + " " + l["type"] + " shared " + l["shared"] + " external " + l["external"]
	})
	count("openstack_neutron_subnets", "subnets", func(l map[string]string) string { return "IPv" + l["ip_version"] })
	count("openstack_neutron_ports", "ports", status)
	count("openstack_neutron_ports", "ports of", func(l map[string]string) string {
		if l["owner"] == "compute" {
			return "compute"
		}
		return "others"
	})
	count("openstack_neutron_routers", "routers", func(l map[string]string) string { return l["status"] + " ha " + l["ha"] })
	count("openstack_neutron_routers_without_gateway", "routers without gateway", func(map[string]string) string { return "all" })
	count("openstack_neutron_floating_ips", "floating IPs", status)
	count("openstack_neutron_floating_ips_unattached", "floating IPs unattached", func(map[string]string) string { return "all" })
	for family, thing := range map[string]string{"openstack_neutron_network_ips_used": "IPv4 used", "openstack_neutron_network_ips_capacity": "IPv4 capacity"} {
		p.each(family, func(labels map[string]string, value float64) {
			if labels["ip_version"] == "4" {
				out.add(thing, labels["name"], value)
			}
		})
	}
	return out
}

// The lines of the openstack client's lists, as far as they are counted.
type (
	netNetwork struct {
		Status   string `json:"Status"`
		Type     string `json:"Network Type"`
		Shared   bool   `json:"Shared"`
		External bool   `json:"Router Type"`
	}
	netSubnet struct {
		Version int `json:"IP Version"`
	}
	netPort struct {
		Status string `json:"Status"`
		Owner  string `json:"Device Owner"`
	}
	netRouter struct {
		Status  string          `json:"Status"`
		HA      bool            `json:"HA"`
		Gateway *map[string]any `json:"External gateway info"`
	}
	netFloating struct {
		Status string  `json:"Status"`
		Port   *string `json:"Port"`
	}
	netIPs struct {
		Name  string  `json:"Network Name"`
		Used  float64 `json:"Used IPs"`
		Total float64 `json:"Total IPs"`
	}
)

// networkLists are the client's answers of one moment.
type networkLists struct {
	networks []netNetwork
	subnets  []netSubnet
	ports    []netPort
	routers  []netRouter
	floating []netFloating
	ips      []netIPs
}

func (n networkLists) readings() readings {
	out := make(readings)
	for _, v := range n.networks {
		out.add("networks", v.Status+" "+v.Type+" shared "+strconv.FormatBool(v.Shared)+" external "+strconv.FormatBool(v.External), 1)
	}
	for _, v := range n.subnets {
		out.add("subnets", "IPv"+strconv.Itoa(v.Version), 1)
	}
	for _, v := range n.ports {
		out.add("ports", v.Status, 1)
		if strings.HasPrefix(v.Owner, "compute:") {
			out.add("ports of", "compute", 1)
		} else {
			out.add("ports of", "others", 1)
		}
	}
	for _, v := range n.routers {
		out.add("routers", v.Status+" ha "+strconv.FormatBool(v.HA), 1)
		if v.Gateway == nil {
			out.add("routers without gateway", "all", 1)
		}
	}
	for _, v := range n.floating {
		out.add("floating IPs", v.Status, 1)
		if v.Port == nil {
			out.add("floating IPs unattached", "all", 1)
		}
	}
	for _, v := range n.ips {
		out.add("IPv4 used", v.Name, v.Used)
		out.add("IPv4 capacity", v.Name, v.Total)
	}
	return out
}

func networksTheirs(ctx context.Context, c *clients) (readings, error) {
	var n networkLists
	err := c.openstack(ctx,
		question{"network list --long", &n.networks}, question{"subnet list --long", &n.subnets}, question{"port list --long", &n.ports},
		question{"router list --long", &n.routers}, question{"floating ip list --long", &n.floating}, question{"ip availability list", &n.ips})
	if err != nil {
		return nil, err
	}
	return n.readings(), nil
}

// policiesOurs are what the exporter looks at seldom.
func policiesOurs(p page) readings {
	out := make(readings)
	for family, thing := range map[string]string{
		"openstack_neutron_security_groups": "security groups", "openstack_neutron_trunks": "trunks",
		"openstack_neutron_qos_policies": "QoS policies", "openstack_neutron_address_scopes": "address scopes",
	} {
		p.each(family, func(_ map[string]string, value float64) {
			if value != 0 {
				out.add(thing, "all", value)
			}
		})
	}
	p.each("openstack_neutron_security_group_rules", func(labels map[string]string, value float64) {
		out.add("security group rules", labels["direction"]+" "+labels["ethertype"], value)
	})
	p.each("openstack_neutron_segments", func(labels map[string]string, value float64) { out.add("segments", labels["type"], value) })
	p.each("openstack_neutron_rbac_policies", func(labels map[string]string, value float64) {
		out.add("RBAC policies", labels["object_type"]+" "+labels["action"], value)
	})
	return out
}

type (
	netRule struct {
		Direction string `json:"Direction"`
		Ethertype string `json:"Ethertype"`
	}
	netSegment struct {
		Type string `json:"Network Type"`
	}
	netRBAC struct {
		Type   string `json:"Object Type"`
		Action string `json:"Action"`
	}
	netAny struct{}
)

// policyLists are the client's answers of one moment.
type policyLists struct {
	groups, trunks, qos, scopes []netAny
	rules                       []netRule
	segments                    []netSegment
	rbac                        []netRBAC
}

func (n policyLists) readings() readings {
	out := make(readings)
	for thing, list := range map[string][]netAny{"security groups": n.groups, "trunks": n.trunks, "QoS policies": n.qos, "address scopes": n.scopes} {
		if len(list) > 0 {
			out.add(thing, "all", float64(len(list)))
		}
	}
	for _, v := range n.rules {
		out.add("security group rules", v.Direction+" "+v.Ethertype, 1)
	}
	for _, v := range n.segments {
		out.add("segments", v.Type, 1)
	}
	for _, v := range n.rbac {
		out.add("RBAC policies", v.Type+" "+v.Action, 1)
	}
	return out
}

func policiesTheirs(ctx context.Context, c *clients) (readings, error) {
	var n policyLists
	err := c.openstack(ctx,
		question{"security group list", &n.groups}, question{"network trunk list", &n.trunks}, question{"network qos policy list", &n.qos},
		question{"address scope list", &n.scopes}, question{"security group rule list --all-projects", &n.rules},
		question{"network segment list", &n.segments}, question{"network rbac list --long", &n.rbac})
	if err != nil {
		return nil, err
	}
	return n.readings(), nil
}
