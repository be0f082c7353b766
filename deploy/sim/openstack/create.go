package openstack

import (
	"encoding/json"
	"net/http"
	"strings"

	"mcloud/deploy/sim/model"
)

// newServer is the body of POST /servers as far as it is understood.
type newServer struct {
	Server struct {
		Name     string            `json:"name"`
		Flavor   string            `json:"flavorRef"`
		Image    string            `json:"imageRef"`
		Zone     string            `json:"availability_zone"`
		Host     string            `json:"host"`
		Metadata map[string]string `json:"metadata"`
		Mapping  []struct {
			Source string      `json:"source_type"`
			UUID   string      `json:"uuid"`
			Size   json.Number `json:"volume_size"`
			Index  json.Number `json:"boot_index"`
		} `json:"block_device_mapping_v2"`
	} `json:"server"`
}

// createServer schedules at once, as Nova's scheduler would; the server becomes
// ACTIVE after Options.Building.
func (s *Server) createServer(c *call) (a answer) {
	var body newServer
	if err := c.decode(&body); err != nil {
		return compute.fail(c, http.StatusBadRequest, "Malformed request body: %v", err)
	}
	want := body.Server
	if want.Name == "" || want.Flavor == "" {
		return compute.fail(c, http.StatusBadRequest, "Invalid input for field/attribute server. 'name' and 'flavorRef' are required properties")
	}
	zone, forced, _ := strings.Cut(want.Zone, ":")
	forced, _, _ = strings.Cut(forced, ":")
	if want.Host != "" {
		forced = want.Host
	}
	if forced != "" && !c.who.admin() {
		return compute.fail(c, http.StatusForbidden, "Policy doesn't allow os_compute_api:servers:create:forced_host to be performed.")
	}
	s.cloud.With(func(w *model.World) {
		r := model.Request{Name: want.Name, Zone: zone, Host: forced, Metadata: want.Metadata, User: c.who.user, Building: s.options.Building}
		if r.Project = w.Project(c.who.project); r.Project == nil {
			a = compute.fail(c, http.StatusForbidden, "A server needs a project: the token is not scoped to one")
			return
		}
		if r.Flavor = w.Flavor(want.Flavor); r.Flavor == nil {
			a = compute.fail(c, http.StatusBadRequest, "Flavor %s could not be found.", want.Flavor)
			return
		}
		if zone != "" && !knownZone(w, zone) {
			a = compute.fail(c, http.StatusBadRequest, "The requested availability zone is not available")
			return
		}
		for _, i := range w.Images {
			if i.ID == want.Image {
				r.Image = i
			}
		}
		if r.Image == nil && len(want.Mapping) == 0 {
			a = compute.fail(c, http.StatusBadRequest, "Can not find requested image")
			return
		}
		if len(want.Mapping) > 0 && r.Flavor.DiskGB == 0 || r.Image == nil {
			r.BootFromVolume = w.CreateVolume("", r.Project, r.User, w.Tiers[0], 20)
		}
		server := w.CreateServer(r)
		a = answer{http.StatusAccepted, object{"server": object{
			"id": server.ID, "links": s.serverLinks(server), "OS-DCF:diskConfig": "MANUAL",
			"security_groups": []object{{"name": "default"}}, "adminPass": randomHex(6),
		}}}
		c.header.Set("Location", s.root+"/compute/v2.1/servers/"+server.ID)
	})
	return a
}

func knownZone(w *model.World, name string) bool {
	for _, z := range w.Zones {
		if z.Name == name {
			return true
		}
	}
	return false
}

func (s *Server) deleteServer(_ *call, w *model.World, server *model.Server) answer {
	w.DeleteServer(server)
	return answer{http.StatusNoContent, nil}
}

// serverAction does what POST /servers/{id}/action names: os-start, os-stop,
// resize (confirmed at once), confirmResize, os-migrateLive and migrate.
func (s *Server) serverAction(c *call, w *model.World, server *model.Server) answer {
	var body map[string]json.RawMessage
	if err := c.decode(&body); err != nil || len(body) != 1 {
		return compute.fail(c, http.StatusBadRequest, "Malformed request body")
	}
	for action, argument := range body {
		switch action {
		case "os-start", "os-stop":
			w.PowerServer(server, action == "os-start")
		case "os-migrateLive", "migrate":
			if !c.who.admin() {
				return compute.fail(c, http.StatusForbidden, "Policy doesn't allow os_compute_api:os-migrate-server:%s to be performed.", strings.ToLower(action))
			}
			if !w.MigrateServer(server) {
				return compute.fail(c, http.StatusBadRequest, "No valid host was found. There are not enough hosts available.")
			}
		case "resize":
			var to struct {
				Flavor string `json:"flavorRef"`
			}
			if err := json.Unmarshal(argument, &to); err != nil || w.Flavor(to.Flavor) == nil {
				return compute.fail(c, http.StatusBadRequest, "Unable to locate requested flavor.")
			}
			if !w.ResizeServer(server, w.Flavor(to.Flavor)) {
				return compute.fail(c, http.StatusConflict, "Cannot 'resize' instance %s while it is in vm_state %s", server.ID, vmState(server))
			}
		case "confirmResize":
			return compute.fail(c, http.StatusConflict, "Cannot 'confirmResize' instance %s while it is in vm_state %s", server.ID, vmState(server))
		default:
			return compute.fail(c, http.StatusBadRequest, "There is no such action: %s", action)
		}
	}
	return answer{http.StatusAccepted, nil}
}
