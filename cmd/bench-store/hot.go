package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/prometheus/prometheus/tsdb"
)

// hotQuestions are those of dashboards and rules, which the hot hours answer.
func hotQuestions(s size, end time.Time) []question {
	of := fmt.Sprintf("%d hot series × 1 h", s.hotSeries/2)
	from := end.Add(-time.Hour)
	return []question{
		{"1 hot series × 1 h, step 15 s", `hot{i="1"}`, from, end, 15 * time.Second, 1.1},
		{"200 hot series × 1 h, sum of rates", `sum by (job) (rate(hot_total{host=~"compute-000.|compute-001."}[5m]))`, from, end, 15 * time.Second, 1.1},
		{of + ", sum of rates", `sum by (job) (rate(hot_total[5m]))`, from, end, time.Minute, 1.1},
		{of + ", now", `max by (host) (hot)`, end, end, time.Minute, 1.1},
	}
}

// hot asks the same head of Prometheus's TSDB directly and through the product, which
// has an empty long-term store behind it: what the way through it costs.
func hot(ctx context.Context, s size, dir string) (err error) {
	fmt.Printf("hot: %d series × 2 h at 15 s, half counters, half gauges, in one head; asked directly and through the product\n", s.hotSeries)
	end := time.Now().UTC().Truncate(time.Minute)
	options := tsdb.DefaultOptions()
	options.RetentionDuration = 0
	head, err := tsdb.Open(filepath.Join(dir, "hot"), slog.New(slog.DiscardHandler), nil, options, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, head.Close()) }()
	d := dataset{name: "hot", series: s.hotSeries, from: end.Add(-2 * time.Hour), to: end, interval: 15 * time.Second}
	walkers, r := d.walkers(), rand.New(rand.NewPCG(2, 2))
	for t := d.from.Add(d.interval); !t.After(d.to); t = t.Add(d.interval) {
		app := head.Appender(ctx)
		for _, w := range walkers {
			if _, err := app.Append(0, w.labels, t.UnixMilli(), w.next(r)); err != nil {
				return err
			}
		}
		if err := app.Commit(); err != nil {
			return err
		}
	}
	o, err := openOurs(ctx, filepath.Join(dir, "store"), 90*24*time.Hour)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	if err := compare(ctx, s.picked(hotQuestions(s, end)), head, head, o, max(s.rounds, 10)); err != nil {
		return err
	}
	fmt.Println()
	return nil
}
