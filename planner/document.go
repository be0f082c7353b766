package planner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"mcloud/planner/capacity"
	"mcloud/planner/report"
	"mcloud/planner/scenario"
)

// document makes the report of what was seen.
func (p *Planner) document(ctx context.Context, seen *observation, cache *historyCache) report.Document {
	d := report.Document{
		Schema: report.Schema, Cloud: p.o.Cloud, At: seen.at, RunwayDays: days(p.o.Runway),
		Zones: []report.Zone{}, Tiers: []report.Tier{}, Answers: []report.Answer{},
	}
	p.storageUse(ctx, seen) // what tiers may fill follows from it
	p.promise(ctx, seen)
	hosts := p.hostsByZone(ctx, seen)
	sums := capacity.Zones(seen.cloud)
	demands := p.zoneDemands(ctx, cache, sums, hosts, seen.at)
	inParts := !p.o.QuickStart || !p.isFirst()
	if inParts {
		d.Hierarchies = p.allocationHierarchies(ctx, seen, cache, hosts, demands)
	} else {
		d.Hierarchies = []report.Hierarchy{{What: "hosts and projects", Why: "they are forecast with the next plan, so that the first one is there soon"}}
	}
	for _, sum := range sums {
		d.Zones = append(d.Zones, p.zone(seen, sum, demands[sum.Zone]))
	}
	d.Total = capacity.Total(sums)
	d.Hosts, d.Aggregates, d.Cells = capacity.HostRows(seen.cloud), capacity.AggregateSums(seen.cloud), capacity.GroupSums(seen.cloud, p.o.CellKey)
	p.markMaintenance(ctx, seen, d.Hosts)
	d.RealUse = p.realUse(ctx, seen, cache)
	for _, t := range p.o.Tiers {
		d.Tiers = append(d.Tiers, p.tier(ctx, seen, cache, t))
	}
	if inParts {
		d.Hierarchies = append(d.Hierarchies, p.tierHierarchies(ctx, seen, cache)...)
	}
	d.Headroom = p.headroom(seen.cloud, seen.cloud.Flavors, "")
	seen.reclaim = p.reclaim(ctx, seen, cache)
	d.Reclaim = brief(seen.reclaim)
	d.Score = p.score(ctx, seen, cache, demands)
	d.Answers = answers(d)
	d.Headline, d.Summary = report.Headline(d.Answers), report.Summarise(d.Answers)
	d.Commitments, d.Scenarios = seen.promises.pending(seen.at), seen.promises.scenarios(seen.at)
	d.Partial = fold(seen.missing)
	cache.forget(seen.at)
	return d
}

func (p *Planner) zone(seen *observation, sum capacity.ZoneSum, history map[string]demand) report.Zone {
	z := report.Zone{ZoneSum: sum, Outlooks: []report.Outlook{}}
	unit := p.hostUnit(seen.cloud, sum)
	for _, class := range classes {
		c, ok := sum.Classes[class]
		if !ok || c.Total+c.OutOfService == 0 {
			continue
		}
		o := p.outlook(quantity{
			what: zoneWhat(sum.Zone, class), unit: report.ClassUnit(class),
			used: float64(c.Allocated), known: true, limit: float64(c.Limit), capacity: float64(c.Capacity),
			leadTime: p.o.Compute.LeadTime, buy: unit, perUnit: float64(unit.Resources[class]),
			subject: scenario.Subject{Kind: scenario.Zone, Name: sum.Zone, Class: class},
		}, history[class], seen)
		o.Class = class
		z.Outlooks = append(z.Outlooks, o)
	}
	return z
}

// hostUnit is the host to buy for a zone, its resources after the zone's ratios.
func (p *Planner) hostUnit(cloud capacity.Cloud, sum capacity.ZoneSum) capacity.Unit {
	h := p.o.Compute.Host
	if h.VCPUs > 0 || h.MemoryMiB > 0 {
		u := capacity.Unit{Name: cmp.Or(h.Name, "compute host"), Price: h.Price, Currency: h.Currency, Resources: map[string]int64{}}
		for class, total := range map[string]int64{"VCPU": h.VCPUs, "MEMORY_MB": h.MemoryMiB, "DISK_GB": h.DiskGiB} {
			u.Resources[class] = int64(float64(total) * cmp.Or(sum.Classes[class].Ratio(), 1))
		}
		return u
	}
	inventory, ok := capacity.CommonHost(cloud, sum.Zone)
	if !ok {
		if inventory, ok = capacity.CommonHost(cloud, ""); !ok {
			return capacity.Unit{}
		}
	}
	u := capacity.Unit{Name: "host like most in " + sum.Zone, Price: h.Price, Currency: h.Currency, Resources: map[string]int64{}}
	for class, inv := range inventory {
		u.Resources[class] = inv.Capacity()
	}
	return u
}

func (p *Planner) tier(ctx context.Context, seen *observation, cache *historyCache, t capacity.Tier) report.Tier {
	sum := capacity.TierOf(t, seen.storage)
	sum.Losses = capacity.Losses(t, seen.storage)
	sum.Rooms = capacity.Rooms(t, seen.storage, sum.Losses)
	for _, problem := range sum.Problems {
		seen.miss("tier "+t.Name, "%s", problem)
	}
	o := p.outlook(quantity{
		what: "tier " + t.Name, unit: "bytes", used: sum.StoredBytes, known: sum.Known, limit: sum.LimitBytes, capacity: sum.LineBytes,
		leadTime: t.LeadTime, buy: t.Unit, perUnit: sum.UnitBytes,
		subject: scenario.Subject{Kind: scenario.Tier, Name: t.Name}, losses: sum.Losses,
	}, p.tierDemand(ctx, cache, t, seen.storage.Pools, seen.at), seen)
	o.Notes = append(slices.Clone(sum.Problems), o.Notes...)
	return report.Tier{TierSum: sum, Outlook: o}
}

// headroom answers for each flavor, image-backed and where that differs also
// volume-backed.
func (p *Planner) headroom(cloud capacity.Cloud, flavors []capacity.Flavor, zone string) []capacity.Headroom {
	all := []capacity.Headroom{}
	for _, f := range flavors {
		all = append(all, p.o.Rules.Fit(cloud, capacity.Question{Flavor: f, Zone: zone}))
		if f.DiskGiB > 0 {
			all = append(all, p.o.Rules.Fit(cloud, capacity.Question{Flavor: f, Zone: zone, VolumeBacked: true}))
		}
	}
	return all
}

// answers makes the first screen: a line for each tier and each zone, where a
// zone speaks through the class that runs out first and buys the hosts that the
// hungriest class needs.
func answers(d report.Document) []report.Answer {
	all := []report.Answer{}
	for _, t := range d.Tiers {
		all = append(all, answer(report.KindTier, t.Tier, t.Outlook, t.LimitReason))
	}
	for _, z := range d.Zones {
		if len(z.Outlooks) == 0 {
			all = append(all, report.Answer{Kind: report.KindZone, Name: z.Zone, Urgency: report.Unknown, Confidence: report.Confidence{Level: "none", Why: "no inventory in Placement"}, Why: "Placement has no inventory for its hosts"})
			continue
		}
		first := slices.MinFunc(z.Outlooks, func(a, b report.Outlook) int {
			return cmp.Or(cmp.Compare(a.Urgency.Rank(), b.Urgency.Rank()), compareDates(a.OrderBy, b.OrderBy), compareDates(a.Crossing.P50, b.Crossing.P50), cmp.Compare(b.UsedRatio, a.UsedRatio))
		})
		for _, o := range z.Outlooks {
			if o.Purchase != nil && (first.Purchase == nil || o.Purchase.Units > first.Purchase.Units) {
				first.Purchase = o.Purchase
			}
		}
		all = append(all, answer(report.KindZone, z.Zone, first, zoneLimit(z, first.Class)))
	}
	slices.SortStableFunc(all, func(a, b report.Answer) int {
		return cmp.Or(cmp.Compare(a.Urgency.Rank(), b.Urgency.Rank()), compareDates(a.OrderBy, b.OrderBy), compareDates(a.P50, b.P50), cmp.Compare(b.UsedRatio, a.UsedRatio), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// fold tells in one line what many objects miss for the same reason.
func fold(missing []report.Missing) []report.Missing {
	var folded []report.Missing
	at, count := map[string]int{}, map[string]int{}
	for _, m := range missing {
		i, again := at[m.Why]
		if !again {
			at[m.Why], count[m.Why] = len(folded), 1
			folded = append(folded, m)
			continue
		}
		if count[m.Why]++; count[m.Why] <= named {
			folded[i].What += ", " + m.What
		}
	}
	for i, m := range folded {
		if more := count[m.Why] - named; more > 0 {
			folded[i].What += fmt.Sprintf(" and %d more", more)
		}
	}
	return folded
}

// named is how many objects fold names.
const named = 4

func zoneLimit(z report.Zone, class string) string {
	c := z.Classes[class]
	if c.Reserve > 0 {
		return "capacity without its largest host (" + report.Quantity(float64(c.Reserve), report.ClassUnit(class)) + ")"
	}
	return "capacity, without a reserve: it has one host in service"
}

func answer(kind report.Kind, name string, o report.Outlook, limit string) report.Answer {
	a := report.Answer{
		Kind: kind, Name: name, Class: o.Class, Urgency: o.Urgency, UsedRatio: o.UsedRatio,
		P10: o.Crossing.P10, P50: o.Crossing.P50, OrderBy: o.OrderBy, Purchase: o.Purchase, Risks: o.Risks, Confidence: o.Confidence,
	}
	if !o.Crossing.Until.IsZero() {
		until := o.Crossing.Until
		a.Until = &until
	}
	a.Notes = o.Notes
	a.Why = fmt.Sprintf("%s of %s used; the limit is %s", report.Quantity(o.Used, o.Unit), report.Quantity(o.Limit, o.Unit), limit)
	if o.Limit <= 0 {
		a.Why = "how much may be used is not known"
	}
	return a
}

// compareDates puts earlier dates first and absent ones last.
func compareDates(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return a.Compare(*b)
}

func days(d time.Duration) float64 { return d.Hours() / 24 }
