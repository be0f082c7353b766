package backend

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// TestBadQueries: each is refused with one error that begins with the field at fault,
// before anybody is asked.
func TestBadQueries(t *testing.T) {
	f := newFake(t)
	d := source(t, f.URL)
	for query, want := range map[string]string{
		`{`:                                    "query: it is no JSON object",
		`"capacity"`:                           "query: it is no JSON object",
		`{}`:                                   "queryType: it is missing; choose one of capacity, forecast",
		`{"queryType":"weather"}`:              `queryType: "weather" is not known; choose one of capacity`,
		`{"queryType":"capacity","tier":7}`:    "tier: it is a number, want a string",
		`{"queryType":"capacity","by":"rack"}`: `by: "rack" is not known; choose zone, host`,
		`{"queryType":"capacity","format":"pie"}`:                                            `format: "pie" is no format of capacity; choose table, number, time_series`,
		`{"queryType":"capacity","by":"host","format":"time_series"}`:                        "by: what was used over time is known of zones and tiers",
		`{"queryType":"capacity","format":"number","value":"stored"}`:                        `value: "stored" is no number of capacity; choose used_ratio`,
		`{"queryType":"capacity","by":"tier","format":"number","value":"free"}`:              `value: "free" is no number of capacity; choose used_ratio, stored`,
		`{"queryType":"capacity","by":"tier","tier":"gold"}`:                                 `tier: "gold" is not known; known are: nvme, slow`,
		`{"queryType":"forecast"}`:                                                           "tier: it is missing; name a tier, a zone or a series",
		`{"queryType":"forecast","tier":"  "}`:                                               "tier: it is missing",
		`{"queryType":"forecast","tier":"a","zone":"b"}`:                                     "tier: name one of tier, zone and series",
		`{"queryType":"forecast","tier":"a","class":"VCPU"}`:                                 "class: it is of a zone",
		`{"queryType":"forecast","tier":"a","limit":"5"}`:                                    "limit: tiers and zones have limits of their own",
		`{"queryType":"forecast","series":"up","limit":"much"}`:                              `limit: "much" is no number`,
		`{"queryType":"forecast","series":"up","limit":"NaN"}`:                               `limit: "NaN" is no number`,
		`{"queryType":"forecast","tier":"a","horizon":"soon"}`:                               `horizon: "soon" is no time; write for example 90d`,
		`{"queryType":"forecast","tier":"a","horizon":"90"}`:                                 `horizon: "90" is no time`,
		`{"queryType":"forecast","tier":"a","horizon":"0d"}`:                                 `horizon: "0d" is no time`,
		`{"queryType":"headroom","format":"time_series"}`:                                    `format: "time_series" is no format of headroom; choose table, number`,
		`{"queryType":"plans","format":"number","value":"cost"}`:                             `value: "cost" is no number of plans; choose plans`,
		`{"queryType":"usage","group":"flavor"}`:                                             `group: "flavor" is not known; choose project, sku, meter`,
		`{"queryType":"events","format":"number"}`:                                           `format: "number" is no format of events; choose table`,
		`{"queryType":"events","show":["alerts"]}`:                                           `show: "alerts" is not known; choose of events, dates, maintenance`,
		`{"queryType":"events","show":"events"}`:                                             "show: it is a string, want a []string",
		`{"queryType":"events","severities":["fatal"]}`:                                      `severities: "fatal" is not known; choose of debug`,
		`{"queryType":"events","maxEvents":10001}`:                                           "maxEvents: it is 10001, want 1 to 10000",
		`{"queryType":"events","kinds":"` + strings.Repeat("k", 5000) + `"}`:                 "kinds: it has 5000 bytes, at most 4096 are taken",
		`{"queryType":"headroom","zone":"` + strings.Repeat("a,b,c,d,", 1) + many(51) + `"}`: "zone: it has 55 names, at most 50 are taken",
	} {
		response := ask(t, d, query)
		if response.Error == nil || !strings.HasPrefix(response.Error.Error(), want) {
			t.Errorf("%s: %v, want %s…", query, response.Error, want)
			continue
		}
		if response.Status != backend.StatusBadRequest || response.ErrorSource != backend.ErrorSourceDownstream || len(response.Frames) > 0 {
			t.Errorf("%s: status %d, source %s, %d frames", query, response.Status, response.ErrorSource, len(response.Frames))
		}
	}
	for _, path := range f.asked() {
		if path != "/api/v1/tiers" { // which tiers are known has to be asked
			t.Errorf("a bad query asked for %s", path)
		}
	}
}

// many names, separated by commas.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("," + strings.Repeat("z", i+1))
	}
	return b.String()
}

func TestBadTimeRange(t *testing.T) {
	d := source(t, newFake(t).URL)
	for name, c := range map[string]struct {
		query    string
		from, to time.Time
		want     string
	}{
		"ends before its begin":     {`{"queryType":"headroom"}`, at, at.Add(-time.Second), "timeRange: it goes from 2026-11-22T12:00:00Z to 2026-11-22T11:59:59Z"},
		"is empty":                  {`{"queryType":"headroom"}`, at, at, "timeRange: it goes from"},
		"is not there":              {`{"queryType":"headroom"}`, time.Time{}, time.Time{}, "timeRange: it goes from"},
		"is of another age":         {`{"queryType":"headroom"}`, at, at.AddDate(500, 0, 0), "timeRange: it goes from"},
		"usage in the future":       {`{"queryType":"usage"}`, at.Add(time.Hour), at.Add(2 * time.Hour), "timeRange: it begins in the future"},
		"usage that begins now":     {`{"queryType":"usage"}`, at, at.Add(2 * time.Hour), "timeRange: it begins in the future"},
		"usage over time in future": {`{"queryType":"usage","format":"time_series"}`, at.Add(time.Hour), at.Add(2 * time.Hour), "timeRange: it begins in the future"},
	} {
		response := askOver(t, d, c.query, c.from, c.to)
		if response.Error == nil || !strings.HasPrefix(response.Error.Error(), c.want) || response.Status != http.StatusBadRequest {
			t.Errorf("%s: %v", name, response.Error)
		}
	}
}

// What the panel shows of the past has no forecast in it, which is said.
func TestNotices(t *testing.T) {
	d := source(t, newFake(t).URL)
	for name, c := range map[string]struct {
		query    string
		from, to time.Time
		want     string
	}{
		"a forecast of the past": {`{"queryType":"forecast","tier":"nvme"}`, at.Add(-6 * time.Hour), at, "the forecast begins 2026-11-23T12:00:00Z, after the time range"},
		"no forecast":            {`{"queryType":"forecast","series":"up"}`, at, at.Add(time.Hour), `no forecast of up{job="a"}: it has 3 points`},
		"no point in so little":  {`{"queryType":"capacity","format":"time_series"}`, at.Add(-time.Hour), at.Add(-time.Minute), "choose a longer time range"},
		"what the report misses": {`{"queryType":"forecast","format":"table"}`, at, at.Add(time.Hour), "tier slow: Ceph did not say"},
		"more events":            {`{"queryType":"events"}`, at.Add(-6 * time.Hour), at, "more than 1000 events"},
		"no price":               {`{"queryType":"usage"}`, at.Add(-6 * time.Hour), at, "no price for volume slow"},
		"a step's plan":          {`{"queryType":"plans","plan":"latest"}`, at.Add(-6 * time.Hour), at, "plan plan-1 is planned since"},
	} {
		response := askOver(t, d, c.query, c.from, c.to)
		if response.Error != nil {
			t.Errorf("%s: %v", name, response.Error)
			continue
		}
		said := ""
		for _, n := range response.Frames[0].Meta.Notices {
			said += n.Text + "\n"
		}
		if !strings.Contains(said, c.want) {
			t.Errorf("%s: the notices are %q", name, said)
		}
	}
}

// FuzzQuery: whatever is stored as a query gives a query that is checked, or an error
// that is the user's to mend.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		`{"queryType":"capacity","by":"tier","format":"number","value":"stored"}`, `{"queryType":"forecast","tier":"a,b","horizon":"90d"}`, `{"queryType":"forecast","series":"sum(up)","limit":"1e9"}`,
		`{"queryType":"events","show":["dates"],"severities":["error"],"maxEvents":7}`, `{"queryType":"usage","group":"sku","format":"time_series"}`, `[]`, `{"tier":{}}`, `{"queryType":"plans","plan":"../../x"}`,
	} {
		f.Add([]byte(seed), int64(0), int64(1), true)
	}
	f.Fuzz(func(t *testing.T, raw []byte, from, to int64, alone bool) {
		in := backend.DataQuery{RefID: "A", JSON: raw, TimeRange: backend.TimeRange{From: time.UnixMilli(from), To: time.UnixMilli(to)}}
		q, err := readQuery(in, alone)
		if err != nil {
			if response := response(err); response.Status != backend.StatusBadRequest || response.ErrorSource != backend.ErrorSourceDownstream || !strings.Contains(err.Error(), ": ") {
				t.Errorf("%q: %v", raw, err)
			}
			return
		}
		k, ok := kindOf(q)
		if !ok || q.Format == "" || !q.to.After(q.from) || q.Format == formatNumber && len(k.values) == 0 {
			t.Errorf("%q: %+v", raw, q)
		}
		if q.Type == typeForecast && q.Format == formatSeries && q.Tier+q.Zone+q.Series == "" {
			t.Errorf("%q forecasts nothing", raw)
		}
	})
}
