// Package planner asks the store what the cloud has and had, lets the pure
// packages (capacity, forecast) judge it on a schedule, and keeps the last
// report. It runs no SQL and knows no wire format: History and Inventory are
// handed in.
//
// A part that cannot be learnt is named in the report with its reason; the rest
// of the report stands.
package planner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"mcloud/planner/capacity"
	"mcloud/planner/chargeback"
	"mcloud/planner/forecast"
	"mcloud/planner/reclaim"
	"mcloud/planner/report"
)

// Options of a Planner; Cloud, History and Inventory are required.
type Options struct {
	Cloud     string
	History   History
	Inventory Inventory

	Tiers   []capacity.Tier
	Compute Compute
	Rules   capacity.Rules // capacity.AllRules() unless nova.conf says otherwise
	// Reserve is what every zone keeps back; the zero value is the largest host.
	Reserve capacity.Reserve
	// CellKey is the key of host aggregates' metadata that names a host's cell.
	CellKey string
	// Promises are commitments and scenarios; nil: there are none.
	Promises Promises

	// Ledger and Recorder keep what reports told, so that it can be scored later; without
	// them nothing is.
	Ledger   Ledger
	Recorder Recorder
	// Card has the prices of what could be reclaimed; Reclaim says what counts.
	Card    chargeback.RateCard
	Reclaim reclaim.Limits

	// QuickStart leaves the forecasts of hosts and projects to the second plan, so that there
	// is a first one soon: on a large cloud they are most of the work.
	QuickStart bool

	Period  time.Duration // between starts of two runs; default 10 minutes
	Timeout time.Duration // of one run; default 5 minutes
	Window  time.Duration // of history; default 180 days
	Horizon time.Duration // of forecasts; default 365 days
	Runway  time.Duration // how long a purchase must last; default 180 days

	Logger *slog.Logger
	Now    func() time.Time // default time.Now
}

// Compute is how compute hosts are bought.
type Compute struct {
	LeadTime time.Duration // from order to usable
	Host     HostUnit      // zero: a host like most hosts of the zone
}

// HostUnit is the compute host that would be bought; its resources are as
// Placement would list them in total, before the allocation ratio.
type HostUnit struct {
	Name                      string
	VCPUs, MemoryMiB, DiskGiB int64
	Price, Currency           string
}

// ErrNotReady is returned until the first run has ended.
var ErrNotReady = errors.New("the first plan is still being made; ask again in a few seconds")

// Planner makes reports. Run it once; its other methods may be called from any
// goroutine.
type Planner struct {
	o     Options
	cache *historyCache
	ready chan struct{}
	busy  chan struct{} // holds one token: one computation at a time

	// Of Run alone: the day of the last report that was kept, and why one was not.
	kept, unkept string

	mu     sync.RWMutex
	last   *plan
	status Status
}

// Status says how the planner itself does.
type Status struct {
	Cloud         string    `json:"cloud"`
	Started       time.Time `json:"started"`
	Runs          int64     `json:"runs"`
	Failures      int64     `json:"failures"` // runs of which nothing came
	LastRun       time.Time `json:"last_run,omitzero"`
	LastSeconds   float64   `json:"last_seconds"`
	LastError     string    `json:"last_error,omitempty"`
	Missing       int       `json:"missing"` // parts of the last report that are missing
	PeriodSeconds float64   `json:"period_seconds"`
}

// plan is what one run found.
type plan struct {
	document report.Document
	cloud    capacity.Cloud
	looked   time.Time // at what headroom follows from; zero: not known
	// forecasts are those of the outlooks, by what they are of, without their paths.
	forecasts map[string]forecast.Result
	drifts    map[string]float64 // of their histories, a day
	reclaim   *reclaim.Result    // all of it; the document has the dearest; nil: not known
}

// New checks o; it asks nothing yet.
func New(o Options) (*Planner, error) {
	switch {
	case o.Cloud == "":
		return nil, errors.New("planner: no cloud is named")
	case o.History == nil || o.Inventory == nil:
		return nil, errors.New("planner: needs a History and an Inventory")
	}
	seen := map[string]bool{}
	for _, t := range o.Tiers {
		if err := t.Validate(); err != nil {
			return nil, fmt.Errorf("planner: %w", err)
		}
		if seen[t.Name] {
			return nil, fmt.Errorf("planner: tier %s is there twice", t.Name)
		}
		seen[t.Name] = true
	}
	const day = 24 * time.Hour
	o.Period = cmp.Or(o.Period, 10*time.Minute)
	o.Timeout = cmp.Or(o.Timeout, 5*time.Minute)
	o.Window = cmp.Or(o.Window, 180*day)
	o.Horizon = cmp.Or(o.Horizon, 365*day)
	o.Runway = cmp.Or(o.Runway, 180*day)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Planner{o: o, cache: newHistoryCache(), ready: make(chan struct{}), busy: make(chan struct{}, 1)}
	p.busy <- struct{}{}
	p.status = Status{Cloud: o.Cloud, Started: o.Now().UTC(), PeriodSeconds: o.Period.Seconds()}
	return p, nil
}

// Run makes a plan at once and then every Period until ctx ends; it returns nil
// then. A run that fails is logged and counted, the last plan stays. While parts
// of the cloud have not been seen, as after a start, it looks again sooner.
func (p *Planner) Run(ctx context.Context) error {
	pause := retry
	for {
		p.runOnce(ctx)
		wait := p.o.Period
		if p.hasHoles() {
			wait, pause = min(pause, p.o.Period), 2*pause
		} else {
			pause = retry
		}
		next := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			next.Stop()
			return nil
		case <-next.C:
		}
	}
}

// retry is the first pause after a plan with holes; it doubles up to Period.
const retry = 5 * time.Second

// isFirst tells whether there is no plan yet, or one from before the cloud was seen.
func (p *Planner) isFirst() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.last == nil || len(p.last.document.Zones) == 0
}

// hasHoles says whether the last plan lacks the zones, or what is in one, or
// what a tier stores.
func (p *Planner) hasHoles() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.last == nil || len(p.last.document.Zones) == 0 {
		return true
	}
	return slices.ContainsFunc(p.last.document.Zones, func(z report.Zone) bool { return len(z.Outlooks) == 0 }) ||
		slices.ContainsFunc(p.last.document.Tiers, func(t report.Tier) bool { return !t.Known })
}

func (p *Planner) runOnce(ctx context.Context) {
	made, err := p.compute(ctx, p.o.Now().UTC(), p.cache)
	p.take(ctx, made, err)
	if err != nil || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	switch err := p.keep(ctx, made); {
	case err == nil:
		p.unkept = ""
	case err.Error() != p.unkept: // said once, not at every run
		p.unkept = err.Error()
		p.o.Logger.Warn("a report is not kept; tried again with the next", "cloud", p.o.Cloud, "error", err)
	}
}

// keepTimeout bounds the storing of what a report told.
const keepTimeout = 30 * time.Second

// take makes a plan the last one.
func (p *Planner) take(ctx context.Context, made *plan, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	former := p.status
	p.status.Runs++
	p.status.LastRun = p.o.Now().UTC()
	p.status.LastError = ""
	if err != nil {
		p.status.Failures++
		if err.Error() != former.LastError { // said once, not at every run
			p.o.Logger.Error("no plan could be made; the last one stays", "cloud", p.o.Cloud, "error", err)
		}
		p.status.LastError = err.Error()
		return
	}
	if p.last == nil {
		close(p.ready)
	}
	p.status.LastSeconds, p.status.Missing = made.document.Seconds, len(made.document.Partial)
	p.last = made
	level := slog.LevelDebug
	if former.Runs == former.Failures || former.LastError != "" || former.Missing != p.status.Missing {
		level = slog.LevelInfo // the first, or something came or went
	}
	p.o.Logger.Log(context.Background(), level, "plan made", "cloud", p.o.Cloud, "seconds", made.document.Seconds, "zones", len(made.document.Zones), "tiers", len(made.document.Tiers), "missing", len(made.document.Partial))
}

// compute makes one plan, one at a time, within Timeout.
func (p *Planner) compute(ctx context.Context, at time.Time, cache *historyCache) (*plan, error) {
	select {
	case <-p.busy:
		defer func() { p.busy <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, p.o.Timeout)
	defer cancel()
	start := p.o.Now()
	seen, err := p.observe(ctx, at)
	if err != nil {
		return nil, err
	}
	looked := p.looked(ctx, seen)
	d := p.document(ctx, seen, cache)
	d.Made, d.Seconds = p.o.Now().UTC(), p.o.Now().Sub(start).Seconds()
	return &plan{document: d, cloud: seen.cloud, looked: looked, forecasts: seen.forecasts, drifts: seen.drifts, reclaim: seen.reclaim}, nil
}

// Ready is closed when the first plan is there.
func (p *Planner) Ready() <-chan struct{} { return p.ready }

// Status says how the planner itself does.
func (p *Planner) Status() Status {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.status
}

// Report returns the last report, waiting for the first until ctx ends, or with
// a time computes one as of then from what was stored up to then.
func (p *Planner) Report(ctx context.Context, at time.Time) (report.Document, error) {
	if !at.IsZero() {
		made, err := p.compute(ctx, at.UTC(), newHistoryCache())
		if err != nil {
			return report.Document{}, err
		}
		return made.document, nil
	}
	made, err := p.latest(ctx)
	if err != nil {
		return report.Document{}, err
	}
	return made.document, nil
}

func (p *Planner) latest(ctx context.Context) (*plan, error) {
	select {
	case <-p.ready:
	case <-ctx.Done():
		if e := p.Status().LastError; e != "" {
			return nil, fmt.Errorf("%w: the last attempt failed: %s", ErrNotReady, e)
		}
		return nil, ErrNotReady
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.last, nil
}

// ErrUnknown is wrapped when a flavor or zone is asked for that does not exist.
var ErrUnknown = errors.New("not known")

// Headroom answers how many more servers fit as of the last plan: of one flavor
// (by name or id) or of all, in one zone or in all.
func (p *Planner) Headroom(ctx context.Context, flavor, zone string) ([]capacity.Headroom, error) {
	made, err := p.latest(ctx)
	if err != nil {
		return nil, err
	}
	flavors := made.cloud.Flavors
	if flavor != "" {
		f, ok := made.cloud.FlavorNamed(flavor)
		if !ok {
			return nil, fmt.Errorf("flavor %q is %w; known are: %s", flavor, ErrUnknown, names(flavors))
		}
		flavors = []capacity.Flavor{f}
	}
	if zone != "" && !hasZone(made.document.Zones, zone) {
		return nil, fmt.Errorf("zone %q is %w; known are: %s", zone, ErrUnknown, zoneNames(made.document.Zones))
	}
	return p.headroom(made.cloud, flavors, zone), nil
}
