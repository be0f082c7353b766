//go:build lab

package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcloud/dashboards"
)

// TestExportedValuesEqualTheClients runs the project's comparison: what the
// exporter says beside what openstack, ceph and ovn-sbctl say.
func TestExportedValuesEqualTheClients(t *testing.T) {
	// Said after all else, mcloud's log too: whoever sees only the end of a run
	// sees what differs.
	var verdict []string
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what differs:\n%s", strings.Join(verdict, "\n"))
		}
	})
	p := newProduct(t, root+"/deploy/lab/mcloud.yaml")
	p.start(t)
	p.waitForQuery(t, `mcloud_source_success{source=~".*"} == 1`, time.Minute)
	waitFor(t, "every source has looked", 2*time.Minute, func() (bool, string) {
		status, body, err := get(t.Context(), "http://"+p.exporter+"/-/ready")
		return err == nil && status == 200, string(body)
	})
	out, err := exec.CommandContext(t.Context(), filepath.Join(root, "deploy/lab/lab"), "compare", "--brief", "--exporter", "http://"+p.exporter).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		printed := strings.Split(strings.TrimSpace(string(out)), "\n")
		verdict = append(verdict, printed[max(0, len(printed)-25):]...)
		t.Errorf("compare: %v", err)
	}
	// One look may fail; a source that fails against the lab fails at the next too.
	waitFor(t, "no source fails", time.Minute, func() (bool, string) {
		failing, err := p.query(`mcloud_source_success == 0`)
		if err != nil {
			return false, err.Error()
		}
		var names []string
		for _, s := range failing {
			names = append(names, s.Metric["source"]+s.Metric["cluster"])
		}
		return len(names) == 0, strings.Join(names, ", ")
	})
}

// TestEveryPanelQueryReturnsSomething executes the dashboards' queries on live data.
func TestEveryPanelQueryReturnsSomething(t *testing.T) {
	p := newProduct(t, root+"/deploy/lab/mcloud.yaml")
	p.start(t)
	p.waitForPanels(t, dashboards.Lab, 3*time.Minute)
}
