package neutron

import "mcloud/exporters/openstack"

// Calls are the requests that Sources make. Neutron answers most of them to
// anybody, with the account's own project's objects only: to see all projects'
// it must be an administrator, or pass the rule and context_is_advsvc.
func Calls() []openstack.Call {
	one := map[string]string{"limit": "1"}
	return []openstack.Call{
		{API: api, Path: "/agents", Rule: "get_agent", Role: "admin", Gives: "agents' states"},
		{API: api, Path: "/networks", Query: one, Rule: "get_network", Role: "admin", Gives: "networks of all projects"},
		{API: api, Path: "/ports", Query: one, Rule: "get_port", Role: "admin", Gives: "ports, binding failures and empty networks"},
		{API: api, Path: "/routers", Query: one, Rule: "get_router", Role: "admin", Gives: "routers", Optional: true},
		{API: api, Path: "/routers/{id}/l3-agents", Of: "/routers", OfMember: "routers", Rule: "get_l3-agents", Role: "admin", Gives: "which L3 agents carry a router", Optional: true},
		{API: api, Path: "/floatingips", Query: one, Rule: "get_floatingip", Role: "admin", Gives: "floating IPs", Optional: true},
		{API: api, Path: "/network-ip-availabilities", Rule: "get_network_ip_availability", Role: "admin", Gives: "how full networks are", Optional: true},
		{API: api, Path: "/subnets", Query: one, Rule: "get_subnet", Role: "admin", Gives: "subnets, and what is taken of subnet pools"},
		{API: api, Path: "/subnetpools", Query: one, Rule: "get_subnetpool", Role: "admin", Gives: "subnet pools"},
		{API: api, Path: "/extensions", Gives: "which parts this Neutron has"},
		{API: api, Path: "/security-groups", Query: one, Rule: "get_security_group", Role: "admin", Gives: "security groups", Optional: true},
		{API: api, Path: "/security-group-rules", Query: one, Rule: "get_security_group_rule", Role: "admin", Gives: "security group rules", Optional: true},
		{API: api, Path: "/address-scopes", Query: one, Rule: "get_address_scope", Role: "admin", Gives: "address scopes", Optional: true},
		{API: api, Path: "/rbac-policies", Query: one, Rule: "get_rbac_policy", Role: "admin", Gives: "RBAC policies", Optional: true},
		{API: api, Path: "/trunks", Query: one, Rule: "get_trunk", Role: "admin", Gives: "trunks", Optional: true},
		{API: api, Path: "/qos/policies", Query: one, Rule: "get_policy", Role: "admin", Gives: "QoS policies", Optional: true},
		{API: api, Path: "/segments", Query: one, Rule: "get_segment", Role: "admin", Gives: "network segments", Optional: true},
		{API: api, Path: "/network-segment-ranges", Query: map[string]string{"fields": "id"}, Rule: "get_network_segment_range", Role: "admin", Gives: "how full segment ranges are", Optional: true},
		{API: api, Path: "/vpn/ikepolicies", Query: one, Rule: "get_ikepolicy", Role: "admin", Gives: "VPN IKE policies", Optional: true},
		{API: api, Path: "/vpn/ipsecpolicies", Query: one, Rule: "get_ipsecpolicy", Role: "admin", Gives: "VPN IPsec policies", Optional: true},
		{API: api, Path: "/vpn/endpoint-groups", Query: one, Rule: "get_endpoint_group", Role: "admin", Gives: "VPN endpoint groups", Optional: true},
		{API: api, Path: "/vpn/vpnservices", Query: one, Rule: "get_vpnservice", Role: "admin", Gives: "VPN services", Optional: true},
		{API: api, Path: "/vpn/ipsec-site-connections", Query: map[string]string{"fields": "id", "limit": "1"}, Rule: "get_ipsec_site_connection", Role: "admin", Gives: "VPN connections", Optional: true},
		{API: api, Path: "/quotas", Rule: "get_quota", Role: "admin", Gives: "projects' limits"},
		{API: api, Path: "/quotas/{project}/default", Rule: "get_quota", Role: "admin", Gives: "limits of projects without their own"},
		{API: api, Path: "/quotas/{project}/details.json", Rule: "", Role: "admin", Gives: "what requests reserve of quotas (set objects; no policy opens it)", Optional: true, Dispensable: true},
	}
}
