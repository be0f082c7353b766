package capacity

import (
	"fmt"
	"slices"
	"time"
)

// Tier is a class of storage as people order it: one or more pools in one or
// more clusters, with what it takes to get more of it.
type Tier struct {
	Name  string
	Pools []PoolRef
	// VolumeTypes are the Cinder volume types that live on it.
	VolumeTypes []string
	// LeadTime is from order to usable: delivery, installation, test, approval.
	LeadTime time.Duration
	// Limit is the fraction of the fullest OSD that a plan may fill, 0 to 1;
	// zero means the cluster's nearfull ratio.
	Limit float64
	// Reserve is the failure domain whose loss the tier must survive with all
	// copies restored: "host", "rack", "datacenter", or "" for none.
	Reserve string
	// Unit is what can be bought.
	Unit Unit
}

// PoolRef names a pool of a cluster.
type PoolRef struct {
	Cluster string `json:"cluster"`
	Pool    string `json:"pool"`
}

func (r PoolRef) String() string { return r.Cluster + "/" + r.Pool }

// Unit is the smallest thing that can be bought.
type Unit struct {
	Name string `json:"name"` // "OSD node, 10 × 7.68 TB NVMe"
	// RawBytes is what a unit of storage adds before copies and limits.
	RawBytes int64 `json:"raw_bytes,omitempty"`
	// Resources is what a compute host adds, by resource class, after ratios.
	Resources map[string]int64 `json:"resources,omitempty"`
	// Price of one unit as a decimal number, with its currency; "" is unknown.
	Price    string `json:"price,omitempty"`
	Currency string `json:"currency,omitempty"`
	// Multiple is how many must be bought together, so that every failure
	// domain grows alike; zero means 1.
	Multiple int64 `json:"multiple,omitempty"`
}

// Validate returns an error that names the tier and the field at fault.
func (t Tier) Validate() error {
	switch {
	case t.Name == "":
		return fmt.Errorf("a tier has no name")
	case len(t.Pools) == 0:
		return fmt.Errorf("tier %s names no pool: list cluster and pool under pools", t.Name)
	case t.Limit < 0 || t.Limit > 1:
		return fmt.Errorf("tier %s has limit %g, want a fraction from 0 to 1", t.Name, t.Limit)
	case t.LeadTime < 0:
		return fmt.Errorf("tier %s has lead time %s, want 0 or more", t.Name, t.LeadTime)
	case domainOf(t.Reserve) == nil && t.Reserve != "":
		return fmt.Errorf("tier %s has reserve %q, want host, rack, datacenter or nothing", t.Name, t.Reserve)
	}
	for _, p := range t.Pools {
		if p.Cluster == "" || p.Pool == "" {
			return fmt.Errorf("tier %s has pool %q in cluster %q, want both names", t.Name, p.Pool, p.Cluster)
		}
	}
	return nil
}

// OSDs are those that hold the tier's data: those in, of the rules of its pools.
func (t Tier) OSDs(s Storage) []OSD {
	var sets []osdSet
	for _, ref := range t.Pools {
		if pool, ok := findPool(s.Pools, ref); ok {
			sets = append(sets, setOf(pool.CephPool))
		}
	}
	var in []OSD
	for _, o := range s.OSDs {
		if slices.ContainsFunc(sets, func(set osdSet) bool { return set.has(&o.OSD) }) {
			in = append(in, o)
		}
	}
	return in
}
