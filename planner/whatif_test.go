package planner_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcloud"
	"mcloud/planner"
	"mcloud/planner/capacity"
	"mcloud/planner/forecast"
	"mcloud/planner/plannertest"
	"mcloud/planner/report"
	"mcloud/planner/scenario"
)

// book is a store of events, by Ledger's rules.
type book struct {
	planner.Inventory
	mu     sync.Mutex
	events []mcloud.Event
	fail   error
}

func (b *book) Post(_ context.Context, batch mcloud.Batch) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail == nil {
		b.events = append(b.events, batch.Events...)
	}
	return errors.Join(b.fail, batch.Validate())
}

func (b *book) Events(_ context.Context, f planner.EventFilter) (found []mcloud.Event, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if e.Cloud == f.Cloud && slices.Contains(f.Kinds, e.Kind) && (f.To.IsZero() || e.Time.Before(f.To)) {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b mcloud.Event) int { return a.Time.Compare(b.Time) })
	return found, b.fail
}

// keeping is a planner that keeps promises, whose clock stands.
func keeping(t *testing.T, change func(*planner.Options)) (*planner.Planner, planner.Keeper, *book) {
	t.Helper()
	o := plannertest.Options()
	b := &book{Inventory: o.Inventory}
	clock := plannertest.At.Add(-time.Hour)
	k := planner.Keeper{Cloud: o.Cloud, Ledger: b, Recorder: b, Now: func() time.Time { clock = clock.Add(time.Second); return clock }}
	o.Promises = k
	if change != nil {
		change(&o)
	}
	p, err := planner.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p, k, b
}

func changes(t *testing.T, texts ...string) []scenario.Change {
	t.Helper()
	var all []scenario.Change
	for _, text := range texts {
		action, rest, _ := strings.Cut(text, " ")
		c, err := scenario.Parse(scenario.Action(action), rest)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

func ask(t *testing.T, p *planner.Planner, name string, texts ...string) report.WhatIf {
	t.Helper()
	a, err := p.WhatIf(context.Background(), name, changes(t, texts...))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func row(t *testing.T, a report.WhatIf, kind scenario.Kind, name, class string) report.WhatIfRow {
	t.Helper()
	for _, r := range a.Rows {
		if r.Subject == (scenario.Subject{Kind: kind, Name: name, Class: class}) {
			return r
		}
	}
	t.Fatalf("no row for %s %s %s in %+v", kind, name, class, a.Rows)
	return report.WhatIfRow{}
}

func TestWhatIf(t *testing.T) {
	p, _, _ := keeping(t, nil)
	base, err := p.Report(context.Background(), plannertest.At)
	if err != nil {
		t.Fatal(err)
	}
	a := ask(t, p, "", "add-host az=az-a,count=2", "project az=az-b,flavors=m1.large:10,from=2026-12-01", "growth percent=50,tier=nvme")
	if a.Cloud != "test" || len(a.Partial) != 0 || len(a.Rows) != 10 {
		t.Fatalf("%d rows, missing %v", len(a.Rows), a.Partial)
	}
	// Before is what the report says.
	for _, z := range base.Zones {
		for _, o := range z.Outlooks {
			if r := row(t, a, scenario.Zone, z.Zone, o.Class); r.Before.Limit != o.Limit || !sameDate(r.Before.Crossing.P50, o.Crossing.P50) || !sameDate(r.Before.Crossing.P10, o.Crossing.P10) {
				t.Errorf("%s: before %+v, the report has limit %g, P50 %v", r.Subject, r.Before, o.Limit, o.Crossing.P50)
			}
		}
	}
	memory := row(t, a, scenario.Zone, "az-a", "MEMORY_MB")
	if want := 2. * (786432 - 16384); memory.After.Limit-memory.Before.Limit != want || memory.Days.P50 == nil || *memory.Days.P50 < 50 {
		t.Errorf("two hosts add %g MiB, want %g; P50 moves by %v days", memory.After.Limit-memory.Before.Limit, want, memory.Days.P50)
	}
	if b := row(t, a, scenario.Zone, "az-b", "VCPU"); b.After.Demand != 80 || b.After.Limit != b.Before.Limit || !b.Changed {
		t.Errorf("ten m1.large add %+v", b.After)
	}
	if n := row(t, a, scenario.Tier, "nvme", ""); *n.Days.P50 >= 0 || n.Result == "" {
		t.Errorf("half as much growth again moves nvme by %g days", *n.Days.P50)
	}
	if c := row(t, a, scenario.Zone, "az-c", "VCPU"); c.Changed || !sameDate(c.Before.Crossing.P50, c.After.Crossing.P50) {
		t.Errorf("az-c changes: %+v", c)
	}
	for i := 1; i < len(a.Rows); i++ {
		if a.Rows[i].Changed && !a.Rows[i-1].Changed {
			t.Error("what changes does not come first")
		}
	}
	for want, texts := range map[error][]string{
		scenario.ErrUnknown: {"add-host az=nowhere"},
		scenario.ErrInvalid: nil,
	} {
		if _, err := p.WhatIf(context.Background(), "", changes(t, texts...)); !errors.Is(err, want) {
			t.Errorf("%v: %v, want %v", texts, err, want)
		}
	}
}

func sameDate(a, b *time.Time) bool {
	return (a == nil) == (b == nil) && (a == nil || a.Equal(*b))
}

// TestCommitmentsCount: in every report, until they are removed or past, and never
// before they were stored.
func TestCommitmentsCount(t *testing.T) {
	p, k, _ := keeping(t, nil)
	ctx := context.Background()
	nvme := func() report.Outlook {
		d, err := p.Report(ctx, plannertest.At)
		if err != nil {
			t.Fatal(err)
		}
		for _, tier := range d.Tiers {
			if tier.Tier == "nvme" {
				return tier.Outlook
			}
		}
		t.Fatal("no tier nvme")
		return report.Outlook{}
	}
	alone := nvme()
	store := func(name string, texts ...string) {
		t.Helper()
		if _, err := k.Promise(ctx, scenario.Commitment{Name: name, Changes: changes(t, texts...)}); err != nil {
			t.Fatal(err)
		}
	}
	store("past", "project volumes=nvme:4TiB,from=2026-11-01")
	if with := nvme(); !sameDate(with.Crossing.P50, alone.Crossing.P50) {
		t.Errorf("what has come is counted twice: %v instead of %v", with.Crossing.P50, alone.Crossing.P50)
	}
	store("acme", "project volumes=nvme:1TiB,from=2026-12-15")
	store("acme", "project volumes=nvme:2TiB,from=2026-12-15") // in its place
	with := nvme()
	if !with.Crossing.P50.Before(*alone.Crossing.P50) || !with.OrderBy.Before(*alone.OrderBy) {
		t.Errorf("2 TiB promised: P50 %v, order by %v; without %v, %v", with.Crossing.P50, with.OrderBy, alone.Crossing.P50, alone.OrderBy)
	}
	// 2 TiB at about 0.045 TiB a day.
	if days := alone.Crossing.P50.Sub(*with.Crossing.P50).Hours() / 24; days < 25 || days > 70 {
		t.Errorf("2 TiB bring P50 forward by %g days", days)
	}
	if with.Purchase.Units < alone.Purchase.Units {
		t.Error("more demand buys less")
	}
	store("nodes", "add-osd tier=nvme,count=6,from=2026-12-10")
	both := nvme()
	if p50 := both.Crossing.P50; p50 != nil && !p50.After(*alone.Crossing.P50) || both.Limit != alone.Limit || both.Purchase.Units >= with.Purchase.Units {
		t.Errorf("twice the OSDs from December: P50 %v, limit now %g, buy %d", both.Crossing.P50, both.Limit, both.Purchase.Units)
	}
	if err := k.Withdraw(ctx, "acme"); err != nil {
		t.Fatal(err)
	}
	if err := k.Withdraw(ctx, "nodes"); err != nil {
		t.Fatal(err)
	}
	if again := nvme(); !sameDate(again.Crossing.P50, alone.Crossing.P50) {
		t.Errorf("after removal P50 is %v, want %v", again.Crossing.P50, alone.Crossing.P50)
	}
	if err := k.Withdraw(ctx, "acme"); !errors.Is(err, scenario.ErrUnknown) {
		t.Errorf("removed twice: %v", err)
	}
	if d, err := p.Report(ctx, plannertest.At.Add(-48*time.Hour)); err != nil || len(d.Commitments) != 0 {
		t.Errorf("the report of an earlier day knows of %v, %v", d.Commitments, err)
	}
}

// TestScenariosAreAnsweredAnew, in the report and by name.
func TestScenariosAreAnsweredAnew(t *testing.T) {
	p, k, _ := keeping(t, nil)
	ctx := context.Background()
	if _, err := k.Save(ctx, scenario.Scenario{Name: "bad", Note: "worse", Changes: changes(t, "lose datacenter=dc1", "growth percent=30")}); err != nil {
		t.Fatal(err)
	}
	d, err := p.Report(ctx, plannertest.At)
	if err != nil {
		t.Fatal(err)
	}
	stored := named(d, "bad")
	if stored == nil || len(stored.Rows) != 10 {
		t.Fatalf("the report answers %+v", d.Scenarios)
	}
	a := ask(t, p, "bad")
	if a.Note != "worse" || len(a.Changes) != 2 || a.Rows[0].Result != stored.Rows[0].Result {
		t.Errorf("asked by name: %+v", a)
	}
	if a := ask(t, p, "bad", "growth percent=10,tier=nvme"); len(a.Changes) != 3 {
		t.Errorf("with a change on top: %v", a.Changes)
	}
	if _, err := p.WhatIf(ctx, "bda", nil); !errors.Is(err, scenario.ErrUnknown) || !strings.Contains(err.Error(), `did you mean "bad"?`) {
		t.Error(err)
	}
	if err := k.Forget(ctx, "bad"); err != nil {
		t.Fatal(err)
	}
	if d, _ := p.Report(ctx, plannertest.At); named(d, "bad") != nil {
		t.Error("a removed scenario is answered")
	}
}

// named is a report's answer to a scenario, nil for none.
func named(d report.Document, name string) *report.WhatIf {
	for _, s := range d.Scenarios {
		if s.Scenario == name {
			return &s
		}
	}
	return nil
}

// TestUsualScenarios are answered by every report: dates come earlier with more growth,
// with a datacentre lost, with purchases late, and later without what is promised.
func TestUsualScenarios(t *testing.T) {
	p, k, _ := keeping(t, nil)
	ctx := context.Background()
	for name, text := range map[string]string{"acme": "project volumes=sas7k:30TiB+nvme:1TiB,from=2026-12-15", "nodes": "add-osd tier=nvme,count=2,size=14TiB,hosts=2,from=2026-12-10"} {
		if _, err := k.Promise(ctx, scenario.Commitment{Name: name, Changes: changes(t, text)}); err != nil {
			t.Fatal(err)
		}
	}
	d, err := p.Report(ctx, plannertest.At)
	if err != nil || len(d.Partial) != 0 {
		t.Fatalf("%v, missing %v", err, d.Partial)
	}
	var names []string
	for _, s := range d.Scenarios {
		names = append(names, s.Scenario)
	}
	if want := "growth 20 % more, growth 20 % less, nothing of what is promised, purchases 90 days late, datacentre dc1 is lost, datacentre dc2 is lost, datacentre dc3 is lost"; strings.Join(names, ", ") != want {
		t.Fatalf("scenarios %v, want %s", names, want)
	}
	for name, want := range map[string]func(r report.WhatIfRow) bool{
		"growth 20 % more": func(r report.WhatIfRow) bool { return r.Changed && (r.Days.P50 == nil || *r.Days.P50 < 0) },
		"growth 20 % less": func(r report.WhatIfRow) bool { return r.Changed && (r.Days.P50 == nil || *r.Days.P50 > 0) },
		"nothing of what is promised": func(r report.WhatIfRow) bool {
			return r.Changed == (r.Subject.Name == "nvme" || r.Subject.Name == "sas7k")
		},
		"purchases 90 days late": func(r report.WhatIfRow) bool {
			return r.Changed == (r.Subject.Name == "nvme") && (r.Days.P50 == nil || *r.Days.P50 <= 0)
		},
		"datacentre dc1 is lost": func(r report.WhatIfRow) bool { return !r.Changed || r.Subject.Name == "geo-nvme" },
	} {
		for _, r := range named(d, name).Rows {
			if !want(r) {
				t.Errorf("%s: %s changed %v, P50 moves by %v: %s", name, r.Subject, r.Changed, r.Days.P50, r.Result)
			}
		}
	}
}

// TestOneBadPromiseStaysAlone: what no longer fits the cloud is named, the rest counts.
func TestOneBadPromiseStaysAlone(t *testing.T) {
	p, k, b := keeping(t, nil)
	ctx := context.Background()
	for name, text := range map[string]string{"good": "add-host az=az-a,from=2027-01-01", "gone": "remove-host host=cmp-x9,from=2027-01-01"} {
		if _, err := k.Promise(ctx, scenario.Commitment{Name: name, Changes: changes(t, text)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.Save(ctx, scenario.Scenario{Name: "old", Changes: changes(t, "lose host=cmp-x9")}); err != nil {
		t.Fatal(err)
	}
	d, err := p.Report(ctx, plannertest.At)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Commitments) != 1 || d.Commitments[0].Name != "good" || len(d.Answers) != 7 {
		t.Errorf("commitments %v, %d answers", d.Commitments, len(d.Answers))
	}
	var missing []string
	for _, m := range d.Partial {
		missing = append(missing, m.What+": "+m.Why)
	}
	if all := strings.Join(missing, "\n"); !strings.Contains(all, `commitment gone: dates do not count with it: remove-host host=cmp-x9,from=2027-01-01: host "cmp-x9" is not known`) || !strings.Contains(all, "scenario old: ") {
		t.Errorf("missing: %s", all)
	}
	b.fail = errors.New("the store is away")
	if d, err := p.Report(ctx, plannertest.At); err != nil || len(d.Answers) != 7 || !strings.Contains(d.Partial[0].Why, "the store is away") {
		t.Errorf("without the store: %d answers, %v, %v", len(d.Answers), d.Partial, err)
	}
	if _, err := k.Promise(ctx, scenario.Commitment{Name: "x", Changes: changes(t, "add-host az=az-a,from=2027-01-01")}); err == nil {
		t.Error("nothing was stored, and nobody said so")
	}
}

// TestLossWithoutHistory: what dies now is told in amounts even when no date is known.
func TestLossWithoutHistory(t *testing.T) {
	p, _, _ := keeping(t, func(o *planner.Options) { o.History = &plannertest.History{Empty: true} })
	r := row(t, ask(t, p, "", "lose host=cmp-a1"), scenario.Zone, "az-a", "MEMORY_MB")
	if r.After.Limit != r.Before.Limit-(786432-16384) || r.After.Crossing.State != forecast.Over || r.Result != "is over its limit at once" {
		t.Errorf("%+v", r)
	}
	r = row(t, ask(t, p, "", "add-host az=az-a"), scenario.Zone, "az-a", "MEMORY_MB")
	if r.After.Limit != r.Before.Limit+(786432-16384) || r.After.Crossing.State != forecast.Unknown || r.Result != "no date is known: there is no forecast" {
		t.Errorf("%+v", r)
	}
	r = row(t, ask(t, p, "", "lose az=az-a"), scenario.Zone, "az-a", "MEMORY_MB")
	if r.Result != "does not fit: 3.34 TiB more than there is room for" {
		t.Errorf("%s of %g MiB", r.Result, r.Used)
	}
}

// TestLossesHaveDates: what each tier can keep when something dies, and until when.
func TestLossesHaveDates(t *testing.T) {
	p, _, _ := keeping(t, nil)
	d, err := p.Report(context.Background(), plannertest.At)
	if err != nil || len(d.Partial) != 0 {
		t.Fatalf("%v, missing %v", err, d.Partial)
	}
	for _, tier := range d.Tiers {
		var types []string
		for _, l := range tier.Outlook.Losses {
			types = append(types, l.Type)
			if l.SurvivableBytes <= 0 || l.SurvivableBytes-tier.StoredBytes != l.SpareBytes {
				t.Errorf("%s without %s %s keeps %g, spare %g, stored %g", tier.Tier, l.Type, l.Name, l.SurvivableBytes, l.SpareBytes, tier.StoredBytes)
			}
			if l.SurvivableBytes < tier.LimitBytes && l.Crossing.P50 != nil && tier.Outlook.Crossing.P50 != nil && l.Crossing.P50.After(*tier.Outlook.Crossing.P50) {
				t.Errorf("%s: less is met later", tier.Tier)
			}
		}
		want := "host"
		if tier.Tier == "geo-nvme" {
			want = "host datacenter"
		}
		if got := strings.Join(types, " "); got != want {
			t.Errorf("%s loses %s, want %s", tier.Tier, got, want)
		}
		// Six OSDs of which one is ahead by 4 % of the full line.
		if tier.Balance < 0.95 || tier.Balance > 0.97 || tier.BalanceGainBytes <= 0 {
			t.Errorf("%s: balance %g gains %g", tier.Tier, tier.Balance, tier.BalanceGainBytes)
		}
	}
	for _, tier := range d.Tiers {
		r := tier.Rooms[0]
		if len(tier.Rooms) != 1 || r.ToldBytes == nil || r.MaxAvailBytes == nil || r.NearfullBytes == nil || *r.NearfullBytes >= *r.RoomBytes {
			t.Fatalf("%s: %+v", tier.Tier, tier.Rooms)
		}
		if off := *r.MaxAvailBytes / *r.ToldBytes - 1; off < -0.005 || off > 0.005 {
			t.Errorf("%s: MAX AVAIL is off by %g", tier.Tier, off)
		}
		if want := map[bool]int{false: 1, true: 4}[tier.Tier == "geo-nvme"]; len(r.Without) != want {
			t.Errorf("%s without: %v", tier.Tier, r.Without)
		}
	}
}

func TestOrderAndCapacity(t *testing.T) {
	p, ctx := start(t, plannertest.Options()), context.Background()
	latest(t, p)
	if tiers, err := p.Storage(ctx, "nosuch"); !errors.Is(err, planner.ErrUnknown) || tiers != nil {
		t.Errorf("%v, %v", tiers, err)
	}
	if tiers, err := p.Storage(ctx, "nvme"); err != nil || len(tiers) != 1 || tiers[0].Tier != "nvme" {
		t.Errorf("%v, %v", tiers, err)
	}
	h, err := p.Order(ctx, "m1.large", "az-a", capacity.ServerGroup{})
	if err != nil || len(h.Order) != 6 || h.Order[5].Last != h.Servers {
		t.Errorf("%+v, %v", h, err)
	}
	for _, bad := range []func() error{
		func() error { _, err := p.Order(ctx, "m9", "", capacity.ServerGroup{}); return err },
		func() error { _, err := p.Order(ctx, "m1.large", "az-x", capacity.ServerGroup{}); return err },
	} {
		if err := bad(); !errors.Is(err, planner.ErrUnknown) {
			t.Error(err)
		}
	}
	if _, err := p.Order(ctx, "m1.large", "", capacity.ServerGroup{Policy: "x"}); !errors.Is(err, planner.ErrBadRequest) {
		t.Error(err)
	}
	for by, want := range map[string]int{"host": 36, "zone": 6, "cloud": 2, "aggregate": 0, "cell": 0} {
		rows, err := p.Capacity(ctx, by)
		if err != nil || len(rows) != want {
			t.Errorf("by %s: %d rows, %v, want %d", by, len(rows), err, want)
		}
		var allocated int64
		for _, r := range rows {
			allocated += r.Allocated
			if r.Class == "VCPU" && r.InService > 0 && r.Out == "" && (r.Used == nil || r.Allocatable != (r.Physical-r.Reserved)*4) {
				t.Errorf("%+v", r)
			}
		}
		if want > 0 && allocated == 0 {
			t.Errorf("by %s nothing is allocated", by)
		}
	}
	if _, err := p.Capacity(ctx, "continent"); !errors.Is(err, planner.ErrBadRequest) {
		t.Error(err)
	}
}
