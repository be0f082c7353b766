package ceph

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mcloud/exporters"
)

// What the mgr's module does not have of pools: how they are laid out, what is
// wrong with their objects, what clients do.
var (
	poolInfo = infoFamily("ceph_pool_info", "osd dump", "Pool's way to its disks: CRUSH rule, root, device class, failure domain; tier is the name that the configuration has for it. Always 1.",
		"pool_id", "name", "crush_rule", "root", "device_class", "failure_domain", "application", "erasure_code_profile", "autoscale_mode", "tier")
	poolPGs       = poolFamily("ceph_pool_pg_num", "", "osd dump", exporters.Gauge, "Placement groups of the pool.")
	poolPGPs      = poolFamily("ceph_pool_pgp_num", "", "osd dump", exporters.Gauge, "Placement groups of the pool for placing.")
	poolPGTarget  = poolFamily("ceph_pool_pg_num_target", "", "osd dump", exporters.Gauge, "Placement groups that the pool is on its way to.")
	poolSize      = poolFamily("ceph_pool_size", "", "osd dump", exporters.Gauge, "Copies, or k+m.")
	poolMinSize   = poolFamily("ceph_pool_min_size", "", "osd dump", exporters.Gauge, "Copies without which no client is served.")
	poolStripe    = poolFamily("ceph_pool_stripe_width_bytes", "bytes", "osd dump", exporters.Gauge, "Stripe width of an erasure-coded pool; 0 for others.")
	poolExpansion = poolFamily("ceph_pool_expansion_ratio", "ratio", "osd dump", exporters.Gauge, "Raw bytes for each byte stored: the size, or (k+m)/k.")
	poolTierOf    = infoFamily("ceph_pool_cache_tier_info", "osd dump", "Pool is a cache tier of another, always 1.", "pool_id", "base_pool_id")
	poolFull      = poolFamily("ceph_pool_full", "", "osd dump", exporters.Gauge, "Pool takes no more data, because of its quota or a full OSD: 1 yes, 0 no.")
	ecProfile     = infoFamily("ceph_erasure_code_profile_info", "osd dump", "Erasure-code profile, always 1.",
		"profile", "plugin", "technique", "k", "m", "crush_root", "crush_device_class", "crush_failure_domain")

	// poolRepaired has the label of both the mgr of Ceph 16 (poolid) and of Ceph 18.
	poolRepaired = &exporters.Family{Name: "ceph_pool_objects_repaired", Type: exporters.Counter, Set: exporters.SetBase, Call: "pg dump pools",
		Labels: []string{"pool_id", "poolid"}, Help: "Objects repaired."}
	// poolObjects are by the key of stat_sum in "pg dump pools".
	poolObjects = map[string]*exporters.Family{
		"num_object_copies":        poolFamily("ceph_pool_object_copies", "", "pg dump pools", exporters.Gauge, "Copies of objects that there should be."),
		"num_object_clones":        poolFamily("ceph_pool_object_clones", "", "pg dump pools", exporters.Gauge, "Objects that snapshots keep."),
		"num_objects_degraded":     poolFamily("ceph_pool_objects_degraded", "", "pg dump pools", exporters.Gauge, "Object copies that are missing."),
		"num_objects_misplaced":    poolFamily("ceph_pool_objects_misplaced", "", "pg dump pools", exporters.Gauge, "Object copies that are not where they belong."),
		"num_objects_unfound":      poolFamily("ceph_pool_objects_unfound", "", "pg dump pools", exporters.Gauge, "Objects of which no up-to-date copy can be found."),
		"num_shallow_scrub_errors": poolFamily("ceph_pool_scrub_errors_shallow", "", "pg dump pools", exporters.Gauge, "Errors that scrubs found and that are not repaired."),
		"num_deep_scrub_errors":    poolFamily("ceph_pool_scrub_errors_deep", "", "pg dump pools", exporters.Gauge, "Errors that deep scrubs found and that are not repaired."),
		"num_large_omap_objects":   poolFamily("ceph_pool_large_omap_objects", "", "pg dump pools", exporters.Gauge, "Objects with too many keys."),
		"num_omap_bytes":           poolFamily("ceph_pool_omap_bytes", "bytes", "pg dump pools", exporters.Gauge, "Bytes of objects' keys, as of their last deep scrub."),
	}
	// poolClients are by the key of client_io_rate in "osd pool stats".
	poolClients = map[string]*exporters.Family{
		"read_bytes_sec":   poolFamily("ceph_pool_client_read_bytes_per_second", "", "osd pool stats", exporters.Gauge, "Bytes that clients read, per second."),
		"write_bytes_sec":  poolFamily("ceph_pool_client_write_bytes_per_second", "", "osd pool stats", exporters.Gauge, "Bytes that clients write, per second."),
		"read_op_per_sec":  poolFamily("ceph_pool_client_reads_per_second", "", "osd pool stats", exporters.Gauge, "Reads of clients, per second."),
		"write_op_per_sec": poolFamily("ceph_pool_client_writes_per_second", "", "osd pool stats", exporters.Gauge, "Writes of clients, per second."),
	}
)

func poolLayoutFamilies() []*exporters.Family {
	return slices.Concat([]*exporters.Family{poolInfo, poolPGs, poolPGPs, poolPGTarget, poolSize, poolMinSize, poolStripe, poolExpansion,
		poolTierOf, poolFull, ecProfile, poolRepaired}, ordered(poolObjects), ordered(poolClients))
}

// poolSums is "pg dump pools": about 1.2 kB a pool.
type poolSums struct {
	Ready *bool `json:"pg_ready"`
	Pools []struct {
		ID   int     `json:"poolid"`
		Sums numbers `json:"stat_sum"`
	} `json:"pool_stats"`
}

func (l *look) addSums(sums poolSums) {
	if sums.Ready != nil && !*sums.Ready {
		return // the mgr knows nothing yet; ceph_pg says so
	}
	for _, p := range sums.Pools {
		id := strconv.Itoa(p.ID)
		if v, ok := p.Sums["num_objects_repaired"]; ok {
			l.snap.Add(poolRepaired, v, id, id)
		}
		for key, family := range poolObjects {
			if v, ok := p.Sums[key]; ok {
				l.snap.Add(family, v, id)
			}
		}
	}
}

func (l *look) addPoolLayout(dump osdDump) {
	for _, p := range dump.Pools {
		id := strconv.Itoa(p.ID)
		l.snap.Add(poolPGs, p.PGs, id)
		l.snap.Add(poolPGPs, p.PGPs, id)
		l.snap.Add(poolPGTarget, p.PGTarget, id)
		l.snap.Add(poolSize, float64(p.Size), id)
		l.snap.Add(poolMinSize, float64(p.MinSize), id)
		l.snap.Add(poolStripe, p.StripeWidth, id)
		if ratio, ok := p.expansion(dump.Profiles); ok {
			l.snap.Add(poolExpansion, ratio, id)
		}
		if p.TierOf >= 0 {
			l.snap.Add(poolTierOf, 1, id, strconv.Itoa(p.TierOf))
		}
		l.snap.Add(poolFull, truth(slices.Contains(strings.Split(p.Flags, ","), "full")), id)
	}
	for _, name := range slices.Sorted(maps.Keys(dump.Profiles)) {
		p := dump.Profiles[name]
		l.snap.Add(ecProfile, 1, name, p["plugin"], p["technique"], p["k"], p["m"], p["crush-root"], p["crush-device-class"], p["crush-failure-domain"])
	}
}

// expansion is how many raw bytes a stored one takes; ok is false for a profile
// that is not known.
func (p poolDump) expansion(profiles map[string]map[string]string) (ratio float64, ok bool) {
	if p.Type != 3 {
		return float64(p.Size), true
	}
	k, err := strconv.ParseFloat(profiles[p.Profile]["k"], 64)
	if err != nil || k <= 0 {
		return 0, false
	}
	return float64(p.Size) / k, true
}

func (l *look) addPoolPlaces(dump osdDump, rules []crushRule) {
	byID := map[int]crushRule{}
	for _, r := range rules {
		byID[r.ID] = r
	}
	for _, p := range dump.Pools {
		rule := byID[p.Rule]
		root, class, domain, _ := rule.target() // what is wrong with it, the inventory's objects say
		profile := ""
		if p.Type == 3 {
			profile = p.Profile
		}
		l.snap.Add(poolInfo, 1, strconv.Itoa(p.ID), p.Name, cmp.Or(rule.Name, strconv.Itoa(p.Rule)), root, class, domain,
			strings.Join(slices.Sorted(maps.Keys(p.Applications)), ","), profile, p.Autoscale, l.cfg.Tiers[p.Name])
	}
}
