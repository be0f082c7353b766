// Package keystone looks at a cloud's projects, domains and users.
//
// Calls per round: 3 (with more pages where Keystone has a list limit).
package keystone

import (
	"context"
	"errors"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.Identity

var (
	projects = &exporters.Family{
		Name: "openstack_identity_projects", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /v3/projects",
		Help: "Projects, enabled or not.",
	}
	domains = &exporters.Family{
		Name: "openstack_identity_domains", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /v3/domains",
		Help: "Domains.",
	}
	users = &exporters.Family{
		Name: "openstack_identity_users", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /v3/users",
		Help: "Users, of all domains that the account may list.",
	}
)

// Config configures Sources.
type Config struct {
	Period time.Duration // 5 minutes if zero
}

// Sources returns what looks at Keystone: keystone_projects.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	if cfg.Period <= 0 {
		cfg.Period = 5 * time.Minute
	}
	return []exporters.Source{{
		Name: "keystone_projects", System: "keystone", Period: cfg.Period, Timeout: time.Minute,
		Const:    map[string]string{"cloud": cloud.Name()},
		Families: []*exporters.Family{projects, domains, users},
		Collector: exporters.CollectorFunc(func(ctx context.Context) (*exporters.Snapshot, error) {
			return collect(ctx, cloud)
		}),
	}}
}

type named struct {
	ID openstack.ID `json:"id"`
}

func collect(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	s, start := &exporters.Snapshot{}, time.Now().UTC()
	all, errProjects := cloud.Projects(ctx, 0)
	if errProjects != nil && len(all.Objects) == 0 {
		return nil, errProjects // without projects nothing else is worth a call
	}
	s.Seen += len(all.Objects) + len(all.Failed)
	s.Failed = append(s.Failed, all.Failed...)
	inventory := mcloud.Inventory{
		Cloud: cloud.Name(), Scope: "keystone", Kind: mcloud.KindProject, Time: start,
		Complete: errProjects == nil && len(all.Failed) == 0,
	}
	for _, p := range all.Objects {
		inventory.Objects = append(inventory.Objects, mcloud.NewObject(mcloud.KindProject, string(p.ID), p.Name, "", "", mcloud.Project{
			Name: p.Name, DomainID: p.DomainID, ParentID: p.ParentID, Enabled: p.Enabled,
		}))
	}
	s.Inventories = append(s.Inventories, inventory)
	if errProjects == nil {
		s.Add(projects, float64(len(all.Objects)+len(all.Failed)))
	}
	return s, errors.Join(errProjects,
		count(ctx, cloud, s, domains, "domains"),
		count(ctx, cloud, s, users, "users"))
}

// count lists a collection for its length; a list that is not complete gives no
// sample, because a count that is too small looks like a true one.
func count(ctx context.Context, cloud *openstack.Cloud, s *exporters.Snapshot, f *exporters.Family, member string) error {
	l, err := openstack.List[named](ctx, cloud, api, "/"+member, member, nil)
	s.Seen += len(l.Objects) + len(l.Failed)
	s.Failed = append(s.Failed, l.Failed...)
	if err == nil {
		s.Add(f, float64(len(l.Objects)+len(l.Failed)))
	}
	return err
}
