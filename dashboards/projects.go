package dashboards

// projects shows who uses the cloud, and how near their quotas are.
func projects() *page {
	b := board("mcloud-projects", "Projects", "Who uses what, and how near the quotas are. Projects go by their id; with the set objects openstack_identity_project_info has their names.", byCloud(), byProject())
	b.WithRow(row("Now")).
		WithPanel(figure("Projects", "Projects that are enabled.", "short", `sum(openstack_identity_projects{cloud=~"$cloud",enabled="true"})`)).
		WithPanel(figure("Servers", "Of the chosen projects.", "short", `sum(openstack_nova_project_servers{cloud=~"$cloud",project_id=~"$project"})`)).
		WithPanel(figure("vCPUs", "Of the chosen projects' servers, by their flavors.", "short", `sum(openstack_nova_project_server_vcpus{cloud=~"$cloud",project_id=~"$project"})`)).
		WithPanel(figure("Memory", "Of the chosen projects' servers, by their flavors.", "bytes", `sum(openstack_nova_project_server_memory_bytes{cloud=~"$cloud",project_id=~"$project"})`)).
		WithPanel(figure("Volumes", "Of the chosen projects, their sizes added up.", "bytes", `sum(openstack_cinder_project_volumes_size_bytes{cloud=~"$cloud",project_id=~"$project"})`)).
		WithPanel(state("Quotas almost used up", "Quotas of Nova, Cinder and Neutron of which more than 90 % is used.", `count(mcloud_project_quota_used_ratio{cloud=~"$cloud",project_id=~"$project",service=~"nova|cinder|neutron"} > 0.9) or vector(0)`, "none", warnAbove(1)))
	b.WithRow(row("Who uses most")).
		WithPanel(bars("vCPUs", "The ten projects with the most.", "short", `topk(10, openstack_nova_project_server_vcpus{cloud=~"$cloud",project_id=~"$project"})`, "{{project_id}}", plain())).
		WithPanel(bars("Memory", "The ten projects with the most.", "bytes", `topk(10, openstack_nova_project_server_memory_bytes{cloud=~"$cloud",project_id=~"$project"})`, "{{project_id}}", plain())).
		WithPanel(bars("Volumes", "The ten projects and types with the most bytes.", "bytes", `topk(10, openstack_cinder_project_volumes_size_bytes{cloud=~"$cloud",project_id=~"$project"})`, "{{project_id}} {{volume_type}}", plain())).
		WithPanel(bars("Images", "The ten projects whose images take most.", "bytes", `topk(10, openstack_glance_project_images_size_bytes{cloud=~"$cloud",project_id=~"$project"})`, "{{project_id}}", plain())).
		WithPanel(bars("Snapshots", "The ten projects whose volumes' snapshots take most at most.", "bytes", `topk(10, openstack_cinder_project_snapshots_size_bytes{cloud=~"$cloud",project_id=~"$project"})`, "{{project_id}}", plain())).
		WithPanel(bars("Logical network", "The ten projects with the most objects in OVN.", "short", `topk(10, sum by (project_id) (ovn_project_logical_objects{cloud=~"$cloud",project_id=~"$project"}))`, "{{project_id}}", plain()))
	b.WithRow(row("Quotas")).
		WithPanel(ratio("Nova", "The ten quotas that are used most.", series(`topk(10, mcloud_project_quota_used_ratio{cloud=~"$cloud",project_id=~"$project",service="nova"})`, "{{project_id}} {{resource}}")).Interval(rare)).
		WithPanel(ratio("Cinder: space", "The ten quotas that are used most.", series(`topk(10, mcloud_project_quota_used_ratio{cloud=~"$cloud",project_id=~"$project",service="cinder_bytes"})`, "{{project_id}} {{resource}}")).Interval(rare)).
		WithPanel(ratio("Neutron", "The ten quotas that are used most.", series(`topk(10, mcloud_project_quota_used_ratio{cloud=~"$cloud",project_id=~"$project",service="neutron"})`, "{{project_id}} {{resource}}")).Interval(rare)).
		WithPanel(graph("vCPUs over time", "The ten projects with the most.", "short", series(`topk(10, openstack_nova_project_server_vcpus{cloud=~"$cloud",project_id=~"$project"})`, "{{project_id}}")).Interval(coarse)).
		WithPanel(graph("Volumes over time", "Bytes of the ten projects and types with the most.", "bytes", series(`topk(10, mcloud_project_volumes_bytes{cloud=~"$cloud",project_id=~"$project"})`, "{{project_id}} {{volume_type}}")).Interval(rare)).
		WithPanel(graph("Servers by status", "Of the chosen projects.", "short", series(`sum by (status) (mcloud_project_servers{cloud=~"$cloud",project_id=~"$project"})`, "{{status}}")))
	return b
}
