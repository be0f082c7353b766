package ceph

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"mcloud"
	"mcloud/exporters"
)

// fakeOmaps keeps objects by pool and name.
type fakeOmaps struct {
	fakeMon
	objects map[string]map[string][]byte // by "pool/object"
	broken  string                       // an object that cannot be read
}

func (f *fakeOmaps) Omap(_ context.Context, pool, object, after, prefix string, most int) (map[string][]byte, error) {
	key := pool + "/" + object
	if key == f.broken {
		return nil, exporters.WithKind(errors.New("ret=-1"), exporters.KindForbidden)
	}
	values, ok := f.objects[key]
	if !ok {
		return nil, exporters.WithKind(errors.New("ret=-2"), exporters.KindNotFound)
	}
	page := map[string][]byte{}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if k > after && strings.HasPrefix(k, prefix) && len(page) < most {
			page[k] = values[k]
		}
	}
	return page, nil
}

func (f *fakeOmaps) create(pool, name, id string, size uint64) {
	text := func(s string) []byte { return append(binary.LittleEndian.AppendUint32(nil, uint32(len(s))), s...) }
	directory := pool + "/rbd_directory"
	if f.objects[directory] == nil {
		f.objects[directory] = map[string][]byte{}
	}
	f.objects[directory]["name_"+name], f.objects[directory]["id_"+id] = text(id), text(name)
	f.objects[pool+"/rbd_header."+id] = map[string][]byte{"features": make([]byte, 8), "size": binary.LittleEndian.AppendUint64(nil, size), "order": {22}}
}

func rbdSource(t *testing.T) (*fakeOmaps, exporters.Source) {
	t.Helper()
	f := &fakeOmaps{fakeMon: fakeMon{dir: "testdata/18.2/geo"}, objects: map[string]map[string][]byte{}}
	return f, sources(t, testConfig(), f)["ceph_rbd"]
}

// rbdPool is the recorded cluster's pool of images.
const rbdPool, rbdPoolID = "volumes-geo", "1"

func TestImages(t *testing.T) {
	f, s := rbdSource(t)
	const volume = "7c1e0000-0000-4000-8000-000000000001"
	f.create(rbdPool, "volume-"+volume, "1a", 2<<30)
	f.create(rbdPool, "image", "1b", 1<<30)
	snap, err := collect(t, s)
	if err != nil || len(snap.Failed) > 0 {
		t.Fatal(err, snap.Failed)
	}
	if value(t, snap, `ceph_pool_rbd_images{pool_id="`+rbdPoolID+`"}`) != 2 || value(t, snap, `ceph_pool_rbd_provisioned_bytes{pool_id="`+rbdPoolID+`"}`) != 3<<30 ||
		value(t, snap, `ceph_rbd_image_size_bytes{pool="`+rbdPool+`",image="volume-`+volume+`",volume_id="`+volume+`"}`) != 2<<30 ||
		value(t, snap, `ceph_rbd_image_size_bytes{pool="`+rbdPool+`",image="image",volume_id=""}`) != 1<<30 {
		t.Error(render(snap))
	}
	if v := snap.Inventories[0]; v.Kind != mcloud.KindRBDImage || !v.Complete || len(v.Objects) != 2 {
		t.Errorf("%+v", v)
	}

	// One header that cannot be read: its size is not known, so the sum is not either.
	f.create(rbdPool, "third", "1c", 5)
	f.broken = rbdPool + "/rbd_header.1c"
	snap, _ = collect(t, s)
	if len(snap.Failed) != 1 || has(snap, `ceph_pool_rbd_provisioned_bytes{pool_id="1"`) || value(t, snap, `ceph_pool_rbd_images{pool_id="`+rbdPoolID+`"}`) != 3 || snap.Inventories[0].Complete {
		t.Error(render(snap))
	}
	// The directory cannot be read: no count, no zero.
	f.broken = rbdPool + "/rbd_directory"
	snap, err = collect(t, s)
	if err == nil || has(snap, `ceph_pool_rbd_images{pool_id="1"`) {
		t.Error(err, render(snap))
	}
	// All of them deleted.
	f.broken = ""
	f.objects = map[string]map[string][]byte{}
	if snap, err = collect(t, s); err != nil || value(t, snap, `ceph_pool_rbd_images{pool_id="`+rbdPoolID+`"}`) != 0 || has(snap, "ceph_rbd_image") {
		t.Error(err, render(snap))
	}
}

func TestManyImagesArePaged(t *testing.T) {
	f, s := rbdSource(t)
	const n = 2*directoryPage + 10
	for i := range n {
		f.create(rbdPool, fmt.Sprintf("volume-%08d", i), fmt.Sprintf("%x", i), 1<<20)
	}
	snap, err := collect(t, s)
	if err != nil || value(t, snap, `ceph_pool_rbd_images{pool_id="`+rbdPoolID+`"}`) != n || value(t, snap, `ceph_pool_rbd_provisioned_bytes{pool_id="`+rbdPoolID+`"}`) != n<<20 {
		t.Error(err)
	}
}

func TestVolumeOf(t *testing.T) {
	const id = "7c1e0000-0000-4000-8000-000000000001"
	for name, want := range map[string]string{"volume-" + id: id, "volume-" + id + ".deleted": id, "volume-x": "", id + "_disk": "", "xvolume-" + id: ""} {
		if got := volumeOf(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func FuzzOmapString(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, 'a', 'b'})
	f.Add([]byte{255, 255, 255, 255, 'a'})
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := omapString(b); err == nil && len(s) != len(b)-4 {
			t.Errorf("%q of %q", s, b)
		}
	})
}
