package planner

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mcloud/planner/capacity"
	"mcloud/planner/report"
)

// Order answers how many more servers of a flavor fit as members of one server group,
// and in which order they fill the hosts, as of the last plan.
func (p *Planner) Order(ctx context.Context, flavor, zone string, group capacity.ServerGroup) (capacity.Headroom, error) {
	if group.Policy != "" && !slices.Contains(capacity.Policies, group.Policy) {
		return capacity.Headroom{}, fmt.Errorf("server group policy %q, want one of %s: %w", group.Policy, strings.Join(capacity.Policies, ", "), ErrBadRequest)
	}
	made, err := p.latest(ctx)
	if err != nil {
		return capacity.Headroom{}, err
	}
	f, ok := made.cloud.FlavorNamed(flavor)
	if !ok {
		return capacity.Headroom{}, fmt.Errorf("flavor %q is %w; known are: %s", flavor, ErrUnknown, names(made.cloud.Flavors))
	}
	if zone != "" && !hasZone(made.document.Zones, zone) {
		return capacity.Headroom{}, fmt.Errorf("zone %q is %w; known are: %s", zone, ErrUnknown, zoneNames(made.document.Zones))
	}
	q := capacity.Question{Flavor: f, Zone: zone, Group: group}
	h := p.o.Rules.Fit(made.cloud, q)
	var truncated bool
	if h.Order, truncated = p.o.Rules.Order(made.cloud, q); truncated {
		h.Notes = append(h.Notes, "so many servers fit that only the hosts that fill up first are in the order")
	}
	return h, nil
}

// Capacity is what the last plan says of compute by host, aggregate, zone, cell or
// cloud.
func (p *Planner) Capacity(ctx context.Context, by string) ([]report.CapacityRow, error) {
	if !slices.Contains(report.CapacityViews, by) {
		return nil, fmt.Errorf("by=%q, want one of %s: %w", by, strings.Join(report.CapacityViews, ", "), ErrBadRequest)
	}
	made, err := p.latest(ctx)
	if err != nil {
		return nil, err
	}
	return report.CapacityRows(made.document, by), nil
}
