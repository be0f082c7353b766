package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"mcloud/planner/hindsight"
)

// WriteXLSX writes d as a workbook: a sheet for each section of the report, numbers as
// numbers in the unit that the heading names, dates as dates. What is not known is an
// empty cell.
func WriteXLSX(w io.Writer, d Document) error {
	b, err := newWorkbook(d)
	if err != nil {
		return err
	}
	defer b.file.Close()
	for _, sheet := range []func() sheet{
		b.answers, b.purchases, b.compute, b.storage, b.drivers, b.commitments, b.scenarios, b.reclaim, b.check, b.headroom, b.basis, b.series, b.missing,
	} {
		if err := b.write(sheet()); err != nil {
			return err
		}
	}
	b.file.SetActiveSheet(0)
	return b.file.Write(w)
}

// kind is how a column's cells look.
type kind int

const (
	words kind = iota
	count      // whole numbers
	decimal
	share // a ratio, as percent
	date
	instants // date and time
)

// column is a heading with the width of its cells in characters.
type column struct {
	title string
	kind  kind
	width float64
}

// sheet is what is written: cells are string, float64, int, int64, time.Time or nil.
type sheet struct {
	name, about string
	columns     []column
	rows        [][]any
}

// workbook collects sheets of d.
type workbook struct {
	file   *excelize.File
	d      Document
	head   int
	title  int
	styles map[kind]int
	first  bool
}

// formats are Excel's, of the kinds.
var formats = map[kind]string{words: "@", count: "#,##0", decimal: "#,##0.00", share: "0.0%", date: "yyyy-mm-dd", instants: "yyyy-mm-dd hh:mm"}

func newWorkbook(d Document) (*workbook, error) {
	b := &workbook{file: excelize.NewFile(), d: d, styles: map[kind]int{}, first: true}
	var err error
	if b.title, err = b.file.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true, Size: 13}}); err != nil {
		return nil, err
	}
	if b.head, err = b.file.NewStyle(&excelize.Style{
		Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"E6EAF1"}},
		Alignment: &excelize.Alignment{WrapText: true, Vertical: "top"},
	}); err != nil {
		return nil, err
	}
	for k, format := range formats {
		style := &excelize.Style{CustomNumFmt: &format, Alignment: &excelize.Alignment{Vertical: "top", WrapText: k == words}}
		if b.styles[k], err = b.file.NewStyle(style); err != nil {
			return nil, err
		}
	}
	err = b.file.SetDocProps(&excelize.DocProperties{Title: "Capacity plan of " + d.Cloud, Creator: "mCloud", Created: d.Made.UTC().Format(time.RFC3339), Modified: d.Made.UTC().Format(time.RFC3339)})
	return b, err
}

// write adds s: a line about it, headings that stay in sight and can be filtered by,
// and the rows.
func (b *workbook) write(s sheet) error {
	f := b.file
	if b.first {
		b.first = false
		if err := f.SetSheetName("Sheet1", s.name); err != nil {
			return err
		}
	} else if _, err := f.NewSheet(s.name); err != nil {
		return err
	}
	var failed error
	try := func(err error) {
		if failed == nil && err != nil {
			failed = fmt.Errorf("sheet %s: %w", s.name, err)
		}
	}
	try(f.SetCellStr(s.name, "A1", s.about))
	try(f.SetCellStyle(s.name, "A1", "A1", b.title))
	const heading = 3
	for i, c := range s.columns {
		letter, err := excelize.ColumnNumberToName(i + 1)
		try(err)
		try(f.SetColWidth(s.name, letter, letter, c.width))
		try(f.SetCellStr(s.name, letter+strconv.Itoa(heading), c.title))
		if len(s.rows) > 0 {
			try(f.SetCellStyle(s.name, letter+strconv.Itoa(heading+1), letter+strconv.Itoa(heading+len(s.rows)), b.styles[c.kind]))
		}
		for r, row := range s.rows {
			cell := letter + strconv.Itoa(heading+1+r)
			switch v := row[i].(type) {
			case nil:
			case string:
				try(f.SetCellStr(s.name, cell, v)) // as text, never as a formula
			case float64:
				try(f.SetCellFloat(s.name, cell, v, -1, 64))
			default:
				try(f.SetCellValue(s.name, cell, v))
			}
		}
	}
	last, err := excelize.ColumnNumberToName(len(s.columns))
	try(err)
	head := strconv.Itoa(heading)
	try(f.SetCellStyle(s.name, "A"+head, last+head, b.head))
	if len(s.rows) > 0 {
		try(f.AutoFilter(s.name, "A"+head+":"+last+strconv.Itoa(heading+len(s.rows)), nil))
	}
	try(f.SetPanes(s.name, &excelize.Panes{Freeze: true, YSplit: heading, TopLeftCell: "A" + strconv.Itoa(heading+1), ActivePane: "bottomLeft"}))
	landscape, one, many := "landscape", 1, 0
	try(f.SetPageLayout(s.name, &excelize.PageLayoutOptions{Orientation: &landscape, FitToWidth: &one, FitToHeight: &many}))
	return failed
}

// day is a date cell.
func day(t *time.Time) any {
	if t == nil || t.IsZero() {
		return nil
	}
	return t.UTC()
}

// coin is a cell of money: a number where there is one.
func coin(text string) any {
	if text == "" {
		return nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	return v
}

// unknownOr is v, or an empty cell where it is not known.
func unknownOr[T any](known bool, v T) any {
	if !known {
		return nil
	}
	return v
}

func pointed(v *float64) any {
	if v == nil {
		return nil
	}
	return *v
}

// readable is an amount in a unit that is round for people: TiB of bytes, GiB of MiB.
func readable(v float64, unit string) (float64, string) {
	switch unit {
	case "bytes":
		return v / (1 << 40), "TiB"
	case "MiB":
		return v / (1 << 10), "GiB"
	}
	return v, unit
}

func (b *workbook) answers() sheet {
	s := sheet{name: "What to buy", about: fmt.Sprintf("%s As of %s, cloud %s.", b.d.Headline, b.d.At.UTC().Format(time.RFC3339), b.d.Cloud), columns: []column{
		{"state", words, 12}, {"what", words, 26}, {"used of the limit", share, 10}, {"runs out (P50)", date, 12}, {"early (P10)", date, 12}, {"order by", date, 12},
		{"buy, units", count, 8}, {"of", words, 34}, {"to be safe (P90), units", count, 10}, {"cost", decimal, 14}, {"currency", words, 9}, {"lasts until", date, 12}, {"how sure", words, 10}, {"because", words, 60}, {"why", words, 60}, {"notes", words, 60},
	}}
	for _, a := range b.d.Answers {
		row := []any{string(a.Urgency), a.Subject(), unknownOr(a.UsedRatio != 0 || a.Urgency != Unknown, a.UsedRatio), day(a.P50), day(a.P10), day(a.OrderBy)}
		if p := a.Purchase; p != nil {
			row = append(row, p.Units, p.Unit, p.UnitsSafe, coin(p.Cost), p.Currency, day(&p.LastsUntil))
		} else {
			row = append(row, nil, nil, nil, nil, nil, nil)
		}
		s.rows = append(s.rows, append(row, a.Confidence.Level, a.Confidence.Why, a.Why, strings.Join(a.Notes, "; ")))
	}
	return s
}

// outlooks are all outlooks with what they are of.
func (d Document) outlooks() (all []namedOutlook) {
	for _, t := range d.Tiers {
		all = append(all, namedOutlook{"tier " + t.Tier, t.Outlook})
	}
	for _, z := range d.Zones {
		for _, o := range z.Outlooks {
			all = append(all, namedOutlook{ClassName(o.Class) + " in " + z.Zone, o})
		}
	}
	return all
}

type namedOutlook struct {
	Name string
	Outlook
}

func (b *workbook) purchases() sheet {
	s := sheet{name: "Purchase options", about: "What one unit adds, what it costs, and the risk of waiting: the chance that the limit is reached before an order of that day arrives.", columns: []column{
		{"what", words, 26}, {"unit", words, 34}, {"adds to the limit", decimal, 12}, {"in", words, 8}, {"units", count, 8}, {"cost", decimal, 14}, {"units, safe", count, 8}, {"cost, safe", decimal, 14}, {"currency", words, 9},
		{"price per usable", decimal, 12}, {"of one", words, 8}, {"lead time, days", decimal, 10}, {"order by", date, 12}, {"lasts until", date, 12},
		{"risk if ordered today", share, 10}, {"in 4 weeks", share, 10}, {"in 8 weeks", share, 10}, {"in 13 weeks", share, 10}, {"note", words, 40},
	}}
	for _, o := range b.d.outlooks() {
		p := o.Purchase
		if p == nil {
			continue
		}
		adds, unit := readable(p.PerUnit, o.Unit)
		row := []any{o.Name, p.Unit, adds, unit, p.Units, coin(p.Cost), p.UnitsSafe, coin(p.CostSafe), p.Currency, coin(p.PerUsable), p.Usable, o.LeadTimeDays, day(o.OrderBy), day(&p.LastsUntil)}
		for i := range RiskWeeks {
			row = append(row, unknownOr(i < len(o.Risks), func() float64 {
				if i < len(o.Risks) {
					return o.Risks[i].Probability
				}
				return 0
			}()))
		}
		s.rows = append(s.rows, append(row, p.Note))
	}
	return s
}

func (b *workbook) compute() sheet {
	s := sheet{name: "Compute", about: "By availability zone and resource class; memory in GiB, local disk in GiB.", columns: []column{
		{"zone", words, 16}, {"hosts", count, 8}, {"in service", count, 8}, {"class", words, 12}, {"unit", words, 8}, {"total", decimal, 12}, {"reserved", decimal, 10}, {"allocation ratio", decimal, 10}, {"capacity", decimal, 12}, {"N+1 reserve", decimal, 12}, {"limit", decimal, 12},
		{"allocated", decimal, 12}, {"used of the limit", share, 10}, {"really used P95", decimal, 12}, {"free", decimal, 12}, {"stranded", decimal, 12}, {"growth a day", decimal, 10}, {"P10", date, 12}, {"P50", date, 12}, {"P90", date, 12}, {"order by", date, 12},
	}}
	for _, z := range b.d.Zones {
		for _, o := range z.Outlooks {
			c := z.Classes[o.Class]
			_, unit := readable(0, o.Unit)
			q := func(v float64) any { v, _ = readable(v, o.Unit); return v }
			var really any
			if use, ok := b.d.RealUse.In(z.Zone, o.Class); ok {
				really = q(use.P95)
			}
			var growth any
			if o.GrowthPerDay != nil {
				growth = q(*o.GrowthPerDay)
			}
			s.rows = append(s.rows, []any{z.Zone, z.Hosts, z.InService, ClassName(o.Class), unit, q(float64(c.Total)), q(float64(c.Reserved)), c.Ratio(), q(float64(c.Capacity)), q(float64(c.Reserve)), q(float64(c.Limit)),
				q(float64(c.Allocated)), o.UsedRatio, really, q(float64(c.Free)), q(float64(c.Stranded)), growth, day(o.Crossing.P10), day(o.Crossing.P50), day(o.Crossing.P90), day(o.OrderBy)})
		}
	}
	return s
}

func (b *workbook) storage() sheet {
	s := sheet{name: "Storage", about: "By tier, in TiB after copies unless the heading says raw.", columns: []column{
		{"tier", words, 16}, {"pools", words, 24}, {"OSDs", count, 8}, {"down", count, 6}, {"raw", decimal, 10}, {"copies", decimal, 8}, {"until the fullest OSD is full", share, 10}, {"full (writes stop)", decimal, 10}, {"at the plan's line", decimal, 10}, {"after the loss of", words, 20}, {"is left", decimal, 10},
		{"limit", decimal, 10}, {"because of", words, 28}, {"stored", decimal, 10}, {"used of the limit", share, 10}, {"provisioned", decimal, 10}, {"growth a day", decimal, 10}, {"P10", date, 12}, {"P50", date, 12}, {"P90", date, 12}, {"order by", date, 12}, {"problems", words, 50},
	}}
	tib := func(v float64) float64 { v, _ = readable(v, "bytes"); return v }
	for _, t := range b.d.Tiers {
		o := t.Outlook
		var growth any
		if o.GrowthPerDay != nil {
			growth = tib(*o.GrowthPerDay)
		}
		s.rows = append(s.rows, []any{t.Tier, strings.Join(t.Pools, ", "), t.OSDs, t.Down, tib(t.RawBytes), t.Copies, t.Balance, tib(t.FullBytes), tib(t.LineBytes), t.LostDomain, unknownOr(t.LostDomain != "", tib(t.SurvivableBytes)),
			unknownOr(t.LimitBytes > 0, tib(t.LimitBytes)), t.LimitReason, unknownOr(t.Known, tib(t.StoredBytes)), unknownOr(t.Known && t.LimitBytes > 0, o.UsedRatio), tib(t.ProvisionedBytes), growth, day(o.Crossing.P10), day(o.Crossing.P50), day(o.Crossing.P90), day(o.OrderBy), strings.Join(t.Problems, "; ")})
	}
	return s
}

func (b *workbook) drivers() sheet {
	s := sheet{name: "Drivers", about: "Forecasts (P50) of wholes and their parts, which add up at every date. TiB, GiB or vCPU.", columns: []column{
		{"quantity", words, 28}, {"part", words, 10}, {"name", words, 26}, {"of", words, 18}, {"unit", words, 8}, {"now", decimal, 12}, {"at", date, 12}, {"P10", decimal, 12}, {"P50", decimal, 12}, {"P90", decimal, 12}, {"P50 alone", decimal, 12}, {"model", words, 34}, {"error of “no change”", share, 10}, {"P10–P90 held", share, 10},
	}}
	for _, h := range b.d.Hierarchies {
		for _, m := range h.Members {
			of := ""
			if m.Parent >= 0 {
				of = h.Members[m.Parent].Name
			}
			_, unit := readable(0, h.Unit)
			q := func(v float64) float64 { v, _ = readable(v, h.Unit); return v }
			for i, at := range h.At {
				s.rows = append(s.rows, []any{h.What, string(m.Kind), m.Name, of, unit, q(m.Now), at.UTC(), q(m.P10[i]), q(m.P50[i]), q(m.P90[i]), q(m.Alone[i]), cmp.Or(m.Model, m.Reason), unknownOr(m.Origins > 0, m.Relative), unknownOr(m.Origins > 0, m.Coverage)})
			}
		}
		if h.Why != "" {
			s.rows = append(s.rows, []any{h.What, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, h.Why, nil, nil})
		}
	}
	return s
}

func (b *workbook) commitments() sheet {
	s := sheet{name: "Commitments", about: "Promised and still to come: every date of this report counts with them.", columns: []column{{"name", words, 24}, {"what changes", words, 70}, {"note", words, 50}, {"stored", instants, 16}}}
	for _, c := range b.d.Commitments {
		s.rows = append(s.rows, []any{c.Name, changes(c.Changes), c.Note, day(&c.Recorded)})
	}
	return s
}

func (b *workbook) scenarios() sheet {
	s := sheet{name: "Scenarios", about: "What if, beside what is promised. Amounts in TiB, GiB or vCPU.", columns: []column{
		{"scenario", words, 24}, {"what changes", words, 50}, {"what", words, 24}, {"changed", words, 9}, {"unit", words, 8}, {"limit now", decimal, 12}, {"then", decimal, 12}, {"P50 now", date, 12}, {"P50 then", date, 12}, {"days", decimal, 8}, {"P10 now", date, 12}, {"P10 then", date, 12}, {"days early", decimal, 8}, {"result", words, 60},
	}}
	for _, a := range b.d.Scenarios {
		for _, r := range a.Rows {
			_, unit := readable(0, r.Unit)
			q := func(v float64) float64 { v, _ = readable(v, r.Unit); return v }
			changed := "no"
			if r.Changed {
				changed = "yes"
			}
			s.rows = append(s.rows, []any{a.Scenario, changes(a.Changes), subjectName(r.Subject), changed, unit, q(r.Before.Limit), q(r.After.Limit), day(r.Before.Crossing.P50), day(r.After.Crossing.P50), pointed(r.Days.P50),
				day(r.Before.Crossing.P10), day(r.After.Crossing.P10), pointed(r.Days.P10), r.Result})
		}
		for _, m := range a.Partial {
			s.rows = append(s.rows, []any{a.Scenario, changes(a.Changes), nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, m.What + ": " + m.Why})
		}
	}
	return s
}

func (b *workbook) reclaim() sheet {
	s := sheet{name: "Reclaim first", about: "What is paid for and not used: sums by category, then the dearest of each. `mcloud-plan reclaim` lists all.", columns: []column{
		{"category", words, 22}, {"name", words, 24}, {"project", words, 20}, {"how many", count, 8}, {"vCPU", count, 8}, {"memory, GiB", decimal, 10}, {"local disk, GiB", count, 10}, {"volumes, GiB", count, 10}, {"addresses", count, 9}, {"a month", decimal, 12}, {"currency", words, 9}, {"since", date, 12}, {"why", words, 70},
	}}
	r := b.d.Reclaim
	if r == nil {
		return s
	}
	for _, c := range r.Categories {
		if !c.Known {
			s.rows = append(s.rows, []any{string(c.Name), nil, nil, "unknown", nil, nil, nil, nil, nil, nil, nil, nil, c.Why})
			continue
		}
		a := *c.Amount
		s.rows = append(s.rows, []any{string(c.Name), "all of them", nil, *c.Count, a.VCPUs, float64(a.MemoryMiB) / 1024, a.DiskGiB, a.VolumeGiB, a.Addresses, coin(c.PerMonth), r.Currency, nil, c.Rule})
	}
	for _, f := range r.Findings {
		a := f.Amount
		s.rows = append(s.rows, []any{string(f.Category), cmp.Or(f.Name, f.ID), OwnerText(f), 1, a.VCPUs, float64(a.MemoryMiB) / 1024, a.DiskGiB, a.VolumeGiB, a.Addresses, coin(f.PerMonth), unknownOr(f.PerMonth != "", r.Currency), day(f.Since), strings.TrimSuffix(f.Why+"; "+f.Unpriced, "; ")})
	}
	return s
}

func (b *workbook) check() sheet {
	s := sheet{name: "Forecast check", about: "Past reports against what came. " + b.d.Score.Why, columns: []column{
		{"what", words, 26}, {"days ahead", count, 8}, {"forecasts", count, 9}, {"unit", words, 8}, {"error", decimal, 12}, {"error of “no change”", decimal, 12}, {"error of the trend", decimal, 12}, {"against “no change”", share, 10}, {"against the trend", share, 10}, {"P10–P90 held", share, 10}, {"bias", decimal, 12}, {"note", words, 50},
	}}
	for _, r := range b.d.Score.Rows {
		s.rows = append(s.rows, checkRow(r))
	}
	return s
}

func checkRow(r hindsight.Row) []any {
	_, unit := readable(0, r.Unit)
	q := func(v float64) float64 { v, _ = readable(v, r.Unit); return v }
	row := []any{SubjectName(r.Subject), r.LeadDays, r.Forecasts, unit}
	x := r.Scores
	if x == nil {
		return append(row, nil, nil, nil, nil, nil, nil, nil, RowWhy(r))
	}
	return append(row, q(x.Error), q(x.ErrorLast), q(x.ErrorDrift), pointed(x.RelativeLast), pointed(x.RelativeDrift), x.Coverage, q(x.Bias), nil)
}

func (b *workbook) headroom() sheet {
	s := sheet{name: "Headroom", about: "Further servers of a flavor that Placement and Nova would accept, one after another.", columns: []column{
		{"flavor", words, 22}, {"root disk", words, 10}, {"zone", words, 16}, {"servers", count, 10}, {"hosts", count, 8}, {"most on one host", count, 10}, {"first to run out", words, 40}, {"refused by hosts", words, 60},
	}}
	for _, h := range b.d.Headroom {
		for _, z := range h.Zones {
			s.rows = append(s.rows, []any{h.Flavor, Backing(h), z.Zone, z.Servers, z.Hosts, z.Largest, Counted(h.Limits), Counted(h.Refused)})
		}
	}
	return s
}

func (b *workbook) basis() sheet {
	s := sheet{name: "Basis", about: "What the forecasts rest on. Error is relative to “no change”, coverage the share of what came that P10 to P90 held (80 % is perfect).", columns: []column{
		{"what", words, 26}, {"history from", instants, 16}, {"to", instants, 16}, {"step, hours", decimal, 8}, {"points", count, 8}, {"missing", count, 8}, {"model", words, 40}, {"origins", count, 8}, {"days ahead", decimal, 8}, {"error", share, 10}, {"coverage", share, 10}, {"confidence", words, 11}, {"sudden changes", words, 40}, {"notes", words, 60},
	}}
	for _, o := range b.d.outlooks() {
		row := []any{o.Name}
		if x := o.Basis; x != nil && x.Points > 0 {
			var shifts []string
			for _, c := range x.Shifts {
				shifts = append(shifts, Day(&c.At)+" "+signed(c.Size, o.Unit))
			}
			tested := x.Origins > 0
			row = append(row, day(&x.From), day(&x.To), x.StepHours, x.Points, x.Gaps, cmp.Or(x.Model, "none: "+x.Reason), x.Origins, unknownOr(tested, x.LeadDays), unknownOr(tested, x.Relative), unknownOr(tested, x.Coverage), o.Confidence.Level, strings.Join(shifts, "; "), strings.Join(x.Notes, "; "))
		} else {
			row = append(row, nil, nil, nil, 0, nil, "none: "+o.Confidence.Why, nil, nil, nil, nil, o.Confidence.Level, nil, nil)
		}
		s.rows = append(s.rows, row)
	}
	return s
}

func (b *workbook) series() sheet {
	s := sheet{name: "Series", about: "The points of the charts: history, and P10, P50 and P90 of the forecast.", columns: []column{
		{"what", words, 26}, {"unit", words, 8}, {"time", instants, 16}, {"used", decimal, 14}, {"P10", decimal, 14}, {"P50", decimal, 14}, {"P90", decimal, 14}, {"limit", decimal, 14},
	}}
	for _, o := range b.d.outlooks() {
		_, unit := readable(0, o.Unit)
		q := func(v float64) float64 { v, _ = readable(v, o.Unit); return v }
		limit := unknownOr(o.Limit > 0, q(o.Limit))
		for _, v := range o.Chart.History {
			s.rows = append(s.rows, []any{o.Name, unit, v.Time.UTC(), q(v.Value), nil, nil, nil, limit})
		}
		for _, v := range o.Chart.Fan {
			s.rows = append(s.rows, []any{o.Name, unit, v.Time.UTC(), nil, q(v.P10), q(v.P50), q(v.P90), limit})
		}
	}
	return s
}

func (b *workbook) missing() sheet {
	s := sheet{name: "Missing", about: "What this report could not learn; the rest stands.", columns: []column{{"what", words, 50}, {"why", words, 120}}}
	for _, m := range b.d.Partial {
		s.rows = append(s.rows, []any{m.What, m.Why})
	}
	for _, z := range b.d.Zones {
		for _, why := range slices.Sorted(maps.Keys(z.Out)) {
			s.rows = append(s.rows, []any{"zone " + z.Zone, fmt.Sprintf("%d of %d hosts out of service: %s", z.Out[why], z.Hosts, why)})
		}
	}
	return s
}
