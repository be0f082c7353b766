package cinder

import (
	"context"
	"net/url"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// volumeType is one entry of /types. Its extra specs are absent for an account
// that may not read them.
type volumeType struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Public     openstack.Bool    `json:"is_public"`
	ExtraSpecs map[string]string `json:"extra_specs"`
}

// collectTypes names what notifications tell by id only. is_public=None asks for
// private types too; Cinder ignores it for an account without the admin mark and
// lists the public ones.
func collectTypes(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	list, err := openstack.List[volumeType](ctx, cloud, api, "/types", "volume_types", url.Values{"is_public": {"None"}, "limit": {"1000"}})
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{Seen: len(list.Objects) + len(list.Failed), Failed: list.Failed}
	if err == nil {
		s.Add(volumeTypes, float64(s.Seen))
	}
	inventory := mcloud.Inventory{
		Cloud: cloud.Name(), Scope: "cinder", Kind: mcloud.KindVolumeType, Time: start,
		Complete: err == nil && len(list.Failed) == 0,
	}
	for _, v := range list.Objects {
		inventory.Objects = append(inventory.Objects, mcloud.NewObject(mcloud.KindVolumeType, v.ID, v.Name, "", "",
			mcloud.VolumeType{Public: bool(v.Public), ExtraSpecs: v.ExtraSpecs}))
	}
	s.Inventories = []mcloud.Inventory{inventory}
	return s, err
}
