// Command bench-forecast measures the forecast library: its error on the M4
// competition's hourly and weekly series and on real file systems that fill, with
// the last part of each held back; the calibration of its intervals; its speed.
// Naive methods and the competition's benchmark are computed in the same run.
//
// It prints what it measured beside what is to be reached, and fails only when it
// cannot measure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"mcloud/cmd/machine"
	"mcloud/planner/forecast/wide"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench-forecast:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string, out io.Writer) error {
	f := flag.NewFlagSet("bench-forecast", flag.ContinueOnError)
	data := f.String("data", "", "directory with m4/{Hourly,Weekly}-train.csv.xz and traces/edison-scratch-fill.csv")
	back := f.Int("back", 0, "hold back the tail that ends this many horizons before the end")
	every := f.Int("every", 1, "take every n-th M4 series only")
	many := f.Int("series", 5000, "simulated daily series of a year for the speed")
	if err := f.Parse(arguments); err != nil {
		return err
	}
	if *data == "" {
		return errors.New("-data DIRECTORY is missing")
	}
	fmt.Fprintln(out, machine.Describe())
	t := newTable(out)
	for _, c := range []competition{hourly, weekly} {
		series, err := readWide(ctx, filepath.Join(*data, "m4", c.file))
		if err != nil {
			return err
		}
		r, err := c.judge(ctx, series, *back, *every)
		if err != nil {
			return err
		}
		r.print(t)
	}
	fills, err := readFills(filepath.Join(*data, "traces", "edison-scratch-fill.csv"))
	if err != nil {
		return err
	}
	if err := judgeFills(ctx, t, fills); err != nil {
		return err
	}
	if err := race(ctx, t, *many); err != nil {
		return err
	}
	return t.Flush()
}

// readWide reads a file of rows, through xz where its name says so.
func readWide(ctx context.Context, path string) ([]wide.Series, error) {
	if !strings.HasSuffix(path, ".xz") {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return wide.Read(file, path)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	text, err := exec.CommandContext(ctx, "xz", "-dc", path).Output()
	if err != nil {
		return nil, fmt.Errorf("xz -dc %s: %w", path, err)
	}
	return wide.Read(strings.NewReader(string(text)), path)
}
