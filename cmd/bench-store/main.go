// Command bench-store measures the store beside Prometheus's own TSDB with the same
// samples, in one run on one machine: what remote write costs until every sample is
// kept, the memory that active series take, the bytes that a sample takes on disk, the
// values of labels, and queries over long ranges, which are asked through the same
// engine, in the same process, and compared. -only picks one of them.
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
	"regexp"
	"slices"
	"syscall"
	"time"

	"mcloud/cmd/machine"
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
	questions             *regexp.Regexp

	memorySeries         string
	memoryScrapes        int
	labelSeries          int
	yearSeries, yearDays int
	hotSeries            int
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
	flag.StringVar(&s.memorySeries, "memory-series", "100000,1000000", "numbers of active series at which memory is looked at")
	flag.IntVar(&s.memoryScrapes, "memory-scrapes", 5, "times each of them is sent")
	flag.IntVar(&s.labelSeries, "label-series", 1_000_000, "series whose label values are asked for")
	flag.IntVar(&s.hotSeries, "hot-series", 10_000, "series, every 15 s, of the hot hours")
	flag.IntVar(&s.yearSeries, "year-series", 300, "gauges, and as many counters, with a sample every 5 min")
	flag.IntVar(&s.yearDays, "year-days", 365, "how long they are")
	flag.StringVar(&s.only, "only", "", "ingest, memory, disk, hot, labels, year or queries (default: all, one after the other)")
	flag.StringVar(&s.dir, "dir", "", "directory for the data, which stays there with -only and is then asked again (default: a temporary one)")
	pick := flag.String("questions", "", "regular expression of the questions to ask, as in the table's first column (default: all)")
	flag.Parse()
	var err error
	if s.questions, err = regexp.Compile(*pick); err != nil {
		fmt.Fprintln(os.Stderr, "bench-store: -questions:", err)
		os.Exit(2)
	}
	if err := run(ctx, s); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench-store:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s size) (err error) {
	if s.longDays < 30 {
		return errors.New("-long-days: at least 30, one query asks for as many")
	}
	keep := s.dir != ""
	if !keep {
		if s.dir, err = os.MkdirTemp("", "bench-store-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	}
	if s.only != "" && !slices.ContainsFunc(parts, func(p part) bool { return p.name == s.only }) {
		return fmt.Errorf("-only %s: there is no such part", s.only)
	}
	fmt.Println(machine.Describe())
	for _, part := range parts {
		if s.only != "" && s.only != part.name {
			continue
		}
		dir := filepath.Join(s.dir, part.name)
		if err := part.run(ctx, s, dir); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		if s.only != "" && keep {
			continue
		}
		if err := os.RemoveAll(dir); err != nil { // so that no more than one part's is on disk
			return err
		}
	}
	return nil
}

// part is something that is measured, in a directory of its own.
type part struct {
	name string
	run  func(ctx context.Context, s size, dir string) error
}

// parts are what -only may name, in the order in which they are measured.
var parts = []part{
	{"ingest", func(ctx context.Context, s size, dir string) error {
		return ingest(ctx, s.activeSeries, s.scrapes, dir)
	}},
	{"memory", memory},
	{"disk", func(ctx context.Context, s size, dir string) error { return disk(ctx, s.diskSeries, s.diskHours, dir) }},
	{"hot", hot},
	{"labels", labelValues},
	{"year", year},
	{"queries", queries},
}

func queries(ctx context.Context, s size, dir string) (err error) {
	fmt.Printf("data: %d series × %d h at 15 s and %d series × %d d at 60 s, half counters, half gauges; peer: Prometheus v0.315.0's TSDB, blocks of one day, in the same process\n",
		s.wideSeries, s.wideHours, s.longSeries, s.longDays)
	ours, theirs, end, err := stocked(ctx, dir, s.longDays, func(end time.Time) []dataset {
		return []dataset{
			{name: "wide", series: s.wideSeries, from: end.Add(-time.Duration(s.wideHours) * time.Hour), to: end, interval: 15 * time.Second},
			{name: "long", series: s.longSeries, from: end.Add(-time.Duration(s.longDays) * 24 * time.Hour), to: end, interval: time.Minute},
		}
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, theirs.Close(), ours.close()) }()
	return compare(ctx, s.picked(questions(s, end)), theirs, nil, ours, s.rounds)
}

// picked are the questions that -questions names.
func (s size) picked(all []question) []question {
	return slices.DeleteFunc(all, func(q question) bool { return !s.questions.MatchString(q.what) })
}
