package ovs

import (
	"regexp"
	"strings"

	"mcloud/exporters"
)

var (
	raftEnabled     = family("ovs_raft_enabled", "", gauge, base, "cluster/status", "Database of the server is clustered: 1 yes, 0 no.", "daemon", "database")
	raftInfo        = family("ovs_raft_info", "", gauge, base, "cluster/status", "Who the server is in its cluster, always 1.", "daemon", "database", "cluster_id", "server_id", "address")
	raftMember      = family("ovs_raft_member", "", gauge, base, "cluster/status", "Server is a member of its cluster: 1 yes, 0 it joins, leaves or has failed.", "daemon", "database")
	raftRole        = family("ovs_raft_role", "", gauge, base, "cluster/status", "Role of the server (leader, candidate, follower): 1 for the one it has, 0 for the others.", "daemon", "database", "role")
	raftLeaderKnown = family("ovs_raft_leader_known", "", gauge, base, "cluster/status", "Server knows who leads: 1 yes, 0 no: it writes nothing and may hold what is old.", "daemon", "database")
	raftVoteSelf    = family("ovs_raft_vote_self", "", gauge, base, "cluster/status", "Server voted for itself in this term: 1 yes, 0 no.", "daemon", "database")
	raftElection    = family("ovs_raft_last_election_age_seconds", "seconds", gauge, base, "cluster/status", "Time since the server last stood for leader; absent if it never did.", "daemon", "database")
	raftTimer       = family("ovs_raft_election_timer_seconds", "seconds", gauge, base, "cluster/status", "How long a follower waits for its leader before it stands itself.", "daemon", "database")
	raftLogStart    = family("ovs_raft_log_start_index", "", gauge, base, "cluster/status", "Index of the first log entry since the last snapshot.", "daemon", "database")
	raftLogEnd      = family("ovs_raft_log_end_index", "", gauge, base, "cluster/status", "Index that the next log entry will have.", "daemon", "database")
	raftDisconnects = family("ovs_raft_disconnections_total", "", counter, base, "cluster/status", "Connections to other members that were lost.", "daemon", "database")
	raftPeers       = family("ovs_raft_peers", "", gauge, base, "cluster/status", "Other members of the cluster.", "daemon", "database")
	raftConnected   = family("ovs_raft_peer_connected", "", gauge, base, "cluster/status", "Connection with the other member is up, by who opened it (inbound: the other): 1 yes, 0 no.", "daemon", "database", "peer", "direction")
	raftNext        = family("ovs_raft_peer_next_index", "", gauge, base, "cluster/status", "Index that the leader will send the member next, itself included; only the leader tells.", "daemon", "database", "peer")
	raftMatch       = family("ovs_raft_peer_match_index", "", gauge, base, "cluster/status", "Index up to which the member's log is known to be the leader's, itself included; only the leader tells.", "daemon", "database", "peer")
	raftLag         = family("ovs_raft_peer_lag", "", gauge, base, "cluster/status", "Log entries that the member is not known to hold; only the leader tells.", "daemon", "database", "peer")
	raftHeard       = family("ovs_raft_peer_last_message_age_seconds", "seconds", gauge, base, "cluster/status", "Time since the server last heard from the member.", "daemon", "database", "peer")

	dbStorage = family("ovs_db_storage_ok", "", gauge, base, "ovsdb-server/get-db-storage-status", "Server can write the database to its disk: 1 yes, 0 no.", "daemon", "database")
	dbActive  = family("ovs_db_active", "", gauge, base, "ovsdb-server/sync-status", "Server is active: 1 yes, 0 it is a backup of another.", "daemon")

	raftFamilies = []*exporters.Family{raftEnabled, raftInfo, raftLeader, raftMember, raftRole, raftLeaderKnown, raftVoteSelf, raftTerm, raftElection, raftTimer,
		raftLogStart, raftLogEnd, raftUncommitted, raftUnapplied, raftDisconnects, raftPeers, raftConnected, raftNext, raftMatch, raftLag, raftHeard, dbStorage, dbActive}
)

var (
	// "[2, 26]"
	raftLog = regexp.MustCompile(`^\[(\d+), (\d+)\]$`)
	// "92c8 (92c8 at tcp:127.0.0.1:16653) next_index=26 match_index=25 last msg 222 ms ago"
	raftServer = regexp.MustCompile(`^\s+(\w+) \(\w+ at (\S+)\)(.*)$`)
	raftIndex  = regexp.MustCompile(`(next_index|match_index)=(\d+)`)
	raftLast   = regexp.MustCompile(`last msg (\d+) ms ago`)
	// "started 59778 ms ago, reason: timeout"
	raftStarted = regexp.MustCompile(`^(\d+) ms ago`)
	// "ec27 (ec27d2e7-…)"
	raftID = regexp.MustCompile(`^(\w+) \(([0-9a-f-]+)\)$`)
)

// raftRoles are those of openvswitch/ovs:ovsdb/raft.c.
var raftRoles = []string{"leader", "candidate", "follower"}

// readCluster reads "cluster/status DATABASE".
func readCluster(database string) func(*report, string) int {
	return func(r *report, text string) (n int) {
		c := clusterText{report: r, database: database}
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\n")
			name, value, ok := pair(line)
			switch {
			case name == "Servers" && ok:
				c.servers = true
			case c.servers && indent(line) > 0:
				c.server(line)
			case c.field(name, value):
				n++
			}
		}
		if n > 0 {
			c.finish()
		}
		return n
	}
}

// clusterText is one answer while it is read.
type clusterText struct {
	*report
	database        string
	servers         bool // the list of members has begun
	cluster, id, at string
	links           []string // "->92c8", "<-92c8", "(->92c8)": not up yet
	peers           []string
	logEnd          float64
	haveLog         bool
	role            string
}

func (c *clusterText) add(f *exporters.Family, value float64, labels ...string) {
	c.report.add(f, value, append([]string{c.daemon, c.database}, labels...)...)
}

func (c *clusterText) field(name, value string) bool {
	v, isNumber := number(value)
	switch name {
	case "Cluster ID":
		c.cluster = longID(value)
	case "Server ID":
		c.id = longID(value)
	case "Address":
		c.at = value
	case "Status":
		c.add(raftMember, truth(value == "cluster member"))
	case "Role":
		c.role = value
		c.add(raftLeader, truth(value == "leader"))
		for _, role := range raftRoles {
			c.add(raftRole, truth(value == role), role)
		}
	case "Leader":
		c.add(raftLeaderKnown, truth(value != "unknown"))
	case "Vote":
		c.add(raftVoteSelf, truth(value == "self"))
	case "Connections":
		c.links = strings.Fields(value)
	case "Log":
		m := raftLog.FindStringSubmatch(value)
		if m == nil {
			return false
		}
		start, _ := number(m[1])
		c.logEnd, c.haveLog = 0, true
		c.logEnd, _ = number(m[2])
		c.add(raftLogStart, start)
		c.add(raftLogEnd, c.logEnd)
	case "Term", "Entries not yet committed", "Entries not yet applied", "Disconnections":
		if !isNumber {
			return false
		}
		c.add(map[string]*exporters.Family{"Term": raftTerm, "Entries not yet committed": raftUncommitted, "Entries not yet applied": raftUnapplied, "Disconnections": raftDisconnects}[name], v)
	case "Election timer":
		if !isNumber {
			return false
		}
		c.add(raftTimer, v/1000)
	default:
		// "Last Election started 121204 ms ago, reason: timeout": its first colon is late.
		rest, ok := strings.CutPrefix(name, "Last Election started ")
		if m := raftStarted.FindStringSubmatch(rest); ok && m != nil {
			ms, _ := number(m[1])
			c.add(raftElection, ms/1000)
			return true
		}
		return false
	}
	return true
}

func longID(value string) string {
	if m := raftID.FindStringSubmatch(value); m != nil {
		return m[2]
	}
	return value
}

func (c *clusterText) server(line string) {
	m := raftServer.FindStringSubmatch(line)
	if m == nil {
		return
	}
	peer, rest := m[1], m[3]
	if !strings.Contains(rest, "(self)") {
		c.peers = append(c.peers, peer)
	}
	for _, index := range raftIndex.FindAllStringSubmatch(rest, -1) {
		v, _ := number(index[2])
		if index[1] == "next_index" {
			c.add(raftNext, v, peer)
			continue
		}
		c.add(raftMatch, v, peer)
		if c.haveLog {
			c.add(raftLag, max(0, c.logEnd-1-v), peer)
		}
	}
	if last := raftLast.FindStringSubmatch(rest); last != nil {
		ms, _ := number(last[1])
		c.add(raftHeard, ms/1000, peer)
	}
}

func (c *clusterText) finish() {
	c.add(raftEnabled, 1)
	c.add(raftInfo, 1, c.cluster, c.id, c.at)
	c.add(raftPeers, float64(len(c.peers)))
	up := map[string]bool{}
	for _, link := range c.links {
		up[link] = true
	}
	for _, peer := range c.peers {
		c.add(raftConnected, truth(up["<-"+peer]), peer, "inbound")
		c.add(raftConnected, truth(up["->"+peer]), peer, "outbound")
	}
	if c.role != "" {
		c.noteState("raft.role", c.database, c.role)
	}
}

// readStorage reads "status: ok".
func readStorage(database string) func(*report, string) int {
	return func(r *report, text string) int {
		name, status, _ := pair(text)
		if name != "status" || status == "" {
			return 0
		}
		r.add(dbStorage, truth(status == "ok"), r.daemon, database)
		return 1
	}
}

// readSync reads "state: active" or "state: backup" and more.
func readSync(r *report, text string) int {
	line, _, _ := strings.Cut(text, "\n")
	name, state, _ := pair(line)
	if name != "state" || state == "" {
		return 0
	}
	r.add(dbActive, truth(state == "active"), r.daemon)
	return 1
}
