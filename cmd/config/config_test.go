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

func TestRetentionAges(t *testing.T) {
	f, err := Parse("m.yaml", []byte("cloud: lab\nstore:\n  retention:\n    five_minutes: 2y\n    classes: [{name: osd, metrics: \"osd_.*|ovs\", raw: 7d, hour: 730d}]"))
	if err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	r := f.Store.Retention
	if r.Raw.Duration != 90*day || r.FiveMinutes.Duration != 730*day || r.Hour.Duration != Forever {
		t.Errorf("%+v", r)
	}
	if c := r.Classes[0]; c.Raw.Duration != 7*day || c.FiveMinutes.Duration != 730*day || c.Hour.Duration != 730*day || !c.Metrics.MatchString("ovs") || c.Metrics.MatchString("ovs_1") {
		t.Errorf("%+v", c)
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
		"age":          {"cloud: lab\nstore:\n  retention: {raw: long}", `m.yaml:3: "long" is no age`},
		"raw age":      {"cloud: lab\nstore:\n  retention:\n    raw: 6h", "m.yaml:4: store.retention.raw: 6h0m0s, samples are kept for a day"},
		"ages":         {"cloud: lab\nstore:\n  retention:\n    raw: 400d", "m.yaml:4: store.retention.five_minutes: 365d is less than raw has, 400d"},
		"hour age":     {"cloud: lab\nstore:\n  retention:\n    raw: 4d\n    hour: 2w", "m.yaml:5: store.retention.hour: 14d is less than five_minutes has, 365d"},
		"class":        {"cloud: lab\nstore:\n  retention:\n    classes:\n      - {name: osd, metrics: \"(\"}", `m.yaml:5: "(" is no pattern of metric names (missing closing )`},
		"class age":    {"cloud: lab\nstore:\n  retention:\n    classes:\n      - name: osd\n        metrics: osd_.*\n        five_minutes: 30d", "m.yaml:7: store.retention.classes[0] (osd).five_minutes: 30d is less than raw has, 90d"},
		"class typo":   {"cloud: lab\nstore:\n  retention:\n    classes:\n      - {name: osd, metric: x}", `unknown field "metric"; did you mean "metrics"?`},
		"class twice":  {"cloud: lab\nstore: {retention: {classes: [{name: a, metrics: x}, {name: a, metrics: y}]}}", `m.yaml:2: store.retention.classes[1].name: "a" is there twice`},
		"cache":        {"cloud: lab\nstore: {memory: 1GiB, cache: 900MiB}", "store.cache: 943718400 bytes, want at most half"},
		"memory":       {"cloud: lab\nstore: {memory: 1MiB}", "store.memory: 1048576 bytes, the engine needs 256MiB"},
		"threads":      {"cloud: lab\nstore: {threads: -1}", "store.threads: -1, want 1 to 256"},
		"horizon":      {"cloud: lab\nopenstack: {cloud: x, horizon: \"dash.example.org\"}", "openstack.horizon: want the dashboard's address"},
		"horizon user": {"cloud: lab\nopenstack: {cloud: x, horizon: \"https://u:p@dash.example.org\"}", "openstack.horizon"},
		"permission":   {"cloud: lab\naccess: {roles: {noc: [look]}}", `access.roles.noc: "look", want read, write or admin`},
		"role":         {"cloud: lab\naccess: {tokens: [{name: a, file: t, roles: [raeder]}]}", `access.tokens[0] (a).roles: "raeder" is not in access.roles (admin, member, reader, service, writer)`},
		"no role":      {"cloud: lab\naccess: {tokens: [{name: a, file: t}]}", "access.tokens[0] (a).roles: none"},
		"two alike":    {"cloud: lab\naccess: {tokens: [{name: a, file: t, roles: [reader]}], users: [{name: a, password_hash: x, roles: [reader]}]}", `access.tokens[0].name: "a" is there twice`},
		"no hash":      {"cloud: lab\naccess: {users: [{name: a, roles: [reader]}]}", "password_hash or password_hash_file, one of them"},
		"password":     {"cloud: lab\naccess: {users: [{name: a, password: s3cret, roles: [reader]}]}", `unknown field "password"`},
		"no token":     {"cloud: lab\naccess: {tokens: [{name: a, roles: [reader]}]}", "access.tokens[0] (a).file: none"},
		"keystone":     {"cloud: lab\naccess: {keystone: {url: \"https://u:p@k\"}}", "access.keystone.url: want Keystone's address without credentials"},
		"cache of it":  {"cloud: lab\naccess: {keystone: {url: \"https://k\", cache: 1h}}", "access.keystone.cache: 1h0m0s, want at most 5m0s"},
		"recheck":      {"cloud: lab\naccess: {keystone: {url: \"https://k\", cache: 1m, recheck: 2m}}", "access.keystone.recheck: 2m0s is more than cache has, 1m0s"},
		"cloud's role": {"cloud: lab\naccess: {keystone: {url: \"https://k\", cloud_roles: [x]}}", `access.keystone.cloud_roles: "x" is not in access.roles`},
		"key":          {"cloud: lab\nplanner: {tls: {cert: c.pem}}", "planner.tls: cert and key go together"},
		"client":       {"cloud: lab\naccess: {client: {user: u}}", "access.client: user and password_file go together"},
		"broker":       {"cloud: lab\nnotifications: [{url: \"http://x\"}]", "notifications[0].url"},
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
