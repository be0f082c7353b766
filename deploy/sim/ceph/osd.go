package ceph

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"mcloud/deploy/sim/model"
)

const tib = 1 << 40

func crushWeight(bytes int64) float64 { return math.Round(float64(bytes)/tib*1e6) / 1e6 }

// age is the time since the cluster was made, in seconds.
func (s *state) age() int64 { return int64(s.world.Now.Sub(s.Created).Seconds()) }

func (s *state) lastChange() time.Time {
	last := s.Created
	for _, o := range s.OSDs {
		if o.Changed.After(last) {
			last = o.Changed
		}
	}
	return last
}

// node is one line of osd tree and osd df tree.
type node struct {
	doc  object
	osds []*model.OSD // below it
	osd  *model.OSD   // itself
}

// nodes are the CRUSH hierarchy, each bucket before its children.
func (s *state) nodes() []node {
	hostIDs := func(hosts []*model.Bucket) []int {
		var ids []int
		for _, h := range hosts {
			ids = append(ids, h.ID)
		}
		return ids
	}
	top := hostIDs(s.Hosts)
	if len(s.Sites) > 0 {
		top = hostIDs(s.Sites)
	}
	all := []node{{object{"id": -1, "name": "default", "type": "root", "type_id": 11, "children": top}, s.OSDs, nil}}
	addHost := func(h *model.Bucket) {
		var ids []int
		for _, o := range h.OSDs {
			ids = append(ids, o.Number)
		}
		all = append(all, node{object{"id": h.ID, "name": h.Name, "type": "host", "type_id": 1, "pool_weights": object{}, "children": ids}, h.OSDs, nil})
		for _, o := range h.OSDs {
			all = append(all, node{object{
				"id": o.Number, "device_class": o.Class, "name": fmt.Sprintf("osd.%d", o.Number), "type": "osd", "type_id": 0,
				"crush_weight": crushWeight(o.Bytes), "depth": 2 + min(1, len(s.Sites)), "pool_weights": object{},
			}, []*model.OSD{o}, o})
		}
	}
	if len(s.Sites) == 0 {
		for _, h := range s.Hosts {
			addHost(h)
		}
		return all
	}
	for _, site := range s.Sites {
		var hosts []*model.Bucket
		for _, h := range s.Hosts {
			if h.Site == site {
				hosts = append(hosts, h)
			}
		}
		all = append(all, node{object{"id": site.ID, "name": site.Name, "type": "datacenter", "type_id": 8, "pool_weights": object{}, "children": hostIDs(hosts)}, site.OSDs, nil})
		for _, h := range hosts {
			addHost(h)
		}
	}
	return all
}

func reweight(o *model.OSD) int {
	if o.In {
		return 1
	}
	return 0
}

func upWord(o *model.OSD) string {
	if o.Up {
		return "up"
	}
	return "down"
}

func osdTree(s *state) any {
	list := []object{}
	for _, n := range s.nodes() {
		if n.osd != nil {
			n.doc["exists"], n.doc["status"], n.doc["reweight"], n.doc["primary_affinity"] = 1, upWord(n.osd), reweight(n.osd), 1
		}
		list = append(list, n.doc)
	}
	return object{"nodes": list, "stray": []any{}}
}

// osdDF answers osd df, as a tree or as the OSDs alone.
func osdDF(s *state, args map[string]any) (any, error) {
	pgs := s.pgsOn()
	var total, used int64
	for _, o := range s.OSDs {
		kb, u := s.osdKB(o)
		total, used = total+kb, used+u
	}
	average := 100 * float64(used) / float64(max(total, 1))
	list := []object{}
	low, high, squares, counted := math.Inf(1), math.Inf(-1), 0.0, 0
	for _, n := range s.nodes() {
		if n.osd == nil && args["output_method"] != "tree" {
			continue
		}
		var size, full int64
		for _, o := range n.osds {
			kb, u := s.osdKB(o)
			size, full = size+kb, full+u
		}
		utilisation, variance := 0.0, 0.0
		if size > 0 {
			utilisation = 100 * float64(full) / float64(size)
			variance = utilisation / average
		}
		meta := size / 250
		doc := n.doc
		doc["reweight"], doc["pgs"] = -1, 0
		doc["kb"], doc["kb_used"], doc["kb_used_data"], doc["kb_used_omap"], doc["kb_used_meta"] = size, full, max(0, full-meta), 0, min(meta, full)
		doc["kb_avail"], doc["utilization"], doc["var"] = size-full, utilisation, variance
		if n.osd != nil {
			doc["reweight"], doc["pgs"], doc["status"] = reweight(n.osd), pgs[n.osd.Number], upWord(n.osd)
			if size > 0 {
				low, high, counted = min(low, variance), max(high, variance), counted+1
				squares += (utilisation - average) * (utilisation - average)
			}
		}
		list = append(list, doc)
	}
	meta := total / 250
	return object{"nodes": list, "stray": []any{}, "summary": object{
		"total_kb": total, "total_kb_used": used, "total_kb_used_data": used - meta, "total_kb_used_omap": 0, "total_kb_used_meta": meta,
		"total_kb_avail": total - used, "average_utilization": average, "min_var": finite(low), "max_var": finite(high),
		"dev": math.Sqrt(squares / float64(max(counted, 1))),
	}}, nil
}

func finite(x float64) float64 {
	if math.IsInf(x, 0) {
		return 0
	}
	return x
}

// address is where a daemon would listen, of TEST-NET-2.
func address(cluster, host, port int) string {
	return fmt.Sprintf("198.51.100.%d:%d/%d", 10*(cluster%20)+host+10, port, 1000+port)
}

func (s *state) addressOf(o *model.OSD, offset int) string {
	host := 0
	for i, h := range s.Hosts {
		if h == o.Host {
			host = i
		}
	}
	return address(int(s.FSID[7]-'0'), host, 6800+8*o.Number+offset)
}

func osdDump(s *state) any {
	pools, osds, infos := []object{}, []object{}, []object{}
	for _, p := range s.Pools {
		pools = append(pools, s.poolDocument(p, "pool"))
	}
	for _, o := range s.OSDs {
		up, states := 0, []string{"exists"}
		if o.Up {
			up, states = 1, []string{"exists", "up"}
		}
		osds = append(osds, recorded("osd_dump_osd", object{
			"osd": o.Number, "uuid": o.UUID, "up": up, "in": reweight(o), "weight": reweight(o), "state": states,
			"public_addr": s.addressOf(o, 1), "cluster_addr": s.addressOf(o, 3), "heartbeat_back_addr": s.addressOf(o, 5), "heartbeat_front_addr": s.addressOf(o, 7),
		}))
		infos = append(infos, recorded("osd_dump_xinfo", object{"osd": o.Number}))
	}
	return recorded("osd_dump", object{
		"epoch": s.Epoch, "fsid": s.FSID, "created": stamp(s.Created), "modified": stamp(s.lastChange()),
		"last_up_change": stamp(s.lastChange()), "last_in_change": stamp(s.lastChange()),
		"pool_max": len(s.Pools), "max_osd": len(s.OSDs), "pools": pools, "osds": osds, "osd_xinfo": infos, "erasure_code_profiles": profiles(s),
	})
}

func osdList(s *state) any {
	list := []int{}
	for _, o := range s.OSDs {
		list = append(list, o.Number)
	}
	return list
}

// balancer is a balancer that has nothing left to do.
func balancer(s *state) any {
	return object{
		"active": true, "last_optimize_duration": "0:00:00.001481", "last_optimize_started": s.world.Now.UTC().Format(time.ANSIC), "mode": "upmap",
		"no_optimization_needed": true, "plans": []any{},
		"optimize_result": "Unable to find further optimization, or pool(s) pg_num is decreasing, or distribution is already perfect",
	}
}

func osdStat(s *state) any {
	up, in := s.upIn()
	return object{
		"epoch": s.Epoch, "num_osds": len(s.OSDs), "num_up_osds": up, "osd_up_since": s.lastChange().Unix(), "num_in_osds": in,
		"osd_in_since": s.Created.Unix(), "num_remapped_pgs": 0,
	}
}

func osdPerf(s *state) any {
	list := []object{}
	for _, o := range s.OSDs {
		if !o.Up {
			continue
		}
		ms := s.latency(o)
		list = append(list, object{"id": o.Number, "perf_stats": object{
			"commit_latency_ms": ms, "apply_latency_ms": ms, "commit_latency_ns": ms * 1_000_000, "apply_latency_ns": ms * 1_000_000,
		}})
	}
	return object{"pg_ready": true, "osdstats": object{"osd_perf_infos": list}}
}

func osdMetadata(s *state) any {
	list := []object{}
	for _, o := range s.OSDs {
		rotational := "1"
		if o.Class == "nvme" {
			rotational = "0"
		}
		both := func(offset int) string {
			return fmt.Sprintf("[v2:%s,v1:%s]", s.addressOf(o, offset-1), s.addressOf(o, offset))
		}
		list = append(list, recorded("osd_metadata_one", object{
			"id": o.Number, "hostname": o.Host.Name, "bluestore_bdev_size": strconv.FormatInt(o.Bytes, 10), "created_at": stamp(s.Created),
			"bluestore_bdev_rotational": rotational, "rotational": rotational, "journal_rotational": rotational,
			"front_addr": both(1), "back_addr": both(3), "hb_back_addr": both(5), "hb_front_addr": both(7),
			"osd_data": fmt.Sprintf("/var/lib/ceph/osd/%s-%d", s.Name, o.Number), "default_device_class": o.Class,
		}))
	}
	return list
}
