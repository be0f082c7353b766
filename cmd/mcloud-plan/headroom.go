package main

import (
	"io"

	"github.com/spf13/cobra"

	"mcloud/planner/capacity"
	"mcloud/planner/report"
)

func headroomCommand(o *options) *cobra.Command {
	var flavor, zone string
	c := &cobra.Command{
		Use:   "headroom",
		Short: "Say how many more servers of each flavor fit",
		Long: `Count the further servers of a flavor that Placement and Nova would accept one
after another, zone by zone: with allocation ratios, units, traits, aggregates,
and without disabled and down hosts. No reserve is kept back.`,
		Example: `  mcloud-plan headroom
  mcloud-plan headroom --flavor m1.large
  mcloud-plan headroom --flavor m1.large --zone az-a --output json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return question[[]capacity.Headroom]{
				path: "/api/v1/headroom", query: map[string]string{"flavor": flavor, "zone": zone},
				choices: []string{"table", "json", "csv"},
				formats: map[string]func(io.Writer, []capacity.Headroom) error{
					"csv":   report.WriteHeadroomCSV,
					"table": report.WriteHeadroomTable,
				},
			}.ask(cmd, o)
		},
	}
	c.Flags().StringVar(&flavor, "flavor", "", "name or id of a flavor (default: all)")
	c.Flags().StringVar(&zone, "zone", "", "only this availability zone (default: all)")
	return c
}
