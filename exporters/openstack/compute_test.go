package openstack_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
	"mcloud/exporters/openstack/nova"
)

// valuesByName are a look's samples by "family label label".
func valuesByName(s *exporters.Snapshot) map[string]float64 {
	of := map[string]float64{}
	for _, sample := range s.Samples {
		name := strings.TrimPrefix(strings.TrimPrefix(sample.Family.Name, "openstack_nova_"), "openstack_placement_")
		of[strings.Join(append([]string{name}, sample.Labels...), " ")] = sample.Value
	}
	return of
}

func expectByName(t *testing.T, s *exporters.Snapshot, want map[string]float64) {
	t.Helper()
	got := valuesByName(s)
	for name, value := range want {
		v, ok := got[name]
		switch {
		case math.IsNaN(value) && ok:
			t.Errorf("%s is %v, want no such sample", name, v)
		case !math.IsNaN(value) && (!ok || v != value):
			t.Errorf("%s is %v (there %v), want %v", name, v, ok, value)
		}
	}
}

var absent = math.NaN()

// replace answers calls that start with prefix.
func replace(prefix, body string) func(http.ResponseWriter, *http.Request, string) bool {
	return func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if !strings.HasPrefix(call, prefix) {
			return false
		}
		_, _ = io.WriteString(w, body)
		return true
	}
}

func TestStuckServers(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	ago := func(d time.Duration) string { return time.Now().UTC().Add(-d).Format(time.RFC3339) }
	server := func(id, status, task string, created, updated time.Duration) string {
		return fmt.Sprintf(`{"id": %q, "status": %q, "OS-EXT-STS:task_state": %s, "created": %q, "updated": %q, "tenant_id": "p", "OS-EXT-STS:power_state": 9}`, id, status, task, ago(created), ago(updated))
	}
	f.inject(replace("nova /servers/detail?all_tenants=1&limit", `{"servers": [`+strings.Join([]string{
		server("a", "BUILD", `"spawning"`, 2*time.Hour, time.Second), // changes, but builds for two hours
		server("b", "BUILD", `"spawning"`, 20*time.Minute, time.Minute),
		server("c", "BUILD", `null`, time.Minute, time.Minute),
		server("d", "ACTIVE", `"deleting"`, 40*24*time.Hour, 25*time.Hour),
		server("e", "ACTIVE", `null`, 40*24*time.Hour, 30*24*time.Hour),
	}, ",")+`]}`))
	s, err := collect(t, source(t, cloud, "nova_servers"))
	if err != nil {
		t.Fatal(err)
	}
	expectByName(t, s, map[string]float64{
		"server_tasks BUILD spawning":       2,
		"server_tasks BUILD ":               1,
		"server_tasks ACTIVE deleting":      1,
		"server_tasks ACTIVE ":              absent,
		"servers_stuck BUILD spawning 10m":  2,
		"servers_stuck BUILD spawning 1h":   1,
		"servers_stuck BUILD spawning 1d":   0,
		"servers_stuck BUILD  10m":          0,
		"servers_stuck ACTIVE deleting 1d":  1,
		"servers_stuck ACTIVE deleting 10m": 1,
		"server_power_states ACTIVE 9":      2,
		"project_servers p BUILD":           3,
	})
	oldest := valuesByName(s)["server_task_oldest_timestamp_seconds BUILD spawning"]
	if d := time.Since(time.Unix(int64(oldest), 0)); d < 2*time.Hour || d > 2*time.Hour+time.Minute {
		t.Errorf("the oldest build began %v ago", d)
	}
}

// A list that breaks off at the cold start gives servers, but no counts of them.
func TestPartOfTheServersIsNotCounted(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	broken := true
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		switch {
		case !strings.HasPrefix(call, "nova /servers/detail?all_tenants=1&limit") && !strings.Contains(call, "marker"):
			return false
		case r.URL.Query().Get("marker") == "":
			_, _ = io.WriteString(w, `{"servers": [{"id": "a", "status": "ACTIVE", "OS-EXT-SRV-ATTR:host": "h"}], "servers_links": [{"rel": "next", "href": "http://x/?marker=a&limit=1000"}]}`)
		case broken:
			w.WriteHeader(http.StatusInternalServerError)
		default:
			_, _ = io.WriteString(w, `{"servers": [{"id": "b", "status": "ACTIVE"}]}`)
		}
		return true
	})
	servers := source(t, cloud, "nova_servers")
	s, err := collect(t, servers)
	if err == nil || s == nil || len(s.Inventories[0].Objects) != 1 || s.Inventories[0].Complete {
		t.Fatalf("%v %+v", err, s)
	}
	expectByName(t, s, map[string]float64{"servers ACTIVE ": absent, "host_servers h ": absent})
	broken = false
	s, err = collect(t, servers) // all again, not what changed
	if err != nil || len(s.Inventories[0].Objects) != 2 || !s.Inventories[0].Complete {
		t.Fatalf("%v %+v", err, s)
	}
	expectByName(t, s, map[string]float64{"servers ACTIVE ": 2})
}

// A cell that is down hides its servers; they are neither gone nor without a flavor.
func TestServersOfACellThatIsDown(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	servers := nova.Sources(cloud, nova.Config{FullEvery: time.Nanosecond})[2]
	before, err := collect(t, servers)
	if err != nil {
		t.Fatal(err)
	}
	known := before.Inventories[0].Objects[0]
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if !strings.HasPrefix(call, "nova /servers/detail?all_tenants=1&limit") {
			return false
		}
		var page struct {
			Servers []map[string]any `json:"servers"`
		}
		if err := json.Unmarshal(f.recorded["nova"]["/servers/detail?all_tenants=1&limit=1000 @2.100"], &page); err != nil {
			t.Error(err)
		}
		for i, v := range page.Servers {
			if v["id"] == known.ID {
				page.Servers[i] = map[string]any{"id": known.ID, "tenant_id": known.Project, "status": "UNKNOWN", "created": v["created"]}
			}
		}
		page.Servers = append(page.Servers, map[string]any{"id": "never seen", "tenant_id": "p", "status": "UNKNOWN"})
		_ = json.NewEncoder(w).Encode(page)
		return true
	})
	after, err := collect(t, servers)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(known, after.Inventories[0].Objects[0]); diff != "" || after.Inventories[0].Complete || len(after.Inventories[0].Objects) != len(before.Inventories[0].Objects) {
		t.Errorf("complete %v, %d objects, the hidden one: %s", after.Inventories[0].Complete, len(after.Inventories[0].Objects), diff)
	}
	expectByName(t, after, map[string]float64{"project_servers p UNKNOWN": 1, "flavor_servers ": absent, "server_power_states UNKNOWN none": absent})
}

func TestServicesComeAndGoAsEvents(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	hosts := source(t, cloud, "nova_hosts")
	service := func(host, state, status, reason string) string {
		return fmt.Sprintf(`{"id": "id-%s", "binary": "nova-compute", "host": %q, "zone": "az", "state": %q, "status": %q, "disabled_reason": %q, "updated_at": null}`, host, host, state, status, reason)
	}
	look := func(services ...string) []mcloud.Event {
		t.Helper()
		f.inject(replace("nova /os-services", `{"services": [`+strings.Join(services, ",")+`]}`))
		s, err := collect(t, hosts)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range s.Events {
			if err := e.Validate(); err != nil {
				t.Error(err)
			}
		}
		expectByName(t, s, map[string]float64{"service_last_seen_timestamp_seconds a nova-compute az": absent})
		return s.Events
	}
	a, b := service("a", "up", "enabled", ""), service("b", "up", "enabled", "")
	if events := look(a, b); len(events) != 0 {
		t.Errorf("at the first look: %v", events)
	}
	events := look(service("a", "down", "enabled", ""), service("b", "up", "disabled", "new disks"))
	if len(events) != 2 {
		t.Fatalf("%v", events)
	}
	down, disabled := events[0], events[1]
	if down.Kind != "service.state" || down.Resource != "id-a" || down.Severity != mcloud.SeverityError || !strings.Contains(string(down.Payload), `"from":"up"`) {
		t.Errorf("%+v %s", down, down.Payload)
	}
	if disabled.Kind != "service.status" || disabled.Severity != mcloud.SeverityWarning || !strings.Contains(string(disabled.Payload), "new disks") {
		t.Errorf("%+v %s", disabled, disabled.Payload)
	}
	// A service whose line does not decode has not gone.
	f.inject(replace("nova /os-services", `{"services": [{"id": "id-a", "binary": 7}, `+b+`]}`))
	if s, err := collect(t, hosts); err != nil || len(s.Events) != 1 || len(s.Failed) != 1 {
		t.Errorf("%v %+v", err, s.Events)
	}
}

func TestQuotasWithoutALimitAreInfinite(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(replace("nova /os-quota-sets", `{"quota_set": {"id": "x", "cores": {"limit": -1, "in_use": 3, "reserved": 0}, "key_pairs": {"limit": 100, "in_use": 0, "reserved": 0}}}`))
	s, err := collect(t, source(t, cloud, "nova_quotas"))
	if err != nil {
		t.Fatal(err)
	}
	project := s.Samples[0].Labels[0]
	expectByName(t, s, map[string]float64{
		"quota_limit " + project + " cores": math.Inf(1), "quota_in_use " + project + " cores": 3,
		"quota_limit " + project + " key_pairs": 100, "quota_in_use " + project + " key_pairs": absent,
	})
}

// One project whose quota fails does not hide the others.
func TestOneBadQuotaIsNamed(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	var refused atomic.Bool // quotas are asked for several at a time
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if !strings.HasPrefix(call, "nova /os-quota-sets") || refused.Swap(true) {
			return false
		}
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
	s, err := collect(t, source(t, cloud, "nova_quotas"))
	if err != nil || len(s.Failed) != 1 || !strings.HasPrefix(s.Failed[0].Object, "quota of project ") || len(s.Samples) < 20 {
		t.Errorf("%v %v, %d samples", err, s.Failed, len(s.Samples))
	}
}

func TestMigrationsAreFollowed(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	migrations := source(t, cloud, "nova_migrations")
	look := func(list ...string) *exporters.Snapshot {
		t.Helper()
		f.inject(replace("nova /os-migrations", `{"migrations": [`+strings.Join(list, ",")+`]}`))
		s, err := collect(t, migrations)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	now := time.Now().UTC()
	m := func(id int, kind, status string, created, updated time.Duration) string {
		const form = "2006-01-02T15:04:05.000000"
		return fmt.Sprintf(`{"id": %d, "migration_type": %q, "status": %q, "created_at": %q, "updated_at": %q}`, id, kind, status, now.Add(-created).Format(form), now.Add(-updated).Format(form))
	}
	s := look(m(1, "live-migration", "running", time.Hour, time.Minute), m(2, "resize", "finished", 40*time.Hour, 30*time.Hour), m(3, "migration", "confirmed", time.Hour, time.Hour))
	expectByName(t, s, map[string]float64{
		"migrations live-migration running": 1, "migrations resize finished": 1, "migrations migration confirmed": 1,
		"migration_oldest_timestamp_seconds resize finished":     float64(now.Add(-40 * time.Hour).Unix()),
		"migration_oldest_timestamp_seconds migration confirmed": absent,
	})
	s = look(m(1, "live-migration", "completed", time.Hour, 0), m(2, "resize", "confirmed", 40*time.Hour, 26*time.Hour))
	expectByName(t, s, map[string]float64{
		"migrations live-migration running": absent, "migrations live-migration completed": 1,
		"migrations resize confirmed": absent, // ended more than a day ago
		"migrations resize finished":  absent,
	})
}

// Nova pages server groups by offset and gives no link to the next page.
func TestAllPagesOfServerGroups(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		if !strings.HasPrefix(call, "nova /os-server-groups") {
			return false
		}
		n := 1000
		if r.URL.Query().Get("offset") == "1000" {
			n = 3
		}
		groups := make([]map[string]any, n)
		for i := range groups {
			groups[i] = map[string]any{"id": fmt.Sprint(r.URL.Query().Get("offset"), "-", i), "policies": []string{"affinity"}, "members": []string{"a", "b"}}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"server_groups": groups})
		return true
	})
	s, err := collect(t, source(t, cloud, "nova_servers"))
	if err != nil {
		t.Fatal(err)
	}
	expectByName(t, s, map[string]float64{"server_groups affinity": 1003, "server_group_members affinity": 2006})
}

// Servers know their groups though the groups are read at other times.
func TestGroupsReachTheServersAttributes(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	servers := nova.Sources(cloud, nova.Config{GroupsEvery: time.Nanosecond})[2]
	grouped := func() (n int) {
		s, err := collect(t, servers)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range s.Inventories[0].Objects {
			var v mcloud.Server
			if err := json.Unmarshal(o.Attributes, &v); err != nil {
				t.Fatal(err)
			}
			n += len(v.ServerGroups)
		}
		return n
	}
	if n := grouped(); n != 19 {
		t.Errorf("%d servers have a group, want 19", n)
	}
	f.inject(replace("nova /os-server-groups", `{"server_groups": []}`))
	if n := grouped(); n != 0 {
		t.Errorf("%d servers have a group, want none any more", n)
	}
}

// What a bill depends on is read before what only moves.
func TestUrgentActionsComeFirst(t *testing.T) {
	f := newBigCloud(10, 2000, 3)
	sources := nova.Sources(f.connect(t), nova.Config{})
	servers, actions := sources[2], sources[3]
	ctx := exporters.Serving(t.Context())
	if _, err := servers.Collector.Collect(ctx); err != nil {
		t.Fatal(err)
	}
	f.change(0) // 20 change, 2 of them are deleted
	if _, err := servers.Collector.Collect(ctx); err != nil {
		t.Fatal(err)
	}
	s, err := actions.Collector.Collect(ctx)
	if err != nil || s.Seen != 100 {
		t.Fatalf("%v, %d servers' actions were read", err, s.Seen)
	}
	read := map[string]bool{}
	for _, o := range s.Inventories[0].Objects {
		read[o.Parent] = true
	}
	for i := range f.servers {
		if f.deleted[i] && !read[serverUUID(i)] {
			t.Errorf("the deleted server %d waits", i)
		}
		if !f.deleted[i] && !f.updated[i].IsZero() && read[serverUUID(i)] {
			t.Errorf("server %d, which changed a moment ago, was read before its action has ended", i)
		}
	}
	// 2,000 are there, 98 besides the deleted ones were read, which wait for the
	// end of their action.
	expectByName(t, s, map[string]float64{"server_actions_pending": 1902})
}

func TestOldFieldsOfHypervisorsAreOptional(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(replace("nova /os-hypervisors", `{"hypervisors": [{"id": "h", "hypervisor_hostname": "n", "state": "up", "status": "enabled", "hypervisor_type": "QEMU", "service": {"host": "n"}}]}`))
	s, err := collect(t, source(t, cloud, "nova_hosts"))
	if err != nil {
		t.Fatal(err)
	}
	expectByName(t, s, map[string]float64{"hypervisor_up n n ": 1, "running_vms n n ": absent, "vcpus_used n n ": absent})
}

// An account without the right is told so, and the other families stay.
func TestForbiddenCallsAreNamed(t *testing.T) {
	for _, c := range []struct{ source, call string }{
		{"nova_quotas", "nova /os-quota-sets"}, {"nova_migrations", "nova /os-migrations"}, {"placement_providers", "placement /resource_providers"},
	} {
		f := newFakeCloud(t)
		cloud, _ := f.connect(nil)
		f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
			if strings.HasPrefix(call, c.call) {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			return false
		})
		s, err := collect(t, source(t, cloud, c.source))
		if s != nil || exporters.KindOf(err) != exporters.KindForbidden {
			t.Errorf("%s: %v %v", c.source, s, err)
		}
	}
}

// TestNestedProviders is of a GPU below a compute host, as the lab had it.
func TestNestedProviders(t *testing.T) {
	cloud, _ := newFakeCloud(t).connect(func(*openstack.Options) {})
	s, err := collect(t, source(t, cloud, "placement_providers"))
	if err != nil {
		t.Fatal(err)
	}
	expectByName(t, s, map[string]float64{
		"providers true": 1, "providers false": 6,
		"capacity_units nova-test-cmp-c1-gpu0 PCPU": 14, "inventory_units nova-test-cmp-c1-gpu0 VGPU": 8, "usage_units nova-test-cmp-c1-gpu0 VGPU": 0,
		"allocation_max_units nova-test-cmp-c1-gpu0 VGPU":                2,
		"provider_trait_info nova-test-cmp-c1-gpu0 CUSTOM_NOVA_TEST_GPU": 1,
		"trait_providers CUSTOM_NOVA_TEST_GPU":                           1,
		"capacity_units cmp-c1 PCPU":                                     absent,
	})
	var root string
	for _, o := range s.Inventories[0].Objects {
		if o.Name == "cmp-c1" {
			root = o.ID
		}
	}
	for _, o := range s.Inventories[0].Objects {
		var v mcloud.Provider
		if err := json.Unmarshal(o.Attributes, &v); err != nil {
			t.Fatal(err)
		}
		if o.Name == "nova-test-cmp-c1-gpu0" && (o.Parent != root || v.Root != root) {
			t.Errorf("parent %s, root %s, want %s", o.Parent, v.Root, root)
		}
	}
}

// A hypervisor that cannot be read is not gone: the servers' look keeps its host's zero.
func TestUnreadableHypervisorKeepsItsHost(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	sources := nova.Sources(cloud, nova.Config{})
	two := `{"hypervisors": [{"id": "h", "hypervisor_hostname": "n", "service": {"host": "n"}}, {"id": %s, "hypervisor_hostname": "empty", "service": {"host": "empty"}}]}`
	for _, id := range []string{`"e"`, `{"wrong": true}`} {
		f.inject(replace("nova /os-hypervisors", fmt.Sprintf(two, id)))
		for _, at := range []int{0, 2} { // nova_hosts, nova_servers
			s, _ := collect(t, sources[at])
			if at == 0 {
				continue
			}
			if got := byHost(s)["empty"]; got != 1 {
				t.Errorf("id %s: %d samples of the host without servers, want 1", id, got)
			}
		}
	}
}

// byHost counts the samples of openstack_nova_host_servers by host.
func byHost(s *exporters.Snapshot) map[string]int {
	hosts := map[string]int{}
	for _, v := range s.Samples {
		if v.Family.Name == "openstack_nova_host_servers" {
			hosts[v.Labels[0]]++
		}
	}
	return hosts
}
