package openstack

import (
	"net/http"

	"mcloud/deploy/sim/model"
)

// orchestrationRoutes serve Heat: a stack of each of the first projects, two
// engines.
func (s *Server) orchestrationRoutes() {
	const v = "/orchestration/v1/{project}"
	s.shelf(other, v+"/stacks", "stacks", byNothing, func(c *call, w *model.World) []object {
		docs := []object{}
		for i, p := range few(w.Customers(), 12) {
			if !c.who.admin() && p.ID != c.who.project {
				continue
			}
			status, reason := "CREATE_COMPLETE", "Stack CREATE completed successfully"
			if i == 7 {
				status, reason = "UPDATE_FAILED", "resources.server: Went to status ERROR"
			}
			id := madeID("stack", p.ID)
			docs = append(docs, recorded("stack", object{
				"id": id, "project": p.ID, "stack_name": p.Name + "-stack", "stack_status": status, "stack_status_reason": reason,
				"creation_time": when(w.Config.Start, second), "updated_time": nil,
				"links": []object{{"rel": "self", "href": s.root + "/orchestration/v1/" + p.ID + "/stacks/" + p.Name + "-stack/" + id}},
			}))
		}
		return docs
	})
	s.shelf(other, v+"/services", "services", byNothing, func(_ *call, w *model.World) []object {
		docs := []object{}
		for _, host := range []string{"ctl-1", "ctl-2"} {
			docs = append(docs, recorded("stack_service", object{
				"id": madeID("heat-engine", host), "engine_id": madeID("engine", host), "host": host, "hostname": host,
				"created_at": when(w.Config.Start, microsecond), "updated_at": when(w.Now, microsecond), "status": "up",
			}))
		}
		return docs
	})
	s.route(other, "/orchestration/v1/", false, func(c *call) answer {
		return other.fail(c, http.StatusNotFound, "The resource could not be found.")
	})
}
