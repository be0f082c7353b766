package openstack_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
	"mcloud/exporters/openstack/horizon"
)

// secure serves the fake cloud by TLS, and connects with the CA that signed it or
// without.
func (f *fakeCloud) secure(t *testing.T, trusted bool) (*openstack.Cloud, time.Time) {
	t.Helper()
	f.Server = httptest.NewTLSServer(f)
	t.Cleanup(f.Close)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("clouds:\n  fake:\n    region_name: RegionOne\n    auth: {auth_url: %s/identity, username: admin, password: s3cret, project_name: admin, user_domain_name: Default, project_domain_name: Default}\n", f.URL)
	if trusted {
		text += "    cacert: " + ca + "\n"
	}
	file := filepath.Join(dir, "clouds.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := openstack.Connect(t.Context(), openstack.Options{CloudsFile: file, Cloud: "fake", Name: "lab"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, f.Certificate().NotAfter
}

// TestCertificatesOfEndpoints proves that each HTTPS endpoint's expiry is told, on
// a fresh connection and on one that is used again, and also when the certificate
// is refused.
func TestCertificatesOfEndpoints(t *testing.T) {
	f := newFakeCloud(t)
	cloud, until := f.secure(t, true)
	for range 2 {
		s, err := collect(t, source(t, cloud, "openstack_api"))
		if err != nil {
			t.Fatal(err)
		}
		for service := range endpoints {
			if got := value(t, s, "openstack_api_certificate_expiry_timestamp_seconds", service); got != float64(until.Unix()) {
				t.Errorf("%s: %v, want %v", service, got, until.Unix())
			}
		}
	}

	f = newFakeCloud(t)
	cloud, until = f.secure(t, false)
	s, _ := collect(t, source(t, cloud, "openstack_api"))
	if got := value(t, s, "openstack_api_up", "keystone"); got != 0 {
		t.Errorf("up %v though its certificate is not trusted", got)
	}
	if got := value(t, s, "openstack_api_certificate_expiry_timestamp_seconds", "keystone"); got != float64(until.Unix()) {
		t.Errorf("refused certificate: %v, want %v", got, until.Unix())
	}

	f = newFakeCloud(t)
	plain, _ := f.connect(nil)
	s, _ = collect(t, source(t, plain, "openstack_api"))
	if n := count(s, "openstack_api_certificate_expiry_timestamp_seconds"); n != 0 {
		t.Errorf("%d expiries without TLS", n)
	}
}

// dashboard is a Horizon whose pages a test sets.
func dashboard(t *testing.T, pages map[string]func(w http.ResponseWriter, r *http.Request)) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	for path, page := range pages {
		mux.HandleFunc(path, page)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func text(s string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(s)) }
}

func redirect(to string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

// TestHorizon looks at a dashboard that is well, and at the ways in which it is not.
func TestHorizon(t *testing.T) {
	page, err := os.ReadFile("horizon/testdata/login.html") // of a Horizon 25.3
	if err != nil {
		t.Fatal(err)
	}
	const sheet = "/static/dashboard/css/output.361cca58bb99.css"
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was asked for %s", r.URL)
	}))
	defer elsewhere.Close()
	for name, c := range map[string]struct {
		pages  map[string]func(http.ResponseWriter, *http.Request)
		want   map[string]float64 // -1: absent
		failed string
	}{
		"well": {
			map[string]func(http.ResponseWriter, *http.Request){"/{$}": redirect("/auth/login/?next=/"), "/auth/login/": text(string(page)), sheet: text("a{}")},
			map[string]float64{"up": 1, "login_status_code": 200, "login_form": 1, "login_bytes": float64(len(page)), "static_up": 1, "certificate_expiry_timestamp_seconds": -1}, "",
		},
		"no static files": {
			map[string]func(http.ResponseWriter, *http.Request){"/{$}": text(string(page))},
			map[string]float64{"up": 1, "login_form": 1, "static_up": 0, "static_seconds": -1}, "static file: ",
		},
		"an error page": {
			map[string]func(http.ResponseWriter, *http.Request){"/{$}": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<h1>Server Error</h1>", 500) }},
			map[string]float64{"up": 0, "login_status_code": 500, "login_form": 0, "static_up": -1}, "answers 500",
		},
		"a page without a form": {
			map[string]func(http.ResponseWriter, *http.Request){"/{$}": text("<h1>Welcome to nginx!</h1><form action=/search><input name=q></form>")},
			map[string]float64{"up": 0, "login_status_code": 200, "login_form": 0}, "no login form",
		},
		"single sign-on": {
			map[string]func(http.ResponseWriter, *http.Request){"/{$}": redirect(elsewhere.URL + "/sso")},
			map[string]float64{"up": 1, "login_status_code": 302, "login_form": 0, "static_up": -1}, "",
		},
		"too large": {
			map[string]func(http.ResponseWriter, *http.Request){"/{$}": func(w http.ResponseWriter, _ *http.Request) {
				for range 100 {
					_, _ = w.Write(make([]byte, 1<<20))
				}
			}},
			map[string]float64{"up": 0, "login_status_code": 200, "login_form": -1, "login_bytes": -1}, "larger than",
		},
		"round and round": {
			map[string]func(http.ResponseWriter, *http.Request){"/{$}": redirect("/")},
			map[string]float64{"login_status_code": 302, "login_form": 0, "up": 0}, "answers 302",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := dashboard(t, c.pages)
			cloud, _ := newFakeCloud(t).connect(nil)
			s, err := collect(t, horizon.Sources(cloud, horizon.Config{URL: d.URL + "/"})[0])
			if err != nil {
				t.Fatal(err)
			}
			for family, want := range c.want {
				if n := count(s, "openstack_horizon_"+family); (n == 0) != (want == -1) {
					t.Errorf("%s is there %d times, want value %v", family, n, want)
				} else if want != -1 {
					if got := value(t, s, "openstack_horizon_"+family); got != want {
						t.Errorf("%s %v, want %v", family, got, want)
					}
				}
			}
			if (len(s.Failed) == 0) != (c.failed == "") || c.failed != "" && !strings.Contains(s.Failed[0].Error(), c.failed) {
				t.Errorf("failed %v, want %q", s.Failed, c.failed)
			}
		})
	}
	t.Run("nobody", func(t *testing.T) {
		d := dashboard(t, nil)
		d.Close()
		cloud, _ := newFakeCloud(t).connect(nil)
		s, err := collect(t, horizon.Sources(cloud, horizon.Config{URL: d.URL})[0])
		if err != nil || value(t, s, "openstack_horizon_up") != 0 || count(s, "openstack_horizon_login_status_code") != 0 ||
			len(s.Failed) != 1 || exporters.KindOf(s.Failed[0].Err) != exporters.KindRefused {
			t.Errorf("error %v, failed %v", err, s.Failed)
		}
	})
	t.Run("TLS", func(t *testing.T) {
		f := newFakeCloud(t)
		cloud, until := f.secure(t, true)
		f.inject(func(w http.ResponseWriter, r *http.Request, _ string) bool {
			if r.URL.Path == "/dashboard" {
				_, _ = w.Write(page)
			}
			return r.URL.Path == "/dashboard"
		})
		s, err := collect(t, horizon.Sources(cloud, horizon.Config{URL: f.URL + "/dashboard"})[0])
		if err != nil || value(t, s, "openstack_horizon_up") != 1 {
			t.Errorf("error %v, failed %v: the CA of clouds.yaml is not trusted", err, s.Failed)
		}
		if got := value(t, s, "openstack_horizon_certificate_expiry_timestamp_seconds"); got != float64(until.Unix()) {
			t.Errorf("expiry %v, want %v", got, until.Unix())
		}
	})
}
