package main

import (
	"maps"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// Every dashboard is asked, with its variables and annotations.
func TestQuestions(t *testing.T) {
	boards, err := questions(options{pixels: 800, only: regexp.MustCompile("")})
	if err != nil {
		t.Fatal(err)
	}
	panels := 0
	for _, b := range boards {
		if panels += len(b.panels); b.span != 6*time.Hour || len(b.around) < 3 {
			t.Errorf("%s: over %v, %d variables and annotations", b.title, b.span, len(b.around))
		}
	}
	if len(boards) != 16 || panels < 250 {
		t.Errorf("%d dashboards with %d queries", len(boards), panels)
	}
	if _, err := questions(options{pixels: 800, only: regexp.MustCompile("^$")}); err == nil {
		t.Error("no dashboard, and no error")
	}
}

func TestGrafanaStep(t *testing.T) {
	for _, c := range []struct {
		span   time.Duration
		pixels int
		want   time.Duration
	}{
		{6 * time.Hour, 800, 30 * time.Second},
		{15 * time.Minute, 800, 15 * time.Second},
		{24 * time.Hour, 800, 2 * time.Minute},
		{7 * 24 * time.Hour, 800, 15 * time.Minute},
		{180 * 24 * time.Hour, 800, 6 * time.Hour},
	} {
		if got := grafanaStep(c.span, c.pixels); got != c.want {
			t.Errorf("%v on %d points: %v, want %v", c.span, c.pixels, got, c.want)
		}
	}
}

func TestRequest(t *testing.T) {
	now := time.Unix(1_700_000_017, 0)
	for _, c := range []struct {
		q    question
		path string
		want url.Values
	}{
		{question{expr: "up", step: 30 * time.Second}, "/api/v1/query_range", url.Values{"query": {"up"}, "start": {"1699996410"}, "end": {"1700000010"}, "step": {"30"}}},
		{question{expr: "up", instant: true}, "/api/v1/query", url.Values{"query": {"up"}, "time": {"1700000017"}}},
		{question{expr: "up", values: "job"}, "/api/v1/label/job/values", url.Values{"match[]": {"up"}, "start": {"1699996417"}, "end": {"1700000017"}}},
	} {
		path, form := c.q.request(time.Hour, now)
		if path != c.path || form.Encode() != c.want.Encode() {
			t.Errorf("%+v: %s %v, want %s %v", c.q, path, form, c.path, c.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	all := []time.Duration{5, 3, 1, 2, 4}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 3, 0.95: 5, 1: 5} {
		if got := quantile(slices.Clone(all), q); got != want {
			t.Errorf("%v: %v, want %v", q, got, want)
		}
	}
	if quantile(nil, 0.5) != 0 {
		t.Error("of nothing, something")
	}
}

// The past goes up to the present, block by block and without a gap; counters only grow,
// and end below what they are.
func TestPast(t *testing.T) {
	dir := t.TempDir()
	since := time.Date(2026, 1, 1, 9, 30, 0, 0, time.UTC)
	o := options{past: 4 * time.Hour, step: time.Minute}
	all := []sample{
		{Metric: map[string]string{"__name__": "up", "job": "a"}, Value: value{1}},
		{Metric: map[string]string{"__name__": "calls_total"}, Value: value{1000}},
		{Metric: map[string]string{"__name__": "ratio"}, Value: value{0.5}},
		{Metric: map[string]string{"__name__": "recorded"}, Value: value{0.5}},
	}
	of := kinds{counters: map[string]bool{"calls_total": true}, recorded: map[string]time.Duration{"recorded": 2 * time.Minute, "ratio": 15 * time.Second}}
	for _, block := range [][2]time.Time{{since.Add(-4 * time.Hour), since.Add(-210 * time.Minute)}, {since.Add(-210 * time.Minute), since.Add(-90 * time.Minute)}, {since.Add(-90 * time.Minute), since}} {
		if _, err := writeBlock(t.Context(), dir, all, of, since, block[0], block[1], o); err != nil {
			t.Fatal(err)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "*", "meta.json")); len(found) != 3 {
		t.Fatalf("%d blocks", len(found))
	}
	if err := os.Mkdir(filepath.Join(dir, "wal"), 0o750); err != nil { // or it is no database
		t.Fatal(err)
	}
	db, err := tsdb.OpenDBReadOnly(dir, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	q, err := db.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	set, series := q.Select(t.Context(), true, nil, labels.MustNewMatcher(labels.MatchRegexp, "__name__", ".+")), 0
	for set.Next() {
		series++
		name := set.At().Labels().Get("__name__")
		it, n, changed := set.At().Iterator(nil), 0, 0
		step, want := o.step, 240
		if name == "recorded" {
			step, want = 2*o.step, 120
		}
		var lastT int64
		var lastV float64
		for ; it.Next() != chunkenc.ValNone; n++ {
			at, v := it.At()
			if n > 0 && at-lastT != step.Milliseconds() {
				t.Errorf("%s: from %d to %d", name, lastT, at)
			}
			if n > 0 && v != lastV {
				changed++
			}
			if name == "up" && v != 1 || name == "calls_total" && (v < lastV || v < 500 || v > 1000) || (name == "ratio" || name == "recorded") && (v < 0.49 || v > 0.51) {
				t.Errorf("%s is %v after %v", name, v, lastV)
			}
			lastT, lastV = at, v
		}
		if n != want || time.UnixMilli(lastT).Before(since.Add(-2*step)) || changed == 0 != (name == "up") {
			t.Errorf("%s: %d samples with %d changes, the last at %v", name, n, changed, time.UnixMilli(lastT).UTC())
		}
	}
	if err := set.Err(); err != nil || series != 4 {
		t.Errorf("%d series: %v", series, err)
	}
}

// A group's interval is that of each of its rules.
func TestIntervals(t *testing.T) {
	got, err := intervals([]byte(`{"status":"success","data":{"groups":[
		{"name":"a","interval":60,"rules":[{"name":"x","type":"recording"},{"name":"y","type":"recording"}]},
		{"name":"b","interval":0.5,"rules":[{"name":"z","type":"recording"}]}]}}`))
	if want := map[string]time.Duration{"x": time.Minute, "y": time.Minute, "z": 500 * time.Millisecond}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%v %v, want %v", got, err, want)
	}
	if _, err := intervals([]byte("<html>")); err == nil {
		t.Error("of no JSON, intervals")
	}
}
