package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"mcloud/planner/capacity"
)

// WriteTable writes d for a terminal.
func WriteTable(w io.Writer, d Document) error {
	var b strings.Builder
	fmt.Fprintf(&b, "mCloud plan for %s at %s\n%s\n\n", d.Cloud, d.At.UTC().Format(time.RFC3339), d.Headline)
	b.WriteString(answerTable(d))
	b.WriteString("\n")
	for _, a := range d.Answers {
		notes := slices.Clone(a.Notes)
		if a.Purchase != nil && a.Purchase.Note != "" {
			notes = append(notes, a.Purchase.Note)
		}
		if len(notes) > 0 {
			fmt.Fprintf(&b, "%s: %s.\n", a.Subject(), strings.Join(notes, "; "))
		}
	}
	b.WriteString("\n")
	if len(d.Zones) > 0 {
		b.WriteString(zoneTable(d))
		b.WriteString("\n\n")
	}
	if d.RealUse.Total != nil {
		b.WriteString(useTable(d.RealUse))
		b.WriteString("\n\n")
	} else if d.RealUse.Why != "" {
		fmt.Fprintf(&b, "What hosts really use is not known: %s.\n\n", d.RealUse.Why)
	}
	if len(d.Tiers) > 0 {
		b.WriteString(tierTable(d))
		b.WriteString("\n\n")
	}
	b.WriteString(promises(d))
	if d.Reclaim != nil {
		b.WriteString(reclaimTable(*d.Reclaim))
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "Dates are UTC. P50: half of the simulated futures have crossed the limit by then; P10: one in ten, the early date that\norders follow. A purchase lasts %s beyond its lead time on the middle path.\n", Days(d.RunwayDays))
	writeMissing(&b, d.Partial)
	_, err := io.WriteString(w, b.String())
	return err
}

func style(title string) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header, t.Style().Format.Footer = text.FormatDefault, text.FormatDefault
	t.Style().Options.SeparateRows = false
	t.Style().Title.Align = text.AlignLeft
	t.SetTitle("%s", title)
	return t
}

func answerTable(d Document) string {
	t := style("What runs out, and what to buy")
	t.AppendHeader(table.Row{"", "what", "used", "P50", "P10 (early)", "order by", "buy", "cost", "sure"})
	for _, a := range d.Answers {
		t.AppendRow(table.Row{
			a.Urgency, a.Subject(), used(a.UsedRatio, a.Confidence.Level, a.Urgency), CrossingDay(a.P50, a.Until), CrossingDay(a.P10, a.Until),
			Day(a.OrderBy), a.Buy(), a.Purchase.CostText(), a.Confidence.Level,
		})
	}
	if len(d.Answers) == 0 {
		t.AppendRow(table.Row{"unknown", "nothing is known yet"})
	}
	return t.Render()
}

// used prints a share of the limit, or a dash where it is not known.
func used(ratio float64, confidence string, u Urgency) string {
	if ratio == 0 && u == Unknown {
		return "–"
	}
	return Percent(ratio)
}

func zoneTable(d Document) string {
	t := style("Compute, by availability zone")
	t.AppendHeader(table.Row{"zone", "hosts", "class", "allocated", "limit", "N+1 reserve", "free", "stranded", "used", "a day", "P50"})
	right(t, 4, 5, 6, 7, 8, 9, 10)
	for _, z := range d.Zones {
		hosts := fmt.Sprintf("%d of %d", z.InService, z.Hosts)
		if len(z.Out) > 0 {
			hosts += " (" + Out(z.Out) + ")"
		}
		for i, o := range z.Outlooks {
			name := z.Zone
			if i > 0 {
				name, hosts = "", ""
			}
			c := z.Classes[o.Class]
			q := func(v int64) string { return Quantity(float64(v), o.Unit) }
			t.AppendRow(table.Row{name, hosts, ClassName(o.Class), q(c.Allocated), q(c.Limit), q(c.Reserve), q(c.Free), q(c.Stranded), Percent(o.UsedRatio), Growth(o), CrossingDay(o.Crossing.P50, &o.Crossing.Until)})
		}
		if i := len(z.Outlooks); i == 0 {
			t.AppendRow(table.Row{z.Zone, hosts, "no inventory"})
		}
	}
	return t.Render()
}

// useTable says what the measured hosts have, what of it is allocated, and what they
// really use.
func useTable(u RealUse) string {
	t := style("Really used, " + u.Period())
	t.AppendHeader(table.Row{"zone", "measured hosts", "class", "they have", "allocated", "half of the time (P50)", "peak (P95)"})
	right(t, 4, 5, 6, 7)
	for _, z := range u.Sums() {
		name := cmp.Or(z.Zone, "all zones")
		for _, c := range uses(z) {
			class, unit := c.Class, UseUnit(c.Class)
			t.AppendRow(table.Row{name, fmt.Sprintf("%d of %d", c.Measured, z.Hosts), UseName(class), Quantity(c.Total, unit), Quantity(float64(c.Allocated), ClassUnit(class)), Share(c.P50, c.P50Ratio, class), Share(c.P95, c.P95Ratio, class)})
			name = ""
		}
	}
	text := t.Render()
	if n := len(u.Unmeasured); n > 0 {
		text += "\nNot measured: " + strings.Join(u.Unmeasured[:min(n, unmeasuredShown)], ", ")
		if n > unmeasuredShown {
			text += fmt.Sprintf(" and %d more", n-unmeasuredShown)
		}
	}
	return text
}

// namedUse is the use of a class.
type namedUse struct {
	Class string
	capacity.ClassUse
}

// uses are the classes of u in the order that people have them.
func uses(u capacity.RealUse) (all []namedUse) {
	for _, class := range []string{"VCPU", "MEMORY_MB"} {
		if use, ok := u.Classes[class]; ok {
			all = append(all, namedUse{class, use})
		}
	}
	return all
}

// unmeasuredShown is how many hosts the table names.
const unmeasuredShown = 8

// Sums are the zones and, where there are several, the cloud.
func (u RealUse) Sums() []capacity.RealUse {
	if u.Total == nil || len(u.Zones) < 2 {
		return u.Zones
	}
	return append(slices.Clip(u.Zones), *u.Total)
}

// Period says over what time the use was looked at.
func (u RealUse) Period() string {
	return u.From.UTC().Format(time.RFC3339) + " to " + u.To.UTC().Format(time.RFC3339)
}

// Share prints an amount that is really used, and how much that is of what is there.
func Share(v, ratio float64, class string) string {
	return Quantity(v, UseUnit(class)) + " (" + Percent(ratio) + ")"
}

// UseName and UseUnit are a class of ClassUse as people say it: the hosts' own CPUs
// are no vCPUs.
func UseName(class string) string {
	if class == "VCPU" {
		return "CPU"
	}
	return ClassName(class)
}

// UseUnit is the unit of a class of ClassUse.
func UseUnit(class string) string {
	if class == "VCPU" {
		return "CPU"
	}
	return ClassUnit(class)
}

func tierTable(d Document) string {
	t := style("Storage, by tier")
	t.AppendHeader(table.Row{"tier", "OSDs", "raw", "stored", "limit", "because of", "provisioned", "used", "a day", "P50"})
	right(t, 2, 3, 4, 5, 7, 8, 9)
	for _, r := range d.Tiers {
		stored := "unknown"
		if r.Known {
			stored = bytes(r.StoredBytes)
		}
		osds := fmt.Sprint(r.OSDs)
		if r.Down > 0 {
			osds = fmt.Sprintf("%d (%d down)", r.OSDs, r.Down)
		}
		t.AppendRow(table.Row{r.Tier, osds, bytes(r.RawBytes), stored, bytes(r.LimitBytes), r.LimitReason, bytes(r.ProvisionedBytes), Percent(r.Outlook.UsedRatio), Growth(r.Outlook), CrossingDay(r.Outlook.Crossing.P50, &r.Outlook.Crossing.Until)})
	}
	return t.Render()
}

// Growth prints the growth per day of an outlook.
func Growth(o Outlook) string {
	if o.GrowthPerDay == nil {
		return "–"
	}
	sign := ""
	if *o.GrowthPerDay > 0 {
		sign = "+"
	}
	return sign + Quantity(*o.GrowthPerDay, o.Unit)
}

func right(t table.Writer, columns ...int) {
	configs := make([]table.ColumnConfig, len(columns))
	for i, n := range columns {
		configs[i] = table.ColumnConfig{Number: n, Align: text.AlignRight}
	}
	t.SetColumnConfigs(configs)
}

func writeMissing(b *strings.Builder, missing []Missing) {
	if len(missing) == 0 {
		return
	}
	fmt.Fprintf(b, "\nMissing from this report:\n")
	for _, m := range missing {
		fmt.Fprintf(b, "  %s: %s\n", m.What, m.Why)
	}
}

// Out says how many hosts are out of service, by reason.
func Out(by map[string]int) string {
	parts := make([]string, 0, len(by))
	for _, why := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, fmt.Sprintf("%d %s", by[why], why))
	}
	return strings.Join(parts, ", ")
}

// WriteHeadroomTable writes how many servers of each flavor fit, zone by zone.
func WriteHeadroomTable(w io.Writer, all []capacity.Headroom) error {
	zones := HeadroomZones(all)
	t := style("Servers that still fit")
	header := table.Row{"flavor", "root disk", "total"}
	for _, z := range zones {
		header = append(header, z)
	}
	t.AppendHeader(append(header, "first to run out", "refused by hosts"))
	numeric := []int{3}
	for i := range zones {
		numeric = append(numeric, 4+i)
	}
	right(t, numeric...)
	var notes []string
	for _, h := range all {
		row := table.Row{h.Flavor, Backing(h), thousands(float64(h.Servers))}
		for _, z := range zones {
			row = append(row, HeadroomIn(h, z))
		}
		t.AppendRow(append(row, Counted(h.Limits), Counted(h.Refused)))
		for _, n := range h.Notes {
			notes = append(notes, "  "+h.Flavor+": "+n+"\n")
		}
	}
	_, err := fmt.Fprintf(w, "%s\n%s", t.Render(), strings.Join(slices.Compact(notes), ""))
	return err
}

// HeadroomZones are the zones that any of the answers speaks of, by name.
func HeadroomZones(all []capacity.Headroom) []string {
	seen := map[string]bool{}
	for _, h := range all {
		for _, z := range h.Zones {
			seen[z.Zone] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// HeadroomIn prints the servers that fit in a zone.
func HeadroomIn(h capacity.Headroom, zone string) string {
	for _, z := range h.Zones {
		if z.Zone == zone {
			return thousands(float64(z.Servers))
		}
	}
	return "–"
}

// Backing says where the root disk lies.
func Backing(h capacity.Headroom) string {
	if h.VolumeBacked {
		return "volume"
	}
	return "host"
}

// Counted prints hosts by reason, the most frequent first.
func Counted(by map[string]int) string {
	keys := slices.Sorted(maps.Keys(by))
	slices.SortStableFunc(keys, func(a, b string) int { return by[b] - by[a] })
	parts := make([]string, 0, len(keys))
	for _, k := range keys {
		name := ClassName(k)
		parts = append(parts, fmt.Sprintf("%s (%d hosts)", name, by[k]))
	}
	return strings.Join(parts, ", ")
}
