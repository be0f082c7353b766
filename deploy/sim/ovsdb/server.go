// Package ovsdb serves OVSDB databases over JSON-RPC (RFC 7047): list_dbs,
// get_schema, transact with select, wait-free reads only, monitor with updates,
// and echo. It knows no table: a Database's rows come from a function that is
// asked anew each time.
package ovsdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"sync"
	"time"
)

// Row is one row, column by column, in OVSDB's JSON notation (Set, Map and UUID
// make it); "_uuid" holds the plain uuid. Columns that are missing have the
// schema's default.
type Row map[string]any

// Database is one database.
type Database struct {
	Name   string
	Schema json.RawMessage
	// Rows returns all rows of a table. It must be safe for concurrent use.
	Rows func(table string) []Row
}

// Set is a set in OVSDB's notation.
func Set(elements ...any) any {
	if len(elements) == 1 {
		return elements[0]
	}
	return []any{"set", append([]any{}, elements...)}
}

// Map is a map of strings in OVSDB's notation, sorted by key.
func Map(m map[string]string) any {
	pairs := [][2]string{}
	for k, v := range m {
		pairs = append(pairs, [2]string{k, v})
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		if a[0] < b[0] {
			return -1
		}
		return 1
	})
	return []any{"map", pairs}
}

// UUID is a reference in OVSDB's notation.
func UUID(id string) any { return []any{"uuid", id} }

// schema is what the server needs of a database schema.
type schema struct {
	Version string `json:"version"`
	Tables  map[string]struct {
		Columns map[string]struct {
			Type json.RawMessage `json:"type"`
		} `json:"columns"`
	} `json:"tables"`
}

// Server serves databases on one listener.
type Server struct {
	listener  net.Listener
	databases map[string]*served
	conns     sync.WaitGroup
}

type served struct {
	Database
	schema   schema
	defaults map[string]Row // of all columns, by table
}

// Listen opens a listener for the databases and for "_Server", which tells of
// them. Run serves it.
func Listen(address string, databases ...Database) (*Server, error) {
	s := &Server{databases: map[string]*served{}}
	for _, d := range append(databases, serverDatabase(databases)) {
		one := &served{Database: d}
		if err := json.Unmarshal(d.Schema, &one.schema); err != nil {
			return nil, fmt.Errorf("schema of %s: %w", d.Name, err)
		}
		one.defaults = map[string]Row{}
		for table, t := range one.schema.Tables {
			row := Row{"_version": UUID("00000000-0000-4000-8000-000000000000")}
			for name, column := range t.Columns {
				row[name] = defaultOf(column.Type)
			}
			one.defaults[table] = row
		}
		s.databases[d.Name] = one
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("OVSDB server: %w", err)
	}
	s.listener = l
	return s, nil
}

// Address is "tcp:HOST:PORT".
func (s *Server) Address() string { return "tcp:" + s.listener.Addr().String() }

// Close closes the listener; Run then ends.
func (s *Server) Close() error { return s.listener.Close() }

// Run serves until ctx ends or the listener is closed.
func (s *Server) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer s.conns.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = s.listener.Close() })
	defer stop()
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.conns.Go(func() { s.serve(ctx, conn) })
	}
}

// message is a JSON-RPC 1.0 request, notification or answer.
type message struct {
	ID     json.RawMessage   `json:"id"`
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
}

// connection writes from the reader's and the monitors' side.
type connection struct {
	net.Conn
	mu sync.Mutex
}

func (c *connection) send(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Long: a client on a busy machine takes its time over a large database.
	if err := c.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	_, err = c.Write(b)
	return err
}

func (s *Server) serve(ctx context.Context, raw net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	conn := &connection{Conn: raw}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	var monitors sync.WaitGroup
	defer monitors.Wait()
	defer stop()
	defer cancel()
	defer raw.Close()
	decoder := json.NewDecoder(io.LimitReader(raw, 1<<30))
	for {
		var m message
		if err := decoder.Decode(&m); err != nil {
			return
		}
		if m.Method == "" {
			continue // an answer to nothing we ask
		}
		result, err := s.answer(m, func(mon *monitor) {
			monitors.Go(func() { mon.follow(ctx, conn) })
		})
		reply := map[string]any{"id": m.ID, "result": result, "error": nil}
		if err != nil {
			reply["result"], reply["error"] = nil, err.Error()
		}
		if conn.send(reply) != nil {
			return
		}
	}
}

var errUnknownMethod = errors.New("unknown method")

func (s *Server) answer(m message, start func(*monitor)) (any, error) {
	switch m.Method {
	case "echo":
		return m.Params, nil
	case "list_dbs":
		names := []string{}
		for name := range s.databases {
			names = append(names, name)
		}
		slices.Sort(names)
		return names, nil
	case "get_schema":
		d, err := s.database(m)
		if err != nil {
			return nil, err
		}
		return d.Schema, nil
	case "transact":
		d, err := s.database(m)
		if err != nil {
			return nil, err
		}
		return d.transact(m.Params[1:])
	case "monitor":
		d, err := s.database(m)
		if err != nil {
			return nil, err
		}
		mon, err := newMonitor(d, m)
		if err != nil {
			return nil, err
		}
		start(mon)
		return mon.initial(), nil
	case "monitor_cancel":
		return map[string]any{}, nil
	}
	return nil, errUnknownMethod
}

func (s *Server) database(m message) (*served, error) {
	var name string
	if len(m.Params) == 0 || json.Unmarshal(m.Params[0], &name) != nil {
		return nil, errors.New("syntax error: database name expected")
	}
	d, known := s.databases[name]
	if !known {
		return nil, errors.New("unknown database")
	}
	return d, nil
}

// operation is one operation of a transaction.
type operation struct {
	Op      string              `json:"op"`
	Table   string              `json:"table"`
	Where   [][]json.RawMessage `json:"where"`
	Columns []string            `json:"columns"`
}

// transact answers selects; whatever writes is refused.
func (d *served) transact(operations []json.RawMessage) (any, error) {
	results := []any{}
	for _, raw := range operations {
		var op operation
		if err := json.Unmarshal(raw, &op); err != nil {
			results = append(results, map[string]string{"error": "syntax error", "details": err.Error()})
			break
		}
		if op.Op == "comment" {
			results = append(results, map[string]any{})
			continue
		}
		if op.Op != "select" {
			results = append(results, map[string]string{"error": "not allowed", "details": "the simulated database is read-only"})
			break
		}
		rows, err := d.selectRows(op)
		if err != nil {
			results = append(results, map[string]string{"error": "syntax error", "details": err.Error()})
			break
		}
		results = append(results, map[string]any{"rows": rows})
	}
	return results, nil
}

func (d *served) selectRows(op operation) ([]Row, error) {
	table, known := d.schema.Tables[op.Table]
	if !known {
		return nil, fmt.Errorf("no table named %s", op.Table)
	}
	columns := op.Columns
	if columns == nil {
		columns = []string{"_uuid", "_version"}
		for name := range table.Columns {
			columns = append(columns, name)
		}
	}
	for _, c := range columns {
		if _, has := table.Columns[c]; !has && c != "_uuid" && c != "_version" {
			return nil, fmt.Errorf("%s is not a valid column name", c)
		}
	}
	rows := []Row{}
	for _, r := range d.Rows(op.Table) {
		keep, err := d.matches(op.Table, r, op.Where)
		if err != nil {
			return nil, err
		}
		if keep {
			rows = append(rows, d.pickColumns(op.Table, r, columns))
		}
	}
	return rows, nil
}

// pickColumns are some columns of a row, with defaults where it has none.
func (d *served) pickColumns(table string, r Row, columns []string) Row {
	few := make(Row, len(columns))
	for _, c := range columns {
		few[c] = d.column(table, r, c)
	}
	return few
}

// column is a row's value, or the schema's default.
func (d *served) column(table string, r Row, name string) any {
	if name == "_uuid" {
		if id, isText := r["_uuid"].(string); isText {
			return UUID(id)
		}
		return nil
	}
	if v, has := r[name]; has && name != "_version" {
		return v
	}
	return d.defaults[table][name]
}

// matches evaluates conditions with == and !=, which is what readers use.
func (d *served) matches(table string, r Row, where [][]json.RawMessage) (bool, error) {
	for _, condition := range where {
		var column, function string
		if len(condition) != 3 || json.Unmarshal(condition[0], &column) != nil || json.Unmarshal(condition[1], &function) != nil {
			return false, errors.New("a condition has a column, a function and a value")
		}
		var want any
		if err := json.Unmarshal(condition[2], &want); err != nil {
			return false, err
		}
		equal := reflect.DeepEqual(plain(d.column(table, r, column)), want)
		switch function {
		case "==", "includes":
			if !equal {
				return false, nil
			}
		case "!=", "excludes":
			if equal {
				return false, nil
			}
		default:
			return false, fmt.Errorf("function %s is not simulated", function)
		}
	}
	return true, nil
}

// plain is v as JSON decodes it.
func plain(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var p any
	if json.Unmarshal(b, &p) != nil {
		return nil
	}
	return p
}

// defaultOf is RFC 7047's default value of a column type (section 5.2.1).
func defaultOf(raw json.RawMessage) any {
	var atom string
	if json.Unmarshal(raw, &atom) == nil {
		return atomDefault(atom)
	}
	var t struct {
		Key   json.RawMessage `json:"key"`
		Value json.RawMessage `json:"value"`
		Min   *int            `json:"min"`
	}
	if json.Unmarshal(raw, &t) != nil {
		return nil
	}
	if t.Value != nil {
		return Map(nil)
	}
	if t.Min != nil && *t.Min == 0 {
		return Set()
	}
	if json.Unmarshal(t.Key, &atom) == nil {
		return atomDefault(atom)
	}
	var base struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(t.Key, &base) != nil {
		return nil
	}
	return atomDefault(base.Type)
}

func atomDefault(atom string) any {
	switch atom {
	case "integer", "real":
		return 0
	case "boolean":
		return false
	case "uuid":
		return UUID("00000000-0000-0000-0000-000000000000")
	}
	return ""
}
