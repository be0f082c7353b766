package report

import (
	"math"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
)

// changedRows are the rows of a that change.
func changedRows(a WhatIf) (rows []WhatIfRow) {
	for _, r := range a.Rows {
		if r.Changed {
			rows = append(rows, r)
		}
	}
	return rows
}

// movedRows are those of them of which a date, a chance or a limit moves: a report has
// no room for the others.
func movedRows(a WhatIf) (rows []WhatIfRow) {
	moved := func(days *float64) bool { return days != nil && math.Abs(*days) >= 0.5 }
	for _, r := range changedRows(a) {
		before, after := r.Before.Crossing, r.After.Crossing
		if moved(r.Days.P10) || moved(r.Days.P50) || moved(r.Days.P90) || before.State != after.State || math.Abs(before.Probability-after.Probability) >= 0.01 || r.Before.Limit != r.After.Limit {
			rows = append(rows, r)
		}
	}
	return rows
}

// promises writes commitments and scenarios for a terminal; "" when there are none.
func promises(d Document) string {
	var b strings.Builder
	if len(d.Commitments) > 0 {
		t := style("Commitments, which every date counts with")
		t.AppendHeader(table.Row{"name", "change", "note"})
		for _, c := range d.Commitments {
			t.AppendRow(table.Row{c.Name, changes(c.Changes), c.Note})
		}
		b.WriteString(t.Render() + "\n\n")
	}
	if len(d.Scenarios) > 0 {
		t := style("What if")
		t.AppendHeader(table.Row{"", "what", "P50 now", "then", "days", "result"})
		right(t, 5)
		for _, s := range d.Scenarios {
			name := s.Scenario
			for _, r := range movedRows(s) {
				t.AppendRow(table.Row{name, subjectName(r.Subject), reached(r.Before.Crossing, r.Before.Crossing.P50), reached(r.After.Crossing, r.After.Crossing.P50), moved(r.Days.P50), r.Result})
				name = ""
			}
			if name != "" {
				t.AppendRow(table.Row{name, "no date moves"})
			}
		}
		b.WriteString(t.Render() + "\n\n")
	}
	return b.String()
}
