package planner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"mcloud"
	"mcloud/planner/chargeback"
)

// Ledger is what was stored of events and of objects over time.
type Ledger interface {
	Inventory
	Events(ctx context.Context, f EventFilter) ([]mcloud.Event, error)
}

// EventFilter selects events; what is empty selects all. From is inclusive, To
// exclusive. The answer is in the order of time.
type EventFilter struct {
	Cloud             string
	Sources, Kinds    []string
	Severities        []string
	Project, Resource string
	From, To          time.Time
	// Limit is how many are wanted, the first in time; 0: all.
	Limit int
}

// Biller answers what a project has used and owes.
type Biller struct {
	Cloud  string
	Ledger Ledger
	Card   chargeback.RateCard
}

// Sight is whose usage who asks may see.
type Sight struct {
	// All is everybody's; otherwise it is that of Projects, by id, and of the
	// projects in Domain, an id.
	All      bool
	Projects []string
	Domain   string
}

// sees says whether p, the newest version of a project, is in sight.
func (s Sight) sees(p mcloud.Version) (bool, error) {
	if s.All || slices.Contains(s.Projects, p.ID) {
		return true, nil
	}
	if s.Domain == "" {
		return false, nil
	}
	var project mcloud.Project
	if err := json.Unmarshal(p.Attributes, &project); err != nil {
		return false, fmt.Errorf("stored project %s: %w", p.ID, err)
	}
	return project.DomainID == s.Domain, nil
}

// ErrNoRateCard is returned when no prices are configured.
var ErrNoRateCard = errors.New("no rate card: name one as planner.rate_card in mcloud.yaml, deploy/examples/rates.yaml is an example")

// before is how far ahead of the billed period records are read: an action that
// began before it may end in it.
const before = 31 * 24 * time.Hour

// Bill folds and prices [from, to) of one project, by id or unique name, or of
// all with "".
func (b Biller) Bill(ctx context.Context, project string, from, to time.Time) (chargeback.Bill, error) {
	return b.BillWithin(ctx, Sight{All: true}, project, from, to)
}

// BillWithin is Bill for somebody who sees the projects in sight and nothing of others,
// not even that there are any.
func (b Biller) BillWithin(ctx context.Context, sight Sight, project string, from, to time.Time) (chargeback.Bill, error) {
	if b.Card.Currency == "" {
		return chargeback.Bill{}, ErrNoRateCard
	}
	if !to.After(from) {
		return chargeback.Bill{}, fmt.Errorf("the period ends %s, not after its begin %s: %w", to.Format(time.RFC3339), from.Format(time.RFC3339), ErrBadRequest)
	}
	// A project that is deleted by now still owes.
	projects, err := b.Ledger.Versions(ctx, b.Cloud, mcloud.KindProject, from.Add(-before), time.Now())
	if err != nil {
		return chargeback.Bill{}, fmt.Errorf("read projects: %w", err)
	}
	if projects, err = within(sight, projects); err != nil {
		return chargeback.Bill{}, err
	}
	id, err := projectID(projects, project)
	if err != nil {
		return chargeback.Bill{}, err
	}
	in, err := b.read(ctx, id, from, to, billed(sight, id, projects))
	if err != nil {
		return chargeback.Bill{}, err
	}
	usages, unread := chargeback.Fold(in)
	bill, err := chargeback.Price(usages, b.Card, from, to)
	bill.Unread = unread
	bill.Projects = map[string]string{}
	for _, p := range projects {
		if id == "" || p.ID == id {
			bill.Projects[p.ID] = p.Name
		}
	}
	return bill, err
}

// ErrBadRequest is wrapped when what was asked for cannot be.
var ErrBadRequest = errors.New("bad request")

// within leaves those projects that are in sight. One that has moved to another domain
// is in the sight of the domain that it is in now.
func within(sight Sight, projects []mcloud.Version) ([]mcloud.Version, error) {
	newest := map[string]mcloud.Version{}
	for _, p := range projects {
		if n, ok := newest[p.ID]; !ok || p.From.After(n.From) {
			newest[p.ID] = p
		}
	}
	seen := map[string]bool{}
	for id, p := range newest {
		ok, err := sight.sees(p)
		if err != nil {
			return nil, err
		}
		seen[id] = ok
	}
	return slices.DeleteFunc(slices.Clone(projects), func(p mcloud.Version) bool { return !seen[p.ID] }), nil
}

// billed says of a project's id whether it is on the bill.
func billed(sight Sight, id string, projects []mcloud.Version) func(string) bool {
	if id != "" {
		return func(of string) bool { return of == id }
	}
	if sight.All {
		return func(string) bool { return true }
	}
	return func(of string) bool {
		return slices.ContainsFunc(projects, func(p mcloud.Version) bool { return p.ID == of })
	}
}

// read is what of the ledger the bill is made of; project, where there is one, narrows
// what is asked for, and on says what counts of the answer.
func (b Biller) read(ctx context.Context, project string, from, to time.Time, on func(project string) bool) (chargeback.Input, error) {
	in := chargeback.Input{From: from.UTC(), To: to.UTC(), VolumeTypes: map[string]string{}}
	for kind, into := range map[mcloud.Kind]*[]mcloud.Version{mcloud.KindServer: &in.Servers, mcloud.KindServerAction: &in.Actions, mcloud.KindVolume: &in.Volumes} {
		// Actions are never gone: the first look may have come after the period.
		until := to
		if kind == mcloud.KindServerAction {
			until = time.Now()
		}
		versions, err := b.Ledger.Versions(ctx, b.Cloud, kind, from.Add(-before), latest(until, time.Now()))
		if err != nil {
			return in, fmt.Errorf("read %ss: %w", kind, err)
		}
		for _, v := range versions {
			if on(v.Project) {
				*into = append(*into, v)
			}
		}
	}
	// Types that were deleted since still name what was used then.
	types, err := b.Ledger.Versions(ctx, b.Cloud, mcloud.KindVolumeType, from.Add(-before), time.Now())
	if err != nil {
		return in, fmt.Errorf("read volume types: %w", err)
	}
	for _, t := range types {
		in.VolumeTypes[t.ID] = t.Name
	}
	in.Events, err = b.Ledger.Events(ctx, EventFilter{Cloud: b.Cloud, Sources: []string{"nova", "cinder"}, Kinds: chargeback.EventKinds, Project: project, From: from.Add(-before), To: to})
	if err != nil {
		return in, fmt.Errorf("read events: %w", err)
	}
	in.Events = slices.DeleteFunc(in.Events, func(e mcloud.Event) bool { return !on(e.Project) })
	return in, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// projectID finds a project by id or unique name; "" stands for all.
func projectID(projects []mcloud.Version, project string) (string, error) {
	if project == "" {
		return "", nil
	}
	var named []string
	for _, p := range projects {
		if p.ID == project {
			return p.ID, nil
		}
		if p.Name == project && !slices.Contains(named, p.ID) {
			named = append(named, p.ID)
		}
	}
	switch len(named) {
	case 1:
		return named[0], nil
	case 0:
		return "", fmt.Errorf("project %q is %w among %d stored projects", project, ErrUnknown, len(projects))
	}
	return "", fmt.Errorf("project %q is the name of %d projects, give the id of one of %v: %w", project, len(named), named, ErrBadRequest)
}

// event builds an Event of our own about resource.
func event(cloud, kind, resource, suffix string, at time.Time, severity mcloud.Severity, payload any) (mcloud.Event, error) {
	raw, err := json.Marshal(payload)
	if err != nil {
		return mcloud.Event{}, fmt.Errorf("event %s of %s: %w", kind, resource, err)
	}
	e := mcloud.Event{ID: kind + "/" + resource + "/" + suffix, Time: at.UTC(), Cloud: cloud, Source: "mcloud", Kind: kind, Resource: resource, Severity: severity, Payload: raw}
	return e, e.Validate()
}
