package main

import (
	"io"

	"github.com/spf13/cobra"

	"mcloud/cmd/parts"
	"mcloud/cmd/settings"
)

func storeCommand(s *settings.Settings) *cobra.Command {
	command := &cobra.Command{
		Use:   "store",
		Short: "Serve the embedded store: ClickHouse's engine over its HTTP interface",
		Long: `Serve the embedded store: ClickHouse's engine in this process, over ClickHouse's
HTTP interface, for one machine. A larger cloud names a ClickHouse server with
store.url instead and needs no such process.`,
		Example: "  mcloud store --config mcloud.yaml\n  curl 'http://127.0.0.1:8123/?query=SELECT+count()+FROM+mcloud.samples'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, logger, err := load(s)
			if err != nil {
				return err
			}
			part := parts.EmbeddedStore(f, logger)
			part.Optional = false // alone, its failure is the program's
			return runParts(cmd, f, logger, part)
		},
	}
	command.AddCommand(backupCommand(s), restoreCommand(s), checkBackupCommand(), schemaCommand(s), slowQueriesCommand(s))
	return command
}

func schemaCommand(s *settings.Settings) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the statements that make the store's tables",
		Long: `Print the statements that make the store's tables, on one server or on the cluster
that store.cluster names. The collector runs them by itself when it starts; they
are for reading, and for a server that is added to a cluster.`,
		Example: "  mcloud store schema --config mcloud.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, _, err := load(s)
			if err != nil {
				return err
			}
			text, err := parts.StoreSchema(f)
			if err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), text)
			return err
		},
	}
}
