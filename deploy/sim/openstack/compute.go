package openstack

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcloud/deploy/sim/model"
)

// faultNames are Nova's and Cinder's words for HTTP codes
// (nova/api/openstack/wsgi.py, Fault).
var faultNames = map[int]string{
	400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound", 405: "badMethod",
	409: "conflictingRequest", 413: "overLimit", 415: "badMediaType", 429: "overLimit", 501: "notImplemented", 503: "serviceUnavailable",
}

func namedFault(_ *call, status int, _, message string) any {
	name := faultNames[status]
	if name == "" {
		name = "computeFault"
	}
	return object{name: object{"code": status, "message": message}}
}

var compute = &service{
	name: "compute", low: version{2, 1}, high: version{2, 100}, fallback: version{2, 1},
	old: "X-OpenStack-Nova-API-Version", fault: namedFault,
}

func (s *Server) computeRoutes() {
	const v = "/compute/v2.1"
	s.route(compute, "GET /compute", true, s.computeVersions)
	s.route(compute, "GET /compute/{$}", true, s.computeVersions)
	s.route(compute, "GET "+v, true, s.computeVersion)
	s.route(compute, "GET "+v+"/{$}", true, s.computeVersion)
	s.route(compute, "GET "+v+"/servers", false, s.listServers(false))
	s.route(compute, "GET "+v+"/servers/detail", false, s.listServers(true))
	s.route(compute, "POST "+v+"/servers", false, s.createServer)
	s.route(compute, "GET "+v+"/servers/{id}", false, s.onServer(s.server))
	s.route(compute, "DELETE "+v+"/servers/{id}", false, s.onServer(s.deleteServer))
	s.route(compute, "POST "+v+"/servers/{id}/action", false, s.onServer(s.serverAction))
	s.route(compute, "GET "+v+"/servers/{id}/os-instance-actions", false, s.onServer(s.instanceActions))
	s.route(compute, "GET "+v+"/servers/{id}/os-instance-actions/{request}", false, s.onServer(s.instanceAction))
	s.route(compute, "GET "+v+"/flavors", false, s.flavors)
	s.route(compute, "GET "+v+"/flavors/detail", false, s.flavors)
	s.route(compute, "GET "+v+"/flavors/{id}", false, s.flavor)
	s.route(compute, "GET "+v+"/flavors/{id}/os-extra_specs", false, s.flavor)
	s.route(compute, "GET "+v+"/flavors/{id}/os-flavor-access", false, s.flavor)
	s.route(compute, "GET "+v+"/os-hypervisors", false, s.hypervisors(false))
	s.route(compute, "GET "+v+"/os-hypervisors/detail", false, s.hypervisors(true))
	s.route(compute, "GET "+v+"/os-services", false, s.computeServices)
	s.route(compute, "PUT "+v+"/os-services/{id}", false, s.updateService)
	s.route(compute, "GET "+v+"/os-availability-zone", false, s.zones)
	s.route(compute, "GET "+v+"/os-availability-zone/detail", false, s.zones)
	s.shelf(compute, v+"/os-server-groups", "server_groups", byNothing, serverGroups)
	s.shelf(compute, v+"/os-migrations", "migrations", byLinks, migrations)
	s.route(compute, "GET "+v+"/os-keypairs", false, func(*call) answer { return ok(object{"keypairs": []any{}}) })
	s.route(compute, "GET "+v+"/limits", false, s.computeLimits)
	s.route(compute, "GET "+v+"/os-quota-sets/{project}", false, s.computeQuota(false))
	s.route(compute, "GET "+v+"/os-quota-sets/{project}/detail", false, s.computeQuota(true))
	s.route(compute, v+"/", false, func(c *call) answer {
		return compute.fail(c, http.StatusNotFound, "The resource could not be found.")
	})
}

func (s *Server) computeDocument() object {
	return object{
		"id": "v2.1", "status": "CURRENT", "version": "2.100", "min_version": "2.1", "updated": "2013-07-23T11:33:21Z",
		"links": []object{{"rel": "self", "href": s.root + "/compute/v2.1/"}},
	}
}

func (s *Server) computeVersions(*call) answer {
	return ok(object{"versions": []object{{
		"id": "v2.0", "status": "SUPPORTED", "version": "", "min_version": "", "updated": "2011-01-21T11:33:21Z",
		"links": []object{{"rel": "self", "href": s.root + "/compute/v2/"}},
	}, s.computeDocument()}})
}

func (s *Server) computeVersion(*call) answer {
	doc := s.computeDocument()
	doc["links"] = []object{
		{"rel": "self", "href": s.root + "/compute/v2.1/"},
		{"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"},
	}
	doc["media-types"] = []object{{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}}
	return ok(object{"version": doc})
}

// page cuts a list as limit and marker ask, at most maximum long, and returns
// the query of the next page, or "". It reports false when the marker is
// unknown.
func page[T any](c *call, list []T, id func(T) string, maximum int) (part []T, next string, known bool) {
	query := c.URL.Query()
	if marker := query.Get("marker"); marker != "" {
		at := slices.IndexFunc(list, func(x T) bool { return id(x) == marker })
		if at < 0 {
			return nil, "", false
		}
		list = list[at+1:]
	}
	limit := maximum
	if n, err := strconv.Atoi(query.Get("limit")); err == nil && n >= 0 && n < maximum && query.Has("limit") {
		limit = n
	}
	if limit >= len(list) {
		return list, "", true
	}
	list = list[:limit]
	if len(list) == 0 {
		return list, "", true
	}
	more := url.Values{}
	for k, v := range query {
		more[k] = v
	}
	more.Set("marker", id(list[len(list)-1]))
	return list, more.Encode(), true
}

// nextLink is the "<name>_links" of a list's envelope.
func (s *Server) nextLink(doc object, name, path, next string) {
	if next != "" {
		doc[name+"_links"] = []object{{"rel": "next", "href": s.root + path + "?" + next}}
	}
}

const second = "2006-01-02T15:04:05Z"
const microsecond = "2006-01-02T15:04:05.000000"

// when formats a time, nil for none.
func when(t time.Time, format string) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(format)
}

// text is s, or nil when it is empty.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// visible says whether the caller may see a project's things in a list; nil that
// it sees all.
func visible(c *call, query url.Values) func(p *model.Project) bool {
	all := query.Get("all_tenants")
	everything := all == "1" || strings.EqualFold(all, "true") || query.Has("all_tenants") && all == ""
	if !everything || !c.who.admin() {
		return func(p *model.Project) bool { return p.ID == c.who.project }
	}
	project, tenant := query.Get("project_id"), query.Get("tenant_id")
	if project == "" && tenant == "" {
		return nil
	}
	return func(p *model.Project) bool {
		return (project == "" || project == p.ID) && (tenant == "" || tenant == p.ID)
	}
}

func (s *Server) listServers(detail bool) handler {
	return func(c *call) (a answer) {
		query := c.URL.Query()
		var since time.Time
		if text := query.Get("changes-since"); text != "" {
			t, err := time.Parse(time.RFC3339, text)
			if err != nil {
				if t, err = time.Parse("2006-01-02T15:04:05", text); err != nil {
					return compute.fail(c, http.StatusBadRequest, "Invalid input for query parameters changes-since. Value: %s. '%s' is not a 'date-time'", text, text)
				}
			}
			since = t
		}
		s.cloud.With(func(w *model.World) {
			// Nova's order: the newest first.
			newest := func(x, y *model.Server) int { return y.Created.Compare(x.Created) }
			list := s.servers.of(&w.Servers, newest)
			deleted := strings.EqualFold(query.Get("deleted"), "true")
			if len(w.Deleted.All()) > 0 && (deleted || !since.IsZero()) {
				if deleted {
					list = nil
				}
				list = append(slices.Clone(w.Deleted.All()), list...)
				slices.SortStableFunc(list, newest)
			}
			list = kept(list, selected(query, since), visible(c, query), func(x *model.Server) *model.Project { return x.Project })
			part, next, known := page(c, list, func(x *model.Server) string { return x.ID }, 1000)
			if !known {
				a = compute.fail(c, http.StatusBadRequest, "marker [%s] not found", query.Get("marker"))
				return
			}
			docs := []object{}
			path := "/compute/v2.1/servers"
			for _, server := range part {
				if detail {
					docs = append(docs, s.serverDocument(c, w, server))
				} else {
					docs = append(docs, object{"id": server.ID, "name": server.Name, "links": s.serverLinks(server)})
				}
			}
			if detail {
				path += "/detail"
			}
			doc := object{"servers": docs}
			s.nextLink(doc, "servers", path, next)
			a = ok(doc)
		})
		return a
	}
}

// kept are the members of a list that pass, nil being what all pass; the list
// itself stays as it is.
func kept[T any](list []*T, selected func(*T) bool, visible func(*model.Project) bool, project func(*T) *model.Project) []*T {
	if selected == nil && visible == nil {
		return list
	}
	few := make([]*T, 0, len(list))
	for _, x := range list {
		if (selected == nil || selected(x)) && (visible == nil || visible(project(x))) {
			few = append(few, x)
		}
	}
	return few
}

func selected(query url.Values, since time.Time) func(*model.Server) bool {
	host, name, status := query.Get("host"), query.Get("name"), query.Get("status")
	if since.IsZero() && host == "" && name == "" && status == "" {
		return nil
	}
	return func(s *model.Server) bool {
		switch {
		case s.Updated.Before(since),
			host != "" && (s.Host == nil || s.Host.Name != host),
			name != "" && !strings.Contains(s.Name, name),
			status != "" && !strings.EqualFold(status, s.Status):
			return false
		}
		return true
	}
}

func (s *Server) serverLinks(server *model.Server) []object {
	return []object{
		{"rel": "self", "href": s.root + "/compute/v2.1/servers/" + server.ID},
		{"rel": "bookmark", "href": s.root + "/compute/servers/" + server.ID},
	}
}

// onServer finds the server, a deleted one only for its actions, and runs h
// under the cloud's lock.
func (s *Server) onServer(h func(*call, *model.World, *model.Server) answer) handler {
	return func(c *call) (a answer) {
		s.cloud.With(func(w *model.World) {
			server := w.Servers.Get(c.PathValue("id"))
			if server == nil && strings.Contains(c.URL.Path, "/os-instance-actions") {
				server = w.Deleted.Get(c.PathValue("id"))
			}
			if server == nil || !c.who.admin() && server.Project.ID != c.who.project {
				a = compute.fail(c, http.StatusNotFound, "Instance %s could not be found.", c.PathValue("id"))
				return
			}
			a = h(c, w, server)
		})
		return a
	}
}

func (s *Server) server(c *call, w *model.World, server *model.Server) answer {
	doc := s.serverDocument(c, w, server)
	if c.since(71) {
		doc["server_groups"] = []string{}
	}
	return ok(object{"server": doc})
}

func (s *Server) serverDocument(c *call, w *model.World, server *model.Server) object {
	host, zone := any(nil), any("")
	if server.Host != nil && server.Status != "DELETED" {
		host, zone = server.Host.Name, server.Host.Zone.Name
	}
	metadata := server.Metadata
	if metadata == nil {
		metadata = map[string]string{}
	}
	doc := object{
		"id": server.ID, "name": server.Name, "status": server.Status, "tenant_id": server.Project.ID, "user_id": server.User.ID,
		"metadata": metadata, "hostId": hostID(server), "image": "", "flavor": flavorOf(c, server.Flavor),
		"created": when(server.Created, second), "updated": when(server.Updated, second), "addresses": addresses(server),
		"accessIPv4": "", "accessIPv6": "", "links": s.serverLinks(server), "OS-DCF:diskConfig": "MANUAL",
		"OS-EXT-AZ:availability_zone": zone, "config_drive": "", "key_name": nil,
		"OS-SRV-USG:launched_at": when(server.Launched, microsecond), "OS-SRV-USG:terminated_at": when(server.Terminated, microsecond),
		"OS-EXT-STS:task_state": text(server.TaskState), "OS-EXT-STS:vm_state": vmState(server), "OS-EXT-STS:power_state": server.PowerState,
		"os-extended-volumes:volumes_attached": attached(c, server),
		"OS-EXT-SRV-ATTR:host":                 host, "OS-EXT-SRV-ATTR:hypervisor_hostname": host,
		"OS-EXT-SRV-ATTR:instance_name": fmt.Sprintf("instance-%08x", server.Number),
	}
	if server.Port != nil {
		doc["security_groups"] = []object{{"name": "default"}}
	}
	if server.Image != nil {
		doc["image"] = object{"id": server.Image.ID, "links": []object{{"rel": "bookmark", "href": s.root + "/compute/images/" + server.Image.ID}}}
		if c.since(98) {
			doc["image"].(object)["properties"] = object{}
		}
	}
	switch server.Status {
	case "ACTIVE", "BUILD", "SHUTOFF":
		doc["progress"] = 0
	case "ERROR":
		doc["fault"] = object{"code": 500, "created": when(server.Updated, second), "message": server.Fault}
	}
	if c.since(3) {
		doc["OS-EXT-SRV-ATTR:hostname"], doc["OS-EXT-SRV-ATTR:reservation_id"] = server.Name, server.Reservation
		doc["OS-EXT-SRV-ATTR:launch_index"], doc["OS-EXT-SRV-ATTR:root_device_name"] = 0, "/dev/vda"
		doc["OS-EXT-SRV-ATTR:kernel_id"], doc["OS-EXT-SRV-ATTR:ramdisk_id"], doc["OS-EXT-SRV-ATTR:user_data"] = "", "", nil
	}
	if c.since(9) {
		doc["locked"] = false
	}
	if c.since(16) {
		doc["host_status"] = hostStatus(server)
	}
	if c.since(19) {
		doc["description"] = nil
	}
	if c.since(26) {
		doc["tags"] = []string{}
	}
	if c.since(63) {
		doc["trusted_image_certificates"] = nil
	}
	if c.since(73) {
		doc["locked_reason"] = nil
	}
	if c.since(96) {
		doc["pinned_availability_zone"] = text(server.Pinned)
	}
	if c.since(100) {
		doc["scheduler_hints"] = object{}
	}
	return doc
}

func vmState(s *model.Server) string {
	switch s.Status {
	case "BUILD":
		return "building"
	case "SHUTOFF":
		return "stopped"
	}
	return strings.ToLower(s.Status)
}

func hostStatus(s *model.Server) string {
	switch {
	case s.Host == nil:
		return ""
	case !s.Host.Up:
		return "UNKNOWN"
	case !s.Host.Enabled:
		return "MAINTENANCE"
	}
	return "UP"
}

func hostID(s *model.Server) string {
	if s.Host == nil {
		return ""
	}
	return strings.Repeat(strings.ReplaceAll(s.Host.UUID, "-", ""), 2)[:56]
}

func attached(c *call, s *model.Server) []object {
	list := []object{}
	for _, v := range s.Volumes {
		a := object{"id": v.ID}
		if c.since(3) {
			a["delete_on_termination"] = v.Bootable
		}
		list = append(list, a)
	}
	return list
}

func addresses(s *model.Server) object {
	if s.Port == nil {
		return object{}
	}
	address := func(ip, kind string) object {
		return object{"version": 4, "addr": ip, "OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": s.Port.MAC}
	}
	list := []object{address(s.Port.IP, "fixed")}
	if f := s.Port.FloatingIP; f != nil {
		list = append(list, address(f.Address, "floating"))
	}
	return object{s.Port.Network.Name: list}
}

// flavorOf is the flavor inside a server: embedded and without its id from 2.47.
func flavorOf(c *call, f *model.Flavor) object {
	if !c.since(47) {
		return object{"id": f.ID, "links": []object{{"rel": "bookmark", "href": c.server.root + "/compute/flavors/" + f.ID}}}
	}
	return object{
		"vcpus": f.VCPUs, "ram": f.MemoryMB, "disk": f.DiskGB, "ephemeral": 0, "swap": 0, "original_name": f.Name, "extra_specs": f.ExtraSpecs,
	}
}

func (s *Server) instanceActions(c *call, _ *model.World, server *model.Server) answer {
	actions := slices.Clone(server.Actions)
	slices.Reverse(actions) // the newest first
	if c.since(58) {
		if text := c.URL.Query().Get("changes-since"); text != "" {
			if t, err := time.Parse(time.RFC3339, text); err == nil {
				actions = slices.DeleteFunc(actions, func(a model.Action) bool { return a.Updated.Before(t) })
			}
		}
	}
	part, next, known := page(c, actions, func(a model.Action) string { return a.RequestID }, 1000)
	if !known {
		return compute.fail(c, http.StatusBadRequest, "marker [%s] not found", c.URL.Query().Get("marker"))
	}
	list := []object{}
	for _, a := range part {
		list = append(list, actionDocument(c, server, a))
	}
	doc := object{"instanceActions": list}
	if c.since(58) && next != "" {
		doc["links"] = []object{{"rel": "next", "href": s.root + c.URL.Path + "?" + next}}
	}
	return ok(doc)
}

func actionDocument(c *call, server *model.Server, a model.Action) object {
	doc := object{
		"action": a.Action, "instance_uuid": server.ID, "request_id": a.RequestID, "user_id": a.UserID,
		"project_id": server.Project.ID, "start_time": when(a.Start, microsecond), "message": nil,
	}
	if a.Failed {
		doc["message"] = "Error"
	}
	if c.since(58) {
		doc["updated_at"] = when(a.Updated, microsecond)
	}
	return doc
}

func (s *Server) instanceAction(c *call, _ *model.World, server *model.Server) answer {
	for _, a := range server.Actions {
		if a.RequestID != c.PathValue("request") {
			continue
		}
		result := "Success"
		if a.Failed {
			result = "Error"
		}
		event := object{"event": a.Event, "start_time": when(a.Start, microsecond), "finish_time": when(a.Updated, microsecond), "result": result, "traceback": nil}
		if c.since(62) {
			event["hostId"], event["host"] = hostID(server), ""
			if server.Host != nil {
				event["host"] = server.Host.Name
			}
		}
		if c.since(84) {
			event["details"] = nil
		}
		doc := actionDocument(c, server, a)
		doc["events"] = []object{event}
		return ok(object{"instanceAction": doc})
	}
	return compute.fail(c, http.StatusNotFound, "Action for request_id %s on instance %s not found", c.PathValue("request"), server.ID)
}
