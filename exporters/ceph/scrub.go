package ceph

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcloud/exporters"
)

var (
	oldestScrub = &exporters.Family{Name: "ceph_pool_oldest_scrub_timestamp_seconds", Unit: "seconds", Type: exporters.Gauge, Set: exporters.SetBase, Call: "pg ls-by-primary",
		Labels: []string{"pool_id"}, Help: "When the pool's placement group that waits longest was last scrubbed, in seconds since 1970; as of at most an hour ago."}
	oldestDeepScrub = &exporters.Family{Name: "ceph_pool_oldest_deep_scrub_timestamp_seconds", Unit: "seconds", Type: exporters.Gauge, Set: exporters.SetBase, Call: "pg ls-by-primary",
		Labels: []string{"pool_id"}, Help: "When the pool's placement group that waits longest was last deep scrubbed, in seconds since 1970; as of at most an hour ago."}
	oldestInactive = &exporters.Family{Name: "ceph_pool_oldest_inactive_timestamp_seconds", Unit: "seconds", Type: exporters.Gauge, Set: exporters.SetBase, Call: "pg ls-by-primary",
		Labels: []string{"pool_id"}, Help: "Since when the pool's longest inactive placement group serves no client, in seconds since 1970; absent when all are active."}
	oldestUnclean = &exporters.Family{Name: "ceph_pool_oldest_unclean_timestamp_seconds", Unit: "seconds", Type: exporters.Gauge, Set: exporters.SetBase, Call: "pg ls-by-primary",
		Labels: []string{"pool_id"}, Help: "Since when the pool's longest unclean placement group is so, in seconds since 1970; absent when all are clean."}

	scrubFamilies = []*exporters.Family{oldestScrub, oldestDeepScrub, oldestInactive, oldestUnclean}
)

// A placement group's times are only in its full record, of 3 kB: all of a large
// cluster's are 100 MB. So the OSDs are asked in turn for the groups that they
// lead: the first round as fast as firstShare a look, later ones once an hour.
const (
	firstShare  = 50
	leastShare  = 10
	scrubPeriod = time.Minute
	scrubRounds = int(time.Hour / scrubPeriod)
	// giveUpAfter failures in a row the look ends: the next would fail as well, each
	// after its timeout.
	giveUpAfter = 3
)

// scrubs remembers the times by OSD.
type scrubs struct {
	*cluster
	next  int // index in the OSDs' order of the one to ask next
	byOSD map[int]map[string]ages
}

// ages are the oldest of one pool on one OSD; a zero time is none.
type ages struct{ scrub, deep, inactive, unclean time.Time }

type pgTimes struct {
	PGID      string `json:"pgid"`
	State     string `json:"state"`
	Scrub     string `json:"last_scrub_stamp"`
	DeepScrub string `json:"last_deep_scrub_stamp"`
	Active    string `json:"last_active"`
	Clean     string `json:"last_clean"`
}

func newScrubs(c *cluster) *scrubs { return &scrubs{cluster: c, byOSD: map[int]map[string]ages{}} }

func (c *scrubs) collect(ctx context.Context) (*exporters.Snapshot, error) {
	l := c.look(ctx)
	osds, ok := fetch[[]int](l, "osd ls", nil)
	if !ok {
		return l.done()
	}
	slices.Sort(osds)
	maps.DeleteFunc(c.byOSD, func(id int, _ map[string]ages) bool {
		_, there := slices.BinarySearch(osds, id)
		return !there
	})
	failures := 0
	for _, id := range c.turn(osds) {
		if failures == giveUpAfter || ctx.Err() != nil {
			break
		}
		if !c.askOSD(l, id) {
			failures++
			continue
		}
		failures = 0
	}
	c.addAges(l, osds)
	return l.done()
}

// turn are the OSDs to ask in this look: those never asked first, then an even
// share of all.
func (c *scrubs) turn(osds []int) []int {
	var fresh []int
	for _, id := range osds {
		if c.byOSD[id] == nil {
			fresh = append(fresh, id)
		}
	}
	if len(fresh) > 0 {
		return fresh[:min(len(fresh), firstShare)]
	}
	if len(osds) == 0 {
		return nil
	}
	share := min(len(osds), max(leastShare, (len(osds)+scrubRounds-1)/scrubRounds))
	turn := make([]int, share)
	for i := range turn {
		turn[i] = osds[(c.next+i)%len(osds)]
	}
	c.next = (c.next + share) % len(osds)
	return turn
}

func (c *scrubs) askOSD(l *look, id int) bool {
	byPool := map[string]ages{}
	err := ask(l.ctx, l.mon, "pg ls-by-primary", map[string]any{"osd": id}, func(b []byte) error {
		return eachElement(b, "pg_stats", func(pg *pgTimes) {
			pool, _, _ := strings.Cut(pg.PGID, ".")
			if _, err := strconv.Atoi(pool); err != nil {
				return
			}
			a := byPool[pool]
			a.take(pg)
			byPool[pool] = a
		})
	})
	if err != nil {
		l.errs = append(l.errs, fmt.Errorf("ceph cluster %s: %s: %w", l.cfg.Name, osdName(id), err))
		return false
	}
	c.byOSD[id] = byPool
	return true
}

func (a *ages) take(pg *pgTimes) {
	older(&a.scrub, pg.Scrub)
	older(&a.deep, pg.DeepScrub)
	states := strings.Split(pg.State, "+")
	if !slices.Contains(states, "active") {
		older(&a.inactive, pg.Active)
	}
	if !slices.Contains(states, "clean") {
		older(&a.unclean, pg.Clean)
	}
}

// older moves t to the stamp when that is earlier. Ceph's zero, "0.000000", is
// no time.
func older(t *time.Time, stamp string) {
	at, err := time.Parse("2006-01-02T15:04:05.999999-0700", stamp)
	if err == nil && (t.IsZero() || at.Before(*t)) {
		*t = at
	}
}

func earlier(t *time.Time, other time.Time) {
	if !other.IsZero() && (t.IsZero() || other.Before(*t)) {
		*t = other
	}
}

// addAges waits for the first round: the oldest of some is not the oldest.
func (c *scrubs) addAges(l *look, osds []int) {
	l.snap.Seen = len(c.byOSD)
	if len(c.byOSD) < len(osds) {
		l.snap.Skipped = len(osds) - len(c.byOSD)
		return
	}
	pools := map[string]ages{}
	for _, byPool := range c.byOSD {
		for pool, one := range byPool {
			a := pools[pool]
			earlier(&a.scrub, one.scrub)
			earlier(&a.deep, one.deep)
			earlier(&a.inactive, one.inactive)
			earlier(&a.unclean, one.unclean)
			pools[pool] = a
		}
	}
	for pool, a := range pools {
		for _, one := range []struct {
			family *exporters.Family
			at     time.Time
		}{{oldestScrub, a.scrub}, {oldestDeepScrub, a.deep}, {oldestInactive, a.inactive}, {oldestUnclean, a.unclean}} {
			if !one.at.IsZero() {
				l.snap.Add(one.family, float64(one.at.UnixMilli())/1000, pool)
			}
		}
	}
}
