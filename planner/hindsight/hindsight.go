// Package hindsight judges forecasts that were told in the past by what came since:
// their error beside that of "no change" and of the trend of that day, how often what
// came lay between P10 and P90, and which way they erred. Judge is a pure function.
package hindsight

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Leads are how far ahead forecasts are judged, in days.
var Leads = []int{7, 30, 90}

// Subject is what a forecast is of.
type Subject struct {
	Kind  string `json:"kind"` // "tier", "zone"
	Name  string `json:"name"`
	Class string `json:"class,omitempty"` // resource class, of a zone
}

// Record is what one report told, as it is kept.
type Record struct {
	At   time.Time `json:"at"`
	Told []Told    `json:"told"`
}

// Told is one forecast of a report.
type Told struct {
	Subject
	Unit string `json:"unit"`
	// From is where the forecast starts: the last instant of its history, the begin of a
	// mean over StepSeconds. Last is the value then.
	From        time.Time `json:"from"`
	StepSeconds float64   `json:"step_seconds"`
	Last        float64   `json:"last"`
	// DriftPerDay is the mean change a day over the history.
	DriftPerDay float64 `json:"drift_per_day"`
	Limit       float64 `json:"limit,omitempty"`
	Model       string  `json:"model"`
	Dates
	Ahead []Ahead `json:"ahead"`
}

// Dates are when the limit was, or is, expected to be reached; absent beyond the
// horizon.
type Dates struct {
	P10 *time.Time `json:"p10,omitempty"`
	P50 *time.Time `json:"p50,omitempty"`
	P90 *time.Time `json:"p90,omitempty"`
}

// Ahead is the forecast Days after From.
type Ahead struct {
	Days int     `json:"days"`
	P10  float64 `json:"p10"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
}

// Value is one measured point.
type Value struct {
	Time  time.Time
	Value float64
}

// Row is how the forecasts of one subject did at one lead. Without any that could be
// judged, Forecasts is 0 and the errors are absent.
type Row struct {
	Subject
	Unit      string  `json:"unit"`
	LeadDays  int     `json:"lead_days"`
	Forecasts int     `json:"forecasts"`
	Scores    *Scores `json:"scores,omitempty"`
	// Due is when the first forecast can be judged, when none can yet; Why says what is
	// missing, when it could have been.
	Due *time.Time `json:"due,omitempty"`
	Why string     `json:"why,omitempty"`
}

// Scores are means over the forecasts, in the row's unit.
type Scores struct {
	Error      float64 `json:"mean_error"`       // of P50, absolute
	ErrorLast  float64 `json:"mean_error_last"`  // of "no change"
	ErrorDrift float64 `json:"mean_error_drift"` // of the history's trend, drawn on
	// RelativeLast and RelativeDrift are Error over those: below 1 the forecast was
	// better. Absent when the other made no error.
	RelativeLast  *float64 `json:"relative_last,omitempty"`
	RelativeDrift *float64 `json:"relative_drift,omitempty"`
	// Coverage is the share of what came that lay between P10 and P90; 0.8 is perfect.
	Coverage float64 `json:"coverage"`
	// Bias is forecast − what came: above 0 it told too much.
	Bias float64 `json:"bias"`
	// LimitShare is Error as a share of the limit, 0 without one.
	LimitShare float64 `json:"error_of_limit,omitempty"`
}

// Moved is how the dates of one subject moved from report to report.
type Moved struct {
	Subject
	Dates []Dated `json:"dates"` // oldest first
}

// Dated is what the report of At told.
type Dated struct {
	At time.Time `json:"at"`
	Dates
}

// Verdict is what Judge finds.
type Verdict struct {
	Rows  []Row   `json:"rows"`
	Moved []Moved `json:"moved,omitempty"`
	// Totals are over all subjects, by lead: the errors as shares of the limits.
	Totals []Total `json:"totals,omitempty"`
}

// Total is how all forecasts did at one lead.
type Total struct {
	LeadDays  int `json:"lead_days"`
	Forecasts int `json:"forecasts"`
	// Error, ErrorLast and ErrorDrift are means of the absolute errors over the limits.
	Error      float64 `json:"error_of_limit"`
	ErrorLast  float64 `json:"error_of_limit_last"`
	ErrorDrift float64 `json:"error_of_limit_drift"`
	Coverage   float64 `json:"coverage"`
	Bias       float64 `json:"bias_of_limit"`
}

// Judge compares what records told with what came up to now, which actual returns in
// the order of time. Subjects come in the order in which the newest record has them.
func Judge(records []Record, actual func(Subject) []Value, now time.Time) Verdict {
	records = slices.Clone(records)
	slices.SortStableFunc(records, func(a, b Record) int { return a.At.Compare(b.At) })
	bySubject := map[Subject][]told{}
	var order []Subject
	for i := len(records) - 1; i >= 0; i-- {
		for _, t := range records[i].Told {
			if _, ok := bySubject[t.Subject]; !ok {
				order = append(order, t.Subject)
			}
			bySubject[t.Subject] = append(bySubject[t.Subject], told{t, records[i].At})
		}
	}
	v := Verdict{Rows: []Row{}}
	totals := map[int]*total{}
	for _, s := range order {
		all := bySubject[s]
		slices.Reverse(all) // oldest first
		came := actual(s)
		for _, days := range Leads {
			if totals[days] == nil {
				totals[days] = &total{}
			}
			v.Rows = append(v.Rows, judge(s, all, days, came, now, totals[days]))
		}
		v.Moved = append(v.Moved, moved(s, all))
	}
	for _, days := range Leads {
		if t := totals[days]; t != nil && t.n > 0 {
			v.Totals = append(v.Totals, t.mean(days))
		}
	}
	return v
}

type told struct {
	Told
	at time.Time // of its report
}

// judge makes the row of s at a lead.
func judge(s Subject, all []told, days int, came []Value, now time.Time, sum *total) Row {
	r := Row{Subject: s, Unit: all[len(all)-1].Unit, LeadDays: days}
	lead := time.Duration(days) * 24 * time.Hour
	var one Scores
	held := 0
	unmeasured := 0
	for _, t := range all {
		i := slices.IndexFunc(t.Ahead, func(a Ahead) bool { return a.Days == days })
		if i < 0 {
			continue
		}
		step := time.Duration(t.StepSeconds * float64(time.Second))
		due := t.From.Add(lead)
		if end := due.Add(step); end.After(now) {
			if r.Due == nil || end.Before(*r.Due) {
				r.Due = &end
			}
			continue
		}
		v, ok := mean(came, due, due.Add(step))
		if !ok {
			unmeasured++
			continue
		}
		a := t.Ahead[i]
		r.Forecasts++
		one.Error += math.Abs(a.P50 - v)
		one.ErrorLast += math.Abs(t.Last - v)
		drifted := t.Last + t.DriftPerDay*float64(days)
		one.ErrorDrift += math.Abs(drifted - v)
		one.Bias += a.P50 - v
		in := a.P10 <= v && v <= a.P90
		if in {
			held++
		}
		if t.Limit > 0 {
			one.LimitShare += math.Abs(a.P50-v) / t.Limit
			sum.add(math.Abs(a.P50-v)/t.Limit, math.Abs(t.Last-v)/t.Limit, math.Abs(drifted-v)/t.Limit, (a.P50-v)/t.Limit, in)
		}
	}
	if r.Forecasts == 0 {
		switch {
		case unmeasured > 0:
			r.Why = "what came then was not measured"
		case r.Due == nil:
			r.Why = "no report told that far ahead"
		}
		return r
	}
	r.Due = nil
	n := float64(r.Forecasts)
	for _, v := range []*float64{&one.Error, &one.ErrorLast, &one.ErrorDrift, &one.Bias, &one.LimitShare} {
		*v /= n
	}
	one.Coverage = float64(held) / n
	one.RelativeLast, one.RelativeDrift = over(one.Error, one.ErrorLast), over(one.Error, one.ErrorDrift)
	r.Scores = &one
	return r
}

func over(a, b float64) *float64 {
	if b == 0 {
		return nil
	}
	q := a / b
	return &q
}

// mean is that of the values in [from, to).
func mean(all []Value, from, to time.Time) (float64, bool) {
	i, _ := slices.BinarySearchFunc(all, from, func(v Value, t time.Time) int { return v.Time.Compare(t) })
	sum, n := 0.0, 0
	for ; i < len(all) && all[i].Time.Before(to); i++ {
		if v := all[i].Value; !math.IsNaN(v) && !math.IsInf(v, 0) {
			sum += v
			n++
		}
	}
	return sum / math.Max(1, float64(n)), n > 0
}

// moved picks the dates that the newest report told, and those of about each lead
// before it.
func moved(s Subject, all []told) Moved {
	newest := all[len(all)-1]
	m := Moved{Subject: s}
	picked := map[time.Time]bool{}
	for _, days := range append(slices.Clone(Leads), 0) {
		want := newest.at.AddDate(0, 0, -days)
		nearest := slices.MinFunc(all, func(a, b told) int {
			return cmp.Compare(a.at.Sub(want).Abs(), b.at.Sub(want).Abs())
		})
		// A report from nearer than half of the lead does not stand for it.
		if picked[nearest.at] || nearest.at.Sub(want).Abs() > time.Duration(days)*12*time.Hour {
			continue
		}
		picked[nearest.at] = true
		m.Dates = append(m.Dates, Dated{At: nearest.at, Dates: nearest.Dates})
	}
	slices.SortFunc(m.Dates, func(a, b Dated) int { return a.At.Compare(b.At) })
	return m
}

type total struct {
	n, held                      int
	err, errLast, errDrift, bias float64
}

func (t *total) add(err, last, drift, bias float64, held bool) {
	t.n++
	t.err, t.errLast, t.errDrift, t.bias = t.err+err, t.errLast+last, t.errDrift+drift, t.bias+bias
	if held {
		t.held++
	}
}

func (t *total) mean(days int) Total {
	n := float64(t.n)
	return Total{LeadDays: days, Forecasts: t.n, Error: t.err / n, ErrorLast: t.errLast / n, ErrorDrift: t.errDrift / n, Coverage: float64(t.held) / n, Bias: t.bias / n}
}
