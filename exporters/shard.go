package exporters

import (
	"fmt"
	"hash/fnv"
	"slices"
)

// Shard is one of several exporters that divide a cloud's systems among them.
// The zero value owns everything.
type Shard struct {
	// Index is 0 to Of-1.
	Index, Of int
}

// Owns says whether the system with this key is this shard's, by rendezvous
// hashing (Thaler and Ravishankar, 1998): with one shard more or less, only the
// systems of that shard move.
func (s Shard) Owns(key string) bool {
	if s.Of <= 1 {
		return true
	}
	best, most := 0, uint64(0)
	for i := range s.Of {
		h := fnv.New64a()
		fmt.Fprintf(h, "%d\xff%s", i, key)
		if weight := mix(h.Sum64()); weight > most || i == 0 {
			best, most = i, weight
		}
	}
	return best == s.Index
}

// mix spreads what FNV leaves alike in short keys (the finalizer of MurmurHash3).
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// Own returns the Sources that are this shard's. Those of one system of one cloud
// or cluster stay together: they share what they read.
func (s Shard) Own(sources []Source) []Source {
	return slices.DeleteFunc(slices.Clone(sources), func(source Source) bool {
		key := source.System
		for _, name := range constNames(source) {
			key += "\xff" + name + "=" + source.Const[name]
		}
		return !s.Owns(key)
	})
}
