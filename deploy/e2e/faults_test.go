//go:build lab

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mcloud/alerts/alertstest"
)

// fault is one thing that is broken, and what is paged for it.
type fault struct {
	what         string
	breaks, mend func(t *testing.T, n *noc)
	alert        string
	// names is a label's value that the page must have; "" where it is of the whole cloud.
	names string
}

// inLab is a fault that the lab's own script makes and mends.
func inLab(what, alert, names string, stop, restore []string) fault {
	call := func(args []string) func(*testing.T, *noc) {
		return func(t *testing.T, _ *noc) { lab(t, append([]string{"fault"}, args...)...) }
	}
	return fault{what, call(stop), call(restore), alert, names}
}

// stopped is a fault that kills what the lab's script mends.
func stopped(what, alert, names string, thing ...string) fault {
	return inLab(what, alert, names, append([]string{"stop"}, thing...), append([]string{"restore"}, thing...))
}

var faults = []fault{
	stopped("a compute host", "ComputeHostDown", "cmp-b2", "compute", "cmp-b2"),
	stopped("nova-conductor", "ControlPlaneSilent", "lab", "service", "nova-conductor"),
	stopped("an OSD", "CephOSDDown", "fast-stor3", "osd", "fast.3"),
	stopped("a monitor", "CephMonDownQuorumAtRisk", "geo", "mon", "geo.b"),
	stopped("a datacentre", "CephDatacenterDown", "dc2", "datacenter", "geo.dc2"),
	inLab("nearfull", "CephOSDNearFull", "fast", []string{"nearfull", "fast", "0.01"}, []string{"restore", "nearfull", "fast"}),
	stopped("an ovn-controller", "ChassisLagging", "cmp-c1", "controller", "cmp-c1"),
	stopped("northd", "NorthdLagging", "lab", "northd"),
	{"the southbound leader", killSouthboundLeader, func(t *testing.T, n *noc) { raft(t, "start", "sb", strconv.Itoa(n.leader)) }, "OVNDatabaseQuorumAtRisk", "raft"},
	stopped("RabbitMQ", "ControlPlaneSilent", "lab", "service", "rabbitmq"),
	stopped("an API", "APIDown", "placement", "service", "placement"),
	{"the store", func(_ *testing.T, n *noc) { n.kill("store") }, func(t *testing.T, n *noc) { n.start(t, "store") }, "StoreAway", "collector"},
	{"an exporter", func(_ *testing.T, n *noc) { n.kill("exporter") }, func(t *testing.T, n *noc) { n.start(t, "exporter") }, "TargetDown", "exporter"},
}

// noc is mCloud as it runs in production, each program a process of its own, and a second
// exporter that looks at a clustered OVN.
type noc struct {
	*product
	running map[string]*exec.Cmd
	leader  int // the southbound server that was killed, 0 for none
}

// raft runs the script that brings up a clustered OVN beside the lab's.
func raft(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, filepath.Join(root, "deploy/lab/ovn-raft/raft"), args...).CombinedOutput(); err != nil {
		t.Fatalf("raft %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func startNOC(t *testing.T, alertmanager string) *noc {
	t.Helper()
	raft(t, "up")
	t.Cleanup(func() { raft(t, "down") })
	second := freeAddress(t)
	n := &noc{product: newProduct(t, ""), running: map[string]*exec.Cmd{}}
	// The planner is told where the collector is by the file alone.
	n.config = labConfig(t, "data_dir: ../../data/lab", "data_dir: "+n.dataDir,
		"alertmanagers: [127.0.0.1:9093]", "alertmanagers: ["+alertmanager+"]\n  listen: "+n.collector+"\n  prometheus:\n    scrape_configs:\n"+
			"      - job_name: exporter-raft\n        static_configs: [{targets: ['"+second+"']}]")
	clustered := filepath.Join(t.TempDir(), "raft.yaml")
	if err := os.WriteFile(clustered, []byte("cloud: raft\novn:\n  northbound: tcp:127.0.0.1:16641,tcp:127.0.0.1:16651,tcp:127.0.0.1:16661\n"+
		"  southbound: tcp:127.0.0.1:16642,tcp:127.0.0.1:16652,tcp:127.0.0.1:16662\n  period: 5s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of mcloud's log:\n%s", n.log.tail(60))
		}
		for _, name := range []string{"planner", "collector", "exporter", "exporter of raft", "store"} {
			n.kill(name)
		}
	})
	n.start(t, "store")
	answers(t, "store", "http://"+n.store+"/ping", n.log)
	n.start(t, "exporter")
	n.running["exporter of raft"] = process(t, n.log, "mcloud", "exporter", "--config", clustered, "--exporter.listen", second, "--data-dir", t.TempDir())
	n.start(t, "collector")
	answers(t, "collector", "http://"+n.collector+"/-/ready", n.log)
	n.start(t, "planner")
	return n
}

// start runs one of the programs.
func (n *noc) start(t *testing.T, name string) {
	program, flags := "mcloud", append([]string{name, "--config", n.config}, n.flags()...)
	if name == "planner" {
		program, flags = "mcloud-plan", []string{"serve", "--config", n.config, "--planner.listen", n.planner, "--store.url", "http://" + n.store}
	}
	n.running[name] = process(t, n.log, program, flags...)
}

// kill ends one of them as a crash does.
func (n *noc) kill(name string) {
	if c := n.running[name]; c != nil {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	delete(n.running, name)
}

// killSouthboundLeader kills the server that leads, whose place mCloud says.
func killSouthboundLeader(t *testing.T, n *noc) {
	leads, err := n.query(`ovn_db_member_leader{cloud="raft",database="OVN_Southbound"} == 1`)
	if err != nil || len(leads) != 1 {
		t.Fatalf("the southbound leader: %v %v", leads, err)
	}
	for member, port := range map[int]string{1: "16642", 2: "16652", 3: "16662"} {
		if strings.Contains(leads[0].Metric["endpoint"], port) {
			n.leader = member
		}
	}
	raft(t, "kill", "sb", strconv.Itoa(n.leader))
}

// TestEachFaultOnePage breaks one part of the lab, or of mCloud, after the other, behind the
// Alertmanager of alerts/alertmanager.yml: the expected page comes once, with its runbook, no
// other page does, and it ends after the repair. It takes more than an hour;
// make faults runs it, and with FAULTS, parts of faults' names with commas between, only those. It ends with a table.
func TestEachFaultOnePage(t *testing.T) {
	chosen := os.Getenv("MCLOUD_E2E_FAULTS")
	if chosen == "" {
		t.Skip("it takes more than an hour; make faults runs it")
	}
	picked := slices.DeleteFunc(slices.Clone(faults), func(f fault) bool {
		return chosen != "all" && !slices.ContainsFunc(strings.Split(chosen, ","), func(part string) bool { return strings.Contains(f.what, part) })
	})
	if len(picked) == 0 {
		t.Fatalf("%q is part of no fault's name", chosen)
	}
	pages := alertstest.Start(t, root+"/alerts/alertmanager.yml", "20s")
	n := startNOC(t, strings.TrimPrefix(pages.URL, "http://"))
	for _, expr := range []string{`openstack_nova_service_up{binary="nova-compute"}`, `mcloud_osd_place_info`, `ovn_chassis_nb_cfg_lag`, `openstack_api_up`, `ceph_mon_quorum_status`, `ovn_db_member_leader{cloud="raft"} == 1`, `count(up == 1) > 3`} {
		n.waitForQuery(t, expr, 2*time.Minute)
	}
	t.Cleanup(func() { lab(t, "fault", "restore", "all") })
	var table strings.Builder
	fmt.Fprintf(&table, "%-22s %-26s %8s %6s %10s\n", "fault", "page", "after", "pages", "resolved")
	for _, f := range picked {
		t.Run(f.what, func(t *testing.T) {
			waitFor(t, "nothing is wrong", 10*time.Minute, func() (bool, string) {
				firing, err := n.query(`ALERTS{alertstate="firing",severity=~"page|ticket"}`)
				return err == nil && !slices.ContainsFunc(firing, func(s promSeries) bool { return s.Metric["severity"] == "page" || s.Metric["alertname"] == f.alert }), fmt.Sprint(firing, err)
			})
			pages.Forget()
			broken := time.Now()
			f.breaks(t, n)
			came := waitForPage(t, pages, f, "firing", 8*time.Minute)
			if _, err := os.Stat(filepath.Join(root, "alerts", came.Annotations["runbook"])); err != nil {
				t.Errorf("runbook: %v", err)
			}
			// What would follow has the time to: a group's wait and the slowest rule's.
			n.waitForQuery(t, fmt.Sprintf(`vector(time()) > %d`, broken.Unix()+240), 6*time.Minute)
			mended := time.Now()
			f.mend(t, n)
			gone := waitForPage(t, pages, f, "resolved", 10*time.Minute)
			total := 0
			for _, page := range pages.Pages() {
				switch {
				case page.Status != "firing":
				case page.Labels["alertname"] == f.alert:
					total++
				case page.Labels["severity"] == "page":
					t.Errorf("another page: %s, %s", page.Labels["alertname"], page.Annotations["summary"])
				default: // nobody is woken by it: a zone of the lab may be full
					t.Logf("meanwhile a %s: %s, %s", page.Labels["severity"], page.Labels["alertname"], page.Annotations["summary"])
				}
			}
			if total != 1 {
				t.Errorf("it came %d times, want one", total)
			}
			line := fmt.Sprintf("%-22s %-26s %6.0f s %6d %8.0f s\n", f.what, f.alert, came.At.Sub(broken).Seconds(), total, gone.At.Sub(mended).Seconds())
			t.Log(line)
			table.WriteString(line)
		})
	}
	t.Logf("\n%s", table.String())
}

// waitForPage polls for the fault's page in the state.
func waitForPage(t *testing.T, from *alertstest.Alertmanager, f fault, status string, limit time.Duration) (found alertstest.Page) {
	t.Helper()
	waitFor(t, f.alert+" "+status, limit, func() (bool, string) {
		var seen []string
		for _, page := range from.Pages() {
			seen = append(seen, page.Status+" "+page.Labels["alertname"])
			values := []string{}
			for _, v := range page.Labels {
				values = append(values, v)
			}
			if page.Status == status && page.Labels["alertname"] == f.alert && slices.Contains(values, f.names) {
				found = page
				return true, ""
			}
		}
		return false, strings.Join(seen, ", ")
	})
	return found
}
