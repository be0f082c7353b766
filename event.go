package mcloud

import (
	"encoding/json"
	"time"
)

// Severity says how much an Event matters to a person, in Prometheus's and
// syslog's common words.
type Severity string

// The severities, least first.
const (
	SeverityDebug    Severity = "debug"
	SeverityInfo     Severity = "info"
	SeverityWarning  Severity = "warning"
	SeverityError    Severity = "error"
	SeverityCritical Severity = "critical"
)

func (s Severity) valid() bool {
	switch s {
	case SeverityDebug, SeverityInfo, SeverityWarning, SeverityError, SeverityCritical:
		return true
	}
	return false
}

// Event says that something happened. It is never changed once stored; an
// Event with an ID that the store holds already is dropped there, so sending
// one again is safe.
type Event struct {
	// ID is unique for ever within Cloud, at most 128 bytes: the message_id of
	// an oslo notification, or one derived from the content by its maker.
	ID string `json:"id"`
	// Time is when it happened, by the clock of the system it happened in; UTC,
	// millisecond precision is kept.
	Time time.Time `json:"time"`
	// Cloud is the configured name of the cloud.
	Cloud string `json:"cloud"`
	// Source is the system that speaks: "nova", "cinder", "ceph/fast", "mcloud".
	Source string `json:"source"`
	// Kind is the source's own name for what happened: "instance.create.end".
	Kind string `json:"kind"`
	// Project is the Keystone project id it concerns; empty when there is none.
	Project string `json:"project,omitempty"`
	// Resource is the id of the object it concerns; empty when there is none.
	Resource string   `json:"resource,omitempty"`
	Severity Severity `json:"severity"`
	// Payload is a JSON object with the rest, free of tokens and secrets.
	Payload json.RawMessage `json:"payload,omitempty"`
}

// MaxEventBytes bounds Payload; a larger one is refused.
const MaxEventBytes = 1 << 20

// Validate returns an error wrapping ErrInvalid that names the field at fault.
func (e Event) Validate() error {
	switch {
	case e.ID == "" || len(e.ID) > 128:
		return invalidf("event id has %d bytes, want 1 to 128", len(e.ID))
	case e.Time.IsZero():
		return invalidf("event %s has no time", e.ID)
	case e.Cloud == "":
		return invalidf("event %s names no cloud", e.ID)
	case e.Source == "" || e.Kind == "":
		return invalidf("event %s has source %q and kind %q, want both", e.ID, e.Source, e.Kind)
	case !e.Severity.valid():
		return invalidf("event %s has severity %q, want debug, info, warning, error or critical", e.ID, e.Severity)
	case len(e.Payload) > MaxEventBytes:
		return invalidf("event %s has a payload of %d bytes, at most %d are kept", e.ID, len(e.Payload), MaxEventBytes)
	case len(e.Payload) > 0 && (e.Payload[0] != '{' || !json.Valid(e.Payload)):
		return invalidf("event %s has a payload that is not a JSON object", e.ID)
	}
	return nil
}
