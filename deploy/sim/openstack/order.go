package openstack

import (
	"slices"

	"mcloud/deploy/sim/model"
)

// sorted is a collection in a list's order, made anew when members came or went.
type sorted[T any] struct {
	version uint64
	list    []*T
}

// of returns the members in order; the slice must not be changed.
func (s *sorted[T]) of(c *model.Collection[T], order func(x, y *T) int) []*T {
	if s.list == nil || s.version != c.Version() {
		s.version, s.list = c.Version(), append(make([]*T, 0, c.Len()), c.All()...)
		slices.SortStableFunc(s.list, order)
	}
	return s.list
}

// rows is a list whose documents are made when they are asked for.
type rows struct {
	n   int
	id  func(i int) string
	doc func(i int) object
}

// made are rows that exist already.
func made(docs []object) rows {
	return rows{
		n:   len(docs),
		id:  func(i int) string { id, _ := docs[i]["id"].(string); return id },
		doc: func(i int) object { return docs[i] },
	}
}

// all makes every document.
func (r rows) all() []object {
	docs := make([]object, r.n)
	for i := range docs {
		docs[i] = r.doc(i)
	}
	return docs
}
