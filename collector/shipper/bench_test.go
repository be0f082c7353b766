package shipper_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"mcloud/collector/shipper"
)

type countingStore struct{ samples atomic.Int64 }

func (s *countingStore) WriteSamples(_ context.Context, _ string, b shipper.Batch) error {
	s.samples.Add(int64(b.Len()))
	return nil
}

// What does the shipper add between the WAL and the store: reading, resolving, and
// keeping the intent of 10,000 series' samples?
func BenchmarkShip(b *testing.B) {
	const series, rounds = 10_000, 100
	dir := b.TempDir()
	db, err := tsdb.Open(filepath.Join(dir, "hot"), nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	refs := make([]storage.SeriesRef, series)
	for r := range rounds {
		app := db.Appender(context.Background())
		for i := range refs {
			l := labels.EmptyLabels()
			if refs[i] == 0 {
				l = labels.FromStrings("__name__", "ceph_osd_op_r_latency_sum", "cluster", "fast", "instance", "127.0.0.1:9198", "job", "mcloud", "ceph_daemon", fmt.Sprint("osd.", i))
			}
			if refs[i], err = app.Append(refs[i], l, int64(r)*15_000, float64(i*r)/10); err != nil {
				b.Fatal(err)
			}
		}
		if err := app.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		store := &countingStore{}
		s, err := shipper.Open(shipper.Options{Dir: b.TempDir(), WALDir: filepath.Join(dir, "hot", "wal"), Store: store, FlushInterval: time.Millisecond})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		for store.samples.Load() < series*rounds {
			time.Sleep(time.Millisecond)
		}
		cancel()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(series*rounds*b.N)/b.Elapsed().Seconds(), "samples/s")
}
