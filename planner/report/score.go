package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"mcloud/planner/hindsight"
)

// ScoreSchema names this version of the Score's JSON.
const ScoreSchema = "mcloud.score/1"

// Score says how the reports of the past did.
type Score struct {
	Schema string    `json:"schema"`
	Cloud  string    `json:"cloud"`
	At     time.Time `json:"at"`
	// Reports is how many are kept, the first and last of them of First and Last.
	Reports  int        `json:"reports"`
	First    *time.Time `json:"first,omitempty"`
	Last     *time.Time `json:"last,omitempty"`
	LeadDays []int      `json:"lead_days"`
	// Why says why nothing is scored.
	Why string `json:"why,omitempty"`
	hindsight.Verdict
}

// SubjectName is what people call a subject.
func SubjectName(s hindsight.Subject) string {
	if s.Kind == string(KindZone) {
		return ClassName(s.Class) + " in " + s.Name
	}
	return s.Kind + " " + s.Name
}

// WriteScoreTable writes s for a terminal.
func WriteScoreTable(w io.Writer, s Score) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Past reports of %s against what came, at %s\n", s.Cloud, s.At.UTC().Format(time.RFC3339))
	if s.Why != "" {
		fmt.Fprintf(&b, "%s\n", s.Why)
	}
	if s.Reports > 0 {
		fmt.Fprintf(&b, "%d reports kept, one a day, from %s to %s.\n", s.Reports, Day(s.First), Day(s.Last))
	}
	if len(s.Totals) > 0 {
		t := style("All together, errors as shares of the limits")
		t.AppendHeader([]any{"ahead", "forecasts", "error", "of “no change”", "of the trend", "P10–P90 held", "bias"})
		right(t, 2, 3, 4, 5, 6, 7)
		for _, x := range s.Totals {
			t.AppendRow([]any{fmt.Sprintf("%d d", x.LeadDays), x.Forecasts, Percent(x.Error), Percent(x.ErrorLast), Percent(x.ErrorDrift), Percent(x.Coverage), signedPercent(x.Bias)})
		}
		fmt.Fprintf(&b, "\n%s\n", t.Render())
	}
	if len(s.Rows) > 0 {
		t := style("By tier and zone")
		t.AppendHeader([]any{"what", "ahead", "forecasts", "error", "against “no change”", "against the trend", "P10–P90 held", "bias"})
		right(t, 3, 4, 5, 6, 7, 8)
		for _, r := range s.Rows {
			row := []any{SubjectName(r.Subject), fmt.Sprintf("%d d", r.LeadDays), r.Forecasts}
			if x := r.Scores; x != nil {
				row = append(row, Quantity(x.Error, r.Unit), RatioText(x.RelativeLast), RatioText(x.RelativeDrift), Percent(x.Coverage), signed(x.Bias, r.Unit))
			} else {
				row = append(row, RowWhy(r))
			}
			t.AppendRow(row)
		}
		fmt.Fprintf(&b, "\n%s\n", t.Render())
	}
	if len(s.Moved) > 0 {
		t := style("Dates that moved")
		t.AppendHeader([]any{"what", "report of", "early (P10)", "P50", "late (P90)"})
		for _, m := range s.Moved {
			name := SubjectName(m.Subject)
			for _, d := range m.Dates {
				t.AppendRow([]any{name, d.At.UTC().Format(time.DateOnly), Day(d.P10), Day(d.P50), Day(d.P90)})
				name = ""
			}
		}
		fmt.Fprintf(&b, "\n%s\n", t.Render())
	}
	if len(s.Totals) > 0 {
		b.WriteString("\nError is the mean absolute error of P50. Against “no change” (the last value) and the trend of that day's history, below 100 % is\nbetter than they were. P10–P90 should hold 80 % of what came. Bias above 0: the forecast told too much.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// RowWhy says why a row has no scores.
func RowWhy(r hindsight.Row) string {
	switch {
	case r.Why != "":
		return r.Why
	case r.Due != nil:
		return "nothing to score before " + Day(r.Due)
	}
	return "nothing to score"
}

// RatioText prints a relative error, a dash where the other made none.
func RatioText(v *float64) string {
	if v == nil {
		return "–"
	}
	return Percent(*v)
}

func signedPercent(v float64) string {
	if v > 0 {
		return "+" + Percent(v)
	}
	return Percent(v)
}

// WriteScoreCSV writes a row for each subject and lead; what cannot be scored yet has
// empty cells and the reason.
func WriteScoreCSV(w io.Writer, s Score) error {
	c := csv.NewWriter(w)
	c.Write([]string{"kind", "name", "class", "unit", "lead_days", "forecasts", "mean_error", "mean_error_last", "mean_error_drift", "relative_last", "relative_drift", "coverage", "bias", "error_of_limit", "why"})
	for _, r := range s.Rows {
		row := []string{r.Kind, safeCell(r.Name), r.Class, r.Unit, strconv.Itoa(r.LeadDays), strconv.Itoa(r.Forecasts)}
		if x := r.Scores; x != nil {
			row = append(row, number(x.Error), number(x.ErrorLast), number(x.ErrorDrift), optional(x.RelativeLast), optional(x.RelativeDrift), number(x.Coverage), number(x.Bias), number(x.LimitShare), "")
		} else {
			row = append(row, "", "", "", "", "", "", "", "", RowWhy(r))
		}
		c.Write(row)
	}
	if len(s.Rows) == 0 {
		c.Write([]string{"", "", "", "", "", "0", "", "", "", "", "", "", "", "", safeCell(s.Why)})
	}
	c.Flush()
	return c.Error()
}
