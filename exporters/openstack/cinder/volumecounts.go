package cinder

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"mcloud/exporters"
)

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

// place and owner are what volumes are counted by; a sum is their number and bytes.
type (
	place struct{ status, kind, zone word }
	owner struct{ project, kind word }
	sum   struct{ volumes, bytes float64 }
)

func (a sum) add(bytes float64) sum { return sum{a.volumes + 1, a.bytes + bytes} }

func (c *volumesCollector) addSamples(ctx context.Context, s *exporters.Snapshot, now time.Time) {
	places, owners, free := map[place]sum{}, map[owner]sum{}, map[word]sum{}
	states := map[string]*stuck{}
	for _, status := range passing {
		states[status] = &stuck{}
	}
	for _, v := range c.all {
		bytes := float64(v.Size) * gib
		at, of := place{v.Status, v.Type, v.Zone}, owner{v.Project, v.Type}
		places[at], owners[of] = places[at].add(bytes), owners[of].add(bytes)
		if len(v.Attachments) == 0 {
			free[v.Type] = free[v.Type].add(bytes)
		}
		if state := states[v.Status.String()]; state != nil {
			state.note(v.changed(), now, c.cfg.StuckAfter)
		}
	}
	var counts, sizes, owned, ownedSizes, freeCounts, freeSizes exporters.Tally
	for at, n := range places {
		counts.Add(n.volumes, at.status.String(), at.kind.String(), at.zone.String())
		sizes.Add(n.bytes, at.status.String(), at.kind.String(), at.zone.String())
	}
	for of, n := range owners {
		owned.Add(n.volumes, of.project.String())
		ownedSizes.Add(n.bytes, of.project.String(), of.kind.String())
	}
	for kind, n := range free {
		freeCounts.Add(n.volumes, kind.String())
		freeSizes.Add(n.bytes, kind.String())
	}
	counts.AddTo(s, volumes)
	sizes.AddTo(s, volumesSize)
	owned.AddTo(s, projectVolumes)
	ownedSizes.AddTo(s, projectVolumesSize)
	freeCounts.AddTo(s, unattached)
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
