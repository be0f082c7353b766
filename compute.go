package mcloud

import "time"

// Project is a Keystone project.
type Project struct {
	Name     string `json:"name"`
	DomainID string `json:"domain_id"`
	ParentID string `json:"parent_id,omitempty"`
	Enabled  bool   `json:"enabled"`
}

// Host is a hypervisor with its compute service, as Nova's os-hypervisors and
// os-services say. Its Object.ID is the hypervisor's uuid, which is also the
// uuid of its root resource provider in Placement.
type Host struct {
	Name           string   `json:"name"`         // hypervisor_hostname
	ServiceHost    string   `json:"service_host"` // host of the nova-compute service
	ServiceID      string   `json:"service_id"`
	Zone           string   `json:"zone"`   // availability zone
	State          string   `json:"state"`  // "up", "down"
	Status         string   `json:"status"` // "enabled", "disabled"
	DisabledReason string   `json:"disabled_reason,omitempty"`
	ForcedDown     bool     `json:"forced_down,omitempty"`
	Type           string   `json:"type"`                 // hypervisor_type
	Aggregates     []string `json:"aggregates,omitempty"` // names, sorted
}

// Aggregate is a Nova host aggregate. Object.ID is its integer id as a string.
type Aggregate struct {
	Name     string            `json:"name"`
	UUID     string            `json:"uuid"` // also the uuid of its mirror in Placement
	Zone     string            `json:"zone,omitempty"`
	Hosts    []string          `json:"hosts"` // service hosts, sorted
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Flavor is a Nova flavor. Object.ID is its flavorid.
type Flavor struct {
	Name         string            `json:"name"`
	VCPUs        int64             `json:"vcpus"`
	MemoryMiB    int64             `json:"memory_mib"`
	DiskGiB      int64             `json:"disk_gib"` // root disk
	EphemeralGiB int64             `json:"ephemeral_gib,omitempty"`
	SwapMiB      int64             `json:"swap_mib,omitempty"`
	Public       bool              `json:"public"`
	Projects     []string          `json:"projects,omitempty"` // that may use a private flavor
	ExtraSpecs   map[string]string `json:"extra_specs,omitempty"`
}

// Server is a Nova server.
type Server struct {
	Name         string            `json:"name"`
	Status       string            `json:"status"` // "ACTIVE", "SHUTOFF", "ERROR", …
	TaskState    string            `json:"task_state,omitempty"`
	PowerState   int               `json:"power_state"`
	Host         string            `json:"host,omitempty"`       // service host
	Hypervisor   string            `json:"hypervisor,omitempty"` // hypervisor_hostname
	Zone         string            `json:"zone,omitempty"`
	PinnedZone   string            `json:"pinned_zone,omitempty"` // the zone its owner asked for, 2.96
	Flavor       string            `json:"flavor"`                // name; an embedded flavor has no id from 2.47
	VCPUs        int64             `json:"vcpus"`
	MemoryMiB    int64             `json:"memory_mib"`
	DiskGiB      int64             `json:"disk_gib"`
	EphemeralGiB int64             `json:"ephemeral_gib,omitempty"`
	SwapMiB      int64             `json:"swap_mib,omitempty"`
	ExtraSpecs   map[string]string `json:"extra_specs,omitempty"`
	ServerGroups []string          `json:"server_groups,omitempty"`
	Volumes      []string          `json:"volumes,omitempty"` // ids, sorted
	BootVolume   bool              `json:"boot_volume,omitempty"`
	Created      time.Time         `json:"created"`
	Launched     time.Time         `json:"launched,omitzero"`
	Terminated   time.Time         `json:"terminated,omitzero"`
	Locked       bool              `json:"locked,omitempty"`
}

// ServerAction is one entry of Nova's os-instance-actions: the log of record
// of what was asked of a server and when. Object.ID is "server/request", as one
// request may make several servers; Object.Parent is the server.
type ServerAction struct {
	Action  string    `json:"action"` // "create", "resize", "confirmResize", "shelve", "delete", …
	Start   time.Time `json:"start"`  // start_time, when the API accepted it; whole seconds
	Updated time.Time `json:"updated,omitzero"`
	Failed  bool      `json:"failed,omitempty"` // Message is "Error"
}

// Provider is a Placement resource provider. Object.Parent is its parent
// provider's uuid.
type Provider struct {
	Name        string                       `json:"name"`
	Root        string                       `json:"root"`
	Generation  int64                        `json:"generation"`
	Inventories map[string]ProviderInventory `json:"inventories"`          // by resource class
	Usages      map[string]int64             `json:"usages"`               // by resource class
	Traits      []string                     `json:"traits,omitempty"`     // sorted
	Aggregates  []string                     `json:"aggregates,omitempty"` // uuids, sorted
}

// ProviderInventory is what a provider has of one resource class, in the
// class's unit (VCPU: one, MEMORY_MB: MiB, DISK_GB: GiB).
type ProviderInventory struct {
	Total           int64   `json:"total"`
	Reserved        int64   `json:"reserved"`
	MinUnit         int64   `json:"min_unit"`
	MaxUnit         int64   `json:"max_unit"`
	StepSize        int64   `json:"step_size"`
	AllocationRatio float64 `json:"allocation_ratio"`
}

// Capacity is what may be allocated: (total − reserved) × ratio, rounded down,
// as placement/objects/resource_provider.py computes it.
func (v ProviderInventory) Capacity() int64 {
	return int64(float64(v.Total-v.Reserved) * v.AllocationRatio)
}
