package mcloud_test

import (
	"os/exec"
	"strings"
	"testing"
)

// forbidden says which package may not import which, and why. Prefixes end in
// "/..." and match the package itself too.
var forbidden = []struct {
	importer, imported, except, because string
}{
	{"mcloud", "mcloud/...", "", "the root package holds words that everyone imports"},
	{"mcloud/exporters/...", "mcloud/collector/...", "", "siblings meet in cmd only"},
	{"mcloud/exporters/...", "mcloud/planner/...", "", "siblings meet in cmd only"},
	{"mcloud/collector/...", "mcloud/exporters/...", "", "siblings meet in cmd only"},
	{"mcloud/collector/...", "mcloud/planner/...", "", "siblings meet in cmd only"},
	{"mcloud/planner/...", "mcloud/exporters/...", "", "siblings meet in cmd only"},
	{"mcloud/planner/...", "mcloud/collector/...", "", "the planner asks through interfaces it declares"},
	{"mcloud/deploy/sim/...", "mcloud/exporters/...", "", "a simulator that shares code with its reader proves nothing"},
	{"mcloud/deploy/sim/...", "mcloud/collector/...", "", "the simulator is outside of the product's parts"},
	{"mcloud/deploy/sim/...", "mcloud/planner/...", "", "the simulator is outside of the product's parts"},
	{"mcloud/planner/capacity/...", "net/http", "", "decisions are pure functions"},
	{"mcloud/planner/forecast/...", "net/http", "", "decisions are pure functions"},
	{"mcloud/planner/rebalance/...", "net/http", "", "decisions are pure functions"},
	{"mcloud/planner/chargeback/...", "net/http", "", "decisions are pure functions"},
	{"mcloud/planner/...", "github.com/gophercloud/...", "mcloud/planner/placement/...", "one package changes a cloud"},
	{"mcloud/exporters/ceph/asok/...", "mcloud/...", "mcloud/exporters/ceph/asok/...", "a protocol package knows no metric"},
	{"mcloud/exporters/ovs/unixctl/...", "mcloud/...", "mcloud/exporters/ovs/unixctl/...", "a protocol package knows no metric"},
	{"mcloud/exporters/ovs/openflow/...", "mcloud/...", "mcloud/exporters/ovs/openflow/...", "a protocol package knows no metric"},
	{"mcloud/exporters/ovn/ovsdb/...", "mcloud/...", "mcloud/exporters/ovn/ovsdb/...", "a protocol package knows no metric"},
	{"mcloud/...", "github.com/ClickHouse/...", "mcloud/collector/clickhouse/...", "SQL lives in one package"},
	{"mcloud/...", "github.com/ceph/go-ceph/...", "mcloud/exporters/ceph/rados/...", "librados is optional and stays behind one interface"},
	{"mcloud/dashboards/plugin/...", "mcloud/...", "mcloud/dashboards/plugin/gpx_mcloud_planner", "the plugin knows the planner by its HTTP API alone"},
	{"mcloud/dashboards/plugin/gpx_mcloud_planner", "mcloud/planner/...", "", "the plugin knows the planner by its HTTP API alone"},
	{"mcloud/...", "github.com/grafana/grafana-plugin-sdk-go/...", "mcloud/dashboards/plugin/...", "the plugin is a program of Grafana's, not a part of ours"},
	{"mcloud/...", "mcloud/cmd/...", "mcloud/cmd/...", "nobody imports a program"},
}

func matches(pattern, path string) bool {
	prefix, tree := strings.CutSuffix(pattern, "/...")
	return path == prefix || tree && strings.HasPrefix(path, prefix+"/")
}

// TestImports reads every package's imports, with the tags of the real build.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-tags", "ceph,pacific", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := 0
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		packages++
		for _, rule := range forbidden {
			if !matches(rule.importer, words[0]) || rule.except != "" && matches(rule.except, words[0]) {
				continue
			}
			for _, imported := range words[1:] {
				if matches(rule.imported, imported) {
					t.Errorf("%s imports %s: %s", words[0], imported, rule.because)
				}
			}
		}
	}
	if packages < 10 {
		t.Fatalf("go list found %d packages", packages)
	}
}

// TestNoJunkRooms keeps rooms named for their subject.
func TestNoJunkRooms(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{.Doc}}", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		path, doc, _ := strings.Cut(strings.TrimSpace(line), " ")
		for _, part := range strings.Split(path, "/") {
			switch part {
			case "utils", "util", "common", "helpers", "shared", "misc":
				t.Errorf("%s: name the room for its subject", path)
			}
		}
		if doc == "" && !strings.HasSuffix(path, "_test") {
			t.Errorf("%s has no package comment", path)
		}
	}
}
