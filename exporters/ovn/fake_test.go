package ovn

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
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

func loadTable(t *testing.T, path string) table {
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
	tables    map[string]table
	connected bool
}

func newServer(t *testing.T, database, prefix string, lacks ...string) *server {
	t.Helper()
	s := &server{database: database, tables: map[string]table{}, connected: true}
	b, err := os.ReadFile(filepath.Join("testdata", "schema_"+database+".json"))
	if err == nil {
		err = json.Unmarshal(b, &s.schema)
	}
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join("testdata", prefix+"_*.json"))
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
func (s *server) listen(t *testing.T) (endpoint string, stop func()) {
	t.Helper()
	return listen(t, s.handle)
}

func (s *server) handle(conn net.Conn) {
	io.WriteString(conn, `{"id":"echo","method":"echo","params":[]}`) // as a server may at any time
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
		json.NewEncoder(conn).Encode(map[string]any{"id": m.ID, "error": nil, "result": s.answer(m.Method, m.Params)})
	}
}

func (s *server) answer(method string, params []json.RawMessage) any {
	if method == "get_schema" {
		return s.schema
	}
	var database string
	json.Unmarshal(params[0], &database)
	var results []any
	for _, raw := range params[1:] {
		var op struct {
			Op, Table string
			Columns   []string
		}
		json.Unmarshal(raw, &op)
		if database == "_Server" {
			results = append(results, map[string]any{"rows": []any{map[string]any{"connected": s.connected, "model": "clustered"}}})
			continue
		}
		results = append(results, map[string]any{"rows": s.rows(op.Table, op.Columns)})
	}
	return results
}

func (s *server) rows(name string, columns []string) []any {
	rows := []any{}
	for _, data := range s.tables[name].Data {
		row := map[string]any{}
		for i, heading := range s.tables[name].Headings {
			if slices.Contains(columns, heading) {
				row[heading] = data[i]
			}
		}
		// As ovsdb-server does: equal rows are answered once.
		if !slices.ContainsFunc(rows, func(r any) bool { return reflect.DeepEqual(r, row) }) {
			rows = append(rows, row)
		}
	}
	return rows
}

func listen(t *testing.T, handle func(net.Conn)) (endpoint string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			handle(conn)
			conn.Close()
		}
	}()
	stop = func() { l.Close(); <-done }
	t.Cleanup(stop)
	return "tcp:" + l.Addr().String(), stop
}

func source(t *testing.T, cfg Config) exporters.Source {
	t.Helper()
	cfg.Cloud = "lab"
	cfg.Now = func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
	all, err := Sources(cfg)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	return all[0]
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
