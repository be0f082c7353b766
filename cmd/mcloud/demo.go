package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"mcloud"
	"mcloud/cmd/config"
	"mcloud/cmd/parts"
	"mcloud/cmd/settings"
	"mcloud/deploy/sim"
	"mcloud/exporters/ceph"
	"mcloud/exporters/spool"
)

// runDemo runs the product against a simulated cloud, whose past is filled in
// at the first start. What the simulated cloud needs to be watched is written as
// a configuration beside its data, so that mcloud-plan can be given it.
func runDemo(cmd *cobra.Command, s *settings.Settings, size demoSize) error {
	logger, err := s.Logger(os.Stderr)
	if err != nil {
		return err
	}
	if s.DataDir == "" {
		s.DataDir = filepath.Join("data", size.dir())
	}
	dir, err := filepath.Abs(s.DataDir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	events := make(chan []mcloud.Event, 64)
	options := size.options()
	options.Dir, options.Name, options.Logger = filepath.Join(dir, "sim"), "demo", logger
	options.Events = func(e []mcloud.Event) {
		select {
		case events <- e:
		default:
			logger.Warn("events of the simulated cloud dropped: the store has been away for long", "events", len(e))
		}
	}
	if size.hosts >= manyHosts {
		logger.Info("building the simulated cloud, which takes a while", "hosts", options.Hosts, "servers", options.Servers, "volumes", options.Volumes, "days", options.Days)
	}
	cloud, err := sim.New(options)
	if err != nil {
		return err
	}
	f, mons, err := demoConfig(cloud, dir, size.pace())
	if err == nil {
		err = s.Apply(&f)
	}
	if err != nil {
		return errors.Join(err, cloud.Close())
	}
	store := parts.NewStore(f, logger)
	group, err := demoGroup(f, cloud, mons, store, events, size.pace(), logger)
	if err != nil {
		return errors.Join(err, cloud.Close())
	}
	return runGroup(cmd, f, group)
}

// demoGroup has the parts of everything, but those that look at the cloud wait
// until its past is stored: the store takes no look that is older than its last.
func demoGroup(f config.File, cloud *sim.Cloud, mons map[string]sim.Mon, store *parts.Store, events <-chan []mcloud.Event, p pace, logger *slog.Logger) (*parts.Group, error) {
	open := func(c config.CephCluster) (ceph.Mon, error) { return mons[c.Name], nil }
	simulated := parts.Part{Name: "cloud", Ready: cloud.Ready(), URL: func() string { return cloud.Endpoints().URL }, Run: cloud.Run}
	poster, err := parts.Poster(f)
	if err != nil {
		return nil, err
	}
	past := newBackfill(cloud, store, f, logger)
	return everything(f, store, open, logger, func(list []parts.Part) []parts.Part {
		for i, part := range list {
			switch part.Name {
			case "exporter":
				list[i].Run = after(past.done, part.Run)
			case "planner":
				list[i].Run = after(past.done, func(ctx context.Context) error {
					firstLooks(ctx, store, f.Cloud, p.first)
					return part.Run(ctx)
				})
			}
		}
		list = append([]parts.Part{simulated}, list...)
		return append(list, past.part(), parts.Part{Name: "events", Run: func(ctx context.Context) error {
			return tell(ctx, past.done, events, poster, logger)
		}})
	})
}

// after starts run when first is closed.
func after(first <-chan struct{}, run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-first:
			return run(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// firstLooks waits until the exporter's first looks are stored, but not for
// ever: a plan made before them would say that nothing is known.
func firstLooks(ctx context.Context, store *parts.Store, cloud string, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for _, kind := range []mcloud.Kind{mcloud.KindProvider, mcloud.KindOSD, mcloud.KindCephPool, mcloud.KindCephCluster} {
		for ctx.Err() == nil {
			if found, err := store.Objects(ctx, cloud, kind, time.Time{}); err == nil && len(found) > 0 {
				break
			}
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
}

// tell posts what happens in the simulated cloud, in order, until it is stored.
func tell(ctx context.Context, first <-chan struct{}, events <-chan []mcloud.Event, poster *spool.HTTPPoster, logger *slog.Logger) error {
	select {
	case <-first:
	case <-ctx.Done():
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case batch := <-events:
			for pause := time.Second; ctx.Err() == nil; pause = min(2*pause, 15*time.Second) {
				err := poster.Post(ctx, mcloud.Batch{Events: batch})
				if err == nil {
					break
				}
				logger.Debug("events of the simulated cloud wait", "error", err)
				select {
				case <-ctx.Done():
				case <-time.After(pause):
				}
			}
		}
	}
}

const demoHeader = `# Written by mcloud run --demo at each start; for example
#   mcloud-plan rebalance apply --config THIS-FILE
`

// demoConfig describes the simulated cloud as mcloud.yaml would.
func demoConfig(cloud *sim.Cloud, dir string, p pace) (config.File, map[string]sim.Mon, error) {
	e := cloud.Endpoints()
	if err := cloud.WriteClouds(filepath.Join(dir, "clouds.yaml")); err != nil {
		return config.File{}, nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "rates.yaml"), []byte(demoRates), 0o600); err != nil {
		return config.File{}, nil, err
	}
	text := demoHeader + "cloud: " + e.Cloud + "\ndata_dir: .\n" +
		"openstack: {clouds_file: clouds.yaml, cloud: " + e.Cloud + ", apply_cloud: " + e.Cloud + ", period: " + seconds(p.look) + "}\n" +
		"ovn: {northbound: \"" + e.NB + "\", southbound: \"" + e.SB + "\", period: " + seconds(p.near) + "}\n"
	mons := map[string]sim.Mon{}
	text += "ceph:\n"
	for _, c := range e.Clusters {
		mons[c.Name] = c.Mon
		text += fmt.Sprintf("  - {name: %s, conf: simulated, sockets: [%q], period: %s}\n", c.Name, c.Sockets, seconds(p.near))
	}
	text += "ovs:\n"
	for _, h := range e.Hosts {
		text += fmt.Sprintf("  - {host: %s, sockets: [%q]}\n", h.Name, h.Sockets)
	}
	text += fmt.Sprintf("collector: {scrape_interval: %s}\nplanner:\n  interval: %s\n", seconds(p.scrape), seconds(p.plan)) + demoPlanner
	path := filepath.Join(dir, "mcloud.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return config.File{}, nil, err
	}
	f, err := config.Parse(path, []byte(text))
	return f, mons, err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.0fs", d.Seconds()) }

const demoPlanner = `  compute:
    lead_time: 8w
    isolated_aggregates: true
    host: {name: "compute host, 2 × 32 cores", vcpus: 128, memory: 1024GiB, disk: 3600GiB, price: "14000", currency: EUR}
  tiers:
    - {name: NVMe, pools: [nvme/volumes-nvme], volume_types: [nvme], lead_time: 6w, unit: {name: OSD node with 10 × 7.68 TB NVMe, raw: 76.8TB, price: "38000", currency: EUR}}
    - {name: 10k SAS, pools: [sas10k/volumes-sas10k], volume_types: [sas10k], lead_time: 8w, reserve: host, unit: {name: OSD node with 24 × 2.4 TB 10k SAS, raw: 57.6TB, price: "21000", currency: EUR}}
    - {name: 7.5k SAS, pools: [sas7k/volumes-sas7k], volume_types: [sas7k], lead_time: 8w, reserve: host, unit: {name: OSD node with 12 × 18 TB 7.5k SAS, raw: 216TB, price: "19000", currency: EUR}}
    - {name: three-DC NVMe, pools: [geo/volumes-geo-nvme], volume_types: [geo-nvme], lead_time: 12w, unit: {name: OSD node with 10 × 7.68 TB NVMe, multiple: 3, raw: 76.8TB, price: "38000", currency: EUR}}
  rate_card: rates.yaml
`

const demoRates = `currency: EUR
digits: 4
rates:
  - {meter: server, sku: "*", price: "0.0480", per: hour}
  - {meter: volume, sku: nvme, price: "0.2000", per: month}
  - {meter: volume, sku: sas10k, price: "0.1200", per: month}
  - {meter: volume, sku: sas7k, price: "0.0500", per: month}
  - {meter: volume, sku: geo-nvme, price: "0.5000", per: month}
`
