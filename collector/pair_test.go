package collector_test

import (
	"bytes"
	"fmt"
	"math"
	"net/url"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"mcloud/collector"
	"mcloud/collector/clickhouse"
	"mcloud/collector/embedded/embeddedtest"
	"mcloud/collector/replica"
)

// Two collectors scrape one target into one store, and evaluate the same rules: one series of
// each, pages with the same labels from both; and it goes on when the first one stops.
func TestTwoCollectorsOfOneStore(t *testing.T) {
	place, database := embeddedtest.Database(t)
	first := newSite(t)
	second := &site{t: t, dir: t.TempDir(), store: first.store, log: &bytes.Buffer{}, pages: first.pages, config: first.config}
	dbs := map[string]*clickhouse.DB{}
	start := func(name string, s *site) *running {
		db, err := clickhouse.Open(t.Context(), clickhouse.Options{URL: place, Database: database, Replica: name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		dbs[name] = db
		s.options = func(o *collector.Options) {
			o.Replica, o.Store, o.LongTerm, o.Evaluator = name, sampleStore{db}, db, db
		}
		return s.run()
	}
	a, b := start("a", first), start("b", second)
	// stored are the labels of a metric's series in the store, and the time of the newest sample.
	stored := func(metric string, more ...*labels.Matcher) (series []string, newest int64) {
		t.Helper()
		q, err := dbs["b"].Querier(0, math.MaxInt64)
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		set := q.Select(t.Context(), true, nil, append(more, labels.MustNewMatcher(labels.MatchEqual, "__name__", metric))...)
		for set.Next() {
			series = append(series, set.At().Labels().String())
			for it := set.At().Iterator(nil); it.Next() != 0; {
				at := it.AtT()
				if at <= newest && len(series) == 1 {
					t.Errorf("%s goes from %d back to %d", metric, newest, at)
				}
				newest = max(newest, at)
			}
		}
		if err := set.Err(); err != nil {
			t.Fatal(err)
		}
		return series, newest
	}
	within := func(what string, is func() bool) {
		t.Helper()
		for end := time.Now().Add(60 * time.Second); !is(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: not within a minute", what)
			}
		}
	}
	of := func(name string) *labels.Matcher {
		return labels.MustNewMatcher(labels.MatchEqual, replica.Label, name)
	}
	for _, metric := range []string{"machines", "job:machines:sum", "ALERTS"} {
		within(metric+" of both in the store", func() bool {
			byA, _ := stored(metric, of("a"))
			byB, _ := stored(metric, of("b"))
			return len(byA) > 0 && len(byA) == len(byB)
		})
		all, _ := stored(metric)
		byA, _ := stored(metric, of("a"))
		if fmt.Sprint(all) != fmt.Sprint(byA) {
			t.Errorf("%s: the series are %v, those of a are %v", metric, all, byA)
		}
	}
	// Alertmanager knows who sends by the link only.
	pages := map[string]string{}
	within("pages of both", func() bool {
		for len(first.pages) > 0 {
			page := <-first.pages
			if link, err := url.Parse(fmt.Sprint(page["generatorURL"])); err == nil {
				pages[link.Host] = fmt.Sprint(page["labels"])
			}
		}
		return len(pages) == 2
	})
	if pages[a.Addr()] != pages[b.Addr()] || pages[a.Addr()] == "" {
		t.Errorf("pages differ: %v", pages)
	}
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now().UnixMilli()
	within("samples after a stopped", func() bool {
		series, newest := stored("machines")
		return len(series) == 2 && newest > stopped+1000
	})
	b.value("sum(machines)", "3")
}
