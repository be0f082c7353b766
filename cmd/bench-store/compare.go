package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"mcloud/cmd/progress"
	"mcloud/collector/query"
)

// question is one line of the table. most is how many times Prometheus's processor time
// it may take, below 1 where it has to be faster; 0: no goal.
type question struct {
	what, expr string
	start, end time.Time
	step       time.Duration
	most       float64
}

func questions(s size, end time.Time) []question {
	day := 24 * time.Hour
	long := end.Add(-time.Duration(s.longDays-1) * day)
	all := fmt.Sprintf("%d series × %d d, step 1 d", s.longSeries/2, s.longDays)
	return []question{
		{"1 series × 30 d, step 30 min", `long{i="1"}`, end.Add(-30 * day), end, 30 * time.Minute, 0},
		{"1 series × 30 d, rate over 1 h", `rate(long_total{i="0"}[1h])`, end.Add(-30 * day), end, time.Hour, 0},
		{"100 series × 6 h, sum of rates", `sum by (job) (rate(wide_total{host=~"compute-000."}[5m]))`, end.Add(-6 * time.Hour), end, time.Minute, 1.5},
		{fmt.Sprintf("%d series × 1 h, sum of rates", s.wideSeries/2), `sum by (job) (rate(wide_total[5m]))`, end.Add(-time.Hour), end, time.Minute, 1.5},
		{fmt.Sprintf("%d series × 6 h, sum of rates, step 10 min", s.wideSeries/2), `sum by (job) (rate(wide_total[10m]))`, end.Add(-6 * time.Hour), end, 10 * time.Minute, 1.5},
		{all + ", sum", `sum by (job) (long)`, long, end, day, 0.1},
		{all + ", max", `max by (job) (long)`, long, end, day, 0.1},
		{all + ", sum of averages", `sum by (job) (avg_over_time(long[1d]))`, long, end, day, 0.1},
		{all + ", max of maxima", `max by (job) (max_over_time(long[1d]))`, long, end, day, 0.1},
		{all + ", sum of increases", `sum by (job) (increase(long_total[1d]))`, long, end, day, 0.1},
		{all + ", sum of averages, not aligned", `sum by (job) (avg_over_time(long[1d]))`, long.Add(7 * time.Minute), end, day, 0},
	}
}

// compare asks each question of both, with push-down and without. hot is what the product
// has in its hot hours; nil: nothing.
func compare(ctx context.Context, all []question, theirs, hot *tsdb.DB, o *ours, rounds int) error {
	dir, err := os.MkdirTemp("", "bench-store-engine-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if hot == nil {
		if hot, err = tsdb.Open(dir, slog.New(slog.DiscardHandler), nil, tsdb.DefaultOptions(), nil); err != nil {
			return err
		}
		defer hot.Close()
	}
	queryable, err := query.New(query.Options{Hot: hot, LongTerm: o.DB, Evaluator: o.DB, Timeout: time.Hour})
	if err != nil {
		return err
	}
	p := parser.NewParser(parser.Options{})
	engine, err := query.NewEngine(dir, query.Limits{Timeout: time.Hour, Samples: 1 << 30}, p, nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return err
	}
	defer engine.Close()
	pushing := &query.PushDown{QueryEngine: engine, Parser: p}

	// Each row as soon as it is measured: should a later one fail, this one is worth seeing.
	longest := 0
	for _, q := range all {
		longest = max(longest, utf8.RuneCountInString(q.what))
	}
	row := func(what string, columns ...any) {
		fmt.Printf("%-*s  %14s %11s  %11s %11s  %12s  %21s %11s  %s\n", append([]any{longest, what}, columns...)...)
	}
	row("QUERY", "PROMETHEUS cpu", "wall", "STORE cpu", "wall", "× PROMETHEUS", "WITHOUT PUSH-DOWN cpu", "wall", "TO REACH")
	for _, q := range all {
		progress.Line(os.Stderr, "asking: %s", q.what)
		peer, want, err := ask(ctx, engine, theirs, q, rounds)
		if err != nil {
			return err
		}
		store, got, err := ask(ctx, pushing, queryable, q, rounds)
		if err == nil {
			err = want.same(got)
		}
		if err != nil {
			return fmt.Errorf("%s (%s): %w", q.what, q.expr, err)
		}
		plain, got, err := ask(ctx, engine, queryable, q, rounds)
		if err == nil {
			err = want.same(got)
		}
		if err != nil {
			return fmt.Errorf("%s (%s) without push-down: %w", q.what, q.expr, err)
		}
		times := store.cpu.Seconds() / max(peer.cpu.Seconds(), 1e-6)
		progress.Line(os.Stderr, "")
		row(q.what, ms(peer.cpu), ms(peer.wall), ms(store.cpu), ms(store.wall), fmt.Sprintf("%.2f", times), ms(plain.cpu), ms(plain.wall), q.verdict(times))
	}
	return nil
}

func (q question) verdict(times float64) string {
	switch {
	case q.most == 0:
		return ""
	case times <= q.most:
		return fmt.Sprintf("≤ %.1f met", q.most)
	}
	return fmt.Sprintf("≤ %.1f missed", q.most)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

// values are a result by series and time.
type values map[string]map[int64]float64

func (v values) same(other values) error {
	if len(v) != len(other) || len(v) == 0 {
		return fmt.Errorf("%d series, Prometheus has %d", len(other), len(v))
	}
	for name, points := range v {
		if len(points) != len(other[name]) {
			return fmt.Errorf("%s: %d values, Prometheus has %d", name, len(other[name]), len(points))
		}
		for at, want := range points {
			if got, is := other[name][at]; !is || math.Abs(got-want) > 1e-9*max(1, math.Abs(want)) {
				return fmt.Errorf("%s at %d: %v, Prometheus has %v", name, at, got, want)
			}
		}
	}
	return nil
}

// ask runs a question some times and returns the least that it cost.
func ask(ctx context.Context, e promql.QueryEngine, from storage.Queryable, q question, rounds int) (least usage, result values, err error) {
	for range rounds {
		began := now()
		one, err := e.NewRangeQuery(ctx, from, nil, q.expr, q.start, q.end, q.step)
		if err != nil {
			return usage{}, nil, err
		}
		res := one.Exec(ctx)
		took := began.since()
		if res.Err == nil && len(res.Warnings) > 0 {
			for text := range res.Warnings {
				if !strings.Contains(text, "might not be a counter") {
					err = fmt.Errorf("warning %s", text)
				}
			}
		}
		if res.Err != nil || err != nil {
			one.Close()
			return usage{}, nil, fmt.Errorf("%s: %w", q.expr, errorsOf(res.Err, err))
		}
		result = values{}
		m, err := res.Matrix()
		if err != nil {
			return usage{}, nil, err
		}
		for _, s := range m {
			points := map[int64]float64{}
			for _, p := range s.Floats {
				points[p.T] = p.F
			}
			result[s.Metric.String()] = points
		}
		one.Close()
		if least.wall == 0 || took.wall < least.wall {
			least.wall = took.wall
		}
		if least.cpu == 0 || took.cpu < least.cpu {
			least.cpu = took.cpu
		}
	}
	return least, result, nil
}

func errorsOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
