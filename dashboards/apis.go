package dashboards

// apis is the control plane as who uses it finds it.
func apis() *page {
	b := board("mcloud-apis", "Control-plane APIs", "Do the APIs answer, how fast, and how much of their error budget (0.5 % of 30 days) is being spent. By what mCloud's own calls met.", byCloud())
	b.WithRow(row("Now")).
		WithPanel(state("APIs down", "No answer or a server error to the question for versions.", `count(openstack_api_up{cloud=~"$cloud"} == 0) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Spending their budget", "APIs that fail more than 7.2 % of the calls of an hour.", `count(mcloud_api_error_ratio_1h{cloud=~"$cloud"} > 0.072) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Nova's services down", "Enabled ones, computes too.", `count((openstack_nova_service_up{cloud=~"$cloud"} == 0) and on (cloud, host, binary) (openstack_nova_service_enabled == 1)) or vector(0)`, "none", warnAbove(1))).
		WithPanel(state("Cinder's services down", "Enabled ones.", `count((openstack_cinder_service_up{cloud=~"$cloud"} == 0) and on (cloud, host, binary) (openstack_cinder_service_enabled == 1)) or vector(0)`, "none", warnAbove(1))).
		WithPanel(figure("Time for a token", "How long Keystone took for the exporter's newest one.", "s", `max(openstack_identity_token_issue_seconds{cloud=~"$cloud"})`)).
		WithPanel(state("Stacks stuck", "In progress for more than an hour.", `sum(openstack_heat_stacks_stuck{cloud=~"$cloud"}) or vector(0)`, "none", warnAbove(1)))
	b.WithRow(row("Answers")).
		WithPanel(graph("Up", "1 answers, 0 does not.", "short", series(`openstack_api_up{cloud=~"$cloud"}`, "{{service}}")).Min(0).Max(1)).
		WithPanel(graph("Time for the versions", "The simplest question, without a token or a database.", "s", series(`openstack_api_response_seconds{cloud=~"$cloud"}`, "{{service}}"))).
		WithPanel(graph("Time of a call", "Mean of mCloud's calls, in the slowest of the chosen clouds.", "s", series(`max by (api) (mcloud_api_call_seconds{cloud=~"$cloud"})`, "{{api}}"))).
		WithPanel(graph("Calls", "mCloud's own, per second.", "reqps", series(`sum by (api) (rate(mcloud_source_calls_total{cloud=~"$cloud"}[$__rate_interval]))`, "{{api}}"))).
		WithPanel(graph("Answers that are errors", "Server errors, timeouts and refused connections per second.", "reqps", series(`sum by (api, code) (rate(mcloud_source_calls_total{cloud=~"$cloud",code=~"5..|timeout|refused"}[$__rate_interval])) or vector(0)`, "{{api}} {{code}}"))).
		WithPanel(graph("Tokens", "Logins of the exporter that failed, per hour.", "short", series(`sum by (cloud) (increase(openstack_identity_token_failures_total{cloud=~"$cloud"}[1h]))`, "{{cloud}}")))
	b.WithRow(row("Error budget")).
		WithPanel(graph("Failed within an hour", "Burning 14.4 times too fast pages.", "percentunit", series(`mcloud_api_error_ratio_1h{cloud=~"$cloud"} or vector(0)`, "{{service}}")).Thresholds(warnAbove(0.072))).
		WithPanel(graph("Failed within six hours", "Burning six times too fast pages.", "percentunit", series(`mcloud_api_error_ratio_6h{cloud=~"$cloud"} or vector(0)`, "{{service}}")).Thresholds(warnAbove(0.03))).
		WithPanel(graph("Failed within three days", "At 0.5 % the budget is just spent.", "percentunit", series(`mcloud_api_error_ratio_3d{cloud=~"$cloud"} or vector(0)`, "{{service}}")).Thresholds(warnAbove(0.005)))
	b.WithRow(row("Behind the APIs")).
		WithPanel(graph("Nova's services up", "By kind.", "short", series(`sum by (binary) (mcloud_nova_services_up{cloud=~"$cloud"})`, "{{binary}}"))).
		WithPanel(graph("Cinder's services up", "By kind.", "short", series(`sum by (binary) (openstack_cinder_service_up{cloud=~"$cloud"})`, "{{binary}}"))).
		WithPanel(graph("Neutron's agents alive", "By kind.", "short", series(`sum by (type) (mcloud_neutron_agents_up{cloud=~"$cloud"})`, "{{type}}")))
	return b
}
