package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"mcloud/planner"
	"mcloud/planner/capacity"
	"mcloud/planner/chargeback"
	"mcloud/planner/httpapi"
	"mcloud/planner/plannertest"
	"mcloud/planner/reclaim"
	"mcloud/planner/report"
)

// fixed answers what it holds.
type fixed struct {
	document report.Document
	err      error
	at       time.Time // of the last request
	question planner.Question
}

func (f *fixed) Status() planner.Status { return planner.Status{Cloud: "test", Runs: 1} }

func (f *fixed) Report(_ context.Context, at time.Time) (report.Document, error) {
	f.at = at
	return f.document, f.err
}

func (f *fixed) Headroom(_ context.Context, flavor, _ string) ([]capacity.Headroom, error) {
	return []capacity.Headroom{{Flavor: flavor}}, f.err
}

func (f *fixed) Forecast(_ context.Context, q planner.Question) ([]report.Forecast, error) {
	f.question = q
	return []report.Forecast{{Subject: "tier " + q.Tier, Steps: []report.Band{}}}, f.err
}

func (f *fixed) Reclaim(context.Context) (reclaim.Result, error) {
	return reclaim.Result{Currency: "EUR", Findings: []reclaim.Finding{}}, f.err
}

func (f *fixed) Score(context.Context) (report.Score, error) {
	return report.Score{Schema: report.ScoreSchema, Why: "Nothing to score yet."}, f.err
}

func get(t *testing.T, h http.Handler, path string) (status int, contentType, body string) {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	resp, err := http.Get(server.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(content)
}

func TestAnswers(t *testing.T) {
	p := &fixed{document: report.Document{Schema: report.Schema, Cloud: "test", Headline: "Nothing to order."}}
	h := httpapi.New(httpapi.Options{
		Planner: p, Now: func() time.Time { return plannertest.At },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "up 1\n") }),
		Routes: []httpapi.Route{
			{"GET /api/v1/more", func(*http.Request) (any, error) { return map[string]int{"n": 1}, nil }},
			{"GET /api/v1/broken", func(*http.Request) (any, error) { return nil, errors.New("it broke") }},
		},
	})
	for _, tt := range []struct {
		path, contentType, contains string
		status                      int
	}{
		{"/", "text/html", "Nothing to order.", 200},
		{"/api/v1/report", "application/json", `"schema": "mcloud.report/1"`, 200},
		{"/api/v1/report?format=html", "text/html", "<!DOCTYPE html>", 200},
		{"/api/v1/report?format=table", "text/plain", "mCloud plan for test", 200},
		{"/api/v1/report?format=csv", "text/csv", "kind,name", 200},
		{"/api/v1/report?format=xlsx", "application/vnd.openxmlformats", "PK", 200},
		{"/api/v1/report?format=pdf", "application/json", `"cure":"use json, html, table, csv or xlsx"`, 400},
		{"/api/v1/report?at=yesterday", "application/json", `is not a time`, 400},
		{"/api/v1/report?at=2027-01-01", "application/json", `lies in the future`, 400},
		{"/api/v1/headroom?flavor=m1.small", "application/json", `"flavor": "m1.small"`, 200},
		{"/api/v1/status", "application/json", `"cloud": "test"`, 200},
		{"/api/v1/forecast?tier=nvme&horizon=90d", "application/json", `"subject": "tier nvme"`, 200},
		{"/api/v1/forecast", "application/json", "nothing is named", 400},
		{"/api/v1/reclaim", "application/json", `"currency": "EUR"`, 200},
		{"/api/v1/score", "application/json", "Nothing to score yet.", 200},
		{"/api/v1/forecast?tier=nvme&horizon=soon", "application/json", "write for example horizon=90d", 400},
		{"/api/v1/forecast?series=up&limit=much", "application/json", "is no number", 400},
		{"/api/v1/forecast?series=up&seasonal=perhaps", "application/json", "neither true nor false", 400},
		{"/api/v1/more", "application/json", `"n": 1`, 200},
		{"/api/v1/broken", "application/json", "it broke", 500},
		{"/api/v1/nosuch", "application/json", "there is nothing at GET /api/v1/nosuch", 404},
		{"/metrics", "text/plain", "up 1", 200},
		{"/healthz", "text/plain", "ok", 200},
		{"/readyz", "text/plain", "ok", 200},
	} {
		status, contentType, body := get(t, h, tt.path)
		if status != tt.status || !strings.HasPrefix(contentType, tt.contentType) || !strings.Contains(body, tt.contains) {
			t.Errorf("%s: %d %s %.200s", tt.path, status, contentType, body)
		}
	}
}

func TestAt(t *testing.T) {
	p := &fixed{}
	h := httpapi.New(httpapi.Options{Planner: p, Now: func() time.Time { return plannertest.At }})
	for text, want := range map[string]time.Time{
		"":                     {},
		"2026-11-01":           time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		"2026-11-01T10:00:00Z": time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC),
		"1793527200":           time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC),
	} {
		if status, _, body := get(t, h, "/api/v1/report?at="+text); status != 200 || !p.at.Equal(want) {
			t.Errorf("at=%s: %d, asked for %v, want %v (%s)", text, status, p.at, want, body)
		}
	}
}

func TestErrorsSayTheCure(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
	}{
		{planner.ErrNotReady, 503}, {planner.ErrUnknown, 404}, {planner.ErrBadRequest, 400}, {context.DeadlineExceeded, 504}, {errors.New("boom"), 500},
	} {
		status, _, body := get(t, httpapi.New(httpapi.Options{Planner: &fixed{err: tt.err}}), "/api/v1/report")
		var p httpapi.Problem
		if err := json.Unmarshal([]byte(body), &p); err != nil || status != tt.status || !strings.Contains(p.Message, tt.err.Error()) {
			t.Errorf("%v: %d %s", tt.err, status, body)
		}
	}
}

func TestOtherSitesCannotPost(t *testing.T) {
	h := httpapi.New(httpapi.Options{Planner: &fixed{}, Routes: []httpapi.Route{{"POST /api/v1/change", func(*http.Request) (any, error) { return "changed", nil }}}})
	for site, want := range map[string]int{"": 200, "same-origin": 200, "cross-site": 403} {
		r := httptest.NewRequest("POST", "/api/v1/change", nil)
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("a request from %q: %d, want %d", site, w.Code, want)
		}
	}
}

func TestRealPlanner(t *testing.T) {
	p, err := planner.New(plannertest.Options())
	if err != nil {
		t.Fatal(err)
	}
	status, _, body := get(t, httpapi.New(httpapi.Options{Planner: p}), "/api/v1/report?at="+plannertest.At.Add(-time.Hour).Format(time.RFC3339))
	var d report.Document
	if err := json.Unmarshal([]byte(body), &d); err != nil || status != 200 || len(d.Tiers) != 4 || d.Tiers[0].Outlook.Basis.Model == "" {
		t.Errorf("%d, error %v, document %.200s", status, err, body)
	}
}

// sighted remembers for whom a bill was asked.
type sighted struct{ sight planner.Sight }

func (s *sighted) BillWithin(_ context.Context, sight planner.Sight, _ string, _, _ time.Time) (chargeback.Bill, error) {
	s.sight = sight
	return chargeback.Bill{}, nil
}

func TestBillsAreWithinSight(t *testing.T) {
	b := &sighted{}
	routes := httpapi.BillRoutes(b, func() time.Time { return plannertest.At })
	own := planner.Sight{Projects: []string{"p1"}}
	for name, c := range map[string]struct {
		sight func(context.Context) planner.Sight
		want  planner.Sight
	}{
		"nobody is asked": {nil, planner.Sight{All: true}},
		"a project":       {func(context.Context) planner.Sight { return own }, own},
	} {
		if status, _, body := get(t, httpapi.New(httpapi.Options{Planner: &fixed{}, Routes: routes, Sight: c.sight}), "/api/v1/chargeback?from=2026-11"); status != 200 || !reflect.DeepEqual(b.sight, c.want) {
			t.Errorf("%s: %d %s: %+v, want %+v", name, status, body, b.sight, c.want)
		}
	}
	// Served by something that does not say who sees what, nothing is seen.
	if _, err := routes[0].Serve(httptest.NewRequest("GET", "/api/v1/chargeback?from=2026-11", nil)); err != nil || !reflect.DeepEqual(b.sight, planner.Sight{}) {
		t.Errorf("%v: %+v", err, b.sight)
	}
}
