package clickhouse

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"

	"mcloud"
	"mcloud/collector/embedded/embeddedtest"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func at(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }

func object(id, name, attributes string) mcloud.Object {
	return mcloud.Object{Kind: mcloud.KindServer, ID: id, Name: name, Project: "p'1\n\t", Parent: "h\\1", Attributes: json.RawMessage(attributes)}
}

func look(minute int, complete bool, objects ...mcloud.Object) mcloud.Inventory {
	return mcloud.Inventory{Cloud: "c1", Scope: "nova", Kind: mcloud.KindServer, Time: at(minute), Complete: complete, Objects: objects}
}

// since makes a look the difference to that of another minute.
func since(minute int, v mcloud.Inventory, count int, gone ...string) mcloud.Inventory {
	v.Since, v.Count, v.Gone = at(minute), count, gone
	return v
}

func TestInventory(t *testing.T) {
	db := open(t)
	// story tells the lives of objects as "id name attributes from-to" in minutes.
	story := func(versions []mcloud.Version, err error) []string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		told := []string{}
		for _, v := range versions {
			if v.Kind != mcloud.KindServer || v.Cloud != "c1" || v.Project != "p'1\n\t" || v.Parent != "h\\1" {
				t.Errorf("lost something: %+v", v)
			}
			to := ""
			if !v.To.IsZero() {
				to = fmt.Sprint(v.To.Sub(noon).Minutes())
			}
			told = append(told, fmt.Sprintf("%s %s %s %v-%s", v.ID, v.Name, v.Attributes, v.From.Sub(noon).Minutes(), to))
		}
		return told
	}
	a1, a2, b, c := object("a", "A", `{"n":1}`), object("a", "A", `{"n":2}`), object("b", "B", `{}`), object("c", "C", `{"q":"'\\"}`)
	for i, step := range []struct {
		look    mcloud.Inventory
		want    InventoryResult
		restart bool // forget everything before
		refused error
		now     []string
	}{
		{look: look(0, true, a1, b), want: InventoryResult{Added: 2}, now: []string{`a A {"n":1} 0-`, `b B {} 0-`}},
		{look: look(0, true, a1, b), now: []string{`a A {"n":1} 0-`, `b B {} 0-`}},
		{look: look(1, true, object("a", "A", `{ "n" : 1 }`), b), now: []string{`a A {"n":1} 0-`, `b B {} 0-`}},
		{look: look(2, true, a2, b), want: InventoryResult{Changed: 1}, now: []string{`a A {"n":2} 2-`, `b B {} 0-`}},
		{look: look(1, true), want: InventoryResult{Stale: true}, now: []string{`a A {"n":2} 2-`, `b B {} 0-`}},
		{look: look(3, false, c), want: InventoryResult{Added: 1}, now: []string{`a A {"n":2} 2-`, `b B {} 0-`, `c C {"q":"'\\"} 3-`}},
		{look: look(3, false, c), restart: true, now: []string{`a A {"n":2} 2-`, `b B {} 0-`, `c C {"q":"'\\"} 3-`}},
		{look: look(2, true), restart: true, want: InventoryResult{Stale: true}, now: []string{`a A {"n":2} 2-`, `b B {} 0-`, `c C {"q":"'\\"} 3-`}},
		{look: look(4, true, a2, c), restart: true, want: InventoryResult{Gone: 1}, now: []string{`a A {"n":2} 2-`, `c C {"q":"'\\"} 3-`}},
		{look: look(5, true, a2, c), restart: true, now: []string{`a A {"n":2} 2-`, `c C {"q":"'\\"} 3-`}},
		{look: look(6, true, a1, b, c), want: InventoryResult{Added: 1, Changed: 1}, now: []string{`a A {"n":1} 6-`, `b B {} 6-`, `c C {"q":"'\\"} 3-`}},
		{look: look(7, true), want: InventoryResult{Gone: 3}, now: []string{}},
		{look: look(8, true, a1, b), want: InventoryResult{Added: 2}, now: []string{`a A {"n":1} 8-`, `b B {} 8-`}},
		{look: since(8, look(9, false, a2, c), 2, "b", "never"), restart: true, want: InventoryResult{Added: 1, Changed: 1, Gone: 1}, now: []string{`a A {"n":2} 9-`, `c C {"q":"'\\"} 9-`}},
		{look: since(8, look(9, false, a2, c), 2, "b", "never"), now: []string{`a A {"n":2} 9-`, `c C {"q":"'\\"} 9-`}},
		{look: since(8, look(10, false, a1), 1, "c"), refused: mcloud.ErrOutdated, now: []string{`a A {"n":2} 9-`, `c C {"q":"'\\"} 9-`}},
		{look: since(6, look(8, false, a1), 1, "c"), want: InventoryResult{Stale: true}, now: []string{`a A {"n":2} 9-`, `c C {"q":"'\\"} 9-`}},
		{look: look(10, false, b), want: InventoryResult{Added: 1}, now: []string{`a A {"n":2} 9-`, `b B {} 10-`, `c C {"q":"'\\"} 9-`}},
		{look: since(9, look(11, false), 1, "c"), refused: mcloud.ErrOutdated, restart: true, now: []string{`a A {"n":2} 9-`, `b B {} 10-`, `c C {"q":"'\\"} 9-`}},
		{look: look(12, true), want: InventoryResult{Gone: 3}, now: []string{}},
	} {
		if step.restart {
			db.inventories.init()
		}
		got, err := db.WriteInventory(t.Context(), step.look)
		if !errors.Is(err, step.refused) || err != nil && step.refused == nil || got != step.want {
			t.Errorf("step %d: %+v %v, want %+v", i, got, err, step.want)
		}
		if diff := cmp.Diff(step.now, story(db.Objects(t.Context(), "c1", mcloud.KindServer, time.Time{}))); diff != "" {
			t.Errorf("step %d, now: %s", i, diff)
		}
	}
	// Other scopes and clouds are not touched.
	other := look(0, true, object("x", "X", `{}`))
	other.Scope = "nova2"
	if got, err := db.WriteInventory(t.Context(), other); err != nil || got.Added != 1 {
		t.Errorf("another scope: %+v %v", got, err)
	}
	for _, c := range []struct {
		from, to int
		want     []string
	}{
		{-5, 0, []string{}},
		{0, 1, []string{`a A {"n":1} 0-2`, `b B {} 0-4`, `x X {} 0-`}},
		{1, 2, []string{`a A {"n":1} 0-2`, `b B {} 0-4`, `x X {} 0-`}},
		{2, 4, []string{`a A {"n":2} 2-6`, `b B {} 0-4`, `c C {"q":"'\\"} 3-7`, `x X {} 0-`}},
		{4, 6, []string{`a A {"n":2} 2-6`, `c C {"q":"'\\"} 3-7`, `x X {} 0-`}},
		{0, 100, []string{`a A {"n":1} 0-2`, `a A {"n":2} 2-6`, `a A {"n":1} 6-7`, `a A {"n":1} 8-9`, `a A {"n":2} 9-12`,
			`b B {} 0-4`, `b B {} 6-7`, `b B {} 8-9`, `b B {} 10-12`, `c C {"q":"'\\"} 3-7`, `c C {"q":"'\\"} 9-12`, `x X {} 0-`}},
		{7, 8, []string{`x X {} 0-`}},
	} {
		if diff := cmp.Diff(c.want, story(db.Versions(t.Context(), "c1", mcloud.KindServer, at(c.from), at(c.to)))); diff != "" {
			t.Errorf("versions of [%d, %d): %s", c.from, c.to, diff)
		}
	}
	if diff := cmp.Diff([]string{`a A {"n":2} 2-6`, `c C {"q":"'\\"} 3-7`, `x X {} 0-`}, story(db.Objects(t.Context(), "c1", mcloud.KindServer, at(4)))); diff != "" {
		t.Errorf("at minute 4: %s", diff)
	}
	looks, err := db.Looks(t.Context(), "c1")
	want := []Look{
		{Cloud: "c1", Scope: "nova", Kind: mcloud.KindServer, At: at(12), Complete: true},
		{Cloud: "c1", Scope: "nova2", Kind: mcloud.KindServer, At: at(0), Complete: true, Count: 1},
	}
	if diff := cmp.Diff(want, looks); err != nil || diff != "" {
		t.Errorf("looks: %v %s", err, diff)
	}
	if looks, err := db.Looks(t.Context(), "nope"); err != nil || len(looks) != 0 {
		t.Errorf("looks of no cloud: %v %v", looks, err)
	}
}

// A write that half succeeds must be completed by the same look again.
func TestInventoryAfterFailure(t *testing.T) {
	db := open(t)
	if err := db.conn.Exec(t.Context(), "RENAME TABLE looks TO hidden"); err != nil {
		t.Fatal(err)
	}
	l := look(0, true, object("a", "A", `{}`))
	if _, err := db.WriteInventory(t.Context(), l); err == nil {
		t.Fatal("no error without the table")
	}
	if err := db.conn.Exec(t.Context(), "RENAME TABLE hidden TO looks"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := db.WriteInventory(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	versions, err := db.Objects(t.Context(), "c1", mcloud.KindServer, time.Time{})
	if err != nil || len(versions) != 1 {
		t.Errorf("%v %v", versions, err)
	}
}

// Two collectors of one store, between which an exporter goes to and fro: what the one
// wrote, the other knows.
func TestInventoryOfTwoCollectors(t *testing.T) {
	a := open(t)
	b := dial(t, a.options)
	v1, v2 := object("x", "X", `{"v":1}`), object("x", "X", `{"v":2}`)
	y := object("y", "Y", `{}`)
	for i, step := range []struct {
		to   *DB
		look mcloud.Inventory
		want InventoryResult
	}{
		{a, look(0, true, v1), InventoryResult{Added: 1}},
		{b, look(0, true, v1), InventoryResult{}}, // a's answer did not arrive
		{b, look(1, true, v1), InventoryResult{}},
		{a, look(2, true, v2, y), InventoryResult{Added: 1, Changed: 1}},
		{b, look(3, true, v1, y), InventoryResult{Changed: 1}}, // what b itself wrote last
		{b, look(4, true, v1), InventoryResult{Gone: 1}},
		{a, look(1, true, v2), InventoryResult{Stale: true}},
		{a, since(4, look(5, false, y), 2), InventoryResult{Added: 1}},
		{b, since(5, look(6, false), 1, "x"), InventoryResult{Gone: 1}},
	} {
		if got, err := step.to.WriteInventory(t.Context(), step.look); err != nil || got != step.want {
			t.Errorf("step %d: %+v %v, want %+v", i, got, err, step.want)
		}
	}
	versions, err := a.Versions(t.Context(), "c1", mcloud.KindServer, at(-1), at(100))
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, v := range versions {
		to := ""
		if !v.To.IsZero() {
			to = fmt.Sprint(v.To.Sub(noon).Minutes())
		}
		told = append(told, fmt.Sprintf("%s %s %v-%s", v.ID, v.Attributes, v.From.Sub(noon).Minutes(), to))
	}
	want := []string{`x {"v":1} 0-2`, `x {"v":2} 2-3`, `x {"v":1} 3-6`, `y {} 2-4`, `y {} 5-`}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	// The same events by both are there once.
	e := mcloud.Event{ID: "1", Time: noon, Cloud: "c1", Source: "nova", Kind: "instance.create.end", Severity: mcloud.SeverityInfo, Payload: json.RawMessage(`{}`)}
	for _, db := range []*DB{a, b, a} {
		if err := db.WriteEvents(t.Context(), []mcloud.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	if events, err := b.Events(t.Context(), EventFilter{}); err != nil || len(events) != 1 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

func TestInventoryRefuses(t *testing.T) {
	db := open(t)
	for _, l := range []mcloud.Inventory{{}, look(0, true, mcloud.Object{Kind: mcloud.KindServer, ID: "a"}), {Cloud: "c", Scope: "s", Kind: "k", Time: time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC)}} {
		if _, err := db.WriteInventory(t.Context(), l); !errors.Is(err, mcloud.ErrInvalid) {
			t.Errorf("%+v: %v", l, err)
		}
	}
}

func TestEvents(t *testing.T) {
	db := open(t)
	event := func(id string, minute int, cloud, source, kind, project, resource string) mcloud.Event {
		return mcloud.Event{ID: id, Time: at(minute).Add(123 * time.Millisecond), Cloud: cloud, Source: source, Kind: kind, Project: project, Resource: resource,
			Severity: mcloud.SeverityInfo, Payload: json.RawMessage(`{"a":"\n\n'\\"}`)}
	}
	all := []mcloud.Event{
		event("1", 0, "c1", "nova", "instance.create.end", "p1", "s1"),
		event("2", 1, "c1", "nova", "instance.delete.end", "p2", "s2"),
		event("3", 2, "c1", "cinder", "volume.create.end", "p1", "v'1\\"),
		event("1", 3, "c2", "nova", "instance.create.end", "p1", "s1"),
	}
	all[1].Payload, all[2].Severity = nil, mcloud.SeverityWarning
	for range 2 {
		if err := db.WriteEvents(t.Context(), append(all, all[0])); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		f    EventFilter
		want []mcloud.Event
	}{
		"all":       {EventFilter{}, all},
		"cloud":     {EventFilter{Cloud: "c2"}, all[3:]},
		"sources":   {EventFilter{Sources: []string{"cinder", "it's"}}, all[2:3]},
		"kinds":     {EventFilter{Cloud: "c1", Kinds: []string{"instance.create.end", "volume.create.end"}}, []mcloud.Event{all[0], all[2]}},
		"severity":  {EventFilter{Severities: []string{"warning", "critical"}}, all[2:3]},
		"project":   {EventFilter{Project: "p2"}, all[1:2]},
		"resource":  {EventFilter{Resource: "v'1\\"}, all[2:3]},
		"time":      {EventFilter{From: all[1].Time, To: all[3].Time}, all[1:3]},
		"limit":     {EventFilter{Limit: 2}, all[:2]},
		"nothing":   {EventFilter{Cloud: "' OR 1 = 1 --"}, nil},
		"injection": {EventFilter{Sources: []string{"']) OR has(['"}}, nil},
	} {
		got, err := db.Events(t.Context(), c.f)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	if clouds, err := db.Clouds(t.Context()); err != nil || strings.Join(clouds, " ") != "c1 c2" {
		t.Errorf("clouds: %v %v", clouds, err)
	}
	if err := db.WriteEvents(t.Context(), []mcloud.Event{all[0], {}}); !errors.Is(err, mcloud.ErrInvalid) || !strings.Contains(err.Error(), "events[1]") {
		t.Errorf("invalid: %v", err)
	}
}

// A store that was there and is not any more.
func TestUnavailable(t *testing.T) {
	url, database := embeddedtest.Database(t)
	proxy := httptest.NewServer(httputil.NewSingleHostReverseProxy(must(neturl.Parse(url))))
	defer proxy.Close()
	db := dial(t, Options{URL: proxy.URL, Database: database})
	proxy.CloseClientConnections()
	proxy.Close()
	if err := db.WriteEvents(t.Context(), []mcloud.Event{{ID: "1", Time: noon, Cloud: "c", Source: "s", Kind: "k", Severity: mcloud.SeverityInfo}}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("events: %v", err)
	}
	if _, err := db.WriteInventory(t.Context(), look(0, true)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("inventory: %v", err)
	}
	b := Batch{Series: []labels.Labels{series1("m")}, Ref: []uint32{0}, Time: []int64{base}, Value: []float64{1}}
	if err := db.WriteSamples(t.Context(), "t", b); !errors.Is(err, ErrUnavailable) {
		t.Errorf("samples: %v", err)
	}
	if _, err := db.Events(t.Context(), EventFilter{}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("reading: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
