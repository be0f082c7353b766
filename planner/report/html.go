package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"mcloud/planner/capacity"
	"mcloud/planner/reclaim"
)

//go:embed page.html
var pageSource string

// page refers to nothing outside itself: no script, no font, no image.
var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"quantity": func(v any, unit string) (string, error) {
		switch n := v.(type) {
		case float64:
			return Quantity(n, unit), nil
		case int64:
			return Quantity(float64(n), unit), nil
		}
		return "", fmt.Errorf("quantity of %T", v)
	},
	"percent":   Percent,
	"used":      used,
	"day":       Day,
	"days":      Days,
	"instant":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"crossing":  func(t *time.Time, o Outlook) string { return CrossingDay(t, &o.Crossing.Until) },
	"until":     CrossingDay,
	"className": ClassName,
	"unitOf":    ClassUnit,
	"growth":    Growth,
	"share":     Share,
	"useName":   UseName,
	"useUnit":   UseUnit,
	"useIn":     useIn,
	"uses":      uses,
	"busiest":   func(hosts []capacity.RealUse) []capacity.RealUse { return capacity.Busiest(hosts, busiestShown) },
	"zones":     HeadroomZones,
	"fitsIn":    HeadroomIn,
	"backing":   Backing,
	"out":       Out,
	"counted":   Counted,
	"thousands": func(n int64) string { return thousands(float64(n)) },
	"number":    significant,
	"slug":      slug,
	"bar":       bar,
	"cost":      (*Purchase).CostText,
	"svg":       SVG,
	"zoneTitle": func(zone, class string) string { return ClassName(class) + " in " + zone },
	"class":     func(z Zone, name string) capacity.Class { return z.Classes[name] },
	"shiftText": func(v float64, unit string) string { return signed(v, unit) },
	"bytes":     bytes,
	"addr":      func(t time.Time) *time.Time { return &t },
	"hours":     hours,
	"reached":   reached,
	"change":    subjectName,
	"moving":    movedRows,
	"join":      func(all []string) string { return strings.Join(all, ", ") },
	"axis":      axis,
	"lastValue": func(all []Value) Value { return all[len(all)-1] },
	"lastBand":  func(all []Band) Band { return all[len(all)-1] },
	"last":      lastGrowth,
	"coins":     money,
	"checked":   checked,
	"given":     given,
	"undecided": undecided,
	"countText": CountText,
	"month":     MonthText,
	"owner":     OwnerText,
	"subject":   SubjectName,
	"ratio":     RatioText,
	"rowWhy":    RowWhy,
	"amount":    func(a *reclaim.Amount) string { return AmountText(*a) },
	"addrAmount": func(a reclaim.Amount) *reclaim.Amount {
		return &a
	},
	"partsShown": func() int { return partsShown },
	"purchases":  purchases,
}).Parse(pageSource))

// WriteHTML writes d as one self-contained page.
func WriteHTML(w io.Writer, d Document) error { return page.Execute(w, d) }

// partsShown is how many parts of a whole the page shows.
const partsShown = 8

// axis says what a chart's vertical axis counts.
func axis(unit string) string {
	switch unit {
	case "bytes":
		return "Bytes stored, after copies"
	case "MiB", "GiB":
		return "Bytes allocated"
	}
	return unit + " allocated"
}

// lastGrowth is what is added by the last instant.
func lastGrowth(growth []float64, unit string) string {
	if len(growth) == 0 {
		return "–"
	}
	return signed(growth[len(growth)-1], unit)
}

// purchases are the outlooks of which something can be bought.
func purchases(d Document) (all []namedOutlook) {
	for _, o := range d.outlooks() {
		if o.Purchase != nil {
			all = append(all, o)
		}
	}
	return all
}

// checked says in one line how past reports did a month ahead, or at the nearest lead
// that can be judged.
func checked(s Score) string {
	if len(s.Totals) == 0 {
		return "past reports: nothing to score yet"
	}
	t := s.Totals[0]
	for _, x := range s.Totals {
		if x.LeadDays <= 30 {
			t = x
		}
	}
	return fmt.Sprintf("past reports, %d days ahead: %s of the limit off, P10–P90 held %s", t.LeadDays, Percent(t.Error), Percent(t.Coverage))
}

// given says what could be reclaimed a month.
func given(r *reclaim.Result) string {
	known := r != nil && slices.ContainsFunc(r.Categories, func(c reclaim.Category) bool { return c.Known })
	switch {
	case !known:
		return "unknown"
	case r.PerMonth == "" && len(r.Findings) > 0:
		return "no price set"
	case r.PerMonth == "":
		return "nothing found"
	}
	return money(r.PerMonth) + " " + r.Currency + " a month"
}

// undecided names what is not known of what could be reclaimed.
func undecided(r *reclaim.Result) string {
	var unknown []string
	for _, c := range r.Categories {
		if !c.Known {
			unknown = append(unknown, string(c.Name))
		}
	}
	if len(unknown) == 0 {
		return "servers, volumes, snapshots, addresses, networks"
	}
	return "unknown: " + strings.Join(unknown, ", ")
}

// busiestShown is how many hosts the page shows: all are in the JSON and the CSV.
const busiestShown = 20

// useIn is a zone's real use of a class, nil when nobody measures it.
func useIn(u RealUse, zone, class string) *capacity.ClassUse {
	if use, ok := u.In(zone, class); ok {
		return &use
	}
	return nil
}

// slug is an urgency as a CSS class.
func slug(u Urgency) string {
	switch u {
	case Full, Order:
		return "bad"
	case Soon:
		return "warn"
	case Fine:
		return "good"
	}
	return "none"
}

// bar is the width of a usage bar in percent, which ends at its frame.
func bar(ratio float64) string { return fmt.Sprintf("%.1f", 100*math.Max(0, math.Min(1, ratio))) }

func signed(v float64, unit string) string {
	if v > 0 {
		return "+" + Quantity(v, unit)
	}
	return Quantity(v, unit)
}
