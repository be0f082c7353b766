package neutron

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	json "github.com/go-json-experiment/json/v1"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var (
	quotaLimit = &exporters.Family{
		Name: "openstack_neutron_quota_limit", Type: exporters.Gauge, Labels: []string{"project_id", "resource"}, Set: exporters.SetBase, Call: "GET /quotas, /quotas/{project}/default",
		Help: "What the project may have of the resource (network, subnet, port, router, floatingip, security_group, …); +Inf without a limit.",
	}
	quotaReserved = &exporters.Family{
		Name: "openstack_neutron_quota_reserved", Type: exporters.Gauge, Labels: []string{"project_id", "resource"}, Set: exporters.SetObjects, Call: "GET /quotas/{project}/details.json",
		Help: "What requests that are being worked on have reserved of the resource; read in turn, each project once in 90 minutes. Only administrators may read it.",
	}
	quotaFamilies = []*exporters.Family{quotaLimit, quotaReserved}
)

// detail is one resource of quotas/{project}/details.json.
type detail struct {
	Limit    openstack.Int `json:"limit"`
	Used     openstack.Int `json:"used"`
	Reserved openstack.Int `json:"reserved"`
}

// quotasCollector reads the limits: those that differ from the defaults come in
// one list for all projects, and the defaults in one more call.
type quotasCollector struct {
	cloud    *openstack.Cloud
	reserved openstack.Rotation[map[string]detail]
}

func (c *quotasCollector) collect(ctx context.Context) (*exporters.Snapshot, error) {
	l := newLook(c.cloud)
	projects, err := c.cloud.Projects(ctx, projectsAge)
	if err != nil {
		l.errs = append(l.errs, err)
		if len(projects.Objects) == 0 {
			return l.end()
		}
	}
	ids := make([]string, len(projects.Objects))
	for i, p := range projects.Objects {
		ids[i] = string(p.ID)
	}
	c.limits(ctx, l, ids)
	c.reservations(ctx, l, ids)
	return l.end()
}

func (c *quotasCollector) limits(ctx context.Context, l *look, ids []string) {
	type quota map[string]json.RawMessage
	own, complete := list[quota](ctx, l, "/quotas", "quotas", nil)
	if !complete || len(own.Failed) > 0 || len(ids) == 0 {
		return
	}
	byProject := map[string]map[string]float64{}
	for _, q := range own.Objects {
		var owner owned
		_ = json.Unmarshal(q["project_id"], &owner.Project)
		_ = json.Unmarshal(q["tenant_id"], &owner.Tenant)
		byProject[owner.project()] = limitsOf(q)
	}
	answer, err := c.cloud.Get(ctx, api, "/quotas/"+ids[0]+"/default", nil)
	var raw quota
	if err == nil {
		err = answer.Decode("quota", &raw)
	}
	if err != nil {
		l.errs = append(l.errs, err)
		return
	}
	defaults := limitsOf(raw)
	for _, id := range ids {
		limits := maps.Clone(defaults)
		maps.Copy(limits, byProject[id])
		for _, resource := range slices.Sorted(maps.Keys(limits)) {
			l.s.Add(quotaLimit, limits[resource], id, resource)
		}
	}
}

// limitsOf are the numbers of a quota, by resource; −1 is no limit.
func limitsOf(quota map[string]json.RawMessage) map[string]float64 {
	limits := map[string]float64{}
	for resource, raw := range quota {
		var n float64
		if string(raw) == "null" || json.Unmarshal(raw, &n) != nil {
			continue // an id, or no quota
		}
		if n < 0 {
			n = math.Inf(1)
		}
		limits[resource] = n
	}
	return limits
}

// reservations are the one part that costs a call for each project. Neutron
// refuses them to everybody but administrators, whatever its policy says.
func (c *quotasCollector) reservations(ctx context.Context, l *look, ids []string) {
	if !exporters.Wants(ctx, exporters.SetObjects) {
		return
	}
	if admin, err := c.cloud.Admin(ctx); !admin {
		l.s.Skipped++
		if err != nil {
			l.errs = append(l.errs, err)
		}
		return
	}
	failed, err := c.reserved.Refresh(ctx, ids, time.Now(), func(ctx context.Context, id string) (map[string]detail, error) {
		answer, err := c.cloud.Get(ctx, api, "/quotas/"+id+"/details.json", nil)
		if err != nil {
			return nil, err
		}
		var of map[string]detail
		return of, answer.Decode("quota", &of)
	})
	l.s.Failed = append(l.s.Failed, failed...)
	if err != nil {
		l.errs = append(l.errs, err)
	}
	for id, of := range c.reserved.Values() {
		for _, resource := range slices.Sorted(maps.Keys(of)) {
			l.s.Add(quotaReserved, float64(of[resource].Reserved), id, resource)
		}
	}
}
