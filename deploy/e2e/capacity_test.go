//go:build lab

package e2e

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"mcloud/planner/capacity"
	"mcloud/planner/report"
)

// capacityEqualsPlacement compares each host and each zone with what Placement
// itself says, by its own arithmetic.
func capacityEqualsPlacement(t *testing.T, p *product) {
	want := placementByHand(t)
	zones := map[string]map[string]int64{} // capacity by zone and class
	hosts := capacityBy(t, p, "host")
	seen := map[string]bool{}
	for _, r := range hosts {
		seen[r.Name] = true
		w, ok := want[r.Name][r.Class]
		if !ok {
			t.Errorf("%s has %s here, and not in Placement", r.Name, r.Class)
			continue
		}
		if r.Out == "" && (r.Physical != w.total || r.Reserved != w.reserved || r.Allocatable != w.capacity) {
			t.Errorf("%s %s: physical %d, reserved %d, allocatable %d; Placement has %+v", r.Name, r.Class, r.Physical, r.Reserved, r.Allocatable, w)
		}
		if r.Out != "" && r.OutAllocatable != w.capacity || r.Allocated != w.used {
			t.Errorf("%s %s (%s): allocated %d; Placement has %+v", r.Name, r.Class, r.Out, r.Allocated, w)
		}
		if zones[r.Zone] == nil {
			zones[r.Zone] = map[string]int64{}
		}
		zones[r.Zone][r.Class] += r.Allocatable
	}
	for name := range want {
		if !seen[name] {
			t.Errorf("Placement has %s, and no host is listed", name)
		}
	}
	if len(hosts) < 6 {
		t.Errorf("%d rows of hosts", len(hosts))
	}
	for _, r := range capacityBy(t, p, "zone") {
		if r.Allocatable != zones[r.Name][r.Class] {
			t.Errorf("zone %s has %d %s, its hosts %d", r.Name, r.Allocatable, r.Class, zones[r.Name][r.Class])
		}
	}
}

func capacityBy(t *testing.T, p *product, by string) (rows []report.CapacityRow) {
	t.Helper()
	waitFor(t, "capacity by "+by, 2*time.Minute, func() (bool, string) {
		out, errs, err := p.plan(t, "capacity", "--by", by, "--output", "json")
		if err != nil {
			return false, errs
		}
		if err := json.Unmarshal([]byte(out), &rows); err != nil {
			t.Fatalf("%v in %.300s", err, out)
		}
		return len(rows) > 0, "no rows"
	})
	return rows
}

type placed struct{ total, reserved, capacity, used int64 }

// placementByHand is what Placement has, by the names of root providers and class.
func placementByHand(t *testing.T) map[string]map[string]placed {
	t.Helper()
	var providers []struct {
		UUID string `json:"uuid"`
		Name string `json:"name"`
	}
	client(t, "lab-admin", &providers, "resource", "provider", "list")
	type inventory struct {
		Class    string  `json:"resource_class"`
		Total    int64   `json:"total"`
		Reserved int64   `json:"reserved"`
		Ratio    float64 `json:"allocation_ratio"`
	}
	type usage struct {
		Class string `json:"resource_class"`
		Usage int64  `json:"usage"`
	}
	inventories, usages := make([][]inventory, len(providers)), make([][]usage, len(providers))
	var commands []command
	for i, p := range providers {
		commands = append(commands,
			command{&inventories[i], []string{"resource", "provider", "inventory", "list", p.UUID}},
			command{&usages[i], []string{"resource", "provider", "usage", "show", p.UUID}})
	}
	clientAll(t, "lab-admin", commands...)
	all := map[string]map[string]placed{}
	for i, p := range providers {
		all[p.Name] = map[string]placed{}
		for _, inv := range inventories[i] {
			all[p.Name][inv.Class] = placed{total: inv.Total, reserved: inv.Reserved, capacity: int64(float64(inv.Total-inv.Reserved) * inv.Ratio)}
		}
		for _, u := range usages[i] {
			one := all[p.Name][u.Class]
			one.used = u.Usage
			all[p.Name][u.Class] = one
		}
	}
	return all
}

// fit is a flavor to fill the cloud with.
type fit struct {
	flavor string
	specs  map[string]string
}

// TestHeadroomIsWhatNovaAccepts makes as many servers as headroom says, of three flavors
// one after another: one that asks for nothing special, one that requires a trait and
// one that is bound to an aggregate. Nova must accept all of them, and not one more.
func TestHeadroomIsWhatNovaAccepts(t *testing.T) {
	slow(t)
	p := newProduct(t, root+"/deploy/lab/mcloud.yaml")
	p.start(t)
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	trait, aggregate := "CUSTOM_E2E_FIT_"+stamp, "e2e-fit-"+stamp

	// Two hosts, of different zones, for the trait; one of them for the aggregate.
	var hypervisors []struct {
		ID    string `json:"ID"`
		Name  string `json:"Hypervisor Hostname"`
		State string `json:"State"`
	}
	client(t, "lab-admin", &hypervisors, "hypervisor", "list")
	if len(hypervisors) < 3 {
		t.Fatalf("the lab has %d hypervisors", len(hypervisors))
	}
	first, last := hypervisors[0], hypervisors[len(hypervisors)-1]
	client(t, "lab-admin", nil, "--os-placement-api-version", "1.39", "trait", "create", trait)
	t.Cleanup(func() {
		client(t, "lab-admin", nil, "--os-placement-api-version", "1.39", "trait", "delete", trait)
	})
	for _, h := range []string{first.ID, last.ID} {
		before := traits(t, h)
		setTraits(t, h, append(before, trait))
		t.Cleanup(func() { setTraits(t, h, before) })
	}
	client(t, "lab-admin", nil, "aggregate", "create", "--property", "e2e_pool="+stamp, aggregate)
	t.Cleanup(func() { client(t, "lab-admin", nil, "aggregate", "delete", aggregate) })
	client(t, "lab-admin", nil, "aggregate", "add", "host", aggregate, last.Name)
	t.Cleanup(func() { client(t, "lab-admin", nil, "aggregate", "remove", "host", aggregate, last.Name) })

	fits := []fit{
		{"e2e-plain-" + stamp, nil},
		{"e2e-trait-" + stamp, map[string]string{"trait:" + trait: "required"}},
		{"e2e-bound-" + stamp, map[string]string{"aggregate_instance_extra_specs:e2e_pool": stamp}},
	}
	for _, f := range fits {
		// A fifth of a host's memory or so: what does not divide evenly is part of it.
		args := []string{"flavor", "create", "--vcpus", "2", "--ram", "90000", "--disk", "1", f.flavor}
		for k, v := range f.specs {
			args = append(args, "--property", k+"="+v)
		}
		client(t, "lab-admin", nil, args...)
		t.Cleanup(func() { client(t, "lab-admin", nil, "flavor", "delete", f.flavor) })
	}
	unlimited(t)

	for _, f := range fits {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(f.flavor, "e2e-"), "-"+stamp), func(t *testing.T) {
			want := settledHeadroom(t, p, f.flavor)
			if want == 0 {
				t.Fatalf("no server of %s would fit: the test needs room", f.flavor)
			}
			name := f.flavor + "-server"
			t.Cleanup(func() { deleteServers(t, name) })
			createServers(t, name, f.flavor, want)
			counts := serversByStatus(t, name)
			if counts["ACTIVE"] != want || len(counts) != 1 {
				t.Fatalf("headroom said %d; Nova made %v", want, counts)
			}
			// The cloud is full now, for this flavor: one more is refused.
			createServers(t, name+"-beyond", f.flavor, 1)
			if counts := serversByStatus(t, name+"-beyond"); counts["ERROR"] != 1 {
				t.Errorf("one more than headroom said became %v", counts)
			}
			if fault := faultOf(t, name+"-beyond"); !strings.Contains(fault, "No valid host") {
				t.Errorf("one more than headroom said was refused with %q", fault)
			}
			if left := settledHeadroom(t, p, f.flavor); left != 0 {
				t.Errorf("headroom of the full cloud is %d", left)
			}
		})
	}
}

// unlimited lifts the quotas of the project that the test makes servers in, until it ends.
func unlimited(t *testing.T) {
	t.Helper()
	quotas := []string{"cores", "ram", "instances"}
	var shown []struct {
		Resource string `json:"Resource"`
		Limit    int64  `json:"Limit"`
	}
	client(t, "lab-admin", &shown, "quota", "show", "--compute")
	var project struct {
		ID string `json:"project_id"`
	}
	client(t, "lab-admin", &project, "token", "issue")
	set := func(limit map[string]int64) {
		args := []string{"quota", "set"}
		for _, q := range quotas {
			args = append(args, "--"+q, strconv.FormatInt(limit[q], 10))
		}
		client(t, "lab-admin", nil, append(args, project.ID)...)
	}
	before := map[string]int64{}
	for _, q := range shown {
		before[q.Resource] = q.Limit
	}
	for _, q := range quotas {
		if _, ok := before[q]; !ok {
			t.Fatalf("the quota of %s is not shown: %v", q, shown)
		}
	}
	set(map[string]int64{"cores": -1, "ram": -1, "instances": -1})
	t.Cleanup(func() { set(before) })
}

// settledHeadroom is how many servers of a flavor fit as soon as a plan, made from a look
// that is younger than this call, says the same twice.
func settledHeadroom(t *testing.T, p *product, flavor string) (servers int) {
	t.Helper()
	since, last := time.Now().Unix(), -1
	looked := fmt.Sprintf(`min(mcloud_source_last_success_timestamp_seconds{source=~"nova_hosts|placement_providers|nova_flavors"}) > %d`, since)
	p.waitForQuery(t, looked, 2*time.Minute)
	var made time.Time
	waitFor(t, "headroom of "+flavor, 3*time.Minute, func() (bool, string) {
		var d report.Document
		out, errs, err := p.plan(t, "report", "--output", "json")
		if err != nil {
			return false, errs
		}
		if err := json.Unmarshal([]byte(out), &d); err != nil {
			t.Fatalf("%v in %.300s", err, out)
		}
		if d.At.Unix() <= since || d.At.Equal(made) {
			return false, "the plan is of " + d.At.Format(time.TimeOnly)
		}
		made = d.At
		if out, errs, err = p.plan(t, "headroom", "--flavor", flavor, "--output", "json"); err != nil {
			return false, errs
		}
		var all []capacity.Headroom
		if err := json.Unmarshal([]byte(out), &all); err != nil {
			t.Fatalf("%v in %.300s", err, out)
		}
		for _, h := range all {
			if !h.VolumeBacked {
				servers = int(h.Servers)
			}
		}
		same := servers == last
		last = servers
		return same, fmt.Sprintf("%d servers", servers)
	})
	return servers
}

// createServers asks for n servers in one request, with their root disk on the host.
func createServers(t *testing.T, name, flavor string, n int) {
	t.Helper()
	count := strconv.Itoa(n)
	client(t, "lab-admin", nil, "--os-compute-api-version", "2.79", "server", "create", "--flavor", flavor, "--image", "cirros-lab", "--nic", "none", "--min", count, "--max", count, name)
	waitFor(t, fmt.Sprintf("%d servers called %s", n, name), 5*time.Minute, func() (bool, string) {
		counts := serversByStatus(t, name)
		return counts["BUILD"] == 0 && counts["ACTIVE"]+counts["ERROR"] == n, fmt.Sprint(counts)
	})
}

// listServers are the servers called name, or name and a number.
func listServers(t *testing.T, name string) (servers []listedServer) {
	t.Helper()
	client(t, "lab-admin", &servers, "server", "list", "--name", "^"+name+"(-[0-9]+)?$")
	return servers
}

type listedServer struct {
	ID     string `json:"ID"`
	Status string `json:"Status"`
}

func serversByStatus(t *testing.T, name string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, s := range listServers(t, name) {
		counts[s.Status]++
	}
	return counts
}

func faultOf(t *testing.T, name string) string {
	t.Helper()
	servers := listServers(t, name)
	if len(servers) == 0 {
		return "there is no such server"
	}
	var shown struct {
		Fault struct {
			Message string `json:"message"`
		} `json:"fault"`
	}
	client(t, "lab-admin", &shown, "server", "show", servers[0].ID)
	return shown.Fault.Message
}

// deleteServers deletes those called name and those beyond.
func deleteServers(t *testing.T, name string) {
	t.Helper()
	var ids []string
	for _, s := range append(listServers(t, name), listServers(t, name+"-beyond")...) {
		ids = append(ids, s.ID)
	}
	if len(ids) > 0 {
		client(t, "lab-admin", nil, append([]string{"server", "delete", "--wait"}, ids...)...)
	}
}
