package main

import (
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"mcloud/cmd/config"
	"mcloud/cmd/parts"
	"mcloud/cmd/settings"
)

func runCommand(s *settings.Settings) *cobra.Command {
	var demo bool
	var size demoSize
	command := &cobra.Command{
		Use:   "run",
		Short: "Run everything on this machine: exporter, collector, store and planner",
		Long: `Run everything on this machine in one process: the exporter, the collector, the
embedded store (or the ClickHouse server that store.url names) and the planner.

With --demo it watches a simulated cloud of 3 zones, 60 hosts, 2,000 servers and
four Ceph clusters, with 180 days of history. --demo.hosts makes it larger: 2000 is
60,000 servers, 100,000 volumes and four clusters of 1,000 OSDs, which is there after
some minutes and takes some gigabytes of memory.`,
		Example: `  mcloud run --demo
  mcloud run --demo --demo.hosts 2000 --demo.days 14
  mcloud run --config mcloud.yaml
  mcloud run --config mcloud.yaml --collector.listen 0.0.0.0:9090`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := size.check(cmd, demo); err != nil {
				return err
			}
			if demo {
				if s.Config != "" && cmd.Flags().Changed("config") {
					return errors.New("--demo and --config, one of them")
				}
				return runDemo(cmd, s, size)
			}
			f, logger, err := load(s)
			if err != nil {
				return err
			}
			group, err := everything(f, parts.NewStore(f, logger), parts.Librados, logger, func(list []parts.Part) []parts.Part { return list })
			if err != nil {
				return err
			}
			return runGroup(cmd, f, group)
		},
	}
	command.Flags().BoolVar(&demo, "demo", false, "watch a simulated cloud")
	size.flags(command)
	return command
}

// everything is the whole product; arrange may change its list of parts.
func everything(f config.File, store *parts.Store, open parts.OpenMon, logger *slog.Logger, arrange func([]parts.Part) []parts.Part) (*parts.Group, error) {
	var group *parts.Group
	collector, _, err := parts.Collector(f, store, version, func() []parts.Part { return group.Parts }, logger)
	if err != nil {
		return nil, err
	}
	exporter, err := parts.Exporter(f, open, logger)
	if err != nil {
		return nil, err
	}
	planner, err := parts.Planner(f, store, version, logger)
	if err != nil {
		return nil, err
	}
	var list []parts.Part
	if f.Store.Embedded() {
		list = append(list, store.Embed(f))
	}
	group = parts.NewGroup(logger, arrange(append(list, store.Part(), collector, exporter, planner, store.Upkeep()))...)
	return group, nil
}
