package backend

import (
	"slices"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// Units are by Grafana's ids.
const (
	unitBytes = "bytes"
	unitRatio = "percentunit"
	unitDays  = "d"
	unitCount = "none"
)

// unitOf is Grafana's id of a unit of the planner.
func unitOf(unit string) string {
	switch unit {
	case "":
		return ""
	case "bytes":
		return unitBytes
	case "MiB":
		return "mbytes"
	case "GiB":
		return "gbytes"
	}
	return "suffix: " + unit
}

// unitOfClass is that of an amount of a resource class; "" is for several classes.
func unitOfClass(class string) string {
	switch class {
	case "":
		return ""
	case "VCPU", "PCPU":
		return "suffix: vCPU"
	case "MEMORY_MB":
		return "mbytes"
	case "DISK_GB":
		return "gbytes"
	}
	return unitCount
}

// column is a field with a name for people.
func column(name, display, unit string, values any) *data.Field {
	f := data.NewField(name, nil, values)
	f.Config = &data.FieldConfig{DisplayNameFromDS: display, Unit: unit}
	return f
}

// of collects a column's values from rows.
func of[R, V any](rows []R, value func(R) V) []V {
	values := make([]V, len(rows))
	for i, row := range rows {
		values[i] = value(row)
	}
	return values
}

// ratio is used ÷ limit; nil when there is no limit to compare with.
func ratio(used, limit float64) *float64 {
	if limit <= 0 {
		return nil
	}
	r := used / limit
	return &r
}

// positive is v; nil where 0 stands for not known.
func positive(v float64) *float64 {
	if v == 0 {
		return nil
	}
	return &v
}

// table is a frame for people.
func table(name string, fields ...*data.Field) *data.Frame {
	f := data.NewFrame(name, fields...)
	f.Meta = &data.FrameMeta{Type: data.FrameTypeTable, TypeVersion: data.FrameTypeVersion{0, 1}, PreferredVisualization: data.VisTypeTable}
	return f
}

// numbers is what an alert rule takes: names, and the one number named value.
func numbers(name, value string, fields ...*data.Field) *data.Frame {
	var kept []*data.Field
	for _, f := range fields {
		if f.Name == value || f.Type() == data.FieldTypeString {
			kept = append(kept, f)
		}
	}
	f := data.NewFrame(name, kept...)
	f.Meta = &data.FrameMeta{Type: data.FrameTypeNumericLong, TypeVersion: data.FrameTypeVersion{0, 1}}
	return f
}

// notice says something beside the data.
func notice(f *data.Frame, severity data.NoticeSeverity, text string) {
	f.AppendNotices(data.Notice{Severity: severity, Text: text})
}

// line is one series of a wide frame.
type line struct {
	name   string
	labels data.Labels
	config data.FieldConfig
	points []wirePoint
	// constant lines have value at every time that another line has one.
	constant bool
	value    float64
}

// wide makes a frame of series over time, those times of [from, to] that any of them has.
// Where one has no value it is absent.
func wide(name string, from, to time.Time, lines []line) *data.Frame {
	var times []time.Time
	for _, l := range lines {
		for _, p := range l.points {
			if !p.Time.Before(from) && !p.Time.After(to) {
				times = append(times, p.Time.UTC())
			}
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	times = slices.CompactFunc(times, time.Time.Equal)
	row := make(map[int64]int, len(times))
	for i, t := range times {
		row[t.UnixNano()] = i
	}
	f := data.NewFrame(name, column("time", "Time", "", times))
	for _, l := range lines {
		values := make([]*float64, len(times))
		for _, p := range l.points {
			if i, ok := row[p.Time.UnixNano()]; ok {
				values[i] = &p.Value
			}
		}
		if l.constant {
			for i := range values {
				values[i] = &l.value
			}
		}
		field := data.NewField(l.name, l.labels, values)
		field.Config = &l.config
		f.Fields = append(f.Fields, field)
	}
	f.Meta = &data.FrameMeta{Type: data.FrameTypeTimeSeriesWide, TypeVersion: data.FrameTypeVersion{0, 1}, PreferredVisualization: data.VisTypeGraph}
	return f
}
