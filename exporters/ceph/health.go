package ceph

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"mcloud/exporters"
)

var (
	healthStatus = &exporters.Family{Name: "ceph_health_status", Type: exporters.Gauge, Set: exporters.SetBase, Call: "health detail",
		Help: "Cluster health: 0 HEALTH_OK, 1 HEALTH_WARN, 2 HEALTH_ERR."}
	healthDetail = &exporters.Family{Name: "ceph_health_detail", Type: exporters.Gauge, Set: exporters.SetBase, Call: "health detail",
		Labels: []string{"name", "severity"}, Help: "Health check by name: 1 raised, 0 raised before and gone."}
	healthSlowOps = &exporters.Family{Name: "ceph_healthcheck_slow_ops", Type: exporters.Gauge, Set: exporters.SetBase, Call: "health detail",
		Help: "Requests that OSDs or monitors take too long for."}
	monQuorum = &exporters.Family{Name: "ceph_mon_quorum_status", Type: exporters.Gauge, Set: exporters.SetBase, Call: "quorum_status",
		Labels: []string{"ceph_daemon"}, Help: "Monitor is in the quorum: 1 yes, 0 no."}
	monMetadata = &exporters.Family{Name: "ceph_mon_metadata", Type: exporters.Gauge, Set: exporters.SetBase, Call: "mon metadata",
		Labels: []string{"ceph_daemon", "hostname", "public_addr", "rank", "ceph_version"}, Help: "Monitor's host, address and version, always 1."}
	mgrMetadata = &exporters.Family{Name: "ceph_mgr_metadata", Type: exporters.Gauge, Set: exporters.SetBase, Call: "mgr metadata",
		Labels: []string{"ceph_daemon", "hostname", "ceph_version"}, Help: "Manager's host and version, always 1."}
	mgrStatus = &exporters.Family{Name: "ceph_mgr_status", Type: exporters.Gauge, Set: exporters.SetBase, Call: "mgr dump",
		Labels: []string{"ceph_daemon"}, Help: "Manager is the active one: 1 active, 0 standby."}
	mgrModuleStatus = &exporters.Family{Name: "ceph_mgr_module_status", Type: exporters.Gauge, Set: exporters.SetBase, Call: "mgr dump",
		Labels: []string{"name"}, Help: "Manager module: 0 disabled, 1 enabled, 2 always on."}
	mgrModuleCanRun = &exporters.Family{Name: "ceph_mgr_module_can_run", Type: exporters.Gauge, Set: exporters.SetBase, Call: "mgr dump",
		Labels: []string{"name"}, Help: "Manager module could run: 1 yes, 0 no."}
	objectsDegraded = &exporters.Family{Name: "ceph_num_objects_degraded", Type: exporters.Gauge, Set: exporters.SetBase, Call: "status",
		Help: "Object copies that are missing."}
	objectsMisplaced = &exporters.Family{Name: "ceph_num_objects_misplaced", Type: exporters.Gauge, Set: exporters.SetBase, Call: "status",
		Help: "Object copies that are not where they belong."}
	objectsUnfound = &exporters.Family{Name: "ceph_num_objects_unfound", Type: exporters.Gauge, Set: exporters.SetBase, Call: "status",
		Help: "Objects of which no up-to-date copy can be found."}

	healthFamilies = []*exporters.Family{healthStatus, healthDetail, healthSlowOps, monQuorum, monMetadata, mgrMetadata,
		mgrStatus, mgrModuleStatus, mgrModuleCanRun, objectsDegraded, objectsMisplaced, objectsUnfound}
)

func allHealthFamilies() []*exporters.Family {
	return slices.Concat(healthFamilies, stateFamilies, []*exporters.Family{daemonHealth})
}

type healthAnswer struct {
	Status string                 `json:"status"`
	Checks map[string]healthCheck `json:"checks"`
}

type healthCheck struct {
	Severity string `json:"severity"`
	Muted    bool   `json:"muted"`
	Summary  struct {
		Message string `json:"message"`
	} `json:"summary"`
	Detail []struct {
		Message string `json:"message"`
	} `json:"detail"`
}

type statusAnswer struct {
	FSID   string `json:"fsid"`
	Monmap struct {
		Release string `json:"min_mon_release_name"`
	} `json:"monmap"`
	ElectionEpoch float64 `json:"election_epoch"`
	QuorumAge     float64 `json:"quorum_age"`
	OSDMap        struct {
		Remapped float64 `json:"num_remapped_pgs"`
	} `json:"osdmap"`
	// PGMap names a count of objects in trouble only when it is not zero.
	PGMap    pgMap                      `json:"pgmap"`
	Progress map[string]json.RawMessage `json:"progress_events"`
}

type quorumAnswer struct {
	Quorum []int `json:"quorum"` // ranks
	Monmap struct {
		Mons []struct {
			Rank int    `json:"rank"`
			Name string `json:"name"`
			Addr string `json:"public_addr"`
		} `json:"mons"`
	} `json:"monmap"`
}

// daemonMetadata is one entry of mon, mgr and osd metadata.
type daemonMetadata struct {
	Name     string `json:"name"`
	ID       int    `json:"id"`
	Hostname string `json:"hostname"`
	Version  string `json:"ceph_version"`

	ObjectStore string `json:"osd_objectstore"`
	BackIface   string `json:"back_iface"`
	FrontIface  string `json:"front_iface"`
	BlockBytes  string `json:"bluestore_bdev_size"`
	BlueDevice  string `json:"bluestore_bdev_dev_node"`
	BlueDB      string `json:"bluefs_db_dev_node"`
	BlueWAL     string `json:"bluefs_wal_dev_node"`
	FileDevice  string `json:"backend_filestore_dev_node"`
	Journal     string `json:"osd_journal"`
	Devices     string `json:"devices"`
	DeviceIDs   string `json:"device_ids"`
}

type mgrAnswer struct {
	IsAvailable *bool  `json:"available"`
	Active      string `json:"active_name"`
	Standbys    []struct {
		Name string `json:"name"`
	} `json:"standbys"`
	Enabled   []string `json:"modules"`
	Available []struct {
		Name   string `json:"name"`
		CanRun bool   `json:"can_run"`
	} `json:"available_modules"`
	AlwaysOn map[string][]string `json:"always_on_modules"` // by release
}

// health remembers the checks it has seen, so that one that is gone reads 0
// and an alert on it resolves at once.
type health struct {
	*cluster
	seen   map[[2]string]bool // name, severity
	events healthEvents
}

// maxSeenChecks bounds the memory; Ceph knows about a hundred checks.
const maxSeenChecks = 500

func newHealth(c *cluster) *health { return &health{cluster: c, seen: map[[2]string]bool{}} }

func (h *health) collect(ctx context.Context) (*exporters.Snapshot, error) {
	l := h.look(ctx)
	answer, haveHealth := fetch[healthAnswer](l, "health", map[string]any{"detail": "detail"})
	if haveHealth {
		h.addChecks(l, answer)
		h.events.health(l, answer)
	}
	status, haveStatus := fetch[statusAnswer](l, "status", nil)
	if haveStatus {
		h.learnFSID(status.FSID)
		l.addState(status)
	}
	h.addMons(l, answer, haveHealth)
	h.addMgrs(l, status.Monmap.Release)
	return l.done()
}

func (h *health) addChecks(l *look, answer healthAnswer) {
	level := slices.Index([]string{"HEALTH_OK", "HEALTH_WARN", "HEALTH_ERR"}, answer.Status)
	if level < 0 {
		l.fail("health", unknownWord("status", answer.Status))
	} else {
		l.snap.Add(healthStatus, float64(level))
	}
	raised := map[[2]string]bool{}
	for name, check := range answer.Checks {
		key := [2]string{name, check.Severity}
		raised[key] = true
		if len(h.seen) < maxSeenChecks {
			h.seen[key] = true
		}
		l.snap.Add(healthDetail, 1, key[:]...)
		if check.Muted {
			l.snap.Add(checksMuted, 1, key[:]...)
		}
	}
	for key := range h.seen {
		if !raised[key] {
			l.snap.Add(healthDetail, 0, key[0], key[1])
		}
	}
	slow := 0.0
	if check, ok := answer.Checks["SLOW_OPS"]; ok {
		slow = leadingNumber(check.Summary.Message)
	}
	l.snap.Add(healthSlowOps, slow)
}

// leadingNumber reads "14 slow ops, oldest one blocked for 42 sec, …"; a
// message without a number still means one.
func leadingNumber(message string) float64 {
	first, _, _ := strings.Cut(message, " ")
	if n, err := strconv.ParseFloat(first, 64); err == nil && n >= 0 {
		return n
	}
	return 1
}

func (h *health) addMons(l *look, answer healthAnswer, haveHealth bool) {
	quorum, ok := fetch[quorumAnswer](l, "quorum_status", nil)
	if !ok {
		return
	}
	metadata, _ := fetch[[]daemonMetadata](l, "mon metadata", nil)
	byName := map[string]daemonMetadata{}
	for _, m := range metadata {
		byName[m.Name] = m
	}
	var inQuorum []string
	for _, mon := range quorum.Monmap.Mons {
		daemon := "mon." + mon.Name
		l.snap.Seen++
		if slices.Contains(quorum.Quorum, mon.Rank) {
			inQuorum = append(inQuorum, daemon)
		}
		l.snap.Add(monQuorum, truth(slices.Contains(quorum.Quorum, mon.Rank)), daemon)
		// A monitor that is down keeps its entry; one that never came up has none.
		if m, ok := byName[mon.Name]; ok {
			l.snap.Add(monMetadata, 1, daemon, m.Hostname, hostOf(mon.Addr), strconv.Itoa(mon.Rank), m.Version)
		}
	}
	states := map[string]bool{}
	for _, mon := range quorum.Monmap.Mons {
		states["mon."+mon.Name] = slices.Contains(quorum.Quorum, mon.Rank)
	}
	h.events.quorum(l, states)
	l.snap.Add(monsDown, float64(len(quorum.Monmap.Mons)-len(inQuorum)))
	if haveHealth {
		l.addReports(answer, "SLOW_OPS", inQuorum)
	}
}

func (h *health) addMgrs(l *look, release string) {
	if metadata, ok := fetch[[]daemonMetadata](l, "mgr metadata", nil); ok {
		for _, m := range metadata {
			l.snap.Add(mgrMetadata, 1, "mgr."+m.Name, m.Hostname, m.Version)
		}
	}
	mgr, ok := fetch[mgrAnswer](l, "mgr dump", nil)
	if !ok {
		return
	}
	if mgr.IsAvailable != nil {
		l.snap.Add(mgrAvailable, truth(*mgr.IsAvailable))
	}
	h.events.activeMgr(l, mgr.Active)
	if mgr.Active != "" {
		l.snap.Seen++
		l.snap.Add(mgrStatus, 1, "mgr."+mgr.Active)
	}
	for _, standby := range mgr.Standbys {
		l.snap.Seen++
		l.snap.Add(mgrStatus, 0, "mgr."+standby.Name)
	}
	for _, module := range mgr.Available {
		state := 0.0
		switch {
		case slices.Contains(mgr.AlwaysOn[release], module.Name):
			state = 2
		case slices.Contains(mgr.Enabled, module.Name):
			state = 1
		}
		l.snap.Add(mgrModuleStatus, state, module.Name)
		l.snap.Add(mgrModuleCanRun, truth(module.CanRun), module.Name)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// hostOf is the host of Ceph's "127.0.0.1:6789/0", as the mgr shows it: what is
// before the last colon, so an IPv6 address keeps its brackets.
func hostOf(addr string) string {
	if i := strings.LastIndexByte(addr, ':'); i >= 0 {
		return addr[:i]
	}
	return addr
}
