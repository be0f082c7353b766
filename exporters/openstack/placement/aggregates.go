package placement

import (
	"context"
	"net/url"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"mcloud/exporters/openstack"
)

// compute is Nova's API, for the list of its host aggregates.
var compute = openstack.API{
	Name: "nova", Types: []string{"compute"}, Version: "v2.1", Header: "compute",
	Min: openstack.Microversion{Major: 2, Minor: 61}, Max: openstack.Microversion{Major: 2, Minor: 100},
}

// fewProviders are read with their aggregates, one call each, without asking Nova.
const fewProviders = 3

// mirrored gives the aggregates of every provider with one call for each of
// Nova's host aggregates, which Nova mirrors here under their uuids. ok is false
// when asking each of n providers costs no more, or when not all of it could be
// read: then they are asked. Aggregates that Nova does not know (of shared storage)
// come when the providers have their turn.
func (c *collector) mirrored(ctx context.Context, n int) (of map[string][]string, ok bool) {
	if n <= fewProviders {
		return nil, false
	}
	type aggregate struct {
		UUID string `json:"uuid"`
	}
	list, err := openstack.List[aggregate](ctx, c.cloud, compute, "/os-aggregates", "aggregates", nil)
	if err != nil || len(list.Failed) > 0 || len(list.Objects) >= n {
		return nil, false
	}
	of = map[string][]string{}
	var mu sync.Mutex // guards of
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, a := range list.Objects {
		group.Go(func() error {
			members, err := openstack.List[provider](groupCtx, c.cloud, api, "/resource_providers", "resource_providers", url.Values{"member_of": {a.UUID}})
			if err == nil && len(members.Failed) > 0 {
				err = members.Failed[0]
			}
			mu.Lock()
			defer mu.Unlock()
			for _, p := range members.Objects {
				of[p.UUID] = append(of[p.UUID], a.UUID)
			}
			return err
		})
	}
	if group.Wait() != nil {
		return nil, false
	}
	for _, uuids := range of {
		slices.Sort(uuids)
	}
	return of, true
}
