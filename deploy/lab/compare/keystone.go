package main

import "context"

func keystoneOurs(p page) readings {
	out := make(readings)
	for thing, labels := range map[string][]string{
		"projects": {"domain_id", "enabled"}, "domains": {"enabled"}, "users": {"domain_id", "enabled"}, "groups": {"domain_id"},
		"roles": nil, "regions": nil, "services": {"type", "enabled"}, "endpoints": {"type", "interface", "region", "enabled"},
	} {
		p.each("openstack_identity_"+thing, func(all map[string]string, value float64) {
			object := ""
			for _, name := range labels {
				object += all[name] + " "
			}
			if value != 0 {
				out.add(thing, object, value)
			}
		})
	}
	return out
}

// identityProject is a line of the lists of projects, domains, groups.
type identityProject struct {
	ID      string `json:"ID"`
	Domain  string `json:"Domain ID"`
	Enabled bool   `json:"Enabled"`
}

// identityUser is a line of `openstack user list --long`.
type identityUser struct {
	Domain  string `json:"Domain"`
	Enabled bool   `json:"Enabled"`
}

// identityService is a line of `openstack service list --long`.
type identityService struct {
	Type    string `json:"Type"`
	Enabled bool   `json:"Enabled"`
}

// identityEndpoint is a line of `openstack endpoint list`.
type identityEndpoint struct {
	Region    string `json:"Region"`
	Type      string `json:"Service Type"`
	Interface string `json:"Interface"`
	Enabled   bool   `json:"Enabled"`
}

// keystoneLists are the client's answers.
type keystoneLists struct {
	projects, domains, groups []identityProject
	users                     []identityUser
	roles, regions            []any
	services                  []identityService
	endpoints                 []identityEndpoint
}

func (l keystoneLists) readings() readings {
	out := make(readings)
	enabled := map[bool]string{true: "true ", false: "false "}
	for _, p := range l.projects {
		out.add("projects", p.Domain+" "+enabled[p.Enabled], 1)
	}
	for _, d := range l.domains {
		out.add("domains", enabled[d.Enabled], 1)
	}
	for _, u := range l.users {
		out.add("users", u.Domain+" "+enabled[u.Enabled], 1)
	}
	for _, g := range l.groups {
		out.add("groups", g.Domain+" ", 1)
	}
	for range l.roles {
		out.add("roles", "", 1)
	}
	for range l.regions {
		out.add("regions", "", 1)
	}
	for _, s := range l.services {
		out.add("services", s.Type+" "+enabled[s.Enabled], 1)
	}
	for _, e := range l.endpoints {
		out.add("endpoints", e.Type+" "+e.Interface+" "+e.Region+" "+enabled[e.Enabled], 1)
	}
	return out
}

func keystoneTheirs(ctx context.Context, c *clients) (readings, error) {
	var l keystoneLists
	err := c.openstack(ctx,
		question{"project list --long", &l.projects}, question{"domain list", &l.domains}, question{"user list --long", &l.users},
		question{"group list --long", &l.groups}, question{"role list", &l.roles}, question{"region list", &l.regions},
		question{"service list --long", &l.services}, question{"endpoint list", &l.endpoints})
	if err != nil {
		return nil, err
	}
	return l.readings(), nil
}
