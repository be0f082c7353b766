package neutron

import (
	"context"
	"strconv"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var (
	vpnEndpointGroups = &exporters.Family{
		Name: "openstack_neutron_vpn_endpoint_groups", Type: exporters.Gauge, Labels: []string{"type"}, Set: exporters.SetBase, Call: "GET /vpn/endpoint-groups",
		Help: "VPN endpoint groups by type (subnet, cidr, …).",
	}
	vpnIKEPolicies = &exporters.Family{
		Name: "openstack_neutron_vpn_ike_policies", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /vpn/ikepolicies",
		Help: "VPN IKE policies.",
	}
	vpnIPsecPolicies = &exporters.Family{
		Name: "openstack_neutron_vpn_ipsec_policies", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /vpn/ipsecpolicies",
		Help: "VPN IPsec policies.",
	}
	vpnServices = &exporters.Family{
		Name: "openstack_neutron_vpn_services", Type: exporters.Gauge, Labels: []string{"status"}, Set: exporters.SetBase, Call: "GET /vpn/vpnservices",
		Help: "VPN services by status (ACTIVE, DOWN, PENDING_CREATE, ERROR, …).",
	}
	vpnServiceInfo = &exporters.Family{
		Name: "openstack_neutron_vpn_service_info", Type: exporters.Gauge,
		Labels: []string{"id", "name", "project_id", "status", "admin_state_up", "router_id", "subnet_id", "flavor_id", "external_v4_ip", "external_v6_ip"}, Set: exporters.SetObjects, Call: "GET /vpn/vpnservices",
		Help: "Always 1; says what a VPN service is.",
	}
	vpnSiteConnections = &exporters.Family{
		Name: "openstack_neutron_vpn_site_connections", Type: exporters.Gauge, Labels: []string{"status"}, Set: exporters.SetBase, Call: "GET /vpn/ipsec-site-connections",
		Help: "VPN connections to other sites by status (ACTIVE, DOWN, PENDING_CREATE, ERROR, …).",
	}
	vpnSiteConnectionInfo = &exporters.Family{
		Name: "openstack_neutron_vpn_site_connection_info", Type: exporters.Gauge,
		Labels: []string{"id", "name", "project_id", "status", "admin_state_up", "vpn_service_id", "ike_policy_id", "ipsec_policy_id", "local_id", "peer_id", "local_ep_group_id", "peer_ep_group_id"},
		Set:    exporters.SetObjects, Call: "GET /vpn/ipsec-site-connections",
		Help: "Always 1; says what a VPN connection to another site is.",
	}
	vpnFamilies = []*exporters.Family{
		vpnEndpointGroups, vpnIKEPolicies, vpnIPsecPolicies, vpnServices, vpnServiceInfo, vpnSiteConnections, vpnSiteConnectionInfo,
	}
)

type vpnService struct {
	owned
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Status     string         `json:"status"`
	AdminState openstack.Bool `json:"admin_state_up"`
	Router     string         `json:"router_id"`
	Subnet     string         `json:"subnet_id"`
	Flavor     string         `json:"flavor_id"`
	ExternalV4 string         `json:"external_v4_ip"`
	ExternalV6 string         `json:"external_v6_ip"`
}

// vpnSiteConnection leaves out psk, which is not asked for either.
type vpnSiteConnection struct {
	owned
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Status     string         `json:"status"`
	AdminState openstack.Bool `json:"admin_state_up"`
	Service    string         `json:"vpnservice_id"`
	IKE        string         `json:"ikepolicy_id"`
	IPsec      string         `json:"ipsecpolicy_id"`
	Local      string         `json:"local_id"`
	Peer       string         `json:"peer_id"`
	LocalGroup string         `json:"local_ep_group_id"`
	PeerGroup  string         `json:"peer_ep_group_id"`
}

var (
	vpnServiceFields    = []string{"name", "status", "admin_state_up", "router_id", "subnet_id", "flavor_id", "external_v4_ip", "external_v6_ip"}
	vpnConnectionFields = []string{"name", "status", "admin_state_up", "vpnservice_id", "ikepolicy_id", "ipsecpolicy_id", "local_id", "peer_id", "local_ep_group_id", "peer_ep_group_id"}
)

// vpn counts what VPNaaS has, where it is.
func (c *policiesCollector) vpn(ctx context.Context, l *look) {
	if !c.extras.has("vpnaas") {
		l.s.Skipped++
		return
	}
	type plain struct {
		owned
		Type string `json:"type"`
	}
	none := func(plain) []string { return nil }
	perObject := exporters.Wants(ctx, exporters.SetObjects)
	counts(ctx, l, c.use, "", "/vpn/ikepolicies", "ikepolicies", owners(), none, vpnIKEPolicies)
	counts(ctx, l, c.use, "", "/vpn/ipsecpolicies", "ipsecpolicies", owners(), none, vpnIPsecPolicies)
	if c.extras.has("vpn-endpoint-groups") {
		counts(ctx, l, c.use, "", "/vpn/endpoint-groups", "endpoint_groups", owners("type"), func(v plain) []string { return []string{v.Type} }, vpnEndpointGroups)
	}
	counts(ctx, l, c.use, "", "/vpn/vpnservices", "vpnservices", owners(vpnServiceFields...), func(v vpnService) []string {
		if perObject {
			l.s.Add(vpnServiceInfo, 1, v.ID, v.Name, v.project(), v.Status, strconv.FormatBool(bool(v.AdminState)), v.Router, v.Subnet, v.Flavor, v.ExternalV4, v.ExternalV6)
		}
		return []string{v.Status}
	}, vpnServices)
	counts(ctx, l, c.use, "", "/vpn/ipsec-site-connections", "ipsec_site_connections", owners(vpnConnectionFields...), func(v vpnSiteConnection) []string {
		if perObject {
			l.s.Add(vpnSiteConnectionInfo, 1, v.ID, v.Name, v.project(), v.Status, strconv.FormatBool(bool(v.AdminState)),
				v.Service, v.IKE, v.IPsec, v.Local, v.Peer, v.LocalGroup, v.PeerGroup)
		}
		return []string{v.Status}
	}, vpnSiteConnections)
}
