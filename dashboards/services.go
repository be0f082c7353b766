package dashboards

// services is what projects build on besides servers, volumes and networks.
func services() *page {
	b := board("mcloud-services", "Load balancers, DNS, secrets, HA", "What projects build on besides servers, volumes and networks, and who recovers a lost host.", byCloud())
	b.WithRow(row("Load balancers")).
		WithPanel(state("In ERROR", "They cannot be changed.", `sum(openstack_loadbalancer_loadbalancers{cloud=~"$cloud",provisioning_status="ERROR"}) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Serving nobody", "Operating status ERROR: all their members fail.", `sum(openstack_loadbalancer_loadbalancers{cloud=~"$cloud",operating_status="ERROR"}) or vector(0)`, "none", warnAbove(1))).
		WithPanel(figure("Load balancers", "All projects' own.", "short", `sum(openstack_loadbalancer_loadbalancers{cloud=~"$cloud"})`)).
		WithPanel(state("Zones not in place", "DNS zones in ERROR or PENDING.", `sum(openstack_designate_zones{cloud=~"$cloud",status!="ACTIVE"}) or vector(0)`, "none", warnAbove(1))).
		WithPanel(state("Secrets ending in 30 days", "Of the account's own project: Barbican shows no other's.", `sum(openstack_barbican_secrets_expiring{cloud=~"$cloud",within="30d"}) or vector(0)`, "none", warnAbove(1))).
		WithPanel(state("Hosts that HA ignores", "On maintenance in Masakari: their failures are not recovered.", `sum(openstack_masakari_host_on_maintenance{cloud=~"$cloud"}) or vector(0)`, "none", warnAbove(1))).
		WithPanel(graph("By status", "Provisioning status.", "short", series(`sum by (provisioning_status) (openstack_loadbalancer_loadbalancers{cloud=~"$cloud"})`, "{{provisioning_status}}"))).
		WithPanel(graph("Members by status", "Operating status; NO_MONITOR are not checked.", "short", series(`sum by (operating_status) (openstack_loadbalancer_members{cloud=~"$cloud"})`, "{{operating_status}}"))).
		WithPanel(graph("Connections", "Open through all load balancers, by provider.", "short", series(`sum by (provider) (openstack_loadbalancer_active_connections{cloud=~"$cloud"})`, "{{provider}}")))
	b.WithRow(row("DNS")).
		WithPanel(graph("Zones by status", "All projects' zones.", "short", series(`sum by (status) (openstack_designate_zones{cloud=~"$cloud"})`, "{{status}}"))).
		WithPanel(graph("Recordsets by status", "All zones'.", "short", series(`sum by (status) (openstack_designate_recordsets{cloud=~"$cloud"})`, "{{status}}"))).
		WithPanel(graph("Designate's services up", "By service.", "short", series(`sum by (service) (openstack_designate_service_up{cloud=~"$cloud"})`, "{{service}}")))
	b.WithRow(row("Secrets and certificates")).
		WithPanel(graph("Secrets by status", "Of the account's own project.", "short", series(`sum by (status) (openstack_barbican_secrets{cloud=~"$cloud"})`, "{{status}}"))).
		WithPanel(runway("Certificates of endpoints", "Time until the certificate that an endpoint shows ends; without TLS there is none.", series(`openstack_api_certificate_expiry_timestamp_seconds{cloud=~"$cloud"} - time()`, "{{service}}"))).
		WithPanel(runway("First secret to end", "By type, of the account's own project.", series(`openstack_barbican_secrets_earliest_expiration_timestamp_seconds{cloud=~"$cloud"} - time()`, "{{secret_type}}")))
	b.WithRow(row("Instance HA and dashboard")).
		WithPanel(bars("Reserved hosts", "Hosts of each segment that are kept to take over.", "short", `openstack_masakari_segment_hosts_reserved{cloud=~"$cloud"} * on (cloud, segment_id) group_left (name) max by (cloud, segment_id, name) (openstack_masakari_segment_info)`, "{{name}}", plain())).
		WithPanel(graph("Notifications", "Of failures that Masakari keeps, by status.", "short", series(`sum by (status) (openstack_masakari_notifications{cloud=~"$cloud"}) or vector(0)`, "{{status}}"))).
		WithPanel(graph("Login page", "Time until the dashboard's login page was there.", "s", series(`openstack_horizon_login_seconds{cloud=~"$cloud"}`, "{{cloud}}")))
	return b
}
