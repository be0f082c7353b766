package spool

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"mcloud"
)

// sum stands for one object of an inventory.
type sum struct {
	id  string
	sum [16]byte // of everything but the id
}

// sumsOf are the sums of objects that are sorted by id, and a hash of them all.
func sumsOf(objects []mcloud.Object) ([]sum, string) {
	sums := make([]sum, len(objects))
	all := sha256.New()
	var b []byte
	for i, o := range objects {
		b = b[:0]
		for _, field := range [...]string{string(o.Kind), o.Name, o.Parent, o.Project} {
			b = append(binary.AppendUvarint(b, uint64(len(field))), field...)
		}
		h := sha256.Sum256(append(b, o.Attributes...))
		sums[i] = sum{id: o.ID, sum: [16]byte(h[:16])}
		b = append(append(b[:0], o.ID...), 0)
		all.Write(append(b, sums[i].sum[:]...))
	}
	return sums, hex.EncodeToString(all.Sum(nil))
}

func find(sums []sum, id string) (at int, there bool) {
	return slices.BinarySearchFunc(sums, id, func(s sum, id string) int { return strings.Compare(s.id, id) })
}

// difference is what a complete look, sorted, has that the acknowledged one had
// otherwise. It says no when that is more than half of all.
func difference(v mcloud.Inventory, objects []sum, last ack) (d mcloud.Inventory, small bool) {
	d = v
	d.Complete, d.Since, d.Count, d.Objects = false, last.look, len(v.Objects), []mcloud.Object{}
	before := last.objects
	gone := func(until string) { // both are sorted
		for len(before) > 0 && (until == "" || before[0].id < until) {
			d.Gone = append(d.Gone, before[0].id)
			before = before[1:]
		}
	}
	for i, o := range objects {
		if i > 0 && o.id == objects[i-1].id {
			return v, false // invalid; the collector says so
		}
		gone(o.id)
		if len(before) > 0 && before[0].id == o.id {
			same := bytes.Equal(before[0].sum[:], o.sum[:])
			before = before[1:]
			if same {
				continue
			}
		}
		d.Objects = append(d.Objects, v.Objects[i])
	}
	gone("")
	return d, 2*(len(d.Objects)+len(d.Gone)) <= len(v.Objects)
}
