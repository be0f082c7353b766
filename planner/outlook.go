package planner

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cockroachdb/apd/v3"

	"mcloud/planner/capacity"
	"mcloud/planner/forecast"
	"mcloud/planner/report"
	"mcloud/planner/scenario"
)

// quantity is something that fills up, at the instant of the plan.
type quantity struct {
	what            string // for messages: "tier nvme"
	subject         scenario.Subject
	unit            string
	used            float64
	known           bool // whether used is
	limit, capacity float64
	leadTime        time.Duration
	buy             capacity.Unit
	perUnit         float64 // what one unit adds to limit
	losses          []capacity.Loss
}

// soon is how long before its order-by date an order is called near.
const soon = 60 * 24 * time.Hour

// outlook forecasts q and draws the conclusions.
func (p *Planner) outlook(q quantity, d demand, seen *observation) report.Outlook {
	o := report.Outlook{
		Unit: q.unit, Used: q.used, Limit: q.limit, Capacity: q.capacity, LeadTimeDays: days(q.leadTime),
		Urgency: report.Unknown, Crossing: forecast.Crossing{State: forecast.Unknown},
	}
	if q.limit > 0 && q.known {
		o.UsedRatio = q.used / q.limit
	}
	if d.err != nil {
		seen.miss(q.what, "no history: %v", d.err)
		o.Notes = append(o.Notes, fmt.Sprintf("no history: %v", d.err))
	}
	f, err := p.foresee(d, q.leadTime)
	if err != nil {
		seen.miss(q.what, "no forecast: %v", err)
	}
	seen.forecasts[q.what], seen.drifts[q.what] = f.WithoutPaths(), drift(d.points)
	if stale := seen.at.Sub(f.To); f.Points > 0 && stale > 2*f.Step+time.Hour {
		note := fmt.Sprintf("its history ends %s, %.0f h before the report: the forecast starts there", f.To.Format(time.RFC3339), stale.Hours())
		seen.miss(q.what, "%s", note)
		o.Notes = append(o.Notes, note)
	}
	if f.Model == "" && d.err == nil {
		o.Notes = append(o.Notes, "no forecast: "+f.Reason)
	}
	o.Notes = append(o.Notes, f.Notes...)
	if q.known && q.used < 0 {
		o.Notes = append(o.Notes, fmt.Sprintf("%s are used, which cannot be: check what is measured", report.Quantity(q.used, q.unit)))
	}
	o.Basis = basis(f)
	o.Chart = chart(d.points, f)
	o.Confidence = confidence(f)
	if q.limit <= 0 && q.capacity <= 0 {
		o.Confidence = report.Confidence{Level: "none", Why: "the limit is not known"}
		o.Notes = append(o.Notes, "the limit is not known")
		return o
	}
	promised := seen.promises.effect(q)
	o.Crossing = crossing(q, promised, f, seen.at)
	seen.promises.answer(q, promised, f, seen.at)
	o.Risks = risks(f, q, promised, o.Crossing.State, seen.at)
	o.Losses = losses(q, promised, f, seen.at)
	if f.Forecasted() {
		growth := slope(f)
		o.GrowthPerDay = &growth
	}
	if o.Crossing.P10 != nil {
		by := o.Crossing.P10.Add(-q.leadTime)
		o.OrderBy = &by
	}
	o.Urgency = urgency(o, seen.at)
	o.Purchase = p.purchase(q, promised, f, seen.at)
	return o
}

// risks are the chances that the limit is reached before what is ordered then arrives.
func risks(f forecast.Result, q quantity, promised scenario.Effect, state forecast.State, at time.Time) (all []report.Risk) {
	if !f.Forecasted() && state != forecast.Over {
		return nil
	}
	arrives := make([]time.Time, len(report.RiskWeeks))
	for i, weeks := range report.RiskWeeks {
		arrives[i] = at.AddDate(0, 0, 7*weeks).Add(q.leadTime)
	}
	chances := f.CrossedBy(promised.Threshold(f), arrives...)
	for i, weeks := range report.RiskWeeks {
		if state == forecast.Over {
			chances[i] = 1
		}
		all = append(all, report.Risk{Weeks: weeks, Order: at.AddDate(0, 0, 7*weeks), Arrives: arrives[i], Probability: chances[i]})
	}
	return all
}

func urgency(o report.Outlook, at time.Time) report.Urgency {
	switch {
	case o.Crossing.State == forecast.Over:
		return report.Full
	case o.Crossing.State == forecast.Unknown:
		return report.Unknown
	case o.OrderBy == nil || o.OrderBy.After(at.Add(soon)):
		return report.Fine
	case o.OrderBy.After(at):
		return report.Soon
	}
	return report.Order
}

// purchase is the whole units that keep the middle path under the limit until
// the lead time and then the runway have passed.
func (p *Planner) purchase(q quantity, promised scenario.Effect, f forecast.Result, at time.Time) *report.Purchase {
	if q.buy.Name == "" || q.perUnit <= 0 {
		return nil
	}
	buy := &report.Purchase{Unit: q.buy.Name, PerUnit: q.perUnit, LastsUntil: at.Add(q.leadTime + p.o.Runway)}
	need, safe := q.used, q.used
	if f.Forecasted() {
		for i := range f.P50 {
			if f.Time(i).After(buy.LastsUntil) {
				break
			}
			// What is promised comes on top, and so do limits that fall.
			need, safe = max(need, owed(q, promised, f, f.P50[i], f.Time(i))), max(safe, owed(q, promised, f, f.P90[i], f.Time(i)))
		}
		// To stay under the limit, not to meet it.
		need, safe = math.Nextafter(need, math.Inf(1)), math.Nextafter(safe, math.Inf(1))
	} else {
		buy.Note = "growth is not known: this only makes room for what is there"
		buy.LastsUntil = at
	}
	var ok bool
	if buy.Units, ok = capacity.UnitsFor(need, q.limit, q.perUnit, q.buy); !ok {
		return nil
	}
	buy.UnitsSafe, _ = capacity.UnitsFor(safe, q.limit, q.perUnit, q.buy)
	if q.buy.Price != "" && buy.Units > 0 {
		cost, err := cost(q.buy.Price, buy.Units)
		if err != nil {
			buy.Note = err.Error()
		} else {
			buy.Cost, buy.Currency = cost, q.buy.Currency
		}
	}
	price(buy, q)
	return buy
}

// price adds what the safe quantity costs, and what a usable TiB, GiB or vCPU does.
func price(buy *report.Purchase, q quantity) {
	if q.buy.Price == "" {
		return
	}
	if buy.UnitsSafe > 0 {
		if safe, err := cost(q.buy.Price, buy.UnitsSafe); err == nil {
			buy.CostSafe, buy.Currency = safe, q.buy.Currency
		}
	}
	amount, unit := q.perUnit, q.unit
	switch q.unit {
	case "bytes":
		amount, unit = q.perUnit/(1<<40), "TiB"
	case "MiB":
		amount, unit = q.perUnit/(1<<10), "GiB"
	}
	unitPrice, _, err := apd.NewFromString(q.buy.Price)
	if err != nil || unitPrice.Form != apd.Finite {
		return
	}
	divisor := new(apd.Decimal)
	if _, err := divisor.SetFloat64(amount); err != nil {
		return
	}
	var each apd.Decimal
	ctx := apd.BaseContext.WithPrecision(34)
	ctx.Rounding = apd.RoundHalfEven
	if _, err := ctx.Quo(&each, unitPrice, divisor); err != nil {
		return
	}
	if _, err := ctx.Quantize(&each, &each, -2); err != nil {
		return
	}
	buy.PerUsable, buy.Usable, buy.Currency = each.Text('f'), unit, q.buy.Currency
}

// cost multiplies in decimal: money is not for floats.
func cost(price string, units int64) (string, error) {
	unit, _, err := apd.NewFromString(price)
	if err != nil || unit.Form != apd.Finite {
		return "", fmt.Errorf("price %q is not a decimal number", price)
	}
	var total apd.Decimal
	if _, err := apd.BaseContext.WithPrecision(34).Mul(&total, unit, apd.New(units, 0)); err != nil {
		return "", fmt.Errorf("price %q × %d: %w", price, units, err)
	}
	return total.Text('f'), nil
}

// slope is the mean growth of P50 per day over the next 30 days.
func slope(f forecast.Result) float64 {
	n := min(len(f.P50), max(1, int(30*24*time.Hour/f.Step)))
	return (f.P50[n-1] - f.Last) / (float64(n) * f.Step.Hours() / 24)
}

// confidence says how much weight f bears, by these rules: none without a
// forecast; low with less than 30 days of history or fewer than 8 backtest
// origins, or when the interval held less than half of what came; high with at
// least 90 days, an interval that held 65 to 95 %, and an error below that of "no
// change"; medium otherwise.
func confidence(f forecast.Result) report.Confidence {
	span, b := days(f.To.Sub(f.From)), f.Backtest
	switch {
	case !f.Forecasted():
		return report.Confidence{Level: "none", Why: f.Reason}
	case f.Model == "constant":
		return report.Confidence{Level: "low", Why: fmt.Sprintf("nothing changed in %.0f days: it may begin to at any time", span)}
	case span < 30:
		return report.Confidence{Level: "low", Why: fmt.Sprintf("only %.0f days of history", span)}
	case b.Origins < 8:
		return report.Confidence{Level: "low", Why: "too few points to test the model on the past"}
	case b.Coverage < 0.5:
		return report.Confidence{Level: "low", Why: tested(b)}
	case span >= 90 && b.Coverage >= 0.65 && b.Coverage <= 0.95 && b.Relative < 0.95:
		return report.Confidence{Level: "high", Why: tested(b)}
	}
	return report.Confidence{Level: "medium", Why: tested(b)}
}

func tested(b forecast.Backtest) string {
	return fmt.Sprintf("on the past, P10 to P90 held %.0f %% of what came; error %.0f %% of “no change”", 100*b.Coverage, 100*b.Relative)
}

func basis(f forecast.Result) *report.Basis {
	if f.Points == 0 {
		return &report.Basis{Reason: f.Reason, Notes: f.Notes}
	}
	return &report.Basis{
		Model: f.Model, Reason: f.Reason, From: f.From.UTC(), To: f.To.UTC(), StepHours: f.Step.Hours(),
		Points: f.Points, Gaps: f.Gaps, Outliers: f.Outliers, Shifts: f.Shifts,
		Origins: f.Backtest.Origins, LeadDays: days(f.Backtest.Horizon), MeanError: f.Backtest.MeanError,
		Relative: f.Backtest.Relative, Coverage: f.Backtest.Coverage, Candidates: f.Candidates, Notes: f.Notes,
	}
}

// The most points of history and forecast that go into a chart.
const (
	chartHistory = 180
	chartFan     = 90
)

func chart(points []forecast.Point, f forecast.Result) report.Chart {
	var c report.Chart
	every := (len(points) + chartHistory - 1) / chartHistory
	for i, q := range points {
		// Counted from the end, so that the newest point is always there.
		if (len(points)-1-i)%max(1, every) == 0 {
			c.History = append(c.History, report.Value{Time: q.Time.UTC(), Value: short(q.Value)})
		}
	}
	every = (len(f.P50) + chartFan - 1) / chartFan
	for i := range f.P50 {
		if i == 0 || i == len(f.P50)-1 || i%max(1, every) == 0 {
			c.Fan = append(c.Fan, report.Band{Time: f.Time(i).UTC(), P10: short(f.P10[i]), P50: short(f.P50[i]), P90: short(f.P90[i])})
		}
	}
	c.Fan = slices.Clip(c.Fan)
	return c
}

// short keeps six significant digits: more cannot be seen in a chart.
func short(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	scale := math.Pow(10, 5-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}
