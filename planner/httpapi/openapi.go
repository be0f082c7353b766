package httpapi

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"mcloud/planner"
	"mcloud/planner/capacity"
	"mcloud/planner/chargeback"
	"mcloud/planner/rebalance"
	"mcloud/planner/reclaim"
	"mcloud/planner/report"
	"mcloud/planner/scenario"
)

// OpenAPIPath is where the description of this API is served.
const OpenAPIPath = "/api/v1/openapi.json"

// description says what a route is for, for people and for programs that generate
// clients. Every route has one; a test holds them to the answers.
type description struct {
	pattern, tag, summary string
	query                 []parameter
	// answer is a value of the type that is answered as JSON; nil: none.
	answer any
	// body is a value of the type that is sent; nil: none.
	body any
	// other are content types besides JSON, or instead of it, by what chooses them.
	other []string
}

// parameter is one of the query.
type parameter struct {
	name, about, example string
	required             bool
	of                   []string // the values that there are; nil: any
}

var timeParameter = parameter{name: "at", about: "as of this instant, from what was stored then: RFC 3339, a UTC day or Unix seconds; default: the last plan", example: "2026-11-01T00:00:00Z"}

// descriptions are those of all routes.
func descriptions() []description {
	const plans = "/api/v1/rebalance/plans"
	return []description{
		{pattern: "GET /{$}", tag: "report", summary: "The report as a page for people", other: []string{"text/html"}},
		{pattern: "GET /api/v1/report", tag: "report", summary: "What runs out, when, by when to order, how much, and how sure that is", answer: report.Document{},
			query: []parameter{timeParameter, {name: "format", about: "default: json", example: "html", of: []string{"json", "html", "table", "csv", "xlsx"}}},
			other: []string{"text/html", "text/plain", "text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}},
		{pattern: "GET /api/v1/forecast", tag: "report", summary: "The future of a tier, a zone or a series, step by step, with model, window, backtest error and interval coverage", answer: []report.Forecast{},
			query: []parameter{
				{name: "tier", about: "a tier's name; one of tier, zone and series is needed", example: "nvme"}, {name: "zone", about: "an availability zone's name", example: "az-a"},
				{name: "series", about: "a name of the report or a PromQL expression", example: "sum(ceph_cluster_total_used_bytes)"}, {name: "class", about: "of a zone: only this resource class", example: "VCPU"},
				{name: "limit", about: "of an expression: when does it reach this", example: "1e15"}, {name: "horizon", about: "how far to look", example: "90d"},
				{name: "seasonal", about: "of an expression: by the models that know days and weeks", example: "true", of: []string{"true", "false"}},
			}},
		{pattern: "GET /api/v1/score", tag: "report", summary: "Past reports against what came: error, coverage and bias by tier and zone, 7, 30 and 90 days ahead", answer: report.Score{}},
		{pattern: "GET /api/v1/reclaim", tag: "report", summary: "What is paid for and not used: amounts, owners and money a month", answer: reclaim.Result{}},
		{pattern: "GET /api/v1/headroom", tag: "report", summary: "How many more servers of each flavor fit", answer: []capacity.Headroom{},
			query: []parameter{{name: "flavor", about: "name or id of a flavor; default: all", example: "m1.large"}, {name: "zone", about: "only this availability zone", example: "az-a"}}},
		{pattern: "GET /api/v1/headroom/order", tag: "capacity", summary: "How many more servers of a flavor fit as members of one server group, and in which order they fill the hosts", answer: capacity.Headroom{},
			query: []parameter{{name: "flavor", about: "name or id", example: "m1.large", required: true}, {name: "zone", about: "only this availability zone", example: "az-a"},
				{name: "policy", about: "of the server group; default: none", example: "anti-affinity", of: capacity.Policies}, {name: "max_per_host", about: "the rule max_server_per_host of anti-affinity; default: 1", example: "2"}}},
		{pattern: "GET /api/v1/capacity", tag: "capacity", summary: "What hosts, or groups of them, have, give and use, by resource class", answer: []report.CapacityRow{},
			query: []parameter{{name: "by", about: "default: zone", example: "host", of: report.CapacityViews}}},
		{pattern: "GET /api/v1/tiers", tag: "capacity", summary: "Storage tiers: raw, usable, stored, promised, and what is left when something dies", answer: []report.Tier{},
			query: []parameter{{name: "tier", about: "only this one", example: "nvme"}}},
		{pattern: "GET /api/v1/whatif", tag: "scenarios", summary: "Which dates changes would move, and by how many days", answer: report.WhatIf{},
			query: []parameter{{name: "change", about: "an action and its key=value list; several may be given", example: "add-host az=az-a,count=4,from=2027-03-01"}, {name: "scenario", about: "a stored one, which changes come on top of", example: "bad-year"}}},
		{pattern: "POST /api/v1/whatif", tag: "scenarios", summary: "The same, as a question in JSON", answer: report.WhatIf{}, body: Question{}},
		{pattern: "GET /api/v1/commitments", tag: "scenarios", summary: "What is promised: projects that come, purchases on their way, hardware that goes", answer: []scenario.Commitment{}},
		{pattern: "PUT /api/v1/commitments/{name}", tag: "scenarios", summary: "Keep a commitment, in the place of one of that name", answer: scenario.Commitment{}, body: scenario.Commitment{}},
		{pattern: "DELETE /api/v1/commitments/{name}", tag: "scenarios", summary: "Remove a commitment", answer: struct{}{}},
		{pattern: "GET /api/v1/scenarios", tag: "scenarios", summary: "Questions that every report answers anew", answer: []scenario.Scenario{}},
		{pattern: "PUT /api/v1/scenarios/{name}", tag: "scenarios", summary: "Keep a scenario, in the place of one of that name", answer: scenario.Scenario{}, body: scenario.Scenario{}},
		{pattern: "DELETE /api/v1/scenarios/{name}", tag: "scenarios", summary: "Remove a scenario", answer: struct{}{}},
		{pattern: "GET /api/v1/chargeback", tag: "chargeback", summary: "What projects used and what it costs, of those that who asks may see", answer: chargeback.Bill{},
			query: []parameter{{name: "project", about: "name or id; default: all", example: "acme"}, {name: "from", about: "begin, inclusive: RFC 3339, a UTC day or a month", example: "2026-11-01", required: true}, {name: "to", about: "end, exclusive; default: now", example: "2026-12-01"}}},
		{pattern: "GET /api/v1/projects", tag: "chargeback", summary: "The projects that who asks may see", answer: []planner.ProjectName{}},
		{pattern: "GET /api/v1/events", tag: "events", summary: "What happened, in the order of time: of what was asked for the first ones, and whether there are more", answer: planner.Happenings{},
			query: []parameter{{name: "from", about: "begin, inclusive: RFC 3339, a UTC day or a month", example: "2026-11-01T12:00:00Z", required: true}, {name: "to", about: "end, exclusive; default: now", example: "2026-11-02"},
				{name: "source", about: "the system that speaks; several may be given", example: "nova"}, {name: "kind", about: "the source's name for what happened; several may be given", example: "instance.create.end"},
				{name: "severity", about: "several may be given", example: "error", of: severities}, {name: "project", about: "id of the project concerned", example: "5e0c1d8f"}, {name: "resource", about: "id of the object concerned", example: "0b7c1e2a"},
				{name: "limit", about: "how many at most, up to 10000; default: 1000", example: "100"}, {name: "payload", about: "with what else is known of each; default: false", example: "true", of: []string{"true", "false"}}}},
		{pattern: "POST " + plans, tag: "rebalance", summary: "Make a plan from the newest look at the cloud; it changes nothing", answer: rebalance.Plan{}},
		{pattern: "GET " + plans, tag: "rebalance", summary: "All plans, the newest first", answer: []planner.PlanState{}},
		{pattern: "GET " + plans + "/{id}", tag: "rebalance", summary: "One plan; “latest” is the newest", answer: planner.PlanState{}},
		{pattern: "GET " + plans + "/{id}/check", tag: "rebalance", summary: "Whether a plan's reason still holds", answer: planCheck{}},
		{pattern: "POST " + plans + "/{id}/{stage}", tag: "rebalance", summary: "Note that a plan came to applying, applied, failed or undone", answer: struct{}{}, body: map[string]any{}},
		{pattern: "GET /api/v1/maintenance", tag: "maintenance", summary: "Maintenance windows, those that end last first", answer: []planner.Maintenance{}},
		{pattern: "POST /api/v1/maintenance", tag: "maintenance", summary: "Open a window: who works on a host, a zone, a Ceph cluster or a datacentre is not paged for it, and nothing is planned onto it", answer: planner.Maintenance{}, body: planner.Maintenance{}},
		{pattern: "POST /api/v1/maintenance/{id}/end", tag: "maintenance", summary: "End a window now", answer: planner.Maintenance{}},
		{pattern: "GET /api/v1/status", tag: "planner", summary: "How the planner itself does", answer: planner.Status{}},
		{pattern: "GET /api/v1/configuration", tag: "planner", summary: "The cloud's name, where the configuration file is, and the version", answer: map[string]string{}},
		{pattern: "GET " + OpenAPIPath, tag: "planner", summary: "This description", answer: map[string]any{}},
		{pattern: "GET /metrics", tag: "planner", summary: "Forecasts and the planner's own state as Prometheus metrics", other: []string{"text/plain"}},
		{pattern: "GET /healthz", tag: "planner", summary: "The planner is alive", other: []string{"text/plain"}},
		{pattern: "GET /readyz", tag: "planner", summary: "There is a plan", other: []string{"text/plain"}},
	}
}

// object is JSON.
type object = map[string]any

// openAPI describes the routes of patterns in OpenAPI 3.1, whose schemas are JSON
// Schema 2020-12. A route that nobody described is listed all the same.
func openAPI(patterns []string, version string) object {
	known := map[string]description{}
	for _, d := range descriptions() {
		known[d.pattern] = d
	}
	schemas := newSchemas()
	paths := object{}
	for _, pattern := range patterns {
		d, ok := known[pattern]
		if !ok {
			d = description{pattern: pattern, tag: "other", summary: "Not described", answer: map[string]any{}}
		}
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.TrimSuffix(path, "{$}")
		entry, _ := paths[path].(object)
		if entry == nil {
			entry = object{}
			paths[path] = entry
		}
		entry[strings.ToLower(method)] = d.operation(path, schemas)
	}
	problem := schemas.of(Problem{})
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "mCloud planner", "version": cmp.Or(version, "1"),
			"description": "When a cloud runs out and what to buy. All times are UTC. Fields may be added to answers; what is not known is absent, never 0.",
		},
		"paths": paths,
		"components": object{
			"schemas": schemas.named,
			"responses": object{"Problem": object{
				"description": "What went wrong, and what to do about it", "content": object{"application/json": object{"schema": problem}},
			}},
		},
	}
}

func (d description) operation(path string, schemas *schemas) object {
	parameters := []object{}
	for _, name := range wildcards(path) {
		parameters = append(parameters, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, p := range d.query {
		schema := object{"type": "string"}
		if len(p.of) > 0 {
			schema["enum"] = p.of
		}
		parameters = append(parameters, object{"name": p.name, "in": "query", "description": p.about, "required": p.required, "schema": schema, "example": p.example})
	}
	content := object{}
	if d.answer != nil {
		content["application/json"] = object{"schema": schemas.of(d.answer)}
	}
	for _, kind := range d.other {
		schema := object{"type": "string"}
		if !strings.HasPrefix(kind, "text/") {
			schema["format"] = "binary"
		}
		content[kind] = object{"schema": schema}
	}
	method, _, _ := strings.Cut(d.pattern, " ")
	operation := object{
		"operationId": operationID(method, path), "summary": d.summary, "tags": []string{d.tag}, "parameters": parameters,
		"responses": object{"200": object{"description": d.summary, "content": content}, "default": object{"$ref": "#/components/responses/Problem"}},
	}
	if d.body != nil {
		operation["requestBody"] = object{"content": object{"application/json": object{"schema": schemas.of(d.body)}}}
	}
	return operation
}

// wildcards are the names in braces of a path.
func wildcards(path string) (names []string) {
	for _, part := range strings.Split(path, "/") {
		if strings.HasPrefix(part, "{") && strings.HasSuffix(part, "}") {
			names = append(names, strings.Trim(part, "{}"))
		}
	}
	return names
}

// operationID is a name for a generated client's function.
func operationID(method, path string) string {
	parts := strings.FieldsFunc(strings.TrimPrefix(path, "/api/v1"), func(r rune) bool { return strings.ContainsRune("/{}.", r) })
	if len(parts) == 0 {
		parts = []string{"page"}
	}
	return strings.ToLower(method) + "_" + strings.Join(parts, "_")
}

// describe serves the description of what mux serves.
func (s *server) describe(patterns []string) func(*http.Request) (any, error) {
	patterns = slices.Clone(patterns)
	made := openAPI(patterns, s.Version)
	return func(*http.Request) (any, error) { return made, nil }
}
