package ceph

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mcloud"
	"mcloud/exporters"
)

func TestMonSourcesGolden(t *testing.T) {
	for _, version := range versions {
		for _, name := range []string{"fast", "geo"} {
			mon := fakeMon{dir: filepath.Join("testdata", version, name)}
			for source, s := range sources(t, testConfig(), mon) {
				snap, err := collect(t, s)
				// The geo recording has no mgr dump, fast has no placement groups' records:
				// looks with one command less.
				if missing := name == "geo" && source == "ceph_health" || name == "fast" && source == "ceph_scrub"; (err != nil) != missing {
					t.Errorf("%s %s %s: %v", version, name, source, err)
				}
				if snap != nil {
					golden(t, version+"-"+name+"-"+source, render(snap))
				}
			}
		}
	}
}

// The mgr's own page says which names and labels dashboards rely on.
func TestNamesAndLabelsAreThoseOfTheMgr(t *testing.T) {
	page, err := os.ReadFile("testdata/16.2/mgr_prometheus.txt")
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string]*exporters.Family{}
	for _, f := range Families() {
		ours[f.Name] = f
	}
	// The mgr's own measurements of itself are not ours.
	left := regexp.MustCompile(`^ceph_prometheus_`)
	sample := regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? `)
	label := regexp.MustCompile(`([a-z_]+)="`)
	checked := 0
	for line := range strings.Lines(string(page)) {
		if kind, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(strings.TrimSpace(kind), " ")
			switch f := ours[name]; {
			case left.MatchString(name):
			case f == nil:
				t.Errorf("%s is missing", name)
			case kind != "untyped" && kind != string(f.Type):
				t.Errorf("%s is a %s, the mgr says %s", name, f.Type, kind)
			}
		}
		m := sample.FindStringSubmatch(line)
		if m == nil || left.MatchString(m[1]) || ours[m[1]] == nil {
			continue
		}
		checked++
		var names []string
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			names = append(names, l[1])
		}
		if m[1] == "ceph_pool_objects_repaired" {
			names = append([]string{"pool_id"}, names...) // Ceph 18's label; the page is of Ceph 16
		}
		if !slices.Equal(names, ours[m[1]].Labels) {
			t.Errorf("%s has labels %q, the mgr's are %q", m[1], ours[m[1]].Labels, names)
		}
	}
	if checked < 100 {
		t.Errorf("only %d samples of the page were compared", checked)
	}
}

func TestFamiliesAreDeclaredOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range Families() {
		if seen[f.Name] {
			t.Errorf("%s is declared twice", f.Name)
		}
		seen[f.Name] = true
		if f.Help == "" || f.Call == "" || f.Set == "" || f.Type == "" {
			t.Errorf("%s is declared in part: %+v", f.Name, f)
		}
	}
}

func TestHealthCheckThatIsGoneReadsZero(t *testing.T) {
	down := false
	mon := fakeMon{dir: "testdata/18.2/geo"}
	mon.answer = func(_ context.Context, prefix string) ([]byte, error) {
		switch {
		case prefix == "health" && down:
			return os.ReadFile("testdata/18.2/osd-down/health_detail.json")
		case prefix == "status" && down:
			return os.ReadFile("testdata/18.2/osd-down/status.json")
		}
		return nil, nil
	}
	s := sources(t, testConfig(), mon)["ceph_health"]
	const check = `ceph_health_detail{name="OSD_DOWN",severity="HEALTH_WARN"}`
	if snap, _ := collect(t, s); has(snap, check) || value(t, snap, "ceph_health_status{}") != 0 {
		t.Error("a check is raised in a healthy cluster")
	}
	down = true
	snap, _ := collect(t, s)
	if value(t, snap, check) != 1 || value(t, snap, "ceph_health_status{}") != 1 || value(t, snap, "ceph_num_objects_degraded{}") == 0 {
		t.Errorf("an OSD is down:\n%s", render(snap))
	}
	down = false
	if snap, _ := collect(t, s); value(t, snap, check) != 0 {
		t.Error("the check is gone and does not read 0")
	}
}

func TestSlowOps(t *testing.T) {
	for message, want := range map[string]float64{
		"14 slow ops, oldest one blocked for 42 sec, osd.1 has slow ops": 14,
		"some slow ops": 1,
	} {
		var answer healthAnswer
		b, _ := json.Marshal(map[string]any{"status": "HEALTH_WARN", "checks": map[string]any{
			"SLOW_OPS": map[string]any{"severity": "HEALTH_WARN", "summary": map[string]any{"message": message}}}})
		if err := json.Unmarshal(b, &answer); err != nil {
			t.Fatal(err)
		}
		c := &cluster{cfg: testConfig()}
		l := c.look(t.Context())
		newHealth(c).addChecks(l, answer)
		if got := value(t, &l.snap, "ceph_healthcheck_slow_ops{}"); got != want {
			t.Errorf("%q: %v, want %v", message, got, want)
		}
	}
}

func TestOneFailedCommandKeepsTheRest(t *testing.T) {
	broken := errors.New("mgr is away")
	mon := fakeMon{dir: "testdata/18.2/fast", answer: func(_ context.Context, prefix string) ([]byte, error) {
		if prefix == "osd df" {
			return nil, broken
		}
		return nil, nil
	}}
	snap, err := collect(t, sources(t, testConfig(), mon)["ceph_osd"])
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "osd df") || !strings.Contains(err.Error(), "c1") {
		t.Errorf("error is %v, want one that names cluster and command", err)
	}
	if value(t, snap, `ceph_osd_up{ceph_daemon="osd.0"}`) != 1 || has(snap, "ceph_osd_stat_bytes") {
		t.Errorf("got:\n%s", render(snap))
	}
	for _, v := range snap.Inventories {
		if v.Kind == mcloud.KindOSD {
			t.Error("an inventory without sizes would be stored as a change of every OSD")
		}
	}
}

func TestEverythingFailedIsNoSnapshot(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		err          error
		kind         string
	}{
		{"error", "", os.ErrPermission, exporters.KindForbidden},
		{"garbage", "<html>", nil, exporters.KindDecode},
		{"half", `{"pools":[`, nil, exporters.KindDecode},
		{"other shape", `"text"`, nil, exporters.KindDecode},
	} {
		mon := fakeMon{answer: func(context.Context, string) ([]byte, error) { return []byte(c.answer), c.err }}
		if c.err != nil {
			mon.answer = func(context.Context, string) ([]byte, error) { return nil, c.err }
		}
		for name, s := range sources(t, testConfig(), mon) {
			snap, err := collect(t, s)
			if snap != nil || err == nil {
				t.Errorf("%s, %s: snapshot %v, error %v", c.name, name, snap, err)
				continue
			}
			first, _, _ := strings.Cut(err.Error(), "\n")
			if !strings.Contains(first, "ceph cluster c1") {
				t.Errorf("%s, %s: error does not name the cluster: %v", c.name, name, err)
			}
		}
	}
}

func TestHungMonEndsWithTheContext(t *testing.T) {
	mon := fakeMon{answer: func(ctx context.Context, _ string) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	for name, s := range sources(t, testConfig(), mon) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		start := time.Now()
		snap, err := s.Collector.Collect(ctx)
		cancel()
		if snap != nil || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
			t.Errorf("%s: %v, %v after %v", name, snap, err, time.Since(start))
		}
	}
}

func TestNoPGMapIsNotNoPGs(t *testing.T) {
	mon := fakeMon{answer: func(context.Context, string) ([]byte, error) { return []byte(`{"pg_ready":false,"pg_stats":[]}`), nil }}
	if snap, err := collect(t, sources(t, testConfig(), mon)["ceph_pg"]); snap != nil || err == nil {
		t.Errorf("%v, %v", snap, err)
	}
}

func TestUnknownPGStateIsNamed(t *testing.T) {
	mon := fakeMon{answer: func(context.Context, string) ([]byte, error) {
		return []byte(`{"pg_ready":true,"pg_stats":[{"pgid":"7.1f","state":"active+dancing"},{"pgid":"x","state":"active"}]}`), nil
	}}
	snap, err := collect(t, sources(t, testConfig(), mon)["ceph_pg"])
	if err != nil || value(t, snap, `ceph_pg_active{pool_id="7"}`) != 1 || value(t, snap, `ceph_pg_total{pool_id="7"}`) != 1 {
		t.Fatalf("%v\n%s", err, render(snap))
	}
	if len(snap.Failed) != 2 || !strings.Contains(snap.Failed[1].Error(), "dancing") {
		t.Errorf("failed: %v", snap.Failed)
	}
}

func TestErasureCodedPool(t *testing.T) {
	pool := poolDump{ID: 9, Name: "ec", Type: 3, Size: 6, MinSize: 5, Rule: 2, Profile: "p42", Created: "2026-11-22T06:14:59.438821+0000"}
	profiles := map[string]map[string]string{"p42": {"k": "4", "m": "2"}}
	var rule crushRule
	if err := json.Unmarshal([]byte(`{"rule_id":2,"rule_name":"ec","steps":[{"op":"set_chooseleaf_tries","num":5},
		{"op":"take","item_name":"default~sas7k"},{"op":"choose_indep","num":3,"type":"datacenter"},
		{"op":"chooseleaf_indep","num":2,"type":"host"},{"op":"emit"}]}`), &rule); err != nil {
		t.Fatal(err)
	}
	got, err := pool.attributes("c1", map[int]crushRule{2: rule}, profiles)
	if err != nil || got.DataChunks != 4 || got.Type != "erasure" || got.DeviceClass != "sas7k" || got.Root != "default" ||
		got.FailureDomain != "host" || got.CrushRule != "ec" || !got.Created.Equal(time.Date(2026, 11, 22, 6, 14, 59, 438821000, time.UTC)) {
		t.Errorf("%+v, %v", got, err)
	}
	if d := pool.description(profiles); d != "ec:4+2" {
		t.Errorf("description %q", d)
	}
	if _, err := pool.attributes("c1", map[int]crushRule{2: rule}, nil); err == nil {
		t.Error("a profile that is not there gives no error")
	}
	if _, err := pool.attributes("c1", nil, profiles); err == nil {
		t.Error("a rule that is not there gives no error")
	}
}

func TestCrushRuleTarget(t *testing.T) {
	for _, c := range []struct{ steps, want string }{
		{`[{"op":"take","item_name":"default"},{"op":"chooseleaf_firstn","num":0,"type":"host"},{"op":"emit"}]`, "default||host"},
		{`[{"op":"take","item_name":"r~nvme"},{"op":"choose_firstn","num":0,"type":"rack"},{"op":"choose_firstn","num":1,"type":"osd"},{"op":"emit"}]`, "r|nvme|rack"},
		{`[{"op":"take","item_name":"a~ssd"},{"op":"chooseleaf_firstn","num":1,"type":"host"},{"op":"emit"},{"op":"take","item_name":"a~hdd"},{"op":"chooseleaf_firstn","num":-1,"type":"rack"},{"op":"emit"}]`, "a|ssd|host"},
	} {
		var r crushRule
		if err := json.Unmarshal([]byte(c.steps), &r.Steps); err != nil {
			t.Fatal(err)
		}
		root, class, domain, err := r.target()
		if got := root + "|" + class + "|" + domain; got != c.want || err != nil {
			t.Errorf("%s: %s, %v, want %s", c.steps, got, err, c.want)
		}
	}
	if _, _, _, err := (crushRule{Name: "empty"}).target(); err == nil {
		t.Error("a rule without steps gives no error")
	}
}

func TestCrushTreeThatBitesItsTail(t *testing.T) {
	tree := crushTree{Nodes: []crushNode{
		{ID: -1, Name: "default", Type: "root", Children: []int{-2, 0}},
		{ID: -2, Name: "h", Type: "host", Children: []int{-2, 1, -1}},
		{ID: 0, Type: "osd"}, {ID: 1, Type: "osd"},
	}, Stray: []crushNode{{ID: 5, Type: "osd"}}}
	got := tree.places() // must end; -1 is its own descendant, so there is no root
	if _, ok := got[5]; !ok {
		t.Errorf("stray OSD is lost: %v", got)
	}
}

func TestNonFiniteNumbersAreNull(t *testing.T) {
	var got struct {
		A, B, C *float64
		S       string
	}
	if err := decodeJSON([]byte(`{"a":nan,"b":-inf,"c":1.5,"s":"nan \" inf"}`), &got); err != nil {
		t.Fatal(err)
	}
	if got.A != nil || got.B != nil || got.C == nil || *got.C != 1.5 || got.S != `nan " inf` {
		t.Errorf("%+v", got)
	}
}

func FuzzDecodeJSON(f *testing.F) {
	f.Add([]byte(`{"a":nan,"b":[-nan,inf],"s":"\"nan"}`))
	f.Add([]byte(`{"s":"\`))
	f.Add([]byte(`nan`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var plain, repaired any
		if json.Unmarshal(b, &plain) == nil {
			if err := decodeJSON(b, &repaired); err != nil {
				t.Errorf("valid JSON is refused: %v", err)
			}
		}
		var df dfAnswer
		_ = decodeJSON(b, &df)
		_ = decodeJSON(nullNonFinite(b), &repaired)
	})
}

func TestConfigErrors(t *testing.T) {
	for _, cfg := range []ClusterConfig{
		{Name: "c"}, {Cloud: "x"}, {Cloud: "x", Name: "c"},
		{Cloud: "x", Name: "c", Sockets: []string{"/run/[.asok"}},
		{Cloud: "x", Name: "c", Sockets: []string{"*"}, PerfPriority: 12},
	} {
		if _, err := Sources(cfg, nil); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}

func TestRunnerTakesTheSources(t *testing.T) {
	runner := exporters.NewRunner(exporters.Options{Sets: []exporters.Set{exporters.SetPerf}})
	for _, name := range []string{"fast", "geo"} {
		cfg := testConfig()
		cfg.Name, cfg.Sockets = name, []string{"/run/ceph/*.asok"}
		all, err := Sources(cfg, fakeMon{})
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
