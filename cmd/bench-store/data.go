package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"

	"mcloud/cmd/progress"
	"mcloud/collector/clickhouse"
	"mcloud/collector/embedded"
)

// dataset is series of two metrics, name_total (counters) and name (gauges).
type dataset struct {
	name     string
	series   int
	from, to time.Time // samples are in (from, to]
	interval time.Duration
}

// walker makes one series' values.
type walker struct {
	labels labels.Labels
	value  float64
	rate   float64
	gauge  bool
}

func (d dataset) walkers() []*walker {
	r := rand.New(rand.NewPCG(1, uint64(d.series)))
	all := make([]*walker, d.series)
	for i := range all {
		name := d.name + "_total"
		if i%2 == 1 {
			name = d.name
		}
		all[i] = &walker{gauge: i%2 == 1, value: float64(r.IntN(1000)), rate: 1 + 20*r.Float64(), labels: labels.FromStrings(
			"__name__", name, "cloud", "region-one", "host", fmt.Sprintf("compute-%04d", i/20), "job", fmt.Sprint("job-", i%10), "i", fmt.Sprint(i))}
	}
	return all
}

func (w *walker) next(r *rand.Rand) float64 {
	switch {
	case w.gauge && r.IntN(3) == 0:
		w.value += float64(r.IntN(21)-10) / 4
	case !w.gauge && r.IntN(50_000) == 0:
		w.value = 0
	case !w.gauge:
		w.value += float64(int(w.rate * r.Float64()))
	}
	return w.value
}

// ours is the embedded store with its client.
type ours struct {
	*clickhouse.DB
	store *embedded.Store
	stop  context.CancelFunc
	done  chan error
}

func openOurs(ctx context.Context, dir string, retention time.Duration) (*ours, error) {
	store, err := embedded.Open(embedded.Options{Path: dir, Listen: "127.0.0.1:0"})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.Background())
	o := &ours{store: store, stop: stop, done: make(chan error, 1)}
	go func() { o.done <- store.Run(running) }()
	o.DB, err = clickhouse.Open(ctx, clickhouse.Options{URL: store.URL(), Database: embedded.Database, Retention: clickhouse.Retention{Ages: clickhouse.Ages{Raw: retention, FiveMinutes: clickhouse.Forever}}, MaxSamples: 500_000_000, ReadTimeout: time.Hour})
	if err == nil {
		err = o.Migrate(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

func (o *ours) close() error {
	var err error
	if o.DB != nil {
		err = o.DB.Close()
	}
	o.stop()
	return errors.Join(err, <-o.done)
}

// stocked are both with the sets' samples, up to the last midnight; a directory that was
// filled on another day has those up to that day's.
func stocked(ctx context.Context, dir string, days int, sets func(end time.Time) []dataset) (o *ours, theirs *tsdb.DB, end time.Time, err error) {
	marker, blocks := filepath.Join(dir, "filled"), filepath.Join(dir, "prometheus")
	end = time.Now().UTC().Truncate(24 * time.Hour)
	filled, missing := os.ReadFile(marker)
	if missing == nil {
		if end, err = time.Parse(time.RFC3339, string(filled)); err != nil {
			return nil, nil, end, fmt.Errorf("%s: %w", marker, err)
		}
	}
	if o, err = openOurs(ctx, filepath.Join(dir, "store"), time.Duration(days+30)*24*time.Hour); err != nil {
		return nil, nil, end, err
	}
	if missing != nil {
		if err = fill(ctx, sets(end), o, blocks); err == nil {
			err = os.WriteFile(marker, []byte(end.Format(time.RFC3339)), 0o600)
		}
	} else {
		_, err = o.Roll(ctx) // what this version rolls up and the one that filled it did not
	}
	if err == nil {
		theirs, err = openBlocks(blocks)
	}
	if err != nil {
		return nil, nil, end, errors.Join(err, o.close())
	}
	return o, theirs, end, nil
}

// fill writes the same samples to both, a day at a time, and says what that cost.
func fill(ctx context.Context, sets []dataset, o *ours, dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler)
	var samples int64
	var cost [2]usage
	batches := 0
	for _, d := range sets {
		walkers, r := d.walkers(), rand.New(rand.NewPCG(2, 2))
		for day := d.from; day.Before(d.to); day = day.Add(24 * time.Hour) {
			until := day.Add(24 * time.Hour)
			if until.After(d.to) {
				until = d.to
			}
			progress.Line(os.Stderr, "writing %s: %s", d.name, until.Format(time.DateOnly))
			block, err := tsdb.NewBlockWriter(quiet, dir, (25 * time.Hour).Milliseconds())
			if err != nil {
				return err
			}
			app := block.Appender(ctx)
			var b clickhouse.Batch
			for _, w := range walkers {
				b.Series = append(b.Series, w.labels)
			}
			send := func() error {
				batches++
				began := now()
				err := o.WriteSamples(ctx, fmt.Sprint("bench-", batches), b)
				cost[1].add(began.since())
				b.Ref, b.Time, b.Value = b.Ref[:0], b.Time[:0], b.Value[:0]
				return err
			}
			for t := day.Add(d.interval); !t.After(until); t = t.Add(d.interval) {
				at := t.UnixMilli()
				first := len(b.Ref)
				for i, w := range walkers {
					b.Ref, b.Time, b.Value = append(b.Ref, uint32(i)), append(b.Time, at), append(b.Value, w.next(r))
				}
				began := now()
				for k, v := range b.Value[first:] {
					if _, err := app.Append(0, walkers[k].labels, at, v); err != nil {
						return err
					}
				}
				cost[0].add(began.since())
				if len(b.Ref)+len(walkers) > clickhouse.MaxBatch {
					if err := send(); err != nil {
						return err
					}
				}
				samples += int64(len(walkers))
			}
			if err := send(); err != nil {
				return err
			}
			began := now()
			if err := app.Commit(); err != nil {
				return err
			}
			if _, err := block.Flush(ctx); err != nil {
				return err
			}
			if err := block.Close(); err != nil {
				return err
			}
			cost[0].add(began.since())
		}
	}
	began := now()
	units, err := o.Roll(ctx)
	if err != nil {
		return err
	}
	rolled := began.since()
	progress.Line(os.Stderr, "")
	fmt.Printf("written: %.1f M samples; processor: store %.1f s, Prometheus's blocks without a log %.1f s; %d rollups of two hours %.1f s; on disk (merges may go on): store %s, Prometheus %s\n\n",
		float64(samples)/1e6, cost[1].cpu.Seconds(), cost[0].cpu.Seconds(), units, rolled.cpu.Seconds(), sizeOf(filepath.Join(filepath.Dir(dir), "store")), sizeOf(dir))
	return nil
}

// openBlocks opens what fill wrote for Prometheus.
func openBlocks(dir string) (*tsdb.DB, error) {
	options := tsdb.DefaultOptions()
	options.RetentionDuration = 0
	db, err := tsdb.Open(dir, slog.New(slog.DiscardHandler), nil, options, nil)
	if err == nil {
		db.DisableCompactions()
	}
	return db, err
}

func sizeOf(dir string) string {
	var bytes int64
	_ = filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			if info, err := e.Info(); err == nil {
				bytes += info.Size() // a file that a merge has just removed does not count
			}
		}
		return nil
	})
	return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20))
}
