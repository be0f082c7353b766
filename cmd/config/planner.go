package config

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Planner says what is planned for, and with which prices and times.
type Planner struct {
	Listen    string `yaml:"listen"`
	WebConfig string `yaml:"web_config"`
	TLS       TLS    `yaml:"tls"`
	// Insecure serves on an address off loopback without TLS or without asking who
	// asks, which is refused otherwise.
	Insecure bool     `yaml:"insecure"`
	URL      string   `yaml:"url"` // where mcloud-plan finds it; default from Listen
	Interval Duration `yaml:"interval"`
	// History is how far back forecasts look, Horizon how far ahead.
	History Duration `yaml:"history"`
	Horizon Duration `yaml:"horizon"`
	// Runway is how long a purchase has to last.
	Runway Duration `yaml:"runway"`

	Compute   ComputePlan   `yaml:"compute"`
	Tiers     []Tier        `yaml:"tiers"`
	Rebalance RebalancePlan `yaml:"rebalance"`
	// RateCard is the file with the prices of chargeback.
	RateCard string `yaml:"rate_card"`
	// Reclaim says from when on something counts as not used.
	Reclaim ReclaimPlan `yaml:"reclaim"`
}

// ReclaimPlan says from when on something counts as not used; what is left out is as
// in planner/reclaim.
type ReclaimPlan struct {
	Off       Duration `yaml:"off"`       // a server is off for so long
	Available Duration `yaml:"available"` // a volume is attached to nothing
	Snapshot  Duration `yaml:"snapshot"`  // a snapshot's age
	Unused    Duration `yaml:"unused"`    // a floating IP, network or router
	IdleCPU   float64  `yaml:"idle_cpu"`  // share of its vCPUs that an idle server stays below, 0 to 1
	TargetUse float64  `yaml:"target_use"`
}

// ComputePlan is how compute hosts are bought.
type ComputePlan struct {
	LeadTime Duration `yaml:"lead_time"`
	Host     HostUnit `yaml:"host"`
	// Reserve is what every zone keeps back.
	Reserve ComputeReserve `yaml:"reserve"`
	// CellKey is the key of host aggregates' metadata that names a cell, which no API of
	// Nova tells.
	CellKey string `yaml:"cell_key"`
	// IsolatedAggregates is the operator's word that the schedulers run with
	// enable_isolated_aggregate_filtering: headroom counts with it, and rebalance
	// may ban hosts instead of making them less liked.
	IsolatedAggregates bool `yaml:"isolated_aggregates"`
}

// ComputeReserve is what must be able to fail in every zone.
type ComputeReserve struct {
	// Hosts is how many hosts, the largest ones; default 1, and 0 keeps nothing back.
	Hosts *int `yaml:"hosts"`
	// Rack is the key of host aggregates' metadata that names a rack: then the largest
	// rack must be able to fail.
	Rack string `yaml:"rack"`
}

// HostUnit is the compute host that would be bought.
type HostUnit struct {
	Name     string `yaml:"name"`
	VCPUs    int64  `yaml:"vcpus"` // as Placement would count them, before the ratio
	Memory   Bytes  `yaml:"memory"`
	Disk     Bytes  `yaml:"disk"`
	Price    string `yaml:"price"` // of one, a decimal number
	Currency string `yaml:"currency"`
}

// Tier is a kind of storage that is bought and sold as one.
type Tier struct {
	Name        string   `yaml:"name"`
	Pools       []string `yaml:"pools"`        // "cluster/pool"
	VolumeTypes []string `yaml:"volume_types"` // Cinder's
	LeadTime    Duration `yaml:"lead_time"`
	Limit       float64  `yaml:"limit"`   // 0 to 1 of the fullest OSD; default the cluster's nearfull
	Reserve     string   `yaml:"reserve"` // "host", "rack", "datacenter": its loss must be survived
	Unit        TierUnit `yaml:"unit"`
}

// TierUnit is the smallest thing that can be bought for a tier.
type TierUnit struct {
	Name     string `yaml:"name"`
	Multiple int64  `yaml:"multiple"` // bought together, so that failure domains grow alike
	Raw      Bytes  `yaml:"raw"`
	Price    string `yaml:"price"` // of one, a decimal number
	Currency string `yaml:"currency"`
}

// RebalancePlan bounds what rebalance proposes.
type RebalancePlan struct {
	MinGap  *float64 `yaml:"min_gap"`  // share of capacity above the zone's mean, default 0.01
	MinFree *float64 `yaml:"min_free"` // share that the zone's other hosts must have free, default 0.1
}

func (p *Planner) defaults() {
	every := func(d *Duration, v time.Duration) {
		if *d == 0 {
			*d = Duration(v)
		}
	}
	if p.Listen == "" {
		p.Listen = DefaultPlannerListen
	}
	every(&p.Interval, time.Minute)
	every(&p.History, 180*24*time.Hour)
	every(&p.Horizon, 365*24*time.Hour)
	every(&p.Runway, 180*24*time.Hour)
	every(&p.Compute.LeadTime, 56*24*time.Hour)
	for i := range p.Tiers {
		every(&p.Tiers[i].LeadTime, 56*24*time.Hour)
	}
}

func (p Planner) validate(clusters map[string]bool) error {
	if p.URL != "" {
		if u, err := url.Parse(p.URL); err != nil || u.Host == "" {
			return fmt.Errorf("planner.url: %q, want http://host:port", p.URL)
		}
	}
	seen := map[string]bool{}
	for i, t := range p.Tiers {
		at := fmt.Sprintf("planner.tiers[%d]", i)
		switch {
		case t.Name == "":
			return fmt.Errorf("%s.name: no name", at)
		case seen[t.Name]:
			return fmt.Errorf("%s.name: %q is there twice", at, t.Name)
		case len(t.Pools) == 0:
			return fmt.Errorf("%s (%s).pools: none; write for example pools: [fast/nvme]", at, t.Name)
		case t.Limit < 0 || t.Limit > 1:
			return fmt.Errorf("%s (%s).limit: %v, want a ratio from 0 to 1", at, t.Name, t.Limit)
		}
		seen[t.Name] = true
		switch t.Reserve {
		case "", "host", "rack", "datacenter":
		default:
			return fmt.Errorf("%s (%s).reserve: %q, want host, rack or datacenter", at, t.Name, t.Reserve)
		}
		for _, pool := range t.Pools {
			cluster, name, ok := strings.Cut(pool, "/")
			if !ok || name == "" {
				return fmt.Errorf("%s (%s).pools: %q, want cluster/pool", at, t.Name, pool)
			}
			if !clusters[cluster] {
				return fmt.Errorf("%s (%s).pools: %q: there is no Ceph cluster %q in the section ceph", at, t.Name, pool, cluster)
			}
		}
	}
	for name, ratio := range map[string]float64{"idle_cpu": p.Reclaim.IdleCPU, "target_use": p.Reclaim.TargetUse} {
		if ratio < 0 || ratio > 1 {
			return fmt.Errorf("planner.reclaim.%s: %v, want a ratio from 0 to 1", name, ratio)
		}
	}
	switch r := p.Compute.Reserve; {
	case r.Hosts != nil && (*r.Hosts < 0 || *r.Hosts > 1000):
		return fmt.Errorf("planner.compute.reserve.hosts: %d, want 0 to 1000", *r.Hosts)
	case r.Hosts != nil && r.Rack != "":
		return fmt.Errorf("planner.compute.reserve: hosts and rack, want one of both")
	}
	for name, ratio := range map[string]*float64{"min_gap": p.Rebalance.MinGap, "min_free": p.Rebalance.MinFree} {
		if ratio != nil && (*ratio < 0 || *ratio > 1) {
			return fmt.Errorf("planner.rebalance.%s: %v, want a ratio from 0 to 1", name, *ratio)
		}
	}
	return nil
}
