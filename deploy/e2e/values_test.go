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

// TestLabIsReadRight starts mCloud on the lab once and asks of it, side by side, what others
// know of the lab too. Nothing is changed meanwhile.
func TestLabIsReadRight(t *testing.T) {
	p := newProduct(t, root+"/deploy/lab/mcloud.yaml")
	p.start(t)
	for _, q := range []struct {
		name string
		ask  func(*testing.T, *product)
	}{
		{"exported values equal the clients'", exportedValuesEqualTheClients},
		{"every panel query returns something", everyPanelQueryReturnsSomething},
		{"capacity equals Placement's", capacityEqualsPlacement},
		{"MAX AVAIL equals ceph df's", maxAvailEqualsCephDF},
	} {
		t.Run(q.name, func(t *testing.T) {
			t.Parallel()
			q.ask(t, p)
		})
	}
}

// exportedValuesEqualTheClients runs the project's comparison: what the
// exporter says beside what openstack, ceph and ovn-sbctl say.
func exportedValuesEqualTheClients(t *testing.T, p *product) {
	// Said after all else, mcloud's log too: whoever sees only the end of a run
	// sees what differs.
	var verdict []string
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what differs:\n%s", strings.Join(verdict, "\n"))
		}
	})
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

// everyPanelQueryReturnsSomething executes the dashboards' queries on live data.
func everyPanelQueryReturnsSomething(t *testing.T, p *product) {
	p.waitForPanels(t, dashboards.Lab, 3*time.Minute)
}
