package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"

	"mcloud"
)

// slowStore fails as long as err is set.
type slowStore struct {
	mu    sync.Mutex
	err   error
	tries int
	kept  map[string]mcloud.SlowQuery
}

func (s *slowStore) WriteSlowQueries(_ context.Context, queries []mcloud.SlowQuery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if s.err != nil {
		return s.err
	}
	for _, q := range queries {
		s.kept[q.ID] = q
	}
	return nil
}

func (s *slowStore) set(err error) { s.mu.Lock(); defer s.mu.Unlock(); s.err = err }

func (s *slowStore) seen() (tries, kept int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries, len(s.kept)
}

func newSlowLog(t *testing.T, err error) (*SlowLog, *slowStore) {
	t.Helper()
	store := &slowStore{err: err, kept: map[string]mcloud.SlowQuery{}}
	s, err := NewSlowLog(store, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	s.gather = time.Millisecond
	return s, store
}

func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// While the store is away queries wait, within the bound, and Keep does not; those over
// the bound are counted. Later they are all written, each once.
func TestSlowLogWaitsForTheStore(t *testing.T) {
	s, store := newSlowLog(t, errors.New("away"))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	s.Keep(mcloud.SlowQuery{Expression: "first"})
	until(t, "a try", func() bool { tries, _ := store.seen(); return tries > 1 })
	for i := range maxWaiting + 4 {
		s.Keep(mcloud.SlowQuery{Expression: fmt.Sprint(i)})
	}
	if got := testutil.ToFloat64(s.dropped.WithLabelValues("full")); got != 5 {
		t.Errorf("%v dropped, want 5", got)
	}
	store.set(nil)
	until(t, "all written", func() bool { _, kept := store.seen(); return kept == maxWaiting })
	until(t, "none waits", func() bool { return len(s.first(1)) == 0 })
	if got := testutil.ToFloat64(s.stored); got != maxWaiting {
		t.Errorf("%v stored", got)
	}
	// What the store refuses for ever does not keep others from it.
	store.set(fmt.Errorf("%w: no", mcloud.ErrInvalid))
	s.Keep(mcloud.SlowQuery{})
	until(t, "refused", func() bool { return testutil.ToFloat64(s.dropped.WithLabelValues("refused")) == 1 })
	// At the end there is one more try, then they are counted.
	store.set(errors.New("away"))
	s.Keep(mcloud.SlowQuery{})
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := testutil.ToFloat64(s.dropped.WithLabelValues("ended")); got != 1 {
		t.Errorf("%v lost at the end, want 1", got)
	}
}

func TestSlowLogWritesAtTheEnd(t *testing.T) {
	s, store := newSlowLog(t, nil)
	s.Keep(mcloud.SlowQuery{Time: time.Unix(1, 1_999_999), Expression: strings.Repeat("ü", mcloud.MaxSlowExpression), Error: "a\xff"})
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if _, kept := store.seen(); kept != 1 {
		t.Fatalf("%d kept", kept)
	}
	for _, q := range store.kept {
		if len(q.Expression) > mcloud.MaxSlowExpression || !strings.HasSuffix(q.Expression, "…") || !utf8.ValidString(q.Expression) || q.Error != "a" {
			t.Errorf("%d bytes end with %q, error %q", len(q.Expression), q.Expression[len(q.Expression)-8:], q.Error)
		}
		if q.Time.UnixNano() != 1_001_000_000 || q.ID == "" {
			t.Errorf("%+v", q)
		}
	}
}

// warned is storage whose answers come with a warning.
type warned struct {
	storage.Queryable
	warning error
	hang    bool
}

func (w warned) Querier(mint, maxt int64) (storage.Querier, error) {
	q, err := w.Queryable.Querier(mint, maxt)
	return warnedQuerier{q, w}, err
}

type warnedQuerier struct {
	storage.Querier
	w warned
}

func (q warnedQuerier) Select(ctx context.Context, _ bool, hints *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	if q.w.hang {
		<-ctx.Done()
		return storage.ErrSeriesSet(ctx.Err())
	}
	set := q.Querier.Select(ctx, true, hints, ms...)
	if q.w.warning != nil {
		return warnedSet{set, q.w.warning}
	}
	return set
}

type warnedSet struct {
	storage.SeriesSet
	warning error
}

func (s warnedSet) Warnings() annotations.Annotations { return annotations.New().Add(s.warning) }

func TestLogKeepsSlowAndLimited(t *testing.T) {
	db := promqltest.LoadedStorage(t, "load 10s\n  x{a=\"1\"} 0+1x100\n  x{a=\"2\"} 0+1x100\n")
	tooMuch := errors.New("too much")
	for name, c := range map[string]struct {
		slow    time.Duration
		expr    string
		storage warned
		cancel  bool
		reason  mcloud.SlowReason
		fault   string
		warned  string // in the log
	}{
		"quick":                {time.Hour, "x", warned{}, false, "", "", ""},
		"slow":                 {1, "x", warned{}, false, mcloud.SlowAnswered, "", "slow query"},
		"samples":              {time.Hour, "sum_over_time(x[1000s])", warned{}, false, mcloud.SlowLimit, "too many samples", "ran into a limit"},
		"time":                 {time.Hour, "x", warned{hang: true}, false, mcloud.SlowTimeout, "timed out", "ran into a limit"},
		"long-term's samples":  {time.Hour, "x", warned{warning: fmt.Errorf("partial result: %w", tooMuch)}, false, mcloud.SlowLimit, "partial result: too much", "ran into a limit"},
		"long-term's time":     {time.Hour, "x", warned{warning: fmt.Errorf("partial: %w", context.DeadlineExceeded)}, false, mcloud.SlowTimeout, "partial", "ran into a limit"},
		"long-term not asked":  {time.Hour, "x", warned{warning: fmt.Errorf("partial: %w, last time: %w", errPaused, context.DeadlineExceeded)}, false, "", "", ""},
		"long-term away":       {time.Hour, "x", warned{warning: errors.New("away")}, false, "", "", ""},
		"slow and long":        {1, "x" + strings.Repeat(" ", 3000) + "* 1", warned{}, false, mcloud.SlowAnswered, "", "slow query"},
		"slow error":           {1, "x + on (a) group_left () x{a=\"1\"} + on () x", warned{}, false, mcloud.SlowError, "many", "slow query"},
		"slow and left":        {1, "x", warned{hang: true}, true, mcloud.SlowCancelled, "canceled", "slow query"},
		"left, but not slow":   {time.Hour, "x", warned{hang: true}, true, "", "", ""},
		"an error in no time":  {time.Hour, "x + on () x", warned{}, false, "", "", ""},
		"slow, without a name": {1, "1 + 1", warned{}, false, mcloud.SlowAnswered, "", "slow query"},
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			var kept []mcloud.SlowQuery
			p := parser.NewParser(parser.Options{})
			engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 50, Timeout: 300 * time.Millisecond, LookbackDelta: 5 * time.Minute, Parser: p})
			l, err := NewLog(engine, LogOptions{
				Logger: slog.New(slog.NewTextHandler(&text, nil)), Slow: c.slow, Collector: "a", Registerer: prometheus.NewRegistry(),
				Keep: func(q mcloud.SlowQuery) { kept = append(kept, q) }, TooMuch: func(err error) bool { return errors.Is(err, tooMuch) },
				User: func(context.Context) string { return "noc" },
			})
			if err != nil {
				t.Fatal(err)
			}
			c.storage.Queryable = db
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			query, err := l.NewRangeQuery(ctx, c.storage, nil, c.expr, time.Unix(900, 0), time.Unix(1000, 0), 50*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer query.Close()
			if c.cancel {
				time.AfterFunc(20*time.Millisecond, cancel)
			}
			query.Exec(ctx)
			if c.reason == "" {
				if len(kept) > 0 || text.Len() > 0 {
					t.Errorf("kept %+v, logged %s", kept, &text)
				}
				return
			}
			if len(kept) != 1 || !strings.Contains(text.String(), c.warned) || text.Len() > warnedExpression+500 {
				t.Fatalf("kept %+v, logged %s", kept, &text)
			}
			q := kept[0]
			if q.Reason != c.reason || !strings.Contains(q.Error, c.fault) || (c.fault == "") != (q.Error == "") {
				t.Errorf("%s %q, want %s %q", q.Reason, q.Error, c.reason, c.fault)
			}
			if q.Expression != c.expr || q.Kind != "range" || q.Start.Unix() != 900 || q.End.Unix() != 1000 || q.StepSeconds != 50 || q.User != "noc" || q.Collector != "a" || q.Seconds <= 0 || time.Since(q.Time) > time.Minute {
				t.Errorf("%+v", q)
			}
			if c.expr == "x" && c.reason == mcloud.SlowAnswered && (q.Samples != 6 || q.PeakSamples < 6) {
				t.Errorf("%d samples, %d at once", q.Samples, q.PeakSamples)
			}
			limited := testutil.ToFloat64(l.limited.WithLabelValues("limit")) + testutil.ToFloat64(l.limited.WithLabelValues("timeout"))
			if want := c.reason == mcloud.SlowLimit || c.reason == mcloud.SlowTimeout; (limited == 1) != want {
				t.Errorf("%v counted", limited)
			}
		})
	}
}
