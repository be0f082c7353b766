// Package placement looks at a cloud's resource providers: what they have, what
// is used of it, with which traits, in which tree and in which aggregates.
//
// Calls per round with R providers, A of Nova's host aggregates, C providers that
// changed:
//
//   - Each round 2: the list of providers with their generations, and
//     allocation_candidates for one VCPU, whose provider_summaries carry used,
//     capacity and traits of every provider in each tree that has room. When more
//     than fewDue providers are to be asked by themselves, up to 3 such calls more for
//     other classes come before. Usages are asked each round, because deleting a server's allocations
//     (DELETE /allocations/{consumer}) leaves the generation as it is:
//     placement/objects/allocation.py, delete_all.
//   - Cold start: R for inventories, and for aggregates 1 to Nova and A, since Nova
//     mirrors its host aggregates (or R when that is less, or fails).
//   - A provider whose generation changed costs nothing more at once when its
//     summary has the capacities and traits that are known: it was an allocation.
//     Up to mostTouched of those a round are read again nevertheless, with 2 calls
//     each (inventories, aggregates). One whose summary differs is read in the same
//     round. All others have their turn once in Config.ReadEvery: 2·R·Period/ReadEvery
//     calls a round.
//   - A provider without room for one unit of any class is in no summary: 1 for its
//     usages, and 1 for its traits when it is read. What was said of its usages last is
//     believed while its generation stays, but asked again within usageLife.
//   - Only when the set "objects" is served: the allocations, 1 for each provider
//     once in Config.AllocationsEvery, from the cold start on in even shares.
//
// allocation_candidates answers one candidate for each provider of the class, since
// the query has one group of one class: 2,000 hosts with 60 traits each are about
// 5 MB. Where max_allocation_candidates cuts that off, or the call fails, the
// providers that are missing are treated as those without room.
package placement

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	// ReadEvery is how long the inventories and aggregates of a provider are believed
	// though its generation says nothing; 2 hours if zero.
	ReadEvery time.Duration
	// AllocationsEvery is the time in which all providers' allocations are read once;
	// 1 hour if zero.
	AllocationsEvery time.Duration
}

// Sources returns what looks at Placement: placement_providers.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, time.Minute)
	cfg.ReadEvery = cmp.Or(cfg.ReadEvery, 2*time.Hour)
	cfg.AllocationsEvery = cmp.Or(cfg.AllocationsEvery, time.Hour)
	c := &collector{cloud: cloud, cfg: cfg, known: map[string]*known{}, words: words{}}
	c.allocated = openstack.Rotation[allocations]{Kind: "allocations of resource provider", Period: cfg.Period, Life: cfg.AllocationsEvery}
	return []exporters.Source{
		cloud.Source("placement_providers", "placement", cfg.Period, 5*time.Minute, c.Collect, families()...),
	}
}

// collector remembers what it read of each provider.
type collector struct {
	cloud     *openstack.Cloud
	cfg       Config
	known     map[string]*known // by provider uuid
	words     words
	credit    float64 // of readings whose turn has come
	allocated openstack.Rotation[allocations]
	opened    int // providers that allocated has to do with
}

// known is what is kept of a provider from one look to the next.
type known struct {
	generation  int64     // when the inventories were read
	read        time.Time // when they were
	exact       bool      // the provider itself was asked for its aggregates
	inventories map[string]mcloud.ProviderInventory
	traits      []string // sorted
	aggregates  []string // sorted
	usage       usageRead
}

type provider struct {
	UUID       string `json:"uuid"`
	Name       string `json:"name"`
	Generation int64  `json:"generation"`
	Parent     string `json:"parent_provider_uuid"`
	Root       string `json:"root_provider_uuid"`
}

// Collect takes one look. It is not called concurrently.
func (c *collector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	list, err := openstack.List[provider](ctx, c.cloud, api, "/resource_providers", "resource_providers", nil)
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{}
	list.NoteIn(s)
	whole := err == nil && len(list.Failed) == 0

	seen := summaries{}
	// When the bulk answer fails, every provider is asked by itself and says why if
	// that fails too.
	bulkErr := c.bulk(ctx, "VCPU", seen)
	failed, lapsed := c.refresh(ctx, list.Objects, seen, start)
	used := c.usages(ctx, list.Objects, seen, bulkErr == nil, failed, start)
	s.Failed = append(s.Failed, lapsed...)

	inventory := mcloud.Inventory{Cloud: c.cloud.Name(), Scope: "placement", Kind: mcloud.KindProvider, Time: start, Complete: whole}
	var present []provider
	for _, p := range list.Objects {
		if err := failed[p.UUID]; err != nil {
			s.Failed = append(s.Failed, exporters.ObjectError{Object: "resource provider " + p.Name + " " + p.UUID, Err: err})
			inventory.Complete = false
			continue
		}
		k := c.known[p.UUID]
		present = append(present, p)
		inventory.Objects = append(inventory.Objects, mcloud.NewObject(mcloud.KindProvider, p.UUID, p.Name, p.Parent, "", mcloud.Provider{
			Name: p.Name, Root: p.Root, Generation: p.Generation,
			Inventories: k.inventories, Usages: used[p.UUID], Traits: k.traits, Aggregates: k.aggregates,
		}))
	}
	s.Inventories = []mcloud.Inventory{inventory}
	if whole {
		c.drop(list.Objects)
	}
	c.addSamples(ctx, s, list.Objects, present, used, whole && len(present) == len(list.Objects))
	if exporters.Wants(ctx, exporters.SetObjects) {
		err = errors.Join(err, c.addAllocations(ctx, s, list.Objects, start))
	}
	return s, err
}

const (
	// parallel is how many providers are read at once; the API's budget bounds the
	// calls besides.
	parallel = 4
	// mostTouched bounds the providers that are read in one look only because their
	// generation changed.
	mostTouched = 20
	// maxRefusals is how many readings in a row may fail before a look gives up: a
	// Placement that is down is not asked once for each provider.
	maxRefusals = 5
)

// each calls read for the providers, some at a time, and gives the errors by
// provider. After maxRefusals in a row the rest is not tried.
func each(ctx context.Context, providers []provider, read func(context.Context, provider) error) map[string]error {
	failed := map[string]error{}
	refusals := 0
	var mu sync.Mutex // guards failed and refusals
	var group errgroup.Group
	group.SetLimit(parallel)
	for _, p := range providers {
		group.Go(func() error {
			mu.Lock()
			giveUp := refusals >= maxRefusals
			mu.Unlock()
			var err error
			if giveUp {
				err = fmt.Errorf("not tried: the %d readings before it failed", maxRefusals)
			} else {
				err = read(ctx, p)
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				failed[p.UUID] = err
				refusals++
			case !giveUp:
				refusals = 0
			}
			return nil
		})
	}
	_ = group.Wait() // errors are kept by provider
	return failed
}

// refresh reads what was never read, what changed, and what has its turn. failed
// are the providers of which nothing is known that holds still; lapsed are those
// that could not be read again though nothing said that they changed: what is
// known of them is kept.
func (c *collector) refresh(ctx context.Context, providers []provider, seen summaries, now time.Time) (failed map[string]error, lapsed []exporters.ObjectError) {
	var fresh, changed, rest []provider
	for _, p := range providers {
		k := c.known[p.UUID]
		switch {
		case k == nil:
			fresh = append(fresh, p)
		case p.Generation != k.generation && !seen.agrees(p.UUID, k):
			changed = append(changed, p)
		default:
			rest = append(rest, p)
		}
	}
	turn := c.turn(rest, len(providers))
	failed = map[string]error{}
	if len(fresh) > 0 {
		aggregates, all := c.mirrored(ctx, len(fresh))
		maps.Copy(failed, each(ctx, fresh, c.reader(seen, aggregates, all, now)))
	}
	maps.Copy(failed, each(ctx, changed, c.reader(seen, nil, false, now)))
	again := each(ctx, turn, c.reader(seen, nil, false, now))
	for _, p := range turn {
		if err := again[p.UUID]; err != nil {
			lapsed = append(lapsed, exporters.ObjectError{Object: "resource provider " + p.Name + " " + p.UUID, Err: fmt.Errorf("reading it again: %w", err)})
		}
	}
	for uuid, own := range seen {
		if k := c.known[uuid]; k != nil && !slices.Equal(k.traits, own.Traits) {
			k.traits = own.Traits
		}
	}
	return failed, lapsed
}

// turn picks which of the providers that nothing speaks against are read again:
// those whose generation changed, and this look's share of the others, those first
// that were never asked for their aggregates themselves, then the oldest readings.
func (c *collector) turn(rest []provider, of int) []provider {
	touched := func(p provider) bool { return p.Generation != c.known[p.UUID].generation }
	slices.SortStableFunc(rest, func(a, b provider) int {
		if ta, tb := touched(a), touched(b); ta != tb {
			return trueFirst(ta, tb)
		}
		ka, kb := c.known[a.UUID], c.known[b.UUID]
		if ka.exact != kb.exact {
			return trueFirst(!ka.exact, !kb.exact)
		}
		return ka.read.Compare(kb.read)
	})
	c.credit = min(c.credit+float64(of)*float64(c.cfg.Period)/float64(c.cfg.ReadEvery), float64(of))
	n := 0
	for n < len(rest) && n < mostTouched && touched(rest[n]) {
		n++
	}
	share := max(n, min(int(c.credit), len(rest)))
	c.credit = max(0, c.credit-float64(share))
	return rest[:share]
}

func trueFirst(a, b bool) int {
	switch {
	case a && !b:
		return -1
	case b && !a:
		return 1
	}
	return 0
}

// reader reads one provider: its inventories; its aggregates unless they are all
// told; its traits unless its summary has them.
func (c *collector) reader(seen summaries, aggregates map[string][]string, all bool, now time.Time) func(context.Context, provider) error {
	var mu sync.Mutex // guards c.known
	return func(ctx context.Context, p provider) error {
		k := known{read: now, exact: !all, aggregates: aggregates[p.UUID]}
		path := "/resource_providers/" + p.UUID
		a, err := c.cloud.Get(ctx, api, path+"/inventories", nil)
		if err == nil {
			err = errors.Join(a.Decode("inventories", &k.inventories), a.Decode("resource_provider_generation", &k.generation))
		}
		if err != nil {
			return err
		}
		if !all {
			if k.aggregates, err = c.strings(ctx, path+"/aggregates", "aggregates"); err != nil {
				return err
			}
		}
		if own, ok := seen[p.UUID]; ok {
			k.traits = own.Traits
		} else if k.traits, err = c.strings(ctx, path+"/traits", "traits"); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if before := c.known[p.UUID]; before != nil {
			k.usage = before.usage
		}
		c.known[p.UUID] = &k
		return nil
	}
}

// strings reads a list of strings, and sorts it.
func (c *collector) strings(ctx context.Context, path, member string) ([]string, error) {
	a, err := c.cloud.Get(ctx, api, path, nil)
	if err != nil {
		return nil, err
	}
	var all []string
	if err := a.Decode(member, &all); err != nil {
		return nil, err
	}
	slices.Sort(all)
	return all, nil
}

// drop forgets providers that are gone.
func (c *collector) drop(present []provider) {
	alive := make(map[string]bool, len(present))
	for _, p := range present {
		alive[p.UUID] = true
	}
	maps.DeleteFunc(c.known, func(uuid string, _ *known) bool { return !alive[uuid] })
}

func sortedClasses[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
