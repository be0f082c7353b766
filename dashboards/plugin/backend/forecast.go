package backend

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

const day = 24 * time.Hour

// forecast answers what will be: as a fan over time, or when it runs out.
func (d *Datasource) forecast(ctx context.Context, r *round, q query) (data.Frames, error) {
	if q.Format == formatSeries {
		return d.fan(ctx, r, q)
	}
	return d.dates(ctx, r, q)
}

// named is a forecast with what it is of.
type named struct {
	kind, name string
	wireForecast
}

// ask gets the forecasts that q names.
func (d *Datasource) ask(ctx context.Context, r *round, q query) ([]named, error) {
	parameters := url.Values{}
	for name, value := range map[string]string{"class": q.Class, "limit": q.Limit, "horizon": q.Horizon} {
		if value != "" {
			parameters.Set(name, value)
		}
	}
	if q.Horizon == "" && q.Format == formatSeries {
		// As far as the panel shows; the planner's own horizon is a year.
		if ahead := q.to.Sub(d.now()); ahead > 0 {
			parameters.Set("horizon", strconv.Itoa(min(3650, int(ahead/day)+2))+"d")
		}
	}
	kind, wanted := "tier", names(q.Tier)
	switch {
	case q.Zone != "":
		kind, wanted = "zone", names(q.Zone)
	case q.Series != "":
		kind, wanted = "series", []string{q.Series}
	}
	var all []named
	for _, name := range wanted {
		parameters.Set(kind, name)
		found, err := fetch[[]wireForecast](ctx, r, "/api/v1/forecast", parameters)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			all = append(all, named{kind, name, f})
		}
	}
	return all, nil
}

// labels tell one forecast from another.
func (n named) labels() data.Labels {
	labels := data.Labels{}
	for k, v := range n.Labels {
		labels[k] = v
	}
	switch n.kind {
	case "series":
		labels["subject"] = n.Subject
	case "zone":
		labels["zone"], labels["class"] = n.name, n.class()
	default:
		labels[n.kind] = n.name
	}
	return labels
}

// fan is the history, the paths P10, P50 and P90, and the limit.
func (d *Datasource) fan(ctx context.Context, r *round, q query) (data.Frames, error) {
	all, err := d.ask(ctx, r, q)
	if err != nil {
		return nil, err
	}
	history, err := d.histories(ctx, r, q)
	if err != nil {
		return nil, err
	}
	var lines []line
	var silent []string
	var begins time.Time
	for _, n := range all {
		if len(n.Steps) == 0 {
			silent = append(silent, n.Subject+": "+n.Basis.Reason)
		} else if begins.IsZero() || n.Steps[0].Time.Before(begins) {
			begins = n.Steps[0].Time
		}
		lines = append(lines, n.lines(history[n.Subject])...)
	}
	f := wide("forecast", q.from, q.to, lines)
	for _, why := range silent {
		notice(f, data.NoticeSeverityWarning, "no forecast of "+why)
	}
	if !begins.IsZero() && begins.After(q.to) {
		notice(f, data.NoticeSeverityInfo, "the forecast begins "+begins.UTC().Format(time.RFC3339)+", after the time range: let it end in the future, for example from now-30d to now+90d")
	}
	return data.Frames{f}, nil
}

// lines are what is drawn of a forecast: the space between P10 and P90 is filled.
func (n named) lines(history []wirePoint) []line {
	labels, unit := n.labels, unitOf(n.Unit)
	path := func(name string, custom map[string]any, value func(wireBand) float64) line {
		l := line{name: strings.ToLower(name), labels: labels(), config: data.FieldConfig{DisplayNameFromDS: n.Subject + " " + name, Unit: unit, Custom: custom}}
		for _, b := range n.Steps {
			l.points = append(l.points, wirePoint{b.Time, value(b)})
		}
		return l
	}
	used := history
	if n.Now != nil && !n.Basis.To.IsZero() && (len(used) == 0 || used[len(used)-1].Time.Before(n.Basis.To)) {
		used = append(slices.Clone(used), wirePoint{n.Basis.To, *n.Now})
	}
	all := []line{
		{name: "used", labels: labels(), config: data.FieldConfig{DisplayNameFromDS: n.Subject + " used", Unit: unit}, points: used},
		path("P10", map[string]any{"lineWidth": 0, "fillOpacity": 0}, func(b wireBand) float64 { return b.P10 }),
		path("P50", map[string]any{"lineStyle": map[string]any{"fill": "dash", "dash": []int{6, 4}}, "fillOpacity": 0}, func(b wireBand) float64 { return b.P50 }),
		path("P90", map[string]any{"lineWidth": 0, "fillBelowTo": n.Subject + " P10", "fillOpacity": 20}, func(b wireBand) float64 { return b.P90 }),
	}
	if n.Limit != nil {
		all = append(all, line{name: "limit", labels: labels(), config: limitConfig(n.Subject, n.Unit), constant: true, value: *n.Limit})
	}
	return all
}

// histories are what the planner keeps of tiers and zones, by the subject of the forecast.
// That of a series is Prometheus's to show.
func (d *Datasource) histories(ctx context.Context, r *round, q query) (map[string][]wirePoint, error) {
	found := map[string][]wirePoint{}
	switch {
	case q.Tier != "":
		all, err := fetch[[]wireTier](ctx, r, "/api/v1/tiers", nil)
		if err != nil {
			return nil, err
		}
		for _, t := range all {
			found["tier "+t.Tier] = t.Outlook.Chart.History
		}
	case q.Zone != "":
		report, err := fetch[wireReport](ctx, r, "/api/v1/report", nil)
		if err != nil {
			return nil, err
		}
		for _, z := range report.Zones {
			for _, o := range z.Outlooks {
				found[className(o.Class)+" in "+z.Zone] = o.Chart.History
			}
		}
	}
	return found, nil
}

// runway is when something runs out.
type runway struct {
	kind, name, class, unit string
	urgency                 string
	now, limit, growth      *float64
	crossing                *wireCrossing // nil: not known
	orderBy                 *time.Time
	confidence              wireConfidence
}

// dates is when things run out: what q names, or all tiers and zones.
func (d *Datasource) dates(ctx context.Context, r *round, q query) (data.Frames, error) {
	var rows []runway
	var partial []wireMissing
	if q.Tier+q.Zone+q.Series != "" {
		all, err := d.ask(ctx, r, q)
		if err != nil {
			return nil, err
		}
		for _, n := range all {
			name := n.name
			if n.kind == "series" {
				name = n.Subject
			}
			rows = append(rows, runway{kind: n.kind, name: name, class: n.class(), unit: n.Unit, now: n.Now, limit: n.Limit, crossing: n.Crossing.known(), orderBy: n.OrderBy, confidence: n.Confidence})
		}
	} else {
		report, err := fetch[wireReport](ctx, r, "/api/v1/report", nil)
		if err != nil {
			return nil, err
		}
		partial = report.Partial
		for _, t := range report.Tiers {
			rows = append(rows, runwayOf("tier", t.Tier, t.Outlook))
		}
		for _, z := range report.Zones {
			for _, o := range z.Outlooks {
				rows = append(rows, runwayOf("zone", z.Zone, o))
			}
		}
	}
	f := d.datesFrame(q, rows)
	for _, m := range partial {
		notice(f, data.NoticeSeverityWarning, m.What+": "+m.Why)
	}
	return data.Frames{f}, nil
}

func runwayOf(kind, name string, o wireOutlook) runway {
	w := runway{kind: kind, name: name, class: o.Class, unit: o.Unit, urgency: o.Urgency, limit: positive(o.Limit), growth: o.GrowthPerDay, orderBy: o.OrderBy, confidence: o.Confidence}
	if o.Urgency != "unknown" || o.Used > 0 {
		w.now = &o.Used
	}
	w.crossing = o.Crossing.known()
	return w
}

// known is c, nil when the planner does not know.
func (c *wireCrossing) known() *wireCrossing {
	if c == nil || c.State == "" || c.State == "unknown" {
		return nil
	}
	return c
}

func (d *Datasource) datesFrame(q query, rows []runway) *data.Frame {
	now := d.now()
	date := func(name, display string, at func(runway) *time.Time) *data.Field {
		return column(name, display, "", of(rows, at))
	}
	left := func(name, display string, at func(runway) *time.Time) *data.Field {
		return column(name, display, unitDays, of(rows, func(w runway) *float64 {
			t := at(w)
			if t == nil {
				return nil
			}
			days := t.Sub(now).Hours() / 24
			return &days
		}))
	}
	crossing := func(value func(wireCrossing) *time.Time) func(runway) *time.Time {
		return func(w runway) *time.Time {
			if w.crossing == nil {
				return nil
			}
			return value(*w.crossing)
		}
	}
	p10 := crossing(func(c wireCrossing) *time.Time { return c.P10 })
	p50 := crossing(func(c wireCrossing) *time.Time { return c.P50 })
	p90 := crossing(func(c wireCrossing) *time.Time { return c.P90 })
	order := func(w runway) *time.Time { return w.orderBy }
	// Amounts have a unit when all rows have the same.
	unit := ""
	for i, w := range rows {
		if i > 0 && unitOf(w.unit) != unit {
			unit = ""
			break
		}
		unit = unitOf(w.unit)
	}
	fields := []*data.Field{
		column("kind", "Kind", "", of(rows, func(w runway) string { return w.kind })),
		column("name", "Name", "", of(rows, func(w runway) string { return w.name })),
		column("class", "Resource class", "", of(rows, func(w runway) string { return w.class })),
	}
	values := []*data.Field{
		column("used_ratio", "Used of limit", unitRatio, of(rows, func(w runway) *float64 {
			if w.now == nil || w.limit == nil {
				return nil
			}
			return ratio(*w.now, *w.limit)
		})),
		left("days_p10", "Days left, P10", p10), left("days_p50", "Days left, P50", p50), left("days_p90", "Days left, P90", p90), left("days_order_by", "Days to order", order),
		column("probability", "Runs out within the horizon", unitRatio, of(rows, func(w runway) *float64 {
			if w.crossing == nil {
				return nil
			}
			return &w.crossing.Probability
		})),
	}
	if q.Format == formatNumber {
		return numbers("forecast", q.Value, append(fields, values...)...)
	}
	fields = append(fields, column("urgency", "Urgency", "", of(rows, func(w runway) string { return w.urgency })),
		column("now", "Used", unit, of(rows, func(w runway) *float64 { return w.now })),
		column("limit", "Limit", unit, of(rows, func(w runway) *float64 { return w.limit })),
		column("growth_per_day", "Growth per day", unit, of(rows, func(w runway) *float64 { return w.growth })))
	fields = append(fields, values[0], date("p10", "Runs out, P10", p10), date("p50", "Runs out, P50", p50), date("p90", "Runs out, P90", p90), date("order_by", "Order by", order))
	fields = append(fields, values[1:]...)
	fields = append(fields,
		column("confidence", "Confidence", "", of(rows, func(w runway) string { return w.confidence.Level })),
		column("why", "Why", "", of(rows, func(w runway) string { return w.confidence.Why })))
	return table("forecast", fields...)
}

// classNames are what the planner calls resource classes in the subjects of forecasts.
var classNames = map[string]string{"VCPU": "vCPU", "PCPU": "pinned CPU", "MEMORY_MB": "memory", "DISK_GB": "local disk"}

func className(class string) string { return cmp.Or(classNames[class], class) }

// class is the resource class that a forecast of a zone is of.
func (n named) class() string {
	if n.kind != "zone" {
		return ""
	}
	said := strings.TrimSuffix(n.Subject, " in "+n.name)
	for class, name := range classNames {
		if name == said {
			return class
		}
	}
	return said
}
