package ceph

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcloud/exporters"
)

const testFSID = "5e0b1fa5-0000-4000-8000-00000000fa57"

func daemonSource(t *testing.T, dir string, change func(*ClusterConfig)) exporters.Source {
	t.Helper()
	cfg := testConfig()
	cfg.FSID, cfg.Perf = testFSID, true
	cfg.Sockets = []string{filepath.Join(dir, "*.asok")}
	cfg.SocketTimeout = 300 * time.Millisecond
	if change != nil {
		change(&cfg)
	}
	return sources(t, cfg, nil)["ceph_daemon"]
}

func TestDaemonsGolden(t *testing.T) {
	for _, version := range versions {
		dir := t.TempDir()
		for _, d := range [][2]string{{"osd", "osd.0"}, {"mon", "mon.a"}, {"mgr", "mgr.x"}, {"mds", "mds.a"}, {"rgw", "client.rgw.a"}} {
			serveDaemon(t, filepath.Join(dir, "ceph-"+d[1]+".asok"), recorded(t, version, d[0], d[1], testFSID))
		}
		cfg := testConfig()
		cfg.FSID, cfg.Perf, cfg.Sockets = testFSID, true, []string{filepath.Join(dir, "*.asok")}
		all := sources(t, cfg, fakeMon{dir: filepath.Join("testdata", version, "fast")})
		for _, name := range []string{"ceph_daemon", "ceph_rgw"} {
			snap, err := collect(t, all[name])
			if err != nil || len(snap.Failed) > 0 {
				t.Fatalf("%s %s: %v %v", version, name, err, snap.Failed)
			}
			if has(snap, "ceph_daemon_perf") {
				t.Errorf("%s: a counter has no metric of its own:\n%s", version, render(snap))
			}
			golden(t, version+"-"+name, render(snap))
		}
	}
}

func TestNoGatewayIsAbsentAndNoFailure(t *testing.T) {
	dir := t.TempDir()
	serveDaemon(t, filepath.Join(dir, "ceph-osd.0.asok"), recorded(t, "18.2", "osd", "osd.0", testFSID))
	cfg := testConfig()
	cfg.Sockets = []string{filepath.Join(dir, "*.asok")}
	if _, err := collect(t, sources(t, cfg, nil)["ceph_rgw"]); !errors.Is(err, exporters.ErrAbsent) {
		t.Errorf("error is %v", err)
	}
}

func TestSchemaIsReadOncePerStart(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ceph-osd.0.asok")
	asked := map[string]int{}
	answer := func(prefix string) []byte {
		asked[prefix]++
		return recorded(t, "18.2", "osd", "osd.0", testFSID)(prefix)
	}
	stop := serveDaemon(t, path, answer)
	s := daemonSource(t, dir, nil)
	for range 3 {
		if _, err := collect(t, s); err != nil {
			t.Fatal(err)
		}
	}
	if asked["counter schema"] != 1 || asked["config show"] != 1 || asked["counter dump"] != 3 {
		t.Errorf("one start: %v", asked)
	}
	stop()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	serveDaemon(t, path, answer)
	if _, err := collect(t, s); err != nil {
		t.Fatal(err)
	}
	if asked["counter schema"] != 2 || asked["config show"] != 2 {
		t.Errorf("after a restart: %v", asked)
	}
}

func TestWithoutPerfOnlyLifeIsAsked(t *testing.T) {
	dir := t.TempDir()
	serveDaemon(t, filepath.Join(dir, "ceph-osd.0.asok"), func(prefix string) []byte {
		if strings.HasPrefix(prefix, "perf") {
			t.Errorf("asked %q", prefix)
		}
		return recorded(t, "18.2", "osd", "osd.0", testFSID)(prefix)
	})
	s := daemonSource(t, dir, func(cfg *ClusterConfig) { cfg.Perf = false })
	for range 2 {
		snap, err := collect(t, s)
		if err != nil || len(snap.Samples) != 1 || value(t, snap, `ceph_daemon_socket_up{ceph_daemon="osd.0"}`) != 1 {
			t.Errorf("%v\n%s", err, render(snap))
		}
	}
}

// Eight frozen daemons and a live one: the look lasts about one deadline, and the
// live one is whole.
func TestFrozenDaemonsCostTheirDeadlineOnly(t *testing.T) {
	dir := t.TempDir()
	for _, id := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		serveDaemon(t, filepath.Join(dir, "ceph-osd."+id+".asok"), func(string) []byte { return nil })
	}
	serveDaemon(t, filepath.Join(dir, "ceph-osd.9.asok"), recorded(t, "16.2", "osd", "osd.9", testFSID))
	s := daemonSource(t, dir, func(cfg *ClusterConfig) { cfg.SocketConcurrency = 4 })
	start := time.Now()
	snap, err := collect(t, s)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("took %v, two rounds of 0.3 s were due", took)
	}
	if err != nil || len(snap.Failed) != 8 || exporters.KindOf(snap.Failed[0]) != exporters.KindTimeout {
		t.Errorf("error %v, failed %v", err, snap.Failed)
	}
	if value(t, snap, `ceph_daemon_socket_up{ceph_daemon="osd.1"}`) != 0 || value(t, snap, `ceph_daemon_socket_up{ceph_daemon="osd.9"}`) != 1 || !has(snap, "ceph_osd_op_latency_sum") {
		t.Errorf("got:\n%.600s", render(snap))
	}
}

func TestFaultyDaemons(t *testing.T) {
	dir := t.TempDir()
	stop := serveDaemon(t, filepath.Join(dir, "ceph-osd.1.asok"), func(string) []byte { return nil })
	stop() // dead, its file stays
	serveDaemon(t, filepath.Join(dir, "ceph-osd.2.asok"), func(string) []byte { return []byte("<html>") })
	serveDaemon(t, filepath.Join(dir, "ceph-osd.3.asok"), func(string) []byte { return []byte("ERROR: (22) Invalid argument\n") })
	serveDaemon(t, filepath.Join(dir, "ceph-osd.4.asok"), recorded(t, "18.2", "osd", "osd.4", "00000000-another-cluster"))
	serveDaemon(t, filepath.Join(dir, "ceph-client.admin.4711.94.asok"), func(p string) []byte {
		t.Error("a client was asked")
		return []byte("{}")
	})
	serveDaemon(t, filepath.Join(dir, "ceph-osd.5.asok"), func(p string) []byte {
		if p == "counter dump" {
			return []byte(`{"osd":[{"labels":{},"counters":{"op":"text"}}]}`)
		}
		return recorded(t, "18.2", "osd", "osd.5", testFSID)(p)
	})
	var logged strings.Builder
	s := daemonSource(t, dir, func(cfg *ClusterConfig) { cfg.Logger = slog.New(slog.NewTextHandler(&logged, nil)) })
	for range 3 {
		snap, err := collect(t, s)
		if err != nil || len(snap.Failed) != 3 {
			t.Fatalf("error %v, failed %v", err, snap.Failed)
		}
		for daemon, up := range map[string]float64{"osd.1": 0, "osd.2": 0, "osd.3": 0, "osd.5": 1} {
			if got := value(t, snap, `ceph_daemon_socket_up{ceph_daemon="`+daemon+`"}`); got != up {
				t.Errorf("%s is %v", daemon, got)
			}
		}
		if has(snap, `ceph_daemon_socket_up{ceph_daemon="osd.4"}`) {
			t.Error("a daemon of another cluster is shown")
		}
	}
	if n := strings.Count(logged.String(), "ceph_daemon=osd.1"); n != 1 {
		t.Errorf("the dead daemon was logged %d times:\n%s", n, logged.String())
	}
}

func TestStoppedDaemonReadsZeroForAWhile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ceph-osd.0.asok")
	stop := serveDaemon(t, path, recorded(t, "18.2", "osd", "osd.0", testFSID))
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := daemonSource(t, dir, func(cfg *ClusterConfig) { cfg.Now = func() time.Time { return now } })
	if _, err := collect(t, s); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	now = now.Add(30 * time.Minute)
	if snap, err := collect(t, s); err != nil || value(t, snap, `ceph_daemon_socket_up{ceph_daemon="osd.0"}`) != 0 {
		t.Errorf("half an hour later: %v", err)
	}
	now = now.Add(time.Hour)
	if snap, err := collect(t, s); err != nil || len(snap.Samples) != 0 {
		t.Errorf("later still: %v", err)
	}
}

func TestNoSocketAtAllSaysSo(t *testing.T) {
	dir := t.TempDir()
	snap, err := collect(t, daemonSource(t, dir, nil))
	if snap != nil || err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v, %v", snap, err)
	}
}

func TestNameFromFile(t *testing.T) {
	for path, want := range map[string]string{
		"/run/ceph/ceph-osd.12.asok":                   "osd.12",
		"/run/ceph/my-cluster-mon.host-1.asok":         "mon.host-1",
		"/run/ceph/5e0b1fa5/ceph-mgr.host.abcdef.asok": "mgr.host.abcdef",
		"/run/ceph/ceph-client.rgw.gw1.7.9437.asok":    "client.rgw.gw1.7.9437",
		"/run/ceph/ceph-client.admin.123.456.asok":     "",
		"/run/ceph/odd.asok":                           "odd.asok",
	} {
		if got, ok := nameFromFile(path); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", path, got, ok)
		}
	}
}
