// Package keystone looks at a cloud's projects, domains, users, groups, roles and
// catalogue, and at how Keystone hands out our own tokens.
//
// Calls per round: keystone_projects 2 (projects, domains). keystone_catalog 6
// (users, groups, roles, regions, services, endpoints). Each with one more for each
// further page, where Keystone has a list limit; without one Keystone gives all at
// once. keystone_token makes none: it tells of the logins that the other Sources
// needed, about one an hour.
package keystone

import (
	"cmp"
	"context"
	"errors"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.Identity

// Config configures Sources.
type Config struct {
	Period time.Duration // 5 minutes if zero
}

// Sources returns what looks at Keystone: keystone_projects, keystone_catalog,
// keystone_token.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, 5*time.Minute)
	with := func(collect func(context.Context, *openstack.Cloud) (*exporters.Snapshot, error)) func(context.Context) (*exporters.Snapshot, error) {
		return func(ctx context.Context) (*exporters.Snapshot, error) { return collect(ctx, cloud) }
	}
	return []exporters.Source{
		cloud.Source("keystone_projects", "keystone", cfg.Period, time.Minute, with(collectProjects), projects, projectInfo, domains, domainInfo),
		cloud.Source("keystone_catalog", "keystone", cfg.Period, time.Minute, with(collectCatalog), users, groups, roles, regions, services, endpoints),
		cloud.Source("keystone_token", "keystone", min(cfg.Period, time.Minute), time.Minute, with(collectToken), tokensIssued, tokenFailures, tokenSeconds, tokenExpires),
	}
}

// Calls are all kinds of request that this package makes.
func Calls() []openstack.Call {
	call := func(path, rule, gives string) openstack.Call {
		return openstack.Call{API: api, Path: path, Rule: rule, Role: "reader on the system", Gives: gives}
	}
	return []openstack.Call{
		call("/projects", "identity:list_projects", "projects, and with them the quotas of all services"),
		call("/domains", "identity:list_domains", "domains"),
		call("/users", "identity:list_users", "number of users"),
		call("/groups", "identity:list_groups", "number of groups"),
		call("/roles", "identity:list_roles", "number of roles"),
		call("/regions", "identity:list_regions", "regions"),
		call("/services", "identity:list_services", "services of the catalogue"),
		call("/endpoints", "identity:list_endpoints", "endpoints of the catalogue"),
	}
}

func yesNo(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

type domain struct {
	ID      openstack.ID `json:"id"`
	Name    string       `json:"name"`
	Enabled bool         `json:"enabled"`
}

func collectProjects(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	s := &exporters.Snapshot{}
	errProjects := addProjects(ctx, cloud, s)
	if errProjects != nil && len(s.Inventories) == 0 {
		return nil, errProjects // without projects nothing else is worth a call
	}
	return s, errors.Join(errProjects, addDomains(ctx, cloud, s))
}

func addProjects(ctx context.Context, cloud *openstack.Cloud, s *exporters.Snapshot) error {
	start := time.Now().UTC()
	list, err := cloud.ReadProjects(ctx)
	if err != nil && len(list.Objects) == 0 {
		return err
	}
	list.NoteIn(s)
	inventory := mcloud.Inventory{
		Cloud: cloud.Name(), Scope: "keystone", Kind: mcloud.KindProject, Time: start,
		Complete: err == nil && len(list.Failed) == 0,
	}
	var count exporters.Tally
	for _, p := range list.Objects {
		count.Add(1, p.DomainID, yesNo(p.Enabled))
		inventory.Objects = append(inventory.Objects, mcloud.NewObject(mcloud.KindProject, string(p.ID), p.Name, "", "", mcloud.Project{
			Name: p.Name, DomainID: p.DomainID, ParentID: p.ParentID, Enabled: p.Enabled,
		}))
		s.Add(projectInfo, 1, string(p.ID), p.Name, p.DomainID, p.ParentID, yesNo(p.Enabled), yesNo(p.IsDomain))
	}
	s.Inventories = append(s.Inventories, inventory)
	if err == nil {
		count.AddTo(s, projects)
	}
	return err
}

func addDomains(ctx context.Context, cloud *openstack.Cloud, s *exporters.Snapshot) error {
	start := time.Now().UTC()
	list, err := openstack.List[domain](ctx, cloud, api, "/domains", "domains", nil)
	list.NoteIn(s)
	if err != nil {
		return err // as good as nothing: Keystone has no pages for domains
	}
	inventory := mcloud.Inventory{Cloud: cloud.Name(), Scope: "keystone", Kind: mcloud.KindDomain, Time: start, Complete: len(list.Failed) == 0}
	var count exporters.Tally
	for _, d := range list.Objects {
		count.Add(1, yesNo(d.Enabled))
		inventory.Objects = append(inventory.Objects, mcloud.NewObject(mcloud.KindDomain, string(d.ID), d.Name, "", "", mcloud.Domain{Name: d.Name, Enabled: d.Enabled}))
		if exporters.Wants(ctx, exporters.SetObjects) {
			s.Add(domainInfo, 1, string(d.ID), d.Name, yesNo(d.Enabled))
		}
	}
	s.Inventories = append(s.Inventories, inventory)
	count.AddTo(s, domains)
	return nil
}
