package main

import (
	"strings"
	"testing"
)

const moduleMgrPage = `
# HELP ceph_osd_up OSD status up
# TYPE ceph_osd_up untyped
ceph_osd_up{ceph_daemon="osd.0"} 1.0
# HELP ceph_pool_objects_repaired x
# TYPE ceph_pool_objects_repaired counter
ceph_pool_objects_repaired{poolid="1"} 0.0
# HELP ceph_pool_objects_repaired x
# TYPE ceph_pool_objects_repaired counter
ceph_pool_objects_repaired{poolid="2"} 3.0
# HELP ceph_osd_op x
# TYPE ceph_osd_op counter
ceph_osd_op{ceph_daemon="osd.0"} 100.0
# TYPE ceph_objecter_0x5640b65b14c0_op_r counter
ceph_objecter_0x5640b65b14c0_op_r{instance_id="4217"} 147.0
# TYPE ceph_prometheus_collect_duration_seconds_sum counter
ceph_prometheus_collect_duration_seconds_sum{method="get_df"} 1.0
# TYPE ceph_health_status untyped
ceph_health_status 0.0
# TYPE ceph_health_detail untyped
ceph_health_detail{name="OSD_DOWN",severity="HEALTH_WARN"} 0.0
`

const ourMgrPage = `
ceph_osd_up{ceph_daemon="osd.0",cluster="fast"} 1
ceph_pool_objects_repaired{pool_id="1",poolid="1",cluster="fast"} 0
ceph_pool_objects_repaired{pool_id="2",poolid="2",cluster="fast"} 3
ceph_osd_op{ceph_daemon="osd.0",cluster="fast"} 102
ceph_osd_op{ceph_daemon="mgr.x",cluster="fast"} 1
ceph_cluster_objects{cluster="fast"} 7
ceph_health_status{cluster="fast"} 0
`

// compareMgr compares the two pages as the section does.
func compareMgr(t *testing.T, module, exporter string) (different []string, equal int) {
	t.Helper()
	m := &mgrModules{families: make(map[string]bool)}
	theirPage, err := parsePage(oneHeader(strings.NewReader(module)))
	if err != nil {
		t.Fatal(err)
	}
	ourPage, err := parsePage(strings.NewReader(exporter))
	if err != nil {
		t.Fatal(err)
	}
	theirs := make(readings)
	m.read(theirPage, "fast", theirs)
	s := section{name: mgrSection, ours: m.ours}
	for _, r := range compareOne(s, ourPage, theirs, theirs) {
		if r.equal {
			equal++
		} else {
			different = append(different, r.key.thing+" "+r.key.object)
		}
	}
	return different, equal
}

func TestMgrPageThatIsEqual(t *testing.T) {
	if different, equal := compareMgr(t, moduleMgrPage, ourMgrPage); len(different) != 0 || equal != 6 {
		t.Errorf("%d are equal, different: %q", equal, different)
	}
}

// A check that was raised once is 0 for ever in the module, and only there; one
// that is raised now is in both or different.
func TestMgrPageWithARaisedCheck(t *testing.T) {
	raised := strings.Replace(moduleMgrPage, `severity="HEALTH_WARN"} 0.0`, `severity="HEALTH_WARN"} 1.0`, 1)
	if different, _ := compareMgr(t, raised, ourMgrPage); len(different) != 1 || different[0] != "ceph_health_detail fast name=OSD_DOWN severity=HEALTH_WARN" {
		t.Errorf("different: %q", different)
	}
	ours := ourMgrPage + `ceph_health_detail{cluster="fast",name="OSD_DOWN",severity="HEALTH_WARN"} 1` + "\n"
	if different, _ := compareMgr(t, raised, ours); len(different) != 0 {
		t.Errorf("different: %q", different)
	}
	if different, _ := compareMgr(t, moduleMgrPage, ours); len(different) != 1 {
		t.Errorf("a check that is over and that we call raised: different: %q", different)
	}
}

func TestMgrPageThatDiffers(t *testing.T) {
	for change, want := range map[[2]string]string{
		{`ceph_osd_up{ceph_daemon="osd.0",cluster="fast"} 1`, `ceph_osd_up{ceph_daemon="osd.0",cluster="fast"} 0`}:     "ceph_osd_up fast ceph_daemon=osd.0",
		{`ceph_health_status{cluster="fast"} 0`, ``}:                                                                   "ceph_health_status fast ",
		{`ceph_osd_op{ceph_daemon="osd.0"`, `ceph_osd_op{daemon="osd.0"`}:                                              "ceph_osd_op fast ceph_daemon=osd.0",
		{`ceph_osd_op{ceph_daemon="osd.0",cluster="fast"} 102`, `ceph_osd_op{ceph_daemon="osd.0",cluster="fast"} 120`}: "ceph_osd_op fast ceph_daemon=osd.0",
	} {
		different, _ := compareMgr(t, moduleMgrPage, strings.Replace(ourMgrPage, change[0], change[1], 1))
		if len(different) == 0 || different[0] != want {
			t.Errorf("%s → %s: different: %q, want %q", change[0], change[1], different, want)
		}
	}
}
