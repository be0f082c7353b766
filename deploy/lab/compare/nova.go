package main

import "context"

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
	p.each("openstack_nova_servers", func(labels map[string]string, value float64) {
		// A state that no server is in is a zero of ours and no line of the client's.
		if value != 0 {
			out.add("servers", labels["status"], value)
		}
	})
	return out
}

// hypervisor is a line of `openstack hypervisor list`.
type hypervisor struct {
	Hostname string `json:"Hypervisor Hostname"`
	State    string `json:"State"`
}

// computeService is a line of `openstack compute service list`.
type computeService struct {
	Binary, Host, Status, State string
}

// server is a line of `openstack server list`.
type server struct {
	Status string `json:"Status"`
}

func novaReadings(hypervisors []hypervisor, services []computeService, servers []server) readings {
	out := make(readings)
	for _, h := range hypervisors {
		out.add("hypervisors", "all", 1)
		out.add("hypervisor up", h.Hostname, truth(h.State == "up"))
	}
	for _, s := range services {
		out.add("service up", s.Binary+" "+s.Host, truth(s.State == "up"))
		out.add("service enabled", s.Binary+" "+s.Host, truth(s.Status == "enabled"))
	}
	for _, s := range servers {
		out.add("servers", s.Status, 1)
	}
	return out
}

func novaTheirs(ctx context.Context, c *clients) (readings, error) {
	var (
		hypervisors []hypervisor
		services    []computeService
		servers     []server
	)
	err := c.openstack(ctx,
		question{"hypervisor list", &hypervisors},
		question{"compute service list", &services},
		// Without -n the client would also look up the name of every image and flavor. One answer holds
		// 1,000 servers, the API's own limit, which no lab reaches.
		question{"server list --all-projects -n -c ID -c Status", &servers})
	if err != nil {
		return nil, err
	}
	return novaReadings(hypervisors, services, servers), nil
}

// truth is 1 or 0, as Prometheus writes a state.
func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
