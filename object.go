package mcloud

import (
	"encoding/json"
	"time"
)

// Kind names a class of Objects; its attributes are the struct of the same
// name in this package (KindServer: Server).
type Kind string

// The kinds that are stored, by the system that owns them.
const (
	// Keystone.
	KindProject Kind = "project"
	// Nova.
	KindHost         Kind = "host" // a hypervisor with its compute service
	KindAggregate    Kind = "aggregate"
	KindFlavor       Kind = "flavor"
	KindServer       Kind = "server"
	KindServerAction Kind = "server_action" // one entry of a server's action log; never disappears
	// Placement.
	KindProvider Kind = "provider"
	// Cinder.
	KindVolume     Kind = "volume"
	KindVolumeType Kind = "volume_type"
	KindVolumePool Kind = "volume_pool"
	// Neutron.
	KindNetworkAgent Kind = "network_agent"
	KindNetwork      Kind = "network"
	KindSubnet       Kind = "subnet"
	KindRouter       Kind = "router"
	KindFloatingIP   Kind = "floating_ip"
	// Octavia.
	KindLoadBalancer Kind = "load_balancer"
	// Designate.
	KindZone Kind = "dns_zone"
	// OVN.
	KindChassis Kind = "chassis"
	// Ceph.
	KindCephCluster Kind = "ceph_cluster"
	KindOSD         Kind = "osd"
	KindCephPool    Kind = "ceph_pool"
)

// Object is one thing that exists, as one Source saw it.
type Object struct {
	Kind Kind `json:"kind"`
	// ID is unique within cloud and kind. For systems with several clusters it
	// starts with the cluster: "fast/osd.3".
	ID string `json:"id"`
	// Name is what people call it.
	Name string `json:"name,omitempty"`
	// Parent is the ID of what contains it: an OSD's host, a server's hypervisor.
	Parent string `json:"parent,omitempty"`
	// Project is the Keystone project id that owns it; empty for the operator's.
	Project string `json:"project,omitempty"`
	// Attributes is the JSON of the struct that belongs to Kind. Fields that
	// change by themselves all the time (heartbeats, counters) stay out of it:
	// every difference becomes a stored row.
	Attributes json.RawMessage `json:"attributes"`
}

// NewObject fills Attributes from the struct that belongs to kind.
// It panics if attributes cannot be JSON, which is a programming error.
func NewObject(kind Kind, id, name, parent, project string, attributes any) Object {
	b, err := json.Marshal(attributes)
	if err != nil {
		panic("mcloud: attributes of " + string(kind) + " " + id + ": " + err.Error())
	}
	return Object{Kind: kind, ID: id, Name: name, Parent: parent, Project: project, Attributes: b}
}

// Inventory is everything of one kind that one Source saw in one look. The
// store compares it with what it holds and keeps a row per change.
type Inventory struct {
	Cloud string `json:"cloud"`
	// Scope is the part of the cloud this look covered, so that several sources
	// of one kind do not delete each other's objects: "nova", "ceph/fast".
	Scope string    `json:"scope"`
	Kind  Kind      `json:"kind"`
	Time  time.Time `json:"time"`
	// Complete says that all objects of the kind in Scope are in Objects, so
	// those that the store knows beside them are gone. An incomplete look
	// changes and adds, it never removes.
	Complete bool     `json:"complete"`
	Objects  []Object `json:"objects"`

	// Since makes the look the difference to the complete one of that time, which
	// must be the last that the store holds: Objects are those that are new or
	// changed, Gone the ids of those that are not there any more, and Count is how
	// many there are. Complete is false then, although together they are complete:
	// a store that does not know of differences takes what it can and removes
	// nothing.
	Since time.Time `json:"since,omitzero"`
	Gone  []string  `json:"gone,omitempty"`
	Count int       `json:"count,omitempty"`
}

// Validate returns an error wrapping ErrInvalid that names the field at fault.
func (v Inventory) Validate() error {
	switch {
	case v.Cloud == "" || v.Scope == "" || v.Kind == "":
		return invalidf("inventory has cloud %q, scope %q and kind %q, want all three", v.Cloud, v.Scope, v.Kind)
	case v.Time.IsZero():
		return invalidf("inventory of %s has no time", v.Kind)
	}
	if err := v.validateDifference(); err != nil {
		return err
	}
	seen := make(map[string]struct{}, len(v.Objects))
	for _, o := range v.Objects {
		switch {
		case o.Kind != v.Kind:
			return invalidf("%s %q in an inventory of %s", o.Kind, o.ID, v.Kind)
		case o.ID == "" || len(o.ID) > 512:
			return invalidf("%s id has %d bytes, want 1 to 512", o.Kind, len(o.ID))
		case len(o.Attributes) == 0 || o.Attributes[0] != '{' || !json.Valid(o.Attributes):
			return invalidf("%s %q has attributes that are not a JSON object", o.Kind, o.ID)
		}
		if _, twice := seen[o.ID]; twice {
			return invalidf("%s %q is twice in one inventory", o.Kind, o.ID)
		}
		seen[o.ID] = struct{}{}
	}
	for _, id := range v.Gone {
		if _, there := seen[id]; there || id == "" {
			return invalidf("%s %q is gone and there", v.Kind, id)
		}
	}
	return nil
}

func (v Inventory) validateDifference() error {
	switch {
	case v.Since.IsZero() && (len(v.Gone) > 0 || v.Count != 0):
		return invalidf("inventory of %s names what is gone and not since when", v.Kind)
	case v.Since.IsZero():
	case v.Complete:
		return invalidf("inventory of %s is complete and a difference", v.Kind)
	case !v.Since.Before(v.Time):
		return invalidf("inventory of %s is the difference to a look that is not before it", v.Kind)
	case v.Count < len(v.Objects):
		return invalidf("inventory of %s counts %d objects and has %d", v.Kind, v.Count, len(v.Objects))
	}
	return nil
}

// Version is one stretch of an Object's life with the same attributes.
type Version struct {
	Object
	Cloud string `json:"cloud"`
	// From is when it was first seen so, inclusive; To when it was first seen
	// otherwise or gone, exclusive. A zero To means it is still so.
	From time.Time `json:"from"`
	To   time.Time `json:"to,omitzero"`
}
