package main

import "context"

func neutronOurs(p page) readings {
	out := make(readings)
	p.each("openstack_neutron_agent_up", func(labels map[string]string, value float64) {
		out.add("agent alive", labels["binary"]+" "+labels["host"], value)
	})
	return out
}

// networkAgent is a line of `openstack network agent list`.
type networkAgent struct {
	Binary string `json:"Binary"`
	Host   string `json:"Host"`
	Alive  bool   `json:"Alive"`
}

func neutronReadings(agents []networkAgent) readings {
	out := make(readings)
	for _, agent := range agents {
		out.add("agent alive", agent.Binary+" "+agent.Host, truth(agent.Alive))
	}
	return out
}

func neutronTheirs(ctx context.Context, c *clients) (readings, error) {
	var agents []networkAgent
	if err := c.openstack(ctx, question{"network agent list", &agents}); err != nil {
		return nil, err
	}
	return neutronReadings(agents), nil
}
