package main

//lint:file-ignore SA1019 the dashboards are of the classic schema.

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/prometheus/common/model"

	"mcloud/dashboards"
)

// board is a dashboard and what Grafana asks when it is opened.
type board struct {
	title  string
	span   time.Duration // its range
	panels []question
	around []question // its variables and annotations
}

// question is one query.
type question struct {
	what    string // the panel
	expr    string
	instant bool
	values  string // the label whose values are asked for, of a variable
	step    time.Duration
	empty   string // why it may have no data in the demo
}

// questions are those of all dashboards.
func questions(o options) ([]board, error) {
	all, err := dashboards.All()
	if err != nil {
		return nil, err
	}
	var boards []board
	for _, d := range all {
		if !o.only.MatchString(*d.Title) {
			continue
		}
		b, err := boardOf(d, o.pixels)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", *d.Title, err)
		}
		boards = append(boards, b)
	}
	if len(boards) == 0 {
		return nil, errors.New("-only: there is no such dashboard")
	}
	return boards, nil
}

func boardOf(d dashboard.Dashboard, pixels int) (board, error) {
	b := board{title: *d.Title}
	if d.Time == nil {
		return b, errors.New("no range")
	}
	span, err := model.ParseDuration(strings.TrimPrefix(d.Time.From, "now-"))
	if err != nil {
		return b, err
	}
	b.span = time.Duration(span)
	queries, err := dashboards.Queries(d)
	if err != nil {
		return b, err
	}
	for _, q := range queries {
		step := grafanaStep(b.span, pixels)
		if q.Interval != "" {
			least, err := model.ParseDuration(q.Interval)
			if err != nil {
				return b, fmt.Errorf("panel %s: %w", q.Panel, err)
			}
			step = max(step, time.Duration(least))
		}
		b.panels = append(b.panels, question{what: q.Panel, expr: q.Expr, instant: q.Instant, step: step, empty: q.WithoutData(dashboards.Demo)})
	}
	variables, err := dashboards.Variables(d)
	if err != nil {
		return b, err
	}
	for _, v := range variables {
		q := question{what: v.Panel, expr: v.Expr, instant: true}
		if v.Label != "" {
			q.expr, q.values = v.Metric, v.Label
		}
		b.around = append(b.around, q)
	}
	for _, a := range d.Annotations.List {
		if a.Expr == nil || a.Step == nil {
			continue
		}
		step, err := model.ParseDuration(*a.Step)
		if err != nil {
			return b, fmt.Errorf("annotation %s: %w", a.Name, err)
		}
		b.around = append(b.around, question{what: "annotation " + a.Name, expr: *a.Expr, step: time.Duration(step)})
	}
	return b, nil
}

// minStep is timeInterval of the data source in dashboards/grafana: no step is shorter.
const minStep = 15 * time.Second

// grafanaStep is the range by the panel's width, rounded as Grafana rounds it
// (roundInterval in packages/grafana-data/src/datetime/rangeutil.ts).
func grafanaStep(span time.Duration, pixels int) time.Duration {
	raw := max(span/time.Duration(pixels), minStep)
	for _, r := range []struct{ below, step time.Duration }{
		{12500 * time.Millisecond, 10 * time.Second}, {17500 * time.Millisecond, 15 * time.Second}, {25 * time.Second, 20 * time.Second}, {45 * time.Second, 30 * time.Second},
		{90 * time.Second, time.Minute}, {210 * time.Second, 2 * time.Minute}, {450 * time.Second, 5 * time.Minute}, {750 * time.Second, 10 * time.Minute},
		{1050 * time.Second, 15 * time.Minute}, {1500 * time.Second, 20 * time.Minute}, {2700 * time.Second, 30 * time.Minute}, {5400 * time.Second, time.Hour},
		{9000 * time.Second, 2 * time.Hour}, {16200 * time.Second, 3 * time.Hour}, {32400 * time.Second, 6 * time.Hour},
	} {
		if raw < r.below {
			return max(r.step, minStep)
		}
	}
	return 24 * time.Hour
}

// request is a question's path and form at a time, the range aligned to its step as
// Grafana does, so that points stay where they are when a dashboard is refreshed.
func (q question) request(span time.Duration, now time.Time) (path string, form url.Values) {
	seconds := func(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64) }
	switch {
	case q.values != "":
		return "/api/v1/label/" + q.values + "/values", url.Values{"match[]": {q.expr}, "start": {seconds(now.Add(-span))}, "end": {seconds(now)}}
	case q.instant:
		return "/api/v1/query", url.Values{"query": {q.expr}, "time": {seconds(now)}}
	}
	end := now.Truncate(q.step)
	return "/api/v1/query_range", url.Values{
		"query": {q.expr}, "start": {seconds(end.Add(-span).Truncate(q.step))}, "end": {seconds(end)}, "step": {strconv.FormatFloat(q.step.Seconds(), 'f', -1, 64)},
	}
}
