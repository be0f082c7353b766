package openstack

import (
	"net/http"
	"time"

	"mcloud/deploy/sim/model"
)

// rescueRoutes serve Masakari: a segment for each zone with its hosts, one
// recovery that was done before End.
func (s *Server) rescueRoutes() {
	const v = "/instance-ha/v1/{project}"
	segment := func(w *model.World, i int) object {
		return recorded("segment", object{"id": i + 1, "uuid": madeID("segment", i), "name": "seg-" + w.Zones[i].Name, "created_at": when(w.Config.Start, microsecond)})
	}
	s.shelf(other, v+"/segments", "segments", byNothing, func(_ *call, w *model.World) []object {
		docs := []object{}
		for i := range w.Zones {
			docs = append(docs, segment(w, i))
		}
		return docs
	})
	s.shelf(other, v+"/segments/{segment}/hosts", "hosts", byNothing, func(c *call, w *model.World) []object {
		docs := []object{}
		for i, z := range w.Zones {
			if madeID("segment", i) != c.PathValue("segment") {
				continue
			}
			for _, h := range z.Hosts {
				docs = append(docs, recorded("segment_host", object{
					"id": h.Number, "uuid": madeID("segment host", h.UUID), "name": h.Name, "failover_segment_id": madeID("segment", i), "failover_segment": segment(w, i),
					"on_maintenance": !h.Enabled, "reserved": false, "created_at": when(w.Config.Start, microsecond), "updated_at": nil,
				}))
			}
		}
		return docs
	})
	notification := func(w *model.World, kind string) object {
		at := w.Config.End.Add(-26 * time.Hour)
		return recorded(kind, object{
			"id": 1, "notification_uuid": madeID("notification"), "source_host_uuid": madeID("segment host", w.Hosts[0].UUID), "type": "COMPUTE_HOST",
			"payload": object{"event": "STOPPED", "host_status": "NORMAL", "cluster_status": "OFFLINE"}, "status": "finished",
			"generated_time": when(at, microsecond), "created_at": when(at.Add(2*time.Second), microsecond), "updated_at": when(at.Add(3*time.Minute), microsecond),
		})
	}
	s.shelf(other, v+"/notifications", "notifications", byNothing, func(c *call, w *model.World) []object {
		if since, err := time.Parse(time.RFC3339, c.URL.Query().Get("generated-since")); err == nil && since.After(w.Config.End.Add(-26*time.Hour)) {
			return []object{}
		}
		return []object{notification(w, "notification")}
	})
	s.route(other, "GET "+v+"/notifications/{id}", false, func(c *call) (a answer) {
		if c.PathValue("id") != madeID("notification") {
			return other.fail(c, http.StatusNotFound, "Notification %s could not be found.", c.PathValue("id"))
		}
		s.cloud.With(func(w *model.World) { a = ok(object{"notification": notification(w, "notification_detail")}) })
		return a
	})
	s.shelf(other, v+"/notifications/{id}/vmoves", "vmoves", byNothing, none)
	document := func(*call) answer {
		return ok(object{"version": object{
			"id": "v1.0", "status": "CURRENT", "version": "1.3", "min_version": "1.0", "updated": "2016-07-01T11:33:21Z",
			"links":       []object{{"rel": "self", "href": s.root + "/instance-ha/v1/"}},
			"media-types": []object{{"base": "application/json", "type": "application/vnd.openstack.masakari+json;version=1"}},
		}})
	}
	s.route(other, "GET /instance-ha/v1", true, document)
	s.route(other, "GET /instance-ha/v1/{$}", true, document)
	s.route(other, "/instance-ha/v1/", false, func(c *call) answer {
		return other.fail(c, http.StatusNotFound, "The resource could not be found.")
	})
}
