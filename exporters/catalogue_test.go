package exporters

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestSelfFamiliesObeyTheNamingRules(t *testing.T) {
	for _, c := range Lint(List(nil)) {
		t.Error(c)
	}
}

func TestLintFindsBadNames(t *testing.T) {
	got := Lint([]Family{{Name: "test_size_total", Help: "x", Type: Gauge}, {Name: "test_latency_milliseconds", Help: "x", Type: Gauge}})
	if len(got) != 2 {
		t.Errorf("complaints: %q", got)
	}
}

func TestListIsCompleteAndOrdered(t *testing.T) {
	all := List([]Source{{Const: map[string]string{"cloud": "lab"}, Families: []*Family{up, perf}}, {Families: []*Family{perf}}})
	if want := len(SelfFamilies()) + 2; len(all) != want {
		t.Fatalf("%d families, want %d", len(all), want)
	}
	for i, f := range all {
		if i > 0 && all[i-1].Name >= f.Name {
			t.Errorf("%s after %s", f.Name, all[i-1].Name)
		}
		if f.Name == "test_up" && strings.Join(f.Labels, ",") != "cloud,host" {
			t.Errorf("labels %q", f.Labels)
		}
	}
}

func TestWrite(t *testing.T) {
	families := []Family{
		{Name: "test_bytes", Help: "Size.", Unit: "bytes", Type: Gauge, Labels: []string{"a", "b", "c", "d", "e", "f"}, Set: SetPerf, Call: "df"},
		{Name: "test_up", Help: "Up|down.", Type: Gauge, Labels: []string{"host"}, Set: SetBase, Call: "GET /"},
	}
	for format, want := range map[string]string{
		"table": "METRIC      TYPE   UNIT   SET   LABELS      HELP\ntest_bytes  gauge  bytes  perf  a,b,c,d,+2  Size.\ntest_up     gauge  -      base  host        Up|down.\n",
		"md":    "| metric | type | unit | labels | set | meaning | from |\n|---|---|---|---|---|---|---|\n| `test_bytes` | gauge | bytes | `a`, `b`, `c`, `d`, `e`, `f` | perf | Size. | df |\n| `test_up` | gauge |  | `host` | base | Up\\|down. | GET / |\n",
	} {
		var b bytes.Buffer
		if err := Write(&b, format, families); err != nil || b.String() != want {
			t.Errorf("%s: %v\n%q\n%q", format, err, b.String(), want)
		}
	}
	var b bytes.Buffer
	var back []Family
	if err := Write(&b, "json", families); err != nil || json.Unmarshal(b.Bytes(), &back) != nil || back[1].Name != "test_up" {
		t.Errorf("json: %v %s", err, b.String())
	}
	if err := Write(&b, "xml", nil); err == nil || !strings.Contains(err.Error(), "table, json, md") {
		t.Errorf("error %v", err)
	}
}
