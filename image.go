package mcloud

import "time"

// KindImage is Glance's.
const KindImage Kind = "image"

// Image is a Glance image.
type Image struct {
	Name            string    `json:"name"`
	Status          string    `json:"status"`     // "active", "queued", "saving", "importing", "deactivated", …
	Visibility      string    `json:"visibility"` // "public", "private", "shared", "community"
	Hidden          bool      `json:"hidden,omitempty"`
	Protected       bool      `json:"protected,omitempty"`
	ContainerFormat string    `json:"container_format,omitempty"`
	DiskFormat      string    `json:"disk_format,omitempty"`
	SizeBytes       int64     `json:"size_bytes"`    // stored; 0 before there are data
	VirtualBytes    int64     `json:"virtual_bytes"` // of the disk it makes; 0 when Glance does not know
	MinDiskGiB      int64     `json:"min_disk_gib,omitempty"`
	MinMemoryMiB    int64     `json:"min_memory_mib,omitempty"`
	Stores          []string  `json:"stores,omitempty"` // sorted
	Tags            []string  `json:"tags,omitempty"`   // sorted
	Created         time.Time `json:"created"`
}
