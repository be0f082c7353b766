package openstack_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack/neutron"
)

// TestPortsAtScale counts 120,000 ports: in 120 calls, and without keeping them.
func TestPortsAtScale(t *testing.T) {
	const total = 120_000
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	var most uint64
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		if !strings.HasPrefix(call, "neutron /ports") {
			return false
		}
		from := 0
		if marker := r.URL.Query().Get("marker"); marker != "" {
			from, _ = strconv.Atoi(marker)
		}
		if from%20_000 == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		fmt.Fprint(w, `{"ports":[`)
		for i := from; i < from+1000; i++ {
			if i > from {
				fmt.Fprint(w, ",")
			}
			fmt.Fprintf(w, `{"id":"%d","network_id":"n%d","project_id":"p%d","status":"ACTIVE","device_owner":"compute:az-%d","binding:vif_type":"ovs","binding:host_id":"cmp-%d","fixed_ips":[{"subnet_id":"s","ip_address":"10.0.0.%d"}]}`,
				i, i%2000, i%500, i%3, i%100, i%250)
		}
		fmt.Fprint(w, `]`)
		if from+1000 < total {
			fmt.Fprintf(w, `,"ports_links":[{"rel":"next","href":"http://x/v2.0/ports?limit=1000&marker=%d"}]`, from+1000)
		}
		fmt.Fprint(w, `}`)
		return true
	})
	s, err := baseOnly(t, source(t, cloud, "neutron_networks"))
	if err != nil {
		t.Fatal(err)
	}
	wantValues(t, s, "openstack_neutron_ports", map[string]float64{"ACTIVE,compute": total})
	if n := values(s, "openstack_neutron_quota_used")["p7,port"]; n != total/500 {
		t.Errorf("project p7 uses %v ports, want %d", n, total/500)
	}
	if n, _ := f.called("neutron"); n != 121 {
		t.Errorf("%d calls, want 120 pages of ports and 1 of networks", n)
	}
	if n := len(values(s, "openstack_neutron_port_info")); n != 0 {
		t.Errorf("%d series of ports that nobody asked for", n)
	}
	if most > 64<<20 {
		t.Errorf("%d MiB on the heap while counting", most>>20)
	}
	t.Logf("%d MiB on the heap at most, %d samples", most>>20, len(s.Samples))
}

// TestPagesOfPortsThatBreakOff must not give a count of the pages that came.
func TestPagesOfPortsThatBreakOff(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	networks := source(t, cloud, "neutron_networks")
	if _, err := collect(t, networks); err != nil {
		t.Fatal(err)
	}
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		switch {
		case !strings.HasPrefix(call, "neutron /ports"):
			return false
		case r.URL.Query().Has("marker"):
			w.WriteHeader(http.StatusInternalServerError)
		default:
			_, _ = io.WriteString(w, `{"ports": [{"id": "a", "status": "ACTIVE"}], "ports_links": [{"rel": "next", "href": "http://x/ports?marker=a"}]}`)
		}
		return true
	})
	s, err := collect(t, networks)
	if exporters.KindOf(err) != exporters.KindServerError || !strings.Contains(err.Error(), "page 2") {
		t.Errorf("error %v", err)
	}
	for _, family := range []string{"openstack_neutron_ports", "openstack_neutron_ports_no_ips", "openstack_neutron_ports_unbound", "openstack_neutron_router_gateways"} {
		wantValues(t, s, family, map[string]float64{})
	}
	if len(values(s, "openstack_neutron_networks")) == 0 || len(s.Inventories) != 1 || !s.Inventories[0].Complete {
		t.Errorf("networks were not kept: %+v", s.Inventories)
	}
	for _, o := range s.Inventories[0].Objects {
		if !strings.Contains(string(o.Attributes), `"empty":`) {
			t.Errorf("what was known of the network's ports is forgotten: %s", o.Attributes)
		}
	}
}

// TestPortsInTrouble counts what Neutron's ports can suffer from.
func TestPortsInTrouble(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(canned(map[string]string{
		"neutron /networks": `{"networks": [{"id": "n1", "status": "ACTIVE", "project_id": "p1"}, {"id": "n2", "status": "ACTIVE", "project_id": "p1"}, {"id": "n3", "status": "DOWN", "tenant_id": "p2"}]}`,
		"neutron /ports": `{"ports": [
			{"id": "1", "network_id": "n1", "status": "DOWN", "device_owner": "compute:az-a", "binding:vif_type": "binding_failed", "binding:host_id": "cmp-1", "fixed_ips": [{"ip_address": "10.0.0.1"}]},
			{"id": "2", "network_id": "n1", "status": "ACTIVE", "device_owner": "compute:az-a", "binding:vif_type": "ovs", "binding:host_id": "cmp-2", "fixed_ips": []},
			{"id": "3", "network_id": "n2", "status": "ACTIVE", "device_owner": "network:dhcp", "binding:vif_type": "ovs", "binding:host_id": "net-1", "fixed_ips": [{"ip_address": "10.0.1.1"}]},
			{"id": "4", "network_id": "n1", "status": "DOWN", "device_owner": "", "binding:vif_type": "unbound", "binding:host_id": "", "fixed_ips": [{"ip_address": "10.0.0.4"}]},
			{"id": "5", "network_id": "n1", "status": "DOWN", "device_owner": "neutron:LOADBALANCERV2", "binding:vif_type": "unbound", "fixed_ips": [{"ip_address": "10.0.0.5"}]},
			{"id": "6", "network_id": "n1", "status": "ACTIVE", "device_owner": "network:router_gateway", "binding:vif_type": "ovs", "binding:host_id": "gw-1", "fixed_ips": [{"ip_address": "10.0.0.6"}]},
			{"id": "7", "network_id": "n1", "status": "DOWN", "device_owner": "network:router_gateway", "binding:vif_type": "unbound", "binding:host_id": "", "fixed_ips": [{"ip_address": "10.0.0.7"}]}
		]}`,
	}))
	s, err := collect(t, source(t, cloud, "neutron_networks"))
	if err != nil {
		t.Fatal(err)
	}
	wantValues(t, s, "openstack_neutron_ports_binding_failed", map[string]float64{"cmp-1": 1, "cmp-2": 0, "net-1": 0, "gw-1": 0})
	wantValues(t, s, "openstack_neutron_ports_unbound", map[string]float64{"none": 1, "load_balancer": 1, "router_gateway": 1})
	wantValues(t, s, "openstack_neutron_ports_no_ips", map[string]float64{"": 1})
	wantValues(t, s, "openstack_neutron_ports_lb_not_active", map[string]float64{"": 1})
	wantValues(t, s, "openstack_neutron_router_gateways", map[string]float64{"gw-1": 1, "": 1})
	// n2 has only Neutron's own DHCP port, n3 has none at all.
	wantValues(t, s, "openstack_neutron_networks_empty", map[string]float64{"false": 2, "true": 0})
	if n := values(s, "openstack_neutron_quota_used")["p2,network"]; n != 1 {
		t.Errorf("an older Neutron's tenant_id is not read: %v", n)
	}
}

// TestAgentsTransitions tells of an agent that dies, is disabled, and goes.
func TestAgentsTransitions(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	agents := source(t, cloud, "neutron_agents")
	for _, step := range []struct {
		answer string
		kind   string
		to     string
		level  mcloud.Severity
	}{
		{`{"agents": [{"id": "gw-1", "host": "gw-1", "binary": "ovn-controller", "alive": true, "admin_state_up": true}]}`, "", "", ""},
		{`{"agents": [{"id": "gw-1", "host": "gw-1", "binary": "ovn-controller", "alive": false, "admin_state_up": true}]}`, "agent.state", "down", mcloud.SeverityWarning},
		{`{"agents": [{"id": "gw-1", "host": "gw-1", "binary": "ovn-controller", "alive": true, "admin_state_up": false}]}`, "agent.state", "up disabled", mcloud.SeverityInfo},
		{`{"agents": []}`, "agent.state", "", mcloud.SeverityWarning},
	} {
		f.inject(canned(map[string]string{"neutron /agents": step.answer}))
		s, err := collect(t, agents)
		if err != nil {
			t.Fatal(err)
		}
		if step.kind == "" {
			if len(s.Events) > 0 {
				t.Errorf("the first look tells of %v", s.Events)
			}
			continue
		}
		var payload struct{ To string }
		if len(s.Events) != 1 || json.Unmarshal(s.Events[0].Payload, &payload) != nil || s.Events[0].Validate() != nil {
			t.Fatalf("events %+v", s.Events)
		}
		if e := s.Events[0]; e.Kind != step.kind || payload.To != step.to || e.Severity != step.level {
			t.Errorf("event %+v to %q, want %+v", e, payload.To, step)
		}
	}
}

// TestNeutronOfOtherProjectsHidden finds out that an account sees a part only,
// before any of it is counted.
func TestNeutronOfOtherProjectsHidden(t *testing.T) {
	f := newFakeCloud(t)
	f.role = "reader"
	cloud, _ := f.connect(nil)
	f.inject(canned(map[string]string{"neutron /networks": `{"networks": [{"id": "own"}, {"id": "external"}]}`}))
	for _, name := range []string{"neutron_agents", "neutron_networks", "neutron_routers", "neutron_addresses", "neutron_policies", "neutron_quotas"} {
		s, err := collect(t, source(t, cloud, name))
		if s != nil || exporters.KindOf(err) != exporters.KindForbidden || !strings.Contains(err.Error(), "sees only its own project's networks") {
			t.Errorf("%s: %+v %v", name, s, err)
		}
	}
	// With the rights, the proof is asked for once, and the rest as ever.
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		if len(r.URL.Query()["fields"]) == 2 && strings.HasPrefix(call, "neutron /networks") {
			_, _ = io.WriteString(w, `{"networks": [{"id": "other", "provider:network_type": "geneve"}]}`)
			return true
		}
		return false
	})
	f.forget()
	all := neutron.Sources(cloud, neutron.Config{})
	for range 2 {
		for _, s := range all {
			if _, err := collect(t, s); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
		}
	}
	_, calls := f.called("neutron")
	for _, call := range calls {
		if strings.HasPrefix(call, "neutron /networks?fields=id&fields=provider") && !strings.HasSuffix(call, "×1") {
			t.Error(call)
		}
		if strings.Contains(call, "details.json") {
			t.Errorf("an account that is no administrator asks in vain: %s", call)
		}
	}
}

// TestNeutronCallsARound counts what the package comment says.
func TestNeutronCallsARound(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	all := neutron.Sources(cloud, neutron.Config{})
	want := map[string][2]int{ // at the first look, and at a later one
		"neutron_agents": {1, 1}, "neutron_networks": {2, 2}, "neutron_routers": {2, 2}, "neutron_addresses": {3, 3},
		"neutron_policies": {8, 7}, "neutron_quotas": {2, 2},
	}
	for round := range 2 {
		for _, s := range all {
			f.forget()
			if _, err := baseOnly(t, s); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
			if n, calls := f.called("neutron"); n != want[s.Name][round] {
				t.Errorf("round %d, %s: %d calls, want %d:\n%s", round, s.Name, n, want[s.Name][round], strings.Join(calls, "\n"))
			}
		}
	}
}

// TestReservedOfAllProjects reads each project's quota once, and later a share.
func TestReservedOfAllProjects(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	const projects = 450
	var list []map[string]any
	for i := range projects {
		list = append(list, map[string]any{"id": fmt.Sprintf("p%03d", i), "name": "p", "enabled": true})
	}
	text, _ := json.Marshal(map[string]any{"projects": list, "links": map[string]any{"next": nil}})
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		switch path, _, _ := strings.Cut(call, "?"); {
		case path == "keystone /projects":
			_, _ = w.Write(text)
		case strings.HasSuffix(path, "/details.json"):
			_, _ = io.WriteString(w, `{"quota": {"port": {"limit": 500, "used": 11, "reserved": 2}}}`)
		case strings.HasSuffix(path, "/default"):
			_, _ = io.WriteString(w, `{"quota": {"port": 500, "network": -1}}`)
		case path == "neutron /quotas":
			_, _ = io.WriteString(w, `{"quotas": [{"project_id": "p001", "tenant_id": "p001", "port": -1, "network": 7}]}`)
		default:
			return false
		}
		return true
	})
	quotas := source(t, cloud, "neutron_quotas")
	for round, want := range []int{projects + 2, projects/9 + 2} {
		f.forget()
		s, err := collect(t, quotas)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := f.called("neutron"); n != want {
			t.Errorf("round %d: %d calls, want %d", round, n, want)
		}
		limits := values(s, "openstack_neutron_quota_limit")
		if limits["p001,port"] != math.Inf(1) || limits["p001,network"] != 7 || limits["p002,port"] != 500 || limits["p002,network"] != math.Inf(1) || len(limits) != 2*projects {
			t.Errorf("limits: %v %v %v %v, %d of them", limits["p001,port"], limits["p001,network"], limits["p002,port"], limits["p002,network"], len(limits))
		}
		if got := values(s, "openstack_neutron_quota_reserved"); len(got) != projects || got["p449,port"] != 2 {
			t.Errorf("reserved: %d of them, %v", len(got), got["p449,port"])
		}
	}
}

// TestUsedIsWhatNeutronCounts holds what is counted in the lists against what
// Neutron itself said of each project's quota at the same time.
func TestUsedIsWhatNeutronCounts(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	used := map[string]float64{}
	for _, s := range neutron.Sources(cloud, neutron.Config{}) {
		got, err := collect(t, s)
		if err != nil {
			t.Fatal(err)
		}
		for labels, n := range values(got, "openstack_neutron_quota_used") {
			used[labels] = n
		}
	}
	compared := 0
	for call, text := range f.recorded["neutron"] {
		id, ok := strings.CutSuffix(strings.TrimPrefix(call, "/quotas/"), "/details.json")
		if !ok {
			continue
		}
		var theirs struct {
			Quota map[string]struct{ Used float64 }
		}
		if err := json.Unmarshal(text, &theirs); err != nil {
			t.Fatal(err)
		}
		for resource, v := range theirs.Quota {
			compared++
			if n, ok := used[id+","+resource]; !ok || n != v.Used {
				t.Errorf("%s of project %s: %v counted (%v), Neutron says %v", resource, id, n, ok, v.Used)
			}
		}
	}
	if compared < 50 {
		t.Errorf("%d numbers compared", compared)
	}
}

// TestVPNAsTheAPIReferenceShowsIt: the lab has no VPNaaS.
func TestVPNAsTheAPIReferenceShowsIt(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(canned(map[string]string{
		"neutron /extensions":                 `{"extensions": [{"alias": "vpnaas"}, {"alias": "vpn-endpoint-groups"}]}`,
		"neutron /vpn/ikepolicies":            `{"ikepolicies": [{"name": "ikepolicy1", "project_id": "p", "auth_algorithm": "sha1", "ike_version": "v1", "id": "5522aff7-1b3c-48dd-9c3c-b50f016b73db"}]}`,
		"neutron /vpn/ipsecpolicies":          `{"ipsecpolicies": [{"name": "ipsecpolicy1", "project_id": "p", "pfs": "group5", "id": "5291b189-fd84-46e5-84bd-78f40c05d69c"}]}`,
		"neutron /vpn/endpoint-groups":        `{"endpoint_groups": [{"project_id": "p", "endpoints": ["10.2.0.0/24"], "type": "cidr", "id": "6ecd9cf3"}, {"project_id": "p", "endpoints": ["a"], "type": "subnet", "id": "7ecd9cf3"}]}`,
		"neutron /vpn/vpnservices":            `{"vpnservices": [{"router_id": "r1", "status": "PENDING_CREATE", "name": "myservice", "external_v6_ip": "2001:db8::1", "admin_state_up": true, "subnet_id": null, "project_id": "p", "external_v4_ip": "172.32.1.11", "id": "s1", "flavor_id": null}]}`,
		"neutron /vpn/ipsec-site-connections": `{"ipsec_site_connections": [{"status": "DOWN", "psk": "secret", "initiator": "bi-directional", "name": "vpnconnection1", "admin_state_up": true, "project_id": "p", "peer_ep_group_id": "g2", "ikepolicy_id": "i", "vpnservice_id": "s1", "ipsecpolicy_id": "e", "local_ep_group_id": "g1", "peer_address": "172.24.4.233", "peer_id": "172.24.4.233", "id": "c1"}]}`,
	}))
	s, err := collect(t, source(t, cloud, "neutron_policies"))
	if err != nil {
		t.Fatal(err)
	}
	wantValues(t, s, "openstack_neutron_vpn_ike_policies", map[string]float64{"": 1})
	wantValues(t, s, "openstack_neutron_vpn_ipsec_policies", map[string]float64{"": 1})
	wantValues(t, s, "openstack_neutron_vpn_endpoint_groups", map[string]float64{"cidr": 1, "subnet": 1})
	wantValues(t, s, "openstack_neutron_vpn_services", map[string]float64{"PENDING_CREATE": 1})
	wantValues(t, s, "openstack_neutron_vpn_service_info", map[string]float64{"s1,myservice,p,PENDING_CREATE,true,r1,,,172.32.1.11,2001:db8::1": 1})
	wantValues(t, s, "openstack_neutron_vpn_site_connections", map[string]float64{"DOWN": 1})
	wantValues(t, s, "openstack_neutron_vpn_site_connection_info", map[string]float64{"c1,vpnconnection1,p,DOWN,true,s1,i,e,,172.24.4.233,g1,g2": 1})
	if _, calls := f.called("neutron"); slices.ContainsFunc(calls, func(call string) bool {
		return strings.Contains(call, "psk") || strings.Contains(call, "site-connections?limit")
	}) {
		t.Errorf("the pre-shared key is asked for: %q", calls)
	}
	if s.Skipped != 6 { // address scopes, RBAC policies, trunks, QoS, segments and their ranges
		t.Errorf("%d skipped", s.Skipped)
	}
}

// TestSegmentRanges: the lab has no network-segment-range either.
func TestSegmentRanges(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(canned(map[string]string{
		"neutron /extensions": `{"extensions": [{"alias": "network-segment-range"}, {"alias": "segment"}]}`,
		"neutron /segments": `{"segments": [{"id": "1", "network_type": "vlan", "physical_network": "physnet1", "segmentation_id": 100}, {"id": "2", "network_type": "vlan", "physical_network": "physnet1", "segmentation_id": 200},
			{"id": "3", "network_type": "vlan", "physical_network": "physnet2", "segmentation_id": 100}, {"id": "4", "network_type": "geneve", "physical_network": null, "segmentation_id": 100}, {"id": "5", "network_type": "flat", "physical_network": "physnet1", "segmentation_id": null}]}`,
		"neutron /network-segment-ranges": `{"network_segment_ranges": [{"id": "r1", "name": "", "network_type": "vlan", "physical_network": "physnet1", "minimum": 100, "maximum": 199, "shared": true},
			{"id": "r2", "name": "tunnels", "network_type": "geneve", "physical_network": null, "minimum": 1, "maximum": 65536, "shared": false}, {"id": "r3", "network_type": "vlan", "minimum": 2, "maximum": 1}]}`,
	}))
	s, err := collect(t, source(t, cloud, "neutron_policies"))
	if err != nil {
		t.Fatal(err)
	}
	wantValues(t, s, "openstack_neutron_segments", map[string]float64{"vlan,physnet1": 2, "vlan,physnet2": 1, "geneve,": 1, "flat,physnet1": 1})
	wantValues(t, s, "openstack_neutron_segment_range_ids_capacity", map[string]float64{"r1,,vlan,physnet1,true": 100, "r2,tunnels,geneve,,false": 65536})
	wantValues(t, s, "openstack_neutron_segment_range_ids_used", map[string]float64{"r1,,vlan,physnet1,true": 1, "r2,tunnels,geneve,,false": 1})
	if len(s.Failed) != 1 || s.Failed[0].Object != "network segment range r3" {
		t.Errorf("failed %v", s.Failed)
	}
}

// TestL3AgentsOfRouters: the lab has OVN, which has none.
func TestL3AgentsOfRouters(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	answers := map[string]string{
		"neutron /agents":               `{"agents": [{"id": "a1", "host": "net-1", "binary": "neutron-l3-agent", "agent_type": "L3 agent", "alive": true, "admin_state_up": true}]}`,
		"neutron /routers":              `{"routers": [{"id": "r1", "status": "ACTIVE", "ha": true}, {"id": "r2", "status": "ACTIVE", "ha": true}, {"id": "r3", "status": "ACTIVE", "ha": false}, {"id": "r4", "status": "DOWN", "ha": true}]}`,
		"neutron /routers/r1/l3-agents": `{"agents": [{"id": "a1", "host": "net-1", "alive": true, "admin_state_up": true, "ha_state": "active"}, {"id": "a2", "host": "net-2", "alive": true, "admin_state_up": true, "ha_state": "standby"}]}`,
		"neutron /routers/r2/l3-agents": `{"agents": [{"id": "a1", "host": "net-1", "alive": true, "admin_state_up": true, "ha_state": "active"}, {"id": "a2", "host": "net-2", "alive": false, "admin_state_up": true, "ha_state": "active"}]}`,
		"neutron /routers/r3/l3-agents": `{"agents": [{"id": "a1", "host": "net-1", "alive": true, "admin_state_up": true, "ha_state": null}]}`,
		"neutron /routers/r4/l3-agents": `{"agents": []}`,
	}
	f.inject(canned(answers))
	all := neutron.Sources(cloud, neutron.Config{})
	if s, err := collect(t, all[2]); err != nil || len(values(s, "openstack_neutron_routers_by_active_agents")) > 0 {
		t.Errorf("before an L3 agent was seen: %v", err)
	}
	if _, err := collect(t, all[0]); err != nil {
		t.Fatal(err)
	}
	s, err := collect(t, all[2])
	if err != nil {
		t.Fatal(err)
	}
	wantValues(t, s, "openstack_neutron_routers_by_active_agents", map[string]float64{"0": 1, "1": 2, "2 or more": 1})
	wantValues(t, s, "openstack_neutron_l3_agent_of_router", map[string]float64{
		"r1,a1,active,true,net-1": 1, "r1,a2,standby,true,net-2": 1, "r2,a1,active,true,net-1": 1, "r2,a2,active,true,net-2": 0, "r3,a1,,true,net-1": 1,
	})
	// A router whose status changed is asked for at the next look.
	answers["neutron /routers"] = strings.Replace(answers["neutron /routers"], `"r4", "status": "DOWN"`, `"r4", "status": "ACTIVE"`, 1)
	f.forget()
	if _, err := collect(t, all[2]); err != nil {
		t.Fatal(err)
	}
	if _, calls := f.called("neutron"); !slices.Contains(calls, "neutron /routers/r4/l3-agents ×1") || len(calls) != 3 {
		t.Errorf("calls %q", calls)
	}
}

// TestFloatingIPsThatWait tells the unattached ones from those in trouble.
func TestFloatingIPsThatWait(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(canned(map[string]string{"neutron /floatingips": `{"floatingips": [
		{"id": "1", "floating_ip_address": "1.1.1.1", "floating_network_id": "ext", "status": "DOWN", "port_id": null, "fixed_ip_address": null, "project_id": "p", "port_forwardings": []},
		{"id": "2", "floating_ip_address": "1.1.1.2", "floating_network_id": "ext", "status": "DOWN", "port_id": "x", "fixed_ip_address": "10.0.0.2", "project_id": "p"},
		{"id": "3", "floating_ip_address": "1.1.1.3", "floating_network_id": "ext", "status": "DOWN", "port_id": null, "fixed_ip_address": null, "project_id": "p", "port_forwardings": [{"protocol": "tcp"}]}]}`}))
	s, err := collect(t, source(t, cloud, "neutron_routers"))
	if err != nil {
		t.Fatal(err)
	}
	wantValues(t, s, "openstack_neutron_floating_ips_associated_not_active", map[string]float64{"": 1})
	wantValues(t, s, "openstack_neutron_floating_ips_unattached", map[string]float64{"ext": 1})
}

// TestOneListOfNeutronFails breaks each list in turn: the others' series stay,
// and nothing becomes a zero.
func TestOneListOfNeutronFails(t *testing.T) {
	lists := map[string][]string{ // what is made of each list
		"/networks":                  {"openstack_neutron_networks", "openstack_neutron_networks_empty"},
		"/ports":                     {"openstack_neutron_ports", "openstack_neutron_ports_no_ips", "openstack_neutron_networks_empty"},
		"/routers":                   {"openstack_neutron_routers", "openstack_neutron_routers_not_active"},
		"/floatingips":               {"openstack_neutron_floating_ips", "openstack_neutron_floating_ips_unattached"},
		"/network-ip-availabilities": {"openstack_neutron_network_ips_used"},
		"/subnets":                   {"openstack_neutron_subnets", "openstack_neutron_subnet_pool_subnets_free", "openstack_neutron_subnet_pool_subnets_used"},
		"/subnetpools":               {"openstack_neutron_subnet_pools", "openstack_neutron_subnet_pool_subnets_capacity", "openstack_neutron_subnet_pool_subnets_free", "openstack_neutron_subnet_pool_subnets_used"},
		"/security-groups":           {"openstack_neutron_security_groups"},
		"/security-group-rules":      {"openstack_neutron_security_group_rules"},
		"/segments":                  {"openstack_neutron_segments"},
		"/trunks":                    {"openstack_neutron_trunks"},
		"/quotas":                    {"openstack_neutron_quota_limit"},
	}
	for path, gone := range lists {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			f := newFakeCloud(t)
			cloud, _ := f.connect(nil)
			all := func() (families map[string]bool, errs []error) {
				families = map[string]bool{}
				for _, s := range neutron.Sources(cloud, neutron.Config{}) {
					got, err := collect(t, s)
					if err != nil {
						errs = append(errs, err)
					}
					if got != nil {
						for _, sample := range got.Samples {
							families[sample.Family.Name] = true
						}
					}
				}
				return families, errs
			}
			whole, errs := all()
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
				asked, _, _ := strings.Cut(call, "?")
				if asked != "neutron "+path {
					return false
				}
				w.WriteHeader(http.StatusBadGateway)
				return true
			})
			broken, errs := all()
			if len(errs) != 1 || exporters.KindOf(errs[0]) != exporters.KindServerError || !strings.Contains(errs[0].Error(), path) {
				t.Errorf("errors %v", errs)
			}
			for of, families := range lists {
				for _, family := range families {
					if want := of != path && !slices.Contains(gone, family); broken[family] != want || !whole[family] {
						t.Errorf("%s: there before %v, and now %v", family, whole[family], broken[family])
					}
				}
			}
		})
	}
}
