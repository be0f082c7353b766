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
	theirs := novaReadings(
		decode[[]hypervisor](t, `[{"ID":"1","Hypervisor Hostname":"cmp-a1","Hypervisor Type":"fake","Host IP":"127.0.0.1","State":"up"},
			{"ID":"2","Hypervisor Hostname":"cmp-a2","State":"down"}]`),
		decode[[]computeService](t, `[{"ID":"1","Binary":"nova-compute","Host":"cmp-a1","Zone":"az-a","Status":"disabled","State":"up"}]`),
		decode[[]server](t, `[{"ID":"1","Status":"ACTIVE"},{"ID":"2","Status":"ACTIVE"},{"ID":"3","Status":"SHUTOFF"}]`))
	ours := novaOurs(pageOf(t, `
openstack_nova_hypervisors{cloud="lab",state="up",status="enabled",type="fake"} 1
openstack_nova_hypervisors{cloud="lab",state="down",status="enabled",type="fake"} 1
openstack_nova_hypervisor_up{cloud="lab",hostname="cmp-a1",host="cmp-a1",zone="az-a"} 1
openstack_nova_hypervisor_up{cloud="lab",hostname="cmp-a2",host="cmp-a2",zone="az-a"} 0
openstack_nova_service_up{cloud="lab",host="cmp-a1",binary="nova-compute",zone="az-a"} 1
openstack_nova_service_enabled{cloud="lab",host="cmp-a1",binary="nova-compute",zone="az-a"} 0
openstack_nova_servers{cloud="lab",status="ACTIVE",zone="az-a"} 1
openstack_nova_servers{cloud="lab",status="ACTIVE",zone="az-b"} 1
openstack_nova_servers{cloud="lab",status="ERROR",zone="az-b"} 0
openstack_nova_servers{cloud="lab",status="SHUTOFF",zone="az-b"} 1
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
	theirs := cinderReadings(decode[[]cinderPool](t, `[{"Name":"stor-1@nvme#nvme-a","Capabilities":
		{"pool_name":"nvme-a","total_capacity_gb":100.0,"free_capacity_gb":60.5,"allocated_capacity_gb":30,"provisioned_capacity_gb":40.0}}]`))
	ours := cinderOurs(pageOf(t, `
openstack_cinder_pool_capacity_bytes{cloud="lab",pool="stor-1@nvme#nvme-a",backend="nvme"} 107374182400
openstack_cinder_pool_free_bytes{cloud="lab",pool="stor-1@nvme#nvme-a",backend="nvme"} 64961380352
openstack_cinder_pool_allocated_bytes{cloud="lab",pool="stor-1@nvme#nvme-a",backend="nvme"} 32212254720
openstack_cinder_pool_provisioned_bytes{cloud="lab",pool="stor-1@nvme#nvme-a",backend="nvme"} 42949672960
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
