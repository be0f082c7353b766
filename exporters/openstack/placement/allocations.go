package placement

import (
	"context"
	"math"

	"mcloud/exporters"
	"time"
)

// allocations are what consumers, such as servers, have of one provider: by
// consumer and resource class.
type allocations map[string]map[string]int64

// addAllocations reads this look's share of the providers' allocations. At the
// cold start it opens one share at each look instead of asking all at once.
func (c *collector) addAllocations(ctx context.Context, s *exporters.Snapshot, providers []provider, now time.Time) error {
	share := int(math.Ceil(float64(len(providers)) * min(1, float64(c.cfg.Period)/float64(c.cfg.AllocationsEvery))))
	c.opened = min(c.opened+share, len(providers))
	names := make(map[string]string, len(providers))
	ids := make([]string, 0, c.opened)
	for _, p := range providers {
		names[p.UUID] = p.Name
		if len(ids) < c.opened {
			ids = append(ids, p.UUID)
		}
	}
	failed, err := c.allocated.Refresh(ctx, ids, now, c.readAllocations)
	s.Failed = append(s.Failed, failed...)
	for uuid, of := range c.allocated.Values() {
		s.Add(consumers, float64(len(of)), names[uuid])
		for consumer, resources := range of {
			for class, n := range resources {
				s.Add(allocation, float64(n), names[uuid], consumer, class)
			}
		}
	}
	return err
}

func (c *collector) readAllocations(ctx context.Context, uuid string) (allocations, error) {
	a, err := c.cloud.Get(ctx, api, "/resource_providers/"+uuid+"/allocations", nil)
	if err != nil {
		return nil, err
	}
	var found map[string]struct {
		Resources map[string]int64 `json:"resources"`
	}
	if err := a.Decode("allocations", &found); err != nil {
		return nil, err
	}
	of := make(allocations, len(found))
	for consumer, v := range found {
		of[consumer] = v.Resources
	}
	return of, nil
}
