// Package glance looks at a cloud's images.
package glance

import (
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{Name: "glance", Types: []string{"image"}, Version: "v2"}

// Config configures Sources.
type Config struct {
	Period time.Duration // 2 minutes if zero
}

// Sources returns what looks at Glance.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source { return nil }
