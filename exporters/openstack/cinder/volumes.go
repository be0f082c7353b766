package cinder

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// overlap is asked for again with each look at changes: updated_at is written by
// many services, each by its own clock.
const overlap = time.Minute

// volumesCollector follows the volumes: a full list now and then, and what changed
// in between.
type volumesCollector struct {
	cloud   *openstack.Cloud
	cfg     Config
	changed func(project string)

	all    map[string]*volume      // by id; nil before the first whole list
	failed []exporters.ObjectError // of the last whole list
	full   time.Time               // when all were listed last
	since  time.Time               // by Cinder's clock, what was seen until
	// follows says that the service can be asked for what changed; refused that
	// it did not want to be.
	follows, refused bool
	// apart is by how many volumes Cinder's count differs from Cinder's list.
	apart int
}

// Collect takes one look. It is not called concurrently.
func (c *volumesCollector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	if c.follows && start.Sub(c.full) < c.cfg.FullEvery {
		s, err := c.followChanges(ctx, start)
		if s != nil || err != nil {
			return s, err
		}
	}
	return c.lookAtAll(ctx, start)
}

// list asks for volumes of all projects.
func (c *volumesCollector) list(ctx context.Context, query url.Values) (openstack.Listing[volume], error) {
	query.Set("all_tenants", "1")
	query.Set("limit", "1000")
	return openstack.List[volume](ctx, c.cloud, api, "/volumes/detail", "volumes", query)
}

// lookAtAll lists all volumes. A list that broke off is recorded as far as it
// came, counts nothing, and leaves what is known as it is.
func (c *volumesCollector) lookAtAll(ctx context.Context, start time.Time) (*exporters.Snapshot, error) {
	list, err := c.list(ctx, url.Values{})
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{}
	list.NoteIn(s)
	if errHidden := c.hidden(ctx, list.Objects); errHidden != nil {
		if len(list.Objects) == 0 {
			return nil, errHidden
		}
		return s, errHidden // a part that looks like the whole is not counted
	}
	if err == nil {
		c.take(list, start)
		c.addSamples(ctx, s, start)
	}
	inventory := c.inventory(start, err == nil && len(list.Failed) == 0)
	for i := range list.Objects {
		inventory.Objects = append(inventory.Objects, list.Objects[i].object())
	}
	s.Inventories = []mcloud.Inventory{inventory}
	return s, err
}

// take makes a whole list what is known.
func (c *volumesCollector) take(list openstack.Listing[volume], now time.Time) {
	before := c.all
	c.all = make(map[string]*volume, len(list.Objects))
	for i := range list.Objects {
		v := &list.Objects[i]
		c.all[v.ID] = v
		if before != nil {
			c.noteChange(before[v.ID], v)
		}
		delete(before, v.ID)
	}
	for _, gone := range before {
		c.changed(gone.Project.String())
	}
	c.failed, c.full, c.since, c.apart = list.Failed, now, list.Time, len(list.Failed)
	// 3.60 compares updated_at, and ignores the filter before.
	c.follows = list.Microversion.AtLeast(3, 60) && !c.refused
}

func (c *volumesCollector) noteChange(before, after *volume) {
	if before == nil || !before.Updated.Equal(after.Updated.Time) || before.Status != after.Status {
		c.changed(after.Project.String())
	}
}

// followChanges asks for what changed since the last look, and for the number of
// volumes, which tells when some are gone. It returns nothing when the full list
// has to be asked for instead.
func (c *volumesCollector) followChanges(ctx context.Context, start time.Time) (*exporters.Snapshot, error) {
	changes, err := c.mergeSince(ctx, "updated_at")
	if badRequest(err) {
		c.follows, c.refused = false, true // resource_filters.json of this cloud has no updated_at
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	there, err := c.count(ctx)
	if err == nil && there-c.apart > len(c.all) {
		// A volume that was just asked for has no updated_at yet.
		born, errBorn := c.mergeSince(ctx, "created_at")
		if errBorn != nil {
			return nil, errBorn
		}
		changes.Objects, changes.Failed = append(changes.Objects, born.Objects...), append(changes.Failed, born.Failed...)
	}
	if missing := there - len(c.all); err == nil && missing != c.apart && start.Sub(c.full) >= c.cfg.FullEvery/5 {
		s, errAll := c.lookAtAll(ctx, start)
		if errAll == nil && there-len(c.all) == missing {
			c.apart = missing // this service counts otherwise than it lists
		}
		return s, errAll
	}
	if !changes.Time.IsZero() {
		c.since = changes.Time
	}
	s := &exporters.Snapshot{Seen: len(c.all) + len(c.failed), Failed: append(slices.Clone(c.failed), changes.Failed...)}
	c.addSamples(ctx, s, start)
	if len(changes.Objects) > 0 {
		inventory, seen := c.inventory(start, false), map[string]bool{}
		for i := range changes.Objects {
			if v := &changes.Objects[i]; !seen[v.ID] {
				seen[v.ID] = true
				inventory.Objects = append(inventory.Objects, v.object())
			}
		}
		s.Inventories = []mcloud.Inventory{inventory}
	}
	return s, err
}

// mergeSince takes over the volumes whose time of this name lies behind what was
// seen.
func (c *volumesCollector) mergeSince(ctx context.Context, name string) (openstack.Listing[volume], error) {
	list, err := c.list(ctx, url.Values{name: {"gt:" + c.since.Add(-overlap).UTC().Format("2006-01-02T15:04:05")}})
	for i := range list.Objects {
		v := &list.Objects[i]
		c.noteChange(c.all[v.ID], v)
		c.all[v.ID] = v
	}
	return list, err
}

// count is how many volumes Cinder has, by its own count.
func (c *volumesCollector) count(ctx context.Context) (int, error) {
	a, err := c.cloud.Get(ctx, api, "/volumes", url.Values{"all_tenants": {"1"}, "limit": {"1"}, "with_count": {"true"}})
	if err != nil {
		return 0, err
	}
	var n int
	if err := a.Decode("count", &n); err != nil {
		return 0, fmt.Errorf("cinder: GET /volumes?with_count=true: %w", err)
	}
	return n, nil
}

func badRequest(err error) bool {
	var e *openstack.Error
	return errors.As(err, &e) && e.Code == http.StatusBadRequest
}

func (c *volumesCollector) inventory(start time.Time, complete bool) mcloud.Inventory {
	return mcloud.Inventory{Cloud: c.cloud.Name(), Scope: "cinder", Kind: mcloud.KindVolume, Time: start, Complete: complete}
}

// hidden is an error when the account does not see other projects' volumes: only
// to an administrator does Cinder name the pool that a volume lies in.
func (c *volumesCollector) hidden(ctx context.Context, seen []volume) error {
	if slices.ContainsFunc(seen, func(v volume) bool { return v.Host != word{} }) {
		return nil
	}
	return hidden(ctx, c.cloud, "/volumes/detail", "volumes")
}

// hidden is an error when the account is not an administrator's.
func hidden(ctx context.Context, cloud *openstack.Cloud, path, what string) error {
	admin, err := cloud.Admin(ctx)
	if admin || err != nil {
		return err
	}
	return exporters.WithKind(fmt.Errorf("cinder: GET %s: the account of cloud %q sees only its own project's %s: "+
		"it needs the role admin, or a policy for context_is_admin and volume_extension:volume_host_attribute", path, cloud.Name(), what), exporters.KindForbidden)
}

// passing are the states that a volume is in for a short while only
// (cinder/objects/fields.py, VolumeStatus).
var passing = []string{
	"creating", "deleting", "attaching", "detaching", "extending", "retyping", "managing", "unmanaging",
	"downloading", "uploading", "backing-up", "restoring-backup", "reserved",
}

// stuck is what is known of one passing state.
type stuck struct {
	volumes float64
	oldest  time.Time
}

func (c *volumesCollector) addSamples(ctx context.Context, s *exporters.Snapshot, now time.Time) {
	var counts, sizes, owned, ownedSizes, free, freeSizes exporters.Tally
	states := map[string]*stuck{}
	for _, status := range passing {
		states[status] = &stuck{}
	}
	for _, v := range c.all {
		status, kind, zone, project, bytes := v.Status.String(), v.Type.String(), v.Zone.String(), v.Project.String(), float64(v.Size)*gib
		counts.Add(1, status, kind, zone)
		sizes.Add(bytes, status, kind, zone)
		owned.Add(1, project)
		ownedSizes.Add(bytes, project, kind)
		if len(v.Attachments) == 0 {
			free.Add(1, kind)
			freeSizes.Add(bytes, kind)
		}
		if state := states[status]; state != nil {
			state.note(v.changed(), now, c.cfg.StuckAfter)
		}
	}
	counts.AddTo(s, volumes)
	sizes.AddTo(s, volumesSize)
	owned.AddTo(s, projectVolumes)
	ownedSizes.AddTo(s, projectVolumesSize)
	free.AddTo(s, unattached)
	freeSizes.AddTo(s, unattachedSize)
	for _, status := range passing {
		s.Add(volumesStuck, states[status].volumes, status)
		if oldest := states[status].oldest; !oldest.IsZero() {
			s.Add(passingOldest, float64(oldest.Unix()), status)
		}
	}
	if exporters.Wants(ctx, exporters.SetObjects) {
		c.addEach(s)
	}
}

func (t *stuck) note(changed, now time.Time, after time.Duration) {
	if changed.IsZero() {
		return
	}
	if t.oldest.IsZero() || changed.Before(t.oldest) {
		t.oldest = changed
	}
	if now.Sub(changed) > after {
		t.volumes++
	}
}

// addEach makes the series that are one for each volume.
func (c *volumesCollector) addEach(s *exporters.Snapshot) {
	for _, id := range slices.Sorted(maps.Keys(c.all)) {
		v := c.all[id]
		s.Add(volumeInfo, 1, id, v.Name, v.Status.String(), v.Project.String(), v.Zone.String(), v.Type.String(), v.Host.String(),
			yesNo(bool(v.Bootable)), strings.Join(v.servers(), ","))
		s.Add(volumeSize, float64(v.Size)*gib, id, v.Project.String())
	}
}

func yesNo(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
