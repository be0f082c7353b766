package ceph

import (
	"fmt"

	"mcloud/deploy/sim/model"
)

func (s *state) minSize(p *model.Pool) int64 {
	if p.Data > 0 {
		return p.Data + 1
	}
	return min(2, p.Size)
}

func (s *state) profileName(p *model.Pool) string {
	if p.Data > 0 {
		return "tier-" + s.DeviceClass()
	}
	return ""
}

// poolDocument is a pool of osd dump (key "pool") and osd pool ls detail (key
// "pool_id").
func (s *state) poolDocument(p *model.Pool, key string) object {
	kind := 1
	if p.Data > 0 {
		kind = 3
	}
	doc := recorded("osd_dump_pool", object{
		key: p.Number, "pool_name": p.Name, "create_time": stamp(p.Created), "type": kind, "size": p.Size, "min_size": s.minSize(p),
		"crush_rule": p.Rule, "pg_num": p.PGs, "pg_placement_num": p.PGs, "pg_placement_num_target": p.PGs, "pg_num_target": p.PGs, "pg_num_pending": p.PGs,
		"erasure_code_profile": s.profileName(p), "application_metadata": object{p.Application: object{}},
	})
	if key != "pool" {
		delete(doc, "pool")
	}
	return doc
}

func poolList(s *state, args map[string]any) (any, error) {
	if args["detail"] != "detail" {
		names := []string{}
		for _, p := range s.Pools {
			names = append(names, p.Name)
		}
		return names, nil
	}
	list := []object{}
	for _, p := range s.Pools {
		list = append(list, s.poolDocument(p, "pool_id"))
	}
	return list, nil
}

func poolStats(s *state) any {
	list := []object{}
	rate := s.rate()
	for _, p := range s.Pools {
		doc := object{"pool_name": p.Name, "pool_id": p.Number, "recovery": object{}, "recovery_rate": object{}, "client_io_rate": object{}}
		if p.Kind == model.VolumesPool {
			doc["client_io_rate"] = object{
				"read_bytes_sec": rate.readBytes, "write_bytes_sec": rate.writeBytes, "read_op_per_sec": rate.reads, "write_op_per_sec": rate.writes,
			}
			if s.usage.Degraded > 0 {
				doc["recovery"] = object{"degraded_objects": s.degradedObjects(), "degraded_total": s.copies(), "degraded_ratio": s.usage.Degraded}
			}
		}
		list = append(list, doc)
	}
	return list
}

func df(s *state) any {
	in := 0
	for _, o := range s.OSDs {
		if o.In {
			in++
		}
	}
	free, ratio := s.usage.Total-s.usage.Used, float64(s.usage.Used)/float64(max(s.usage.Total, 1))
	whole := func() object {
		return object{
			"total_bytes": s.usage.Total, "total_avail_bytes": free, "total_used_bytes": s.usage.Used,
			"total_used_raw_bytes": s.usage.Used, "total_used_raw_ratio": ratio,
		}
	}
	stats := whole()
	stats["num_osds"], stats["num_per_pool_osds"], stats["num_per_pool_omap_osds"] = len(s.OSDs), in, in
	pools := []object{}
	for _, p := range s.Pools {
		pools = append(pools, object{"name": p.Name, "id": p.Number, "stats": s.poolSpace(p)})
	}
	return object{"stats": stats, "stats_by_class": object{s.DeviceClass(): whole()}, "pools": pools}
}

// poolSpace: percent_used is used ÷ (used + what max_avail takes raw), 0 to 1
// (ceph/ceph:src/mon/PGMap.cc, dump_object_stat_sum).
func (s *state) poolSpace(p *model.Pool) object {
	stored, raw, avail := s.usage.Stored[p.Number], s.usage.UsedByPool[p.Number], s.usage.MaxAvail[p.Number]
	availRaw := int64(float64(avail) * p.RawFactor())
	percent := 0.0
	if raw+availRaw > 0 {
		percent = float64(raw) / float64(raw+availRaw)
	}
	io := load{}
	if p.Kind == model.VolumesPool {
		io = s.total()
	}
	objects := s.objects(p)
	return object{
		"stored": stored, "stored_data": stored, "stored_omap": 0, "objects": objects, "kb_used": raw >> 10, "bytes_used": raw, "data_bytes_used": raw,
		"omap_bytes_used": 0, "percent_used": percent, "max_avail": avail, "quota_objects": 0, "quota_bytes": 0, "dirty": 0,
		"rd": io.reads, "rd_bytes": io.readBytes, "wr": io.writes, "wr_bytes": io.writeBytes,
		"compress_bytes_used": 0, "compress_under_bytes": 0, "stored_raw": raw, "avail_raw": availRaw,
	}
}

func profiles(s *state) map[string]map[string]string {
	all := map[string]map[string]string{"default": {"k": "2", "m": "2", "plugin": "jerasure", "technique": "reed_sol_van"}}
	if k, m := s.ErasureCoded(); k > 0 {
		all["tier-"+s.DeviceClass()] = map[string]string{
			"crush-device-class": s.DeviceClass(), "crush-failure-domain": s.FailureDomain(), "crush-root": "default", "jerasure-per-chunk-alignment": "false",
			"k": fmt.Sprint(k), "m": fmt.Sprint(m), "plugin": "jerasure", "technique": "reed_sol_van", "w": "8",
		}
	}
	return all
}

func profile(s *state, args map[string]any) (any, error) {
	name, _ := args["name"].(string)
	if p, known := profiles(s)[name]; known {
		return p, nil
	}
	return nil, RefusedError{Code: -2, Command: "osd erasure-code-profile get " + name}
}

// shadowRoot is the id of the bucket default~CLASS.
const shadowRoot = -90

func crushRules(s *state) any {
	steps := func(class, choose, domain string, before ...object) []object {
		take := object{"op": "take", "item": -1, "item_name": "default"}
		if class != "" {
			take = object{"op": "take", "item": shadowRoot, "item_name": "default~" + class}
		}
		return append(before, take, object{"op": choose, "num": 0, "type": domain}, object{"op": "emit"})
	}
	rules := []object{{
		"rule_id": 0, "rule_name": "replicated_rule", "ruleset": 0, "type": 1, "min_size": 1, "max_size": 10,
		"steps": steps("", "chooseleaf_firstn", s.FailureDomain()),
	}}
	if k, m := s.ErasureCoded(); k > 0 {
		return append(rules, object{
			"rule_id": 1, "rule_name": "tier-" + s.Tier.VolumeType, "ruleset": 1, "type": 3, "min_size": 3, "max_size": k + m,
			"steps": steps(s.DeviceClass(), "chooseleaf_indep", s.FailureDomain(), object{"op": "set_chooseleaf_tries", "num": 5}, object{"op": "set_choose_tries", "num": 100}),
		})
	}
	return append(rules, object{
		"rule_id": 1, "rule_name": "tier-" + s.Tier.VolumeType, "ruleset": 1, "type": 1, "min_size": 1, "max_size": 10,
		"steps": steps(s.DeviceClass(), "chooseleaf_firstn", s.FailureDomain()),
	})
}

func crushDump(s *state) any {
	devices, buckets := []object{}, []object{}
	fixed := func(osds []*model.OSD) (sum int64) { // 16.16 fixed point TiB
		for _, o := range osds {
			sum += int64(crushWeight(o.Bytes) * 0x10000)
		}
		return sum
	}
	weights := map[int]int64{}
	all := s.nodes()
	for _, n := range all {
		weights[n.doc["id"].(int)] = fixed(n.osds)
	}
	for _, n := range all {
		if n.osd != nil {
			devices = append(devices, object{"id": n.osd.Number, "name": n.doc["name"], "class": n.osd.Class})
			continue
		}
		items := []object{}
		for i, child := range n.doc["children"].([]int) {
			items = append(items, object{"id": child, "weight": weights[child], "pos": i})
		}
		id := n.doc["id"].(int)
		buckets = append(buckets, object{
			"id": id, "name": n.doc["name"], "type_id": n.doc["type_id"], "type_name": n.doc["type"], "weight": weights[id],
			"alg": "straw2", "hash": "rjenkins1", "items": items,
		})
	}
	return object{
		"devices": devices, "types": recordedList("crush_types"), "buckets": buckets, "rules": crushRules(s),
		"tunables": recorded("crush_tunables", nil), "choose_args": object{},
	}
}
