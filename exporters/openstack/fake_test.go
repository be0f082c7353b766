package openstack_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcloud/exporters/openstack"
)

// fakeCloud replays answers that a real OpenStack 2025.1 gave (testdata/recorded,
// one file per service: path and query @microversion → JSON; ids are replaced),
// under endpoints with a path, as behind a proxy. A call that was not recorded
// is a test's failure.
type fakeCloud struct {
	*httptest.Server
	t        *testing.T
	recorded map[string]map[string]json.RawMessage // by service

	mu      sync.Mutex
	calls   map[string]int // by "service path?query"
	tokens  int            // handed out
	valid   string         // the token that is good
	life    time.Duration
	role    string
	project string   // of the tokens
	absent  []string // services that the catalogue lacks
	date    string   // of the services' clocks, as a Date header; ours when empty

	elsewhere []string          // services that are in another region only
	at        map[string]string // endpoints of services that are not at their usual place
	fault     func(w http.ResponseWriter, r *http.Request, call string) bool
}

// endpoints by service: type in the catalogue, path of the endpoint, path of its
// version document.
var endpoints = map[string]struct{ kind, at, versions string }{
	"keystone":  {"identity", "/identity", ""},
	"placement": {"placement", "/placement/", "/placement/"},
	"nova":      {"compute", "/compute/v2.1", "/compute/v2.1/"},
	"cinder":    {"volumev3", "/volume/v3/0123456789abcdef0123456789abcdef", "/volume/v3/"},
	"neutron":   {"network", "/network/", ""},
	"glance":    {"image", "/image", "/image/"},
	"heat":      {"orchestration", "/heat/v1/0123456789abcdef0123456789abcdef", "/heat/"},
	"octavia":   {"load-balancer", "/load-balancer", "/load-balancer/"},
	"barbican":  {"key-manager", "/key-manager", "/key-manager/"},
	"designate": {"dns", "/dns", "/dns/"},
	"masakari":  {"instance-ha", "/instance-ha/v1/0123456789abcdef0123456789abcdef", "/instance-ha/v1/"},
	"gnocchi":   {"metric", "/metric", "/metric/"},
	"ironic":    {"baremetal", "/baremetal/v1", "/baremetal/v1/"},
	"magnum":    {"container-infra", "/container-infra/v1", "/container-infra/v1/"},
	"manila":    {"sharev2", "/share/v2", "/share/v2/"},
	"swift":     {"object-store", "/object-store/v1/AUTH_" + ownProject, "/object-store/info"},
	"trove":     {"database", "/database/v1.0/" + ownProject, "/database/v1.0/"},
}

// ownProject is the project of the account that looks: the lab's admin, as the
// recorded answers have it.
const ownProject = "062401e787dc899c094c155d35ba1658"

// bases are where the resources of a service lie.
var bases = map[string]string{
	"keystone": "/identity/v3", "placement": "/placement", "nova": "/compute/v2.1",
	"cinder": "/volume/v3/0123456789abcdef0123456789abcdef", "neutron": "/network/v2.0",
	"glance": "/image/v2", "heat": "/heat/v1/0123456789abcdef0123456789abcdef", "octavia": "/load-balancer/v2.0", "barbican": "/key-manager/v1",
	"designate": "/dns/v2", "masakari": "/instance-ha/v1/0123456789abcdef0123456789abcdef",
	"gnocchi": "/metric/v1", "ironic": "/baremetal/v1", "magnum": "/container-infra/v1", "manila": "/share/v2", "swift": "/object-store/v1",
	"trove": "/database/v1.0/" + ownProject,
}

func newFakeCloud(t *testing.T) *fakeCloud {
	t.Helper()
	f := unservedCloud(t)
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func unservedCloud(t *testing.T) *fakeCloud {
	t.Helper()
	recorded, err := recordings()
	if err != nil {
		t.Fatal(err)
	}
	return &fakeCloud{t: t, recorded: recorded, calls: map[string]int{}, life: time.Hour, role: "admin", project: ownProject}
}

// recordings are the recorded answers by service. Nobody changes them.
var recordings = sync.OnceValues(func() (map[string]map[string]json.RawMessage, error) {
	all := map[string]map[string]json.RawMessage{}
	for service := range endpoints {
		text, err := os.ReadFile("testdata/recorded/" + service + ".json")
		if err != nil {
			return nil, err
		}
		var answers map[string]json.RawMessage
		if err := json.Unmarshal(text, &answers); err != nil {
			return nil, fmt.Errorf("%s: %w", service, err)
		}
		all[service] = answers
	}
	return all, nil
})

// connect writes a clouds.yaml for the fake and connects.
func (f *fakeCloud) connect(change func(*openstack.Options)) (*openstack.Cloud, *bytes.Buffer) {
	f.t.Helper()
	file := filepath.Join(f.t.TempDir(), "clouds.yaml")
	text := fmt.Sprintf("clouds:\n  fake:\n    region_name: RegionOne\n    auth:\n      auth_url: %s/identity\n      username: admin\n      password: s3cret\n      project_name: admin\n      user_domain_name: Default\n      project_domain_name: Default\n", f.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	log := &bytes.Buffer{}
	opts := openstack.Options{
		CloudsFile: file, Cloud: "fake", Name: "lab", Logger: slog.New(slog.NewTextHandler(log, nil)),
		Budgets: map[string]openstack.Budget{},
	}
	for service := range endpoints {
		opts.Budgets[service] = openstack.Budget{InFlight: 4}
	}
	if change != nil {
		change(&opts)
	}
	c, err := openstack.Connect(f.t.Context(), opts)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(c.Close)
	return c, log
}

// inject makes fault answer calls first; it returns whether it did.
func (f *fakeCloud) inject(fault func(w http.ResponseWriter, r *http.Request, call string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// forget starts counting calls anew.
func (f *fakeCloud) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = map[string]int{}
}

// called returns how many calls were made to a service, by "path?query".
func (f *fakeCloud) called(service string) (total int, calls []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for call, n := range f.calls {
		if strings.HasPrefix(call, service+" ") {
			total += n
			calls = append(calls, fmt.Sprintf("%s ×%d", call, n))
		}
	}
	slices.Sort(calls)
	return total, calls
}

func (f *fakeCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call, service, key := f.name(r)
	f.mu.Lock()
	f.calls[call]++
	fault, valid := f.fault, f.valid
	f.mu.Unlock()
	if fault != nil && fault(w, r, call) {
		return
	}
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/identity/v3/auth/tokens":
		f.login(w)
	case key == "all versions":
		f.write(w, json.RawMessage(`{"versions": []}`))
	case key == "version document":
		f.write(w, f.recorded[service][key])
	case service == "":
		http.NotFound(w, r)
	case r.Header.Get("X-Auth-Token") != valid:
		http.Error(w, `{"error": {"code": 401, "message": "The request you have made requires authentication."}}`, http.StatusUnauthorized)
	default:
		answer, ok := f.recorded[service][key]
		if !ok {
			f.t.Errorf("%s was asked for %q, which is not recorded", service, key)
			http.NotFound(w, r)
			return
		}
		if service == "swift" {
			answer = accountHeaders(w.Header(), answer)
		}
		f.write(w, answer)
	}
}

// accountHeaders sets what Swift says in headers, recorded beside the body, and
// returns the body.
func accountHeaders(h http.Header, answer json.RawMessage) json.RawMessage {
	var recorded struct {
		Headers map[string]string
		Body    json.RawMessage
	}
	if json.Unmarshal(answer, &recorded) != nil {
		return answer
	}
	for name, value := range recorded.Headers {
		h.Set(name, value)
	}
	return recorded.Body
}

func (f *fakeCloud) write(w http.ResponseWriter, answer json.RawMessage) {
	w.Header().Set("Content-Type", "application/json")
	if f.date != "" {
		w.Header().Set("Date", f.date)
	}
	if _, err := w.Write(answer); err != nil {
		f.t.Log(err)
	}
}

// name says which service a request is for and under which key its answer is
// recorded.
func (f *fakeCloud) name(r *http.Request) (call, service, key string) {
	for name, e := range endpoints {
		if e.versions != "" && r.URL.Path == e.versions {
			return name + " version document", name, "version document"
		}
		if strings.HasPrefix(e.at, strings.TrimSuffix(r.URL.Path, "/")) && strings.Count(r.URL.Path, "/") == 2 && strings.HasSuffix(r.URL.Path, "/") {
			return name + " all versions", name, "all versions"
		}
	}
	if r.URL.Path == "/identity/v3/" {
		return "keystone all versions", "keystone", "all versions"
	}
	for name, base := range bases {
		rest, ok := strings.CutPrefix(r.URL.Path, base+"/")
		if !ok || rest == "" {
			continue
		}
		query := withoutTime(r.URL.Query())
		key := "/" + rest
		if len(query) > 0 {
			key += "?" + query.Encode()
		}
		call := name + " " + key
		key += askedVersion(r)
		return call, name, key
	}
	return r.Method + " " + r.URL.Path, "", ""
}

// askedVersion is " @2.100" for a call that asks for a microversion, in whichever
// header its service reads it.
func askedVersion(r *http.Request) string {
	if _, version, ok := strings.Cut(r.Header.Get("OpenStack-API-Version"), " "); ok {
		return " @" + version
	}
	for _, own := range []string{"X-OpenStack-Ironic-API-Version", "X-OpenStack-Manila-API-Version"} {
		if version := r.Header.Get(own); version != "" {
			return " @" + version
		}
	}
	return ""
}

// withoutTime puts T for the times in a query, which differ with each look.
func withoutTime(query url.Values) url.Values {
	for _, name := range []string{"changes-since", "generated-since"} {
		if query.Has(name) {
			query.Set(name, "T")
		}
	}
	for _, name := range []string{"updated_at", "created_at"} {
		if query.Has(name) {
			query.Set(name, "gt:T")
		}
	}
	return query
}

// login answers POST /v3/auth/tokens.
func (f *fakeCloud) login(w http.ResponseWriter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens++
	f.valid = fmt.Sprintf("token-%d", f.tokens)
	var catalog []map[string]any
	for service, e := range endpoints {
		if slices.Contains(f.absent, service) {
			continue
		}
		at, ok := f.at[service]
		if !ok {
			at = f.URL + e.at
		}
		all := []map[string]string{
			{"interface": "public", "region_id": "Elsewhere", "url": "http://127.0.0.1:1/"},
			{"interface": "internal", "region_id": "RegionOne", "url": "http://127.0.0.1:1/"},
			{"interface": "public", "region_id": "RegionOne", "region": "RegionOne", "url": at},
		}
		if slices.Contains(f.elsewhere, service) {
			all = all[:1]
		}
		catalog = append(catalog, map[string]any{"type": e.kind, "name": service, "endpoints": all})
	}
	w.Header().Set("X-Subject-Token", f.valid)
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{"token": map[string]any{
		"expires_at": time.Now().Add(f.life).UTC().Format("2006-01-02T15:04:05.000000Z"),
		"issued_at":  time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
		"project":    map[string]string{"id": f.project},
		"roles":      []map[string]string{{"id": "1", "name": f.role}}, "catalog": catalog,
	}})
}
