package planner

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mcloud"
	"mcloud/planner/capacity"
	"mcloud/planner/forecast"
	"mcloud/planner/reclaim"
	"mcloud/planner/report"
)

// Inventory is the stored state of the cloud. An error says that it could not be
// read; nothing known is an empty slice.
type Inventory interface {
	// Objects are those of kind that existed at an instant.
	Objects(ctx context.Context, cloud string, kind mcloud.Kind, at time.Time) ([]mcloud.Version, error)
	// Versions are all stretches of objects of kind that overlap [from, to).
	Versions(ctx context.Context, cloud string, kind mcloud.Kind, from, to time.Time) ([]mcloud.Version, error)
}

// observation is the cloud at one instant.
type observation struct {
	at      time.Time
	half    time.Time // of the wall clock: half of the plan's time is over then
	cloud   capacity.Cloud
	storage capacity.Storage
	missing []report.Missing
	unknown map[mcloud.Kind]bool // could not be read, or should be there and is not
	// forecasts are those of the outlooks, by what they are of.
	forecasts map[string]forecast.Result
	drifts    map[string]float64 // of their histories, a day
	reclaim   *reclaim.Result    // nil: not known

	promises promises
}

func (o *observation) miss(what, format string, args ...any) {
	o.missing = append(o.missing, report.Missing{What: what, Why: fmt.Sprintf(format, args...)})
}

// kinds are what a plan is made from; expected ones are missed when there are
// none of them.
var kinds = []struct {
	kind     mcloud.Kind
	expected bool
}{
	{mcloud.KindHost, true}, {mcloud.KindProvider, true}, {mcloud.KindAggregate, false}, {mcloud.KindFlavor, true},
	{mcloud.KindCephCluster, false}, {mcloud.KindOSD, false}, {mcloud.KindCephPool, false}, {mcloud.KindVolume, false},
	{mcloud.KindVolumeSnapshot, false},
}

// observe reads all kinds side by side. It fails only when no kind could be read
// at all.
func (p *Planner) observe(ctx context.Context, at time.Time) (*observation, error) {
	half := time.Now().Add(p.o.Timeout / 2)
	found, failed := make([][]mcloud.Version, len(kinds)), make([]error, len(kinds))
	var wait sync.WaitGroup
	slots := make(chan struct{}, 4)
	for i, k := range kinds {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			found[i], failed[i] = p.o.Inventory.Objects(ctx, p.o.Cloud, k.kind, at)
		})
	}
	wait.Wait()
	seen := &observation{at: at, half: half, unknown: map[mcloud.Kind]bool{}, forecasts: map[string]forecast.Result{}, drifts: map[string]float64{}}
	var objects []mcloud.Object
	failures := 0
	for i, k := range kinds {
		if failed[i] != nil {
			failures++
			seen.unknown[k.kind] = true
			seen.miss("objects of kind "+string(k.kind), "cannot be read from the store: %v", failed[i])
			continue
		}
		if k.expected && len(found[i]) == 0 {
			seen.unknown[k.kind] = true
			seen.miss("objects of kind "+string(k.kind), "the store knows none at %s: check that the exporter reaches the cloud and posts to the collector", at.Format(time.RFC3339))
		}
		for _, v := range found[i] {
			objects = append(objects, v.Object)
		}
	}
	if failures == len(kinds) {
		return nil, fmt.Errorf("the store cannot be read: %w", failed[0])
	}
	seen.cloud = capacity.Read(objects)
	seen.cloud.Reserve = p.o.Reserve
	var problems []capacity.Problem
	seen.storage, problems = capacity.ReadStorage(objects)
	for _, problem := range append(seen.cloud.Problems, problems...) {
		seen.miss(problem.Object, "%s", problem.Why)
	}
	return seen, nil
}

// lookSources are the exporter's sources that tell what hosts have and how much of
// it is taken.
var lookSources = []string{"nova_hosts", "placement_providers"}

// lookLimit is how old the exporter's look at these, or with a long Period the plan,
// may be before what was free then is no longer told as what is free.
const lookLimit = 30 * time.Minute

// looked says at what instant hosts and providers were last seen, the earlier of
// both: the store keeps what it has, however long nobody looks. Zero is not known.
func (p *Planner) looked(ctx context.Context, seen *observation) (at time.Time) {
	for _, kind := range []mcloud.Kind{mcloud.KindHost, mcloud.KindProvider, mcloud.KindAggregate, mcloud.KindFlavor} {
		if seen.unknown[kind] {
			return time.Time{}
		}
	}
	got, err := p.at(ctx, fmt.Sprintf(`max by (source) (last_over_time(mcloud_source_last_success_timestamp_seconds{cloud=%s,source=~%s}[1d]))`, strconv.Quote(p.o.Cloud), oneOf(lookSources)), seen.at)
	if err != nil {
		seen.miss("how old the look at the cloud is", "%v", err)
		return time.Time{}
	}
	last := map[string]time.Time{}
	for _, s := range got {
		if n := len(s.Points); n > 0 {
			last[s.Labels["source"]] = time.UnixMilli(int64(1000 * s.Points[n-1].Value)).UTC()
		}
	}
	for _, source := range lookSources {
		t, known := last[source]
		if !known {
			return time.Time{}
		}
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	return at
}

func names(flavors []capacity.Flavor) string {
	all := make([]string, len(flavors))
	for i, f := range flavors {
		all[i] = f.Name
	}
	if len(all) > 20 {
		all = append(all[:20], fmt.Sprintf("and %d more", len(flavors)-20))
	}
	return strings.Join(all, ", ")
}

func hasZone(zones []report.Zone, name string) bool {
	return slices.ContainsFunc(zones, func(z report.Zone) bool { return z.Zone == name })
}

func zoneNames(zones []report.Zone) string {
	all := make([]string, len(zones))
	for i, z := range zones {
		all[i] = z.Zone
	}
	return strings.Join(all, ", ")
}
