// Package heat looks at a cloud's stacks.
package heat

import (
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{Name: "heat", Types: []string{"orchestration"}, Markers: true}

// Config configures Sources.
type Config struct {
	Period time.Duration // 2 minutes if zero
}

// Sources returns what looks at Heat.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source { return nil }
