package mcloud

// NetworkAgent is a Neutron agent. Object.ID is the agent's id, which for OVN
// is the chassis name and not a uuid.
type NetworkAgent struct {
	Binary     string `json:"binary"`
	Type       string `json:"type"`
	Host       string `json:"host"`
	Zone       string `json:"zone,omitempty"`
	Alive      bool   `json:"alive"`
	AdminState bool   `json:"admin_state_up"`
}

// Chassis is an OVN chassis, from the southbound database. Object.ID is its
// name.
type Chassis struct {
	Hostname string   `json:"hostname"`
	Encaps   []string `json:"encaps,omitempty"` // "geneve 10.0.0.1", sorted
}
