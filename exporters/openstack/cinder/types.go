package cinder

import (
	"context"
	"errors"
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

// collectTypes names what notifications tell by id only, and counts what has few
// objects. One list's failure leaves the others; groups came with 3.13.
func collectTypes(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	s := &exporters.Snapshot{}
	errTypes := collectVolumeTypes(ctx, cloud, s)
	errQoS := count(ctx, cloud, s, qosSpecs, "/qos-specs", "qos_specs", nil)
	err := errors.Join(errTypes, errQoS)
	if exporters.KindOf(errQoS) != exporters.KindForbidden {
		// Who is refused there would see only the groups of the own project.
		err = errors.Join(err,
			count(ctx, cloud, s, groups, "/groups/detail", "groups", allTenants()),
			// With a limit Cinder 26 answers with an empty list.
			count(ctx, cloud, s, transfers, "/os-volume-transfer", "transfers", url.Values{"all_tenants": {"1"}}))
	}
	if len(s.Samples) == 0 && len(s.Inventories) == 0 && err != nil {
		return nil, err
	}
	return s, err
}

// collectVolumeTypes asks with is_public=None for private types too; Cinder
// ignores it for an account without the admin mark and lists the public ones.
func collectVolumeTypes(ctx context.Context, cloud *openstack.Cloud, s *exporters.Snapshot) error {
	start := time.Now().UTC()
	list, err := openstack.List[volumeType](ctx, cloud, api, "/types", "volume_types", url.Values{"is_public": {"None"}, "limit": {"1000"}})
	if err != nil && len(list.Objects) == 0 {
		return err
	}
	list.NoteIn(s)
	if err == nil {
		s.Add(volumeTypes, float64(len(list.Objects)+len(list.Failed)))
	}
	inventory := mcloud.Inventory{
		Cloud: cloud.Name(), Scope: "cinder", Kind: mcloud.KindVolumeType, Time: start,
		Complete: err == nil && len(list.Failed) == 0,
	}
	for _, v := range list.Objects {
		s.Add(volumeTypeInfo, 1, v.Name, v.ID, yesNo(bool(v.Public)), v.ExtraSpecs["volume_backend_name"])
		inventory.Objects = append(inventory.Objects, mcloud.NewObject(mcloud.KindVolumeType, v.ID, v.Name, "", "",
			mcloud.VolumeType{Public: bool(v.Public), ExtraSpecs: v.ExtraSpecs}))
	}
	s.Inventories = append(s.Inventories, inventory)
	return err
}

type stated struct {
	ID     openstack.ID `json:"id"`
	Status string       `json:"status"`
}

// count lists a collection for its length, by status where the family asks for it.
// A list that is not complete gives no sample, because a count that is too small
// looks like a true one; a collection that the service does not have is skipped.
func count(ctx context.Context, cloud *openstack.Cloud, s *exporters.Snapshot, f *exporters.Family, path, member string, query url.Values) error {
	list, err := openstack.List[stated](ctx, cloud, api, path, member, query)
	if exporters.KindOf(err) == exporters.KindNotFound {
		s.Skipped++
		return nil
	}
	list.NoteIn(s)
	if err != nil {
		return err
	}
	if len(f.Labels) == 0 {
		s.Add(f, float64(len(list.Objects)+len(list.Failed)))
		return nil
	}
	var byStatus exporters.Tally
	for _, v := range list.Objects {
		byStatus.Add(1, v.Status)
	}
	byStatus.AddTo(s, f)
	return nil
}
