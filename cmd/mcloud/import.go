package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"mcloud/cmd/parts"
	"mcloud/cmd/progress"
	"mcloud/cmd/settings"
	"mcloud/collector/importer"
)

func importCommand(s *settings.Settings) *cobra.Command {
	remote := &remoteFlags{}
	command := &cobra.Command{
		Use:   "import PATH...|--remote-read URL --from TIME",
		Short: "Put a Prometheus's past into the long-term store",
		Long: `Put a Prometheus's past straight into the long-term store, which must run: each
PATH is a TSDB directory (all its blocks), one block, or a file of OpenMetrics text
in which every sample has a timestamp. An import that ended is run again with the
same arguments and goes on where it was; nothing is stored twice. Rollups follow.

With --remote-read a running Prometheus (or Thanos, Mimir, VictoriaMetrics with that
interface) is asked for its past, some hours at a time. What was imported from the
same address with the same selectors is not asked for again, whatever --from and --to
are. The series come with the external labels that Prometheus adds. Native histograms
are counted, named and passed over.`,
		Example: `  mcloud import /var/lib/prometheus/data --config mcloud.yaml
  mcloud import history.om --config mcloud.yaml
  mcloud import --remote-read http://prometheus:9090/api/v1/read --from 2025-11-01
  mcloud import --remote-read https://prometheus/api/v1/read --from 2026-01-01 --to 2026-02-01 \
    --match '{job="node"}' --match up --user mcloud --password-file prometheus.password --ca-file ca.pem`,
		Args: func(cmd *cobra.Command, args []string) error {
			if remote.url != "" && len(args) > 0 {
				return fmt.Errorf("--remote-read %s and %s: import from one of them", remote.url, args[0])
			}
			if remote.url == "" && len(args) == 0 {
				return fmt.Errorf("name what to import: a TSDB directory, a block or a file, or --remote-read URL")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if remote.url != "" {
				return importRemote(cmd, s, remote)
			}
			f, logger, err := load(s)
			if err != nil {
				return err
			}
			var sources []importer.Source
			for _, path := range args {
				found, err := sourcesAt(path)
				if err != nil {
					return err
				}
				sources = append(sources, found...)
			}
			store, closeStore, err := parts.ImportStore(cmd.Context(), f, logger)
			if err != nil {
				return err
			}
			defer closeStore()
			began := time.Now()
			var stored uint64
			histograms := 0
			for i, source := range sources {
				r, err := importer.Run(cmd.Context(), importer.Options{
					Store: store, StateDir: filepath.Join(f.DataDir, "import"),
					Progress: func(r importer.Result) {
						now := stored + max(r.Samples, r.Before) - r.Before
						progress.Line(cmd.ErrOrStderr(), "%d of %d: %d samples of %s, %.0f k samples/s", i+1, len(sources), r.Samples, filepath.Base(source.Path), float64(now)/1e3/time.Since(began).Seconds())
					},
				}, source)
				stored += max(r.Samples, r.Before) - r.Before
				histograms += r.Histograms
				if err != nil {
					progress.Line(cmd.ErrOrStderr(), "")
					return err
				}
			}
			progress.Line(cmd.ErrOrStderr(), "")
			seconds := time.Since(began).Seconds()
			fmt.Fprintf(cmd.OutOrStdout(), "imported %d samples of %d sources in %.1f s, %.0f samples per second\n", stored, len(sources), seconds, float64(stored)/seconds)
			if histograms > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "%d native histograms were passed over: the long-term store keeps floats\n", histograms)
			}
			return nil
		},
	}
	remote.register(command)
	return command
}

func sourcesAt(path string) ([]importer.Source, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return importer.Blocks(path)
	}
	s, err := importer.OpenMetrics(path)
	return []importer.Source{s}, err
}
