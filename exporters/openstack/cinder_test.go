package openstack_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"runtime"
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
	most    int  // on a page (osapi_max_limit); all if zero
	// unordered leaves the order to chance, whatever is asked for.
	unordered bool
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
	order := slices.Sorted(maps.Keys(v.there))
	if v.unordered {
		slices.Reverse(order)
	}
	if marker := query.Get("marker"); marker != "" {
		at := slices.Index(order, marker)
		if at < 0 {
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprintf(w, `{"itemNotFound": {"code": 404, "message": "Volume %s could not be found."}}`, marker)
			return true
		}
		order = order[at+1:]
	}
	for _, id := range order {
		volume, keep := v.there[id], true
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
	answer := map[string]any{"volumes": list}
	if v.most > 0 && len(list) > v.most {
		query.Set("marker", list[v.most-1].(map[string]any)["id"].(string))
		answer["volumes"] = list[:v.most]
		answer["volumes_links"] = []any{map[string]any{"rel": "next", "href": "http://internal/v3/volumes/detail?" + query.Encode()}}
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
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
	if n, calls := f.called("cinder"); n != 3 || len(quiet.Inventories) != 0 {
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

// Cinder does not tell of deleted volumes. All volumes are seen again in parts,
// sooner when their number says that some are gone.
func TestDeletedVolumesAreNoticed(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	long := time.Now().Add(-time.Hour)
	v := &volumesOf{t: t, there: map[string]map[string]any{}}
	for _, id := range []string{"a", "b", "c"} {
		v.put(id, "available", long, long)
	}
	f.inject(v.answer)
	const fullEvery = 3 * time.Second
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
	time.Sleep(fullEvery / 2)
	f.forget()
	late, err := collect(t, s)
	if err != nil {
		t.Fatal(err)
	}
	if all, _ := volumeCounts(late); all != 2 || !slices.Equal(objectIDs(late), []string{"a", "c"}) || !late.Inventories[0].Complete {
		t.Errorf("%v volumes, %q, complete %v", all, objectIDs(late), late.Inventories[0].Complete)
	}
	if n, calls := f.called("cinder"); n != 4 {
		t.Errorf("%d calls: %q", n, calls)
	}
}

// sweeping is a Cinder of 20 volumes, three on a page, one page of which is due
// with each look.
func sweeping(t *testing.T) (*fakeCloud, *volumesOf, func() *exporters.Snapshot) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	v := &volumesOf{t: t, there: map[string]map[string]any{}, most: 3}
	for i := range 20 {
		v.put(fmt.Sprintf("%02d", i), "available", time.Now().Add(-time.Hour), time.Now().Add(-time.Hour))
	}
	f.inject(v.answer)
	s := cinder.Sources(cloud, cinder.Config{FullEvery: time.Nanosecond})[3]
	return f, v, func() *exporters.Snapshot {
		t.Helper()
		f.forget()
		got, err := collect(t, s)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
}

// A sweep goes on where it was although the volume that it stopped at is gone.
func TestSweepGoesOnBehindADeletedVolume(t *testing.T) {
	f, v, look := sweeping(t)
	look()
	look() // 00, 01, 02
	delete(v.there, "02")
	delete(v.there, "01")
	got := look() // not behind 02 nor 01, but behind 00: 03, 04, 05
	if all, _ := volumeCounts(got); all != 18 || !got.Inventories[0].Complete {
		t.Errorf("%v volumes counted, want 18; %+v", all, got.Inventories)
	}
	if _, calls := f.called("cinder"); !slices.ContainsFunc(calls, func(c string) bool { return strings.Contains(c, "marker=00") }) {
		t.Errorf("not asked behind 00: %q", calls)
	}
	delete(v.there, "19") // far behind
	for n := 0; ; n++ {
		if all, _ := volumeCounts(look()); all == 17 {
			break
		}
		if n == 7 {
			t.Fatal("19 is still there after a whole sweep")
		}
	}
}

// Whatever comes and goes between two looks: a volume that is there is known, and
// one that is gone is forgotten when a whole sweep has passed; no look takes one
// that is there for gone.
func TestSweepAgreesWithCinder(t *testing.T) {
	for seed := range uint64(20) {
		_, v, look := sweeping(t)
		chance := rand.New(rand.NewPCG(seed, 0))
		look()
		for range 30 {
			for range chance.IntN(3) {
				switch id := fmt.Sprintf("%02d", chance.IntN(60)); chance.IntN(3) {
				case 0:
					delete(v.there, id)
				default:
					if v.there[id] == nil {
						v.put(id, "creating", time.Now(), time.Time{})
					} else {
						v.put(id, "in-use", time.Now(), time.Now())
					}
				}
			}
			got := look()
			if all, _ := volumeCounts(got); int(all) < len(v.there) {
				t.Fatalf("seed %d: %v volumes counted, %d are there", seed, all, len(v.there))
			}
			for _, inventory := range got.Inventories {
				known := objectIDs(got)
				if !inventory.Complete {
					continue
				}
				for id := range v.there {
					if !slices.Contains(known, id) {
						t.Fatalf("seed %d: %s is not in a complete inventory", seed, id)
					}
				}
			}
		}
		var all float64
		for range 2 * len(v.there) {
			all, _ = volumeCounts(look())
		}
		if int(all) != len(v.there) {
			t.Errorf("seed %d: %v volumes counted in the end, %d are there", seed, all, len(v.there))
		}
	}
}

// A page of which no volume can be read is an error, and nothing of it is taken for
// gone.
func TestSweepOverAPageOfGarbage(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	v := &volumesOf{t: t, there: map[string]map[string]any{}, most: 3}
	for i := range 20 {
		v.put(fmt.Sprintf("%02d", i), "available", time.Now().Add(-time.Hour), time.Now().Add(-time.Hour))
	}
	f.inject(v.answer)
	s := cinder.Sources(cloud, cinder.Config{FullEvery: time.Nanosecond})[3]
	if _, err := collect(t, s); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"00", "01", "02"} {
		v.there[id]["size"] = "large"
	}
	got, err := collect(t, s)
	if exporters.KindOf(err) != exporters.KindDecode || !strings.Contains(err.Error(), "volume 00") {
		t.Errorf("%v, want a decode error that names volume 00", err)
	}
	if all, _ := volumeCounts(got); all != 20 {
		t.Errorf("%v volumes counted, want 20", all)
	}
}

// A Cinder that gives its volumes in another order than asked is asked for all of
// them each time: nothing is taken for gone.
func TestVolumesInAnotherOrder(t *testing.T) {
	f, v, look := sweeping(t)
	v.unordered = true
	for range 3 {
		if all, _ := volumeCounts(look()); all != 20 {
			t.Errorf("%v volumes counted, want 20", all)
		}
	}
	if n, calls := f.called("cinder"); n != 7 {
		t.Errorf("%d calls, want the whole list and nothing else: %q", n, calls)
	}
}

// A service whose count includes what it does not list is not hurried for it.
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
	time.Sleep(fullEvery + 50*time.Millisecond)
	if got, err := collect(t, s); err != nil || len(got.Inventories) != 1 || !got.Inventories[0].Complete {
		t.Fatalf("%v %+v", err, got)
	}
	f.forget()
	if got, err := collect(t, s); err != nil || len(got.Inventories) != 0 {
		t.Errorf("%v %+v", err, got)
	}
	if n, calls := f.called("cinder"); n != 3 {
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

// The cold start asks once for each project, later looks for a fiftieth of them.
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
	if n, calls := f.called("cinder"); err != nil || n != 3 || len(later.Samples) != 3*(projects-1) { // 99/50 and p7
		t.Errorf("%d calls later, %d samples: %v %q", n, len(later.Samples), err, calls)
	}
}

// manyVolumes is a Cinder with n volumes in pages of a thousand, of which the last
// changed are in a look at changes.
func manyVolumes(tb testing.TB, f *fakeCloud, n, changed int) {
	one := func(i int) string {
		return fmt.Sprintf(`{"id": "%08x-0000-4000-8000-000000000000", "status": "in-use", "size": 20, "availability_zone": "nova", "created_at": "2026-11-25T17:57:10.000000",
			"updated_at": "2026-11-25T17:57:15.000000", "name": "pvc-%d", "description": "", "volume_type": "nvme", "snapshot_id": null, "source_volid": null,
			"metadata": {"kubernetes.io/created-for/pv/name": "pvc-%d"}, "links": [{"rel": "self", "href": "http://api.example.org/v3/volumes/x"}], "user_id": "u", "bootable": "false", "encrypted": false,
			"attachments": [{"server_id": "%08x-1111-4000-8000-000000000000", "host_name": "cmp", "device": "/dev/sdb", "attached_at": "2026-11-25T17:57:14.000000"}],
			"os-vol-tenant-attr:tenant_id": "project-%d", "os-vol-host-attr:host": "stor-1@nvme#nvme-p%d"}`, i, i, i, i, i%500, i%6)
	}
	page := func(from, to int, next string) []byte {
		var b strings.Builder
		b.WriteString(`{"volumes": [`)
		for i := from; i < to; i++ {
			if i > from {
				b.WriteByte(',')
			}
			b.WriteString(one(i))
		}
		b.WriteString("]" + next + "}")
		return []byte(b.String())
	}
	pages := map[string][]byte{"changes": page(n-changed, n, "")}
	for from := 0; from < n; from += 1000 {
		next, marker := "", ""
		if from+1000 < n {
			next = fmt.Sprintf(`, "volumes_links": [{"rel": "next", "href": "http://internal/volumes/detail?all_tenants=1&limit=1000&marker=%d"}]`, from+1000)
		}
		if from > 0 {
			marker = fmt.Sprint(from)
		}
		pages[marker] = page(from, min(from+1000, n), next)
	}
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		query := r.URL.Query()
		switch {
		case strings.HasPrefix(call, "cinder /volumes?"):
			_, _ = fmt.Fprintf(w, `{"volumes": [], "count": %d}`, n)
		case strings.HasPrefix(call, "cinder /volumes/detail?") && query.Has("updated_at"):
			_, _ = w.Write(pages["changes"])
		case strings.HasPrefix(call, "cinder /volumes/detail?") && query.Has("created_at"):
			_, _ = io.WriteString(w, `{"volumes": []}`)
		case strings.HasPrefix(call, "cinder /volumes/detail?"):
			body, ok := pages[query.Get("marker")]
			if !ok {
				tb.Errorf("no page behind %q", query.Get("marker"))
			}
			_, _ = w.Write(body)
		default:
			return false
		}
		return true
	})
}

func TestVolumesInPages(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	manyVolumes(t, f, 3500, 7)
	s := source(t, cloud, "cinder_volumes")
	for round, calls := range []int{4, 3} {
		f.forget()
		look, err := collect(t, s)
		if err != nil {
			t.Fatal(err)
		}
		n, made := f.called("cinder")
		if round == 0 {
			n-- // the version document
		}
		if all, _ := volumeCounts(look); n != calls || all != 3500 || len(objectIDs(look)) != []int{3500, 7}[round] {
			t.Errorf("round %d: %d calls, %v volumes, %d objects: %q", round, n, all, len(objectIDs(look)), made)
		}
	}
}

// BenchmarkVolumes looks at 100,000 volumes: all of them, then with 1,000 changed.
func BenchmarkVolumes(b *testing.B) {
	f := newFakeCloud(b)
	cloud, _ := f.connect(nil)
	manyVolumes(b, f, 100_000, 1000)
	ctx := b.Context()
	for name, every := range map[string]time.Duration{"all": time.Nanosecond, "changes": time.Hour} {
		b.Run(name, func(b *testing.B) {
			s := cinder.Sources(cloud, cinder.Config{FullEvery: every})[3]
			if _, err := s.Collector.Collect(ctx); err != nil {
				b.Fatal(err)
			}
			var held runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&held)
			b.ResetTimer()
			for range b.N {
				if _, err := s.Collector.Collect(ctx); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(held.HeapAlloc)/(1<<20), "MiB-heap")
			runtime.KeepAlive(s)
		})
	}
}
