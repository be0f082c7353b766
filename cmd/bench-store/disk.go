package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/prometheus/tsdb"

	"mcloud/collector/clickhouse"
)

// disk writes a fleet's day at 15 s to the store and to one of Prometheus's blocks,
// and says what each takes, merged and compacted.
func disk(ctx context.Context, series, hours int, dir string) (err error) {
	ours, err := openOurs(ctx, filepath.Join(dir, "store"), 90*24*time.Hour)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.close()) }()
	peer := filepath.Join(dir, "prometheus")
	if err := os.MkdirAll(peer, 0o750); err != nil {
		return err
	}
	block, err := tsdb.NewBlockWriter(slog.New(slog.DiscardHandler), peer, (25 * time.Hour).Milliseconds())
	if err != nil {
		return err
	}
	app := block.Appender(ctx)
	f := newFleet(series)
	from := time.Now().UTC().Truncate(24*time.Hour).UnixMilli() - 48*time.Hour.Milliseconds()
	b := clickhouse.Batch{Series: f.series}
	samples, batches := 0, 0
	for t := from; t < from+int64(hours)*time.Hour.Milliseconds(); t += 15_000 {
		for i, ls := range f.series {
			at, v := f.next(i, t)
			b.Ref, b.Time, b.Value = append(b.Ref, uint32(i)), append(b.Time, at), append(b.Value, v)
			if _, err := app.Append(0, ls, at, v); err != nil {
				return err
			}
		}
		if samples += series; len(b.Ref)+series > clickhouse.MaxBatch || t+15_000 >= from+int64(hours)*time.Hour.Milliseconds() {
			batches++
			if err := ours.WriteSamples(ctx, fmt.Sprint("disk-", batches), b); err != nil {
				return err
			}
			b.Ref, b.Time, b.Value = b.Ref[:0], b.Time[:0], b.Value[:0]
		}
	}
	if err := app.Commit(); err != nil {
		return err
	}
	if _, err := block.Flush(ctx); err != nil {
		return err
	}
	if err := block.Close(); err != nil {
		return err
	}
	began := now()
	if _, err := ours.Roll(ctx); err != nil {
		return err
	}
	rolled := began.since()
	fmt.Printf("disk: %d series × %d h at 15 s, %.1f M samples, merged\n", series, hours, float64(samples)/1e6)
	for _, table := range []string{"samples", "rollup_5m", "rollup_1h", "rollup_1d", "series", "label_index"} {
		if _, err := statement(ctx, ours.store.URL(), "OPTIMIZE TABLE mcloud."+table+" FINAL"); err != nil {
			return err
		}
		var bytes, rows float64
		answer, err := statement(ctx, ours.store.URL(), "SELECT sum(bytes_on_disk), sum(rows) FROM system.parts WHERE database = 'mcloud' AND active AND table = '"+table+"'")
		if err != nil {
			return err
		}
		if _, err := fmt.Sscan(answer, &bytes, &rows); err != nil {
			return err
		}
		fmt.Printf("  %-12s %6.3f bytes a sample (%.1f a row)\n", table, bytes/float64(samples), bytes/max(rows, 1))
	}
	fmt.Printf("  %-12s %6.3f bytes a sample, chunks and index of one block\n", "Prometheus", float64(bytesIn(peer))/float64(samples))
	fmt.Printf("  rollups: %.1f processor seconds, %.1f M samples a second\n\n", rolled.cpu.Seconds(), float64(samples)/1e6/rolled.cpu.Seconds())
	return nil
}

// statement asks the store as curl would.
func statement(ctx context.Context, url, text string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(text))
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(answer)))
	}
	return string(answer), err
}

func bytesIn(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			if info, err := e.Info(); err == nil {
				bytes += info.Size() // a file that a merge has just removed does not count
			}
		}
		return nil
	})
	return bytes
}
