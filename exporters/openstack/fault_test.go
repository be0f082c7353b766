package openstack_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
	"mcloud/exporters/openstack/nova"
)

// source returns one Source by name.
func source(t *testing.T, c *openstack.Cloud, name string) exporters.Source {
	t.Helper()
	for _, s := range allSources(c) {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no source %q", name)
	return exporters.Source{}
}

func collect(t *testing.T, s exporters.Source) (*exporters.Snapshot, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return s.Collector.Collect(ctx)
}

func answer(code int, body string) func(http.ResponseWriter, *http.Request, string) bool {
	return func(w http.ResponseWriter, r *http.Request, call string) bool {
		if !strings.HasPrefix(call, "nova /os-services") {
			return false
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
		return true
	}
}

// TestFaultsOfOneCall breaks GET /os-services in every way and expects the rest
// of the look to be there, and an error that says what is wrong.
func TestFaultsOfOneCall(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request, string) bool
		kind  string
		says  string
	}{
		{"500", answer(500, `{"computeFault": {"code": 500, "message": "Unexpected API Error."}}`), exporters.KindServerError, "nova: GET /os-services: 500 Internal Server Error: Unexpected API Error."},
		{"403", answer(403, `{"forbidden": {"code": 403, "message": "Policy doesn't allow it."}}`), exporters.KindForbidden, "Policy doesn't allow it. (the account needs the role admin"},
		{"proxy's HTML", answer(502, `<html><body>Bad Gateway</body></html>`), exporters.KindServerError, "502 Bad Gateway"},
		{"truncated JSON", answer(200, `{"services": [{"binary": "nova-co`), exporters.KindDecode, "unexpected end of JSON input"},
		{"not JSON", answer(200, `hello`), exporters.KindDecode, "invalid character"},
		{"other JSON", answer(200, `{"hello": 1}`), exporters.KindDecode, `the answer has no "services"`},
		{"wrong type", answer(200, `{"services": "none"}`), exporters.KindDecode, `"services" of the answer`},
		{"huge answer", answer(200, `{"services": "`+strings.Repeat("x", 300<<10)+`"}`), exporters.KindOther, "the answer is larger than"},
		{"cut connection", func(w http.ResponseWriter, _ *http.Request, call string) bool {
			if call != "nova /os-services" {
				return false
			}
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "{")
			return true
		}, exporters.KindDecode, "unexpected EOF"},
		{"timeout", func(_ http.ResponseWriter, r *http.Request, call string) bool {
			if call != "nova /os-services" {
				return false
			}
			<-r.Context().Done()
			return true
		}, exporters.KindTimeout, "deadline exceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFakeCloud(t)
			cloud, _ := f.connect(func(o *openstack.Options) { o.RequestTimeout, o.MaxAnswerBytes = time.Second, 200<<10 })
			f.inject(c.fault)
			s, err := collect(t, source(t, cloud, "nova_hosts"))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one with %q", err, c.says)
			}
			if kind := exporters.KindOf(err); kind != c.kind {
				t.Errorf("kind %s of %v, want %s", kind, err, c.kind)
			}
			if s == nil || s.Seen < 11 {
				t.Fatalf("the other answers were not kept: %+v", s)
			}
			// Without services a host's zone is not known, so hosts are not recorded,
			// unless the account may never read services.
			hosts := slices.ContainsFunc(s.Inventories, func(v mcloud.Inventory) bool { return v.Kind == mcloud.KindHost })
			if hosts != (c.kind == exporters.KindForbidden) {
				t.Errorf("hosts recorded: %v", hosts)
			}
		})
	}
}

func TestOneBadObjectIsNamedAndTheRestKept(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if !strings.HasPrefix(call, "cinder /volumes/detail") {
			return false
		}
		var page struct {
			Volumes []map[string]any `json:"volumes"`
		}
		if err := json.Unmarshal(f.recorded["cinder"]["/volumes/detail?all_tenants=1&limit=1000 @3.71"], &page); err != nil {
			t.Error(err)
		}
		page.Volumes[1]["size"] = map[string]any{"oops": true}
		page.Volumes[2]["created_at"] = "yesterday"
		_ = json.NewEncoder(w).Encode(page)
		return true
	})
	s, err := collect(t, source(t, cloud, "cinder_volumes"))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Failed) != 2 || !strings.HasPrefix(s.Failed[0].Object, "volume ") || exporters.KindOf(s.Failed[1]) == "" {
		t.Errorf("failed: %v", s.Failed)
	}
	v := s.Inventories[0]
	if v.Complete || len(v.Objects) < 5 {
		t.Errorf("inventory complete %v with %d objects", v.Complete, len(v.Objects))
	}
}

func TestTokenIsRenewedOnceAfterA401(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	hosts := source(t, cloud, "nova_hosts")
	if _, err := collect(t, hosts); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.valid = "revoked all others"
	f.mu.Unlock()
	if _, err := collect(t, hosts); err != nil {
		t.Errorf("after a revoked token: %v", err)
	}
	if f.tokens != 2 {
		t.Errorf("%d logins, want 2", f.tokens)
	}
	// A service that refuses every token costs one login a look, and says why.
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if strings.HasPrefix(call, "nova /") {
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		return false
	})
	_, err := collect(t, source(t, cloud, "nova_flavors"))
	if exporters.KindOf(err) != exporters.KindUnauthorized || !strings.Contains(err.Error(), "refuses a fresh token") {
		t.Errorf("error %v", err)
	}
	if f.tokens != 3 {
		t.Errorf("%d logins, want 3", f.tokens)
	}
}

func TestOneTokenForEverybody(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	var wait sync.WaitGroup
	for _, s := range allSources(cloud) {
		if s.Name == "openstack_api" {
			continue
		}
		wait.Go(func() {
			if _, err := collect(t, s); err != nil && !errors.Is(err, exporters.ErrAbsent) {
				t.Errorf("%s: %v", s.Name, err)
			}
		})
	}
	wait.Wait()
	if f.tokens != 1 {
		t.Errorf("%d logins for all sources at once, want 1", f.tokens)
	}
}

func TestTokenIsRenewedBeforeItExpires(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	f.life = 2 * time.Second // renewed after three quarters
	cloud, _ := f.connect(nil)
	s := source(t, cloud, "neutron_agents")
	for range 2 {
		if _, err := collect(t, s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1600 * time.Millisecond)
	}
	if f.tokens != 2 {
		t.Errorf("%d logins, want 2", f.tokens)
	}
}

func TestKeystoneAway(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		http.Error(w, "no", http.StatusServiceUnavailable)
		return true
	})
	hosts := source(t, cloud, "nova_hosts")
	for range 5 {
		s, err := collect(t, hosts)
		if s != nil || exporters.KindOf(err) != exporters.KindServerError || !strings.Contains(err.Error(), "keystone: POST /auth/tokens: 503") {
			t.Errorf("%v %v", s, err)
		}
	}
	if n := f.calls["POST /identity/v3/auth/tokens"] + f.calls["keystone /auth/tokens"]; n != 1 {
		t.Errorf("%d logins tried in a row, want 1: a Keystone that is down must not be hammered", n)
	}
	f.inject(nil)
	time.Sleep(2100 * time.Millisecond)
	if _, err := collect(t, hosts); err != nil {
		t.Errorf("after Keystone came back: %v", err)
	}
}

func TestUnreachableKeystoneNamesAddressAndFile(t *testing.T) {
	f := newFakeCloud(t)
	f.Close()
	cloud, _ := f.connect(nil)
	_, err := collect(t, source(t, cloud, "keystone_projects"))
	for _, part := range []string{"connection refused", f.URL + "/identity/v3", `auth_url of cloud "fake"`, "clouds.yaml"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v lacks %q", err, part)
		}
	}
	if exporters.KindOf(err) != exporters.KindRefused || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("kind %s of %v", exporters.KindOf(err), err)
	}
}

func TestWrongPassword(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.Method == http.MethodPost {
			http.Error(w, `{"error": {"code": 401, "message": "The request you have made requires authentication."}}`, http.StatusUnauthorized)
		}
		return r.Method == http.MethodPost
	})
	_, err := collect(t, source(t, cloud, "keystone_projects"))
	if exporters.KindOf(err) != exporters.KindUnauthorized || !strings.Contains(err.Error(), `check user, password, domain and project of cloud "fake" in `) {
		t.Errorf("error %v", err)
	}
}

func TestAbsentServiceIsNotAnErrorStorm(t *testing.T) {
	f := newFakeCloud(t)
	f.absent = []string{"cinder"}
	cloud, _ := f.connect(nil)
	s, err := collect(t, source(t, cloud, "cinder_pools"))
	if s != nil || !errors.Is(err, exporters.ErrAbsent) || !strings.Contains(err.Error(), "no public endpoint of type block-storage in region RegionOne") {
		t.Errorf("%v %v", s, err)
	}
}

func TestThrottledCallIsRepeatedAsAsked(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	var tries atomic.Int32
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if call != "neutron /agents" || tries.Add(1) > 2 {
			return false
		}
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	start := time.Now()
	if _, err := collect(t, source(t, cloud, "neutron_agents")); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); tries.Load() != 3 || took < 1900*time.Millisecond {
		t.Errorf("%d tries in %v, want 3 in two seconds", tries.Load(), took)
	}
	// One that asks for more time than the look has is given up at once.
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if call != "neutron /agents" {
			return false
		}
		tries.Add(1)
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	tries.Store(0)
	_, err := collect(t, source(t, cloud, "neutron_agents"))
	if exporters.KindOf(err) != exporters.KindThrottled || tries.Load() != 1 {
		t.Errorf("%d tries: %v", tries.Load(), err)
	}
}

// pages serves /servers/detail in pages; next is the marker after a marker.
func pages(next func(marker string) string) func(http.ResponseWriter, *http.Request, string) bool {
	return func(w http.ResponseWriter, r *http.Request, call string) bool {
		if !strings.HasPrefix(call, "nova /servers/detail?all_tenants=1&limit") && !strings.HasPrefix(call, "nova /servers/detail?all_tenants=1&marker") {
			return false
		}
		query := r.URL.Query()
		id := "first"
		if m := query.Get("marker"); m != "" {
			id = "after-" + m
		}
		body := map[string]any{"servers": []map[string]any{{"id": id, "status": "ACTIVE"}}}
		if m := next(query.Get("marker")); m != "" {
			query.Set("marker", m)
			// The host is one that only the service itself knows.
			body["servers_links"] = []map[string]string{{"rel": "next", "href": "http://internal.invalid/servers/detail?" + query.Encode()}}
		}
		_ = json.NewEncoder(w).Encode(body)
		return true
	}
}

func TestPagesAreFollowedAndLoopsAreNot(t *testing.T) {
	for _, c := range []struct {
		name  string
		next  func(string) string
		ids   int
		error string
	}{
		{"three pages", func(m string) string { return map[string]string{"": "a", "a": "b", "b": ""}[m] }, 3, ""},
		{"loop", func(m string) string { return map[string]string{"": "a", "a": "b", "b": "a"}[m] }, 3, "links to a page that was read already"},
		{"endless", func(m string) string { return m + "x" }, openstack.MaxPages, fmt.Sprintf("more than %d pages", openstack.MaxPages)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFakeCloud(t)
			cloud, _ := f.connect(nil)
			f.inject(pages(c.next))
			s, err := collect(t, source(t, cloud, "nova_servers"))
			if c.error == "" && err != nil || c.error != "" && (err == nil || !strings.Contains(err.Error(), c.error)) {
				t.Errorf("error %v, want %q", err, c.error)
			}
			v := s.Inventories[0]
			if len(v.Objects) != c.ids || v.Complete != (c.error == "") {
				t.Errorf("%d servers, complete %v", len(v.Objects), v.Complete)
			}
		})
	}
}

// TestQuietRoundsAreCheap counts the calls of a second look at an unchanged cloud.
func TestQuietRoundsAreCheap(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	sources := allSources(cloud)
	for round := range 2 {
		f.forget()
		for _, s := range sources {
			if s.Name == "openstack_api" {
				continue
			}
			if _, err := collect(t, s); err != nil && !errors.Is(err, exporters.ErrAbsent) {
				t.Errorf("round %d, %s: %v", round, s.Name, err)
			}
		}
	}
	for service, want := range map[string]int{"keystone": 8, "placement": 3, "nova": 14, "cinder": 12, "glance": 4, "heat": 2, "neutron": 18} {
		if n, calls := f.called(service); n != want {
			t.Errorf("%s: %d calls in a quiet round, want %d:\n%s", service, n, want, strings.Join(calls, "\n"))
		}
	}
}

func TestServersFollowChanges(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	all := nova.Sources(cloud, nova.Config{})
	servers, actions := all[2], all[3]
	first, err := collect(t, servers)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := collect(t, actions); err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, o := range first.Inventories[0].Objects {
		known = append(known, o.ID)
	}
	now := time.Now().UTC().Format(time.RFC3339)
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		switch {
		case call == "nova /servers/detail?all_tenants=1&changes-since=T&limit=1000":
			_, _ = fmt.Fprintf(w, `{"servers": [{"id": %q, "status": "DELETED", "updated": %q}, {"id": "born", "name": "b", "status": "BUILD", "updated": %q}]}`, known[0], now, now)
		case strings.HasSuffix(call, "/os-instance-actions"):
			_, _ = fmt.Fprintf(w, `{"instanceActions": [{"action": "x", "request_id": "req-1", "start_time": "2026-11-22T22:20:26.000000", "message": "Error"}]}`)
		default:
			return false
		}
		return true
	})
	second, err := collect(t, servers)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, o := range second.Inventories[0].Objects {
		ids = append(ids, o.ID)
	}
	if want := slices.Sorted(slices.Values(append(slices.Clone(known[1:]), "born"))); !slices.Equal(ids, want) || !second.Inventories[0].Complete {
		t.Errorf("servers %q, want %q", ids, want)
	}
	f.forget()
	// Deletion is read at once, and once more when it has ended; what was born may wait.
	done, err := collect(t, actions)
	if err != nil || len(done.Inventories) != 1 || len(done.Inventories[0].Objects) != 1 || done.Inventories[0].Complete {
		t.Fatalf("%v %+v", err, done)
	}
	if o := done.Inventories[0].Objects[0]; o.Parent != known[0] || o.ID != known[0]+"/req-1" {
		t.Errorf("%+v", o)
	}
	if n, calls := f.called("nova"); n != 1 {
		t.Errorf("%d calls for one deleted server: %q", n, calls)
	}
	if again, err := collect(t, actions); err != nil || again.Seen != 0 || again.Samples[0].Value != 2 {
		t.Errorf("%v %+v", err, again)
	}
	if third, err := collect(t, servers); err != nil || len(third.Inventories[0].Objects) != len(ids) {
		t.Errorf("the same changes again: %v %+v", err, third)
	}
}

func TestUserDataIsNotKept(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	s, err := collect(t, source(t, cloud, "nova_servers"))
	if err != nil {
		t.Fatal(err)
	}
	if raw := string(f.recorded["nova"]["/servers/detail?all_tenants=1&limit=1000 @2.100"]); !strings.Contains(raw, "cmVkYWN0ZWQ=") {
		t.Fatal("the recording has no user data, so this test proves nothing")
	}
	for _, o := range s.Inventories[0].Objects {
		if strings.Contains(string(o.Attributes), "cmVkYWN0ZWQ=") || strings.Contains(string(o.Attributes), "user_data") {
			t.Errorf("%s keeps user data: %s", o.Name, o.Attributes)
		}
	}
}

func TestCinderHidesFromOthersThanAdmins(t *testing.T) {
	f := newFakeCloud(t)
	f.role = "reader"
	cloud, _ := f.connect(nil)
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if strings.HasPrefix(call, "cinder /volumes/detail") {
			_, _ = io.WriteString(w, `{"volumes": []}`)
			return true
		}
		return false
	})
	s, err := collect(t, source(t, cloud, "cinder_volumes"))
	if s != nil || exporters.KindOf(err) != exporters.KindForbidden || !strings.Contains(err.Error(), "sees only its own project's volumes") {
		t.Errorf("%+v %v", s, err)
	}
}

func TestPlacementUsagesOfAFullProvider(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if strings.HasPrefix(call, "placement /allocation_candidates") {
			_, _ = io.WriteString(w, `{"allocation_requests": [], "provider_summaries": {}}`) // no room anywhere
			return true
		}
		return false
	})
	s, err := collect(t, source(t, cloud, "placement_providers"))
	if err != nil || len(s.Failed) > 0 || len(s.Inventories[0].Objects) != 7 || !s.Inventories[0].Complete {
		t.Fatalf("%v %+v", err, s.Failed)
	}
	var alone mcloud.Provider
	if err := json.Unmarshal(s.Inventories[0].Objects[0].Attributes, &alone); err != nil {
		t.Fatal(err)
	}
	if len(alone.Usages) != 3 {
		t.Errorf("usages %v", alone.Usages)
	}
}

func TestAPIUp(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(func(w http.ResponseWriter, r *http.Request, _ string) bool {
		code, ok := map[string]int{
			"/identity/": 300, "/placement/": 200, "/compute/": 503, "/volume/": 404, "/network/": 401,
		}[r.URL.Path]
		if ok {
			w.WriteHeader(code)
		}
		return ok
	})
	s, err := collect(t, source(t, cloud, "openstack_api"))
	if err != nil {
		t.Fatal(err)
	}
	up := map[string]float64{}
	for _, sample := range s.Samples {
		if sample.Family.Name == "openstack_api_up" {
			up[sample.Labels[0]] = sample.Value
		}
	}
	want := map[string]float64{
		"keystone": 1, "placement": 1, "nova": 0, "cinder": 1, "neutron": 1, "glance": 1, "heat": 1,
		"octavia": 1, "barbican": 1, "designate": 1, "masakari": 1,
		"gnocchi": 1, "ironic": 1, "magnum": 1, "manila": 1, "swift": 1, "trove": 1,
	}
	if fmt.Sprint(up) != fmt.Sprint(want) || len(s.Failed) != 1 || !strings.Contains(s.Failed[0].Error(), "503") {
		t.Errorf("up %v, want %v; failed %v", up, want, s.Failed)
	}
}

// TestAPIUpDoesNotWaitForOurOwnCalls keeps Nova's whole budget busy: the API is
// up all the same, and answers fast.
func TestAPIUpDoesNotWaitForOurOwnCalls(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	cloud, _ := f.connect(func(o *openstack.Options) { o.Budgets["nova"] = openstack.Budget{InFlight: 1} })
	asked, release := make(chan struct{}), make(chan struct{})
	f.inject(func(_ http.ResponseWriter, _ *http.Request, call string) bool {
		if call != "nova /os-aggregates" {
			return false
		}
		close(asked)
		<-release
		return true
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = cloud.Get(ctx, openstack.API{Name: "nova", Types: []string{"compute"}, Version: "v2.1"}, "/os-aggregates", nil)
	}()
	defer func() { cancel(); close(release); <-ended }()
	<-asked
	s, _ := collect(t, source(t, cloud, "openstack_api"))
	for _, sample := range s.Samples {
		if sample.Family.Name == "openstack_api_up" && sample.Labels[0] == "nova" {
			if sample.Value != 1 {
				t.Error("Nova seems to be down because our own calls keep it busy")
			}
			return
		}
	}
	t.Error("nothing is said of Nova")
}

func TestConnectNamesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for want, o := range map[string]openstack.Options{
		`has no cloud "prod"; it has: lab, test`:        {CloudsFile: write("a.yaml", "clouds: {test: {}, lab: {}}"), Cloud: "prod"},
		"is not a clouds.yaml":                          {CloudsFile: write("b.yaml", "clouds: [1"), Cloud: "x"},
		"no clouds.yaml found in " + dir + "/none.yaml": {CloudsFile: dir + "/none.yaml", Cloud: "x"},
		"has no auth.auth_url":                          {CloudsFile: write("c.yaml", "clouds: {x: {auth: {username: u}}}"), Cloud: "x"},
		"auth.auth_url is not an http or https URL":     {CloudsFile: write("d.yaml", "clouds: {x: {auth: {auth_url: 'keystone:5000'}}}"), Cloud: "x"},
	} {
		if _, err := openstack.Connect(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestMicroversionsWithoutOverlap(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if call == "nova version document" {
			_, _ = io.WriteString(w, `{"version": {"id": "v2.1", "min_version": "2.1", "version": "2.38"}}`)
			return true
		}
		return false
	})
	_, err := collect(t, source(t, cloud, "nova_flavors"))
	if err == nil || !strings.Contains(err.Error(), "nova speaks microversions 2.1 to 2.38 and mcloud 2.61 to 2.100") {
		t.Errorf("error %v", err)
	}
}
