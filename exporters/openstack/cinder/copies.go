package cinder

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// snapshot is one entry of /snapshots/detail.
type snapshot struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"`
	Status  word           `json:"status"`
	Size    openstack.Int  `json:"size"`
	Volume  string         `json:"volume_id"`
	Project word           `json:"os-extended-snapshot-attributes:project_id"`
	Group   word           `json:"group_snapshot_id"`
	Created openstack.Time `json:"created_at"`
}

// backup is one entry of /backups/detail. Its project is told from 3.18.
type backup struct {
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	Status      word           `json:"status"`
	Size        openstack.Int  `json:"size"`
	Volume      string         `json:"volume_id"`
	Snapshot    string         `json:"snapshot_id"`
	Project     word           `json:"os-backup-project-attr:project_id"`
	Container   word           `json:"container"`
	Zone        word           `json:"availability_zone"`
	Incremental openstack.Bool `json:"is_incremental"`
	Heirs       openstack.Bool `json:"has_dependent_backups"`
	Created     openstack.Time `json:"created_at"`
}

// collectCopies lists snapshots and backups: what takes room without being used.
// One list's failure leaves the other.
func collectCopies(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	s := &exporters.Snapshot{}
	read := false
	errSnapshots := collectSnapshots(ctx, cloud, s, &read)
	errBackups := collectBackups(ctx, cloud, s, &read)
	err := errors.Join(errSnapshots, errBackups)
	if !read && err != nil {
		return nil, err
	}
	return s, err
}

// allTenants asks for what belongs to all projects, in pages as large as Cinder
// gives them by default.
func allTenants() url.Values { return url.Values{"all_tenants": {"1"}, "limit": {"1000"}} }

func collectSnapshots(ctx context.Context, cloud *openstack.Cloud, s *exporters.Snapshot, read *bool) error {
	start := time.Now().UTC()
	list, err := openstack.List[snapshot](ctx, cloud, api, "/snapshots/detail", "snapshots", allTenants())
	if err != nil && len(list.Objects) == 0 {
		return err
	}
	list.NoteIn(s)
	if err := hiddenCopies(ctx, cloud, "/snapshots/detail", "snapshots"); err != nil {
		return err
	}
	*read = true
	inventory := mcloud.Inventory{Cloud: cloud.Name(), Scope: "cinder", Kind: mcloud.KindVolumeSnapshot, Time: start, Complete: err == nil && len(list.Failed) == 0}
	var count copies
	wanted := exporters.Wants(ctx, exporters.SetObjects)
	for _, v := range list.Objects {
		count.add(v.Status.String(), v.Project.String(), float64(v.Size)*gib, v.Created.Time)
		inventory.Objects = append(inventory.Objects, mcloud.NewObject(mcloud.KindVolumeSnapshot, v.ID, v.Name, v.Volume, v.Project.String(), mcloud.VolumeSnapshot{
			Name: v.Name, Status: v.Status.String(), SizeGiB: int64(v.Size), Group: v.Group.String(), Created: v.Created.Time,
		}))
		if wanted {
			s.Add(snapshotInfo, 1, v.ID, v.Name, v.Status.String(), v.Project.String(), v.Volume)
			s.Add(snapshotSize, float64(v.Size)*gib, v.ID, v.Project.String())
			s.Add(snapshotCreated, float64(v.Created.Unix()), v.ID, v.Project.String())
		}
	}
	s.Inventories = append(s.Inventories, inventory)
	if err == nil {
		count.addTo(s, snapshots, snapshotsSize, projectSnapshotsSize, snapshotsOldest)
	}
	return err
}

func collectBackups(ctx context.Context, cloud *openstack.Cloud, s *exporters.Snapshot, read *bool) error {
	start := time.Now().UTC()
	list, err := openstack.List[backup](ctx, cloud, api, "/backups/detail", "backups", allTenants())
	if err != nil && len(list.Objects) == 0 {
		return err
	}
	list.NoteIn(s)
	if err := hiddenCopies(ctx, cloud, "/backups/detail", "backups"); err != nil {
		return err
	}
	*read = true
	inventory := mcloud.Inventory{Cloud: cloud.Name(), Scope: "cinder", Kind: mcloud.KindVolumeBackup, Time: start, Complete: err == nil && len(list.Failed) == 0}
	var count copies
	wanted := exporters.Wants(ctx, exporters.SetObjects)
	for _, v := range list.Objects {
		count.add(v.Status.String(), v.Project.String(), float64(v.Size)*gib, v.Created.Time)
		inventory.Objects = append(inventory.Objects, mcloud.NewObject(mcloud.KindVolumeBackup, v.ID, v.Name, v.Volume, v.Project.String(), mcloud.VolumeBackup{
			Name: v.Name, Status: v.Status.String(), SizeGiB: int64(v.Size), Snapshot: v.Snapshot, Container: v.Container.String(), Zone: v.Zone.String(),
			Incremental: bool(v.Incremental), HasHeirs: bool(v.Heirs), Created: v.Created.Time,
		}))
		if wanted {
			s.Add(backupInfo, 1, v.ID, v.Name, v.Status.String(), v.Project.String(), v.Volume)
			s.Add(backupSize, float64(v.Size)*gib, v.ID, v.Project.String())
			s.Add(backupCreated, float64(v.Created.Unix()), v.ID, v.Project.String())
		}
	}
	s.Inventories = append(s.Inventories, inventory)
	if err == nil {
		count.addTo(s, backups, backupsSize, projectBackupsSize, backupsOldest)
	}
	return err
}

// hiddenCopies is an error when the account does not see what belongs to other
// projects. Snapshots and backups look the same to everybody, so an account that is
// not an administrator's is judged by a volume: one that shows its pool.
func hiddenCopies(ctx context.Context, cloud *openstack.Cloud, path, what string) error {
	if admin, err := cloud.Admin(ctx); admin || err != nil {
		return err
	}
	a, err := cloud.Get(ctx, api, "/volumes/detail", url.Values{"all_tenants": {"1"}, "limit": {"1"}})
	if err != nil {
		return err
	}
	var seen []volume
	if err := a.Decode("volumes", &seen); err != nil {
		return exporters.WithKind(fmt.Errorf("cinder: GET /volumes/detail: %w", err), exporters.KindDecode)
	}
	if len(seen) > 0 && seen[0].Host != (word{}) {
		return nil
	}
	return hidden(ctx, cloud, path, what)
}

// copies counts snapshots or backups.
type copies struct {
	number, bytes, owned exporters.Tally
	oldest               time.Time
}

func (c *copies) add(status, project string, bytes float64, created time.Time) {
	c.number.Add(1, status)
	c.bytes.Add(bytes, status)
	if project != "" {
		c.owned.Add(bytes, project)
	}
	if !created.IsZero() && (c.oldest.IsZero() || created.Before(c.oldest)) {
		c.oldest = created
	}
}

func (c *copies) addTo(s *exporters.Snapshot, number, bytes, owned, oldest *exporters.Family) {
	c.number.AddTo(s, number)
	c.bytes.AddTo(s, bytes)
	c.owned.AddTo(s, owned)
	if !c.oldest.IsZero() {
		s.Add(oldest, float64(c.oldest.Unix()))
	}
}
