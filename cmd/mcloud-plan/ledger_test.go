package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"mcloud"
	"mcloud/planner"
	"mcloud/planner/chargeback"
	"mcloud/planner/httpapi"
	"mcloud/planner/plannertest"
	"mcloud/planner/rebalance"
)

// ledger is the test cloud's with one project's past.
type ledger struct{ *plannertest.Ledger }

func (l *ledger) Versions(_ context.Context, cloud string, kind mcloud.Kind, _, _ time.Time) ([]mcloud.Version, error) {
	start := plannertest.At.Add(-10 * time.Hour)
	switch kind {
	case mcloud.KindProject:
		return []mcloud.Version{{Cloud: cloud, From: start, Object: mcloud.NewObject(kind, "p1", "acme", "", "", mcloud.Project{Name: "acme", Enabled: true})}}, nil
	case mcloud.KindServer:
		return []mcloud.Version{{Cloud: cloud, From: start.Add(time.Minute), Object: mcloud.NewObject(kind, "s1", "web", "", "p1",
			mcloud.Server{Name: "web", Flavor: "m1.small", Status: "ACTIVE", Created: start, Launched: start.Add(9 * time.Second)})}}, nil
	case mcloud.KindServerAction:
		return []mcloud.Version{{Cloud: cloud, From: start.Add(time.Minute), Object: mcloud.NewObject(kind, "s1/req-1", "create", "s1", "p1", mcloud.ServerAction{Action: "create", Start: start})}}, nil
	case mcloud.KindVolume:
		return []mcloud.Version{{Cloud: cloud, From: start, Object: mcloud.NewObject(kind, "v1", "data", "", "p1", mcloud.Volume{Name: "data", Type: "nvme", SizeGiB: 73, Status: "available", Created: start})}}, nil
	}
	return nil, nil
}

const testRates = `
currency: EUR
rates:
  - {meter: server, sku: m1.small, price: "0.0240", per: hour}
  - {meter: volume, sku: nvme, price: "0.10", per: month}
`

// routes are those of the planner, with plans and maintenance of a ledger of their own: what
// one script does there, another does not see.
func routes(o planner.Options, p *planner.Planner, keeper planner.Keeper) ([]httpapi.Route, error) {
	card, err := chargeback.ReadRateCard(strings.NewReader(testRates))
	if err != nil {
		return nil, err
	}
	l := &ledger{plannertest.NewLedger(o.Inventory)}
	now := func() time.Time { return plannertest.At }
	steerer := planner.Steerer{Cloud: o.Cloud, Ledger: l, Recorder: l, Options: rebalance.Options{Isolation: true}, Now: now}
	caretaker := planner.Caretaker{Cloud: o.Cloud, Ledger: l, Recorder: l, Now: now}
	return slices.Concat(httpapi.BillRoutes(planner.Biller{Cloud: o.Cloud, Ledger: l, Card: card}, now), httpapi.RebalanceRoutes(steerer),
		httpapi.WhatIfRoutes(p, keeper), httpapi.CapacityRoutes(p), httpapi.MaintenanceRoutes(caretaker)), nil
}
