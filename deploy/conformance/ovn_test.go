package conformance

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/ovs"
)

// ovsdbProbes are the tables and columns that mCloud reads.
var ovsdbProbes = []struct {
	database, table string
	columns         []string
}{
	{"OVN_Southbound", "SB_Global", []string{"_uuid", "nb_cfg"}},
	{"OVN_Southbound", "Chassis", []string{"_uuid", "name", "hostname", "encaps", "other_config"}},
	{"OVN_Southbound", "Chassis_Private", []string{"_uuid", "name", "chassis", "nb_cfg", "nb_cfg_timestamp"}},
	{"OVN_Southbound", "Encap", []string{"_uuid", "chassis_name", "ip", "type", "options"}},
	{"OVN_Southbound", "Port_Binding", []string{"_uuid", "logical_port", "type", "chassis", "datapath", "tunnel_key", "up", "mac", "external_ids"}},
	{"OVN_Southbound", "Datapath_Binding", []string{"_uuid", "tunnel_key", "external_ids"}},
	{"OVN_Southbound", "BFD", []string{"_uuid", "status"}},
	{"OVN_Northbound", "NB_Global", []string{"_uuid", "nb_cfg", "sb_cfg", "hv_cfg", "nb_cfg_timestamp", "sb_cfg_timestamp", "hv_cfg_timestamp"}},
	{"OVN_Northbound", "Logical_Switch", []string{"_uuid", "name", "external_ids"}},
	{"OVN_Northbound", "Logical_Switch_Port", []string{"_uuid", "name", "type", "up", "enabled", "addresses", "external_ids"}},
	{"OVN_Northbound", "Logical_Router", []string{"_uuid", "name", "enabled"}},
	{"_Server", "Database", []string{"name", "model", "connected", "leader"}},
}

// rpc asks one question of an OVSDB server.
func rpc(t *testing.T, address, method string, params ...any) any {
	t.Helper()
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(address, "tcp:"), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(conn).Encode(map[string]any{"id": 1, "method": method, "params": params}); err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Method string
		Result any
		Error  any
	}
	decoder := json.NewDecoder(conn)
	for {
		if err := decoder.Decode(&answer); err != nil {
			t.Fatal(err)
		}
		if answer.Method == "" { // not the server's own echo
			break
		}
	}
	if answer.Error != nil {
		t.Fatalf("%s: %v", method, answer.Error)
	}
	return answer.Result
}

func eachTable(t *testing.T, northbound, southbound string, do func(t *testing.T, name string, s Shape)) {
	for _, p := range ovsdbProbes {
		t.Run(p.table, func(t *testing.T) {
			address := southbound
			if p.database == "OVN_Northbound" {
				address = northbound
			}
			result := rpc(t, address, "transact", p.database, map[string]any{"op": "select", "table": p.table, "where": []any{}, "columns": p.columns})
			// Inside OVSDB's ["set", …], ["map", …] and ["uuid", …] all is text.
			shape := shapeOf(result, nil)
			maps.DeleteFunc(shape, func(path string, _ *Node) bool { return strings.Count(path, "[]") > 2 })
			do(t, p.database+"_"+p.table, shape)
		})
	}
}

// ovsdbLoose: the lab's OVN is newer and a table of the simulator may be empty.
var ovsdbLoose = []string{}

func TestSimOVSDBIsShapedAsTheLab(t *testing.T) {
	c, _ := serveSim(t, nil)
	e := c.Endpoints()
	eachTable(t, e.NB, e.SB, func(t *testing.T, name string, s Shape) { hold(t, "ovsdb", name, s, ovsdbLoose) })
	for _, address := range []string{e.NB, e.SB} {
		if names, _ := rpc(t, address, "list_dbs").([]any); len(names) != 2 {
			t.Errorf("%s serves %v, want its database and _Server", address, names)
		}
	}
}

func TestLabOVSDB(t *testing.T) {
	labFiles(t, "ovn/*.sock")
	eachTable(t, "tcp:127.0.0.1:6641", "tcp:127.0.0.1:6642", func(t *testing.T, name string, s Shape) { record(t, "ovsdb", name, s, ovsdbLoose) })
}

// daemonFamilies are the metrics, with the daemon or kind that tells them apart,
// that the real exporter reads from a host's control sockets: what it
// understands of the texts is their shape.
func daemonFamilies(t *testing.T, sockets string) []string {
	t.Helper()
	sources, err := ovs.Sources(ovs.Config{Cloud: "c", Hosts: []ovs.Host{{Name: "h", Sockets: []string{sockets}}}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	snap, err := sources[0].Collector.Collect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(snap.Failed) > 0 {
		t.Fatalf("%v", snap.Failed)
	}
	seen := map[string]bool{}
	for _, s := range snap.Samples {
		// /proc tells of the process that serves the simulator's sockets, which speak
		// no OpenFlow.
		if call := s.Family.Call; call != "/proc" && call != "OpenFlow" {
			seen[familyOf(s)] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func familyOf(s exporters.Sample) string {
	name := s.Family.Name
	for i, label := range s.Family.Labels {
		if label == "daemon" {
			name += " daemon=" + s.Labels[i]
		}
	}
	return name
}

const daemonFile = "testdata/shapes/unixctl/families.txt"

// TestSimDaemonsAreReadAsTheLabs: from the simulator's texts the exporter reads
// what it reads from the lab's.
func TestSimDaemonsAreReadAsTheLabs(t *testing.T) {
	c, _ := serveSim(t, nil)
	b, err := os.ReadFile(daemonFile)
	if err != nil {
		t.Fatalf("%v; record it with MCLOUD_LAB_CLOUDS=… go test -run Lab -update", err)
	}
	want := strings.Split(strings.TrimSpace(string(b)), "\n")
	got := daemonFamilies(t, c.Endpoints().Hosts[0].Sockets)
	for _, f := range want {
		if !slices.Contains(got, f) {
			t.Errorf("%s is read from the lab and not from the simulator", f)
		}
	}
	for _, f := range got {
		if !slices.Contains(want, f) {
			t.Errorf("%s is read from the simulator and not from the lab", f)
		}
	}
}

func TestLabDaemons(t *testing.T) {
	sockets := filepath.Dir(labFiles(t, "ovs/cmp-a1/run/*.ctl")[0])
	got := strings.Join(daemonFamilies(t, filepath.Join(sockets, "*.ctl")), "\n") + "\n"
	if *update {
		if err := os.MkdirAll(filepath.Dir(daemonFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(daemonFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(daemonFile)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the lab's daemons are read as\n%s\nrecorded is\n%s", got, want)
	}
}
