package access

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/crypto/bcrypt"

	"mcloud/cmd/config"
)

// Secrets that must be nowhere but in the requests that present them.
const (
	readerToken = "reader-token-0123456789abcdef"
	writerToken = "writer-token-0123456789abcdef"
	password    = "correct horse battery"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// site is a gate with its files, clock and log.
type site struct {
	t     *testing.T
	dir   string
	clock *clock
	log   bytes.Buffer
	gate  *Gate
	guard *Guard
	h     http.Handler
}

// hashes are made once: with the race detector one takes a second.
var hashes sync.Map

func hash(t *testing.T, password string) string {
	t.Helper()
	if h, ok := hashes.Load(password); ok {
		return h.(string)
	}
	h, err := bcrypt.GenerateFromPassword([]byte(password), minCost)
	if err != nil {
		t.Fatal(err)
	}
	hashes.Store(password, string(h))
	return string(h)
}

// parse makes a configuration with the section access.
func parse(t *testing.T, dir, section string) config.File {
	t.Helper()
	f, err := config.Parse(filepath.Join(dir, "mcloud.yaml"), []byte("cloud: test\n"+section))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// newSite has a reader with a password, a reader's, a writer's and a project's token.
func newSite(t *testing.T, policy Policy, more string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), clock: &clock{at: time.Now()}}
	s.write("reader", readerToken+"\n")
	s.write("writer", "# of the other Prometheus\n\n"+writerToken+"\n")
	s.write("project", "project-token-0123456789abcdef")
	f := parse(t, s.dir, fmt.Sprintf(`
access:
  users:
    - {name: noc, password_hash: %q, roles: [reader]}
    - {name: root, password_hash: %q, roles: [admin]}
  tokens:
    - {name: grafana, file: reader, roles: [reader]}
    - {name: prometheus, file: writer, roles: [service]}
    - {name: acme-shop, file: project, roles: [reader], projects: [p1]}
%s`, hash(t, password), hash(t, password+"!"), more))
	s.open(f, policy)
	return s
}

func (s *site) open(f config.File, policy Policy) {
	s.t.Helper()
	gate, err := New(Options{Access: f.Access, Logger: slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Now: s.clock.now})
	if err != nil {
		s.t.Fatal(err)
	}
	s.gate, s.guard = gate, gate.Guard("test", policy)
	s.h = s.guard.Before(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(From(r.Context()))
	}))
}

func (s *site) write(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// ask sends a request, changed by with.
func (s *site) ask(method, path string, with func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	if with != nil {
		with(r)
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return w
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func basic(user, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

// TestWhoMayDoWhat is the table of every listener's endpoints.
func TestWhoMayDoWhat(t *testing.T) {
	who := map[string]func(*http.Request){
		"nobody":  func(*http.Request) {},
		"reader":  bearer(readerToken),
		"writer":  bearer(writerToken),
		"admin":   basic("root", password+"!"),
		"project": bearer("project-token-0123456789abcdef"),
	}
	columns := []string{"nobody", "reader", "writer", "admin", "project"}
	const (
		public  = "200 200 200 200 200"
		read    = "401 200 403 200 403"
		write   = "401 403 200 200 403"
		admin   = "401 403 403 200 403"
		project = "401 200 403 200 200"
	)
	for listener, table := range map[string]struct {
		policy Policy
		rows   map[string]string
	}{
		"exporter": {ExporterPolicy, map[string]string{
			"GET /": read, "GET /metrics": read, "HEAD /metrics": read, "GET /healthz": public, "GET /-/ready": public, "GET /-/pair": read,
			"POST /metrics": admin, "GET /debug/pprof/": admin,
		}},
		"collector": {CollectorPolicy, map[string]string{
			"GET /": read, "GET /metrics": read, "GET /federate": read, "GET /-/healthy": public, "GET /-/ready": public,
			"GET /api/v1/query": read, "POST /api/v1/query": read, "POST /api/v1/query_range": read, "OPTIONS /api/v1/query": read,
			"GET /api/v1/query_exemplars": read, "GET /api/v1/labels": read, "GET /api/v1/label/host/values": read, "GET /api/v1/series": read, "POST /api/v1/series": read,
			"POST /api/v1/read": read, "GET /api/v1/rules": read, "GET /api/v1/alerts": read, "GET /api/v1/targets": read, "GET /api/v1/targets/metadata": read,
			"GET /api/v1/metadata": read, "GET /api/v1/status/config": read, "GET /api/v1/status/tsdb/blocks": read, "GET /api/v1/status/slow_queries": read, "GET /api/v1/scrape_pools": read,
			"POST /api/v1/write": write, "POST /api/mcloud/v1/records": write,
			"DELETE /api/v1/series": admin, "PUT /api/v1/query": admin,
			"POST /-/reload": admin, "PUT /-/reload": admin, "GET /-/reload": admin, "POST /-/quit": admin,
			"POST /api/v1/admin/tsdb/delete_series": admin, "POST /api/v1/admin/tsdb/snapshot": admin, "PUT /api/v1/admin/tsdb/clean_tombstones": admin,
			"GET /debug/pprof/heap": admin, "GET /api/v1/something_new": admin, "POST /api/v1/otlp/v1/metrics": admin, "GET /api/v1": admin,
			// What a router could take for something else.
			"GET /api/v1/label/../admin": admin, "GET //-/reload": admin, "GET /api/v1/label/%2e%2e/x": admin, "GET /api/v1/label/a%2Fb/values": admin, "GET /api/v1/query/..": admin,
			"CONNECT /api/v1/query": admin,
		}},
		"planner": {PlannerPolicy, map[string]string{
			"GET /": read, "GET /metrics": read, "GET /healthz": public, "GET /readyz": public, "GET /api/v1/status": read, "GET /api/v1/report": read,
			"GET /api/v1/headroom": read, "GET /api/v1/configuration": read, "GET /api/v1/chargeback": project, "GET /api/v1/projects": project, "GET /api/v1/events": read, "POST /api/v1/chargeback": admin,
			"GET /api/v1/rebalance/plans": read, "GET /api/v1/rebalance/plans/latest/check": read,
			"GET /api/v1/whatif": read, "POST /api/v1/whatif": read, "GET /api/v1/commitments": read, "GET /api/v1/scenarios": read,
			"PUT /api/v1/commitments/spring": write, "DELETE /api/v1/commitments/spring": write, "POST /api/v1/commitments/spring": admin,
			"PUT /api/v1/scenarios/x": write, "DELETE /api/v1/scenarios/x": write,
			"GET /api/v1/maintenance": read, "POST /api/v1/maintenance": admin, "POST /api/v1/maintenance/x/end": admin,
			"POST /api/v1/rebalance/plans": write, "POST /api/v1/rebalance/plans/x/applied": admin, "GET /debug/pprof/": admin,
		}},
	} {
		s := newSite(t, table.policy, "")
		for request, want := range table.rows {
			method, path, _ := strings.Cut(request, " ")
			var got []string
			for _, column := range columns {
				r := httptest.NewRequest("GET", "http://host"+path, nil)
				r.Method = method
				who[column](r)
				w := httptest.NewRecorder()
				s.h.ServeHTTP(w, r)
				got = append(got, fmt.Sprint(w.Code))
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s: %s: %s, want %s of %s", listener, request, got, want, columns)
			}
		}
	}
}

func TestAnswersSayWhatIsMissing(t *testing.T) {
	s := newSite(t, CollectorPolicy, "")
	for name, c := range map[string]struct {
		method, path string
		with         func(*http.Request)
		code         int
		says         []string
		header       string
	}{
		"nobody":         {"GET", "/api/v1/query", nil, 401, []string{"no credentials were sent", "a user and a password (Basic)", "a token (Bearer)"}, `Bearer realm="mcloud"`},
		"wrong":          {"GET", "/api/v1/query", bearer("nothing-that-is-known"), 401, []string{"wrong, or have expired"}, `Bearer realm="mcloud", error="invalid_token"`},
		"wrong password": {"GET", "/api/v1/query", basic("noc", "guess"), 401, []string{"wrong"}, `Basic realm="mcloud", charset="UTF-8"`},
		"no such user":   {"GET", "/api/v1/query", basic("nobody", password), 401, []string{"wrong"}, `Basic realm="mcloud", charset="UTF-8"`},
		"strange":        {"GET", "/api/v1/query", func(r *http.Request) { r.Header.Set("Authorization", "Digest x") }, 401, []string{"cannot be read"}, `Basic realm="mcloud", charset="UTF-8"`},
		"two of them": {"GET", "/api/v1/query", func(r *http.Request) {
			r.Header["Authorization"] = []string{"Bearer " + readerToken, "Bearer " + readerToken}
		}, 401, []string{"cannot be read"}, `Basic realm="mcloud", charset="UTF-8"`},
		"a reader writes": {"POST", "/api/v1/write", bearer(readerToken), 403, []string{"grafana may not", "needs the permission write", "give read"}, ""},
		"a writer reads":  {"GET", "/api/v1/query", bearer(writerToken), 403, []string{"needs the permission read", "give write"}, ""},
		"a project":       {"GET", "/api/v1/query", bearer("project-token-0123456789abcdef"), 403, []string{"sight of the whole cloud", "the usage of project p1"}, ""},
	} {
		w := s.ask(c.method, c.path, c.with)
		if w.Code != c.code {
			t.Errorf("%s: %d, want %d: %s", name, w.Code, c.code, w.Body)
		}
		for _, words := range c.says {
			if !strings.Contains(w.Body.String(), words) {
				t.Errorf("%s: %s does not say %q", name, w.Body, words)
			}
		}
		if got := strings.Join(w.Header().Values("WWW-Authenticate"), "; "); (c.header == "") != (got == "") || !strings.Contains(got, c.header) {
			t.Errorf("%s: WWW-Authenticate %q, want %q", name, got, c.header)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: %s is no JSON", name, w.Body)
		}
	}
	for _, secret := range []string{readerToken, writerToken, password, "guess", "nothing-that-is-known"} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log has the secret %q:\n%s", secret, s.log.String())
		}
	}
	if !strings.Contains(s.log.String(), "a request was refused") || !strings.Contains(s.log.String(), "who=grafana") {
		t.Errorf("the log does not tell of refusals:\n%s", s.log.String())
	}
	s.counts(`
		mcloud_http_authentications_total{listener="test",method="none",outcome="unauthenticated"} 1
		mcloud_http_authentications_total{listener="test",method="basic",outcome="rejected"} 2
		mcloud_http_authentications_total{listener="test",method="bearer",outcome="rejected"} 1
		mcloud_http_authentications_total{listener="test",method="bearer",outcome="forbidden"} 3
		mcloud_http_authentications_total{listener="test",method="unknown",outcome="rejected"} 2
	`)
}

func (s *site) counts(want string) {
	s.t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(s.guard)
	header := "# HELP mcloud_http_authentications_total Requests that had to be allowed, by how who asks was to be recognised and by what became of it: allowed, forbidden (403), unauthenticated and rejected (401), throttled (429), unavailable (503).\n# TYPE mcloud_http_authentications_total counter\n"
	if err := testutil.GatherAndCompare(registry, strings.NewReader(header+strings.ReplaceAll(strings.TrimLeft(want, "\n"), "\t", ""))); err != nil {
		s.t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		s.t.Error(problems, err)
	}
}

func TestNobodyNamed(t *testing.T) {
	s := &site{t: t, dir: t.TempDir(), clock: &clock{at: time.Now()}}
	s.open(parse(t, s.dir, ""), CollectorPolicy)
	if w := s.ask("POST", "/-/reload", nil); w.Code != 200 || !strings.Contains(w.Body.String(), `"All":true`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestGuessingIsSlow(t *testing.T) {
	s := newSite(t, CollectorPolicy, "")
	from := func(address string, with func(*http.Request)) func(*http.Request) {
		return func(r *http.Request) { r.RemoteAddr = address; with(r) }
	}
	codes := func(address string, n int, with func(*http.Request)) map[int]int {
		got := map[int]int{}
		for range n {
			got[s.ask("GET", "/api/v1/query", from(address, with)).Code]++
		}
		return got
	}
	if got := codes("192.0.2.1:1", 1, basic("noc", password)); got[200] != 1 {
		t.Fatal(got)
	}
	if got := codes("192.0.2.1:2", 50, basic("noc", "guess")); got[401] != guessesAtOnce || got[429] != 50-guessesAtOnce {
		t.Errorf("50 guesses: %v", got)
	}
	// Not even what is right is told to who guesses, but who was right before goes on.
	if w := s.ask("GET", "/api/v1/query", from("192.0.2.1:3", bearer(readerToken))); w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Errorf("a right guess: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if got := codes("192.0.2.1:4", 5, basic("noc", password)); got[200] != 5 {
		t.Errorf("who was recognised before: %v", got)
	}
	if got := codes("192.0.2.2:1", 1, bearer(readerToken)); got[200] != 1 {
		t.Errorf("another address: %v", got)
	}
	s.clock.pass(guessPeriod)
	if got := codes("192.0.2.1:5", 3, basic("noc", "guess")); got[401] != 1 || got[429] != 2 {
		t.Errorf("after a while: %v", got)
	}
	// Who is right is never slowed down by being so.
	if got := codes("192.0.2.3:5", 3*guessesAtOnce, basic("root", password+"!")); got[200] != 3*guessesAtOnce {
		t.Errorf("who is right: %v", got)
	}
	for i := range 2 * addressesKept {
		s.gate.slow.guessed(network(fmt.Sprintf("[2001:db8:%x::1]:1", i)))
	}
	if n := s.gate.slow.left.len(); n != addressesKept {
		t.Errorf("%d addresses are kept, want %d", n, addressesKept)
	}
	if network("[2001:db8::1]:1") != network("[2001:db8::ffff:1]:2") || network("[::ffff:192.0.2.1]:1") != network("192.0.2.1:9") || network("192.0.2.1:1") == network("192.0.2.2:1") {
		t.Error("networks")
	}
}

func TestFilesAreReadAgain(t *testing.T) {
	s := newSite(t, CollectorPolicy, "")
	code := func(token string) int { return s.ask("GET", "/api/v1/query", bearer(token)).Code }
	const next = "another-token-0123456789abcdef"
	s.write("reader", readerToken+"\n"+next+"\n")
	s.clock.pass(lookPeriod)
	if code(readerToken) != 200 || code(next) != 200 {
		t.Error("both tokens count while one replaces the other")
	}
	s.write("reader", next+"\n")
	s.clock.pass(lookPeriod)
	if code(readerToken) != 401 || code(next) != 200 {
		t.Error("a token that was taken out of its file counts")
	}
	s.write("reader", "short")
	s.clock.pass(lookPeriod)
	if code(next) != 200 || !strings.Contains(s.log.String(), "a changed file cannot be used") || strings.Contains(s.log.String(), "short") {
		t.Errorf("a broken file: %s", s.log.String())
	}
	if err := os.Remove(filepath.Join(s.dir, "reader")); err != nil {
		t.Fatal(err)
	}
	s.clock.pass(lookPeriod)
	if code(next) != 200 {
		t.Error("a file that is not there for a moment takes the token away")
	}
}

func TestPasswordFileIsReadAgain(t *testing.T) {
	s := &site{t: t, dir: t.TempDir(), clock: &clock{at: time.Now()}}
	s.write("hash", hash(t, password)+"\n")
	s.open(parse(t, s.dir, "access: {users: [{name: noc, password_hash_file: hash, roles: [reader]}]}"), CollectorPolicy)
	if w := s.ask("GET", "/metrics", basic("noc", password)); w.Code != 200 {
		t.Fatal(w.Code)
	}
	s.write("hash", hash(t, "other"))
	s.clock.pass(lookPeriod)
	if w := s.ask("GET", "/metrics", basic("noc", password)); w.Code != 401 {
		t.Errorf("the old password: %d", w.Code)
	}
	if w := s.ask("GET", "/metrics", basic("noc", "other")); w.Code != 200 {
		t.Errorf("the new password: %d", w.Code)
	}
}

func TestOtherSitesChangeNothing(t *testing.T) {
	s := newSite(t, CollectorPolicy, "")
	for site, want := range map[string]int{"": 200, "same-origin": 200, "cross-site": 403} {
		w := s.ask("POST", "/-/reload", func(r *http.Request) {
			r.SetBasicAuth("root", password+"!")
			if site != "" {
				r.Header.Set("Sec-Fetch-Site", site)
			}
		})
		if w.Code != want {
			t.Errorf("from %q: %d, want %d", site, w.Code, want)
		}
	}
}

func TestNewNamesTheKey(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"empty": "# nothing\n", "short": "0123456789", "blank": "0123456789 0123456789", "nohash": "secret-that-is-no-hash"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for section, says := range map[string]string{
		"tokens: [{name: a, file: none, roles: [reader]}]":                                                                   "access.tokens[0] (a).file: stat",
		"tokens: [{name: a, file: empty, roles: [reader]}]":                                                                  "there is no token in it",
		"tokens: [{name: a, file: short, roles: [reader]}]":                                                                  "less than 16 characters",
		"tokens: [{name: a, file: blank, roles: [reader]}]":                                                                  "visible ASCII",
		"tokens: [{name: a, file: ., roles: [reader]}]":                                                                      "it is no file",
		"users: [{name: a, password_hash: s3cret, roles: [reader]}]":                                                         "access.users[0] (a).password_hash: it is no bcrypt hash",
		"users: [{name: a, password_hash_file: nohash, roles: [reader]}]":                                                    "access.users[0] (a).password_hash_file: it is no bcrypt hash",
		`users: [{name: a, password_hash: "$2y$04$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi", roles: [reader]}]`: "the hash has cost 4",
		"keystone: {url: \"https://k:5000\", ca: none}":                                                                      "access.keystone",
	} {
		_, err := New(Options{Access: parse(t, dir, "access: {"+section+"}").Access})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "secret-that") {
			t.Errorf("%s: %v, want %q", section, err, says)
		}
	}
}

func TestOwnToken(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	var (
		made  sync.WaitGroup
		paths [8]string
	)
	for i := range paths {
		made.Go(func() {
			var err error
			if paths[i], err = OwnToken(dir); err != nil {
				t.Error(err)
			}
		})
	}
	made.Wait()
	content, err := os.ReadFile(paths[0])
	if err != nil || len(content) != 65 {
		t.Fatalf("%d bytes, %v", len(content), err)
	}
	if info, err := os.Stat(paths[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	f := parse(t, dir, "data_dir: .\naccess: {keystone: {url: \"https://k:5000\"}}")
	gate, err := New(Options{Access: f.Access, OwnToken: paths[0]})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gate.Guard("planner", PlannerPolicy).Before(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	defer server.Close()
	transport, err := Transport(ClientOf(f, "planner", false), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport}).Get(server.URL + "/api/v1/report")
	if err != nil || resp.StatusCode != 200 {
		t.Errorf("our own: %v %v", resp, err)
	}
	// Given an address of another machine, our programs do not show it theirs.
	if c := ClientOf(f, "planner", true); c != (config.Client{}) {
		t.Errorf("%+v", c)
	}
}

func TestCredentialsGoToOneHostOnly(t *testing.T) {
	var heard []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { heard = append(heard, r.Header.Get("Authorization")) }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(readerToken), 0o600); err != nil {
		t.Fatal(err)
	}
	transport, err := Transport(config.Client{TokenFile: path}, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport}).Get(server.URL)
	if err == nil || !strings.Contains(err.Error(), "credentials are not sent there") || strings.Contains(err.Error(), readerToken) || len(heard) > 0 {
		t.Errorf("%v, %v; the other heard %q", resp, err, heard)
	}
}

func FuzzAuthorization(f *testing.F) {
	for _, s := range []string{"", "Basic", "Basic ", "Basic bm9jOng=", "basic  bm9jOng= ", "Bearer", "Bearer x", "bEARER \x00", "Bearer a b", "Basic bm9j", "Basic Og==", "Negotiate x", "Basic bm9jOgE=", "\xff\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c := parseAuthorization(value)
		switch c.method {
		case methodBearer:
			if !isToken(c.token) || c.user != "" || !strings.Contains(value, c.token) {
				t.Errorf("%q: %+v", value, c)
			}
		case methodBasic:
			r := http.Request{Header: http.Header{"Authorization": {"Basic " + strings.Trim(value[min(len(value), 6):], " ")}}}
			if user, password, ok := r.BasicAuth(); !ok || user != c.user || password != c.password || c.user == "" || c.token != "" {
				t.Errorf("%q: %+v, net/http says %q %q %v", value, c, user, password, ok)
			}
		case methodUnknown:
			if c != (credentials{method: methodUnknown}) {
				t.Errorf("%q: %+v", value, c)
			}
		default:
			t.Errorf("%q is %s", value, c.method)
		}
	})
}

func BenchmarkGuard(b *testing.B) {
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "reader"), []byte(readerToken), 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := config.Parse(filepath.Join(dir, "m.yaml"), []byte("cloud: x\naccess: {tokens: [{name: a, file: reader, roles: [reader]}]}"))
	if err != nil {
		b.Fatal(err)
	}
	gate, err := New(Options{Access: f.Access})
	if err != nil {
		b.Fatal(err)
	}
	h := gate.Guard("collector", CollectorPolicy).Before(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "") }))
	r := httptest.NewRequest("GET", "/api/v1/query", nil).WithContext(context.Background())
	r.Header.Set("Authorization", "Bearer "+readerToken)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
