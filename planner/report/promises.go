package report

import (
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
			for _, r := range changedRows(s) {
				t.AppendRow(table.Row{name, subjectName(r.Subject), reached(r.Before.Crossing, r.Before.Crossing.P50), reached(r.After.Crossing, r.After.Crossing.P50), moved(r.Days.P50), r.Result})
				name = ""
			}
			if name != "" {
				t.AppendRow(table.Row{name, "nothing changes"})
			}
		}
		b.WriteString(t.Render() + "\n\n")
	}
	return b.String()
}
