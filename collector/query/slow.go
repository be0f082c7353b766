package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcloud"
)

// SlowStore keeps slow queries for good. It returns nil when all are stored; storing
// the same again changes nothing.
type SlowStore interface {
	WriteSlowQueries(ctx context.Context, queries []mcloud.SlowQuery) error
}

const (
	// maxWaiting bounds the slow queries that wait for the store: 10 MB at most.
	maxWaiting = 1000
	// slowBatch is how many are written at once.
	slowBatch = 200
	// slowGather is how long the first of a batch waits for more.
	slowGather = time.Second
	// slowWrite bounds one try to write them.
	slowWrite = 10 * time.Second
	// slowFarewell bounds the last try, when the collector ends.
	slowFarewell = 2 * time.Second
	// slowestRetry is how long the store is left alone at most.
	slowestRetry = 30 * time.Second
)

// SlowLog brings slow queries to the store, behind the queries' backs: Keep never waits.
// While the store is away they wait within a bound; what does not fit is counted.
type SlowLog struct {
	store   SlowStore
	logger  *slog.Logger
	gather  time.Duration
	wake    chan struct{} // has one when something waits
	stored  prometheus.Counter
	dropped *prometheus.CounterVec

	mu      sync.Mutex
	waiting []mcloud.SlowQuery
}

// NewSlowLog returns one whose Run brings what is kept to the store.
func NewSlowLog(store SlowStore, logger *slog.Logger, reg prometheus.Registerer) (*SlowLog, error) {
	s := &SlowLog{
		store: store, logger: logger, gather: slowGather, wake: make(chan struct{}, 1),
		stored: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mcloud_query_slow_stored_total", Help: "Slow queries that the store's table slow_queries has.",
		}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcloud_query_slow_dropped_total", Help: "Slow queries that did not come into the store's table, by reason: full (the store was away for too many of them), refused (by the store), ended (the collector did, while the store was away). The log has each of them.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{"full", "refused", "ended"} {
		s.dropped.WithLabelValues(reason)
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mcloud_query_slow_waiting", Help: fmt.Sprintf("Slow queries that wait for the store, at most %d.", maxWaiting),
	}, func() float64 { return float64(len(s.first(maxWaiting))) })
	for _, c := range []prometheus.Collector{s.stored, s.dropped, waiting} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Keep takes one query. It may be called concurrently.
func (s *SlowLog) Keep(q mcloud.SlowQuery) {
	q.ID = fmt.Sprintf("%016x", rand.Uint64())
	q.Time = q.Time.UTC().Truncate(time.Millisecond)
	q.Expression, q.Error, q.User = cut(q.Expression, mcloud.MaxSlowExpression), cut(q.Error, mcloud.MaxSlowExpression), cut(q.User, mcloud.MaxSlowExpression)
	s.mu.Lock()
	full := len(s.waiting) >= maxWaiting
	if !full {
		s.waiting = append(s.waiting, q)
	}
	s.mu.Unlock()
	if full {
		s.dropped.WithLabelValues("full").Inc()
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// cut bounds a text to so many bytes, and makes it one of UTF-8.
func cut(text string, most int) string {
	const more = "…"
	if len(text) > most {
		text = text[:most-len(more)] + more
	}
	return strings.ToValidUTF8(text, "")
}

// first are the n that wait longest.
func (s *SlowLog) first(n int) []mcloud.SlowQuery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting[:min(n, len(s.waiting)):min(n, len(s.waiting))]
}

// done forgets the n that waited longest.
func (s *SlowLog) done(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append([]mcloud.SlowQuery(nil), s.waiting[n:]...)
}

// Run writes what is kept, until ctx ends; then it tries once more.
func (s *SlowLog) Run(ctx context.Context) error {
	defer s.farewell()
	pause := time.Duration(0)
	for {
		wait := s.wake
		if pause > 0 {
			wait = nil // the store is away: more to write is no reason to try earlier
		}
		var again <-chan time.Time
		if pause > 0 {
			again = time.After(pause)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again:
		case <-wait:
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(s.gather):
			}
		}
		err := s.write(ctx, slowWrite)
		switch {
		case err == nil:
			pause = 0
		case pause == 0:
			pause = s.gather
			s.logger.Warn("slow queries wait for the store", "waiting", len(s.first(maxWaiting)), "most", maxWaiting, "err", err)
		default:
			pause = min(2*pause, slowestRetry)
		}
	}
}

// write brings all that waits to the store, or returns why not.
func (s *SlowLog) write(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		batch := s.first(slowBatch)
		if len(batch) == 0 {
			return nil
		}
		err := s.store.WriteSlowQueries(ctx, batch)
		switch {
		case errors.Is(err, mcloud.ErrInvalid): // and would be for ever
			s.dropped.WithLabelValues("refused").Add(float64(len(batch)))
			s.logger.Error("the store refuses slow queries", "queries", len(batch), "err", err)
		case err != nil:
			return err
		default:
			s.stored.Add(float64(len(batch)))
		}
		s.done(len(batch))
	}
}

func (s *SlowLog) farewell() {
	err := s.write(context.Background(), slowFarewell)
	if left := len(s.first(maxWaiting)); left > 0 {
		s.dropped.WithLabelValues("ended").Add(float64(left))
		s.logger.Warn("slow queries did not come into the store", "queries", left, "err", err)
	}
}
