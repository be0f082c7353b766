package oslo

import (
	"encoding/json"
	"strings"

	"mcloud"
)

// subject is whom and what a notification is about.
type subject struct {
	project, resource, request string
	severity                   mcloud.Severity
}

// subjectOf reads a scrubbed payload. Each service spells it in its own way; where
// the payload names no owner, the project is the requester's, and what is only
// about to be made (port.create.start) has no id yet.
func subjectOf(n notification, data any) subject {
	s := subject{project: n.ProjectID, request: n.RequestID, severity: severityOf(n.Priority)}
	m, ok := data.(map[string]any)
	if !ok {
		return s
	}
	if strings.HasPrefix(text(m, "typeURI"), cadfEvent) {
		return s.ofCADF(n.EventType, m)
	}
	noun, _, _ := strings.Cut(n.EventType, ".")
	if owner := ownerIn(m, noun); owner != "" {
		s.project = owner
	}
	s.resource = resourceIn(m, noun)
	return s
}

// cadfEvent begins the type of an audit event in the Cloud Auditing Data
// Federation's form, as Keystone sends them (DMTF DSP0262).
const cadfEvent = "http://schemas.dmtf.org/cloud/audit/1.0/event"

// ofCADF reads an audit event. Its own "id" is the event's and not the subject's;
// who asked is the initiator; the target is random unless resource_info repeats it.
func (s subject) ofCADF(kind string, m map[string]any) subject {
	initiator, _ := m["initiator"].(map[string]any)
	if s.request == "" {
		s.request = text(initiator, "request_id")
	}
	if s.project == "" {
		s.project = text(initiator, "project_id")
	}
	if text(m, "outcome") == "failure" && s.severity == mcloud.SeverityInfo {
		s.severity = mcloud.SeverityWarning // a refused login is no everyday thing
	}
	switch {
	case strings.HasPrefix(kind, "identity.project."):
		s.resource = text(m, "resource_info")
		s.project = s.resource
	case strings.HasPrefix(kind, "identity.role_assignment."):
		s.resource = text(m, "user", "group") // the one whose rights change
		if p := text(m, "project"); p != "" {
			s.project = p
		}
	case kind == "identity.authenticate":
		s.resource = text(initiator, "user_id", "id")
	default:
		s.resource = text(m, "resource_info")
	}
	return s
}

var ownerKeys = []string{"tenant_id", "project_id", "owner"}

// ownerIn finds the owner in the payload, or in the one object that it wraps.
func ownerIn(m map[string]any, noun string) string {
	if s := text(m, ownerKeys...); s != "" {
		return s
	}
	return text(within(m, noun), ownerKeys...)
}

// idKeys are what the services call the id of their subject, the most specific
// first: a snapshot's payload has its volume's id too.
var idKeys = []string{
	"uuid", "instance_id", "instance_uuid", "backup_id", "snapshot_id", "group_snapshot_id", "group_id", "volume_id", "loadbalancer_id",
	"stack_identity", "notification_uuid", "segment_uuid", "server_group_id", "aggregate_id", "flavorid", "id", "type_id", "image_id",
}

// resourceIn finds the id of what the notification is about.
func resourceIn(m map[string]any, noun string) string {
	switch noun {
	case "keypair": // has no id, but a name that is unique for its user
		return text(m, "key_name", "name")
	case "capacity": // of a Cinder pool or backend: host@backend#pool
		return text(m, "name_to_id")
	case "scheduler":
		if s := text(m, idKeys...); s != "" {
			return s
		}
		spec, _ := m["request_spec"].(map[string]any)
		properties, _ := spec["instance_properties"].(map[string]any)
		return text(properties, "uuid")
	case "external_instance_event":
		return instanceOfEvents(m)
	}
	inner := within(m, noun)
	if s := text(inner, idKeys...); s != "" {
		return s
	}
	if s := text(m, noun+"_id"); s != "" && noun != "binding" { // a binding's is its host's name
		return s
	}
	return text(m, idKeys...)
}

// within is the object that a payload holds under its noun (Neutron), or the
// only one that it holds; nil without any.
func within(m map[string]any, noun string) map[string]any {
	if inner, ok := m[noun].(map[string]any); ok {
		return inner
	}
	if len(m) != 1 {
		return nil
	}
	for _, only := range m {
		inner, _ := only.(map[string]any)
		return inner
	}
	return nil
}

// instanceOfEvents is the server whose events Nova failed to handle, when all of
// them were about one.
func instanceOfEvents(m map[string]any) string {
	args, _ := m["args"].(map[string]any)
	events, _ := args["events"].([]any)
	server := ""
	for _, e := range events {
		event, _ := e.(map[string]any)
		id := text(event, "instance_uuid", "_obj_instance_uuid")
		if server != "" && id != server {
			return ""
		}
		server = id
	}
	return server
}

// text is the first of keys that m has a string or number for; "" without any.
func text(m map[string]any, keys ...string) string {
	for _, k := range keys {
		switch v := m[k].(type) {
		case string:
			if v != "" {
				return v
			}
		case json.Number:
			return v.String()
		}
	}
	return ""
}
