package config

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const small = `
cloud: lab
openstack: {clouds_file: clouds.yaml, cloud: lab-exporter}
ceph:
  - {name: fast, conf: ceph/fast.conf, keyring: ceph/k}
planner:
  tiers:
    - {name: nvme, pools: [fast/nvme], lead_time: 8w}
`

func TestParseFillsInAndResolves(t *testing.T) {
	f, err := Parse("/etc/mcloud/mcloud.yaml", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	if f.OpenStack.CloudsFile != "/etc/mcloud/clouds.yaml" || f.Ceph[0].Conf != "/etc/mcloud/ceph/fast.conf" || f.DataDir != "/etc/mcloud/data" {
		t.Errorf("paths %q %q %q are not from the file's folder", f.OpenStack.CloudsFile, f.Ceph[0].Conf, f.DataDir)
	}
	if f.Collector.Listen != DefaultCollectorListen || f.Ceph[0].User != "client.exporter" || time.Duration(f.Planner.Tiers[0].LeadTime) != 56*24*time.Hour {
		t.Errorf("defaults: %+v", f)
	}
	if !f.Store.Embedded() || f.Store.Address() != "http://127.0.0.1:8123" {
		t.Errorf("store %+v", f.Store)
	}
}

func TestParseNamesTheFault(t *testing.T) {
	for name, c := range map[string]struct{ content, says string }{
		"empty":        {"", "m.yaml: the file is empty"},
		"typo":         {"cloud: lab\ncolector:\n  listen: 1", `m.yaml:2: unknown field "colector"; did you mean "collector"?`},
		"nested typo":  {"cloud: lab\nceph:\n  - name: fast\n    keyrng: x", `m.yaml:4: unknown field "keyrng"; did you mean "keyring"?`},
		"syntax":       {"cloud: lab\n  x: [", "m.yaml:2"},
		"type":         {"cloud: lab\nceph: 7", "m.yaml:2"},
		"ovs database": {"cloud: lab\novs: [{host: h, sockets: [x], database: \"http://x\"}]", "ovs[0].database"},
		"duration":     {"cloud: lab\ncollector: {hot_retention: soon}", `"soon" is no duration`},
		"size":         {"cloud: lab\nstore: {memory: much}", `"much" is no size`},
		"no cloud":     {"data_dir: x", "cloud: no name"},
		"address":      {"cloud: lab\nstore: {listen: here}", `store.listen: "here" is no address`},
		"tier":         {small + "    - {name: geo, pools: [geo/x]}", `there is no Ceph cluster "geo"`},
		"tier twice":   {small + "    - {name: nvme, pools: [fast/x]}", `"nvme" is there twice`},
		"set":          {"cloud: lab\nexporter: {sets: [all]}", `"all", want objects, perf or debug`},
		"compat":       {"cloud: lab\nexporter: {compat: [ceph]}", `"ceph", want openstack-exporter`},
		"shard":        {"cloud: lab\nexporter: {shard: {index: 2, of: 2}}", "want an index from 0 to of-1"},
		"pair":         {"cloud: lab\nexporter: {pair: {peer: \"exporter-2:9198\"}}", "exporter.pair.peer"},
		"pair's user":  {"cloud: lab\nexporter: {pair: {peer: \"https://x:1\", user: u}}", "go together"},
		"alertmanager": {"cloud: lab\ncollector: {alertmanagers: [\"http://a:1\"]}", "want host:port"},
		"limits":       {"cloud: lab\ncollector: {limits: {job_series: -5}}", "collector.limits.job_series: -5"},
		"no such API":  {"cloud: lab\nopenstack: {cloud: lab, budgets: {placment: {in_flight: 8}}}", `"placment" is no API; did you mean "placement"?`},
		"in flight":    {"cloud: lab\nopenstack: {cloud: lab, budgets: {nova: {in_flight: -1}}}", "openstack.budgets.nova.in_flight: -1, want 1 to 256"},
		"per second":   {"cloud: lab\nopenstack: {cloud: lab, budgets: {nova: {per_second: .nan}}}", "openstack.budgets.nova.per_second"},
		"in a budget":  {"cloud: lab\nopenstack:\n  cloud: lab\n  budgets: {nova: {inflight: 1}}", `unknown field "inflight"; did you mean "in_flight"?`},
		"store url":    {"cloud: lab\nstore: {url: \"tcp://x:9000\"}", "store.url"},
		"horizon":      {"cloud: lab\nopenstack: {cloud: x, horizon: \"dash.example.org\"}", "openstack.horizon: want the dashboard's address"},
		"horizon user": {"cloud: lab\nopenstack: {cloud: x, horizon: \"https://u:p@dash.example.org\"}", "openstack.horizon"},
		"password":     {"cloud: lab\nnotifications: [{url: \"http://x\"}]", "notifications[0].url"},
	} {
		_, err := Parse("m.yaml", []byte(c.content))
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v\nwant one line with %q", name, err, c.says)
		}
	}
}

func TestLoadSaysWhereAnExampleIs(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"))
	if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "none.yaml") || !strings.Contains(err.Error(), "deploy/examples/mcloud.yaml") {
		t.Error(err)
	}
}

func TestSecretKeepsThePasswordOutOfTheFile(t *testing.T) {
	t.Setenv("BROKER_PASSWORD", "p@ss/word")
	got, err := Broker{URL: "amqp://exporter@127.0.0.1:5672/", PasswordEnv: "BROKER_PASSWORD"}.Secret()
	if err != nil || got != "amqp://exporter:p%40ss%2Fword@127.0.0.1:5672/" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := (Broker{URL: "amqp://x@h/", PasswordEnv: "MCLOUD_NOT_SET"}).Secret(); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("cloud: [\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if _, err := Parse("m.yaml", content); err != nil && !errors.Is(err, ErrConfig) {
			t.Fatal(err)
		}
	})
}
