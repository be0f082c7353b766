package backend

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"mcloud/planner/plannertest"
)

// at is when the tests take place.
var at = plannertest.At

// canned are answers of a planner, small enough to check by hand.
var canned = map[string]string{
	"/api/v1/status":        `{"cloud":"test","started":"2026-11-22T11:00:00Z","runs":6,"failures":0,"last_run":"2026-11-22T11:55:00Z","last_seconds":2,"missing":1,"period_seconds":600}`,
	"/api/v1/configuration": `{"cloud":"test","path":"/etc/mcloud/mcloud.yaml","version":"1.2"}`,
	"/api/v1/capacity?by=zone": `[
		{"by":"zone","name":"az-a","hosts":6,"in_service":6,"class":"VCPU","physical":576,"reserved":24,"ratio":4,"allocatable":2208,"allocated":920,"free":1288,"reserve":368,"limit":1840,"stranded":10,"really_used":{"measured":6,"total":576,"allocated":920,"p50":100,"p95":144,"p50_ratio":0.2,"p95_ratio":0.25}},
		{"by":"zone","name":"az-a","hosts":6,"in_service":6,"class":"MEMORY_MB","physical":600,"reserved":0,"ratio":1,"allocatable":600,"allocated":250,"free":350,"reserve":100,"limit":500,"stranded":0},
		{"by":"zone","name":"az-b","hosts":1,"in_service":0,"out_of_service":"disabled","class":"VCPU","physical":0,"reserved":0,"ratio":0,"allocatable":0,"allocated":7,"free":0,"reserve":0,"limit":0,"stranded":0}]`,
	"/api/v1/capacity?by=host": `[
		{"by":"host","name":"cmp-a1","zone":"az-a","hosts":1,"in_service":1,"class":"VCPU","physical":96,"reserved":4,"ratio":4,"allocatable":368,"allocated":92,"free":276,"reserve":0,"limit":368,"stranded":4}]`,
	"/api/v1/tiers": `[
		{"tier":"nvme","pools":["fast/nvme"],"osds":6,"raw_bytes":84000,"copies":3,"stored_bytes":17000,"known":true,"provisioned_bytes":36000,"full_bytes":26000,"line_bytes":23800,"limit_ratio":0.85,"survivable_bytes":20000,"lost_domain":"host nvme-1","limit_bytes":20000,"limit_reason":"after the loss of host nvme-1","balance":1,
		 "outlook":{"unit":"bytes","used":17000,"limit":20000,"capacity":26000,"used_ratio":0.85,"urgency":"order now","growth_per_day":45,"lead_time_days":56,"order_by":"2026-11-20T00:00:00Z",
			"crossing":{"state":"within","p10":"2027-01-11T12:00:00Z","p50":"2027-01-21T00:00:00Z","p90":"2027-02-10T12:00:00Z","until":"2027-11-22T12:00:00Z","probability":1},"confidence":{"level":"high","why":"the backtest was good"},
			"chart":{"history":[{"t":"2026-11-20T12:00:00Z","v":16900},{"t":"2026-11-21T12:00:00Z","v":16950}],"fan":[]}}},
		{"tier":"slow","pools":["slow/slow"],"osds":3,"osds_down":1,"raw_bytes":9000,"copies":3,"stored_bytes":0,"known":false,"provisioned_bytes":0,"full_bytes":0,"line_bytes":0,"limit_ratio":0.85,"limit_bytes":0,"limit_reason":"Ceph did not say","balance":0,
		 "outlook":{"unit":"bytes","used":0,"limit":0,"capacity":0,"used_ratio":0,"urgency":"unknown","lead_time_days":56,"crossing":{"state":"unknown","until":"0001-01-01T00:00:00Z","probability":0},"confidence":{"level":"none","why":"no history"},"chart":{}}}]`,
	"/api/v1/report": `{"schema":"mcloud.report/1","cloud":"test","at":"2026-11-22T11:55:00Z","partial":[{"what":"tier slow","why":"Ceph did not say"}],
		"answers":[{"kind":"tier","name":"nvme","urgency":"order now","used_ratio":0.85,"p10":"2027-01-11T12:00:00Z","p50":"2027-01-21T00:00:00Z","order_by":"2026-11-20T00:00:00Z","confidence":{"level":"high","why":""},"why":"17 of 20 kB used"},
			{"kind":"zone","name":"az-a","class":"VCPU","urgency":"ok","used_ratio":0.5,"confidence":{"level":"high","why":""},"why":"920 of 1840 vCPU used"}],
		"zones":[{"zone":"az-a","hosts":6,"in_service":6,"classes":{},"outlooks":[{"class":"VCPU","unit":"vCPU","used":920,"limit":1840,"capacity":2208,"used_ratio":0.5,"urgency":"ok","crossing":{"state":"beyond","until":"2027-11-22T12:00:00Z","probability":0.02},"lead_time_days":42,"confidence":{"level":"high","why":"the backtest was good"},
			"chart":{"history":[{"t":"2026-11-21T12:00:00Z","v":910},{"t":"2026-11-22T12:00:00Z","v":920}]}}]}],
		"tiers":TIERS}`,
	"/api/v1/forecast?tier=nvme": `[{"subject":"tier nvme","unit":"bytes","now":17000,"limit":20000,"crossing":{"state":"within","p10":"2027-01-11T12:00:00Z","p50":"2027-01-21T00:00:00Z","until":"2027-11-22T12:00:00Z","probability":0.7},"order_by":"2026-11-20T00:00:00Z",
		"confidence":{"level":"high","why":"the backtest was good"},"basis":{"model":"trend","reason":"best in the backtest","from":"2026-05-26T12:00:00Z","to":"2026-11-22T12:00:00Z","step_hours":6,"points":720},
		"steps":[{"t":"2026-11-23T12:00:00Z","p10":17010,"p50":17045,"p90":17080},{"t":"2026-11-24T12:00:00Z","p10":17020,"p50":17090,"p90":17160},{"t":"2027-06-01T12:00:00Z","p10":20000,"p50":25000,"p90":30000}]}]`,
	"/api/v1/forecast?zone=az-a": `[{"subject":"vCPU in az-a","unit":"vCPU","now":920,"limit":1840,"crossing":{"state":"beyond","until":"2027-11-22T12:00:00Z","probability":0.02},"confidence":{"level":"high","why":""},"basis":{"model":"flat","reason":"","to":"2026-11-22T12:00:00Z"},
		"steps":[{"t":"2026-11-23T12:00:00Z","p10":900,"p50":921,"p90":940}]}]`,
	"/api/v1/forecast?series=up": `[{"subject":"up{job=\"a\"}","labels":{"job":"a"},"confidence":{"level":"none","why":"no history"},"basis":{"reason":"it has 3 points, 28 are needed","to":"0001-01-01T00:00:00Z"},"steps":[]}]`,
	"/api/v1/headroom": `[{"flavor":"m1.small","flavor_id":"1","volume_backed":false,"servers":33,"zones":[{"zone":"az-a","servers":30,"hosts":6,"largest":8},{"zone":"az-b","servers":3,"hosts":1,"largest":3}]},
		{"flavor":"m1.huge","flavor_id":"2","volume_backed":false,"servers":0,"zones":[{"zone":"az-a","servers":0,"hosts":0,"largest":0},{"zone":"az-b","servers":0,"hosts":0,"largest":0}]}]`,
	"/api/v1/headroom?flavor=m1.small": `[{"flavor":"m1.small","flavor_id":"1","volume_backed":false,"servers":33,"zones":[{"zone":"az-a","servers":30,"hosts":6,"largest":8},{"zone":"az-b","servers":3,"hosts":1,"largest":3}]}]`,
	"/api/v1/rebalance/plans":          `[PLAN]`,
	"/api/v1/rebalance/plans/latest":   `PLAN`,
	"/api/v1/chargeback": `{"from":"2026-11-22T09:00:00Z","to":"2026-11-22T12:00:00Z","currency":"EUR","total":"0.30","estimated":1,"unpriced":["volume slow"],"projects":{"p1":"acme"},
		"lines":[{"project":"p1","meter":"server","resource":"s1","sku":"m1.small","quantity":1,"from":"2026-11-22T09:00:00Z","to":"2026-11-22T11:30:00Z","seconds":9000,"unit_seconds":9000},
			{"project":"p1","meter":"server","resource":"s2","sku":"m1.small","quantity":1,"from":"2026-11-22T11:00:00Z","to":"2026-11-22T12:00:00Z","seconds":3600,"unit_seconds":3600},
			{"project":"p2","meter":"volume","resource":"v1","sku":"slow","quantity":20,"from":"2026-11-22T10:30:00Z","to":"2026-11-22T12:00:00Z","seconds":5400,"unit_seconds":108000}],
		"sums":[{"project":"p1","meter":"server","sku":"m1.small","unit_seconds":12600,"cost":"0.35"},{"project":"p2","meter":"volume","sku":"slow","unit_seconds":108000,"cost":"0.00"}]}`,
	"/api/v1/events": `{"more":true,"events":[{"id":"e1","time":"2026-11-22T10:00:00.5Z","cloud":"test","source":"nova","kind":"instance.create.end","project":"p1","resource":"s1","severity":"info"},
		{"id":"e2","time":"2026-11-22T11:00:00Z","cloud":"test","source":"ceph/fast","kind":"osd.down","severity":"error"}]}`,
	"/api/v1/maintenance": `[{"id":"m1","cloud":"test","of":"host","name":"cmp-a1","from":"2026-11-22T08:00:00Z","until":"2026-11-22T20:00:00Z","ended":"2026-11-22T09:30:00Z","reason":"new disk","by":"ann","silences":null},
		{"id":"m2","cloud":"test","of":"zone","name":"az-b","from":"2026-11-01T08:00:00Z","until":"2026-11-02T08:00:00Z","reason":"power","by":"bob","silences":[]}]`,
	"/api/v1/projects": `[{"id":"p1","name":"acme","domain_id":"d1"},{"id":"p2","name":"beta","domain_id":"d1"},{"id":"p3","name":"beta","domain_id":"d2"}]`,
}

func init() {
	for path, body := range canned {
		body = strings.ReplaceAll(body, "TIERS", canned["/api/v1/tiers"])
		canned[path] = strings.ReplaceAll(body, "PLAN", `{"plan":{"id":"plan-1","cloud":"test","time":"2026-11-22T10:00:00Z","lever":"isolate","lever_reason":"","host":{"name":"cmp-a1","service_host":"cmp-a1","provider":"u","generation":1,"zone":"az-a","used":{},"capacity":{},"free":{},"class":"MEMORY_MB","score":1,"zone_mean":0.5,"usable":true},
			"reason":"cmp-a1 is hot","effect":"new servers go elsewhere","trait":"CUSTOM_MCLOUD_HOT","aggregate":"mcloud-hot-az-a","steps":[{"number":1,"kind":"placement.trait.create","target":"CUSTOM_MCLOUD_HOT","reason":"r1","effect":"e1"},{"number":2,"kind":"nova.aggregate.host.add","target":"mcloud-hot-az-a","value":"cmp-a1","reason":"r2","effect":"e2"}],"hosts":[]},"stage":"planned","time":"2026-11-22T10:05:00Z"}`)
	}
}

// fake is a planner that answers what is canned, and remembers what it was asked.
type fake struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.requests = append(f.requests, r)
		f.mu.Unlock()
		q := r.URL.Query()
		for _, name := range []string{"horizon", "limit", "class"} {
			q.Del(name)
		}
		for _, key := range []string{r.URL.Path + "?" + q.Encode(), r.URL.Path} {
			if body, ok := canned[key]; ok && (strings.Contains(key, "?") || r.URL.Path != "/api/v1/forecast") {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(body))
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error":"` + r.URL.Path + ` is not known; known are: nvme, slow"}`))
	}))
	t.Cleanup(f.Close)
	return f
}

// asked are the paths with queries of all requests, sorted.
func (f *fake) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, r := range f.requests {
		all = append(all, r.URL.RequestURI())
	}
	slices.Sort(all)
	return all
}

// source makes a data source for a URL; change alters its settings.
func source(t *testing.T, url string, change ...func(*backend.DataSourceInstanceSettings)) *Datasource {
	t.Helper()
	s := backend.DataSourceInstanceSettings{UID: "u", Name: "planner", URL: url, JSONData: []byte(`{}`), DecryptedSecureJSONData: map[string]string{}}
	for _, c := range change {
		c(&s)
	}
	d := newDatasource(t.Context(), s, func() time.Time { return at })
	t.Cleanup(d.Dispose)
	return d
}

// ask puts one query about the three hours before at and the two days after.
func ask(t *testing.T, d *Datasource, query string, headers ...string) backend.DataResponse {
	t.Helper()
	return askOver(t, d, query, at.Add(-3*time.Hour), at.Add(48*time.Hour), headers...)
}

func askOver(t *testing.T, d *Datasource, query string, from, to time.Time, headers ...string) backend.DataResponse {
	t.Helper()
	var typed struct {
		QueryType string `json:"queryType"`
	}
	_ = json.Unmarshal([]byte(query), &typed) // what is no JSON is for the data source to refuse
	request := &backend.QueryDataRequest{Headers: map[string]string{}, Queries: []backend.DataQuery{{RefID: "A", QueryType: typed.QueryType, MaxDataPoints: 500, Interval: time.Hour, TimeRange: backend.TimeRange{From: from, To: to}, JSON: []byte(query)}}}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Headers[headers[i]] = headers[i+1]
	}
	answer, err := d.QueryData(context.WithoutCancel(t.Context()), request)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Responses["A"]
}
