package ovs

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcloud/exporters"
)

func TestHostGolden(t *testing.T) {
	for _, version := range []string{"3.1", "3.5"} {
		dir := t.TempDir()
		daemons, err := os.ReadDir(filepath.Join("testdata", version))
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range daemons {
			if strings.HasPrefix(d.Name(), "database") {
				continue
			}
			serveDaemon(t, filepath.Join(dir, fmt.Sprintf("%s.%d.ctl", d.Name(), 100+i)), recorded(version, d.Name()))
		}
		snap, err := collect(t, source(t, nil, filepath.Join(dir, "*.ctl")))
		if err != nil || len(snap.Failed) > 0 {
			t.Fatalf("%s: %v %v", version, err, snap.Failed)
		}
		got, path := withoutProcess(render(snap)), filepath.Join("testdata", "golden", version+".txt")
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
			t.Errorf("%s differs, see it after: go test ./exporters/ovs -update", path)
		}
	}
}

// withoutProcess leaves out what /proc says of this test.
func withoutProcess(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "ovs_process_") && !strings.HasPrefix(line, "ovs_db_file_") && !strings.HasPrefix(line, "ovs_log_file_") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// The kernel datapath and polling threads, which the lab's machines lack.
func TestOtherDatapaths(t *testing.T) {
	r := &report{host: "hv1", daemon: "ovs-vswitchd"}
	readDatapaths(r, `system@ovs-system:
  lookups: hit:4294967299 missed:17 lost:2
  flows: 42
  masks: hit:9000 total:7 hit/pkt:1.50
  caches:
    masks-cache: size:256
  port 0: ovs-system (internal)
    RX packets:0 errors:0 dropped:0 overruns:0 frame:0
    TX packets:0 errors:0 dropped:0 aborted:0 carrier:0
    collisions:0
    RX bytes:0  TX bytes:0
  port 3: ens3
    RX packets:5 errors:1 dropped:2 overruns:0 frame:0
    RX bytes:5000000000 (4.7 GiB)  TX bytes:7
`)
	readThreads(r, `pmd thread numa_id 0 core_id 1:
  packets received: 1000
  idle cycles: 400 (40.00%)
  processing cycles: 600 (60.00%)
  emc hits: 10
main thread:
  packets received: 3
`)
	for want, v := range map[string]float64{
		`ovs_datapath_lookups_total{host="hv1",datapath="system@ovs-system",result="hit"}`:                         4294967299,
		`ovs_datapath_lookups_total{host="hv1",datapath="system@ovs-system",result="lost"}`:                        2,
		`ovs_datapath_flows{host="hv1",datapath="system@ovs-system"}`:                                              42,
		`ovs_datapath_masks{host="hv1",datapath="system@ovs-system"}`:                                              7,
		`ovs_datapath_masks_hit_total{host="hv1",datapath="system@ovs-system"}`:                                    9000,
		`ovs_datapath_ports{host="hv1",datapath="system@ovs-system"}`:                                              2,
		`ovs_datapath_port_bytes_total{host="hv1",datapath="system@ovs-system",port="ens3",direction="receive"}`:   5e9,
		`ovs_datapath_port_bytes_total{host="hv1",datapath="system@ovs-system",port="ens3",direction="transmit"}`:  7,
		`ovs_datapath_port_dropped_total{host="hv1",datapath="system@ovs-system",port="ens3",direction="receive"}`: 2,
		`ovs_pmd_cycles_total{host="hv1",thread="pmd thread numa_id 0 core_id 1",state="processing"}`:              600,
		`ovs_pmd_hits_total{host="hv1",thread="pmd thread numa_id 0 core_id 1",cache="emc"}`:                       10,
		`ovs_pmd_packets_total{host="hv1",thread="main thread"}`:                                                   3,
	} {
		if got := value(t, &r.snap, want); got != v {
			t.Errorf("%s is %v, want %v", want, got, v)
		}
	}
}

func TestBrokenConnections(t *testing.T) {
	r := &report{host: "hv1", daemon: "x"}
	readControllerConnection(r, "not connected\n")
	readNorthdStatus(r, "Status: standby\n")
	readBFD(r, "---- tun0 ----\n  Forwarding: false\n  Local Session State: down\n")
	for _, name := range []string{`ovn_controller_connected{host="hv1"}`, `ovn_northd_active{host="hv1",daemon="x"}`,
		`ovs_bfd_up{host="hv1",interface="tun0"}`, `ovs_bfd_forwarding{host="hv1",interface="tun0"}`} {
		if got := value(t, &r.snap, name); got != 0 {
			t.Errorf("%s is %v", name, got)
		}
	}
}

func TestFaultyDaemons(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	// A killed daemon left its socket; its successor lives.
	serveDaemon(t, in("ovsdb-server.1.ctl"), nil)()
	serveDaemon(t, in("ovsdb-server.2.ctl"), recorded("3.1", "ovsdb-server"))
	serveDaemon(t, in("ovs-vswitchd.3.ctl"), func(string, []string) (string, error) { return "", errHang })
	serveDaemon(t, in("ovn-northd.4.ctl"), nil)()
	serveDaemon(t, in("ovn-controller.5.ctl"), func(method string, params []string) (string, error) {
		switch method {
		case "lflow-cache/show-stats":
			return "the answer of another version", nil
		case "inc-engine/show-stats":
			return "", errors.New("not now")
		}
		return recorded("3.1", "ovn-controller")(method, params)
	})
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(in("ovsdb-server.1.ctl"), old, old); err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	s := source(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&logged, nil)) }, in("*.ctl"), in("ovn-controller-vtep.*.ctl"))
	for range 3 {
		start := time.Now()
		snap, err := collect(t, s)
		if err != nil || time.Since(start) > 2*time.Second {
			t.Fatalf("%v after %v", err, time.Since(start))
		}
		for daemon, want := range map[string]float64{"ovsdb-server": 1, "ovs-vswitchd": 0, "ovn-northd": 0, "ovn-controller": 1, "ovn-controller-vtep": 0} {
			if got := value(t, snap, `ovs_up{host="hv1",daemon="`+daemon+`"}`); got != want {
				t.Errorf("%s is %v", daemon, got)
			}
		}
		// The frozen one, the babbling one and the refusal; the dead are facts.
		if got := render(snap); len(snap.Failed) != 3 || !strings.Contains(got, "! ovs-vswitchd on hv1") || !strings.Contains(got, "lflow-cache/show-stats: nothing in the answer is known") || !strings.Contains(got, "not now") {
			t.Errorf("failed: %v", snap.Failed)
		}
		if value(t, snap, `ovn_controller_connected{host="hv1"}`) != 1 {
			t.Error("one failing command has lost the rest")
		}
	}
	if n := strings.Count(logged.String(), "daemon=ovn-northd"); n != 1 {
		t.Errorf("the dead daemon was logged %d times:\n%s", n, logged.String())
	}
}

// A daemon that freezes between two commands is not asked the rest.
func TestDaemonThatFreezesMidway(t *testing.T) {
	dir := t.TempDir()
	serveDaemon(t, filepath.Join(dir, "ovs-vswitchd.ctl"), func(method string, params []string) (string, error) {
		if method == "dpctl/show" {
			return "", errHang
		}
		return recorded("3.1", "ovs-vswitchd")(method, params)
	})
	start := time.Now()
	snap, err := collect(t, source(t, nil, filepath.Join(dir, "*.ctl")))
	if err != nil || len(snap.Failed) != 1 || exporters.KindOf(snap.Failed[0]) != exporters.KindTimeout || time.Since(start) > time.Second {
		t.Errorf("%v, %v after %v", err, snap.Failed, time.Since(start))
	}
}

func TestStoppedDaemonReadsZeroForAWhile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ovs-vswitchd.7.ctl")
	stop := serveDaemon(t, path, recorded("3.1", "ovs-vswitchd"))
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := source(t, func(c *Config) { c.Now = func() time.Time { return now } }, filepath.Join(dir, "*.ctl"))
	if snap, err := collect(t, s); err != nil || value(t, snap, `ovs_up{host="hv1",daemon="ovs-vswitchd"}`) != 1 {
		t.Fatal(err)
	}
	stop()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	now = now.Add(30 * time.Minute)
	if snap, err := collect(t, s); err != nil || value(t, snap, `ovs_up{host="hv1",daemon="ovs-vswitchd"}`) != 0 || len(snap.Samples) != 1 {
		t.Errorf("half an hour later: %v", err)
	}
	now = now.Add(time.Hour)
	if snap, err := collect(t, s); snap != nil || err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("no socket at all: %v, %v", snap, err)
	}
}

func TestExpectedDaemon(t *testing.T) {
	for pattern, want := range map[string]string{
		"/run/ovn/ovn-controller.*.ctl":      "ovn-controller",
		"/run/ovn/ovn-controller.[0-9]*.ctl": "ovn-controller",
		"/run/ovn/ovnsb_db.ctl":              "ovnsb_db",
		"/run/ovn/*.ctl":                     "",
		"/run/ovn/ov*.ctl":                   "",
		"/run/ovn/x":                         "",
	} {
		if got, ok := expectedDaemon(pattern); got != want && ok || ok != (want != "") {
			t.Errorf("%s: %q, %v", pattern, got, ok)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no cloud":    {Hosts: []Host{{Name: "h", Sockets: []string{"*"}}}},
		"no hosts":    {Cloud: "lab"},
		"no name":     {Cloud: "lab", Hosts: []Host{{Sockets: []string{"*"}}}},
		"no sockets":  {Cloud: "lab", Hosts: []Host{{Name: "h"}}},
		"bad pattern": {Cloud: "lab", Hosts: []Host{{Name: "h", Sockets: []string{"/[.ctl"}}}},
		"twice":       {Cloud: "lab", Hosts: []Host{{Name: "h", Sockets: []string{"*"}}, {Name: "h", Sockets: []string{"*"}}}},
	} {
		if _, err := Sources(cfg); err == nil {
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

// No text makes a reader panic or give one series twice.
func FuzzText(f *testing.F) {
	files, err := filepath.Glob("testdata/3.*/*/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatal("no recorded answers", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if len(b) > 1500 {
			b = b[:1500]
		}
		f.Add(string(b))
	}
	readers := map[string]func(*report, string) int{
		"datapaths": readDatapaths, "upcalls": readUpcalls, "threads": readThreads, "bfd": readBFD, "coverage": readCoverage,
		"memory": readMemory, "engine": readEngine(addNorthdEngine), "controller engine": readEngine(addControllerEngine), "cache": readFlowCache, "stopwatches": readStopwatches, "zones": readZones,
		"queues": readQueues, "perf": readPerf, "fdb": readFDB("br"), "bonds": readBonds, "connections": readConnections, "fragments": readFragments, "storage": readStorage("db"), "sync": readSync,
		"cluster": readCluster("db"), "status": readNorthdStatus,
	}
	f.Fuzz(func(t *testing.T, text string) {
		readVersion(text)
		for name, read := range readers {
			r := &report{host: "h", daemon: "d"}
			read(r, text)
			seen := map[string]bool{}
			for _, s := range r.snap.Samples {
				if key := series(s); seen[key] {
					t.Errorf("%s: twice: %s", name, key)
				} else {
					seen[key] = true
				}
			}
		}
	})
}

func TestRunnerTakesTheSources(t *testing.T) {
	runner := exporters.NewRunner(exporters.Options{Sets: []exporters.Set{exporters.SetPerf}})
	for _, name := range []string{"hv1", "hv2"} {
		all, err := Sources(Config{Cloud: "lab", Hosts: []Host{{Name: name, Sockets: []string{"/run/ovn/*.ctl"}}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			if err := runner.Add(s); err != nil {
				t.Error(err)
			}
		}
	}
}
