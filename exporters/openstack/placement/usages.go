package placement

import (
	"context"
	"math"
	"net/url"
	"slices"
	"sync"
	"time"

	"mcloud"
)

// probes are the classes that bulk usages are asked by, besides VCPU: a provider's
// summary comes with the answer when one more unit of the class fits somewhere in
// its tree. Most have room for one of the first.
var probes = []string{"MEMORY_MB", "DISK_GB", "PCPU"}

// usageLife is within what time the usages of a provider that no summary covers any
// more are asked again, each by itself, while its generation stays. They can only have shrunk meanwhile, and
// one that shrank has room again, unless it was over-allocated.
const usageLife = 10 * time.Minute

// fewDue is how many providers are asked for their usages one by one rather than
// all by another class: an answer for 2,000 of them is 5 MB, and seconds of
// Placement's time.
const fewDue = 20

// usageRead are usages that a summary or the provider itself said last.
type usageRead struct {
	used       map[string]int64
	generation int64
	at         time.Time // zero: never
}

// summary is what allocation_candidates says of a provider.
type summary struct {
	Resources map[string]struct {
		Capacity int64 `json:"capacity"`
		Used     int64 `json:"used"`
	} `json:"resources"`
	Traits []string `json:"traits"` // sorted
}

type summaries map[string]summary // by provider uuid

// agrees says that the summary shows the capacities and traits that are known.
func (s summaries) agrees(uuid string, k *known) bool {
	own, ok := s[uuid]
	if !ok || len(own.Resources) != len(k.inventories) || !slices.Equal(own.Traits, k.traits) {
		return false
	}
	for class, v := range k.inventories {
		if r, ok := own.Resources[class]; !ok || r.Capacity != v.Capacity() {
			return false
		}
	}
	return true
}

// used are the usages by class, if the summary has all classes of the inventories:
// before microversion 1.27 it has only those that were asked for.
func (s summary) used(inventories map[string]mcloud.ProviderInventory) (map[string]int64, bool) {
	used := make(map[string]int64, len(inventories))
	for class := range inventories {
		r, ok := s.Resources[class]
		if !ok {
			return nil, false
		}
		used[class] = r.Used
	}
	return used, true
}

// bulk adds the summaries of all providers in whose tree one unit of class fits.
func (c *collector) bulk(ctx context.Context, class string, seen summaries) error {
	a, err := c.cloud.Get(ctx, api, "/allocation_candidates", url.Values{"resources": {class + ":1"}})
	if err != nil {
		return err
	}
	var found summaries
	if err := a.Decode("provider_summaries", &found); err != nil {
		return err
	}
	for uuid, own := range found {
		if _, have := seen[uuid]; have {
			continue
		}
		c.words.intern(own.Traits)
		slices.Sort(own.Traits)
		seen[uuid] = own
	}
	return nil
}

// usages returns what is used, by provider and resource class. Providers whose
// usages could not be read are put into failed. A bulk call that fails costs more
// calls, but nothing is missing because of it.
func (c *collector) usages(ctx context.Context, providers []provider, seen summaries, bulk bool, failed map[string]error, now time.Time) map[string]map[string]int64 {
	used := make(map[string]map[string]int64, len(providers))
	missing := func() (rest []provider) {
		for _, p := range providers {
			if _, have := used[p.UUID]; have || failed[p.UUID] != nil {
				continue
			}
			k := c.known[p.UUID]
			if own, ok := seen[p.UUID].used(k.inventories); ok {
				used[p.UUID], k.usage = own, usageRead{used: own, generation: p.Generation, at: now}
				continue
			}
			rest = append(rest, p)
		}
		return rest
	}
	rest := missing()
	for _, class := range probes {
		if !bulk || len(c.dueUsages(rest, now)) <= fewDue {
			break
		}
		if !c.anyHas(rest, class) {
			continue
		}
		if c.bulk(ctx, class, seen) != nil {
			break // what is missing is asked one by one, and says why if it fails too
		}
		rest = missing()
	}
	var mu sync.Mutex
	for uuid, err := range each(ctx, c.dueUsages(rest, now), func(ctx context.Context, p provider) error {
		own := map[string]int64{}
		a, err := c.cloud.Get(ctx, api, "/resource_providers/"+p.UUID+"/usages", nil)
		if err == nil {
			err = a.Decode("usages", &own)
		}
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		c.known[p.UUID].usage = usageRead{used: own, generation: p.Generation, at: now}
		return nil
	}) {
		failed[uuid] = err
	}
	for _, p := range rest {
		if failed[p.UUID] == nil {
			used[p.UUID] = c.known[p.UUID].usage.used
		}
	}
	return used
}

// dueUsages are those that were never asked or whose generation changed, and of
// the others a share, the oldest first, so that all are asked within usageLife.
func (c *collector) dueUsages(rest []provider, now time.Time) []provider {
	var due, believed []provider
	for _, p := range rest {
		if u := c.known[p.UUID].usage; u.at.IsZero() || u.generation != p.Generation {
			due = append(due, p)
		} else if u.at.Before(now) {
			believed = append(believed, p)
		}
	}
	slices.SortStableFunc(believed, func(a, b provider) int {
		return c.known[a.UUID].usage.at.Compare(c.known[b.UUID].usage.at)
	})
	share := math.Ceil(float64(len(believed)) * min(1, float64(c.cfg.Period)/float64(usageLife)))
	return append(due, believed[:int(share)]...)
}

func (c *collector) anyHas(providers []provider, class string) bool {
	for _, p := range providers {
		if _, ok := c.known[p.UUID].inventories[class]; ok {
			return true
		}
	}
	return false
}

// words keeps one copy of each trait's name: thousands of providers have the same.
type words map[string]string

func (w words) intern(list []string) {
	for i, s := range list {
		if known, ok := w[s]; ok {
			list[i] = known
		} else {
			w[s] = s
		}
	}
}
