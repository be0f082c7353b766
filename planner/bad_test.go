package planner_test

import (
	"bytes"
	"context"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"mcloud/planner"
	"mcloud/planner/capacity"
	"mcloud/planner/forecast"
	"mcloud/planner/plannertest"
	"mcloud/planner/report"
)

// spoilt is a history in which pools have something wrong, by number.
type spoilt struct {
	planner.History
	pools map[string]func([]forecast.Point) []forecast.Point
}

var poolID = regexp.MustCompile(`pool_id=~"(\d+)"`)

func (s *spoilt) Range(ctx context.Context, query string, from, to time.Time, step time.Duration) ([]planner.Series, error) {
	series, err := s.History.Range(ctx, query, from, to, step)
	m := poolID.FindStringSubmatch(query)
	if m == nil || s.pools[m[1]] == nil {
		return series, err
	}
	var kept []planner.Series
	for _, one := range series {
		if one.Points = s.pools[m[1]](one.Points); len(one.Points) > 0 {
			kept = append(kept, one)
		}
	}
	return kept, err
}

// TestBadInputIsSaidInItsRow: whatever is wrong with one tier is said in the row of
// that tier, in every format; the rest of the report stands.
func TestBadInputIsSaidInItsRow(t *testing.T) {
	at := plannertest.At
	keep := func(when func(time.Time) bool) func([]forecast.Point) []forecast.Point {
		return func(all []forecast.Point) (kept []forecast.Point) {
			for _, q := range all {
				if when(q.Time) {
					kept = append(kept, q)
				}
			}
			return kept
		}
	}
	negative := func(all []forecast.Point) (made []forecast.Point) {
		for i, q := range all {
			if i%2 == 0 {
				q.Value = -q.Value
			}
			made = append(made, q)
		}
		return made
	}
	type bad struct {
		tier   string // whose row it is
		says   string
		change func(*planner.Options)
	}
	cases := map[string]bad{
		"no history": {"nvme", "no history", func(o *planner.Options) {
			o.History = &spoilt{o.History, map[string]func([]forecast.Point) []forecast.Point{"1": keep(func(time.Time) bool { return false })}}
		}},
		"one point": {"nvme", "history too short: 1 points", func(o *planner.Options) {
			o.History = &spoilt{o.History, map[string]func([]forecast.Point) []forecast.Point{"1": keep(func(t time.Time) bool { return t.Equal(at) })}}
		}},
		"a gap": {"sas7k", "nothing was measured from 2026-09-04", func(o *planner.Options) {
			o.History = &spoilt{o.History, map[string]func([]forecast.Point) []forecast.Point{"3": keep(func(t time.Time) bool { return t.Before(at.AddDate(0, 0, -80)) || t.After(at.AddDate(0, 0, -50)) })}}
		}},
		"history that ended": {"sas7k", "its history ends 2026-11-12", func(o *planner.Options) {
			o.History = &spoilt{o.History, map[string]func([]forecast.Point) []forecast.Point{"3": keep(func(t time.Time) bool { return t.Before(at.AddDate(0, 0, -10)) })}}
		}},
		"negative values": {"sas10k", "values are below zero, down to", func(o *planner.Options) {
			o.History = &spoilt{o.History, map[string]func([]forecast.Point) []forecast.Point{"2": negative}}
		}},
		"unknown pool": {"ghost", "pool fast/nosuch is not known", func(o *planner.Options) {
			o.Tiers = append(o.Tiers, capacity.Tier{Name: "ghost", Pools: []capacity.PoolRef{{Cluster: "fast", Pool: "nosuch"}}})
		}},
		"no price":             {"geo-nvme", "no price set", func(o *planner.Options) { o.Tiers[3].Unit.Price = "" }},
		"a price that is none": {"geo-nvme", `price "cheap" is not a decimal number`, func(o *planner.Options) { o.Tiers[3].Unit.Price = "cheap" }},
		"nothing to buy":       {"geo-nvme", "no unit is configured", func(o *planner.Options) { o.Tiers[3].Unit = capacity.Unit{} }},
	}
	for _, names := range [][]string{{"no history", "negative values", "a gap", "no price"}, {"one point", "history that ended", "a price that is none", "unknown pool"}, {"nothing to buy"}} {
		t.Run(strings.Join(names, ", "), func(t *testing.T) {
			o := plannertest.Options()
			spoilt := map[string]bool{}
			for _, name := range names {
				cases[name].change(&o)
				spoilt[cases[name].tier] = true
			}
			d := latest(t, start(t, o))
			if len(d.Zones) != 3 || len(d.Answers) != len(o.Tiers)+3 {
				t.Fatalf("%d zones, %d answers", len(d.Zones), len(d.Answers))
			}
			for _, a := range d.Answers {
				if !spoilt[a.Name] && a.Kind == report.KindTier && (a.Confidence.Level != "high" || a.Purchase == nil || len(a.Notes) > 0) {
					t.Errorf("tier %s is spoilt as well: %+v", a.Name, a)
				}
			}
			var table, page, rows bytes.Buffer
			for _, err := range []error{report.WriteCSV(&rows, d), report.WriteTable(&table, d), report.WriteHTML(&page, d)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range names {
				saidOnlyOf(t, d, cases[name].tier, cases[name].says, &rows)
				if text := html.UnescapeString(page.String()); !strings.Contains(text, cases[name].says) {
					t.Errorf("%s: the page does not say %q", name, cases[name].says)
				}
				if text := strings.Join(strings.Fields(table.String()), " "); !strings.Contains(text, cases[name].says) {
					t.Errorf("%s: the table does not say %q:\n%s", name, cases[name].says, &table)
				}
			}
		})
	}
}

// saidOnlyOf holds that the answer and the line of a tier say something, and no other's.
func saidOnlyOf(t *testing.T, d report.Document, tier, says string, lines *bytes.Buffer) {
	t.Helper()
	for _, a := range d.Answers {
		row := strings.Join(append([]string{a.Why, a.Buy(), a.Purchase.CostText()}, a.Notes...), "; ")
		if a.Purchase != nil {
			row += "; " + a.Purchase.Note
		}
		if strings.Contains(row, says) != (a.Name == tier) {
			t.Errorf("the row of %s: %s", a.Name, row)
		}
	}
	if says == "no price set" || says == "no unit is configured" {
		return // money and units have columns of their own, which are empty
	}
	for line := range strings.Lines(lines.String()) {
		if words := strings.ReplaceAll(line, `""`, `"`); strings.HasPrefix(line, "tier,") && strings.Contains(words, says) != strings.HasPrefix(line, "tier,"+tier+",") {
			t.Errorf("the line is %s", line)
		}
	}
}
