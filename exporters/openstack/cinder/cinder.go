// Package cinder looks at a cloud's volume services, pools, volume types,
// volumes and snapshots.
//
// Calls per round, cinder_services: 1. cinder_pools: 1. cinder_types: 1.
// cinder_volumes: 1 for each thousand volumes and 1 for each thousand snapshots;
// Cinder has no changes-since.
//
// Cinder hides the volumes of other projects from an account that is not admin
// instead of refusing, so an empty list of such an account is an error here and
// never a complete Inventory.
package cinder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{
	Name: "cinder", Types: []string{"block-storage", "volumev3"}, Version: "v3", Header: "volume",
	Min: openstack.Microversion{Major: 3, Minor: 0}, Max: openstack.Microversion{Major: 3, Minor: 71},
}

// Config configures Sources.
type Config struct {
	Period       time.Duration // of services and pools; 1 minute if zero
	VolumePeriod time.Duration // 2 minutes if zero
	TypePeriod   time.Duration // 5 minutes if zero
}

// Sources returns what looks at Cinder: cinder_services, cinder_pools,
// cinder_types, cinder_volumes.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, time.Minute)
	cfg.VolumePeriod = cmp.Or(cfg.VolumePeriod, 2*time.Minute)
	cfg.TypePeriod = cmp.Or(cfg.TypePeriod, 5*time.Minute)
	source := func(name string, period, timeout time.Duration, collect func(context.Context, *openstack.Cloud) (*exporters.Snapshot, error), families ...*exporters.Family) exporters.Source {
		return exporters.Source{
			Name: name, System: "cinder", Period: period, Timeout: timeout,
			Const: map[string]string{"cloud": cloud.Name()}, Families: families,
			Collector: exporters.CollectorFunc(func(ctx context.Context) (*exporters.Snapshot, error) { return collect(ctx, cloud) }),
		}
	}
	return []exporters.Source{
		source("cinder_services", cfg.Period, time.Minute, collectServices, serviceUp, serviceEnabled),
		source("cinder_pools", cfg.Period, time.Minute, collectPools,
			poolCapacity, poolFree, poolAllocated, poolProvisioned, poolOversubscription, poolReserved, poolUp),
		source("cinder_types", cfg.TypePeriod, time.Minute, collectTypes, volumeTypes),
		source("cinder_volumes", cfg.VolumePeriod, 5*time.Minute, collectVolumes, volumes, volumesSize, snapshots),
	}
}

func collectServices(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	type service struct {
		Binary string `json:"binary"`
		Host   string `json:"host"`
		Zone   string `json:"zone"`
		Status string `json:"status"`
		State  string `json:"state"`
	}
	list, err := openstack.List[service](ctx, cloud, api, "/os-services", "services", nil)
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{Seen: len(list.Objects) + len(list.Failed), Failed: list.Failed}
	for _, v := range list.Objects {
		s.Add(serviceUp, exporters.Bool(v.State == "up"), v.Host, v.Binary, v.Zone)
		s.Add(serviceEnabled, exporters.Bool(v.Status == "enabled"), v.Host, v.Binary, v.Zone)
	}
	return s, err
}

type volume struct {
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	Status      string         `json:"status"`
	Size        openstack.Int  `json:"size"`
	Type        string         `json:"volume_type"`
	Zone        string         `json:"availability_zone"`
	Host        string         `json:"os-vol-host-attr:host"`
	Project     string         `json:"os-vol-tenant-attr:tenant_id"`
	Bootable    openstack.Bool `json:"bootable"`
	Encrypted   openstack.Bool `json:"encrypted"`
	Created     openstack.Time `json:"created_at"`
	Attachments []struct {
		Server string `json:"server_id"`
	} `json:"attachments"`
}

type snapshot struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

func collectVolumes(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	all := url.Values{"all_tenants": {"1"}, "limit": {"1000"}}
	list, err := openstack.List[volume](ctx, cloud, api, "/volumes/detail", "volumes", all)
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{Seen: len(list.Objects) + len(list.Failed), Failed: list.Failed}
	errHidden := hidden(ctx, cloud, list.Objects)
	if errHidden != nil {
		if len(list.Objects) == 0 {
			return nil, errHidden
		}
		return s, errHidden // a part that looks like the whole is not counted
	}
	if err == nil {
		addVolumes(s, list.Objects)
	}
	inventory := mcloud.Inventory{
		Cloud: cloud.Name(), Scope: "cinder", Kind: mcloud.KindVolume, Time: start,
		Complete: err == nil && len(list.Failed) == 0,
	}
	for _, v := range list.Objects {
		inventory.Objects = append(inventory.Objects, v.object())
	}
	s.Inventories = []mcloud.Inventory{inventory}

	copies, errSnapshots := openstack.List[snapshot](ctx, cloud, api, "/snapshots/detail", "snapshots", all)
	s.Seen += len(copies.Objects) + len(copies.Failed)
	s.Failed = append(s.Failed, copies.Failed...)
	if errSnapshots == nil {
		byStatus := map[string]float64{}
		for _, v := range copies.Objects {
			byStatus[v.Status]++
		}
		for status, n := range byStatus {
			s.Add(snapshots, n, status)
		}
	}
	return s, errors.Join(err, errSnapshots)
}

// hidden is an error when the account does not see other projects' volumes: an
// administrator sees each volume's project, nobody else does.
func hidden(ctx context.Context, cloud *openstack.Cloud, seen []volume) error {
	if slices.ContainsFunc(seen, func(v volume) bool { return v.Project != "" }) {
		return nil
	}
	if len(seen) == 0 {
		admin, err := cloud.Admin(ctx)
		if admin || err != nil {
			return err
		}
	}
	return exporters.WithKind(fmt.Errorf("cinder: GET /volumes/detail: the account of cloud %q sees only its own project's volumes: "+
		"it needs the role admin, or a policy for volume:get_all with all_tenants and volume_extension:volume_tenant_attribute", cloud.Name()), exporters.KindForbidden)
}

func addVolumes(s *exporters.Snapshot, list []volume) {
	counts, sizes := map[[2]string]float64{}, map[string]float64{}
	for _, v := range list {
		counts[[2]string{v.Status, v.Type}]++
		sizes[v.Type] += float64(v.Size) * gib
	}
	for labels, n := range counts {
		s.Add(volumes, n, labels[:]...)
	}
	for kind, bytes := range sizes {
		s.Add(volumesSize, bytes, kind)
	}
}

func (v volume) object() mcloud.Object {
	var servers []string
	for _, a := range v.Attachments {
		if a.Server != "" {
			servers = append(servers, a.Server)
		}
	}
	slices.SortFunc(servers, strings.Compare)
	return mcloud.NewObject(mcloud.KindVolume, v.ID, v.Name, "", v.Project, mcloud.Volume{
		Name: v.Name, Status: v.Status, SizeGiB: int64(v.Size), Type: v.Type, Zone: v.Zone, Pool: v.Host,
		Bootable: bool(v.Bootable), Encrypted: bool(v.Encrypted), AttachedTo: slices.Compact(servers), Created: v.Created.Time,
	})
}
