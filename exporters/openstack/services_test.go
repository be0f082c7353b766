package openstack_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mcloud/exporters"
	"mcloud/exporters/openstack/masakari"
)

// recordedAt is when the answers of these services were recorded: what is recent
// is told by the services' clock.
const recordedAt = "Wed, 25 Nov 2026 18:43:00 GMT"

// TestServicesGoldenPages compares all series, with those of single objects, of
// the services around the core.
func TestServicesGoldenPages(t *testing.T) {
	for _, system := range []string{"barbican", "masakari", "gnocchi", "ironic", "magnum", "manila", "swift", "trove"} {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			f := newFakeCloud(t)
			f.date = recordedAt
			cloud, _ := f.connect(nil)
			page := lookFor(t, exporters.Options{Recorder: valid{t}, Sets: []exporters.Set{exporters.SetObjects}}, ofSystem(cloud, system)...)
			for _, bad := range incomplete.FindAllString(page, -1) {
				t.Error(bad)
			}
			got := ownSeries(page)
			file := filepath.Join("testdata", "golden", system+".prom")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("page differs (-want +got; go test -update rewrites %s):\n%s", file, diff)
			}
		})
	}
}

var incomplete = regexp.MustCompile(`(?m)^mcloud_source_(success|complete)\{.* 0$|^mcloud_source_errors_total.*$`)

// TestServicesThatAreNotThere proves that a service which the catalogue lacks
// costs no call and is called absent, not failed.
func TestServicesThatAreNotThere(t *testing.T) {
	f := newFakeCloud(t)
	f.absent = []string{"barbican", "masakari", "gnocchi", "ironic", "magnum", "manila", "swift", "trove", "horizon"}
	cloud, _ := f.connect(nil)
	var sources []exporters.Source
	for _, system := range f.absent {
		sources = append(sources, ofSystem(cloud, system)...)
	}
	page := look(t, nil, sources...)
	for _, s := range sources {
		if want := fmt.Sprintf(`mcloud_source_absent{cloud="lab",source=%q`, s.Name); !regexp.MustCompile(regexp.QuoteMeta(want) + `.* 1`).MatchString(page) {
			t.Errorf("%s is not called absent", s.Name)
		}
	}
	for _, system := range f.absent {
		if n, calls := f.called(system); n > 0 {
			t.Errorf("%s was asked: %s", system, calls)
		}
	}
	if own := ownSeries(page); own != "" {
		t.Errorf("series of what is not there:\n%s", own)
	}
}

// TestServicesWithoutTheRight proves that an account which sees its own project's
// objects only, where a service hides the others, counts none of them.
func TestServicesWithoutTheRight(t *testing.T) {
	for system, list := range map[string]string{
		"magnum": `{"clusters": []}`, "manila": `{"shares": []}`, "gnocchi": `[{"id": "a", "created_by_project_id": "` + ownProject + `", "archive_policy": {"name": "low"}}]`,
	} {
		t.Run(system, func(t *testing.T) {
			f := newFakeCloud(t)
			f.role = "reader"
			f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
				if !strings.Contains(call, "/clusters") && !strings.Contains(call, "/shares") && !strings.Contains(call, "/metric") {
					return false
				}
				_, _ = w.Write([]byte(list))
				return true
			})
			cloud, _ := f.connect(nil)
			page := look(t, nil, ofSystem(cloud, system)...)
			if !strings.Contains(page, `kind="forbidden"`) {
				t.Error("no error of kind forbidden")
			}
			for _, count := range []string{"openstack_container_infra_clusters{", "openstack_container_infra_nodes{", "openstack_sharev2_shares{", "openstack_gnocchi_metrics{"} {
				if strings.Contains(page, count) {
					t.Errorf("a part is counted as the whole: %s", count)
				}
			}
		})
	}
	t.Run("trove", func(t *testing.T) {
		f := newFakeCloud(t)
		f.role = "reader"
		cloud, _ := f.connect(nil)
		page := look(t, nil, ofSystem(cloud, "trove")...)
		if n, _ := f.called("trove"); n != 0 || !strings.Contains(page, `kind="forbidden"`) {
			t.Errorf("%d calls, want none and an error of kind forbidden", n)
		}
	})
	t.Run("ironic", func(t *testing.T) {
		f := newFakeCloud(t)
		f.inject(refuse("/conductors"))
		cloud, _ := f.connect(nil)
		page := look(t, nil, ofSystem(cloud, "ironic")...)
		if strings.Contains(page, "openstack_ironic_nodes{") || !strings.Contains(page, `kind="forbidden"`) {
			t.Error("nodes are counted though conductors are refused, so that only the account's own may be there")
		}
	})
	t.Run("swift", func(t *testing.T) {
		f := newFakeCloud(t)
		f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
			if !strings.HasPrefix(call, "swift ") || strings.Contains(call, ownProject) {
				return false
			}
			http.Error(w, "<html><h1>Forbidden</h1></html>", http.StatusForbidden)
			return true
		})
		cloud, _ := f.connect(nil)
		sources := ofSystem(cloud, "swift")
		s, err := collect(t, sources[0])
		if exporters.KindOf(err) != exporters.KindForbidden {
			t.Errorf("error %v, want one of kind forbidden", err)
		}
		if n := count(s, "openstack_object_store_account_bytes"); n != 1 {
			t.Errorf("%d accounts, want the own one", n)
		}
		if n := count(s, "openstack_object_store_policy_bytes"); n != 0 {
			t.Error("a part is summed up as the whole")
		}
		f.forget()
		if _, err := collect(t, sources[0]); exporters.KindOf(err) != exporters.KindForbidden {
			t.Errorf("second look: %v", err)
		}
		if n, calls := f.called("swift"); n > 3 {
			t.Errorf("more than one other is asked for again: %s", calls)
		}
		f.inject(nil)
		s, err = collect(t, sources[0])
		if n := count(s, "openstack_object_store_account_bytes"); err != nil || n != 6 {
			t.Errorf("%d accounts when the right is there again (%v)", n, err)
		}
	})
}

func refuse(path string) func(http.ResponseWriter, *http.Request, string) bool {
	return func(w http.ResponseWriter, r *http.Request, call string) bool {
		if !strings.Contains(call, path) {
			return false
		}
		http.Error(w, `{"error": {"message": "not allowed"}}`, http.StatusForbidden)
		return true
	}
}

func count(s *exporters.Snapshot, family string) (n int) {
	if s == nil {
		return 0
	}
	for _, v := range s.Samples {
		if v.Family.Name == family {
			n++
		}
	}
	return n
}

func value(t *testing.T, s *exporters.Snapshot, family string, labels ...string) float64 {
	t.Helper()
	for _, v := range s.Samples {
		if v.Family.Name == family && slices.Equal(v.Labels, labels) {
			return v.Value
		}
	}
	t.Errorf("no %s%v", family, labels)
	return -1
}

// TestServicesCalls counts the calls of a first and a second look.
func TestServicesCalls(t *testing.T) {
	for _, c := range []struct {
		system        string
		first, second int
	}{
		{"barbican", 5, 5},                                                                                   // secrets, orders, containers, quotas, project-quotas
		{"magnum", 1 + 1, 1}, {"manila", 3 + 1, 3}, {"ironic", 2 + 1, 2}, {"trove", 1, 1}, {"gnocchi", 2, 2}, // +1: the version document
		{"swift", 6 + 1, 1 + 1 + 1},     // 6 projects, containers of the own; the own, a twelfth of the others
		{"masakari", 1 + 3 + 1 + 4, -1}, // 2 segments; notifications, of which 3 are recent and 1 moved servers
	} {
		t.Run(c.system, func(t *testing.T) {
			f := newFakeCloud(t)
			f.date = recordedAt
			cloud, _ := f.connect(nil)
			sources := ofSystem(cloud, c.system)
			for _, want := range []int{c.first, c.second} {
				if want < 0 {
					continue
				}
				f.forget()
				for _, s := range sources {
					if _, err := collect(t, s); err != nil {
						t.Errorf("%s: %v", s.Name, err)
					}
				}
				if n, calls := f.called(c.system); n != want {
					t.Errorf("%d calls, want %d:\n%s", n, want, strings.Join(calls, "\n"))
				}
			}
		})
	}
}

// TestBarbicanExpiry counts what expires soon, by the windows.
func TestBarbicanExpiry(t *testing.T) {
	f := newFakeCloud(t)
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format("2006-01-02T15:04:05") }
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		if !strings.HasPrefix(call, "barbican /secrets") {
			return false
		}
		var all []map[string]any
		for i, at := range []any{in(24 * time.Hour), in(20 * 24 * time.Hour), in(80 * 24 * time.Hour), in(400 * 24 * time.Hour), nil} {
			all = append(all, map[string]any{"secret_ref": fmt.Sprintf("http://b/v1/secrets/%d", i), "name": "n", "status": "ACTIVE", "secret_type": "certificate", "expiration": at})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"secrets": all, "total": len(all)})
		return true
	})
	cloud, _ := f.connect(nil)
	s, err := collect(t, ofSystem(cloud, "barbican")[0])
	if err != nil {
		t.Fatal(err)
	}
	for within, want := range map[string]float64{"7d": 1, "30d": 2, "90d": 3} {
		if got := value(t, s, "openstack_barbican_secrets_expiring", ownProject, "certificate", within); got != want {
			t.Errorf("within %s: %v expire, want %v", within, got, want)
		}
	}
	if n := count(s, "openstack_barbican_secret_expiration_timestamp_seconds"); n != 4 {
		t.Errorf("%d secrets with an expiration, want 4", n)
	}
	for _, v := range s.Samples {
		if v.Family.Name == "openstack_barbican_consumers" && v.Labels[1] == "secret" {
			t.Error("consumers of secrets are counted though the service, too old, tells none")
		}
	}
}

// TestBarbicanKeepsWhatItMayRead proves that a forbidden list costs no other.
func TestBarbicanKeepsWhatItMayRead(t *testing.T) {
	f := newFakeCloud(t)
	f.inject(refuse("/orders"))
	cloud, _ := f.connect(nil)
	s, err := collect(t, ofSystem(cloud, "barbican")[0])
	if exporters.KindOf(err) != exporters.KindForbidden {
		t.Errorf("error %v, want one of kind forbidden", err)
	}
	if count(s, "openstack_barbican_secrets") == 0 || count(s, "openstack_barbican_orders") != 0 {
		t.Errorf("%d families of secrets, %d of orders", count(s, "openstack_barbican_secrets"), count(s, "openstack_barbican_orders"))
	}
}

// TestMasakariAsksForWhatIsNew proves that notifications are listed from the oldest
// unfinished one, that what ended is asked for in detail once, and that a host's
// change is an Event.
func TestMasakariAsksForWhatIsNew(t *testing.T) {
	f := newFakeCloud(t)
	now := time.Now().UTC().Truncate(time.Second)
	const stamp = "2006-01-02T15:04:05.000000"
	status, maintenance := "running", false
	var mu sync.Mutex // details are asked for two at a time
	var since, details []string
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		mu.Lock()
		defer mu.Unlock()
		one := func(id, status string, generated time.Time) map[string]any {
			return map[string]any{"id": 1, "notification_uuid": id, "type": "VM", "status": status, "generated_time": generated.Format(stamp),
				"created_at": generated.Add(time.Second).Format(stamp), "updated_at": generated.Add(31 * time.Second).Format(stamp)}
		}
		switch {
		case strings.HasPrefix(call, "masakari /notifications?"):
			since = append(since, r.URL.Query().Get("generated-since"))
			all := []any{one("under-way", status, now.Add(-3*time.Hour))}
			if len(since) == 1 {
				all = append(all, one("ended", "finished", now.Add(-5*time.Hour)), one("old", "failed", now.Add(-50*time.Hour)))
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"notifications": all})
		case strings.HasPrefix(call, "masakari /notifications/"):
			details = append(details, strings.Fields(call)[1])
			_, _ = w.Write([]byte(`{"notification": {"recovery_workflow_details": [{"name": "StartInstanceTask", "progress": 0.5, "state": "RUNNING"}]}}`))
		case strings.HasPrefix(call, "masakari /segments?"):
			_, _ = w.Write([]byte(`{"segments": [{"id": 1, "uuid": "s", "name": "seg", "service_type": "COMPUTE", "recovery_method": "auto"}]}`))
		case strings.HasPrefix(call, "masakari /segments/"):
			_, _ = fmt.Fprintf(w, `{"hosts": [{"id": 1, "uuid": "h", "name": "cmp-1", "type": "COMPUTE", "reserved": false, "on_maintenance": %v}]}`, maintenance)
		default:
			return false
		}
		return true
	})
	cloud, _ := f.connect(nil)
	sources := masakari.Sources(cloud, masakari.Config{})
	s, err := collect(t, sources[1])
	if err != nil {
		t.Fatal(err)
	}
	if since[0] != "" || len(details) != 2 {
		t.Errorf("first look: since %q, details of %v", since[0], details)
	}
	if got, want := value(t, s, "openstack_masakari_notifications_oldest_unfinished_timestamp_seconds", "VM"), float64(now.Add(-3*time.Hour).Unix()); got != want {
		t.Errorf("oldest unfinished %v, want %v", got, want)
	}
	if got := value(t, s, "openstack_masakari_recent_recovery_longest_seconds", "VM"); got != 30 {
		t.Errorf("longest recovery %v s, want 30: from arrival to end", got)
	}
	if got := value(t, s, "openstack_masakari_recovery_task_progress_ratio", "under-way", "StartInstanceTask"); got != 0.5 {
		t.Errorf("progress %v, want 0.5", got)
	}
	details, status = nil, "finished"
	if s, err = collect(t, sources[1]); err != nil {
		t.Fatal(err)
	}
	if want := now.Add(-3 * time.Hour).Format("2006-01-02T15:04:05"); since[1] != want {
		t.Errorf("second look: since %q, want %q, when the unfinished one was generated", since[1], want)
	}
	if len(details) != 1 || details[0] != "/notifications/under-way" {
		t.Errorf("second look: details of %v, want of the one that changed", details)
	}
	if count(s, "openstack_masakari_notifications_oldest_unfinished_timestamp_seconds") != 0 {
		t.Error("what ended is still called unfinished")
	}
	if got := value(t, s, "openstack_masakari_notifications", "VM", "finished"); got != 2 {
		t.Errorf("%v finished, want 2", got)
	}

	if s, err = collect(t, sources[0]); err != nil || len(s.Events) != 0 {
		t.Errorf("first look at hosts: %v, events %v", err, s.Events)
	}
	if count(s, "openstack_masakari_segment_enabled") != 0 {
		t.Error("a service too old to say is called enabled or not")
	}
	maintenance = true
	if s, err = collect(t, sources[0]); err != nil || len(s.Events) != 1 || s.Events[0].Kind != "failover_host.state" || s.Events[0].Resource != "h" {
		t.Errorf("second look at hosts: %v, events %+v", err, s.Events)
	}
}

// TestTroveSpaceInUse reads the space in use as Trove's API reference has it: the
// recorded instances have no guest that would say.
func TestTroveSpaceInUse(t *testing.T) {
	f := newFakeCloud(t)
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		if !strings.HasPrefix(call, "trove ") {
			return false
		}
		_, _ = w.Write([]byte(`{"instances": [{"id": "i", "name": "n", "tenant_id": "p", "status": "ACTIVE", "operating_status": "HEALTHY", "region": "r",
			"datastore": {"type": "mysql", "version": "5.7.29"}, "volume": {"size": 2, "used": 0.25}}]}`))
		return true
	})
	cloud, _ := f.connect(nil)
	s, err := collect(t, ofSystem(cloud, "trove")[0])
	if err != nil {
		t.Fatal(err)
	}
	if got := value(t, s, "openstack_trove_instance_volume_used_bytes", "i", "n", "p"); got != 1<<28 {
		t.Errorf("used %v, want %v", got, 1<<28)
	}
}

// TestListsByOffsetAndByArray proves that pages beyond the first are read where a
// service has no links that lead there.
func TestListsByOffsetAndByArray(t *testing.T) {
	page := func(start, n int) []map[string]any {
		all := []map[string]any{}
		for i := range n {
			all = append(all, map[string]any{"id": fmt.Sprint(start + i), "name": fmt.Sprint(start + i), "size": 1, "status": "available", "project_id": "p",
				"created_by_project_id": "p", "archive_policy": map[string]string{"name": "low"}})
		}
		return all
	}
	f := newFakeCloud(t)
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		q := r.URL.Query()
		switch {
		case strings.HasPrefix(call, "manila /shares"):
			n, start := 1000, 0
			if q.Get("offset") == "1000" {
				n, start = 7, 1000
			}
			answer := map[string]any{"shares": page(start, n)}
			if n == 1000 { // only then Manila has a link
				answer["shares_links"] = []any{map[string]string{"rel": "next", "href": "http://x/?marker=0"}}
			}
			_ = json.NewEncoder(w).Encode(answer)
		case strings.HasPrefix(call, "gnocchi /metric"):
			n, start := 1000, 0
			if q.Get("marker") == "999" {
				n, start = 5, 1000
			}
			_ = json.NewEncoder(w).Encode(page(start, n))
		default:
			return false
		}
		return true
	})
	cloud, _ := f.connect(nil)
	s, err := collect(t, ofSystem(cloud, "manila")[2])
	if err != nil {
		t.Fatal(err)
	}
	if got := value(t, s, "openstack_sharev2_shares", "available", "", ""); got != 1007 {
		t.Errorf("%v shares, want 1007", got)
	}
	s, err = collect(t, ofSystem(cloud, "gnocchi")[1])
	if err != nil {
		t.Fatal(err)
	}
	if got := value(t, s, "openstack_gnocchi_metrics", "low"); got != 1005 {
		t.Errorf("%v metrics, want 1005", got)
	}
}

// TestMicroversionsBeforeTheVersion proves that microversions are found where
// Magnum says them: in the document before the version, not in the version's.
func TestMicroversionsBeforeTheVersion(t *testing.T) {
	f := newFakeCloud(t)
	f.inject(func(w http.ResponseWriter, r *http.Request, _ string) bool {
		switch r.URL.Path {
		case "/container-infra/v1/":
			_, _ = w.Write([]byte(`{"id": "v1", "links": []}`))
		case "/container-infra/":
			f.write(w, f.recorded["magnum"]["version document"])
		default:
			return false
		}
		return true
	})
	cloud, _ := f.connect(nil)
	if s, err := collect(t, ofSystem(cloud, "magnum")[0]); err != nil || count(s, "openstack_container_infra_clusters") == 0 {
		t.Errorf("%v", err)
	}
}

// TestManilaPools reads what drivers say that the recorded one does not.
func TestManilaPools(t *testing.T) {
	f := newFakeCloud(t)
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		if !strings.HasPrefix(call, "manila /scheduler-stats") {
			return false
		}
		_, _ = w.Write([]byte(`{"pools": [
			{"name": "h@b#thin", "backend": "b", "capabilities": {"total_capacity_gb": "10", "free_capacity_gb": 4.5, "allocated_capacity_gb": 20, "provisioned_capacity_gb": 22, "max_over_subscription_ratio": "20.0", "reserved_percentage": 5}},
			{"name": "h@g#GENERIC1", "backend": "g", "capabilities": {"total_capacity_gb": "unknown", "free_capacity_gb": "infinite", "reserved_percentage": 0}}]}`))
		return true
	})
	cloud, _ := f.connect(nil)
	s, err := collect(t, ofSystem(cloud, "manila")[1])
	if err != nil {
		t.Fatal(err)
	}
	const gib = 1 << 30
	for family, want := range map[string]float64{"capacity_bytes": 10 * gib, "free_bytes": 4.5 * gib, "allocated_bytes": 20 * gib, "provisioned_bytes": 22 * gib, "max_over_subscription_ratio": 20, "reserved_ratio": 0.05} {
		if got := value(t, s, "openstack_sharev2_pool_"+family, "h@b#thin", "b"); got != want {
			t.Errorf("%s %v, want %v", family, got, want)
		}
	}
	if n := count(s, "openstack_sharev2_pool_capacity_bytes") + count(s, "openstack_sharev2_pool_free_bytes"); n != 2 {
		t.Errorf("%d capacities, want those of the pool that knows its own", n)
	}
}
