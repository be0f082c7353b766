package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcloud/planner/capacity"
)

// WriteJSON writes d, which is the whole report.
func WriteJSON(w io.Writer, d any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(d)
}

// WriteCSV writes one row for each tier and each class of a zone, numbers plain
// and dates as RFC 3339, for spreadsheets. Where real use is measured, classes of the
// cloud and of each measured host follow, with what is allocated (used) and really
// used. Empty is not known, or does not apply.
func WriteCSV(w io.Writer, d Document) error {
	c := csv.NewWriter(w)
	c.Write([]string{
		"kind", "name", "class", "unit", "urgency", "used", "limit", "capacity", "used_ratio", "growth_per_day", "state", "p10", "p50", "p90", "probability",
		"lead_time_days", "order_by", "buy_unit", "buy_units", "buy_units_safe", "cost", "currency", "confidence", "model", "backtest_relative", "backtest_coverage", "notes",
		"zone", "hosts", "measured_hosts", "measured_total", "measured_allocated", "really_used_p50", "really_used_p95",
	})
	for _, t := range d.Tiers {
		c.Write(append(csvRow(KindTier, t.Tier, t.Outlook), make([]string, useColumns)...))
	}
	for _, z := range d.Zones {
		for _, o := range z.Outlooks {
			use, ok := d.RealUse.In(z.Zone, o.Class)
			c.Write(append(csvRow(KindZone, z.Zone, o), csvUse(z.Zone, z.Hosts, use, ok)...))
		}
	}
	if t := d.RealUse.Total; t != nil {
		csvUses(c, "cloud", d.Cloud, *t)
		for _, h := range d.RealUse.Hosts {
			csvUses(c, "host", h.Host, h)
		}
	}
	c.Flush()
	return c.Error()
}

// The columns that csvRow and csvUse fill.
const (
	rowColumns = 27
	useColumns = 7
)

// csvUses writes a row for each class of u.
func csvUses(c *csv.Writer, kind, name string, u capacity.RealUse) {
	for _, use := range uses(u) {
		row := make([]string, rowColumns)
		copy(row, []string{kind, safeCell(name), use.Class, ClassUnit(use.Class), "", strconv.FormatInt(use.Allocated, 10)})
		c.Write(append(row, csvUse(u.Zone, u.Hosts, use.ClassUse, true)...))
	}
}

func csvUse(zone string, hosts int, u capacity.ClassUse, known bool) []string {
	row := []string{safeCell(zone), strconv.Itoa(hosts)}
	if !known {
		return append(row, "0", "", "", "", "")
	}
	return append(row, strconv.Itoa(u.Measured), number(u.Total), strconv.FormatInt(u.Allocated, 10), number(u.P50), number(u.P95))
}

func csvRow(kind Kind, name string, o Outlook) []string {
	row := []string{
		string(kind), safeCell(name), o.Class, o.Unit, string(o.Urgency), number(o.Used), number(o.Limit), number(o.Capacity), number(o.UsedRatio), optional(o.GrowthPerDay),
		string(o.Crossing.State), instant(o.Crossing.P10), instant(o.Crossing.P50), instant(o.Crossing.P90), number(o.Crossing.Probability),
		number(o.LeadTimeDays), instant(o.OrderBy),
	}
	if p := o.Purchase; p != nil {
		row = append(row, safeCell(p.Unit), strconv.FormatInt(p.Units, 10), strconv.FormatInt(p.UnitsSafe, 10), p.Cost, safeCell(p.Currency))
	} else {
		row = append(row, "", "", "", "", "")
	}
	row = append(row, o.Confidence.Level)
	notes := slices.Clone(o.Notes)
	if o.Purchase != nil && o.Purchase.Note != "" {
		notes = append(notes, o.Purchase.Note)
	}
	said := safeCell(strings.Join(notes, "; "))
	if b := o.Basis; b != nil && b.Model != "" {
		return append(row, b.Model, number(b.Relative), number(b.Coverage), said)
	}
	return append(row, "", "", "", said)
}

// safeCell keeps a name from being run as a formula by a spreadsheet.
func safeCell(s string) string {
	if s != "" && (s[0] == '=' || s[0] == '+' || s[0] == '-' || s[0] == '@') {
		return "'" + s
	}
	return s
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return number(*v)
}

func instant(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// WriteHeadroomCSV writes one row for each flavor, backing and zone.
func WriteHeadroomCSV(w io.Writer, all []capacity.Headroom) error {
	c := csv.NewWriter(w)
	c.Write([]string{"flavor", "flavor_id", "root_disk", "zone", "servers", "hosts", "largest"})
	for _, h := range all {
		for _, z := range h.Zones {
			c.Write([]string{safeCell(h.Flavor), safeCell(h.FlavorID), Backing(h), safeCell(z.Zone), strconv.FormatInt(z.Servers, 10), fmt.Sprint(z.Hosts), strconv.FormatInt(z.Largest, 10)})
		}
	}
	c.Flush()
	return c.Error()
}
