package access

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcloud/cmd/config"
)

// fakeKeystone knows tokens by their text and is broken as told.
type fakeKeystone struct {
	*httptest.Server
	asked atomic.Int64

	mu     sync.Mutex
	tokens map[string]string // the JSON of "token"
	broken http.HandlerFunc  // answers instead; nil: nothing is broken
}

func newKeystone(t *testing.T) *fakeKeystone {
	t.Helper()
	k := &fakeKeystone{tokens: map[string]string{}}
	k.Server = httptest.NewServer(k)
	t.Cleanup(k.Close)
	return k
}

func (k *fakeKeystone) set(token, json string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if json == "" {
		delete(k.tokens, token)
		return
	}
	k.tokens[token] = json
}

func (k *fakeKeystone) breakWith(h http.HandlerFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.broken = h
}

func (k *fakeKeystone) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.asked.Add(1)
	k.mu.Lock()
	broken, token := k.broken, k.tokens[r.Header.Get("X-Subject-Token")]
	k.mu.Unlock()
	switch {
	case broken != nil:
		broken(w, r)
	case r.URL.Path != "/v3/auth/tokens" || r.URL.RawQuery != "nocatalog" || r.Method != http.MethodGet:
		http.NotFound(w, r)
	case token == "" || r.Header.Get("X-Auth-Token") != r.Header.Get("X-Subject-Token"):
		http.Error(w, `{"error": {"code": 401}}`, http.StatusUnauthorized)
	default:
		fmt.Fprintf(w, `{"token": %s}`, token)
	}
}

// tokenOf is a token's JSON: roles and the scope, which ends an hour after now.
func tokenOf(now time.Time, scope string, roles ...string) string {
	var named []string
	for _, r := range roles {
		named = append(named, fmt.Sprintf(`{"id": "r-%s", "name": %q}`, r, r))
	}
	if scope != "" {
		scope = ", " + scope
	}
	return fmt.Sprintf(`{"expires_at": %q, "user": {"id": "u1", "name": "alice", "domain": {"id": "default", "name": "Default"}}, "roles": [%s]%s}`,
		now.Add(time.Hour).UTC().Format("2006-01-02T15:04:05.000000Z"), strings.Join(named, ", "), scope)
}

const (
	inProject = `"project": {"id": "p1", "name": "acme", "domain": {"id": "d1", "name": "D"}}`
	inDomain  = `"domain": {"id": "d1", "name": "D"}`
	inSystem  = `"system": {"all": true}`
)

func newKeystoneSite(t *testing.T, policy Policy, options string) (*site, *fakeKeystone) {
	t.Helper()
	k, timeout := newKeystone(t), "300ms"
	if strings.Contains(options, "patient") {
		timeout, options = "10s", ""
	}
	s := &site{t: t, dir: t.TempDir(), clock: &clock{at: time.Now()}}
	s.open(parse(t, s.dir, fmt.Sprintf("access: {keystone: {url: %q, timeout: %s%s}}", k.URL+"/v3/", timeout, options)), policy)
	return s, k
}

func keystoneToken(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("X-Auth-Token", token) }
}

// TestKeystoneDecides what a token of each scope and role may do at the planner.
func TestKeystoneDecides(t *testing.T) {
	s, k := newKeystoneSite(t, PlannerPolicy, `, cloud_roles: [admin, cloud_reader], cloud_projects: [ops]}, roles: {cloud_reader: [read]`)
	requests := []string{"GET /api/v1/chargeback", "GET /api/v1/report", "POST /api/v1/rebalance/plans", "POST /api/v1/rebalance/plans/x/applied"}
	for name, c := range map[string]struct{ json, want, sees string }{
		"system reader":      {tokenOf(s.clock.now(), inSystem, "reader"), "200 200 403 403", `"All":true`},
		"system admin":       {tokenOf(s.clock.now(), inSystem, "admin", "member", "reader"), "200 200 200 200", `"All":true`},
		"system all false":   {tokenOf(s.clock.now(), `"system": {"all": false}`, "reader"), "200 403 403 403", `"Projects":null,"Domain":""`},
		"project reader":     {tokenOf(s.clock.now(), inProject, "reader"), "200 403 403 403", `"Projects":["p1"]`},
		"project member":     {tokenOf(s.clock.now(), inProject, "member", "reader"), "200 403 403 403", `"Projects":["p1"]`},
		"project service":    {tokenOf(s.clock.now(), inProject, "service"), "403 403 403 403", ""},
		"project admin":      {tokenOf(s.clock.now(), inProject, "admin"), "200 200 200 200", `"All":true`},
		"cloud-wide reader":  {tokenOf(s.clock.now(), inProject, "cloud_reader"), "200 200 403 403", `"All":true`},
		"operators' project": {tokenOf(s.clock.now(), `"project": {"id": "ops", "name": "x"}`, "reader"), "200 200 403 403", `"All":true`},
		"a project so named": {tokenOf(s.clock.now(), `"project": {"id": "p9", "name": "ops"}`, "reader"), "200 403 403 403", `"Projects":["p9"]`},
		"domain admin":       {tokenOf(s.clock.now(), inDomain, "admin"), "200 403 403 403", `"Domain":"d1"`},
		"no role of ours":    {tokenOf(s.clock.now(), inProject, "load-balancer_member"), "403 403 403 403", ""},
		"unscoped":           {tokenOf(s.clock.now(), ""), "403 403 403 403", ""},
	} {
		token := "gAAAA-" + strings.ReplaceAll(name, " ", "-")
		k.set(token, c.json)
		var got []string
		for i, request := range requests {
			method, path, _ := strings.Cut(request, " ")
			with := keystoneToken(token)
			if i%2 == 1 {
				with = bearer(token)
			}
			w := s.ask(method, path, with)
			got = append(got, fmt.Sprint(w.Code))
			if i == 0 && !strings.Contains(w.Body.String(), c.sees) {
				t.Errorf("%s: sees %s, want %s", name, w.Body, c.sees)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s, want %s of %q", name, got, c.want, requests)
		}
	}
	if w := s.ask("GET", "/", keystoneToken("gAAAA-unknown")); w.Code != 401 || !strings.Contains(strings.Join(w.Header().Values("WWW-Authenticate"), " "), `Keystone uri="`+k.URL) {
		t.Errorf("an unknown token: %d %v", w.Code, w.Header())
	}
	if strings.Contains(s.log.String(), "gAAAA") {
		t.Errorf("the log has a token:\n%s", s.log.String())
	}
}

func TestKeystoneIsAskedSeldom(t *testing.T) {
	s, k := newKeystoneSite(t, PlannerPolicy, "")
	code := func() int { return s.ask("GET", "/api/v1/chargeback", keystoneToken("gAAAA-1")).Code }
	k.set("gAAAA-1", tokenOf(s.clock.now(), inProject, "reader"))
	for range 100 {
		if got := code(); got != 200 {
			t.Fatal(got)
		}
	}
	if n := k.asked.Load(); n != 1 {
		t.Errorf("asked %d times within a minute, want once", n)
	}
	// Revoked: it counts until it is asked for again.
	k.set("gAAAA-1", "")
	s.clock.pass(59 * time.Second)
	if got := code(); got != 200 {
		t.Errorf("within the minute: %d", got)
	}
	s.clock.pass(time.Second)
	for range 10 {
		if got := code(); got != 401 {
			t.Fatalf("after the minute: %d", got)
		}
	}
	if n := k.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want twice: a wrong one is not asked for each time", n)
	}
	s.clock.pass(wrongFor)
	k.set("gAAAA-1", tokenOf(s.clock.now(), inProject, "reader"))
	if got := code(); got != 200 {
		t.Errorf("a token that is known again: %d", got)
	}
}

func TestKeystoneTokensExpire(t *testing.T) {
	s, k := newKeystoneSite(t, PlannerPolicy, "")
	ends := func(in time.Duration) string { return tokenOf(s.clock.now().Add(in-time.Hour), inProject, "reader") }
	code := func(token string) int { return s.ask("GET", "/api/v1/chargeback", keystoneToken(token)).Code }
	k.set("gAAAA-expired", ends(-time.Second))
	if got := code("gAAAA-expired"); got != 401 {
		t.Errorf("an expired token that Keystone lets pass: %d", got)
	}
	k.set("gAAAA-soon", ends(30*time.Second))
	if got := code("gAAAA-soon"); got != 200 {
		t.Fatal(got)
	}
	// Also when Keystone is away and it was checked just now.
	k.breakWith(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusServiceUnavailable) })
	s.clock.pass(31 * time.Second)
	if got := code("gAAAA-soon"); got != 503 {
		t.Errorf("after it expired: %d", got)
	}
}

// TestKeystoneAway breaks Keystone in each way: a token that was checked lately goes on
// for five minutes, one that was not is refused with 503, and never let in.
func TestKeystoneAway(t *testing.T) {
	for name, c := range map[string]struct {
		broken http.HandlerFunc
		says   string
	}{
		"503": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "s3cret", http.StatusServiceUnavailable) }, "answers 503"},
		"500": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusInternalServerError) }, "answers 500"},
		"429": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusTooManyRequests) }, "answers 429"},
		"300": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusMultipleChoices) }, "answers 300"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}, "answers 302"},
		"forbidden":  {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusForbidden) }, "identity:validate_token"},
		"hangs":      {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "does not answer in time"},
		"hangs up":   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "cannot be reached"},
		"garbage":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>ok</html>") }, "cannot be read"},
		"empty":      {func(http.ResponseWriter, *http.Request) {}, ""},
		"null":       {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "null") }, "no token"},
		"no token":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }, "no token"},
		"null token": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"token": null}`) }, "no token"},
		"no user": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"token": {"expires_at": "2999-01-01T00:00:00Z", "roles": [{"name": "admin"}], "system": {"all": true}}}`)
		}, "no token"},
		"no end": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"token": {"user": {"id": "u"}, "roles": [{"name": "admin"}], "system": {"all": true}}}`)
		}, "no token"},
		"roles are text": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"token": {"expires_at": "2999-01-01T00:00:00Z", "user": {"id": "u"}, "roles": "admin", "system": {"all": true}}}`)
		}, "no token"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"token": {"x": "`)
			for range 4 {
				_, _ = w.Write(make([]byte, maxAnswer))
			}
		}, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			s, k := newKeystoneSite(t, PlannerPolicy, "")
			k.set("gAAAA-known", tokenOf(s.clock.now(), inProject, "reader"))
			known := func() int { return s.ask("GET", "/api/v1/chargeback", keystoneToken("gAAAA-known")).Code }
			if got := known(); got != 200 {
				t.Fatal(got)
			}
			k.breakWith(c.broken)
			s.clock.pass(2 * time.Minute)
			if got := known(); got != 200 {
				t.Errorf("a token that was checked two minutes ago: %d", got)
			}
			w := s.ask("GET", "/api/v1/chargeback", keystoneToken("gAAAA-new"))
			if w.Code != 503 || !strings.Contains(w.Body.String(), c.says) || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String()+s.log.String(), "gAAAA") || strings.Contains(w.Body.String()+s.log.String(), "s3cret") {
				t.Errorf("a new token: %d %s, want 503 and %q\n%s", w.Code, w.Body, c.says, s.log.String())
			}
			s.clock.pass(3*time.Minute + time.Second)
			if got := known(); got != 503 {
				t.Errorf("a token that was checked five minutes ago: %d", got)
			}
			k.breakWith(nil)
			if got := known(); got != 200 {
				t.Errorf("Keystone is back: %d", got)
			}
		})
	}
}

// TestKeystoneIsAskedOnce for many requests with one token, and about few at once.
func TestKeystoneIsAskedOnce(t *testing.T) {
	s, k := newKeystoneSite(t, PlannerPolicy, "patient")
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	k.set("gAAAA-1", tokenOf(s.clock.now(), inProject, "reader"))
	json := tokenOf(s.clock.now(), inProject, "reader")
	k.breakWith(func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-release
		fmt.Fprintf(w, `{"token": %s}`, json)
	})
	var asking sync.WaitGroup
	codes := make(chan int, 200)
	for i := range asksAtOnce {
		for range 5 {
			asking.Go(func() {
				codes <- s.ask("GET", "/api/v1/chargeback", keystoneToken(fmt.Sprintf("gAAAA-%d", i))).Code
			})
		}
	}
	for range asksAtOnce {
		<-arrived
	}
	// One more is not waited for.
	if w := s.ask("GET", "/api/v1/chargeback", keystoneToken("gAAAA-more")); w.Code != 503 {
		t.Errorf("one more: %d", w.Code)
	}
	close(release)
	asking.Wait()
	for range 5 * asksAtOnce {
		if code := <-codes; code != 200 {
			t.Errorf("%d", code)
		}
	}
	if n := k.asked.Load(); n != asksAtOnce {
		t.Errorf("asked %d times about %d tokens", n, asksAtOnce)
	}
}

func TestWhatIsKeptOfTokensIsBounded(t *testing.T) {
	r := newRecent[int, int](3)
	for i := range 10 {
		r.put(i, i)
		r.get(0)
	}
	if _, ok := r.get(0); !ok || r.len() != 3 {
		t.Errorf("%d are kept, the one that is used among them: %v", r.len(), ok)
	}
	if v, ok := r.get(9); !ok || v != 9 {
		t.Error(v, ok)
	}
	if _, ok := r.get(5); ok {
		t.Error("one that was not used is kept")
	}
}

// answering is a Keystone that says the same to everybody.
type answering []byte

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(a)), Request: r}, nil
}

// FuzzKeystoneAnswer lets in nobody without a user and an end that is still to come.
func FuzzKeystoneAnswer(f *testing.F) {
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	for _, scope := range []string{inProject, inDomain, inSystem, "", `"system": null, "project": null`, `"project": {"id": ""}`} {
		f.Add([]byte(`{"token": ` + tokenOf(now, scope, "admin", "reader") + `}`))
	}
	f.Add([]byte(`{"token": {"expires_at": "2026-11-25T00:00:00Z", "user": {"id": "u"}}}`))
	f.Add([]byte(`{"token": []}`))
	access, err := config.Parse("/m.yaml", []byte("cloud: x\naccess: {keystone: {url: \"http://k\"}}"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		gate, err := New(Options{Access: access.Access, Transport: answering(answer), Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		who, ok, err := gate.keystone.check(t.Context(), "gAAAA")
		if !ok || err != nil {
			if ok || len(who.May) > 0 {
				t.Errorf("%s: %+v, %v, %v", answer, who, ok, err)
			}
			return
		}
		var said struct {
			Token struct {
				End    time.Time `json:"expires_at"`
				User   struct{ ID string }
				System map[string]bool
				Roles  []struct{ Name string }
			}
		}
		if err := json.Unmarshal(answer, &said); err != nil || said.Token.User.ID == "" || !now.Before(said.Token.End) {
			t.Errorf("%s: %+v is let in (%v)", answer, who, err)
		}
		if len(said.Token.Roles) == 0 && len(who.May) > 0 || !who.All && (slices.Contains(who.May, Write) || slices.Contains(who.May, Admin)) {
			t.Errorf("%s: %+v", answer, who)
		}
	})
}
