package ceph

import (
	"bufio"
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"mcloud/deploy/sim/model"
)

// alone is a cloud that one test owns.
type alone struct{ w *model.World }

func (a alone) With(do func(*model.World)) { do(a.w) }

func build(t testing.TB) alone {
	t.Helper()
	end := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	config := model.DefaultConfig(end)
	config.Start, config.Hosts, config.Servers, config.Projects, config.Volumes, config.OSDs, config.Faults = end.Add(-5*24*time.Hour), 6, 30, 3, 60, 12, false
	w, err := model.New(config)
	if err != nil {
		t.Fatal(err)
	}
	w.AdvanceTo(end)
	return alone{w}
}

// FuzzRequest: whatever comes in, the answer is JSON, the protocol's version or
// a refusal in the daemons' own words.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{"{\"prefix\":\"version\"}\x00", "{\"prefix\":\"perf dump\",\"logger\":\"osd\"}\n", "\x00\x00\x00\x00", "\x00\x00\x00\x01", "version\n", "{}\x00", "{\"prefix\":7}\x00"} {
		f.Add([]byte(seed))
	}
	a := build(f)
	c := a.w.Tiers[0].Cluster
	s := NewSockets(a, f.TempDir(), 0, c)
	d := daemon{c, "osd", "0", c.OSDs[0]}
	f.Fuzz(func(t *testing.T, sent []byte) {
		request, err := readRequest(bufio.NewReader(bytes.NewReader(sent)))
		if err != nil {
			return
		}
		if body := s.answer(d, request); !json.Valid(body) && !bytes.HasPrefix(body, []byte("ERROR: (")) {
			t.Errorf("%q is answered %.100q", request, body)
		}
	})
}

// TestCountersOnlyGrow asks for the counters over two days, through the night.
func TestCountersOnlyGrow(t *testing.T) {
	a := build(t)
	c := a.w.Tiers[0].Cluster
	s := NewSockets(a, t.TempDir(), 0, c)
	d := daemon{c, "osd", "3", c.OSDs[3]}
	last := map[string]float64{}
	for range 32 {
		a.w.AdvanceTo(a.w.Now.Add(90 * time.Minute))
		var dump map[string]map[string]any
		if err := json.Unmarshal(s.run(d, map[string]any{"prefix": "perf dump"}), &dump); err != nil {
			t.Fatal(err)
		}
		for group, counters := range dump {
			for name, v := range counters {
				kind := schemaOf("osd")[group][name].Type
				key, value, counts := group+"."+name, 0.0, kind&(typeCounter|typeAverage) != 0
				switch x := v.(type) {
				case float64:
					value = x
				case map[string]any:
					value, _ = x["sum"].(float64)
				}
				if counts && value < last[key] {
					t.Fatalf("%s fell from %v to %v", key, last[key], value)
				}
				last[key] = value
			}
		}
	}
	if last["osd.op_r"] == 0 || last["osd.op_w_latency"] == 0 {
		t.Error("nothing was counted")
	}
}

// TestDownOSD follows an OSD that is killed, marked out and repaired through
// the answers of the monitors.
func TestDownOSD(t *testing.T) {
	a := build(t)
	w, c := a.w, a.w.Tiers[0].Cluster
	mon := NewMon(a, c)
	ask := func(command map[string]any, into any) {
		t.Helper()
		b, err := mon.Command(t.Context(), command)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, into); err != nil {
			t.Fatal(err)
		}
	}
	look := func() (status string, checks map[string]any, degraded float64, out int, states map[string]int) {
		var health struct {
			Status string
			Checks map[string]any
		}
		var st struct {
			PGMap struct {
				Degraded float64 `json:"degraded_ratio"`
			}
		}
		var dump struct{ OSDs []struct{ Up, In int } }
		var pgs struct {
			Stats []struct{ State string } `json:"pg_stats"`
		}
		ask(map[string]any{"prefix": "health"}, &health)
		ask(map[string]any{"prefix": "status"}, &st)
		ask(map[string]any{"prefix": "osd dump"}, &dump)
		ask(map[string]any{"prefix": "pg dump", "dumpcontents": []string{"pgs_brief"}}, &pgs)
		states = map[string]int{}
		for _, p := range pgs.Stats {
			states[p.State]++
		}
		for _, o := range dump.OSDs {
			out += 1 - o.In
		}
		return health.Status, health.Checks, st.PGMap.Degraded, out, states
	}
	if status, _, degraded, out, states := look(); status != "HEALTH_OK" || degraded != 0 || out != 0 || len(states) != 1 {
		t.Errorf("whole: %s, degraded %v, %d out, %v", status, degraded, out, states)
	}
	w.SetOSDUp(c, c.OSDs[0], false)
	status, checks, degraded, out, states := look()
	if status != "HEALTH_WARN" || checks["OSD_DOWN"] == nil || checks["PG_DEGRADED"] == nil || degraded == 0 || out != 0 || states["active+undersized+degraded"] == 0 {
		t.Errorf("down: %s %v, degraded %v, %d out, %v", status, checks, degraded, out, states)
	}
	before := w.Usage(c)
	w.AdvanceTo(w.Now.Add(11 * time.Minute))
	if status, _, _, out, _ := look(); status != "HEALTH_OK" || out != 1 {
		t.Errorf("out: %s, %d out", status, out)
	}
	if after := w.Usage(c); after.Total >= before.Total || after.OSDUsed[0] != 0 || after.OSDUsed[1] <= before.OSDUsed[1] || after.MaxAvail[2] >= before.MaxAvail[2] {
		t.Errorf("the others did not take what the OSD held: %+v, then %+v", before, after)
	}
	w.SetOSDUp(c, c.OSDs[0], true)
	if status, _, _, out, _ := look(); status != "HEALTH_OK" || out != 0 {
		t.Errorf("repaired: %s, %d out", status, out)
	}
	if _, err := mon.Command(t.Context(), map[string]any{"prefix": "osd destroy"}); err == nil {
		t.Error("a command that changes the cluster was taken")
	}
}
