package report_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"mcloud/planner/capacity"
	"mcloud/planner/forecast"
	"mcloud/planner/report"
	"mcloud/planner/scenario"
)

var day0 = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func crossingAt(days int) forecast.Crossing {
	until := day0.AddDate(1, 0, 0)
	if days < 0 {
		return forecast.Crossing{State: forecast.Beyond, Until: until, Probability: 0.2}
	}
	at := day0.AddDate(0, 0, days)
	return forecast.Crossing{State: forecast.Within, P10: &at, P50: &at, P90: &at, Until: until, Probability: 1}
}

// TestResults: what a row says in a sentence, and by how many days dates move.
func TestResults(t *testing.T) {
	over := forecast.Crossing{State: forecast.Over, P10: &day0, P50: &day0, P90: &day0, Until: day0, Probability: 1}
	unlikely := crossingAt(-1)
	unlikely.Probability = 0.4
	for _, tt := range []struct {
		before, after  forecast.Crossing
		used, capacity float64
		want           string
		days           float64 // 1e9: absent
	}{
		{crossingAt(100), crossingAt(40), 1, 9, "reaches its limit 60 days earlier", -60},
		{crossingAt(100), crossingAt(130), 1, 9, "reaches its limit 30 days later", 30},
		{crossingAt(100), crossingAt(100), 1, 9, "reaches its limit on the same day", 0},
		{crossingAt(100), crossingAt(-1), 1, 9, "would not reach its limit before 2027-11-22", 1e9},
		{crossingAt(-1), crossingAt(100), 1, 9, "would reach its limit 2027-03-02, before not within the horizon", 1e9},
		{crossingAt(-1), crossingAt(-1), 1, 9, "is not likely to reach its limit before 2027-11-22", 1e9},
		{crossingAt(-1), unlikely, 1, 9, "is not likely to reach its limit before 2027-11-22: 40 %, before 20 %", 1e9},
		{crossingAt(100), over, 1, 9, "is over its limit at once", -100},
		{crossingAt(100), over, 12, 9, "does not fit: 3 vCPU more than there is room for", -100},
		{over, over, 9, 9, "is over its limit, before and after", 0},
		{over, crossingAt(50), 1, 9, "is over its limit now, would reach it 2027-01-11", 50},
		{over, crossingAt(-1), 1, 9, "is over its limit now, would not reach it before 2027-11-22", 1e9},
		{crossingAt(9), forecast.Crossing{State: forecast.Unknown}, 1, 9, "no date is known: there is no forecast", 1e9},
	} {
		r := report.Compare(report.WhatIfRow{Unit: "vCPU", Used: tt.used, Known: true, Changed: true, Before: report.Situation{Crossing: tt.before}, After: report.Situation{Crossing: tt.after, Capacity: tt.capacity}})
		if r.Result != tt.want || (r.Days.P50 == nil) != (tt.days == 1e9) || r.Days.P50 != nil && *r.Days.P50 != tt.days {
			t.Errorf("%q, moved by %v; want %q, %g", r.Result, r.Days.P50, tt.want, tt.days)
		}
	}
}

func promised() report.Document {
	spring := scenario.Commitment{Name: "spring", Note: "order <4711>", Changes: []scenario.Change{{Action: scenario.AddHosts, Zone: "az-a", Count: 4, From: day0.AddDate(0, 2, 0), Until: day0.AddDate(0, 3, 0)}}}
	row := func(subject scenario.Subject, changed bool, before, after int) report.WhatIfRow {
		return report.Compare(report.WhatIfRow{Subject: subject, Unit: "bytes", Known: true, Changed: changed, Before: report.Situation{Limit: 1 << 40, Crossing: crossingAt(before)}, After: report.Situation{Limit: 2 << 40, Capacity: 9 << 40, Crossing: crossingAt(after)}})
	}
	return report.Document{
		Schema: report.Schema, Cloud: "test", At: day0, Headline: "Nothing to order.", Commitments: []scenario.Commitment{spring},
		Scenarios: []report.WhatIf{{Scenario: "growth 20 % more", Note: "a busy year", Rows: []report.WhatIfRow{
			row(scenario.Subject{Kind: scenario.Tier, Name: "nvme"}, true, 100, 70), row(scenario.Subject{Kind: scenario.Zone, Name: "az-b", Class: "VCPU"}, false, 9, 9),
		}}, {Scenario: "quiet"}},
		Tiers: []report.Tier{{TierSum: capacity.TierSum{Tier: "nvme", Known: true}, Outlook: report.Outlook{Unit: "bytes", Losses: []report.Loss{
			{Loss: capacity.Loss{Type: "datacenter", Name: "dc1", Copies: 2, SurvivableBytes: 3 << 40, SpareBytes: 1 << 40}, Crossing: crossingAt(30)},
		}}}},
	}
}

func TestPromisesAreShown(t *testing.T) {
	for name, tt := range map[string]struct {
		write func(*bytes.Buffer) error
		want  []string
		not   []string
	}{
		"table": {func(b *bytes.Buffer) error { return report.WriteTable(b, promised()) },
			[]string{"Commitments, which every date counts with", "add-host az=az-a,count=4,from=2027-01-22,until=2027-02-22", "reaches its limit 30 days earlier", "no date moves"}, []string{"az-b vCPU"}},
		"what if": {func(b *bytes.Buffer) error { return report.WriteWhatIfTable(b, promised().Scenarios[0]) },
			[]string{"Scenario growth 20 % more", "a busy year", "1 TiB", "2 TiB", "2027-03-02", "2027-01-31", "-30", "unchanged   az-b vCPU"}, nil},
		"storage": {func(b *bytes.Buffer) error { return report.WriteStorageTable(b, promised().Tiers) },
			[]string{"datacenter dc1", "3 TiB", "1 TiB", "2026-12-22"}, nil},
	} {
		var b bytes.Buffer
		if err := tt.write(&b); err != nil {
			t.Fatal(name, err)
		}
		for _, want := range tt.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		for _, not := range tt.not {
			if strings.Contains(b.String(), not) {
				t.Errorf("%s has %q", name, not)
			}
		}
	}
}

func TestCapacityCSV(t *testing.T) {
	d := report.Document{Hosts: []capacity.HostRow{{HostSum: capacity.HostSum{Name: "h1", Zone: "az", Classes: map[string]capacity.Class{
		"CUSTOM_X": {Total: 2, Capacity: 2}, "VCPU": {Total: 8, Reserved: 1, Capacity: 28, Allocated: 20, Free: 8, Limit: 28},
	}}, Units: map[string]capacity.Units{"VCPU": {Min: 1, Step: 2}}, Maintenance: "fans"}}}
	var b bytes.Buffer
	if err := report.WriteCapacityCSV(&b, report.CapacityRows(d, "host")); err != nil {
		t.Fatal(err)
	}
	if want := "host,h1,az,1,1,,VCPU,8,1,4,28,20,8,0,28,0,0,,,1,,2,fans\nhost,h1,az,1,1,,CUSTOM_X,2,0,1,2,0,0,0,0,0,0,,,,,,fans\n"; !strings.HasSuffix(b.String(), want) {
		t.Errorf("%s\nwant %s", b.String(), want)
	}
}
