package ceph

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

// socketID tells one start of a daemon from the next: each binds a new file.
type socketID struct {
	device, inode uint64
	ctime         int64 // nanoseconds; inode numbers are used again
}

func socketIDOf(path string) (socketID, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return socketID{}, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return socketID{}, fmt.Errorf("%s: the system does not tell its inode", path)
	}
	return socketID{uint64(stat.Dev), stat.Ino, stat.Ctim.Nano()}, nil
}

// daemonFile reads a daemon's name from Ceph's default "$cluster-$name.asok":
// type and id, which may itself hold dots ("mgr.host.domain").
var (
	daemonFile = regexp.MustCompile(`(?:^|-)((?:osd|mon|mgr|mds|rbd-mirror|cephfs-mirror)\.[^/]+|client\.(?:rgw|rbd-mirror|cephfs-mirror|ceph-exporter)[^/]*?)\.asok$`)
	clientFile = regexp.MustCompile(`(?:^|-)client\.`)
)

// nameFromFile is the name to show until the daemon has told its own. ok is
// false for a plain client's socket, whose name carries a pid.
func nameFromFile(path string) (name string, ok bool) {
	base := filepath.Base(path)
	if m := daemonFile.FindStringSubmatch(base); m != nil {
		return m[1], true
	}
	if clientFile.MatchString(base) {
		return "", false
	}
	return base, true
}
