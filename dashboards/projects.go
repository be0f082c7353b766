package dashboards

// ofProject gives a query by project the project's name.
func ofProject(query string) string {
	return query + ` * on (cloud, project_id) group_left (name) mcloud_project_info`
}

// projects shows who uses the cloud, and how near their quotas are.
func projects() *page {
	b := board("mcloud-projects", "Projects", "Who uses what, and how near the quotas are. A project that Keystone does not name goes by its id.", byCloud(), byProject())
	b.WithRow(row("Now")).
		WithPanel(figure("Projects", "Projects that are enabled.", "short", `sum(openstack_identity_projects{cloud=~"$cloud",enabled="true"})`)).
		WithPanel(figure("Servers", "Of the chosen projects.", "short", `sum(openstack_nova_project_servers{cloud=~"$cloud",project_id=~"$project"})`)).
		WithPanel(figure("vCPUs", "Of the chosen projects' servers, by their flavors.", "short", `sum(openstack_nova_project_server_vcpus{cloud=~"$cloud",project_id=~"$project"})`)).
		WithPanel(figure("Memory", "Of the chosen projects' servers, by their flavors.", "bytes", `sum(openstack_nova_project_server_memory_bytes{cloud=~"$cloud",project_id=~"$project"})`)).
		WithPanel(figure("Volumes", "Of the chosen projects, their sizes added up.", "bytes", `sum(openstack_cinder_project_volumes_size_bytes{cloud=~"$cloud",project_id=~"$project"})`)).
		WithPanel(state("Quotas almost used up", "Quotas of Nova, Cinder and Neutron of which more than 90 % is used.", `count(mcloud_project_quota_used_ratio{cloud=~"$cloud",project_id=~"$project",service=~"nova|cinder|neutron"} > 0.9) or vector(0)`, "none", warnAbove(1)))
	b.WithRow(row("Who uses most")).
		WithPanel(bars("vCPUs", "The ten projects with the most.", "short", "topk(10, "+ofProject(`openstack_nova_project_server_vcpus{cloud=~"$cloud",project_id=~"$project"}`)+")", "{{name}}", plain())).
		WithPanel(bars("Memory", "The ten projects with the most.", "bytes", "topk(10, "+ofProject(`openstack_nova_project_server_memory_bytes{cloud=~"$cloud",project_id=~"$project"}`)+")", "{{name}}", plain())).
		WithPanel(bars("Volumes", "The ten projects and types with the most bytes.", "bytes", "topk(10, "+ofProject(`openstack_cinder_project_volumes_size_bytes{cloud=~"$cloud",project_id=~"$project"}`)+")", "{{name}} {{volume_type}}", plain())).
		WithPanel(bars("Images", "The ten projects whose images take most.", "bytes", "topk(10, "+ofProject(`openstack_glance_project_images_size_bytes{cloud=~"$cloud",project_id=~"$project"}`)+")", "{{name}}", plain())).
		WithPanel(bars("Snapshots", "The ten projects whose volumes' snapshots take most at most.", "bytes", "topk(10, "+ofProject(`openstack_cinder_project_snapshots_size_bytes{cloud=~"$cloud",project_id=~"$project"}`)+")", "{{name}}", plain())).
		WithPanel(bars("Logical network", "The ten projects with the most objects in OVN.", "short", "topk(10, "+ofProject(`sum by (cloud, project_id) (ovn_project_logical_objects{cloud=~"$cloud",project_id=~"$project"})`)+")", "{{name}}", plain()))
	b.WithRow(row("Quotas")).
		WithPanel(ratio("Nova", "The ten quotas that are used most.", series(ofProject(`topk(10, mcloud_project_quota_used_ratio{cloud=~"$cloud",project_id=~"$project",service="nova"})`), "{{name}} {{resource}}")).Interval(rare)).
		WithPanel(ratio("Cinder: space", "The ten quotas that are used most.", series(ofProject(`topk(10, mcloud_project_quota_used_ratio{cloud=~"$cloud",project_id=~"$project",service="cinder_bytes"})`), "{{name}} {{resource}}")).Interval(rare)).
		WithPanel(ratio("Neutron", "The ten quotas that are used most.", series(ofProject(`topk(10, mcloud_project_quota_used_ratio{cloud=~"$cloud",project_id=~"$project",service="neutron"})`), "{{name}} {{resource}}")).Interval(rare)).
		WithPanel(graph("vCPUs over time", "The ten projects with the most.", "short", series(ofProject(`topk(10, openstack_nova_project_server_vcpus{cloud=~"$cloud",project_id=~"$project"})`), "{{name}}")).Interval(coarse)).
		WithPanel(graph("Volumes over time", "Bytes of the ten projects and types with the most.", "bytes", series(ofProject(`topk(10, mcloud_project_volumes_bytes{cloud=~"$cloud",project_id=~"$project"})`), "{{name}} {{volume_type}}")).Interval(rare)).
		WithPanel(graph("Servers by status", "Of the chosen projects.", "short", series(`sum by (status) (mcloud_project_servers{cloud=~"$cloud",project_id=~"$project"})`, "{{status}}")))
	return b
}
