package backend

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// capacity answers what hosts and tiers have, give and use.
func (d *Datasource) capacity(ctx context.Context, r *round, q query) (data.Frames, error) {
	switch {
	case q.Format == formatSeries:
		return d.usedOverTime(ctx, r, q)
	case q.By == viewTier:
		return d.tiers(ctx, r, q)
	}
	rows, err := fetch[[]wireCapacity](ctx, r, "/api/v1/capacity", url.Values{"by": {q.By}})
	if err != nil {
		return nil, err
	}
	zones := names(q.Zone)
	rows = slices.DeleteFunc(slices.Clone(rows), func(c wireCapacity) bool {
		zone := c.Zone
		if q.By == "zone" {
			zone = c.Name
		}
		return len(zones) > 0 && !slices.Contains(zones, zone) || q.Class != "" && c.Class != q.Class
	})
	unit := unitOfClass(q.Class)
	amount := func(name, display string, value func(wireCapacity) float64) *data.Field {
		return column(name, display, unit, of(rows, value))
	}
	fields := []*data.Field{
		column("name", strings.ToUpper(q.By[:1])+q.By[1:], "", of(rows, func(c wireCapacity) string { return c.Name })),
	}
	if q.By == "host" {
		fields = append(fields, column("zone", "Zone", "", of(rows, func(c wireCapacity) string { return c.Zone })))
	}
	fields = append(fields,
		column("class", "Resource class", "", of(rows, func(c wireCapacity) string { return c.Class })),
		column("used_ratio", "Allocated of limit", unitRatio, of(rows, func(c wireCapacity) *float64 { return ratio(c.Allocated, c.Limit) })),
		amount("allocated", "Allocated", func(c wireCapacity) float64 { return c.Allocated }),
		amount("allocatable", "Allocatable", func(c wireCapacity) float64 { return c.Allocatable }),
		amount("free", "Free", func(c wireCapacity) float64 { return c.Free }),
		amount("reserve", "Reserve", func(c wireCapacity) float64 { return c.Reserve }),
		amount("limit", "Limit", func(c wireCapacity) float64 { return c.Limit }),
		amount("stranded", "Stranded", func(c wireCapacity) float64 { return c.Stranded }),
	)
	if q.Format == formatNumber {
		return data.Frames{numbers("capacity", q.Value, fields...)}, nil
	}
	fields = append(fields,
		column("really_used_ratio", "Really used, P95", unitRatio, of(rows, func(c wireCapacity) *float64 {
			if c.Used == nil {
				return nil
			}
			return &c.Used.P95Ratio
		})),
		column("hosts", "Hosts", unitCount, of(rows, func(c wireCapacity) int64 { return c.Hosts })),
		column("in_service", "In service", unitCount, of(rows, func(c wireCapacity) int64 { return c.InService })),
		column("out_of_service", "Out of service", "", of(rows, func(c wireCapacity) string { return c.Out })),
	)
	return data.Frames{table("capacity", fields...)}, nil
}

// tiers answers what storage tiers have.
func (d *Datasource) tiers(ctx context.Context, r *round, q query) (data.Frames, error) {
	all, err := d.namedTiers(ctx, r, q.Tier)
	if err != nil {
		return nil, err
	}
	// What Ceph did not say is absent.
	known := func(value func(wireTier) float64) func(wireTier) *float64 {
		return func(t wireTier) *float64 {
			if !t.Known {
				return nil
			}
			v := value(t)
			return &v
		}
	}
	bytes := func(name, display string, value func(wireTier) *float64) *data.Field {
		return column(name, display, unitBytes, of(all, value))
	}
	fields := []*data.Field{
		column("name", "Tier", "", of(all, func(t wireTier) string { return t.Tier })),
		column("used_ratio", "Stored of limit", unitRatio, of(all, func(t wireTier) *float64 {
			if !t.Known {
				return nil
			}
			return ratio(t.Stored, t.Limit)
		})),
		bytes("stored", "Stored", known(func(t wireTier) float64 { return t.Stored })),
		bytes("limit", "Limit", func(t wireTier) *float64 { return positive(t.Limit) }),
		bytes("full", "Full at", func(t wireTier) *float64 { return positive(t.Full) }),
		bytes("survivable", "After a loss", func(t wireTier) *float64 { return positive(t.Survivable) }),
		bytes("provisioned", "Provisioned", func(t wireTier) *float64 { return &t.Provisioned }),
	}
	if q.Format == formatNumber {
		return data.Frames{numbers("tiers", q.Value, fields...)}, nil
	}
	fields = append(fields,
		bytes("raw", "Raw", func(t wireTier) *float64 { return positive(t.RawBytes) }),
		column("osds", "OSDs", unitCount, of(all, func(t wireTier) int64 { return t.OSDs })),
		column("osds_down", "OSDs down", unitCount, of(all, func(t wireTier) int64 { return t.Down })),
		column("limit_reason", "Why this limit", "", of(all, func(t wireTier) string { return t.LimitReason })),
	)
	return data.Frames{table("tiers", fields...)}, nil
}

// namedTiers are those of a list, or all.
func (d *Datasource) namedTiers(ctx context.Context, r *round, list string) ([]wireTier, error) {
	all, err := fetch[[]wireTier](ctx, r, "/api/v1/tiers", nil)
	if err != nil || list == "" {
		return all, err
	}
	var found []wireTier
	for _, name := range names(list) {
		i := slices.IndexFunc(all, func(t wireTier) bool { return t.Tier == name })
		if i < 0 {
			return nil, wrongQuery("tier", "%q is not known; known are: %s", name, strings.Join(of(all, func(t wireTier) string { return t.Tier }), ", "))
		}
		found = append(found, all[i])
	}
	return found, nil
}

// usedOverTime answers what was used of zones or tiers, with the limits of now.
func (d *Datasource) usedOverTime(ctx context.Context, r *round, q query) (data.Frames, error) {
	var lines []line
	add := func(name string, labels data.Labels, o wireOutlook) {
		lines = append(lines, line{name: "used", labels: labels, config: data.FieldConfig{DisplayNameFromDS: name + " used", Unit: unitOf(o.Unit)}, points: o.Chart.History})
		if o.Limit > 0 {
			lines = append(lines, line{name: "limit", labels: maps.Clone(labels), config: limitConfig(name, o.Unit), constant: true, value: o.Limit})
		}
	}
	if q.By == viewTier {
		all, err := d.namedTiers(ctx, r, q.Tier)
		if err != nil {
			return nil, err
		}
		for _, t := range all {
			add(t.Tier, data.Labels{"tier": t.Tier}, t.Outlook)
		}
	} else {
		report, err := fetch[wireReport](ctx, r, "/api/v1/report", nil)
		if err != nil {
			return nil, err
		}
		for _, z := range report.Zones {
			for _, o := range z.Outlooks {
				if (q.Zone == "" || slices.Contains(names(q.Zone), z.Zone)) && (q.Class == "" || o.Class == q.Class) {
					add(z.Zone+" "+o.Class, data.Labels{"zone": z.Zone, "class": o.Class}, o)
				}
			}
		}
	}
	f := wide("capacity", q.from, q.to, lines)
	if f.Rows() == 0 && len(lines) > 0 {
		notice(f, data.NoticeSeverityInfo, "the planner's history has a point for every few hours or days: choose a longer time range")
	}
	return data.Frames{f}, nil
}

func limitConfig(name, unit string) data.FieldConfig {
	return data.FieldConfig{DisplayNameFromDS: name + " limit", Unit: unitOf(unit), Color: map[string]any{"mode": "fixed", "fixedColor": "red"}, Custom: map[string]any{"lineWidth": 1, "fillOpacity": 0}}
}
