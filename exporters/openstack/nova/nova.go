// Package nova looks at a cloud's compute services, hypervisors, aggregates,
// zones, flavors, servers, server groups, migrations, quotas, and at what was asked
// of the servers.
//
// Calls per round with S servers, R hypervisors, P projects, G server groups, M
// servers that changed:
//
//   - nova_hosts: 3 and R/1000 (os-services, os-hypervisors/detail, os-aggregates,
//     os-availability-zone).
//   - nova_servers: 1 and M/1000 for what changed since the round before (deleted
//     servers are among it); once in Config.FullEvery instead all servers, S/1000, to
//     repair what a changes-since missed; once in Config.GroupsEvery G/1000 for
//     server groups; 1 for each server that came into ERROR without
//     the list saying why, at most faultsPerLook. At the cold start also the servers deleted within
//     Config.DeletedFor, a thousand a call.
//   - nova_server_actions: at most Config.ActionsPerLook, 1 for each server that
//     changed. Changes that a bill depends on (deletion, another flavor, shelving) are
//     read first, at once and again a minute later, when the action has ended; the
//     others once, a minute after the last change. What does not fit waits, each
//     server once, and is read whole later: a server's log does not go away.
//   - nova_quotas: P at the cold start, then P·Period/Config.QuotaEvery or quotasPerLook,
//     whichever is more; projects whose servers changed first.
//   - nova_migrations: 1.
//   - nova_flavors, each Config.FlavorPeriod: 1, and 1 for each private flavor at the
//     cold start, later once in accessLife.
//
// Microversions 2.61 (Rocky) to 2.100 are understood. Hypervisors are asked for
// with 2.87 at most: from 2.88 Nova asks every compute host for its uptime when
// it lists them (measured with six hosts: 3 s instead of 0.03 s). The sizes that
// left the API at 2.88 are served in the set "objects" only; Placement has the ones
// to use. User data, passwords, keys and addresses of servers are not decoded.
package nova

import (
	"cmp"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{
	Name: "nova", Types: []string{"compute"}, Version: "v2.1", Header: "compute",
	Min: openstack.Microversion{Major: 2, Minor: 61}, Max: openstack.Microversion{Major: 2, Minor: 100},
}

// hypervisorAPI lists hypervisors without asking each of them.
var hypervisorAPI = func() openstack.API {
	older := api
	older.Max = openstack.Microversion{Major: 2, Minor: 87}
	return older
}()

// Config configures Sources.
type Config struct {
	Period       time.Duration // of hosts, servers, actions, quotas and migrations; 1 minute if zero
	FlavorPeriod time.Duration // 5 minutes if zero
	// FullEvery is the time between two looks at all servers instead of the
	// changed ones; 1 hour if zero.
	FullEvery time.Duration
	// GroupsEvery is the time between two looks at server groups; 10 minutes if zero.
	GroupsEvery time.Duration
	// QuotaEvery is the time in which every project's quota is read once, if they are
	// many; 30 minutes if zero.
	QuotaEvery time.Duration
	// DeletedFor is how far back the first look asks for deleted servers, for
	// the sake of their actions; 40 days if zero, so that the month before is whole.
	DeletedFor time.Duration
	// ActionsPerLook bounds the servers whose actions one look reads; the others
	// wait for the next one. 100 if zero.
	ActionsPerLook int
}

// Sources returns what looks at Nova: nova_hosts, nova_flavors, nova_servers,
// nova_server_actions, nova_quotas, nova_migrations.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, time.Minute)
	cfg.FlavorPeriod = cmp.Or(cfg.FlavorPeriod, 5*time.Minute)
	cfg.FullEvery = cmp.Or(cfg.FullEvery, time.Hour)
	cfg.GroupsEvery = cmp.Or(cfg.GroupsEvery, 10*time.Minute)
	cfg.QuotaEvery = cmp.Or(cfg.QuotaEvery, 30*time.Minute)
	cfg.DeletedFor = cmp.Or(cfg.DeletedFor, 40*24*time.Hour)
	cfg.ActionsPerLook = cmp.Or(cfg.ActionsPerLook, 100)

	index, changed := &hostIndex{}, newQueue()
	quotas := newQuotasCollector(cloud, cfg)
	hosts := &hostsCollector{cloud: cloud, index: index}
	flavors := newFlavorsCollector(cloud, cfg)
	servers := &serversCollector{cloud: cloud, cfg: cfg, hosts: index, changed: changed, touch: quotas.rotation.Touch}
	actions := &actionsCollector{cloud: cloud, most: cfg.ActionsPerLook, changed: changed}
	migrations := &migrationsCollector{cloud: cloud}
	return []exporters.Source{
		cloud.Source("nova_hosts", "nova", cfg.Period, time.Minute, hosts.Collect, hostFamilies()...),
		cloud.Source("nova_flavors", "nova", cfg.FlavorPeriod, time.Minute, flavors.Collect, flavorCount, flavorInfo),
		cloud.Source("nova_servers", "nova", cfg.Period, 10*time.Minute, servers.Collect, serverFamilies()...),
		cloud.Source("nova_server_actions", "nova", cfg.Period, 5*time.Minute, actions.Collect, actionsPending),
		cloud.Source("nova_quotas", "nova", cfg.Period, 5*time.Minute, quotas.Collect, quotaLimit, quotaUsed, quotaReserved),
		cloud.Source("nova_migrations", "nova", cfg.Period, time.Minute, migrations.Collect, migrationCount, migrationOldest),
	}
}
