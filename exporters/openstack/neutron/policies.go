package neutron

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var (
	securityGroups = &exporters.Family{
		Name: "openstack_neutron_security_groups", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /security-groups",
		Help: "Security groups of all projects.",
	}
	securityGroupRules = &exporters.Family{
		Name: "openstack_neutron_security_group_rules", Type: exporters.Gauge, Labels: []string{"direction", "ethertype"}, Set: exporters.SetBase, Call: "GET /security-group-rules",
		Help: "Rules of all security groups by direction (ingress, egress) and ethertype (IPv4, IPv6).",
	}
	addressScopes = &exporters.Family{
		Name: "openstack_neutron_address_scopes", Type: exporters.Gauge, Labels: []string{"ip_version", "shared"}, Set: exporters.SetBase, Call: "GET /address-scopes",
		Help: "Address scopes by IP version and whether all projects may use them.",
	}
	rbacPolicies = &exporters.Family{
		Name: "openstack_neutron_rbac_policies", Type: exporters.Gauge, Labels: []string{"object_type", "action"}, Set: exporters.SetBase, Call: "GET /rbac-policies",
		Help: "Role-based access policies by what they share (network, qos_policy, …) and for what (access_as_shared, access_as_external).",
	}
	trunks = &exporters.Family{
		Name: "openstack_neutron_trunks", Type: exporters.Gauge, Labels: []string{"status"}, Set: exporters.SetBase, Call: "GET /trunks",
		Help: "Trunks by status (ACTIVE, DOWN, BUILD, DEGRADED, ERROR).",
	}
	qosPolicies = &exporters.Family{
		Name: "openstack_neutron_qos_policies", Type: exporters.Gauge, Labels: []string{"shared"}, Set: exporters.SetBase, Call: "GET /qos/policies",
		Help: "Quality of service policies, by whether all projects may use them.",
	}
	policyFamilies = slices.Concat(
		[]*exporters.Family{securityGroups, securityGroupRules, addressScopes, rbacPolicies, trunks, qosPolicies, quotaUsed},
		segmentFamilies, vpnFamilies)
)

// policiesCollector looks at what changes seldom.
type policiesCollector struct {
	cloud  *openstack.Cloud
	use    *usage
	extras extensions
}

func (c *policiesCollector) collect(ctx context.Context) (*exporters.Snapshot, error) {
	l := newLook(c.cloud)
	c.extras.read(ctx, l)
	type plain struct{ owned }
	counts(ctx, l, c.use, "security_group", "/security-groups", "security_groups", owners(), func(plain) []string { return nil }, securityGroups)
	type rule struct {
		owned
		Direction string `json:"direction"`
		Ethertype string `json:"ethertype"`
	}
	query := owners("direction", "ethertype")
	query["direction"] = []string{"ingress", "egress"} // without a filter, Neutron shows a reader its own project's only
	counts(ctx, l, c.use, "security_group_rule", "/security-group-rules", "security_group_rules", query,
		func(r rule) []string { return []string{r.Direction, r.Ethertype} }, securityGroupRules)
	c.optional(ctx, l)
	c.segments(ctx, l)
	c.vpn(ctx, l)
	return l.end()
}

// optional counts what extensions bring.
func (c *policiesCollector) optional(ctx context.Context, l *look) {
	type shared struct {
		owned
		IPVersion openstack.Int  `json:"ip_version"`
		Shared    openstack.Bool `json:"shared"`
	}
	type rbac struct {
		owned
		ObjectType string `json:"object_type"`
		Action     string `json:"action"`
	}
	type statused struct {
		owned
		Status string `json:"status"`
	}
	for _, of := range []struct {
		alias string
		count func()
	}{
		{"address-scope", func() {
			counts(ctx, l, c.use, "", "/address-scopes", "address_scopes", owners("ip_version", "shared"), func(v shared) []string {
				return []string{strconv.FormatInt(int64(v.IPVersion), 10), strconv.FormatBool(bool(v.Shared))}
			}, addressScopes)
		}},
		{"rbac-policies", func() {
			counts(ctx, l, c.use, "rbac_policy", "/rbac-policies", "rbac_policies", owners("object_type", "action"),
				func(v rbac) []string { return []string{v.ObjectType, v.Action} }, rbacPolicies)
		}},
		{"trunk", func() {
			counts(ctx, l, c.use, "trunk", "/trunks", "trunks", owners("status"), func(v statused) []string { return []string{v.Status} }, trunks)
		}},
		{"qos", func() {
			counts(ctx, l, c.use, "", "/qos/policies", "policies", owners("shared"), func(v shared) []string { return []string{strconv.FormatBool(bool(v.Shared))} }, qosPolicies)
		}},
	} {
		if !c.extras.has(of.alias) {
			l.s.Skipped++
			continue
		}
		of.count()
	}
}

// counts counts a list by what labels makes of its objects, into f, and by
// project, into what is used of the quota of resource.
func counts[T interface{ project() string }](ctx context.Context, l *look, use *usage, resource, path, member string, query url.Values, labels func(T) []string, f *exporters.Family) {
	var count exporters.Tally
	byProject := map[string]float64{}
	if len(f.Labels) == 0 {
		count.Add(0)
	}
	list, err := openstack.Each(ctx, l.cloud, api, path, member, query, func(v T) {
		count.Add(1, labels(v)...)
		byProject[v.project()]++
	})
	if !note(l, list, err) || len(list.Failed) > 0 {
		return // a count that is too small looks true
	}
	count.AddTo(l.s, f)
	if resource != "" {
		use.add(ctx, l.s, resource, byProject)
	}
}

// owners is the query of a list that is counted by project, and by these fields.
func owners(fields ...string) url.Values {
	return page(append([]string{"id", "project_id", "tenant_id"}, fields...)...)
}

// extensions are the parts that this Neutron has, so that the others are not
// asked for at each look only to be answered with 404.
type extensions struct {
	aliases map[string]bool // nil: not known
	at      time.Time
}

// extensionsLife is how long the list is believed.
const extensionsLife = time.Hour

func (e *extensions) read(ctx context.Context, l *look) {
	if e.aliases != nil && time.Since(e.at) < extensionsLife {
		return
	}
	type extension struct {
		Alias string `json:"alias"`
	}
	all, complete := list[extension](ctx, l, "/extensions", "extensions", nil)
	if !complete {
		return
	}
	e.aliases, e.at = map[string]bool{}, time.Now()
	for _, v := range all.Objects {
		e.aliases[v.Alias] = true
	}
}

// has says whether the extension is there, or may be.
func (e *extensions) has(alias string) bool { return e.aliases == nil || e.aliases[alias] }
