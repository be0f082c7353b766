package planner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"mcloud"
	"mcloud/planner"
	"mcloud/planner/forecast"
	"mcloud/planner/plannertest"
	"mcloud/planner/report"
)

// start runs a planner until the test ends and waits for its first plan.
func start(t *testing.T, o planner.Options) *planner.Planner {
	t.Helper()
	p, err := planner.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return p
}

// plain is a planner of the test cloud as it is, with a plan, for tests that only look
// at it. It runs as long as the tests do.
var plain = sync.OnceValues(func() (*planner.Planner, error) {
	p, err := planner.New(plannertest.Options())
	if err != nil {
		return nil, err
	}
	go p.Run(context.Background())
	_, err = p.Report(context.Background(), time.Time{})
	return p, err
})

func shared(t *testing.T) *planner.Planner {
	t.Helper()
	p, err := plain()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func latest(t *testing.T, p *planner.Planner) report.Document {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	d, err := p.Report(ctx, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestReport(t *testing.T) {
	p := shared(t)
	d := latest(t, p)
	if len(d.Zones) != 3 || len(d.Tiers) != 4 || len(d.Answers) != 7 || len(d.Headroom) != 4 {
		t.Fatalf("%d zones, %d tiers, %d answers, %d headrooms", len(d.Zones), len(d.Tiers), len(d.Answers), len(d.Headroom))
	}
	if len(d.Partial) != 0 {
		t.Errorf("missing: %v", d.Partial)
	}
	for i := 1; i < len(d.Answers); i++ {
		if d.Answers[i].Urgency.Rank() < d.Answers[i-1].Urgency.Rank() {
			t.Errorf("answer %d (%s) is more urgent than the one before", i, d.Answers[i].Subject())
		}
	}
	for _, tier := range d.Tiers {
		o := tier.Outlook
		if !tier.Known || o.Basis.Model == "" || len(o.Chart.Fan) == 0 || len(o.Chart.History) < 100 {
			t.Errorf("tier %s: known %v, basis %+v", tier.Tier, tier.Known, o.Basis)
		}
		if o.Crossing.P10 != nil && o.OrderBy == nil || o.OrderBy != nil && !o.OrderBy.Equal(o.Crossing.P10.AddDate(0, 0, -int(o.LeadTimeDays))) {
			t.Errorf("tier %s: order by %v is not P10 %v minus %v days", tier.Tier, o.OrderBy, o.Crossing.P10, o.LeadTimeDays)
		}
	}
	// geo-nvme grows by 0.07 TiB a day and must be ordered; sas7k hardly grows.
	geo, slow := d.Tiers[3], d.Tiers[2]
	if p := geo.Outlook.Purchase; p == nil || p.Units == 0 || p.Units%3 != 0 || p.UnitsSafe < p.Units || p.Cost == "" {
		t.Errorf("geo-nvme: purchase %+v, want a multiple of 3 with a price", p)
	}
	if slow.Outlook.Crossing.State != forecast.Beyond || slow.Outlook.OrderBy != nil {
		t.Errorf("sas7k: crossing %+v, order by %v", slow.Outlook.Crossing, slow.Outlook.OrderBy)
	}
	if z := d.Zones[2]; z.InService != 5 || z.Out["disabled"] != 1 || z.Classes["VCPU"].OutOfService != 368 {
		t.Errorf("az-c: %+v", z.ZoneSum)
	}
	if z := d.Zones[0].Outlooks[0]; z.Used == 0 || z.Limit != 5*368 || z.Purchase == nil || z.Purchase.PerUnit != 368 {
		t.Errorf("az-a VCPU: %+v", z)
	}
}

// TestPurchaseLasts: with what is bought, the middle path stays under the limit
// until lead time and runway are over; with one unit less it does not.
func TestPurchaseLasts(t *testing.T) {
	d := latest(t, shared(t))
	checked := 0
	for _, tier := range d.Tiers {
		o, p := tier.Outlook, tier.Outlook.Purchase
		if p == nil || p.Units == 0 {
			continue
		}
		checked++
		var most float64
		for _, b := range o.Chart.Fan {
			if !b.Time.After(p.LastsUntil) {
				most = max(most, b.P50)
			}
		}
		if limit := o.Limit + float64(p.Units)*p.PerUnit; most > limit {
			t.Errorf("tier %s: P50 reaches %g within the runway, the limit would be %g", tier.Tier, most, limit)
		}
		multiple := int64(1)
		if tier.Tier == "geo-nvme" {
			multiple = 3
		}
		// The chart shows one instant in six: leave it a week of growth.
		if less := o.Limit + float64(p.Units-multiple)*p.PerUnit; most+7**o.GrowthPerDay < less {
			t.Errorf("tier %s: %d units are more than needed: P50 reaches only %g, limit %g", tier.Tier, p.Units, most, less)
		}
	}
	if checked == 0 {
		t.Error("no tier needs a purchase: the test shows nothing")
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*planner.Options)
		missing string // what and why contain
		zones   int
	}{
		{"no history", func(o *planner.Options) { o.History = &plannertest.History{Empty: true} }, "no history: no samples in the window", 3},
		{"collector away", func(o *planner.Options) {
			o.History = &plannertest.History{Fail: errors.New("connection refused")}
		}, "connection refused", 3},
		{"no hosts", func(o *planner.Options) {
			o.Inventory = &plannertest.Inventory{Fail: map[mcloud.Kind]bool{mcloud.KindHost: true}}
		}, "objects of kind host cannot be read from the store: the store is away", 0},
		{"no OSDs", func(o *planner.Options) {
			o.Inventory = &plannertest.Inventory{Fail: map[mcloud.Kind]bool{mcloud.KindOSD: true}}
		}, "tells of no OSD", 3},
		{"empty store", func(o *planner.Options) { o.Inventory = &plannertest.Inventory{Empty: true} }, "the store knows none", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := plannertest.Options()
			tt.change(&o)
			d := latest(t, start(t, o))
			var said strings.Builder
			for _, m := range d.Partial {
				said.WriteString(m.What + " " + m.Why + "\n")
			}
			if !strings.Contains(said.String(), tt.missing) {
				t.Errorf("%q is not said:\n%s", tt.missing, &said)
			}
			if len(d.Zones) != tt.zones || len(d.Tiers) != 4 {
				t.Errorf("%d zones and %d tiers, want %d and 4: the rest must stand", len(d.Zones), len(d.Tiers), tt.zones)
			}
			for _, tier := range d.Tiers {
				if strings.HasPrefix(tt.name, "no history") && tier.Outlook.Crossing.State != forecast.Unknown {
					t.Errorf("tier %s crosses %+v without a history", tier.Tier, tier.Outlook.Crossing)
				}
			}
			if _, err := json.Marshal(d); err != nil {
				t.Errorf("the report is no JSON: %v", err)
			}
		})
	}
}

// TestManyOfAKindAreOneLine: 18 hosts without a provider are not 18 lines.
func TestManyOfAKindAreOneLine(t *testing.T) {
	o := plannertest.Options()
	o.Inventory = &plannertest.Inventory{Fail: map[mcloud.Kind]bool{mcloud.KindProvider: true}}
	d := latest(t, start(t, o))
	if len(d.Partial) != 2 || !strings.Contains(d.Partial[1].What, "host cmp-a1, host cmp-a2, host cmp-a3, host cmp-a4 and 14 more") {
		t.Errorf("missing: %+v", d.Partial)
	}
}

func TestStoreAwayKeepsTheLastPlan(t *testing.T) {
	o := plannertest.Options()
	all := map[mcloud.Kind]bool{}
	inventory := &plannertest.Inventory{Fail: all}
	for _, k := range []mcloud.Kind{mcloud.KindHost, mcloud.KindProvider, mcloud.KindAggregate, mcloud.KindFlavor, mcloud.KindCephCluster, mcloud.KindOSD, mcloud.KindCephPool, mcloud.KindVolume, mcloud.KindVolumeSnapshot} {
		all[k] = true
	}
	o.Inventory = inventory
	p := start(t, o)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := p.Report(ctx, time.Time{})
	if !errors.Is(err, planner.ErrNotReady) || !strings.Contains(err.Error(), "the store is away") {
		t.Errorf("error %v, want ErrNotReady with the cause", err)
	}
	if s := p.Status(); s.Failures == 0 || s.LastError == "" {
		t.Errorf("status %+v", s)
	}
}

func TestShortHistory(t *testing.T) {
	o := plannertest.Options()
	o.History = &plannertest.History{Days: 1}
	d := latest(t, start(t, o))
	for _, tier := range d.Tiers {
		if tier.Outlook.Crossing.State == forecast.Within || tier.Outlook.Confidence.Level != "none" || !strings.Contains(tier.Outlook.Basis.Reason, "too short") {
			t.Errorf("tier %s from one day: %+v, %+v, %s", tier.Tier, tier.Outlook.Crossing, tier.Outlook.Confidence, tier.Outlook.Basis.Reason)
		}
		if len(tier.Outlook.Chart.History) < 20 {
			t.Errorf("tier %s: a day of history is drawn with %d points", tier.Tier, len(tier.Outlook.Chart.History))
		}
	}
	o = plannertest.Options()
	o.History = &plannertest.History{Days: 10}
	d = latest(t, start(t, o))
	for _, tier := range d.Tiers {
		if tier.Outlook.Confidence.Level != "low" || tier.Outlook.Basis.StepHours != 1 {
			t.Errorf("tier %s from ten days: %+v, step %g h", tier.Tier, tier.Outlook.Confidence, tier.Outlook.Basis.StepHours)
		}
	}
}

// TestHistoryIsReadOnce: the next run asks only for what is new, and says the same, with
// ten days of history too, which are read at a finer step than half a year.
func TestHistoryIsReadOnce(t *testing.T) {
	for _, days := range []int{0, 10} {
		t.Run(fmt.Sprintf("days %d", days), func(t *testing.T) {
			o := plannertest.Options()
			h := &plannertest.History{Days: days}
			o.History = h
			o.Period = 50 * time.Millisecond
			p := start(t, o)
			first := latest(t, p)
			asked := h.Asked.Load()
			for p.Status().Runs < 3 {
				time.Sleep(20 * time.Millisecond)
			}
			again := latest(t, p)
			if more := (h.Asked.Load() - asked) / (p.Status().Runs - 1); more > asked/5 {
				t.Errorf("the first run asked %d queries, the next ones %d each", asked, more)
			}
			first.Made, again.Made = time.Time{}, time.Time{}
			if diff := cmp.Diff(first, again); diff != "" {
				t.Errorf("two plans of one instant differ:\n%s", diff)
			}
		})
	}
}

func TestReportOfThePast(t *testing.T) {
	p := shared(t)
	now := latest(t, p)
	then, err := p.Report(context.Background(), plannertest.At.AddDate(0, 0, -60))
	if err != nil {
		t.Fatal(err)
	}
	if !then.At.Equal(plannertest.At.AddDate(0, 0, -60)) || then.Tiers[3].StoredBytes >= now.Tiers[3].StoredBytes {
		t.Errorf("as of %v geo-nvme stored %g, now %g", then.At, then.Tiers[3].StoredBytes, now.Tiers[3].StoredBytes)
	}
}

func TestHeadroom(t *testing.T) {
	p := shared(t)
	latest(t, p)
	all, err := p.Headroom(context.Background(), "g1.large", "")
	if err != nil || len(all) != 1 || all[0].Servers == 0 || all[0].Refused["lacks trait CUSTOM_GPU_READY"] != 14 || all[0].Refused["disabled"] != 1 {
		t.Errorf("headroom %+v, error %v", all, err)
	}
	one, err := p.Headroom(context.Background(), "id-g1.large", "az-b")
	if err != nil || one[0].Servers*3 != all[0].Servers && one[0].Servers >= all[0].Servers {
		t.Errorf("in az-b %+v, error %v", one, err)
	}
	if _, err = p.Headroom(context.Background(), "m9.none", ""); !errors.Is(err, planner.ErrUnknown) || !strings.Contains(err.Error(), "m1.large") {
		t.Errorf("error %v, want the known flavors", err)
	}
	if _, err = p.Headroom(context.Background(), "", "az-x"); !errors.Is(err, planner.ErrUnknown) || !strings.Contains(err.Error(), "az-a, az-b, az-c") {
		t.Errorf("error %v, want the known zones", err)
	}
}

func TestMetrics(t *testing.T) {
	p := shared(t)
	latest(t, p)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(p)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		// Dashboards and alert rules ask for a forecast's quantile by that word.
		if !strings.Contains(problem.Text, `"quantile" label`) {
			t.Errorf("lint: %v", problem)
		}
	}
	if n := testutil.CollectAndCount(p, "mcloud_tier_capacity_bytes"); n != 4 {
		t.Errorf("%d tiers have a capacity, want 4", n)
	}
	quantiles := testutil.CollectAndCount(p, "mcloud_tier_exhaustion_timestamp_seconds")
	if quantiles == 0 || quantiles >= 12 {
		t.Errorf("%d exhaustion dates of 12: want some, and none beyond the horizon", quantiles)
	}
	// 3 quantiles at 3 leads of 4 tiers, and of 2 classes of 3 zones.
	for metric, want := range map[string]int{
		"mcloud_tier_forecast_bytes": 36, "mcloud_zone_forecast_units": 54, "mcloud_tier_too_late_ratio": 4, "mcloud_zone_too_late_ratio": 6,
		"mcloud_tier_forecast_error_ratio": 4, "mcloud_zone_forecast_coverage_ratio": 6, "mcloud_tier_order_by_timestamp_seconds": 3, "mcloud_reclaim_objects": 8, "mcloud_plan_score_error_ratio": 0,
	} {
		if n := testutil.CollectAndCount(p, metric); n != want {
			t.Errorf("%d series of %s, want %d", n, metric, want)
		}
	}
	for _, family := range families {
		if family.GetName() != "mcloud_tier_forecast_bytes" {
			continue
		}
		for _, m := range family.Metric {
			labels := map[string]string{}
			for _, l := range m.Label {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["tier"] != "geo-nvme" || labels["ahead"] != "30d" || labels["quantile"] != "0.5" {
				continue
			}
			f, err := p.Forecast(context.Background(), planner.Question{Tier: "geo-nvme"})
			if err != nil {
				t.Fatal(err)
			}
			// Half a day after the step of 30 days: At is at noon, steps at midnight.
			if got, low, high := m.Gauge.GetValue(), f[0].Steps[29].P50, f[0].Steps[30].P50; got < low || got > high {
				t.Errorf("30 days ahead %g, want between %g and %g", got, low, high)
			}
		}
	}
}

func TestOptions(t *testing.T) {
	for name, change := range map[string]func(*planner.Options){
		"no cloud":     func(o *planner.Options) { o.Cloud = "" },
		"no history":   func(o *planner.Options) { o.History = nil },
		"tier twice":   func(o *planner.Options) { o.Tiers = append(o.Tiers, o.Tiers[0]) },
		"tier nowhere": func(o *planner.Options) { o.Tiers[0].Pools = nil },
	} {
		o := plannertest.Options()
		change(&o)
		if _, err := planner.New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
