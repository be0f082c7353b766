// Package designate looks at a cloud's zones.
package designate

import (
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{Name: "designate", Types: []string{"dns"}, Version: "v2", Always: map[string]string{"X-Auth-All-Projects": "true"}}

// Config configures Sources.
type Config struct {
	Period time.Duration // 2 minutes if zero
}

// Sources returns what looks at Designate.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source { return nil }
