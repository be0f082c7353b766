package ceph

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcloud/deploy/sim/model"
)

// pg is a placement group and where its copies are.
type pg struct {
	pool   *model.Pool
	number int64
	up     []int // OSDs that should hold it, -1 where none can
	acting []int // those that do now
}

// nobody is CRUSH_ITEM_NONE, the place of a missing chunk.
const nobody = 2147483647

func (p pg) id() string { return fmt.Sprintf("%d.%x", p.pool.Number, p.number) }

func (p pg) whole() bool {
	return len(p.acting) == int(p.pool.Size) && !slices.Contains(p.acting, nobody)
}

func (p pg) state() string {
	if p.whole() {
		return "active+clean"
	}
	return "active+undersized+degraded"
}

// placementGroups puts every PG on OSDs of different failure domains, always
// the same for the same OSDs that are in; not CRUSH, but as even.
func placementGroups(c *model.Cluster) []pg {
	domains := make([][]*model.OSD, 0, len(c.Hosts))
	buckets := c.Hosts
	if c.FailureDomain() == "datacenter" {
		buckets = c.Sites
	}
	for _, b := range buckets {
		domains = append(domains, b.OSDs)
	}
	var all []pg
	for _, pool := range c.Pools {
		for n := range pool.PGs {
			all = append(all, place(pool, n, domains))
		}
	}
	return all
}

func place(pool *model.Pool, n int64, domains [][]*model.OSD) pg {
	p := pg{pool: pool, number: n}
	h := mix(uint64(pool.Number)<<32 | uint64(n))
	for i := range int(pool.Size) {
		domain := domains[(int(h%uint64(len(domains)))+i)%len(domains)]
		chosen := -1
		for try := range domain { // past those that are out
			o := domain[(int(mix(h+uint64(i))%uint64(len(domain)))+try)%len(domain)]
			if o.In {
				chosen = o.Number
				if o.Up {
					p.acting = append(p.acting, chosen)
				} else if pool.Data > 0 {
					p.acting = append(p.acting, nobody)
				}
				break
			}
		}
		if chosen >= 0 {
			p.up = append(p.up, chosen)
		}
	}
	return p
}

// mix is splitmix64's finaliser.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// pgsOn counts the PGs with a copy on each OSD.
func (s *state) pgsOn() []int {
	counts := make([]int, len(s.OSDs))
	for _, p := range s.pgs {
		for _, o := range p.acting {
			if o != nobody {
				counts[o]++
			}
		}
	}
	return counts
}

func (s *state) pgStates() map[string]int {
	counts := map[string]int{}
	for _, p := range s.pgs {
		counts[p.state()]++
	}
	return counts
}

func pgDump(s *state, args map[string]any) (any, error) {
	contents := words(args["dumpcontents"])
	if len(contents) == 0 {
		contents = []string{"sum"}
	}
	doc := object{"pg_ready": true}
	for _, what := range contents {
		switch what {
		case "pgs_brief":
			list := []object{}
			for _, p := range s.pgs {
				list = append(list, object{
					"pgid": p.id(), "state": p.state(), "up": p.up, "acting": p.acting, "up_primary": p.up[0], "acting_primary": primary(p.acting),
				})
			}
			doc["pg_stats"] = list
		case "pools", "pools_json":
			list := []object{}
			for _, p := range s.Pools {
				list = append(list, pgPool(s, p))
			}
			doc["pool_stats"] = list
		case "osds":
			list := []object{}
			counts := s.pgsOn()
			for _, o := range s.OSDs {
				list = append(list, pgOSD(s, o, counts[o.Number]))
			}
			doc["osd_stats"], doc["pool_statfs"] = list, []any{}
		case "sum":
			sum := recorded("pg_dump_sum", nil)
			doc["pg_map"] = sum["pg_map"]
		default:
			return nil, RefusedError{Code: -22, Command: "pg dump " + what}
		}
	}
	return doc, nil
}

// pgListByPrimary is every PG that an OSD leads with all its statistics; its
// scrubs are spread over the last day, the deep ones over the last week.
func pgListByPrimary(s *state, args map[string]any) (any, error) {
	number, err := strconv.Atoi(strings.TrimPrefix(fmt.Sprint(args["osd"]), "osd."))
	if err != nil || number < 0 || number >= len(s.OSDs) {
		return nil, RefusedError{Code: -22, Command: "pg ls-by-primary"}
	}
	rest := recordedBytes()["pg_stat"]
	list := []json.RawMessage{}
	for _, p := range s.led[number] {
		h := mix(uint64(p.pool.Number)<<32 | uint64(p.number))
		now := stamp(s.world.Now)
		own, err := json.Marshal(object{
			"pgid": p.id(), "state": p.state(), "up": p.up, "acting": p.acting, "up_primary": p.up[0], "acting_primary": number,
			"last_scrub_stamp":      stamp(s.world.Now.Add(-time.Duration(h%86400) * time.Second)),
			"last_deep_scrub_stamp": stamp(s.world.Now.Add(-time.Duration(h%604800) * time.Second)),
			"last_active":           now, "last_peered": now, "last_fresh": now, "last_unstale": now, "last_undegraded": now, "last_fullsized": now,
			"last_clean": now, "last_change": stamp(s.lastChange()),
		})
		if err != nil {
			return nil, err
		}
		list = append(list, slices.Concat(own[:len(own)-1], []byte(","), rest[1:]))
	}
	return object{"pg_ready": true, "pg_stats": list}, nil
}

func primary(acting []int) int {
	for _, o := range acting {
		if o != nobody {
			return o
		}
	}
	return -1
}

func pgPool(s *state, p *model.Pool) object {
	doc := recorded("pg_dump_pool", object{
		"poolid": p.Number, "num_pg": p.PGs, "up": p.PGs * p.Size, "acting": p.PGs * p.Size, "num_store_stats": len(s.OSDs),
	})
	sum := at(doc, "stat_sum")
	objects := s.objects(p)
	sum["num_bytes"], sum["num_objects"], sum["num_object_copies"] = s.usage.Stored[p.Number], objects, objects*p.Size
	sum["num_objects_degraded"] = int64(float64(objects*p.Size) * s.usage.Degraded)
	store := at(doc, "store_stats")
	store["allocated"], store["data_stored"] = s.usage.UsedByPool[p.Number], s.usage.UsedByPool[p.Number]
	return doc
}

func pgOSD(s *state, o *model.OSD, pgs int) object {
	kb, used := s.osdKB(o)
	doc := recorded("pg_dump_osd", object{
		"osd": o.Number, "num_pgs": pgs, "kb": kb, "kb_used": used, "kb_used_data": used - kb/250, "kb_used_meta": kb / 250, "kb_avail": kb - used,
	})
	commit := s.latency(o)
	doc["perf_stat"] = object{"commit_latency_ms": commit, "apply_latency_ms": commit, "commit_latency_ns": commit * 1_000_000, "apply_latency_ns": commit * 1_000_000}
	return doc
}

func pgStat(s *state) any {
	list := []object{}
	counts := s.pgStates()
	for _, name := range keys(counts) {
		list = append(list, object{"name": name, "num": counts[name]})
	}
	return object{"pg_ready": true, "pg_summary": object{
		"num_pg_by_state": list, "num_pgs": len(s.pgs), "num_bytes": s.stored(), "total_bytes": s.usage.Total,
		"total_avail_bytes": s.usage.Total - s.usage.Used, "total_used_bytes": s.usage.Used, "total_used_raw_bytes": s.usage.Used,
		"read_bytes_sec": s.rate().readBytes, "write_bytes_sec": s.rate().writeBytes, "io_sec": s.rate().reads + s.rate().writes,
	}}
}
