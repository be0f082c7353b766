// Package manila looks at a cloud's shared file systems.
//
// Manila shows all projects' shares to an administrator, and to others their own
// project's without a word; then nothing is counted.
//
// Calls per round, manila_services: 1. manila_shares: 1 for each thousand shares.
package manila

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// api needs 2.7, where services moved to the path that is asked for.
var api = openstack.API{
	Name: "manila", Types: []string{"shared-file-system", "sharev2"}, Version: "v2", Header: "shared-file-system", OwnHeader: "X-OpenStack-Manila-API-Version",
	Offsets: true, Min: openstack.Microversion{Major: 2, Minor: 7}, Max: openstack.Microversion{Major: 2, Minor: 89},
}

// gib is what Manila means by "gb".
const gib = 1 << 30

// Config configures Sources.
type Config struct {
	Period time.Duration // 2 minutes if zero
}

// Sources returns what looks at Manila: manila_services, manila_shares.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, 2*time.Minute)
	source := func(name string, collect func(context.Context, *openstack.Cloud) (*exporters.Snapshot, error), families ...*exporters.Family) exporters.Source {
		return cloud.Source(name, "manila", cfg.Period, 2*time.Minute, func(ctx context.Context) (*exporters.Snapshot, error) { return collect(ctx, cloud) }, families...)
	}
	return []exporters.Source{
		source("manila_services", collectServices, serviceUp, serviceEnabled),
		source("manila_shares", collectShares, shares, sharesSize, shareInfo, shareSize),
	}
}

// Calls are the requests of this package.
func Calls() []openstack.Call {
	return []openstack.Call{
		{API: api, Path: "/services", Rule: "service:index", Role: "admin", Gives: "services up and enabled", Optional: true},
		{API: api, Path: "/shares/detail", Query: map[string]string{"all_tenants": "1", "limit": "1"}, Rule: "context_is_admin", Role: "admin", Gives: "shares of all projects", Optional: true},
	}
}

var (
	ofService = []string{"host", "binary", "zone"}

	serviceUp = &exporters.Family{
		Name: "openstack_sharev2_service_up", Type: exporters.Gauge, Labels: ofService, Set: exporters.SetBase, Call: "GET /v2/services",
		Help: "Whether the service reported in time, by Manila's own judgement: 1 up, 0 down.",
	}
	serviceEnabled = &exporters.Family{
		Name: "openstack_sharev2_service_enabled", Type: exporters.Gauge, Labels: ofService, Set: exporters.SetBase, Call: "GET /v2/services",
		Help: "Whether the service takes new work: 1 enabled, 0 disabled.",
	}
	shares = &exporters.Family{
		Name: "openstack_sharev2_shares", Type: exporters.Gauge, Labels: []string{"status", "share_type", "share_proto"}, Set: exporters.SetBase, Call: "GET /v2/shares/detail",
		Help: "Shares by status, share type and protocol.",
	}
	sharesSize = &exporters.Family{
		Name: "openstack_sharev2_shares_size_bytes", Unit: "bytes", Type: exporters.Gauge, Labels: []string{"share_type", "share_proto"}, Set: exporters.SetBase, Call: "GET /v2/shares/detail",
		Help: "Sum of the shares' sizes by share type and protocol.",
	}
	shareInfo = &exporters.Family{
		Name: "openstack_sharev2_share_info", Type: exporters.Gauge, Set: exporters.SetObjects, Call: "GET /v2/shares/detail",
		Labels: []string{"share_id", "name", "project_id", "status", "availability_zone", "share_type", "share_proto"},
		Help:   "A share with its state; always 1.",
	}
	shareSize = &exporters.Family{
		Name: "openstack_sharev2_share_size_bytes", Unit: "bytes", Type: exporters.Gauge, Labels: []string{"share_id", "name", "project_id"}, Set: exporters.SetObjects, Call: "GET /v2/shares/detail",
		Help: "Size of the share.",
	}
)

func collectServices(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	list, err := openstack.List[struct {
		Binary string `json:"binary"`
		Host   string `json:"host"`
		Zone   string `json:"zone"`
		Status string `json:"status"`
		State  string `json:"state"`
	}](ctx, cloud, api, "/services", "services", nil)
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{}
	list.NoteIn(s)
	for _, v := range list.Objects {
		s.Add(serviceUp, exporters.Bool(v.State == "up"), v.Host, v.Binary, v.Zone)
		s.Add(serviceEnabled, exporters.Bool(v.Status == "enabled"), v.Host, v.Binary, v.Zone)
	}
	return s, err
}

type share struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Status   string        `json:"status"`
	Size     openstack.Int `json:"size"`
	Project  string        `json:"project_id"`
	Zone     string        `json:"availability_zone"`
	TypeID   string        `json:"share_type"`
	TypeName string        `json:"share_type_name"`
	Proto    string        `json:"share_proto"`
}

// kind is the type's name, or its id where the name is not told.
func (v share) kind() string { return cmp.Or(v.TypeName, v.TypeID) }

func collectShares(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	// Oldest first, so that a share made meanwhile moves none to another page.
	list, err := openstack.List[share](ctx, cloud, api, "/shares/detail", "shares",
		url.Values{"all_tenants": {"1"}, "limit": {"1000"}, "sort_key": {"created_at"}, "sort_dir": {"asc"}})
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{}
	list.NoteIn(s)
	// One that was deleted meanwhile moves others to a page that was read already.
	all := unique(list.Objects)
	addShares(ctx, s, all)
	if err != nil || len(list.Failed) > 0 {
		return s, err
	}
	var owners []string
	var counts, sizes exporters.Tally
	for _, v := range all {
		owners = append(owners, v.Project)
		counts.Add(1, v.Status, v.kind(), v.Proto)
		sizes.Add(float64(v.Size)*gib, v.kind(), v.Proto)
	}
	if err := cloud.SeesAll(ctx, api, "/shares/detail", "context_is_admin", owners); err != nil {
		return s, err // a part that looks like the whole is not counted
	}
	counts.AddTo(s, shares)
	sizes.AddTo(s, sharesSize)
	return s, nil
}

// unique leaves out what is there twice.
func unique(all []share) []share {
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(v share) bool {
		again := seen[v.ID]
		seen[v.ID] = true
		return again
	})
}

func addShares(ctx context.Context, s *exporters.Snapshot, all []share) {
	if !exporters.Wants(ctx, exporters.SetObjects) {
		return
	}
	for _, v := range all {
		s.Add(shareInfo, 1, v.ID, v.Name, v.Project, v.Status, v.Zone, v.kind(), v.Proto)
		s.Add(shareSize, float64(v.Size)*gib, v.ID, v.Name, v.Project)
	}
}
