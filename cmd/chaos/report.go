package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// report prints a line for each round as it ends, and what all came to.
type report struct {
	w   io.Writer
	sum outcome
	n   int
	// stood are the rounds in which rules stood still for longer than rulesMayStand.
	stood, idle int
}

// rulesMayStand is how long a rule with an interval of 1 s may go without an evaluation
// on a machine that has other things to do.
const rulesMayStand = 10 * time.Second

func newReport(w io.Writer) *report {
	r := &report{w: w}
	r.line("ROUND", "FAULT", "TOOK", "ACKNOWLEDGED", "MISSING", "DOUBLED", "ALL STORED AFTER", "RULES STOOD", "")
	return r
}

func (r *report) line(cells ...string) {
	t := tabwriter.NewWriter(r.w, 0, 0, 2, ' ', 0)
	widths := []int{5, 42, 6, 12, 7, 7, 16, 11, 0}
	for i, c := range cells {
		_, _ = fmt.Fprintf(t, "%-*s\t", widths[i], c)
	}
	_, _ = fmt.Fprintln(t)
	_ = t.Flush() // standard output is gone: there is nobody to tell
}

func (r *report) add(n int, o outcome) {
	r.n++
	r.sum.acknowledged += o.acknowledged
	r.sum.missing += o.missing
	r.sum.doubled += o.doubled
	r.sum.rulesStood = max(r.sum.rulesStood, o.rulesStood)
	if o.rulesStood > rulesMayStand {
		r.stood++
	}
	if o.acknowledged == 0 {
		r.idle++
	}
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }
	r.line(fmt.Sprint(n), o.fault, seconds(o.took), fmt.Sprint(o.acknowledged), fmt.Sprint(o.missing), fmt.Sprint(o.doubled), seconds(o.arrived), seconds(o.rulesStood), o.note)
}

// end says what all rounds came to; an error when anything acknowledged is missing or
// there twice, when rules stood still, or when a round had no load.
func (r *report) end(took time.Duration) error {
	_, _ = fmt.Fprintf(r.w, "\n%d rounds in %s: %d samples acknowledged, %d missing, %d doubled; rules stood still for %.1f s at most\n",
		r.n, took.Round(time.Second), r.sum.acknowledged, r.sum.missing, r.sum.doubled, r.sum.rulesStood.Seconds())
	switch {
	case r.sum.missing > 0 || r.sum.doubled > 0:
		return fmt.Errorf("%d acknowledged samples are missing, %d doubled", r.sum.missing, r.sum.doubled)
	case r.stood > 0:
		return fmt.Errorf("rules stood still for more than %s in %d rounds", rulesMayStand, r.stood)
	case r.idle > 0:
		return fmt.Errorf("nothing was acknowledged in %d rounds: that is no load", r.idle)
	}
	return nil
}
