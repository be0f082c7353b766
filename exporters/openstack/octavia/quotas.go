package octavia

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var (
	quotaLimit = &exporters.Family{
		Name: "openstack_loadbalancer_quota_limit", Type: exporters.Gauge, Labels: []string{"project_id", "resource"}, Set: exporters.SetBase, Call: "GET /lbaas/quotas, /lbaas/quotas/defaults",
		Help: "What the project may have of the resource (load_balancer, listener, pool, member, health_monitor, l7policy, l7rule); +Inf without a limit. Only projects that have used Octavia.",
	}
	quotaDefault = &exporters.Family{
		Name: "openstack_loadbalancer_quota_default_limit", Type: exporters.Gauge, Labels: []string{"resource"}, Set: exporters.SetBase, Call: "GET /lbaas/quotas/defaults",
		Help: "What a project without limits of its own may have of the resource; +Inf without a limit.",
	}
	flavors = &exporters.Family{
		Name: "openstack_loadbalancer_flavors", Type: exporters.Gauge, Labels: []string{"enabled"}, Set: exporters.SetBase, Call: "GET /lbaas/flavors",
		Help: "Flavors of load balancers, by whether they may be used.",
	}
	zones = &exporters.Family{
		Name: "openstack_loadbalancer_availability_zones", Type: exporters.Gauge, Labels: []string{"enabled"}, Set: exporters.SetBase, Call: "GET /lbaas/availabilityzones",
		Help: "Availability zones of load balancers, by whether they may be used.",
	}
	providerInfo = &exporters.Family{
		Name: "openstack_loadbalancer_provider_info", Type: exporters.Gauge, Labels: []string{"name", "description"}, Set: exporters.SetBase, Call: "GET /lbaas/providers",
		Help: "Always 1; a provider that is enabled.",
	}
	quotaFamilies = []*exporters.Family{quotaLimit, quotaDefault, flavors, zones, providerInfo}
)

// quota has null for what is by default. The other spellings that Octavia gives
// beside these (loadbalancer, healthmonitor) are its older ones.
type quota struct {
	Project       string         `json:"project_id"`
	LoadBalancer  *openstack.Int `json:"load_balancer"`
	Listener      *openstack.Int `json:"listener"`
	Pool          *openstack.Int `json:"pool"`
	Member        *openstack.Int `json:"member"`
	HealthMonitor *openstack.Int `json:"health_monitor"`
	L7Policy      *openstack.Int `json:"l7policy"`
	L7Rule        *openstack.Int `json:"l7rule"`
}

// limits are the numbers that the quota has; −1 is no limit.
func (q quota) limits() map[string]float64 {
	all := map[string]float64{}
	for resource, n := range map[string]*openstack.Int{
		"load_balancer": q.LoadBalancer, "listener": q.Listener, "pool": q.Pool, "member": q.Member,
		"health_monitor": q.HealthMonitor, "l7policy": q.L7Policy, "l7rule": q.L7Rule,
	} {
		switch {
		case n == nil:
		case *n < 0:
			all[resource] = math.Inf(1)
		default:
			all[resource] = float64(*n)
		}
	}
	return all
}

type quotasCollector struct {
	cloud *openstack.Cloud
	may   *sight
}

func (c *quotasCollector) collect(ctx context.Context) (*exporters.Snapshot, error) {
	if err := c.may.all(ctx); err != nil {
		return nil, err
	}
	s := &exporters.Snapshot{}
	type enabled struct {
		Enabled openstack.Bool `json:"enabled"`
	}
	byEnabled := func(v enabled) []string { return []string{strconv.FormatBool(bool(v.Enabled))} }
	err := errors.Join(
		c.limits(ctx, s),
		countAll(ctx, c.cloud, s, "/lbaas/flavors", "flavors", flavors, byEnabled),
		countAll(ctx, c.cloud, s, "/lbaas/availabilityzones", "availability_zones", zones, byEnabled),
		c.providers(ctx, s),
	)
	if err != nil && s.Seen == 0 {
		return nil, err
	}
	return s, err
}

func (c *quotasCollector) limits(ctx context.Context, s *exporters.Snapshot) error {
	answer, err := c.cloud.Get(ctx, api, "/lbaas/quotas/defaults", nil)
	var defaults quota
	if err == nil {
		err = answer.Decode("quota", &defaults)
	}
	if err != nil {
		return err
	}
	for resource, n := range defaults.limits() {
		s.Add(quotaDefault, n, resource)
	}
	all, err := openstack.List[quota](ctx, c.cloud, api, "/lbaas/quotas", "quotas", nil)
	all.NoteIn(s)
	for _, q := range all.Objects {
		limits := defaults.limits()
		maps.Copy(limits, q.limits())
		for _, resource := range slices.Sorted(maps.Keys(limits)) {
			s.Add(quotaLimit, limits[resource], q.Project, resource)
		}
	}
	return err
}

// countAll is count for lists of the operator's, which no project owns.
func countAll[T any](ctx context.Context, cloud *openstack.Cloud, s *exporters.Snapshot, path, member string, f *exporters.Family, labels func(T) []string) error {
	var tally exporters.Tally
	list, err := openstack.Each(ctx, cloud, api, path, member, nil, func(v T) { tally.Add(1, labels(v)...) })
	list.NoteIn(s)
	if missing(err) {
		s.Skipped++
		return nil
	}
	if err == nil && len(list.Failed) == 0 {
		tally.AddTo(s, f)
	}
	return err
}

func (c *quotasCollector) providers(ctx context.Context, s *exporters.Snapshot) error {
	type provider struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	}
	all, err := openstack.List[provider](ctx, c.cloud, api, "/lbaas/providers", "providers", nil)
	all.NoteIn(s)
	if missing(err) {
		s.Skipped++
		return nil
	}
	for _, p := range all.Objects {
		s.Add(providerInfo, 1, p.Name, p.Description)
	}
	return err
}
