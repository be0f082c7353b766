package planner

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"mcloud/planner/capacity"
	"mcloud/planner/forecast"
	"mcloud/planner/report"
	"mcloud/planner/scenario"
)

// promises are what is promised, and the questions that are answered beside a report.
type promises struct {
	commitments []scenario.Commitment
	// effects is what they do.
	effects map[scenario.Subject]scenario.Effect
	asked   []*posed
}

// posed is a question and, as outlooks are made, its answer.
type posed struct {
	scenario scenario.Scenario
	// effects are of the commitments and the scenario together; failed says why there
	// are none.
	effects map[scenario.Subject]scenario.Effect
	failed  error
	rows    []report.WhatIfRow
}

// promise reads commitments and stored scenarios. What cannot be read or applied is
// missing, the rest stands.
func (p *Planner) promise(ctx context.Context, seen *observation) {
	var all []scenario.Scenario
	if p.o.Promises != nil {
		commitments, err := p.o.Promises.Commitments(ctx, seen.at)
		if err != nil {
			seen.miss("commitments", "dates do not count with them: %v", err)
		}
		if all, err = p.o.Promises.Scenarios(ctx, seen.at); err != nil {
			seen.miss("scenarios", "%v", err)
		}
		for _, c := range commitments {
			// One that no longer fits the cloud must not take the others with it.
			if _, err := p.apply(seen, []scenario.Commitment{c}, nil); err != nil {
				seen.miss("commitment "+c.Name, "dates do not count with it: %v", err)
				continue
			}
			seen.promises.commitments = append(seen.promises.commitments, c)
		}
	}
	var err error
	if seen.promises.effects, err = p.apply(seen, seen.promises.commitments, nil); err != nil {
		seen.miss("commitments", "together they cannot be: %v", err)
		seen.promises.commitments = nil
		seen.promises.effects, _ = p.apply(seen, nil, nil) // no change, no error
	}
	all = append(usual(seen.promises.commitments, seen.storage, seen.cloud.Reserve.Racks(seen.cloud)), all...)
	for _, s := range all {
		a := p.ask(seen, s)
		if a.failed != nil {
			seen.miss("scenario "+s.Name, "%v", a.failed)
		}
		seen.promises.asked = append(seen.promises.asked, a)
	}
}

// ask prepares the answer to s.
func (p *Planner) ask(seen *observation, s scenario.Scenario) *posed {
	a := &posed{scenario: s}
	a.effects, a.failed = p.apply(seen, seen.promises.commitments, s.Changes)
	return a
}

// apply says what commitments and changes together do to each subject.
func (p *Planner) apply(seen *observation, commitments []scenario.Commitment, changes []scenario.Change) (map[scenario.Subject]scenario.Effect, error) {
	composed, err := scenario.Compose(commitments, changes, seen.at)
	if err != nil {
		return nil, err
	}
	effects, err := scenario.World{Cloud: seen.cloud, Storage: seen.storage, Tiers: p.o.Tiers}.Apply(composed)
	if err != nil {
		return nil, err
	}
	bySubject := map[scenario.Subject]scenario.Effect{}
	for _, e := range effects {
		bySubject[e.Subject] = e
	}
	return bySubject, nil
}

// effect is what commitments do to q.
func (s promises) effect(q quantity) scenario.Effect { return effectOn(q, s.effects) }

func effectOn(q quantity, effects map[scenario.Subject]scenario.Effect) scenario.Effect {
	if e, ok := effects[q.subject]; ok {
		e.Now = scenario.Level{Limit: q.limit, Capacity: q.capacity} // as the report has it
		return e
	}
	return scenario.Effect{Subject: q.subject, Now: scenario.Level{Limit: q.limit, Capacity: q.capacity}, Growth: 1}
}

// crossing is when q meets its limit as e moves it. What is known of now counts before
// what a history ends with.
func crossing(q quantity, e scenario.Effect, f forecast.Result, at time.Time) forecast.Crossing {
	level, demand := e.At(at)
	if q.known && q.used+demand >= level.Limit {
		return over(at)
	}
	return e.Crossing(f)
}

func over(at time.Time) forecast.Crossing {
	return forecast.Crossing{State: forecast.Over, P10: &at, P50: &at, P90: &at, Until: at, Probability: 1}
}

// owed is value, a quantile of f at an instant, as if the limit were q's: what is
// promised comes on top of it, and what the limit loses by then too.
func owed(q quantity, e scenario.Effect, f forecast.Result, value float64, at time.Time) float64 {
	if !e.Changed() {
		return value
	}
	level, _ := e.At(at)
	return e.Grown(f, value, at) + q.limit - level.Limit
}

// answer adds q to the answers of all questions.
func (s promises) answer(q quantity, promised scenario.Effect, f forecast.Result, at time.Time) {
	before := situation(q, promised, f, at)
	for _, a := range s.asked {
		if a.failed != nil {
			continue
		}
		row := report.WhatIfRow{Subject: q.subject, Unit: q.unit, Used: q.used, Known: q.known, Before: before, After: before}
		if after := effectOn(q, a.effects); !sameEffect(promised, after) {
			row.Changed, row.After = true, situation(q, after, f, at)
		}
		a.rows = append(a.rows, report.Compare(row))
	}
}

func situation(q quantity, e scenario.Effect, f forecast.Result, at time.Time) report.Situation {
	end, demand := e.End()
	s := report.Situation{Limit: end.Limit, Capacity: end.Capacity, Demand: demand, Crossing: crossing(q, e, f, at), Full: e.Full(f)}
	if level, demand := e.At(at); q.known && q.used+demand >= level.Capacity {
		s.Full = over(at)
	}
	return s
}

func sameEffect(a, b scenario.Effect) bool {
	return a.Growth == b.Growth && slices.Equal(a.Steps, b.Steps)
}

// pending are the commitments that dates count with.
func (s promises) pending(at time.Time) []scenario.Commitment {
	pending := []scenario.Commitment{}
	for _, c := range s.commitments {
		if c.Pending(at) {
			pending = append(pending, c)
		}
	}
	return pending
}

// scenarios are the answers to the questions that have one.
func (s promises) scenarios(at time.Time) []report.WhatIf {
	var all []report.WhatIf
	for _, a := range s.asked {
		if a.failed != nil {
			continue
		}
		report.SortWhatIf(a.rows)
		all = append(all, report.WhatIf{At: at, Scenario: a.scenario.Name, Note: a.scenario.Note, Changes: a.scenario.Changes, Commitments: s.pending(at), Rows: a.rows})
	}
	return all
}

// WhatIf answers what changes, or those of a stored scenario and then changes, do to
// every date. It looks at the newest stored cloud and history, and computes anew.
// Errors wrap scenario.ErrUnknown or scenario.ErrInvalid where the question is at fault.
func (p *Planner) WhatIf(ctx context.Context, name string, changes []scenario.Change) (report.WhatIf, error) {
	select {
	case <-p.busy:
		defer func() { p.busy <- struct{}{} }()
	case <-ctx.Done():
		return report.WhatIf{}, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, p.o.Timeout)
	defer cancel()
	seen, err := p.observe(ctx, p.o.Now().UTC())
	if err != nil {
		return report.WhatIf{}, err
	}
	p.storageUse(ctx, seen)
	p.promise(ctx, seen)
	question := scenario.Scenario{Name: name, Changes: changes}
	if name != "" {
		if p.o.Promises == nil {
			return report.WhatIf{}, fmt.Errorf("scenario %q is %w: this planner keeps none", name, scenario.ErrUnknown)
		}
		stored, err := p.o.Promises.Scenarios(ctx, time.Time{})
		if err != nil {
			return report.WhatIf{}, err
		}
		if question, err = scenario.Find(stored, name); err != nil {
			return report.WhatIf{}, err
		}
		question.Changes = append(slices.Clip(question.Changes), changes...)
	}
	if n := len(question.Changes); n == 0 || n > scenario.MaxChanges {
		return report.WhatIf{}, fmt.Errorf("%d changes are named, want 1 to %d: %w", n, scenario.MaxChanges, scenario.ErrInvalid)
	}
	for _, c := range question.Changes {
		if err := c.Validate(); err != nil {
			return report.WhatIf{}, err
		}
	}
	a := p.ask(seen, question)
	if a.failed != nil {
		return report.WhatIf{}, a.failed
	}
	seen.promises.asked = []*posed{a}
	p.outlooks(ctx, seen)
	answer := seen.promises.scenarios(seen.at)[0]
	answer.Cloud, answer.Partial = p.o.Cloud, fold(seen.missing)
	return answer, nil
}

// outlooks makes those of all zones and tiers as a report does, for what is answered
// beside them.
func (p *Planner) outlooks(ctx context.Context, seen *observation) {
	hosts, sums := p.hostsByZone(ctx, seen), capacity.Zones(seen.cloud)
	demands := p.zoneDemands(ctx, p.cache, sums, hosts, seen.at)
	p.allocationHierarchies(ctx, seen, p.cache, hosts, demands) // demands add up then
	for _, sum := range sums {
		p.zone(seen, sum, demands[sum.Zone])
	}
	for _, t := range p.o.Tiers {
		p.tier(ctx, seen, p.cache, t)
	}
}

// sortedKeys are the keys of a map in order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
