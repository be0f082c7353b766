package openstack

import (
	"fmt"
	"net/http"

	"mcloud/deploy/sim/model"
)

// balanced are the projects that have a load balancer, with a listener, a pool
// and members each; every third one has an amphora, the others are OVN's.
func balanced(w *model.World) []*model.Project { return few(w.Customers(), 12) }

// balancerRoutes serve Octavia, which answers under v2 and v2.0.
func (s *Server) balancerRoutes() {
	s.balancersUnder("/load-balancer/v2")
	s.balancersUnder("/load-balancer/v2.0")
}

func (s *Server) balancersUnder(v string) {
	ids := func(kind string, p *model.Project, n int) []object {
		list := []object{}
		for i := range n {
			list = append(list, object{"id": madeID(kind, p.ID, i)})
		}
		return list
	}
	list := func(path, member string, docs func(w *model.World, i int, p *model.Project) []object) {
		s.shelf(other, v+path, member, byLinks, func(c *call, w *model.World) []object {
			all := []object{}
			for i, p := range balanced(w) {
				if project := c.URL.Query().Get("project_id"); project == "" || project == p.ID {
					all = append(all, docs(w, i, p)...)
				}
			}
			return mine(c, all)
		})
	}
	stamped := func(w *model.World, doc object) object {
		doc["provisioning_status"] = "ACTIVE"
		if _, has := doc["operating_status"]; !has {
			doc["operating_status"] = "ONLINE"
		}
		doc["admin_state_up"], doc["tags"], doc["description"] = true, []string{}, ""
		doc["created_at"], doc["updated_at"] = when(w.Config.Start, "2006-01-02T15:04:05"), when(w.Config.Start, "2006-01-02T15:04:05")
		return doc
	}
	provider := func(i int) string {
		if i%3 == 0 {
			return "amphora"
		}
		return "ovn"
	}
	members := func(p *model.Project) int { return 2 + int(p.ID[0])%2 }
	list("/lbaas/loadbalancers", "loadbalancers", func(w *model.World, i int, p *model.Project) []object {
		return []object{recorded("loadbalancer", stamped(w, object{
			"id": madeID("balancer", p.ID, 0), "name": p.Name + "-lb", "project_id": p.ID, "provider": provider(i), "vip_address": fmt.Sprintf("198.51.100.%d", 10+i),
			"vip_network_id": p.Network.ID, "vip_subnet_id": p.Network.SubnetID, "vip_port_id": madeID("vip", p.ID),
			"listeners": ids("listener", p, 1), "pools": ids("pool", p, 1), "flavor_id": "", "availability_zone": nil,
		}))}
	})
	list("/lbaas/listeners", "listeners", func(w *model.World, _ int, p *model.Project) []object {
		return []object{recorded("listener", stamped(w, object{
			"id": madeID("listener", p.ID, 0), "name": p.Name + "-http", "project_id": p.ID, "protocol": "TCP", "protocol_port": 80,
			"loadbalancers": ids("balancer", p, 1), "default_pool_id": madeID("pool", p.ID, 0),
		}))}
	})
	list("/lbaas/pools", "pools", func(w *model.World, i int, p *model.Project) []object {
		algorithm := "SOURCE_IP_PORT"
		if i%3 == 0 {
			algorithm = "ROUND_ROBIN"
		}
		return []object{recorded("lb_pool", stamped(w, object{
			"id": madeID("pool", p.ID, 0), "name": p.Name + "-pool", "project_id": p.ID, "protocol": "TCP", "lb_algorithm": algorithm,
			"loadbalancers": ids("balancer", p, 1), "members": ids("member", p, members(p)), "healthmonitor_id": madeID("healthmonitor", p.ID, 0),
		}))}
	})
	list("/lbaas/healthmonitors", "healthmonitors", func(w *model.World, _ int, p *model.Project) []object {
		return []object{recorded("healthmonitor", stamped(w, object{
			"id": madeID("healthmonitor", p.ID, 0), "name": "", "project_id": p.ID, "type": "TCP", "delay": 5, "timeout": 3, "max_retries": 3, "pools": ids("pool", p, 1),
		}))}
	})
	list("/octavia/amphorae", "amphorae", func(w *model.World, i int, p *model.Project) []object {
		if provider(i) != "amphora" {
			return nil
		}
		return []object{recorded("amphora", object{
			"id": madeID("amphora", p.ID), "loadbalancer_id": madeID("balancer", p.ID, 0), "compute_id": madeID("compute", p.ID),
			"lb_network_ip": fmt.Sprintf("192.0.2.%d", 10+i), "ha_ip": fmt.Sprintf("198.51.100.%d", 10+i), "role": "STANDALONE", "status": "ALLOCATED",
			"cert_expiration": when(w.Config.End.AddDate(0, 0, 30), "2006-01-02T15:04:05"),
		})}
	})
	s.route(other, "GET "+v+"/lbaas/pools/{id}/members", false, func(c *call) (a answer) {
		a = other.fail(c, http.StatusNotFound, "Pool %s not found.", c.PathValue("id"))
		s.cloud.With(func(w *model.World) {
			for _, p := range balanced(w) {
				if madeID("pool", p.ID, 0) != c.PathValue("id") {
					continue
				}
				docs := []object{}
				for i := range members(p) {
					status := "ONLINE"
					if i == 2 {
						status = "ERROR"
					}
					docs = append(docs, onlyFields(recorded("lb_member", stamped(w, object{
						"id": madeID("member", p.ID, i), "name": "", "project_id": p.ID, "operating_status": status, "address": fmt.Sprintf("10.0.0.%d", 10+i), "protocol_port": 80,
					})), c.URL.Query()["fields"]))
				}
				a = ok(object{"members": docs, "members_links": []any{}})
			}
		})
		return a
	})
	s.route(other, "GET "+v+"/lbaas/loadbalancers/{id}/stats", false, func(c *call) (a answer) {
		s.cloud.With(func(w *model.World) {
			bytes := int64(w.Now.Sub(w.Config.Start).Seconds()) * 1500
			a = ok(object{"stats": recorded("lb_stats", object{"bytes_in": bytes, "bytes_out": 9 * bytes, "active_connections": 12, "total_connections": bytes / 4000})})
		})
		return a
	})
	s.shelf(other, v+"/lbaas/quotas", "quotas", byLinks, none)
	s.route(other, "GET "+v+"/lbaas/quotas/defaults", false, func(*call) answer {
		return ok(object{"quota": recorded("lb_quota_defaults", nil)})
	})
	s.shelf(other, v+"/lbaas/flavors", "flavors", byLinks, none)
	s.shelf(other, v+"/lbaas/availabilityzones", "availability_zones", byLinks, none)
	s.route(other, "GET "+v+"/lbaas/providers", false, func(*call) answer {
		return ok(object{"providers": []object{{"name": "amphora", "description": "The Octavia Amphora driver."}, {"name": "ovn", "description": "OVN provider"}}})
	})
	s.route(other, v+"/", false, func(c *call) answer {
		return other.fail(c, http.StatusNotFound, "The resource could not be found.")
	})
}
