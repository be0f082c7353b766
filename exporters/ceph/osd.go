package ceph

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mcloud"
	"mcloud/exporters"
)

func osdFamily(name, unit, call, help string) *exporters.Family {
	return &exporters.Family{Name: name, Unit: unit, Type: exporters.Gauge, Set: exporters.SetBase, Call: call,
		Labels: []string{"ceph_daemon"}, Help: help}
}

var (
	osdUp      = osdFamily("ceph_osd_up", "", "osd dump", "OSD is up: 1 yes, 0 no.")
	osdIn      = osdFamily("ceph_osd_in", "", "osd dump", "OSD is in, data is placed on it: 1 yes, 0 no.")
	osdWeight  = osdFamily("ceph_osd_weight", "", "osd dump", "Reweight of the OSD, 0 to 1.")
	osdBytes   = osdFamily("ceph_osd_stat_bytes", "bytes", "osd df", "Size of the OSD.")
	osdUsed    = osdFamily("ceph_osd_stat_bytes_used", "bytes", "osd df", "Raw bytes used on the OSD.")
	osdAvail   = osdFamily("ceph_osd_stat_bytes_avail", "bytes", "osd df", "Raw bytes free on the OSD.")
	osdPGs     = osdFamily("ceph_osd_numpg", "", "osd df", "Placement groups that have a copy on the OSD.")
	osdApply   = osdFamily("ceph_osd_apply_latency_ms", "", "osd perf", "Recent apply latency in milliseconds.")
	osdCommit  = osdFamily("ceph_osd_commit_latency_ms", "", "osd perf", "Recent commit latency in milliseconds.")
	osdMeta    = &exporters.Family{Name: "ceph_osd_metadata", Type: exporters.Gauge, Set: exporters.SetBase, Call: "osd metadata", Help: "OSD's host, class, addresses and version, always 1.", Labels: []string{"back_iface", "ceph_daemon", "cluster_addr", "device_class", "front_iface", "hostname", "objectstore", "public_addr", "ceph_version"}}
	ratioFull  = clusterFamily("ceph_osd_full_ratio", "ratio", "osd dump", "Share of an OSD at which writes stop.")
	ratioBack  = clusterFamily("ceph_osd_backfillfull_ratio", "ratio", "osd dump", "Share of an OSD at which no data is moved to it.")
	ratioNear  = clusterFamily("ceph_osd_nearfull_ratio", "ratio", "osd dump", "Share of an OSD at which the cluster warns.")
	osdFlagSet = flagFamilies("noup", "nodown", "noout", "noin", "nobackfill", "norebalance", "norecover", "noscrub", "nodeep-scrub")
)

func clusterFamily(name, unit, call, help string) *exporters.Family {
	return &exporters.Family{Name: name, Unit: unit, Type: exporters.Gauge, Set: exporters.SetBase, Call: call, Help: help}
}

// flagFamilies are by flag: the mgr gives each its own metric.
func flagFamilies(flags ...string) map[string]*exporters.Family {
	all := map[string]*exporters.Family{}
	for _, flag := range flags {
		all[flag] = clusterFamily("ceph_osd_flag_"+strings.ReplaceAll(flag, "-", "_"), "", "osd dump",
			"OSD map flag "+flag+": 1 set, 0 not.")
	}
	return all
}

func osdFamilies() []*exporters.Family {
	all := []*exporters.Family{osdUp, osdIn, osdWeight, osdBytes, osdUsed, osdAvail, osdPGs, osdApply, osdCommit, osdMeta, ratioFull, ratioBack, ratioNear}
	for _, flag := range slices.Sorted(maps.Keys(osdFlagSet)) {
		all = append(all, osdFlagSet[flag])
	}
	return append(all, layoutFamilies...)
}

// osdDump is "osd dump": the OSD map, with the pools and erasure-code profiles.
type osdDump struct {
	FSID        string   `json:"fsid"`
	Epoch       float64  `json:"epoch"`
	Flags       string   `json:"flags"`
	Full        *float64 `json:"full_ratio"`
	Backfillful *float64 `json:"backfillfull_ratio"`
	Nearfull    *float64 `json:"nearfull_ratio"`
	OSDs        []struct {
		OSD         int      `json:"osd"`
		Up          int      `json:"up"`
		In          int      `json:"in"`
		Weight      float64  `json:"weight"`
		Affinity    float64  `json:"primary_affinity"`
		PublicAddr  string   `json:"public_addr"`
		ClusterAddr string   `json:"cluster_addr"`
		State       []string `json:"state"` // "exists", "up", "nearfull", …
	} `json:"osds"`
	Upmaps   []struct{}                   `json:"pg_upmap_items"`
	Pools    []poolDump                   `json:"pools"`
	Profiles map[string]map[string]string `json:"erasure_code_profiles"`
}

type versionsAnswer struct {
	Overall map[string]int `json:"overall"`
}

type perfAnswer struct {
	Stats struct {
		Infos []struct {
			ID   int `json:"id"`
			Perf struct {
				Apply  float64 `json:"apply_latency_ms"`
				Commit float64 `json:"commit_latency_ms"`
			} `json:"perf_stats"`
		} `json:"osd_perf_infos"`
	} `json:"osdstats"`
}

// osds remembers the states of OSDs from one look to the next.
type osds struct {
	*cluster
	events osdEvents
}

func (c *osds) collect(ctx context.Context) (*exporters.Snapshot, error) {
	l := c.look(ctx)
	dump, haveDump := fetch[osdDump](l, "osd dump", nil)
	if !haveDump {
		return l.done() // without the map there is no OSD to speak of
	}
	c.learnFSID(dump.FSID)
	l.addOSDMap(dump)
	c.events.observe(l, dump)
	tree, haveTree := fetch[crushTree](l, "osd tree", nil)
	df, haveDF := fetch[crushTree](l, "osd df", map[string]any{"output_method": "tree"})
	metadata, haveMetadata := fetch[[]daemonMetadata](l, "osd metadata", nil)
	if perf, ok := fetch[perfAnswer](l, "osd perf", nil); ok {
		l.addLatencies(perf)
	}
	versions, haveVersions := fetch[versionsAnswer](l, "versions", nil)
	if health, ok := fetch[healthAnswer](l, "health", map[string]any{"detail": "detail"}); ok {
		l.addOSDReports(dump, health)
	}
	l.addOSDState(dump)
	l.addBlocking(dump)

	places, sizes, hosts := tree.places(), sizesOf(df), metadataByID(metadata)
	l.addSizes(dump, sizes)
	if haveMetadata {
		l.addDisks(dump, hosts)
	}
	if haveTree {
		l.addPlaces(dump, places)
	}
	if haveMetadata && haveTree { // without the tree all would lose their device class
		l.addOSDMetadata(dump, places, hosts)
	}
	if haveTree && haveDF {
		l.addClasses(dump, places, sizes)
	}
	// An inventory with holes would be stored as a change of every OSD.
	if haveTree && haveDF && haveMetadata {
		l.inventory(mcloud.KindOSD, true, l.osdObjects(dump, places, sizes, hosts))
	}
	if haveVersions {
		l.inventory(mcloud.KindCephCluster, true, []mcloud.Object{l.clusterObject(dump, versions)})
	}
	return l.done()
}

func (l *look) addOSDMap(dump osdDump) {
	for _, o := range dump.OSDs {
		name := osdName(o.OSD)
		l.snap.Seen++
		l.snap.Add(osdUp, float64(o.Up), name)
		l.snap.Add(osdIn, float64(o.In), name)
		l.snap.Add(osdWeight, o.Weight, name)
	}
	set := strings.Split(dump.Flags, ",")
	for flag, family := range osdFlagSet {
		l.snap.Add(family, truth(slices.Contains(set, flag)))
	}
	for family, ratio := range map[*exporters.Family]*float64{ratioFull: dump.Full, ratioBack: dump.Backfillful, ratioNear: dump.Nearfull} {
		if ratio != nil {
			l.snap.Add(family, roundRatio(*ratio))
		}
	}
}

// addSizes leaves out OSDs that never reported: Ceph has 0 for them.
func (l *look) addSizes(dump osdDump, sizes map[int]crushNode) {
	for _, o := range dump.OSDs {
		if n, ok := sizes[o.OSD]; ok && n.KB > 0 {
			name := osdName(o.OSD)
			l.snap.Add(osdBytes, n.KB*1024, name)
			l.snap.Add(osdUsed, n.KBUsed*1024, name)
			l.snap.Add(osdAvail, n.KBAvail*1024, name)
			l.snap.Add(osdPGs, n.PGs, name)
			l.snap.Add(osdUtilization, n.KBUsed/n.KB, name)
			l.snap.Add(osdVariance, n.Variance, name)
			l.snap.Add(osdData, n.KBData*1024, name)
			l.snap.Add(osdOmap, n.KBOmap*1024, name)
			l.snap.Add(osdInternal, n.KBMeta*1024, name)
		}
	}
}

// addOSDReports leaves out OSDs that are down: they report nothing.
func (l *look) addOSDReports(dump osdDump, answer healthAnswer) {
	var up []string
	for _, o := range dump.OSDs {
		if o.Up == 1 {
			up = append(up, osdName(o.OSD))
		}
	}
	for kind := range reportChecks {
		l.addReports(answer, kind, up)
	}
}

func (l *look) addLatencies(perf perfAnswer) {
	for _, o := range perf.Stats.Infos {
		l.snap.Add(osdApply, o.Perf.Apply, osdName(o.ID))
		l.snap.Add(osdCommit, o.Perf.Commit, osdName(o.ID))
	}
}

func (l *look) addOSDMetadata(dump osdDump, places map[int]place, metadata map[int]daemonMetadata) {
	for _, o := range dump.OSDs {
		m, ok := metadata[o.OSD]
		if !ok || hostOf(o.PublicAddr) == "-" {
			continue // it never booted
		}
		l.snap.Add(osdMeta, 1, m.BackIface, osdName(o.OSD), hostOf(o.ClusterAddr), places[o.OSD].node.DeviceClass,
			m.FrontIface, m.Hostname, m.ObjectStore, hostOf(o.PublicAddr), m.Version)
	}
}

func (l *look) osdObjects(dump osdDump, places map[int]place, sizes map[int]crushNode, metadata map[int]daemonMetadata) []mcloud.Object {
	objects := make([]mcloud.Object, 0, len(dump.OSDs))
	for _, o := range dump.OSDs {
		p := places[o.OSD] // empty for an OSD outside of the hierarchy: no data is placed on it
		host := p.buckets["host"]
		parent := ""
		if host != "" {
			parent = l.cfg.Name + "/" + host
		}
		objects = append(objects, mcloud.NewObject(mcloud.KindOSD, l.cfg.Name+"/"+osdName(o.OSD), osdName(o.OSD), parent, "", mcloud.OSD{
			Cluster: l.cfg.Name, Number: int64(o.OSD),
			Host: host, Rack: p.buckets["rack"], Datacenter: p.buckets["datacenter"], Root: p.root,
			DeviceClass: p.node.DeviceClass, CrushWeight: p.node.CrushWeight,
			Up: o.Up == 1, In: o.In == 1, Reweight: o.Weight,
			TotalBytes: totalBytes(sizes[o.OSD], metadata[o.OSD]),
		}))
	}
	return objects
}

// totalBytes of an OSD that is out for long reads 0 in "osd df"; its block
// device still has its size.
func totalBytes(n crushNode, m daemonMetadata) int64 {
	if n.KB > 0 {
		return int64(n.KB) * 1024
	}
	bytes, err := strconv.ParseInt(m.BlockBytes, 10, 64)
	if err != nil {
		return 0
	}
	return bytes
}

func (l *look) clusterObject(dump osdDump, versions versionsAnswer) mcloud.Object {
	var short []string
	for full := range versions.Overall {
		short = append(short, shortVersion(full))
	}
	slices.Sort(short)
	attributes := mcloud.CephCluster{FSID: dump.FSID, Version: strings.Join(slices.Compact(short), ",")}
	for to, from := range map[*float64]*float64{&attributes.FullRatio: dump.Full, &attributes.BackfillfullRatio: dump.Backfillful, &attributes.NearfullRatio: dump.Nearfull} {
		if from != nil {
			*to = roundRatio(*from)
		}
	}
	return mcloud.NewObject(mcloud.KindCephCluster, l.cfg.Name, l.cfg.Name, "", "", attributes)
}

// shortVersion is "16.2.15" of "ceph version 16.2.15 (618f…) pacific (stable)".
func shortVersion(full string) string {
	words := strings.Fields(full)
	if len(words) >= 3 && words[0] == "ceph" && words[1] == "version" {
		return words[2]
	}
	return full
}

// roundRatio undoes Ceph's float32: 0.94999998807907104 was set as 0.95.
func roundRatio(r float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(r, 'g', 6, 32), 64)
	if err != nil {
		return r
	}
	return rounded
}

func sizesOf(df crushTree) map[int]crushNode {
	sizes := map[int]crushNode{}
	for _, n := range slices.Concat(df.Nodes, df.Stray) {
		if _, twice := sizes[n.ID]; !twice && n.ID >= 0 {
			sizes[n.ID] = n
		}
	}
	return sizes
}

func metadataByID(metadata []daemonMetadata) map[int]daemonMetadata {
	byID := map[int]daemonMetadata{}
	for _, m := range metadata {
		// An OSD that never booted has an entry with nothing but its id.
		if m.Version != "" {
			byID[m.ID] = m
		}
	}
	return byID
}

func osdName(id int) string { return "osd." + strconv.Itoa(id) }

func unknownWord(what, word string) error { return fmt.Errorf("unknown %s %q", what, word) }
