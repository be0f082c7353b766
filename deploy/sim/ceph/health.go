package ceph

import (
	"fmt"

	"mcloud/deploy/sim/model"
)

// check is one health check.
type check struct {
	name, severity, message string
	count                   int
	detail                  []string
}

// checks are the health checks that hold, in the order of their names
// (ceph/ceph:src/osd/OSDMap.cc check_health, src/mon/PGMap.cc get_health_checks).
func (s *state) checks() []check {
	var down, hosts, sites []string
	for _, o := range s.OSDs {
		if !o.Up && o.In {
			down = append(down, fmt.Sprintf("osd.%d (%s) is down", o.Number, location(o.Host, true)))
		}
	}
	for _, h := range s.Hosts {
		if len(h.OSDs) > 0 && allDown(h.OSDs) {
			hosts = append(hosts, fmt.Sprintf("host %s (%s) (%d osds) is down", h.Name, location(h, false), len(h.OSDs)))
		}
	}
	for _, d := range s.Sites {
		if len(d.OSDs) > 0 && allDown(d.OSDs) {
			sites = append(sites, fmt.Sprintf("datacenter %s (root=default) (%d osds) is down", d.Name, len(d.OSDs)))
		}
	}
	var all []check
	add := func(name, message string, detail []string) {
		if len(detail) > 0 {
			all = append(all, check{name, "HEALTH_WARN", message, len(detail), detail})
		}
	}
	add("OSD_DATACENTER_DOWN", fmt.Sprintf("%d datacenter (%d osds) down", len(sites), len(down)), sites)
	add("OSD_DOWN", fmt.Sprintf("%d osds down", len(down)), down)
	add("OSD_HOST_DOWN", fmt.Sprintf("%d host (%d osds) down", len(hosts), len(down)), hosts)
	var near []string
	for _, o := range s.usage.Nearfull {
		near = append(near, fmt.Sprintf("osd.%d is near full", o.Number))
	}
	add("OSD_NEARFULL", fmt.Sprintf("%d nearfull osd(s)", len(near)), near)
	if degraded := s.degradedPGs(); len(degraded) > 0 {
		add("PG_DEGRADED", fmt.Sprintf("Degraded data redundancy: %d/%d objects degraded (%.3f%%), %d pgs degraded",
			s.degradedObjects(), s.copies(), 100*s.usage.Degraded, len(degraded)), degraded)
	}
	if len(near) > 0 {
		var pools []string
		for _, p := range s.Pools {
			pools = append(pools, fmt.Sprintf("pool '%s' is nearfull", p.Name))
		}
		add("POOL_NEARFULL", fmt.Sprintf("%d pool(s) nearfull", len(pools)), pools)
	}
	return all
}

func location(h *model.Bucket, withHost bool) string {
	where := "root=default"
	if h.Site != nil {
		where += ",datacenter=" + h.Site.Name
	}
	if withHost {
		where += ",host=" + h.Name
	}
	return where
}

func allDown(osds []*model.OSD) bool {
	for _, o := range osds {
		if o.Up {
			return false
		}
	}
	return true
}

func (s *state) degradedPGs() []string {
	var list []string
	for _, p := range s.pgs {
		if !p.whole() && len(list) < 50 { // Ceph, too, lists fifty (mon_health_max_detail)
			list = append(list, fmt.Sprintf("pg %s is %s, acting %v", p.id(), p.state(), p.acting))
		}
	}
	return list
}

func (s *state) copies() (sum int64) {
	for _, p := range s.Pools {
		sum += s.objects(p) * p.Size
	}
	return sum
}

func (s *state) degradedObjects() int64 { return int64(float64(s.copies()) * s.usage.Degraded) }

func (s *state) healthDocument(detail bool) object {
	status, checks := "HEALTH_OK", object{}
	for _, c := range s.checks() {
		status = c.severity
		doc := object{"severity": c.severity, "summary": object{"message": c.message, "count": c.count}, "muted": false}
		if detail {
			lines := []object{}
			for _, d := range c.detail {
				lines = append(lines, object{"message": d})
			}
			doc["detail"] = lines
		}
		checks[c.name] = doc
	}
	return object{"status": status, "checks": checks, "mutes": []any{}}
}

func health(s *state, args map[string]any) (any, error) {
	return s.healthDocument(args["detail"] == "detail"), nil
}

func status(s *state) any {
	up, in := s.upIn()
	states := []object{}
	counts := s.pgStates()
	for _, name := range keys(counts) {
		states = append(states, object{"state_name": name, "count": counts[name]})
	}
	rate := s.rate()
	pgmap := object{
		"pgs_by_state": states, "num_pgs": len(s.pgs), "num_pools": len(s.Pools), "num_objects": s.allObjects(), "data_bytes": s.stored(),
		"bytes_used": s.usage.Used, "bytes_avail": s.usage.Total - s.usage.Used, "bytes_total": s.usage.Total,
		"read_bytes_sec": rate.readBytes, "write_bytes_sec": rate.writeBytes, "read_op_per_sec": rate.reads, "write_op_per_sec": rate.writes,
	}
	if s.usage.Degraded > 0 {
		pgmap["degraded_objects"], pgmap["degraded_total"], pgmap["degraded_ratio"] = s.degradedObjects(), s.copies(), s.usage.Degraded
	}
	doc := recorded("status", object{"fsid": s.FSID, "health": s.healthDocument(false), "pgmap": pgmap, "quorum_age": s.age()})
	osdmap := at(doc, "osdmap")
	osdmap["epoch"], osdmap["num_osds"], osdmap["num_up_osds"], osdmap["num_in_osds"] = s.Epoch, len(s.OSDs), up, in
	osdmap["osd_up_since"], osdmap["osd_in_since"] = s.lastChange().Unix(), s.Created.Unix()
	return doc
}

func (s *state) allObjects() (sum int64) {
	for _, p := range s.Pools {
		sum += s.objects(p)
	}
	return sum
}

func (s *state) upIn() (up, in int) {
	for _, o := range s.OSDs {
		if o.Up {
			up++
		}
		if o.In {
			in++
		}
	}
	return up, in
}
