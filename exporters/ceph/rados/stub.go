//go:build !(cgo && ceph)

package rados

// Available reports whether this program can reach Ceph.
const Available = false

// Open always returns ErrNotBuilt in this build.
func Open(Config) (*Mon, error) { return nil, ErrNotBuilt }
