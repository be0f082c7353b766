package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"mcloud/cmd/machine"
	"mcloud/planner/forecast"
	"mcloud/planner/forecast/forecasttest"
)

const day = 24 * time.Hour

// readFills reads the columns file_system, unix_time and avg_ost_pct.
func readFills(path string) (map[string][]forecast.Point, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	in := csv.NewReader(file)
	fills := map[string][]forecast.Point{}
	for line := 1; ; line++ {
		cells, err := in.Read()
		switch {
		case errors.Is(err, io.EOF):
			return fills, nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", path, err)
		case line == 1:
			continue
		}
		at, err1 := strconv.ParseInt(cells[1], 10, 64)
		percent, err2 := strconv.ParseFloat(cells[3], 64)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, line, err)
		}
		fills[cells[0]] = append(fills[cells[0]], forecast.Point{Time: time.Unix(at, 0).UTC(), Value: percent})
	}
}

// judgeFills forecasts each file system from every day on that leaves two weeks of
// history, and compares errors in points of capacity. The samples are one a day.
func judgeFills(ctx context.Context, t table, fills map[string][]forecast.Point) error {
	const step, perDay = day, 1
	for _, ahead := range []int{7, 14} {
		var ours, last, line, ols, held, count float64
		for _, name := range slices.Sorted(maps.Keys(fills)) {
			s := forecast.Grid(fills[name], step)
			for origin := 14 * perDay; origin+ahead*perDay < len(s.Values); origin += perDay {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				y := s.Values[origin+ahead*perDay]
				past := forecast.Series{Start: s.Start, Step: step, Values: s.Values[:origin+1]}
				known := known(past.Values)
				if math.IsNaN(y) || math.IsNaN(s.Values[origin]) {
					continue
				}
				f, err := forecast.New(past, forecast.Options{Horizon: time.Duration(ahead) * day})
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				h := ahead*perDay - 1
				ours += math.Abs(y - f.P50[h])
				if f.P10[h] <= y && y <= f.P90[h] {
					held++
				}
				end := s.Values[origin]
				last += math.Abs(y - end)
				line += math.Abs(y - end - (end-known[0])/float64(origin)*float64(ahead*perDay))
				ols += math.Abs(y - leastSquares(s.Values[origin-7*perDay+1:origin+1], ahead*perDay))
				count++
			}
		}
		t.row(fmt.Sprintf("storage fills: MAE %d d ahead, points", ahead), fmt.Sprintf("%.2f", ours/count), fmt.Sprintf("< drift, %.2f", line/count), ours < line,
			fmt.Sprintf("last value %.2f, drift %.2f, OLS of 7 d %.2f; P10–P90 held %.0f %%; %d file systems, %.0f origins", last/count, line/count, ols/count, 100*held/count, len(fills), count))
	}
	return nil
}

func known(v []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(v), math.IsNaN)
}

// leastSquares is the straight line through y, missing values left out, so many
// steps after its end.
func leastSquares(y []float64, ahead int) float64 {
	var n, st, sy, stt, sty float64
	for t, v := range y {
		if math.IsNaN(v) {
			continue
		}
		x := float64(t)
		n, st, sy, stt, sty = n+1, st+x, sy+v, stt+x*x, sty+x*v
	}
	slope := (n*sty - st*sy) / (n*stt - st*st)
	return (sy-slope*st)/n + slope*float64(len(y)-1+ahead)
}

// race forecasts a year of daily data of many simulated series on two cores,
// by both ways there are.
func race(ctx context.Context, t table, many int) error {
	series := make([]forecast.Series, many)
	for i := range series {
		series[i] = forecasttest.Recipe{
			Step: day, Days: 365, Seed: uint64(i), Level: 100, PerDay: float64(i%7) / 10, Noise: 1, Jitter: 1, Weekly: float64(i % 5),
			StepsPerDay: float64(i%3) / 100, StepSize: 20,
		}.Series()
	}
	const goal = 60 * time.Second
	for _, way := range []struct {
		name string
		do   func(s forecast.Series) error
	}{
		{"fills with dates, 180 d ahead", func(s forecast.Series) error {
			_, err := forecast.New(s, forecast.Options{Horizon: 180 * day})
			return err
		}},
		{"combination, 28 d ahead", func(s forecast.Series) error {
			_, err := forecast.Predict(s.Values, forecast.Request{Horizon: 28, Periods: []int{7}, Quantiles: levels})
			return err
		}},
	} {
		began, busy := time.Now(), machine.Processor()
		var next atomic.Int64
		var failed error
		var once sync.Once
		var workers sync.WaitGroup
		for range 2 {
			workers.Go(func() {
				for i := next.Add(1) - 1; i < int64(many) && ctx.Err() == nil; i = next.Add(1) - 1 {
					if err := way.do(series[i]); err != nil {
						once.Do(func() { failed = err })
					}
				}
			})
		}
		workers.Wait()
		if ctx.Err() != nil || failed != nil {
			return errors.Join(ctx.Err(), failed)
		}
		took, busyTook := time.Since(began), machine.Processor()-busy
		// Half of the processor time is what two idle cores would take.
		t.row(fmt.Sprintf("%d series × 1 y daily, two cores: %s", many, way.name), fmt.Sprintf("%.1f s", (busyTook/2).Seconds()), fmt.Sprintf("≤ %.0f s", goal.Seconds()), busyTook/2 <= goal,
			fmt.Sprintf("half of the processor time; %.1f s by the clock on this machine", took.Seconds()))
	}
	return nil
}
