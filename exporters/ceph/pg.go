package ceph

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"mcloud/exporters"
)

// pgStateNames are the states the mgr counts, from ceph/ceph:src/osd/osd_types.cc.
var pgStateNames = []string{
	"active", "clean", "down", "recovery_unfound", "backfill_unfound", "scrubbing", "degraded", "inconsistent",
	"peering", "repair", "recovering", "forced_recovery", "backfill_wait", "incomplete", "stale", "remapped",
	"deep", "backfilling", "forced_backfill", "backfill_toofull", "recovery_wait", "recovery_toofull",
	"undersized", "activating", "peered", "snaptrim", "snaptrim_wait", "snaptrim_error", "creating", "unknown",
	"premerge", "failed_repair", "laggy", "wait",
}

var (
	pgTotal = poolFamily("ceph_pg_total", "", "pg dump pgs_brief", exporters.Gauge, "Placement groups of the pool.")
	pgState = pgStateFamilies()
)

func pgStateFamilies() map[string]*exporters.Family {
	all := map[string]*exporters.Family{}
	for _, state := range pgStateNames {
		all[state] = poolFamily("ceph_pg_"+state, "", "pg dump pgs_brief", exporters.Gauge, "Placement groups of the pool in state "+state+".")
	}
	return all
}

func pgFamilies() []*exporters.Family {
	all := []*exporters.Family{pgTotal}
	for _, state := range pgStateNames {
		all = append(all, pgState[state])
	}
	return all
}

type pgBrief struct {
	PGID  string `json:"pgid"`  // "14.4": pool, dot, number in hex
	State string `json:"state"` // "active+clean+scrubbing+deep"
}

// collectPGs counts PGs by pool and state. The mgr's own summary by pool is not
// a command; the brief dump, about 120 bytes a PG, is the least there is.
func (c *cluster) collectPGs(ctx context.Context) (*exporters.Snapshot, error) {
	l := c.look(ctx)
	totals, states := map[string]int{}, map[[2]string]int{} // states are whole: "active+clean"
	unknown := map[string]bool{}
	ok := l.read("pg dump", map[string]any{"dumpcontents": []string{"pgs_brief"}}, func(b []byte) error {
		return eachElement(b, "pg_stats", func(pg *pgBrief) {
			pool, _, ok := strings.Cut(pg.PGID, ".")
			if _, err := strconv.Atoi(pool); !ok || err != nil {
				l.fail("pg "+pg.PGID, errors.New("its id does not begin with a pool's number"))
				return
			}
			l.snap.Seen++
			totals[pool]++
			states[[2]string{pool, pg.State}]++
		})
	})
	if !ok {
		l.snap = exporters.Snapshot{} // half a list is no count
		return l.done()
	}
	byState := map[[2]string]int{}
	for key, n := range states {
		pool, whole := key[0], key[1]
		for state := range strings.SplitSeq(whole, "+") {
			if pgState[state] == nil && !unknown[state] {
				unknown[state] = true // of a newer Ceph: said once a look, the rest counts
				l.fail("pgs of pool "+pool, unknownWord("state", state))
			}
			byState[[2]string{pool, state}] += n
		}
	}
	for pool, n := range totals {
		l.snap.Add(pgTotal, float64(n), pool)
		for _, state := range pgStateNames {
			l.snap.Add(pgState[state], float64(byState[[2]string{pool, state}]), pool)
		}
	}
	return l.done()
}
