// Package query answers PromQL's questions from two places: the hot TSDB from its
// first sample on, the long-term store before that, as one storage.Queryable.
//
// The store is asked only for what the TSDB does not have. When it is away, answers
// that the TSDB has whole stay whole and without a warning; others come with what the
// TSDB has and a warning that names the missing time. Nothing waits for the store
// beyond a deadline, and once it did not answer it is left alone for some seconds.
package query

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/storage"
)

// Hot is the TSDB. Every sample at or after StartTime (Unix milliseconds;
// math.MaxInt64 when it is empty) is in it, none before.
type Hot interface {
	storage.Queryable
	StartTime() (int64, error)
}

// Options of a Queryable. Hot is required.
type Options struct {
	Hot Hot
	// LongTerm may be nil: then there is only Hot.
	LongTerm storage.Queryable
	// Replicated says that other collectors ship the same series to LongTerm: it is asked
	// for gaps of Hot before StartTime, see package replica.
	Replicated bool
	// Evaluator is LongTerm for PushDown; nil: nothing is pushed down.
	Evaluator Evaluator
	// Recent is how long before StartTime a question may begin for its answer to be used again for
	// the next ones, for as long as the hot storage is old and at most 5 min; 0: it never is.
	Recent time.Duration
	// Timeout bounds the long-term part of one query (30 s).
	Timeout time.Duration
	// Pause is how long the store is not asked after it did not answer (10 s).
	Pause time.Duration
	// Unavailable tells errors that mean the store is away from those that mean it
	// did not like the question. Nil: timeouts and errors of the network.
	Unavailable func(error) bool
	Registerer  prometheus.Registerer
	Now         func() time.Time
}

// Queryable is a storage.SampleAndChunkQueryable. It may be used concurrently.
type Queryable struct {
	opts    Options
	breaker *breaker
	metrics *metrics
	recent  *recent // nil: nothing is remembered
}

// New returns a Queryable over both.
func New(opts Options) (*Queryable, error) {
	if opts.Hot == nil {
		return nil, errors.New("query needs a hot storage")
	}
	if opts.Timeout <= 0 {
		opts.Timeout = 30 * time.Second
	}
	if opts.Pause <= 0 {
		opts.Pause = 10 * time.Second
	}
	if opts.Unavailable == nil {
		opts.Unavailable = networkError
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Registerer == nil {
		opts.Registerer = prometheus.NewRegistry()
	}
	m, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, err
	}
	q := &Queryable{opts: opts, breaker: &breaker{pause: opts.Pause, now: opts.Now}, metrics: m}
	if opts.Recent > 0 {
		q.recent = newRecent(opts.Recent, opts.Now)
	}
	return q, nil
}

// WithTimeout returns the same Queryable with another bound of the long-term part:
// rules must not wait as long as people may.
func (q *Queryable) WithTimeout(d time.Duration) *Queryable {
	other := *q
	other.opts.Timeout = d
	return &other
}

// Querier covers [mint, maxt], Unix milliseconds.
func (q *Queryable) Querier(mint, maxt int64) (storage.Querier, error) {
	hot, err := q.opts.Hot.Querier(mint, maxt)
	if err != nil {
		return nil, fmt.Errorf("hot storage: %w", err)
	}
	// Asked after the querier was opened: should a block be deleted in between, the two
	// parts overlap, and equal samples are merged. The other way round there were a gap.
	start, err := q.opts.Hot.StartTime()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("hot storage: %w", err), hot.Close())
	}
	if q.opts.LongTerm == nil || mint >= start {
		return hot, nil
	}
	return &fanout{q: q, hot: hot, mint: mint, maxt: maxt, start: start}, nil
}

// ChunkQuerier serves remote read: the same samples, encoded again.
func (q *Queryable) ChunkQuerier(mint, maxt int64) (storage.ChunkQuerier, error) {
	querier, err := q.Querier(mint, maxt)
	if err != nil {
		return nil, err
	}
	return chunkQuerier{LabelQuerier: querier, querier: querier}, nil
}

func networkError(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n)
}

// window clips a question to the part before start; ok is false when nothing is left.
func window(mint, maxt, start int64) (int64, int64, bool) {
	if start != math.MinInt64 {
		maxt = min(maxt, start-1)
	}
	return mint, maxt, mint <= maxt
}
