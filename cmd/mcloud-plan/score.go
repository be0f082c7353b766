package main

import (
	"io"

	"github.com/spf13/cobra"

	"mcloud/planner/report"
)

func scoreCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "score",
		Short: "Say how past reports did against what came",
		Long: `Compare what past reports told with what was measured since, 7, 30 and 90 days
ahead: the error beside that of “no change” and of the trend, how often what came
lay between P10 and P90, and which way the forecasts erred, for each tier and zone;
and how the dates at which they run out moved from report to report.

The planner keeps what it tells once a day, in the store. Where nothing can be
scored yet, it says from when on.`,
		Example: `  mcloud-plan score
  mcloud-plan score --output csv --output-file score.csv
  mcloud-plan score --output json | jq '.totals'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return question[report.Score]{
				path:    "/api/v1/score",
				choices: []string{"table", "json", "csv"},
				formats: map[string]func(io.Writer, report.Score) error{"csv": report.WriteScoreCSV, "table": report.WriteScoreTable},
			}.ask(cmd, o)
		},
	}
}
