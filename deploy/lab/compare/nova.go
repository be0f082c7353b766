package main

import (
	"context"
	"math"
	"slices"
	"strings"
)

func novaOurs(p page) readings {
	out := make(readings)
	p.each("openstack_nova_hypervisors", func(_ map[string]string, value float64) { out.add("hypervisors", "all", value) })
	p.each("openstack_nova_hypervisor_up", func(labels map[string]string, value float64) {
		out.add("hypervisor up", labels["hostname"], value)
	})
	services := func(family, thing string) {
		p.each(family, func(labels map[string]string, value float64) {
			out.add(thing, labels["binary"]+" "+labels["host"], value)
		})
	}
	services("openstack_nova_service_up", "service up")
	services("openstack_nova_service_enabled", "service enabled")
	// What no server is or has is a zero of ours and no line of the client's.
	count := func(family, thing string, labels ...string) {
		p.each(family, func(of map[string]string, value float64) {
			var names []string
			for _, label := range labels {
				names = append(names, of[label])
			}
			if value != 0 {
				out.add(thing, strings.Join(names, " "), value)
			}
		})
	}
	count("openstack_nova_servers", "servers", "status")
	count("openstack_nova_servers", "servers in zone", "zone")
	count("openstack_nova_host_servers", "servers on host", "host")
	count("openstack_nova_flavor_servers", "servers of flavor", "flavor")
	count("openstack_nova_server_power_states", "power state", "power_state")
	count("openstack_nova_aggregate_hosts", "hosts in aggregate", "name")
	count("openstack_nova_availability_zone_available", "zone available", "zone")
	count("openstack_nova_server_groups", "server groups", "policy")
	p.each("openstack_nova_aggregates", func(_ map[string]string, value float64) { out.add("aggregates", "all", value) })
	p.each("openstack_nova_flavors", func(_ map[string]string, value float64) { out.add("flavors", "all", value) })
	p.each("openstack_nova_server_tasks", func(of map[string]string, value float64) {
		if of["task_state"] != "" {
			out.add("task", of["task_state"], value)
		}
	})
	quotas := func(family, thing string) {
		p.each(family, func(of map[string]string, value float64) {
			if slices.Contains(comparedQuotas, of["resource"]) {
				out.add(thing, of["project_id"]+" "+of["resource"], value)
			}
		})
	}
	quotas("openstack_nova_quota_limit", "quota limit")
	quotas("openstack_nova_quota_in_use", "quota in use")
	return out
}

// comparedQuotas are those that the client prints under Nova's own names.
var comparedQuotas = []string{"cores", "instances", "ram"}

// hypervisor is a line of `openstack hypervisor list`.
type hypervisor struct {
	Hostname string `json:"Hypervisor Hostname"`
	State    string `json:"State"`
}

// computeService is a line of `openstack compute service list`.
type computeService struct {
	Binary, Host, Status, State string
}

// server is a line of `openstack server list --long`.
type server struct {
	Status string `json:"Status"`
	Task   string `json:"Task State"`
	Power  int    `json:"Power State"`
	Zone   string `json:"Availability Zone"`
	Host   string `json:"Host"`
	Flavor string `json:"Flavor"`
}

// hostAggregate is a line of `openstack aggregate list --long`.
type hostAggregate struct {
	Name  string   `json:"Name"`
	Hosts []string `json:"Hosts"`
}

// flavor is a line of `openstack flavor list`.
type flavor struct{ Name string }

// availabilityZone is a line of `openstack availability zone list`.
type availabilityZone struct {
	Name   string `json:"Zone Name"`
	Status string `json:"Zone Status"`
}

// serverGroup is a line of `openstack server group list`.
type serverGroup struct{ Policy string }

// novaLists are the client's answers.
type novaLists struct {
	hypervisors []hypervisor
	services    []computeService
	servers     []server
	aggregates  []hostAggregate
	flavors     []flavor
	zones       []availabilityZone
	groups      []serverGroup
}

// powerStates are the names of Nova's numbers.
var powerStates = map[int]string{0: "none", 1: "running", 3: "paused", 4: "shutdown", 6: "crashed", 7: "suspended"}

func novaReadings(l novaLists) readings {
	out := make(readings)
	for _, h := range l.hypervisors {
		out.add("hypervisors", "all", 1)
		out.add("hypervisor up", h.Hostname, truth(h.State == "up"))
	}
	for _, s := range l.services {
		out.add("service up", s.Binary+" "+s.Host, truth(s.State == "up"))
		out.add("service enabled", s.Binary+" "+s.Host, truth(s.Status == "enabled"))
	}
	for _, s := range l.servers {
		out.add("servers", s.Status, 1)
		out.add("servers in zone", s.Zone, 1)
		out.add("servers of flavor", s.Flavor, 1)
		out.add("power state", powerStates[s.Power], 1)
		if s.Host != "" {
			out.add("servers on host", s.Host, 1)
		}
		if s.Task != "" {
			out.add("task", s.Task, 1)
		}
	}
	for _, a := range l.aggregates {
		out.add("aggregates", "all", 1)
		if len(a.Hosts) > 0 {
			out.add("hosts in aggregate", a.Name, float64(len(a.Hosts)))
		}
	}
	out.add("flavors", "all", float64(len(l.flavors)))
	for _, z := range l.zones {
		// The zone of the control services is no zone for servers: Nova names it to
		// administrators who ask for details, as the client does.
		if z.Status == "available" && z.Name != "internal" {
			out.add("zone available", z.Name, 1)
		}
	}
	for _, g := range l.groups {
		out.add("server groups", g.Policy, 1)
	}
	return out
}

// project is a line of `openstack project list`.
type project struct{ ID string }

// quota is a line of `openstack quota show --usage`.
type quota struct {
	Resource string  `json:"Resource"`
	Limit    float64 `json:"Limit"`
	InUse    float64 `json:"In Use"`
}

func quotaReadings(project string, quotas []quota, out readings) {
	for _, q := range quotas {
		if !slices.Contains(comparedQuotas, q.Resource) {
			continue
		}
		limit := q.Limit
		if limit < 0 {
			limit = math.Inf(1)
		}
		out.add("quota limit", project+" "+q.Resource, limit)
		out.add("quota in use", project+" "+q.Resource, q.InUse)
	}
}

func novaTheirs(ctx context.Context, c *clients) (readings, error) {
	var l novaLists
	var projects []project
	err := c.openstack(ctx,
		question{"hypervisor list", &l.hypervisors},
		question{"compute service list", &l.services},
		// Without -n the client would also look up the name of every image and flavor. One answer holds
		// 1,000 servers, the API's own limit, which no lab reaches.
		question{"server list --all-projects --long -n", &l.servers},
		question{"aggregate list --long", &l.aggregates},
		question{"flavor list --all", &l.flavors},
		question{"availability zone list --compute", &l.zones},
		question{"server group list --all-projects", &l.groups},
		question{"project list", &projects})
	if err != nil {
		return nil, err
	}
	out := novaReadings(l)
	quotas := make([][]quota, len(projects))
	var questions []question
	for i, p := range projects {
		questions = append(questions, question{"quota show --compute --usage " + p.ID, &quotas[i]})
	}
	if err := c.openstack(ctx, questions...); err != nil {
		return nil, err
	}
	for i, p := range projects {
		quotaReadings(p.ID, quotas[i], out)
	}
	return out, nil
}

// truth is 1 or 0, as Prometheus writes a state.
func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
