package openstack_test

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// These tests are about what happens to a cloud that is well: tokens end,
// passwords are changed, services move, and clouds.yaml is written anew.

// entry writes a clouds.yaml whose cloud "fake" has this text after auth_url, and
// returns a function that writes it again.
func (f *fakeCloud) entry(auth string) (change func(*openstack.Options), rewrite func(auth string)) {
	file := filepath.Join(f.t.TempDir(), "clouds.yaml")
	rewrite = func(auth string) {
		f.t.Helper()
		text := fmt.Sprintf("clouds:\n  fake:\n    region_name: RegionOne\n    auth:\n      auth_url: %s/identity\n%s", f.URL, auth)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
	rewrite(auth)
	return func(o *openstack.Options) { o.CloudsFile = file }, rewrite
}

const passwordEntry = `      username: admin
      password: %s
      project_name: admin
      user_domain_name: Default
      project_domain_name: Default
`

// login is what POST /v3/auth/tokens has of the ways to log in.
type login struct {
	Auth struct {
		Identity struct {
			Methods  []string
			Password struct {
				User struct {
					Name     string
					Password string
				}
			}
			ApplicationCredential struct {
				ID, Name, Secret string
			} `json:"application_credential"`
		}
		Scope json.RawMessage
	}
}

// admits makes the fake refuse logins that ok does not like.
func (f *fakeCloud) admits(ok func(login) bool) {
	f.inject(func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.Method != http.MethodPost {
			return false
		}
		var l login
		if err := json.NewDecoder(r.Body).Decode(&l); err != nil {
			f.t.Error(err)
		}
		if ok(l) {
			return false
		}
		http.Error(w, `{"error": {"code": 401, "message": "The request you have made requires authentication."}}`, http.StatusUnauthorized)
		return true
	})
}

func (f *fakeCloud) admitsPassword(password string) {
	f.admits(func(l login) bool { return l.Auth.Identity.Password.User.Password == password })
}

// revoke makes all tokens bad, as Keystone does when a password is changed.
func (f *fakeCloud) revoke() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.valid = "none of yours"
}

func (f *fakeCloud) logins() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tokens
}

func TestTokenExpiresDuringARound(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	var asked atomic.Int32
	f.inject(func(_ http.ResponseWriter, r *http.Request, call string) bool {
		if strings.HasPrefix(call, "placement /") && asked.Add(1) == 4 {
			f.revoke() // in the middle of the providers, four of which are asked for at once
		}
		return false
	})
	s, err := collect(t, source(t, cloud, "placement_providers"))
	if err != nil || len(s.Failed) > 0 || !s.Inventories[0].Complete || len(s.Inventories[0].Objects) != 7 {
		t.Errorf("%v; failed %v; %d objects, complete %v", err, s.Failed, len(s.Inventories[0].Objects), s.Inventories[0].Complete)
	}
	if n := f.logins(); n != 2 {
		t.Errorf("%d logins, want 2", n)
	}
}

func TestTokenExpiresBetweenTwoPages(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	paged := pages(func(m string) string { return map[string]string{"": "a", "a": "b", "b": ""}[m] })
	var ended atomic.Bool
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		if r.URL.Query().Get("marker") == "a" && !ended.Swap(true) {
			http.Error(w, `{"error": {"code": 401, "message": "expired"}}`, http.StatusUnauthorized)
			return true
		}
		return paged(w, r, call)
	})
	s, err := collect(t, source(t, cloud, "nova_servers"))
	if err != nil || len(s.Inventories[0].Objects) != 3 || !s.Inventories[0].Complete {
		t.Errorf("%v; failed %v; %d objects, complete %v", err, s.Failed, len(s.Inventories[0].Objects), s.Inventories[0].Complete)
	}
}

// TestPasswordChange changes it in Keystone first, as people do, and in
// clouds.yaml afterwards: the exporter works again with its next look.
func TestPasswordChange(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	change, rewrite := f.entry(fmt.Sprintf(passwordEntry, "0ld-secret"))
	f.admitsPassword("0ld-secret")
	cloud, log := f.connect(change)
	agents := source(t, cloud, "neutron_agents")
	if _, err := collect(t, agents); err != nil {
		t.Fatal(err)
	}
	f.admitsPassword("n3w-secret")
	f.revoke()
	for range 3 {
		_, err := collect(t, agents)
		if exporters.KindOf(err) != exporters.KindUnauthorized || !strings.Contains(err.Error(), "check user, password") {
			t.Errorf("while the file has the old password: %v", err)
		}
	}
	f.forget()
	if _, err := collect(t, agents); err == nil {
		t.Error("no error with the old password")
	}
	f.mu.Lock()
	if n := f.calls["keystone /auth/tokens"]; n > 0 {
		t.Errorf("%d logins with a password that was refused just now: Keystone locks such accounts", n)
	}
	f.mu.Unlock()
	rewrite("      username: [half a fi") // an editor saves in two steps
	if _, err := collect(t, agents); err == nil {
		t.Error("no error with half a file")
	}
	rewrite(fmt.Sprintf(passwordEntry, "n3w-secret"))
	if _, err := collect(t, agents); err != nil {
		t.Errorf("after clouds.yaml has the new password: %v", err)
	}
	for _, secret := range []string{"0ld-secret", "n3w-secret"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log has a password:\n%s", log)
		}
	}
	if !strings.Contains(log.String(), "clouds.yaml has changed and was read again") || strings.Count(log.String(), "cannot be used") != 1 {
		t.Errorf("log:\n%s", log)
	}
}

// TestPasswordInSecureYAML is the same where the password lies apart.
func TestPasswordInSecureYAML(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	change, _ := f.entry("      username: admin\n      project_name: admin\n      user_domain_name: Default\n      project_domain_name: Default\n")
	var dir string
	f.admitsPassword("first")
	secure := func(password string) {
		if err := os.WriteFile(filepath.Join(dir, "secure.yaml"), []byte("clouds: {fake: {auth: {password: "+password+"}}}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cloud, _ := f.connect(func(o *openstack.Options) {
		change(o)
		dir = filepath.Dir(o.CloudsFile)
		secure("first")
	})
	agents := source(t, cloud, "neutron_agents")
	if _, err := collect(t, agents); err != nil {
		t.Fatal(err)
	}
	f.admitsPassword("second one")
	f.revoke()
	secure("second one")
	if _, err := collect(t, agents); err != nil {
		t.Errorf("after secure.yaml has the new password: %v", err)
	}
}

func TestApplicationCredential(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	change, rewrite := f.entry("      application_credential_id: ac1\n      application_credential_secret: s1\n")
	admits := func(id, secret string) {
		f.admits(func(l login) bool {
			a := l.Auth.Identity
			if len(a.Methods) != 1 || a.Methods[0] != "application_credential" || len(l.Auth.Scope) > 0 {
				t.Errorf("methods %q, scope %s: an application credential has its own scope", a.Methods, l.Auth.Scope)
			}
			return a.ApplicationCredential.ID == id && a.ApplicationCredential.Secret == secret
		})
	}
	admits("ac1", "s1")
	cloud, _ := f.connect(func(o *openstack.Options) { change(o); o.SystemScope = true })
	agents := source(t, cloud, "neutron_agents")
	if _, err := collect(t, agents); err != nil {
		t.Fatal(err)
	}
	// It is replaced by a new one, then deleted: so they are rotated.
	rewrite("      application_credential_id: ac2\n      application_credential_secret: s2\n")
	admits("ac2", "s2")
	f.revoke()
	if _, err := collect(t, agents); err != nil {
		t.Errorf("after the credential was replaced: %v", err)
	}
}

// TestCatalogChange moves a service: nobody answers at its old place, and the
// catalogue says the new one.
func TestCatalogChange(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	old := httptest.NewServer(f)
	f.at = map[string]string{"neutron": old.URL + "/network/"}
	cloud, _ := f.connect(func(o *openstack.Options) { o.CatalogAge = 50 * time.Millisecond })
	agents := source(t, cloud, "neutron_agents")
	if _, err := collect(t, agents); err != nil {
		t.Fatal(err)
	}
	old.Close()
	f.mu.Lock()
	f.at = nil
	f.mu.Unlock()
	time.Sleep(60 * time.Millisecond)
	if _, err := collect(t, agents); err != nil {
		t.Errorf("after Neutron has moved: %v", err)
	}
	if n := f.logins(); n != 2 {
		t.Errorf("%d logins, want 2", n)
	}
}

// TestServiceThatStaysAwayIsNotLookedForAllTheTime asks for the catalogue at most
// once each CatalogAge.
func TestServiceThatStaysAwayIsNotLookedForAllTheTime(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	f.at = map[string]string{"neutron": "http://127.0.0.1:1"}
	cloud, _ := f.connect(nil)
	agents := source(t, cloud, "neutron_agents")
	for range 5 {
		_, err := collect(t, agents)
		if exporters.KindOf(err) != exporters.KindRefused || !strings.Contains(err.Error(), "the address is from the catalogue of cloud lab") {
			t.Errorf("error %v", err)
		}
	}
	if n := f.logins(); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
}

func TestServiceIsAddedToTheCatalog(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	f.absent, f.life = []string{"neutron"}, time.Second
	cloud, _ := f.connect(nil)
	agents := source(t, cloud, "neutron_agents")
	if _, err := collect(t, agents); !errors.Is(err, exporters.ErrAbsent) {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.absent = nil
	f.mu.Unlock()
	time.Sleep(800 * time.Millisecond) // the next login
	if _, err := collect(t, agents); err != nil {
		t.Errorf("with the next token: %v", err)
	}
}

// TestRegionWithoutAService: each service has an endpoint in RegionOne only.
func TestRegionWithoutAService(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	f.elsewhere = []string{"cinder"}
	cloud, _ := f.connect(nil)
	s, err := collect(t, source(t, cloud, "cinder_volumes"))
	if s != nil || !errors.Is(err, exporters.ErrAbsent) || !strings.Contains(err.Error(), "in region RegionOne of the catalogue") {
		t.Errorf("%v %v", s, err)
	}
	if _, err := collect(t, source(t, cloud, "neutron_agents")); err != nil {
		t.Errorf("a service that is there: %v", err)
	}
	up, err := collect(t, source(t, cloud, "openstack_api"))
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range up.Samples {
		if sample.Labels[0] == "cinder" {
			t.Errorf("%s of a service that this region lacks: %v", sample.Family.Name, sample.Value)
		}
	}
}

func TestSeveralRegionsAndNoneNamed(t *testing.T) {
	t.Parallel()
	f := newFakeCloud(t)
	cloud, _ := f.connect(func(o *openstack.Options) {
		text, err := os.ReadFile(o.CloudsFile)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(o.CloudsFile, []byte(strings.Replace(string(text), "    region_name: RegionOne\n", "", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	_, err := collect(t, source(t, cloud, "neutron_agents"))
	if err == nil || !strings.Contains(err.Error(), "in regions Elsewhere, RegionOne: set region_name in") {
		t.Errorf("error %v", err)
	}
}

// TestEndpointForms gives the catalogue the forms that installers write: with a
// path or a port, with a slash at the end, with another version, with a project.
func TestEndpointForms(t *testing.T) {
	for service, forms := range map[string]map[string]string{ // endpoint: where the call goes
		"neutron": {
			"": "/v2.0/agents", "/": "/v2.0/agents", "/network": "/network/v2.0/agents", "/network/": "/network/v2.0/agents",
			"/v2.0": "/v2.0/agents", "/network/v2.0/": "/network/v2.0/agents", "//network//": "/network/v2.0/agents",
		},
		"nova": {
			"/v2.1": "/v2.1/flavors/detail", "/v2.1/": "/v2.1/flavors/detail", "/compute/v2/0123456789abcdef": "/compute/v2.1/0123456789abcdef/flavors/detail",
			"/compute": "/compute/v2.1/flavors/detail", "/compute/v2.1/0123456789abcdef/": "/compute/v2.1/0123456789abcdef/flavors/detail",
		},
		"placement": {
			"": "/resource_providers", "/": "/resource_providers", "/placement": "/placement/resource_providers", "/placement/": "/placement/resource_providers",
		},
		"cinder": {
			"/v3/0123456789abcdef": "/v3/0123456789abcdef/types", "/v3/0123456789abcdef/": "/v3/0123456789abcdef/types",
			"/volume/v2/0123456789abcdef": "/volume/v3/0123456789abcdef/types", "/volume/v3": "/volume/v3/types",
		},
	} {
		looks := map[string]string{"neutron": "neutron_agents", "nova": "nova_flavors", "placement": "placement_providers", "cinder": "cinder_types"}[service]
		for form, want := range forms {
			t.Run(service+" at "+form, func(t *testing.T) {
				t.Parallel()
				paths := make(chan string, 100)
				other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					paths <- r.URL.Path
					// A version document, in whatever form; then nothing of use.
					_, _ = io.WriteString(w, `{"versions": [{"id": "v", "min_version": "2.1", "version": "2.100"}, {"min_version": "3.0", "version": "3.71"}, {"min_version": "1.0", "max_version": "1.39"}]}`)
				}))
				t.Cleanup(other.Close)
				f := newFakeCloud(t)
				f.at = map[string]string{service: other.URL + form}
				cloud, _ := f.connect(nil)
				_, _ = collect(t, source(t, cloud, looks))
				close(paths)
				var all []string
				for p := range paths {
					if p == want {
						return
					}
					all = append(all, p)
				}
				t.Errorf("asked for %q, want %s", all, want)
			})
		}
	}
}

// TestPrivateCA serves the whole cloud over TLS with a certificate that no
// machine trusts.
func TestPrivateCA(t *testing.T) {
	f := newFakeCloud(t)
	secure := httptest.NewTLSServer(f)
	t.Cleanup(secure.Close)
	secure.Config.ErrorLog = nil
	f.URL = secure.URL // what the catalogue and clouds.yaml say
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	entry := fmt.Sprintf(passwordEntry, "x")
	for name, c := range map[string]struct{ more, says string }{
		"named as cacert":  {"    cacert: " + ca + "\n", ""},
		"not verified":     {"    verify: false\n", ""},
		"not trusted":      {"", `name the file of the CA that signed it as cacert of cloud "fake" in `},
		"verify is stated": {"    verify: true\n", "certificate signed by unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			change, _ := f.entry(entry + c.more)
			cloud, _ := f.connect(change)
			_, err := collect(t, source(t, cloud, "neutron_agents"))
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v, want %q", err, c.says)
			}
		})
	}
	t.Run("no such file", func(t *testing.T) {
		change, _ := f.entry(entry + "    cacert: /nowhere/ca.pem\n")
		var opts openstack.Options
		change(&opts)
		opts.Cloud = "fake"
		if _, err := openstack.Connect(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "/nowhere/ca.pem") {
			t.Errorf("error %v", err)
		}
	})
}
