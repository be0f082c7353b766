package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// report prints a line for each round as it ends, and what all came to.
type report struct {
	w   io.Writer
	sum outcome
	n   int
	// mayStand is how long rules may stand still; stood are the rounds in which they did
	// longer.
	mayStand    time.Duration
	stood, idle int
	faults      map[string]*tally
}

// tally is what the rounds of one fault came to: the worst of arrived and rulesStood.
type tally struct {
	outcome
	rounds int
}

func newReport(w io.Writer, mayStand time.Duration) *report {
	r := &report{w: w, mayStand: mayStand, faults: map[string]*tally{}}
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
	if o.rulesStood > r.mayStand {
		r.stood++
	}
	if o.acknowledged == 0 {
		r.idle++
	}
	of := r.faults[o.fault]
	if of == nil {
		of = &tally{}
		r.faults[o.fault] = of
	}
	of.rounds++
	of.acknowledged, of.missing, of.doubled = of.acknowledged+o.acknowledged, of.missing+o.missing, of.doubled+o.doubled
	of.arrived, of.rulesStood, of.took = max(of.arrived, o.arrived), max(of.rulesStood, o.rulesStood), max(of.took, o.took)
	r.line(fmt.Sprint(n), o.fault, seconds(o.took), fmt.Sprint(o.acknowledged), fmt.Sprint(o.missing), fmt.Sprint(o.doubled), seconds(o.arrived), seconds(o.rulesStood), o.note)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

// summary says what the rounds of each fault came to, and all together.
func (r *report) summary(took time.Duration) {
	_, _ = fmt.Fprintln(r.w)
	t := tabwriter.NewWriter(r.w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "FAULT\tROUNDS\tACKNOWLEDGED\tMISSING\tDOUBLED\tLONGEST ROUND\tALL STORED AFTER AT MOST\tRULES STOOD AT MOST")
	for _, name := range slices.Sorted(maps.Keys(r.faults)) {
		f := r.faults[name]
		_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n", name, f.rounds, f.acknowledged, f.missing, f.doubled, seconds(f.took), seconds(f.arrived), seconds(f.rulesStood))
	}
	_ = t.Flush()
	_, _ = fmt.Fprintf(r.w, "\n%d rounds in %s: %d samples acknowledged, %d missing, %d doubled; rules stood still for %.1f s at most\n",
		r.n, took.Round(time.Second), r.sum.acknowledged, r.sum.missing, r.sum.doubled, r.sum.rulesStood.Seconds())
}

// end says what all rounds came to; an error when anything acknowledged is missing or
// there twice, when rules stood still, or when a round had no load.
func (r *report) end(took time.Duration) error {
	r.summary(took)
	switch {
	case r.sum.missing > 0 || r.sum.doubled > 0:
		return fmt.Errorf("%d acknowledged samples are missing, %d doubled", r.sum.missing, r.sum.doubled)
	case r.stood > 0:
		return fmt.Errorf("rules stood still for more than %s in %d rounds (-rules-may-stand on a machine that is busy with other things)", r.mayStand, r.stood)
	case r.idle > 0:
		return fmt.Errorf("nothing was acknowledged in %d rounds: that is no load", r.idle)
	}
	return nil
}
