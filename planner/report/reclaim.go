package report

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"mcloud/planner/reclaim"
)

// FindingsShown is how many findings of a category a report has, and ProjectsShown how
// many projects: GET /api/v1/reclaim has all.
const (
	FindingsShown = 10
	ProjectsShown = 10
)

// AmountText says what would be free again.
func AmountText(a reclaim.Amount) string {
	var parts []string
	add := func(v int64, text string) {
		if v != 0 {
			parts = append(parts, text)
		}
	}
	add(a.VCPUs, Quantity(float64(a.VCPUs), "vCPU"))
	add(a.MemoryMiB, Quantity(float64(a.MemoryMiB), "MiB")+" memory")
	add(a.DiskGiB, Quantity(float64(a.DiskGiB), "GiB")+" local disk")
	add(a.VolumeGiB, Quantity(float64(a.VolumeGiB), "GiB")+" of volumes")
	if a.Addresses == 1 {
		parts = append(parts, "1 address")
	} else {
		add(a.Addresses, thousands(float64(a.Addresses))+" addresses")
	}
	return cmp.Or(strings.Join(parts, ", "), "–")
}

// MonthText says what something costs a month.
func MonthText(perMonth, currency string, unpriced int) string {
	switch {
	case perMonth == "" && unpriced == 0:
		return "–"
	case perMonth == "":
		return "no price set"
	case unpriced > 0:
		return fmt.Sprintf("%s %s, %d without a price", money(perMonth), currency, unpriced)
	}
	return money(perMonth) + " " + currency
}

// OwnerText names the owner of a finding.
func OwnerText(f reclaim.Finding) string { return cmp.Or(f.ProjectName, f.Project, "–") }

// CountText is the count of a category, or that it is not known.
func CountText(c reclaim.Category) string {
	if !c.Known || c.Count == nil {
		return "unknown"
	}
	return thousands(float64(*c.Count))
}

// WriteReclaimTable writes the sums, and each finding.
func WriteReclaimTable(w io.Writer, r reclaim.Result) error {
	var b strings.Builder
	b.WriteString(reclaimTable(r))
	if len(r.Projects) > 0 {
		t := style("By project")
		t.AppendHeader([]any{"project", "things", "would be free", "a month"})
		right(t, 2, 4)
		for _, p := range r.Projects {
			t.AppendRow([]any{cmp.Or(p.Name, p.Project, "–"), p.Count, AmountText(p.Amount), MonthText(p.PerMonth, r.Currency, p.Unpriced)})
		}
		fmt.Fprintf(&b, "\n%s\n", t.Render())
	}
	for _, name := range reclaim.Names {
		t := style(upper(string(name)))
		t.AppendHeader([]any{"name", "id", "project", "since", "would be free", "a month", "why"})
		right(t, 6)
		n := 0
		for _, f := range r.Findings {
			if f.Category == name {
				n++
				t.AppendRow([]any{cmp.Or(f.Name, "–"), f.ID, OwnerText(f), Day(f.Since), AmountText(f.Amount), cmp.Or(money(f.PerMonth), f.Unpriced), f.Why})
			}
		}
		if n > 0 {
			fmt.Fprintf(&b, "\n%s\n", t.Render())
		}
	}
	for _, u := range r.Unread {
		fmt.Fprintf(&b, "\nNot looked at: %s\n", u)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// reclaimTable is a row for each category.
func reclaimTable(r reclaim.Result) string {
	t := style("What could be reclaimed before something is bought, at " + r.At.UTC().Format(time.RFC3339))
	t.AppendHeader([]any{"what", "how many", "would be free", "a month", "what counts"})
	right(t, 2, 4)
	var notes []string
	for _, c := range r.Categories {
		if !c.Known {
			t.AppendRow([]any{c.Name, "unknown", "unknown", "unknown", c.Rule})
			notes = append(notes, fmt.Sprintf("%s: %s.\n", c.Name, c.Why))
			continue
		}
		t.AppendRow([]any{c.Name, CountText(c), AmountText(*c.Amount), MonthText(c.PerMonth, r.Currency, c.Unpriced), c.Rule})
		if c.Undecided > 0 {
			notes = append(notes, fmt.Sprintf("%s: of %d it cannot be told.\n", c.Name, c.Undecided))
		}
	}
	t.AppendFooter([]any{"all that has a price", "", "", MonthText(r.PerMonth, r.Currency, 0), ""})
	return t.Render() + "\n" + strings.Join(notes, "")
}

// WriteReclaimCSV writes a row for each finding, and one for each category that is not
// known, with the reason.
func WriteReclaimCSV(w io.Writer, r reclaim.Result) error {
	c := csv.NewWriter(w)
	c.Write([]string{"category", "id", "name", "project", "project_name", "since", "days", "vcpus", "memory_mib", "disk_gib", "volume_gib", "addresses", "per_month", "currency", "unpriced", "why"})
	for _, category := range r.Categories {
		if !category.Known {
			c.Write([]string{string(category.Name), "", "", "", "", "", "", "", "", "", "", "", "", "", "", safeCell("unknown: " + category.Why)})
		}
	}
	for _, f := range r.Findings {
		n := func(v int64) string { return strconv.FormatInt(v, 10) }
		currency := ""
		if f.PerMonth != "" {
			currency = r.Currency
		}
		c.Write([]string{string(f.Category), safeCell(f.ID), safeCell(f.Name), safeCell(f.Project), safeCell(f.ProjectName), instant(f.Since), strconv.FormatFloat(f.Days, 'f', 1, 64),
			n(f.Amount.VCPUs), n(f.Amount.MemoryMiB), n(f.Amount.DiskGiB), n(f.Amount.VolumeGiB), n(f.Amount.Addresses), f.PerMonth, safeCell(currency), f.Unpriced, safeCell(f.Why)})
	}
	c.Flush()
	return c.Error()
}
