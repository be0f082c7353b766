package openstack

import (
	"fmt"
	"net/http"

	"mcloud/deploy/sim/model"
)

// dnsRoutes serve Designate: a zone of each of the first projects with a record
// for each of its first floating IPs.
func (s *Server) dnsRoutes() {
	const v = "/dns/v2"
	zoned := func(w *model.World) []*model.Project { return few(w.Customers(), 20) }
	name := func(p *model.Project) string { return p.Name + ".example.test." }
	pool := madeID("dns pool")
	s.shelf(other, v+"/zones", "zones", byObject, func(c *call, w *model.World) []object {
		docs := []object{}
		for _, p := range zoned(w) {
			id := madeID("zone", p.ID)
			docs = append(docs, recorded("zone", object{
				"id": id, "pool_id": pool, "project_id": p.ID, "name": name(p), "email": "dns@example.test", "serial": w.Config.Start.Unix(),
				"created_at": when(w.Config.Start, microsecond), "updated_at": nil, "links": object{"self": s.root + v + "/zones/" + id},
			}))
		}
		return mine(c, docs)
	})
	s.shelf(other, v+"/recordsets", "recordsets", byObject, func(c *call, w *model.World) []object {
		docs := []object{}
		add := func(p *model.Project, kind, what string, records ...string) {
			docs = append(docs, recorded("recordset", object{
				"id": madeID("recordset", p.ID, kind, what), "zone_id": madeID("zone", p.ID), "project_id": p.ID, "zone_name": name(p), "name": what + name(p),
				"type": kind, "records": records, "created_at": when(w.Config.Start, microsecond), "updated_at": nil,
				"links": object{"self": s.root + v + "/zones/" + madeID("zone", p.ID) + "/recordsets/" + madeID("recordset", p.ID, kind, what)},
			}))
		}
		addresses := map[*model.Project]int{}
		for _, p := range zoned(w) {
			add(p, "SOA", "", "ns1.example.test. dns.example.test. 1 3600 600 86400 3600")
			add(p, "NS", "", "ns1.example.test.")
			addresses[p] = 0
		}
		for _, f := range w.FloatingIP.All() {
			if n, has := addresses[f.Project]; has && n < 5 {
				add(f.Project, "A", fmt.Sprintf("www%d.", n), f.Address)
				addresses[f.Project]++
			}
		}
		return mine(c, docs)
	})
	s.shelf(other, v+"/pools", "pools", byObject, func(_ *call, w *model.World) []object {
		return []object{recorded("dns_pool", object{"id": pool, "description": "The simulated cloud's one pool", "links": object{"self": s.root + v + "/pools/" + pool}})}
	})
	s.shelf(other, v+"/service_statuses", "service_statuses", byObject, func(_ *call, w *model.World) []object {
		docs := []object{}
		for _, n := range []string{"central", "mdns", "producer", "worker"} {
			id := madeID("designate", n)
			docs = append(docs, recorded("dns_service", object{
				"id": id, "hostname": "ctl-1", "service_name": n, "heartbeated_at": when(w.Now, microsecond), "updated_at": when(w.Now, microsecond),
				"created_at": when(w.Config.Start, microsecond), "links": object{"self": s.root + v + "/service_statuses/" + id},
			}))
		}
		return docs
	})
	s.route(other, "GET "+v+"/quotas", false, func(*call) answer { return ok(recorded("dns_quotas", nil)) })
	s.route(other, "GET "+v+"/quotas/{project}", false, func(*call) answer { return ok(recorded("dns_quotas", nil)) })
	s.route(other, v+"/", false, func(c *call) answer {
		return other.fail(c, http.StatusNotFound, "The resource could not be found.")
	})
}
