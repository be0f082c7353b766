package ovsdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// monitor follows tables for one client (RFC 7047 section 4.1.5). The rows are
// looked at once a second, which is soon enough for a simulation, but less often
// when a look takes long: a large database must not starve the rest.
type monitor struct {
	database *served
	id       json.RawMessage
	columns  map[string][]string // by table
	seen     map[string]map[string]Row
}

func newMonitor(d *served, m message) (*monitor, error) {
	if len(m.Params) != 3 {
		return nil, errors.New("syntax error: monitor takes a database, an id and requests")
	}
	var requests map[string]json.RawMessage
	if err := json.Unmarshal(m.Params[2], &requests); err != nil {
		return nil, fmt.Errorf("syntax error: %w", err)
	}
	mon := &monitor{database: d, id: m.Params[1], columns: map[string][]string{}, seen: map[string]map[string]Row{}}
	for table, raw := range requests {
		known, has := d.schema.Tables[table]
		if !has {
			return nil, fmt.Errorf("syntax error: no table named %s", table)
		}
		type request struct {
			Columns []string `json:"columns"`
		}
		var many []request
		if json.Unmarshal(raw, &many) != nil {
			var one request
			if err := json.Unmarshal(raw, &one); err != nil {
				return nil, fmt.Errorf("syntax error: %w", err)
			}
			many = []request{one}
		}
		for _, r := range many {
			if r.Columns == nil {
				for name := range known.Columns {
					r.Columns = append(r.Columns, name)
				}
			}
			mon.columns[table] = append(mon.columns[table], r.Columns...)
		}
		mon.seen[table] = mon.look(table)
	}
	return mon, nil
}

// look reads a table's rows by uuid.
func (m *monitor) look(table string) map[string]Row {
	rows := map[string]Row{}
	for _, r := range m.database.Rows(table) {
		id, _ := r["_uuid"].(string)
		rows[id] = m.database.pickColumns(table, r, m.columns[table])
	}
	return rows
}

func (m *monitor) initial() any {
	tables := map[string]map[string]any{}
	for table, rows := range m.seen {
		if len(rows) == 0 {
			continue
		}
		tables[table] = map[string]any{}
		for id, r := range rows {
			tables[table][id] = map[string]any{"new": r}
		}
	}
	return tables
}

// follow sends updates until ctx ends or the client is gone.
func (m *monitor) follow(ctx context.Context, conn *connection) {
	const share = 20 // at most one part in so many of the time
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		started := time.Now()
		updates := m.changes()
		timer.Reset(max(time.Second, share*time.Since(started)))
		if len(updates) == 0 {
			continue
		}
		if conn.send(map[string]any{"id": nil, "method": "update", "params": []any{m.id, updates}}) != nil {
			return
		}
	}
}

// changes are the differences since the last look, and that look is forgotten.
func (m *monitor) changes() map[string]map[string]any {
	updates := map[string]map[string]any{}
	for table, old := range m.seen {
		now := m.look(table)
		rows := map[string]any{}
		for id, r := range now {
			was, known := old[id]
			switch {
			case !known:
				rows[id] = map[string]any{"new": r}
			case !reflect.DeepEqual(was, r):
				changed := Row{}
				for column, v := range was {
					if !reflect.DeepEqual(v, r[column]) {
						changed[column] = v
					}
				}
				rows[id] = map[string]any{"old": changed, "new": r}
			}
		}
		for id, was := range old {
			if _, still := now[id]; !still {
				rows[id] = map[string]any{"old": was}
			}
		}
		if len(rows) > 0 {
			updates[table] = rows
		}
		m.seen[table] = now
	}
	return updates
}
