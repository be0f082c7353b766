package planner

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcloud"
)

// Chronicle tells what happened in the cloud, and which projects it has.
type Chronicle struct {
	Cloud  string
	Ledger Ledger
	Now    func() time.Time
}

// Happenings are events in the order of time.
type Happenings struct {
	Events []mcloud.Event `json:"events"`
	// More says that there are more than were asked for: those later than the last one.
	More bool `json:"more,omitempty"`
}

// Happened gives the first f.Limit events that pass f; its Cloud is the chronicle's.
func (c Chronicle) Happened(ctx context.Context, f EventFilter) (Happenings, error) {
	switch {
	case f.Limit <= 0:
		return Happenings{}, fmt.Errorf("the limit is %d, want at least 1: %w", f.Limit, ErrBadRequest)
	case f.From.IsZero() || !f.To.After(f.From):
		return Happenings{}, fmt.Errorf("the time ends %s, not after its begin %s: %w", f.To.Format(time.RFC3339), f.From.Format(time.RFC3339), ErrBadRequest)
	}
	f.Cloud = c.Cloud
	wanted := f.Limit
	f.Limit++ // one more tells whether there are more
	events, err := c.Ledger.Events(ctx, f)
	if err != nil {
		return Happenings{}, fmt.Errorf("read events: %w", err)
	}
	h := Happenings{Events: events, More: len(events) > wanted}
	if h.More {
		h.Events = events[:wanted]
	}
	if h.Events == nil {
		h.Events = []mcloud.Event{}
	}
	return h, nil
}

// ProjectName is a project that there is.
type ProjectName struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	DomainID string `json:"domain_id,omitempty"`
}

// Projects are those that sight sees, by name.
func (c Chronicle) Projects(ctx context.Context, sight Sight) ([]ProjectName, error) {
	stored, err := c.Ledger.Objects(ctx, c.Cloud, mcloud.KindProject, c.Now())
	if err != nil {
		return nil, fmt.Errorf("read projects: %w", err)
	}
	if stored, err = within(sight, stored); err != nil {
		return nil, err
	}
	all := []ProjectName{}
	for _, v := range stored {
		var p mcloud.Project
		if err := json.Unmarshal(v.Attributes, &p); err != nil {
			return nil, fmt.Errorf("stored project %s: %w", v.ID, err)
		}
		all = append(all, ProjectName{ID: v.ID, Name: v.Name, DomainID: p.DomainID})
	}
	slices.SortFunc(all, func(a, b ProjectName) int { return strings.Compare(a.Name+"\x00"+a.ID, b.Name+"\x00"+b.ID) })
	return all, nil
}
