package ceph

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"
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
	// down are the OSDs that lead nothing now because they are not up, and for how
	// many looks yet what they led is remembered: others lead it meanwhile, and it
	// takes a round until each of them was asked.
	down map[int]int
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

func newScrubs(c *cluster) *scrubs {
	return &scrubs{cluster: c, byOSD: map[int]map[string]ages{}, down: map[int]int{}}
}

func (c *scrubs) collect(ctx context.Context) (*exporters.Snapshot, error) {
	l := c.look(ctx)
	osds, ok := fetch[[]int](l, "osd ls", nil)
	if !ok {
		return l.done()
	}
	slices.Sort(osds)
	gone := func(id int) bool {
		_, there := slices.BinarySearch(osds, id)
		return !there
	}
	maps.DeleteFunc(c.byOSD, func(id int, _ map[string]ages) bool { return gone(id) })
	maps.DeleteFunc(c.down, func(id int, _ int) bool { return gone(id) })
	failures := 0
	for _, id := range c.turn(osds) {
		if failures == giveUpAfter || ctx.Err() != nil {
			break
		}
		if !c.askOSD(l, id, len(osds)) {
			failures++
			continue
		}
		failures = 0
	}
	c.forget()
	c.addAges(l, osds)
	return l.done()
}

// turn are the OSDs to ask in this look: those never asked first, then an even
// share of all, and besides those that were down, which costs next to nothing
// while they are so.
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
	turn := make([]int, share(len(osds)))
	for i := range turn {
		turn[i] = osds[(c.next+i)%len(osds)]
	}
	c.next = (c.next + len(turn)) % len(osds)
	for _, id := range slices.Sorted(maps.Keys(c.down)) {
		if len(turn) == firstShare {
			break
		}
		if !slices.Contains(turn, id) {
			turn = append(turn, id)
		}
	}
	return turn
}

// share is how many of so many OSDs are asked in a look after the first round.
func share(osds int) int { return min(osds, max(leastShare, (osds+scrubRounds-1)/scrubRounds)) }

// notUp says that the monitors were asked for what an OSD leads that is not up
// and so leads nothing (ceph/ceph:src/mgr/DaemonServer.cc). Their number alone
// says "try again", which has other reasons too.
func notUp(err error) bool {
	return errors.Is(err, syscall.EAGAIN) && strings.Contains(err.Error(), "is not up")
}

// lies remembers that an OSD, of so many, was found down.
func (c *scrubs) lies(id, osds int) {
	if _, known := c.down[id]; !known {
		c.down[id] = 1 + (osds+share(osds)-1)/share(osds) // this look and a round
	}
	if c.byOSD[id] == nil {
		c.byOSD[id] = map[string]ages{}
	}
}

// forget drops what OSDs led that have been down for a round.
func (c *scrubs) forget() {
	for id, looks := range c.down {
		if looks > 0 {
			c.down[id] = looks - 1
		} else {
			clear(c.byOSD[id])
		}
	}
}

// askOSD reports whether the monitors gave an answer for one OSD, of so many.
func (c *scrubs) askOSD(l *look, id, osds int) bool {
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
	if notUp(err) {
		c.lies(id, osds)
		return true
	}
	if err != nil {
		l.errs = append(l.errs, fmt.Errorf("ceph cluster %s: %s: %w", l.cfg.Name, osdName(id), err))
		return false
	}
	delete(c.down, id)
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

// addAges waits for the first round: the oldest of some is not the oldest. OSDs
// that are down lead nothing, so the oldest of the others is.
func (c *scrubs) addAges(l *look, osds []int) {
	l.snap.Seen = len(c.byOSD) - len(c.down)
	l.snap.Skipped = len(osds) - l.snap.Seen
	if len(c.byOSD) < len(osds) {
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
