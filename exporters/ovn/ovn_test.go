package ovn

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/ovn/ovsdb"
)

func TestSourcesGolden(t *testing.T) {
	for _, c := range []struct {
		name, database, prefix string
		lacks                  []string
	}{
		{"southbound", "OVN_Southbound", "sb", nil},
		{"northbound", "OVN_Northbound", "nb", nil},
		// As OVN was before 20.09 and 20.12: what is there is read, nothing fails.
		{"southbound-old", "OVN_Southbound", "sb", []string{"Chassis_Private", "BFD", "Port_Binding.up"}},
		{"northbound-old", "OVN_Northbound", "nb", []string{"NB_Global.nb_cfg_timestamp", "NB_Global.sb_cfg_timestamp", "NB_Global.hv_cfg_timestamp"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			endpoint, _ := newServer(t, c.database, c.prefix, c.lacks...).listen(t)
			cfg := Config{Southbound: []string{endpoint}}
			if c.prefix == "nb" {
				cfg = Config{Northbound: []string{endpoint}}
			}
			s := source(t, cfg)
			snap, err := s.Collector.Collect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got, path := render(t, s, snap), filepath.Join("testdata", "golden", c.name+".txt")
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
		})
	}
}

// Recorded while the ovn-controller of ch2 was frozen and the configuration
// went from 1 to 3.
func TestFrozenControllerLags(t *testing.T) {
	sb := newServer(t, "OVN_Southbound", "sb")
	sb.tables["Chassis_Private"] = loadTable(t, "testdata/frozen/Chassis_Private.json")
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
	sb := newServer(t, "OVN_Southbound", "sb")
	sb.tables["Chassis_Private"] = table{}
	endpoint, _ := sb.listen(t)
	snap, err := source(t, Config{Southbound: []string{endpoint}}).Collector.Collect(t.Context())
	if err != nil || len(snap.Failed) != 2 || !strings.Contains(snap.Failed[0].Error(), "ch1") {
		t.Errorf("%v, %v", err, snap.Failed)
	}
}

func TestEmptyDatabaseIsAnError(t *testing.T) {
	sb := newServer(t, "OVN_Southbound", "sb")
	sb.tables["SB_Global"] = table{}
	endpoint, _ := sb.listen(t)
	if snap, err := source(t, Config{Southbound: []string{endpoint}}).Collector.Collect(t.Context()); snap != nil || err == nil {
		t.Errorf("%v, %v", snap, err)
	}
}

// A member dies, another freezes, a third has lost its cluster: the look goes to
// the one that is left, stays there, and fails when that is gone too.
func TestLossOfMembers(t *testing.T) {
	dead, stop := newServer(t, "OVN_Southbound", "sb").listen(t)
	stop()
	frozen, _ := listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	cutOff := newServer(t, "OVN_Southbound", "sb")
	cutOff.connected = false
	stale, _ := cutOff.listen(t)
	good, stopGood := newServer(t, "OVN_Southbound", "sb").listen(t)
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

func TestHostileServers(t *testing.T) {
	say := func(s string) func(net.Conn) {
		return func(c net.Conn) { c.Read(make([]byte, 4096)); io.WriteString(c, s) }
	}
	for name, handle := range map[string]func(net.Conn){
		"hangs up": say(""),
		"garbage":  say("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"half":     say(`{"id":1,"result":[{"rows":[`),
		"no rows":  say(`{"id":1,"error":null,"result":[]}`),
		"null":     say(`{"id":1,"error":null,"result":null}`),
		"refuses":  say(`{"id":1,"error":{"error":"not allowed","details":"go away"},"result":null}`),
	} {
		endpoint, _ := listen(t, handle)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		snap, err := source(t, Config{Southbound: []string{endpoint}}).Collector.Collect(ctx)
		cancel()
		if snap != nil || err == nil || !strings.Contains(err.Error(), endpoint) {
			t.Errorf("%s: %v, %v", name, snap, err)
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
		if _, err := Sources(cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestFamiliesAreDeclaredOnce(t *testing.T) {
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
		all, err := Sources(Config{Cloud: name, Southbound: []string{"unix:/sb"}, Northbound: []string{"unix:/nb"}})
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
