package query

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
)

// However many questions there are, what is remembered of them is bounded; what has expired
// goes first, and everything when the hot storage begins elsewhere.
func TestRecentIsBounded(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	r := newRecent(time.Hour, func() time.Time { return now })
	const start = 700_000 // five minutes ago
	put := func(key string, samples int) {
		r.put(key, start, &answer{from: 0, samples: samples, series: []*computed{{labels: labels.FromStrings("a", key), points: []promql.FPoint{{T: 600_000, F: 1}}}}})
	}
	has := func(key string, start int64) bool {
		series, ok := r.get(key, start, 500_000)
		return ok && len(series) == 1
	}
	sum := func() (n int) {
		for _, a := range r.answers {
			n += a.samples
		}
		return n
	}
	put("old", recentSamples/4)
	now = now.Add(recentMost)
	if has("old", start) {
		t.Error("an answer serves longer than it may")
	}
	put("a", recentSamples/4)
	if r.answers["old"] != nil || !has("a", start) {
		t.Error("what had expired was kept, or what is new was not")
	}
	for i := range 20 {
		key := string(rune('b' + i))
		put(key, recentSamples/4)
		put(key, recentSamples/4) // again: in place of the first
		if r.samples != sum() || r.samples > recentSamples || !has(key, start) {
			t.Fatalf("%d samples counted, %d kept of at most %d, the newest: %v", r.samples, sum(), recentSamples, has(key, start))
		}
	}
	if len(r.answers) != 4 {
		t.Errorf("%d answers of a quarter each", len(r.answers))
	}
	if has("u", start+1) {
		t.Error("an answer until another start serves")
	}
	r.put("z", start+1, &answer{samples: 1})
	if len(r.answers) != 1 || r.samples != 1 {
		t.Errorf("%d answers, %d samples after another start", len(r.answers), r.samples)
	}
}

// An answer that would take more than a quarter of the room is whole, and not kept.
func TestLargeAnswersAreNotRemembered(t *testing.T) {
	asked := 0
	long := storage.QueryableFunc(func(_, _ int64) (storage.Querier, error) {
		return &storage.MockQuerier{SelectMockFunction: func(_ bool, _ *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
			asked++
			n := int64(4)
			if ms[0].Value == "large" {
				n = 5
			}
			c := &computed{labels: labels.FromStrings("__name__", ms[0].Value)}
			for at := range n {
				c.points = append(c.points, promql.FPoint{T: 400_000 + at, F: 1})
			}
			return &longListed{series: []storage.Series{c}}
		}}, nil
	})
	q, err := New(Options{Hot: nothing{}, LongTerm: long, Recent: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	q.recent.most = 16
	for _, c := range []struct {
		name    string
		samples int
		asked   int
	}{{"small", 4, 1}, {"small", 4, 1}, {"large", 5, 2}, {"large", 5, 3}} {
		querier, err := q.Querier(300_000, 900_000)
		if err != nil {
			t.Fatal(err)
		}
		set := querier.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", c.name))
		n := 0
		for set.Next() {
			one, _ := gathered(set.At())
			n += len(one.points)
		}
		if n != c.samples || asked != c.asked || set.Err() != nil {
			t.Errorf("%s: %d samples, asked %d times, %v; want %d and %d", c.name, n, asked, set.Err(), c.samples, c.asked)
		}
		if err := querier.Close(); err != nil {
			t.Error(err)
		}
	}
}

// nothing is a hot storage that begins at 500 s and has no series.
type nothing struct{}

func (nothing) StartTime() (int64, error)                   { return 500_000, nil }
func (nothing) Querier(_, _ int64) (storage.Querier, error) { return storage.NoopQuerier(), nil }
