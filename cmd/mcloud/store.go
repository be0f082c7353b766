package main

import (
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
	command.AddCommand(backupCommand(s), restoreCommand(s), checkBackupCommand())
	return command
}
