package openstack

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"mcloud/deploy/sim/model"
)

// placement answers in the shapes of microversion 1.39 whatever is negotiated;
// older shapes of aggregates (below 1.19) are not kept.
var placement = &service{
	name: "placement", low: version{1, 0}, high: version{1, 39}, fallback: version{1, 0},
	fault: func(c *call, status int, title, message string) any {
		e := object{"status": status, "title": title, "detail": message, "request_id": c.id}
		if c.version.minor >= 23 {
			e["code"] = "placement.undefined_code"
			if status == http.StatusConflict && strings.Contains(message, "conflict") {
				e["code"] = "placement.concurrent_update"
			}
		}
		if status == http.StatusNotAcceptable {
			e["max_version"], e["min_version"] = "1.39", "1.0"
		}
		return object{"errors": []object{e}}
	},
}

func (s *Server) placementRoutes() {
	const p = "/placement"
	s.route(placement, "GET "+p, true, s.placementVersion)
	s.route(placement, "GET "+p+"/{$}", true, s.placementVersion)
	s.route(placement, "GET "+p+"/resource_providers", false, s.providers)
	one := p + "/resource_providers/{uuid}"
	for suffix, h := range map[string]func(*call, *model.World, *model.Host) answer{
		"": s.provider, "/inventories": s.inventories, "/usages": s.usages, "/traits": s.traits,
		"/aggregates": s.aggregates, "/allocations": s.allocations, "/inventories/{class}": s.inventory,
	} {
		s.route(placement, "GET "+one+suffix, false, s.onProvider(h))
	}
	s.route(placement, "PUT "+one+"/traits", false, s.onProvider(s.putTraits))
	s.route(placement, "DELETE "+one+"/traits", false, s.onProvider(s.deleteTraits))
	s.route(placement, "PUT "+one+"/aggregates", false, s.onProvider(s.putAggregates))
	s.route(placement, "PUT "+one+"/inventories/{class}", false, s.onProvider(s.putInventory))
	s.route(placement, "GET "+p+"/traits", false, s.listTraits)
	s.route(placement, "GET "+p+"/traits/{name}", false, s.getTrait)
	s.route(placement, "PUT "+p+"/traits/{name}", false, s.createTrait)
	s.route(placement, "DELETE "+p+"/traits/{name}", false, s.deleteTrait)
	s.route(placement, "GET "+p+"/resource_classes", false, s.resourceClasses)
	s.route(placement, "GET "+p+"/usages", false, s.projectUsages)
	s.route(placement, "GET "+p+"/allocations/{consumer}", false, s.consumer)
	s.route(placement, "GET "+p+"/allocation_candidates", false, s.candidates)
	s.route(placement, p+"/", false, func(c *call) answer {
		return placement.fail(c, http.StatusNotFound, "The resource could not be found.")
	})
}

func (s *Server) placementVersion(*call) answer {
	return ok(object{"versions": []object{{
		"id": "v1.0", "max_version": "1.39", "min_version": "1.0", "status": "CURRENT",
		"links": []object{{"rel": "self", "href": ""}},
	}}})
}

func providerDocument(h *model.Host) object {
	rels := []object{{"rel": "self", "href": "/placement/resource_providers/" + h.UUID}}
	for _, rel := range []string{"aggregates", "inventories", "allocations", "traits", "usages"} {
		rels = append(rels, object{"rel": rel, "href": "/placement/resource_providers/" + h.UUID + "/" + rel})
	}
	return object{
		"uuid": h.UUID, "name": h.Name, "generation": h.Generation, "links": rels,
		"parent_provider_uuid": nil, "root_provider_uuid": h.UUID,
	}
}

func (s *Server) providers(c *call) answer {
	query := c.URL.Query()
	need, bad := parseResources(query.Get("resources"))
	if bad != "" {
		return placement.fail(c, http.StatusBadRequest, "%s", bad)
	}
	list := []object{}
	s.cloud.With(func(w *model.World) {
		required, forbidden := parseRequired(query["required"])
		hosts := w.Hosts
		if query.Has("resources") || len(required)+len(forbidden) > 0 {
			hosts = w.Candidates(need, required, forbidden)
		}
		for _, h := range hosts {
			if n := query.Get("name"); n != "" && n != h.Name {
				continue
			}
			if u := query.Get("uuid"); u != "" && u != h.UUID {
				continue
			}
			if t := query.Get("in_tree"); t != "" && t != h.UUID {
				continue
			}
			if m := query["member_of"]; len(m) > 0 && !memberOf(aggregatesOf(w, h), m) {
				continue
			}
			list = append(list, providerDocument(h))
		}
	})
	return ok(object{"resource_providers": list})
}

// memberOf evaluates member_of=UUID and member_of=in:UUID,UUID; several are
// joined by and.
func memberOf(aggregates []string, clauses []string) bool {
	for _, clause := range clauses {
		any := strings.Split(strings.TrimPrefix(clause, "in:"), ",")
		if !slices.ContainsFunc(any, func(u string) bool { return slices.Contains(aggregates, u) }) {
			return false
		}
	}
	return true
}

// onProvider finds the provider and runs h under the cloud's lock.
func (s *Server) onProvider(h func(*call, *model.World, *model.Host) answer) handler {
	return func(c *call) (a answer) {
		s.cloud.With(func(w *model.World) {
			host := w.HostByUUID(c.PathValue("uuid"))
			if host == nil {
				a = placement.fail(c, http.StatusNotFound, "No resource provider with uuid %s found", c.PathValue("uuid"))
				return
			}
			a = h(c, w, host)
		})
		return a
	}
}

func (s *Server) provider(_ *call, _ *model.World, h *model.Host) answer {
	return ok(providerDocument(h))
}

func inventoryDocument(v model.Inventory) object {
	return object{
		"total": v.Total, "reserved": v.Reserved, "min_unit": v.MinUnit, "max_unit": v.MaxUnit,
		"step_size": v.StepSize, "allocation_ratio": v.AllocationRatio,
	}
}

func (s *Server) inventories(_ *call, _ *model.World, h *model.Host) answer {
	all := object{}
	for class, v := range h.Inventories {
		all[class] = inventoryDocument(v)
	}
	return ok(object{"inventories": all, "resource_provider_generation": h.Generation})
}

func (s *Server) inventory(c *call, _ *model.World, h *model.Host) answer {
	v, known := h.Inventories[c.PathValue("class")]
	if !known {
		return placement.fail(c, http.StatusNotFound, "No inventory of class %s for %s", c.PathValue("class"), h.UUID)
	}
	doc := inventoryDocument(v)
	doc["resource_provider_generation"] = h.Generation
	return ok(doc)
}

func resourcesDocument(r model.Resources, zeros bool) object {
	doc := object{}
	for _, class := range model.ResourceClasses {
		if n := r.Of(class); n > 0 || zeros {
			doc[class] = n
		}
	}
	return doc
}

func (s *Server) usages(_ *call, _ *model.World, h *model.Host) answer {
	return ok(object{"usages": resourcesDocument(h.Used, true), "resource_provider_generation": h.Generation})
}

func (s *Server) traits(_ *call, _ *model.World, h *model.Host) answer {
	return ok(object{"traits": h.Traits(), "resource_provider_generation": h.Generation})
}

// aggregatesOf are the mirrors of Nova's host aggregates and the ones set in
// Placement only.
func aggregatesOf(w *model.World, h *model.Host) []string {
	all := slices.Clone(h.OtherAggregates)
	for _, a := range w.AggregatesOf(h) {
		all = append(all, a.UUID)
	}
	slices.Sort(all)
	return slices.Compact(append([]string{}, all...))
}

func (s *Server) aggregates(_ *call, w *model.World, h *model.Host) answer {
	return ok(object{"aggregates": aggregatesOf(w, h), "resource_provider_generation": h.Generation})
}

func (s *Server) allocations(c *call, _ *model.World, h *model.Host) answer {
	all := object{}
	for id, server := range h.Servers {
		a := object{"resources": resourcesDocument(server.Flavor.Needs(server.BootVolume), false)}
		if c.since(28) {
			a["consumer_generation"] = 1
		}
		all[id] = a
	}
	return ok(object{"allocations": all, "resource_provider_generation": h.Generation})
}

// conflict is the answer to a stale generation.
func conflict(c *call, h *model.Host) answer {
	return placement.fail(c, http.StatusConflict, "Resource provider's generation already changed: update conflict with another thread updating provider %s. Please retry your update", h.UUID)
}

func (s *Server) putTraits(c *call, w *model.World, h *model.Host) answer {
	var body struct {
		Generation *int64   `json:"resource_provider_generation"`
		Traits     []string `json:"traits"`
	}
	if err := c.decode(&body); err != nil || body.Generation == nil || body.Traits == nil {
		return placement.fail(c, http.StatusBadRequest, "JSON does not validate: 'resource_provider_generation' and 'traits' are required properties")
	}
	var custom, unknown []string
	for _, t := range body.Traits {
		switch {
		case w.Traits[t]:
			custom = append(custom, t)
		case slices.Contains(standardTraits(w), t):
		default:
			unknown = append(unknown, t)
		}
	}
	if len(unknown) > 0 {
		return placement.fail(c, http.StatusBadRequest, "No such trait %s.", strings.Join(unknown, ", "))
	}
	if *body.Generation != h.Generation {
		return conflict(c, h)
	}
	// nova-compute puts its own traits back within a minute; here they stay.
	slices.Sort(custom)
	h.Custom = slices.Compact(custom)
	h.Generation++
	return s.traits(c, w, h)
}

func (s *Server) deleteTraits(_ *call, _ *model.World, h *model.Host) answer {
	h.Custom = nil
	h.Generation++
	return answer{http.StatusNoContent, nil}
}

func (s *Server) putAggregates(c *call, w *model.World, h *model.Host) answer {
	var body struct {
		Generation *int64   `json:"resource_provider_generation"`
		Aggregates []string `json:"aggregates"`
	}
	if err := c.decode(&body); err != nil || body.Generation == nil || body.Aggregates == nil {
		return placement.fail(c, http.StatusBadRequest, "JSON does not validate: 'aggregates' and 'resource_provider_generation' are required properties")
	}
	if *body.Generation != h.Generation {
		return conflict(c, h)
	}
	h.OtherAggregates = nil
	for _, uuid := range body.Aggregates {
		if !slices.ContainsFunc(w.Aggregates, func(a *model.Aggregate) bool { return a.UUID == uuid }) {
			h.OtherAggregates = append(h.OtherAggregates, uuid)
		}
	}
	h.Generation++
	return s.aggregates(c, w, h)
}

func (s *Server) putInventory(c *call, w *model.World, h *model.Host) answer {
	class := c.PathValue("class")
	v, known := h.Inventories[class]
	if !known {
		return placement.fail(c, http.StatusNotFound, "No inventory of class %s for %s", class, h.UUID)
	}
	body := struct {
		Generation      *int64   `json:"resource_provider_generation"`
		Total           *int64   `json:"total"`
		Reserved        int64    `json:"reserved"`
		MinUnit         int64    `json:"min_unit"`
		MaxUnit         int64    `json:"max_unit"`
		StepSize        int64    `json:"step_size"`
		AllocationRatio *float64 `json:"allocation_ratio"`
	}{MinUnit: 1, MaxUnit: 2147483647, StepSize: 1}
	if err := c.decode(&body); err != nil || body.Generation == nil || body.Total == nil {
		return placement.fail(c, http.StatusBadRequest, "JSON does not validate: 'resource_provider_generation' and 'total' are required properties")
	}
	if *body.Generation != h.Generation {
		return conflict(c, h)
	}
	v = model.Inventory{Total: *body.Total, Reserved: body.Reserved, MinUnit: body.MinUnit, MaxUnit: body.MaxUnit, StepSize: body.StepSize, AllocationRatio: 1}
	if body.AllocationRatio != nil {
		v.AllocationRatio = *body.AllocationRatio
	}
	h.SetInventory(class, v)
	h.Generation++
	return s.inventory(c, w, h)
}

// standardTraits are the traits of os-traits that any simulated host has.
func standardTraits(w *model.World) []string {
	all := []string{"COMPUTE_STATUS_DISABLED"}
	for _, h := range w.Hosts {
		for _, t := range h.DriverTrait {
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	slices.Sort(all)
	return all
}

func (s *Server) listTraits(c *call) answer {
	query := c.URL.Query()
	list := []string{}
	s.cloud.With(func(w *model.World) {
		list = append(list, standardTraits(w)...)
		for t := range w.Traits {
			list = append(list, t)
		}
	})
	slices.Sort(list)
	list = slices.DeleteFunc(list, func(t string) bool {
		if prefix, found := strings.CutPrefix(query.Get("name"), "startswith:"); found {
			return !strings.HasPrefix(t, prefix)
		}
		if names, found := strings.CutPrefix(query.Get("name"), "in:"); found {
			return !slices.Contains(strings.Split(names, ","), t)
		}
		return false
	})
	return ok(object{"traits": list})
}

func (s *Server) getTrait(c *call) (a answer) {
	name := c.PathValue("name")
	s.cloud.With(func(w *model.World) {
		if !w.Traits[name] && !slices.Contains(standardTraits(w), name) {
			a = placement.fail(c, http.StatusNotFound, "No such trait %s.", name)
			return
		}
		a = answer{http.StatusNoContent, nil}
	})
	return a
}

func (s *Server) createTrait(c *call) (a answer) {
	name := c.PathValue("name")
	if !strings.HasPrefix(name, "CUSTOM_") || strings.ToUpper(name) != name || len(name) > 255 {
		return placement.fail(c, http.StatusBadRequest, "The trait is invalid. A valid trait must be no longer than 255 characters, start with the prefix \"CUSTOM_\" and use following characters: \"A\"-\"Z\", \"0\"-\"9\" and \"_\"")
	}
	s.cloud.With(func(w *model.World) {
		a = answer{http.StatusCreated, nil}
		if w.Traits[name] {
			a.status = http.StatusNoContent
		}
		w.Traits[name] = true
	})
	c.header.Set("Location", "/placement/traits/"+name)
	return a
}

func (s *Server) deleteTrait(c *call) (a answer) {
	name := c.PathValue("name")
	s.cloud.With(func(w *model.World) {
		switch {
		case !strings.HasPrefix(name, "CUSTOM_"):
			a = placement.fail(c, http.StatusBadRequest, "Cannot delete standard trait %s.", name)
		case !w.Traits[name]:
			a = placement.fail(c, http.StatusNotFound, "No such trait %s.", name)
		case slices.ContainsFunc(w.Hosts, func(h *model.Host) bool { return slices.Contains(h.Custom, name) }):
			a = placement.fail(c, http.StatusConflict, "The trait %s is in use by a resource provider.", name)
		default:
			delete(w.Traits, name)
			a = answer{http.StatusNoContent, nil}
		}
	})
	return a
}

func (s *Server) resourceClasses(*call) answer {
	list := []object{}
	for _, class := range []string{"DISK_GB", "IPV4_ADDRESS", "MEMORY_MB", "PCPU", "VCPU", "VGPU"} {
		list = append(list, object{"name": class, "links": []object{{"rel": "self", "href": "/placement/resource_classes/" + class}}})
	}
	return ok(object{"resource_classes": list})
}

func (s *Server) projectUsages(c *call) answer {
	project := c.URL.Query().Get("project_id")
	if project == "" {
		return placement.fail(c, http.StatusBadRequest, "Invalid query string parameters: 'project_id' is a required property")
	}
	doc := object{}
	consumers := 0
	s.cloud.With(func(w *model.World) {
		var sum model.Resources
		for _, server := range w.Servers.All() {
			if server.Project.ID == project && server.Host != nil {
				need := server.Flavor.Needs(server.BootVolume)
				sum = model.Resources{VCPU: sum.VCPU + need.VCPU, MemoryMB: sum.MemoryMB + need.MemoryMB, DiskGB: sum.DiskGB + need.DiskGB}
				consumers++
			}
		}
		doc = resourcesDocument(sum, false)
	})
	if c.since(38) { // from 1.38 by consumer type
		if consumers == 0 {
			return ok(object{"usages": object{}})
		}
		doc["consumer_count"] = consumers
		return ok(object{"usages": object{"INSTANCE": doc}})
	}
	return ok(object{"usages": doc})
}

func (s *Server) consumer(c *call) (a answer) {
	s.cloud.With(func(w *model.World) {
		server := w.Servers.Get(c.PathValue("consumer"))
		if server == nil || server.Host == nil {
			a = ok(object{"allocations": object{}})
			return
		}
		doc := object{
			"allocations": object{server.Host.UUID: object{
				"generation": server.Host.Generation, "resources": resourcesDocument(server.Flavor.Needs(server.BootVolume), false),
			}},
			"project_id": server.Project.ID, "user_id": server.User.ID, "consumer_generation": 1,
		}
		if c.since(38) {
			doc["consumer_type"] = "INSTANCE"
		}
		a = ok(doc)
	})
	return a
}

func parseResources(text string) (need model.Resources, bad string) {
	if text == "" {
		return need, ""
	}
	for _, part := range strings.Split(text, ",") {
		class, amount, found := strings.Cut(part, ":")
		n, err := strconv.ParseInt(amount, 10, 64)
		if !found || err != nil || n < 1 {
			return need, fmt.Sprintf("Badly formed resources parameter. Expected resources query string parameter in form: ?resources=VCPU:2,MEMORY_MB:1024. Got: %s.", part)
		}
		switch class {
		case "VCPU":
			need.VCPU = n
		case "MEMORY_MB":
			need.MemoryMB = n
		case "DISK_GB":
			need.DiskGB = n
		default:
			return need, fmt.Sprintf("Invalid resource class in resources parameter: No such resource class %s.", class)
		}
	}
	return need, ""
}

func parseRequired(clauses []string) (required, forbidden []string) {
	for _, clause := range clauses {
		for _, t := range strings.Split(clause, ",") {
			if name, not := strings.CutPrefix(t, "!"); not {
				forbidden = append(forbidden, name)
			} else if t != "" {
				required = append(required, t)
			}
		}
	}
	return required, forbidden
}

func (s *Server) candidates(c *call) (a answer) {
	query := c.URL.Query()
	need, bad := parseResources(query.Get("resources"))
	if bad != "" || !query.Has("resources") {
		return placement.fail(c, http.StatusBadRequest, "Invalid query string parameters. %s", bad)
	}
	required, forbidden := parseRequired(query["required"])
	limit, err := strconv.Atoi(query.Get("limit"))
	if query.Has("limit") && (err != nil || limit < 1) {
		return placement.fail(c, http.StatusBadRequest, "Invalid query string parameters: limit %q is not a positive number", query.Get("limit"))
	}
	requests, summaries := []object{}, object{}
	s.cloud.With(func(w *model.World) {
		for _, h := range w.Candidates(need, required, forbidden) {
			if m := query["member_of"]; len(m) > 0 && !memberOf(aggregatesOf(w, h), m) {
				continue
			}
			if limit > 0 && len(requests) == limit {
				break
			}
			requests = append(requests, object{
				"allocations": object{h.UUID: object{"resources": resourcesDocument(need, false)}},
				"mappings":    object{"": []string{h.UUID}},
			})
			resources := object{}
			for _, class := range model.ResourceClasses {
				resources[class] = object{"capacity": h.Inventories[class].Capacity(), "used": h.Used.Of(class)}
			}
			summaries[h.UUID] = object{
				"resources": resources, "traits": h.Traits(), "parent_provider_uuid": nil, "root_provider_uuid": h.UUID,
			}
		}
	})
	return ok(object{"allocation_requests": requests, "provider_summaries": summaries})
}
