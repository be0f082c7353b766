package sim

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"mcloud"
	"mcloud/deploy/sim/model"
)

// maxEvents bounds what waits to be told: at speed 1 a demo makes a few a minute.
const maxEvents = 100_000

// note keeps a change for tell. It runs under the lock.
func (c *Cloud) note(change model.Change) {
	if len(c.events) == maxEvents {
		c.lost++
		return
	}
	c.events = append(c.events, c.event(change))
}

// tell hands over what happened.
func (c *Cloud) tell() {
	c.mu.Lock()
	events, lost := c.events, c.lost
	c.events, c.lost = nil, 0
	c.mu.Unlock()
	if lost > 0 {
		c.options.Logger.Error("simulated cloud: events lost, nobody took them", "lost", lost, "kept", maxEvents)
	}
	if len(events) > 0 && c.options.Events != nil {
		c.options.Events(events)
	}
}

// event is the notification of a change, as the exporter would pass it on.
func (c *Cloud) event(change model.Change) mcloud.Event {
	e := mcloud.Event{
		ID: c.eventID(change.Number), Time: change.At.UTC(), Cloud: c.options.Name, Kind: string(change.Kind), Severity: mcloud.SeverityInfo,
	}
	var payload any
	switch {
	case change.Server != nil:
		e.Source, e.Project, e.Resource = "nova", change.Server.Project.ID, change.Server.ID
		payload = serverPayload(change.Server)
		if change.Kind == model.ServerCreateError {
			e.Severity = mcloud.SeverityError
		}
	case change.Volume != nil:
		e.Source, e.Project, e.Resource = "cinder", change.Volume.Project.ID, change.Volume.ID
		payload = volumePayload(change.Volume)
	case change.Host != nil:
		e.Source, e.Resource = "nova", change.Host.ServiceID
		payload = servicePayload(change.Host, change.At)
	}
	b, err := json.Marshal(payload)
	if err != nil {
		panic(fmt.Sprintf("sim: payload of %s: %v", e.Kind, err)) // only plain values are in it
	}
	e.Payload = b
	return e
}

// eventID makes a change's number a message_id that is the same whenever the
// same past is told.
func (c *Cloud) eventID(number uint64) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s %d %d %d", c.options.Name, c.config.Seed, c.config.End.Unix(), number))
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

type object = map[string]any

func nova(name, version string, data object) object {
	return object{"nova_object.name": name, "nova_object.namespace": "nova", "nova_object.version": version, "nova_object.data": data}
}

func when(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// serverPayload is the payload of Nova's versioned notifications about an
// instance (nova/notifications/objects/instance.py).
func serverPayload(s *model.Server) object {
	f := s.Flavor
	host, zone, image := any(nil), any(nil), ""
	if s.Host != nil {
		host, zone = s.Host.Name, s.Host.Zone.Name
	}
	if s.Image != nil {
		image = s.Image.ID
	}
	state := strings.ToLower(s.Status)
	power := map[int]string{0: "pending", 1: "running", 4: "shutdown"}[s.PowerState]
	if s.Status == "SHUTOFF" {
		state = "stopped"
	}
	addresses := []object{}
	if p := s.Port; p != nil {
		addresses = append(addresses, nova("IpPayload", "1.0", object{
			"address": p.IP, "device_name": "tap" + p.ID[:11], "label": p.Network.Name, "mac": p.MAC, "meta": object{}, "port_uuid": p.ID, "version": 4,
		}))
	}
	devices := []object{}
	for _, v := range s.Volumes {
		devices = append(devices, nova("BlockDevicePayload", "1.0", object{
			"boot_index": nil, "delete_on_termination": v.Bootable, "device_name": v.Device, "tag": nil, "volume_id": v.ID,
		}))
	}
	request := ""
	if n := len(s.Actions); n > 0 {
		request = s.Actions[n-1].RequestID
	}
	return nova("InstanceActionPayload", "1.9", object{
		"uuid": s.ID, "display_name": s.Name, "host_name": s.Name, "display_description": nil, "tenant_id": s.Project.ID, "user_id": s.User.ID,
		"action_initiator_project": s.Project.ID, "action_initiator_user": s.User.ID, "request_id": request, "reservation_id": s.Reservation,
		"host": host, "node": host, "availability_zone": zone, "image_uuid": image, "instance_name": fmt.Sprintf("instance-%08x", s.Number),
		"state": state, "task_state": text(s.TaskState), "power_state": power, "progress": 0, "locked": false, "locked_reason": nil,
		"created_at": when(s.Created), "launched_at": when(s.Launched), "updated_at": when(s.Updated), "terminated_at": when(s.Terminated), "deleted_at": when(s.Terminated),
		"architecture": nil, "auto_disk_config": "MANUAL", "kernel_id": "", "ramdisk_id": "", "key_name": nil, "os_type": nil, "metadata": object{}, "fault": nil,
		"shares": nil, "block_devices": devices, "ip_addresses": addresses,
		"flavor": nova("FlavorPayload", "1.4", object{
			"flavorid": f.ID, "name": f.Name, "vcpus": f.VCPUs, "memory_mb": f.MemoryMB, "root_gb": f.DiskGB, "ephemeral_gb": 0, "swap": 0,
			"extra_specs": f.ExtraSpecs, "is_public": !f.Private, "disabled": false, "rxtx_factor": 1.0, "vcpu_weight": 0, "description": nil, "projects": nil,
		}),
	})
}

// volumePayload is the payload of Cinder's notifications about a volume.
func volumePayload(v *model.Volume) object {
	attachments := []object{}
	if v.Server != nil {
		attachments = append(attachments, object{"instance_uuid": v.Server.ID, "volume_id": v.ID, "mountpoint": v.Device, "attach_status": "attached"})
	}
	return object{
		"volume_id": v.ID, "display_name": v.Name, "tenant_id": v.Project.ID, "user_id": v.User.ID, "size": v.SizeGiB, "status": v.Status,
		"volume_type": v.Tier.TypeID, "host": v.Tier.PoolFullName(), "availability_zone": "nova", "snapshot_id": nil, "metadata": []any{},
		"created_at": v.Created.UTC().Format("2006-01-02T15:04:05+00:00"), "launched_at": v.Created.UTC().Format("2006-01-02T15:04:05+00:00"),
		"volume_attachment": attachments, "replication_status": nil, "replication_driver_data": nil, "replication_extended_status": nil,
	}
}

func servicePayload(h *model.Host, at time.Time) object {
	return nova("ServiceStatusPayload", "1.1", object{
		"host": h.Name, "binary": "nova-compute", "topic": "compute", "uuid": h.ServiceID, "availability_zone": h.Zone.Name, "disabled": !h.Enabled,
		"disabled_reason": text(h.DisabledReason), "forced_down": h.ForcedDown, "last_seen_up": when(at), "report_count": 0, "version": 68,
	})
}
