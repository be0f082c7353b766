package main

import (
	"context"
	"strings"
)

func heatOurs(p page) readings {
	out := make(readings)
	p.each("openstack_heat_stacks", func(labels map[string]string, value float64) {
		if value != 0 {
			out.add("stacks", labels["action"]+" "+labels["status"], value)
		}
	})
	p.each("openstack_heat_project_stacks", func(labels map[string]string, value float64) {
		out.add("stacks of project", labels["project_id"], value)
	})
	p.each("openstack_heat_engines", func(labels map[string]string, value float64) {
		if value != 0 {
			out.add("engines", labels["host"]+" "+labels["status"], value)
		}
	})
	return out
}

// heatStack is a line of `openstack stack list --all-projects`.
type heatStack struct {
	Project string `json:"Project"`
	Status  string `json:"Stack Status"`
}

// heatEngine is a line of `openstack orchestration service list`.
type heatEngine struct {
	Host, Status string
}

func heatReadings(stacks []heatStack, engines []heatEngine) readings {
	out := make(readings)
	for _, v := range stacks {
		out.add("stacks", strings.Replace(v.Status, "_", " ", 1), 1)
		out.add("stacks of project", v.Project, 1)
	}
	for _, v := range engines {
		out.add("engines", v.Host+" "+v.Status, 1)
	}
	return out
}

func heatTheirs(ctx context.Context, c *clients) (readings, error) {
	var stacks []heatStack
	var engines []heatEngine
	err := c.openstack(ctx, question{"stack list --all-projects --long", &stacks}, question{"orchestration service list", &engines})
	if err != nil {
		return nil, err
	}
	return heatReadings(stacks, engines), nil
}
