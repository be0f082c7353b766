package httpapi_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mcloud/planner/httpapi"
	"mcloud/planner/report"
	"mcloud/planner/scenario"
)

// notebook is an Asker and Keeper that remembers what it was asked.
type notebook struct {
	asked       []string // as texts
	commitments []scenario.Commitment
	removed     []string
}

func (n *notebook) WhatIf(_ context.Context, name string, changes []scenario.Change) (report.WhatIf, error) {
	text := name
	for _, c := range changes {
		if c.Zone == "nowhere" {
			return report.WhatIf{}, scenario.ErrUnknown
		}
		text += "|" + c.String()
	}
	n.asked = append(n.asked, text)
	return report.WhatIf{Scenario: name, Changes: changes}, nil
}

func (n *notebook) Commitments(context.Context, time.Time) ([]scenario.Commitment, error) {
	return n.commitments, nil
}

func (n *notebook) Scenarios(context.Context, time.Time) ([]scenario.Scenario, error) {
	return []scenario.Scenario{}, nil
}

func (n *notebook) Promise(_ context.Context, c scenario.Commitment) (scenario.Commitment, error) {
	n.commitments = append(n.commitments, c)
	return c, c.Validate()
}

func (n *notebook) Save(_ context.Context, s scenario.Scenario) (scenario.Scenario, error) {
	return s, s.Validate()
}

func (n *notebook) Withdraw(_ context.Context, name string) error {
	n.removed = append(n.removed, name)
	_, err := scenario.Find(n.commitments, name)
	return err
}

func (n *notebook) Forget(context.Context, string) error { return nil }

func TestWhatIfRoutes(t *testing.T) {
	n := &notebook{}
	server := httptest.NewServer(httpapi.New(httpapi.Options{Planner: &fixed{}, Routes: httpapi.WhatIfRoutes(n, n)}))
	defer server.Close()
	for _, tt := range []struct {
		method, path, body string
		status             int
		contains           string
	}{
		{"GET", "/api/v1/whatif?change=add-host+az%3Daz1,count%3D4&change=growth+percent%3D5", "", 200, `"action": "add-host"`},
		{"GET", "/api/v1/whatif?scenario=bad", "", 200, `"scenario": "bad"`},
		{"GET", "/api/v1/whatif?change=explode+az%3Daz1", "", 400, `action \"explode\", want one of add-host`},
		{"POST", "/api/v1/whatif", `{"changes":[{"action":"lose","rack":"r1"}]}`, 200, `"rack": "r1"`},
		{"POST", "/api/v1/whatif", `{"changes":[{"action":"lose","rak":"r1"}]}`, 400, `unknown field \"rak\"`},
		{"POST", "/api/v1/whatif", `{"changes":`, 400, "the body is not understood"},
		{"POST", "/api/v1/whatif", `{"scenario":"` + strings.Repeat("x", 300<<10) + `"}`, 400, "larger than"},
		{"PUT", "/api/v1/commitments/spring", `{"changes":[{"action":"add-host","zone":"az1","from":"2027-03-01T00:00:00Z"}]}`, 200, `"name": "spring"`},
		{"PUT", "/api/v1/commitments/spring", `{"changes":[{"action":"add-host","zone":"az2","from":"2027-03-01T00:00:00Z"}]}`, 200, `"zone": "az2"`},
		{"PUT", "/api/v1/commitments/far", `{"changes":[{"action":"add-host","zone":"nowhere","from":"2027-03-01T00:00:00Z"}]}`, 404, "not known"},
		{"PUT", "/api/v1/commitments/none", `{}`, 400, "has 0 changes"},
		{"PUT", "/api/v1/scenarios/a%20b", `{"changes":[{"action":"growth","percent":3}]}`, 400, `name \"a b\"`},
		{"PUT", "/api/v1/scenarios/bad", `{"changes":[{"action":"growth","percent":3}]}`, 200, `"percent": 3`},
		{"GET", "/api/v1/commitments", "", 200, `"name": "spring"`},
		{"GET", "/api/v1/scenarios", "", 200, `[]`},
		{"DELETE", "/api/v1/commitments/spring", "", 200, `{}`},
		{"DELETE", "/api/v1/commitments/sprung", "", 404, `did you mean \"spring\"?`},
	} {
		request, err := http.NewRequest(tt.method, server.URL+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status || !strings.Contains(string(body), tt.contains) {
			t.Errorf("%s %s: %d %s, want %d with %s", tt.method, tt.path, resp.StatusCode, body, tt.status, tt.contains)
		}
	}
	// A commitment that takes the place of another is not asked about beside it.
	if len(n.asked) < 5 || n.asked[0] != "|add-host az=az1,count=4|growth percent=5" || n.asked[4] != "|add-host az=az2,from=2027-03-01|without name=spring" {
		t.Errorf("asked %q", n.asked)
	}
}
