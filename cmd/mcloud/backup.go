package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mcloud/cmd/parts"
	"mcloud/cmd/progress"
	"mcloud/cmd/settings"
	"mcloud/collector/clickhouse"
)

// copied shows on a terminal how far a copy is.
func copied(cmd *cobra.Command, doing string) parts.Progress {
	return func(done, total int64) {
		progress.Line(cmd.ErrOrStderr(), "%s %.1f of %.1f MB", doing, float64(done)/1e6, float64(total)/1e6)
	}
}

func backupSummary(cmd *cobra.Command, done, dir string, b clickhouse.Backup) {
	progress.Line(cmd.ErrOrStderr(), "")
	fmt.Fprintf(cmd.OutOrStdout(), "%s %s: %d tables, %d files, %.1f MB of %s, each by its checksum\n", done, dir, len(b.Tables), b.Files, float64(b.Bytes)/1e6, b.Created.Format("2006-01-02 15:04:05 UTC"))
}

func backupCommand(s *settings.Settings) *cobra.Command {
	return &cobra.Command{
		Use:   "backup DIR",
		Short: "Back up the embedded store while it runs",
		Long: `Back up the embedded store, while it runs and takes samples, into a directory
that is empty or not there yet. SHA256SUMS in it is written last and checked by
mcloud store check, or by sha256sum -c.`,
		Example: "  mcloud store backup /backup/mcloud-2026-11-25 --config mcloud.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, logger, err := load(s)
			if err != nil {
				return err
			}
			b, err := parts.BackupStore(cmd.Context(), f, args[0], copied(cmd, "copied"), logger)
			if err != nil {
				return err
			}
			backupSummary(cmd, "backed up into", args[0], b)
			return nil
		},
	}
}

func restoreCommand(s *settings.Settings) *cobra.Command {
	return &cobra.Command{
		Use:   "restore DIR",
		Short: "Make the embedded store from a backup",
		Long: `Make the embedded store in data_dir from a backup, which is checked first. There
must be no store in data_dir yet, and none running. Its schema is brought up to
date by the next start.`,
		Example: "  mcloud store restore /backup/mcloud-2026-11-25 --config mcloud.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, logger, err := load(s)
			if err != nil {
				return err
			}
			b, err := parts.RestoreStore(cmd.Context(), f, args[0], copied(cmd, "restored"), logger)
			if err != nil {
				return err
			}
			backupSummary(cmd, "restored from", args[0], b)
			return nil
		},
	}
}

func checkBackupCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "check DIR",
		Short:   "Check that a backup is whole, by its checksums",
		Example: "  mcloud store check /backup/mcloud-2026-11-25",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := clickhouse.CheckBackup(cmd.Context(), args[0], copied(cmd, "checked"))
			if err != nil {
				return err
			}
			backupSummary(cmd, "whole:", args[0], b)
			return nil
		},
	}
}
