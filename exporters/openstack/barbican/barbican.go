// Package barbican looks at the secrets, orders, containers and quotas that a
// cloud's Barbican shows.
//
// Barbican shows an account the secrets, orders and containers of the project
// that its token belongs to and of no other: the project is taken from the token
// (barbican/api/controllers/__init__.py, enforce_rbac), there is no all-projects
// filter, a token of the system has no project and is refused, and acl_only
// lists what others shared with the account by name. So these families carry the
// label project_id with that one project, and never claim to be the cloud's. To
// watch the secrets of a project, run the exporter with an account in it. Only
// the configured quotas are listed for all projects.
//
// What has expired leaves Barbican's lists at that moment: an alert has to fire
// before. Only metadata is read; a payload is never asked for, not even that of a
// certificate, so a certificate stored without the metadata's expiration is not
// seen to expire.
//
// Calls per round, barbican_secrets: 1 for each hundred secrets, orders and
// containers, at least 3 (Barbican caps its pages at 100). barbican_quotas: 1, and
// 1 for each hundred projects with a quota of their own.
package barbican

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// api asks for microversion 1.1, which tells the consumers of secrets; services
// before it ignore the header. The version document says nothing of it unless
// asked with the same header, so it is not negotiated.
var api = openstack.API{
	Name: "barbican", Types: []string{"key-manager"}, Version: "v1",
	Always: map[string]string{"OpenStack-API-Version": "key-manager 1.1"},
}

// Config configures Sources.
type Config struct {
	Period      time.Duration // 2 minutes if zero
	QuotaPeriod time.Duration // 10 minutes if zero
}

// Sources returns what looks at Barbican: barbican_secrets, barbican_quotas.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, 2*time.Minute)
	cfg.QuotaPeriod = cmp.Or(cfg.QuotaPeriod, 10*time.Minute)
	return []exporters.Source{
		cloud.Source("barbican_secrets", "barbican", cfg.Period, 2*time.Minute,
			func(ctx context.Context) (*exporters.Snapshot, error) { return collect(ctx, cloud, time.Now) },
			secrets, expiring, earliest, expiration, orders, oldestOrder, containers, consumers),
		cloud.Source("barbican_quotas", "barbican", cfg.QuotaPeriod, time.Minute,
			func(ctx context.Context) (*exporters.Snapshot, error) { return collectQuotas(ctx, cloud) },
			quotaLimit),
	}
}

// Calls are the requests of this package.
func Calls() []openstack.Call {
	page := map[string]string{"limit": "1"}
	return []openstack.Call{
		{API: api, Path: "/secrets", Query: page, Rule: "secrets:get", Role: "member", Gives: "secrets of the own project by status and type, expiry of certificates"},
		{API: api, Path: "/orders", Query: page, Rule: "orders:get", Role: "member", Gives: "orders of the own project by status and type"},
		{API: api, Path: "/containers", Query: page, Rule: "containers:get", Role: "member", Gives: "containers of the own project by type, their consumers"},
		{API: api, Path: "/quotas", Rule: "quotas:get", Role: "reader", Gives: "quota of the own project"},
		{API: api, Path: "/project-quotas", Query: page, Rule: "project_quotas:get", Role: "admin", Gives: "configured quotas of all projects"},
	}
}

type secret struct {
	Ref        string         `json:"secret_ref"`
	Name       string         `json:"name"`
	Status     string         `json:"status"`
	Type       string         `json:"secret_type"`
	Expiration openstack.Time `json:"expiration"`
	// Consumers is absent before microversion 1.1.
	Consumers *[]struct{} `json:"consumers"`
}

type order struct {
	Type    string         `json:"type"`
	Status  string         `json:"status"`
	Created openstack.Time `json:"created"`
}

type container struct {
	Type      string     `json:"type"`
	Consumers []struct{} `json:"consumers"`
}

func collect(ctx context.Context, cloud *openstack.Cloud, now func() time.Time) (*exporters.Snapshot, error) {
	project, err := cloud.ProjectID(ctx)
	if err != nil {
		return nil, err
	}
	if project == "" {
		return nil, exporters.WithKind(fmt.Errorf("barbican: the token of cloud %q belongs to no project, and Barbican shows secrets of the token's project only: "+
			"give the account a role in a project and leave system_scope out", cloud.Name()), exporters.KindForbidden)
	}
	s := &exporters.Snapshot{}
	all := url.Values{"limit": {"100"}}
	kept, errSecrets := openstack.List[secret](ctx, cloud, api, "/secrets", "secrets", all)
	if errors.Is(errSecrets, exporters.ErrAbsent) {
		return nil, errSecrets
	}
	kept.NoteIn(s)
	addExpirations(ctx, s, kept.Objects, project)
	if complete(kept, errSecrets) {
		addSecrets(s, kept.Objects, project, now())
	}
	ordered, errOrders := openstack.List[order](ctx, cloud, api, "/orders", "orders", all)
	ordered.NoteIn(s)
	if complete(ordered, errOrders) {
		addOrders(s, ordered.Objects, project)
	}
	grouped, errContainers := openstack.List[container](ctx, cloud, api, "/containers", "containers", all)
	grouped.NoteIn(s)
	if complete(grouped, errContainers) {
		addContainers(s, grouped.Objects, project)
	}
	err = errors.Join(errSecrets, errOrders, errContainers)
	if errSecrets != nil && errOrders != nil && errContainers != nil && s.Seen == 0 {
		return nil, err
	}
	return s, err
}

// complete says that a listing may be counted.
func complete[T any](l openstack.Listing[T], err error) bool { return err == nil && len(l.Failed) == 0 }

func addSecrets(s *exporters.Snapshot, all []secret, project string, now time.Time) {
	var counts, soon exporters.Tally
	first := map[string]time.Time{}
	used, known := 0, true
	for _, v := range all {
		counts.Add(1, project, v.Status, v.Type)
		if v.Consumers == nil {
			known = false
		} else {
			used += len(*v.Consumers)
		}
		if v.Expiration.IsZero() {
			continue
		}
		for _, w := range windows {
			soon.Add(exporters.Bool(v.Expiration.Sub(now) <= w.within), project, v.Type, w.name)
		}
		if at := first[v.Type]; at.IsZero() || v.Expiration.Before(at) {
			first[v.Type] = v.Expiration.Time
		}
	}
	counts.AddTo(s, secrets)
	soon.AddTo(s, expiring)
	for kind, at := range first {
		s.Add(earliest, float64(at.Unix()), project, kind)
	}
	if known && len(all) > 0 {
		s.Add(consumers, float64(used), project, "secret")
	}
}

func addExpirations(ctx context.Context, s *exporters.Snapshot, all []secret, project string) {
	if !exporters.Wants(ctx, exporters.SetObjects) {
		return
	}
	for _, v := range all {
		if !v.Expiration.IsZero() {
			s.Add(expiration, float64(v.Expiration.Unix()), project, path.Base(v.Ref), v.Name, v.Type)
		}
	}
}

func addOrders(s *exporters.Snapshot, all []order, project string) {
	var counts exporters.Tally
	var oldest time.Time
	for _, v := range all {
		counts.Add(1, project, v.Status, v.Type)
		if v.Status == "PENDING" && (oldest.IsZero() || v.Created.Before(oldest)) {
			oldest = v.Created.Time
		}
	}
	counts.AddTo(s, orders)
	if !oldest.IsZero() {
		s.Add(oldestOrder, float64(oldest.Unix()), project)
	}
}

func addContainers(s *exporters.Snapshot, all []container, project string) {
	var counts exporters.Tally
	used := 0
	for _, v := range all {
		counts.Add(1, project, v.Type)
		used += len(v.Consumers)
	}
	counts.AddTo(s, containers)
	s.Add(consumers, float64(used), project, "container")
}
