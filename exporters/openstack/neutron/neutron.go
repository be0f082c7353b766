// Package neutron looks at a cloud's network agents, networks, subnets, ports,
// routers, floating IPs, security groups and quotas, and says how full networks,
// subnet pools and segment ranges are.
//
// Calls per round, for N networks, S subnets, P ports, R routers, F floating
// IPs, G security groups and L rules of them; a list costs 1 call for each
// thousand objects begun, and only the fields that are counted are asked for:
//
//	neutron_agents     1
//	neutron_networks   N/1000 + P/1000
//	neutron_routers    R/1000 + F/1000, where there are L3 agents R/15 more (none with OVN)
//	neutron_addresses  S/1000 + 3
//	neutron_policies   G/1000 + L/1000 + 4, each 10 minutes; VPNaaS 5 more, segment ranges 1 more, where they are
//	neutron_quotas     2 each 10 minutes, whatever the number of projects; 1/9 of the projects more when the set "objects" is served
//
// With 120,000 ports, 2,000 networks, 5,000 floating IPs and 15,000 rules that is
// about 140 calls each 2 minutes. What a project uses of its quotas is counted in
// these lists; Neutron's own count costs a call for each project and is only
// asked for what nothing else tells: what is reserved at the moment.
//
// Neutron shows an account that may not see all projects its own project's
// objects only, instead of refusing. Such an account is found out, with 1 call
// an hour that an administrator's does not cost, and what it sees is not taken
// for the whole.
//
// Ports are counted as they come and not kept, so they cost the memory of a page.
// Pre-shared keys, port security details and DNS names are not asked for.
package neutron

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{Name: "neutron", Types: []string{"network"}, Version: "v2.0"}

// Config configures Sources.
type Config struct {
	Period        time.Duration // of agents; 1 minute if zero
	NetworkPeriod time.Duration // of networks, ports, routers, floating IPs and addresses; 2 minutes if zero
	PolicyPeriod  time.Duration // of security groups and the like, and of quotas; 5 NetworkPeriods if zero
}

// Sources returns what looks at Neutron: neutron_agents, neutron_networks,
// neutron_routers, neutron_addresses, neutron_policies, neutron_quotas.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, time.Minute)
	cfg.NetworkPeriod = cmp.Or(cfg.NetworkPeriod, 2*time.Minute)
	cfg.PolicyPeriod = cmp.Or(cfg.PolicyPeriod, 5*cfg.NetworkPeriod)

	may, use := &sight{cloud: cloud}, &usage{cloud: cloud}
	quotas := &quotasCollector{cloud: cloud, reserved: openstack.Rotation[map[string]detail]{
		Kind: "quota of project", Period: cfg.PolicyPeriod, Life: 90 * time.Minute, Parallel: 2,
	}}
	use.changed = quotas.reserved.Touch
	l3 := &l3Agents{}
	routers := &routersCollector{cloud: cloud, use: use, l3: l3, agents: openstack.Rotation[[]l3Agent]{
		Kind: "agents of router", Period: cfg.NetworkPeriod, Life: 15 * cfg.NetworkPeriod, Parallel: 2,
	}}
	source := func(name string, period, timeout time.Duration, collect func(context.Context) (*exporters.Snapshot, error), families ...*exporters.Family) exporters.Source {
		return cloud.Source(name, "neutron", period, timeout, func(ctx context.Context) (*exporters.Snapshot, error) {
			if err := may.all(ctx); err != nil {
				return nil, err // a part that looks like the whole is not counted
			}
			return collect(ctx)
		}, families...)
	}
	return []exporters.Source{
		source("neutron_agents", cfg.Period, time.Minute,
			(&agentsCollector{cloud: cloud, l3: l3}).collect, agentFamilies...),
		source("neutron_networks", cfg.NetworkPeriod, 5*time.Minute,
			(&networksCollector{cloud: cloud, use: use}).collect, networkFamilies...),
		source("neutron_routers", cfg.NetworkPeriod, 2*time.Minute, routers.collect, routerFamilies...),
		source("neutron_addresses", cfg.NetworkPeriod, 2*time.Minute,
			(&addressesCollector{cloud: cloud, use: use}).collect, addressFamilies...),
		source("neutron_policies", cfg.PolicyPeriod, 3*time.Minute,
			(&policiesCollector{cloud: cloud, use: use}).collect, policyFamilies...),
		source("neutron_quotas", cfg.PolicyPeriod, 3*time.Minute, quotas.collect, quotaFamilies...),
	}
}

// page is the query of a list in pages of a thousand with these fields only.
func page(fields ...string) url.Values {
	return url.Values{"fields": fields, "limit": {"1000"}}
}

// look is one look at several lists: what one of them lacks does not keep the
// others from being shown.
type look struct {
	cloud *openstack.Cloud
	s     *exporters.Snapshot
	start time.Time
	errs  []error
}

func newLook(cloud *openstack.Cloud) *look {
	return &look{cloud: cloud, s: &exporters.Snapshot{}, start: time.Now().UTC()}
}

// end is what a Collector returns.
func (l *look) end() (*exporters.Snapshot, error) {
	err := errors.Join(l.errs...)
	if err != nil && l.s.Seen == 0 && len(l.s.Samples) == 0 {
		return nil, err
	}
	return l.s, err
}

// note takes a list's objects and error into account, and says whether it is
// complete, so that a count of it is true. A list that this Neutron does not have
// is skipped.
func note[T any](l *look, list openstack.Listing[T], err error) (complete bool) {
	list.NoteIn(l.s)
	if missing(err) {
		l.s.Skipped++
		return false
	}
	if err != nil {
		l.errs = append(l.errs, err)
		return false
	}
	return true
}

// list is openstack.List with its objects and failures noted.
func list[T any](ctx context.Context, l *look, path, member string, query url.Values) (openstack.Listing[T], bool) {
	all, err := openstack.List[T](ctx, l.cloud, api, path, member, query)
	return all, note(l, all, err)
}

// missing says that Neutron answers but does not have this: an extension that is
// not loaded.
func missing(err error) bool {
	return exporters.KindOf(err) == exporters.KindNotFound && !errors.Is(err, exporters.ErrAbsent)
}

// record adds an Inventory; objects that could not be read make it incomplete.
func (l *look) record(kind mcloud.Kind, complete bool, objects []mcloud.Object) {
	if !complete && len(objects) == 0 {
		return
	}
	l.s.Inventories = append(l.s.Inventories, mcloud.Inventory{
		Cloud: l.cloud.Name(), Scope: "neutron", Kind: kind, Time: l.start, Complete: complete, Objects: objects,
	})
}

// owned is what all of Neutron's objects say of their owner: older versions know
// only tenant_id.
type owned struct {
	Project string `json:"project_id"`
	Tenant  string `json:"tenant_id"`
}

func (o owned) project() string { return cmp.Or(o.Project, o.Tenant) }

// sorted is a copy in order.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}
