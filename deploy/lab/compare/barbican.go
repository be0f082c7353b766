package main

import (
	"context"
	"strings"
)

// barbicanOurs counts what Barbican lists of the account's project, by status and
// type. The clients look into the same project.
func barbicanOurs(p page) readings {
	out := make(readings)
	p.each("openstack_barbican_secrets", func(l map[string]string, v float64) {
		out.add("secrets", l["status"]+" "+l["secret_type"], v)
	})
	p.each("openstack_barbican_orders", func(l map[string]string, v float64) { out.add("orders", l["status"]+" "+l["type"], v) })
	p.each("openstack_barbican_containers", func(l map[string]string, v float64) { out.add("containers", l["type"], v) })
	return out
}

// barbicanSecret is a line of `openstack secret list`.
type barbicanSecret struct {
	Status string `json:"Status"`
	Type   string `json:"Secret type"`
}

// barbicanOrder is a line of `openstack secret order list`.
type barbicanOrder struct {
	Status string `json:"Status"`
	Type   string `json:"Type"`
}

// barbicanContainer is a line of `openstack secret container list`.
type barbicanContainer struct {
	Type string `json:"Type"`
}

func barbicanReadings(secrets []barbicanSecret, orders []barbicanOrder, containers []barbicanContainer) readings {
	out := make(readings)
	for _, s := range secrets {
		out.add("secrets", s.Status+" "+s.Type, 1)
	}
	for _, o := range orders {
		out.add("orders", o.Status+" "+strings.ToLower(o.Type), 1)
	}
	for _, c := range containers {
		out.add("containers", c.Type, 1)
	}
	return out
}

func barbicanTheirs(ctx context.Context, c *clients) (readings, error) {
	var secrets []barbicanSecret
	var orders []barbicanOrder
	var containers []barbicanContainer
	err := c.openstack(ctx, question{"secret list --limit 100", &secrets}, question{"secret order list --limit 100", &orders}, question{"secret container list --limit 100", &containers})
	if err != nil {
		return nil, err
	}
	return barbicanReadings(secrets, orders, containers), nil
}
