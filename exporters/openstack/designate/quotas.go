package designate

import (
	"context"
	"maps"
	"math"
	"slices"

	json "github.com/go-json-experiment/json/v1"

	"mcloud/exporters"
)

// quotas reads the limits that a project has by default. Designate has no list of
// the projects whose limits differ, and a call for each project would tell next
// to nothing of a quota that nobody changes.
func (c *quotasCollector) quotas(ctx context.Context, s *exporters.Snapshot) error {
	answer, err := c.cloud.Get(ctx, api, "/quotas", nil)
	if missing(err) {
		s.Skipped++
		return nil
	}
	if err != nil {
		return refused(c.cloud, err)
	}
	for _, resource := range slices.Sorted(maps.Keys(answer.Members)) {
		var n float64
		if json.Unmarshal(answer.Members[resource], &n) != nil {
			continue // links
		}
		if n < 0 {
			n = math.Inf(1)
		}
		s.Add(quotaDefault, n, resource)
	}
	return nil
}
