package main

import (
	"github.com/spf13/cobra"

	"mcloud/cmd/parts"
	"mcloud/cmd/settings"
)

func collectorCommand(s *settings.Settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "collector",
		Short: "Scrape, evaluate rules, page, and ship everything to the store",
		Long: `Scrape, evaluate rules, page, and ship everything to the store. It is a
Prometheus with its own last hours on disk and ClickHouse behind them: when the
store is away, queries of those hours and alerts go on.`,
		Example: "  mcloud collector --config mcloud.yaml\n  curl 'http://127.0.0.1:9090/api/v1/query?query=up'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, logger, err := load(s)
			if err != nil {
				return err
			}
			store := parts.NewStore(f, logger)
			var group *parts.Group
			collector, _, err := parts.Collector(f, store, version, func() []parts.Part { return group.Parts }, logger)
			if err != nil {
				return err
			}
			group = parts.NewGroup(logger, store.Part(), collector, store.Upkeep())
			return runGroup(cmd, f, group)
		},
	}
	c.AddCommand(notifyCommand(s))
	return c
}
