package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// The functions are compared with Prometheus's in collector/query; here is what they
// refuse.
func overTimeOf(t *testing.T, db *DB, function string, values ...float64) ([]storage.Series, error) {
	t.Helper()
	b := Batch{Series: []labels.Labels{labels.FromStrings(model.MetricNameLabel, "m"+function)}}
	for i, v := range values {
		b.Ref, b.Time, b.Value = append(b.Ref, 0), append(b.Time, base+int64(i+1)*60_000), append(b.Value, v)
	}
	if err := db.WriteSamples(t.Context(), "t"+function, b); err != nil {
		t.Fatal(err)
	}
	end := base + 10*60_000
	return db.OverTime(t.Context(), function, end, end, 0, 10*60_000, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "m"+function))
}

func TestOverTimeRefusesWhatIsInexact(t *testing.T) {
	db := open(t)
	if got, err := overTimeOf(t, db, "avg_over_time", 1, math.Inf(1)); !errors.Is(err, ErrInexact) {
		t.Errorf("an average that may be too large for its sum: %v %v", got, err)
	}
	if got, err := overTimeOf(t, db, "count_over_time", 1, math.NaN(), 3); err != nil || only(t, got) != 3 {
		t.Errorf("count: %v %v", got, err)
	}
	if _, err := db.OverTime(t.Context(), "deriv", base, base, 0, 60_000); !errors.Is(err, ErrInexact) {
		t.Errorf("a function that is not known: %v", err)
	}
	// The same samples again, as after a repair by hand.
	if err := db.WriteSamples(t.Context(), "again", Batch{Series: []labels.Labels{labels.FromStrings(model.MetricNameLabel, "mcount_over_time")},
		Ref: []uint32{0}, Time: []int64{base + 60_000}, Value: []float64{1}}); err != nil {
		t.Fatal(err)
	}
	end := base + 10*60_000
	count := func() ([]storage.Series, error) {
		return db.OverTime(t.Context(), "count_over_time", end, end, 0, 10*60_000, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "mcount_over_time"))
	}
	if got, err := count(); err != nil || only(t, got) != 3 {
		t.Errorf("samples that are stored twice: %v %v", got, err)
	}
	db.options.GatherFrom = time.Minute
	if got, err := count(); err != nil || only(t, got) != 3 {
		t.Errorf("samples that are stored twice, gathered in the store: %v %v", got, err)
	}
}

// only is the one value of the one series.
func only(t *testing.T, set []storage.Series) float64 {
	t.Helper()
	if len(set) != 1 {
		t.Fatalf("%d series, want one", len(set))
	}
	it := set[0].Iterator(nil)
	if it.Next() != chunkenc.ValFloat {
		t.Fatal("no value")
	}
	_, v := it.At()
	if it.Next() != chunkenc.ValNone {
		t.Fatal("more than one value")
	}
	return v
}

// What the store rounds too much for 1e-9 is computed from the samples: the sum of what
// nearly cancels out, as Prometheus has it.
func TestOverTimeIsExactWhereTheStoreIsNot(t *testing.T) {
	for _, from := range []time.Duration{time.Hour, time.Minute} {
		t.Run(from.String(), func(t *testing.T) {
			db := open(t)
			db.options.GatherFrom = from
			if got, err := overTimeOf(t, db, "sum_over_time", 1e15, 0.1, -1e15); err != nil || only(t, got) != 0.1 {
				t.Errorf("%v %v, want 0.1", got, err)
			}
			if got, err := overTimeOf(t, db, "avg_over_time", 0.1, 0.2, -0.3); err != nil || only(t, got) != 0x1p-55/3 {
				t.Errorf("%v %v", only(t, got), err)
			}
		})
	}
}

func TestOverTimeIsBounded(t *testing.T) {
	db := open(t)
	var b Batch
	for i := range 50 {
		b.Series = append(b.Series, series1("m", "i", fmt.Sprint(i)))
		for k := range 100 {
			b.Ref, b.Time, b.Value = append(b.Ref, uint32(i)), append(b.Time, base+int64(k+1)*60_000), append(b.Value, float64(k))
		}
	}
	if err := db.WriteSamples(t.Context(), "t", b); err != nil {
		t.Fatal(err)
	}
	ask := func(ctx context.Context) error {
		_, err := db.OverTime(ctx, "max_over_time", base+60_000, base+100*60_000, 60_000, 60_000, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "m"))
		return err
	}
	if err := ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	db.options.MaxSamples = 1000
	if err := ask(t.Context()); !errors.Is(err, ErrTooMuch) {
		t.Errorf("5,000 values with a limit of 1,000: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ask(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A query that is given up does not run on in the store.
func TestCancelReachesTheStore(t *testing.T) {
	db := open(t)
	running := func() bool {
		var n uint64
		if err := db.conn.QueryRow(t.Context(), "SELECT count() FROM "+db.system("processes")+" WHERE query LIKE '%sleepEachRow%' AND query NOT LIKE '%system.processes%' AND query NOT LIKE '%`system`.`processes`%'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
	within := func(d time.Duration, what string, is func() bool) {
		t.Helper()
		for end := time.Now().Add(d); !is(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s took more than %s", what, d)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		rows, err := db.conn.Query(ctx, "SELECT sleepEachRow(0.01) FROM numbers(6000) SETTINGS max_block_size = 10, function_sleep_max_microseconds_per_block = 0")
		if err == nil {
			err = each(rows, func() error { return nil })
		}
		done <- err
	}()
	within(20*time.Second, "the beginning", running)
	cancel()
	within(20*time.Second, "the end", func() bool { return !running() })
	if err := <-done; err == nil {
		t.Error("the query was answered")
	}
}

// Where raw samples may be gone, a window that the rollups do not have whole is not
// computed from what is left: nothing there would look like nothing was.
func TestOverTimeDoesNotTakeGoneSamplesForNone(t *testing.T) {
	db := open(t)
	now := time.Now()
	ms := labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "m")
	var b Batch
	b.Series = []labels.Labels{labels.FromStrings(model.MetricNameLabel, "m")}
	for _, age := range []time.Duration{400, 100, 1} {
		b.Ref, b.Time, b.Value = append(b.Ref, 0), append(b.Time, now.Add(-age*24*time.Hour).UnixMilli()), append(b.Value, 1)
	}
	if err := db.WriteSamples(t.Context(), "t", b); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		age    time.Duration
		window time.Duration
		fine   bool
	}{{1, 7 * time.Minute, true}, {100, 7 * time.Minute, false}, {400, 5 * time.Minute, false}} {
		end := (now.Add(-c.age*24*time.Hour).UnixMilli()/300_000 + 1) * 300_000
		_, err := db.OverTime(t.Context(), "count_over_time", end, end, 0, c.window.Milliseconds(), ms)
		if c.fine != (err == nil) || err != nil && !errors.Is(err, ErrInexact) {
			t.Errorf("%s, %d days ago: %v", c.window, c.age, err)
		}
	}
}

// A day in which one collector became two, and one in which each of the two was down, are
// whole days: no replica has all of them.
func TestDaysThatNoReplicaHasWhole(t *testing.T) {
	o := fresh(t, func() time.Time { return time.UnixMilli(base + 10*dayMillis) })
	const minute, hour = int64(60_000), int64(3_600_000)
	begin := (base/dayMillis + 1) * dayMillis
	for name, has := range map[string]func(at int64) bool{
		"": func(at int64) bool { return at < dayMillis+12*hour },
		"a": func(at int64) bool {
			return at >= dayMillis+12*hour && (at < 2*dayMillis+3*hour || at > 2*dayMillis+7*hour)
		},
		"b": func(at int64) bool {
			return at >= dayMillis+12*hour && (at < 2*dayMillis+13*hour || at > 2*dayMillis+15*hour)
		},
	} {
		of := o
		of.Replica = name
		db := dial(t, of)
		b := Batch{Series: []labels.Labels{series1("work_total")}}
		for at := int64(len(name)) * 20_000; at < 4*dayMillis; at += minute {
			if name == "b" {
				at += 7
			}
			if has(at) {
				b.Ref, b.Time, b.Value = append(b.Ref, 0), append(b.Time, begin+at), append(b.Value, float64(at/1000))
			}
		}
		if err := db.WriteSamples(t.Context(), "of "+name, b); err != nil {
			t.Fatal(err)
		}
	}
	db := dial(t, o)
	ms := labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "work_total")
	for _, from := range []string{"samples", "rollups"} {
		for function, want := range map[string]float64{"count_over_time": 1440, "increase": 86400, "rate": 1} {
			for _, step := range []int64{0, dayMillis, hour} {
				start := begin + dayMillis
				if step == 0 {
					start = begin + 2*dayMillis
				}
				end := begin + 4*dayMillis
				if step == 0 {
					end = start
				}
				got, err := db.OverTime(t.Context(), function, start, end, step, dayMillis, ms)
				if err != nil || len(got) != 1 {
					t.Fatalf("%s of %s: %v %v", function, from, got, err)
				}
				n := 0
				for it := got[0].Iterator(nil); it.Next() != 0; n++ {
					if at, v := it.At(); math.Abs(v-want) > 0.01*want {
						t.Errorf("%s of %s, step %d h, the day until %d h: %g, want %g", function, from, step/hour, (at-begin)/hour, v, want)
					}
				}
				if step != 0 && n != int((end-start)/step)+1 || n == 0 {
					t.Errorf("%s of %s, step %d h: %d values", function, from, step/hour, n)
				}
			}
		}
		if _, err := db.Roll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
