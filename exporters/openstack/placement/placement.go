// Package placement looks at a cloud's resource providers: what they have, what
// is used of it, and with which traits.
//
// Calls per round: 1 for the list of providers with their generations, and 1 for
// the usages of all that have room for one more VCPU (allocation_candidates,
// whose provider_summaries carry used and capacity of every class). Providers
// that it does not cover cost up to 3 such calls more for other classes, and
// those that are full in every class 1 call each. A provider's inventories,
// traits and aggregates are asked for, 3 calls, when its generation changed and
// once each hour. Usages are asked each round, because deleting a server's
// allocations (DELETE /allocations/{consumer}) leaves the generation as it is:
// placement/objects/allocation.py, delete_all.
package placement

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{
	Name: "placement", Types: []string{"placement"}, Header: "placement",
	Min: openstack.Microversion{Major: 1, Minor: 17}, Max: openstack.Microversion{Major: 1, Minor: 39},
}

// Config configures Sources.
type Config struct {
	Period time.Duration // 1 minute if zero
}

// Sources returns what looks at Placement: placement_providers.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	if cfg.Period <= 0 {
		cfg.Period = time.Minute
	}
	return []exporters.Source{{
		Name: "placement_providers", System: "placement", Period: cfg.Period, Timeout: 5 * time.Minute,
		Const:     map[string]string{"cloud": cloud.Name()},
		Families:  families(),
		Collector: &collector{cloud: cloud, known: map[string]known{}},
	}}
}

// collector remembers what it read of each provider.
type collector struct {
	cloud *openstack.Cloud
	known map[string]known // by provider uuid
}

// known is what is read of a provider only when its generation changes.
type known struct {
	generation  int64
	read        time.Time
	inventories map[string]mcloud.ProviderInventory
	traits      []string
	aggregates  []string
}

// detailLife is how long known is believed though the generation did not change.
const detailLife = time.Hour

type provider struct {
	UUID       string `json:"uuid"`
	Name       string `json:"name"`
	Generation int64  `json:"generation"`
	Parent     string `json:"parent_provider_uuid"`
	Root       string `json:"root_provider_uuid"`
}

// parallel is how many providers are read at once; the API's budget bounds the
// calls besides.
const parallel = 4

// Collect takes one look. It is not called concurrently.
func (c *collector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	list, err := openstack.List[provider](ctx, c.cloud, api, "/resource_providers", "resource_providers", nil)
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{Seen: len(list.Objects) + len(list.Failed), Failed: list.Failed}
	whole := err == nil && len(list.Failed) == 0
	failed := c.refresh(ctx, list.Objects, start)
	used := c.usages(ctx, list.Objects, failed)

	inventory := mcloud.Inventory{Cloud: c.cloud.Name(), Scope: "placement", Kind: mcloud.KindProvider, Time: start, Complete: whole}
	for _, p := range list.Objects {
		if err := failed[p.UUID]; err != nil {
			s.Failed = append(s.Failed, exporters.ObjectError{Object: "resource provider " + p.Name + " " + p.UUID, Err: err})
			inventory.Complete = false
			continue
		}
		k := c.known[p.UUID]
		addSamples(s, p, k, used[p.UUID])
		inventory.Objects = append(inventory.Objects, mcloud.NewObject(mcloud.KindProvider, p.UUID, p.Name, p.Parent, "", mcloud.Provider{
			Name: p.Name, Root: p.Root, Generation: p.Generation,
			Inventories: k.inventories, Usages: used[p.UUID], Traits: k.traits, Aggregates: k.aggregates,
		}))
	}
	s.Inventories = []mcloud.Inventory{inventory}
	if whole {
		c.drop(list.Objects)
	}
	return s, err
}

// refresh reads what changed and returns the errors by provider.
func (c *collector) refresh(ctx context.Context, providers []provider, now time.Time) map[string]error {
	var changed []provider
	for _, p := range providers {
		if k, ok := c.known[p.UUID]; !ok || k.generation != p.Generation || now.Sub(k.read) >= detailLife {
			changed = append(changed, p)
		}
	}
	failed := map[string]error{}
	var mu sync.Mutex // guards failed and c.known
	var group errgroup.Group
	group.SetLimit(parallel)
	for _, p := range changed {
		group.Go(func() error {
			k, err := c.details(ctx, p.UUID, now)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed[p.UUID] = err
				return nil
			}
			c.known[p.UUID] = k
			return nil
		})
	}
	_ = group.Wait() // errors are kept by provider
	return failed
}

// details reads one provider. The generation it remembers is the one that came
// with the inventories, so that a change in between is read with the next look.
func (c *collector) details(ctx context.Context, uuid string, now time.Time) (known, error) {
	k := known{read: now}
	path := "/resource_providers/" + uuid
	a, err := c.cloud.Get(ctx, api, path+"/inventories", nil)
	if err != nil {
		return k, err
	}
	if err := errors.Join(a.Decode("inventories", &k.inventories), a.Decode("resource_provider_generation", &k.generation)); err != nil {
		return k, err
	}
	if a, err = c.cloud.Get(ctx, api, path+"/traits", nil); err != nil {
		return k, err
	}
	if err := a.Decode("traits", &k.traits); err != nil {
		return k, err
	}
	if a, err = c.cloud.Get(ctx, api, path+"/aggregates", nil); err != nil {
		return k, err
	}
	if err := a.Decode("aggregates", &k.aggregates); err != nil {
		return k, err
	}
	slices.Sort(k.traits)
	slices.Sort(k.aggregates)
	return k, nil
}

// drop forgets providers that are gone.
func (c *collector) drop(present []provider) {
	alive := make(map[string]bool, len(present))
	for _, p := range present {
		alive[p.UUID] = true
	}
	for uuid := range c.known {
		if !alive[uuid] {
			delete(c.known, uuid)
		}
	}
}

func sortedClasses[V any](m map[string]V) []string {
	classes := make([]string, 0, len(m))
	for class := range m {
		classes = append(classes, class)
	}
	slices.SortFunc(classes, strings.Compare)
	return classes
}
