package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"mcloud/planner/forecast"
)

// Forecast is the future of one quantity, step by step, with the evidence for it.
type Forecast struct {
	// Subject is what people call it: "tier nvme", "vCPU in az-a", or a series with its
	// labels.
	Subject string            `json:"subject"`
	Labels  map[string]string `json:"labels,omitempty"` // of a series
	Unit    string            `json:"unit,omitempty"`   // unknown of a series
	// Now is the last value, at To; nil when there is none.
	Now   *float64 `json:"now,omitempty"`
	Limit *float64 `json:"limit,omitempty"`
	// Crossing is when it reaches Limit; nil without one, or when it is not computed.
	Crossing   *forecast.Crossing `json:"crossing,omitempty"`
	OrderBy    *time.Time         `json:"order_by,omitempty"`
	Confidence Confidence         `json:"confidence"`
	// Basis is the model, the window it was fitted to, and how it did on the past.
	Basis Basis  `json:"basis"`
	Steps []Band `json:"steps"` // empty without a forecast: Basis.Reason says why
	// Notes say in plain words what is odd about the history.
	Notes []string `json:"notes,omitempty"`
}

// tableLeads are how far ahead the table looks, in days.
var tableLeads = []int{1, 2, 7, 14, 30, 60, 90, 180, 365}

// Lead is the band at least days after the end of the history; ok is false beyond
// the horizon.
func (f Forecast) Lead(days int) (b Band, ok bool) {
	due := f.Basis.To.Add(time.Duration(days) * 24 * time.Hour)
	for _, b := range f.Steps {
		if !b.Time.Before(due) {
			return b, true
		}
	}
	return Band{}, false
}

// WriteForecastTable writes each forecast with its evidence.
func WriteForecastTable(w io.Writer, all []Forecast) error {
	var b strings.Builder
	for i, f := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		title := f.Subject
		if f.Unit != "" {
			title += ", in " + unitName(f.Unit)
		}
		t := style(title)
		t.AppendHeader(forecastHeader())
		right(t, 2, 3, 4, 5)
		if f.Now != nil {
			t.AppendRow([]any{f.Basis.To.UTC().Format(time.RFC3339), "last value", "", Quantity(*f.Now, f.Unit), ""})
		}
		var last time.Time
		for _, days := range tableLeads {
			band, ok := f.Lead(days)
			if !ok || band.Time.Equal(last) {
				continue
			}
			last = band.Time
			t.AppendRow([]any{band.Time.UTC().Format(time.RFC3339), fmt.Sprintf("%d d", days), Quantity(band.P10, f.Unit), Quantity(band.P50, f.Unit), Quantity(band.P90, f.Unit)})
		}
		if n := len(f.Steps); n > 0 && last.IsZero() {
			band := f.Steps[n-1]
			t.AppendRow([]any{band.Time.UTC().Format(time.RFC3339), Days(band.Time.Sub(f.Basis.To).Hours() / 24), Quantity(band.P10, f.Unit), Quantity(band.P50, f.Unit), Quantity(band.P90, f.Unit)})
		}
		fmt.Fprintln(&b, t.Render())
		for _, line := range f.Words() {
			fmt.Fprintln(&b, line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func forecastHeader() []any { return []any{"at (UTC)", "ahead", "P10", "P50", "P90"} }

func unitName(unit string) string {
	switch unit {
	case "bytes", "MiB", "GiB":
		return "bytes (binary prefixes)"
	}
	return unit
}

// Words say what the numbers rest on, a line each.
func (f Forecast) Words() []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if f.Limit != nil {
		add("Limit %s.", Quantity(*f.Limit, f.Unit))
		if c := f.Crossing; c != nil && c.State != forecast.Unknown {
			until := &c.Until
			add("Reaches it: early (P10) %s, P50 %s, late (P90) %s; with a probability of %s by %s.", CrossingDay(c.P10, until), CrossingDay(c.P50, until), CrossingDay(c.P90, until), Percent(c.Probability), Day(until))
		}
		if f.OrderBy != nil {
			add("Order by %s.", Day(f.OrderBy))
		}
	}
	if b := f.Basis; b.Points == 0 || b.Model == "" {
		add("No forecast: %s.", b.Reason)
		if b.Points > 0 {
			add("History: %d points from %s to %s.", b.Points, b.From.UTC().Format(time.RFC3339), b.To.UTC().Format(time.RFC3339))
		}
	} else {
		add("Model: %s. History: %s to %s, %d points every %s, %d of them missing.", b.Model, b.From.UTC().Format(time.RFC3339), b.To.UTC().Format(time.RFC3339), b.Points, hours(b.StepHours), b.Gaps)
		if b.Origins > 0 {
			add("Tested on the past from %d origins, up to %s ahead: error %s of “no change” (mean %s), and P10 to P90 held %s (80 %% is perfect).", b.Origins, Days(b.LeadDays), Percent(b.Relative), Quantity(b.MeanError, f.Unit), Percent(b.Coverage))
		} else {
			add("Not tested on the past: %s.", f.Confidence.Why)
		}
		add("Confidence: %s.", f.Confidence.Level)
	}
	for _, note := range f.Notes {
		add("Note: %s.", note)
	}
	return lines
}

func hours(h float64) string {
	if h >= 24 && h == float64(int(h/24)*24) {
		return Days(h / 24)
	}
	return number(h) + " h"
}

// WriteForecastCSV writes a row for each step, numbers plain in the unit named; a
// forecast that there is none of has one row with the reason.
func WriteForecastCSV(w io.Writer, all []Forecast) error {
	c := csv.NewWriter(w)
	c.Write([]string{"subject", "unit", "time", "p10", "p50", "p90", "limit", "model", "history_from", "history_to", "points", "gaps", "backtest_origins", "backtest_relative", "backtest_mean_error", "backtest_coverage", "confidence", "notes"})
	for _, f := range all {
		b := f.Basis
		evidence := []string{optional(f.Limit), b.Model, "", "", strconv.Itoa(b.Points), strconv.Itoa(b.Gaps), strconv.Itoa(b.Origins), "", "", "", f.Confidence.Level, safeCell(strings.Join(f.Notes, "; "))}
		if b.Points > 0 {
			evidence[2], evidence[3] = instant(&b.From), instant(&b.To)
		}
		if b.Origins > 0 {
			evidence[7], evidence[8], evidence[9] = number(b.Relative), number(b.MeanError), number(b.Coverage)
		}
		if len(f.Steps) == 0 {
			evidence[len(evidence)-1] = safeCell(strings.Join(append([]string{"no forecast: " + b.Reason}, f.Notes...), "; "))
			c.Write(append([]string{safeCell(f.Subject), f.Unit, "", "", "", ""}, evidence...))
		}
		for _, s := range f.Steps {
			c.Write(append([]string{safeCell(f.Subject), f.Unit, instant(&s.Time), number(s.P10), number(s.P50), number(s.P90)}, evidence...))
		}
	}
	c.Flush()
	return c.Error()
}
