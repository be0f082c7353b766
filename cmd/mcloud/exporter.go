package main

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
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
			parts.LimitMemory(f.Exporter.Memory)
			part, err := parts.Exporter(f, parts.Librados, logger)
			if err != nil {
				return err
			}
			return runParts(cmd, f, logger, part)
		},
	}
	command.AddCommand(metricsCommand(), checkCommand(s), estimateCommand(s))
	return command
}

// metricsCommand lists everything that can be exported: it needs no cloud.
func metricsCommand() *cobra.Command {
	var output string
	var sets []string
	command := &cobra.Command{
		Use:     "metrics [PREFIX...]",
		Short:   "List every metric: name, type, unit, labels, set, and the call it comes from",
		Example: "  mcloud exporter metrics\n  mcloud exporter metrics --set base openstack_ ovn_\n  mcloud exporter metrics --output md > metrics.md",
		RunE: func(cmd *cobra.Command, prefixes []string) error {
			families := parts.Families()
			for _, set := range sets {
				if !slices.ContainsFunc(families, func(f exporters.Family) bool { return string(f.Set) == set }) {
					return fmt.Errorf("--set %s: there is no such set; choose among base, objects, perf", set)
				}
			}
			for _, prefix := range prefixes {
				if !slices.ContainsFunc(families, func(f exporters.Family) bool { return strings.HasPrefix(f.Name, prefix) }) {
					return fmt.Errorf("no metric begins with %q; mcloud exporter metrics lists them all", prefix)
				}
			}
			families = slices.DeleteFunc(families, func(f exporters.Family) bool {
				begins := func(prefix string) bool { return strings.HasPrefix(f.Name, prefix) }
				return len(sets) > 0 && !slices.Contains(sets, string(f.Set)) || len(prefixes) > 0 && !slices.ContainsFunc(prefixes, begins)
			})
			return exporters.Write(cmd.OutOrStdout(), output, families)
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "table", strings.Join(exporters.Formats, ", "))
	command.Flags().StringSliceVar(&sets, "set", nil, "only metrics of these sets: base, objects, perf")
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
