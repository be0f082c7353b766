package openstack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"mcloud/deploy/sim/model"
)

// requireAdmin is the default policy of the operator's calls: a reader gets 403
// (lab: os-services, os-hypervisors with only the role reader).
func requireAdmin(c *call, svc *service, policy string) *answer {
	if c.who.admin() {
		return nil
	}
	a := svc.fail(c, http.StatusForbidden, "Policy doesn't allow %s to be performed.", policy)
	return &a
}

func (s *Server) hypervisors(detail bool) handler {
	return func(c *call) (a answer) {
		if refusal := requireAdmin(c, compute, "os_compute_api:os-hypervisors:list-detail"); refusal != nil {
			return *refusal
		}
		s.cloud.With(func(w *model.World) {
			id := func(h *model.Host) string {
				if c.since(53) {
					return h.UUID
				}
				return strconv.Itoa(h.Number)
			}
			hosts, next, known := w.Hosts, "", true
			if c.since(33) {
				hosts, next, known = page(c, hosts, id, 1000)
			}
			if !known {
				a = compute.fail(c, http.StatusBadRequest, "Marker %s could not be found", c.URL.Query().Get("marker"))
				return
			}
			list := []object{}
			for _, h := range hosts {
				list = append(list, hypervisorDocument(c, w, h, detail))
			}
			doc := object{"hypervisors": list}
			s.nextLink(doc, "hypervisors", c.URL.Path, next)
			a = ok(doc)
		})
		return a
	}
}

// hypervisorDocument: id is an integer below 2.53, and what Placement knows
// better left the answer at 2.88.
func hypervisorDocument(c *call, w *model.World, h *model.Host, detail bool) object {
	doc := object{"hypervisor_hostname": h.Name, "state": "up", "status": "enabled", "id": h.UUID}
	if !c.since(53) {
		doc["id"] = h.Number
	}
	if !h.Up {
		doc["state"] = "down"
	}
	if !h.Enabled {
		doc["status"] = "disabled"
	}
	if !detail {
		return doc
	}
	service := object{"id": h.ServiceID, "host": h.Name, "disabled_reason": text(h.DisabledReason)}
	if !c.since(53) {
		service["id"] = h.ServiceNumber
	}
	doc["service"], doc["host_ip"], doc["hypervisor_type"], doc["hypervisor_version"] = service, h.IP, "QEMU", 9002001
	if c.since(88) {
		doc["uptime"] = nil
		if h.Up {
			up := w.Now.Sub(h.Booted)
			doc["uptime"] = fmt.Sprintf(" %s up %d days, %2d:%02d,  1 user,  load average: 2.08, 1.92, 1.88\n",
				w.Now.Format("15:04:05"), int(up.Hours())/24, int(up.Hours())%24, int(up.Minutes())%60)
		}
		return doc
	}
	cpu, memory, disk := h.Inventories["VCPU"], h.Inventories["MEMORY_MB"], h.Inventories["DISK_GB"]
	usedMB := h.Used.MemoryMB + memory.Reserved
	doc["vcpus"], doc["vcpus_used"] = cpu.Total, h.Used.VCPU
	doc["memory_mb"], doc["memory_mb_used"], doc["free_ram_mb"] = memory.Total, usedMB, memory.Total-usedMB
	doc["local_gb"], doc["local_gb_used"], doc["free_disk_gb"] = disk.Total, h.Used.DiskGB, disk.Total-h.Used.DiskGB
	doc["disk_available_least"], doc["running_vms"], doc["current_workload"] = disk.Total-h.Used.DiskGB, len(h.Servers), 0
	info := object{
		"arch": "x86_64", "model": h.CPUModel, "vendor": "AMD", "features": []string{"aes", "avx", "avx2", "sse4.2"},
		"topology": object{"cells": 2, "sockets": 1, "cores": cpu.Total / 4, "threads": 2},
	}
	if strings.HasSuffix(h.CPUModel, "Server") || h.CPUModel == "SapphireRapids" {
		info["vendor"] = "Intel"
	}
	doc["cpu_info"] = info
	if !c.since(28) { // a string until then
		b, _ := json.Marshal(info) // plain values cannot fail
		doc["cpu_info"] = string(b)
	}
	return doc
}

// ControlService is a service of Nova beside nova-compute.
type ControlService struct{ Binary, Host string }

// ControlServices are Nova's services beside nova-compute.
func ControlServices() []ControlService { return control }

var control = []ControlService{
	{"nova-conductor", "ctl-1"}, {"nova-conductor", "ctl-2"}, {"nova-scheduler", "ctl-1"}, {"nova-scheduler", "ctl-2"},
}

func (s *Server) computeServices(c *call) (a answer) {
	if refusal := requireAdmin(c, compute, "os_compute_api:os-services:list"); refusal != nil {
		return *refusal
	}
	query := c.URL.Query()
	s.cloud.With(func(w *model.World) {
		list := []object{}
		for i, k := range control {
			doc := object{
				"binary": k.Binary, "host": k.Host, "zone": "internal", "status": "enabled", "state": "up", "disabled_reason": nil,
				"updated_at": when(w.Now, microsecond), "id": fmt.Sprintf("c0000000-0000-4000-8000-%012d", i+1),
			}
			list = append(list, trimService(c, doc, i+1, false))
		}
		for _, h := range w.Hosts {
			list = append(list, serviceDocument(c, w, h))
		}
		kept := list[:0]
		for _, doc := range list {
			if b := query.Get("binary"); b != "" && doc["binary"] != b {
				continue
			}
			if h := query.Get("host"); h != "" && doc["host"] != h {
				continue
			}
			kept = append(kept, doc)
		}
		a = ok(object{"services": kept})
	})
	return a
}

func serviceDocument(c *call, w *model.World, h *model.Host) object {
	doc := object{
		"binary": "nova-compute", "host": h.Name, "zone": h.Zone.Name, "status": "enabled", "state": "up",
		"updated_at": when(w.Now, microsecond), "disabled_reason": text(h.DisabledReason), "id": h.ServiceID,
	}
	if !h.Up {
		doc["state"], doc["updated_at"] = "down", when(h.StateChanged, microsecond)
	}
	if !h.Enabled {
		doc["status"] = "disabled"
	}
	return trimService(c, doc, h.ServiceNumber, h.ForcedDown)
}

// trimService makes the document that of the negotiated version: forced_down
// came with 2.11, uuids with 2.53.
func trimService(c *call, doc object, number int, forced bool) object {
	if c.since(11) {
		doc["forced_down"] = forced
	}
	if !c.since(53) {
		doc["id"] = number
	}
	return doc
}

func (s *Server) updateService(c *call) (a answer) {
	if refusal := requireAdmin(c, compute, "os_compute_api:os-services:update"); refusal != nil {
		return *refusal
	}
	var body struct {
		Status string `json:"status"`
		Reason string `json:"disabled_reason"`
		Forced *bool  `json:"forced_down"`
	}
	if err := c.decode(&body); err != nil {
		return compute.fail(c, http.StatusBadRequest, "Malformed request body")
	}
	s.cloud.With(func(w *model.World) {
		for _, h := range w.Hosts {
			if h.ServiceID != c.PathValue("id") {
				continue
			}
			if body.Forced != nil {
				h.ForcedDown = *body.Forced
				w.SetHostUp(h, !h.ForcedDown)
			}
			if body.Status != "" {
				w.SetHostEnabled(h, body.Status == "enabled", body.Reason)
				h.Generation++
			}
			a = ok(object{"service": serviceDocument(c, w, h)})
			return
		}
		a = compute.fail(c, http.StatusNotFound, "Compute service %s could not be found.", c.PathValue("id"))
	})
	return a
}

func (s *Server) zones(c *call) (a answer) {
	detail := strings.HasSuffix(c.URL.Path, "/detail")
	s.cloud.With(func(w *model.World) {
		list := []object{}
		if detail {
			hosts := object{}
			for _, k := range control {
				if hosts[k.Host] == nil {
					hosts[k.Host] = object{}
				}
				hosts[k.Host].(object)[k.Binary] = object{"active": true, "available": true, "updated_at": when(w.Now, microsecond)}
			}
			list = append(list, object{"zoneName": "internal", "zoneState": object{"available": true}, "hosts": hosts})
		}
		for _, z := range w.Zones {
			doc := object{"zoneName": z.Name, "zoneState": object{"available": true}, "hosts": nil}
			if detail {
				hosts := object{}
				for _, h := range z.Hosts {
					hosts[h.Name] = object{"nova-compute": object{"active": h.Enabled, "available": h.Up, "updated_at": when(w.Now, microsecond)}}
				}
				doc["hosts"] = hosts
			}
			list = append(list, doc)
		}
		a = ok(object{"availabilityZoneInfo": list})
	})
	return a
}

func (s *Server) flavorDocument(c *call, f *model.Flavor) object {
	doc := object{
		"id": f.ID, "name": f.Name, "vcpus": f.VCPUs, "ram": f.MemoryMB, "disk": f.DiskGB, "swap": "", "rxtx_factor": 1.0,
		"OS-FLV-EXT-DATA:ephemeral": 0, "OS-FLV-DISABLED:disabled": false, "os-flavor-access:is_public": !f.Private,
		"links": []object{
			{"rel": "self", "href": s.root + "/compute/v2.1/flavors/" + f.ID},
			{"rel": "bookmark", "href": s.root + "/compute/flavors/" + f.ID},
		},
	}
	if c.since(55) {
		doc["description"] = nil
	}
	if c.since(61) {
		doc["extra_specs"] = f.ExtraSpecs
	}
	if c.since(75) {
		doc["swap"] = 0
	}
	return doc
}

func (s *Server) flavors(c *call) (a answer) {
	query := c.URL.Query()
	s.cloud.With(func(w *model.World) {
		var list []*model.Flavor
		for _, f := range w.Flavors {
			switch public := strings.ToLower(query.Get("is_public")); {
			case public == "none" && c.who.admin(), public == "false" && f.Private && c.who.admin(), public != "false" && !f.Private:
				list = append(list, f)
			}
		}
		part, next, known := page(c, list, func(f *model.Flavor) string { return f.ID }, 1000)
		if !known {
			a = compute.fail(c, http.StatusBadRequest, "marker [%s] not found", query.Get("marker"))
			return
		}
		docs := []object{}
		for _, f := range part {
			if strings.HasSuffix(c.URL.Path, "/detail") {
				docs = append(docs, s.flavorDocument(c, f))
			} else {
				full := s.flavorDocument(c, f)
				docs = append(docs, object{"id": f.ID, "name": f.Name, "links": full["links"]})
			}
		}
		doc := object{"flavors": docs}
		s.nextLink(doc, "flavors", c.URL.Path, next)
		a = ok(doc)
	})
	return a
}

func (s *Server) flavor(c *call) (a answer) {
	s.cloud.With(func(w *model.World) {
		f := w.Flavor(c.PathValue("id"))
		switch {
		case f == nil || f.ID != c.PathValue("id"):
			a = compute.fail(c, http.StatusNotFound, "Flavor %s could not be found.", c.PathValue("id"))
		case strings.HasSuffix(c.URL.Path, "/os-extra_specs"):
			a = ok(object{"extra_specs": f.ExtraSpecs})
		case strings.HasSuffix(c.URL.Path, "/os-flavor-access"):
			if !f.Private {
				a = compute.fail(c, http.StatusNotFound, "Access list not available for public flavors.")
				return
			}
			list := []object{}
			for _, p := range w.FlavorAccess(f) {
				list = append(list, object{"flavor_id": f.ID, "tenant_id": p.ID})
			}
			a = ok(object{"flavor_access": list})
		default:
			a = ok(object{"flavor": s.flavorDocument(c, f)})
		}
	})
	return a
}

// projectTotals are what a project's servers take of its quota.
func projectTotals(w *model.World, project string) (instances, cores, memoryMB int64) {
	for _, server := range w.Servers.All() {
		if server.Project.ID == project {
			instances, cores, memoryMB = instances+1, cores+server.Flavor.VCPUs, memoryMB+server.Flavor.MemoryMB
		}
	}
	return instances, cores, memoryMB
}

const quotaInstances, quotaCores, quotaMemoryMB = 1000, 4000, 16 << 20

func (s *Server) computeLimits(c *call) (a answer) {
	project := c.who.project
	if p := c.URL.Query().Get("tenant_id"); p != "" && c.who.admin() {
		project = p
	}
	s.cloud.With(func(w *model.World) {
		instances, cores, memory := projectTotals(w, project)
		a = ok(object{"limits": object{"rate": []any{}, "absolute": object{
			"maxTotalInstances": quotaInstances, "maxTotalCores": quotaCores, "maxTotalRAMSize": quotaMemoryMB,
			"totalInstancesUsed": instances, "totalCoresUsed": cores, "totalRAMUsed": memory,
			"maxServerMeta": 128, "maxTotalKeypairs": 100, "maxServerGroups": 10, "maxServerGroupMembers": 10, "totalServerGroupsUsed": 0,
		}}})
	})
	return a
}

func (s *Server) computeQuota(detail bool) handler {
	return func(c *call) (a answer) {
		s.cloud.With(func(w *model.World) {
			instances, cores, memory := projectTotals(w, c.PathValue("project"))
			doc := object{"id": c.PathValue("project")}
			for _, q := range []struct {
				name        string
				limit, used int64
			}{
				{"instances", quotaInstances, instances}, {"cores", quotaCores, cores}, {"ram", quotaMemoryMB, memory},
				{"key_pairs", 100, 0}, {"metadata_items", 128, 0}, {"server_groups", 10, 0}, {"server_group_members", 10, 0},
			} {
				doc[q.name] = q.limit
				if detail {
					doc[q.name] = object{"limit": q.limit, "in_use": q.used, "reserved": 0}
				}
			}
			a = ok(object{"quota_set": doc})
		})
		return a
	}
}
