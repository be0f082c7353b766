package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"mcloud/cmd/progress"
	"mcloud/collector/clickhouse"
)

// labelValues asks both for values and names of labels of many series.
func labelValues(ctx context.Context, s size, dir string) (err error) {
	end := time.Now().UTC().Truncate(24 * time.Hour)
	ours, err := openOurs(ctx, filepath.Join(dir, "store"), 90*24*time.Hour)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.close()) }()
	theirs, err := fillSeries(ctx, s.labelSeries, end, ours, filepath.Join(dir, "prometheus"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, theirs.Close()) }()
	mint, maxt := end.Add(-time.Hour).UnixMilli(), end.UnixMilli()
	peer, err := theirs.Querier(mint, maxt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, peer.Close()) }()
	store, err := ours.Querier(mint, maxt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	equal := func(name, value string) *labels.Matcher { return labels.MustNewMatcher(labels.MatchEqual, name, value) }
	values := func(name string, ms ...*labels.Matcher) func(storage.Querier) ([]string, error) {
		return func(q storage.Querier) ([]string, error) {
			found, _, err := q.LabelValues(ctx, name, nil, ms...)
			return slices.Clone(found), err
		}
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "LABELS\tANSWER\tPROMETHEUS cpu\twall\tSTORE cpu\twall\t× PROMETHEUS\t")
	for _, q := range []struct {
		what string
		ask  func(storage.Querier) ([]string, error)
	}{
		{"values of a label that all differ in", values("i")},
		{"values of host", values("host")},
		{"values of job", values("job")},
		{"values of host of one job", values("host", equal("job", "job-3"))},
		{"values of host of one metric", values("host", equal("__name__", "labels_total"))},
		{"values of host by a regex", values("host", labels.MustNewMatcher(labels.MatchRegexp, "host", "compute-001.*"))},
		{"names of metrics", values("__name__")},
		{"names of labels", func(q storage.Querier) ([]string, error) {
			found, _, err := q.LabelNames(ctx, nil)
			return slices.Clone(found), err
		}},
	} {
		var cost [2]usage
		var found [2][]string
		for i, from := range []storage.Querier{peer, store} {
			for range s.rounds {
				began := now()
				if found[i], err = q.ask(from); err != nil {
					return fmt.Errorf("%s: %w", q.what, err)
				}
				if took := began.since(); cost[i].wall == 0 || took.cpu < cost[i].cpu {
					cost[i] = took
				}
			}
			slices.Sort(found[i])
		}
		if !slices.Equal(found[0], found[1]) {
			return fmt.Errorf("%s: %d from the store, %d from Prometheus, or not the same", q.what, len(found[1]), len(found[0]))
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%.2f\t\n", q.what, len(found[0]), ms(cost[0].cpu), ms(cost[0].wall), ms(cost[1].cpu), ms(cost[1].wall), cost[1].cpu.Seconds()/max(cost[0].cpu.Seconds(), 0.001))
	}
	fmt.Fprintln(t)
	return t.Flush()
}

// fillSeries writes one sample of each series to both.
func fillSeries(ctx context.Context, series int, end time.Time, o *ours, dir string) (*tsdb.DB, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	at := end.Add(-10 * time.Minute).UnixMilli()
	block, err := tsdb.NewBlockWriter(quiet, dir, time.Hour.Milliseconds())
	if err != nil {
		return nil, err
	}
	var cost [2]usage
	batches := 0
	for part := range slices.Chunk(dataset{name: "labels", series: series}.walkers(), 100_000) {
		progress.Line(os.Stderr, "writing series: %d k", batches*100)
		var b clickhouse.Batch
		app := block.Appender(ctx)
		began := now()
		for i, w := range part {
			b.Series, b.Ref, b.Time, b.Value = append(b.Series, w.labels), append(b.Ref, uint32(i)), append(b.Time, at), append(b.Value, w.value)
			if _, err := app.Append(0, w.labels, at, w.value); err != nil {
				return nil, err
			}
		}
		if err := app.Commit(); err != nil {
			return nil, err
		}
		cost[0].add(began.since())
		batches++
		began = now()
		if err := o.WriteSamples(ctx, fmt.Sprint("labels-", batches), b); err != nil {
			return nil, err
		}
		cost[1].add(began.since())
	}
	began := now()
	if _, err := block.Flush(ctx); err != nil {
		return nil, err
	}
	if err := block.Close(); err != nil {
		return nil, err
	}
	cost[0].add(began.since())
	progress.Line(os.Stderr, "")
	fmt.Printf("labels: %d series with one sample each; processor to write them: store %.1f s, Prometheus's block without a log %.1f s\n", series, cost[1].cpu.Seconds(), cost[0].cpu.Seconds())
	options := tsdb.DefaultOptions()
	options.RetentionDuration = 0
	db, err := tsdb.Open(dir, quiet, nil, options, nil)
	if err == nil {
		db.DisableCompactions()
	}
	return db, err
}
