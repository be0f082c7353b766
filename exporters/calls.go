package exporters

import (
	"context"
	"sync"
	"time"
)

// CountCall counts one call to a system's API for the Source that ctx belongs
// to: api names it ("nova", "mon", "unixctl"), code is its answer ("200", "0")
// or the kind of error when none came, d how long it took. A ctx that no Runner
// made counts nothing. Safe for concurrent use.
func CountCall(ctx context.Context, api, code string, d time.Duration) {
	if c, ok := ctx.Value(callsKey{}).(*calls); ok {
		c.add(api, code, d)
	}
}

type callsKey struct{}

type callKey struct{ api, code string }

type callCount struct {
	n       float64
	seconds float64
}

// calls counts for the life of a Source.
type calls struct {
	mu sync.Mutex
	by map[callKey]callCount
}

func newCalls() *calls { return &calls{by: map[callKey]callCount{}} }

func (c *calls) add(api, code string, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.by[callKey{api, code}]
	n.n++
	n.seconds += d.Seconds()
	c.by[callKey{api, code}] = n
}

func (c *calls) snapshot() map[callKey]callCount {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[callKey]callCount, len(c.by))
	for k, v := range c.by {
		all[k] = v
	}
	return all
}
