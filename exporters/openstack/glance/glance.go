// Package glance looks at a cloud's images, stores and tasks.
//
// Calls per round: glance_images 2, with one more for each further thousand images
// (hidden images are a list of their own). glance_stores 1, or 2 where the account
// may not read the stores' details. glance_tasks 1, with one more for each further
// thousand tasks.
//
// Glance shows an account that is not an administrator's the public images and its
// own project's, and refuses nothing. Such a list is an error here and never a
// complete Inventory. What Glance says of limits and use (/v2/info/usage) is of the
// asking project alone and not read; checksums, locations and properties of images
// are not decoded.
package glance

import (
	"cmp"
	"context"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{Name: "glance", Types: []string{"image"}, Version: "v2"}

// Config configures Sources.
type Config struct {
	Period time.Duration // 2 minutes if zero
	// UnfinishedAfter is how long an image may wait for its data before it counts
	// as stuck; an hour if zero.
	UnfinishedAfter time.Duration
}

// Sources returns what looks at Glance: glance_images, glance_stores,
// glance_tasks.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, 2*time.Minute)
	cfg.UnfinishedAfter = cmp.Or(cfg.UnfinishedAfter, time.Hour)
	images := &imagesCollector{cloud: cloud, cfg: cfg}
	with := func(collect func(context.Context, *openstack.Cloud) (*exporters.Snapshot, error)) func(context.Context) (*exporters.Snapshot, error) {
		return func(ctx context.Context) (*exporters.Snapshot, error) { return collect(ctx, cloud) }
	}
	return []exporters.Source{
		cloud.Source("glance_images", "glance", cfg.Period, 2*time.Minute, images.Collect, imageFamilies...),
		cloud.Source("glance_stores", "glance", cfg.Period, time.Minute, with(collectStores), storeFamilies...),
		cloud.Source("glance_tasks", "glance", cfg.Period, time.Minute, with(collectTasks), taskFamilies...),
	}
}

// Calls are all kinds of request that this package makes.
func Calls() []openstack.Call {
	return []openstack.Call{
		{API: api, Path: "/images", Query: map[string]string{"visibility": "all", "limit": "1"}, Rule: "get_images, context_is_admin", Role: "admin", Gives: "images of all projects"},
		{API: api, Path: "/images", Query: map[string]string{"visibility": "all", "os_hidden": "true", "limit": "1"}, Rule: "get_images, context_is_admin", Role: "admin", Gives: "hidden images"},
		{API: api, Path: "/info/stores/detail", Rule: "stores_info_detail", Role: "admin", Gives: "kind of each store", Optional: true, Dispensable: true},
		{API: api, Path: "/info/stores", Rule: "", Role: "reader", Gives: "stores", Optional: true},
		{API: api, Path: "/tasks", Query: map[string]string{"limit": "1"}, Rule: "tasks_api_access, get_tasks", Role: "admin", Gives: "imports and other tasks", Optional: true, Dispensable: true},
	}
}
