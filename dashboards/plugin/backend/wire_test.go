package backend

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"mcloud"
	"mcloud/planner"
	"mcloud/planner/chargeback"
	"mcloud/planner/httpapi"
	"mcloud/planner/plannertest"
	"mcloud/planner/rebalance"
)

// realPlanner is the planner's own handler over the small cloud.
func realPlanner(t *testing.T) *httptest.Server {
	t.Helper()
	kept := plannertest.NewLedger(&plannertest.Inventory{}, mcloud.Event{ID: "e1", Time: at.Add(-time.Hour), Cloud: "test", Source: "ceph/fast", Kind: "osd.down", Severity: mcloud.SeverityError})
	card, err := chargeback.ReadRateCard(strings.NewReader(`{currency: EUR, rates: [{meter: server, sku: "*", price: "0.1", per: hour}]}`))
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return at }
	o := plannertest.Options()
	o.Ledger, o.Inventory, o.Recorder = kept, kept, kept
	p, err := planner.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if _, err := p.Report(ctx, time.Time{}); err != nil {
		t.Fatal(err)
	}
	steerer := planner.Steerer{Cloud: "test", Ledger: kept, Recorder: kept, Options: rebalance.Options{Isolation: true}, Now: now}
	if _, err := steerer.Plan(ctx); err != nil {
		t.Fatal(err)
	}
	caretaker := planner.Caretaker{Cloud: "test", Ledger: kept, Recorder: kept, Now: now}
	if _, err := caretaker.Start(ctx, planner.Maintenance{Of: "host", Name: "cmp-a1", From: at, Until: at.Add(time.Hour), Reason: "new disk", By: "ann"}); err != nil {
		t.Fatal(err)
	}
	routes := slices.Concat(httpapi.BillRoutes(planner.Biller{Cloud: "test", Ledger: kept, Card: card}, now), httpapi.RebalanceRoutes(steerer), httpapi.CapacityRoutes(p),
		httpapi.MaintenanceRoutes(caretaker), httpapi.EventRoutes(planner.Chronicle{Cloud: "test", Ledger: kept, Now: now}, now),
		[]httpapi.Route{{Pattern: "GET /api/v1/configuration", Serve: func(*http.Request) (any, error) { return map[string]string{"cloud": "test", "version": "1.2"}, nil }}})
	server := httptest.NewServer(httpapi.New(httpapi.Options{Planner: p, Routes: routes, Version: "1.2", Now: now}))
	t.Cleanup(server.Close)
	return server
}

// TestRealPlanner asks the planner's own handler everything: the formats cannot drift apart.
func TestRealPlanner(t *testing.T) {
	server := realPlanner(t)
	d := source(t, server.URL)
	for query, want := range map[string][]string{ // fields that have a value in some row
		`{"queryType":"capacity","by":"zone"}`:                                  {"name", "class", "used_ratio", "allocated", "allocatable", "free", "reserve", "limit", "hosts", "in_service"},
		`{"queryType":"capacity","by":"host"}`:                                  {"name", "zone", "used_ratio", "allocated"},
		`{"queryType":"capacity","by":"cloud"}`:                                 {"name", "used_ratio"},
		`{"queryType":"capacity","by":"tier"}`:                                  {"name", "used_ratio", "stored", "limit", "full", "survivable", "provisioned", "raw", "osds", "limit_reason"},
		`{"queryType":"capacity","by":"tier","format":"time_series"}`:           {"time", "used", "limit"},
		`{"queryType":"capacity","format":"time_series","class":"VCPU"}`:        {"time", "used", "limit"},
		`{"queryType":"forecast","tier":"nvme,sas10k"}`:                         {"time", "used", "p10", "p50", "p90", "limit"},
		`{"queryType":"forecast","zone":"az-a"}`:                                {"time", "used", "p10", "p50", "p90", "limit"},
		`{"queryType":"forecast","format":"table"}`:                             {"kind", "name", "class", "urgency", "now", "limit", "growth_per_day", "used_ratio", "p10", "p50", "p90", "order_by", "days_p10", "days_order_by", "probability", "confidence", "why"},
		`{"queryType":"forecast","format":"table","tier":"nvme"}`:               {"name", "now", "limit", "p10", "p50", "order_by", "probability"},
		`{"queryType":"forecast","format":"number"}`:                            {"kind", "name", "days_p10"},
		`{"queryType":"headroom"}`:                                              {"flavor", "zone", "servers", "hosts", "largest"},
		`{"queryType":"headroom","flavor":"m1.small","zone":"az-a"}`:            {"flavor", "zone", "servers"},
		`{"queryType":"plans"}`:                                                 {"time", "plan", "stage", "host", "zone", "class", "used_ratio", "zone_mean", "lever", "reason", "effect", "aggregate", "steps"},
		`{"queryType":"plans","plan":"latest"}`:                                 {"number", "kind", "target", "reason", "effect"},
		`{"queryType":"usage"}`:                                                 {"project", "project_id", "meter", "sku", "unit_hours", "cost"},
		`{"queryType":"usage","format":"time_series","project":"acme"}`:         {"time", "server", "volume"},
		`{"queryType":"events","show":["events"],"sources":"ceph/fast"}`:        {"time", "title", "text", "tags", "source", "kind", "severity", "id"},
		`{"queryType":"events","show":["dates","maintenance"]}`:                 {"time", "timeEnd", "title", "tags"},
		`{"queryType":"events","severities":["error","warning"],"maxEvents":9}`: {"time"},
	} {
		response := askOver(t, d, query, at.AddDate(0, 0, -60), at.AddDate(0, 6, 0))
		if response.Error != nil {
			t.Errorf("%s: %v", query, response.Error)
			continue
		}
		held(t, response.Frames[0])
		for _, name := range want {
			if !hasValue(response.Frames[0], name) {
				t.Errorf("%s: no row has a value for %s", query, name)
			}
		}
	}
	for query, want := range map[string]string{
		`{"queryType":"forecast","tier":"gold"}`:              `the planner says: tier "gold" is not known; known are: nvme`,
		`{"queryType":"headroom","flavor":"m9"}`:              `the planner says: flavor "m9" is not known; known are:`,
		`{"queryType":"headroom","zone":"az-x"}`:              `the planner says: zone "az-x" is not known; known are: az-a`,
		`{"queryType":"usage","project":"nobody"}`:            `the planner says: project "nobody" is not known`,
		`{"queryType":"forecast","zone":"az-a","class":"X"}`:  `the planner says: class "X" is not known; known are:`,
		`{"queryType":"plans","plan":"no/such"}`:              "the planner says: ",
		`{"queryType":"forecast","series":"up","limit":"1"} `: "",
	} {
		response := ask(t, d, query)
		if want != "" && (response.Error == nil || !strings.HasPrefix(response.Error.Error(), want)) {
			t.Errorf("%s: %v, want %s", query, response.Error, want)
		}
	}
	for _, kind := range nameable {
		found, err := d.names(t.Context(), kind)
		if err != nil || len(found) == 0 {
			t.Errorf("names of %s: %v %v", kind, found, err)
		}
	}
	health, err := d.CheckHealth(t.Context(), nil)
	if err != nil || !strings.HasPrefix(health.Message, "mCloud's planner 1.2 at "+server.URL+", cloud test, asked as nobody.") {
		t.Errorf("%v %+v", err, health)
	}
}

// hasValue says whether any row of any field of that name has something in it.
func hasValue(f *data.Frame, name string) bool {
	for _, field := range f.Fields {
		for i := range field.Len() {
			if v, ok := field.ConcreteAt(i); field.Name == name && ok && !reflect.ValueOf(v).IsZero() {
				return true
			}
		}
	}
	return false
}

// TestWireIsAsDescribed holds every field that is read to the planner's own description.
func TestWireIsAsDescribed(t *testing.T) {
	server := realPlanner(t)
	resp, err := http.Get(server.URL + httpapi.OpenAPIPath)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var description struct {
		Paths      map[string]map[string]any
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(raw, &description); err != nil {
		t.Fatal(err)
	}
	d := described{t, description.Components.Schemas}
	for path, wire := range map[string]any{
		"/api/v1/status": wireStatus{}, "/api/v1/capacity": []wireCapacity{}, "/api/v1/tiers": []wireTier{}, "/api/v1/report": wireReport{}, "/api/v1/forecast": []wireForecast{},
		"/api/v1/headroom": []wireHeadroom{}, "/api/v1/rebalance/plans": []wirePlanState{}, "/api/v1/rebalance/plans/{id}": wirePlanState{}, "/api/v1/chargeback": wireBill{},
		"/api/v1/events": wireEvents{}, "/api/v1/maintenance": []wireWindow{}, "/api/v1/projects": []wireProject{},
	} {
		get, _ := description.Paths[path]["get"].(map[string]any)
		if get == nil {
			t.Errorf("GET %s is not described", path)
			continue
		}
		schema := get["responses"].(map[string]any)["200"].(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)["schema"].(map[string]any)
		d.check(path, schema, reflect.TypeOf(wire))
	}
}

type described struct {
	t       *testing.T
	schemas map[string]any
}

// check says what of a type is not in the schema, or is something else there.
func (d described) check(at string, schema map[string]any, of reflect.Type) {
	d.t.Helper()
	for {
		if ref, ok := schema["$ref"].(string); ok {
			schema, _ = d.schemas[strings.TrimPrefix(ref, "#/components/schemas/")].(map[string]any)
			continue
		}
		if either, ok := schema["anyOf"].([]any); ok {
			schema = either[0].(map[string]any)
			continue
		}
		break
	}
	kinds := []string{}
	switch k := schema["type"].(type) {
	case string:
		kinds = append(kinds, k)
	case []any:
		for _, v := range k {
			kinds = append(kinds, v.(string))
		}
	}
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	want := []string{}
	switch {
	case of == reflect.TypeFor[time.Time]():
		want = []string{"string"}
		if schema["format"] != "date-time" {
			d.t.Errorf("%s is no time in the description", at)
		}
	case of.Kind() == reflect.Struct:
		want = []string{"object"}
		properties, _ := schema["properties"].(map[string]any)
		for i := range of.NumField() {
			f := of.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			property, ok := properties[name].(map[string]any)
			if !ok {
				d.t.Errorf("%s.%s is not in the planner's description", at, name)
				continue
			}
			d.check(at+"."+name, property, f.Type)
		}
	case of.Kind() == reflect.Slice:
		want = []string{"array"}
		items, _ := schema["items"].(map[string]any)
		d.check(at+"[]", items, of.Elem())
	case of.Kind() == reflect.Map:
		want = []string{"object"}
	case of.Kind() == reflect.String:
		want = []string{"string"}
	case of.Kind() == reflect.Bool:
		want = []string{"boolean"}
	case of.Kind() == reflect.Float64:
		want = []string{"number", "integer"}
	default:
		want = []string{"integer"}
	}
	if !slices.ContainsFunc(kinds, func(k string) bool { return slices.Contains(want, k) }) {
		d.t.Errorf("%s is a %v in the planner's description, and read as %s", at, kinds, of)
	}
}
