package collector_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/prometheus/storage"

	"mcloud"
	"mcloud/collector"
	"mcloud/collector/httpapi"
	"mcloud/collector/shipper"
)

// store takes samples, events and inventories in memory.
type store struct {
	mu      sync.Mutex
	err     error
	samples map[string]int
	events  []mcloud.Event
}

func (s *store) fail(err error) { s.mu.Lock(); s.err = err; s.mu.Unlock() }

func (s *store) WriteSamples(_ context.Context, _ string, b shipper.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	for i := range b.Time {
		s.samples[fmt.Sprintf("%s@%d", b.Series[b.Ref[i]], b.Time[i])]++
	}
	return nil
}

func (s *store) WriteEvents(_ context.Context, e []mcloud.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.events = append(s.events, e...)
	}
	return s.err
}

func (s *store) WriteInventory(context.Context, mcloud.Inventory) error { return s.err }

func (s *store) of(metric string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.samples {
		if strings.Contains(id, metric) {
			n++
		}
	}
	return n
}

// away is a long-term storage that does not answer.
type away struct{}

func (away) Querier(int64, int64) (storage.Querier, error) {
	return nil, errors.New("connection refused")
}

// site is an exporter, an Alertmanager and a directory.
type site struct {
	t       *testing.T
	dir     string
	store   *store
	log     *bytes.Buffer
	logMu   sync.Mutex
	pages   chan map[string]any
	config  string
	options func(*collector.Options)
}

const rules = `
groups:
- name: test
  interval: 100ms
  rules:
  - record: job:machines:sum
    expr: sum(machines)
  - alert: MachineDown
    expr: machines{host="b"} == 0
    annotations: {summary: "machine {{ $labels.host }} is down"}
`

func newSite(t *testing.T) *site {
	s := &site{t: t, dir: t.TempDir(), store: &store{samples: map[string]int{}}, log: &bytes.Buffer{}, pages: make(chan map[string]any, 100)}
	exporter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "# TYPE machines gauge\nmachines{host=\"a\"} 3\nmachines{host=\"b\"} 0\n")
	}))
	t.Cleanup(exporter.Close)
	alertmanager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var alerts []map[string]any
		if err := json.NewDecoder(r.Body).Decode(&alerts); err != nil {
			t.Error(err)
		}
		for _, a := range alerts {
			select {
			case s.pages <- a:
			default:
			}
		}
	}))
	t.Cleanup(alertmanager.Close)
	s.config = fmt.Sprintf(`
global: {scrape_interval: 100ms, scrape_timeout: 100ms, evaluation_interval: 100ms}
scrape_configs:
- job_name: exporter
  static_configs: [{targets: [%q]}]
alerting:
  alertmanagers:
  - static_configs: [{targets: [%q]}]
`, strings.TrimPrefix(exporter.URL, "http://"), strings.TrimPrefix(alertmanager.URL, "http://"))
	return s
}

func (s *site) Write(b []byte) (int, error) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	return s.log.Write(b)
}

func (s *site) logged() string { s.logMu.Lock(); defer s.logMu.Unlock(); return s.log.String() }

func (s *site) new() (*collector.Collector, error) {
	o := collector.Options{
		DataDir: s.dir, Listen: "127.0.0.1:0", Version: "test",
		Config: collector.ConfigSource{Name: "mcloud.yaml", Dir: s.dir, Load: func(context.Context) ([]byte, error) { return []byte(s.config), nil }},
		RuleFS: fstest.MapFS{"test/rules.yaml": {Data: []byte(rules)}, "README.md": {Data: []byte("not rules")}},
		Store:  s.store, Records: s.store, FlushInterval: 50 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(s, nil)),
	}
	if s.options != nil {
		s.options(&o)
	}
	return collector.New(o)
}

type running struct {
	*collector.Collector
	t    *testing.T
	stop func() error
}

// run starts a collector; its stop is checked to take less than 3 s.
func (s *site) run() *running {
	s.t.Helper()
	c, err := s.new()
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		started := time.Now()
		err := <-done
		if d := time.Since(started); d > 3*time.Second {
			s.t.Errorf("stop took %s", d)
		}
		return err
	})
	s.t.Cleanup(func() {
		if err := stop(); err != nil {
			s.t.Errorf("Run: %v", err)
		}
		if s.t.Failed() {
			s.t.Log(s.logged())
		}
		http.DefaultClient.CloseIdleConnections()
	})
	select {
	case <-c.Ready():
	case err := <-done:
		done <- err
		s.t.Fatalf("Run ended early: %v\n%s", err, s.logged())
	case <-time.After(30 * time.Second):
		s.t.Fatal("not ready within 30 s")
	}
	return &running{c, s.t, stop}
}

func (r *running) get(path string) (int, string) {
	r.t.Helper()
	resp, err := http.Get("http://" + r.Addr() + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

type answer struct {
	Status   string
	Warnings []string
	Data     struct{ Result []struct{ Value []any } }
}

// value asks until the query gives want.
func (r *running) value(expr, want string) answer {
	r.t.Helper()
	var body string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		_, body = r.get("/api/v1/query?query=" + strings.NewReplacer("{", "%7B", "}", "%7D", `"`, "%22", "+", "%2B", " ", "%20", "[", "%5B", "]", "%5D").Replace(expr))
		var a answer
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			r.t.Fatalf("%s: %v", body, err)
		}
		if len(a.Data.Result) == 1 && a.Data.Result[0].Value[1] == want {
			return a
		}
	}
	r.t.Fatalf("%s did not become %s: %s", expr, want, body)
	return answer{}
}

// The whole way: exporter, scrape, PromQL over HTTP, recording rule, alert, page,
// long-term store; and again after a restart.
func TestFromExporterToPageAndStore(t *testing.T) {
	s := newSite(t)
	s.options = func(o *collector.Options) {
		o.LongTerm = away{}
		o.Parts = func() []httpapi.Part {
			return []httpapi.Part{{Name: "exporter", State: "running", URL: "http://127.0.0.1:9198"}}
		}
	}
	c := s.run()
	c.value(`count(up==1)`, "1")
	c.value(`sum(machines)`, "3")
	c.value(`job:machines:sum`, "3")
	select {
	case page := <-s.pages:
		if got := page["annotations"].(map[string]any)["summary"]; got != "machine b is down" {
			t.Errorf("page says %q", got)
		}
		if link := page["generatorURL"].(string); !strings.HasPrefix(link, "http://"+c.Addr()) {
			t.Errorf("page links to %q", link)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("no page")
	}
	for _, metric := range []string{`__name__="machines"`, "job:machines:sum", "ALERTS"} {
		eventually(t, func() bool { return s.store.of(metric) > 0 })
	}

	// The answer that needs the store is partial and says so, over HTTP too.
	if a := c.value(`max_over_time(machines{host="a"}[1d])`, "3"); len(a.Warnings) == 0 || !strings.Contains(a.Warnings[0], "partial result") {
		t.Errorf("warnings %q", a.Warnings)
	}
	for path, want := range map[string]string{
		"/":                          "<td>exporter</td><td>running</td>",
		"/-/healthy":                 "healthy",
		"/-/ready":                   "ready",
		"/metrics":                   "mcloud_shipper_shipped_samples_total",
		"/api/v1/targets":            `"health":"up"`,
		"/api/v1/rules":              "MachineDown",
		"/api/v1/alertmanagers":      "/api/v2/alerts",
		"/api/v1/alerts":             `"state":"firing"`,
		"/api/v1/label/host/values":  `["a","b"]`,
		"/api/v1/status/tsdb":        "machines",
		"/api/v1/status/runtimeinfo": `"reloadConfigSuccess":true`,
		"/api/v1/status/config":      "scrape_configs",
		"/api/v1/status/buildinfo":   `"version":"test"`,
		"/api/v1/metadata":           "gauge",
		"/debug/pprof/":              "goroutine",
		"/debug/pprof/heap?debug=1":  "heap profile",
		"/debug/pprof/cmdline":       "test",
	} {
		if code, body := c.get(path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, want %q in %.400s", path, code, want, body)
		}
	}
	if code, _ := c.get("/nonsense"); code != http.StatusNotFound {
		t.Errorf("/nonsense: %d", code)
	}
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	shipped := s.store.of(`__name__="machines"`)

	again := s.run()
	again.value(`sum(machines)`, "3")
	eventually(t, func() bool { return s.store.of(`__name__="machines"`) > shipped })
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	for id, n := range s.store.samples {
		if n > 1 {
			t.Errorf("%s was stored %d times", id, n)
		}
	}
}

func TestRulesGoOnWithoutTheStore(t *testing.T) {
	s := newSite(t)
	s.store.fail(errors.New("connection refused"))
	s.options = func(o *collector.Options) { o.LongTerm = away{} }
	c := s.run()
	if a := c.value(`job:machines:sum`, "3"); a.Status != "success" {
		t.Errorf("status %s", a.Status)
	}
	<-s.pages
	if code, _ := c.post(mcloud.RecordsPath, `{}`); code != http.StatusOK {
		t.Errorf("an empty batch needs no store: %d", code)
	}
	event := `{"events":[{"id":"1","time":"2026-01-01T00:00:00Z","cloud":"c","source":"nova","kind":"k","severity":"info"}]}`
	if code, _ := c.post(mcloud.RecordsPath, event); code != http.StatusServiceUnavailable {
		t.Errorf("events without a store: %d", code)
	}
	s.store.fail(nil)
	if code, _ := c.post(mcloud.RecordsPath, event); code != http.StatusOK || len(s.store.events) != 1 {
		t.Errorf("events with a store: %d, %d stored", code, len(s.store.events))
	}
	eventually(t, func() bool { return s.store.of("ALERTS") > 0 })
}

func (r *running) post(path, body string) (int, string) {
	r.t.Helper()
	resp, err := http.Post("http://"+r.Addr()+path, "application/json", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestReload(t *testing.T) {
	s := newSite(t)
	c := s.run()
	good := s.config
	s.config = strings.Replace(good, "job_name: exporter", "job_name: renamed", 1)
	if code, body := c.post("/-/reload", ""); code != http.StatusOK {
		t.Fatalf("reload: %d %s", code, body)
	}
	c.value(`count(up{job="renamed"})`, "1")
	s.config = "scrape_configs: [{job_nam: x}]"
	code, body := c.post("/-/reload", "")
	if code != http.StatusInternalServerError || !strings.Contains(body, "mcloud.yaml") || !strings.Contains(body, "job_nam") {
		t.Errorf("bad reload: %d %s", code, body)
	}
	if _, body := c.get("/metrics"); !strings.Contains(body, "mcloud_collector_config_last_reload_successful 0") {
		t.Error("the failed reload is not in the metrics")
	}
	c.value(`count(up{job="renamed"})`, "1")
	if code, _ := c.get("/-/reload"); code != http.StatusMethodNotAllowed {
		t.Errorf("GET reload: %d", code)
	}
}

func TestErrorsNameThingAndCure(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*site)
		want   []string
	}{
		"typo": {func(s *site) { s.config = "scrape_config: []" }, []string{"mcloud.yaml", "line 1", "scrape_config"}},
		"unreadable": {func(s *site) {
			s.options = func(o *collector.Options) { o.Config = collector.FileConfig("/no/such.yaml") }
		}, []string{"/no/such.yaml", "no such file"}},
		"bad bundled rule": {func(s *site) {
			s.options = func(o *collector.Options) {
				o.RuleFS = fstest.MapFS{"x/y.yml": {Data: []byte("groups: [{name: a, rules: [{record: b, expr: 'sum('}]}]")}}
			}
		}, []string{"x/y.yml", "unclosed left parenthesis"}},
		"bad rule file": {func(s *site) { s.config = "rule_files: [r.yml]"; s.write("r.yml", "groups: [{nam: a}]") }, []string{"r.yml", "nam"}},
		"out of order":  {func(s *site) { s.config = "storage: {tsdb: {out_of_order_time_window: 5m}}" }, []string{"out_of_order_time_window", "remove it"}},
		"no directory":  {func(s *site) { s.options = func(o *collector.Options) { o.DataDir = "" } }, []string{"data directory"}},
		"external URL":  {func(s *site) { s.options = func(o *collector.Options) { o.ExternalURL = "example.org" } }, []string{"example.org", "https://"}},
		"web config": {func(s *site) {
			s.write("web.yml", "tls_server: {}")
			s.options = func(o *collector.Options) { o.WebConfigFile = filepath.Join(s.dir, "web.yml") }
		}, []string{"web.yml", "tls_server"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			c.change(s)
			_, err := s.new()
			if !errors.Is(err, collector.ErrConfig) {
				t.Fatalf("%v is not ErrConfig", err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not name %q", err, w)
				}
			}
		})
	}
}

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func TestSecondCollectorAndTakenPort(t *testing.T) {
	s := newSite(t)
	c := s.run()
	second, err := s.new()
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Run(context.Background()); !errors.Is(err, collector.ErrInUse) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("second collector in one directory: %v", err)
	}
	other := newSite(t)
	other.options = func(o *collector.Options) { o.Listen = c.Addr() }
	third, err := other.new()
	if err != nil {
		t.Fatal(err)
	}
	if err := third.Run(context.Background()); err == nil || !strings.Contains(err.Error(), c.Addr()) || !strings.Contains(err.Error(), "choose another") {
		t.Errorf("port in use: %v", err)
	}
	if err := c.Run(context.Background()); err == nil {
		t.Error("a collector ran twice")
	}
}

func TestBasicAuthentication(t *testing.T) {
	s := newSite(t)
	s.write("web.yml", "basic_auth_users:\n  planner: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n") // "test"... checked below
	s.options = func(o *collector.Options) { o.WebConfigFile = filepath.Join(s.dir, "web.yml") }
	c := s.run()
	if code, _ := c.get("/api/v1/query?query=1"); code != http.StatusUnauthorized {
		t.Errorf("without password: %d", code)
	}
}

// A damaged WAL segment, a damaged checkpoint and a WAL that cannot be repaired: each
// is named, and the collector starts and works.
func TestDamagedWAL(t *testing.T) {
	for name, damage := range map[string]func(*testing.T, *site) string{
		"segment": func(t *testing.T, s *site) string {
			path := walSegments(t, s.dir)[0]
			overwrite(t, path, 40)
			return path
		},
		"checkpoint": func(t *testing.T, s *site) string {
			dir := filepath.Join(s.dir, "hot", "wal", "checkpoint.00000000")
			if err := os.Mkdir(dir, 0o750); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "00000000"), []byte("this is no checkpoint, not at all"), 0o600); err != nil {
				t.Fatal(err)
			}
			return dir
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			c := s.run()
			c.value(`sum(machines)`, "3")
			if err := c.stop(); err != nil {
				t.Fatal(err)
			}
			path := damage(t, s)
			c = s.run()
			c.value(`sum(machines)`, "3")
			if log := s.logged(); !strings.Contains(log, "file="+path) || !strings.Contains(log, "use the long-term store") {
				t.Errorf("the log does not name %s", path)
			}
			if _, body := c.get("/metrics"); !strings.Contains(body, "mcloud_collector_wal_damages_total 1") {
				t.Error("the damage is not counted")
			}
		})
	}
}

// A record that a crash cut is no damage.
func TestTornWALIsNoDamage(t *testing.T) {
	s := newSite(t)
	c := s.run()
	c.value(`sum(machines)`, "3")
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	segments := walSegments(t, s.dir)
	last := segments[len(segments)-1]
	// The first page of a record that needs two: type, length, checksum, data.
	page := make([]byte, 32<<10)
	page[0] = 2
	binary.BigEndian.PutUint16(page[1:], uint16(len(page)-7))
	binary.BigEndian.PutUint32(page[3:], crc32.Checksum(page[7:], crc32.MakeTable(crc32.Castagnoli)))
	f, err := os.OpenFile(last, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(page); err != nil {
		t.Fatal(err)
	}
	c = s.run()
	c.value(`sum(machines)`, "3")
	if _, body := c.get("/metrics"); !strings.Contains(body, "mcloud_collector_wal_damages_total 0") {
		t.Error("a torn record counts as damage")
	}
}

func walSegments(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(filepath.Join(dir, "hot", "wal"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return err
	})
	if err != nil || len(out) == 0 {
		t.Fatal(err, out)
	}
	slices.Sort(out)
	return out
}

func overwrite(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("damage"), at); err != nil {
		t.Fatal(err)
	}
}

// eventually waits longer than the shipper's longest pause, 30 s and its jitter: on a busy machine
// a test may come to this point late in a row of failures.
func eventually(t *testing.T, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatal("did not become true within a minute")
}
