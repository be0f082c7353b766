package openstack

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"mcloud/deploy/sim/model"
)

func (s *Server) aggregateRoutes() {
	const v = "/compute/v2.1/os-aggregates"
	s.route(compute, "GET "+v, false, s.listAggregates)
	s.route(compute, "POST "+v, false, s.createAggregate)
	s.route(compute, "GET "+v+"/{id}", false, s.onAggregate(func(c *call, _ *model.World, a *model.Aggregate) answer {
		return ok(object{"aggregate": aggregateDocument(c, a)})
	}))
	s.route(compute, "PUT "+v+"/{id}", false, s.onAggregate(s.updateAggregate))
	s.route(compute, "DELETE "+v+"/{id}", false, s.onAggregate(s.deleteAggregate))
	s.route(compute, "POST "+v+"/{id}/action", false, s.onAggregate(s.aggregateAction))
}

func aggregateDocument(c *call, a *model.Aggregate) object {
	hosts := []string{}
	for _, h := range a.Hosts {
		hosts = append(hosts, h.Name)
	}
	metadata := map[string]string{}
	for k, v := range a.Metadata {
		metadata[k] = v
	}
	if a.Zone != "" {
		metadata["availability_zone"] = a.Zone
	}
	doc := object{
		"id": a.ID, "name": a.Name, "availability_zone": text(a.Zone), "hosts": hosts, "metadata": metadata,
		"created_at": when(a.Created, microsecond), "updated_at": when(a.Updated, microsecond), "deleted": false, "deleted_at": nil,
	}
	if c.since(41) {
		doc["uuid"] = a.UUID
	}
	return doc
}

func (s *Server) listAggregates(c *call) (a answer) {
	if refusal := requireAdmin(c, compute, "os_compute_api:os-aggregates:index"); refusal != nil {
		return *refusal
	}
	s.cloud.With(func(w *model.World) {
		list := []object{}
		for _, agg := range w.Aggregates {
			list = append(list, aggregateDocument(c, agg))
		}
		a = ok(object{"aggregates": list})
	})
	return a
}

type aggregateBody struct {
	Aggregate struct {
		Name string  `json:"name"`
		Zone *string `json:"availability_zone"`
	} `json:"aggregate"`
}

func (s *Server) createAggregate(c *call) (a answer) {
	if refusal := requireAdmin(c, compute, "os_compute_api:os-aggregates:create"); refusal != nil {
		return *refusal
	}
	var body aggregateBody
	if err := c.decode(&body); err != nil || body.Aggregate.Name == "" {
		return compute.fail(c, http.StatusBadRequest, "Invalid input for field/attribute aggregate. 'name' is a required property")
	}
	s.cloud.With(func(w *model.World) {
		if slices.ContainsFunc(w.Aggregates, func(x *model.Aggregate) bool { return x.Name == body.Aggregate.Name }) {
			a = compute.fail(c, http.StatusConflict, "Aggregate %s already exists.", body.Aggregate.Name)
			return
		}
		zone := ""
		if body.Aggregate.Zone != nil {
			zone = *body.Aggregate.Zone
		}
		doc := aggregateDocument(c, w.AddAggregate(body.Aggregate.Name, zone, nil))
		delete(doc, "hosts") // nova/api/openstack/compute/aggregates.py, create
		delete(doc, "metadata")
		a = ok(object{"aggregate": doc})
	})
	return a
}

func (s *Server) onAggregate(h func(*call, *model.World, *model.Aggregate) answer) handler {
	return func(c *call) (a answer) {
		if refusal := requireAdmin(c, compute, "os_compute_api:os-aggregates:show"); refusal != nil {
			return *refusal
		}
		s.cloud.With(func(w *model.World) {
			id, err := strconv.Atoi(c.PathValue("id"))
			at := slices.IndexFunc(w.Aggregates, func(x *model.Aggregate) bool { return x.ID == id })
			if err != nil || at < 0 {
				a = compute.fail(c, http.StatusNotFound, "Aggregate %s could not be found.", c.PathValue("id"))
				return
			}
			a = h(c, w, w.Aggregates[at])
		})
		return a
	}
}

func (s *Server) updateAggregate(c *call, w *model.World, agg *model.Aggregate) answer {
	var body aggregateBody
	if err := c.decode(&body); err != nil {
		return compute.fail(c, http.StatusBadRequest, "Malformed request body")
	}
	if body.Aggregate.Name != "" {
		agg.Name = body.Aggregate.Name
	}
	if body.Aggregate.Zone != nil {
		agg.Zone = *body.Aggregate.Zone
	}
	agg.Updated = w.Now
	return ok(object{"aggregate": aggregateDocument(c, agg)})
}

func (s *Server) deleteAggregate(c *call, w *model.World, agg *model.Aggregate) answer {
	if len(agg.Hosts) > 0 {
		return compute.fail(c, http.StatusBadRequest, "Unacceptable parameters for aggregate %d: Host aggregate is not empty.", agg.ID)
	}
	w.RemoveAggregate(agg)
	return answer{http.StatusOK, nil}
}

// aggregateAction does add_host, remove_host and set_metadata. Nova mirrors
// membership to Placement, which moves the provider's generation.
func (s *Server) aggregateAction(c *call, w *model.World, agg *model.Aggregate) answer {
	var body map[string]json.RawMessage
	if err := c.decode(&body); err != nil || len(body) != 1 {
		return compute.fail(c, http.StatusBadRequest, "Malformed request body")
	}
	for action, argument := range body {
		switch action {
		case "add_host", "remove_host":
			var which struct {
				Host string `json:"host"`
			}
			if err := json.Unmarshal(argument, &which); err != nil || which.Host == "" {
				return compute.fail(c, http.StatusBadRequest, "Invalid input for field/attribute %s. 'host' is a required property", action)
			}
			host := w.Host(which.Host)
			switch {
			case host == nil:
				return compute.fail(c, http.StatusNotFound, "Compute host %s could not be found.", which.Host)
			case action == "add_host" && agg.Has(host):
				return compute.fail(c, http.StatusConflict, "Cannot add host to aggregate %d. Reason: host %s already exists in aggregate.", agg.ID, host.Name)
			case action == "remove_host" && !agg.Has(host):
				return compute.fail(c, http.StatusNotFound, "Aggregate %d has no host %s.", agg.ID, host.Name)
			case action == "add_host":
				agg.Hosts = append(agg.Hosts, host)
			default:
				agg.Hosts = slices.DeleteFunc(agg.Hosts, func(h *model.Host) bool { return h == host })
			}
			host.Generation++
		case "set_metadata":
			var set struct {
				Metadata map[string]*string `json:"metadata"`
			}
			if err := json.Unmarshal(argument, &set); err != nil || set.Metadata == nil {
				return compute.fail(c, http.StatusBadRequest, "Invalid input for field/attribute set_metadata. 'metadata' is a required property")
			}
			setMetadata(agg, set.Metadata)
		default:
			return compute.fail(c, http.StatusBadRequest, "There is no such action: %s", action)
		}
	}
	agg.Updated = w.Now
	return ok(object{"aggregate": aggregateDocument(c, agg)})
}

// setMetadata merges: a null removes its key.
func setMetadata(agg *model.Aggregate, metadata map[string]*string) {
	for k, v := range metadata {
		switch {
		case k == "availability_zone" && v != nil:
			agg.Zone = *v
		case v == nil:
			delete(agg.Metadata, k)
		default:
			agg.Metadata[k] = *v
		}
	}
}
