package mcloud

// KindRBDImage is a block device in a Ceph pool.
const KindRBDImage Kind = "rbd_image"

// RBDImage is a block device in a Ceph pool. Object.ID is "cluster/pool/image",
// Object.Parent "cluster/pool".
type RBDImage struct {
	Cluster string `json:"cluster"`
	Pool    string `json:"pool"`
	// SizeBytes is what the image may grow to; what it takes is not known without
	// reading the whole of it.
	SizeBytes int64 `json:"size_bytes"`
	// VolumeID is the id of the Cinder volume that the image's name holds.
	VolumeID string `json:"volume_id,omitempty"`
}
