package query

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
)

// Log is an engine that tells what queries cost. A query that took longer than Slow is
// logged as a warning and counted; with All every query is logged.
type Log struct {
	promql.QueryEngine
	logger  *slog.Logger
	all     bool
	slow    time.Duration
	seconds *prometheus.HistogramVec
	slows   prometheus.Counter
}

// NewLog wraps an engine; slow ≤ 0 stands for 10 s. A logger that writes JSON makes the
// query log lines of JSON.
func NewLog(e promql.QueryEngine, logger *slog.Logger, all bool, slow time.Duration, reg prometheus.Registerer) (*Log, error) {
	if slow <= 0 {
		slow = 10 * time.Second
	}
	l := &Log{QueryEngine: e, logger: logger, all: all, slow: slow,
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mcloud_query_duration_seconds", Help: "Time of queries of the API, by kind (instant or range) and result (ok, error or cancelled).",
			Buckets: prometheus.ExponentialBuckets(0.002, 2, 16),
		}, []string{"kind", "result"}),
		slows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mcloud_query_slow_total", Help: "Queries of the API that took longer than collector.query.slow; the log has each of them.",
		}),
	}
	for _, c := range []prometheus.Collector{l.seconds, l.slows} {
		if err := reg.Register(c); err != nil {
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
	return &loggedQuery{Query: one, log: l, kind: "instant", attrs: []any{"query", expr, "at", at.UTC()}}, nil
}

// NewRangeQuery implements promql.QueryEngine.
func (l *Log) NewRangeQuery(ctx context.Context, q storage.Queryable, o promql.QueryOpts, expr string, start, end time.Time, step time.Duration) (promql.Query, error) {
	one, err := l.QueryEngine.NewRangeQuery(ctx, q, o, expr, start, end, step)
	if err != nil {
		return nil, err
	}
	return &loggedQuery{Query: one, log: l, kind: "range", attrs: []any{"query", expr, "start", start.UTC(), "end", end.UTC(), "step", step.Seconds()}}, nil
}

type loggedQuery struct {
	promql.Query
	log   *Log
	kind  string
	attrs []any
}

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
	l.seconds.WithLabelValues(q.kind, result).Observe(took.Seconds())
	slow := took > l.slow
	if !slow && !l.all {
		return res
	}
	attrs := append(q.attrs[:len(q.attrs):len(q.attrs)], "seconds", took.Seconds(), "result", result, "warnings", len(res.Warnings))
	if s := q.Stats(); s != nil && s.Samples != nil {
		attrs = append(attrs, "samples", s.Samples.TotalSamples, "peak_samples", s.Samples.PeakSamples)
	}
	if p, is := q.Query.(*pushedQuery); is {
		attrs = append(attrs, "pushed_down", p.pushed != nil)
	}
	if res.Err != nil {
		attrs = append(attrs, "err", res.Err)
	}
	if slow {
		l.slows.Inc()
		l.logger.Warn("slow query", attrs...)
	} else {
		l.logger.Info("query", attrs...)
	}
	return res
}
