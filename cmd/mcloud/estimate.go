package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mcloud/cmd/config"
	"mcloud/cmd/parts"
	"mcloud/cmd/progress"
	"mcloud/cmd/settings"
)

// estimateCommand looks once with every set switched on and counts series.
func estimateCommand(s *settings.Settings) *cobra.Command {
	var output string
	var families bool
	var timeout time.Duration
	command := &cobra.Command{
		Use:   "estimate",
		Short: "Count the series that each set would make, before it is switched on",
		Long: `Look at the cloud once with every set of metrics switched on, and count the
series that each set and family makes there. exporter.sets in mcloud.yaml says
which are served; base always is. What a source could not read is not counted,
and is named.`,
		Example: "  mcloud exporter estimate --config mcloud.yaml\n  mcloud exporter estimate --config mcloud.yaml --families",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return fmt.Errorf("--output %q: want table or json", output)
			}
			logger, err := s.Logger(os.Stderr)
			if err != nil {
				return err
			}
			f, err := s.Load()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			e, err := parts.EstimateSeries(ctx, f, parts.Librados, logger, func(waiting, of int) {
				progress.Line(cmd.ErrOrStderr(), "%d of %d sources have looked", of-waiting, of)
			})
			progress.Line(cmd.ErrOrStderr(), "")
			if err != nil {
				return err
			}
			return writeEstimate(cmd.OutOrStdout(), output, families, f, e)
		},
	}
	flags := command.Flags()
	flags.StringVarP(&output, "output", "o", "table", "table, json")
	flags.BoolVar(&families, "families", false, "a line for each family as well")
	flags.DurationVar(&timeout, "timeout", 5*time.Minute, "how long to wait for the sources' first looks")
	return command
}

func writeEstimate(w io.Writer, output string, families bool, f config.File, e parts.Estimate) error {
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(e)
	}
	interval := time.Duration(f.Collector.ScrapeInterval)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "SET\tSERVED\tFAMILIES\tSERIES\tSAMPLES A DAY\t")
	for _, set := range e.Sets {
		served := "no"
		if set.Served {
			served = "yes"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t\n", set.Set, served, set.Families, set.Series, int64(set.Series)*int64(24*time.Hour/interval))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if families {
		fmt.Fprintln(w)
		t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "SET\tFAMILY\tSERIES")
		for _, family := range e.Families {
			fmt.Fprintf(t, "%s\t%s\t%d\n", family.Set, family.Name, family.Series)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	for _, name := range e.Failed {
		fmt.Fprintf(w, "not counted: source %s could not be read whole, see the log above\n", name)
	}
	return nil
}
