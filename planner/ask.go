package planner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcloud/planner/forecast"
	"mcloud/planner/report"
)

// Question is what Forecast is asked. One of Tier, Zone and Series is set.
type Question struct {
	Tier string // a tier's name
	Zone string // an availability zone's
	// Series is the name of something in the report ("nvme", "az-a", "vCPU in az-a"),
	// else a PromQL expression; $step in it becomes the step it is read at.
	Series string
	// Class narrows a zone to a resource class.
	Class string
	// Limit is what a series is compared with; nil for none.
	Limit *float64
	// Horizon is how far to look; zero means the planner's.
	Horizon time.Duration
	// Seasonal foresees a series by models that know seasons, step by step, instead of
	// those for what fills up; there is no Crossing then.
	Seasonal bool
}

// maxAsked is how many series one expression may have.
const maxAsked = 100

// Forecast answers q as of the last plan, or for an expression as of now. What has
// too little history says so in its answer; ErrUnknown is wrapped when there is no
// such thing, ErrBadRequest when the question cannot be.
func (p *Planner) Forecast(ctx context.Context, q Question) ([]report.Forecast, error) {
	asked := 0
	for _, what := range []string{q.Tier, q.Zone, q.Series} {
		if what != "" {
			asked++
		}
	}
	switch {
	case asked != 1:
		return nil, fmt.Errorf("name one of series, tier and zone: %w", ErrBadRequest)
	case q.Horizon < 0 || q.Horizon > 10*365*24*time.Hour:
		return nil, fmt.Errorf("the horizon is %s, want at most ten years: %w", q.Horizon, ErrBadRequest)
	case q.Class != "" && !slices.Contains(classes, q.Class):
		return nil, fmt.Errorf("class %q is %w; known are: %s", q.Class, ErrUnknown, strings.Join(classes, ", "))
	}
	made, err := p.latest(ctx)
	if err != nil {
		return nil, err
	}
	if found, err := made.named(q); err != nil || len(found) > 0 {
		return until(found, q.Horizon), err
	}
	return p.forecastSeries(ctx, q)
}

// named are the forecasts of the report that q names.
func (m *plan) named(q Question) (found []report.Forecast, err error) {
	for _, t := range m.document.Tiers {
		subject := "tier " + t.Tier
		if q.Tier == t.Tier || q.Series != "" && (q.Series == t.Tier || q.Series == subject) {
			found = append(found, m.forecastOf(subject, subject, t.Outlook))
		}
	}
	if q.Tier != "" && len(found) == 0 {
		return nil, fmt.Errorf("tier %q is %w; %s", q.Tier, ErrUnknown, knownTiers(m.document.Tiers))
	}
	for _, z := range m.document.Zones {
		for _, o := range z.Outlooks {
			subject := report.ClassName(o.Class) + " in " + z.Zone
			if q.Class != "" && q.Class != o.Class {
				continue
			}
			if q.Zone == z.Zone || q.Series != "" && (q.Series == z.Zone || q.Series == "zone "+z.Zone || q.Series == subject) {
				found = append(found, m.forecastOf(zoneWhat(z.Zone, o.Class), subject, o))
			}
		}
	}
	if q.Zone == "" || len(found) > 0 {
		return found, nil
	}
	if hasZone(m.document.Zones, q.Zone) {
		return nil, fmt.Errorf("zone %q has no %s in Placement: %w", q.Zone, strings.TrimSpace(report.ClassName(q.Class)+" inventory"), ErrUnknown)
	}
	return nil, fmt.Errorf("zone %q is %w; known are: %s", q.Zone, ErrUnknown, zoneNames(m.document.Zones))
}

func knownTiers(tiers []report.Tier) string {
	if len(tiers) == 0 {
		return "none is configured: see planner.tiers of mcloud.yaml"
	}
	all := make([]string, len(tiers))
	for i, t := range tiers {
		all[i] = t.Tier
	}
	return "known are: " + strings.Join(all, ", ")
}

// zoneWhat is what a zone's class is called in messages.
func zoneWhat(zone, class string) string { return "zone " + zone + ", " + report.ClassName(class) }

// forecastOf is what stands behind an outlook.
func (m *plan) forecastOf(what, subject string, o report.Outlook) report.Forecast {
	r := m.forecasts[what]
	f := asked(subject, r)
	f.Unit, f.Confidence = o.Unit, o.Confidence
	if o.Basis != nil {
		f.Basis, f.Notes = *o.Basis, o.Basis.Notes
	}
	if o.Limit > 0 {
		limit, crossing := o.Limit, o.Crossing
		f.Limit, f.Crossing, f.OrderBy = &limit, &crossing, o.OrderBy
	}
	return f
}

// asked is r, step by step.
func asked(subject string, r forecast.Result) report.Forecast {
	f := report.Forecast{Subject: subject, Confidence: confidence(r), Basis: *basis(r), Notes: r.Notes, Steps: []report.Band{}}
	if r.Points > 0 {
		now := r.Last
		f.Now = &now
	}
	for i := range r.P50 {
		f.Steps = append(f.Steps, report.Band{Time: r.Time(i).UTC(), P10: r.P10[i], P50: r.P50[i], P90: r.P90[i]})
	}
	return f
}

// until leaves the steps up to horizon, which is within what was forecast.
func until(all []report.Forecast, horizon time.Duration) []report.Forecast {
	if horizon == 0 {
		return all
	}
	for i, f := range all {
		end := f.Basis.To.Add(horizon)
		if n := len(f.Steps); n > 0 && f.Steps[n-1].Time.Before(end.Add(-time.Duration(f.Basis.StepHours*float64(time.Hour)))) {
			all[i].Notes = append(slices.Clip(f.Notes), fmt.Sprintf("the plan looks ahead to %s only: planner.horizon of mcloud.yaml says how far", f.Steps[n-1].Time.Format(time.DateOnly)))
		}
		all[i].Steps = slices.DeleteFunc(slices.Clone(f.Steps), func(b report.Band) bool { return b.Time.After(end) })
	}
	return all
}

// forecastSeries forecasts each series of an expression.
func (p *Planner) forecastSeries(ctx context.Context, q Question) ([]report.Forecast, error) {
	at := p.o.Now().UTC()
	series, step, err := p.history(ctx, newHistoryCache(), q.Series, at)
	switch {
	case errors.Is(err, errNoHistory):
		return nil, fmt.Errorf("%q is no name of the report and has no sample in the %.0f days up to %s: %w", q.Series, days(p.o.Window), at.Format(time.RFC3339), ErrUnknown)
	case err != nil:
		return nil, err
	case len(series) > maxAsked:
		return nil, fmt.Errorf("%q has %d series, at most %d are forecast at once; add matchers, or a sum: %w", q.Series, len(series), maxAsked, ErrBadRequest)
	}
	horizon := q.Horizon
	if horizon == 0 {
		horizon = p.o.Horizon
	}
	all := make([]report.Forecast, 0, len(series))
	for _, s := range series {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		d := demand{points: s.Points, read: step}
		var f report.Forecast
		if q.Seasonal {
			f = seasonal(d, horizon)
		} else if f, err = filling(d, horizon, q.Limit); err != nil {
			return nil, err
		}
		f.Subject, f.Labels, f.Limit = seriesName(s.Labels), s.Labels, q.Limit
		if stale := at.Sub(f.Basis.To); f.Basis.Points > 0 && stale > gone(time.Duration(f.Basis.StepHours*float64(time.Hour))) {
			f.Notes = append(slices.Clip(f.Notes), fmt.Sprintf("the history ends %s, %.0f h before now: the forecast starts there", f.Basis.To.Format(time.RFC3339), stale.Hours()))
		}
		all = append(all, f)
	}
	return all, nil
}

// filling forecasts by the models for what fills up.
func filling(d demand, horizon time.Duration, limit *float64) (report.Forecast, error) {
	r, err := forecast.New(d.series(), forecast.Options{Horizon: horizon})
	if err != nil {
		return report.Forecast{}, err
	}
	f := asked("", r)
	if limit != nil {
		crossing := r.Crossing(forecast.Constant(*limit))
		f.Crossing = &crossing
	}
	return f, nil
}

// seasonal forecasts by the models that know seasons.
func seasonal(d demand, horizon time.Duration) report.Forecast {
	// An hour or six are finer than what a year ahead is planned by: keep them.
	s := forecast.Grid(d.points, d.read)
	steps := min(forecast.MaxSteps, max(1, int(horizon/s.Step)))
	var periods []int
	if day := int(24 * time.Hour / s.Step); day > 1 {
		periods = []int{day, 7 * day}
	}
	r, err := forecast.Predict(s.Values, forecast.Request{Horizon: steps, Periods: periods, Quantiles: []float64{0.1, 0.5, 0.9}})
	if err != nil {
		return report.Forecast{Basis: report.Basis{Reason: err.Error()}, Confidence: report.Confidence{Level: "none", Why: err.Error()}, Steps: []report.Band{}}
	}
	last := len(s.Values) - 1
	for last > 0 && math.IsNaN(s.Values[last]) {
		last--
	}
	end := s.Start.Add(time.Duration(last) * s.Step)
	e := r.Evidence
	f := report.Forecast{Now: &s.Values[last], Notes: r.Notes, Steps: []report.Band{}, Confidence: report.Confidence{Level: "low", Why: "too few points to test the model on the past"},
		Basis: report.Basis{Model: r.Model, Reason: "seasons of " + seasons(r.Periods, s.Step), From: end.Add(-time.Duration(r.Points-1) * s.Step), To: end, StepHours: s.Step.Hours(), Points: r.Points, Gaps: r.Filled,
			Origins: e.Origins, LeadDays: days(time.Duration(e.Horizon) * s.Step), MeanError: e.Error, Relative: e.Relative, Coverage: e.Coverage80}}
	if e.Origins > 0 {
		f.Confidence = report.Confidence{Level: "medium", Why: fmt.Sprintf("on the past, the 80 %% interval held %.0f %%; error %.0f %% of the same time a season ago", 100*e.Coverage80, 100*e.Relative)}
	}
	if len(r.Quantiles) == 3 {
		for h := range r.Mean {
			f.Steps = append(f.Steps, report.Band{Time: end.Add(time.Duration(h+1) * s.Step).UTC(), P10: r.Quantiles[0][h], P50: r.Quantiles[1][h], P90: r.Quantiles[2][h]})
		}
	}
	return f
}

func seasons(periods []int, step time.Duration) string {
	if len(periods) == 0 {
		return "none"
	}
	all := make([]string, len(periods))
	for i, n := range periods {
		all[i] = report.Days(days(time.Duration(n) * step))
	}
	return strings.Join(all, " and ")
}

// seriesName writes labels as PromQL has them.
func seriesName(labels map[string]string) string {
	var parts []string
	for name, value := range labels {
		if name != "__name__" {
			parts = append(parts, name+"="+strconv.Quote(value))
		}
	}
	slices.Sort(parts)
	return labels["__name__"] + "{" + strings.Join(parts, ", ") + "}"
}
