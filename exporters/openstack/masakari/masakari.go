// Package masakari looks at a cloud's segments.
package masakari

import (
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{Name: "masakari", Types: []string{"instance-ha", "ha"}, Version: "v1", Markers: true}

// Config configures Sources.
type Config struct {
	Period time.Duration // 2 minutes if zero
}

// Sources returns what looks at Masakari.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source { return nil }
