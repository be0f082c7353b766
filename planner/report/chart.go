package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
	"time"

	"mcloud/planner/forecast"
)

// The chart's drawing area in its own units; the page scales it to the column,
// which is about as wide, so that the text keeps its size.
const (
	chartWidth, chartHeight = 420.0, 236.0
	plotLeft, plotRight     = 58.0, 410.0
	plotTop, plotBottom     = 22.0, 206.0
)

// frame maps values and times to the drawing area.
type frame struct {
	from, to time.Time
	top      float64
}

func (f frame) x(t time.Time) float64 {
	return plotLeft + (plotRight-plotLeft)*float64(t.Sub(f.from))/float64(f.to.Sub(f.from))
}

func (f frame) y(v float64) float64 {
	return plotBottom - (plotBottom-plotTop)*math.Min(v, f.top*1.05)/f.top
}

// drawing collects SVG.
type drawing struct {
	strings.Builder
	frame
}

func (d *drawing) add(format string, args ...any) { fmt.Fprintf(d, format, args...) }

func (d *drawing) text(class, anchor string, x, y float64, s string) {
	d.add(`<text class="%s" text-anchor="%s" x="%.1f" y="%.1f">%s</text>`, class, anchor, x, y, html.EscapeString(s))
}

// SVG draws history, forecast fan, limit and crossings of o as of at.
func SVG(title string, o Outlook, at time.Time) template.HTML {
	c := o.Chart
	if len(c.History) < 2 && len(c.Fan) == 0 {
		return template.HTML(`<p class="empty">No history to draw yet.</p>`)
	}
	d := &drawing{frame: frameOf(o)}
	described := fmt.Sprintf("%s: used %s of %s on %s; P50 crosses %s, P10 %s", title, Quantity(o.Used, o.Unit), Quantity(o.Limit, o.Unit), at.UTC().Format(time.DateOnly),
		CrossingDay(o.Crossing.P50, &o.Crossing.Until), CrossingDay(o.Crossing.P10, &o.Crossing.Until))
	d.add(`<svg class="chart" viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">`, chartWidth, chartHeight, html.EscapeString(described))
	d.axes(o.Unit)
	clip := fmt.Sprintf("plot-%x", hash(title))
	d.add(`<clipPath id="%s"><rect x="%.0f" y="%.0f" width="%.0f" height="%.0f"/></clipPath><g clip-path="url(#%s)">`, clip, plotLeft, plotTop-4, plotRight-plotLeft, plotBottom-plotTop+4, clip)
	d.fan(c.Fan)
	d.history(c.History)
	d.add(`</g>`)
	d.limit(o)
	d.markers(o, at)
	d.add(`</svg>`)
	return template.HTML(d.String())
}

func hash(s string) uint32 {
	h := uint32(2166136261)
	for _, c := range []byte(s) {
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

// frameOf shows all history and of the future what matters: to P90's crossing and
// some more, or to the horizon.
func frameOf(o Outlook) frame {
	c := o.Chart
	var f frame
	highest := 0.0
	for _, v := range c.History {
		highest = math.Max(highest, v.Value)
	}
	past := highest
	if n := len(c.History); n > 0 {
		f.from, f.to = c.History[0].Time, c.History[n-1].Time
	} else {
		f.from = c.Fan[0].Time
	}
	if n := len(c.Fan); n > 0 {
		f.to = c.Fan[n-1].Time
		if p := o.Crossing.P90; p != nil && o.Crossing.State != forecast.Over {
			shown := p.Add(p.Sub(f.from) / 8)
			if shown.Before(f.to) {
				f.to = shown
			}
		}
		for _, b := range c.Fan {
			if !b.Time.After(f.to) {
				highest = math.Max(highest, b.P90)
			}
		}
	}
	if !f.to.After(f.from) {
		f.to = f.from.Add(time.Hour)
	}
	// The limit belongs in the picture unless everything else would lie flat.
	if o.Limit > 0 && o.Limit < highest*4 {
		highest = max(min(highest, o.Limit*1.35), o.Limit*1.12, past*1.08)
	} else {
		highest *= 1.1
	}
	f.top = math.Max(highest, 1e-9)
	return f
}

func (d *drawing) axes(unit string) {
	step := tickStep(d.top, unit)
	for v := 0.0; v <= d.top*1.0001; v += step {
		d.add(`<line class="grid" x1="%.0f" x2="%.0f" y1="%.1f" y2="%.1f"/>`, plotLeft, plotRight, d.y(v), d.y(v))
		d.text("tick", "end", plotLeft-6, d.y(v)+4, tickLabel(v, unit))
	}
	if unit == "vCPU" {
		d.text("tick", "end", plotLeft-6, plotTop-8, unit)
	}
	for _, t := range timeTicks(d.from, d.to) {
		if d.x(t.at) > plotRight-14 {
			break // its label would leave the picture
		}
		d.add(`<line class="grid" x1="%.1f" x2="%.1f" y1="%.0f" y2="%.0f"/>`, d.x(t.at), d.x(t.at), plotBottom, plotBottom+4)
		d.text("tick", "middle", d.x(t.at), plotBottom+18, t.label)
	}
}

// tickLabel is a value with its prefix; a plain count leaves its unit to the head
// of the axis.
func tickLabel(v float64, unit string) string {
	if unit == "vCPU" {
		return thousands(v)
	}
	return Quantity(v, unit)
}

// tickStep gives three to six ticks at round numbers of the unit that is shown.
func tickStep(top float64, unit string) float64 {
	scale := 1.0
	switch unit {
	case "bytes", "MiB", "GiB": // round in the prefix that Quantity will choose
		shown := top * map[string]float64{"bytes": 1, "MiB": 1 << 20, "GiB": 1 << 30}[unit]
		for shown/scale >= 1024 {
			scale *= 1024
		}
		scale /= map[string]float64{"bytes": 1, "MiB": 1 << 20, "GiB": 1 << 30}[unit]
	}
	rough := top / scale / 4
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if rough <= m*power {
			return m * power * scale
		}
	}
	return 10 * power * scale
}

type timeTick struct {
	at    time.Time
	label string
}

// timeTicks gives at most six ticks at starts of days, months or years.
func timeTicks(from, to time.Time) []timeTick {
	span := to.Sub(from)
	from = from.UTC()
	if span < 14*24*time.Hour {
		step, layout := 24*time.Hour, "Jan 2"
		if span < 3*24*time.Hour {
			step, layout = 6*time.Hour, "02 15:04"
		}
		for span/step > 6 {
			step *= 2
		}
		return ticksAt(from.Truncate(step).Add(step), to, layout, func(t time.Time) time.Time { return t.Add(step) })
	}
	months := 1
	for _, m := range []int{1, 2, 3, 6, 12, 24} {
		if months = m; span.Hours()/24/30.4 <= float64(6*m) {
			break
		}
	}
	first := time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, 1, 0)
	for (int(first.Month())-1)%min(months, 12) != 0 {
		first = first.AddDate(0, 1, 0)
	}
	return ticksAt(first, to, "Jan ’06", func(t time.Time) time.Time { return t.AddDate(0, months, 0) })
}

func ticksAt(first, to time.Time, layout string, next func(time.Time) time.Time) []timeTick {
	var ticks []timeTick
	for t := first; !t.After(to) && len(ticks) < 12; t = next(t) {
		ticks = append(ticks, timeTick{t, t.Format(layout)})
	}
	return ticks
}

func (d *drawing) history(points []Value) {
	var path strings.Builder
	for i, v := range points {
		fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(i, 1)], d.x(v.Time), d.y(v.Value))
	}
	d.add(`<path class="history" d="%s"/>`, path.String())
}

func (d *drawing) fan(bands []Band) {
	if len(bands) == 0 {
		return
	}
	var area, middle strings.Builder
	for i, b := range bands {
		fmt.Fprintf(&area, "%c%.1f %.1f", "ML"[min(i, 1)], d.x(b.Time), d.y(b.P90))
		fmt.Fprintf(&middle, "%c%.1f %.1f", "ML"[min(i, 1)], d.x(b.Time), d.y(b.P50))
	}
	for i := len(bands) - 1; i >= 0; i-- {
		fmt.Fprintf(&area, "L%.1f %.1f", d.x(bands[i].Time), d.y(bands[i].P10))
	}
	d.add(`<path class="fan" d="%sZ"/><path class="p50" d="%s"/>`, area.String(), middle.String())
}

func (d *drawing) limit(o Outlook) {
	label := "limit " + Quantity(o.Limit, o.Unit)
	if o.Limit <= 0 {
		return
	}
	if o.Limit > d.top {
		d.text("limit-label", "start", plotLeft+4, plotTop-8, "↑ "+label)
		return
	}
	y := d.y(o.Limit)
	d.add(`<line class="limit" x1="%.0f" x2="%.0f" y1="%.1f" y2="%.1f"/>`, plotLeft, plotRight, y, y)
	d.text("limit-label", "start", plotLeft+4, y-6, label)
}

// markers show today, the order-by date and the crossings with their dates.
func (d *drawing) markers(o Outlook, at time.Time) {
	if inside(d.frame, at) && len(o.Chart.Fan) > 0 {
		d.add(`<line class="now" x1="%.1f" x2="%.1f" y1="%.0f" y2="%.0f"/>`, d.x(at), d.x(at), plotTop, plotBottom)
	}
	if o.Crossing.State == forecast.Over || o.Limit > d.top {
		return
	}
	y := d.y(o.Limit)
	if by := o.OrderBy; by != nil && inside(d.frame, *by) && by.After(at) {
		d.add(`<line class="order" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.0f"/>`, d.x(*by), d.x(*by), y, plotBottom)
		d.label("order-label", *by, plotBottom-6, "order by "+Day(by))
	}
	if p := o.Crossing.P10; p != nil && inside(d.frame, *p) {
		d.add(`<circle class="p10-mark" cx="%.1f" cy="%.1f" r="4"/>`, d.x(*p), y)
		d.label("mark", *p, y+16, "P10 "+Day(p))
	}
	if p := o.Crossing.P50; p != nil && inside(d.frame, *p) {
		d.add(`<circle class="p50-mark" cx="%.1f" cy="%.1f" r="4.5"/>`, d.x(*p), y)
		d.label("mark", *p, y-8, "P50 "+Day(p))
	}
}

// label writes s beside an instant, on the side that has room.
func (d *drawing) label(class string, at time.Time, y float64, s string) {
	if x := d.x(at); x > plotRight-112 {
		d.text(class, "end", math.Min(x+4, plotRight), y, s)
	} else {
		d.text(class, "start", x+6, y, s)
	}
}

func inside(f frame, t time.Time) bool { return !t.Before(f.from) && !t.After(f.to) }
