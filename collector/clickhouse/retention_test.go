package clickhouse

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

const testDay = 24 * time.Hour

func TestAges(t *testing.T) {
	for _, c := range []struct {
		r    Retention
		says string
	}{
		{Retention{}, ""},
		{Retention{Ages: Ages{Raw: 400 * testDay}}, "five-minute rollups for"},
		{Retention{Ages: Ages{Hour: 100 * testDay}}, "hour rollups for"},
		{Retention{Ages: Ages{Raw: 2 * testDay, FiveMinutes: 2 * testDay, Hour: 2 * testDay}}, ""},
		{Retention{Classes: []Class{{Name: "x"}}}, `class "x" names no metrics`},
		{Retention{Classes: []Class{{Name: "x", Metrics: regexp.MustCompile("a"), Ages: Ages{Raw: time.Minute}}}}, `class "x": raw samples for`},
	} {
		err := c.r.withDefaults().validate()
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.r, err, c.says)
		}
	}
	r := Retention{Classes: []Class{{Metrics: regexp.MustCompile("a|ab"), Ages: Ages{Raw: testDay}}, {Metrics: regexp.MustCompile("a.*"), Ages: Ages{Raw: 2 * testDay}}}}.withDefaults()
	for metric, want := range map[string]time.Duration{"a": testDay, "abc": 2 * testDay, "xa": 90 * testDay} {
		if got := r.of(metric); got.Raw != want || got.Hour != Forever {
			t.Errorf("%s: %v, want %s", metric, got, want)
		}
	}
}

// Each table keeps what its age and the metrics' classes say, samples that are
// not rolled up stay, and what is gone from the samples is in the rollups.
func TestRetain(t *testing.T) {
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	o := fresh(t, func() time.Time { return now })
	o.Retention = Retention{
		Ages: Ages{Raw: 30 * testDay, FiveMinutes: 100 * testDay, Hour: 400 * testDay},
		Classes: []Class{
			{Name: "short", Metrics: regexp.MustCompile("short_.*"), Ages: Ages{Raw: 7 * testDay, FiveMinutes: 30 * testDay, Hour: 60 * testDay}},
			{Name: "long", Metrics: regexp.MustCompile("long"), Ages: Ages{Raw: 90 * testDay}},
		},
	}
	db := dial(t, o)
	b := Batch{Series: []labels.Labels{series1("short_1"), series1("plain"), series1("long")}}
	for _, days := range []int{1, 20, 50, 95, 200, 600} {
		for i := range b.Series {
			b.Ref, b.Time, b.Value = append(b.Ref, uint32(i)), append(b.Time, now.Add(-time.Duration(days)*testDay).UnixMilli()+1), append(b.Value, float64(days))
		}
	}
	if err := db.WriteSamples(t.Context(), "all", b); err != nil {
		t.Fatal(err)
	}
	want := func(table string, short, plain, long []int) {
		t.Helper()
		got := map[string][]int{}
		for k, r := range rollupsOf(t, db, table) {
			got[k.series] = append(got[k.series], int(r.last))
			slices.Sort(got[k.series])
		}
		w := map[string][]int{b.Series[0].String(): short, b.Series[1].String(): plain, b.Series[2].String(): long}
		if !maps.EqualFunc(got, w, slices.Equal) {
			t.Errorf("%s: %v, want %v", table, got, w)
		}
	}
	all := []int{1, 20, 50, 95, 200, 600}
	if err := db.Retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	var raw uint64
	if err := db.conn.QueryRow(t.Context(), "SELECT count() FROM samples").Scan(&raw); err != nil || raw != uint64(len(b.Ref)) {
		t.Fatalf("%d samples left that are not rolled up, %v", raw, err)
	}
	if _, err := db.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("rollup_1h", all, all, all)
	for range 2 {
		if err := db.Retain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.conn.QueryRow(t.Context(), "SELECT count() FROM samples").Scan(&raw); err != nil || raw != 1+2+3 {
		t.Errorf("%d samples left, want 6, %v", raw, err)
	}
	want("rollup_5m", []int{1, 20, 50}, []int{1, 20, 50, 95}, []int{1, 20, 50, 95})
	want("rollup_1h", []int{1, 20, 50}, []int{1, 20, 50, 95, 200}, []int{1, 20, 50, 95, 200})
	var mutations uint64
	if err := db.conn.QueryRow(t.Context(), "SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done").Scan(&mutations); err != nil || mutations != 0 {
		t.Errorf("%d mutations are not done: %v", mutations, err)
	}
	var ttls uint64
	if err := db.conn.QueryRow(t.Context(), "SELECT countIf(position(create_table_query, ' TTL ') > 0) FROM system.tables WHERE database = currentDatabase()").Scan(&ttls); err != nil || ttls != 0 {
		t.Errorf("%d tables have a TTL, %v", ttls, err)
	}
	// Where the raw samples are gone, queries see those that the rollups kept.
	for i, n := range []int{3, 5, 5} {
		ms := labels.MustNewMatcher(labels.MatchEqual, "__name__", b.Series[i].Get("__name__"))
		got := read(t, db, now.Add(-700*testDay).UnixMilli(), now.UnixMilli(), ms)[b.Series[i].String()]
		if len(got) != n || !slices.IsSortedFunc(got, func(x, y sample) int { return int(x.t - y.t) }) {
			t.Errorf("%s: %d samples are read, want %d: %v", b.Series[i], len(got), n, got)
		}
	}
	// A sample that comes when its week is gone is rolled up before it goes too.
	late := Batch{Series: b.Series[1:2], Ref: []uint32{0}, Time: []int64{now.Add(-60 * testDay).UnixMilli()}, Value: []float64{60}}
	if err := db.WriteSamples(t.Context(), "late", late); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.Retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("rollup_5m", []int{1, 20, 50}, []int{1, 20, 50, 60, 95}, []int{1, 20, 50, 95})
}
