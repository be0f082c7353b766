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
	Project, Resource string
	From, To          time.Time
}

// Biller answers what a project has used and owes.
type Biller struct {
	Cloud  string
	Ledger Ledger
	Card   chargeback.RateCard
}

// ErrNoRateCard is returned when no prices are configured.
var ErrNoRateCard = errors.New("no rate card: name one as planner.rate_card in mcloud.yaml, deploy/examples/rates.yaml is an example")

// before is how far ahead of the billed period records are read: an action that
// began before it may end in it.
const before = 31 * 24 * time.Hour

// Bill folds and prices [from, to) of one project, by id or unique name, or of
// all with "".
func (b Biller) Bill(ctx context.Context, project string, from, to time.Time) (chargeback.Bill, error) {
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
	id, err := projectID(projects, project)
	if err != nil {
		return chargeback.Bill{}, err
	}
	in, err := b.read(ctx, id, from, to)
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

func (b Biller) read(ctx context.Context, project string, from, to time.Time) (chargeback.Input, error) {
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
			if project == "" || v.Project == project {
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
