package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"mcloud/planner/capacity"
)

// CapacityViews are what CapacityRows can be by.
var CapacityViews = []string{"host", "aggregate", "zone", "cell", "cloud"}

// CapacityRow is one resource class of a host or of a group of hosts. Amounts are in
// the class's unit; see capacity.Class for what each is.
type CapacityRow struct {
	By          string  `json:"by"`
	Name        string  `json:"name"`
	Zone        string  `json:"zone,omitempty"`
	Hosts       int     `json:"hosts"`
	InService   int     `json:"in_service"`
	Out         string  `json:"out_of_service,omitempty"` // why, or how many for which reason
	Maintenance string  `json:"maintenance,omitempty"`    // of a host: the window, its end and reason
	Class       string  `json:"class"`
	Physical    int64   `json:"physical"`
	Reserved    int64   `json:"reserved"`
	Ratio       float64 `json:"ratio"`
	Allocatable int64   `json:"allocatable"`
	Allocated   int64   `json:"allocated"`
	Free        int64   `json:"free"`
	Reserve     int64   `json:"reserve"`
	Limit       int64   `json:"limit"`
	Stranded    int64   `json:"stranded"`
	// OutAllocatable is what hosts out of service would give.
	OutAllocatable int64 `json:"allocatable_out_of_service,omitempty"`
	// Used is the real use, of the physical amount; absent where nobody measures it.
	Used *capacity.ClassUse `json:"really_used,omitempty"`
	// Units are of a single host.
	Units *capacity.Units `json:"units,omitempty"`
}

// CapacityRows is the view of d by one of CapacityViews.
func CapacityRows(d Document, by string) []CapacityRow {
	rows := []CapacityRow{}
	add := func(row CapacityRow, classes map[string]capacity.Class, use capacity.RealUse, units map[string]capacity.Units) {
		for _, class := range classOrder(classes) {
			c := classes[class]
			r := row
			r.By, r.Class = by, class
			r.Physical, r.Reserved, r.Ratio, r.Allocatable, r.Allocated = c.Total, c.Reserved, c.Ratio(), c.Capacity, c.Allocated
			r.Free, r.Reserve, r.Limit, r.Stranded, r.OutAllocatable = c.Free, c.Reserve, c.Limit, c.Stranded, c.OutOfService
			if u, ok := use.Classes[class]; ok {
				r.Used = &u
			}
			if u, ok := units[class]; ok {
				r.Units = &u
			}
			rows = append(rows, r)
		}
	}
	switch by {
	case "host":
		uses := map[string]capacity.RealUse{}
		for _, u := range d.RealUse.Hosts {
			uses[u.Host] = u
		}
		for _, h := range d.Hosts {
			row := CapacityRow{Name: h.Name, Zone: h.Zone, Hosts: 1, Out: h.Out, Maintenance: h.Maintenance}
			if h.Out == "" {
				row.InService = 1
			}
			add(row, h.Classes, uses[h.Name], h.Units)
		}
	case "aggregate", "cell":
		groups := d.Aggregates
		if by == "cell" {
			groups = d.Cells
		}
		for _, g := range groups {
			use := d.RealUse.Aggregates[g.Name]
			if by == "cell" {
				use = capacity.RealUse{}
			}
			add(CapacityRow{Name: g.Name, Zone: strings.Join(g.Zones, ", "), Hosts: g.Hosts, InService: g.InService, Out: Out(g.Out)}, g.Classes, use, nil)
		}
	case "zone":
		uses := map[string]capacity.RealUse{}
		for _, u := range d.RealUse.Zones {
			uses[u.Zone] = u
		}
		for _, z := range d.Zones {
			add(CapacityRow{Name: z.Zone, Zone: z.Zone, Hosts: z.Hosts, InService: z.InService, Out: Out(z.Out)}, z.Classes, uses[z.Zone], nil)
		}
	case "cloud":
		var use capacity.RealUse
		if d.RealUse.Total != nil {
			use = *d.RealUse.Total
		}
		add(CapacityRow{Name: d.Cloud, Hosts: d.Total.Hosts, InService: d.Total.InService, Out: Out(d.Total.Out)}, d.Total.Classes, use, nil)
	}
	return rows
}

// classOrder has what servers always take first.
func classOrder(classes map[string]capacity.Class) []string {
	first := []string{"VCPU", "PCPU", "MEMORY_MB", "DISK_GB"}
	var order []string
	for _, class := range first {
		if _, ok := classes[class]; ok {
			order = append(order, class)
		}
	}
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		if !slices.Contains(first, class) {
			order = append(order, class)
		}
	}
	return order
}

// WriteCapacityTable writes rows for a terminal.
func WriteCapacityTable(w io.Writer, rows []CapacityRow) error {
	t := style("Compute")
	t.AppendHeader(table.Row{"", "in service", "class", "physical", "reserved", "ratio", "allocatable", "allocated", "free", "N+1 reserve", "limit", "stranded", "used P50", "P95"})
	right(t, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)
	last := ""
	for _, r := range rows {
		name, service := r.Name, fmt.Sprintf("%d of %d", r.InService, r.Hosts)
		if r.Out != "" {
			service += " (" + r.Out + ")"
		}
		if r.Maintenance != "" {
			service += " (in maintenance " + r.Maintenance + ")"
		}
		if name == last {
			name, service = "", ""
		}
		last = r.Name
		amount := func(n int64) string { return Quantity(float64(n), ClassUnit(r.Class)) }
		p50, p95 := "–", "–"
		if r.Used != nil {
			p50, p95 = Percent(r.Used.P50Ratio), Percent(r.Used.P95Ratio)
		}
		t.AppendRow(table.Row{name, service, ClassName(r.Class), amount(r.Physical), amount(r.Reserved), significant(r.Ratio), amount(r.Allocatable), amount(r.Allocated),
			amount(r.Free), amount(r.Reserve), amount(r.Limit), amount(r.Stranded), p50, p95})
	}
	if len(rows) == 0 {
		t.AppendRow(table.Row{"nothing is known"})
	}
	_, err := io.WriteString(w, t.Render()+"\n")
	return err
}

// WriteCapacityCSV writes rows for a spreadsheet; what is not known is empty.
func WriteCapacityCSV(w io.Writer, rows []CapacityRow) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{"by", "name", "zone", "hosts", "in_service", "out_of_service", "class", "physical", "reserved", "ratio", "allocatable", "allocated", "free", "reserve", "limit", "stranded",
		"allocatable_out_of_service", "used_p50", "used_p95", "min_unit", "max_unit", "step_size", "maintenance"}); err != nil {
		return err
	}
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	x := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	for _, r := range rows {
		row := []string{r.By, r.Name, r.Zone, strconv.Itoa(r.Hosts), strconv.Itoa(r.InService), r.Out, r.Class, n(r.Physical), n(r.Reserved), x(r.Ratio), n(r.Allocatable), n(r.Allocated),
			n(r.Free), n(r.Reserve), n(r.Limit), n(r.Stranded), n(r.OutAllocatable), "", "", "", "", "", r.Maintenance}
		if u := r.Used; u != nil {
			row[17], row[18] = x(u.P50), x(u.P95)
		}
		if u := r.Units; u != nil {
			row[19], row[21] = n(u.Min), n(u.Step)
			if u.Max > 0 {
				row[20] = n(u.Max)
			}
		}
		if err := c.Write(row); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// WriteOrderTable writes how many servers fit and in which order they fill the hosts.
func WriteOrderTable(w io.Writer, h capacity.Headroom) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d more servers of %s fit", h.Servers, h.Flavor)
	if h.Policy != "" {
		fmt.Fprintf(&b, " in one server group of policy %s", h.Policy)
	}
	b.WriteString(".\n")
	if len(h.Order) > 0 {
		t := style("Hosts, in the order in which they fill")
		t.AppendHeader(table.Row{"host", "zone", "takes", "first server", "full with server", "then short of"})
		right(t, 3, 4, 5)
		for _, f := range h.Order {
			t.AppendRow(table.Row{f.Host, f.Zone, f.Servers, f.First, f.Last, ClassName(f.Limit)})
		}
		b.WriteString(t.Render() + "\n")
	}
	for _, why := range slices.Sorted(maps.Keys(h.Refused)) {
		fmt.Fprintf(&b, "  takes none  %s (%d hosts)\n", why, h.Refused[why])
	}
	for _, note := range h.Notes {
		fmt.Fprintf(&b, "  note        %s\n", note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
