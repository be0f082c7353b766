package query

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"

	"mcloud"
)

// LogOptions of a Log. Logger and Registerer are required.
type LogOptions struct {
	Logger *slog.Logger
	// All logs every query, not the slow ones only.
	All bool
	// Slow is from when on a query is slow; 5 s when it is not above 0.
	Slow time.Duration
	// Keep takes the slow queries and those that ran into a limit; nil: nobody does.
	Keep func(mcloud.SlowQuery)
	// TooMuch tells the long-term store's errors that mean that a query would load too
	// much; nil: none do.
	TooMuch func(error) bool
	// User is who asks; nil: that is not known.
	User func(context.Context) string
	// Collector is this collector's name among several.
	Collector  string
	Registerer prometheus.Registerer
}

// Log is an engine that tells what queries cost. A query that took longer than Slow is
// logged as a warning, counted and kept, and so is one that ran into a limit, whole or
// with the part of it that the long-term store has.
type Log struct {
	promql.QueryEngine
	opts    LogOptions
	seconds *prometheus.HistogramVec
	slows   prometheus.Counter
	limited *prometheus.CounterVec
}

// NewLog wraps an engine. A logger that writes JSON makes the query log lines of JSON.
func NewLog(e promql.QueryEngine, o LogOptions) (*Log, error) {
	if o.Slow <= 0 {
		o.Slow = 5 * time.Second
	}
	if o.Keep == nil {
		o.Keep = func(mcloud.SlowQuery) {}
	}
	if o.TooMuch == nil {
		o.TooMuch = func(error) bool { return false }
	}
	if o.User == nil {
		o.User = func(context.Context) string { return "" }
	}
	l := &Log{QueryEngine: e, opts: o,
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mcloud_query_duration_seconds", Help: "Time of queries of the API, by kind (instant or range) and result (ok, error or cancelled).",
			Buckets: prometheus.ExponentialBuckets(0.002, 2, 16),
		}, []string{"kind", "result"}),
		slows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mcloud_query_slow_total", Help: "Queries of the API that took longer than collector.query.slow; the log has each of them, and so has mcloud store slow-queries.",
		}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcloud_query_limited_total", Help: "Queries of the API that ran into a limit, whole or with their long-term part, by which: limit (of samples) or timeout.",
		}, []string{"reason"}),
	}
	for _, r := range []mcloud.SlowReason{mcloud.SlowLimit, mcloud.SlowTimeout} {
		l.limited.WithLabelValues(string(r))
	}
	for _, c := range []prometheus.Collector{l.seconds, l.slows, l.limited} {
		if err := o.Registerer.Register(c); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// NewInstantQuery implements promql.QueryEngine.
func (l *Log) NewInstantQuery(ctx context.Context, q storage.Queryable, o promql.QueryOpts, expr string, at time.Time) (promql.Query, error) {
	one, err := l.QueryEngine.NewInstantQuery(ctx, q, o, expr, at)
	if err != nil {
		return nil, err
	}
	asked := mcloud.SlowQuery{Kind: "instant", Expression: expr, Start: at.UTC(), End: at.UTC()}
	return &loggedQuery{Query: one, log: l, asked: asked, attrs: []any{"at", at.UTC()}}, nil
}

// NewRangeQuery implements promql.QueryEngine.
func (l *Log) NewRangeQuery(ctx context.Context, q storage.Queryable, o promql.QueryOpts, expr string, start, end time.Time, step time.Duration) (promql.Query, error) {
	one, err := l.QueryEngine.NewRangeQuery(ctx, q, o, expr, start, end, step)
	if err != nil {
		return nil, err
	}
	asked := mcloud.SlowQuery{Kind: "range", Expression: expr, Start: start.UTC(), End: end.UTC(), StepSeconds: step.Seconds()}
	return &loggedQuery{Query: one, log: l, asked: asked, attrs: []any{"start", start.UTC(), "end", end.UTC(), "step", step.Seconds()}}, nil
}

type loggedQuery struct {
	promql.Query
	log   *Log
	asked mcloud.SlowQuery
	attrs []any
}

// warnedExpression bounds a query in a warning, in bytes: one that names 2,000 hosts fills
// a screen.
const warnedExpression = 1000

// Exec implements promql.Query.
func (q *loggedQuery) Exec(ctx context.Context) *promql.Result {
	began := time.Now()
	res := q.Query.Exec(ctx)
	took := time.Since(began)
	result := "ok"
	switch {
	case res.Err != nil && ctx.Err() != nil:
		result = "cancelled"
	case res.Err != nil:
		result = "error"
	}
	l := q.log
	l.seconds.WithLabelValues(q.asked.Kind, result).Observe(took.Seconds())
	limit, why := l.limit(res)
	if limit != "" {
		l.limited.WithLabelValues(string(limit)).Inc()
	}
	slow := took > l.opts.Slow
	if slow {
		l.slows.Inc()
	}
	kept := slow || limit != ""
	if !kept && !l.opts.All {
		return res
	}
	asked := q.asked
	asked.Time, asked.Seconds, asked.Collector, asked.User = began.UTC(), took.Seconds(), l.opts.Collector, l.opts.User(ctx)
	expr := q.asked.Expression
	if kept {
		expr = cut(expr, warnedExpression) // the store's table has more of it
	}
	attrs := append(append([]any{"query", expr}, q.attrs...), "seconds", took.Seconds(), "result", result, "warnings", len(res.Warnings))
	if s := q.Stats(); s != nil && s.Samples != nil {
		asked.Samples, asked.PeakSamples = s.Samples.TotalSamples, int64(s.Samples.PeakSamples)
		attrs = append(attrs, "samples", s.Samples.TotalSamples, "peak_samples", s.Samples.PeakSamples)
	}
	if p, is := q.Query.(*pushedQuery); is {
		asked.PushedDown = p.pushed != nil
		attrs = append(attrs, "pushed_down", asked.PushedDown)
	}
	if asked.User != "" {
		attrs = append(attrs, "user", asked.User)
	}
	if res.Err != nil {
		attrs = append(attrs, "err", res.Err)
	}
	switch {
	case !kept:
		l.opts.Logger.Info("query", attrs...)
		return res
	case limit != "":
		asked.Reason, asked.Error = limit, why.Error()
		attrs = append(attrs, "limit", string(limit))
	case result == "cancelled":
		asked.Reason, asked.Error = mcloud.SlowCancelled, res.Err.Error()
	case res.Err != nil:
		asked.Reason, asked.Error = mcloud.SlowError, res.Err.Error()
	default:
		asked.Reason = mcloud.SlowAnswered
	}
	if slow {
		l.opts.Logger.Warn("slow query", attrs...)
	} else {
		l.opts.Logger.Warn("a query ran into a limit", attrs...)
	}
	l.opts.Keep(asked)
	return res
}

// limit says which limit a query ran into, and the error that says so: its own, or that
// of the long-term part, without which it was answered with a warning.
func (l *Log) limit(res *promql.Result) (mcloud.SlowReason, error) {
	var reason mcloud.SlowReason
	var why error
	look := func(err error) {
		if errors.Is(err, errPaused) {
			return // the question that ended in a timeout was another one
		}
		var stored promql.ErrStorage
		if errors.As(err, &stored) {
			err = stored.Err
		}
		var timeout promql.ErrQueryTimeout
		var samples promql.ErrTooManySamples
		switch {
		case errors.As(err, &samples), l.opts.TooMuch(err):
			reason, why = mcloud.SlowLimit, err
		case reason == "" && (errors.As(err, &timeout) || errors.Is(err, context.DeadlineExceeded)):
			reason, why = mcloud.SlowTimeout, err
		}
	}
	if res.Err != nil {
		look(res.Err)
	}
	for _, w := range res.Warnings {
		look(w)
	}
	return reason, why
}
