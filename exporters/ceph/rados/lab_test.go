//go:build cgo && ceph

package rados_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/ceph"
	"mcloud/exporters/ceph/rados"
)

// labDir is where deploy/lab/ceph keeps its clusters.
func labDir(t *testing.T, cluster string) string {
	t.Helper()
	if os.Getenv("MCLOUD_LAB_CLOUDS") == "" {
		t.Skip("MCLOUD_LAB_CLOUDS names no clouds.yaml of a running lab; make lab-up lab-seed starts one, make e2e sets it")
	}
	root := os.Getenv("MCLOUD_LAB")
	if root == "" {
		root = "/var/lib/mcloud-lab"
	}
	dir := filepath.Join(root, "ceph", cluster)
	if _, err := os.Stat(filepath.Join(dir, cluster+".conf")); err != nil {
		t.Fatalf("the Ceph lab is not up (deploy/lab/ceph/up): %v", err)
	}
	return dir
}

func openLab(t *testing.T, cluster string) (*rados.Mon, string) {
	t.Helper()
	dir := labDir(t, cluster)
	mon, err := rados.Open(rados.Config{Name: cluster, Conf: filepath.Join(dir, cluster+".conf"), User: "client.exporter"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mon.Close)
	return mon, dir
}

// What the Sources say of the lab's clusters is what the ceph client says.
func TestLabAgreesWithTheCephClient(t *testing.T) {
	for _, cluster := range []string{"fast", "geo"} {
		t.Run(cluster, func(t *testing.T) {
			mon, dir := openLab(t, cluster)
			all, err := ceph.Sources(ceph.ClusterConfig{Cloud: "lab", Name: cluster, Perf: true,
				Sockets: []string{filepath.Join(dir, "run", "*.asok")}}, mon)
			if err != nil {
				t.Fatal(err)
			}
			values, seconds := map[string]float64{}, map[string]time.Duration{}
			for _, s := range all {
				start := time.Now()
				snap, err := s.Collector.Collect(t.Context())
				seconds[s.Name] = time.Since(start).Round(time.Millisecond)
				if strings.HasPrefix(s.Name, "ceph_rgw/") && errors.Is(err, exporters.ErrAbsent) {
					continue // the lab has no gateway
				}
				if err != nil {
					t.Fatalf("%s: %v", s.Name, err)
				}
				for _, f := range snap.Failed {
					if exporters.KindOf(f) != exporters.KindTimeout { // others may freeze a daemon meanwhile
						t.Errorf("%s: %v", s.Name, f)
					}
				}
				for _, v := range snap.Inventories {
					if err := v.Validate(); err != nil || !v.Complete || len(v.Objects) == 0 {
						t.Errorf("%s: inventory of %s: %v", s.Name, v.Kind, err)
					}
					if testing.Verbose() {
						for _, o := range v.Objects {
							t.Logf("%s %s in %s: %s", o.Kind, o.ID, o.Parent, o.Attributes)
						}
					}
				}
				for _, sample := range snap.Samples {
					values[sample.Family.Name+"|"+strings.Join(sample.Labels, "|")] = sample.Value
				}
			}
			t.Logf("%d samples; looks took %v", len(values), seconds)
			compare(t, filepath.Join(dir, cluster+".conf"), values)
		})
	}
}

func compare(t *testing.T, conf string, ours map[string]float64) {
	var df struct {
		Pools []struct {
			ID    int
			Stats struct {
				Stored   float64
				MaxAvail float64 `json:"max_avail"`
			}
		}
	}
	client(t, conf, &df, "df", "detail")
	check := func(name string, want, tolerance float64) {
		t.Helper()
		got, ok := ours[name]
		if !ok || got < want*(1-tolerance) || got > want*(1+tolerance) {
			t.Errorf("%s is %v (%v), the client says %v", name, got, ok, want)
		}
	}
	for _, p := range df.Pools {
		// The cluster is in use: a little may change between two questions.
		check(fmt.Sprintf("ceph_pool_stored|%d", p.ID), p.Stats.Stored, 0.05)
		check(fmt.Sprintf("ceph_pool_max_avail|%d", p.ID), p.Stats.MaxAvail, 0.05)
	}
	var dump struct{ OSDs []struct{ OSD, Up, In int } }
	client(t, conf, &dump, "osd", "dump")
	for _, o := range dump.OSDs {
		check(fmt.Sprintf("ceph_osd_up|osd.%d", o.OSD), float64(o.Up), 0)
		check(fmt.Sprintf("ceph_osd_in|osd.%d", o.OSD), float64(o.In), 0)
		// A frozen OSD may be up in the map for a while, or down and just thawed.
		if _, ok := ours[fmt.Sprintf("ceph_daemon_socket_up|osd.%d", o.OSD)]; !ok {
			t.Errorf("the socket of osd.%d was not found", o.OSD)
		}
	}
	if len(df.Pools) == 0 || len(dump.OSDs) == 0 {
		t.Error("the client names no pool or no OSD, nothing was compared")
	}
}

func client(t *testing.T, conf string, into any, words ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ceph", append([]string{"--conf", conf, "--id", "exporter", "-f", "json"}, words...)...).Output()
	if err != nil {
		t.Skipf("ceph client: %v", err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatal(err)
	}
}

func TestLabErrors(t *testing.T) {
	dir := labDir(t, "fast")
	conf := filepath.Join(dir, "fast.conf")
	tmp := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(tmp, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	wrongKey := write("wrong.keyring", "[client.exporter]\n\tkey = AQBrxCFjAAAAABAAkz5bHoe5mGuVbD2dVBDZnQ==\n")
	otherKey := write("other.keyring", "[client.somebody]\n\tkey = AQBrxCFjAAAAABAAkz5bHoe5mGuVbD2dVBDZnQ==\n")
	nowhere := write("nowhere.conf", "[global]\nmon_host = v2:127.0.0.1:1\nauth_client_required = cephx\n")
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing, as a frozen mon
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	frozen := write("frozen.conf", "[global]\nmon_host = v2:"+silent.Addr().String()+"\nauth_client_required = cephx\n")
	for name, c := range map[string]struct {
		cfg      rados.Config
		kind     string
		contains string
	}{
		"absent conf":     {rados.Config{Conf: filepath.Join(tmp, "absent.conf")}, "not_found", "absent.conf"},
		"absent keyring":  {rados.Config{Conf: conf, Keyring: filepath.Join(tmp, "absent.keyring")}, "not_found", "absent.keyring"},
		"wrong key":       {rados.Config{Conf: conf, Keyring: wrongKey}, "unauthorized", wrongKey},
		"other's keyring": {rados.Config{Conf: conf, Keyring: otherKey}, "not_found", otherKey},
		"frozen mon":      {rados.Config{Conf: frozen, Keyring: wrongKey, ConnectTimeout: time.Second}, "timeout", frozen},
		"unreachable mon": {rados.Config{Conf: nowhere, Keyring: wrongKey, ConnectTimeout: time.Second}, "timeout", nowhere},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.Name, c.cfg.User = "fast", "client.exporter"
			mon, err := rados.Open(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer mon.Close()
			start := time.Now()
			_, err = mon.Command(t.Context(), map[string]any{"prefix": "status"})
			if err == nil || exporters.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.contains) || !strings.Contains(err.Error(), "cluster fast") {
				t.Errorf("%s: %v", exporters.KindOf(err), err)
			}
			t.Logf("after %v: %v", time.Since(start).Round(time.Millisecond), err)
		})
	}
}
