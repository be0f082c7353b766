package cinder

import (
	"slices"
	"strings"
	"time"
	"unique"

	json "github.com/go-json-experiment/json/v1"

	"mcloud"
	"mcloud/exporters/openstack"
)

// word is a string that many volumes share (a type, a pool, a project), held once
// for all of them.
type word struct{ held unique.Handle[string] }

// UnmarshalJSON reads a string; null is "".
func (w *word) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*w = word{}
	if s != "" {
		w.held = unique.Make(s)
	}
	return nil
}

func (w word) String() string {
	if w == (word{}) {
		return ""
	}
	return w.held.Value()
}

// volume is what is kept of each volume. Metadata, description and user are not
// decoded.
type volume struct {
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	Status      word           `json:"status"`
	Size        openstack.Int  `json:"size"`
	Type        word           `json:"volume_type"`
	Zone        word           `json:"availability_zone"`
	Host        word           `json:"os-vol-host-attr:host"`
	Project     word           `json:"os-vol-tenant-attr:tenant_id"`
	Bootable    openstack.Bool `json:"bootable"`
	Encrypted   openstack.Bool `json:"encrypted"`
	Shared      openstack.Bool `json:"multiattach"`
	Snapshot    string         `json:"snapshot_id"`
	Source      string         `json:"source_volid"`
	Group       word           `json:"group_id"`
	Migration   word           `json:"migration_status"`
	Created     openstack.Time `json:"created_at"`
	Updated     openstack.Time `json:"updated_at"`
	Attachments []attachment   `json:"attachments"`
	Image       struct {
		ID word `json:"image_id"`
	} `json:"volume_image_metadata"`
}

type attachment struct {
	Server string `json:"server_id"`
}

// changed is when the volume changed last: one that was never touched since it was
// asked for has no updated_at.
func (v *volume) changed() time.Time {
	if v.Updated.IsZero() {
		return v.Created.Time
	}
	return v.Updated.Time
}

// servers are the ids of the servers that the volume is attached to, sorted.
func (v *volume) servers() []string {
	var servers []string
	for _, a := range v.Attachments {
		if a.Server != "" {
			servers = append(servers, a.Server)
		}
	}
	slices.SortFunc(servers, strings.Compare)
	return slices.Compact(servers)
}

func (v *volume) object() mcloud.Object {
	return mcloud.NewObject(mcloud.KindVolume, v.ID, v.Name, "", v.Project.String(), mcloud.Volume{
		Name: v.Name, Status: v.Status.String(), SizeGiB: int64(v.Size), Type: v.Type.String(), Zone: v.Zone.String(), Pool: v.Host.String(),
		Bootable: bool(v.Bootable), Encrypted: bool(v.Encrypted), Shared: bool(v.Shared), AttachedTo: v.servers(),
		Snapshot: v.Snapshot, Source: v.Source, Image: v.Image.ID.String(), Group: v.Group.String(), Migration: v.Migration.String(),
		Created: v.Created.Time,
	})
}
