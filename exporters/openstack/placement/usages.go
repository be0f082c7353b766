package placement

import (
	"context"
	"net/url"
	"sync"

	"golang.org/x/sync/errgroup"
)

// probes are the classes that bulk usages are asked by: a provider's usages come
// with the answer when one more unit of the class fits there. Most have room for
// one of the first.
var probes = []string{"VCPU", "MEMORY_MB", "DISK_GB", "PCPU"}

// usages returns what is used, by provider and resource class. Providers whose
// usages could not be read are put into failed. A bulk call that fails costs more
// calls, but nothing is missing because of it.
func (c *collector) usages(ctx context.Context, providers []provider, failed map[string]error) map[string]map[string]int64 {
	used := map[string]map[string]int64{}
	missing := func() []provider {
		var rest []provider
		for _, p := range providers {
			if _, have := used[p.UUID]; !have && failed[p.UUID] == nil {
				rest = append(rest, p)
			}
		}
		return rest
	}
	for _, p := range providers {
		if failed[p.UUID] == nil && len(c.known[p.UUID].inventories) == 0 {
			used[p.UUID] = map[string]int64{} // nothing there that could be used
		}
	}
	for _, class := range probes {
		rest := missing()
		if !c.anyHas(rest, class) || len(rest) == 1 {
			continue
		}
		if err := c.bulk(ctx, class, used); err != nil {
			break // what is missing is asked one by one, and says why if it fails too
		}
	}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(parallel)
	for _, p := range missing() {
		group.Go(func() error {
			own := map[string]int64{}
			a, err := c.cloud.Get(ctx, api, "/resource_providers/"+p.UUID+"/usages", nil)
			if err == nil {
				err = a.Decode("usages", &own)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed[p.UUID] = err
			} else {
				used[p.UUID] = own
			}
			return nil
		})
	}
	_ = group.Wait() // errors are kept by provider
	return used
}

func (c *collector) anyHas(providers []provider, class string) bool {
	for _, p := range providers {
		if _, ok := c.known[p.UUID].inventories[class]; ok {
			return true
		}
	}
	return false
}

// bulk adds the usages of all providers in whose tree one unit of class fits.
// Before microversion 1.27 a summary has only the classes that were asked for,
// so an incomplete one is left for the single calls.
func (c *collector) bulk(ctx context.Context, class string, used map[string]map[string]int64) error {
	a, err := c.cloud.Get(ctx, api, "/allocation_candidates", url.Values{"resources": {class + ":1"}})
	if err != nil {
		return err
	}
	var summaries map[string]struct {
		Resources map[string]struct {
			Used int64 `json:"used"`
		} `json:"resources"`
	}
	if err := a.Decode("provider_summaries", &summaries); err != nil {
		return err
	}
	for uuid, summary := range summaries {
		k, ours := c.known[uuid]
		if _, have := used[uuid]; have || !ours {
			continue
		}
		own := map[string]int64{}
		for class := range k.inventories {
			r, ok := summary.Resources[class]
			if !ok {
				break
			}
			own[class] = r.Used
		}
		if len(own) == len(k.inventories) {
			used[uuid] = own
		}
	}
	return nil
}
