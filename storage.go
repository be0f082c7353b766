package mcloud

import "time"

// Further kinds of Cinder's.
const (
	KindVolumeSnapshot Kind = "volume_snapshot"
	KindVolumeBackup   Kind = "volume_backup"
)

// Volume is a Cinder volume.
type Volume struct {
	Name       string    `json:"name"`
	Status     string    `json:"status"` // "available", "in-use", "error", …
	SizeGiB    int64     `json:"size_gib"`
	Type       string    `json:"type"` // volume type's name
	Zone       string    `json:"zone,omitempty"`
	Pool       string    `json:"pool,omitempty"` // os-vol-host-attr:host, "host@backend#pool"
	Bootable   bool      `json:"bootable,omitempty"`
	Encrypted  bool      `json:"encrypted,omitempty"`
	AttachedTo []string  `json:"attached_to,omitempty"` // server ids, sorted
	Snapshot   string    `json:"snapshot,omitempty"`    // id of the snapshot that it was made from
	Source     string    `json:"source,omitempty"`      // id of the volume that it is a clone of
	Image      string    `json:"image,omitempty"`       // id of the image that it was made from
	Group      string    `json:"group,omitempty"`       // id of its volume group
	Shared     bool      `json:"shared,omitempty"`      // may be attached to several servers (multiattach)
	Migration  string    `json:"migration,omitempty"`   // migration status: "migrating", "error", "target:…"
	Created    time.Time `json:"created"`
}

// VolumeSnapshot is a Cinder snapshot. Object.Parent is its volume.
type VolumeSnapshot struct {
	Name    string    `json:"name"`
	Status  string    `json:"status"`   // "available", "deleting", "error_deleting", …
	SizeGiB int64     `json:"size_gib"` // of the volume when it was taken: what it may take at most
	Group   string    `json:"group,omitempty"`
	Created time.Time `json:"created"`
}

// VolumeBackup is a Cinder backup. Object.Parent is its volume, which may be
// gone.
type VolumeBackup struct {
	Name        string    `json:"name"`
	Status      string    `json:"status"`             // "available", "creating", "error", …
	SizeGiB     int64     `json:"size_gib"`           // of the volume when it was taken
	Snapshot    string    `json:"snapshot,omitempty"` // id of the snapshot that was backed up
	Container   string    `json:"container,omitempty"`
	Zone        string    `json:"zone,omitempty"`
	Incremental bool      `json:"incremental,omitempty"`
	HasHeirs    bool      `json:"has_heirs,omitempty"` // incremental backups depend on it: it cannot be deleted
	Created     time.Time `json:"created"`
}

// VolumeType is a Cinder volume type.
type VolumeType struct {
	Public     bool              `json:"public"`
	ExtraSpecs map[string]string `json:"extra_specs,omitempty"`
}

// VolumePool is one pool of Cinder's scheduler-stats. Object.ID is its full
// name "host@backend#pool". A capacity that the driver calls "unknown" or
// "infinite" is nil.
type VolumePool struct {
	Backend             string   `json:"backend"`
	TotalGiB            *float64 `json:"total_gib,omitempty"`
	FreeGiB             *float64 `json:"free_gib,omitempty"`
	ProvisionedGiB      float64  `json:"provisioned_gib"`
	AllocatedGiB        float64  `json:"allocated_gib"`
	MaxOverSubscription float64  `json:"max_over_subscription_ratio"`
	ReservedPercent     float64  `json:"reserved_percent"`
	Thin                bool     `json:"thin"`
	State               string   `json:"state"` // backend_state: "up", "down"
}

// CephCluster is a Ceph cluster. Object.ID is its configured name.
type CephCluster struct {
	FSID              string  `json:"fsid"`
	Version           string  `json:"version"`
	NearfullRatio     float64 `json:"nearfull_ratio"`
	BackfillfullRatio float64 `json:"backfillfull_ratio"`
	FullRatio         float64 `json:"full_ratio"`
}

// OSD is a Ceph OSD. Object.ID is "cluster/osd.N", Object.Parent
// "cluster/host".
type OSD struct {
	Cluster     string  `json:"cluster"`
	Number      int64   `json:"number"`
	Host        string  `json:"host"` // CRUSH host
	Rack        string  `json:"rack,omitempty"`
	Datacenter  string  `json:"datacenter,omitempty"`
	Root        string  `json:"root"`
	DeviceClass string  `json:"device_class"`
	Up          bool    `json:"up"`
	In          bool    `json:"in"`
	CrushWeight float64 `json:"crush_weight"` // TiB by convention
	Reweight    float64 `json:"reweight"`     // 0 to 1
	TotalBytes  int64   `json:"total_bytes"`
}

// CrushTake is one take step of a CRUSH rule with what is chosen from it.
type CrushTake struct {
	Bucket        string `json:"bucket"` // a root, or a bucket below one: "dc1"
	DeviceClass   string `json:"device_class,omitempty"`
	FailureDomain string `json:"failure_domain,omitempty"`
	Copies        int64  `json:"copies"` // or chunks, of each object
}

// CephPool is a pool of a Ceph cluster. Object.ID is "cluster/pool".
type CephPool struct {
	Cluster       string `json:"cluster"`
	Number        int64  `json:"number"`
	Type          string `json:"type"` // "replicated", "erasure"
	Size          int64  `json:"size"` // copies, or k+m
	MinSize       int64  `json:"min_size"`
	DataChunks    int64  `json:"data_chunks,omitempty"` // k of an erasure-coded pool
	CrushRule     string `json:"crush_rule"`
	DeviceClass   string `json:"device_class,omitempty"`   // of the rule's take step
	Root          string `json:"root,omitempty"`           // of the rule's take step
	FailureDomain string `json:"failure_domain,omitempty"` // of the rule's choose step: "osd", "host", "datacenter"
	// Takes are the take steps of a rule that has several; Root, DeviceClass and
	// FailureDomain are then of the first.
	Takes       []CrushTake `json:"takes,omitempty"`
	Application string      `json:"application,omitempty"`
	QuotaBytes  int64       `json:"quota_bytes,omitempty"`
	Created     time.Time   `json:"created,omitzero"`
}
