package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// fanout is a Querier over a range that begins before the hot storage does.
type fanout struct {
	q                 *Queryable
	hot               storage.Querier
	mint, maxt, start int64

	mu       sync.Mutex
	deadline time.Time // of the whole query's long-term part, set at its first question
	closers  []func() error
}

// Select asks the store only when the selector reaches back behind the hot storage.
func (f *fanout) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	mint, maxt := f.mint, f.maxt
	if hints != nil {
		mint, maxt = hints.Start, hints.End
	}
	mint, maxt, needed := window(mint, maxt, f.start)
	if !needed {
		return f.hot.Select(ctx, sorted, hints, matchers...)
	}
	var longHints *storage.SelectHints
	if hints != nil {
		h := *hints
		h.Start, h.End = mint, maxt
		longHints = &h
	}
	limit := 0
	if hints != nil {
		limit = hints.Limit
	}
	var long storage.SeriesSet
	if r := f.q.recent; r != nil && limit == 0 && maxt == f.start-1 && maxt-mint < r.span.Milliseconds() {
		long = f.recent(ctx, mint, matchers)
	} else {
		long = &longSet{fanout: f, open: func() (storage.SeriesSet, error) {
			ctx, querier, err := f.ask(ctx, mint, maxt)
			if err != nil {
				return nil, err
			}
			return querier.Select(ctx, true, longHints, matchers...), nil
		}}
	}
	merge := storage.ChainedSeriesMerge
	if f.q.opts.Replicated {
		merge = hotFirst
	}
	return storage.NewMergeSeriesSet([]storage.SeriesSet{f.hot.Select(ctx, true, hints, matchers...), long}, limit, merge)
}

// ask opens the store's part under the query's deadline.
func (f *fanout) ask(ctx context.Context, mint, maxt int64) (context.Context, storage.Querier, error) {
	if err := f.q.breaker.allow(); err != nil {
		return nil, nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.deadline.IsZero() {
		f.deadline = time.Now().Add(f.q.opts.Timeout)
	}
	bounded, cancel := context.WithDeadline(ctx, f.deadline)
	querier, err := f.q.opts.LongTerm.Querier(mint, maxt)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	f.closers = append(f.closers, func() error { cancel(); return querier.Close() })
	return bounded, querier, nil
}

// outcome notes how the store did and turns its error into a warning. A query that its
// asker gave up says nothing about the store.
func (f *fanout) outcome(err error, took time.Duration) annotations.Annotations {
	f.q.metrics.observe(err, took)
	if err == nil {
		f.q.breaker.success()
		return nil
	}
	if !errors.Is(err, context.Canceled) && !errors.Is(err, errPaused) && f.q.opts.Unavailable(err) {
		f.q.breaker.failure(err)
	}
	until := "before " + time.UnixMilli(f.start).UTC().Format(time.RFC3339)
	if f.start > f.maxt {
		until = "in this range"
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w (a query waits for it %s)", err, f.q.opts.Timeout)
	}
	return annotations.New().Add(fmt.Errorf("partial result: the long-term store did not answer, samples %s may be missing: %w", until, err))
}

func (f *fanout) LabelValues(ctx context.Context, name string, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return f.both(ctx, hints, func(ctx context.Context, q storage.LabelQuerier) ([]string, annotations.Annotations, error) {
		return q.LabelValues(ctx, name, hints, matchers...)
	})
}

func (f *fanout) LabelNames(ctx context.Context, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return f.both(ctx, hints, func(ctx context.Context, q storage.LabelQuerier) ([]string, annotations.Annotations, error) {
		return q.LabelNames(ctx, hints, matchers...)
	})
}

func (f *fanout) both(ctx context.Context, hints *storage.LabelHints, get func(context.Context, storage.LabelQuerier) ([]string, annotations.Annotations, error)) ([]string, annotations.Annotations, error) {
	values, warnings, err := get(ctx, f.hot)
	if err != nil {
		return nil, warnings, err
	}
	mint, maxt, needed := window(f.mint, f.maxt, f.start)
	if !needed {
		return values, warnings, nil
	}
	started := time.Now()
	bounded, querier, err := f.ask(ctx, mint, maxt)
	if err == nil {
		var more []string
		var w annotations.Annotations
		more, w, err = get(bounded, querier)
		// Copied: the store's strings need not outlive its querier.
		values = append(slices.Clone(values), more...)
		slices.Sort(values)
		values = slices.Compact(values)
		warnings.Merge(w)
	}
	if ctx.Err() != nil {
		return nil, warnings, ctx.Err()
	}
	warnings.Merge(f.outcome(err, time.Since(started)))
	if hints != nil && hints.Limit > 0 && len(values) > hints.Limit {
		values = values[:hints.Limit]
	}
	return values, warnings, nil
}

// Close closes both parts; an error of the store's part is not worth a failed query.
func (f *fanout) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.closers {
		if err := c(); err != nil {
			f.q.metrics.closeErrors.Inc()
		}
	}
	f.closers = nil
	return f.hot.Close()
}

// longSet is the store's series set, whose error is a warning. It opens at the first
// Next.
type longSet struct {
	fanout   *fanout
	open     func() (storage.SeriesSet, error)
	set      storage.SeriesSet
	started  time.Time
	done     bool
	whole    bool // done, and the store answered all of it
	warnings annotations.Annotations
}

func (s *longSet) Next() bool {
	if s.done {
		return false
	}
	var err error
	if s.set == nil {
		s.started = time.Now()
		s.set, err = s.open()
	}
	if err == nil {
		if s.set.Next() {
			return true
		}
		err = s.set.Err()
		s.warnings.Merge(s.set.Warnings())
	}
	s.done, s.whole = true, err == nil
	s.warnings.Merge(s.fanout.outcome(err, time.Since(s.started)))
	return false
}

func (s *longSet) At() storage.Series                { return longSeries{s.set.At()} }
func (s *longSet) Err() error                        { return nil }
func (s *longSet) Warnings() annotations.Annotations { return s.warnings }

type chunkQuerier struct {
	storage.LabelQuerier
	querier storage.Querier
}

func (c chunkQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.ChunkSeriesSet {
	return storage.NewSeriesSetToChunkSet(c.querier.Select(ctx, sorted, hints, matchers...))
}
