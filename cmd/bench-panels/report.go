package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"mcloud/cmd/machine"
)

// mostTime is what is to be reached: the 95th of a hundred panel queries, six at a time.
const mostTime = 200 * time.Millisecond

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

// quantile of durations, which it sorts.
func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(int(q*float64(len(all))), len(all)-1)]
}

func (m measured) print(out io.Writer, o options, c *collector) error {
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(t, "\n%s; load when the asking began: %s\n", machine.Describe(), m.loadBefore)
	if c.command != nil {
		fmt.Fprintf(t, "data: mcloud run --demo --demo.hosts %d", o.hosts)
		if o.past > 0 {
			fmt.Fprintf(t, ", %s of every series in the hot hours, every %v", hours(o.past), o.step)
		}
		fmt.Fprintln(t)
	}
	fmt.Fprintf(t, "asked: every query of every panel over the dashboard's range, %d points at most, all variables at All, %d times one at a time and %d times %d at a time\n\n", o.pixels, o.rounds, o.rounds, browser)
	fmt.Fprintf(t, "DASHBOARD\tQUERIES\tSERIES\tp50\tp95\tp95 CPU\tp50 of %d\tp95 of %d\tSLOWEST\t\n", browser, browser)
	var alone, among, cpu []time.Duration
	var all []*timing
	for _, b := range m.boards {
		row(t, b.title, m.panels[b.title])
		for _, q := range m.panels[b.title] {
			alone, among, cpu = append(alone, q.alone...), append(among, q.among...), append(cpu, q.cpu...)
			all = append(all, q)
		}
	}
	var around []*timing
	seen := map[string]bool{}
	for _, b := range m.boards {
		for _, q := range m.around[b.title] {
			if !seen[q.question.what] { // the same on every dashboard
				seen[q.question.what] = true
				around = append(around, q)
			}
		}
	}
	row(t, "(variables, annotations)", around)
	a95, b95 := quantile(alone, 0.95), quantile(among, 0.95)
	fmt.Fprint(t, "\nFIGURE\tMEASURED\tTO REACH\t\n")
	fmt.Fprintf(t, "panel queries one at a time: p95\t%s\t≤ %s\t%s\n", short(a95), short(mostTime), verdict(a95 <= mostTime))
	fmt.Fprintf(t, "panel queries %d at a time: p95\t%s\t≤ %s\t%s\n", browser, short(b95), short(mostTime), verdict(b95 <= mostTime))
	fmt.Fprintf(t, "one at a time, %d at a time: p50\t%s, %s\t\t\n", browser, short(quantile(alone, 0.5)), short(quantile(among, 0.5)))
	fmt.Fprintf(t, "one at a time, %d at a time: slowest\t%s, %s\t\t\n", browser, short(quantile(alone, 1)), short(quantile(among, 1)))
	if c.pid != 0 {
		fmt.Fprintf(t, "one at a time: processor, p50, p95\t%s, %s\t\t\n", short(quantile(cpu, 0.5)), short(quantile(cpu, 0.95)))
		fmt.Fprintf(t, "memory: resident, peak\t%s, %s\t\t\n", c.memory("VmRSS"), c.memory("VmHWM"))
		fmt.Fprintf(t, "processor: nobody asks, asking\t%s, %s of a core\t\t\n", m.idle, m.busy)
	}
	for _, f := range m.figures {
		fmt.Fprintf(t, "%s\t%s\t\t\n", f.name, f.value)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	m.details(out, o, append(all, around...))
	return nil
}

func (u use) String() string {
	if u.wall == 0 {
		return "unknown"
	}
	return fmt.Sprintf("%.2f", u.cpu.Seconds()/u.wall.Seconds())
}

func row(out io.Writer, title string, all []*timing) {
	if len(all) == 0 {
		return
	}
	var alone, among, cpu []time.Duration
	series := 0
	slowest := all[0]
	for _, q := range all {
		alone, among, cpu = append(alone, q.alone...), append(among, q.among...), append(cpu, q.cpu...)
		series += q.last.series
		if q.slowest() > slowest.slowest() {
			slowest = q
		}
	}
	fmt.Fprintf(out, "%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s %s\t\n", title, len(all), series, short(quantile(alone, 0.5)), short(quantile(alone, 0.95)), short(quantile(cpu, 0.95)),
		short(quantile(among, 0.5)), short(quantile(among, 0.95)), short(slowest.slowest()), slowest.question.what)
}

func (t *timing) slowest() time.Duration { return max(quantile(t.alone, 1), quantile(t.among, 1)) }

// details list the slowest queries, and what went wrong.
func (m measured) details(out io.Writer, o options, all []*timing) {
	slices.SortStableFunc(all, func(a, b *timing) int { return cmp.Compare(quantile(b.alone, 0.5), quantile(a.alone, 0.5)) })
	fmt.Fprintf(out, "\nthe slowest, by their median alone:\n")
	for _, q := range all[:min(o.slowest, len(all))] {
		fmt.Fprintf(out, "%8s  %s: %s (%s of the processor, %d series, %.1f kB; %s among %d)\n          %s\n", short(quantile(q.alone, 0.5)), q.board, q.question.what, short(quantile(q.cpu, 0.5)), q.last.series, float64(q.last.bytes)/1e3,
			short(quantile(q.among, 0.5)), browser, q.question.expr)
	}
	for _, q := range all {
		switch {
		case q.err != nil:
			fmt.Fprintf(out, "FAILED %s: %s: %v\n\t%s\n", q.board, q.question.what, q.err, q.question.expr)
		case q.last.partial:
			fmt.Fprintf(out, "answered with a warning: %s: %s\n", q.board, q.question.what)
		case q.last.series == 0 && q.question.empty == "":
			fmt.Fprintf(out, "without data: %s: %s\n", q.board, q.question.what)
		}
	}
}

func short(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.0f ms", float64(d)/1e6)
}
