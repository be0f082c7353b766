package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"time"

	"mcloud/planner/capacity"
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
}).Parse(pageSource))

// WriteHTML writes d as one self-contained page.
func WriteHTML(w io.Writer, d Document) error { return page.Execute(w, d) }

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
