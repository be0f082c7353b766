package mcloud

import "time"

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

// Network is a Neutron network.
type Network struct {
	Status   string `json:"status"`
	Shared   bool   `json:"shared,omitempty"`
	External bool   `json:"external,omitempty"`
	MTU      int64  `json:"mtu,omitempty"`
	// Type is the provider's: vlan, geneve, …; Physical and Segment are empty
	// and 0 where the type has none.
	Type     string `json:"type,omitempty"`
	Physical string `json:"physical_network,omitempty"`
	Segment  int64  `json:"segment,omitempty"`
	// Empty says that no port is on the network but those that Neutron makes
	// for itself (DHCP, metadata), so that nobody would miss it. It is absent
	// while the ports are not known.
	Empty   *bool     `json:"empty,omitempty"`
	Created time.Time `json:"created,omitzero"`
}

// Subnet is a Neutron subnet. Object.Parent is its network.
type Subnet struct {
	CIDR      string    `json:"cidr"`
	IPVersion int64     `json:"ip_version"`
	Gateway   string    `json:"gateway,omitempty"`
	DHCP      bool      `json:"dhcp,omitempty"`
	Pool      string    `json:"pool,omitempty"` // id of the subnet pool it was taken from
	Created   time.Time `json:"created,omitzero"`
}

// Router is a Neutron router. Object.Parent is the external network of its
// gateway, empty without one.
type Router struct {
	Status      string    `json:"status"`
	Enabled     bool      `json:"enabled"` // its admin state
	HA          bool      `json:"ha,omitempty"`
	Distributed bool      `json:"distributed,omitempty"`
	GatewayIPs  []string  `json:"gateway_ips,omitempty"` // on the external network, sorted
	Created     time.Time `json:"created,omitzero"`
}

// FloatingIP is a floating IP. Object.Parent is the external network that it is
// of, Object.Name its address. It is attached when it has a Port or Forwardings.
type FloatingIP struct {
	Status  string `json:"status"`
	Port    string `json:"port,omitempty"`     // id of the port it leads to
	FixedIP string `json:"fixed_ip,omitempty"` // address on that port
	Router  string `json:"router,omitempty"`
	Device  string `json:"device,omitempty"` // what the port belongs to: a server's id
	// Forwardings counts the single ports of the address that lead somewhere.
	Forwardings int       `json:"forwardings,omitempty"`
	Created     time.Time `json:"created,omitzero"`
}

// LoadBalancer is an Octavia load balancer. Object.Parent is the network of its
// address.
type LoadBalancer struct {
	ProvisioningStatus string    `json:"provisioning_status"`
	OperatingStatus    string    `json:"operating_status"`
	Enabled            bool      `json:"enabled"`
	Provider           string    `json:"provider"`
	Flavor             string    `json:"flavor,omitempty"`
	Zone               string    `json:"zone,omitempty"` // Octavia's availability zone
	Address            string    `json:"address,omitempty"`
	Port               string    `json:"port,omitempty"` // id of the address's port
	Listeners          []string  `json:"listeners,omitempty"`
	Pools              []string  `json:"pools,omitempty"`
	Created            time.Time `json:"created,omitzero"`
}

// Zone is a Designate zone. Its serial number, which each change of a record
// moves, is left out.
type Zone struct {
	Status  string    `json:"status"`
	Type    string    `json:"type"` // PRIMARY or SECONDARY
	Pool    string    `json:"pool,omitempty"`
	TTL     int64     `json:"ttl,omitempty"` // seconds
	Created time.Time `json:"created,omitzero"`
}

// Chassis is an OVN chassis, from the southbound database. Object.ID is its
// name.
type Chassis struct {
	Hostname string   `json:"hostname"`
	Encaps   []string `json:"encaps,omitempty"` // "geneve 10.0.0.1", sorted
}
