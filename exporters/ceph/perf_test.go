package ceph

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcloud/exporters"
)

func loadSchema(t *testing.T, version, kind string) schema {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", version, "asok", kind, "perf_schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]map[string]description
	if err := json.Unmarshal(b, &raw); err != nil {
		t.Fatal(err)
	}
	return newSchema(raw)
}

// perf.tsv is what the daemons' schemas say, newest version first.
func TestCatalogueIsThatOfTheSchemas(t *testing.T) {
	lines := map[string]string{}
	add := func(name string, kind exporters.Type, unit, help string) {
		if lines[name] == "" && !monOwned()[name] {
			lines[name] = strings.Join([]string{name, string(kind), unit, sentence(help, name)}, "\t")
		}
	}
	for _, version := range slices.Backward(versions) {
		for _, kind := range []string{"osd", "mon", "mgr"} {
			for group, counters := range loadSchema(t, version, kind) {
				for name, d := range counters {
					metric := metricName(group, current(group, name))
					switch {
					case d.Priority < 5 || d.Type&typeHistogram != 0:
					case d.Type&typeAverage != 0:
						add(metric+"_sum", exporters.Counter, d.unit(), d.Help+", sum")
						add(metric+"_count", exporters.Counter, "", d.Help+", count")
					default:
						add(metric, d.kind(), d.unit(), d.Help)
					}
				}
			}
		}
	}
	var b strings.Builder
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range lines {
			if !yield(name) {
				return
			}
		}
	}) {
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
		"objecter-0x7f014000c770":                             "objecter",
		"throttle-msgr_dispatch_throttler-mgr-0x7f0148009240": "throttle-msgr_dispatch_throttler-mgr",
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
		{"prioritycache:full", "x", "ceph_prioritycache_full_x"},
	} {
		if got := metricName(c[0], c[1]); got != c[2] {
			t.Errorf("%s.%s: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

func TestJoin(t *testing.T) {
	s := newSchema(map[string]map[string]description{
		"osd":         {"op": {Type: 10, Priority: 5}, "lat": {Type: 5, Priority: 10}, "dull": {Type: 2, Priority: 0}, "hist": {Type: 26, Priority: 10}, "bytes": {Type: 2, Priority: 5, Units: "bytes"}},
		"obj-0xaaaa1": {"ops": {Type: 10, Priority: 5}},
	})
	var dump map[string]map[string]json.RawMessage
	if err := json.Unmarshal([]byte(`{"osd":{"op":7,"lat":{"avgcount":3,"sum":0.5,"avgtime":0.1},"dull":1,"hist":{"a":1},"bytes":9,"new":1},
		"obj-0xaaaa1":{"ops":2},"obj-0xbbbb2":{"ops":3}}`), &dump); err != nil {
		t.Fatal(err)
	}
	if !s.lacks(dump) {
		t.Error("osd.new is not missed")
	}
	all, unknown, err := s.join(dump, 5)
	want := []counter{
		{"obj", "ops", exporters.Counter, 5},
		{"osd", "bytes", exporters.Gauge, 9},
		{"osd", "lat_count", exporters.Counter, 3},
		{"osd", "lat_sum", exporters.Counter, 0.5},
		{"osd", "op", exporters.Counter, 7},
	}
	if !slices.Equal(all, want) || unknown != 1 || err != nil {
		t.Errorf("join() = %v, %d, %v", all, unknown, err)
	}
	dump["osd"]["op"] = json.RawMessage(`"text"`)
	dump["osd"]["lat"] = json.RawMessage(`{"sum":1}`)
	if all, _, err := s.join(dump, 5); err == nil || len(all) != 2 {
		t.Errorf("values of another shape: %v, %v", all, err)
	}
}

// An upgrade must not cut a series: the counters that bluestore renamed have one
// name over both versions.
func TestBluestoreNamesAreTheSameInBothVersions(t *testing.T) {
	newer := loadSchema(t, "18.2", "osd")["bluestore"]
	older := loadSchema(t, "16.2", "osd")["bluestore"]
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
	s := newSchema(map[string]map[string]description{"osd": {"op": {Type: 10, Priority: 5}, "lat": {Type: 5, Priority: 10}}})
	f.Fuzz(func(t *testing.T, b []byte) {
		var dump map[string]map[string]json.RawMessage
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
