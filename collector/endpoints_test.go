package collector_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/util/compression"

	"mcloud"
	"mcloud/collector"
)

// Every endpoint of Prometheus's API answers, in Prometheus's words.
func TestEveryEndpoint(t *testing.T) {
	s := newSite(t)
	s.options = func(o *collector.Options) { o.LongTerm, o.SlowQueries = nil, &slowStore{} }
	c := s.run()
	c.value(`sum(machines)`, "3")
	c.value(`job:machines:sum`, "3")
	now := time.Now().Unix()
	over := fmt.Sprintf("start=%d&end=%d&step=15", now-60, now)
	get := map[string]string{
		"/api/v1/query?query=machines":                                  `"resultType":"vector"`,
		"/api/v1/query?query=machines&pushdown=0":                       `"resultType":"vector"`,
		"/api/v1/query?query=machines&stats=all":                        `"totalQueryableSamples"`,
		"/api/v1/query?query=machines%5B5m%5D":                          `"resultType":"matrix"`,
		"/api/v1/query?query=%22x%22":                                   `"resultType":"string"`,
		"/api/v1/query_range?query=machines&" + over:                    `"resultType":"matrix"`,
		"/api/v1/query_exemplars?query=machines&" + over:                `"data":[]`,
		"/api/v1/format_query?query=sum(machines)by(host)":              `sum by (host) (machines)`,
		"/api/v1/parse_query?query=machines":                            `"type":"vectorSelector"`,
		"/api/v1/labels":                                                `"host"`,
		"/api/v1/labels?match%5B%5D=up":                                 `"job"`,
		"/api/v1/label/host/values?limit=1":                             `["a"]`,
		"/api/v1/series?match%5B%5D=machines":                           `"host":"a"`,
		"/api/v1/scrape_pools":                                          `"scrapePools"`,
		"/api/v1/targets?state=active":                                  `"activeTargets"`,
		"/api/v1/targets/metadata?metric=machines":                      `"type":"gauge"`,
		"/api/v1/metadata?metric=machines":                              `"gauge"`,
		"/api/v1/alertmanagers":                                         `"activeAlertmanagers"`,
		"/api/v1/rules?type=alert":                                      `"MachineDown"`,
		"/api/v1/alerts":                                                `"alerts"`,
		"/api/v1/status/config":                                         `"yaml"`,
		"/api/v1/status/flags":                                          `"status":"success"`,
		"/api/v1/status/runtimeinfo":                                    `"storageRetention"`,
		"/api/v1/status/buildinfo":                                      `"goVersion"`,
		"/api/v1/status/tsdb?limit=1":                                   `"seriesCountByMetricName"`,
		"/api/v1/status/tsdb/blocks":                                    `"blocks"`,
		"/api/v1/status/walreplay":                                      `"current"`,
		"/api/v1/status/slow_queries?since=1h":                          `"data":[]`,
		"/api/v1/features":                                              `"status":"success"`,
		"/api/v1/openapi.yaml":                                          "openapi:",
		"/federate?match%5B%5D=machines":                                `machines{host="a",`,
		"/federate?match%5B%5D=%7B__name__%3D~%22job:.*|machines%22%7D": "# TYPE job:machines:sum untyped\njob:machines:sum{",
		"/federate?match%5B%5D=nothing":                                 "",
	}
	for path, want := range get {
		if code, body := c.get(path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, want %q in %.600s", path, code, want, body)
		}
	}
	// What is wrong is refused as Prometheus refuses it.
	for path, want := range map[string]int{
		"/api/v1/query?query=sum(":                        http.StatusBadRequest,
		"/api/v1/query_range?query=up&start=1&end=0":      http.StatusBadRequest,
		"/api/v1/series":                                  http.StatusBadRequest,
		"/api/v1/nonsense":                                http.StatusNotFound,
		"/federate?match%5B%5D=%7B":                       http.StatusBadRequest,
		"/api/v1/query?query=up%20%2B%20on(x)%20machines": http.StatusUnprocessableEntity,
	} {
		if code, body := c.get(path); code != want {
			t.Errorf("%s: %d, want %d: %.300s", path, code, want, body)
		}
	}
	for _, path := range []string{"/api/v1/query", "/api/v1/query_range", "/api/v1/series", "/api/v1/labels"} {
		resp, err := http.PostForm("http://"+c.Addr()+path, url.Values{"query": {"machines"}, "match[]": {"machines"}, "start": {fmt.Sprint(now - 60)}, "end": {fmt.Sprint(now)}, "step": {"15"}})
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `"status":"success"`) {
			t.Errorf("POST %s: %d %.300s", path, resp.StatusCode, body)
		}
	}
	c.remoteRead(t, now)
}

// remoteRead asks as another Prometheus does.
func (r *running) remoteRead(t *testing.T, now int64) {
	t.Helper()
	request, err := (&prompb.ReadRequest{Queries: []*prompb.Query{{
		StartTimestampMs: (now - 300) * 1000, EndTimestampMs: (now + 60) * 1000,
		Matchers: []*prompb.LabelMatcher{{Type: prompb.LabelMatcher_EQ, Name: "__name__", Value: "machines"}},
	}}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	sent, err := compression.Encode(compression.Snappy, request, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post("http://"+r.Addr()+"/api/v1/read", "application/x-protobuf", bytes.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	packed, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	body, err := compression.Decode(compression.Snappy, packed, nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("remote read: %d %.200s: %v", resp.StatusCode, packed, err)
	}
	var answer prompb.ReadResponse
	if err := answer.Unmarshal(body); err != nil {
		t.Fatal(err)
	}
	if len(answer.Results) != 1 || len(answer.Results[0].Timeseries) != 2 || len(answer.Results[0].Timeseries[0].Samples) == 0 {
		t.Errorf("remote read: %v", answer.Results)
	}
}

// slowStore keeps slow queries in memory.
type slowStore struct {
	mu      sync.Mutex
	queries []mcloud.SlowQuery
}

func (s *slowStore) WriteSlowQueries(_ context.Context, queries []mcloud.SlowQuery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries = append(s.queries, queries...)
	return nil
}

func (s *slowStore) SlowQueries(context.Context, time.Time, int) ([]mcloud.SlowQuery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]mcloud.SlowQuery{}, s.queries...), nil
}

// A slow query of the API comes into the store, with who asked.
func TestSlowQueriesAreKept(t *testing.T) {
	s := newSite(t)
	s.options = func(o *collector.Options) {
		o.LongTerm, o.SlowQueries, o.SlowQuery = nil, &slowStore{}, time.Nanosecond
		o.User = func(context.Context) string { return "noc" }
	}
	c := s.run()
	if code, body := c.get("/api/v1/query?query=machines%2B1"); code != http.StatusOK {
		t.Fatal(code, body)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, body := c.get("/api/v1/status/slow_queries")
		if strings.Contains(body, `"expression":"machines+1","kind":"instant"`) && strings.Contains(body, `"user":"noc"`) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(body)
		}
	}
}
