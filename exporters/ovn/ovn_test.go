package ovn

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/ovn/ovsdb"
)

// Both databases of two versions of OVN, as recorded: what the looks give is in
// testdata/golden.
func TestSourcesGolden(t *testing.T) {
	for _, c := range []struct {
		name, version string
		lacks         []string // of either database
		sets          []exporters.Set
	}{
		{"23.03", "23.03", nil, []exporters.Set{exporters.SetObjects, exporters.SetDebug}},
		{"25.03", "25.03", nil, []exporters.Set{exporters.SetObjects, exporters.SetDebug}},
		// As OVN was before 20.09: what is there is read, nothing fails.
		{"old", "23.03", []string{"Chassis_Private", "BFD", "Port_Binding.up", "Port_Binding.requested_chassis", "HA_Chassis_Group", "HA_Chassis",
			"NB_Global.nb_cfg_timestamp", "NB_Global.sb_cfg_timestamp", "NB_Global.hv_cfg_timestamp", "Logical_DP_Group", "Logical_Flow"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			lacks := func(prefix string) (mine []string) {
				for _, l := range c.lacks {
					name, _, _ := strings.Cut(l, ".")
					if (prefix == "nb") == (name == "NB_Global") && !(prefix == "nb" && name == "BFD") {
						mine = append(mine, l)
					}
				}
				return mine
			}
			north, _ := newServer(t, c.version, "OVN_Northbound", "nb", lacks("nb")...).listen(t)
			south, _ := newServer(t, c.version, "OVN_Southbound", "sb", lacks("sb")...).listen(t)
			looks := sources(t, Config{Northbound: []string{north}, Southbound: []string{south}})
			for _, name := range []string{"ovn_northbound", "ovn_southbound", "ovn_members"} {
				snap, err := looks[name].Collector.Collect(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				got := render(t, looks[name], snap)
				got = strings.NewReplacer(north, "tcp:NORTH", south, "tcp:SOUTH").Replace(got)
				golden(t, name+"-"+c.name+".txt", got)
			}
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs, see it after: go test ./exporters/ovn -update\n%s", path, got)
	}
}

// What changes between two looks is in the second, without a second dump.
func TestChangesBetweenLooks(t *testing.T) {
	north, south := newServer(t, "25.03", "OVN_Northbound", "nb"), newServer(t, "25.03", "OVN_Southbound", "sb")
	nb, _ := north.listen(t)
	sb, _ := south.listen(t)
	looks := sources(t, Config{Northbound: []string{nb}, Southbound: []string{sb}})
	look := func(name string) *exporters.Snapshot {
		snap, err := looks[name].Collector.Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return snap
	}
	before := map[string]*exporters.Snapshot{"ovn_northbound": look("ovn_northbound"), "ovn_southbound": look("ovn_southbound")}
	if events := before["ovn_southbound"].Events; len(events) > 0 {
		t.Errorf("the first look has events: %v", events)
	}

	vifs := func(row map[string]any) bool { return row["type"] == "" && row["up"] == true }
	var one any
	north.set(t, "Logical_Switch_Port", "up", false, func(row map[string]any) bool {
		if one == nil && vifs(row) {
			one = row["external_ids"]
			return true
		}
		return false
	})
	north.remove(t, "NAT", func(row map[string]any) bool { return row["type"] == "snat" })
	gw1 := south.idOf("Chassis", "gw-1")
	south.set(t, "Port_Binding", "chassis", []any{"uuid", gw1}, func(row map[string]any) bool {
		return row["type"] == "chassisredirect" && row["logical_port"] == "cr-lrp-65581ba9-db14-4656-b9b1-31c403931b6f"
	})
	south.remove(t, "Chassis", func(row map[string]any) bool { return row["name"] == "cmp-c2" })

	// Updates come when they come; the answer to a look's question comes after.
	after := map[string]*exporters.Snapshot{"ovn_northbound": look("ovn_northbound"), "ovn_southbound": look("ovn_southbound")}
	for _, c := range []struct {
		look, family string
		labels       []string
		change       float64
	}{
		{"ovn_northbound", "ovn_nb_logical_switch_ports", []string{"vif", "true"}, -1},
		{"ovn_northbound", "ovn_nb_logical_switch_ports", []string{"vif", "false"}, +1},
		{"ovn_northbound", "ovn_nb_rows", []string{"NAT"}, -3},
		{"ovn_northbound", "ovn_nb_nat_rules", []string{"snat", "false"}, -3},
		{"ovn_southbound", "ovn_gateway_ports", []string{"failed_over"}, +1},
		{"ovn_southbound", "ovn_gateway_ports", []string{"preferred"}, -1},
		{"ovn_southbound", "ovn_chassis_gateway_ports", []string{"gw-1", "gw-1"}, +1},
		{"ovn_southbound", "ovn_sb_rows", []string{"Chassis"}, -1},
	} {
		if got := sample(t, after[c.look], c.family, c.labels...) - sample(t, before[c.look], c.family, c.labels...); got != c.change {
			t.Errorf("%s%q changed by %v, want %v", c.family, c.labels, got, c.change)
		}
	}
	events := render(t, looks["ovn_southbound"], &exporters.Snapshot{Events: after["ovn_southbound"].Events})
	for _, want := range []string{`* gateway.chassis warning {"from":"gw-2","name":"cr-lrp-65581ba9-db14-4656-b9b1-31c403931b6f","to":"gw-1"}`,
		`* chassis.registered warning {"from":"registered","name":"cmp-c2","to":""}`} {
		if !strings.Contains(events, want) {
			t.Errorf("no %s in\n%s", want, events)
		}
	}
}

// A server that tells of a row's end twice has lost its mind or we an update: no
// count may stand on that.
func TestInconsistentUpdateBeginsAnew(t *testing.T) {
	north := newServer(t, "25.03", "OVN_Northbound", "nb")
	nb, _ := north.listen(t)
	look := source(t, Config{Northbound: []string{nb}})
	first, err := look.Collector.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows := north.tables["NAT"]
	for range 2 {
		north.mu.Lock()
		north.tables["NAT"] = table{rows.Headings, slices.Clone(rows.Data)}
		north.mu.Unlock()
		north.remove(t, "NAT", func(map[string]any) bool { return true })
	}
	if snap, err := look.Collector.Collect(t.Context()); snap != nil || !errors.Is(err, ovsdb.ErrInconsistent) {
		t.Fatalf("%v, %v", snap, err)
	}
	north.mu.Lock()
	north.tables["NAT"] = rows
	north.mu.Unlock()
	snap, err := look.Collector.Collect(t.Context())
	if err != nil || sample(t, snap, "ovn_nb_rows", "NAT") != sample(t, first, "ovn_nb_rows", "NAT") {
		t.Errorf("the next look: %v", err)
	}
}

// Recorded while the ovn-controller of ch2 was frozen and the configuration
// went from 1 to 3.
func TestFrozenControllerLags(t *testing.T) {
	sb := newServer(t, "23.03", "OVN_Southbound", "sb")
	sb.tables["Chassis_Private"] = loadTable(t, "testdata/23.03-frozen/Chassis_Private.json")
	sb.tables["SB_Global"] = table{Headings: []string{"nb_cfg"}, Data: [][]any{{3}}}
	endpoint, _ := sb.listen(t)
	s := source(t, Config{Southbound: []string{endpoint}})
	snap, err := s.Collector.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := render(t, s, snap)
	for _, want := range []string{
		`ovn_chassis_nb_cfg_lag{chassis="ch1",hostname="hv-1.lab"} 0`,
		`ovn_chassis_nb_cfg_lag{chassis="ch2",hostname="hv-2.lab"} 2`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestChassisWithoutPrivateRowIsNamed(t *testing.T) {
	sb := newServer(t, "23.03", "OVN_Southbound", "sb")
	sb.tables["Chassis_Private"] = table{}
	endpoint, _ := sb.listen(t)
	snap, err := source(t, Config{Southbound: []string{endpoint}}).Collector.Collect(t.Context())
	if err != nil || len(snap.Failed) != 2 || !strings.Contains(snap.Failed[0].Error(), "ch1") {
		t.Errorf("%v, %v", err, snap.Failed)
	}
}

func TestEmptyDatabaseIsAnError(t *testing.T) {
	sb := newServer(t, "23.03", "OVN_Southbound", "sb")
	sb.tables["SB_Global"] = table{}
	endpoint, _ := sb.listen(t)
	if snap, err := source(t, Config{Southbound: []string{endpoint}}).Collector.Collect(t.Context()); snap != nil || err == nil {
		t.Errorf("%v, %v", snap, err)
	}
}

// A member dies, another freezes, a third has lost its cluster: the look goes to
// the one that is left, stays there, and fails when that is gone too.
func TestLossOfMembers(t *testing.T) {
	dead, stop := newServer(t, "23.03", "OVN_Southbound", "sb").listen(t)
	stop()
	frozen, _ := listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	cutOff := newServer(t, "23.03", "OVN_Southbound", "sb")
	cutOff.connected = false
	stale, _ := cutOff.listen(t)
	good, stopGood := newServer(t, "23.03", "OVN_Southbound", "sb").listen(t)
	s := source(t, Config{Southbound: []string{dead, frozen, stale, good}})

	look := func() (*exporters.Snapshot, time.Duration, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		snap, err := s.Collector.Collect(ctx)
		return snap, time.Since(start), err
	}
	if snap, took, err := look(); err != nil || len(snap.Samples) == 0 || took > 1900*time.Millisecond {
		t.Fatalf("first: %v after %v", err, took)
	}
	if _, took, err := look(); err != nil || took > 300*time.Millisecond {
		t.Errorf("second goes to the one that answered: %v after %v", err, took)
	}
	stopGood()
	snap, _, err := look()
	if snap != nil || !errors.Is(err, syscall.ECONNREFUSED) || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ovsdb.ErrStale) {
		t.Fatalf("all gone: %v, %v", snap, err)
	}
	for _, endpoint := range []string{dead, frozen, stale, good} {
		if !strings.Contains(err.Error(), endpoint) {
			t.Errorf("error does not name %s: %v", endpoint, err)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no cloud":         {Southbound: []string{"unix:/x"}},
		"no endpoints":     {Cloud: "lab"},
		"no port":          {Cloud: "lab", Southbound: []string{"tcp:10.0.0.1"}},
		"odd scheme":       {Cloud: "lab", Northbound: []string{"http://10.0.0.1:6641"}},
		"ssl without keys": {Cloud: "lab", Southbound: []string{"ssl:10.0.0.1:6642"}},
		"absent CA":        {Cloud: "lab", Southbound: []string{"ssl:10.0.0.1:6642"}, CACert: "/nonexistent/ca.pem"},
	} {
		if _, _, err := Sources(cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestFamiliesAreDeclaredOnce(t *testing.T) {
	for _, complaint := range exporters.Lint(exporters.List([]exporters.Source{{Families: Families()}})) {
		t.Error(complaint)
	}
	seen := map[string]bool{}
	for _, f := range Families() {
		if seen[f.Name] || f.Help == "" || f.Call == "" || f.Set == "" || f.Type == "" {
			t.Errorf("%+v", f)
		}
		seen[f.Name] = true
	}
}

func TestRunnerTakesTheSources(t *testing.T) {
	runner := exporters.NewRunner(exporters.Options{})
	for _, name := range []string{"c1", "c2"} {
		all, end, err := Sources(Config{Cloud: name, Southbound: []string{"unix:/sb"}, Northbound: []string{"unix:/nb"}})
		if err != nil {
			t.Fatal(err)
		}
		defer end()
		for _, s := range all {
			if err := runner.Add(s); err != nil {
				t.Error(err)
			}
		}
	}
}
