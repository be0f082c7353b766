package ceph

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"mcloud"
	"mcloud/exporters"
)

// logOf answers "log last" with the last num of n entries.
func logOf(n *int) func(context.Context, map[string]any) ([]byte, error) {
	return func(_ context.Context, command map[string]any) ([]byte, error) {
		if command["channel"] != "*" || command["level"] != "info" {
			return nil, fmt.Errorf("asked for %v", command)
		}
		entries := []logEntry{}
		for i := max(0, *n-command["num"].(int)); i < *n; i++ {
			entries = append(entries, logEntry{Name: "mon.a", Stamp: time.Unix(1.8e9+int64(i), 0).UTC().Format("2006-01-02T15:04:05.000000+0000"),
				Seq: json.Number(fmt.Sprint(i)), Channel: "cluster", Priority: "[WRN]", Message: fmt.Sprint("entry ", i)})
		}
		return json.Marshal(entries)
	}
}

type monFunc func(ctx context.Context, command map[string]any) ([]byte, error)

func (f monFunc) Command(ctx context.Context, command map[string]any) ([]byte, error) {
	return f(ctx, command)
}
func (monFunc) Close() {}

func events(t *testing.T, s exporters.Source) []mcloud.Event {
	t.Helper()
	snap, err := collect(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return snap.Events
}

func TestLogEntriesAreEventsOnce(t *testing.T) {
	n := 0
	s := sources(t, testConfig(), monFunc(logOf(&n)))["ceph_log"]
	ids := map[string]bool{}
	for _, step := range []struct{ entries, fresh int }{{0, 0}, {3, 3}, {3, 0}, {150, 147}, {5150, 5000}, {5150, 0}} {
		n = step.entries
		got := events(t, s)
		if len(got) != step.fresh {
			t.Errorf("at %d entries there are %d events, want %d", step.entries, len(got), step.fresh)
		}
		for _, e := range got {
			if ids[e.ID] {
				t.Errorf("twice: %s", e.Payload)
			}
			ids[e.ID] = true
		}
	}
	// A new start of the exporter gives the same ids again, which the store knows.
	for _, e := range events(t, sources(t, testConfig(), monFunc(logOf(&n)))["ceph_log"]) {
		if !ids[e.ID] {
			t.Errorf("another id after a restart: %s", e.Payload)
		}
	}
}

// While no monitor has entries, as after the first start of one, nothing is
// forgotten.
func TestEmptyLogForgetsNothing(t *testing.T) {
	n := 5
	s := sources(t, testConfig(), monFunc(logOf(&n)))["ceph_log"]
	events(t, s)
	n = 0
	events(t, s)
	n = 5
	if got := events(t, s); len(got) != 0 {
		t.Errorf("%d events again", len(got))
	}
}

func TestAuditEntriesNameTheCommandAndNoValue(t *testing.T) {
	for message, want := range map[string]string{
		`from='client.? 127.0.0.1:0/1' entity='client.admin' cmd='[{"prefix": "config set", "who": "mgr", "name": "mgr/x/password", "value": "hunter2"}]': finished`:  `{"args":{"name":"mgr/x/password","who":"mgr"},"command":"config set","entity":"client.admin","message":"client.admin: config set: finished","outcome":"finished"}`,
		`from='mgr.4107 ' entity='mgr.y' cmd=[{"prefix":"osd out","ids":["3"]}]: dispatch`:                                                                            `{"args":{"ids":["3"]},"command":"osd out","entity":"mgr.y","message":"mgr.y: osd out: dispatch","outcome":"dispatch"}`,
		`from='client.? ' entity='client.admin' cmd='[{"prefix": "auth add", "entity": "client.x", "caps": ["mon", "allow hunter2"], "key": "AQhunter2"}]': finished`: `{"args":{"entity":"client.x"},"command":"auth add","entity":"client.admin","message":"client.admin: auth add: finished","outcome":"finished"}`,
		`from='client.? ' entity='client.admin' cmd='[{"prefix": "config-key set", "key": "hunter2/cert", "val": "hunter2"}]': finished`:                              `{"command":"config-key set","entity":"client.admin","message":"client.admin: config-key set: finished","outcome":"finished"}`,
		`from='admin socket' entity='admin socket' cmd=smart args=[json]: finished`:                                                                                   `{"entity":"admin socket","message":"a command"}`,
		`from='client.? ' entity='client.admin' cmd='[{"prefix": "broken hunter2': finished`:                                                                          `{"entity":"client.admin","message":"a command"}`,
		`hunter2`: `{"message":"a command"}`,
	} {
		got, err := json.Marshal(auditPayload(message))
		if err != nil || string(got) != want || strings.Contains(string(got), "hunter2") {
			t.Errorf("%s\n%s, %v, want\n%s", message, got, err, want)
		}
	}
}

func TestTransitionsAreEvents(t *testing.T) {
	down := false
	mon := fakeMon{dir: "testdata/18.2/geo"}
	mon.answer = func(_ context.Context, prefix string) ([]byte, error) {
		if !down {
			return nil, nil
		}
		switch prefix {
		case "health":
			return os.ReadFile("testdata/18.2/osd-down/health_detail.json")
		case "quorum_status":
			return changed("testdata/18.2/geo/quorum_status.json", `"quorum":[0,1,2]`, `"quorum":[0,1]`)
		case "osd dump":
			b, err := os.ReadFile("testdata/18.2/geo/osd_dump.json")
			return []byte(strings.Replace(string(b), `"up":1`, `"up":0`, 1)), err
		}
		return nil, nil
	}
	all := sources(t, testConfig(), mon)
	look := func() (kinds []string) {
		for _, name := range []string{"ceph_health", "ceph_osd"} {
			snap, _ := collect(t, all[name])
			for _, e := range snap.Events {
				var p struct{ Name, From, To string }
				if err := json.Unmarshal(e.Payload, &p); err != nil {
					t.Fatal(err)
				}
				kinds = append(kinds, fmt.Sprintf("%s %s %s>%s %s", e.Kind, p.Name, p.From, p.To, e.Severity))
			}
		}
		return kinds
	}
	if got := look(); len(got) != 0 {
		t.Errorf("the first look has events: %q", got)
	}
	down = true
	got := strings.Join(look(), "\n")
	for _, want := range []string{"health.status c1 HEALTH_OK>HEALTH_WARN warning", "health.check OSD_DOWN >HEALTH_WARN warning",
		"mon.quorum mon.c in>out warning", "osd.state osd.0 up_in>down_in warning"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := look(); len(got) != 0 {
		t.Errorf("nothing changed and there are events: %q", got)
	}
	down = false
	if got := strings.Join(look(), "\n"); !strings.Contains(got, "health.check OSD_DOWN HEALTH_WARN> info") {
		t.Errorf("the check is gone: %s", got)
	}
}

func changed(path, from, to string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if !strings.Contains(string(b), from) {
		return nil, fmt.Errorf("%s does not hold %s", path, from)
	}
	return []byte(strings.Replace(string(b), from, to, 1)), err
}

func FuzzAudit(f *testing.F) {
	f.Add(`from='client.? ' entity='client.admin' cmd='[{"prefix": "config set", "name": "x", "value": "y"}]': finished`)
	f.Add(`entity='a' cmd=[{"prefix":1,"ids":{}}]: x`)
	f.Fuzz(func(t *testing.T, message string) {
		if _, err := json.Marshal(auditPayload(message)); err != nil {
			t.Error(err)
		}
	})
}
