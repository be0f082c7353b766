package octavia

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var (
	loadBalancers = &exporters.Family{
		Name: "openstack_loadbalancer_loadbalancers", Type: exporters.Gauge, Labels: []string{"provider", "provisioning_status", "operating_status"}, Set: exporters.SetBase, Call: "GET /lbaas/loadbalancers",
		Help: "Load balancers by provider, provisioning status (ACTIVE, PENDING_UPDATE, ERROR, …) and operating status (ONLINE, OFFLINE, DEGRADED, ERROR, NO_MONITOR).",
	}
	loadBalancerInfo = &exporters.Family{
		Name: "openstack_loadbalancer_loadbalancer_info", Type: exporters.Gauge,
		Labels: []string{"id", "name", "project_id", "provider", "provisioning_status", "operating_status", "vip_address", "flavor_id", "availability_zone"}, Set: exporters.SetObjects, Call: "GET /lbaas/loadbalancers",
		Help: "Always 1; says what a load balancer is and how it is.",
	}
	listeners = &exporters.Family{
		Name: "openstack_loadbalancer_listeners", Type: exporters.Gauge, Labels: []string{"protocol", "provisioning_status", "operating_status"}, Set: exporters.SetBase, Call: "GET /lbaas/listeners",
		Help: "Listeners by protocol (HTTP, TCP, TERMINATED_HTTPS, …), provisioning and operating status.",
	}
	pools = &exporters.Family{
		Name: "openstack_loadbalancer_pools", Type: exporters.Gauge, Labels: []string{"protocol", "algorithm", "provisioning_status", "operating_status"}, Set: exporters.SetBase, Call: "GET /lbaas/pools",
		Help: "Pools by protocol, algorithm (ROUND_ROBIN, …), provisioning and operating status.",
	}
	poolInfo = &exporters.Family{
		Name: "openstack_loadbalancer_pool_info", Type: exporters.Gauge,
		Labels: []string{"id", "name", "project_id", "loadbalancers", "protocol", "algorithm", "provisioning_status", "operating_status"}, Set: exporters.SetObjects, Call: "GET /lbaas/pools",
		Help: "Always 1; says what a pool is and how it is. loadbalancers are ids, with commas.",
	}
	healthMonitors = &exporters.Family{
		Name: "openstack_loadbalancer_health_monitors", Type: exporters.Gauge, Labels: []string{"type", "provisioning_status", "operating_status"}, Set: exporters.SetBase, Call: "GET /lbaas/healthmonitors",
		Help: "Health monitors by type (HTTP, PING, TCP, …), provisioning and operating status.",
	}
	quotaUsed = &exporters.Family{
		Name: "openstack_loadbalancer_quota_used", Type: exporters.Gauge, Labels: []string{"project_id", "resource"}, Set: exporters.SetBase, Call: "GET /lbaas/loadbalancers, /lbaas/listeners, …",
		Help: "What the project has of the resource (load_balancer, listener, pool, member, health_monitor), counted in the list of all projects' objects; absent when it has none.",
	}
	balancerFamilies = []*exporters.Family{loadBalancers, loadBalancerInfo, listeners, pools, poolInfo, healthMonitors, quotaUsed}
)

type statuses struct {
	Provisioning string `json:"provisioning_status"`
	Operating    string `json:"operating_status"`
}

type ref struct {
	ID string `json:"id"`
}

func idsOf(refs []ref) []string {
	var ids []string
	for _, r := range refs {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return ids
}

type loadBalancer struct {
	statuses
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Project    string         `json:"project_id"`
	AdminState openstack.Bool `json:"admin_state_up"`
	Provider   string         `json:"provider"`
	Flavor     string         `json:"flavor_id"`
	Zone       string         `json:"availability_zone"`
	Address    string         `json:"vip_address"`
	Port       string         `json:"vip_port_id"`
	Network    string         `json:"vip_network_id"`
	Listeners  []ref          `json:"listeners"`
	Pools      []ref          `json:"pools"`
	Created    openstack.Time `json:"created_at"`
}

var loadBalancerFields = []string{
	"id", "name", "project_id", "provisioning_status", "operating_status", "admin_state_up", "provider", "flavor_id", "availability_zone",
	"vip_address", "vip_port_id", "vip_network_id", "listeners", "pools", "created_at",
}

// state is what a transition is told of.
func (b loadBalancer) state() string {
	if b.Provisioning == "ERROR" {
		return "ERROR"
	}
	return b.Operating // what is in work (PENDING_UPDATE) is not worth an event
}

type balancersCollector struct {
	cloud  *openstack.Cloud
	may    *sight
	states exporters.Transitions
}

func (c *balancersCollector) collect(ctx context.Context) (*exporters.Snapshot, error) {
	if err := c.may.all(ctx); err != nil {
		return nil, err
	}
	s := &exporters.Snapshot{}
	used := &exporters.Tally{}
	perObject := exporters.Wants(ctx, exporters.SetObjects)
	errBalancers := c.balancers(ctx, s, used, perObject)
	type listener struct {
		statuses
		Project  string `json:"project_id"`
		Protocol string `json:"protocol"`
	}
	errListeners := count(ctx, c.cloud, s, "/lbaas/listeners", "listeners", listeners, []string{"protocol"}, func(v listener) []string {
		used.Add(1, v.Project, "listener")
		return []string{v.Protocol, v.Provisioning, v.Operating}
	})
	type pool struct {
		statuses
		ID        string `json:"id"`
		Name      string `json:"name"`
		Project   string `json:"project_id"`
		Protocol  string `json:"protocol"`
		Algorithm string `json:"lb_algorithm"`
		Balancers []ref  `json:"loadbalancers"`
		Members   []ref  `json:"members"`
	}
	errPools := count(ctx, c.cloud, s, "/lbaas/pools", "pools", pools, []string{"name", "protocol", "lb_algorithm", "loadbalancers", "members"}, func(v pool) []string {
		used.Add(1, v.Project, "pool")
		if len(v.Members) > 0 {
			used.Add(float64(len(v.Members)), v.Project, "member")
		}
		if perObject {
			s.Add(poolInfo, 1, v.ID, v.Name, v.Project, strings.Join(idsOf(v.Balancers), ","), v.Protocol, v.Algorithm, v.Provisioning, v.Operating)
		}
		return []string{v.Protocol, v.Algorithm, v.Provisioning, v.Operating}
	})
	type monitor struct {
		statuses
		Project string `json:"project_id"`
		Type    string `json:"type"`
	}
	errMonitors := count(ctx, c.cloud, s, "/lbaas/healthmonitors", "healthmonitors", healthMonitors, []string{"type"}, func(v monitor) []string {
		used.Add(1, v.Project, "health_monitor")
		return []string{v.Type, v.Provisioning, v.Operating}
	})
	err := errors.Join(errBalancers, errListeners, errPools, errMonitors)
	if err != nil && s.Seen == 0 {
		return nil, err
	}
	if err == nil && len(s.Failed) == 0 {
		used.AddTo(s, quotaUsed)
	}
	return s, err
}

func (c *balancersCollector) balancers(ctx context.Context, s *exporters.Snapshot, used *exporters.Tally, perObject bool) error {
	start := time.Now().UTC()
	all, err := openstack.List[loadBalancer](ctx, c.cloud, api, "/lbaas/loadbalancers", "loadbalancers", page(loadBalancerFields...))
	all.NoteIn(s)
	whole := err == nil && len(all.Failed) == 0
	if err != nil && len(all.Objects) == 0 {
		return err
	}
	var count exporters.Tally
	inventory := mcloud.Inventory{Cloud: c.cloud.Name(), Scope: "octavia", Kind: mcloud.KindLoadBalancer, Time: start, Complete: whole}
	states, known := map[string]string{}, map[string]loadBalancer{}
	for _, b := range all.Objects {
		count.Add(1, b.Provider, b.Provisioning, b.Operating)
		used.Add(1, b.Project, "load_balancer")
		if perObject {
			s.Add(loadBalancerInfo, 1, b.ID, b.Name, b.Project, b.Provider, b.Provisioning, b.Operating, b.Address, b.Flavor, b.Zone)
		}
		states[b.ID], known[b.ID] = b.state(), b
		inventory.Objects = append(inventory.Objects, mcloud.NewObject(mcloud.KindLoadBalancer, b.ID, b.Name, b.Network, b.Project, mcloud.LoadBalancer{
			ProvisioningStatus: b.Provisioning, OperatingStatus: b.Operating, Enabled: bool(b.AdminState), Provider: b.Provider, Flavor: b.Flavor, Zone: b.Zone,
			Address: b.Address, Port: b.Port, Listeners: idsOf(b.Listeners), Pools: idsOf(b.Pools), Created: b.Created.Time,
		}))
	}
	s.Inventories = append(s.Inventories, inventory)
	if whole {
		count.AddTo(s, loadBalancers)
	}
	for _, t := range c.states.Observe(states, whole) {
		b, severity := known[t.Name], mcloud.SeverityInfo
		if t.To == "ERROR" || t.To == "DEGRADED" {
			severity = mcloud.SeverityWarning
		}
		e := t.Event(c.cloud.Name(), "octavia", "loadbalancer.state", t.Name, severity, start, map[string]any{"loadbalancer": b.Name})
		e.Project = b.Project
		s.Events = append(s.Events, e)
	}
	return err
}

// count counts a list by what labels makes of its objects. A list that is not
// complete gives no sample, because a count that is too small looks true; one
// that this Octavia does not have is skipped.
func count[T any](ctx context.Context, cloud *openstack.Cloud, s *exporters.Snapshot, path, member string, f *exporters.Family, fields []string, labels func(T) []string) error {
	var tally exporters.Tally
	query := page(append([]string{"id", "project_id", "provisioning_status", "operating_status"}, fields...)...)
	list, err := openstack.Each(ctx, cloud, api, path, member, query, func(v T) { tally.Add(1, labels(v)...) })
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
