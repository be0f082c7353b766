package barbican

import (
	"time"

	"mcloud/exporters"
)

// windows are how soon secrets expire, for the label "within". Each counts what
// the one before it counts.
var windows = []struct {
	name   string
	within time.Duration
}{{"7d", 7 * 24 * time.Hour}, {"30d", 30 * 24 * time.Hour}, {"90d", 90 * 24 * time.Hour}}

var (
	secrets = &exporters.Family{
		Name: "openstack_barbican_secrets", Type: exporters.Gauge, Labels: []string{"project_id", "status", "secret_type"}, Set: exporters.SetBase, Call: "GET /v1/secrets",
		Help: "Secrets by status and type, of the account's own project: Barbican lists no other, and none that has expired.",
	}
	expiring = &exporters.Family{
		Name: "openstack_barbican_secrets_expiring", Type: exporters.Gauge, Labels: []string{"project_id", "secret_type", "within"}, Set: exporters.SetBase, Call: "GET /v1/secrets",
		Help: "Secrets, such as certificates, whose expiration is nearer than the label within says (7d, 30d, 90d; each counts the shorter ones too), of the account's own project; absent for types without an expiration. What has expired is not listed any more.",
	}
	earliest = &exporters.Family{
		Name: "openstack_barbican_secrets_earliest_expiration_timestamp_seconds", Unit: "seconds", Type: exporters.Gauge, Labels: []string{"project_id", "secret_type"}, Set: exporters.SetBase, Call: "GET /v1/secrets",
		Help: "When the first secret of the type expires, as seconds since 1970; absent when none has an expiration.",
	}
	expiration = &exporters.Family{
		Name: "openstack_barbican_secret_expiration_timestamp_seconds", Unit: "seconds", Type: exporters.Gauge, Labels: []string{"project_id", "secret_id", "name", "secret_type"}, Set: exporters.SetObjects, Call: "GET /v1/secrets",
		Help: "When the secret expires by its metadata, as seconds since 1970; absent without an expiration.",
	}
	orders = &exporters.Family{
		Name: "openstack_barbican_orders", Type: exporters.Gauge, Labels: []string{"project_id", "status", "type"}, Set: exporters.SetBase, Call: "GET /v1/orders",
		Help: "Orders by status (PENDING, ACTIVE, ERROR) and type (key, asymmetric, certificate), of the account's own project.",
	}
	oldestOrder = &exporters.Family{
		Name: "openstack_barbican_orders_oldest_pending_timestamp_seconds", Unit: "seconds", Type: exporters.Gauge, Labels: []string{"project_id"}, Set: exporters.SetBase, Call: "GET /v1/orders",
		Help: "When the oldest order that is still PENDING was made, as seconds since 1970; absent when none is.",
	}
	containers = &exporters.Family{
		Name: "openstack_barbican_containers", Type: exporters.Gauge, Labels: []string{"project_id", "type"}, Set: exporters.SetBase, Call: "GET /v1/containers",
		Help: "Containers of secrets by type (generic, rsa, certificate), of the account's own project.",
	}
	consumers = &exporters.Family{
		Name: "openstack_barbican_consumers", Type: exporters.Gauge, Labels: []string{"project_id", "of"}, Set: exporters.SetBase, Call: "GET /v1/containers",
		Help: "Registrations of services that use a container or a secret (label of), in the account's own project. Those of secrets are absent before microversion 1.1.",
	}
	quotaLimit = &exporters.Family{
		Name: "openstack_barbican_quota_limit", Type: exporters.Gauge, Labels: []string{"project_id", "resource"}, Set: exporters.SetBase, Call: "GET /v1/project-quotas",
		Help: "Quota of the project by resource (secrets, orders, containers, consumers, cas); +Inf without limit. In force for the account's own project, as configured for the others; absent where the service's default holds.",
	}
)
