package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// yearQuestions are those over a year of samples every five minutes, which planning asks.
func yearQuestions(s size, end time.Time) []question {
	day := 24 * time.Hour
	from := end.Add(-time.Duration(s.yearDays-1) * day)
	all := fmt.Sprintf("%d series × %d d (5 min samples), step 1 d", s.yearSeries, s.yearDays)
	return []question{
		{all, `year`, from, end, day, 0.1},
		{all + ", averages", `avg_over_time(year[1d])`, from, end, day, 0.1},
		{all + ", sum of maxima", `sum by (job) (max_over_time(year[1d]))`, from, end, day, 0.1},
		{all + ", increases", `increase(year_total[1d])`, from, end, day, 0.1},
		{all + ", sum of rates", `sum by (job) (rate(year_total[1d]))`, from, end, day, 0.1},
	}
}

// year fills both with a year and asks.
func year(ctx context.Context, s size, dir string) (err error) {
	fmt.Printf("year: %d gauges and %d counters × %d d at 5 min; peer: Prometheus's TSDB, blocks of one day, in the same process\n", s.yearSeries, s.yearSeries, s.yearDays)
	ours, theirs, end, err := stocked(ctx, dir, s.yearDays, func(end time.Time) []dataset {
		return []dataset{{name: "year", series: 2 * s.yearSeries, from: end.Add(-time.Duration(s.yearDays) * 24 * time.Hour), to: end, interval: 5 * time.Minute}}
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, theirs.Close(), ours.close()) }()
	if err := compare(ctx, s.picked(yearQuestions(s, end)), theirs, nil, ours, s.rounds); err != nil {
		return err
	}
	fmt.Println()
	return nil
}
