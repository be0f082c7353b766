package keystone

import "mcloud/exporters"

func family(name, unit string, kind exporters.Type, set exporters.Set, call string, labels []string, help string) *exporters.Family {
	return &exporters.Family{Name: "openstack_identity_" + name, Unit: unit, Type: kind, Labels: labels, Set: set, Call: call, Help: help}
}

const fromLogin = "POST /v3/auth/tokens"

var (
	projects = family("projects", "", exporters.Gauge, exporters.SetBase, "GET /v3/projects", []string{"domain_id", "enabled"},
		"Projects by domain, and whether they are enabled.")
	projectInfo = family("project_info", "", exporters.Gauge, exporters.SetBase, "GET /v3/projects",
		[]string{"project_id", "name", "domain_id", "parent_id", "enabled", "is_domain"},
		"A project with its name and place; always 1.")
	domains    = family("domains", "", exporters.Gauge, exporters.SetBase, "GET /v3/domains", []string{"enabled"}, "Domains, and whether they are enabled.")
	domainInfo = family("domain_info", "", exporters.Gauge, exporters.SetObjects, "GET /v3/domains", []string{"domain_id", "name", "enabled"},
		"A domain with its name; always 1.")

	users = family("users", "", exporters.Gauge, exporters.SetBase, "GET /v3/users", []string{"domain_id", "enabled"},
		"Users by domain, and whether they are enabled; of all domains that the account may list.")
	groups   = family("groups", "", exporters.Gauge, exporters.SetBase, "GET /v3/groups", []string{"domain_id"}, "Groups of users by domain.")
	roles    = family("roles", "", exporters.Gauge, exporters.SetBase, "GET /v3/roles", nil, "Roles that are not a domain's own.")
	regions  = family("regions", "", exporters.Gauge, exporters.SetBase, "GET /v3/regions", nil, "Regions.")
	services = family("services", "", exporters.Gauge, exporters.SetBase, "GET /v3/services", []string{"type", "enabled"},
		"Services of the catalogue by type.")
	endpoints = family("endpoints", "", exporters.Gauge, exporters.SetBase, "GET /v3/endpoints", []string{"type", "interface", "region", "enabled"},
		"Endpoints of the catalogue by their service's type, interface (public, internal, admin) and region.")

	tokensIssued = family("tokens_issued_total", "", exporters.Counter, exporters.SetBase, fromLogin, nil,
		"Tokens that Keystone gave to this exporter.")
	tokenFailures = family("token_failures_total", "", exporters.Counter, exporters.SetBase, fromLogin, nil,
		"Logins of this exporter that failed or were refused.")
	tokenSeconds = family("token_issue_seconds", "seconds", exporters.Gauge, exporters.SetBase, fromLogin, nil,
		"How long Keystone took to give the exporter's newest token, password check included.")
	tokenExpires = family("token_expiry_timestamp_seconds", "seconds", exporters.Gauge, exporters.SetBase, fromLogin, nil,
		"When the exporter's token expires; it is renewed some minutes before.")
)
