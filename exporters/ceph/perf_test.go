package ceph

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcloud/exporters"
)

func loadSchema(t *testing.T, version, kind, command string) schema {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", version, "asok", kind, command+"_schema.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var raw perfGroups[description]
	if err := json.Unmarshal(b, &raw); err != nil {
		t.Fatal(err)
	}
	return newSchema(raw)
}

// ownLabelsOf are the labels that the daemons of that version give a group, sorted.
func ownLabelsOf(t *testing.T, version, kind, group string) string {
	b, err := os.ReadFile(filepath.Join("testdata", version, "asok", kind, "counter_schema.json"))
	if err != nil {
		return ""
	}
	var raw perfGroups[description]
	if err := json.Unmarshal(b, &raw); err != nil {
		t.Fatal(err)
	}
	for _, one := range raw[group] {
		return strings.Join(slices.Sorted(maps.Keys(one.Labels)), ",")
	}
	return ""
}

// perf.tsv is what the daemons' schemas say, newest version first.
func TestCatalogueIsThatOfTheSchemas(t *testing.T) {
	lines := map[string]string{}
	add := func(name string, kind exporters.Type, unit, labels, help string) {
		if lines[name] == "" && !monOwned()[name] {
			lines[name] = strings.Join([]string{name, string(kind), unit, labels, sentence(help, name)}, "\t")
		}
	}
	for _, version := range slices.Backward(versions) {
		for _, kind := range []string{"osd", "mon", "mgr", "mds", "rgw"} {
			for _, command := range []string{"counter", "perf"} {
				for group, counters := range loadSchema(t, version, kind, command) {
					labels := ownLabelsOf(t, version, kind, group)
					for name, d := range counters {
						switch {
						case d.Priority < 5 || d.Type&typeHistogram != 0:
						case d.Type&typeAverage != 0:
							for _, n := range names(group, name+"_sum") {
								add(metricName(group, n), exporters.Counter, d.unit(), labels, d.Help+", sum")
							}
							for _, n := range names(group, name+"_count") {
								add(metricName(group, n), exporters.Counter, "", labels, d.Help+", count")
							}
						default:
							for _, n := range names(group, name) {
								add(metricName(group, n), d.kind(), d.unit(), labels, d.Help)
							}
						}
					}
				}
			}
		}
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		fmt.Fprintln(&b, lines[name])
	}
	if *update {
		if err := os.WriteFile("perf.tsv", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.String(); got != perfTable {
		t.Error("perf.tsv is not what the schemas say; run: go test ./exporters/ceph -run Catalogue -update, and once more")
	}
}

func sentence(help, name string) string {
	help = strings.Join(strings.Fields(help), " ")
	if strings.HasPrefix(help, ",") { // no description
		help = name + help
	}
	if help == "" {
		help = name
	}
	return strings.TrimSuffix(help, ".") + "."
}

func TestFold(t *testing.T) {
	for group, want := range map[string]string{
		"objecter-0x7f014000c770":                             "objecter-other",
		"throttle-msgr_dispatch_throttler-mgr-0x7f0148009240": "throttle-msgr_dispatch_throttler-mgr-other",
		"throttle-objecter_ops":                               "throttle-objecter_ops",
		"AsyncMessenger::Worker-0":                            "AsyncMessenger::Worker-0",
	} {
		if got := fold(group); got != want {
			t.Errorf("fold(%q) = %q, want %q", group, got, want)
		}
	}
}

func TestMetricName(t *testing.T) {
	for _, c := range [][3]string{
		{"osd", "op_r_latency_sum", "ceph_osd_op_r_latency_sum"},
		{"AsyncMessenger::Worker-0", "msgr_recv_bytes", "ceph_AsyncMessenger_Worker_0_msgr_recv_bytes"},
		{"prioritycache:full", "x", "ceph_prioritycache:full_x"},
		{"mds_mem", "cap+", "ceph_mds_mem_cap_plus"},
		{"mds_mem", "cap-", "ceph_mds_mem_cap_minus"},
		{"rgw", "a.b/c d", "ceph_rgw_a_b_c_d"},
	} {
		if got := metricName(c[0], c[1]); got != c[2] {
			t.Errorf("%s.%s: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

func TestJoin(t *testing.T) {
	s := schema{
		"osd":       {"op": {Type: 10, Priority: 5}, "lat": {Type: 5, Priority: 10}, "dull": {Type: 2, Priority: 0}, "hist": {Type: 26, Priority: 10}, "bytes": {Type: 2, Priority: 5, Units: "bytes"}},
		"obj-other": {"ops": {Type: 10, Priority: 5}},
		"fs":        {"clients": {Type: 2, Priority: 5}},
		"bluestore": {"commit_lat": {Type: 5, Priority: 10}},
	}
	var dump perfValues
	if err := json.Unmarshal([]byte(`{"osd":{"op":7,"lat":{"avgcount":3,"sum":0.5,"avgtime":0.1},"dull":1,"hist":{"a":1},"bytes":9,"new":1},
		"obj-0xaaaa1":{"ops":2},"obj-0xbbbb2":{"ops":3},"bluestore":{"commit_lat":{"avgcount":2,"sum":4}},
		"fs":[{"labels":{"name":"a","id":"1"},"counters":{"clients":4}},{"labels":{"name":"b","id":"1"},"counters":{"clients":5}}]}`), &dump); err != nil {
		t.Fatal(err)
	}
	if !s.lacks(dump) {
		t.Error("osd.new is not missed")
	}
	all, unknown, err := s.join(dump, 5)
	want := []counter{
		{"bluestore", "commit_lat_count", "", exporters.Counter, 2},
		{"bluestore", "commit_lat_sum", "", exporters.Counter, 4},
		{"bluestore", "txc_commit_lat_count", "", exporters.Counter, 2},
		{"bluestore", "txc_commit_lat_sum", "", exporters.Counter, 4},
		{"fs", "clients", "id=1,name=a", exporters.Gauge, 4},
		{"fs", "clients", "id=1,name=b", exporters.Gauge, 5},
		{"obj-other", "ops", "", exporters.Counter, 5},
		{"osd", "bytes", "", exporters.Gauge, 9},
		{"osd", "lat_count", "", exporters.Counter, 3},
		{"osd", "lat_sum", "", exporters.Counter, 0.5},
		{"osd", "op", "", exporters.Counter, 7},
	}
	if !slices.Equal(all, want) || unknown != 1 || err != nil {
		t.Errorf("join() = %v, %d, %v", all, unknown, err)
	}
	dump["osd"][0].Counters["op"] = json.RawMessage(`"text"`)
	dump["osd"][0].Counters["lat"] = json.RawMessage(`{"sum":1}`)
	if all, _, err := s.join(dump, 5); err == nil || len(all) != 8 {
		t.Errorf("values of another shape: %v, %v", all, err)
	}
}

// A counter with labels that its metric does not have is not lost.
func TestCountersWithOtherLabels(t *testing.T) {
	c := newCatalogue("ceph_daemon")
	snap := &exporters.Snapshot{}
	c.addPerf(snap, "mds.a", []counter{
		{"mds_client_metrics", "num_clients", "fs_name=cephfs,id=7", exporters.Gauge, 3},
		{"mds_client_metrics", "num_clients", "fs_name=cephfs,id=7,more=x", exporters.Gauge, 4},
	})
	if value(t, snap, `ceph_mds_client_metrics_num_clients{ceph_daemon="mds.a",fs_name="cephfs",id="7"}`) != 3 ||
		value(t, snap, `ceph_daemon_perf{ceph_daemon="mds.a",group="mds_client_metrics",counter="num_clients",labels="fs_name=cephfs,id=7,more=x"}`) != 4 {
		t.Error(render(snap))
	}
}

// An upgrade must not cut a series: the counters that bluestore renamed have one
// name over both versions.
func TestBluestoreNamesAreTheSameInBothVersions(t *testing.T) {
	newer := loadSchema(t, "18.2", "osd", "counter")["bluestore"]
	older := loadSchema(t, "16.2", "osd", "perf")["bluestore"]
	for from, to := range bluestoreNames {
		if _, ok := older[from]; !ok {
			t.Errorf("16.2 has no bluestore.%s", from)
		}
		if _, ok := newer[to]; !ok {
			t.Errorf("18.2 has no bluestore.%s, to which %s is mapped", to, from)
		}
	}
}

func FuzzJoin(f *testing.F) {
	f.Add([]byte(`{"osd":{"op":7,"lat":{"avgcount":3,"sum":0.5}}}`))
	f.Add([]byte(`{"osd":{"op":nan,"lat":null}}`))
	f.Add([]byte(`{"osd":[{"labels":{"a":"b"},"counters":{"op":1}}]}`))
	s := schema{"osd": {"op": {Type: 10, Priority: 5}, "lat": {Type: 5, Priority: 10}}}
	f.Fuzz(func(t *testing.T, b []byte) {
		var dump perfValues
		if decodeJSON(b, &dump) != nil {
			return
		}
		all, _, _ := s.join(dump, 0)
		for _, c := range all {
			if metricName(c.group, c.name) == "" {
				t.Error("a counter without a name")
			}
		}
	})
}
