package backend

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// The ways to ask, with their secrets.
func withBasic(s *backend.DataSourceInstanceSettings) {
	s.BasicAuthEnabled, s.BasicAuthUser = true, "grafana"
	s.JSONData = []byte(`{"auth":"basic"}`)
	s.DecryptedSecureJSONData["basicAuthPassword"] = "s3cret-basic"
}

func withBearer(s *backend.DataSourceInstanceSettings) {
	s.JSONData = []byte(`{"auth":"bearer"}`)
	s.DecryptedSecureJSONData["bearerToken"] = "s3cret-bearer"
}

func withPassword(identity string) func(*backend.DataSourceInstanceSettings) {
	return func(s *backend.DataSourceInstanceSettings) {
		s.JSONData = fmt.Appendf(nil, `{"auth":"keystone","keystone":{"url":%q,"user":"ann","project":"ops"}}`, identity)
		s.DecryptedSecureJSONData["keystonePassword"] = "s3cret-keystone"
	}
}

func withCredential(identity string) func(*backend.DataSourceInstanceSettings) {
	return func(s *backend.DataSourceInstanceSettings) {
		s.JSONData = fmt.Appendf(nil, `{"auth":"keystone","keystone":{"url":%q,"method":"application_credential","applicationCredentialId":"cred-1"}}`, identity)
		s.DecryptedSecureJSONData["applicationCredentialSecret"] = "s3cret-credential"
	}
}

// identity is a Keystone of one user and one application credential.
type identity struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	given  int
	life   time.Duration
	status int // of a refusal; 0: give a token
	now    func() time.Time
}

func newIdentity(t *testing.T) *identity {
	t.Helper()
	k := &identity{life: time.Hour, now: time.Now}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		k.mu.Lock()
		defer k.mu.Unlock()
		k.bodies = append(k.bodies, string(body))
		if r.Method != "POST" || r.URL.Path != "/v3/auth/tokens" || r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if k.status != 0 {
			w.WriteHeader(k.status)
			_, _ = w.Write(body) // an identity service that says the password back
			return
		}
		k.given++
		w.Header().Set("X-Subject-Token", fmt.Sprintf("gAAAA-%d", k.given))
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"token":{"expires_at":%q}}`, k.now().Add(k.life).UTC().Format(time.RFC3339Nano))
	}))
	t.Cleanup(k.Close)
	return k
}

// TestEachAuthentication: what the planner is sent, and only there.
func TestEachAuthentication(t *testing.T) {
	k := newIdentity(t)
	for name, c := range map[string]struct {
		change func(*backend.DataSourceInstanceSettings)
		want   string
		who    string
	}{
		"none":       {func(*backend.DataSourceInstanceSettings) {}, "", "asked as nobody"},
		"basic":      {withBasic, "Basic " + base64.StdEncoding.EncodeToString([]byte("grafana:s3cret-basic")), "asked as user grafana"},
		"bearer":     {withBearer, "Bearer s3cret-bearer", "asked as the bearer of a token"},
		"password":   {withPassword(k.URL), "Bearer gAAAA-1", "asked as Keystone's user ann@Default for project ops"},
		"credential": {withCredential(k.URL + "/v3/"), "Bearer gAAAA-2", "asked as Keystone's application credential cred-1"},
		// As Grafana's own provisioning of basic authentication writes it.
		"basic by default": {func(s *backend.DataSourceInstanceSettings) { withBasic(s); s.JSONData = nil }, "Basic " + base64.StdEncoding.EncodeToString([]byte("grafana:s3cret-basic")), "asked as user grafana"},
	} {
		if name == "credential" {
			continue // after password, below: their tokens are numbered
		}
		checkAuthentication(t, name, c.change, c.want, c.who)
	}
	checkAuthentication(t, "credential", withCredential(k.URL+"/v3/"), "Bearer gAAAA-2", "asked as Keystone's application credential cred-1")
	want := []string{
		`{"auth":{"identity":{"methods":["password"],"password":{"user":{"domain":{"name":"Default"},"name":"ann","password":"s3cret-keystone"}}},"scope":{"project":{"domain":{"name":"Default"},"name":"ops"}}}}`,
		`{"auth":{"identity":{"application_credential":{"id":"cred-1","secret":"s3cret-credential"},"methods":["application_credential"]}}}`,
	}
	if !slices.Equal(k.bodies, want) {
		t.Errorf("Keystone was sent %v", k.bodies)
	}
}

func checkAuthentication(t *testing.T, name string, change func(*backend.DataSourceInstanceSettings), want, who string) {
	t.Helper()
	f := newFake(t)
	d := source(t, f.URL, change)
	if response := ask(t, d, `{"queryType":"headroom"}`); response.Error != nil {
		t.Errorf("%s: %v", name, response.Error)
		return
	}
	if got := f.requests[0].Header.Get("Authorization"); got != want {
		t.Errorf("%s: the planner was sent %q, want %q", name, got, want)
	}
	health, err := d.CheckHealth(t.Context(), nil)
	if err != nil || health.Status != backend.HealthStatusOk || !strings.Contains(health.Message, who) || !strings.Contains(health.Message, f.URL) || !strings.Contains(health.Message, "planner 1.2 ") {
		t.Errorf("%s: %v %+v", name, err, health)
	}
}

func TestSystemScope(t *testing.T) {
	s := keystoneSettings{Method: "password", User: "ann", UserDomain: "d", System: true}
	raw, err := json.Marshal(s.request())
	if err != nil || !strings.HasSuffix(string(raw), `"scope":{"system":{"all":true}}}}`) {
		t.Errorf("%v %s", err, raw)
	}
}

// TestTokensAreRenewed: before they expire, and after the planner refused one; many
// queries at once ask for one token.
func TestTokensAreRenewed(t *testing.T) {
	k := newIdentity(t)
	f := newFake(t)
	d := source(t, f.URL, withPassword(k.URL))
	now := at
	var clock sync.Mutex
	tell := func() time.Time { clock.Lock(); defer clock.Unlock(); return now }
	d.client.keystone.now, k.now = tell, tell
	for _, step := range []struct {
		later time.Duration
		given int
	}{{0, 1}, {54 * time.Minute, 1}, {time.Minute, 2}, {30 * time.Minute, 2}} {
		clock.Lock()
		now = now.Add(step.later)
		clock.Unlock()
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				if r := ask(t, d, `{"queryType":"headroom"}`); r.Error != nil {
					t.Error(r.Error)
				}
			})
		}
		wait.Wait()
		if k.given != step.given {
			t.Errorf("after %s: %d tokens, want %d", step.later, k.given, step.given)
		}
	}
	// A life of ten minutes is not asked for again and again.
	k.life = 10 * time.Minute
	clock.Lock()
	now = now.Add(time.Hour)
	clock.Unlock()
	ask(t, d, `{"queryType":"headroom"}`)
	clock.Lock()
	now = now.Add(8 * time.Minute)
	clock.Unlock()
	if ask(t, d, `{"queryType":"headroom"}`); k.given != 3 {
		t.Errorf("%d tokens, want 3", k.given)
	}
}

func TestRevokedTokenIsRenewedOnce(t *testing.T) {
	k := newIdentity(t)
	asked := map[string]int{}
	planner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.Header.Get("Authorization")]++
		if r.Header.Get("Authorization") == "Bearer gAAAA-2" {
			_, _ = io.WriteString(w, canned["/api/v1/headroom"])
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer planner.Close()
	d := source(t, planner.URL, withPassword(k.URL))
	if r := ask(t, d, `{"queryType":"headroom"}`); r.Error != nil || asked["Bearer gAAAA-1"] != 1 || asked["Bearer gAAAA-2"] != 1 {
		t.Errorf("%v, asked %v", r.Error, asked)
	}
	// One that is refused again is not renewed for ever.
	d.client.keystone.token = "old"
	k.given = 10
	if r := ask(t, d, `{"queryType":"headroom"}`); r.Status != backend.StatusUnauthorized || asked["Bearer old"] != 1 || asked["Bearer gAAAA-11"] != 1 || k.given != 11 {
		t.Errorf("%v, asked %v, given %d", r.Error, asked, k.given)
	}
}

// TestFailures: a planner, or a Keystone, that does not do what it should.
func TestFailures(t *testing.T) {
	k := newIdentity(t)
	refused := httptest.NewServer(http.NotFoundHandler())
	refused.Close()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		change func(*backend.DataSourceInstanceSettings)
		status backend.Status
		want   []string
	}{
		"unreachable":     {nil, nil, http.StatusBadGateway, []string{"GET URL/api/v1/headroom failed: ", "connection refused", "is mCloud's planner running"}},
		"401":             {says(401, `{"status":"error","errorType":"rejected","error":"the credentials are wrong","cure":"send a token"}`), withBasic, 401, []string{"as user grafana was answered with 401: the credentials are wrong (send a token)", "see the data source's authentication"}},
		"401 of a proxy":  {says(401, `<html>`), withBearer, 401, []string{"as the bearer of a token was answered with 401; see"}},
		"403":             {says(403, `{"error":"ann may not","cure":"use a token for the system"}`), withPassword(k.URL), 403, []string{"Keystone's user ann@Default for project ops may not see this", "ann may not (use a token for the system)"}},
		"429":             {says(429, `{"error":"too many"}`), nil, 429, []string{"too many wrong credentials"}},
		"404 of another":  {says(404, `404 page not found`), nil, 404, []string{"is not there (404): does the data source's URL lead to mCloud's planner"}},
		"404 of planner":  {says(404, `{"error":"zone \"x\" is not known; known are: az-a"}`), nil, 404, []string{`the planner says: zone "x" is not known; known are: az-a`}},
		"400":             {says(400, `{"error":"bad","cure":"write good"}`), nil, 400, []string{"the planner says: bad (write good)"}},
		"500":             {says(500, `{"error":"boom"}`), nil, 500, []string{"was answered with 500: boom; the planner's log says more"}},
		"502":             {says(502, `<html>nginx</html>`), nil, 502, []string{"was answered with 502; the planner's log says more"}},
		"503":             {says(503, `{"error":"the first plan is still being made","cure":"wait"}`), nil, 503, []string{"the planner is not ready", "still being made (wait)"}},
		"garbage":         {says(200, `<html>Grafana</html>`), nil, http.StatusBadGateway, []string{"is not what mCloud's planner says", "does the data source's URL lead to the planner"}},
		"of another type": {says(200, `{"status":"success"}`), nil, http.StatusBadGateway, []string{"is not what mCloud's planner says"}},
		"cut short":       {says(200, `[{"flavor":"m1`), nil, http.StatusBadGateway, []string{"is not what mCloud's planner says"}},
		"hung up":         {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil, http.StatusBadGateway, []string{"failed: ", "is mCloud's planner running"}},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://login.example.org/sso?x=1", http.StatusFound)
		}, withBasic, http.StatusBadGateway,
			[]string{"redirects to https://login.example.org/sso, which is not followed"}},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			chunk := bytes.Repeat([]byte(" "), 1<<20)
			for range maxAnswerBytes>>20 + 1 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, nil, http.StatusBadGateway, []string{"answered more than 64 MiB: narrow the time range"}},
		"slow":         {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, func(s *backend.DataSourceInstanceSettings) { s.JSONData = []byte(`{"timeoutSeconds":1}`) }, http.StatusGatewayTimeout, []string{"gave no answer in time", "raise the data source's timeout"}},
		"no Keystone":  {says(200, `[]`), withPassword(refused.URL), http.StatusBadGateway, []string{"POST " + refused.URL + "/v3/auth/tokens failed", "is Keystone running, and does keystone.url reach it"}},
		"not Keystone": {says(200, `[]`), withPassword(k.URL + "/elsewhere"), http.StatusBadGateway, []string{"Keystone gave no token to Keystone's user ann@Default", "was answered with 404; does keystone.url lead to Keystone"}},
	} {
		t.Run(name, func(t *testing.T) {
			url := refused.URL
			if c.answer != nil {
				planner := httptest.NewServer(c.answer)
				t.Cleanup(planner.Close)
				url = planner.URL
			}
			change := c.change
			if change == nil {
				change = func(*backend.DataSourceInstanceSettings) {}
			}
			d := source(t, url, change)
			response := ask(t, d, `{"queryType":"headroom"}`)
			if response.Error == nil || response.Status != c.status || response.ErrorSource != backend.ErrorSourceDownstream {
				t.Fatalf("status %d, source %s: %v", response.Status, response.ErrorSource, response.Error)
			}
			for _, want := range c.want {
				if !strings.Contains(response.Error.Error(), strings.ReplaceAll(want, "URL", url)) && !strings.Contains(response.Error.Error(), want) {
					t.Errorf("%q does not say %q", response.Error, want)
				}
			}
			health, err := d.CheckHealth(t.Context(), nil)
			if err != nil || health.Status != backend.HealthStatusError || health.Message == "" {
				t.Errorf("health: %v %+v", err, health)
			}
			for _, said := range []string{response.Error.Error(), health.Message} {
				if strings.Contains(said, "s3cret") || strings.Contains(said, "gAAAA") {
					t.Errorf("it says a secret: %s", said)
				}
			}
		})
	}
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestKeystoneRefuses(t *testing.T) {
	k := newIdentity(t)
	f := newFake(t)
	for status, want := range map[int]string{401: "does not take the credentials of Keystone's user ann@Default for project ops", 500: "was answered with 500"} {
		k.status = status
		r := ask(t, source(t, f.URL, withPassword(k.URL)), `{"queryType":"headroom"}`)
		if r.Error == nil || !strings.Contains(r.Error.Error(), want) || strings.Contains(r.Error.Error(), "s3cret") {
			t.Errorf("%d: %v", status, r.Error)
		}
	}
	if len(f.requests) > 0 {
		t.Error("the planner was asked without a token")
	}
}

// TestBadSettings: each says which setting is at fault, in health, queries and resources.
func TestBadSettings(t *testing.T) {
	for want, change := range map[string]func(*backend.DataSourceInstanceSettings){
		"URL is missing":                  func(s *backend.DataSourceInstanceSettings) { s.URL = " " },
		"URL is no http":                  func(s *backend.DataSourceInstanceSettings) { s.URL = "ftp://planner" },
		"URL has a user":                  func(s *backend.DataSourceInstanceSettings) { s.URL = "http://ann:s3cret@planner" },
		"URL is no http or https address": func(s *backend.DataSourceInstanceSettings) { s.URL = "http://planner?token=s3cret" },
		"jsonData cannot be read":         func(s *backend.DataSourceInstanceSettings) { s.JSONData = []byte(`{"auth":7}`) },
		`auth is "oauth", want none, basic, bearer or keystone`: func(s *backend.DataSourceInstanceSettings) { s.JSONData = []byte(`{"auth":"oauth"}`) },
		"timeoutSeconds is 900, want 1 to 300":                  func(s *backend.DataSourceInstanceSettings) { s.JSONData = []byte(`{"timeoutSeconds":900}`) },
		"basic authentication needs a user and a password":      func(s *backend.DataSourceInstanceSettings) { s.JSONData = []byte(`{"auth":"basic"}`) },
		"authentication by token needs the token":               func(s *backend.DataSourceInstanceSettings) { s.JSONData = []byte(`{"auth":"bearer"}`) },
		"has blanks or other characters": func(s *backend.DataSourceInstanceSettings) {
			withBearer(s)
			s.DecryptedSecureJSONData["bearerToken"] = "s3cret\n"
		},
		"keystone.url is missing": func(s *backend.DataSourceInstanceSettings) { s.JSONData = []byte(`{"auth":"keystone"}`) },
		"Keystone needs a user and a password": func(s *backend.DataSourceInstanceSettings) {
			s.JSONData = []byte(`{"auth":"keystone","keystone":{"url":"http://k"}}`)
		},
		"Keystone needs a project": func(s *backend.DataSourceInstanceSettings) {
			withPassword("http://k")(s)
			s.JSONData = []byte(`{"auth":"keystone","keystone":{"url":"http://k","user":"ann"}}`)
		},
		"an application credential has an id and a secret": func(s *backend.DataSourceInstanceSettings) {
			withCredential("http://k")(s)
			delete(s.DecryptedSecureJSONData, "applicationCredentialSecret")
		},
		`keystone.method is "saml", want password or application_crede`: func(s *backend.DataSourceInstanceSettings) {
			s.JSONData = []byte(`{"auth":"keystone","keystone":{"url":"http://k","method":"saml"}}`)
		},
	} {
		d := source(t, "http://planner", change)
		r := ask(t, d, `{"queryType":"headroom"}`)
		health, err := d.CheckHealth(t.Context(), nil)
		_, named := d.names(t.Context(), "tiers")
		if err != nil || r.Error == nil || named == nil || health.Status != backend.HealthStatusError {
			t.Errorf("%s: %v, %v, %v, %+v", want, err, r.Error, named, health)
			continue
		}
		for _, said := range []string{r.Error.Error(), health.Message, named.Error()} {
			if !strings.Contains(said, want) || !strings.HasPrefix(said, "the data source is not set up: ") || strings.Contains(said, "s3cret") {
				t.Errorf("%s: %s", want, said)
			}
		}
	}
}

func TestHealth(t *testing.T) {
	for name, c := range map[string]struct {
		status string
		bad    bool
		want   string
	}{
		"good":          {canned["/api/v1/status"], false, "cloud test, asked as nobody. Its last plan is of 2026-11-22T11:55:00Z. 1 parts of it are missing; the report says which."},
		"starts":        {`{"cloud":"test","runs":0,"failures":0}`, false, "The first plan is still being made"},
		"has no plan":   {`{"cloud":"test","runs":2,"failures":2,"last_error":"the store is away"}`, true, "It has no plan: the store is away"},
		"failed lately": {`{"cloud":"test","runs":3,"failures":1,"last_run":"2026-11-22T11:55:00Z","last_error":"the store is away"}`, false, "The newest attempt failed: the store is away."},
		"is another":    {`{"status":"success","data":{}}`, true, "not by mCloud's planner: it names no cloud"},
	} {
		planner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/api/v1/status" {
				http.NotFound(w, r)
				return
			}
			_, _ = io.WriteString(w, c.status)
		}))
		health, err := source(t, planner.URL).CheckHealth(t.Context(), nil)
		planner.Close()
		if err != nil || (health.Status == backend.HealthStatusError) != c.bad || !strings.Contains(health.Message, c.want) {
			t.Errorf("%s: %v %+v", name, err, health)
		}
	}
}
