package glance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// image is one entry of /v2/images. Sizes are null before there are data.
type image struct {
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	Status      string         `json:"status"`
	Visibility  string         `json:"visibility"`
	Hidden      openstack.Bool `json:"os_hidden"`
	Protected   openstack.Bool `json:"protected"`
	Container   string         `json:"container_format"`
	Disk        string         `json:"disk_format"`
	Size        openstack.Int  `json:"size"`
	VirtualSize openstack.Int  `json:"virtual_size"`
	MinDisk     openstack.Int  `json:"min_disk"`
	MinRAM      openstack.Int  `json:"min_ram"`
	Owner       string         `json:"owner"`
	Stores      string         `json:"stores"` // "file,cold"; absent with one store
	Tags        []string       `json:"tags"`
	Created     openstack.Time `json:"created_at"`
	Updated     openstack.Time `json:"updated_at"`
}

// stores are where the image's data lie, sorted.
func (v *image) stores() []string {
	var stores []string
	for name := range strings.SplitSeq(v.Stores, ",") {
		if name = strings.TrimSpace(name); name != "" {
			stores = append(stores, name)
		}
	}
	slices.Sort(stores)
	return slices.Compact(stores)
}

func (v *image) object() mcloud.Object {
	tags := slices.Sorted(slices.Values(v.Tags))
	return mcloud.NewObject(mcloud.KindImage, v.ID, v.Name, "", v.Owner, mcloud.Image{
		Name: v.Name, Status: v.Status, Visibility: v.Visibility, Hidden: bool(v.Hidden), Protected: bool(v.Protected),
		ContainerFormat: v.Container, DiskFormat: v.Disk, SizeBytes: int64(v.Size), VirtualBytes: int64(v.VirtualSize),
		MinDiskGiB: int64(v.MinDisk), MinMemoryMiB: int64(v.MinRAM), Stores: v.stores(), Tags: tags, Created: v.Created.Time,
	})
}

type imagesCollector struct {
	cloud *openstack.Cloud
	cfg   Config
}

// Collect takes one look. It is not called concurrently.
func (c *imagesCollector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	all, errShown := c.list(ctx, "false")
	if errShown != nil && len(all.Objects) == 0 {
		return nil, errShown
	}
	hiddenOnes, errHidden := c.list(ctx, "true")
	all.Objects, all.Failed = append(all.Objects, hiddenOnes.Objects...), append(all.Failed, hiddenOnes.Failed...)
	s := &exporters.Snapshot{}
	all.NoteIn(s)
	if err := c.unseen(ctx, all.Objects); err != nil {
		return s, err // a part that looks like the whole is not counted
	}
	err := errors.Join(errShown, errHidden)
	inventory := mcloud.Inventory{Cloud: c.cloud.Name(), Scope: "glance", Kind: mcloud.KindImage, Time: start, Complete: err == nil && len(all.Failed) == 0}
	seen := map[string]bool{}
	images := all.Objects[:0]
	for _, v := range all.Objects {
		if seen[v.ID] {
			continue // hidden between the two lists
		}
		seen[v.ID] = true
		images = append(images, v)
		inventory.Objects = append(inventory.Objects, v.object())
	}
	s.Inventories = []mcloud.Inventory{inventory}
	if err == nil {
		c.addSamples(ctx, s, images, start)
	}
	return s, err
}

func (c *imagesCollector) list(ctx context.Context, hidden string) (openstack.Listing[image], error) {
	return openstack.List[image](ctx, c.cloud, api, "/images", "images", url.Values{"visibility": {"all"}, "os_hidden": {hidden}, "limit": {"1000"}})
}

// unseen is an error when the account does not see other projects' images. One that
// is not an administrator's proves that it does by private images of several
// projects, or else by a list that only administrators may read.
func (c *imagesCollector) unseen(ctx context.Context, seen []image) error {
	if admin, err := c.cloud.Admin(ctx); admin || err != nil {
		return err
	}
	owners := map[string]bool{}
	for _, v := range seen {
		if v.Visibility == "private" {
			owners[v.Owner] = true
		}
	}
	if len(owners) > 1 {
		return nil
	}
	_, err := c.cloud.Get(ctx, api, "/info/stores/detail", nil)
	if kind := exporters.KindOf(err); err == nil || kind != exporters.KindForbidden {
		return err
	}
	return exporters.WithKind(fmt.Errorf("glance: GET /images: the account of cloud %q sees only public images and its own project's: "+
		"it needs the role admin, or a policy for context_is_admin and stores_info_detail", c.cloud.Name()), exporters.KindForbidden)
}

// unfinished are the states of an image that waits for its data
// (glance/api/v2/images.py).
var unfinished = []string{"queued", "saving", "importing", "uploading"}

func (c *imagesCollector) addSamples(ctx context.Context, s *exporters.Snapshot, list []image, now time.Time) {
	var count, sizes, owned, ownedSizes, stored, storedSizes exporters.Tally
	stuck := map[string]float64{}
	for _, v := range list {
		bytes := float64(v.Size)
		count.Add(1, v.Status, v.Visibility, v.Container, v.Disk, yesNo(bool(v.Hidden)))
		sizes.Add(bytes, v.Status, v.Visibility)
		owned.Add(1, v.Owner)
		ownedSizes.Add(bytes, v.Owner)
		for _, store := range v.stores() {
			stored.Add(1, store)
			storedSizes.Add(bytes, store)
		}
		changed := cmp.Or(v.Updated.Time, v.Created.Time)
		if slices.Contains(unfinished, v.Status) && !changed.IsZero() && now.Sub(changed) > c.cfg.UnfinishedAfter {
			stuck[v.Status]++
		}
		if exporters.Wants(ctx, exporters.SetObjects) {
			s.Add(imageInfo, 1, v.ID, v.Name, v.Owner, v.Status, v.Visibility, v.Disk)
			s.Add(imageSize, bytes, v.ID, v.Owner)
			s.Add(imageCreated, float64(v.Created.Unix()), v.ID, v.Owner)
		}
	}
	count.AddTo(s, images)
	sizes.AddTo(s, imagesSize)
	owned.AddTo(s, projectImages)
	ownedSizes.AddTo(s, projectImagesSize)
	stored.AddTo(s, storeImages)
	storedSizes.AddTo(s, storeImagesSize)
	for _, status := range unfinished {
		s.Add(imagesStuck, stuck[status], status)
	}
}

func yesNo(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
