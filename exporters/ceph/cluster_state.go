package ceph

import "mcloud/exporters"

// What "status" says of the whole cluster beside the mgr's own families.
var (
	clusterPGs = infoFamily("ceph_cluster_pgs", "status", "Placement groups by their full state: active+clean, active+undersized+degraded, …", "state")
	// statusRates are absent in "status" while they are zero.
	statusRates = map[string]*exporters.Family{
		"read_bytes_sec":             clusterFamily("ceph_cluster_client_read_bytes_per_second", "", "status", "Bytes that clients read, per second."),
		"write_bytes_sec":            clusterFamily("ceph_cluster_client_write_bytes_per_second", "", "status", "Bytes that clients write, per second."),
		"read_op_per_sec":            clusterFamily("ceph_cluster_client_reads_per_second", "", "status", "Reads of clients, per second."),
		"write_op_per_sec":           clusterFamily("ceph_cluster_client_writes_per_second", "", "status", "Writes of clients, per second."),
		"recovering_objects_per_sec": clusterFamily("ceph_cluster_recovering_objects_per_second", "", "status", "Objects being recovered, per second."),
		"recovering_bytes_per_sec":   clusterFamily("ceph_cluster_recovering_bytes_per_second", "", "status", "Bytes being recovered, per second."),
		"recovering_keys_per_sec":    clusterFamily("ceph_cluster_recovering_keys_per_second", "", "status", "Keys being recovered, per second."),
		"flush_bytes_sec":            clusterFamily("ceph_cluster_cache_flush_bytes_per_second", "", "status", "Bytes flushed from cache tiers, per second."),
		"evict_bytes_sec":            clusterFamily("ceph_cluster_cache_evict_bytes_per_second", "", "status", "Bytes evicted from cache tiers, per second."),
		"promote_op_per_sec":         clusterFamily("ceph_cluster_cache_promotes_per_second", "", "status", "Objects promoted into cache tiers, per second."),
		"degraded_ratio":             clusterFamily("ceph_cluster_degraded_ratio", "ratio", "status", "Share of object copies that are missing, 0 to 1."),
		"misplaced_ratio":            clusterFamily("ceph_cluster_misplaced_ratio", "ratio", "status", "Share of object copies that are not where they belong, 0 to 1."),
		"unfound_ratio":              clusterFamily("ceph_cluster_unfound_ratio", "ratio", "status", "Share of objects of which no copy can be found, 0 to 1."),
		"inactive_pgs_ratio":         clusterFamily("ceph_cluster_inactive_pgs_ratio", "ratio", "status", "Share of placement groups that serve no client, 0 to 1."),
		"unknown_pgs_ratio":          clusterFamily("ceph_cluster_unknown_pgs_ratio", "ratio", "status", "Share of placement groups that no OSD reports, 0 to 1."),
	}
	// statusCounts are always there.
	statusCounts = map[string]*exporters.Family{
		"num_pgs":     clusterFamily("ceph_cluster_pgs_known", "", "status", "Placement groups of all pools."),
		"num_pools":   clusterFamily("ceph_cluster_pools", "", "status", "Pools."),
		"num_objects": clusterFamily("ceph_cluster_objects", "", "status", "Objects of all pools, one copy counted."),
		"data_bytes":  clusterFamily("ceph_cluster_stored_bytes", "bytes", "status", "Bytes that users stored, one copy counted."),
	}
	monsDown     = clusterFamily("ceph_mons_out_of_quorum", "", "quorum_status", "Monitors that are not in the quorum.")
	quorumAge    = clusterFamily("ceph_mon_quorum_age_seconds", "seconds", "status", "How long the quorum has been what it is.")
	elections    = clusterFamily("ceph_mon_election_epoch", "", "status", "Epoch of the monitors' last election; it rises by two with each.")
	mgrAvailable = clusterFamily("ceph_mgr_available", "", "mgr dump", "A manager is active and serves: 1 yes, 0 no.")
	remapped     = clusterFamily("ceph_osd_map_remapped_pgs", "", "status", "Placement groups that are placed elsewhere than CRUSH wants for now.")
	progressing  = clusterFamily("ceph_progress_events", "", "status", "Long operations that the mgr follows: rebalancing, recovery.")
	checksMuted  = infoFamily("ceph_health_muted", "health detail", "Health check that is raised and that a person has silenced, always 1.", "name", "severity")

	stateFamilies = append([]*exporters.Family{clusterPGs, monsDown, quorumAge, elections, mgrAvailable, remapped, progressing, checksMuted},
		append(ordered(statusRates), ordered(statusCounts)...)...)
)

// pgMap is the part of "status" with the placement groups: numbers by key, and
// the groups by state.
type pgMap struct {
	numbers
	states []pgsInState
}

type pgsInState struct {
	Name string  `json:"state_name"`
	N    float64 `json:"count"`
}

func (m *pgMap) UnmarshalJSON(b []byte) error {
	var listed struct {
		States []pgsInState `json:"pgs_by_state"`
	}
	if err := decodeJSON(b, &listed); err != nil {
		return err
	}
	m.states = listed.States
	return m.numbers.UnmarshalJSON(b)
}

func (l *look) addState(status statusAnswer) {
	if _, known := status.PGMap.numbers["num_pgs"]; known { // without a map, what is not listed is not 0
		l.snap.Add(objectsDegraded, status.PGMap.numbers["degraded_objects"])
		l.snap.Add(objectsMisplaced, status.PGMap.numbers["misplaced_objects"])
		l.snap.Add(objectsUnfound, status.PGMap.numbers["unfound_objects"])
		for key, f := range statusRates {
			l.snap.Add(f, status.PGMap.numbers[key])
		}
	}
	for key, f := range statusCounts {
		if v, ok := status.PGMap.numbers[key]; ok {
			l.snap.Add(f, v)
		}
	}
	for _, s := range status.PGMap.states {
		l.snap.Add(clusterPGs, s.N, s.Name)
	}
	l.snap.Add(remapped, status.OSDMap.Remapped)
	l.snap.Add(quorumAge, status.QuorumAge)
	l.snap.Add(elections, status.ElectionEpoch)
	l.snap.Add(progressing, float64(len(status.Progress)))
}
