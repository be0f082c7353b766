package openstack

import (
	"net/http"
	"slices"
	"strings"

	"mcloud/deploy/sim/model"
)

// paging is how an API tells of the next page of a list.
type paging int

const (
	byLinks   paging = iota // "things_links": Nova, Cinder, Octavia
	byNext                  // "next": Glance, Barbican
	byObject                // "links": {"next"}: Designate
	byNothing               // a full page is followed by another: Heat, Masakari
)

// shelf registers a list that is made anew for each call.
func (s *Server) shelf(svc *service, path, member string, how paging, docs func(*call, *model.World) []object) {
	s.route(svc, "GET "+path, false, func(c *call) (a answer) {
		if strings.HasPrefix(path, "/instance-ha/") {
			c.header.Set("OpenStack-API-Version", "instance-ha 1.3")
		}
		s.cloud.With(func(w *model.World) {
			part, next, known := page(c, docs(c, w), idOf, 1000)
			if !known {
				a = svc.fail(c, http.StatusBadRequest, "The marker %s is not known", c.URL.Query().Get("marker"))
				return
			}
			list := make([]object, len(part))
			for i, doc := range part {
				list[i] = onlyFields(doc, c.URL.Query()["fields"])
			}
			a = ok(s.envelope(c, member, how, list, next))
		})
		return a
	})
}

func (s *Server) envelope(c *call, member string, how paging, list []object, next string) object {
	doc := object{member: list}
	here := s.root + c.URL.Path
	switch how {
	case byLinks:
		if strings.HasPrefix(c.URL.Path, "/load-balancer/") {
			doc[member+"_links"] = []any{}
		}
		s.nextLink(doc, member, c.URL.Path, next)
	case byNext:
		if c.URL.Path == "/image/v2/images" || c.URL.Path == "/image/v2/tasks" {
			doc["first"], doc["schema"] = c.URL.Path[len("/image"):], "/v2/schemas/"+member
		}
		if next != "" {
			doc["next"] = here + "?" + next
		}
	case byObject:
		links := object{"self": here}
		if next != "" {
			links["next"] = here + "?" + next
		}
		doc["links"] = links
	}
	return doc
}

func idOf(doc object) string {
	for _, key := range []string{"uuid", "notification_uuid", "id", "name"} {
		if id, ok := doc[key].(string); ok {
			return id
		}
	}
	return ""
}

// few are the first n of a list.
func few[T any](list []T, n int) []T { return list[:min(n, len(list))] }

// mine keeps what belongs to the caller's project, everything for an admin.
func mine(c *call, docs []object) []object {
	if c.who.admin() {
		return docs
	}
	return slices.DeleteFunc(docs, func(d object) bool {
		owner, owned := d["project_id"]
		return owned && owner != c.who.project
	})
}

func none(*call, *model.World) []object { return []object{} }
