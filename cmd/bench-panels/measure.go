package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"mcloud/cmd/machine"
	"mcloud/cmd/progress"
)

// browser is how many queries one browser has under way: of HTTP/1.1 it opens six
// connections to a server.
const browser = 6

// timing is what is known of one query.
type timing struct {
	board    string
	question question
	alone    []time.Duration
	cpu      []time.Duration // alone, of all that the process did meanwhile
	among    []time.Duration // six at a time
	last     answer
	err      error
}

// measured is everything.
type measured struct {
	boards         []board
	panels, around map[string][]*timing // by dashboard
	idle, busy     use
	loadBefore     string
	figures        []figure
}

// use is what the process took of the processor in some time.
type use struct{ cpu, wall time.Duration }

type figure struct{ name, value string }

func measure(ctx context.Context, o options, boards []board, c *collector) error {
	m := measured{boards: boards, panels: map[string][]*timing{}, around: map[string][]*timing{}, loadBefore: machine.Load()}
	for _, b := range boards {
		for _, q := range b.panels {
			m.panels[b.title] = append(m.panels[b.title], &timing{board: b.title, question: q})
		}
		for _, q := range b.around {
			m.around[b.title] = append(m.around[b.title], &timing{board: b.title, question: q})
		}
	}
	var err error
	if c.pid != 0 {
		if m.idle, err = c.idle(ctx, time.Minute); err != nil {
			return err
		}
	}
	before, began := c.cpu(), time.Now()
	for _, parallel := range []int{1, browser} {
		for round := range o.rounds {
			for i, b := range boards {
				progress.Line(os.Stderr, "%d at a time, round %d of %d: %s (%d of %d)", parallel, round+1, o.rounds, b.title, i+1, len(boards))
				open(ctx, c, b, slices.Concat(m.panels[b.title], m.around[b.title]), parallel)
				if ctx.Err() != nil {
					return ctx.Err()
				}
			}
		}
	}
	progress.Line(os.Stderr, "")
	m.busy = use{c.cpu() - before, time.Since(began)}
	m.figures = c.figures(ctx)
	return m.print(os.Stdout, o, c)
}

// open asks all of a dashboard, as a browser does that opens it.
func open(ctx context.Context, c *collector, b board, all []*timing, parallel int) {
	now := c.at
	if now.IsZero() {
		now = time.Now()
	}
	next := make(chan *timing)
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for t := range next {
				// To look at the processor's time takes time of its own, and says
				// something of one question only where there is one.
				var before time.Duration
				if parallel == 1 {
					before = c.cpu()
				}
				got, err := c.ask(ctx, t.question, b.span, now)
				t.last = got
				if err != nil {
					t.err = err
				}
				if parallel == 1 {
					t.alone, t.cpu = append(t.alone, got.took), append(t.cpu, c.cpu()-before)
				} else {
					t.among = append(t.among, got.took)
				}
			}
		})
	}
	for _, t := range all {
		if ctx.Err() != nil {
			break
		}
		next <- t
	}
	close(next)
	workers.Wait()
}

// idle is what the process takes when nobody asks.
func (c *collector) idle(ctx context.Context, d time.Duration) (use, error) {
	before, began := c.cpu(), time.Now()
	progress.Line(os.Stderr, "%s without queries", seconds(d))
	select {
	case <-ctx.Done():
		return use{}, ctx.Err()
	case <-c.ended:
		return use{}, fmt.Errorf("mcloud ended: %v%s", c.err, c.tail())
	case <-time.After(d):
	}
	return use{c.cpu() - before, time.Since(began)}, nil
}

// figures are what the collector says of itself.
func (c *collector) figures(ctx context.Context) []figure {
	var all []figure
	for _, f := range []struct{ name, expr, format string }{
		{"hypervisors", `count(openstack_nova_hypervisor_info)`, "%.0f"},
		{"servers", `sum(openstack_nova_servers)`, "%.0f"},
		{"volumes", `sum(openstack_cinder_volumes)`, "%.0f"},
		{"ports", `sum(openstack_neutron_ports)`, "%.0f"},
		{"OSDs", `count(ceph_osd_up)`, "%.0f"},
		{"hosts with Open vSwitch", `count(count by (host) (ovs_up))`, "%.0f"},
		{"series in the hot hours", `sum(prometheus_tsdb_head_series)`, "%.0f"},
		{"samples of a scrape of the exporter", `sum(scrape_samples_scraped{job="exporter"})`, "%.0f"},
		{"time of that scrape", `max(scrape_duration_seconds{job="exporter"})`, "%.2f s"},
		{"time of the slowest rule group", `max(prometheus_rule_group_last_duration_seconds)`, "%.2f s"},
		{"time of all rule groups", `sum(prometheus_rule_group_last_duration_seconds)`, "%.2f s"},
		{"rule groups missed", `sum(prometheus_rule_group_iterations_missed_total)`, "%.0f"},
		{"time of a plan", `max(mcloud_plan_duration_seconds)`, "%.1f s"},
		{"lag of the store", `max(mcloud_shipper_lag_seconds)`, "%.1f s"},
		{"slowest look of the exporter", `max(mcloud_source_duration_seconds)`, "%.1f s"},
		{"sources failing", `count(mcloud_source_success == 0) or vector(0)`, "%.0f"},
	} {
		if v, there := c.number(ctx, f.expr); there {
			all = append(all, figure{f.name, fmt.Sprintf(f.format, v)})
		}
	}
	return all
}
