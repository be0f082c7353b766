package clickhouse

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// valuesOf are the values of a result's one series by time.
func valuesOf(set []storage.Series) map[int64]float64 {
	all := map[int64]float64{}
	for _, s := range set {
		for it := s.Iterator(nil); it.Next() != 0; {
			at, v := it.At()
			all[at] = v
		}
	}
	return all
}

// Whole days are computed from rows of days, and give what the rows of hours give; a store
// that an earlier version rolled up is asked by hours until its days are made up for.
func TestDays(t *testing.T) {
	o := fresh(t, later)
	o.Registerer = prometheus.NewRegistry()
	db := dial(t, o)
	if err := db.WriteSamples(t.Context(), "all", history(rand.New(rand.NewPCG(11, 12)), 4)); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	start := (base/dayMillis + 1) * dayMillis
	metrics := []string{"counter_0", "counter_2", "gauge_1", "flat", "floats", "mixed", "dying", "rare"}
	functions := []string{"sum_over_time", "avg_over_time", "count_over_time", "max_over_time", "min_over_time", "last_over_time", "rate", "increase", "delta", latest}
	ask := func(db *DB, function string) map[string]map[int64]float64 {
		t.Helper()
		window := int64(dayMillis)
		if function == latest {
			window = 300_000
		}
		all := map[string]map[int64]float64{}
		for _, m := range metrics {
			got, err := db.OverTime(t.Context(), function, start, start+3*dayMillis, dayMillis, window, labels.MustNewMatcher(labels.MatchEqual, "__name__", m))
			if err != nil {
				t.Fatalf("%s of %s: %v", function, m, err)
			}
			all[m] = valuesOf(got)
		}
		return all
	}
	asked := func(db *DB, table string) float64 {
		return testutil.ToFloat64(db.metrics.overTime.WithLabelValues(table))
	}
	want := map[string]map[string]map[int64]float64{}
	for _, f := range functions {
		want[f] = ask(db, f)
		if n := len(want[f]["flat"]); n == 0 || n != 4 && f != latest {
			t.Errorf("%s: %v", f, want[f])
		}
	}
	if n := asked(db, days.table); n != float64(len(functions)*len(metrics)) || asked(db, hours.table) != 0 {
		t.Errorf("%g of %d questions were answered from days, %g from hours", n, len(functions)*len(metrics), asked(db, hours.table))
	}
	for _, table := range []string{"rollup_days", days.table} {
		if err := db.conn.Exec(t.Context(), "TRUNCATE TABLE "+table); err != nil {
			t.Fatal(err)
		}
	}
	check := func(db *DB) {
		t.Helper()
		for _, f := range functions {
			got := ask(db, f)
			for series, points := range want[f] {
				for at, w := range points {
					if g, is := got[series][at]; !is || math.Abs(g-w) > 1e-9*math.Max(1, math.Abs(w)) && !(math.IsNaN(g) && math.IsNaN(w)) {
						t.Errorf("%s of %s at %d: %v, was %v", f, series, at, g, w)
					}
				}
				if len(got[series]) != len(points) {
					t.Errorf("%s of %s: %d values, were %d", f, series, len(got[series]), len(points))
				}
			}
		}
	}
	o.Registerer = prometheus.NewRegistry()
	old := dial(t, o)
	check(old)
	if asked(old, days.table) != 0 || asked(old, hours.table) == 0 {
		t.Errorf("without rows of days: %g questions to them, %g to hours", asked(old, days.table), asked(old, hours.table))
	}
	if units, err := old.Roll(t.Context()); err != nil || units != 0 {
		t.Fatalf("%d units, %v", units, err)
	}
	checkRollups(t, old)
	check(old)
	if asked(old, days.table) == 0 {
		t.Error("days that were made up for are not asked")
	}
}
