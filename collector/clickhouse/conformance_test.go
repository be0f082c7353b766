package clickhouse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"mcloud/collector/embedded/embeddedtest"
)

// TestConformance is what a ClickHouse server or cluster has to do for mCloud: make
// test-clickhouse runs it on one of yours. Its parts are tests of this package, which run
// against the embedded engine one by one.
func TestConformance(t *testing.T) {
	if !embeddedtest.Served() {
		t.Skip("MCLOUD_CLICKHOUSE_URL names no server; here its parts run by themselves")
	}
	for _, part := range []struct {
		name string
		test func(*testing.T)
	}{
		{"migrations", TestMigrate},
		{"migrations by several at once", TestMigrateTogether},
		{"every bit of a sample", TestSamplesComeBack},
		{"batches exactly once", TestBatchesOnce},
		{"series keep their ids", TestSeriesIDs},
		{"queries are Prometheus's", TestSelectIsPrometheus},
		{"labels are Prometheus's", TestLabelsArePrometheus},
		{"inexact is said", TestOverTimeRefusesWhatIsInexact},
		{"limits", TestOverTimeIsBounded},
		{"rollups", TestRollupsAreTheirSamples},
		{"late samples", TestLateSamples},
		{"hours that are not over", TestOpenUnitsWait},
		{"retention", TestRetain},
		{"cancellation", TestCancelReachesTheStore},
		{"two writers of samples", TestTwoWriters},
		{"two writers of inventories and events", TestInventoryOfTwoCollectors},
		{"inventories", TestInventory},
		{"events", TestEvents},
	} {
		t.Run(part.name, part.test)
	}
}

// Batches of several weeks are sent again and again under their tokens, by two processes
// at once, of which calls are broken off: each sample is there once.
func TestBatchesOnce(t *testing.T) {
	o := fresh(t, later)
	r := rand.New(rand.NewPCG(21, 1))
	parts := history(r, 20).split(r, 6)
	total := 0
	for _, p := range parts {
		total += len(p.Ref)
	}
	var wg sync.WaitGroup
	for writer := range 2 {
		db := dial(t, o)
		r := rand.New(rand.NewPCG(22, uint64(writer)))
		wg.Go(func() {
			for _, i := range append(r.Perm(len(parts)), r.Perm(len(parts))...) {
				broken, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(150))*time.Millisecond)
				_ = db.WriteSamples(broken, fmt.Sprint("part ", i), parts[i])
				cancel()
				if err := db.WriteSamples(t.Context(), fmt.Sprint("part ", i), parts[i]); err != nil {
					t.Errorf("part %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	db := dial(t, o)
	if c, err := db.CountCheck(t.Context()); err != nil || c.Total != uint64(total) || c.Duplicate != 0 {
		t.Errorf("%+v, want %d samples: %v", c, total, err)
	}
}

// Two collectors write what they scraped of the same series, each under its name, while a
// third process computes rollups: there is one series, and the rollups of each replica
// are those of its samples.
func TestTwoWriters(t *testing.T) {
	o := fresh(t, later)
	var wg sync.WaitGroup
	for k, name := range []string{"a", "b"} {
		of := o
		of.Replica = name
		db := dial(t, of)
		b := Batch{Series: []labels.Labels{series1("up", "host", "h1"), series1("up", "host", "h2")}}
		for at := base + int64(k)*7000; at < base+8*3600_000; at += 15_000 {
			if k == 0 && at > base+2*3600_000 && at < base+3*3600_000 {
				continue // a was down
			}
			b.Ref, b.Time, b.Value = append(b.Ref, 0, 1), append(b.Time, at, at+1), append(b.Value, float64(k), float64(k))
		}
		r := rand.New(rand.NewPCG(23, uint64(k)))
		wg.Go(func() {
			for i, part := range b.split(r, 4) {
				if err := db.WriteSamples(t.Context(), fmt.Sprint(name, i), part); err != nil {
					t.Error(err)
				}
				if _, err := db.Roll(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	db := dial(t, o)
	if _, err := db.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := read(t, db, base, base+8*3600_000, labels.MustNewMatcher(labels.MatchEqual, "__name__", "up"))
	if len(got) != 2 {
		t.Fatalf("%d series", len(got))
	}
	for ls, samples := range got {
		if n := len(samples); n < 8*240-2 || n > 8*240+2 {
			t.Errorf("%s: %d samples, want those of one collector", ls, n)
		}
	}
	// Per replica, rollups are their samples, whoever computed them when.
	for _, name := range []string{"a", "b"} {
		want := bucketed(read(t, db, base, base+8*3600_000, labels.MustNewMatcher(labels.MatchEqual, "__replica__", name)), 3600_000)
		hours, seen := 0, map[bucketKey]bucketRow{}
		for k, row := range rollupsOf(t, db, "rollup_1h") {
			if ls := k.series; strings.Contains(ls, `__replica__="`+name+`"`) {
				seen[bucketKey{strings.Replace(ls, `__replica__="`+name+`", `, "", 1), k.end}] = row
			}
		}
		for k, w := range want {
			if g, is := seen[k]; !is || w.differs(g) {
				t.Errorf("%s of %s at %d: %+v, want %+v", k.series, name, k.end, g, w)
			}
			hours++
		}
		if hours < 14 {
			t.Errorf("%s: %d hours", name, hours)
		}
	}
}
