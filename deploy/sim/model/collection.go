package model

// Collection keeps things in the order they came and by their id.
type Collection[T any] struct {
	ids   []string // "" where one was removed
	order []*T     // parallel to ids
	at    map[string]int

	version uint64
}

// Version changes whenever a member comes or goes.
func (c *Collection[T]) Version() uint64 { return c.version }

// All returns the members, oldest first. The slice is the Collection's own
// until its next change.
func (c *Collection[T]) All() []*T {
	if len(c.order) > len(c.at) {
		c.compact()
	}
	return c.order
}

// Len is the number of members.
func (c *Collection[T]) Len() int { return len(c.at) }

// Get returns the member with the id, or nil.
func (c *Collection[T]) Get(id string) *T {
	if i, ok := c.at[id]; ok {
		return c.order[i]
	}
	return nil
}

func (c *Collection[T]) add(id string, x *T) {
	if c.at == nil {
		c.at = map[string]int{}
	}
	c.version++
	c.at[id] = len(c.order)
	c.ids, c.order = append(c.ids, id), append(c.order, x)
}

func (c *Collection[T]) remove(id string) {
	if i, ok := c.at[id]; ok {
		c.version++
		delete(c.at, id)
		c.ids[i], c.order[i] = "", nil
	}
}

func (c *Collection[T]) compact() {
	n := 0
	for i, id := range c.ids {
		if id == "" {
			continue
		}
		c.ids[n], c.order[n], c.at[id] = id, c.order[i], n
		n++
	}
	clear(c.order[n:])
	clear(c.ids[n:])
	c.ids, c.order = c.ids[:n], c.order[:n]
}
