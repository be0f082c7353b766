// Command bench-store measures the store beside Prometheus's own TSDB with the same
// samples, in one run on one machine: what remote write costs until every sample is
// kept, the bytes that a sample takes, and queries over long ranges, which are asked
// through the same engine, in the same process, and compared.
//
// It prints what it measured and fails only when it cannot measure, or when two answers
// are not the same.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// size is how much is stored and asked.
type size struct {
	wideSeries, wideHours int // every 15 s
	longSeries, longDays  int // every 60 s
	rounds                int
	dir                   string
	activeSeries, scrapes int // for ingest
	diskSeries, diskHours int
	only                  string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if what := os.Getenv(childEnv); what != "" {
		if err := receiver(ctx, what); err != nil {
			fmt.Fprintln(os.Stderr, "bench-store:", err)
			os.Exit(1)
		}
		return
	}
	var s size
	flag.IntVar(&s.wideSeries, "wide-series", 10_000, "series with a sample every 15 s")
	flag.IntVar(&s.wideHours, "wide-hours", 6, "how long they are")
	flag.IntVar(&s.longSeries, "long-series", 1000, "series with a sample every 60 s")
	flag.IntVar(&s.longDays, "long-days", 90, "how long they are")
	flag.IntVar(&s.rounds, "rounds", 3, "times each query is asked; the least is shown")
	flag.IntVar(&s.activeSeries, "active-series", 100_000, "series that remote write sends")
	flag.IntVar(&s.scrapes, "scrapes", 20, "times each of them is sent")
	flag.IntVar(&s.diskSeries, "disk-series", 1000, "series, every 15 s, whose bytes on disk are counted")
	flag.IntVar(&s.diskHours, "disk-hours", 24, "how long they are")
	flag.StringVar(&s.only, "only", "", "ingest, disk or queries (default: all)")
	flag.StringVar(&s.dir, "dir", "", "an empty directory for the data (default: a temporary one)")
	flag.Parse()
	if err := run(ctx, s); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench-store:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s size) (err error) {
	if s.longDays < 30 {
		return errors.New("-long-days: at least 30, one query asks for as many")
	}
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "bench-store-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	}
	fmt.Println(machine())
	if s.only == "" || s.only == "ingest" {
		if err := ingest(ctx, s.activeSeries, s.scrapes, filepath.Join(s.dir, "ingest")); err != nil {
			return err
		}
	}
	if s.only == "" || s.only == "disk" {
		if err := disk(ctx, s.diskSeries, s.diskHours, filepath.Join(s.dir, "disk")); err != nil {
			return err
		}
	}
	if s.only == "ingest" || s.only == "disk" {
		return nil
	}
	fmt.Printf("data: %d series × %d h at 15 s and %d series × %d d at 60 s, half counters, half gauges; peer: Prometheus v0.315.0's TSDB, blocks of one day, in the same process\n",
		s.wideSeries, s.wideHours, s.longSeries, s.longDays)
	end := time.Now().UTC().Truncate(24 * time.Hour)
	sets := []dataset{
		{name: "wide", series: s.wideSeries, from: end.Add(-time.Duration(s.wideHours) * time.Hour), to: end, interval: 15 * time.Second},
		{name: "long", series: s.longSeries, from: end.Add(-time.Duration(s.longDays) * 24 * time.Hour), to: end, interval: time.Minute},
	}
	ours, err := openOurs(ctx, filepath.Join(s.dir, "store"), time.Duration(s.longDays+30)*24*time.Hour)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.close()) }()
	theirs, err := fill(ctx, sets, ours, filepath.Join(s.dir, "prometheus"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, theirs.Close()) }()
	return compare(ctx, questions(s, end), theirs, ours, s.rounds)
}
