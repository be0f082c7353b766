package backend

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

var update = flag.Bool("update", false, "write the golden files")

// TestFrames holds the frames of every type of query, in every format, to golden files.
func TestFrames(t *testing.T) {
	f := newFake(t)
	d := source(t, f.URL)
	for name, query := range map[string]string{
		"capacity-zone":          `{"queryType":"capacity"}`,
		"capacity-zone-vcpu":     `{"queryType":"capacity","by":"zone","zone":"az-a,az-c","class":"VCPU"}`,
		"capacity-host":          `{"queryType":"capacity","by":"host"}`,
		"capacity-tier":          `{"queryType":"capacity","by":"tier"}`,
		"capacity-number":        `{"queryType":"capacity","format":"number","value":"free","class":"VCPU"}`,
		"capacity-tier-number":   `{"queryType":"capacity","by":"tier","format":"number"}`,
		"capacity-series":        `{"queryType":"capacity","format":"time_series"}`,
		"capacity-tier-series":   `{"queryType":"capacity","by":"tier","tier":"nvme","format":"time_series"}`,
		"forecast-tier":          `{"queryType":"forecast","tier":"nvme"}`,
		"forecast-zone-and-none": `{"queryType":"forecast","series":"up"}`,
		"forecast-zone":          `{"queryType":"forecast","zone":"az-a"}`,
		"forecast-dates":         `{"queryType":"forecast","format":"table"}`,
		"forecast-dates-zone":    `{"queryType":"forecast","format":"table","zone":"az-a"}`,
		"forecast-number":        `{"queryType":"forecast","format":"number","value":"days_p10"}`,
		"headroom":               `{"queryType":"headroom"}`,
		"headroom-number":        `{"queryType":"headroom","format":"number","zone":"az-a,az-b","flavor":"m1.small"}`,
		"plans":                  `{"queryType":"plans"}`,
		"plan-steps":             `{"queryType":"plans","plan":"latest"}`,
		"plans-number":           `{"queryType":"plans","format":"number"}`,
		"usage":                  `{"queryType":"usage"}`,
		"usage-number":           `{"queryType":"usage","format":"number","value":"cost"}`,
		"usage-series":           `{"queryType":"usage","format":"time_series"}`,
		"usage-series-meter":     `{"queryType":"usage","format":"time_series","group":"meter"}`,
		"events":                 `{"queryType":"events"}`,
		"events-all":             `{"queryType":"events","show":["events","dates","maintenance"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			from, to := at.Add(-3*time.Hour), at.Add(48*time.Hour)
			if strings.Contains(name, "forecast") || strings.Contains(name, "capacity") {
				from = at.Add(-72 * time.Hour)
			}
			if name == "events-all" {
				from, to = at.AddDate(0, 0, -3), at.AddDate(0, 2, 0)
			}
			response := askOver(t, d, query, from, to)
			if response.Error != nil {
				t.Fatal(response.Error)
			}
			raw, err := json.Marshal(response.Frames)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := json.Indent(&got, raw, "", "  "); err != nil {
				t.Fatal(err)
			}
			got.WriteByte('\n')
			golden(t, name, got.Bytes())
			for _, f := range response.Frames {
				held(t, f)
			}
		})
	}
}

// golden holds got to a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("-want +got; go test -update writes it anew:\n%s", diff)
	}
}

// held holds a frame to what Grafana's data plane expects of its type.
func held(t *testing.T, f *data.Frame) {
	t.Helper()
	if f.Meta == nil || f.RefID != "A" {
		t.Fatalf("frame %s has no meta or refID %q", f.Name, f.RefID)
	}
	numeric, times, texts := 0, 0, 0
	for _, field := range f.Fields {
		switch {
		case field.Type().Time():
			times++
		case field.Type().Numeric():
			numeric++
		default:
			texts++
		}
		if field.Config == nil || field.Config.DisplayNameFromDS == "" {
			t.Errorf("%s has no name for people", field.Name)
		}
		if field.Len() != f.Rows() {
			t.Errorf("%s has %d values of %d", field.Name, field.Len(), f.Rows())
		}
	}
	switch f.Meta.Type {
	case data.FrameTypeNumericLong:
		if numeric != 1 || times != 0 || texts == 0 {
			t.Errorf("%d numbers, %d times, %d texts: an alert rule takes one number and texts", numeric, times, texts)
		}
	case data.FrameTypeTimeSeriesWide:
		if times != 1 || texts != 0 || f.Fields[0].Name != "time" {
			t.Errorf("%d times, %d texts", times, texts)
		}
		if schema := f.TimeSeriesSchema(); schema.Type != data.TimeSeriesTypeWide {
			t.Errorf("it is a %v", schema.Type)
		}
	}
}

// An alert rule or an expression that asks for a table gets what it can do with.
func TestAlertRulesGetNumbers(t *testing.T) {
	d := source(t, newFake(t).URL)
	for name, headers := range map[string][]string{"alert": {backend.FromAlertHeaderName, "true"}, "expression": {"http_X-Grafana-From-Expr", "true"}} {
		for _, query := range []string{`{"queryType":"capacity"}`, `{"queryType":"capacity","by":"tier"}`, `{"queryType":"forecast","format":"table"}`, `{"queryType":"headroom"}`, `{"queryType":"plans"}`, `{"queryType":"usage"}`} {
			response := ask(t, d, query, headers...)
			if response.Error != nil || response.Frames[0].Meta.Type != data.FrameTypeNumericLong {
				t.Errorf("%s, %s: %v", name, query, response)
			}
		}
		response := ask(t, d, `{"queryType":"forecast","tier":"nvme"}`, headers...)
		if response.Error != nil || response.Frames[0].Meta.Type != data.FrameTypeTimeSeriesWide {
			t.Errorf("%s: %v", name, response)
		}
	}
	if response := ask(t, d, `{"queryType":"capacity"}`); response.Frames[0].Meta.Type != data.FrameTypeTable {
		t.Error("a panel gets a table")
	}
}

// The same thing is asked once, however many queries of a dashboard need it.
func TestAskedOnce(t *testing.T) {
	f := newFake(t)
	d := source(t, f.URL)
	queries := []backend.DataQuery{}
	for i, query := range []string{`{"queryType":"forecast","format":"table"}`, `{"queryType":"events","show":["dates"]}`, `{"queryType":"capacity","format":"time_series"}`, `{"queryType":"forecast","format":"number"}`} {
		queries = append(queries, backend.DataQuery{RefID: string(rune('A' + i)), JSON: []byte(query), TimeRange: backend.TimeRange{From: at.Add(-time.Hour), To: at}})
	}
	answer, err := d.QueryData(t.Context(), &backend.QueryDataRequest{Queries: queries})
	if err != nil || len(answer.Responses) != 4 {
		t.Fatal(err, answer)
	}
	for id, r := range answer.Responses {
		if r.Error != nil {
			t.Errorf("%s: %v", id, r.Error)
		}
	}
	if asked := f.asked(); len(asked) != 1 || asked[0] != "/api/v1/report" {
		t.Errorf("asked for %v", asked)
	}
}

func TestWhatIsAsked(t *testing.T) {
	for query, want := range map[string]string{
		`{"queryType":"forecast","tier":"nvme"}`:                                               "/api/v1/forecast?horizon=4d&tier=nvme /api/v1/tiers",
		`{"queryType":"forecast","tier":"nvme","horizon":"26w"}`:                               "/api/v1/forecast?horizon=26w&tier=nvme /api/v1/tiers",
		`{"queryType":"forecast","series":"up","limit":"1e3"}`:                                 "/api/v1/forecast?horizon=4d&limit=1e3&series=up",
		`{"queryType":"forecast","zone":"az-a","class":"VCPU","format":"table"}`:               "/api/v1/forecast?class=VCPU&zone=az-a",
		`{"queryType":"headroom","flavor":"m1.small","zone":"az-a"}`:                           "/api/v1/headroom?flavor=m1.small&zone=az-a",
		`{"queryType":"plans","plan":"latest"}`:                                                "/api/v1/rebalance/plans/latest",
		`{"queryType":"usage","project":"p1"}`:                                                 "/api/v1/chargeback?from=2026-11-22T09%3A00%3A00Z&project=p1&to=2026-11-22T12%3A00%3A00Z",
		`{"queryType":"events","sources":"nova, cinder","kinds":"a","severities":["error"]}`:   "/api/v1/events?from=2026-11-22T09%3A00%3A00Z&kind=a&limit=1000&severity=error&source=nova&source=cinder&to=2026-11-24T12%3A00%3A00Z",
		`{"queryType":"events","maxEvents":5,"project":"p1","resource":"r","show":["events"]}`: "/api/v1/events?from=2026-11-22T09%3A00%3A00Z&limit=5&project=p1&resource=r&to=2026-11-24T12%3A00%3A00Z",
	} {
		f := newFake(t)
		if response := ask(t, source(t, f.URL), query); response.Error != nil {
			t.Errorf("%s: %v", query, response.Error)
		}
		if got := strings.Join(f.asked(), " "); got != want {
			t.Errorf("%s asks for\n%s, want\n%s", query, got, want)
		}
	}
}
