package conformance

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcloud/exporters/ceph/asok"
)

// monProbe is one monitor command; cli are its words for the ceph client, which
// end in the arguments.
type monProbe struct {
	args  map[string]any
	cli   string
	data  []string
	loose []string
}

var monProbes = []monProbe{
	{args: map[string]any{"prefix": "status"}, cli: "status", data: []string{"[].health.checks"}, loose: []string{"[].health.checks", "[].pgmap", "[].mgrmap.services", "[].servicemap", "[].progress_events", "[].fsmap"}},
	{args: map[string]any{"prefix": "health", "detail": "detail"}, cli: "health detail", data: []string{"[].checks"}},
	{args: map[string]any{"prefix": "df", "detail": "detail"}, cli: "df detail", data: []string{"[].stats_by_class"}},
	{args: map[string]any{"prefix": "osd df", "output_method": "tree"}, cli: "osd df tree"},
	{args: map[string]any{"prefix": "osd tree"}, cli: "osd tree"},
	{args: map[string]any{"prefix": "osd dump"}, cli: "osd dump", data: []string{"[].erasure_code_profiles", "[].pools[].application_metadata", "[].blocklist"}, loose: []string{"[].erasure_code_profiles", "[].new_purged_snaps", "[].pools[].options", "[].pools[].last_pg_merge_meta", "[].pools[].application_metadata", "[].blocklist", "[].pg_temp", "[].removed_snaps_queue", "[].pg_upmap_items"}},
	{args: map[string]any{"prefix": "osd stat"}, cli: "osd stat"},
	{args: map[string]any{"prefix": "osd perf"}, cli: "osd perf"},
	{args: map[string]any{"prefix": "osd metadata"}, cli: "osd metadata"},
	{args: map[string]any{"prefix": "osd pool ls", "detail": "detail"}, cli: "osd pool ls detail", data: []string{"[][].application_metadata"}, loose: []string{"[][].options", "[][].application_metadata"}},
	{args: map[string]any{"prefix": "osd pool stats"}, cli: "osd pool stats", loose: []string{"[][].recovery", "[][].recovery_rate", "[][].client_io_rate"}},
	{args: map[string]any{"prefix": "osd crush rule dump"}, cli: "osd crush rule dump"},
	{args: map[string]any{"prefix": "osd crush dump"}, cli: "osd crush dump"},
	{args: map[string]any{"prefix": "pg dump", "dumpcontents": []string{"pgs_brief"}}, cli: "pg dump pgs_brief"},
	{args: map[string]any{"prefix": "pg dump", "dumpcontents": []string{"pools"}}, cli: "pg dump pools"},
	{args: map[string]any{"prefix": "pg dump", "dumpcontents": []string{"osds"}}, cli: "pg dump osds", loose: []string{"[].osd_stats[].network_ping_times"}},
	{args: map[string]any{"prefix": "pg stat"}, cli: "pg stat", loose: []string{"[].pg_summary"}},
	{args: map[string]any{"prefix": "quorum_status"}, cli: "quorum_status"},
	{args: map[string]any{"prefix": "mon dump"}, cli: "mon dump"},
	{args: map[string]any{"prefix": "mon metadata"}, cli: "mon metadata"},
	{args: map[string]any{"prefix": "mgr metadata"}, cli: "mgr metadata"},
	{args: map[string]any{"prefix": "mgr dump"}, cli: "mgr dump", data: []string{"[].always_on_modules"}, loose: []string{"[].available_modules", "[].standbys[].available_modules", "[].active_clients"}},
	{args: map[string]any{"prefix": "versions"}, cli: "versions", data: []string{"[].mon", "[].mgr", "[].osd", "[].mds", "[].overall"}},
	{args: map[string]any{"prefix": "time-sync-status"}, cli: "time-sync-status", data: []string{"[].time_skew_status"}},
}

func (p monProbe) name() string { return strings.NewReplacer(" ", "_", "-", "_").Replace(p.cli) }

func (p monProbe) shape(answers []any) Shape {
	data := map[string]bool{}
	for _, d := range p.data {
		data[d] = true
	}
	return shapeOf(answers, data)
}

// TestSimCephIsShapedAsTheLab asks the four simulated clusters every command.
func TestSimCephIsShapedAsTheLab(t *testing.T) {
	c, _ := serveSim(t, nil)
	for _, p := range monProbes {
		t.Run(p.name(), func(t *testing.T) {
			var answers []any
			for _, cluster := range c.Endpoints().Clusters {
				b, err := cluster.Mon.Command(t.Context(), p.args)
				if err != nil {
					t.Fatal(err)
				}
				answers = append(answers, decode(t, b))
			}
			hold(t, "ceph", p.name(), p.shape(answers), p.loose)
		})
	}
}

// TestLabCeph records or checks the shapes of the lab's two clusters.
func TestLabCeph(t *testing.T) {
	confs := labFiles(t, "ceph/*/*.conf")
	for _, p := range monProbes {
		t.Run(p.name(), func(t *testing.T) {
			var answers []any
			for _, conf := range confs {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				args := append([]string{"--conf", conf, "--id", "exporter", "--format", "json"}, strings.Fields(p.cli)...)
				command := exec.CommandContext(ctx, "ceph", args...)
				var failed bytes.Buffer
				command.Stderr = &failed
				out, err := command.Output()
				if err != nil {
					t.Fatalf("ceph %s: %v: %s", p.cli, err, failed.String())
				}
				answers = append(answers, decode(t, out))
			}
			record(t, "ceph", p.name(), p.shape(answers), p.loose)
		})
	}
}

// labFiles are the lab's files of a pattern; the test is skipped without a lab.
func labFiles(t *testing.T, pattern string) []string {
	t.Helper()
	if os.Getenv("MCLOUD_LAB_CLOUDS") == "" {
		t.Skip("MCLOUD_LAB_CLOUDS names no clouds.yaml of a lab")
	}
	root := cmp.Or(os.Getenv("MCLOUD_LAB"), "/var/lib/mcloud-lab")
	files, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("the lab has no %s under %s: %v", pattern, root, err)
	}
	return files
}

func record(t *testing.T, kind, name string, s Shape, loose []string) {
	t.Helper()
	if *update {
		writeShape(t, kind, name, s)
		return
	}
	hold(t, kind, name, s, loose)
}

func decode(t *testing.T, b []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v: %.200s", err, b)
	}
	return v
}

// socketProbes are admin socket commands by kind of daemon.
var socketProbes = map[string][]string{
	"osd": {"version", "status", "perf dump", "perf schema", "config diff", "config show", "dump_mempools", "dump_ops_in_flight", "dump_blocked_ops", "dump_osd_network"},
	"mon": {"version", "mon_status", "perf dump", "perf schema", "config diff", "dump_mempools", "ops"},
	"mgr": {"version", "status", "perf dump", "perf schema"},
}

// socketShape is the shape of one answer. Counter groups are named after
// threads, modules and addresses, and configuration differs by deployment: those
// keys are data.
func socketShape(v any, prefix string) Shape {
	data := map[string]bool{}
	switch prefix {
	case "perf dump", "perf schema":
		data[""] = true
		if prefix == "perf schema" {
			data["*"] = true
		}
	case "config diff":
		data["diff"] = true
	case "config show":
		data[""] = true
	case "dump_mempools":
		data["mempool.by_pool"] = true
	}
	return shapeOf(v, data)
}

var socketLoose = []string{"*", "mempool", "ops", "monmap", "feature_map", "features", "entries", "diff.*"}

func askSocket(t *testing.T, path, prefix string) (any, error) {
	t.Helper()
	b, err := (asok.Client{Path: path, Timeout: 10 * time.Second}).Ask(t.Context(), prefix, nil)
	if err != nil {
		return nil, err
	}
	return decode(t, b), nil
}

func eachSocket(t *testing.T, glob func(kind string) []string, do func(t *testing.T, name string, s Shape)) {
	for kind, prefixes := range socketProbes {
		paths := glob(kind)
		if len(paths) == 0 {
			t.Fatalf("no socket of a %s", kind)
		}
		for _, prefix := range prefixes {
			name := kind + "_" + strings.ReplaceAll(prefix, " ", "_")
			t.Run(name, func(t *testing.T) {
				v, err := askSocket(t, paths[0], prefix)
				if err != nil {
					t.Fatal(err)
				}
				do(t, name, socketShape(v, prefix))
			})
		}
	}
}

func TestSimSocketsAreShapedAsTheLab(t *testing.T) {
	c, _ := serveSim(t, nil)
	e := c.Endpoints()
	eachSocket(t, func(kind string) []string {
		paths, _ := filepath.Glob(strings.Replace(e.Clusters[0].Sockets, "*.asok", "*"+kind+".*.asok", 1))
		return paths
	}, func(t *testing.T, name string, s Shape) { hold(t, "asok", name, s, socketLoose) })
	// Refusals, as the real daemons word them.
	paths, _ := filepath.Glob(strings.Replace(e.Clusters[0].Sockets, "*.asok", "*mon.a.asok", 1))
	_, err := askSocket(t, paths[0], "objecter_requests")
	var refused *asok.DaemonError
	if !errors.As(err, &refused) || refused.Code != 22 || !strings.Contains(refused.Message, "unknown command prefix") {
		t.Errorf("a command that a mon does not have: %v", err)
	}
}

func TestLabSockets(t *testing.T) {
	labFiles(t, "ceph/geo/run/*.asok")
	eachSocket(t, func(kind string) []string { return labFiles(t, "ceph/geo/run/*"+kind+".*.asok") },
		func(t *testing.T, name string, s Shape) { record(t, "asok", name, s, socketLoose) })
}

// TestSimCounters: the counters that the simulator serves are the ones that the
// lab's OSDs have, group by group.
func TestSimCounters(t *testing.T) {
	c, _ := serveSim(t, nil)
	paths, _ := filepath.Glob(strings.Replace(c.Endpoints().Clusters[0].Sockets, "*.asok", "*osd.0.asok", 1))
	dump, err := askSocket(t, paths[0], "perf dump")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := askSocket(t, paths[0], "perf schema")
	if err != nil {
		t.Fatal(err)
	}
	for group, counters := range dump.(map[string]any) {
		described, _ := schema.(map[string]any)[group].(map[string]any)
		for name := range counters.(map[string]any) {
			if described[name] == nil {
				t.Errorf("%s.%s is dumped and not described", group, name)
			}
		}
	}
	for _, want := range []string{"osd.op_r", "osd.op_w_latency", "osd.stat_bytes_used", "bluestore.bluestore_allocated"} {
		group, name, _ := strings.Cut(want, ".")
		if counters, _ := dump.(map[string]any)[group].(map[string]any); counters[name] == nil {
			t.Error(fmt.Errorf("%s is missing", want))
		}
	}
}
