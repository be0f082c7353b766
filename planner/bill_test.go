package planner_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"mcloud"
	"mcloud/planner"
	"mcloud/planner/chargeback"
)

// tenants is a ledger with a server in each of four projects of two domains; p4 has
// moved from domain d1 to d2.
type tenants struct{ planner.Inventory }

var month = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func (tenants) Versions(_ context.Context, cloud string, kind mcloud.Kind, _, _ time.Time) ([]mcloud.Version, error) {
	var found []mcloud.Version
	add := func(id, name, project string, attributes any, from time.Time) {
		found = append(found, mcloud.Version{Cloud: cloud, From: from, Object: mcloud.NewObject(kind, id, name, "", project, attributes)})
	}
	for _, p := range []struct{ id, name, domain string }{{"p1", "acme", "d1"}, {"p2", "globex", "d1"}, {"p3", "initech", "d2"}, {"p4", "moved", "d2"}} {
		switch kind {
		case mcloud.KindProject:
			if p.id == "p4" {
				add(p.id, p.name, "", mcloud.Project{Name: p.name, DomainID: "d1"}, month)
			}
			add(p.id, p.name, "", mcloud.Project{Name: p.name, DomainID: p.domain}, month.Add(time.Hour))
		case mcloud.KindServer:
			add("server of "+p.id, "web", p.id, mcloud.Server{Name: "web", Flavor: "m1.small", Status: "ACTIVE", Created: month, Launched: month}, month)
		}
	}
	return found, nil
}

func (tenants) Events(context.Context, planner.EventFilter) ([]mcloud.Event, error) { return nil, nil }

func TestBillWithinSight(t *testing.T) {
	card, err := chargeback.ReadRateCard(strings.NewReader("currency: EUR\nrates: [{meter: server, sku: m1.small, price: \"1\", per: hour}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	b := planner.Biller{Cloud: "test", Ledger: tenants{}, Card: card}
	one, domain, all := planner.Sight{Projects: []string{"p1"}}, planner.Sight{Domain: "d1"}, planner.Sight{All: true}
	for _, c := range []struct {
		name    string
		sight   planner.Sight
		project string
		bills   string
		err     error
	}{
		{"everybody's", all, "", "p1 p2 p3 p4", nil},
		{"everybody's, one", all, "initech", "p3", nil},
		{"a project's own", one, "", "p1", nil},
		{"a project's own, by id", one, "p1", "p1", nil},
		{"a project's own, by name", one, "acme", "p1", nil},
		{"another's, by id", one, "p2", "", planner.ErrUnknown},
		{"another's, by name", one, "globex", "", planner.ErrUnknown},
		{"a domain's", domain, "", "p1 p2", nil},
		{"one of a domain's", domain, "p2", "p2", nil},
		{"one that has left the domain", domain, "p4", "", planner.ErrUnknown},
		{"another domain's", domain, "initech", "", planner.ErrUnknown},
		{"several projects'", planner.Sight{Projects: []string{"p1", "p3", "p9"}}, "", "p1 p3", nil},
		{"nobody's", planner.Sight{}, "", "", nil},
		{"nobody's, one", planner.Sight{}, "p1", "", planner.ErrUnknown},
	} {
		bill, err := b.BillWithin(t.Context(), c.sight, c.project, month, month.Add(10*time.Hour))
		if !errors.Is(err, c.err) || err != nil && c.err == nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
			continue
		}
		billed := map[string]bool{}
		for _, l := range bill.Lines {
			billed[l.Project] = true
		}
		for _, s := range bill.Sums {
			billed[s.Project] = true
		}
		for id := range bill.Projects {
			billed[id] = true
		}
		if got := strings.Join(slices.Sorted(maps.Keys(billed)), " "); got != c.bills {
			t.Errorf("%s: %q is billed, want %q", c.name, got, c.bills)
		}
		if err != nil && strings.Contains(err.Error(), "among 4") {
			t.Errorf("%s: %v tells how many other projects there are", c.name, err)
		}
	}
}
