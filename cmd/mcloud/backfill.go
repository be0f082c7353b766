package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"mcloud"
	"mcloud/cmd/config"
	"mcloud/cmd/parts"
	"mcloud/collector/clickhouse"
	"mcloud/deploy/sim"
)

// backfill stores the simulated cloud's past, once: a file says that it is done.
type backfill struct {
	cloud  *sim.Cloud
	store  *parts.Store
	config config.File
	logger *slog.Logger
	done   chan struct{}
}

func newBackfill(cloud *sim.Cloud, store *parts.Store, f config.File, logger *slog.Logger) *backfill {
	return &backfill{cloud: cloud, store: store, config: f, logger: logger, done: make(chan struct{})}
}

func (b *backfill) part() parts.Part {
	return parts.Part{Name: "history", Ready: b.done, Optional: true, Run: func(ctx context.Context) error {
		defer close(b.done) // without a past the demo still shows the present
		return b.run(ctx)
	}}
}

const (
	// The past is told ever finer the nearer it is, as rollups would have kept it:
	// every six hours, every hour for two weeks, every two minutes for the hours
	// that dashboards show.
	farStep, middleStep, recentStep = 6 * time.Hour, time.Hour, 2 * time.Minute
	middlePast, recentPast          = 14 * 24 * time.Hour, 6 * time.Hour
	// billedPast is how far back servers and volumes are told to the second.
	billedPast = 35 * 24 * time.Hour
	// window holds the samples of one insert: a partition is a day, and the store
	// takes at most a hundred of them at once.
	window    = 30 * 24 * time.Hour
	batchSize = 400_000
)

func (b *backfill) run(ctx context.Context) error {
	marker := filepath.Join(b.config.DataDir, "history-is-stored")
	if _, err := os.Stat(marker); err == nil {
		return nil
	}
	select {
	case <-b.store.Ready():
	case <-ctx.Done():
		return nil
	}
	db, err := b.store.DB()
	if err != nil {
		return err
	}
	began := time.Now()
	start, first := b.cloud.Began()
	samples := &sampleWriter{ctx: ctx, db: db, instance: b.config.Exporter.Listen}
	for _, part := range []struct {
		from, to time.Time
		step     time.Duration
	}{
		{start, first.Add(-middlePast), farStep},
		{first.Add(-middlePast).Add(middleStep), first.Add(-recentPast), middleStep},
		{first.Add(-recentPast).Add(recentStep), first, recentStep},
	} {
		if err := b.cloud.History(part.from, part.to, part.step, samples.take); err != nil {
			return fmt.Errorf("history of the simulated cloud: %w", err)
		}
	}
	if err := samples.flush(); err != nil {
		return fmt.Errorf("history of the simulated cloud: %w", err)
	}
	b.logger.Info("samples of the simulated cloud's past stored", "days", int(first.Sub(start).Hours()/24), "samples", samples.written, "series", len(samples.seen), "seconds", time.Since(began).Seconds())
	records, err := b.objects(ctx, db, first)
	if err != nil {
		return fmt.Errorf("objects of the simulated cloud: %w", err)
	}
	b.logger.Info("history of the simulated cloud stored", "records", records, "seconds", time.Since(began).Seconds())
	return os.WriteFile(marker, []byte(time.Now().UTC().Format(time.RFC3339)+"\n"), 0o600)
}

// objects stores the lives of servers and volumes to the second, the servers'
// action logs, the other objects as they were each week, and all events.
func (b *backfill) objects(ctx context.Context, db *clickhouse.DB, first time.Time) (records int, err error) {
	lives := map[mcloud.Kind][]mcloud.Version{}
	err = b.cloud.Versions(first.Add(-billedPast), first, func(v mcloud.Version) error {
		lives[v.Kind] = append(lives[v.Kind], v)
		return nil
	})
	if err != nil {
		return 0, err
	}
	var events []mcloud.Event
	actions := map[string]bool{}
	err = b.cloud.ObjectHistory(first.Add(-billedPast), first, 7*24*time.Hour, func(batch mcloud.Batch) error {
		events = append(events, batch.Events...)
		for _, v := range batch.Inventories {
			switch v.Kind {
			case mcloud.KindServer, mcloud.KindVolume:
			case mcloud.KindServerAction:
				for _, o := range v.Objects {
					if !actions[o.ID] {
						actions[o.ID] = true
						lives[o.Kind] = append(lives[o.Kind], mcloud.Version{Object: o, Cloud: v.Cloud, From: v.Time})
					}
				}
			default:
				records += len(v.Objects)
				if _, err := db.WriteInventory(ctx, v); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return records, err
	}
	for kind, versions := range lives {
		scope := "nova"
		if kind == mcloud.KindVolume {
			scope = "cinder"
		}
		if err := db.WriteVersions(ctx, scope, versions); err != nil {
			return records, err
		}
		records += len(versions)
	}
	for part := range slices.Chunk(events, 5000) {
		if err := db.WriteEvents(ctx, part); err != nil {
			return records, err
		}
	}
	return records + len(events), nil
}

// sampleWriter gathers series into inserts, by window of time.
type sampleWriter struct {
	ctx      context.Context
	db       *clickhouse.DB
	instance string
	windows  map[int64]*clickhouse.Batch
	seen     map[uint64]bool
	inserts  int
	written  int
}

func (w *sampleWriter) take(name string, set map[string]string, times []int64, values []float64) error {
	if w.windows == nil {
		w.windows, w.seen = map[int64]*clickhouse.Batch{}, map[uint64]bool{}
	}
	builder := labels.NewBuilder(labels.FromMap(set))
	series := builder.Set(model.MetricNameLabel, name).Set("job", "exporter").Set("instance", w.instance).Labels()
	w.seen[series.Hash()] = true
	for i := 0; i < len(times); {
		key := times[i] / window.Milliseconds()
		end := i
		for end < len(times) && times[end]/window.Milliseconds() == key {
			end++
		}
		batch := w.windows[key]
		if batch == nil {
			batch = &clickhouse.Batch{}
			w.windows[key] = batch
		}
		ref := uint32(len(batch.Series))
		batch.Series = append(batch.Series, series)
		for range end - i {
			batch.Ref = append(batch.Ref, ref)
		}
		batch.Time = append(batch.Time, times[i:end]...)
		batch.Value = append(batch.Value, values[i:end]...)
		if len(batch.Time) >= batchSize {
			if err := w.insert(key); err != nil {
				return err
			}
		}
		i = end
	}
	return nil
}

func (w *sampleWriter) insert(key int64) error {
	batch := w.windows[key]
	delete(w.windows, key)
	w.inserts++
	w.written += len(batch.Time)
	// The token makes a start that was cut short harmless: the past is told the
	// same way again.
	return w.db.WriteSamples(w.ctx, fmt.Sprintf("demo-history-%s-%d", w.instance, w.inserts), *batch)
}

func (w *sampleWriter) flush() error {
	// In the order of time, so that the tokens are the same again.
	for _, key := range slices.Sorted(maps.Keys(w.windows)) {
		if err := w.insert(key); err != nil {
			return err
		}
	}
	return nil
}
