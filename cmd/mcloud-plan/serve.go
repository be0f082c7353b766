package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"mcloud/cmd/parts"
	"mcloud/cmd/settings"
)

func serveCommand(o *options) *cobra.Command {
	s := settings.Settings{LogLevel: "info"}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the planner alone, against a collector and a store that run elsewhere",
		Long: `Run the planner alone: it asks the collector (collector.url or collector.listen of
the configuration) for history and the store (store.url or store.listen) for
objects and events, and answers mcloud-plan, dashboards and alerts.`,
		Example: "  mcloud-plan serve --config mcloud.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.Config = o.config
			logger, err := s.Logger(os.Stderr)
			if err != nil {
				return err
			}
			f, err := s.Load()
			if err != nil {
				return err
			}
			store := parts.NewStore(f, logger)
			planner, err := parts.Planner(f, store, version, logger)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "planner of cloud %q at %s\n", f.Cloud, f.PlannerURL())
			return parts.NewGroup(logger, store.Part(), planner).Run(cmd.Context())
		},
	}
	c.Flags().StringVar(&s.PlannerListen, "planner.listen", settings.FromEnvironment("planner.listen", ""), "address of the planner [$"+settings.Variable("planner.listen")+"]")
	c.Flags().StringVar(&s.StoreURL, "store.url", settings.FromEnvironment("store.url", ""), "a ClickHouse server's HTTP interface instead of store.listen [$"+settings.Variable("store.url")+"]")
	return c
}
