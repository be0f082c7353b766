// Package octavia looks at a cloud's load balancers.
package octavia

import (
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{Name: "octavia", Types: []string{"load-balancer"}, Version: "v2.0"}

// Config configures Sources.
type Config struct {
	Period time.Duration // 2 minutes if zero
}

// Sources returns what looks at Octavia.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source { return nil }
