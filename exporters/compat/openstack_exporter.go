package compat

import (
	"math"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// OpenStackExporter are the families of openstack-exporter (v2.0.0) that mean
// what ours mean. A limit of -1 there is none here and -1 again in the
// translation; the numbers for states are theirs. What is per object needs the
// set "objects", and so do the names of projects in the label "tenant".
func OpenStackExporter() []Rule {
	return slices.Concat(up(), compute(), placement(), network(), volume(), image(), loadBalancer(), dns(), orchestration(), others())
}

// rule makes a gauge. labels are words: "theirs" has ours of the same name,
// "theirs=ours" another one, "theirs=@ours" one of the joined families,
// "theirs:text" a fixed text.
func rule(name, from, labels string, changes ...func(*Rule)) Rule {
	r := Rule{Name: "openstack_" + name, From: "openstack_" + from, Type: dto.MetricType_GAUGE, Help: "openstack-exporter's " + name + ", from openstack_" + from + "."}
	for _, word := range strings.Fields(labels) {
		theirs, ours, named := strings.Cut(word, "=")
		l := Label{Name: theirs, From: ours}
		if !named {
			l.From = theirs
			if name, text, ok := strings.Cut(word, ":"); ok {
				l = Label{Name: name, Const: text}
			}
		}
		l.From, l.Joined = strings.CutPrefix(l.From, "@")
		r.Labels = append(r.Labels, l)
	}
	for _, change := range changes {
		change(&r)
	}
	return r
}

func where(label, value string) func(*Rule) {
	return func(r *Rule) {
		if r.Where == nil {
			r.Where = map[string]string{}
		}
		r.Where[label] = value
	}
}

func times(scale float64) func(*Rule) { return func(r *Rule) { r.Scale = scale } }

func with(family string, on ...string) func(*Rule) {
	return func(r *Rule) { r.Joins = append(r.Joins, Join{"openstack_" + family, on}) }
}

// words replaces the values of one label.
func words(label string, w map[string]string) func(*Rule) {
	return func(r *Rule) {
		for i := range r.Labels {
			if r.Labels[i].Name == label {
				r.Labels[i].Words = w
			}
		}
	}
}

func counter(r *Rule) { r.Type = dto.MetricType_COUNTER }

// number makes the value the place of a label's value in their list, -1 outside
// of it.
func number(label string, list ...string) func(*Rule) {
	return func(r *Rule) {
		r.Value = func(_ float64, labels map[string]string) (float64, bool) {
			return float64(slices.Index(list, labels[label])), true
		}
	}
}

// limit is -1 for none.
func limit(r *Rule) {
	scale := r.Scale
	r.Value = func(v float64, _ map[string]string) (float64, bool) {
		switch {
		case math.IsInf(v, 1):
			return -1, true
		case scale != 0:
			return v * scale, true
		}
		return v, true
	}
}

// tenant gives the project's name.
var tenant = with("identity_project_info", "project_id")

const gib = 1 << 30

func up() []Rule {
	var rules []Rule
	for theirs, ours := range map[string]string{
		"identity": "keystone", "nova": "nova", "neutron": "neutron", "cinder": "cinder", "placement": "placement", "glance": "glance",
		"loadbalancer": "octavia", "designate": "designate", "heat": "heat", "container_infra": "magnum", "ironic": "ironic",
		"sharev2": "manila", "trove": "trove", "object_store": "swift", "gnocchi": "gnocchi",
	} {
		rules = append(rules, rule(theirs+"_up", "api_up", "", where("service", ours)))
	}
	slices.SortFunc(rules, func(a, b Rule) int { return strings.Compare(a.Name, b.Name) })
	return rules
}

// agentState is their state of a service with its admin state as a label.
func agentState(prefix, labels string) Rule {
	return rule(prefix+"_agent_state", prefix+"_service_up", labels, counter,
		with(prefix+"_service_enabled", "host", "binary", "zone"), with(prefix+"_service_info", "host", "binary", "zone"),
		words("adminState", map[string]string{"1": "enabled", "0": "disabled"}))
}

func compute() []Rule {
	rules := []Rule{
		rule("nova_total_vms", "nova_servers", ""),
		agentState("nova", "id=@id hostname=host service=binary adminState=@value zone disabledReason=@disabled_reason"),
		rule("nova_flavor", "nova_flavor_info", "id name vcpus ram=memory_mib disk=disk_gib is_public=public"),
		rule("nova_server_status", "nova_server_info",
			"id status name tenant_id=project_id user_id host_id=host hypervisor_hostname=hostname uuid=id availability_zone=zone flavor_id=flavor instance_libvirt=instance address_ipv4: address_ipv6:",
			number("status", "ACTIVE", "BUILD", "BUILD(spawning)", "DELETED", "ERROR", "HARD_REBOOT", "PASSWORD", "REBOOT", "REBUILD", "RESCUE", "RESIZE",
				"SHUTOFF", "SUSPENDED", "UNKNOWN", "VERIFY_RESIZE", "MIGRATING", "PAUSED", "REVERT_RESIZE", "SHELVED", "SHELVED_OFFLOADED", "SOFT_DELETED")),
		rule("nova_server_local_gb", "nova_server_disk_bytes", "id name=@name tenant_id=@project_id", with("nova_server_info", "id"), times(1.0/gib)),
	}
	for theirs, ours := range map[string]string{"vcpus": "cores", "memory": "ram", "instances": "instances"} {
		rules = append(rules,
			rule("nova_limits_"+theirs+"_max", "nova_quota_limit", "tenant=@name tenant_id=project_id", where("resource", ours), tenant, limit),
			rule("nova_limits_"+theirs+"_used", "nova_quota_in_use", "tenant=@name tenant_id=project_id", where("resource", ours), tenant))
	}
	for _, resource := range []string{"cores", "instances", "key_pairs", "metadata_items", "ram", "server_groups", "server_group_members",
		"fixed_ips", "floating_ips", "security_group_rules", "security_groups", "injected_file_content_bytes", "injected_file_path_bytes", "injected_files"} {
		rules = append(rules, quota("nova", resource, "nova_quota_in_use", "in_use")...)
	}
	return rules
}

// quota is one family of theirs from three of ours.
func quota(prefix, resource, used, usedType string) []Rule {
	name := prefix + "_quota_" + resource
	return []Rule{
		rule(name, used, "tenant=@name tenant_id=project_id type:"+usedType, where("resource", resource), tenant),
		rule(name, prefix+"_quota_reserved", "tenant=@name tenant_id=project_id type:reserved", where("resource", resource), tenant),
		rule(name, prefix+"_quota_limit", "tenant=@name tenant_id=project_id type:limit", where("resource", resource), tenant, limit),
	}
}

func placement() []Rule {
	const labels = "hostname resourcetype=resource_class"
	return []Rule{
		rule("placement_resource_total", "placement_inventory_units", labels),
		rule("placement_resource_allocation_ratio", "placement_allocation_ratio", labels),
		rule("placement_resource_reserved", "placement_reserved_units", labels),
		rule("placement_resource_usage", "placement_usage_units", labels),
		rule("placement_resource_generation", "placement_generation", "hostname"),
		rule("placement_resource_provider_allocations", "placement_allocation_units", "hostname uuid=consumer resourcetype=resource_class"),
	}
}

func network() []Rule {
	const ofSubnet = "network_id network_name=@openstack_neutron_network_ips_capacity.name ip_version cidr subnet_name=@openstack_neutron_subnet_info.name project_id=@project_id"
	rules := []Rule{
		rule("neutron_agent_state", "neutron_agent_up", "id=@id hostname=host service=binary adminState=@value availability_zone=@zone", counter,
			with("neutron_agent_enabled", "host", "binary", "type"), with("neutron_agent_info", "host", "binary", "type"),
			words("adminState", map[string]string{"1": "up", "0": "down"})),
		rule("neutron_floating_ip", "neutron_floating_ip_info", "id floating_network_id=network_id router_id status project_id floating_ip_address=address"),
		rule("neutron_network", "neutron_network_info",
			"id tenant_id=project_id status name is_shared=shared is_external=external provider_network_type=type provider_physical_network=physical_network provider_segmentation_id=segment mtu subnets: tags:",
			number("status", "ACTIVE", "BUILD", "DOWN", "ERROR")),
		rule("neutron_subnet", "neutron_subnet_info", "id tenant_id=project_id name network_id cidr gateway_ip enable_dhcp=dhcp dns_nameservers: tags:"),
		rule("neutron_port", "neutron_port_info", "uuid=id network_id mac_address device_owner device_id status binding_vif_type=vif_type admin_state_up fixed_ips"),
		rule("neutron_router", "neutron_router_info", "id name project_id admin_state_up status external_network_id"),
		rule("neutron_network_ip_availabilities_total", "neutron_subnet_ips_capacity", ofSubnet, with("neutron_subnet_info", "subnet_id=id"), with("neutron_network_ips_capacity", "network_id", "ip_version")),
		rule("neutron_network_ip_availabilities_used", "neutron_subnet_ips_used", ofSubnet, with("neutron_subnet_info", "subnet_id=id"), with("neutron_network_ips_capacity", "network_id", "ip_version")),
		rule("neutron_vpn_service", "neutron_vpn_service_info", "id name project_id status admin_state_up router_id subnet_id flavor_id external_v4_ip external_v6_ip"),
		rule("neutron_vpn_siteconnection", "neutron_vpn_site_connection_info", "id name project_id status admin_state_up vpnservice_id=vpn_service_id ikepolicy_id=ike_policy_id ipsecpolicy_id=ipsec_policy_id local_id peer_id local_ep_group_id peer_ep_group_id"),
		rule("neutron_vpn_siteconnections", "neutron_vpn_site_connections", ""),
	}
	for _, what := range []string{"total:capacity", "used:used", "free:free"} {
		theirs, ours, _ := strings.Cut(what, ":")
		rules = append(rules, rule("neutron_subnets_"+theirs, "neutron_subnet_pool_subnets_"+ours,
			"ip_version=@ip_version prefix prefix_length project_id=@project_id subnet_pool_id subnet_pool_name=@name", with("neutron_subnet_pool_info", "subnet_pool_id=id")))
	}
	for _, resource := range []string{"network", "subnet", "subnetpool", "port", "router", "floatingip", "security_group", "security_group_rule", "rbac_policy"} {
		rules = append(rules, quota("neutron", resource, "neutron_quota_used", "used")...)
	}
	return rules
}

func volume() []Rule {
	statuses := []string{"creating", "available", "reserved", "attaching", "detaching", "in-use", "maintenance", "deleting", "awaiting-transfer", "error",
		"error_deleting", "backing-up", "restoring-backup", "error_backing-up", "error_restoring", "error_extending", "downloading", "uploading", "retyping", "extending"}
	ofVolume := "id name=@name status=@status bootable=@bootable tenant_id=project_id volume_type=@volume_type server_id=@servers"
	return []Rule{
		agentState("cinder", "uuid: hostname=host service=binary adminState=@value zone disabledReason=@disabled_reason"),
		rule("cinder_volume_gb", "cinder_volume_size_bytes", ofVolume+" availability_zone=@zone user_id:", with("cinder_volume_info", "id"), times(1.0/gib)),
		rule("cinder_volume_status", "cinder_volume_info", "id name status bootable tenant_id=project_id volume_type server_id=servers size:", number("status", statuses...)),
		rule("cinder_volume_status_counter", "cinder_volumes", "status"),
		rule("cinder_limits_volume_max_gb", "cinder_quota_limit_bytes", "tenant=@name tenant_id=project_id", where("resource", "gigabytes"), tenant, times(1.0/gib), limit),
		rule("cinder_limits_volume_used_gb", "cinder_quota_in_use_bytes", "tenant=@name tenant_id=project_id", where("resource", "gigabytes"), tenant, times(1.0/gib)),
		rule("cinder_limits_backup_max_gb", "cinder_quota_limit_bytes", "tenant=@name tenant_id=project_id", where("resource", "backup_gigabytes"), tenant, times(1.0/gib), limit),
		rule("cinder_limits_backup_used_gb", "cinder_quota_in_use_bytes", "tenant=@name tenant_id=project_id", where("resource", "backup_gigabytes"), tenant, times(1.0/gib)),
		rule("cinder_volume_type_quota_gigabytes", "cinder_type_quota_limit_bytes", "tenant=@name tenant_id=project_id volume_type", where("resource", "gigabytes"), tenant, times(1.0/gib), limit),
		rule("cinder_pool_capacity_free_gb", "cinder_pool_free_bytes", "name=pool volume_backend_name=backend vendor_name=@vendor", with("cinder_pool_info", "pool", "backend"), times(1.0/gib)),
		rule("cinder_pool_capacity_total_gb", "cinder_pool_capacity_bytes", "name=pool volume_backend_name=backend vendor_name=@vendor", with("cinder_pool_info", "pool", "backend"), times(1.0/gib)),
	}
}

func image() []Rule {
	return []Rule{
		rule("glance_image_bytes", "glance_image_size_bytes", "id name=@name tenant_id=project_id", with("glance_image_info", "id")),
		rule("glance_image_created_at", "glance_image_created_timestamp_seconds", "id name=@name tenant_id=project_id status=@status visibility=@visibility hidden:", with("glance_image_info", "id")),
	}
}

func loadBalancer() []Rule {
	return []Rule{
		rule("loadbalancer_total_loadbalancers", "loadbalancer_loadbalancers", ""),
		rule("loadbalancer_total_amphorae", "loadbalancer_amphorae", ""),
		rule("loadbalancer_total_pools", "loadbalancer_pools", ""),
		rule("loadbalancer_loadbalancer_status", "loadbalancer_loadbalancer_info", "id name project_id operating_status provisioning_status provider vip_address",
			number("operating_status", "ONLINE", "DRAINING", "OFFLINE", "ERROR", "NO_MONITOR")),
		rule("loadbalancer_amphora_status", "loadbalancer_amphora_info", "id loadbalancer_id compute_id status role lb_network_ip ha_ip cert_expiration:",
			number("status", "BOOTING", "ALLOCATED", "READY", "PENDING_CREATE", "PENDING_DELETE", "DELETED", "ERROR")),
		rule("loadbalancer_pool_status", "loadbalancer_pool_info", "id provisioning_status name loadbalancers protocol lb_algorithm=algorithm operating_status project_id",
			number("provisioning_status", "ACTIVE", "DELETED", "ERROR", "PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE")),
	}
}

func dns() []Rule {
	statuses := []string{"PENDING", "ACTIVE", "DELETED", "ERROR"}
	return []Rule{
		rule("designate_zone_status", "designate_zone_info", "id name status tenant_id=project_id type", number("status", statuses...)),
		rule("designate_recordsets_status", "designate_recordset_info", "id name status zone_id zone_name=@name type", with("designate_zone_info", "zone_id=id"), number("status", statuses...)),
	}
}

func orchestration() []Rule {
	var statuses []string
	for _, action := range []string{"INIT", "CREATE", "DELETE", "UPDATE", "ROLLBACK", "SUSPEND", "RESUME", "ADOPT", "SNAPSHOT", "CHECK"} {
		for _, status := range []string{"IN_PROGRESS", "FAILED", "COMPLETE"} {
			statuses = append(statuses, action+"_"+status)
		}
	}
	return []Rule{
		rule("heat_stack_status", "heat_stack_info", "id name project_id status=action+status", func(r *Rule) {
			r.Value = func(_ float64, labels map[string]string) (float64, bool) {
				return float64(slices.Index(statuses, labels["action"]+"_"+labels["status"])), true
			}
		}),
		rule("heat_stack_status_counter", "heat_stacks", "status=action+status"),
	}
}

// others are the services around the core.
func others() []Rule {
	rules := []Rule{
		rule("container_infra_total_clusters", "container_infra_clusters", ""),
		rule("container_infra_cluster_status", "container_infra_cluster_info", "uuid=cluster_id name stack_id status project_id node_count: master_count:",
			number("status", "CREATE_COMPLETE", "CREATE_FAILED", "CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_FAILED", "UPDATE_COMPLETE",
				"DELETE_IN_PROGRESS", "DELETE_FAILED", "DELETE_COMPLETE", "RESUME_COMPLETE", "RESUME_FAILED", "RESTORE_COMPLETE", "ROLLBACK_COMPLETE", "SNAPSHOT_COMPLETE", "CHECK_COMPLETE", "ADOPT_COMPLETE")),
		rule("ironic_node", "ironic_node_info", "id=node_id name provision_state=@provision_state power_state=@power_state resource_class", with("ironic_node_state", "node_id")),
		rule("ironic_node_updated_at", "ironic_node_updated_timestamp_seconds", "id=node_id"),
		rule("ironic_node_provision_updated_at", "ironic_node_provision_updated_timestamp_seconds", "id=node_id"),
		rule("sharev2_shares_counter", "sharev2_shares", ""),
		rule("sharev2_share_gb", "sharev2_share_size_bytes", "id=share_id name project_id status=@status availability_zone=@availability_zone share_type=@share_type share_proto=@share_proto",
			with("sharev2_share_info", "share_id"), times(1.0/gib)),
		rule("sharev2_share_status_counter", "sharev2_shares", "status"),
		rule("trove_total_instances", "trove_instances", ""),
		rule("trove_instance_volume_size_gb", "trove_instance_volume_size_bytes", "id=instance_id name tenant_id=project_id", times(1.0/gib)),
		rule("trove_instance_volume_used_gb", "trove_instance_volume_used_bytes", "id=instance_id name tenant_id=project_id", times(1.0/gib)),
		rule("object_store_objects", "object_store_container_objects", "container_name=container project_id"),
		rule("object_store_bytes", "object_store_container_bytes", "container_name=container project_id"),
		rule("gnocchi_total_metrics", "gnocchi_metrics", ""),
	}
	return rules
}
