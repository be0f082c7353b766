package parts

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mcloud/cmd/access"
	"mcloud/cmd/config"
	"mcloud/planner"
	"mcloud/planner/capacity"
	"mcloud/planner/chargeback"
	"mcloud/planner/httpapi"
	"mcloud/planner/promhistory"
	"mcloud/planner/rebalance"
	"mcloud/planner/reclaim"
)

// Planner wires the planner: history from the collector's API, objects and
// events from the store, its own events through the collector.
func Planner(f config.File, store *Store, version string, logger *slog.Logger) (Part, error) {
	front, err := newFront(f, "planner", access.PlannerPolicy, logger)
	if err != nil {
		return Part{}, err
	}
	transport, err := toCollector(f)
	if err != nil {
		return Part{}, err
	}
	history, err := promhistory.New(promhistory.Options{URL: f.CollectorURL(), Transport: transport})
	if err != nil {
		return Part{}, err
	}
	card, err := rateCard(f.Planner.RateCard)
	if err != nil {
		return Part{}, err
	}
	poster, err := Poster(f)
	if err != nil {
		return Part{}, err
	}
	tiers := make([]capacity.Tier, 0, len(f.Planner.Tiers))
	for _, t := range f.Planner.Tiers {
		tiers = append(tiers, tier(t))
	}
	host := f.Planner.Compute.Host
	rules := capacity.AllRules()
	rules.IsolatedAggregates = f.Planner.Compute.IsolatedAggregates
	keeper := planner.Keeper{Cloud: f.Cloud, Ledger: store, Recorder: poster, Now: time.Now}
	p, err := planner.New(planner.Options{
		Promises: keeper, Reserve: capacity.Reserve{Hosts: reserveHosts(f.Planner.Compute.Reserve), Rack: f.Planner.Compute.Reserve.Rack},
		CellKey: f.Planner.Compute.CellKey,
		Cloud:   f.Cloud, History: history, Inventory: store, Ledger: store, Recorder: poster, Card: card, Reclaim: reclaimLimits(f.Planner.Reclaim), Tiers: tiers, Rules: rules,
		Compute: planner.Compute{LeadTime: time.Duration(f.Planner.Compute.LeadTime), Host: planner.HostUnit{Name: host.Name, VCPUs: host.VCPUs,
			MemoryMiB: int64(host.Memory) >> 20, DiskGiB: int64(host.Disk) >> 30, Price: host.Price, Currency: host.Currency}},
		QuickStart: true, Period: time.Duration(f.Planner.Interval), Window: time.Duration(f.Planner.History), Horizon: time.Duration(f.Planner.Horizon), Runway: time.Duration(f.Planner.Runway),
		Logger: logger,
	})
	if err != nil {
		return Part{}, err
	}
	options := rebalance.Options{Isolation: f.Planner.Compute.IsolatedAggregates, MinGap: 0.01, MinFree: 0.1}
	if g := f.Planner.Rebalance.MinGap; g != nil {
		options.MinGap = *g
	}
	if g := f.Planner.Rebalance.MinFree; g != nil {
		options.MinFree = *g
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(p); err != nil {
		return Part{}, fmt.Errorf("metrics of the planner: %w", err)
	}
	if err := front.register(registry); err != nil {
		return Part{}, err
	}
	steerer := planner.Steerer{Cloud: f.Cloud, Ledger: store, Recorder: poster, Options: options, Now: time.Now}
	caretaker := planner.Caretaker{Cloud: f.Cloud, Ledger: store, Recorder: poster, Now: time.Now}
	if len(f.Collector.Alertmanagers) > 0 {
		if caretaker.Silencer, err = Alertmanagers(f); err != nil {
			return Part{}, err
		}
	}
	routes := append(httpapi.BillRoutes(planner.Biller{Cloud: f.Cloud, Ledger: store, Card: card}, time.Now), httpapi.RebalanceRoutes(steerer)...)
	routes = append(routes, slices.Concat(httpapi.WhatIfRoutes(p, keeper), httpapi.CapacityRoutes(p), httpapi.MaintenanceRoutes(caretaker))...)
	routes = append(routes, httpapi.EventRoutes(planner.Chronicle{Cloud: f.Cloud, Ledger: store, Now: time.Now}, time.Now)...)
	// So that mcloud-plan on this machine finds the account to apply plans with.
	routes = append(routes, httpapi.Route{Pattern: "GET /api/v1/configuration", Serve: func(*http.Request) (any, error) {
		return map[string]string{"cloud": f.Cloud, "path": f.Path, "version": version}, nil
	}})
	handler := httpapi.New(httpapi.Options{Planner: p, Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}), Routes: routes, Version: version, Sight: sight, Logger: logger})
	ready := make(chan struct{})
	return Part{
		Name:  "planner",
		Ready: ready,
		URL:   func() string { return f.PlannerURL() },
		Run: func(ctx context.Context) error {
			l, err := listen(f.Planner.Listen, "planner.listen")
			if err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			done := make(chan error, 1)
			go func() {
				// The first plan of a start needs the store, which opens meanwhile.
				select {
				case <-store.Ready():
				case <-time.After(2 * startTime):
				case <-ctx.Done():
				}
				done <- p.Run(ctx)
			}()
			close(ready)
			err = serve(ctx, l, front, handler, logger)
			cancel()
			if runErr := <-done; err == nil {
				err = runErr
			}
			return err
		},
	}, nil
}

// reserveHosts is how many hosts of a zone may fail, in capacity's words.
func reserveHosts(r config.ComputeReserve) int {
	if r.Hosts != nil && *r.Hosts == 0 {
		return -1
	}
	if r.Hosts == nil {
		return 1
	}
	return *r.Hosts
}

// sight is whose usage may be seen, in the planner's words.
func sight(ctx context.Context) planner.Sight {
	who := access.From(ctx)
	return planner.Sight{All: who.All, Projects: who.Projects, Domain: who.Domain}
}

func tier(t config.Tier) capacity.Tier {
	made := capacity.Tier{Name: t.Name, VolumeTypes: t.VolumeTypes, LeadTime: time.Duration(t.LeadTime), Limit: t.Limit, Reserve: t.Reserve,
		Unit: capacity.Unit{Name: t.Unit.Name, RawBytes: int64(t.Unit.Raw), Price: t.Unit.Price, Currency: t.Unit.Currency, Multiple: t.Unit.Multiple}}
	for _, pool := range t.Pools {
		cluster, name, _ := strings.Cut(pool, "/")
		made.Pools = append(made.Pools, capacity.PoolRef{Cluster: cluster, Pool: name})
	}
	return made
}

func reclaimLimits(r config.ReclaimPlan) reclaim.Limits {
	return reclaim.Limits{Off: time.Duration(r.Off), Available: time.Duration(r.Available), Snapshot: time.Duration(r.Snapshot), Unused: time.Duration(r.Unused),
		IdleCPU: r.IdleCPU, TargetUse: r.TargetUse}
}

// rateCard reads the prices; without a file there are none, and chargeback says so.
func rateCard(path string) (chargeback.RateCard, error) {
	if path == "" {
		return chargeback.RateCard{}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return chargeback.RateCard{}, fmt.Errorf("planner.rate_card: %w", err)
	}
	defer file.Close()
	card, err := chargeback.ReadRateCard(file)
	if err != nil {
		return card, fmt.Errorf("planner.rate_card %s: %w", path, err)
	}
	return card, nil
}
