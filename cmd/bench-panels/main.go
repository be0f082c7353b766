// Command bench-panels measures how long the panels of the dashboards take in a cloud of
// full size: it starts mcloud run --demo of that size, waits until the panels show
// something, and asks what Grafana would ask of every dashboard, panel by panel and six at
// a time, as one browser does.
//
// A demo that has just begun has minutes of most series, and a panel shows six hours. So
// it is stopped once, the hours before are written into its hot storage with the series
// that it has by then, and it is started again: what is measured is a collector that has
// run for so long. -past 0 leaves that out, -url asks a collector that runs already. The
// planner, which begins anew then, and the store's rollups are waited for as well.
//
// It prints what it measured beside what is to be reached, and fails only when it cannot
// measure.
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
	"syscall"
	"time"

	"mcloud/cmd/machine"
)

// options are the flags.
type options struct {
	hosts, days int
	url         string
	binary, dir string
	past, step  time.Duration
	wait        time.Duration
	settle      time.Duration
	rounds      int
	pixels      int
	only        *regexp.Regexp
	slowest     int
	pid         int
	at          string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.IntVar(&o.hosts, "hosts", 2000, "compute hosts of the demo")
	flag.IntVar(&o.days, "days", 0, "days of history of the demo (default: the demo's own)")
	flag.StringVar(&o.url, "url", "", "a collector that runs, http://host:port, instead of a demo of our own")
	flag.IntVar(&o.pid, "pid", 0, "process of that collector, if it is on this machine, to count what it takes of the processor")
	flag.StringVar(&o.at, "at", "", "the present of the questions to that collector, 2006-01-02T15:04:05Z (default: now)")
	flag.StringVar(&o.binary, "mcloud", filepath.Join("bin", "mcloud"), "the program")
	flag.StringVar(&o.dir, "dir", "", "directory for the demo's data, which stays there and is used again (default: a temporary one)")
	flag.DurationVar(&o.past, "past", 7*time.Hour, "how long the collector shall have run, its retention at most and a bit: panels show six hours, and look five minutes back from their begin; 0: as long as it has")
	flag.DurationVar(&o.step, "step", 30*time.Second, "between two samples of that past: the demo's scrape interval")
	flag.DurationVar(&o.wait, "wait", 10*time.Minute, "for the panels to have data")
	flag.DurationVar(&o.settle, "settle", 30*time.Minute, "for the second plan and the rollups of the past, at most: the planner reads all of it for the first two; 0: do not wait")
	flag.IntVar(&o.rounds, "rounds", 5, "times each query is asked, alone and among six")
	flag.IntVar(&o.pixels, "pixels", 800, "width of a panel, which is how many points it asks for at most")
	only := flag.String("only", "", "regular expression of the dashboards to ask (default: all)")
	flag.IntVar(&o.slowest, "slowest", 15, "how many of the slowest queries are listed with their text")
	flag.Parse()
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		fmt.Fprintln(os.Stderr, "bench-panels: -only:", err)
		os.Exit(2)
	}
	if o.rounds < 1 || o.pixels < 1 || o.step <= 0 {
		fmt.Fprintln(os.Stderr, "bench-panels: -rounds, -pixels and -step: want 1 or more")
		os.Exit(2)
	}
	if err := run(ctx, o); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "bench-panels:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	fmt.Println(machine.Describe())
	boards, err := questions(o)
	if err != nil {
		return err
	}
	if o.url != "" {
		c := &collector{url: o.url, pid: o.pid}
		if o.at != "" {
			if c.at, err = time.Parse(time.RFC3339, o.at); err != nil {
				return fmt.Errorf("-at: %w", err)
			}
		}
		return measure(ctx, o, boards, c)
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "bench-panels"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	}
	c, err := startDemo(ctx, o)
	if err != nil {
		return err
	}
	defer c.stop()
	if err := c.waitForPanels(ctx, o, boards); err != nil {
		return err
	}
	if o.past > 0 {
		if err := c.age(ctx, o, boards); err != nil {
			return err
		}
	}
	if o.settle > 0 {
		if err := c.settle(ctx, o); err != nil {
			return err
		}
	}
	return measure(ctx, o, boards, c)
}
