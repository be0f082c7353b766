package heat

import "mcloud/exporters"

func gauge(name, unit string, set exporters.Set, call string, labels []string, help string) *exporters.Family {
	return &exporters.Family{Name: "openstack_heat_" + name, Unit: unit, Type: exporters.Gauge, Labels: labels, Set: set, Call: call, Help: help}
}

const (
	fromStacks   = "GET /v1/{project}/stacks"
	fromServices = "GET /v1/{project}/services"
)

var stackFamilies = []*exporters.Family{stacks, projectStacks, stacksStuck, stackInfo, stackCreated}

var (
	stacks = gauge("stacks", "", exporters.SetBase, fromStacks, []string{"action", "status"},
		"Stacks of all projects by what was done last (CREATE, UPDATE, …) and how it went (COMPLETE, IN_PROGRESS, FAILED); nested ones are not counted.")
	projectStacks = gauge("project_stacks", "", exporters.SetBase, fromStacks, []string{"project_id"}, "Stacks by project; nested ones are not counted.")
	stacksStuck   = gauge("stacks_stuck", "", exporters.SetBase, fromStacks, nil, "Stacks that have been in progress for more than an hour.")
	stackInfo     = gauge("stack_info", "", exporters.SetObjects, fromStacks, []string{"id", "name", "project_id", "action", "status", "owner"},
		"A stack with its name, state and the user who made it; always 1.")
	stackCreated = gauge("stack_created_timestamp_seconds", "seconds", exporters.SetObjects, fromStacks, []string{"id", "project_id"}, "When a stack was made.")
)

var engineFamilies = []*exporters.Family{serviceUp, engines, serviceSeen}

var (
	serviceUp = gauge("service_up", "", exporters.SetBase, fromServices, []string{"host"},
		"Whether any heat-engine of the host reported in time, by Heat's own judgement: 1 up, 0 down.")
	engines = gauge("engines", "", exporters.SetBase, fromServices, []string{"host", "status"},
		"Processes of heat-engine by host and status; one that was restarted stays down for a while beside its successor.")
	serviceSeen = gauge("service_last_seen_timestamp_seconds", "seconds", exporters.SetBase, fromServices, []string{"host"},
		"When an engine of the host reported last.")
)
