package clickhouse

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mcloud"
)

// slowQuery is a slow query that has everything.
func slowQuery(id string, at time.Time, seconds float64) mcloud.SlowQuery {
	return mcloud.SlowQuery{
		ID: id, Time: at, Expression: "sum by (a) (rate(x{b=~\"it's|\\\\d\"}[5m]))\n# ü", Kind: "range",
		Start: at.Add(-time.Hour), End: at, StepSeconds: 0.5, Seconds: seconds, Samples: 3_000_000_000, PeakSamples: 7, PushedDown: true,
		Reason: mcloud.SlowTimeout, Error: "query timed out", User: "noc", Collector: "a",
	}
}

func TestSlowQueries(t *testing.T) {
	db := open(t)
	at := time.Date(2026, 11, 20, 12, 0, 0, 123e6, time.UTC)
	all := []mcloud.SlowQuery{slowQuery("1", at, 7), slowQuery("2", at.Add(time.Hour), 9), slowQuery("3", at.Add(2*time.Hour), 5), slowQuery("4", at.Add(2*time.Hour), 5)}
	all[2] = mcloud.SlowQuery{ID: "3", Time: all[2].Time, Start: at, End: at, Kind: "instant", Expression: "x", Seconds: 5, Reason: mcloud.SlowAnswered}
	for range 2 { // one that was not acknowledged is written again
		if err := db.WriteSlowQueries(t.Context(), all); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		since time.Time
		top   int
		want  []mcloud.SlowQuery
	}{
		"all, slowest first": {time.Time{}, 10, []mcloud.SlowQuery{all[1], all[0], all[2], all[3]}},
		"top":                {time.Time{}, 1, []mcloud.SlowQuery{all[1]}},
		"since is inclusive": {at.Add(time.Hour), 10, []mcloud.SlowQuery{all[1], all[2], all[3]}},
		"none":               {at.Add(3 * time.Hour), 10, []mcloud.SlowQuery{}},
	} {
		got, err := db.SlowQueries(t.Context(), c.since, c.top)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	for _, top := range []int{0, MaxSlowQueries + 1} {
		if _, err := db.SlowQueries(t.Context(), at, top); !errors.Is(err, mcloud.ErrInvalid) {
			t.Errorf("%d of them: %v", top, err)
		}
	}
	// PromQL knows times that no table holds.
	far := slowQuery("far", at.Add(4*time.Hour), 1)
	far.Start, far.End = time.UnixMilli(math.MinInt64/1000), time.UnixMilli(math.MaxInt64/1000)
	if err := db.WriteSlowQueries(t.Context(), []mcloud.SlowQuery{far}); err != nil {
		t.Fatal(err)
	}
	if got, err := db.SlowQueries(t.Context(), far.Time, 1); err != nil || len(got) != 1 || got[0].Start.Year() != 1970 || got[0].End.Year() != 2105 {
		t.Errorf("%+v %v", got, err)
	}
	far.Time = time.Unix(-1, 0)
	if err := db.WriteSlowQueries(t.Context(), []mcloud.SlowQuery{far}); !errors.Is(err, mcloud.ErrInvalid) {
		t.Errorf("before 1970: %v", err)
	}
	if err := db.WriteSlowQueries(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// A month of them goes when its last is older than their age.
func TestRetainSlowQueries(t *testing.T) {
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	db := dial(t, fresh(t, func() time.Time { return now }))
	old, kept := now.Add(-slowQueryAge-40*testDay), now.Add(-slowQueryAge+testDay)
	if err := db.WriteSlowQueries(t.Context(), []mcloud.SlowQuery{slowQuery("old", old, 2), slowQuery("kept", kept, 1)}); err != nil {
		t.Fatal(err)
	}
	if err := db.Retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := db.SlowQueries(t.Context(), time.Time{}, 10); err != nil || len(got) != 1 || got[0].ID != "kept" {
		t.Errorf("%+v %v", got, err)
	}
}
