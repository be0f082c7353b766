package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"mcloud/planner"
	"mcloud/planner/chargeback"
	"mcloud/planner/httpapi"
	"mcloud/planner/plannertest"
	"mcloud/planner/rebalance"
	"mcloud/planner/scenario"
)

// whole serves everything that mcloud serves.
func whole(t *testing.T) http.Handler {
	t.Helper()
	ledger := plannertest.NewLedger(&plannertest.Inventory{})
	card, err := chargeback.ReadRateCard(strings.NewReader(`{currency: EUR, rates: [{meter: server, sku: "*", price: "0.1", per: hour}]}`))
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return plannertest.At }
	o := plannertest.Options()
	o.Inventory, o.Ledger, o.Recorder, o.Card = ledger, ledger, ledger, card
	// A report that was kept three weeks ago, so that there is something to score.
	o.Now = func() time.Time { return plannertest.At.AddDate(0, 0, -21) }
	run(t, o)
	o.Now = now
	keeper := planner.Keeper{Cloud: "test", Ledger: ledger, Recorder: ledger, Now: now}
	o.Promises = keeper
	change := scenario.Change{Action: scenario.AddHosts, Zone: "az-a", From: plannertest.At.AddDate(0, 1, 0)}
	if _, err := keeper.Promise(t.Context(), scenario.Commitment{Name: "spring", Changes: []scenario.Change{change}}); err != nil {
		t.Fatal(err)
	}
	if _, err := keeper.Save(t.Context(), scenario.Scenario{Name: "bad-year", Changes: []scenario.Change{{Action: scenario.Growth, Percent: 20}}}); err != nil {
		t.Fatal(err)
	}
	p := run(t, o)
	routes := append(httpapi.BillRoutes(planner.Biller{Cloud: "test", Ledger: ledger, Card: card}, now),
		httpapi.RebalanceRoutes(planner.Steerer{Cloud: "test", Ledger: ledger, Recorder: ledger, Options: rebalance.Options{Isolation: true}, Now: now})...)
	routes = append(routes, httpapi.Route{Pattern: "GET /api/v1/configuration", Serve: func(*http.Request) (any, error) { return map[string]string{"cloud": "test"}, nil }})
	routes = append(append(routes, httpapi.WhatIfRoutes(p, keeper)...), httpapi.CapacityRoutes(p)...)
	routes = append(routes, httpapi.MaintenanceRoutes(planner.Caretaker{Cloud: "test", Ledger: ledger, Recorder: ledger, Now: now})...)
	routes = append(routes, httpapi.EventRoutes(planner.Chronicle{Cloud: "test", Ledger: ledger, Now: now}, now)...)
	return httpapi.New(httpapi.Options{Planner: p, Routes: routes, Version: "1.2", Now: now, Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "up 1") })})
}

// run makes a plan and, where there is something to keep, waits until it is kept.
func run(t *testing.T, o planner.Options) *planner.Planner {
	t.Helper()
	p, err := planner.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if _, err := p.Report(ctx, time.Time{}); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if events, err := o.Ledger.Events(ctx, planner.EventFilter{Kinds: []string{"report.forecast"}}); err != nil || len(events) > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return p
}

// described is the description, with every object closed, so that an answer's field
// that it does not have is an error.
func described(t *testing.T, body string) (map[string]any, *jsonschema.Compiler) {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if _, ok := v["properties"]; ok && v["type"] == "object" {
				v["additionalProperties"] = false
			}
			for _, child := range v {
				walk(child)
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		}
	}
	walk(document)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("api.json", document); err != nil {
		t.Fatal(err)
	}
	return document.(map[string]any), c
}

func pointer(path string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(path)
}

// TestAnswersAreAsDescribed asks every route and holds its answer to the schema.
func TestAnswersAreAsDescribed(t *testing.T) {
	h := whole(t)
	status, contentType, body := get(t, h, httpapi.OpenAPIPath)
	if status != 200 || contentType != "application/json" {
		t.Fatalf("%d %s", status, contentType)
	}
	document, compiler := described(t, body)
	valid := func(at, answer string) error {
		schema, err := compiler.Compile("api.json#" + at)
		if err != nil {
			return err
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(answer))
		if err != nil {
			return err
		}
		return schema.Validate(v)
	}
	queries := map[string]string{
		"/api/v1/forecast": "?zone=az-a", "/api/v1/chargeback": "?from=2026-11-01&to=2026-11-20", "/api/v1/headroom": "?flavor=m1.small",
		"/api/v1/events": "?from=2026-10-01&payload=true", "/api/v1/headroom/order": "?flavor=m1.small&policy=anti-affinity", "/api/v1/whatif": "?change=add-host+az%3Daz-a&change=delay+name%3Dspring,by%3D30d",
	}
	// A plan to ask for.
	for _, path := range []string{"/api/v1/rebalance/plans"} {
		w := post(h, path, "")
		if err := valid("/paths/"+pointer(path)+"/post/responses/200/content/application~1json/schema", w); err != nil {
			t.Errorf("POST %s: %v", path, err)
		}
	}
	asked := 0
	for path, entry := range document["paths"].(map[string]any) {
		for method, operation := range entry.(map[string]any) {
			o := operation.(map[string]any)
			if o["summary"] == "Not described" || o["summary"] == "" {
				t.Errorf("%s %s is not described", method, path)
			}
			content := o["responses"].(map[string]any)["200"].(map[string]any)["content"].(map[string]any)
			if method != "get" {
				continue
			}
			status, contentType, answer := get(t, h, strings.ReplaceAll(path, "{id}", "latest")+queries[path])
			kind, _, _ := strings.Cut(contentType, ";")
			if status != 200 || content[kind] == nil {
				t.Errorf("GET %s: %d %s, described are %v: %.300s", path, status, kind, content, answer)
				continue
			}
			asked++
			if kind != "application/json" {
				continue
			}
			if err := valid("/paths/"+pointer(path)+"/get/responses/200/content/application~1json/schema", answer); err != nil {
				t.Errorf("GET %s: %v", path, err)
			}
		}
	}
	if asked < 23 {
		t.Errorf("only %d routes were asked", asked)
	}
	// What else the report comes as, and what goes wrong.
	for _, format := range []string{"html", "table", "csv", "xlsx"} {
		_, contentType, _ := get(t, h, "/api/v1/report?format="+format)
		kind, _, _ := strings.Cut(contentType, ";")
		content := document["paths"].(map[string]any)["/api/v1/report"].(map[string]any)["get"].(map[string]any)["responses"].(map[string]any)["200"].(map[string]any)["content"].(map[string]any)
		if content[kind] == nil {
			t.Errorf("format %s is answered as %s, which is not described", format, kind)
		}
	}
	status, _, answer := get(t, h, "/api/v1/forecast?tier=gold")
	if err := valid("/components/responses/Problem/content/application~1json/schema", answer); status != 404 || err != nil {
		t.Errorf("%d %s: %v", status, answer, err)
	}
	// The closed schema does bite.
	if err := valid("/paths/~1api~1v1~1status/get/responses/200/content/application~1json/schema", `{"cloud":"x"}`); err == nil {
		t.Error("half of a status is valid")
	}
}

func post(h http.Handler, path, body string) string {
	var b bytes.Buffer
	w := &recorder{header: http.Header{}, Buffer: &b}
	r, err := http.NewRequest("POST", path, strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	h.ServeHTTP(w, r)
	return b.String()
}

type recorder struct {
	*bytes.Buffer
	header http.Header
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(int)     {}

// TestDescriptionIsWhole: operations have names of their own, path parameters are
// declared, references lead somewhere.
func TestDescriptionIsWhole(t *testing.T) {
	h := httpapi.New(httpapi.Options{Planner: &fixed{err: errors.New("not asked")}, Version: "1.2", Routes: []httpapi.Route{{Pattern: "GET /api/v1/new/{thing}", Serve: func(*http.Request) (any, error) { return nil, nil }}}})
	_, _, body := get(t, h, httpapi.OpenAPIPath)
	var d struct {
		OpenAPI string
		Info    struct{ Title, Version string }
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Summary     string
			Parameters  []struct{ Name, In string }
		}
		Components struct{ Schemas, Responses map[string]any }
	}
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		t.Fatal(err)
	}
	if d.OpenAPI != "3.1.0" || d.Info.Version != "1.2" || len(d.Components.Schemas) < 20 {
		t.Errorf("%s, %+v, %d schemas", d.OpenAPI, d.Info, len(d.Components.Schemas))
	}
	seen := map[string]bool{}
	for path, entry := range d.Paths {
		for method, o := range entry {
			if o.OperationID == "" || seen[o.OperationID] {
				t.Errorf("%s %s has the name %q again", method, path, o.OperationID)
			}
			seen[o.OperationID] = true
			for _, name := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
				if !slices.ContainsFunc(o.Parameters, func(p struct{ Name, In string }) bool { return p.Name == name[1] && p.In == "path" }) {
					t.Errorf("%s %s does not declare %s", method, path, name[1])
				}
			}
		}
	}
	if o := d.Paths["/api/v1/new/{thing}"]["get"]; o.Summary != "Not described" {
		t.Errorf("a route that nobody described is %+v", o)
	}
	for _, ref := range regexp.MustCompile(`"#/components/(schemas|responses)/([^"]+)"`).FindAllStringSubmatch(body, -1) {
		of := d.Components.Schemas
		if ref[1] == "responses" {
			of = d.Components.Responses
		}
		if of[ref[2]] == nil {
			t.Errorf("%s leads nowhere", ref[0])
		}
	}
}
