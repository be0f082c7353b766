package ceph

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcloud"
	"mcloud/exporters"
)

var (
	poolMeta = &exporters.Family{Name: "ceph_pool_metadata", Type: exporters.Gauge, Set: exporters.SetBase, Call: "osd dump",
		Labels: []string{"pool_id", "name", "type", "description", "compression_mode"}, Help: "Pool's name, type and redundancy, always 1."}
	// dfPool is what "df detail" says of a pool, by its key.
	dfPool = map[string]*exporters.Family{
		"max_avail":            poolFamily("ceph_pool_max_avail", "bytes", "df detail", exporters.Gauge, "Bytes that can still be stored before the first OSD is full, redundancy taken off."),
		"avail_raw":            poolFamily("ceph_pool_avail_raw", "bytes", "df detail", exporters.Gauge, "Raw bytes that max_avail takes."),
		"stored":               poolFamily("ceph_pool_stored", "bytes", "df detail", exporters.Gauge, "Bytes that users stored, one copy counted."),
		"stored_raw":           poolFamily("ceph_pool_stored_raw", "bytes", "df detail", exporters.Gauge, "Bytes that users stored, all copies counted."),
		"objects":              poolFamily("ceph_pool_objects", "", "df detail", exporters.Gauge, "Objects in the pool."),
		"dirty":                poolFamily("ceph_pool_dirty", "", "df detail", exporters.Gauge, "Objects of a cache pool that are not yet flushed."),
		"quota_bytes":          poolFamily("ceph_pool_quota_bytes", "bytes", "df detail", exporters.Gauge, "Quota of the pool; 0 means none."),
		"quota_objects":        poolFamily("ceph_pool_quota_objects", "", "df detail", exporters.Gauge, "Quota of objects; 0 means none."),
		"rd":                   poolFamily("ceph_pool_rd", "", "df detail", exporters.Counter, "Reads."),
		"rd_bytes":             poolFamily("ceph_pool_rd_bytes", "bytes", "df detail", exporters.Counter, "Bytes read."),
		"wr":                   poolFamily("ceph_pool_wr", "", "df detail", exporters.Counter, "Writes."),
		"wr_bytes":             poolFamily("ceph_pool_wr_bytes", "bytes", "df detail", exporters.Counter, "Bytes written."),
		"compress_bytes_used":  poolFamily("ceph_pool_compress_bytes_used", "bytes", "df detail", exporters.Gauge, "Raw bytes that compressed data takes."),
		"compress_under_bytes": poolFamily("ceph_pool_compress_under_bytes", "bytes", "df detail", exporters.Gauge, "Raw bytes that the compressed data would take uncompressed."),
		"bytes_used":           poolFamily("ceph_pool_bytes_used", "bytes", "df detail", exporters.Gauge, "Raw bytes allocated for the pool, all copies and rounding counted."),
		"percent_used":         poolFamily("ceph_pool_percent_used", "ratio", "df detail", exporters.Gauge, "Share of what the pool could hold, 0 to 1 in spite of the name."),
	}
	// dfCluster is what "df detail" says of the whole and of a device class.
	dfCluster = map[string]*exporters.Family{
		"total_bytes":          clusterFamily("ceph_cluster_total_bytes", "bytes", "df detail", "Raw size of all OSDs."),
		"total_used_bytes":     clusterFamily("ceph_cluster_total_used_bytes", "bytes", "df detail", "Raw bytes used for data."),
		"total_used_raw_bytes": clusterFamily("ceph_cluster_total_used_raw_bytes", "bytes", "df detail", "Raw bytes used, with what OSDs need themselves."),
		"total_avail_bytes":    clusterFamily("ceph_cluster_total_avail_bytes", "bytes", "df detail", "Raw bytes free on all OSDs."),
	}
	dfClass = map[string]*exporters.Family{
		"total_bytes":          classFamily("ceph_cluster_by_class_total_bytes", "Raw size of the OSDs of a device class."),
		"total_used_bytes":     classFamily("ceph_cluster_by_class_total_used_bytes", "Raw bytes used for data in a device class."),
		"total_used_raw_bytes": classFamily("ceph_cluster_by_class_total_used_raw_bytes", "Raw bytes used in a device class, with what OSDs need themselves."),
	}
	// poolRecovery is by the key of recovery_rate in "osd pool stats".
	poolRecovery = map[string]*exporters.Family{
		"recovering_objects_per_sec": poolFamily("ceph_pool_recovering_objects_per_sec", "", "osd pool stats", exporters.Gauge, "Objects being recovered, per second."),
		"recovering_bytes_per_sec":   poolFamily("ceph_pool_recovering_bytes_per_sec", "", "osd pool stats", exporters.Gauge, "Bytes being recovered, per second."),
		"recovering_keys_per_sec":    poolFamily("ceph_pool_recovering_keys_per_sec", "", "osd pool stats", exporters.Gauge, "Keys being recovered, per second."),
		"num_objects_recovered":      poolFamily("ceph_pool_num_objects_recovered", "", "osd pool stats", exporters.Gauge, "Objects recovered of late."),
		"num_bytes_recovered":        poolFamily("ceph_pool_num_bytes_recovered", "bytes", "osd pool stats", exporters.Gauge, "Bytes recovered of late."),
	}
)

func poolFamily(name, unit, call string, kind exporters.Type, help string) *exporters.Family {
	return &exporters.Family{Name: name, Unit: unit, Type: kind, Set: exporters.SetBase, Call: call, Labels: []string{"pool_id"}, Help: help}
}

func classFamily(name, help string) *exporters.Family {
	return &exporters.Family{Name: name, Unit: "bytes", Type: exporters.Gauge, Set: exporters.SetBase, Call: "df detail", Labels: []string{"device_class"}, Help: help}
}

func poolFamilies() []*exporters.Family {
	return slices.Concat([]*exporters.Family{poolMeta}, ordered(dfPool), ordered(dfCluster), ordered(dfClass), ordered(poolRecovery), poolLayoutFamilies())
}

// ordered are the families of a map by key.
func ordered(by map[string]*exporters.Family) []*exporters.Family {
	var all []*exporters.Family
	for _, key := range slices.Sorted(maps.Keys(by)) {
		all = append(all, by[key])
	}
	return all
}

// numbers keeps the values of an object that are numbers. Ceph writes some as
// null, bool or text in one version or another; those are simply not there.
type numbers map[string]float64

func (n *numbers) UnmarshalJSON(b []byte) error {
	var any map[string]any
	if err := decodeJSON(b, &any); err != nil {
		return err
	}
	*n = numbers{}
	for k, v := range any {
		if f, ok := v.(float64); ok && !math.IsNaN(f) {
			(*n)[k] = f
		}
	}
	return nil
}

type dfAnswer struct {
	Stats   numbers            `json:"stats"`
	ByClass map[string]numbers `json:"stats_by_class"`
	Pools   []struct {
		ID    int     `json:"id"`
		Stats numbers `json:"stats"`
	} `json:"pools"`
}

// poolDump is a pool in "osd dump".
type poolDump struct {
	ID           int            `json:"pool"`
	Name         string         `json:"pool_name"`
	Created      string         `json:"create_time"`
	Type         int            `json:"type"` // 1 replicated, 3 erasure
	Size         int64          `json:"size"`
	MinSize      int64          `json:"min_size"`
	Rule         int            `json:"crush_rule"`
	QuotaBytes   int64          `json:"quota_max_bytes"`
	PGs          float64        `json:"pg_num"`
	PGPs         float64        `json:"pg_placement_num"`
	PGTarget     float64        `json:"pg_num_target"`
	Autoscale    string         `json:"pg_autoscale_mode"`
	StripeWidth  float64        `json:"stripe_width"`
	TierOf       int            `json:"tier_of"` // -1 for none
	Flags        string         `json:"flags_names"`
	Profile      string         `json:"erasure_code_profile"`
	Options      map[string]any `json:"options"`
	Applications map[string]any `json:"application_metadata"`
}

type poolStats struct {
	ID       int     `json:"pool_id"`
	Recovery numbers `json:"recovery_rate"`
	Client   numbers `json:"client_io_rate"`
}

func (c *cluster) collectPools(ctx context.Context) (*exporters.Snapshot, error) {
	l := c.look(ctx)
	if df, ok := fetch[dfAnswer](l, "df", map[string]any{"detail": "detail"}); ok {
		l.addUsage(df)
	}
	if stats, ok := fetch[[]poolStats](l, "osd pool stats", nil); ok {
		l.addRecovery(stats)
	}
	if sums, ok := fetch[poolSums](l, "pg dump", map[string]any{"dumpcontents": []string{"pools"}}); ok {
		l.addSums(sums)
	}
	dump, haveDump := fetch[osdDump](l, "osd dump", nil)
	rules, haveRules := fetch[[]crushRule](l, "osd crush rule dump", nil)
	if haveDump {
		c.learnFSID(dump.FSID)
		l.addPoolMetadata(dump)
		l.addPoolLayout(dump)
	}
	if haveDump && haveRules {
		l.addPoolPlaces(dump, rules)
		l.inventory(mcloud.KindCephPool, true, l.poolObjects(dump, rules))
	}
	return l.done()
}

func (l *look) addUsage(df dfAnswer) {
	for key, family := range dfCluster {
		if v, ok := df.Stats[key]; ok {
			l.snap.Add(family, v)
		}
	}
	for class, stats := range df.ByClass {
		for key, family := range dfClass {
			if v, ok := stats[key]; ok {
				l.snap.Add(family, v, class)
			}
		}
	}
	for _, pool := range df.Pools {
		for key, family := range dfPool {
			if v, ok := pool.Stats[key]; ok {
				l.snap.Add(family, v, strconv.Itoa(pool.ID))
			}
		}
	}
}

// addRecovery writes 0 where a rate is absent: Ceph lists none for a pool that
// recovers nothing.
func (l *look) addRecovery(stats []poolStats) {
	for _, pool := range stats {
		for key, family := range poolRecovery {
			l.snap.Add(family, pool.Recovery[key], strconv.Itoa(pool.ID))
		}
		for key, family := range poolClients {
			l.snap.Add(family, pool.Client[key], strconv.Itoa(pool.ID))
		}
	}
}

func (l *look) addPoolMetadata(dump osdDump) {
	for _, p := range dump.Pools {
		l.snap.Seen++
		compression, ok := p.Options["compression_mode"].(string)
		if !ok {
			compression = "none"
		}
		l.snap.Add(poolMeta, 1, strconv.Itoa(p.ID), p.Name, p.typeName(), p.description(dump.Profiles), compression)
	}
}

func (p poolDump) typeName() string {
	switch p.Type {
	case 1:
		return "replicated"
	case 3:
		return "erasure"
	}
	return strconv.Itoa(p.Type)
}

func (p poolDump) description(profiles map[string]map[string]string) string {
	if p.Type != 3 {
		return "replica:" + strconv.FormatInt(p.Size, 10)
	}
	profile, ok := profiles[p.Profile]
	if !ok {
		return "ec:unknown"
	}
	return "ec:" + profile["k"] + "+" + profile["m"]
}

func (l *look) poolObjects(dump osdDump, rules []crushRule) []mcloud.Object {
	byID := map[int]crushRule{}
	for _, r := range rules {
		byID[r.ID] = r
	}
	objects := make([]mcloud.Object, 0, len(dump.Pools))
	for _, p := range dump.Pools {
		attributes, err := p.attributes(l.cfg.Name, byID, dump.Profiles)
		if err != nil {
			l.fail("pool "+p.Name, err)
		}
		objects = append(objects, mcloud.NewObject(mcloud.KindCephPool, l.cfg.Name+"/"+p.Name, p.Name, l.cfg.Name, "", attributes))
	}
	return objects
}

// attributes are as complete as they can be; the error says what is not known.
func (p poolDump) attributes(cluster string, rules map[int]crushRule, profiles map[string]map[string]string) (mcloud.CephPool, error) {
	pool := mcloud.CephPool{
		Cluster: cluster, Number: int64(p.ID), Type: p.typeName(), Size: p.Size, MinSize: p.MinSize,
		QuotaBytes: p.QuotaBytes, Application: strings.Join(slices.Sorted(maps.Keys(p.Applications)), ","),
	}
	if created, err := time.Parse("2006-01-02T15:04:05.999999-0700", p.Created); err == nil {
		pool.Created = created.UTC()
	}
	if p.Type == 3 {
		k, err := strconv.ParseInt(profiles[p.Profile]["k"], 10, 64)
		if err != nil {
			return pool, fmt.Errorf("erasure-code profile %q has no usable k: %w", p.Profile, err)
		}
		pool.DataChunks = k
	}
	rule, ok := rules[p.Rule]
	if !ok {
		return pool, fmt.Errorf("crush rule %d does not exist", p.Rule)
	}
	pool.CrushRule, pool.Takes = rule.Name, rule.takes(pool.Size)
	var err error
	pool.Root, pool.DeviceClass, pool.FailureDomain, err = rule.target()
	return pool, err
}
