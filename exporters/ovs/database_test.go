package ovs

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mcloud/exporters"
)

// hostServer answers selects from recorded rows. Columns in lacks
// ("Interface.bfd_status") are neither in its schema nor in its rows.
type hostServer struct{ tables map[string][]map[string]any }

func loadHost(t *testing.T, dir string, lacks ...string) *hostServer {
	t.Helper()
	s := &hostServer{tables: map[string][]map[string]any{}}
	for _, q := range databaseQueries {
		b, err := os.ReadFile(filepath.Join("testdata", dir, q.Table+".json"))
		var rows []map[string]any
		if err == nil {
			err = json.Unmarshal(b, &rows)
		}
		if err != nil {
			t.Fatal(err)
		}
		s.tables[q.Table] = rows
	}
	for _, l := range lacks {
		table, column, _ := strings.Cut(l, ".")
		for _, row := range s.tables[table] {
			delete(row, column)
		}
	}
	return s
}

// serve listens on a socket as ovsdb-server does.
func (s *hostServer) serve(t *testing.T, lacks ...string) (endpoint string, stop func()) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db.sock")
	l, err := net.Listen("unix", path)
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
			s.handle(conn, lacks)
		}
	}()
	stop = func() { l.Close(); <-done }
	t.Cleanup(stop)
	return "unix:" + path, stop
}

func (s *hostServer) handle(conn net.Conn, lacks []string) {
	defer conn.Close()
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
		var result any
		switch m.Method {
		case "get_schema":
			tables := map[string]any{}
			for _, q := range databaseQueries {
				columns := map[string]any{}
				for _, c := range q.Columns {
					if !slices.Contains(lacks, q.Table+"."+c) {
						columns[c] = map[string]any{}
					}
				}
				tables[q.Table] = map[string]any{"columns": columns}
			}
			result = map[string]any{"tables": tables}
		case "transact":
			result = s.transact(m.Params)
		}
		json.NewEncoder(conn).Encode(map[string]any{"id": m.ID, "error": nil, "result": result})
	}
}

func (s *hostServer) transact(params []json.RawMessage) []any {
	var results []any
	for _, raw := range params[1:] {
		var op struct {
			Table   string
			Columns []string
		}
		json.Unmarshal(raw, &op)
		if op.Table == "Database" {
			results = append(results, map[string]any{"rows": []any{map[string]any{"connected": true, "model": "standalone"}}})
			continue
		}
		rows := []any{}
		for _, row := range s.tables[op.Table] {
			few := map[string]any{}
			for _, c := range op.Columns {
				if v, ok := row[c]; ok {
					few[c] = v
				}
			}
			rows = append(rows, few)
		}
		results = append(results, map[string]any{"rows": rows})
	}
	return results
}

func databaseSource(t *testing.T, endpoint string) exporters.Source {
	t.Helper()
	all, err := Sources(Config{Cloud: "lab", Now: func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) },
		Hosts: []Host{{Name: "hv1", Sockets: []string{"/nonexistent/*.ctl"}, Database: endpoint}}})
	if err != nil {
		t.Fatal(err)
	}
	return all[1]
}

func TestDatabaseGolden(t *testing.T) {
	for name, dir := range map[string]string{"database-3.1": "3.1/database", "database-3.5-gateway": "3.5/database-gw-1", "database-3.5-compute": "3.5/database-cmp-c1"} {
		endpoint, _ := loadHost(t, dir).serve(t)
		snap, err := collect(t, databaseSource(t, endpoint))
		if err != nil || len(snap.Failed) > 0 {
			t.Fatalf("%s: %v, %v", name, err, snap)
		}
		compareGolden(t, name+".txt", render(snap))
	}
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs, see it after: go test ./exporters/ovs -update\n%s", path, got)
	}
}

// A schema that lacks columns costs those columns, not the table.
func TestDatabaseWithoutColumns(t *testing.T) {
	lacks := []string{"Interface.bfd_status", "Interface.cfm_fault", "Open_vSwitch.dpdk_initialized", "Interface.link_resets", "Bridge.fail_mode"}
	endpoint, _ := loadHost(t, "3.5/database-gw-1", lacks...).serve(t, lacks...)
	snap, err := collect(t, databaseSource(t, endpoint))
	if err != nil || len(snap.Failed) > 0 {
		t.Fatal(err, snap.Failed)
	}
	got := render(snap)
	for _, absent := range []string{"ovs_bfd_flaps_total", "ovs_dpdk_initialized", "ovs_interface_link_resets_total"} {
		if strings.Contains(got, absent) {
			t.Errorf("%s is there without its column", absent)
		}
	}
	if !strings.Contains(got, "ovs_tunnel_info") || !strings.Contains(got, "ovs_interface_bytes_total") {
		t.Error("the rest is lost")
	}
}

// Machines come and go: their bridge's sums only rise, by what passed.
func TestTotalsSurviveMachines(t *testing.T) {
	s := loadHost(t, "3.5/database-cmp-c1")
	endpoint, _ := s.serve(t)
	source := databaseSource(t, endpoint)
	sum := func() float64 {
		snap, err := collect(t, source)
		if err != nil {
			t.Fatal(err)
		}
		return value(t, snap, `ovs_bridge_interface_bytes_total{host="hv1",bridge="br-int",class="vm",direction="receive"}`)
	}
	var vms []map[string]any
	for _, row := range s.tables["Interface"] {
		if strings.Contains(strings.ToLower(toText(row["external_ids"])), "iface-id") {
			vms = append(vms, row)
		}
	}
	if len(vms) < 2 {
		t.Fatal("the recording has no machines")
	}
	count := func(row map[string]any, bytes int) { row["statistics"] = []any{"map", []any{[]any{"rx_bytes", bytes}}} }
	count(vms[0], 1000)
	count(vms[1], 500)
	if got := sum(); got != 0 {
		t.Errorf("before the first look nothing is ours: %v", got)
	}
	count(vms[0], 1300)
	if got := sum(); got != 300 {
		t.Errorf("one machine received 300: %v", got)
	}
	s.tables["Interface"] = slices.DeleteFunc(s.tables["Interface"], func(row map[string]any) bool { return toText(row["_uuid"]) == toText(vms[1]["_uuid"]) })
	count(vms[0], 1400)
	if got := sum(); got != 400 {
		t.Errorf("the other has gone: %v", got)
	}
	count(vms[0], 50)
	if got := sum(); got != 450 {
		t.Errorf("its counter began anew: %v", got)
	}
}

func toText(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func TestDatabaseEvents(t *testing.T) {
	s := loadHost(t, "3.5/database-gw-1")
	endpoint, _ := s.serve(t)
	source := databaseSource(t, endpoint)
	if snap, err := collect(t, source); err != nil || len(snap.Events) > 0 {
		t.Fatal(err, snap.Events)
	}
	for _, row := range s.tables["Interface"] {
		switch {
		case row["name"] == "fab0":
			row["link_state"] = "down"
		case row["name"] == "ovn-gw-2-0":
			row["bfd_status"] = []any{"map", []any{[]any{"state", "down"}, []any{"forwarding", "false"}}}
		}
	}
	snap, err := collect(t, source)
	if err != nil || len(snap.Events) != 2 {
		t.Fatalf("%v, %d events", err, len(snap.Events))
	}
	for i, kind := range []string{"interface.link", "tunnel.bfd"} {
		if e := snap.Events[i]; e.Kind != kind || e.Severity != "warning" || e.Source != "ovs" || e.Validate() != nil {
			t.Errorf("%+v", e)
		}
	}
}

// Without a database named and none beside the sockets there is nothing to look at.
func TestDatabaseAbsentAndDead(t *testing.T) {
	if snap, err := collect(t, databaseSource(t, "")); snap != nil || err == nil || exporters.KindOf(err) != exporters.KindNotFound {
		t.Errorf("absent: %v, %v", snap, err)
	}
	s := loadHost(t, "3.5/database-gw-1")
	endpoint, stop := s.serve(t)
	source := databaseSource(t, endpoint)
	if _, err := collect(t, source); err != nil {
		t.Fatal(err)
	}
	stop()
	if snap, err := collect(t, source); snap != nil || err == nil {
		t.Errorf("a dead server's values: %v, %v", snap, err)
	}
}
