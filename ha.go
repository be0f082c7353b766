package mcloud

// The kinds of Masakari's inventories.
const (
	KindFailoverSegment Kind = "failover_segment"
	KindFailoverHost    Kind = "failover_host"
)

// FailoverSegment is a Masakari segment: hosts that stand in for each other.
type FailoverSegment struct {
	ServiceType    string `json:"service_type"`      // "COMPUTE"
	RecoveryMethod string `json:"recovery_method"`   // "auto", "reserved_host", "auto_priority", "rh_priority"
	Enabled        *bool  `json:"enabled,omitempty"` // nil where the service is too old to say
}

// FailoverHost is a host of a Masakari segment; Object.Parent is the segment.
type FailoverHost struct {
	Host              string `json:"host"` // Nova's name of it
	Type              string `json:"type"`
	ControlAttributes string `json:"control_attributes,omitempty"`
	Reserved          bool   `json:"reserved"`
	OnMaintenance     bool   `json:"on_maintenance"`
}
