package parts

import (
	"runtime/debug"

	"mcloud/cmd/config"
)

// LimitMemory makes the collector of garbage work harder when the process comes
// near a size; 0 leaves it to $GOMEMLIMIT. It is for a process that only exports.
func LimitMemory(size config.Bytes) {
	if size > 0 {
		debug.SetMemoryLimit(int64(size))
	}
}
