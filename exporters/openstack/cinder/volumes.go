package cinder

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// overlap is asked for again with each look at changes: updated_at is written by
// many services, each by its own clock.
const overlap = time.Minute

// perPage is how many volumes one call lists; Cinder's own bound
// (osapi_max_limit) may be lower.
const perPage = 1000

// volumesCollector follows the volumes: all of them at first, then what changed
// and, since Cinder does not tell of what was deleted, a part of all with each
// look (sweep).
type volumesCollector struct {
	cloud   *openstack.Cloud
	cfg     Config
	changed func(project string)

	all    map[string]*volume      // by id; nil before the first whole list
	failed []exporters.ObjectError // of the last whole list or whole sweep
	full   time.Time               // when all were listed last, by a list or by a sweep's end
	since  time.Time               // by Cinder's clock, what was seen until
	// follows says that the service can be asked for what changed; refused that
	// it did not want to be.
	follows, refused bool
	sweep            sweep
}

// Collect takes one look. It is not called concurrently.
func (c *volumesCollector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	if c.follows {
		s, err := c.followChanges(ctx, start)
		if s != nil || err != nil {
			return s, err
		}
	}
	return c.lookAtAll(ctx, start)
}

// allProjects is the query of a list.
func allProjects(query url.Values) url.Values {
	query.Set("all_tenants", "1")
	query.Set("limit", strconv.Itoa(perPage))
	return query
}

// list asks for volumes of all projects.
func (c *volumesCollector) list(ctx context.Context, query url.Values) (openstack.Listing[volume], error) {
	return openstack.List[volume](ctx, c.cloud, api, "/volumes/detail", "volumes", allProjects(query))
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
	if err != nil {
		inventory := c.inventory(start, false)
		for i := range list.Objects {
			inventory.Objects = append(inventory.Objects, list.Objects[i].object())
		}
		s.Inventories = []mcloud.Inventory{inventory}
		return s, err
	}
	c.take(list, start)
	c.addSamples(ctx, s, start)
	s.Inventories = []mcloud.Inventory{c.everything(start)}
	return s, nil
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
	c.failed, c.full, c.since = list.Failed, now, list.Time
	c.sweep = sweep{unordered: c.sweep.unordered, apart: len(list.Failed), last: now}
	// 3.60 compares updated_at, and ignores the filter before.
	c.follows = list.Microversion.AtLeast(3, 60) && !c.refused && !c.sweep.unordered
}

func (c *volumesCollector) noteChange(before, after *volume) {
	if before == nil || !before.Updated.Equal(after.Updated.Time) || before.Status != after.Status {
		c.changed(after.Project.String())
	}
}

// followChanges asks for what was changed and what was made since the last look,
// and for the part of all volumes whose turn it is. It returns nothing when the
// full list has to be asked for instead.
func (c *volumesCollector) followChanges(ctx context.Context, start time.Time) (*exporters.Snapshot, error) {
	changes, err := c.mergeSince(ctx, "updated_at")
	if badRequest(err) {
		c.follows, c.refused = false, true // resource_filters.json of this cloud has no updated_at
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// A volume that was just asked for has no updated_at yet.
	born, err := c.mergeSince(ctx, "created_at")
	if err != nil {
		return nil, err
	}
	changes.Objects, changes.Failed = append(changes.Objects, born.Objects...), append(changes.Failed, born.Failed...)
	if !changes.Time.IsZero() {
		c.since = changes.Time
	}
	swept, err := c.sweepOn(ctx, start)
	if errors.Is(err, errUnordered) {
		c.follows = false
		return nil, nil
	}
	s := &exporters.Snapshot{Seen: len(c.all) + len(c.failed), Failed: append(slices.Clone(c.failed), changes.Failed...)}
	c.addSamples(ctx, s, start)
	switch {
	case swept.gone > 0 || swept.whole:
		s.Inventories = []mcloud.Inventory{c.everything(start)}
	default:
		inventory, seen := c.inventory(start, false), map[string]bool{}
		for _, v := range append(ids(changes.Objects), swept.changed...) {
			if known := c.all[v]; known != nil && !seen[v] {
				seen[v] = true
				inventory.Objects = append(inventory.Objects, known.object())
			}
		}
		if len(inventory.Objects) > 0 {
			s.Inventories = []mcloud.Inventory{inventory}
		}
	}
	return s, err
}

func ids(volumes []volume) []string {
	list := make([]string, len(volumes))
	for i := range volumes {
		list[i] = volumes[i].ID
	}
	return list
}

// mergeSince takes over the volumes whose time of this name lies behind what was
// seen.
func (c *volumesCollector) mergeSince(ctx context.Context, name string) (openstack.Listing[volume], error) {
	list, err := c.list(ctx, url.Values{name: {"gt:" + c.since.Add(-overlap).UTC().Format("2006-01-02T15:04:05")}})
	for i := range list.Objects {
		c.merge(&list.Objects[i])
	}
	return list, err
}

// merge takes over what is seen of one volume, and says whether it is new or has
// changed. The known one is written over: v may lie in the page it came with,
// which is not kept.
func (c *volumesCollector) merge(v *volume) bool {
	known := c.all[v.ID]
	c.noteChange(known, v)
	if known == nil {
		kept := *v
		c.all[v.ID] = &kept
		return true
	}
	differs := !known.Updated.Equal(v.Updated.Time) || known.Status != v.Status || known.Host != v.Host
	*known = *v
	return differs
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

// everything is the inventory of all that is known.
func (c *volumesCollector) everything(start time.Time) mcloud.Inventory {
	inventory := c.inventory(start, len(c.failed) == 0)
	inventory.Objects = make([]mcloud.Object, 0, len(c.all))
	for _, id := range slices.Sorted(maps.Keys(c.all)) {
		inventory.Objects = append(inventory.Objects, c.all[id].object())
	}
	return inventory
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
