// Package report shows what the planner found: one Document, whose JSON is the
// whole truth, written as a table for terminals, as CSV for spreadsheets and as
// one self-contained HTML page for people. It computes nothing: every number
// that is shown is in the Document.
package report

import (
	"slices"
	"time"

	"mcloud/planner/capacity"
	"mcloud/planner/forecast"
	"mcloud/planner/reclaim"
	"mcloud/planner/scenario"
)

// Schema names this version of the Document's JSON. Fields may be added to it;
// anything else makes a new one.
const Schema = "mcloud.report/1"

// Document is the planner's report about one instant. All times are UTC.
type Document struct {
	Schema string    `json:"schema"`
	Cloud  string    `json:"cloud"`
	At     time.Time `json:"at"`   // the instant it is about
	Made   time.Time `json:"made"` // when it was computed
	// Seconds is how long that took.
	Seconds float64 `json:"seconds"`
	// RunwayDays is how long a purchase has to last beyond its lead time.
	RunwayDays float64 `json:"runway_days"`
	// Partial says what is missing and why; what is there stands.
	Partial []Missing `json:"partial,omitempty"`
	// Headline is the one sentence for who reads nothing else.
	Headline string `json:"headline"`
	// Summary is what all answers come to.
	Summary Summary `json:"summary"`
	// Answers is the first screen: one for every tier and zone, most urgent first.
	Answers []Answer         `json:"answers"`
	Zones   []Zone           `json:"zones"`
	Total   capacity.ZoneSum `json:"total"`
	// Hosts, Aggregates and Cells are other views of the same compute hosts. Cells are
	// by the metadata of aggregates that the configuration names.
	Hosts      []capacity.HostRow  `json:"hosts,omitempty"`
	Aggregates []capacity.GroupSum `json:"aggregates,omitempty"`
	Cells      []capacity.GroupSum `json:"cells,omitempty"`
	Tiers      []Tier              `json:"tiers"`
	Headroom   []capacity.Headroom `json:"headroom"`
	// Hierarchies are forecasts of wholes and their parts that add up.
	Hierarchies []Hierarchy `json:"hierarchies,omitempty"`
	// Reclaim is what is paid for and not used, with the dearest of each category; nil
	// when that could not be found out.
	Reclaim *reclaim.Result `json:"reclaim,omitempty"`
	// Score says how the reports of the past did.
	Score Score `json:"score"`
	// RealUse is what the compute hosts really use, beside what is allocated.
	RealUse RealUse `json:"really_used"`
	// Commitments are promised and still to come: every date here counts with them.
	Commitments []scenario.Commitment `json:"commitments,omitempty"`
	// Scenarios are the stored questions, answered anew.
	Scenarios []WhatIf `json:"scenarios,omitempty"`
}

// RealUse is what compute hosts were measured to use over a time. Nothing of it is
// a forecast, and no limit follows from it.
type RealUse struct {
	// Why says why nothing is known; the rest is then absent, never 0.
	Why string `json:"why,omitempty"`
	// From, To and StepHours are the instants that were looked at.
	From      time.Time          `json:"from,omitzero"`
	To        time.Time          `json:"to,omitzero"`
	StepHours float64            `json:"step_hours,omitempty"`
	Total     *capacity.RealUse  `json:"total,omitempty"`
	Zones     []capacity.RealUse `json:"zones,omitempty"` // that have a measured host
	Hosts     []capacity.RealUse `json:"hosts,omitempty"` // that are measured
	// Aggregates are by name, those with a measured host.
	Aggregates map[string]capacity.RealUse `json:"aggregates,omitempty"`
	// Unmeasured are the names of the other hosts.
	Unmeasured []string `json:"unmeasured,omitempty"`
}

// In is the real use of a class in a zone; ok is false when nobody measures it.
func (u RealUse) In(zone, class string) (use capacity.ClassUse, ok bool) {
	for _, z := range u.Zones {
		if z.Zone == zone {
			use, ok = z.Classes[class]
		}
	}
	return use, ok
}

// Missing is something the report could not learn.
type Missing struct {
	What string `json:"what"` // "tier nvme", "host cmp-a1"
	Why  string `json:"why"`
}

// Urgency orders answers.
type Urgency string

// The urgencies, most urgent first.
const (
	Full    Urgency = "full"      // the limit is reached
	Order   Urgency = "order now" // the order-by date has come
	Soon    Urgency = "order soon"
	Fine    Urgency = "ok"
	Unknown Urgency = "unknown"
)

var urgencies = []Urgency{Full, Order, Soon, Unknown, Fine}

// Rank is 0 for the most urgent.
func (u Urgency) Rank() int { return slices.Index(urgencies, u) }

// Kind says what an Answer is about.
type Kind string

// What runs out.
const (
	KindTier Kind = "tier"
	KindZone Kind = "zone"
)

// Answer says what runs out, when, by when to order, how much, and how sure
// that is. The date fields are absent when they do not lie within the horizon.
type Answer struct {
	Kind      Kind       `json:"kind"`
	Name      string     `json:"name"`
	Class     string     `json:"class,omitempty"` // of a zone: the resource class that runs out first
	Urgency   Urgency    `json:"urgency"`
	UsedRatio float64    `json:"used_ratio"` // of the limit, may exceed 1
	P10       *time.Time `json:"p10,omitempty"`
	P50       *time.Time `json:"p50,omitempty"`
	Until     *time.Time `json:"until,omitempty"` // the end of the horizon
	OrderBy   *time.Time `json:"order_by,omitempty"`
	Purchase  *Purchase  `json:"purchase,omitempty"`
	// Risks are the chances that it runs out before an order arrives, as in Outlook.
	Risks      []Risk     `json:"risks,omitempty"`
	Confidence Confidence `json:"confidence"`
	Why        string     `json:"why"` // one sentence
	// Notes say what is wrong or missing, as in Outlook.
	Notes []string `json:"notes,omitempty"`
}

// Zone is an availability zone with a forecast for each resource class.
type Zone struct {
	capacity.ZoneSum
	Outlooks []Outlook `json:"outlooks"`
}

// Tier is a storage tier with its forecast.
type Tier struct {
	capacity.TierSum
	Outlook Outlook `json:"outlook"`
}

// Outlook is a quantity, its limit, and when the one meets the other.
type Outlook struct {
	Class    string  `json:"class,omitempty"` // resource class, for a zone
	Unit     string  `json:"unit"`            // "bytes", "vCPU", "MiB", "GiB"
	Used     float64 `json:"used"`
	Limit    float64 `json:"limit"`
	Capacity float64 `json:"capacity"` // without reserve
	// UsedRatio is Used / Limit, 0 when there is no limit.
	UsedRatio float64           `json:"used_ratio"`
	Urgency   Urgency           `json:"urgency"`
	Crossing  forecast.Crossing `json:"crossing"`
	// GrowthPerDay is the slope of P50 over the next 30 days.
	GrowthPerDay *float64   `json:"growth_per_day,omitempty"`
	LeadTimeDays float64    `json:"lead_time_days"`
	OrderBy      *time.Time `json:"order_by,omitempty"` // P10 crossing − lead time
	Purchase     *Purchase  `json:"purchase,omitempty"`
	Confidence   Confidence `json:"confidence"`
	// Risks are the chances that the limit is reached before an order arrives, by when it
	// is placed: today and RiskWeeks later.
	Risks []Risk `json:"risks,omitempty"`
	Basis *Basis `json:"basis,omitempty"`
	// Notes say in plain words what is wrong with, or missing of, what this rests on.
	Notes []string `json:"notes,omitempty"`
	Chart Chart    `json:"chart"`
	// Losses are of a tier: what dies worst, and when that can no longer be made good.
	Losses []Loss `json:"losses,omitempty"`
}

// RiskWeeks are how long waiting with an order is looked at.
var RiskWeeks = []int{0, 4, 8, 13}

// Risk is the chance that the limit is reached before an order of Order arrives.
type Risk struct {
	Weeks       int       `json:"weeks"` // from the report to Order
	Order       time.Time `json:"order"`
	Arrives     time.Time `json:"arrives"`
	Probability float64   `json:"probability"`
}

// Loss is a failure domain that dies now. Crossing is of its SurvivableBytes: until then
// all copies can be made again on what is left.
type Loss struct {
	capacity.Loss
	Crossing forecast.Crossing `json:"crossing"`
}

// Purchase is whole units that push the crossing beyond lead time and runway.
type Purchase struct {
	Unit string `json:"unit"`
	// Units for the middle path, and for the P90 one, which is the safe side.
	Units     int64 `json:"units"`
	UnitsSafe int64 `json:"units_safe"`
	// PerUnit is what one unit adds to the limit, in the outlook's unit.
	PerUnit float64 `json:"per_unit"`
	// Cost of Units as a decimal number; "" when no price is configured.
	Cost     string `json:"cost,omitempty"`
	Currency string `json:"currency,omitempty"`
	// CostSafe is that of UnitsSafe; PerUsable what one Usable (a TiB, a vCPU) costs.
	CostSafe  string `json:"cost_safe,omitempty"`
	PerUsable string `json:"cost_per_usable,omitempty"`
	Usable    string `json:"usable,omitempty"`
	// LastsUntil is the day up to which the middle path then fits.
	LastsUntil time.Time `json:"lasts_until"`
	Note       string    `json:"note,omitempty"`
}

// Confidence is how much weight a forecast bears.
type Confidence struct {
	Level string `json:"level"` // "high", "medium", "low", "none"
	Why   string `json:"why"`
}

// Basis is the evidence behind a forecast.
type Basis struct {
	Model      string           `json:"model,omitempty"`
	Reason     string           `json:"reason"`
	From       time.Time        `json:"from"`
	To         time.Time        `json:"to"`
	StepHours  float64          `json:"step_hours"`
	Points     int              `json:"points"`
	Gaps       int              `json:"gaps"`
	Outliers   int              `json:"outliers"`
	Shifts     []forecast.Shift `json:"shifts,omitempty"`
	Origins    int              `json:"backtest_origins"`
	LeadDays   float64          `json:"backtest_lead_days"`
	MeanError  float64          `json:"backtest_mean_error"` // in the outlook's unit
	Relative   float64          `json:"backtest_relative"`   // to "no change"
	Coverage   float64          `json:"backtest_coverage"`   // of P10–P90; 0.8 is perfect
	Candidates []forecast.Score `json:"candidates,omitempty"`
	// Notes say in plain words what is odd about the history.
	Notes []string `json:"notes,omitempty"`
}

// Chart is the history and the forecast, thinned to what a chart can show.
type Chart struct {
	History []Value `json:"history,omitempty"`
	Fan     []Band  `json:"fan,omitempty"`
}

// Value is one point of a chart.
type Value struct {
	Time  time.Time `json:"t"`
	Value float64   `json:"v"`
}

// Band is the forecast at one instant.
type Band struct {
	Time time.Time `json:"t"`
	P10  float64   `json:"p10"`
	P50  float64   `json:"p50"`
	P90  float64   `json:"p90"`
}
