package neutron

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// quotaUsed is served by each Source that lists what a quota counts.
var quotaUsed = &exporters.Family{
	Name: "openstack_neutron_quota_used", Type: exporters.Gauge, Labels: []string{"project_id", "resource"}, Set: exporters.SetBase, Call: "GET /networks, /subnets, /ports, …",
	Help: "What the project has of the resource (network, subnet, port, router, floatingip, security_group, …), counted in the list of all projects' objects.",
}

// usage turns counts by project into quotaUsed, and tells whose changed.
type usage struct {
	cloud   *openstack.Cloud
	changed func(project string)

	mu   sync.Mutex // guards seen
	seen map[string]map[string]float64
}

// projectsAge is how old the shared list of projects may be.
const projectsAge = 10 * time.Minute

// add adds what the projects have of a resource by a complete list of it; a
// project that Keystone knows and that has none has 0.
func (u *usage) add(ctx context.Context, s *exporters.Snapshot, resource string, counts map[string]float64) {
	counts = maps.Clone(counts)
	if counts == nil {
		counts = map[string]float64{}
	}
	delete(counts, "") // Neutron's own, of no project
	u.note(resource, counts)
	// Without Keystone those that have something are still right.
	known, _ := u.cloud.Projects(ctx, projectsAge)
	for _, p := range known.Objects {
		if _, ok := counts[string(p.ID)]; !ok {
			counts[string(p.ID)] = 0
		}
	}
	for _, project := range slices.Sorted(maps.Keys(counts)) {
		s.Add(quotaUsed, counts[project], project, resource)
	}
}

// note tells of the projects that have more or fewer than at the look before.
func (u *usage) note(resource string, counts map[string]float64) {
	u.mu.Lock()
	before, looked := u.seen[resource]
	if u.seen == nil {
		u.seen = map[string]map[string]float64{}
	}
	u.seen[resource] = maps.Clone(counts)
	u.mu.Unlock()
	if !looked {
		return
	}
	for project := range counts {
		if counts[project] != before[project] {
			u.changed(project)
		}
	}
	for project := range before {
		if _, ok := counts[project]; !ok {
			u.changed(project)
		}
	}
}
