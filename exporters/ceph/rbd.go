package ceph

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mcloud"
	"mcloud/exporters"
)

var (
	rbdImages      = poolFamily("ceph_pool_rbd_images", "", "omap of rbd_directory", exporters.Gauge, "RBD images in the pool, without those in namespaces and in the trash.")
	rbdProvisioned = poolFamily("ceph_pool_rbd_provisioned_bytes", "bytes", "omap of rbd_header", exporters.Gauge, "Sizes of the pool's RBD images added up; absent until all are known.")
	rbdSize        = &exporters.Family{Name: "ceph_rbd_image_size_bytes", Unit: "bytes", Type: exporters.Gauge, Set: exporters.SetObjects, Call: "omap of rbd_header",
		Labels: []string{"pool", "image", "volume_id"}, Help: "Size of the RBD image as of at most an hour ago; volume_id is that of the Cinder volume."}

	imageFamilies = []*exporters.Family{rbdImages, rbdProvisioned, rbdSize}
)

const (
	imagePeriod = 5 * time.Minute
	imageRounds = int(time.Hour / imagePeriod)
	// A name takes about 60 bytes, so a page of the directory is about 300 kB.
	directoryPage = 5000
	// maxImages bounds what is kept of one pool.
	maxImages      = 500_000
	imageReaders   = 8
	leastImageTurn = 200
)

// images knows the RBD images of a cluster by pool. The directory of each pool is
// read whole in each look; an image's header, which holds its size, when the
// image is new and then once an hour in rotation.
type images struct {
	*cluster
	omaps Omaps
	pools map[string]map[string]image // by pool and image name
	next  int
}

type image struct {
	id   string
	size int64 // -1 until known
}

func newImages(c *cluster, omaps Omaps) *images {
	return &images{cluster: c, omaps: omaps, pools: map[string]map[string]image{}}
}

func (c *images) collect(ctx context.Context) (*exporters.Snapshot, error) {
	l := c.look(ctx)
	dump, ok := fetch[osdDump](l, "osd dump", nil)
	if !ok {
		return l.done()
	}
	pools := map[string]int{}
	for _, p := range dump.Pools {
		if _, rbd := p.Applications["rbd"]; rbd {
			pools[p.Name] = p.ID
		}
	}
	maps.DeleteFunc(c.pools, func(pool string, _ map[string]image) bool { _, there := pools[pool]; return !there })
	listed := map[string]bool{}
	for _, pool := range slices.Sorted(maps.Keys(pools)) {
		if err := c.list(ctx, pool); err != nil {
			l.errs = append(l.errs, fmt.Errorf("ceph cluster %s: images of pool %s: %w", l.cfg.Name, pool, err))
			continue
		}
		listed[pool] = true
	}
	c.readHeaders(l)
	c.add(l, pools, listed)
	return l.done()
}

// list brings the names of a pool's images up to date.
func (c *images) list(ctx context.Context, pool string) error {
	known, found := c.pools[pool], map[string]image{}
	for after := ""; ; {
		page, err := c.omap(ctx, pool, "rbd_directory", after, "name_", directoryPage)
		if exporters.KindOf(err) == exporters.KindNotFound {
			break // no image was ever made
		}
		if err != nil {
			return err
		}
		for key, value := range page {
			after = max(after, key)
			name := strings.TrimPrefix(key, "name_")
			id, err := omapString(value)
			if err != nil {
				return fmt.Errorf("image %q: %w", name, err)
			}
			one := image{id: id, size: -1}
			if before, ok := known[name]; ok && before.id == id {
				one = before
			}
			found[name] = one
		}
		if len(found) > maxImages {
			return fmt.Errorf("there are more than %d", maxImages)
		}
		if len(page) < directoryPage {
			break
		}
	}
	c.pools[pool] = found
	return nil
}

type imageKey struct{ pool, name string }

// readHeaders asks for sizes: of new images until half of the look's time is
// gone, then of the share that is due.
func (c *images) readHeaders(l *look) {
	var fresh, all []imageKey
	for _, pool := range slices.Sorted(maps.Keys(c.pools)) {
		for _, name := range slices.Sorted(maps.Keys(c.pools[pool])) {
			all = append(all, imageKey{pool, name})
			if c.pools[pool][name].size < 0 {
				fresh = append(fresh, imageKey{pool, name})
			}
		}
	}
	turn := fresh
	if share := min(len(all), max(leastImageTurn, (len(all)+imageRounds-1)/imageRounds)); len(fresh) < share {
		for i := range share - len(fresh) {
			if key := all[(c.next+i)%len(all)]; c.pools[key.pool][key.name].size >= 0 { // the fresh are there
				turn = append(turn, key)
			}
		}
		c.next = (c.next + share - len(fresh)) % len(all)
	}
	ctx, cancel := context.WithCancel(l.ctx)
	if deadline, ok := l.ctx.Deadline(); ok {
		cancel()
		ctx, cancel = context.WithDeadline(l.ctx, time.Now().Add(time.Until(deadline)/2))
	}
	defer cancel()
	sizes, failed := make([]int64, len(turn)), make([]error, len(turn))
	var wg sync.WaitGroup
	slots := make(chan struct{}, imageReaders)
	asked := 0
	for i, key := range turn {
		if ctx.Err() != nil {
			break
		}
		asked++
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			sizes[i], failed[i] = c.size(ctx, key.pool, c.pools[key.pool][key.name].id)
		})
	}
	wg.Wait()
	for i, key := range turn[:asked] {
		one := c.pools[key.pool][key.name]
		switch {
		case failed[i] == nil:
			one.size = sizes[i]
			c.pools[key.pool][key.name] = one
		case ctx.Err() != nil && l.ctx.Err() == nil: // its turn comes again
		case exporters.KindOf(failed[i]) == exporters.KindNotFound: // deleted meanwhile
			delete(c.pools[key.pool], key.name)
		default:
			l.fail("image "+key.pool+"/"+key.name, failed[i])
		}
	}
}

func (c *images) size(ctx context.Context, pool, id string) (int64, error) {
	values, err := c.omap(ctx, pool, "rbd_header."+id, "", "size", 1)
	if err != nil {
		return 0, err
	}
	b, ok := values["size"]
	if !ok || len(b) != 8 {
		return 0, fmt.Errorf("%w: the header's size has %d bytes, want 8", errShape, len(b))
	}
	size := binary.LittleEndian.Uint64(b)
	if size > 1<<62 {
		return 0, fmt.Errorf("%w: a size of %d bytes", errShape, size)
	}
	return int64(size), nil
}

func (c *images) omap(ctx context.Context, pool, object, after, prefix string, most int) (map[string][]byte, error) {
	start := time.Now()
	values, err := c.omaps.Omap(ctx, pool, object, after, prefix, most)
	code := "0"
	if err != nil {
		code = exporters.KindOf(err)
	}
	exporters.CountCall(ctx, "osd", code, time.Since(start))
	return values, err
}

// omapString reads Ceph's encoding of a string: a little-endian length of four
// bytes and that many bytes.
func omapString(b []byte) (string, error) {
	if len(b) < 4 {
		return "", fmt.Errorf("%w: %d bytes are no string", errShape, len(b))
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) != uint64(len(b)-4) {
		return "", fmt.Errorf("%w: a string of %d bytes in %d", errShape, n, len(b)-4)
	}
	return string(b[4:]), nil
}

// volumeName is how Cinder names an image, and how it names one that it could not
// delete because of clones.
var volumeName = regexp.MustCompile(`^volume-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?:\.deleted)?$`)

func volumeOf(image string) string {
	if m := volumeName.FindStringSubmatch(image); m != nil {
		return m[1]
	}
	return ""
}

func (c *images) add(l *look, pools map[string]int, listed map[string]bool) {
	wanted := exporters.Wants(l.ctx, exporters.SetObjects)
	var objects []mcloud.Object
	whole := len(listed) == len(pools)
	for _, pool := range slices.SortedFunc(maps.Keys(listed), cmp.Compare) {
		id, provisioned, known := strconv.Itoa(pools[pool]), 0.0, true
		l.snap.Add(rbdImages, float64(len(c.pools[pool])), id)
		for _, name := range slices.Sorted(maps.Keys(c.pools[pool])) {
			one := c.pools[pool][name]
			if one.size < 0 {
				known, whole = false, false
				l.snap.Skipped++
				continue
			}
			l.snap.Seen++
			provisioned += float64(one.size)
			if wanted {
				l.snap.Add(rbdSize, float64(one.size), pool, name, volumeOf(name))
			}
			objects = append(objects, mcloud.NewObject(mcloud.KindRBDImage, c.cfg.Name+"/"+pool+"/"+name, name, c.cfg.Name+"/"+pool, "",
				mcloud.RBDImage{Cluster: c.cfg.Name, Pool: pool, SizeBytes: one.size, VolumeID: volumeOf(name)}))
		}
		if known {
			l.snap.Add(rbdProvisioned, provisioned, id)
		}
	}
	if len(listed) > 0 || whole {
		l.inventory(mcloud.KindRBDImage, whole, objects)
	}
}
