package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"mcloud"
	"mcloud/deploy/sim"
	"mcloud/exporters"
)

var frozen = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// seriesOf is a series as one line: name{a="b",c="d"}.
func seriesOf(name string, labels map[string]string) string {
	var b strings.Builder
	b.WriteString(name)
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		b.WriteString("," + k + "=" + labels[k])
	}
	return b.String()
}

// look collects all Sources once and returns samples by series and all objects.
func look(t *testing.T, sources []exporters.Source) (samples map[string]float64, objects map[string]mcloud.Object) {
	t.Helper()
	samples, objects = map[string]float64{}, map[string]mcloud.Object{}
	for _, s := range sources {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		snap, err := s.Collector.Collect(ctx)
		cancel()
		if err != nil {
			if errors.Is(err, exporters.ErrAbsent) {
				continue // the simulated cloud does not have it, and so no past of it
			}
			t.Fatalf("%s: %v", s.Name, err)
		}
		for _, sample := range snap.Samples {
			labels := maps.Clone(s.Const)
			if labels == nil {
				labels = map[string]string{}
			}
			for i, name := range sample.Family.Labels {
				labels[name] = sample.Labels[i]
			}
			samples[seriesOf(sample.Family.Name, labels)] = sample.Value
		}
		for _, v := range snap.Inventories {
			for _, o := range v.Objects {
				objects[v.Scope+" "+string(o.Kind)+" "+o.ID] = o
			}
		}
	}
	return samples, objects
}

// TestHistoryEndsWhereTheExportersBegin: with the clock standing still, the last
// sample of every back-filled series is the one that the exporters collect, by
// name, labels and value; and every object of the past is the one they find.
func TestHistoryEndsWhereTheExportersBegin(t *testing.T) {
	c, clouds := serveSim(t, func(o *sim.Options) { o.Now = func() time.Time { return frozen } })
	samples, objects := look(t, allSources(t, c, clouds))
	families := map[string]int{}
	err := c.History(frozen.Add(-24*time.Hour), frozen, time.Hour, func(name string, labels map[string]string, times []int64, values []float64) error {
		families[name]++
		key := seriesOf(name, labels)
		last := len(times) - 1
		if !slices.IsSorted(times) {
			t.Errorf("%s: times are not in order", key)
		}
		if times[last] != frozen.UnixMilli() {
			return nil // it ended before now: no server of that status is left
		}
		if len(times) != 25 && !strings.Contains(key, "status=") {
			t.Errorf("%s has %d samples, want 25", key, len(times))
		}
		want, known := samples[key]
		switch {
		case !known:
			t.Errorf("%s is back-filled, and no exporter makes it", key)
		case math.Abs(values[last]-want) > 1e-9*math.Abs(want):
			t.Errorf("%s ends with %v, the exporters have %v", key, values[last], want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d families", len(families))
	for _, name := range []string{
		"openstack_placement_capacity_units", "openstack_placement_usage_units", "openstack_nova_servers", "openstack_nova_hypervisor_info",
		"openstack_cinder_pool_allocated_bytes", "ceph_pool_stored", "ceph_pool_max_avail", "ceph_osd_stat_bytes_used", "ceph_cluster_total_bytes", "ceph_health_status",
	} {
		if families[name] == 0 {
			t.Errorf("%s is not back-filled", name)
		}
	}

	past := map[string]mcloud.Object{}
	events := map[string]bool{}
	err = c.ObjectHistory(frozen.Add(-48*time.Hour), frozen, 24*time.Hour, func(b mcloud.Batch) error {
		if err := b.Validate(); err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Events {
			if events[e.ID] {
				t.Errorf("event %s twice", e.ID)
			}
			events[e.ID] = true
		}
		for _, v := range b.Inventories {
			if v.Complete {
				maps.DeleteFunc(past, func(k string, _ mcloud.Object) bool { return strings.HasPrefix(k, v.Scope+" "+string(v.Kind)+" ") })
			}
			for _, o := range v.Objects {
				past[v.Scope+" "+string(v.Kind)+" "+o.ID] = o
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(events) == 0 {
		t.Error("nothing happened in two days")
	}
	compared := map[mcloud.Kind]int{}
	for key, o := range past {
		want, known := objects[key]
		if !known && o.Kind == mcloud.KindServerAction {
			continue // of a deleted server, or not yet read
		}
		if !known {
			t.Errorf("%s is of the past, and no exporter finds it", key)
			continue
		}
		compared[o.Kind]++
		if got, want := text(o), text(want); got != want {
			t.Errorf("%s\nis told as   %s\nis found as  %s", key, got, want)
		}
	}
	t.Logf("compared %v, %d events", compared, len(events))
	for _, kind := range []mcloud.Kind{mcloud.KindServer, mcloud.KindVolume, mcloud.KindFlavor, mcloud.KindHost, mcloud.KindAggregate, mcloud.KindProject, mcloud.KindServerAction} {
		if compared[kind] == 0 {
			t.Errorf("no %s compared", kind)
		}
	}
}

func text(o mcloud.Object) string {
	var attributes any
	if err := json.Unmarshal(o.Attributes, &attributes); err != nil {
		return err.Error()
	}
	b, err := json.Marshal(map[string]any{"id": o.ID, "name": o.Name, "parent": o.Parent, "project": o.Project, "attributes": attributes})
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// TestVersionsAddUp: the versions of a server follow each other without a gap.
func TestVersionsAddUp(t *testing.T) {
	c, err := sim.New(sim.Options{Dir: t.TempDir(), Hosts: 9, Servers: 100, Projects: 4, Volumes: 60, OSDs: 6, Days: 30, Now: func() time.Time { return frozen }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	from := frozen.Add(-20 * 24 * time.Hour)
	lives := map[string][]mcloud.Version{}
	if err := c.Versions(from, frozen, func(v mcloud.Version) error {
		lives[string(v.Kind)+v.ID] = append(lives[string(v.Kind)+v.ID], v)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	changed := 0
	for id, versions := range lives {
		slices.SortFunc(versions, func(a, b mcloud.Version) int { return a.From.Compare(b.From) })
		for i, v := range versions {
			if v.From.Before(from) || !v.To.IsZero() && !v.To.After(v.From) {
				t.Errorf("%s: a version from %s to %s", id, v.From, v.To)
			}
			if i > 0 && !versions[i-1].To.Equal(v.From) {
				t.Errorf("%s: a gap from %s to %s", id, versions[i-1].To, v.From)
			}
		}
		changed += len(versions) - 1
	}
	if changed == 0 {
		t.Error("nothing ever changed")
	}
}
