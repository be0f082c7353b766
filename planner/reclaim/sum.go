package reclaim

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/apd/v3"

	"mcloud/planner/chargeback"
)

// price is what quantity units of a SKU cost a month now, or why that is not known.
func (f *finder) price(meter chargeback.Meter, sku string, quantity int64) (perMonth, unpriced string) {
	if f.in.Card.Currency == "" {
		return "", "no price list: name one as planner.rate_card in mcloud.yaml"
	}
	cost, ok, err := f.in.Card.PerMonth(meter, sku, quantity, f.in.At)
	switch {
	case err != nil:
		return "", err.Error()
	case !ok:
		return "", fmt.Sprintf("the price list has no price of %s %s", meter, sku)
	}
	return cost, ""
}

// saving is what a server costs less a month with the smaller flavor.
func (f *finder) saving(flavor, smaller string) (perMonth, unpriced string) {
	before, why := f.price(chargeback.MeterServer, flavor, 1)
	if why != "" {
		return "", why
	}
	after, why := f.price(chargeback.MeterServer, smaller, 1)
	if why != "" {
		return "", why
	}
	a, _, err := apd.NewFromString(before)
	if err != nil {
		return "", err.Error()
	}
	b, _, err := apd.NewFromString(after)
	if err != nil {
		return "", err.Error()
	}
	var saved apd.Decimal
	if _, err := apd.BaseContext.WithPrecision(34).Sub(&saved, a, b); err != nil {
		return "", err.Error()
	}
	if saved.Negative {
		return "", fmt.Sprintf("flavor %s costs more than %s", smaller, flavor)
	}
	return saved.Text('f'), ""
}

// sum adds decimal numbers; money is not for floats.
type sum struct {
	total    apd.Decimal
	priced   int
	unpriced int
}

func (s *sum) add(perMonth string) error {
	if perMonth == "" {
		s.unpriced++
		return nil
	}
	v, _, err := apd.NewFromString(perMonth)
	if err != nil {
		return fmt.Errorf("price %q: %w", perMonth, err)
	}
	s.priced++
	_, err = apd.BaseContext.WithPrecision(34).Add(&s.total, &s.total, v)
	return err
}

func (s *sum) text() string {
	if s.priced == 0 {
		return ""
	}
	return s.total.Text('f')
}

// rules say in words what counts.
func (l Limits) rules() map[Name]string {
	days := func(d time.Duration) string { return fmt.Sprintf("%g days", d.Hours()/24) }
	return map[Name]string{
		ServersOff:       "SHUTOFF, SUSPENDED or PAUSED for " + days(l.Off),
		ServersIdle:      fmt.Sprintf("less than %g %% of the vCPUs used in 95 %% of the time, measured for %s", 100*l.IdleCPU, days(l.Measured)),
		ServersOversized: fmt.Sprintf("half the vCPUs or memory would leave the peak below %g %%, measured for %s", 100*l.TargetUse, days(l.Measured)),
		VolumesOrphaned:  "available and attached to nothing for " + days(l.Available),
		SnapshotsOld:     "older than " + days(l.Snapshot),
		AddressesUnused:  "leads to no port for " + days(l.Unused),
		NetworksEmpty:    "no port but Neutron's own for " + days(l.Unused),
		RoutersUnused:    "its project has had no network with a port, and it is unchanged for " + days(l.Unused),
	}
}

// result sums what was found.
func (f *finder) result() (Result, error) {
	r := Result{At: f.in.At.UTC(), Currency: f.in.Card.Currency, Findings: []Finding{}}
	slices.Sort(f.unread)
	r.Unread = f.unread
	rules := f.limits.rules()
	var all sum
	projects := map[string]*ProjectSum{}
	sums := map[string]*sum{}
	for _, name := range Names {
		c := f.states[name]
		c.Rule = rules[name]
		if !c.Known {
			r.Categories = append(r.Categories, *c)
			continue
		}
		found := f.found[name]
		slices.SortFunc(found, dearer)
		count, amount := len(found), Amount{}
		var total sum
		for _, x := range found {
			amount = amount.plus(x.Amount)
			p := projects[x.Project]
			if p == nil {
				p = &ProjectSum{Project: x.Project, Name: x.ProjectName}
				projects[x.Project], sums[x.Project] = p, &sum{}
			}
			p.Count++
			p.Amount = p.Amount.plus(x.Amount)
			for _, s := range []*sum{&total, &all, sums[x.Project]} {
				if err := s.add(x.PerMonth); err != nil {
					return Result{}, fmt.Errorf("%s %s: %w", name, x.ID, err)
				}
			}
		}
		c.Count, c.Amount, c.PerMonth, c.Unpriced = &count, &amount, total.text(), total.unpriced
		r.Categories = append(r.Categories, *c)
		r.Findings = append(r.Findings, found...)
	}
	r.PerMonth = all.text()
	for id, p := range projects {
		p.PerMonth, p.Unpriced = sums[id].text(), sums[id].unpriced
		r.Projects = append(r.Projects, *p)
	}
	slices.SortFunc(r.Projects, func(a, b ProjectSum) int {
		return cmp.Or(compareMoney(b.PerMonth, a.PerMonth), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Project, b.Project))
	})
	return r, nil
}

// dearer puts the dearest first, then the largest, then the oldest.
func dearer(a, b Finding) int {
	old := 0
	if a.Since != nil && b.Since != nil {
		old = a.Since.Compare(*b.Since)
	}
	return cmp.Or(compareMoney(b.PerMonth, a.PerMonth), cmp.Compare(b.Amount.VolumeGiB, a.Amount.VolumeGiB), cmp.Compare(b.Amount.VCPUs, a.Amount.VCPUs), old, cmp.Compare(a.ID, b.ID))
}

// compareMoney orders decimal numbers; none is the least.
func compareMoney(a, b string) int {
	x, _, errA := apd.NewFromString(a)
	y, _, errB := apd.NewFromString(b)
	switch {
	case errA != nil && errB != nil:
		return 0
	case errA != nil:
		return -1
	case errB != nil:
		return 1
	}
	return x.Cmp(y)
}
