package planner

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"mcloud"
	"mcloud/planner/forecast"
	"mcloud/planner/hindsight"
	"mcloud/planner/report"
)

// recordKind is the kind of the Events that hold what a report told.
const recordKind = "report.forecast"

// settling is how long after its start a planner waits for parts that have not been
// seen before it keeps a report without them.
const settling = 30 * time.Minute

// record is what the report tells, to be judged later. drift is by what an outlook is
// of.
func (m *plan) record() hindsight.Record {
	r := hindsight.Record{At: m.document.At, Told: []hindsight.Told{}}
	for _, t := range m.document.Tiers {
		r.Told = m.tell(r.Told, hindsight.Subject{Kind: string(report.KindTier), Name: t.Tier}, "tier "+t.Tier, t.Outlook)
	}
	for _, z := range m.document.Zones {
		for _, o := range z.Outlooks {
			r.Told = m.tell(r.Told, hindsight.Subject{Kind: string(report.KindZone), Name: z.Zone, Class: o.Class}, zoneWhat(z.Zone, o.Class), o)
		}
	}
	return r
}

// tell appends what is told of an outlook, unless it has no forecast.
func (m *plan) tell(all []hindsight.Told, s hindsight.Subject, what string, o report.Outlook) []hindsight.Told {
	f, ok := m.forecasts[what]
	if !ok || !f.Forecasted() {
		return all
	}
	t := hindsight.Told{Subject: s, Unit: o.Unit, From: f.To.UTC(), StepSeconds: f.Step.Seconds(), Last: f.Last, DriftPerDay: m.drifts[what], Limit: o.Limit, Model: f.Model,
		Dates: hindsight.Dates{P10: o.Crossing.P10, P50: o.Crossing.P50, P90: o.Crossing.P90}}
	for _, n := range hindsight.Leads {
		if n*24*int(time.Hour) > len(f.P50)*int(f.Step) {
			break // beyond the horizon
		}
		p10, p50, p90 := f.At(f.To.AddDate(0, 0, n))
		t.Ahead = append(t.Ahead, hindsight.Ahead{Days: n, P10: p10, P50: p50, P90: p90})
	}
	return append(all, t)
}

// drift is the mean change a day over a history; 0 without two points.
func drift(points []forecast.Point) float64 {
	if len(points) < 2 {
		return 0
	}
	first, last := points[0], points[len(points)-1]
	if !last.Time.After(first.Time) {
		return 0
	}
	return (last.Value - first.Value) / days(last.Time.Sub(first.Time))
}

// keep stores what made tells, once a day: the first report of each UTC day, with
// all its parts when they come within settling.
func (p *Planner) keep(ctx context.Context, made *plan) error {
	day := made.document.At.UTC().Format(time.DateOnly)
	if p.o.Recorder == nil || p.kept == day {
		return nil
	}
	if p.hasHoles() && p.o.Now().Sub(p.status.Started) < settling {
		return nil
	}
	r := made.record()
	if len(r.Told) == 0 {
		return nil
	}
	e, err := event(p.o.Cloud, recordKind, day, "1", made.document.At, mcloud.SeverityInfo, r)
	if err != nil {
		return err
	}
	if err := p.o.Recorder.Post(ctx, mcloud.Batch{Events: []mcloud.Event{e}}); err != nil {
		return fmt.Errorf("the report of %s is not kept, it cannot be scored later: %w", day, err)
	}
	p.kept = day
	return nil
}

// scored is the last score and when it was made.
type scored struct {
	at    time.Time
	score report.Score
}

// scoreAfter is how old a score may get: reports are kept by the day.
const scoreAfter = time.Hour

// score judges the reports kept up to the plan's instant.
func (p *Planner) score(ctx context.Context, seen *observation, cache *historyCache, demands map[string]map[string]demand) report.Score {
	if last := cache.rare.scored; last.score.Why == "" && !last.at.IsZero() && !seen.at.Before(last.at) && seen.at.Sub(last.at) < scoreAfter {
		return last.score
	}
	s := report.Score{Schema: report.ScoreSchema, Cloud: p.o.Cloud, At: seen.at, LeadDays: hindsight.Leads, Verdict: hindsight.Verdict{Rows: []hindsight.Row{}}}
	if p.o.Ledger == nil {
		s.Why = "Nothing to score: reports are not kept, as the planner has no store for them."
		return s
	}
	records, err := p.records(ctx, seen.at)
	switch {
	case err != nil:
		seen.miss("score of past reports", "%v", err)
		s.Why = "Past reports cannot be read: " + err.Error()
		return s
	case len(records) == 0:
		s.Why = fmt.Sprintf("Nothing to score yet: no report is kept. One is kept each day, the first can be judged %d days after it.", hindsight.Leads[0])
		return s
	}
	first, last := records[0].At, records[len(records)-1].At
	s.Reports, s.First, s.Last = len(records), &first, &last
	s.Verdict = hindsight.Judge(records, func(of hindsight.Subject) []hindsight.Value {
		return p.came(ctx, seen, cache, demands, of)
	}, seen.at)
	if len(s.Totals) == 0 {
		s.Why = fmt.Sprintf("Nothing to score yet: the oldest kept report is of %s, its first %d days are over on %s.",
			first.Format(time.DateOnly), hindsight.Leads[0], first.AddDate(0, 0, hindsight.Leads[0]+1).Format(time.DateOnly))
		return s
	}
	cache.rare.scored = scored{seen.at, s}
	return s
}

// records are the reports that are kept of the window, in the order of time.
func (p *Planner) records(ctx context.Context, at time.Time) ([]hindsight.Record, error) {
	events, err := p.o.Ledger.Events(ctx, EventFilter{Cloud: p.o.Cloud, Sources: []string{"mcloud"}, Kinds: []string{recordKind}, From: at.Add(-p.o.Window), To: at})
	if err != nil {
		return nil, fmt.Errorf("kept reports cannot be read from the store: %w", err)
	}
	records := make([]hindsight.Record, 0, len(events))
	for _, e := range events {
		var r hindsight.Record
		if err := json.Unmarshal(e.Payload, &r); err != nil {
			return nil, fmt.Errorf("stored event %s: %w", e.ID, err)
		}
		records = append(records, r)
	}
	return records, nil
}

// came is what was measured of a subject.
func (p *Planner) came(ctx context.Context, seen *observation, cache *historyCache, demands map[string]map[string]demand, of hindsight.Subject) []hindsight.Value {
	var points []forecast.Point
	if of.Kind == string(report.KindZone) {
		points = demands[of.Name][of.Class].points
	}
	for _, t := range p.o.Tiers {
		if of.Kind == string(report.KindTier) && t.Name == of.Name {
			points = p.tierDemand(ctx, cache, t, seen.storage.Pools, seen.at).points
		}
	}
	values := make([]hindsight.Value, len(points))
	for i, q := range points {
		values[i] = hindsight.Value{Time: q.Time, Value: q.Value}
	}
	return values
}

// Score is how past reports did, as of the last plan.
func (p *Planner) Score(ctx context.Context) (report.Score, error) {
	made, err := p.latest(ctx)
	if err != nil {
		return report.Score{}, err
	}
	return made.document.Score, nil
}
