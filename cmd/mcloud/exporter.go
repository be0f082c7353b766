package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mcloud/cmd/config"
	"mcloud/cmd/parts"
	"mcloud/cmd/settings"
	"mcloud/exporters"
)

func exporterCommand(s *settings.Settings) *cobra.Command {
	command := &cobra.Command{
		Use:     "exporter",
		Short:   "Read the cloud and serve it as Prometheus metrics",
		Example: "  mcloud exporter --config mcloud.yaml\n  curl http://127.0.0.1:9198/metrics",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, logger, err := load(s)
			if err != nil {
				return err
			}
			part, err := parts.Exporter(f, parts.Librados, logger)
			if err != nil {
				return err
			}
			return runParts(cmd, f, logger, part)
		},
	}
	command.AddCommand(metricsCommand())
	return command
}

// metricsCommand lists everything that can be exported: it needs no cloud.
func metricsCommand() *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:     "metrics",
		Short:   "List every metric: name, type, unit, labels, set, and the call it comes from",
		Example: "  mcloud exporter metrics\n  mcloud exporter metrics --output json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return exporters.Write(cmd.OutOrStdout(), output, parts.Families())
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "table", strings.Join(exporters.Formats, ", "))
	return command
}

func load(s *settings.Settings) (config.File, *slog.Logger, error) {
	logger, err := s.Logger(os.Stderr)
	if err != nil {
		return config.File{}, nil, err
	}
	f, err := s.Load()
	if err != nil {
		return config.File{}, nil, err
	}
	if err := os.MkdirAll(f.DataDir, 0o750); err != nil {
		return config.File{}, nil, fmt.Errorf("data directory: %w; choose another with --data-dir", err)
	}
	return f, logger, nil
}
