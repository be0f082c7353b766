package nova

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// accessLife is the time in which every private flavor's projects are read once.
const accessLife = time.Hour

type flavor struct {
	ID         openstack.ID      `json:"id"`
	Name       string            `json:"name"`
	VCPUs      int64             `json:"vcpus"`
	RAM        int64             `json:"ram"`
	Disk       int64             `json:"disk"`
	Ephemeral  int64             `json:"OS-FLV-EXT-DATA:ephemeral"`
	Swap       openstack.Int     `json:"swap"` // "" for none before 2.75
	Public     bool              `json:"os-flavor-access:is_public"`
	ExtraSpecs map[string]string `json:"extra_specs"`
}

type flavorsCollector struct {
	cloud  *openstack.Cloud
	access openstack.Rotation[[]string] // projects by private flavor
}

func newFlavorsCollector(cloud *openstack.Cloud, cfg Config) *flavorsCollector {
	return &flavorsCollector{cloud: cloud, access: openstack.Rotation[[]string]{
		Kind: "access to flavor", Period: cfg.FlavorPeriod, Life: accessLife,
	}}
}

// Collect takes one look. It is not called concurrently.
func (c *flavorsCollector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	list, err := openstack.List[flavor](ctx, c.cloud, api, "/flavors/detail", "flavors", url.Values{"is_public": {"None"}})
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{}
	list.NoteIn(s)
	if err == nil {
		s.Add(flavorCount, float64(s.Seen))
	}
	var private []string
	for _, f := range list.Objects {
		s.Add(flavorInfo, 1, string(f.ID), f.Name, strconv.FormatBool(f.Public),
			strconv.FormatInt(f.VCPUs, 10), strconv.FormatInt(f.RAM, 10), strconv.FormatInt(f.Disk, 10))
		if !f.Public {
			private = append(private, string(f.ID))
		}
	}
	failed, errAccess := c.access.Refresh(ctx, private, start, c.readAccess)
	s.Failed = append(s.Failed, failed...)
	inventory := mcloud.Inventory{Cloud: c.cloud.Name(), Scope: "nova", Kind: mcloud.KindFlavor, Time: start, Complete: err == nil && len(list.Failed) == 0}
	for _, f := range list.Objects {
		projects, known := c.access.Value(string(f.ID))
		if !f.Public && !known {
			inventory.Complete = false
			continue
		}
		inventory.Objects = append(inventory.Objects, mcloud.NewObject(mcloud.KindFlavor, string(f.ID), f.Name, "", "", mcloud.Flavor{
			Name: f.Name, VCPUs: f.VCPUs, MemoryMiB: f.RAM, DiskGiB: f.Disk, EphemeralGiB: f.Ephemeral, SwapMiB: int64(f.Swap),
			Public: f.Public, Projects: projects, ExtraSpecs: f.ExtraSpecs,
		}))
	}
	s.Inventories = []mcloud.Inventory{inventory}
	return s, errors.Join(err, errAccess)
}

// readAccess names the projects that may use a private flavor.
func (c *flavorsCollector) readAccess(ctx context.Context, id string) ([]string, error) {
	type grant struct {
		Project string `json:"tenant_id"`
	}
	list, err := openstack.List[grant](ctx, c.cloud, api, "/flavors/"+url.PathEscape(id)+"/os-flavor-access", "flavor_access", nil)
	for _, failed := range list.Failed {
		err = errors.Join(err, failed)
	}
	if err != nil {
		return nil, err
	}
	var projects []string
	for _, g := range list.Objects {
		projects = append(projects, g.Project)
	}
	slices.Sort(projects)
	return projects, nil
}
