package ceph

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mcloud/exporters"
)

// serviceMap is "service dump": daemons that register themselves with the mgr.
type serviceMap struct {
	Services map[string]struct {
		// Daemons are by id, beside a "summary" that is text.
		Daemons map[string]json.RawMessage `json:"daemons"`
	} `json:"services"`
}

// serviceDaemon is one of them. GID is 0 for an MDS, which only has a status there.
type serviceDaemon struct {
	GID      int64          `json:"gid"`
	Metadata map[string]any `json:"metadata"`
}

func (d serviceDaemon) text(key string) string {
	s, _ := d.Metadata[key].(string)
	return s
}

// daemons are those of one kind of service, by the key that the map has for them.
func (m serviceMap) daemons(kind string) map[string]serviceDaemon {
	all := map[string]serviceDaemon{}
	for _, id := range slices.Sorted(maps.Keys(m.Services[kind].Daemons)) {
		var one serviceDaemon
		if err := json.Unmarshal(m.Services[kind].Daemons[id], &one); err == nil { // "summary" is text
			all[id] = one
		}
	}
	return all
}

// gatewayIDs are the instance ids of RADOS gateways by their own id: "a" of the
// daemon client.rgw.a. Until Ceph 16 the map's key may be that id itself.
func (m serviceMap) gatewayIDs() map[string]string {
	ids := map[string]string{}
	for key, one := range m.daemons("rgw") {
		if id := one.text("id"); id != "" {
			ids[id] = key
		}
	}
	return ids
}

func infoFamily(name, call, help string, labels ...string) *exporters.Family {
	return &exporters.Family{Name: name, Type: exporters.Gauge, Set: exporters.SetBase, Call: call, Labels: labels, Help: help}
}

var (
	fsMeta = infoFamily("ceph_fs_metadata", "fs dump", "File system's pools, always 1.", "data_pools", "fs_id", "metadata_pool", "name")
	fsMDS  = infoFamily("ceph_fs_mds", "fs dump", "Ranks of the file system by state: up, failed, damaged, stopped; wanted is max_mds.", "fs_id", "state")

	mdsMeta = infoFamily("ceph_mds_metadata", "fs dump", "Metadata server's host, address, rank and version, always 1; a standby has fs_id -1.",
		"ceph_daemon", "fs_id", "hostname", "public_addr", "rank", "ceph_version")
	mdsState = infoFamily("ceph_mds_state", "fs dump", "Metadata server's state (up:active, up:standby, up:replay, …), always 1.", "ceph_daemon", "fs_id", "state")
	rgwMeta  = infoFamily("ceph_rgw_metadata", "service dump", "RADOS gateway's host and version, always 1.",
		"ceph_daemon", "hostname", "ceph_version", "instance_id")
	mirrorMeta = infoFamily("ceph_rbd_mirror_metadata", "service dump", "RBD mirror daemon's host and version, always 1.",
		"ceph_daemon", "id", "instance_id", "hostname", "ceph_version")

	blocklisted = clusterFamily("ceph_cluster_osd_blocklist_count", "", "osd blocklist ls", "Clients that the OSDs refuse.")
	versionRuns = infoFamily("ceph_version_daemons", "versions", "Daemons by type and the version that they run.", "type", "ceph_version")
	featureRuns = infoFamily("ceph_feature_connections", "features", "Daemons and clients that are connected, by type and the release that their features are of.", "type", "release")
	crashes     = infoFamily("ceph_crash_reports", "crash ls", "Crash reports of the daemon by state: new (not looked at by a person) or archived.", "ceph_daemon", "state")
	configured  = infoFamily("ceph_config_options", "config dump", "Options set in the monitors' configuration database by section and level.", "section", "level")

	clockSkew  = &exporters.Family{Name: "ceph_mon_clock_skew_seconds", Unit: "seconds", Type: exporters.Gauge, Set: exporters.SetBase, Call: "time-sync-status", Labels: []string{"ceph_daemon"}, Help: "How far the monitor's clock is from the leader's; below zero it is late."}
	monLatency = &exporters.Family{Name: "ceph_mon_latency_seconds", Unit: "seconds", Type: exporters.Gauge, Set: exporters.SetBase, Call: "time-sync-status", Labels: []string{"ceph_daemon"}, Help: "Round trip from the leader to the monitor."}

	balancerActive   = clusterFamily("ceph_balancer_active", "", "balancer status", "Balancer moves placement groups by itself: 1 yes, 0 no.")
	balancerOptimal  = clusterFamily("ceph_balancer_optimal", "", "balancer status", "Balancer found nothing to better at its last run: 1 yes, 0 no.")
	balancerMode     = infoFamily("ceph_balancer_info", "balancer status", "Balancer's mode (upmap, crush-compat, none), always 1.", "mode")
	balancerDuration = clusterFamily("ceph_balancer_last_optimize_duration_seconds", "seconds", "balancer status", "How long the balancer's last run took.")

	serviceFamilies = []*exporters.Family{fsMeta, fsMDS, mdsMeta, mdsState, rgwMeta, mirrorMeta, blocklisted, versionRuns, featureRuns, crashes,
		configured, clockSkew, monLatency, balancerActive, balancerOptimal, balancerMode, balancerDuration}
)

// fsDump is "fs dump".
type fsDump struct {
	Standbys    []mdsInfo `json:"standbys"`
	Filesystems []struct {
		ID     int `json:"id"`
		MDSMap struct {
			Name         string             `json:"fs_name"`
			DataPools    []int              `json:"data_pools"`
			MetadataPool int                `json:"metadata_pool"`
			MaxMDS       int                `json:"max_mds"`
			Up           map[string]int64   `json:"up"`
			Failed       []int              `json:"failed"`
			Damaged      []int              `json:"damaged"`
			Stopped      []int              `json:"stopped"`
			Info         map[string]mdsInfo `json:"info"`
		} `json:"mdsmap"`
	} `json:"filesystems"`
}

type mdsInfo struct {
	Name  string `json:"name"`
	Rank  int    `json:"rank"`
	State string `json:"state"`
	Addr  string `json:"addr"`
}

type timeSync struct {
	Skew map[string]struct {
		Skew    float64 `json:"skew"`
		Latency float64 `json:"latency"`
	} `json:"time_skew_status"`
}

type crashReport struct {
	Entity   string `json:"entity_name"`
	Archived string `json:"archived"`
}

type configOption struct {
	Section string `json:"section"`
	Level   string `json:"level"`
	// The value stays where it is: module options may hold passwords.
}

type balancerStatus struct {
	Active   *bool  `json:"active"`
	Mode     string `json:"mode"`
	Optimal  *bool  `json:"no_optimization_needed"`
	Duration string `json:"last_optimize_duration"` // Python's "0:00:00.001481"
}

// collectServices looks at what changes seldom: about ten small commands.
func (c *cluster) collectServices(ctx context.Context) (*exporters.Snapshot, error) {
	l := c.look(ctx)
	l.addFilesystems()
	if services, ok := fetch[serviceMap](l, "service dump", nil); ok {
		l.addGateways(services)
	}
	blocked := 0
	if l.read("osd blocklist ls", nil, func(b []byte) (err error) { blocked, err = countEntries(b); return err }) {
		l.snap.Add(blocklisted, float64(blocked))
	}
	l.addVersions()
	if sync, ok := fetch[timeSync](l, "time-sync-status", nil); ok {
		for name, mon := range sync.Skew {
			l.snap.Add(clockSkew, mon.Skew, "mon."+name)
			l.snap.Add(monLatency, mon.Latency, "mon."+name)
		}
	}
	l.addCrashes()
	if options, ok := fetch[[]configOption](l, "config dump", nil); ok {
		var tally exporters.Tally
		for _, o := range options {
			tally.Add(1, o.Section, o.Level)
		}
		tally.AddTo(&l.snap, configured)
	}
	l.addBalancer()
	return l.done()
}

// countEntries counts the elements of one array after another: since Ceph 16 the
// blocklist's addresses are followed by its ranges, [{…}][], which is not one
// JSON document.
func countEntries(b []byte) (int, error) {
	n := 0
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		var list []struct{}
		switch err := d.Decode(&list); {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return 0, err
		}
		n += len(list)
	}
}

func (l *look) addFilesystems() {
	fs, ok := fetch[fsDump](l, "fs dump", nil)
	if !ok || len(fs.Filesystems) == 0 && len(fs.Standbys) == 0 {
		return
	}
	metadata, haveMetadata := fetch[[]daemonMetadata](l, "mds metadata", nil)
	byName := map[string]daemonMetadata{}
	for _, m := range metadata {
		byName[m.Name] = m
	}
	server := func(one mdsInfo, fsID string) {
		l.snap.Seen++
		m := byName[one.Name]
		if haveMetadata { // without it every server would lose its host and version
			l.snap.Add(mdsMeta, 1, "mds."+one.Name, fsID, m.Hostname, one.Addr, strconv.Itoa(one.Rank), m.Version)
		}
		l.snap.Add(mdsState, 1, "mds."+one.Name, fsID, one.State)
	}
	for _, standby := range fs.Standbys {
		server(standby, "-1")
	}
	for _, one := range fs.Filesystems {
		id, m := strconv.Itoa(one.ID), one.MDSMap
		pools := make([]string, len(m.DataPools))
		for i, pool := range m.DataPools {
			pools[i] = strconv.Itoa(pool)
		}
		l.snap.Add(fsMeta, 1, strings.Join(pools, ","), id, strconv.Itoa(m.MetadataPool), m.Name)
		for state, n := range map[string]int{"wanted": m.MaxMDS, "up": len(m.Up), "failed": len(m.Failed), "damaged": len(m.Damaged), "stopped": len(m.Stopped)} {
			l.snap.Add(fsMDS, float64(n), id, state)
		}
		for _, one := range m.Info {
			server(one, id)
		}
	}
}

func (l *look) addGateways(services serviceMap) {
	for key, one := range services.daemons("rgw") {
		l.snap.Seen++
		l.snap.Add(rgwMeta, 1, "rgw."+cmp.Or(one.text("id"), key), one.text("hostname"), one.text("ceph_version"), key)
	}
	for key, one := range services.daemons("rbd-mirror") {
		l.snap.Seen++
		l.snap.Add(mirrorMeta, 1, "rbd-mirror."+key, one.text("id"), one.text("instance_id"), one.text("hostname"), one.text("ceph_version"))
	}
}

func (l *look) addVersions() {
	if versions, ok := fetch[map[string]map[string]float64](l, "versions", nil); ok {
		for kind, byVersion := range versions {
			for version, n := range byVersion {
				if kind != "overall" {
					l.snap.Add(versionRuns, n, kind, version)
				}
			}
		}
	}
	type group struct {
		Release string  `json:"release"`
		N       float64 `json:"num"`
	}
	if features, ok := fetch[map[string][]group](l, "features", nil); ok {
		var tally exporters.Tally
		for kind, groups := range features {
			for _, g := range groups {
				tally.Add(g.N, kind, g.Release)
			}
		}
		tally.AddTo(&l.snap, featureRuns)
	}
}

func (l *look) addCrashes() {
	reports, ok := fetch[[]crashReport](l, "crash ls", nil)
	if !ok {
		return
	}
	var tally exporters.Tally
	for _, r := range reports {
		state, other := "new", "archived"
		if r.Archived != "" {
			state, other = other, state
		}
		tally.Add(1, r.Entity, state)
		tally.Add(0, r.Entity, other)
	}
	tally.AddTo(&l.snap, crashes)
}

func (l *look) addBalancer() {
	b, ok := fetch[balancerStatus](l, "balancer status", nil)
	if !ok {
		return
	}
	if b.Active != nil {
		l.snap.Add(balancerActive, truth(*b.Active))
	}
	if b.Optimal != nil {
		l.snap.Add(balancerOptimal, truth(*b.Optimal))
	}
	if b.Mode != "" {
		l.snap.Add(balancerMode, 1, b.Mode)
	}
	if seconds, ok := pythonDuration(b.Duration); ok {
		l.snap.Add(balancerDuration, seconds)
	}
}

// pythonDuration reads what Python prints for a timedelta below a day,
// "0:00:00.001481", in seconds.
func pythonDuration(s string) (seconds float64, ok bool) {
	var hours, minutes uint
	var rest float64
	n, err := fmt.Sscanf(s, "%d:%d:%g", &hours, &minutes, &rest)
	if err != nil || n != 3 || rest < 0 || rest >= 60 {
		return 0, false
	}
	return float64(hours)*3600 + float64(minutes)*60 + rest, true
}
