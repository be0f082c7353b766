// Package barbican looks at a cloud's secrets.
package barbican

import (
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{Name: "barbican", Types: []string{"key-manager"}, Version: "v1"}

// Config configures Sources.
type Config struct {
	Period time.Duration // 2 minutes if zero
}

// Sources returns what looks at Barbican.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source { return nil }
