package openstack

import (
	"slices"
	"time"

	"mcloud/deploy/sim/model"
)

// serverGroups are one of each of the first projects. They have no members: a
// server's groups would have to be told in its history too.
func serverGroups(c *call, w *model.World) []object {
	docs := []object{}
	for _, p := range few(w.Customers(), 20) {
		docs = append(docs, recorded("server_group", object{
			"id": madeID("server group", p.ID), "name": p.Name + "-spread", "policy": "soft-anti-affinity", "rules": object{},
			"members": []string{}, "project_id": p.ID, "user_id": p.Users[0].ID,
		}))
	}
	return mine(c, docs)
}

// migrations are the moves and resizes of the servers' action logs, the newest
// first. Where a server came from is not kept: the hosts are those of now.
func migrations(c *call, w *model.World) []object {
	if !c.who.admin() {
		return []object{}
	}
	since, _ := time.Parse(time.RFC3339, c.URL.Query().Get("changes-since"))
	type move struct {
		server *model.Server
		action model.Action
		kind   string
	}
	var moves []move
	for _, server := range w.Servers.All() {
		for _, a := range server.Actions {
			kind := map[string]string{"live-migration": "live-migration", "resize": "resize"}[a.Action]
			if kind != "" && !a.Updated.Before(since) && server.Host != nil {
				moves = append(moves, move{server, a, kind})
			}
		}
	}
	slices.SortStableFunc(moves, func(a, b move) int { return b.action.Start.Compare(a.action.Start) })
	docs := []object{}
	for i, m := range moves {
		status := "completed"
		switch {
		case m.action.Failed:
			status = "error"
		case m.kind == "resize":
			status = "confirmed"
		case m.action.Updated.After(w.Now):
			status = "running"
		}
		docs = append(docs, recorded("migration", object{
			"id": len(moves) - i, "uuid": m.action.RequestID[4:], "instance_uuid": m.server.ID, "status": status, "migration_type": m.kind,
			"source_compute": m.server.Host.Name, "source_node": m.server.Host.Name, "dest_compute": m.server.Host.Name, "dest_node": m.server.Host.Name,
			"dest_host": m.server.Host.IP, "project_id": m.server.Project.ID, "user_id": m.action.UserID,
			"created_at": when(m.action.Start, microsecond), "updated_at": when(m.action.Updated, microsecond), "links": []any{},
		}))
	}
	return docs
}
