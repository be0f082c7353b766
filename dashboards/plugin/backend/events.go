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

// happening is a row of events, with the names that Grafana's annotations know.
type happening struct {
	at                     time.Time
	end                    *time.Time
	title, text            string
	id                     string
	source, kind, severity string
	project, resource      string
}

// events answers what happened, which dates the plan has, and where somebody works.
func (d *Datasource) events(ctx context.Context, r *round, q query) (data.Frames, error) {
	var rows []happening
	var notices []data.Notice
	if slices.Contains(q.Show, "events") {
		found, err := happened(ctx, r, q)
		if err != nil {
			return nil, err
		}
		if found.More {
			notices = append(notices, data.Notice{Severity: data.NoticeSeverityWarning, Text: "there are more than " + strconv.Itoa(q.MaxEvents) + " events: only the first ones are shown; narrow the time range, or choose sources, kinds or severities"})
		}
		for _, e := range found.Events {
			rows = append(rows, e.row())
		}
	}
	if slices.Contains(q.Show, "dates") {
		report, err := fetch[wireReport](ctx, r, "/api/v1/report", nil)
		if err != nil {
			return nil, err
		}
		rows = append(rows, planDates(report)...)
	}
	if slices.Contains(q.Show, "maintenance") {
		windows, err := fetch[[]wireWindow](ctx, r, "/api/v1/maintenance", nil)
		if err != nil {
			return nil, err
		}
		for _, w := range windows {
			rows = append(rows, w.row())
		}
	}
	rows = slices.DeleteFunc(rows, func(h happening) bool { return h.at.After(q.to) || h.last().Before(q.from) })
	slices.SortFunc(rows, func(a, b happening) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	f := eventsFrame(rows)
	f.AppendNotices(notices...)
	return data.Frames{f}, nil
}

// last is when it was over.
func (h happening) last() time.Time {
	if h.end != nil {
		return *h.end
	}
	return h.at
}

func happened(ctx context.Context, r *round, q query) (wireEvents, error) {
	p := url.Values{"from": {q.from.Format(time.RFC3339Nano)}, "to": {q.to.Format(time.RFC3339Nano)}, "limit": {strconv.Itoa(q.MaxEvents)}}
	if s := names(q.Sources); len(s) > 0 {
		p["source"] = s
	}
	if k := names(q.Kinds); len(k) > 0 {
		p["kind"] = k
	}
	if len(q.Severities) > 0 {
		p["severity"] = q.Severities
	}
	if q.Project != "" {
		p.Set("project", q.Project)
	}
	if q.Resource != "" {
		p.Set("resource", q.Resource)
	}
	return fetch[wireEvents](ctx, r, "/api/v1/events", p)
}

func (e wireEvent) row() happening {
	h := happening{at: e.Time.UTC(), title: e.Kind, id: e.ID, source: e.Source, kind: e.Kind, severity: e.Severity, project: e.Project, resource: e.Resource}
	h.text = e.Source
	if e.Resource != "" {
		h.text += ", " + e.Resource
	}
	if e.Project != "" {
		h.text += ", project " + e.Project
	}
	return h
}

// planDates are when the plan says that something runs out, and by when to order.
func planDates(report wireReport) (rows []happening) {
	for _, a := range report.Answers {
		what := a.Kind + " " + a.Name
		if a.Class != "" {
			what = className(a.Class) + " in " + a.Name
		}
		add := func(at *time.Time, kind, severity, title string) {
			if at != nil {
				rows = append(rows, happening{at: at.UTC(), title: title, text: a.Why, id: kind + "/" + a.Kind + "/" + a.Name, source: "planner", kind: kind, severity: severity, resource: a.Name})
			}
		}
		add(a.OrderBy, "order-by", "warning", "Order for "+what+" by now")
		add(a.P10, "runs-out-p10", "warning", what+" may run out (P10)")
		add(a.P50, "runs-out-p50", "error", what+" runs out (P50)")
	}
	return rows
}

func (w wireWindow) row() happening {
	end := w.Until.UTC()
	if !w.Ended.IsZero() && w.Ended.Before(end) {
		end = w.Ended.UTC()
	}
	return happening{at: w.From.UTC(), end: &end, title: "Maintenance of " + w.Of + " " + w.Name, text: strings.TrimSuffix(w.Reason+", "+w.By, ", "), id: w.ID,
		source: "planner", kind: "maintenance", severity: "info", resource: w.Name}
}

func eventsFrame(rows []happening) *data.Frame {
	text := func(name, display string, value func(happening) string) *data.Field {
		return column(name, display, "", of(rows, value))
	}
	return table("events",
		column("time", "Time", "", of(rows, func(h happening) time.Time { return h.at })),
		column("timeEnd", "End", "", of(rows, func(h happening) *time.Time { return h.end })),
		text("title", "What", func(h happening) string { return h.title }),
		text("text", "Of what", func(h happening) string { return h.text }),
		// Grafana splits tags at the commas.
		text("tags", "Tags", func(h happening) string { return strings.Join([]string{h.source, h.severity, h.kind}, ",") }),
		text("source", "Source", func(h happening) string { return h.source }),
		text("kind", "Kind", func(h happening) string { return h.kind }),
		text("severity", "Severity", func(h happening) string { return h.severity }),
		text("project", "Project", func(h happening) string { return h.project }),
		text("resource", "Object", func(h happening) string { return h.resource }),
		text("id", "Id", func(h happening) string { return h.id }),
	)
}
