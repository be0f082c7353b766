package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// table prints figures beside goals.
type table struct{ *tabwriter.Writer }

func newTable(out io.Writer) table {
	t := table{tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)}
	fmt.Fprintln(t, "FIGURE\tMEASURED\tTO REACH\t\tBESIDE IT")
	return t
}

// row is one figure; without a goal there is no verdict.
func (t table) row(name, measured, goal string, met bool, beside string) {
	verdict := ""
	if goal != "" {
		verdict = "missed"
		if met {
			verdict = "met"
		}
	}
	fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", name, measured, goal, verdict, beside)
}

func (t table) atMost(name string, v, goal float64, beside string) {
	t.row(name, fmt.Sprintf("%.3f", v), fmt.Sprintf("≤ %g", goal), v <= goal, beside)
}

// near is a coverage within three points of its nominal.
func (t table) near(name string, v, nominal float64, beside string) {
	t.row(name, fmt.Sprintf("%.1f %%", 100*v), fmt.Sprintf("%g ± 3 %%", 100*nominal), v >= nominal-0.03 && v <= nominal+0.03, beside)
}
