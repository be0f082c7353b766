package planner_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"mcloud/planner"
	"mcloud/planner/forecast"
	"mcloud/planner/plannertest"
	"mcloud/planner/report"
)

func TestForecastOfTheReport(t *testing.T) {
	p := shared(t)
	d := latest(t, p)
	for _, name := range []string{"geo-nvme", "tier geo-nvme"} {
		got, err := p.Forecast(context.Background(), planner.Question{Series: name})
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %d forecasts, error %v", name, len(got), err)
		}
		f, o := got[0], d.Tiers[3].Outlook
		if *f.Limit != o.Limit || !f.Crossing.P50.Equal(*o.Crossing.P50) || f.Basis.Model != o.Basis.Model || f.Basis.Origins == 0 || f.Basis.Coverage == 0 || f.Unit != "bytes" {
			t.Errorf("%s: %+v does not say what the report says", name, f)
		}
		// Each step of what the chart shows in part.
		if len(f.Steps) < 350 || math.Abs(f.Steps[len(f.Steps)-1].P50/o.Chart.Fan[len(o.Chart.Fan)-1].P50-1) > 1e-5 {
			t.Errorf("%s: %d steps", name, len(f.Steps))
		}
	}
	zone, err := p.Forecast(context.Background(), planner.Question{Zone: "az-a"})
	if err != nil || len(zone) != 2 || zone[0].Subject != "vCPU in az-a" || zone[1].Unit != "MiB" {
		t.Errorf("%+v, error %v", zone, err)
	}
	short, err := p.Forecast(context.Background(), planner.Question{Tier: "nvme", Horizon: 30 * 24 * time.Hour})
	if err != nil || len(short[0].Steps) != 30 {
		t.Errorf("30 days have %d steps, error %v", len(short[0].Steps), err)
	}
	long, err := p.Forecast(context.Background(), planner.Question{Tier: "nvme", Horizon: 3 * 365 * 24 * time.Hour})
	if err != nil || len(long[0].Notes) != 1 || !strings.Contains(long[0].Notes[0], "planner.horizon") {
		t.Errorf("notes %v, error %v", long[0].Notes, err)
	}
}

func TestForecastRefuses(t *testing.T) {
	p := shared(t)
	for _, tt := range []struct {
		q    planner.Question
		want error
		says string
	}{
		{planner.Question{}, planner.ErrBadRequest, "name one of"},
		{planner.Question{Tier: "nvme", Zone: "az-a"}, planner.ErrBadRequest, "name one of"},
		{planner.Question{Tier: "gold"}, planner.ErrUnknown, "known are: nvme"},
		{planner.Question{Zone: "az-x"}, planner.ErrUnknown, "az-a, az-b, az-c"},
		{planner.Question{Series: `ceph_pool_stored{cluster="none"}`}, planner.ErrUnknown, "no name of the report"},
		{planner.Question{Tier: "nvme", Horizon: -time.Hour}, planner.ErrBadRequest, "horizon"},
	} {
		if _, err := p.Forecast(context.Background(), tt.q); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: error %v, want %v with %q", tt.q, err, tt.want, tt.says)
		}
	}
}

// odd answers an expression with series that have something wrong.
func odd(now time.Time) []planner.Series {
	at := func(name string, n int, value func(i int) float64) planner.Series {
		s := planner.Series{Labels: map[string]string{"__name__": "odd", "what": name}}
		for i := range n {
			if v := value(i); !math.IsNaN(v) {
				s.Points = append(s.Points, forecast.Point{Time: now.Add(-time.Duration(n-1-i) * 6 * time.Hour), Value: v})
			}
		}
		return s
	}
	gap := func(i int) float64 {
		if i > 100 && i < 160 {
			return math.NaN()
		}
		return float64(i)
	}
	return []planner.Series{
		at("good", 300, func(i int) float64 { return 5 + float64(i) + math.Sin(float64(i)) }),
		at("one point", 1, func(int) float64 { return 7 }),
		at("negative", 300, func(i int) float64 { return float64(i) - 20 }),
		at("gap", 300, gap),
		at("infinite", 300, func(i int) float64 { return math.Inf(i%2*2 - 1) }),
	}
}

// TestOddHistoriesSaySo: each in its own row, and the others stand.
func TestOddHistoriesSaySo(t *testing.T) {
	o := plannertest.Options()
	asked := false
	o.History = &history{History: &plannertest.History{}, about: "openstack_placement_usage_units{what", answer: func([]planner.Series, error) ([]planner.Series, error) {
		if asked {
			return nil, nil // all is in the first piece
		}
		asked = true
		return odd(plannertest.At), nil
	}}
	got, err := start(t, o).Forecast(context.Background(), planner.Question{Series: `openstack_placement_usage_units{what!=""}`})
	if err != nil || len(got) != 5 {
		t.Fatalf("%d forecasts, error %v", len(got), err)
	}
	bySubject := map[string]report.Forecast{}
	for _, f := range got {
		bySubject[f.Labels["what"]] = f
	}
	if f := bySubject["good"]; len(f.Steps) == 0 || len(f.Notes) != 0 || f.Subject != `odd{what="good"}` {
		t.Errorf("the good one: %s, %d steps, notes %v", f.Subject, len(f.Steps), f.Notes)
	}
	if f := bySubject["one point"]; len(f.Steps) != 0 || !strings.Contains(f.Basis.Reason, "history too short: 1 points") || *f.Now != 7 {
		t.Errorf("one point: %+v", f.Basis)
	}
	if f := bySubject["negative"]; len(f.Steps) == 0 || len(f.Notes) != 1 || !strings.Contains(f.Notes[0], "20 of 300 values are below zero") && !strings.Contains(f.Notes[0], "values are below zero, down to") {
		t.Errorf("negative: notes %v", f.Notes)
	}
	if f := bySubject["gap"]; len(f.Notes) != 1 || !strings.Contains(f.Notes[0], "nothing was measured from") {
		t.Errorf("gap: notes %v", f.Notes)
	}
	if f := bySubject["infinite"]; len(f.Steps) != 0 || !strings.Contains(f.Basis.Reason, "no history") {
		t.Errorf("infinite: %+v", f.Basis)
	}
	var b bytes.Buffer
	if err := report.WriteForecastCSV(&b, got); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if strings.Contains(row[0], "one point") && !strings.Contains(row[len(row)-1], "no forecast: history too short") {
			t.Errorf("the row of one point is %q", row)
		}
	}
	b.Reset()
	if err := report.WriteForecastTable(&b, got); err != nil || !strings.Contains(b.String(), "No forecast: history too short") || !strings.Contains(b.String(), "Note: nothing was measured") {
		t.Errorf("error %v, table\n%s", err, &b)
	}
}

func TestSeasonalForecast(t *testing.T) {
	p := shared(t)
	got, err := p.Forecast(context.Background(), planner.Question{Series: `max by (cluster, pool_id) (ceph_pool_stored{cluster="fast",pool_id="1"})`, Seasonal: true, Horizon: 7 * 24 * time.Hour})
	if err != nil || len(got) != 1 || len(got[0].Steps) != 28 || got[0].Basis.Origins == 0 || !strings.Contains(got[0].Basis.Reason, "seasons of") {
		t.Fatalf("%+v, error %v", got, err)
	}
	for i, b := range got[0].Steps {
		if b.P10 > b.P50 || b.P50 > b.P90 || i == 0 && !b.Time.Equal(plannertest.At.Add(6*time.Hour)) {
			t.Errorf("step %d: %+v", i, b)
		}
	}
}
