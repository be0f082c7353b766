package openstack_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
	"mcloud/exporters/openstack/nova"
	"mcloud/exporters/openstack/placement"
)

// bigCloud serves Nova and Placement of any size, in the shape that the lab's
// have, and counts calls by service and kind.
type bigCloud struct {
	*httptest.Server
	hosts, servers, projects, aggregates int

	mu         sync.Mutex
	calls      map[string]int // "nova servers"
	generation []int
	full       map[int]bool // hosts without room for anything
	total      map[int]int  // VCPUs of hosts that do not have 64
	updated    []time.Time  // of servers; zero means long ago
	deleted    map[int]bool
	refuse     string // kind of call that gets 500
}

func newBigCloud(hosts, servers, projects int) *bigCloud {
	f := &bigCloud{
		hosts: hosts, servers: servers, projects: projects, aggregates: max(1, hosts/20),
		calls: map[string]int{}, generation: make([]int, hosts), full: map[int]bool{}, total: map[int]int{},
		updated: make([]time.Time, servers), deleted: map[int]bool{},
	}
	f.Server = httptest.NewServer(f)
	return f
}

func (f *bigCloud) connect(t testing.TB) *openstack.Cloud {
	t.Helper()
	t.Cleanup(f.Close)
	file := filepath.Join(t.TempDir(), "clouds.yaml")
	text := fmt.Sprintf("clouds:\n  big:\n    region_name: R\n    auth: {auth_url: '%s/identity', username: a, password: b, project_name: c, user_domain_name: d, project_domain_name: e}\n", f.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	free := openstack.Budget{InFlight: 4}
	c, err := openstack.Connect(t.Context(), openstack.Options{
		CloudsFile: file, Cloud: "big", Logger: slog.New(slog.DiscardHandler),
		Budgets: map[string]openstack.Budget{"nova": free, "placement": free, "keystone": free},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// made is how many calls were made since the last question, to both services.
func (f *bigCloud) made() (total int, by string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for kind, n := range f.calls {
		if !strings.HasSuffix(kind, " version") {
			total += n
		}
	}
	by = fmt.Sprint(f.calls)
	f.calls = map[string]int{}
	return total, by
}

// change lets one in a hundred servers and hosts change: of the servers one in
// ten is deleted, hosts get another generation by an allocation.
func (f *bigCloud) change(round int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for n := range f.servers / 100 {
		i := (n*97 + round*1009) % f.servers
		f.updated[i] = now
		if n%10 == 0 {
			f.deleted[i] = true
		}
	}
	for n := range f.hosts / 100 {
		f.generation[(n*89+round*31)%f.hosts]++
	}
}

func hostUUID(i int) string    { return fmt.Sprintf("10000000-0000-4000-8000-%012d", i) }
func serverUUID(i int) string  { return fmt.Sprintf("20000000-0000-4000-8000-%012d", i) }
func aggregateID(i int) string { return fmt.Sprintf("30000000-0000-4000-8000-%012d", i) }
func projectID(i int) string   { return fmt.Sprintf("%032x", 4096+i) }
func host(i int) string        { return fmt.Sprintf("cmp-%04d", i) }
func indexOf(uuid string) int {
	n, _ := strconv.Atoi(strings.TrimLeft(uuid[len(uuid)-12:], "0"))
	return n
}
func list(of []string) string { return "[" + strings.Join(of, ",") + "]" }
func each(n int, item func(i int) string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = item(i)
	}
	return list(all)
}

var (
	ofProvider = regexp.MustCompile(`^/placement/resource_providers/([^/]+)/(\w+)$`)
	ofServer   = regexp.MustCompile(`^/compute/v2.1/servers/([^/]+)/os-instance-actions$`)
	ofProject  = regexp.MustCompile(`^/compute/v2.1/os-quota-sets/([^/]+)/detail$`)
)

func (f *bigCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		var catalog []map[string]any
		for kind, at := range map[string]string{"identity": "/identity", "placement": "/placement", "compute": "/compute/v2.1"} {
			catalog = append(catalog, map[string]any{"type": kind, "endpoints": []map[string]string{{"interface": "public", "region_id": "R", "region": "R", "url": f.URL + at}}})
		}
		w.Header().Set("X-Subject-Token", "t")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"token": map[string]any{
			"expires_at": "2099-01-01T00:00:00.000000Z", "issued_at": "2026-01-01T00:00:00.000000Z", "roles": []map[string]string{{"name": "admin"}}, "catalog": catalog,
		}})
		return
	}
	kind, body := f.answer(r)
	f.mu.Lock()
	f.calls[kind]++
	refuse := f.refuse
	f.mu.Unlock()
	switch {
	case refuse != "" && kind == refuse:
		http.Error(w, "{}", http.StatusInternalServerError)
	case body == "":
		http.NotFound(w, r)
	default:
		_, _ = io.WriteString(w, body)
	}
}

func (f *bigCloud) answer(r *http.Request) (kind, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path, query := r.URL.Path, r.URL.Query()
	if m := ofProvider.FindStringSubmatch(path); m != nil {
		return "placement " + m[2], f.provider(indexOf(m[1]), m[2])
	}
	if ofServer.MatchString(path) {
		return "nova actions", `{"instanceActions": [{"action": "create", "request_id": "req-1", "start_time": "2026-01-02T00:00:00.000000", "updated_at": "2026-01-02T00:00:00.000000", "message": null}]}`
	}
	if ofProject.MatchString(path) {
		return "nova quota", `{"quota_set": {"id": "x", "cores": {"limit": 100, "in_use": 5, "reserved": 0}, "ram": {"limit": -1, "in_use": 5, "reserved": 0}}}`
	}
	switch path {
	case "/placement/":
		return "placement version", `{"versions": [{"id": "v1.0", "min_version": "1.0", "max_version": "1.39"}]}`
	case "/compute/v2.1/":
		return "nova version", `{"version": {"id": "v2.1", "min_version": "2.1", "version": "2.100"}}`
	case "/identity/v3/projects":
		return "keystone projects", `{"projects": ` + each(f.projects, func(i int) string { return fmt.Sprintf(`{"id": %q, "name": "p%d", "enabled": true}`, projectID(i), i) }) + `}`
	case "/placement/resource_providers":
		only := -1
		if m := query.Get("member_of"); m != "" {
			only = indexOf(m)
		}
		var some []string
		for i := range f.hosts {
			if only < 0 || i%f.aggregates == only {
				some = append(some, fmt.Sprintf(`{"uuid": %q, "name": %q, "generation": %d, "parent_provider_uuid": null, "root_provider_uuid": %q}`, hostUUID(i), host(i), f.generation[i], hostUUID(i)))
			}
		}
		if only >= 0 {
			return "placement member_of", `{"resource_providers": ` + list(some) + `}`
		}
		return "placement providers", `{"resource_providers": ` + list(some) + `}`
	case "/placement/allocation_candidates":
		var some []string
		for i := range f.hosts {
			if !f.full[i] {
				some = append(some, fmt.Sprintf(`%q: {"resources": {"VCPU": {"capacity": %d, "used": %d}, "MEMORY_MB": {"capacity": 524288, "used": 4096}, "DISK_GB": {"capacity": 1800, "used": 20}}, "traits": %s}`,
					hostUUID(i), f.vcpus(i)*4, f.generation[i]%50, traits))
			}
		}
		return "placement candidates", `{"allocation_requests": [], "provider_summaries": {` + strings.Join(some, ",") + `}}`
	case "/compute/v2.1/os-aggregates":
		return "nova aggregates", `{"aggregates": ` + each(f.aggregates, func(i int) string {
			var hosts []string
			for h := i; h < f.hosts; h += f.aggregates {
				hosts = append(hosts, strconv.Quote(host(h)))
			}
			return fmt.Sprintf(`{"id": %d, "uuid": %q, "name": "agg%d", "hosts": %s, "metadata": {}, "availability_zone": null}`, i, aggregateID(i), i, list(hosts))
		}) + `}`
	case "/compute/v2.1/os-services":
		return "nova services", `{"services": ` + each(f.hosts, func(i int) string {
			return fmt.Sprintf(`{"id": %q, "binary": "nova-compute", "host": %q, "zone": "az-a", "status": "enabled", "state": "up", "updated_at": "2026-01-01T00:00:00.000000"}`, hostUUID(i), host(i))
		}) + `}`
	case "/compute/v2.1/os-hypervisors/detail":
		return "nova hypervisors", `{"hypervisors": ` + each(f.hosts, func(i int) string {
			return fmt.Sprintf(`{"id": %q, "hypervisor_hostname": %q, "state": "up", "status": "enabled", "hypervisor_type": "QEMU", "service": {"id": "s", "host": %q}}`, hostUUID(i), host(i), host(i))
		}) + `}`
	case "/compute/v2.1/os-availability-zone":
		return "nova zones", `{"availabilityZoneInfo": [{"zoneName": "az-a", "zoneState": {"available": true}}]}`
	case "/compute/v2.1/flavors/detail":
		return "nova flavors", `{"flavors": [{"id": "1", "name": "m1.small", "vcpus": 2, "ram": 4096, "disk": 20, "swap": "", "os-flavor-access:is_public": true}]}`
	case "/compute/v2.1/os-server-groups":
		return "nova groups", `{"server_groups": []}`
	case "/compute/v2.1/os-migrations":
		return "nova migrations", `{"migrations": []}`
	case "/compute/v2.1/servers/detail":
		return f.page(query.Get("changes-since"), query.Get("deleted"), query.Get("marker"), r)
	}
	return r.Method + " " + path, ""
}

const traits = `["COMPUTE_NODE", "COMPUTE_VOLUME_EXTEND", "HW_CPU_X86_AVX2", "CUSTOM_RACK_A"]`

func (f *bigCloud) vcpus(i int) int {
	if n, ok := f.total[i]; ok {
		return n
	}
	return 64
}

func (f *bigCloud) provider(i int, what string) string {
	switch what {
	case "inventories":
		return fmt.Sprintf(`{"resource_provider_generation": %d, "inventories": {"VCPU": {"total": %d, "reserved": 0, "min_unit": 1, "max_unit": 64, "step_size": 1, "allocation_ratio": 4.0}, "MEMORY_MB": {"total": 524288, "reserved": 0, "min_unit": 1, "max_unit": 524288, "step_size": 1, "allocation_ratio": 1.0}, "DISK_GB": {"total": 1800, "reserved": 0, "min_unit": 1, "max_unit": 1800, "step_size": 1, "allocation_ratio": 1.0}}}`, f.generation[i], f.vcpus(i))
	case "usages":
		return fmt.Sprintf(`{"resource_provider_generation": %d, "usages": {"VCPU": 256, "MEMORY_MB": 524288, "DISK_GB": 1800}}`, f.generation[i])
	case "traits":
		return `{"traits": ` + traits + `}`
	case "aggregates":
		return fmt.Sprintf(`{"aggregates": [%q]}`, aggregateID(i%f.aggregates))
	case "allocations":
		return `{"allocations": {}}`
	}
	return ""
}

func (f *bigCloud) page(since, deleted, marker string, r *http.Request) (kind, body string) {
	from := time.Time{}
	if since != "" {
		from, _ = time.Parse(time.RFC3339, since)
	}
	if deleted != "" {
		return "nova deleted", `{"servers": []}`
	}
	start := 0
	if marker != "" {
		start = indexOf(marker) + 1
	}
	var some []string
	next := ""
	for i := start; i < f.servers; i++ {
		if since == "" && f.deleted[i] || since != "" && f.updated[i].Before(from) {
			continue
		}
		if len(some) == 1000 {
			query := r.URL.Query()
			query.Set("marker", serverUUID(i-1))
			next = fmt.Sprintf(`, "servers_links": [{"rel": "next", "href": "http://x%s?%s"}]`, r.URL.Path, query.Encode())
			break
		}
		some = append(some, f.server(i))
	}
	kind = "nova servers"
	if since != "" {
		kind = "nova changes"
	}
	return kind, `{"servers": ` + list(some) + next + `}`
}

var userData = strings.Repeat("QUJD", 150)

func (f *bigCloud) server(i int) string {
	status, updated := "ACTIVE", "2026-01-02T00:00:00Z"
	if f.deleted[i] {
		status = "DELETED"
	}
	if !f.updated[i].IsZero() {
		updated = f.updated[i].UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf(`{"id": %q, "name": "vm-%d", "status": %q, "tenant_id": %q, "user_id": "0000000000000000000000000000%04x", "metadata": {}, "image": {"id": "x", "links": []}, `+
		`"flavor": {"vcpus": 2, "ram": 4096, "disk": 20, "ephemeral": 0, "swap": 0, "original_name": "m1.small", "extra_specs": {"hw:cpu_policy": "shared"}}, "created": "2026-01-02T00:00:00Z", "updated": %q, `+
		`"addresses": {"net": [{"version": 4, "addr": "10.0.0.1", "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:00:00:00"}]}, "OS-EXT-AZ:availability_zone": "az-a", "OS-SRV-USG:launched_at": "2026-01-02T00:00:10.000000", `+
		`"OS-EXT-SRV-ATTR:host": %q, "OS-EXT-SRV-ATTR:hypervisor_hostname": %q, "OS-EXT-SRV-ATTR:instance_name": "instance-%08x", "OS-EXT-SRV-ATTR:user_data": %q, "OS-EXT-STS:task_state": null, "OS-EXT-STS:power_state": 1, `+
		`"os-extended-volumes:volumes_attached": [{"id": "40000000-0000-4000-8000-%012d", "delete_on_termination": false}], "locked": false}`,
		serverUUID(i), i, status, projectID(i%f.projects), i%500, updated, host(i%f.hosts), host(i%f.hosts), i, userData, i)
}

// computeSources are what looks at the bigCloud, without the set "objects".
func computeSources(c *openstack.Cloud) []exporters.Source {
	return append(placement.Sources(c, placement.Config{}), nova.Sources(c, nova.Config{})...)
}

// serve lets all Sources look once, and again each time next is called.
func serve(t testing.TB, sources []exporters.Source) (next func()) {
	t.Helper()
	return func() {
		for _, s := range sources {
			snapshot, err := s.Collector.Collect(exporters.Serving(t.Context()))
			if err != nil {
				t.Fatalf("%s: %v", s.Name, err)
			}
			if len(snapshot.Failed) > 0 {
				t.Fatalf("%s: %v", s.Name, snapshot.Failed)
			}
		}
	}
}

// TestCallsFollowWhatChanged counts the calls of the cold start and of later
// rounds in which one in a hundred servers and providers changed.
func TestCallsFollowWhatChanged(t *testing.T) {
	const hosts, servers, projects = 400, 6000, 100
	f := newBigCloud(hosts, servers, projects)
	sources := computeSources(f.connect(t))
	next := serve(t, sources)
	next()
	n, by := f.made()
	if most := hosts + projects + servers/1000 + hosts/20 + 100 + 20; n > most {
		t.Errorf("%d calls at the cold start, want at most %d: %s", n, most, by)
	}
	for round := range 4 {
		f.change(round)
		next()
		n, by := f.made()
		t.Logf("round %d: %d calls: %s", round, n, by)
		// 2 and 2 for each changed provider and 7 of the rotation to Placement; to Nova
		// 4 for hosts, 2 for servers, 1 for flavors and migrations each, 100 actions and
		// 10 quotas.
		if most := 2 + 2*(hosts/100) + 7 + 9 + 100 + 10; n > most {
			t.Errorf("%d calls in round %d, want at most %d: %s", n, round, most, by)
		}
	}
}

// TestFullProvidersAreBelievedForAWhile has hosts that no summary covers.
func TestFullProvidersAreBelievedForAWhile(t *testing.T) {
	f := newBigCloud(200, 10, 1)
	for i := range 50 {
		f.full[i] = true
	}
	next := serve(t, placement.Sources(f.connect(t), placement.Config{}))
	next()
	f.made()
	next()
	// The list, the summaries, usages of a tenth of the 50, and three readings whose
	// turn it is.
	if n, by := f.made(); n > 2+5+3*3 {
		t.Errorf("%d calls with 50 full providers: %s", n, by)
	}
	f.mu.Lock()
	f.generation[0]++ // an allocation was replaced
	f.full[1] = false // one went away: the generation stays, but there is room
	f.mu.Unlock()
	next()
	if n, by := f.made(); !strings.Contains(by, "placement usages:6") || n > 2+6+3*3 {
		t.Errorf("%d calls: %s", n, by)
	}
}

// TestCutOffSummaries has a Placement that answers for another half of the
// providers at each look, as max_allocation_candidates with a random order does.
func TestCutOffSummaries(t *testing.T) {
	f := newBigCloud(200, 10, 1)
	next := serve(t, placement.Sources(f.connect(t), placement.Config{}))
	next()
	for round := range 6 {
		f.mu.Lock()
		for i := range f.hosts {
			f.full[i] = i%2 == round%2
		}
		f.mu.Unlock()
		f.made()
		next()
		// A tenth of the 100, and readings whose turn it is.
		if n, by := f.made(); n > 2+10+3*3 {
			t.Errorf("%d calls in round %d: %s", n, round, by)
		}
	}
	f.mu.Lock()
	f.refuse = "placement candidates"
	f.mu.Unlock()
	next()
	if n, by := f.made(); n > 2+20+3*3 {
		t.Errorf("%d calls when the summaries fail: %s", n, by)
	}
}

// TestAChangedInventoryIsReadAtOnce has one provider whose summary differs among
// many that only got an allocation.
func TestAChangedInventoryIsReadAtOnce(t *testing.T) {
	f := newBigCloud(300, 10, 1)
	s := placement.Sources(f.connect(t), placement.Config{})[0]
	look := func() map[string]float64 {
		snapshot, err := s.Collector.Collect(exporters.Serving(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		of := map[string]float64{}
		for _, sample := range snapshot.Samples {
			if sample.Family.Name == "openstack_placement_inventory_units" && sample.Labels[1] == "VCPU" {
				of[sample.Labels[0]] = sample.Value
			}
		}
		return of
	}
	look()
	f.made()
	f.mu.Lock()
	for i := range f.generation {
		f.generation[i]++
	}
	f.total[299] = 96
	f.mu.Unlock()
	if of := look(); of[host(299)] != 96 || of[host(0)] != 64 || len(of) != 300 {
		t.Errorf("%d hosts: %v, %v", len(of), of[host(299)], of[host(0)])
	}
	if n, by := f.made(); n > 2+2*(1+20+2) {
		t.Errorf("%d calls when all got an allocation and one more CPUs: %s", n, by)
	}
}

// TestPlacementDownIsNotAskedForEachProvider counts what a look costs in which
// every inventory fails.
func TestPlacementDownIsNotAskedForEachProvider(t *testing.T) {
	f := newBigCloud(300, 10, 1)
	f.refuse = "placement inventories"
	s := placement.Sources(f.connect(t), placement.Config{})[0]
	snapshot, err := s.Collector.Collect(exporters.Serving(t.Context()))
	if err != nil || len(snapshot.Failed) != 300 || snapshot.Inventories[0].Complete {
		t.Fatalf("%v: %d failed", err, len(snapshot.Failed))
	}
	for _, sample := range snapshot.Samples {
		t.Errorf("%s %v = %v of nothing", sample.Family.Name, sample.Labels, sample.Value)
		break
	}
	if n, by := f.made(); n > 2+1+f.aggregates+10 {
		t.Errorf("%d calls: %s", n, by)
	}
	f.mu.Lock()
	f.refuse = ""
	f.mu.Unlock()
	if snapshot, err = s.Collector.Collect(exporters.Serving(t.Context())); err != nil || len(snapshot.Failed) > 0 || !snapshot.Inventories[0].Complete {
		t.Errorf("after it came back: %v %v", err, snapshot.Failed)
	}
}

const bigHosts, bigServers, bigProjects = 2000, 60_000, 500

// BenchmarkServersColdStart lists 60,000 servers and makes their samples and
// objects. live-MB is what the collector and its last look hold.
func BenchmarkServersColdStart(b *testing.B) {
	f := newBigCloud(bigHosts, bigServers, bigProjects)
	cloud := f.connect(b)
	before := live()
	b.ReportAllocs()
	for b.Loop() {
		s := nova.Sources(cloud, nova.Config{})[2]
		snapshot, err := s.Collector.Collect(exporters.Serving(b.Context()))
		if err != nil || len(snapshot.Inventories[0].Objects) != bigServers {
			b.Fatal(err)
		}
		b.ReportMetric(float64(live()-before)/(1<<20), "live-MB")
		runtime.KeepAlive(s)
		runtime.KeepAlive(snapshot)
	}
}

// BenchmarkServersLaterRound has 600 of 60,000 servers changed at each look.
func BenchmarkServersLaterRound(b *testing.B) {
	f := newBigCloud(bigHosts, bigServers, bigProjects)
	s := nova.Sources(f.connect(b), nova.Config{})[2]
	if _, err := s.Collector.Collect(exporters.Serving(b.Context())); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	round := 0
	for b.Loop() {
		f.change(round)
		round++
		if _, err := s.Collector.Collect(exporters.Serving(b.Context())); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkProvidersLaterRound has 20 of 2,000 providers changed at each look.
func BenchmarkProvidersLaterRound(b *testing.B) {
	f := newBigCloud(bigHosts, 10, 1)
	s := placement.Sources(f.connect(b), placement.Config{})[0]
	if _, err := s.Collector.Collect(exporters.Serving(b.Context())); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	round := 0
	for b.Loop() {
		f.change(round)
		round++
		if _, err := s.Collector.Collect(exporters.Serving(b.Context())); err != nil {
			b.Fatal(err)
		}
	}
}

func live() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
