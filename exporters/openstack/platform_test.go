package openstack_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack/heat"
)

// series are a look's samples: name and label values → value.
func series(s *exporters.Snapshot) map[string]float64 {
	all := map[string]float64{}
	for _, v := range s.Samples {
		all[strings.TrimPrefix(v.Family.Name, "openstack_")+" "+strings.Join(v.Labels, " ")] = v.Value
	}
	return all
}

func expect(t *testing.T, s *exporters.Snapshot, want map[string]float64) {
	t.Helper()
	got := series(s)
	for key, value := range want {
		if v, ok := got[key]; !ok || v != value {
			t.Errorf("%s is %v (there: %v), want %v", key, v, ok, value)
		}
	}
}

// Glance shows an account without the right what is public and its own.
func TestGlanceHidesFromOthersThanAdmins(t *testing.T) {
	for name, c := range map[string]struct {
		images    string
		details   int // of /info/stores/detail
		forbidden bool
	}{
		"a reader":                      {`[{"id": "a", "visibility": "public", "owner": "x"}, {"id": "b", "visibility": "private", "owner": "own"}]`, 403, true},
		"nothing":                       {`[]`, 403, true},
		"a reader with our policy":      {`[{"id": "a", "visibility": "public", "owner": "x"}]`, 200, false},
		"one that sees what is private": {`[{"id": "a", "visibility": "private", "owner": "x"}, {"id": "b", "visibility": "private", "owner": "y"}]`, 403, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeCloud(t)
			f.role = "reader"
			cloud, _ := f.connect(nil)
			f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
				switch {
				case strings.HasPrefix(call, "glance /images") && strings.Contains(call, "os_hidden=false"):
					_, _ = fmt.Fprintf(w, `{"images": %s}`, c.images)
				case strings.HasPrefix(call, "glance /images"):
					_, _ = io.WriteString(w, `{"images": []}`)
				case call == "glance /info/stores/detail":
					w.WriteHeader(c.details)
					_, _ = io.WriteString(w, `{"stores": []}`)
				default:
					return false
				}
				return true
			})
			s, err := collect(t, source(t, cloud, "glance_images"))
			if c.forbidden && (exporters.KindOf(err) != exporters.KindForbidden || !strings.Contains(err.Error(), "sees only public images") || len(s.Inventories)+len(s.Samples) != 0) {
				t.Errorf("%v %+v", err, s)
			}
			if !c.forbidden && (err != nil || len(s.Inventories) != 1) {
				t.Errorf("%v %+v", err, s)
			}
		})
	}
}

func TestImagesAreStuckWithoutTheirData(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	now := time.Now().UTC()
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if !strings.HasPrefix(call, "glance /images") {
			return false
		}
		one := func(id, status string, at time.Time) map[string]any {
			return map[string]any{"id": id, "status": status, "visibility": "private", "owner": "p", "size": nil, "virtual_size": nil,
				"os_hidden": false, "created_at": at.Format(time.RFC3339), "updated_at": at.Format(time.RFC3339), "stores": "b, a,,a"}
		}
		// The same images in both lists: they were hidden in between.
		_ = json.NewEncoder(w).Encode(map[string]any{"images": []any{
			one("1", "queued", now.Add(-2*time.Hour)), one("2", "saving", now.Add(-time.Minute)), one("3", "active", now.Add(-5*time.Hour)),
		}})
		return true
	})
	s, err := collect(t, source(t, cloud, "glance_images"))
	if err != nil {
		t.Fatal(err)
	}
	expect(t, s, map[string]float64{
		"glance_images_stuck queued": 1, "glance_images_stuck saving": 0, "glance_project_images p": 3,
		"glance_store_images a": 3, "glance_store_images b": 3, "glance_images active private   false": 1,
	})
	if len(s.Inventories[0].Objects) != 3 {
		t.Errorf("%d objects", len(s.Inventories[0].Objects))
	}
}

func TestGlanceWithoutStoresAndTasks(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	for _, code := range []int{http.StatusForbidden, http.StatusNotFound} {
		f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
			switch call {
			case "glance /info/stores/detail":
				w.WriteHeader(code)
			case "glance /info/stores":
				if code == http.StatusNotFound {
					w.WriteHeader(code)
					break
				}
				_, _ = io.WriteString(w, `{"stores": [{"id": "file", "default": "true"}, {"id": "cold"}]}`)
			default:
				if !strings.HasPrefix(call, "glance /tasks") {
					return false
				}
				w.WriteHeader(code)
			}
			return true
		})
		s, err := collect(t, source(t, cloud, "glance_stores"))
		if err != nil {
			t.Fatal(err)
		}
		if code == http.StatusNotFound {
			if s.Skipped != 1 || len(s.Samples) != 0 {
				t.Errorf("%+v", s)
			}
		} else {
			expect(t, s, map[string]float64{"glance_stores ": 2, "glance_store_info file  true false": 1, "glance_store_info cold  false false": 1})
		}
		if s, err := collect(t, source(t, cloud, "glance_tasks")); err != nil || s.Skipped != 1 || len(s.Samples) != 0 {
			t.Errorf("%v %+v", err, s)
		}
	}
}

// Heat does not link to its next page.
func TestStacksInPages(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	const stacks = 1203
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		if !strings.HasPrefix(call, "heat /stacks") {
			return false
		}
		first := 0
		if m := r.URL.Query().Get("marker"); m != "" {
			_, _ = fmt.Sscanf(m, "s%d", &first)
			first++
		}
		list := []any{}
		for i := first; i < min(first+500, stacks); i++ {
			list = append(list, map[string]any{"id": fmt.Sprint("s", i), "stack_name": "n", "stack_status": "UPDATE_IN_PROGRESS", "project": "p",
				"creation_time": "2026-11-25T17:57:40Z", "updated_time": "2026-11-25T17:57:40Z", "tags": nil, "parent": nil})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"stacks": list})
		return true
	})
	s, err := collect(t, heat.Sources(cloud, heat.Config{StuckAfter: time.Second})[0])
	if err != nil || !s.Inventories[0].Complete || len(s.Inventories[0].Objects) != stacks {
		t.Fatalf("%v, %d stacks", err, len(s.Inventories[0].Objects))
	}
	if n, _ := f.called("heat"); n != 3 {
		t.Errorf("%d calls", n)
	}
	expect(t, s, map[string]float64{"heat_stacks UPDATE IN_PROGRESS": stacks, "heat_project_stacks p": stacks})
	if got := series(s)["heat_stacks_stuck "]; (got == stacks) != time.Now().After(time.Date(2026, 11, 25, 17, 57, 41, 0, time.UTC)) {
		t.Errorf("%v stuck", got)
	}
}

func TestStacksOfOthersForbidden(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if !strings.HasPrefix(call, "heat /stacks") {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"code": 403, "title": "Forbidden", "explanation": "Access was denied to this resource.", "error": {"type": "Forbidden", "traceback": null, "message": "You are not authorized to use global_index."}}`)
		return true
	})
	s, err := collect(t, source(t, cloud, "heat_stacks"))
	if s != nil || exporters.KindOf(err) != exporters.KindForbidden || !strings.Contains(err.Error(), "You are not authorized to use global_index.") {
		t.Errorf("%v %+v", err, s)
	}
}

// Restarted engines leave their old entries behind; the host is up all the same.
func TestHeatHostsAreUpByAnyEngine(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	second := "up"
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if call != "heat /services" {
			return false
		}
		_, _ = fmt.Fprintf(w, `{"services": [{"host": "c1", "status": "down", "updated_at": "2026-11-25T18:00:00.000000"}, {"host": "c1", "status": %q, "updated_at": "2026-11-25T18:03:02.000000"},
			{"host": "c2", "status": "down", "updated_at": null}]}`, second)
		return true
	})
	s := source(t, cloud, "heat_engines")
	look, err := collect(t, s)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, look, map[string]float64{
		"heat_service_up c1": 1, "heat_service_up c2": 0, "heat_engines c1 up": 1, "heat_engines c1 down": 1, "heat_engines c2 up": 0,
		"heat_service_last_seen_timestamp_seconds c1": float64(time.Date(2026, 11, 25, 18, 3, 2, 0, time.UTC).Unix()),
	})
	if _, ok := series(look)["heat_service_last_seen_timestamp_seconds c2"]; ok {
		t.Error("c2 was never seen and has a time")
	}
	second = "down"
	look, err = collect(t, s)
	if err != nil || len(look.Events) != 1 || look.Events[0].Kind != "service.state" || look.Events[0].Severity != mcloud.SeverityWarning || look.Events[0].Resource != "c1" {
		t.Errorf("%v %+v", err, look.Events)
	}
	for _, e := range look.Events {
		if err := e.Validate(); err != nil {
			t.Error(err)
		}
	}
}

// The state of a service's backend, a failed-over one, and what changed.
func TestCinderServicesThatAreNotWell(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	state := "up"
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if call != "cinder /os-services" {
			return false
		}
		one := `{"binary": "cinder-volume", "host": "h@b", "zone": "z", "status": "disabled", "state": %q, "updated_at": "2026-11-25T18:01:12.000000",
			"disabled_reason": "disk swap", "replication_status": "failed-over", "active_backend_id": "second", "frozen": true, "backend_state": "down", "cluster": "c"}`
		_, _ = fmt.Fprintf(w, `{"services": [`+one+`, `+one+`, {"binary": "cinder-backup", "host": "h", "zone": "z", "status": "enabled", "state": "up", "updated_at": null}]}`, state, state)
		return true
	})
	s := source(t, cloud, "cinder_services")
	look, err := collect(t, s)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, look, map[string]float64{
		"cinder_service_up h@b cinder-volume z": 1, "cinder_service_enabled h@b cinder-volume z": 0, "cinder_service_frozen h@b z": 1,
		"cinder_service_backend_up h@b z": 0, "cinder_service_info h@b cinder-volume z disk swap c failed-over second": 1,
		"cinder_service_up h cinder-backup z": 1,
	})
	if n := len(look.Samples); n != 6+3 {
		t.Errorf("%d samples: a service that is listed twice is one", n)
	}
	state = "down"
	if look, err = collect(t, s); err != nil || len(look.Events) != 1 || !strings.Contains(string(look.Events[0].Payload), "down, disabled") {
		t.Errorf("%v %+v", err, look.Events)
	}
}

// A list that cannot be read leaves the others, and its count is absent, not 0.
func TestOneListOfKeystoneLeavesTheOthers(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	families := map[string]string{"users": "identity_users", "groups": "identity_groups", "services": "identity_services", "endpoints": "identity_endpoints", "regions": "identity_regions", "roles": "identity_roles"}
	for broken, family := range families {
		f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
			if call != "keystone /"+broken {
				return false
			}
			w.WriteHeader(http.StatusForbidden)
			return true
		})
		s, err := collect(t, source(t, cloud, "keystone_catalog"))
		if exporters.KindOf(err) != exporters.KindForbidden || s == nil {
			t.Fatalf("%s: %v", broken, err)
		}
		seen := map[string]bool{}
		for key := range series(s) {
			name, _, _ := strings.Cut(key, " ")
			seen[name] = true
		}
		if seen[family] || len(seen) != len(families)-1 {
			t.Errorf("%s broken: %v", broken, seen)
		}
	}
	// Domains are no reason to do without projects.
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if call != "keystone /domains" {
			return false
		}
		_, _ = io.WriteString(w, `{"domains": [{"id": "a", "enabled": "perhaps"}, {"id": "b", "name": "B", "enabled": false}]}`)
		return true
	})
	s, err := collect(t, source(t, cloud, "keystone_projects"))
	if err != nil || len(s.Failed) != 1 || s.Failed[0].Object != "domain a" {
		t.Fatalf("%v %+v", err, s.Failed)
	}
	expect(t, s, map[string]float64{"identity_domains false": 1})
	at := slices.IndexFunc(s.Inventories, func(v mcloud.Inventory) bool { return v.Kind == mcloud.KindDomain })
	if at < 0 || s.Inventories[at].Complete {
		t.Errorf("%+v", s.Inventories)
	}
}

func TestLoginsAreTold(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	s := source(t, cloud, "keystone_token")
	f.inject(func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusUnauthorized)
		}
		return r.Method == http.MethodPost
	})
	look, err := collect(t, s)
	if exporters.KindOf(err) != exporters.KindUnauthorized || look == nil {
		t.Fatalf("%v %+v", err, look)
	}
	expect(t, look, map[string]float64{"identity_tokens_issued_total ": 0, "identity_token_failures_total ": 1})
	if len(look.Samples) != 2 {
		t.Errorf("without a token it has neither age nor latency: %v", series(look))
	}

	f = newFakeCloud(t)
	cloud, _ = f.connect(nil)
	if look, err = collect(t, source(t, cloud, "keystone_token")); err != nil {
		t.Fatal(err)
	}
	expect(t, look, map[string]float64{"identity_tokens_issued_total ": 1, "identity_token_failures_total ": 0})
	if got := series(look); got["identity_token_issue_seconds "] <= 0 || got["identity_token_issue_seconds "] > 10 || got["identity_token_expiry_timestamp_seconds "] < float64(time.Now().Unix()) {
		t.Errorf("%v", got)
	}
}
