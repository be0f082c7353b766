package glance

import "mcloud/exporters"

func gauge(name, unit string, set exporters.Set, call string, labels []string, help string) *exporters.Family {
	return &exporters.Family{Name: "openstack_glance_" + name, Unit: unit, Type: exporters.Gauge, Labels: labels, Set: set, Call: call, Help: help}
}

const (
	fromImages = "GET /v2/images"
	fromStores = "GET /v2/info/stores/detail"
)

var imageFamilies = []*exporters.Family{
	images, imagesSize, projectImages, projectImagesSize, storeImages, storeImagesSize, imagesStuck, imageInfo, imageSize, imageCreated,
}

var (
	images = gauge("images", "", exporters.SetBase, fromImages, []string{"status", "visibility", "container_format", "disk_format", "hidden"},
		"Images by status, visibility, formats, and whether they are hidden from lists.")
	imagesSize = gauge("images_size_bytes", "bytes", exporters.SetBase, fromImages, []string{"status", "visibility"},
		"Sum of the images' sizes by status and visibility; one that lies in several stores counts once.")
	projectImages     = gauge("project_images", "", exporters.SetBase, fromImages, []string{"project_id"}, "Images by the project that owns them.")
	projectImagesSize = gauge("project_images_size_bytes", "bytes", exporters.SetBase, fromImages, []string{"project_id"},
		"Sum of the images' sizes by the project that owns them.")
	storeImages = gauge("store_images", "", exporters.SetBase, fromImages, []string{"store"},
		"Images by the stores that their data lie in; absent when Glance has one store and does not name it.")
	storeImagesSize = gauge("store_images_size_bytes", "bytes", exporters.SetBase, fromImages, []string{"store"},
		"Sum of the images' sizes by the stores that their data lie in.")
	imagesStuck = gauge("images_stuck", "", exporters.SetBase, fromImages, []string{"status"},
		"Images that have waited for their data (queued, saving, importing, uploading) for more than an hour, by that state.")
	imageInfo = gauge("image_info", "", exporters.SetObjects, fromImages, []string{"id", "name", "project_id", "status", "visibility", "disk_format"},
		"An image with its name, owner and state; always 1.")
	imageSize    = gauge("image_size_bytes", "bytes", exporters.SetObjects, fromImages, []string{"id", "project_id"}, "Size of an image's data; 0 before there are any.")
	imageCreated = gauge("image_created_timestamp_seconds", "seconds", exporters.SetObjects, fromImages, []string{"id", "project_id"}, "When an image was made.")
)

var storeFamilies = []*exporters.Family{stores, storeInfo}

var (
	stores    = gauge("stores", "", exporters.SetBase, fromStores, nil, "Stores that image data may lie in; absent when Glance has one only and does not name it.")
	storeInfo = gauge("store_info", "", exporters.SetBase, fromStores, []string{"store", "type", "default", "read_only"},
		"A store with its kind (empty where the account may not read it); always 1.")
)

var taskFamilies = []*exporters.Family{tasks}

var tasks = gauge("tasks", "", exporters.SetBase, "GET /v2/tasks", []string{"type", "status"}, "Tasks that Glance remembers, by type and status.")
