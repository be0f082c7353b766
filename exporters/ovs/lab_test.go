package ovs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mcloud/exporters"
)

// Every chassis of the lab answers in full.
func TestLab(t *testing.T) {
	if os.Getenv("MCLOUD_LAB_CLOUDS") == "" {
		t.Skip("MCLOUD_LAB_CLOUDS names no clouds.yaml of a running lab; make lab-up lab-seed starts one, make e2e sets it")
	}
	root := os.Getenv("MCLOUD_LAB")
	if root == "" {
		root = "/var/lib/mcloud-lab"
	}
	dirs, err := filepath.Glob(filepath.Join(root, "ovs", "*", "run"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("the OpenStack lab is not up (deploy/lab/openstack/up): %v", err)
	}
	cfg := Config{Cloud: "lab"}
	for _, dir := range dirs {
		cfg.Hosts = append(cfg.Hosts, Host{Name: filepath.Base(filepath.Dir(dir)), Sockets: []string{filepath.Join(dir, "*.ctl")}})
	}
	cfg.Hosts = append(cfg.Hosts, Host{Name: "controller", Sockets: []string{filepath.Join(root, "ovn", "*.ctl")}})
	all, err := Sources(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		start := time.Now()
		snap, err := collect(t, s)
		if errors.Is(err, exporters.ErrAbsent) {
			continue // the controller is no chassis
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d samples of %d daemons in %v, failed %v", s.Name, len(snap.Samples), snap.Seen, time.Since(start), snap.Failed)
		for _, f := range snap.Failed {
			if exporters.KindOf(f) != exporters.KindTimeout { // others may freeze a daemon meanwhile
				t.Errorf("%s: %v", s.Name, f)
			}
		}
		if s.Name == "ovs/gw-1" || s.Name == "ovs/controller" {
			t.Log("\n" + render(snap))
		}
	}
}
