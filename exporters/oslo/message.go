// Package oslo turns OpenStack's notifications, as oslo.messaging puts them on
// RabbitMQ, into Events. A message is acknowledged only after the store has its
// Event; until then the broker keeps it.
//
// With a queue of our own, what services publish while it is bound outlives every
// restart. What cannot be had from outside: their exchanges are not durable by
// default, and vanish with the broker together with our bindings; a service makes
// its exchange again when it next publishes, and what it publishes from then until
// we look, and bind to it, is gone. Dialled again, we look at once, then after 2
// seconds as long as exchanges appear, and up to 30 seconds apart once nothing
// changes: that is also what a service that publishes for the first time may lose.
// We do not make the exchanges ourselves: of a service that has
// amqp_durable_queues one that is not durable would stop all messages. With it
// set ([oslo_messaging_rabbit] amqp_durable_queues = true) exchanges and bindings
// stay, and nothing is lost. The periodic looks at the APIs repair what usage
// lacks.
//
// Parse is the pure part: bytes in, an Event out, with the request's context,
// tokens and passwords left behind. Consumer is the AMQP part.
package oslo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"mcloud"
)

// ErrMalformed is wrapped by every error of Parse: the message is no oslo
// notification and will not become one by reading it again.
var ErrMalformed = errors.New("no oslo notification")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// envelope is oslo.messaging's version 2.0 wrapping: the notification is JSON
// inside a JSON string (oslo_messaging/_drivers/common.py, serialize_msg).
type envelope struct {
	Version string `json:"oslo.version"`
	Message string `json:"oslo.message"`
}

// notification is the inner message (oslo_messaging/notify/notifier.py). The
// publisher may be null: Octavia's is.
type notification struct {
	MessageID   string          `json:"message_id"`
	PublisherID string          `json:"publisher_id"`
	EventType   string          `json:"event_type"`
	Priority    string          `json:"priority"`
	Timestamp   string          `json:"timestamp"`
	Payload     json.RawMessage `json:"payload"`

	// Of the context only the request's id and project are read: the id is the
	// one in Nova's action log. Its timestamp is no request's time: oslo.context
	// renews it with each copy.
	RequestID string `json:"_context_request_id"`
	ProjectID string `json:"_context_project_id"`
}

// Payload is what Event.Payload of a notification holds, as JSON.
type Payload struct {
	Publisher string `json:"publisher,omitempty"`
	RequestID string `json:"request_id,omitempty"`
	// Data is the message's payload. Versioned objects are unwrapped: what was
	// in nova_object.data stands for the object itself.
	Data json.RawMessage `json:"data"`
}

// Parse makes an Event of one message body from exchange, in cloud. Its errors
// wrap ErrMalformed.
func Parse(cloud, exchange string, body []byte) (mcloud.Event, error) {
	inner := body
	var wrap envelope
	if err := json.Unmarshal(body, &wrap); err != nil {
		return mcloud.Event{}, malformed("not JSON: %v", err)
	}
	if wrap.Message != "" {
		inner = []byte(wrap.Message)
	}
	var n notification
	if err := json.Unmarshal(inner, &n); err != nil {
		return mcloud.Event{}, malformed("inner message: %v", err)
	}
	if n.MessageID == "" || n.EventType == "" {
		return mcloud.Event{}, malformed("message_id %q and event_type %q, want both", n.MessageID, n.EventType)
	}
	at, err := parseTime(n.Timestamp)
	if err != nil {
		return mcloud.Event{}, malformed("%s %s: timestamp %q", n.EventType, n.MessageID, n.Timestamp)
	}
	data, err := scrub(n.Payload)
	if err != nil {
		return mcloud.Event{}, malformed("%s %s: payload: %v", n.EventType, n.MessageID, err)
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return mcloud.Event{}, malformed("%s %s: payload: %v", n.EventType, n.MessageID, err)
	}
	subject := subjectOf(n, data)
	payload, err := json.Marshal(Payload{Publisher: n.PublisherID, RequestID: subject.request, Data: raw})
	if err != nil {
		return mcloud.Event{}, malformed("%s %s: payload: %v", n.EventType, n.MessageID, err)
	}
	e := mcloud.Event{
		ID:       n.MessageID,
		Time:     at,
		Cloud:    cloud,
		Source:   sourceOf(exchange, n.EventType),
		Kind:     n.EventType,
		Project:  subject.project,
		Resource: subject.resource,
		Severity: subject.severity,
		Payload:  payload,
	}
	if err := e.Validate(); err != nil {
		return mcloud.Event{}, malformed("%v", err)
	}
	return e, nil
}

// parseTime reads both of oslo's spellings; without a zone it is UTC.
func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("time %q", s)
}

func severityOf(priority string) mcloud.Severity {
	switch strings.ToUpper(priority) {
	case "DEBUG", "SAMPLE":
		return mcloud.SeverityDebug
	case "WARN", "WARNING":
		return mcloud.SeverityWarning
	case "ERROR":
		return mcloud.SeverityError
	case "CRITICAL":
		return mcloud.SeverityCritical
	}
	return mcloud.SeverityInfo
}

// sourceOf names the service: its exchange, but Cinder's control_exchange is
// "openstack" by default and others may be configured so too.
func sourceOf(exchange, eventType string) string {
	if exchange != "" && exchange != "openstack" {
		return exchange
	}
	first, _, _ := strings.Cut(eventType, ".")
	switch first {
	case "compute", "instance", "compute_task", "scheduler", "aggregate", "keypair", "server_group", "servergroup", "service", "flavor",
		"libvirt", "metrics", "external_instance_event":
		return "nova"
	case "identity":
		return "keystone"
	case "image":
		return "glance"
	case "orchestration":
		return "heat"
	case "dns":
		return "designate"
	case "network", "port", "subnet", "subnetpool", "router", "floatingip", "security_group", "security_group_rule", "binding", "policy", "rbac_policy", "trunk":
		return "neutron"
	case "octavia":
		return "octavia"
	}
	return "cinder"
}

func decodeNumbers(raw json.RawMessage) (any, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return map[string]any{}, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // ids and byte counts above 2^53 stay what they are
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	return v, nil
}
