// Package horizon looks at a cloud's the login page.
package horizon

import (
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// Config configures Sources.
type Config struct {
	Period time.Duration // 2 minutes if zero
}

// Sources returns what looks at Horizon.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source { return nil }
