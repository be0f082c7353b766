package openstack

import (
	"net/http"

	"mcloud/deploy/sim/model"
)

// secretRoutes serve Barbican: each project sees its own few secrets.
func (s *Server) secretRoutes() {
	const v = "/key-manager/v1"
	total := func(path, member string, docs func(*call, *model.World) []object) {
		s.route(other, "GET "+v+path, false, func(c *call) (a answer) {
			s.cloud.With(func(w *model.World) {
				list := docs(c, w)
				a = ok(object{member: list, "total": len(list)})
			})
			c.header.Set("OpenStack-API-Version", "key-manager 1.1")
			return a
		})
	}
	ref := func(kind, id string) string { return s.root + "/key-manager/v1/" + kind + "/" + id }
	total("/secrets", "secrets", func(c *call, w *model.World) []object {
		docs := []object{}
		for i, kind := range []string{"certificate", "private", "symmetric"} {
			var expires any
			if kind == "certificate" {
				expires = when(w.Config.End.AddDate(0, 0, 60), "2006-01-02T15:04:05")
			}
			id := madeID("secret", c.who.project, i)
			docs = append(docs, recorded("secret", object{
				"name": "sim-" + kind, "secret_type": kind, "expiration": expires, "created": when(w.Config.Start, "2006-01-02T15:04:05"),
				"updated": when(w.Config.Start, "2006-01-02T15:04:05"), "creator_id": c.who.user.ID, "consumers": []any{}, "secret_ref": ref("secrets", id),
			}))
		}
		return docs
	})
	total("/containers", "containers", func(c *call, w *model.World) []object {
		return []object{recorded("secret_container", object{
			"name": "sim-certificate", "created": when(w.Config.Start, "2006-01-02T15:04:05"), "updated": when(w.Config.Start, "2006-01-02T15:04:05"),
			"creator_id": c.who.user.ID, "container_ref": ref("containers", madeID("container", c.who.project)),
			"secret_refs": []object{{"name": "certificate", "secret_ref": ref("secrets", madeID("secret", c.who.project, 0))}},
		})}
	})
	total("/orders", "orders", func(c *call, w *model.World) []object {
		return []object{recorded("secret_order", object{
			"created": when(w.Config.Start, "2006-01-02T15:04:05"), "updated": when(w.Config.Start, "2006-01-02T15:04:05"), "creator_id": c.who.user.ID,
			"secret_ref": ref("secrets", madeID("secret", c.who.project, 2)), "order_ref": ref("orders", madeID("order", c.who.project)),
		})}
	})
	total("/project-quotas", "project_quotas", func(_ *call, w *model.World) []object {
		docs := []object{}
		for _, p := range few(w.Customers(), 2) {
			docs = append(docs, recorded("secret_project_quota", object{"project_id": p.ID}))
		}
		return docs
	})
	s.route(other, "GET "+v+"/quotas", false, func(c *call) answer {
		c.header.Set("OpenStack-API-Version", "key-manager 1.1")
		return ok(object{"quotas": recorded("secret_quota", nil)})
	})
	s.route(other, "GET "+v+"/secrets/{id}/consumers", false, func(*call) answer { return ok(object{"consumers": []any{}, "total": 0}) })
	s.route(other, v+"/", false, func(c *call) answer {
		return other.fail(c, http.StatusNotFound, "The resource could not be found.")
	})
}
