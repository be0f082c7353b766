// Package neutron looks at a cloud's network agents, counts its networks,
// subnets, ports, routers and floating IPs, and says how full networks are.
//
// Calls per round, neutron_agents: 1. neutron_networks: 6, with one more for
// each further thousand objects; only ids and states are asked for.
package neutron

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{Name: "neutron", Types: []string{"network"}, Version: "v2.0"}

var (
	agentUp = &exporters.Family{
		Name: "openstack_neutron_agent_up", Type: exporters.Gauge, Labels: []string{"host", "binary", "type"}, Set: exporters.SetBase, Call: "GET /agents",
		Help: "Whether the agent reported in time, by Neutron's own judgement: 1 alive, 0 not.",
	}
	agentEnabled = &exporters.Family{
		Name: "openstack_neutron_agent_enabled", Type: exporters.Gauge, Labels: []string{"host", "binary", "type"}, Set: exporters.SetBase, Call: "GET /agents",
		Help: "Whether an operator lets the agent work: 1 its admin state is up, 0 down.",
	}
	networks = &exporters.Family{
		Name: "openstack_neutron_networks", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /networks",
		Help: "Networks.",
	}
	subnets = &exporters.Family{
		Name: "openstack_neutron_subnets", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /subnets",
		Help: "Subnets.",
	}
	ports = &exporters.Family{
		Name: "openstack_neutron_ports", Type: exporters.Gauge, Labels: []string{"status"}, Set: exporters.SetBase, Call: "GET /ports",
		Help: "Ports by status (ACTIVE, DOWN, BUILD, ERROR, N/A).",
	}
	routers = &exporters.Family{
		Name: "openstack_neutron_routers", Type: exporters.Gauge, Labels: []string{"status"}, Set: exporters.SetBase, Call: "GET /routers",
		Help: "Routers by status.",
	}
	floatingIPs = &exporters.Family{
		Name: "openstack_neutron_floating_ips", Type: exporters.Gauge, Labels: []string{"status"}, Set: exporters.SetBase, Call: "GET /floatingips",
		Help: "Floating IPs by status (ACTIVE, DOWN: not associated, ERROR).",
	}
	ipsUsed = &exporters.Family{
		Name: "openstack_neutron_network_ips_used", Type: exporters.Gauge, Labels: []string{"network_id", "name"}, Set: exporters.SetBase, Call: "GET /network-ip-availabilities",
		Help: "Addresses of the network's subnets that are taken.",
	}
	ipsCapacity = &exporters.Family{
		Name: "openstack_neutron_network_ips_capacity", Type: exporters.Gauge, Labels: []string{"network_id", "name"}, Set: exporters.SetBase, Call: "GET /network-ip-availabilities",
		Help: "Addresses of the network's subnets, taken or not; a large number for IPv6.",
	}
)

// Config configures Sources.
type Config struct {
	Period        time.Duration // of agents; 1 minute if zero
	NetworkPeriod time.Duration // 2 minutes if zero
}

// Sources returns what looks at Neutron: neutron_agents, neutron_networks.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, time.Minute)
	cfg.NetworkPeriod = cmp.Or(cfg.NetworkPeriod, 2*time.Minute)
	source := func(name string, period, timeout time.Duration, collect func(context.Context, *openstack.Cloud) (*exporters.Snapshot, error), families ...*exporters.Family) exporters.Source {
		return exporters.Source{
			Name: name, System: "neutron", Period: period, Timeout: timeout,
			Const: map[string]string{"cloud": cloud.Name()}, Families: families,
			Collector: exporters.CollectorFunc(func(ctx context.Context) (*exporters.Snapshot, error) { return collect(ctx, cloud) }),
		}
	}
	return []exporters.Source{
		source("neutron_agents", cfg.Period, time.Minute, collectAgents, agentUp, agentEnabled),
		source("neutron_networks", cfg.NetworkPeriod, 2*time.Minute, collectNetworks,
			networks, subnets, ports, routers, floatingIPs, ipsUsed, ipsCapacity),
	}
}

// agent's ID is the chassis name for OVN, a uuid otherwise.
type agent struct {
	ID         string         `json:"id"`
	Binary     string         `json:"binary"`
	Type       string         `json:"agent_type"`
	Host       string         `json:"host"`
	Zone       string         `json:"availability_zone"`
	Alive      openstack.Bool `json:"alive"`
	AdminState openstack.Bool `json:"admin_state_up"`
}

func collectAgents(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	list, err := openstack.List[agent](ctx, cloud, api, "/agents", "agents", nil)
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{Seen: len(list.Objects) + len(list.Failed), Failed: list.Failed}
	inventory := mcloud.Inventory{
		Cloud: cloud.Name(), Scope: "neutron", Kind: mcloud.KindNetworkAgent, Time: start,
		Complete: err == nil && len(list.Failed) == 0,
	}
	for _, a := range list.Objects {
		s.Add(agentUp, exporters.Bool(bool(a.Alive)), a.Host, a.Binary, a.Type)
		s.Add(agentEnabled, exporters.Bool(bool(a.AdminState)), a.Host, a.Binary, a.Type)
		inventory.Objects = append(inventory.Objects, mcloud.NewObject(mcloud.KindNetworkAgent, a.ID, a.Host, "", "", mcloud.NetworkAgent{
			Binary: a.Binary, Type: a.Type, Host: a.Host, Zone: a.Zone, Alive: bool(a.Alive), AdminState: bool(a.AdminState),
		}))
	}
	s.Inventories = []mcloud.Inventory{inventory}
	return s, err
}

// statused is what the counts need of an object.
type statused struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

func collectNetworks(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	s := &exporters.Snapshot{}
	err := errors.Join(
		count(ctx, cloud, s, networks, "networks"),
		count(ctx, cloud, s, subnets, "subnets"),
		count(ctx, cloud, s, ports, "ports"),
		count(ctx, cloud, s, routers, "routers"),
		count(ctx, cloud, s, floatingIPs, "floatingips"),
		addresses(ctx, cloud, s),
	)
	if err != nil && s.Seen == 0 {
		return nil, err
	}
	return s, err
}

// count lists a collection, by status when the family has one. A list that is
// not complete gives no sample, because a count that is too small looks true.
func count(ctx context.Context, cloud *openstack.Cloud, s *exporters.Snapshot, f *exporters.Family, member string) error {
	query := url.Values{"fields": {"id"}, "limit": {"1000"}}
	byStatus := len(f.Labels) > 0
	if byStatus {
		query.Add("fields", "status")
	}
	list, err := openstack.List[statused](ctx, cloud, api, "/"+member, member, query)
	s.Seen += len(list.Objects) + len(list.Failed)
	s.Failed = append(s.Failed, list.Failed...)
	if exporters.KindOf(err) == exporters.KindNotFound && !errors.Is(err, exporters.ErrAbsent) {
		s.Skipped++ // an extension that this Neutron does not have, such as router
		return nil
	}
	if err != nil {
		return err
	}
	if !byStatus {
		s.Add(f, float64(len(list.Objects)+len(list.Failed)))
		return nil
	}
	counts := map[string]float64{}
	for _, o := range list.Objects {
		counts[o.Status]++
	}
	for status, n := range counts {
		s.Add(f, n, status)
	}
	return nil
}

func addresses(ctx context.Context, cloud *openstack.Cloud, s *exporters.Snapshot) error {
	type availability struct {
		ID    string  `json:"network_id"`
		Name  string  `json:"network_name"`
		Used  float64 `json:"used_ips"`
		Total float64 `json:"total_ips"` // beyond 64 bits for an IPv6 subnet
	}
	list, err := openstack.List[availability](ctx, cloud, api, "/network-ip-availabilities", "network_ip_availabilities", nil)
	s.Seen += len(list.Objects) + len(list.Failed)
	s.Failed = append(s.Failed, list.Failed...)
	for _, n := range list.Objects {
		s.Add(ipsUsed, n.Used, n.ID, n.Name)
		s.Add(ipsCapacity, n.Total, n.ID, n.Name)
	}
	return err
}
