package chargeback

import (
	"encoding/json"
	"time"

	"mcloud"
)

// notification is what exporters/oslo keeps of a message: the payload lies in
// data, versioned objects unwrapped.
type notification struct {
	RequestID string          `json:"request_id"`
	Data      json.RawMessage `json:"data"`
}

// novaData has the fields of Nova's versioned InstancePayload
// (nova/notifications/objects/instance.py) and of the legacy messages, which
// name the flavor instance_type.
type novaData struct {
	DisplayName  string   `json:"display_name"`
	State        string   `json:"state"`
	CreatedAt    flexTime `json:"created_at"`
	LaunchedAt   flexTime `json:"launched_at"`
	TerminatedAt flexTime `json:"terminated_at"`
	DeletedAt    flexTime `json:"deleted_at"`
	Flavor       struct {
		Name string `json:"name"`
	} `json:"flavor"`
	InstanceType string `json:"instance_type"`
}

func readServerEvent(e mcloud.Event) (serverEvent, string) {
	var n notification
	var d novaData
	// A payload of another shape leaves the fields empty; the event's own time
	// and kind still count.
	if json.Unmarshal(e.Payload, &n) == nil {
		_ = json.Unmarshal(n.Data, &d)
	}
	flavor := d.Flavor.Name
	if flavor == "" {
		flavor = d.InstanceType
	}
	deleted := time.Time(d.TerminatedAt)
	if deleted.IsZero() {
		deleted = time.Time(d.DeletedAt)
	}
	return serverEvent{id: e.ID, kind: e.Kind, request: n.RequestID, at: e.Time, flavor: flavor, state: d.State,
		created: time.Time(d.CreatedAt), launched: time.Time(d.LaunchedAt), deleted: deleted}, d.DisplayName
}

// flexTime reads the services' spellings of a time; anything else is zero.
type flexTime time.Time

// UnmarshalJSON implements json.Unmarshaler.
func (f *flexTime) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil || s == "" {
		return nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			*f = flexTime(t.UTC())
			return nil
		}
	}
	return nil
}

// EventKinds are the notifications that Fold reads, versioned and legacy.
var EventKinds = []string{
	"instance.create.end", "instance.resize_prep.start", "instance.resize_prep.end", "instance.resize_finish.end", "instance.resize_revert.end",
	"instance.shelve_offload.end", "instance.unshelve.end", "instance.delete.end", "instance.soft_delete.end",
	"compute.instance.create.end", "compute.instance.resize.prep.start", "compute.instance.resize.prep.end", "compute.instance.resize.start",
	"compute.instance.resize.end", "compute.instance.finish_resize.end", "compute.instance.resize.revert.end",
	"compute.instance.shelve_offload.end", "compute.instance.unshelve.end", "compute.instance.delete.end", "compute.instance.soft_delete.end",
	"volume.create.end", "volume.resize.end", "volume.retype", "volume.retype.end", "volume.delete.end",
}
