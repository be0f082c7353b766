package reclaim_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/apd/v3"
	"pgregory.net/rapid"

	"mcloud"
	"mcloud/planner/chargeback"
	"mcloud/planner/reclaim"
)

var at = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func ago(days float64) time.Time { return at.Add(-time.Duration(days * 24 * float64(time.Hour))) }

// so is an object that has been so since days ago.
func so(kind mcloud.Kind, id, project string, days float64, attributes any) mcloud.Version {
	return mcloud.Version{Object: mcloud.NewObject(kind, id, id, "", project, attributes), Cloud: "test", From: ago(days)}
}

func card(t testing.TB) chargeback.RateCard {
	c, err := chargeback.ReadRateCard(strings.NewReader(`
currency: EUR
rates:
  - {meter: server, sku: m1.large, price: "0.1000", per: hour}
  - {meter: server, sku: m1.small, price: "0.0250", per: hour}
  - {meter: volume, sku: nvme, price: "0.2000", per: month}
`))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func server(status, flavor string) mcloud.Server {
	return mcloud.Server{Status: status, Flavor: flavor, VCPUs: 8, MemoryMiB: 32768, DiskGiB: 20}
}

func memory(mib float64) *float64 { return &mib }

func input(t testing.TB) reclaim.Input {
	yes, no := true, false
	return reclaim.Input{
		At: at, Card: card(t), Projects: map[string]string{"p1": "acme", "p2": "beta"},
		Flavors: []mcloud.Flavor{
			{Name: "m1.small", VCPUs: 2, MemoryMiB: 4096, DiskGiB: 20, Public: true}, {Name: "m1.large", VCPUs: 8, MemoryMiB: 32768, DiskGiB: 20, Public: true},
			{Name: "secret", VCPUs: 1, MemoryMiB: 4096, DiskGiB: 20},
		},
		Use: map[string]reclaim.Use{
			"idle": {Span: 14 * 24 * time.Hour, CoresP95: 0.1, MemoryP95: memory(900)},
			"big":  {Span: 14 * 24 * time.Hour, CoresP95: 1.2, MemoryP95: memory(2000)},
			"busy": {Span: 14 * 24 * time.Hour, CoresP95: 6, MemoryP95: memory(30000)},
			"new":  {Span: 2 * 24 * time.Hour, CoresP95: 0.1},
		},
		Versions: map[mcloud.Kind][]mcloud.Version{
			mcloud.KindServer: {
				so(mcloud.KindServer, "off", "p1", 40, server("SHUTOFF", "m1.large")), so(mcloud.KindServer, "paused today", "p1", 0.5, server("PAUSED", "m1.large")),
				so(mcloud.KindServer, "idle", "p1", 100, server("ACTIVE", "m1.large")), so(mcloud.KindServer, "big", "p2", 100, server("ACTIVE", "m1.large")),
				so(mcloud.KindServer, "busy", "p2", 100, server("ACTIVE", "m1.large")), so(mcloud.KindServer, "new", "p2", 2, server("ACTIVE", "m1.large")),
			},
			mcloud.KindVolume: {
				so(mcloud.KindVolume, "orphan", "p1", 30, mcloud.Volume{Status: "available", Type: "nvme", SizeGiB: 100}),
				so(mcloud.KindVolume, "unpriced", "p2", 30, mcloud.Volume{Status: "available", Type: "sas", SizeGiB: 50}),
				so(mcloud.KindVolume, "fresh", "p1", 3, mcloud.Volume{Status: "available", Type: "nvme", SizeGiB: 7}),
				so(mcloud.KindVolume, "used", "p1", 30, mcloud.Volume{Status: "in-use", AttachedTo: []string{"s"}, Type: "nvme", SizeGiB: 9}),
			},
			mcloud.KindVolumeSnapshot: {
				so(mcloud.KindVolumeSnapshot, "old", "p1", 1, mcloud.VolumeSnapshot{Created: ago(200), SizeGiB: 20}),
				so(mcloud.KindVolumeSnapshot, "young", "p1", 100, mcloud.VolumeSnapshot{Created: ago(10), SizeGiB: 20}),
			},
			mcloud.KindFloatingIP: {
				so(mcloud.KindFloatingIP, "fip", "p2", 20, mcloud.FloatingIP{}), so(mcloud.KindFloatingIP, "attached", "p2", 20, mcloud.FloatingIP{Port: "x"}),
				so(mcloud.KindFloatingIP, "forwarding", "p2", 20, mcloud.FloatingIP{Forwardings: 1}),
			},
			mcloud.KindNetwork: {
				so(mcloud.KindNetwork, "empty", "p1", 20, mcloud.Network{Empty: &yes}), so(mcloud.KindNetwork, "full", "p2", 20, mcloud.Network{Empty: &no}),
				so(mcloud.KindNetwork, "unseen", "p3", 20, mcloud.Network{}), so(mcloud.KindNetwork, "outside", "", 20, mcloud.Network{Empty: &yes, External: true}),
			},
			mcloud.KindRouter: {
				so(mcloud.KindRouter, "r1", "p1", 20, mcloud.Router{GatewayIPs: []string{"192.0.2.1"}}), so(mcloud.KindRouter, "r2", "p2", 20, mcloud.Router{}), so(mcloud.KindRouter, "r3", "p3", 20, mcloud.Router{}),
			},
		},
	}
}

func find(t *testing.T, in reclaim.Input) (reclaim.Result, map[reclaim.Name]reclaim.Category) {
	t.Helper()
	r, err := reclaim.Find(in, reclaim.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	by := map[reclaim.Name]reclaim.Category{}
	for _, c := range r.Categories {
		by[c.Name] = c
	}
	return r, by
}

func ids(r reclaim.Result, c reclaim.Name) (all []string) {
	for _, f := range r.Findings {
		if f.Category == c {
			all = append(all, f.ID)
		}
	}
	return all
}

func TestFindByHand(t *testing.T) {
	r, by := find(t, input(t))
	for name, want := range map[reclaim.Name][]string{
		reclaim.ServersOff: {"off"}, reclaim.ServersIdle: {"idle"}, reclaim.ServersOversized: {"big"}, reclaim.VolumesOrphaned: {"orphan", "unpriced"},
		reclaim.SnapshotsOld: {"old"}, reclaim.AddressesUnused: {"fip"}, reclaim.NetworksEmpty: {"empty"}, reclaim.RoutersUnused: {"r1"},
	} {
		if got := ids(r, name); !slices.Equal(got, want) || !by[name].Known || *by[name].Count != len(want) {
			t.Errorf("%s: %v, want %v; %+v", name, got, want, by[name])
		}
	}
	// 730 h × 0.10; the same − 730 h × 0.025; 100 GiB × 0.20.
	for name, want := range map[reclaim.Name]string{reclaim.ServersOff: "73.0000", reclaim.ServersIdle: "73.0000", reclaim.ServersOversized: "54.7500", reclaim.VolumesOrphaned: "20.0000", reclaim.AddressesUnused: ""} {
		if got := by[name].PerMonth; got != want {
			t.Errorf("%s costs %q a month, want %q", name, got, want)
		}
	}
	if r.PerMonth != "220.7500" || r.Currency != "EUR" {
		t.Errorf("all of it costs %s %s", r.PerMonth, r.Currency)
	}
	if c := by[reclaim.VolumesOrphaned]; c.Unpriced != 1 || c.Amount.VolumeGiB != 150 {
		t.Errorf("volumes: %+v", c)
	}
	if c := by[reclaim.ServersIdle]; c.Undecided != 1 || by[reclaim.NetworksEmpty].Undecided != 1 || by[reclaim.RoutersUnused].Undecided != 1 {
		t.Errorf("what cannot be told is not counted: %+v", by)
	}
	if a := by[reclaim.ServersOversized].Amount; a.VCPUs != 6 || a.MemoryMiB != 28672 {
		t.Errorf("the smaller flavor frees %+v", a)
	}
	if p := r.Projects[0]; p.Name != "acme" || p.PerMonth != "166.0000" || r.Projects[1].Unpriced != 2 {
		t.Errorf("projects: %+v", r.Projects)
	}
	for _, f := range r.Findings {
		if (f.PerMonth == "") != (f.Unpriced != "") || f.Why == "" || f.Project == "" || f.Since == nil {
			t.Errorf("%+v", f)
		}
	}
}

// TestSinceLooksThroughVersions: a rename does not make an old thing young, a use does.
func TestSinceLooksThroughVersions(t *testing.T) {
	available := mcloud.Volume{Status: "available", Type: "nvme", SizeGiB: 1}
	renamed, used := available, available
	renamed.Name, used.Status, used.AttachedTo = "again", "in-use", []string{"s"}
	in := input(t)
	chain := func(id string, versions ...mcloud.Version) (all []mcloud.Version) {
		for i, v := range versions {
			v.ID = id
			if i+1 < len(versions) {
				v.To = versions[i+1].From
			}
			all = append(all, v)
		}
		return all
	}
	in.Versions[mcloud.KindVolume] = append(chain("renamed", so(mcloud.KindVolume, "", "p1", 60, available), so(mcloud.KindVolume, "", "p1", 2, renamed)),
		chain("used between", so(mcloud.KindVolume, "", "p1", 60, available), so(mcloud.KindVolume, "", "p1", 10, used), so(mcloud.KindVolume, "", "p1", 9, available))...)
	gone := so(mcloud.KindVolume, "gone", "p1", 60, available)
	gone.To = ago(1)
	in.Versions[mcloud.KindVolume] = append(in.Versions[mcloud.KindVolume], gone)
	r, _ := find(t, in)
	if got := ids(r, reclaim.VolumesOrphaned); !slices.Equal(got, []string{"renamed"}) {
		t.Errorf("found %v", got)
	}
	for _, f := range r.Findings {
		if f.ID == "renamed" && (!f.Since.Equal(ago(60)) || f.Days != 60) {
			t.Errorf("renamed: since %s, %g days", f.Since, f.Days)
		}
	}
}

// TestUnknownIsNeverZero: neither in the sums nor in the JSON.
func TestUnknownIsNeverZero(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*reclaim.Input)
		of     []reclaim.Name
		why    string
	}{
		"nobody measures guests": {func(in *reclaim.Input) { in.Use, in.UseWhy = nil, "no libvirt exporter is scraped" }, []reclaim.Name{reclaim.ServersIdle, reclaim.ServersOversized}, "no libvirt exporter"},
		"no snapshots are read": {func(in *reclaim.Input) {
			delete(in.Versions, mcloud.KindVolumeSnapshot)
			in.Missing = map[mcloud.Kind]string{mcloud.KindVolumeSnapshot: "forbidden"}
		}, []reclaim.Name{reclaim.SnapshotsOld}, "forbidden"},
		"no networks": {func(in *reclaim.Input) { delete(in.Versions, mcloud.KindNetwork) }, []reclaim.Name{reclaim.NetworksEmpty, reclaim.RoutersUnused}, "no network is recorded"},
		"recorded since yesterday": {func(in *reclaim.Input) {
			for i := range in.Versions[mcloud.KindFloatingIP] {
				in.Versions[mcloud.KindFloatingIP][i].From = ago(1)
			}
		}, []reclaim.Name{reclaim.AddressesUnused}, "recorded only since 2026-11-21: it cannot be told before 2026-12-05"},
	} {
		in := input(t)
		tt.change(&in)
		r, by := find(t, in)
		for _, c := range tt.of {
			raw, err := json.Marshal(by[c])
			if err != nil {
				t.Fatal(err)
			}
			if by[c].Known || by[c].Count != nil || !strings.Contains(by[c].Why, tt.why) || strings.Contains(string(raw), "count") || len(ids(r, c)) != 0 {
				t.Errorf("%s: %s", name, raw)
			}
		}
		known := 0
		for _, c := range by {
			if c.Known {
				known++
			}
		}
		if known != len(reclaim.Names)-len(tt.of) {
			t.Errorf("%s: %d categories are known", name, known)
		}
	}
	// Nothing of a kind, although it is looked for, is none.
	in := input(t)
	in.Versions[mcloud.KindVolume] = []mcloud.Version{}
	if _, by := find(t, in); !by[reclaim.VolumesOrphaned].Known || *by[reclaim.VolumesOrphaned].Count != 0 {
		t.Errorf("no volumes: %+v", by[reclaim.VolumesOrphaned])
	}
}

func TestPricesThatAreMissingAreSaid(t *testing.T) {
	in := input(t)
	in.Card = chargeback.RateCard{}
	r, _ := find(t, in)
	if r.PerMonth != "" || r.Currency != "" || !strings.Contains(r.Findings[0].Unpriced, "planner.rate_card") {
		t.Errorf("without prices: %q, %+v", r.PerMonth, r.Findings[0])
	}
	in = input(t)
	r, _ = find(t, in)
	for _, f := range r.Findings {
		if f.ID == "unpriced" && f.Unpriced != "the price list has no price of volume sas" {
			t.Errorf("%+v", f)
		}
	}
	in.Versions[mcloud.KindServer] = append(in.Versions[mcloud.KindServer], mcloud.Version{Object: mcloud.Object{Kind: mcloud.KindServer, ID: "bad", Attributes: []byte(`{"vcpus":"x"}`)}, From: ago(1)})
	if r, _ := find(t, in); len(r.Unread) != 1 || !strings.Contains(r.Unread[0], "server bad") || len(r.Findings) == 0 {
		t.Errorf("a broken object: %v", r.Unread)
	}
}

// TestSumsAddUp: categories and projects both sum to the whole, to the last digit.
func TestSumsAddUp(t *testing.T) {
	c := card(t)
	rapid.Check(t, func(t *rapid.T) {
		in := reclaim.Input{At: at, Card: c, Versions: map[mcloud.Kind][]mcloud.Version{}}
		for i := range rapid.IntRange(0, 30).Draw(t, "volumes") {
			in.Versions[mcloud.KindVolume] = append(in.Versions[mcloud.KindVolume], so(mcloud.KindVolume, fmt.Sprint(i), rapid.SampledFrom([]string{"p1", "p2", "p3"}).Draw(t, "project"), rapid.Float64Range(0, 60).Draw(t, "days"),
				mcloud.Volume{Status: "available", Type: rapid.SampledFrom([]string{"nvme", "sas"}).Draw(t, "type"), SizeGiB: rapid.Int64Range(1, 5000).Draw(t, "size")}))
		}
		for i := range rapid.IntRange(0, 10).Draw(t, "servers") {
			in.Versions[mcloud.KindServer] = append(in.Versions[mcloud.KindServer], so(mcloud.KindServer, fmt.Sprint(i), "p1", rapid.Float64Range(0, 60).Draw(t, "days"), server("SHUTOFF", rapid.SampledFrom([]string{"m1.small", "m1.huge"}).Draw(t, "flavor"))))
		}
		r, err := reclaim.Find(in, reclaim.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		categories, projects, findings := new(apd.Decimal), new(apd.Decimal), new(apd.Decimal)
		plus := func(sum *apd.Decimal, s string) {
			if s == "" {
				return
			}
			d, _, err := apd.NewFromString(s)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := apd.BaseContext.WithPrecision(34).Add(sum, sum, d); err != nil {
				t.Fatal(err)
			}
		}
		n, unpriced := 0, 0
		for _, c := range r.Categories {
			plus(categories, c.PerMonth)
			if c.Known {
				n += *c.Count
				unpriced += c.Unpriced
			}
		}
		for _, p := range r.Projects {
			plus(projects, p.PerMonth)
			n -= p.Count
			unpriced -= p.Unpriced
		}
		for _, f := range r.Findings {
			plus(findings, f.PerMonth)
			if f.Days < 14 {
				t.Fatalf("%+v is too young", f)
			}
		}
		whole := new(apd.Decimal)
		plus(whole, r.PerMonth)
		if whole.Cmp(categories) != 0 || whole.Cmp(projects) != 0 || whole.Cmp(findings) != 0 || n != 0 || unpriced != 0 {
			t.Fatalf("%s, by category %s, by project %s, by finding %s; %d, %d", whole, categories, projects, findings, n, unpriced)
		}
	})
}
