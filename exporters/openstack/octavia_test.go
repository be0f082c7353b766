package openstack_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack/octavia"
)

// TestOctaviaOfOtherProjectsHidden: Octavia refuses only when it is asked for
// another project's.
func TestOctaviaOfOtherProjectsHidden(t *testing.T) {
	f := newFakeCloud(t)
	f.role = "reader"
	cloud, _ := f.connect(nil)
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		if r.URL.Query().Get("project_id") == "" {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"faultcode": "Client", "faultstring": "Policy does not allow this request to be performed.", "debuginfo": null}`)
		return true
	})
	for _, name := range []string{"octavia_loadbalancers", "octavia_members", "octavia_stats", "octavia_quotas"} {
		s, err := collect(t, source(t, cloud, name))
		if s != nil || exporters.KindOf(err) != exporters.KindForbidden || !strings.Contains(err.Error(), "load-balancer_global_observer") {
			t.Errorf("%s: %+v %v", name, s, err)
		}
	}
}

// TestOctaviaCallsARound counts what the package comment says.
func TestOctaviaCallsARound(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	all := octavia.Sources(cloud, octavia.Config{})
	want := map[string][2]int{ // three load balancers with a pool each
		"octavia_loadbalancers": {4, 4}, "octavia_amphorae": {1, 1}, "octavia_members": {4, 2}, "octavia_stats": {4, 2}, "octavia_quotas": {5, 5},
	}
	for round := range 2 {
		for _, s := range all {
			f.forget()
			if _, err := collect(t, s); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
			if n, calls := f.called("octavia"); n != want[s.Name][round] {
				t.Errorf("round %d, %s: %d calls, want %d:\n%s", round, s.Name, n, want[s.Name][round], strings.Join(calls, "\n"))
			}
		}
	}
}

// TestOctaviaCounters: what all load balancers carried never falls, although one
// is deleted and another's amphora begins at nought.
func TestOctaviaCounters(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	stats := octavia.Sources(cloud, octavia.Config{Life: time.Nanosecond})[3]
	two := `{"loadbalancers": [{"id": "a", "project_id": "p", "provider": "amphora"}, {"id": "b", "project_id": "p", "provider": "amphora"}]}`
	one := `{"loadbalancers": [{"id": "b", "project_id": "p", "provider": "amphora"}]}`
	for i, step := range []struct {
		balancers   string
		a, b        int
		total, open float64
	}{
		{two, 1000, 500, 0, 2}, // what was before the start is not ours
		{two, 1100, 500, 100, 2},
		{two, 1100, 50, 150, 2}, // b began anew
		{one, 0, 60, 160, 1},    // a is gone
	} {
		f.inject(canned(map[string]string{
			"octavia /lbaas/loadbalancers":         step.balancers,
			"octavia /lbaas/loadbalancers/a/stats": fmt.Sprintf(`{"stats": {"bytes_in": %d, "bytes_out": 1, "active_connections": 1, "total_connections": 3, "request_errors": 0}}`, step.a),
			"octavia /lbaas/loadbalancers/b/stats": fmt.Sprintf(`{"stats": {"bytes_in": %d, "bytes_out": 1, "active_connections": 1, "total_connections": 3, "request_errors": 0}}`, step.b),
		}))
		s, err := collect(t, stats)
		if err != nil {
			t.Fatal(err)
		}
		if got := values(s, "openstack_loadbalancer_in_bytes_total")["amphora"]; got != step.total {
			t.Errorf("step %d: %v bytes in all, want %v", i, got, step.total)
		}
		wantValues(t, s, "openstack_loadbalancer_active_connections", map[string]float64{"amphora": step.open})
	}
}

// TestOctaviaMembersFollowTheirPool: a pool that turns to ERROR is asked at once.
func TestOctaviaMembersFollowTheirPool(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	members := source(t, cloud, "octavia_members")
	answers := map[string]string{}
	pools := func(broken string) {
		text := `{"pools": [`
		for i := range 40 {
			id, status := fmt.Sprint("p", i), "ONLINE"
			if id == broken {
				status = "ERROR"
			}
			text += fmt.Sprintf(`{"id": %q, "operating_status": %q, "provisioning_status": "ACTIVE", "members": [{"id": "m"}]},`, id, status)
			answers["octavia /lbaas/pools/"+id+"/members"] = fmt.Sprintf(`{"members": [{"id": "m", "operating_status": %q, "provisioning_status": "ACTIVE"}]}`, status)
		}
		answers["octavia /lbaas/pools"] = text + `{"id": "empty", "operating_status": "ONLINE", "provisioning_status": "ACTIVE", "members": []}]}`
		f.inject(canned(answers))
	}
	pools("")
	s, err := collect(t, members)
	if err != nil {
		t.Fatal(err)
	}
	wantValues(t, s, "openstack_loadbalancer_members", map[string]float64{"ACTIVE,ONLINE": 40})
	pools("p33")
	f.forget()
	if s, err = collect(t, members); err != nil {
		t.Fatal(err)
	}
	wantValues(t, s, "openstack_loadbalancer_members", map[string]float64{"ACTIVE,ONLINE": 39, "ACTIVE,ERROR": 1})
	if n, _ := f.called("octavia"); n != 1+3 { // 40 / 15, and the list
		t.Errorf("%d calls", n)
	}
}

// TestCertificatesOfAmphorae counts those that end soon, by Octavia's clock.
func TestCertificatesOfAmphorae(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	at := func(d time.Duration) string { return time.Now().UTC().Add(d).Format("2006-01-02T15:04:05") }
	day := 24 * time.Hour
	f.inject(canned(map[string]string{"octavia /octavia/amphorae": fmt.Sprintf(`{"amphorae": [
		{"id": "over", "status": "ALLOCATED", "role": "MASTER", "cert_expiration": %q}, {"id": "soon", "status": "ALLOCATED", "role": "BACKUP", "cert_expiration": %q},
		{"id": "later", "status": "ALLOCATED", "role": "BACKUP", "cert_expiration": %q}, {"id": "booting", "status": "BOOTING", "role": null, "cert_expiration": null},
		{"id": "gone", "status": "DELETED", "role": "MASTER", "cert_expiration": "2020-01-01T00:00:00"}]}`, at(-time.Hour), at(3*day), at(300*day))}))
	s, err := collect(t, source(t, cloud, "octavia_amphorae"))
	if err != nil {
		t.Fatal(err)
	}
	wantValues(t, s, "openstack_loadbalancer_amphora_certificates_expiring", map[string]float64{"0": 1, "7": 2, "14": 2})
	wantValues(t, s, "openstack_loadbalancer_amphorae", map[string]float64{"ALLOCATED,MASTER": 1, "ALLOCATED,BACKUP": 2, "BOOTING,": 1, "DELETED,MASTER": 1})
	if n := len(values(s, "openstack_loadbalancer_amphora_certificate_expiry_timestamp_seconds")); n != 3 {
		t.Errorf("%d expiry dates, want 3", n)
	}
	if got := values(s, "openstack_loadbalancer_amphora_certificates_earliest_expiry_timestamp_seconds")[""]; math.Abs(got-float64(time.Now().Add(-time.Hour).Unix())) > 60 {
		t.Errorf("earliest %v", got)
	}
}
