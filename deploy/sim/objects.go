package sim

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"time"

	"mcloud"
	"mcloud/deploy/sim/model"
)

// ObjectHistory tells what existed and what happened from from to to, once
// more, as the exporters and the notifications would have told it: at from and
// every time every has passed a complete Inventory of each of projects, hosts,
// aggregates, flavors, servers and volumes; each hour the servers and volumes
// that changed, in incomplete ones; every Event at its own time; and the
// servers' action logs. Batches come in the order of time; it ends with emit's
// first error.
func (c *Cloud) ObjectHistory(from, to time.Time, every time.Duration, emit func(mcloud.Batch) error) error {
	if every < time.Hour {
		return fmt.Errorf("object history of the simulated cloud: every is %s, want an hour or more", every)
	}
	w, err := model.New(c.config)
	if err != nil {
		return err
	}
	if from.Before(c.config.Start) {
		from = c.config.Start
	}
	w.AdvanceTo(from.Add(-time.Nanosecond))
	t := teller{cloud: c, world: w}
	w.OnChange = t.note
	next := from
	for at := from; !at.After(to); at = at.Add(time.Hour) {
		w.AdvanceTo(at)
		var batch mcloud.Batch
		if !at.Before(next) {
			batch.Inventories = t.everything(at)
			next = next.Add(every)
		} else {
			batch.Inventories = t.changes(at)
		}
		batch.Events, t.events = t.events, nil
		if len(batch.Events)+len(batch.Inventories) == 0 {
			continue
		}
		if err := emit(batch); err != nil {
			return err
		}
	}
	return nil
}

// Version tells of each stretch of the servers' and volumes' lives between from
// and to, exactly: what ObjectHistory can say to the hour only. Versions that
// are still so at to have no end. They come in no order.
func (c *Cloud) Versions(from, to time.Time, emit func(mcloud.Version) error) error {
	w, err := model.New(c.config)
	if err != nil {
		return err
	}
	w.AdvanceTo(from)
	open := map[string]mcloud.Version{}
	var failed error
	finish := func(v mcloud.Version, at time.Time) {
		if v.To = at; failed == nil && (at.IsZero() || at.After(v.From)) {
			failed = emit(v)
		}
	}
	become := func(o mcloud.Object, at time.Time, gone bool) {
		key := string(o.Kind) + "/" + o.ID
		was, known := open[key]
		if known && !gone && bytes.Equal(was.Attributes, o.Attributes) {
			return
		}
		if known {
			finish(was, at)
			delete(open, key)
		}
		if !gone {
			open[key] = mcloud.Version{Object: o, Cloud: c.options.Name, From: at}
		}
	}
	for _, s := range w.Servers.All() {
		become(serverObject(s), from, false)
	}
	for _, v := range w.Volumes.All() {
		become(volumeObject(v), from, false)
	}
	w.OnChange = func(change model.Change) {
		switch {
		case change.Server != nil:
			become(serverObject(change.Server), change.At, change.Server.Status == "DELETED")
		case change.Volume != nil:
			become(volumeObject(change.Volume), change.At, change.Volume.Status == "deleted")
			if s := change.Volume.Server; s != nil {
				become(serverObject(s), change.At, false)
			}
		}
	}
	w.AdvanceTo(to)
	keys := make([]string, 0, len(open))
	for k := range open {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		finish(open[k], time.Time{})
	}
	return failed
}

// teller gathers what happened between two looks.
type teller struct {
	cloud   *Cloud
	world   *model.World
	told    bool // everything, once
	events  []mcloud.Event
	changed map[string]mcloud.Object // by kind and id, as it is now
}

func (t *teller) note(change model.Change) {
	t.events = append(t.events, t.cloud.event(change))
	if t.changed == nil {
		t.changed = map[string]mcloud.Object{}
	}
	switch {
	case change.Server != nil:
		t.remember(serverObject(change.Server), change.Server.Status == "DELETED")
		for _, o := range actionObjects(change.Server) {
			t.remember(o, false)
		}
	case change.Volume != nil:
		t.remember(volumeObject(change.Volume), change.Volume.Status == "deleted")
	case change.Host != nil:
		t.remember(hostObject(t.world, change.Host), false)
	}
}

func (t *teller) remember(o mcloud.Object, gone bool) {
	key := string(o.Kind) + "/" + o.ID
	if gone {
		delete(t.changed, key)
		return
	}
	t.changed[key] = o
}

// scopes are who sees each kind.
var scopes = map[mcloud.Kind]string{
	mcloud.KindProject: "keystone", mcloud.KindHost: "nova", mcloud.KindAggregate: "nova", mcloud.KindFlavor: "nova",
	mcloud.KindServer: "nova", mcloud.KindServerAction: "nova", mcloud.KindVolume: "cinder",
}

func (t *teller) changes(at time.Time) []mcloud.Inventory {
	byKind := map[mcloud.Kind][]mcloud.Object{}
	for _, o := range t.changed {
		byKind[o.Kind] = append(byKind[o.Kind], o)
	}
	clear(t.changed)
	return t.inventories(at, byKind, false)
}

func (t *teller) everything(at time.Time) []mcloud.Inventory {
	w, all := t.world, map[mcloud.Kind][]mcloud.Object{}
	add := func(o mcloud.Object) { all[o.Kind] = append(all[o.Kind], o) }
	for _, p := range w.Projects {
		add(mcloud.NewObject(mcloud.KindProject, p.ID, p.Name, "", "", mcloud.Project{Name: p.Name, DomainID: p.DomainID, ParentID: p.DomainID, Enabled: true}))
	}
	for _, h := range w.Hosts {
		add(hostObject(w, h))
	}
	for _, a := range w.Aggregates {
		add(aggregateObject(a))
	}
	for _, f := range w.Flavors {
		add(flavorObject(w, f))
	}
	for _, s := range w.Servers.All() {
		add(serverObject(s))
		if t.told {
			continue // a log only grows: what came since is in changed
		}
		for _, o := range actionObjects(s) {
			add(o)
		}
	}
	for _, v := range w.Volumes.All() {
		add(volumeObject(v))
	}
	for _, o := range t.changed {
		if o.Kind == mcloud.KindServerAction && (t.told || w.Servers.Get(o.Parent) == nil) {
			add(o)
		}
	}
	t.told = true
	clear(t.changed)
	return t.inventories(at, all, true)
}

func (t *teller) inventories(at time.Time, byKind map[mcloud.Kind][]mcloud.Object, complete bool) []mcloud.Inventory {
	var list []mcloud.Inventory
	for _, kind := range []mcloud.Kind{mcloud.KindProject, mcloud.KindHost, mcloud.KindAggregate, mcloud.KindFlavor, mcloud.KindServer, mcloud.KindServerAction, mcloud.KindVolume} {
		objects := byKind[kind]
		if len(objects) == 0 && !complete {
			continue
		}
		slices.SortFunc(objects, func(a, b mcloud.Object) int {
			if a.ID < b.ID {
				return -1
			}
			return 1
		})
		list = append(list, mcloud.Inventory{
			Cloud: t.cloud.options.Name, Scope: scopes[kind], Kind: kind, Time: at, Complete: complete && kind != mcloud.KindServerAction, Objects: objects,
		})
	}
	return list
}

// serverObject is a server as exporters/openstack/nova tells it.
func serverObject(s *model.Server) mcloud.Object {
	attributes := mcloud.Server{
		Name: s.Name, Status: s.Status, TaskState: s.TaskState, PowerState: s.PowerState, PinnedZone: s.Pinned,
		Flavor: s.Flavor.Name, VCPUs: s.Flavor.VCPUs, MemoryMiB: s.Flavor.MemoryMB, DiskGiB: s.Flavor.DiskGB, ExtraSpecs: s.Flavor.ExtraSpecs,
		BootVolume: s.Image == nil, Created: s.Created.Truncate(time.Second), Launched: s.Launched, Terminated: s.Terminated,
	}
	parent := ""
	if s.Host != nil {
		parent = s.Host.UUID
		attributes.Host, attributes.Hypervisor, attributes.Zone = s.Host.Name, s.Host.Name, s.Host.Zone.Name
	}
	for _, v := range s.Volumes {
		attributes.Volumes = append(attributes.Volumes, v.ID)
	}
	slices.Sort(attributes.Volumes)
	return mcloud.NewObject(mcloud.KindServer, s.ID, s.Name, parent, s.Project.ID, attributes)
}

func actionObjects(s *model.Server) []mcloud.Object {
	var list []mcloud.Object
	for _, a := range s.Actions {
		list = append(list, mcloud.NewObject(mcloud.KindServerAction, s.ID+"/"+a.RequestID, a.Action, s.ID, s.Project.ID, mcloud.ServerAction{
			Action: a.Action, Start: a.Start, Updated: a.Updated, Failed: a.Failed,
		}))
	}
	return list
}

// volumeObject is a volume as exporters/openstack/cinder tells it.
func volumeObject(v *model.Volume) mcloud.Object {
	attributes := mcloud.Volume{
		Name: v.Name, Status: v.Status, SizeGiB: v.SizeGiB, Type: v.Tier.VolumeType, Zone: "nova", Pool: v.Tier.PoolFullName(),
		Bootable: v.Bootable, Created: v.Created,
	}
	if v.Server != nil {
		attributes.AttachedTo = []string{v.Server.ID}
	}
	if v.Image != nil {
		attributes.Image = v.Image.ID
	}
	return mcloud.NewObject(mcloud.KindVolume, v.ID, v.Name, "", v.Project.ID, attributes)
}

func hostObject(w *model.World, h *model.Host) mcloud.Object {
	return mcloud.NewObject(mcloud.KindHost, h.UUID, h.Name, "", "", mcloud.Host{
		Name: h.Name, ServiceHost: h.Name, ServiceID: h.ServiceID, Zone: h.Zone.Name, State: upDown(h.Up), Status: enabled(h.Enabled),
		DisabledReason: h.DisabledReason, ForcedDown: h.ForcedDown, Type: "QEMU", Aggregates: aggregateNames(w, h),
	})
}

func aggregateObject(a *model.Aggregate) mcloud.Object {
	attributes := mcloud.Aggregate{Name: a.Name, UUID: a.UUID, Zone: a.Zone, Hosts: []string{}, Metadata: map[string]string{}}
	for _, h := range a.Hosts {
		attributes.Hosts = append(attributes.Hosts, h.Name)
	}
	slices.Sort(attributes.Hosts)
	for k, v := range a.Metadata {
		attributes.Metadata[k] = v
	}
	if a.Zone != "" {
		attributes.Metadata["availability_zone"] = a.Zone
	}
	return mcloud.NewObject(mcloud.KindAggregate, strconv.Itoa(a.ID), a.Name, "", "", attributes)
}

func flavorObject(w *model.World, f *model.Flavor) mcloud.Object {
	attributes := mcloud.Flavor{Name: f.Name, VCPUs: f.VCPUs, MemoryMiB: f.MemoryMB, DiskGiB: f.DiskGB, Public: !f.Private, ExtraSpecs: f.ExtraSpecs}
	for _, p := range w.FlavorAccess(f) {
		attributes.Projects = append(attributes.Projects, p.ID)
	}
	slices.Sort(attributes.Projects)
	return mcloud.NewObject(mcloud.KindFlavor, f.ID, f.Name, "", "", attributes)
}
