package openstack_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
	"mcloud/exporters/openstack/cinder"
)

// volumesOf is a Cinder with the volumes it is given; the rest is as recorded.
type volumesOf struct {
	t       *testing.T
	there   map[string]map[string]any
	counted int  // of the answer to with_count, besides those there
	refuses bool // a filter by updated_at
}

func (v *volumesOf) answer(w http.ResponseWriter, r *http.Request, call string) bool {
	query := r.URL.Query()
	switch {
	case strings.HasPrefix(call, "cinder /volumes?"):
		_, _ = fmt.Fprintf(w, `{"volumes": [], "count": %d}`, len(v.there)+v.counted)
		return true
	case !strings.HasPrefix(call, "cinder /volumes/detail?"):
		return false
	case v.refuses && query.Has("updated_at"):
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"badRequest": {"code": 400, "message": "Invalid filters updated_at are found in query options."}}`)
		return true
	}
	list := []any{}
	for _, volume := range v.there {
		keep := true
		for _, name := range []string{"updated_at", "created_at"} {
			if after, ok := strings.CutPrefix(query.Get(name), "gt:"); ok {
				at, _ := volume[name].(string)
				keep = at > after
			}
		}
		if keep {
			list = append(list, volume)
		}
	}
	if err := json.NewEncoder(w).Encode(map[string]any{"volumes": list}); err != nil {
		v.t.Error(err)
	}
	return true
}

func (v *volumesOf) put(id, status string, created, updated time.Time) {
	const layout = "2006-01-02T15:04:05.000000"
	one := map[string]any{
		"id": id, "status": status, "size": 1, "volume_type": "nvme", "os-vol-host-attr:host": "h@b#p", "os-vol-tenant-attr:tenant_id": "project-" + id,
		"created_at": created.UTC().Format(layout), "updated_at": nil,
	}
	if !updated.IsZero() {
		one["updated_at"] = updated.UTC().Format(layout)
	}
	v.there[id] = one
}

func volumeCounts(s *exporters.Snapshot) (all float64, byStatus map[string]float64) {
	byStatus = map[string]float64{}
	for _, sample := range s.Samples {
		if sample.Family.Name == "openstack_cinder_volumes" {
			all += sample.Value
			byStatus[sample.Labels[0]] += sample.Value
		}
	}
	return all, byStatus
}

func objectIDs(s *exporters.Snapshot) (ids []string) {
	for _, v := range s.Inventories {
		for _, o := range v.Objects {
			ids = append(ids, o.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func TestVolumesFollowChanges(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	long := time.Now().Add(-time.Hour)
	v := &volumesOf{t: t, there: map[string]map[string]any{}}
	for _, id := range []string{"a", "b", "c"} {
		v.put(id, "available", long, long)
	}
	f.inject(v.answer)
	s := cinder.Sources(cloud, cinder.Config{FullEvery: time.Hour})[3]
	look := func() *exporters.Snapshot {
		t.Helper()
		f.forget()
		got, err := collect(t, s)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := look()
	if ids := objectIDs(first); !first.Inventories[0].Complete || len(ids) != 3 {
		t.Errorf("%q, complete %v", ids, first.Inventories[0].Complete)
	}
	quiet := look()
	if n, calls := f.called("cinder"); n != 2 || len(quiet.Inventories) != 0 {
		t.Errorf("a quiet round: %d calls, %d inventories: %q", n, len(quiet.Inventories), calls)
	}
	if all, _ := volumeCounts(quiet); all != 3 {
		t.Errorf("%v volumes counted in a quiet round, want 3", all)
	}

	v.put("b", "in-use", long, time.Now())
	v.put("d", "creating", time.Now(), time.Time{}) // nobody touched it yet: no updated_at
	changed := look()
	if ids := objectIDs(changed); !slices.Equal(ids, []string{"b", "d"}) || changed.Inventories[0].Complete {
		t.Errorf("changed %q, complete %v", ids, changed.Inventories[0].Complete)
	}
	if all, by := volumeCounts(changed); all != 4 || by["in-use"] != 1 || by["creating"] != 1 {
		t.Errorf("%v volumes: %v", all, by)
	}
	if n, calls := f.called("cinder"); n != 3 {
		t.Errorf("%d calls: %q", n, calls)
	}
}

// Cinder does not tell of deleted volumes; their number does.
func TestDeletedVolumesAreNoticedByTheirNumber(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	long := time.Now().Add(-time.Hour)
	v := &volumesOf{t: t, there: map[string]map[string]any{}}
	for _, id := range []string{"a", "b", "c"} {
		v.put(id, "available", long, long)
	}
	f.inject(v.answer)
	const fullEvery = 1500 * time.Millisecond
	s := cinder.Sources(cloud, cinder.Config{FullEvery: fullEvery})[3]
	if _, err := collect(t, s); err != nil {
		t.Fatal(err)
	}
	delete(v.there, "b")
	// Not at once: that would be a full list with each look at a busy cloud.
	early, err := collect(t, s)
	if all, _ := volumeCounts(early); err != nil || all != 3 || len(early.Inventories) != 0 {
		t.Errorf("%v: %v volumes, %d inventories", err, all, len(early.Inventories))
	}
	time.Sleep(fullEvery/5 + 50*time.Millisecond)
	f.forget()
	late, err := collect(t, s)
	if err != nil {
		t.Fatal(err)
	}
	if all, _ := volumeCounts(late); all != 2 || !slices.Equal(objectIDs(late), []string{"a", "c"}) || !late.Inventories[0].Complete {
		t.Errorf("%v volumes, %q, complete %v", all, objectIDs(late), late.Inventories[0].Complete)
	}
	if n, calls := f.called("cinder"); n != 3 {
		t.Errorf("%d calls: %q", n, calls)
	}
}

// A service whose count includes what it does not list is not asked for the full
// list at each look for it.
func TestANumberThatNeverFitsIsGotUsedTo(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	v := &volumesOf{t: t, there: map[string]map[string]any{}, counted: 2}
	v.put("a", "available", time.Now().Add(-time.Hour), time.Now().Add(-time.Hour))
	f.inject(v.answer)
	const fullEvery = 2 * time.Second
	s := cinder.Sources(cloud, cinder.Config{FullEvery: fullEvery})[3]
	if _, err := collect(t, s); err != nil {
		t.Fatal(err)
	}
	time.Sleep(fullEvery/5 + 50*time.Millisecond)
	if got, err := collect(t, s); err != nil || len(got.Inventories) != 1 || !got.Inventories[0].Complete {
		t.Fatalf("%v %+v", err, got)
	}
	time.Sleep(fullEvery/5 + 50*time.Millisecond)
	f.forget()
	if got, err := collect(t, s); err != nil || len(got.Inventories) != 0 {
		t.Errorf("%v %+v", err, got)
	}
	if n, calls := f.called("cinder"); n != 2 {
		t.Errorf("%d calls: %q", n, calls)
	}
}

func TestVolumesOfACinderThatCannotFilter(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	v := &volumesOf{t: t, there: map[string]map[string]any{}, refuses: true}
	v.put("a", "available", time.Now(), time.Now())
	f.inject(v.answer)
	s := cinder.Sources(cloud, cinder.Config{FullEvery: time.Hour})[3]
	for round := range 3 {
		f.forget()
		got, err := collect(t, s)
		if err != nil || len(got.Inventories) != 1 || !got.Inventories[0].Complete {
			t.Fatalf("round %d: %v %+v", round, err, got)
		}
	}
	if n, calls := f.called("cinder"); n != 1 {
		t.Errorf("%d calls, want the full list and no filter any more: %q", n, calls)
	}

	older, _ := f.connect(func(o *openstack.Options) { o.MaxMicroversions = map[string]string{"cinder": "3.59"} })
	v.refuses = false
	s = cinder.Sources(older, cinder.Config{FullEvery: time.Hour})[3]
	for range 2 {
		f.forget()
		if _, err := collect(t, s); err != nil {
			t.Fatal(err)
		}
	}
	if n, calls := f.called("cinder"); n != 1 || strings.Contains(calls[0], "updated_at") {
		t.Errorf("%d calls of 3.59: %q", n, calls)
	}
}

// A look at changes that fails says nothing, so that what the look before said
// stays until it is too old; and the changes are not missed.
func TestFailedLookAtChangesMissesNone(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	long := time.Now().Add(-time.Hour)
	v := &volumesOf{t: t, there: map[string]map[string]any{}}
	v.put("a", "available", long, long)
	f.inject(v.answer)
	s := cinder.Sources(cloud, cinder.Config{FullEvery: time.Hour})[3]
	if _, err := collect(t, s); err != nil {
		t.Fatal(err)
	}
	v.put("a", "error", long, time.Now())
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		if strings.HasPrefix(call, "cinder /volumes/detail") {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}
		return v.answer(w, r, call)
	})
	if got, err := collect(t, s); got != nil || exporters.KindOf(err) != exporters.KindServerError {
		t.Errorf("%+v %v", got, err)
	}
	f.inject(v.answer)
	got, err := collect(t, s)
	if _, by := volumeCounts(got); err != nil || by["error"] != 1 {
		t.Errorf("%v %v", err, by)
	}
}

func TestStuckVolumes(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	v := &volumesOf{t: t, there: map[string]map[string]any{}}
	now := time.Now().Truncate(time.Second)
	v.put("a", "attaching", now.Add(-3*time.Hour), now.Add(-2*time.Hour))
	v.put("b", "attaching", now.Add(-3*time.Hour), now)
	v.put("c", "creating", now.Add(-16*time.Minute), time.Time{})
	v.put("d", "available", now.Add(-3*time.Hour), now.Add(-3*time.Hour))
	f.inject(v.answer)
	s, err := collect(t, source(t, cloud, "cinder_volumes"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, sample := range s.Samples {
		got[strings.TrimPrefix(sample.Family.Name, "openstack_cinder_volumes_")+" "+sample.Labels[0]] = sample.Value
	}
	for key, want := range map[string]float64{
		"stuck attaching": 1, "stuck creating": 1, "stuck deleting": 0,
		"passing_oldest_timestamp_seconds attaching": float64(now.Add(-2 * time.Hour).Unix()),
	} {
		if v, ok := got[key]; !ok || v != want {
			t.Errorf("%s is %v (%v), want %v", key, v, ok, want)
		}
	}
	if _, ok := got["passing_oldest_timestamp_seconds deleting"]; ok {
		t.Error("a state that no volume is in has an oldest")
	}
}

// An account without the right sees its own snapshots and takes them for all.
func TestCopiesOfOthersAreNotTakenForAbsent(t *testing.T) {
	f := newFakeCloud(t)
	f.role = "reader"
	cloud, _ := f.connect(nil)
	own := `{"volumes": [{"id": "own", "status": "available", "os-vol-tenant-attr:tenant_id": "p", "os-vol-host-attr:host": %s}]}`
	for host, forbidden := range map[string]bool{"null": true, `"h@b#p"`: false} {
		f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
			if call == "cinder /volumes/detail?all_tenants=1&limit=1" {
				_, _ = fmt.Fprintf(w, own, host)
				return true
			}
			return false
		})
		s, err := collect(t, source(t, cloud, "cinder_snapshots"))
		if forbidden && (s != nil || exporters.KindOf(err) != exporters.KindForbidden || !strings.Contains(err.Error(), "sees only its own project's snapshots")) {
			t.Errorf("%+v %v", s, err)
		}
		if !forbidden && (err != nil || len(s.Inventories) != 2) {
			t.Errorf("%+v %v", s, err)
		}
	}
}

// Snapshots without backups, and the other way round.
func TestOneListOfCopiesLeavesTheOther(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	for broken, kind := range map[string]mcloud.Kind{"/snapshots": mcloud.KindVolumeBackup, "/backups": mcloud.KindVolumeSnapshot} {
		f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
			if strings.HasPrefix(call, "cinder "+broken) {
				w.WriteHeader(http.StatusInternalServerError)
				return true
			}
			return false
		})
		s, err := collect(t, source(t, cloud, "cinder_snapshots"))
		if exporters.KindOf(err) != exporters.KindServerError || s == nil || len(s.Inventories) != 1 || s.Inventories[0].Kind != kind {
			t.Errorf("%s broken: %v %+v", broken, err, s)
			continue
		}
		for _, sample := range s.Samples {
			if strings.Contains(sample.Family.Name, strings.Trim(broken, "/")) {
				t.Errorf("%s broken: %s is %v", broken, sample.Family.Name, sample.Value)
			}
		}
	}
}

// The cold start asks once for each project, later looks for a fortieth of them.
func TestCinderQuotasCost(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	const projects = 100
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		switch {
		case strings.HasPrefix(call, "keystone /projects"):
			var all []map[string]any
			for i := range projects {
				all = append(all, map[string]any{"id": fmt.Sprint("p", i), "name": "x", "enabled": true})
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"projects": all})
		case strings.HasPrefix(call, "cinder /os-quota-sets/p7?"):
			w.WriteHeader(http.StatusInternalServerError)
		case strings.HasPrefix(call, "cinder /os-quota-sets/"):
			_, _ = io.WriteString(w, `{"quota_set": {"volumes": {"limit": -1, "in_use": 1, "reserved": 0}}}`)
		default:
			return false
		}
		return true
	})
	s := source(t, cloud, "cinder_quotas")
	cold, err := collect(t, s)
	if n, _ := f.called("cinder"); err != nil || n != projects+1 { // and the version document
		t.Errorf("%d calls at the cold start: %v", n, err)
	}
	if len(cold.Failed) != 1 || cold.Failed[0].Object != "quota of project p7" || len(cold.Samples) != 3*(projects-1) {
		t.Errorf("failed %v, %d samples", cold.Failed, len(cold.Samples))
	}
	f.forget()
	later, err := collect(t, s)
	if n, calls := f.called("cinder"); err != nil || n != 4 || len(later.Samples) != 3*(projects-1) { // 99/40 and p7
		t.Errorf("%d calls later, %d samples: %v %q", n, len(later.Samples), err, calls)
	}
}
