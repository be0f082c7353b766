package planner_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mcloud"
	"mcloud/planner"
	"mcloud/planner/alertmanager"
	"mcloud/planner/plannertest"
	"mcloud/planner/rebalance"
	"mcloud/planner/report"
)

// diary is a ledger that can fail.
type diary struct {
	*plannertest.Ledger
	broken error
}

func (b *diary) Events(ctx context.Context, f planner.EventFilter) ([]mcloud.Event, error) {
	if b.broken != nil {
		return nil, b.broken
	}
	return b.Ledger.Events(ctx, f)
}

func (b *diary) Post(ctx context.Context, batch mcloud.Batch) error {
	if b.broken != nil {
		return b.broken
	}
	return b.Ledger.Post(ctx, batch)
}

// silencer keeps silences, and refuses from the one with the number fails on.
type silencer struct {
	open  map[string]alertmanager.Silence
	made  int
	fails int
}

func (s *silencer) Silence(_ context.Context, silence alertmanager.Silence) (string, error) {
	if s.made++; s.fails > 0 && s.made >= s.fails {
		return "", errors.New("refused")
	}
	id := fmt.Sprint("s", s.made)
	s.open[id] = silence
	return id, nil
}

func (s *silencer) Expire(_ context.Context, id string) error {
	delete(s.open, id)
	return nil
}

// holds says whether one of the open silences holds back an alert with the labels, as
// Alertmanager judges: regular expressions match the whole value.
func (s *silencer) holds(labels map[string]string) bool {
	for _, silence := range s.open {
		all := true
		for _, m := range silence.Matchers {
			if m.IsRegex {
				all = all && regexp.MustCompile("^(?:"+m.Value+")$").MatchString(labels[m.Name])
			} else {
				all = all && labels[m.Name] == m.Value
			}
		}
		if all {
			return true
		}
	}
	return false
}

func caretaker() (planner.Caretaker, *diary, *silencer, *time.Time) {
	now := plannertest.At
	b := &diary{Ledger: plannertest.NewLedger(plannertest.Options().Inventory)}
	s := &silencer{open: map[string]alertmanager.Silence{}}
	return planner.Caretaker{Cloud: plannertest.Options().Cloud, Ledger: b, Recorder: b, Silencer: s, Now: func() time.Time { return now }}, b, s, &now
}

func TestMaintenanceHoldsBackWhatItIsOf(t *testing.T) {
	l := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	cloud := plannertest.Options().Cloud
	for _, c := range []struct {
		of, name  string
		held, not []map[string]string
	}{
		{planner.OfHost, "cmp-a1", []map[string]string{l("host", "cmp-a1"), l("hostname", "cmp-a1.example.org"), l("instance", "cmp-a1.example.org:9100"), l("instance", "cmp-a1:9100")},
			[]map[string]string{l("host", "cmp-a10"), l("host", "xcmp-a1"), l("host", "cmp-a2"), l("alertname", "APIDown"), l("hostname", "cmp-b1.cmp-a1")}},
		{planner.OfHost, "stor.1", []map[string]string{l("hostname", "stor.1")}, []map[string]string{l("hostname", "storX1")}},
		{planner.OfZone, "az-a", []map[string]string{l("zone", "az-a", "cloud", cloud), l("host", "cmp-a1"), l("host", "cmp-a2")}, []map[string]string{l("host", "cmp-b1"), l("zone", "az-b", "cloud", cloud), l("zone", "az-a", "cloud", "other")}},
		{planner.OfCluster, "geo", []map[string]string{l("cluster", "geo", "ceph_daemon", "osd.1")}, []map[string]string{l("cluster", "fast"), l()}},
		{planner.OfDatacenter, "geo/dc1", []map[string]string{l("cluster", "geo", "datacenter", "dc1")}, []map[string]string{l("cluster", "geo", "datacenter", "dc2"), l("cluster", "geo")}},
	} {
		k, _, s, now := caretaker()
		m, err := k.Start(t.Context(), planner.Maintenance{Of: c.of, Name: c.name, Until: now.Add(time.Hour), Reason: "new memory", By: "ana"})
		if err != nil {
			t.Fatalf("%s %s: %v", c.of, c.name, err)
		}
		for _, labels := range c.held {
			if !s.holds(labels) {
				t.Errorf("%s %s: %v still pages", c.of, c.name, labels)
			}
		}
		for _, labels := range c.not {
			if s.holds(labels) {
				t.Errorf("%s %s: %v is held back", c.of, c.name, labels)
			}
		}
		for _, silence := range s.open {
			if !silence.EndsAt.Equal(m.Until) || silence.CreatedBy != "ana" || !strings.Contains(silence.Comment, m.ID) || !strings.Contains(silence.Comment, "new memory") {
				t.Errorf("silence %+v of %+v", silence, m)
			}
		}
		*now = now.Add(time.Minute)
		ended, err := k.End(t.Context(), m.ID)
		if err != nil || !ended.Ended.Equal(*now) || len(s.open) != 0 {
			t.Errorf("end: %+v %v, open %v", ended, err, s.open)
		}
		if again, err := k.End(t.Context(), m.ID); err != nil || !again.Ended.Equal(ended.Ended) {
			t.Errorf("end again: %+v %v", again, err)
		}
	}
}

func TestMaintenanceIsAllOrNothing(t *testing.T) {
	k, b, s, now := caretaker()
	s.fails = 2
	m := planner.Maintenance{Of: planner.OfHost, Name: "cmp-a1", Until: now.Add(time.Hour), Reason: "r", By: "b"}
	_, err := k.Start(t.Context(), m)
	if events, failed := b.Events(t.Context(), planner.EventFilter{}); !errors.Is(err, planner.ErrSilencer) || len(s.open) != 0 || len(events) != 0 || failed != nil {
		t.Errorf("%v, silences %v, events %v, %v", err, s.open, events, failed)
	}
	s.fails, b.broken = 0, errors.New("no store")
	if _, err := k.Start(t.Context(), m); err == nil || len(s.open) != 0 {
		t.Errorf("%v, silences %v", err, s.open)
	}
	b.broken = nil
	for name, change := range map[string]func(*planner.Maintenance){
		"no name": func(m *planner.Maintenance) { m.Name = "" }, "a kind that there is not": func(m *planner.Maintenance) { m.Of = "rack" },
		"over already": func(m *planner.Maintenance) { m.Until = now.Add(-time.Minute) }, "a year": func(m *planner.Maintenance) { m.Until = now.AddDate(1, 0, 0) },
		"no reason": func(m *planner.Maintenance) { m.Reason = " " }, "nobody": func(m *planner.Maintenance) { m.By = "" },
		"a datacentre of no cluster": func(m *planner.Maintenance) { m.Of, m.Name = planner.OfDatacenter, "dc1" },
		"ends before it begins":      func(m *planner.Maintenance) { m.From = m.Until.Add(time.Minute) },
	} {
		wrong := m
		change(&wrong)
		if _, err := k.Start(t.Context(), wrong); !errors.Is(err, planner.ErrBadRequest) || len(s.open) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := k.Start(t.Context(), planner.Maintenance{Of: planner.OfZone, Name: "az-nowhere", Until: m.Until, Reason: "r", By: "b"}); !errors.Is(err, planner.ErrUnknown) {
		t.Errorf("a zone without hosts: %v", err)
	}
	if _, err := k.End(t.Context(), "nothing"); !errors.Is(err, planner.ErrUnknown) {
		t.Errorf("end of nothing: %v", err)
	}
}

// TestPlansRespectMaintenance: what the plan compares is not usable from the window's
// begin to its end, whichever comes first.
func TestPlansRespectMaintenance(t *testing.T) {
	k, b, _, now := caretaker()
	steerer := planner.Steerer{Cloud: k.Cloud, Ledger: b, Recorder: b, Options: rebalance.Options{}, Now: k.Now}
	inMaintenance := func() (names []string) {
		p, err := steerer.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range p.Hosts {
			if strings.Contains(h.Unusable, "in maintenance") {
				names = append(names, h.ServiceHost)
			}
		}
		slices.Sort(names)
		return names
	}
	if got := inMaintenance(); len(got) > 0 {
		t.Fatalf("before: %v", got)
	}
	begins := now.Add(time.Hour)
	m, err := k.Start(t.Context(), planner.Maintenance{Of: planner.OfHost, Name: "cmp-a2", From: begins, Until: begins.Add(time.Hour), Reason: "r", By: "b"})
	if err != nil || !slices.Equal(m.Hosts, []string{"cmp-a2"}) {
		t.Fatalf("%+v %v", m, err)
	}
	for _, step := range []struct {
		at   time.Time
		want []string
	}{{begins.Add(-time.Second), nil}, {begins, []string{"cmp-a2"}}, {m.Until.Add(-time.Second), []string{"cmp-a2"}}, {m.Until, nil}} {
		*now = step.at
		if got := inMaintenance(); !slices.Equal(got, step.want) {
			t.Errorf("at %s: %v, want %v", step.at, got, step.want)
		}
	}
	*now = begins.Add(time.Minute)
	if _, err := k.End(t.Context(), m.ID); err != nil {
		t.Fatal(err)
	}
	if got := inMaintenance(); len(got) > 0 {
		t.Errorf("after its end: %v", got)
	}
	all, err := k.All(t.Context())
	if err != nil || len(all) != 1 || all[0].Ended.IsZero() {
		t.Errorf("%+v %v", all, err)
	}
}

// TestReportsTellOfMaintenance: a host in a window counts as it did, and its row says that
// somebody works on it.
func TestReportsTellOfMaintenance(t *testing.T) {
	k, b, _, now := caretaker()
	m, err := k.Start(t.Context(), planner.Maintenance{Of: planner.OfHost, Name: "cmp-a2", From: *now, Until: now.Add(time.Hour), Reason: "new fans", By: "b"})
	if err != nil {
		t.Fatal(err)
	}
	// One that is not open yet.
	if _, err := k.Start(t.Context(), planner.Maintenance{Of: planner.OfHost, Name: "cmp-b1", From: now.Add(2 * time.Hour), Until: now.Add(3 * time.Hour), Reason: "later", By: "b"}); err != nil {
		t.Fatal(err)
	}
	o := plannertest.Options()
	o.Ledger, o.QuickStart = b, true
	p := start(t, o)
	plainDocument, d := latest(t, shared(t)), latest(t, p)
	told := map[string]string{}
	for i, h := range d.Hosts {
		if h.Maintenance != "" {
			told[h.Name] = h.Maintenance
		}
		if !reflect.DeepEqual(h.Classes, plainDocument.Hosts[i].Classes) {
			t.Errorf("%s: %+v, without a window %+v", h.Name, h.Classes, plainDocument.Hosts[i].Classes)
		}
	}
	if want := m.ID + " until 2026-"; len(told) != 1 || !strings.HasPrefix(told["cmp-a2"], want) || !strings.HasSuffix(told["cmp-a2"], ": new fans") {
		t.Errorf("%v, want cmp-a2: %s…", told, want)
	}
	var table, sheet strings.Builder
	rows := report.CapacityRows(d, "host")
	if err := errors.Join(report.WriteCapacityTable(&table, rows), report.WriteCapacityCSV(&sheet, rows)); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(table.String(), "in maintenance "+m.ID); n != 1 {
		t.Errorf("the table tells of it %d times:\n%s", n, table.String())
	}
	if !strings.Contains(sheet.String(), told["cmp-a2"]) {
		t.Errorf("the sheet does not:\n%s", sheet.String())
	}

	b.broken = errors.New("store away")
	o.Ledger = b
	d = latest(t, start(t, o))
	if !slices.ContainsFunc(d.Partial, func(m report.Missing) bool {
		return m.What == "which hosts are in maintenance" && strings.Contains(m.Why, "store away")
	}) {
		t.Errorf("missing: %v", d.Partial)
	}
}
