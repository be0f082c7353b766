package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mcloud"
	"mcloud/planner"
	"mcloud/planner/httpapi"
	"mcloud/planner/plannertest"
)

// annals has an event for every minute before plannertest.At, and remembers what it was asked.
type annals struct {
	plannertest.Inventory
	asked planner.EventFilter
}

func (a *annals) Events(_ context.Context, f planner.EventFilter) (found []mcloud.Event, err error) {
	a.asked = f
	for i := 60; i > 0; i-- {
		e := mcloud.Event{ID: fmt.Sprint(i), Time: plannertest.At.Add(-time.Duration(i) * time.Minute), Cloud: f.Cloud, Source: "nova", Kind: "instance.create.end", Severity: mcloud.SeverityInfo, Payload: json.RawMessage(`{"a":1}`)}
		if !e.Time.Before(f.From) && e.Time.Before(f.To) && (f.Limit == 0 || len(found) < f.Limit) {
			found = append(found, e)
		}
	}
	return found, nil
}

func (a *annals) Objects(_ context.Context, cloud string, kind mcloud.Kind, at time.Time) ([]mcloud.Version, error) {
	if kind != mcloud.KindProject || !at.Equal(plannertest.At) {
		return nil, fmt.Errorf("asked for %s at %s", kind, at)
	}
	var all []mcloud.Version
	for _, p := range []struct{ id, name, domain string }{{"p2", "zeta", "d1"}, {"p1", "acme", "d2"}} {
		all = append(all, mcloud.Version{Object: mcloud.NewObject(kind, p.id, p.name, "", "", mcloud.Project{Name: p.name, DomainID: p.domain}), Cloud: cloud})
	}
	return all, nil
}

func TestEvents(t *testing.T) {
	ledger := &annals{}
	now := func() time.Time { return plannertest.At }
	h := httpapi.New(httpapi.Options{Planner: &fixed{}, Now: now, Routes: httpapi.EventRoutes(planner.Chronicle{Cloud: "test", Ledger: ledger, Now: now}, now)})
	for _, tt := range []struct {
		query  string
		status int
		events int
		more   bool
		says   string
	}{
		{"from=2026-11-22T11:30:00Z", 200, 30, false, ""},
		{"from=2026-11-22T11:30:00Z&to=2026-11-22T11:40:00Z", 200, 10, false, ""},
		{"from=2026-11-22T11:30:00Z&limit=30", 200, 30, false, ""},
		{"from=2026-11-22T11:30:00Z&limit=29", 200, 29, true, ""},
		{"from=2026-11-22T12:00:00Z&to=2026-11-22T12:00:01Z", 200, 0, false, `"events": []`},
		{"from=2026-11-22T11:59:00Z&payload=true", 200, 1, false, `"a": 1`},
		{"", 400, 0, false, "from is missing"},
		{"from=yesterday", 400, 0, false, "is no time"},
		{"from=2026-11-22&to=2026-11-21", 400, 0, false, "not after its begin"},
		{"from=2026-11-22&limit=0", 400, 0, false, "whole number from 1 to 10000"},
		{"from=2026-11-22&limit=10001", 400, 0, false, "whole number from 1 to 10000"},
		{"from=2026-11-22&severity=fatal", 400, 0, false, "write debug, info"},
		{"from=2026-11-22&payload=perhaps", 400, 0, false, "neither true nor false"},
	} {
		status, _, body := get(t, h, "/api/v1/events?"+tt.query)
		var answer planner.Happenings
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		if status != tt.status || len(answer.Events) != tt.events || answer.More != tt.more || !strings.Contains(body, tt.says) {
			t.Errorf("%s: %d, %d events, more %v: %.200s", tt.query, status, len(answer.Events), answer.More, body)
		}
		if !strings.Contains(tt.query, "payload") && strings.Contains(body, "payload") {
			t.Errorf("%s: a payload that nobody asked for", tt.query)
		}
	}
	get(t, h, "/api/v1/events?from=2026-11-22&source=nova&source=ceph/fast&kind=a&severity=error&severity=critical&project=p&resource=r&limit=7")
	want := planner.EventFilter{Cloud: "test", Sources: []string{"nova", "ceph/fast"}, Kinds: []string{"a"}, Severities: []string{"error", "critical"}, Project: "p", Resource: "r",
		From: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), To: plannertest.At, Limit: 8}
	if !reflect.DeepEqual(ledger.asked, want) {
		t.Errorf("asked for %+v, want %+v", ledger.asked, want)
	}
}

func TestProjectsAreWithinSight(t *testing.T) {
	now := func() time.Time { return plannertest.At }
	routes := httpapi.EventRoutes(planner.Chronicle{Cloud: "test", Ledger: &annals{}, Now: now}, now)
	for name, c := range map[string]struct {
		sight planner.Sight
		want  []string
	}{
		"all":       {planner.Sight{All: true}, []string{"acme", "zeta"}},
		"a project": {planner.Sight{Projects: []string{"p2"}}, []string{"zeta"}},
		"a domain":  {planner.Sight{Domain: "d2"}, []string{"acme"}},
		"nothing":   {planner.Sight{}, nil},
	} {
		h := httpapi.New(httpapi.Options{Planner: &fixed{}, Routes: routes, Sight: func(context.Context) planner.Sight { return c.sight }})
		_, _, body := get(t, h, "/api/v1/projects")
		var projects []planner.ProjectName
		if err := json.Unmarshal([]byte(body), &projects); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range projects {
			names = append(names, p.Name)
		}
		if !slices.Equal(names, c.want) {
			t.Errorf("%s: %v, want %v", name, names, c.want)
		}
	}
	if answer, err := routes[1].Serve(httptest.NewRequest("GET", "/api/v1/projects", nil)); err != nil || len(answer.([]planner.ProjectName)) != 0 {
		t.Errorf("served by something that does not say who sees what: %v %v", answer, err)
	}
}
