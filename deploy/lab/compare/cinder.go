package main

import (
	"context"
	"math"
	"slices"
	"strings"
)

// bytesPerGB: Cinder says gigabytes and means 2^30 bytes.
const bytesPerGB = 1 << 30

func cinderOurs(p page) readings {
	out := make(readings)
	for family, thing := range map[string]string{
		"openstack_cinder_pool_capacity_bytes":    "pool total bytes",
		"openstack_cinder_pool_free_bytes":        "pool free bytes",
		"openstack_cinder_pool_allocated_bytes":   "pool allocated bytes",
		"openstack_cinder_pool_provisioned_bytes": "pool provisioned bytes",
	} {
		p.each(family, func(labels map[string]string, value float64) { out.add(thing, labels["pool"], value) })
	}
	for family, thing := range map[string]string{"openstack_cinder_service_up": "service up", "openstack_cinder_service_enabled": "service enabled"} {
		p.each(family, func(labels map[string]string, value float64) {
			out.add(thing, labels["binary"]+" "+labels["host"], value)
		})
	}
	p.each("openstack_cinder_volumes", func(labels map[string]string, value float64) {
		out.add("volumes", labels["status"]+" "+labels["volume_type"], value)
	})
	p.each("openstack_cinder_volumes_size_bytes", func(labels map[string]string, value float64) {
		out.add("volumes bytes", labels["volume_type"], value)
	})
	p.each("openstack_cinder_volumes_unattached", func(labels map[string]string, value float64) { out.add("unattached volumes", "all", value) })
	for family, thing := range map[string]string{
		"openstack_cinder_snapshots": "snapshots", "openstack_cinder_backups": "backups",
		"openstack_cinder_snapshots_size_bytes": "snapshots bytes", "openstack_cinder_backups_size_bytes": "backups bytes",
	} {
		p.each(family, func(labels map[string]string, value float64) { out.add(thing, labels["status"], value) })
	}
	for family, thing := range map[string]string{
		"openstack_cinder_volume_types": "volume types", "openstack_cinder_qos_specs": "QoS specs", "openstack_cinder_volume_transfers": "transfers",
	} {
		p.each(family, func(_ map[string]string, value float64) {
			if value != 0 {
				out.add(thing, "all", value)
			}
		})
	}
	p.each("openstack_cinder_quota_limit", func(labels map[string]string, value float64) {
		out.add("quota limit", labels["project_id"]+" "+labels["resource"], value)
	})
	p.each("openstack_cinder_quota_limit_bytes", func(labels map[string]string, value float64) {
		out.add("quota limit", labels["project_id"]+" "+labels["resource"], value)
	})
	return out
}

// cinderPool is a line of `openstack volume backend pool list --long`.
type cinderPool struct {
	Name         string `json:"Name"`
	Capabilities struct {
		Total       float64 `json:"total_capacity_gb"`
		Free        float64 `json:"free_capacity_gb"`
		Allocated   float64 `json:"allocated_capacity_gb"`
		Provisioned float64 `json:"provisioned_capacity_gb"`
	} `json:"Capabilities"`
}

// cinderVolume is a line of the lists of volumes, snapshots and backups.
type cinderVolume struct {
	Status   string  `json:"Status"`
	Size     float64 `json:"Size"`
	Type     string  `json:"Type"`
	Attached []any   `json:"Attached to"`
}

// cinderLists are the client's answers.
type cinderLists struct {
	pools                       []cinderPool
	services                    []computeService
	volumes, snapshots, backups []cinderVolume
	types, qosSpecs, transfers  []any
	projects                    []identityProject
	quotas                      map[string][]quotaLine // by project's id
}

// quotaLine is a line of `openstack quota show --volume`.
type quotaLine struct {
	Resource string
	Limit    float64
}

func (l cinderLists) readings() readings {
	out := make(readings)
	for _, pool := range l.pools {
		out.add("pool total bytes", pool.Name, pool.Capabilities.Total*bytesPerGB)
		out.add("pool free bytes", pool.Name, pool.Capabilities.Free*bytesPerGB)
		out.add("pool allocated bytes", pool.Name, pool.Capabilities.Allocated*bytesPerGB)
		out.add("pool provisioned bytes", pool.Name, pool.Capabilities.Provisioned*bytesPerGB)
	}
	for _, s := range l.services {
		out.add("service up", s.Binary+" "+s.Host, truth(s.State == "up"))
		out.add("service enabled", s.Binary+" "+s.Host, truth(s.Status == "enabled"))
	}
	for _, v := range l.volumes {
		out.add("volumes", v.Status+" "+v.Type, 1)
		out.add("volumes bytes", v.Type, v.Size*bytesPerGB)
		out.add("unattached volumes", "all", truth(len(v.Attached) == 0))
	}
	for thing, copies := range map[string][]cinderVolume{"snapshots": l.snapshots, "backups": l.backups} {
		for _, v := range copies {
			out.add(thing, v.Status, 1)
			out.add(thing+" bytes", v.Status, v.Size*bytesPerGB)
		}
	}
	for thing, list := range map[string][]any{"volume types": l.types, "QoS specs": l.qosSpecs, "transfers": l.transfers} {
		for range list {
			out.add(thing, "all", 1)
		}
	}
	for project, lines := range l.quotas {
		for _, line := range lines {
			limit := line.Limit
			switch {
			case !slices.Contains(wholeQuotas, line.Resource):
				continue // a volume type's: in another set
			case limit < 0:
				limit = math.Inf(1)
			case strings.HasSuffix(line.Resource, "gigabytes"):
				limit *= bytesPerGB
			}
			out.add("quota limit", project+" "+line.Resource, limit)
		}
	}
	return out
}

// wholeQuotas are what is a project's, not a volume type's.
var wholeQuotas = []string{"volumes", "snapshots", "gigabytes", "backups", "backup_gigabytes", "per_volume_gigabytes", "groups"}

func cinderTheirs(ctx context.Context, c *clients) (readings, error) {
	var l cinderLists
	err := c.openstack(ctx,
		question{"volume backend pool list --long", &l.pools}, question{"volume service list", &l.services},
		question{"volume list --all-projects --long", &l.volumes}, question{"volume snapshot list --all-projects --long", &l.snapshots},
		question{"volume backup list --all-projects --long", &l.backups}, question{"volume type list", &l.types},
		question{"volume qos list", &l.qosSpecs}, question{"volume transfer request list --all-projects", &l.transfers},
		question{"project list --long", &l.projects})
	if err != nil {
		return nil, err
	}
	l.quotas = make(map[string][]quotaLine)
	answers := make([][]quotaLine, len(l.projects))
	var questions []question
	for i, p := range l.projects {
		questions = append(questions, question{"quota show --volume " + p.ID, &answers[i]})
	}
	if err := c.openstack(ctx, questions...); err != nil {
		return nil, err
	}
	for i, p := range l.projects {
		for _, line := range answers[i] {
			line.Resource = strings.ReplaceAll(line.Resource, "-", "_")
			l.quotas[p.ID] = append(l.quotas[p.ID], line)
		}
	}
	return l.readings(), nil
}
