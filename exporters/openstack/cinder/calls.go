package cinder

import "mcloud/exporters/openstack"

// Calls are all kinds of request that this package makes. Cinder does not refuse
// an account that is not an administrator to list, it hides what belongs to others:
// context_is_admin decides what there is to see.
func Calls() []openstack.Call {
	all := map[string]string{"all_tenants": "1", "limit": "1"}
	return []openstack.Call{
		{API: api, Path: "/os-services", Rule: "volume_extension:services:index", Role: "admin", Gives: "state of the volume services"},
		{API: api, Path: "/scheduler-stats/get_pools", Query: map[string]string{"detail": "true"}, Rule: "scheduler_extension:scheduler_stats:get_pools", Role: "admin", Gives: "capacity and free space of pools"},
		{API: api, Path: "/types", Query: map[string]string{"is_public": "None", "limit": "1"}, Rule: "volume_extension:type_get_all", Role: "reader", Gives: "volume types"},
		{API: api, Path: "/qos-specs", Rule: "volume_extension:qos_specs_manage:get_all", Role: "admin", Gives: "number of QoS specs"},
		{API: api, Path: "/groups/detail", Query: all, Rule: "group:get_all, context_is_admin", Role: "admin", Gives: "volume groups of all projects", Optional: true},
		{API: api, Path: "/os-volume-transfer", Query: map[string]string{"all_tenants": "1"}, Rule: "volume:get_all_transfers, context_is_admin", Role: "admin", Gives: "open transfers of all projects", Optional: true},
		{API: api, Path: "/volumes/detail", Query: all, Rule: "volume:get_all, context_is_admin", Role: "admin", Gives: "volumes of all projects"},
		{API: api, Path: "/volumes", Query: map[string]string{"all_tenants": "1", "limit": "1", "with_count": "true"}, Rule: "volume:get_all, context_is_admin", Role: "admin", Gives: "number of volumes, to notice deleted ones"},
		{API: api, Path: "/snapshots/detail", Query: all, Rule: "volume:get_all_snapshots, context_is_admin", Role: "admin", Gives: "snapshots of all projects"},
		{API: api, Path: "/backups/detail", Query: all, Rule: "backup:get_all, context_is_admin", Role: "admin", Gives: "backups of all projects"},
		{API: api, Path: "/os-quota-sets/{project}", Query: map[string]string{"usage": "True"}, Rule: "volume_extension:quotas:show", Role: "admin", Gives: "quota of each project and volume type"},
	}
}
