package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// decode reads a client's answer as ask does.
func decode[T any](t *testing.T, answer string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(answer), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func pageOf(t *testing.T, text string) page {
	t.Helper()
	p, err := parsePage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Both sides of each section must meet under the same keys: every test gives one
// cloud as the client prints it and as the exporter does.

func TestNova(t *testing.T) {
	theirs := novaReadings(novaLists{
		hypervisors: decode[[]hypervisor](t, `[{"ID":"1","Hypervisor Hostname":"cmp-a1","Hypervisor Type":"fake","Host IP":"127.0.0.1","State":"up"},
			{"ID":"2","Hypervisor Hostname":"cmp-a2","State":"down"}]`),
		services: decode[[]computeService](t, `[{"ID":"1","Binary":"nova-compute","Host":"cmp-a1","Zone":"az-a","Status":"disabled","State":"up"}]`),
		servers: decode[[]server](t, `[
			{"ID":"1","Status":"ACTIVE","Task State":null,"Power State":1,"Availability Zone":"az-a","Host":"cmp-a1","Flavor":"m1.tiny"},
			{"ID":"2","Status":"ACTIVE","Task State":"deleting","Power State":1,"Availability Zone":"az-b","Host":"cmp-b1","Flavor":"m1.tiny"},
			{"ID":"3","Status":"SHUTOFF","Task State":null,"Power State":4,"Availability Zone":"az-b","Host":"cmp-b1","Flavor":"c1.xlarge"},
			{"ID":"4","Status":"ERROR","Task State":null,"Power State":0,"Availability Zone":"","Host":null,"Flavor":"c1.xlarge"}]`),
		aggregates: decode[[]hostAggregate](t, `[{"ID":1,"Name":"dense","Availability Zone":null,"Properties":{"a":"b"},"Hosts":["cmp-a1","cmp-b1"]},{"ID":2,"Name":"new","Hosts":[]}]`),
		flavors:    decode[[]flavor](t, `[{"ID":"1","Name":"m1.tiny"},{"ID":"2","Name":"c1.xlarge"}]`),
		zones:      decode[[]availabilityZone](t, `[{"Zone Name":"az-a","Zone Status":"available"},{"Zone Name":"az-b","Zone Status":"not available"},{"Zone Name":"internal","Zone Status":"available"}]`),
		groups:     decode[[]serverGroup](t, `[{"ID":"1","Name":"g","Policy":"affinity"}]`),
	})
	quotaReadings("p", decode[[]quota](t, `[{"Resource":"cores","Limit":-1,"In Use":6,"Reserved":0},{"Resource":"key-pairs","Limit":50,"In Use":0,"Reserved":0}]`), theirs)
	ours := novaOurs(pageOf(t, `
openstack_nova_hypervisors{cloud="lab",state="up",status="enabled",type="fake"} 1
openstack_nova_hypervisors{cloud="lab",state="down",status="enabled",type="fake"} 1
openstack_nova_hypervisor_up{cloud="lab",hostname="cmp-a1",host="cmp-a1",zone="az-a"} 1
openstack_nova_hypervisor_up{cloud="lab",hostname="cmp-a2",host="cmp-a2",zone="az-a"} 0
openstack_nova_service_up{cloud="lab",host="cmp-a1",binary="nova-compute",zone="az-a"} 1
openstack_nova_service_enabled{cloud="lab",host="cmp-a1",binary="nova-compute",zone="az-a"} 0
openstack_nova_servers{cloud="lab",status="ACTIVE",zone="az-a"} 1
openstack_nova_servers{cloud="lab",status="ACTIVE",zone="az-b"} 1
openstack_nova_servers{cloud="lab",status="PAUSED",zone="az-c"} 0
openstack_nova_servers{cloud="lab",status="SHUTOFF",zone="az-b"} 1
openstack_nova_servers{cloud="lab",status="ERROR",zone=""} 1
openstack_nova_host_servers{cloud="lab",host="cmp-a1",zone="az-a"} 1
openstack_nova_host_servers{cloud="lab",host="cmp-b1",zone="az-b"} 2
openstack_nova_host_servers{cloud="lab",host="cmp-c1",zone="az-c"} 0
openstack_nova_flavor_servers{cloud="lab",flavor="m1.tiny"} 2
openstack_nova_flavor_servers{cloud="lab",flavor="c1.xlarge"} 2
openstack_nova_server_power_states{cloud="lab",status="ACTIVE",power_state="running"} 2
openstack_nova_server_power_states{cloud="lab",status="SHUTOFF",power_state="shutdown"} 1
openstack_nova_server_power_states{cloud="lab",status="ERROR",power_state="none"} 1
openstack_nova_server_tasks{cloud="lab",status="ACTIVE",task_state="deleting"} 1
openstack_nova_aggregates{cloud="lab"} 2
openstack_nova_aggregate_hosts{cloud="lab",id="1",name="dense"} 2
openstack_nova_aggregate_hosts{cloud="lab",id="2",name="new"} 0
openstack_nova_flavors{cloud="lab"} 2
openstack_nova_availability_zone_available{cloud="lab",zone="az-a"} 1
openstack_nova_availability_zone_available{cloud="lab",zone="az-b"} 0
openstack_nova_server_groups{cloud="lab",policy="affinity"} 1
openstack_nova_quota_limit{cloud="lab",project_id="p",resource="cores"} +Inf
openstack_nova_quota_in_use{cloud="lab",project_id="p",resource="cores"} 6
openstack_nova_quota_limit{cloud="lab",project_id="p",resource="key_pairs"} 50
`))
	wantSame(t, ours, theirs)
}

func TestPlacement(t *testing.T) {
	theirs := make(readings)
	placementReadings(provider{UUID: "u", Name: "cmp-a1"},
		decode[[]inventory](t, `[{"resource_class":"VCPU","allocation_ratio":4.0,"min_unit":1,"max_unit":16,"reserved":1,"step_size":1,"total":16,"used":6},
			{"resource_class":"MEMORY_MB","allocation_ratio":"1.5","reserved":"512","total":"65536"}]`),
		decode[[]usage](t, `[{"resource_class":"VCPU","usage":6},{"resource_class":"MEMORY_MB","usage":12288}]`), theirs)
	ours := placementOurs(pageOf(t, `
openstack_placement_inventory_units{cloud="lab",hostname="cmp-a1",resource_class="VCPU"} 16
openstack_placement_reserved_units{cloud="lab",hostname="cmp-a1",resource_class="VCPU"} 1
openstack_placement_allocation_ratio{cloud="lab",hostname="cmp-a1",resource_class="VCPU"} 4
openstack_placement_usage_units{cloud="lab",hostname="cmp-a1",resource_class="VCPU"} 6
openstack_placement_inventory_units{cloud="lab",hostname="cmp-a1",resource_class="MEMORY_MB"} 65536
openstack_placement_reserved_units{cloud="lab",hostname="cmp-a1",resource_class="MEMORY_MB"} 512
openstack_placement_allocation_ratio{cloud="lab",hostname="cmp-a1",resource_class="MEMORY_MB"} 1.5
openstack_placement_usage_units{cloud="lab",hostname="cmp-a1",resource_class="MEMORY_MB"} 12288
`))
	wantSame(t, ours, theirs)
}

func TestQuotedNumRefusesWords(t *testing.T) {
	var n quotedNum
	if err := json.Unmarshal([]byte(`"unlimited"`), &n); err == nil {
		t.Errorf("a word became %v", n)
	}
}

func TestCinder(t *testing.T) {
	theirs := cinderLists{
		pools: decode[[]cinderPool](t, `[{"Name":"stor-1@nvme#nvme-a","Capabilities":
			{"pool_name":"nvme-a","total_capacity_gb":100.0,"free_capacity_gb":60.5,"allocated_capacity_gb":30,"provisioned_capacity_gb":40.0}}]`),
		services:  decode[[]computeService](t, `[{"Binary":"cinder-volume","Host":"stor-1@nvme","Zone":"nova","Status":"disabled","State":"up","Updated At":"2026-11-25T18:47:13.000000"}]`),
		volumes:   decode[[]cinderVolume](t, `[{"ID":"1","Name":"a","Status":"in-use","Size":2,"Type":"nvme","Bootable":"false","Attached to":[{"server_id":"s"}]},{"ID":"2","Status":"available","Size":1,"Type":"nvme","Attached to":[]}]`),
		snapshots: decode[[]cinderVolume](t, `[{"ID":"3","Status":"available","Size":20,"Volume":"1"}]`),
		backups:   decode[[]cinderVolume](t, `[{"ID":"4","Status":"error","Size":2,"Volume":"1"}]`),
		types:     decode[[]any](t, `[{"ID":"t","Name":"nvme","Is Public":true}]`),
		quotas: map[string][]quotaLine{"p": decode[[]quotaLine](t, `[{"Resource":"volumes","Limit":200},{"Resource":"gigabytes","Limit":10},
			{"Resource":"per_volume_gigabytes","Limit":-1},{"Resource":"volumes_nvme","Limit":-1}]`)},
	}.readings()
	ours := cinderOurs(pageOf(t, `
openstack_cinder_pool_capacity_bytes{cloud="lab",pool="stor-1@nvme#nvme-a",backend="nvme"} 107374182400
openstack_cinder_pool_free_bytes{cloud="lab",pool="stor-1@nvme#nvme-a",backend="nvme"} 64961380352
openstack_cinder_pool_allocated_bytes{cloud="lab",pool="stor-1@nvme#nvme-a",backend="nvme"} 32212254720
openstack_cinder_pool_provisioned_bytes{cloud="lab",pool="stor-1@nvme#nvme-a",backend="nvme"} 42949672960
openstack_cinder_service_up{binary="cinder-volume",cloud="lab",host="stor-1@nvme",zone="nova"} 1
openstack_cinder_service_enabled{binary="cinder-volume",cloud="lab",host="stor-1@nvme",zone="nova"} 0
openstack_cinder_volumes{cloud="lab",status="in-use",volume_type="nvme",zone="nova"} 1
openstack_cinder_volumes{cloud="lab",status="available",volume_type="nvme",zone="nova"} 1
openstack_cinder_volumes_size_bytes{cloud="lab",status="in-use",volume_type="nvme",zone="nova"} 2147483648
openstack_cinder_volumes_size_bytes{cloud="lab",status="available",volume_type="nvme",zone="nova"} 1073741824
openstack_cinder_volumes_unattached{cloud="lab",volume_type="nvme"} 1
openstack_cinder_snapshots{cloud="lab",status="available"} 1
openstack_cinder_snapshots_size_bytes{cloud="lab",status="available"} 21474836480
openstack_cinder_backups{cloud="lab",status="error"} 1
openstack_cinder_backups_size_bytes{cloud="lab",status="error"} 2147483648
openstack_cinder_volume_types{cloud="lab"} 1
openstack_cinder_qos_specs{cloud="lab"} 0
openstack_cinder_volume_transfers{cloud="lab"} 0
openstack_cinder_quota_limit{cloud="lab",project_id="p",resource="volumes"} 200
openstack_cinder_quota_limit_bytes{cloud="lab",project_id="p",resource="gigabytes"} 10737418240
openstack_cinder_quota_limit_bytes{cloud="lab",project_id="p",resource="per_volume_gigabytes"} +Inf
`))
	wantSame(t, ours, theirs)
}

func TestNeutron(t *testing.T) {
	theirs := neutronReadings(decode[[]networkAgent](t, `[
		{"ID":"a","Agent Type":"OVN Controller agent","Host":"cmp-a1","Availability Zone":"","Alive":true,"State":true,"Binary":"ovn-controller"},
		{"ID":"b","Agent Type":"OVN Controller agent","Host":"cmp-a2","Alive":false,"State":true,"Binary":"ovn-controller"}]`))
	ours := neutronOurs(pageOf(t, `
openstack_neutron_agent_up{cloud="lab",host="cmp-a1",binary="ovn-controller",type="OVN Controller agent"} 1
openstack_neutron_agent_up{cloud="lab",host="cmp-a2",binary="ovn-controller",type="OVN Controller agent"} 0
`))
	wantSame(t, ours, theirs)
}

func TestCeph(t *testing.T) {
	theirs := make(readings)
	decode[cephDF](t, `{"pools":[{"name":"nvme","id":2,"stats":{"stored":33555004,"max_avail":7821866496}}]}`).readings("fast", theirs)
	decode[cephOSDs](t, `{"osds":[{"osd":0,"up":1,"in":1},{"osd":1,"up":0,"in":1}]}`).readings("fast", theirs)
	ours := cephOurs(pageOf(t, `
ceph_pool_metadata{cluster="fast",pool_id="2",name="nvme"} 1
ceph_pool_stored{cluster="fast",pool_id="2"} 3.3555004e+07
ceph_pool_max_avail{cluster="fast",pool_id="2"} 7.821866496e+09
ceph_osd_up{cluster="fast",ceph_daemon="osd.0"} 1
ceph_osd_in{cluster="fast",ceph_daemon="osd.0"} 1
ceph_osd_up{cluster="fast",ceph_daemon="osd.1"} 0
ceph_osd_in{cluster="fast",ceph_daemon="osd.1"} 1
`))
	wantSame(t, ours, theirs)
}

func TestOVN(t *testing.T) {
	theirs, err := ovnReadings(
		decode[ovsdbTable](t, `{"headings":["nb_cfg"],"data":[[7]]}`),
		decode[ovsdbTable](t, `{"headings":["name","hostname"],"data":[["c1","cmp-a1"],["c2","gw-1"]]}`),
		decode[ovsdbTable](t, `{"headings":["name","nb_cfg"],"data":[["c1",7],["c2",4]]}`))
	if err != nil {
		t.Fatal(err)
	}
	ours := ovnOurs(pageOf(t, `
ovn_sb_nb_cfg{cloud="lab"} 7
ovn_chassis_info{cloud="lab",chassis="c1",hostname="cmp-a1"} 1
ovn_chassis_info{cloud="lab",chassis="c2",hostname="gw-1"} 1
ovn_chassis_nb_cfg{cloud="lab",chassis="c1",hostname="cmp-a1"} 7
ovn_chassis_nb_cfg{cloud="lab",chassis="c2",hostname="gw-1"} 4
ovn_chassis_nb_cfg_lag{cloud="lab",chassis="c1",hostname="cmp-a1"} 0
ovn_chassis_nb_cfg_lag{cloud="lab",chassis="c2",hostname="gw-1"} 3
`))
	wantSame(t, ours, theirs)
}

func TestOVNNamesWhatIsBroken(t *testing.T) {
	global := ovsdbTable{Headings: []string{"nb_cfg"}, Data: [][]any{{7.0}}}
	chassis := ovsdbTable{Headings: []string{"name", "hostname"}, Data: [][]any{{"c1", "cmp-a1"}}}
	for _, test := range []struct {
		name                     string
		global, chassis, private ovsdbTable
		want                     string
	}{
		{"no SB_Global", ovsdbTable{}, chassis, ovsdbTable{}, "SB_Global has 0 rows"},
		{"short row", global, ovsdbTable{Headings: []string{"name", "hostname"}, Data: [][]any{{"c1"}}}, ovsdbTable{}, "row 0 has 1 values for 2 columns"},
		{"private without chassis", global, chassis, ovsdbTable{Headings: []string{"name", "nb_cfg"}, Data: [][]any{{"c9", 1.0}}}, "c9"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ovnReadings(test.global, test.chassis, test.private)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
		})
	}
}

func wantSame(t *testing.T, ours, theirs readings) {
	t.Helper()
	if len(theirs) == 0 {
		t.Fatal("the client's side is empty")
	}
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("the two sides differ (- client, + ours):\n%s", diff)
	}
}

func TestNetworks(t *testing.T) {
	theirs := networkLists{
		networks: decode[[]netNetwork](t, `[{"ID":"1","Status":"ACTIVE","Shared":false,"Network Type":"geneve","Router Type":false},{"ID":"2","Status":"ACTIVE","Shared":false,"Network Type":"flat","Router Type":true}]`),
		subnets:  decode[[]netSubnet](t, `[{"IP Version":4},{"IP Version":6}]`),
		ports:    decode[[]netPort](t, `[{"Status":"ACTIVE","Device Owner":"compute:az-a"},{"Status":"N/A","Device Owner":"network:floatingip"}]`),
		routers:  decode[[]netRouter](t, `[{"Status":"ACTIVE","HA":true,"External gateway info":null},{"Status":"ACTIVE","HA":true,"External gateway info":{"network_id":"2"}}]`),
		floating: decode[[]netFloating](t, `[{"Status":"DOWN","Port":null},{"Status":"ACTIVE","Port":"p"}]`),
		ips:      decode[[]netIPs](t, `[{"Network ID":"1","Network Name":"net","Total IPs":253,"Used IPs":7}]`),
	}.readings()
	ours := networksOurs(pageOf(t, `
openstack_neutron_networks{external="false",shared="false",status="ACTIVE",type="geneve"} 1
openstack_neutron_networks{external="true",shared="false",status="ACTIVE",type="flat"} 1
openstack_neutron_subnets{ip_version="4"} 1
openstack_neutron_subnets{ip_version="6"} 1
openstack_neutron_ports{owner="compute",status="ACTIVE"} 1
openstack_neutron_ports{owner="floating_ip",status="N/A"} 1
openstack_neutron_routers{distributed="false",ha="true",status="ACTIVE"} 2
openstack_neutron_routers_without_gateway 1
openstack_neutron_floating_ips{network_id="2",status="ACTIVE"} 1
openstack_neutron_floating_ips{network_id="2",status="DOWN"} 1
openstack_neutron_floating_ips_unattached{network_id="2"} 1
openstack_neutron_network_ips_used{ip_version="4",name="net",network_id="1"} 7
openstack_neutron_network_ips_capacity{ip_version="4",name="net",network_id="1"} 253
openstack_neutron_network_ips_capacity{ip_version="6",name="net",network_id="1"} 1.8446744073709552e+19
`))
	wantSame(t, ours, theirs)
}

func TestPolicies(t *testing.T) {
	theirs := policyLists{
		groups:   decode[[]netAny](t, `[{"ID":"1"},{"ID":"2"}]`),
		scopes:   decode[[]netAny](t, `[{"ID":"1"}]`),
		rules:    decode[[]netRule](t, `[{"Direction":"egress","Ethertype":"IPv4"},{"Direction":"ingress","Ethertype":"IPv6"}]`),
		segments: decode[[]netSegment](t, `[{"Network Type":"vlan"},{"Network Type":"vlan"}]`),
		rbac:     decode[[]netRBAC](t, `[{"Object Type":"network","Action":"access_as_external"}]`),
	}.readings()
	ours := policiesOurs(pageOf(t, `
openstack_neutron_security_groups 2
openstack_neutron_address_scopes{ip_version="4",shared="true"} 1
openstack_neutron_security_group_rules{direction="egress",ethertype="IPv4"} 1
openstack_neutron_security_group_rules{direction="ingress",ethertype="IPv6"} 1
openstack_neutron_segments{physical_network="a",type="vlan"} 1
openstack_neutron_segments{physical_network="b",type="vlan"} 1
openstack_neutron_rbac_policies{action="access_as_external",object_type="network"} 1
`))
	wantSame(t, ours, theirs)
}

func TestOctavia(t *testing.T) {
	theirs := lbLists{
		balancers: decode[[]lbBalancer](t, `[{"id":"1","provider":"ovn","provisioning_status":"ACTIVE","operating_status":"ONLINE"}]`),
		listeners: decode[[]lbListener](t, `[{"id":"1","protocol":"TCP"}]`),
		pools:     decode[[]lbPool](t, `[{"id":"1","lb_algorithm":"ROUND_ROBIN"}]`),
		amphorae:  decode[[]lbAmphora](t, `[{"id":"1","status":"ALLOCATED"}]`),
		members:   [][]lbMember{decode[[]lbMember](t, `[{"id":"1","operating_status":"NO_MONITOR"},{"id":"2","operating_status":"NO_MONITOR"}]`)},
	}.readings()
	ours := octaviaOurs(pageOf(t, `
openstack_loadbalancer_loadbalancers{operating_status="ONLINE",provider="ovn",provisioning_status="ACTIVE"} 1
openstack_loadbalancer_listeners{operating_status="ONLINE",protocol="TCP",provisioning_status="ACTIVE"} 1
openstack_loadbalancer_pools{algorithm="ROUND_ROBIN",operating_status="ONLINE",protocol="TCP",provisioning_status="ACTIVE"} 1
openstack_loadbalancer_amphorae{role="STANDALONE",status="ALLOCATED"} 1
openstack_loadbalancer_members{operating_status="NO_MONITOR",provisioning_status="ACTIVE"} 2
`))
	wantSame(t, ours, theirs)
}

func TestDesignate(t *testing.T) {
	theirs := dnsLists{
		zones:      decode[[]dnsZone](t, `[{"id":"1","type":"PRIMARY","status":"ACTIVE","action":"NONE"}]`),
		recordsets: decode[[]dnsRecordset](t, `[{"id":"1","type":"A","status":"ACTIVE"},{"id":"2","type":"A","status":"ACTIVE"}]`),
		services:   decode[[]dnsService](t, `[{"hostname":"ctl-1","service_name":"central","status":"UP"}]`),
	}.readings()
	ours := designateOurs(pageOf(t, `
openstack_designate_zones{action="NONE",status="ACTIVE",type="PRIMARY"} 1
openstack_designate_recordsets{status="ACTIVE",type="A"} 2
openstack_designate_service_up{host="ctl-1",service="central"} 1
`))
	wantSame(t, ours, theirs)
}
