//go:build lab

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mcloud/alerts/alertstest"
)

// fault is one thing that is broken in the lab, and what is paged for it.
type fault struct {
	what    string
	stop    []string // lab fault …
	restore []string
	alert   string
	// names is a label's value that the page must have; "" where it is of the whole cloud.
	names string
}

var faults = []fault{
	{"a compute host", []string{"stop", "compute", "cmp-b2"}, []string{"restore", "compute", "cmp-b2"}, "ComputeHostDown", "cmp-b2"},
	{"nova-conductor", []string{"stop", "service", "nova-conductor"}, []string{"restore", "service", "nova-conductor"}, "ControlPlaneSilent", "lab"},
	{"an OSD", []string{"stop", "osd", "fast.3"}, []string{"restore", "osd", "fast.3"}, "CephOSDDown", "fast-stor3"},
	{"a monitor", []string{"stop", "mon", "geo.b"}, []string{"restore", "mon", "geo.b"}, "CephMonDownQuorumAtRisk", "geo"},
	{"a datacentre", []string{"stop", "datacenter", "geo.dc2"}, []string{"restore", "datacenter", "geo.dc2"}, "CephDatacenterDown", "dc2"},
	{"nearfull", []string{"nearfull", "fast", "0.01"}, []string{"restore", "nearfull", "fast"}, "CephOSDNearFull", "fast"},
	{"an ovn-controller", []string{"stop", "controller", "cmp-c1"}, []string{"restore", "controller", "cmp-c1"}, "ChassisLagging", "cmp-c1"},
	{"northd", []string{"stop", "northd"}, []string{"restore", "northd"}, "NorthdLagging", "lab"},
	{"RabbitMQ", []string{"stop", "service", "rabbitmq"}, []string{"restore", "service", "rabbitmq"}, "ControlPlaneSilent", "lab"},
	{"an API", []string{"stop", "service", "placement"}, []string{"restore", "service", "placement"}, "APIDown", "placement"},
}

// TestEachFaultOnePage breaks one part of the lab after the other, behind the Alertmanager
// of alerts/alertmanager.yml: the expected page comes once, with its runbook, no other page
// does, and it ends after the repair. It takes an hour; MCLOUD_E2E_FAULTS=all runs it, or a
// part of a fault's name only that one. It ends with a table.
func TestEachFaultOnePage(t *testing.T) {
	chosen := os.Getenv("MCLOUD_E2E_FAULTS")
	if chosen == "" {
		t.Skip("it takes an hour; MCLOUD_E2E_FAULTS=all runs it")
	}
	pages := alertstest.Start(t, root+"/alerts/alertmanager.yml", "20s")
	p := newProduct(t, labConfig(t, "alertmanagers: [127.0.0.1:9093]", "alertmanagers: ["+strings.TrimPrefix(pages.URL, "http://")+"]"))
	p.start(t)
	for _, expr := range []string{`openstack_nova_service_up{binary="nova-compute"}`, `mcloud_osd_place_info`, `ovn_chassis_nb_cfg_lag`, `openstack_api_up`, `ceph_mon_quorum_status`} {
		p.waitForQuery(t, expr, 2*time.Minute)
	}
	t.Cleanup(func() { lab(t, "fault", "restore", "all") })
	var table strings.Builder
	fmt.Fprintf(&table, "%-20s %-26s %8s %6s %10s\n", "fault", "page", "after", "pages", "resolved")
	for _, f := range faults {
		if chosen != "all" && !strings.Contains(f.what, chosen) {
			continue
		}
		t.Run(f.what, func(t *testing.T) {
			waitFor(t, "nothing is wrong", 10*time.Minute, func() (bool, string) {
				firing, err := p.query(`ALERTS{alertstate="firing",severity="page"}`)
				return err == nil && len(firing) == 0, fmt.Sprint(firing, err)
			})
			pages.Forget()
			broken := time.Now()
			lab(t, append([]string{"fault"}, f.stop...)...)
			came := waitForPage(t, pages, f, "firing", 5*time.Minute)
			if _, err := os.Stat(filepath.Join(root, "alerts", came.Annotations["runbook"])); err != nil {
				t.Errorf("runbook: %v", err)
			}
			// What would follow has the time to: a group's wait and the slowest rule's.
			p.waitForQuery(t, fmt.Sprintf(`vector(time()) > %d`, broken.Unix()+240), 6*time.Minute)
			mended := time.Now()
			lab(t, append([]string{"fault"}, f.restore...)...)
			gone := waitForPage(t, pages, f, "resolved", 10*time.Minute)
			n := 0
			for _, page := range pages.Pages() {
				if page.Status != "firing" || page.Labels["severity"] != came.Labels["severity"] {
					continue
				}
				if page.Labels["alertname"] != f.alert {
					t.Errorf("another %s: %s, %s", page.Labels["severity"], page.Labels["alertname"], page.Annotations["summary"])
				}
				n++
			}
			fmt.Fprintf(&table, "%-20s %-26s %6.0f s %6d %8.0f s\n", f.what, f.alert, came.At.Sub(broken).Seconds(), n, gone.At.Sub(mended).Seconds())
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
