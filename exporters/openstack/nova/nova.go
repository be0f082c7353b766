// Package nova looks at a cloud's compute services, hypervisors, aggregates,
// flavors, servers and what was asked of the servers.
//
// Calls per round, nova_hosts: 3 (os-services, os-hypervisors/detail,
// os-aggregates). nova_flavors: 1, and 1 for each private flavor. nova_servers: 1
// for what changed since the round before; each Config.FullEvery instead all
// servers in pages of 500, and 1 for server groups. nova_server_actions: 1 for
// each server that changed, and another a minute later, when the action has
// ended.
//
// Microversions 2.61 (Rocky) to 2.100 are understood. Hypervisors are asked for
// with 2.87 at most: from 2.88 Nova asks every compute host for its uptime when
// it lists them (measured with six hosts: 3 s instead of 0.03 s). Their sizes,
// which left the API at 2.88, are never read here: Placement has them.
// User data, passwords, keys and addresses of servers are not decoded.
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
	Period       time.Duration // of hosts, servers and actions; 1 minute if zero
	FlavorPeriod time.Duration // 5 minutes if zero
	// FullEvery is the time between two looks at all servers instead of the
	// changed ones; 10 minutes if zero.
	FullEvery time.Duration
	// DeletedFor is how far back the first look asks for deleted servers, for
	// the sake of their actions; 40 days if zero, so that the month before is whole.
	DeletedFor time.Duration
	// ActionsPerLook bounds the servers whose actions one look reads; the others
	// wait for the next one. 600 if zero.
	ActionsPerLook int
}

// Sources returns what looks at Nova: nova_hosts, nova_flavors, nova_servers,
// nova_server_actions.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, time.Minute)
	cfg.FlavorPeriod = cmp.Or(cfg.FlavorPeriod, 5*time.Minute)
	cfg.FullEvery = cmp.Or(cfg.FullEvery, 10*time.Minute)
	cfg.DeletedFor = cmp.Or(cfg.DeletedFor, 40*24*time.Hour)
	cfg.ActionsPerLook = cmp.Or(cfg.ActionsPerLook, 600)

	hosts, changed := &hostIndex{}, newQueue()
	source := func(name string, period, timeout time.Duration, c exporters.Collector, families ...*exporters.Family) exporters.Source {
		return exporters.Source{
			Name: name, System: "nova", Period: period, Timeout: timeout,
			Const: map[string]string{"cloud": cloud.Name()}, Families: families, Collector: c,
		}
	}
	return []exporters.Source{
		source("nova_hosts", cfg.Period, time.Minute, &hostsCollector{cloud: cloud, index: hosts},
			serviceUp, serviceEnabled, hypervisors, hypervisorInfo, hypervisorUp, aggregates),
		source("nova_flavors", cfg.FlavorPeriod, time.Minute, &flavorsCollector{cloud: cloud}, flavors, flavorInfo),
		source("nova_servers", cfg.Period, 5*time.Minute, &serversCollector{cloud: cloud, cfg: cfg, hosts: hosts, changed: changed},
			servers, hostServers),
		source("nova_server_actions", cfg.Period, 5*time.Minute, &actionsCollector{cloud: cloud, most: cfg.ActionsPerLook, changed: changed},
			actionsPending),
	}
}
