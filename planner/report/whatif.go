package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"mcloud/planner/forecast"
	"mcloud/planner/scenario"
)

// WhatIf says what dates changes move: before and after, side by side.
type WhatIf struct {
	Cloud string    `json:"cloud"`
	At    time.Time `json:"at"`
	// Scenario is the stored question's name; "" for one asked just now.
	Scenario string            `json:"scenario,omitempty"`
	Note     string            `json:"note,omitempty"`
	Changes  []scenario.Change `json:"changes"`
	// Commitments are what is promised and still to come: it counts before and after,
	// unless Changes say otherwise.
	Commitments []scenario.Commitment `json:"commitments"`
	// Rows are all quantities, those that change first.
	Rows []WhatIfRow `json:"rows"`
	// Partial says what could not be learnt.
	Partial []Missing `json:"partial,omitempty"`
}

// WhatIfRow is one quantity before and after.
type WhatIfRow struct {
	Subject scenario.Subject `json:"subject"`
	Unit    string           `json:"unit"`
	Used    float64          `json:"used"`
	// Known is false when nobody told what is used.
	Known   bool      `json:"known"`
	Changed bool      `json:"changed"`
	Before  Situation `json:"before"`
	After   Situation `json:"after"`
	// Days by which the dates of the limit move: below zero is earlier. Absent where
	// one of the dates is not known or lies beyond the horizon.
	Days Moved `json:"days"`
	// Result says it in a sentence.
	Result string `json:"result"`
}

// Situation is where a quantity stands and when it meets what bounds it.
type Situation struct {
	// Limit and Capacity are after all changes, Demand is what these add by then.
	Limit    float64 `json:"limit"`
	Capacity float64 `json:"capacity"`
	Demand   float64 `json:"demand,omitempty"`
	// Crossing is of the limit, Full of the capacity, with the reserve used up.
	Crossing forecast.Crossing `json:"crossing"`
	Full     forecast.Crossing `json:"full"`
}

// Moved is by how many days dates differ.
type Moved struct {
	P10 *float64 `json:"p10,omitempty"`
	P50 *float64 `json:"p50,omitempty"`
	P90 *float64 `json:"p90,omitempty"`
}

// Compare completes a row from its Before and After.
func Compare(r WhatIfRow) WhatIfRow {
	r.Days = Moved{difference(r.Before.Crossing.P10, r.After.Crossing.P10), difference(r.Before.Crossing.P50, r.After.Crossing.P50), difference(r.Before.Crossing.P90, r.After.Crossing.P90)}
	r.Result = r.result()
	return r
}

func difference(before, after *time.Time) *float64 {
	if before == nil || after == nil {
		return nil
	}
	d := after.Sub(*before).Hours() / 24
	return &d
}

func (r WhatIfRow) result() string {
	before, after := r.Before.Crossing, r.After.Crossing
	short := r.Used + r.After.Demand - r.After.Capacity
	switch {
	case after.State == forecast.Unknown:
		return "no date is known: there is no forecast"
	case r.Changed && short > 0 && after.State == forecast.Over:
		return "does not fit: " + Quantity(short, r.Unit) + " more than there is room for"
	case before.State == forecast.Over && after.State == forecast.Over:
		return "is over its limit, before and after"
	case after.State == forecast.Over:
		return "is over its limit at once"
	case before.State == forecast.Over && after.P50 != nil:
		return "is over its limit now, would reach it " + Day(after.P50)
	case before.State == forecast.Over:
		return "is over its limit now, would not reach it before " + Day(&after.Until)
	case before.P50 == nil && after.P50 == nil:
		return "is not likely to reach its limit before " + Day(&after.Until) + probabilities(before, after)
	case before.P50 == nil:
		return "would reach its limit " + Day(after.P50) + ", before not within the horizon"
	case after.P50 == nil:
		return "would not reach its limit before " + Day(&after.Until)
	}
	switch d := math.Round(*r.Days.P50); {
	case d < 0:
		return fmt.Sprintf("reaches its limit %.0f days earlier", -d)
	case d > 0:
		return fmt.Sprintf("reaches its limit %.0f days later", d)
	}
	return "reaches its limit on the same day"
}

// probabilities tells them where they differ by a point or more.
func probabilities(before, after forecast.Crossing) string {
	if math.Abs(before.Probability-after.Probability) < 0.01 {
		return ""
	}
	return fmt.Sprintf(": %.0f %%, before %.0f %%", 100*after.Probability, 100*before.Probability)
}

// WriteWhatIfTable writes the rows that change.
func WriteWhatIfTable(out io.Writer, a WhatIf) error {
	w := new(strings.Builder)
	what := "What if, for " + a.Cloud
	if a.Scenario != "" {
		what = "Scenario " + a.Scenario + " for " + a.Cloud
	}
	fmt.Fprintf(w, "%s as of %s\n", what, a.At.UTC().Format(time.RFC3339))
	if a.Note != "" {
		fmt.Fprintf(w, "  %s\n", a.Note)
	}
	for _, c := range a.Changes {
		fmt.Fprintf(w, "  change      %s\n", c)
	}
	for _, c := range a.Commitments {
		fmt.Fprintf(w, "  promised    %s: %s\n", c.Name, changes(c.Changes))
	}
	t := style("Dates at which limits are reached")
	t.AppendHeader(table.Row{"", "limit now", "after", "P50 now", "after", "days", "P10 now", "after", "days", "result"})
	var same []string
	for _, r := range a.Rows {
		if !r.Changed {
			same = append(same, subjectName(r.Subject))
			continue
		}
		t.AppendRow(table.Row{
			subjectName(r.Subject), Quantity(r.Before.Limit, r.Unit), Quantity(r.After.Limit, r.Unit),
			reached(r.Before.Crossing, r.Before.Crossing.P50), reached(r.After.Crossing, r.After.Crossing.P50), moved(r.Days.P50),
			reached(r.Before.Crossing, r.Before.Crossing.P10), reached(r.After.Crossing, r.After.Crossing.P10), moved(r.Days.P10), r.Result,
		})
	}
	if t.Length() == 0 {
		fmt.Fprintln(w, "  Nothing changes.")
	} else {
		fmt.Fprintln(w, t.Render())
	}
	if len(same) > 0 {
		fmt.Fprintf(w, "  unchanged   %s\n", strings.Join(same, ", "))
	}
	for _, m := range a.Partial {
		fmt.Fprintf(w, "  missing     %s: %s\n", m.What, m.Why)
	}
	return send(out, w)
}

// WriteCommitments writes a table of commitments.
func WriteCommitments(out io.Writer, all []scenario.Commitment) error {
	return writeKept(out, "commitments", all, func(c scenario.Commitment) (string, []scenario.Change, string, time.Time) {
		return c.Name, c.Changes, c.Note, c.Recorded
	})
}

// WriteScenarios writes a table of scenarios.
func WriteScenarios(out io.Writer, all []scenario.Scenario) error {
	return writeKept(out, "scenarios", all, func(s scenario.Scenario) (string, []scenario.Change, string, time.Time) {
		return s.Name, s.Changes, s.Note, s.Recorded
	})
}

func writeKept[T any](out io.Writer, what string, all []T, of func(T) (name string, changes []scenario.Change, note string, recorded time.Time)) error {
	w := new(strings.Builder)
	if len(all) == 0 {
		fmt.Fprintf(w, "There are no %s.\n", what)
		return send(out, w)
	}
	t := style(strings.ToUpper(what[:1]) + what[1:])
	t.AppendHeader(table.Row{"name", "change", "note", "stored (UTC)"})
	for _, one := range all {
		name, changes, note, recorded := of(one)
		for i, c := range changes {
			if i > 0 {
				name, note = "", ""
			}
			t.AppendRow(table.Row{name, c.String(), note, recorded.UTC().Format("2006-01-02 15:04")})
		}
	}
	fmt.Fprintln(w, t.Render())
	return send(out, w)
}

func send(out io.Writer, b *strings.Builder) error {
	_, err := io.WriteString(out, b.String())
	return err
}

func changes(all []scenario.Change) string {
	texts := make([]string, len(all))
	for i, c := range all {
		texts[i] = c.String()
	}
	return strings.Join(texts, "; ")
}

// SortWhatIf puts what changes first, and of that what moves most to the early side.
func SortWhatIf(rows []WhatIfRow) {
	rank := func(r WhatIfRow) float64 {
		switch {
		case !r.Changed:
			return math.Inf(1)
		case r.After.Crossing.State == forecast.Over && r.Before.Crossing.State != forecast.Over:
			return math.Inf(-1)
		case r.Days.P50 != nil:
			return *r.Days.P50
		}
		return 0
	}
	slices.SortStableFunc(rows, func(a, b WhatIfRow) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Subject.Kind, b.Subject.Kind), cmp.Compare(a.Subject.Name, b.Subject.Name), cmp.Compare(a.Subject.Class, b.Subject.Class))
	})
}

func subjectName(s scenario.Subject) string {
	if s.Class == "" {
		return string(s.Kind) + " " + s.Name
	}
	return s.Name + " " + ClassName(s.Class)
}

// reached is a date of a crossing in a cell.
func reached(c forecast.Crossing, at *time.Time) string {
	switch {
	case c.State == forecast.Unknown:
		return "unknown"
	case c.State == forecast.Over:
		return "over now"
	case at == nil:
		return "after " + Day(&c.Until)
	}
	return Day(at)
}

func moved(days *float64) string {
	if days == nil {
		return ""
	}
	if math.Abs(*days) < 0.5 {
		return "0"
	}
	return fmt.Sprintf("%+.0f", *days)
}
