package ovn

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcloud/exporters"
)

var update = flag.Bool("update", false, "write golden files anew")

// table is what "ovsdb-client dump -f json" printed of one table.
type table struct {
	Headings []string
	Data     [][]any
}

func loadTable(t testing.TB, path string) table {
	t.Helper()
	var tb table
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &tb)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

// server is an OVSDB server with recorded tables. Its schema is the real one
// without the tables and columns in lacks ("BFD", "Port_Binding.up").
type server struct {
	database  string
	schema    map[string]any
	connected bool

	mu      sync.Mutex
	tables  map[string]table
	leader  bool
	index   any
	clients map[*client]bool
}

// client is one connection that follows.
type client struct {
	conn    net.Conn
	id      json.RawMessage
	columns map[string][]string
	mu      sync.Mutex
}

func (c *client) send(v any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	json.NewEncoder(c.conn).Encode(v)
}

func newServer(t testing.TB, version, database, prefix string, lacks ...string) *server {
	t.Helper()
	s := &server{database: database, tables: map[string]table{}, connected: true, leader: true, index: []any{"set", []any{}}, clients: map[*client]bool{}}
	dir := filepath.Join("testdata", version)
	b, err := os.ReadFile(filepath.Join(dir, "schema_"+database+".json"))
	if err == nil {
		err = json.Unmarshal(b, &s.schema)
	}
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, prefix+"_*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no recorded tables", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), prefix+"_"), ".json")
		s.tables[name] = loadTable(t, file)
	}
	tables := s.schema["tables"].(map[string]any)
	for _, l := range lacks {
		if name, column, ok := strings.Cut(l, "."); ok {
			delete(tables[name].(map[string]any)["columns"].(map[string]any), column)
		} else {
			delete(tables, name)
		}
	}
	return s
}

// listen serves until the test ends or stop is called, which closes what is open.
func (s *server) listen(t testing.TB) (endpoint string, stop func()) {
	t.Helper()
	return listen(t, s.handle)
}

func (s *server) handle(conn net.Conn) {
	c := &client{conn: conn, columns: map[string][]string{}}
	c.send(map[string]any{"id": "echo", "method": "echo", "params": []any{}}) // as a server may at any time
	s.mu.Lock()
	s.clients[c] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.clients, c)
		s.mu.Unlock()
	}()
	decoder := json.NewDecoder(bufio.NewReader(conn))
	for {
		var m struct {
			ID     any
			Method string
			Params []json.RawMessage
		}
		if decoder.Decode(&m) != nil {
			return
		}
		if m.Method == "" {
			continue // the answer to the echo
		}
		c.send(map[string]any{"id": m.ID, "error": nil, "result": s.answer(c, m.Method, m.Params)})
	}
}

func (s *server) answer(c *client, method string, params []json.RawMessage) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch method {
	case "get_schema":
		return s.schema
	case "monitor":
		return s.monitor(c, params)
	}
	var database string
	json.Unmarshal(params[0], &database)
	var results []any
	for range params[1:] {
		if database == "_Server" {
			results = append(results, map[string]any{"rows": []any{map[string]any{"connected": s.connected, "model": "clustered", "leader": s.leader, "index": s.index}}})
			continue
		}
		results = append(results, map[string]any{"error": "not supported", "details": "this server is only followed"})
	}
	return results
}

func (s *server) monitor(c *client, params []json.RawMessage) any {
	var requests map[string]struct{ Columns []string }
	json.Unmarshal(params[2], &requests)
	c.id = params[1]
	rows := map[string]map[string]any{}
	for name, r := range requests {
		c.columns[name] = r.Columns
		tb := s.tables[name]
		rows[name] = map[string]any{}
		for _, data := range tb.Data {
			rows[name][tb.id(data)] = map[string]any{"new": tb.row(data, r.Columns)}
		}
	}
	return rows
}

// id is a row's uuid.
func (tb table) id(data []any) string {
	for i, heading := range tb.Headings {
		if pair, ok := data[i].([]any); heading == "_uuid" && ok {
			return pair[1].(string)
		}
	}
	return "00000000-0000-4000-8000-000000000000"
}

func (tb table) row(data []any, columns []string) map[string]any {
	row := map[string]any{}
	for i, heading := range tb.Headings {
		if slices.Contains(columns, heading) {
			row[heading] = data[i]
		}
	}
	return row
}

// set changes a column of the rows that match, and tells the clients.
func (s *server) set(t *testing.T, name, column string, value any, match func(row map[string]any) bool) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	tb := s.tables[name]
	at := slices.Index(tb.Headings, column)
	changed := 0
	for _, data := range tb.Data {
		if !match(tb.row(data, tb.Headings)) {
			continue
		}
		changed++
		old := data[at]
		data[at] = value
		for c := range s.clients {
			if slices.Contains(c.columns[name], column) {
				c.send(map[string]any{"id": nil, "method": "update", "params": []any{c.id, map[string]any{name: map[string]any{
					tb.id(data): map[string]any{"old": map[string]any{column: old}, "new": tb.row(data, c.columns[name])}}}}})
			}
		}
	}
	if changed == 0 {
		t.Fatalf("no row of %s matches", name)
	}
}

// remove deletes the rows that match.
func (s *server) remove(t *testing.T, name string, match func(row map[string]any) bool) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	tb := s.tables[name]
	n := len(tb.Data)
	tb.Data = slices.DeleteFunc(tb.Data, func(data []any) bool {
		gone := match(tb.row(data, tb.Headings))
		for c := range s.clients {
			if columns, follows := c.columns[name]; follows && gone {
				c.send(map[string]any{"id": nil, "method": "update", "params": []any{c.id, map[string]any{name: map[string]any{
					tb.id(data): map[string]any{"old": tb.row(data, columns)}}}}})
			}
		}
		return gone
	})
	if s.tables[name] = tb; len(tb.Data) == n {
		t.Fatalf("no row of %s matches", name)
	}
}

func listen(t testing.TB, handle func(net.Conn)) (endpoint string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			all.Go(func() {
				handle(conn)
				conn.Close()
			})
		}
	})
	stop = func() {
		l.Close()
		mu.Lock()
		for conn := range open {
			conn.Close()
		}
		mu.Unlock()
		all.Wait()
	}
	t.Cleanup(stop)
	return "tcp:" + l.Addr().String(), stop
}

// now is a moment after the recordings.
var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// sources are all looks of cfg by name, ended with the test.
func sources(t testing.TB, cfg Config) map[string]exporters.Source {
	t.Helper()
	cfg.Cloud = "lab"
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return now }
	}
	all, end, err := Sources(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	byName := map[string]exporters.Source{}
	for _, s := range all {
		byName[s.Name] = s
	}
	return byName
}

// source is the look at the one database that cfg names.
func source(t testing.TB, cfg Config) exporters.Source {
	t.Helper()
	name := "ovn_southbound"
	if len(cfg.Northbound) > 0 {
		name = "ovn_northbound"
	}
	return sources(t, cfg)[name]
}

func render(t *testing.T, s exporters.Source, snap *exporters.Snapshot) string {
	t.Helper()
	var lines []string
	for _, sample := range snap.Samples {
		if !slices.Contains(s.Families, sample.Family) {
			t.Errorf("undeclared family %s", sample.Family.Name)
		}
		var labels []string
		for i, name := range sample.Family.Labels {
			labels = append(labels, fmt.Sprintf("%s=%q", name, sample.Labels[i]))
		}
		lines = append(lines, fmt.Sprintf("%s{%s} %v", sample.Family.Name, strings.Join(labels, ","), sample.Value))
	}
	for _, v := range snap.Inventories {
		if err := v.Validate(); err != nil {
			t.Error(err)
		}
		for _, o := range v.Objects {
			lines = append(lines, fmt.Sprintf("~ %s %s name=%q complete=%v %s", v.Kind, o.ID, o.Name, v.Complete, o.Attributes))
		}
	}
	for _, e := range snap.Events {
		if err := e.Validate(); err != nil {
			t.Error(err)
		}
		lines = append(lines, fmt.Sprintf("* %s %s %s", e.Kind, e.Severity, e.Payload))
	}
	for _, f := range snap.Failed {
		lines = append(lines, "! "+f.Error())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

func count(t *testing.T, samples []exporters.Sample, family string) (sum float64) {
	t.Helper()
	for _, s := range samples {
		if s.Family.Name == family {
			sum += s.Value
		}
	}
	return sum
}

func sample(t *testing.T, snap *exporters.Snapshot, family string, labels ...string) float64 {
	t.Helper()
	for _, s := range snap.Samples {
		if s.Family.Name == family && slices.Equal(s.Labels, labels) {
			return s.Value
		}
	}
	t.Fatalf("no %s%q", family, labels)
	return 0
}

// idOf is the uuid of the row of that name.
func (s *server) idOf(name, called string) string {
	tb := s.tables[name]
	for _, data := range tb.Data {
		if tb.row(data, tb.Headings)["name"] == called {
			return tb.id(data)
		}
	}
	return ""
}
