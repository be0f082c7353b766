package openstack

import "mcloud/deploy/sim/model"

// imageRoutes serve Glance: the model's images in one RBD store, one finished task.
func (s *Server) imageRoutes() {
	const v = "/image/v2"
	s.shelf(other, v+"/images", "images", byNext, func(c *call, w *model.World) []object {
		docs := []object{}
		if c.URL.Query().Get("os_hidden") == "true" {
			return docs
		}
		for _, i := range w.Images {
			docs = append(docs, recorded("image", object{
				"id": i.ID, "name": i.Name, "status": "active", "size": i.Size, "virtual_size": i.Size, "visibility": "public", "protected": false,
				"owner": w.Projects[0].ID, "created_at": when(i.Created, second), "updated_at": when(i.Created, second), "container_format": "bare",
				"disk_format": "raw", "min_disk": 0, "min_ram": 0, "tags": []string{}, "os_hidden": false, "stores": "rbd",
				"file": "/v2/images/" + i.ID + "/file", "schema": "/v2/schemas/image", "self": "/v2/images/" + i.ID,
			}))
		}
		return docs
	})
	s.shelf(other, v+"/tasks", "tasks", byNext, func(_ *call, w *model.World) []object {
		return []object{recorded("image_task", object{
			"id": madeID("image task"), "owner": w.Projects[0].ID, "created_at": when(w.Config.Start, second), "updated_at": when(w.Config.Start, second),
			"self": "/v2/tasks/" + madeID("image task"),
		})}
	})
	stores := func(detail bool) func(*call, *model.World) []object {
		return func(_ *call, w *model.World) []object {
			doc := object{"id": "rbd", "default": "true"}
			if detail {
				doc["type"], doc["weight"] = "rbd", 0
				doc["properties"] = object{"chunk_size": 8388608, "pool": "images", "thin_provisioning": false}
			}
			return []object{doc}
		}
	}
	s.shelf(other, v+"/info/stores", "stores", byNothing, stores(false))
	s.shelf(other, v+"/info/stores/detail", "stores", byNothing, stores(true))
}
