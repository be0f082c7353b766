package hindsight_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mcloud/planner/hindsight"
)

var (
	start = time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	nvme  = hindsight.Subject{Kind: "tier", Name: "nvme"}
)

func day(n int) time.Time { return start.AddDate(0, 0, n) }

// came is 100 + 2 a day, measured twice a day.
func came(days int) (all []hindsight.Value) {
	for i := range 2 * days {
		all = append(all, hindsight.Value{Time: start.Add(time.Duration(i) * 12 * time.Hour), Value: 100 + float64(i)})
	}
	return all
}

// tell is a report of day n that expects perDay more each day, give or take width.
func tell(n int, perDay, width float64) hindsight.Record {
	last := 100.5 + 2*float64(n) // the mean of that day
	t := hindsight.Told{Subject: nvme, Unit: "bytes", From: day(n), StepSeconds: 86400, Last: last, DriftPerDay: 1, Limit: 1000, Model: "m"}
	for _, d := range hindsight.Leads {
		v := last + perDay*float64(d)
		t.Ahead = append(t.Ahead, hindsight.Ahead{Days: d, P10: v - width, P50: v, P90: v + width})
	}
	crossing := day(200 + n)
	t.P50 = &crossing
	return hindsight.Record{At: day(n).Add(6 * time.Hour), Told: []hindsight.Told{t}}
}

func TestJudgeByHand(t *testing.T) {
	// What comes grows by 2 a day. One report expects 3, one 2; both the trend of 1.
	records := []hindsight.Record{tell(2, 2, 1), tell(0, 3, 5)}
	v := hindsight.Judge(records, func(hindsight.Subject) []hindsight.Value { return came(40) }, day(40))
	if len(v.Rows) != 3 {
		t.Fatalf("%d rows, want one for each lead", len(v.Rows))
	}
	week, month, quarter := v.Rows[0], v.Rows[1], v.Rows[2]
	// After 7 days: errors 7 and 0, last value 14 and 14, drift 7 and 7; 7 is outside of ±5.
	s := week.Scores
	if week.Forecasts != 2 || s.Error != 3.5 || s.ErrorLast != 14 || s.ErrorDrift != 7 || *s.RelativeLast != 0.25 || *s.RelativeDrift != 0.5 || s.Coverage != 0.5 || s.Bias != 3.5 || math.Abs(s.LimitShare-0.0035) > 1e-12 {
		t.Errorf("after a week: %d, %+v", week.Forecasts, s)
	}
	if month.Forecasts != 2 || month.Scores.Error != 15 || month.Scores.Bias != 15 {
		t.Errorf("after a month: %d, %+v", month.Forecasts, month.Scores)
	}
	if quarter.Forecasts != 0 || quarter.Scores != nil || quarter.Due == nil || !quarter.Due.Equal(day(91)) {
		t.Errorf("after a quarter: %+v", quarter)
	}
	if len(v.Totals) != 2 || v.Totals[0].Forecasts != 2 || v.Totals[0].Error != s.LimitShare || v.Totals[0].Coverage != 0.5 {
		t.Errorf("totals: %+v", v.Totals)
	}
}

func TestWhatIsNotMeasuredIsNotScored(t *testing.T) {
	v := hindsight.Judge([]hindsight.Record{tell(0, 2, 1)}, func(hindsight.Subject) []hindsight.Value { return came(5) }, day(60))
	for _, r := range v.Rows[:2] {
		if r.Forecasts != 0 || r.Scores != nil || r.Why != "what came then was not measured" {
			t.Errorf("%d days: %+v", r.LeadDays, r)
		}
	}
	if v := hindsight.Judge(nil, nil, day(1)); len(v.Rows) != 0 || len(v.Totals) != 0 {
		t.Errorf("of no record: %+v", v)
	}
}

func TestNoErrorToCompareWith(t *testing.T) {
	flat := []hindsight.Value{{Time: day(7), Value: 100.5}}
	r := hindsight.Judge([]hindsight.Record{tell(0, 0, 1)}, func(hindsight.Subject) []hindsight.Value { return flat }, day(9)).Rows[0]
	if r.Scores == nil || r.Scores.RelativeLast != nil || r.Scores.RelativeDrift == nil {
		t.Errorf("%+v", r.Scores)
	}
}

func TestDatesThatMoved(t *testing.T) {
	var records []hindsight.Record
	for n := range 40 {
		records = append(records, tell(n, 2, 1))
	}
	m := hindsight.Judge(records, func(hindsight.Subject) []hindsight.Value { return nil }, day(40)).Moved
	if len(m) != 1 || len(m[0].Dates) != 3 {
		t.Fatalf("%+v, want the newest and those of 7 and 30 days before", m)
	}
	for i, n := range []int{9, 32, 39} {
		if d := m[0].Dates[i]; !d.At.Equal(day(n).Add(6*time.Hour)) || !d.P50.Equal(day(200+n)) {
			t.Errorf("date %d: of %s, %s", i, d.At, d.P50)
		}
	}
}

// TestJudgeProperties: the order of records does not matter, a forecast that is what
// came has no error and full coverage.
func TestJudgeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		days := rapid.SliceOfNDistinct(rapid.IntRange(0, 120), 1, 8, rapid.ID).Draw(t, "days")
		perDay := rapid.Float64Range(-3, 5).Draw(t, "perDay")
		var records, reversed []hindsight.Record
		for _, n := range days {
			records = append(records, tell(n, perDay, 0.5))
			reversed = append([]hindsight.Record{tell(n, perDay, 0.5)}, reversed...)
		}
		actual := func(hindsight.Subject) []hindsight.Value { return came(150) }
		a, b := hindsight.Judge(records, actual, day(150)), hindsight.Judge(reversed, actual, day(150))
		for i, r := range a.Rows {
			q := b.Rows[i]
			if r.Forecasts != q.Forecasts || (r.Scores == nil) != (r.Forecasts == 0) || r.Scores != nil && math.Abs(r.Scores.Error-q.Scores.Error) > 1e-9 {
				t.Fatalf("%+v, in the other order %+v", r, q)
			}
			if r.Scores == nil {
				continue
			}
			if want := math.Abs(perDay-2) * float64(r.LeadDays); math.Abs(r.Scores.Error-want) > 1e-6 {
				t.Fatalf("error %g after %d days, want %g", r.Scores.Error, r.LeadDays, want)
			}
			if s := r.Scores; s.Error < math.Abs(s.Bias)-1e-9 || s.Coverage < 0 || s.Coverage > 1 {
				t.Fatalf("%+v", s)
			}
		}
	})
}
