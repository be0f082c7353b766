package ovn

import (
	"context"
	"errors"
	"sync"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/ovn/ovsdb"
)

var memberLabels = []string{"database", "endpoint"}

func memberFamily(name, help string) *exporters.Family {
	return &exporters.Family{Name: name, Type: exporters.Gauge, Set: exporters.SetBase, Call: "_Server:Database", Labels: memberLabels, Help: help}
}

var (
	memberUp        = memberFamily("ovn_db_member_up", "Server of the database answers: 1 yes, 0 no (dead, frozen or out of reach from here).")
	memberConnected = memberFamily("ovn_db_member_connected", "Server is in touch with its cluster's leader: 1 yes, 0 what it holds may be old; a standalone one is always.")
	memberLeader    = memberFamily("ovn_db_member_leader", "Server leads its cluster: 1 yes, 0 no; a standalone one always does.")
	memberClustered = memberFamily("ovn_db_member_clustered", "Database of the server is clustered: 1 yes, 0 it is standalone or a relay.")
	memberIndex     = memberFamily("ovn_db_member_log_index", "Index of the last raft log entry that the server has applied; absent from a standalone database.")
	memberLag       = memberFamily("ovn_db_member_log_lag", "Raft log entries that the server is behind the foremost member that answers.")

	memberFamilies = []*exporters.Family{memberUp, memberConnected, memberLeader, memberClustered, memberIndex, memberLag}
)

// probeTimeout bounds the question to one member.
const probeTimeout = 5 * time.Second

// lookAtMembers asks every member of every database at once.
func (d *deployment) lookAtMembers(ctx context.Context) (*exporters.Snapshot, error) {
	type member struct {
		database, endpoint string
		state              ovsdb.State
		err                error
	}
	var members []*member
	var wg sync.WaitGroup
	for _, b := range d.databases {
		for _, endpoint := range b.options.Endpoints {
			m := &member{database: b.options.Database, endpoint: endpoint}
			members = append(members, m)
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, probeTimeout)
				defer cancel()
				start := time.Now()
				m.state, m.err = ovsdb.Probe(ctx, endpoint, b.options)
				countCall(ctx, start, m.err)
			})
		}
	}
	wg.Wait()
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, ctx.Err()
	}
	foremost := map[string]int64{}
	for _, m := range members {
		foremost[m.database] = max(foremost[m.database], m.state.Index)
	}
	var snap exporters.Snapshot
	roles := map[string]string{}
	for _, m := range members {
		snap.Seen++
		roles[m.database+" at "+m.endpoint] = role(m.state, m.err)
		answers := m.err == nil || errors.Is(m.err, ovsdb.ErrStale)
		snap.Add(memberUp, exporters.Bool(answers), m.database, m.endpoint)
		if m.err != nil {
			snap.Failed = append(snap.Failed, exporters.ObjectError{Object: m.database + " at " + m.endpoint, Err: m.err})
		}
		if !answers || m.state.Model == "" {
			continue
		}
		snap.Add(memberConnected, exporters.Bool(m.state.Connected), m.database, m.endpoint)
		snap.Add(memberLeader, exporters.Bool(m.state.Leader), m.database, m.endpoint)
		snap.Add(memberClustered, exporters.Bool(m.state.Model == "clustered"), m.database, m.endpoint)
		if m.state.Index >= 0 {
			snap.Add(memberIndex, float64(m.state.Index), m.database, m.endpoint)
			snap.Add(memberLag, float64(foremost[m.database]-m.state.Index), m.database, m.endpoint)
		}
	}
	snap.Events = d.events(&d.roles, "database.role", roles, true, becomes("down", "disconnected"))
	return &snap, nil
}

// role is a member's part in its cluster, for the events.
func role(s ovsdb.State, err error) string {
	switch {
	case errors.Is(err, ovsdb.ErrStale):
		return "disconnected"
	case err != nil:
		return "down"
	case s.Model != "clustered":
		return "serving"
	case s.Leader:
		return "leader"
	}
	return "follower"
}
