package main

import (
	"context"
	"io"
	"net/url"

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
			format, err := o.output.choose("table", "json", "csv")
			if err != nil {
				return err
			}
			client, err := o.client()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), o.timeout)
			defer cancel()
			query := url.Values{}
			for name, value := range map[string]string{"flavor": flavor, "zone": zone} {
				if value != "" {
					query.Set(name, value)
				}
			}
			var all []capacity.Headroom
			raw, err := client.get(ctx, "/api/v1/headroom", query, &all)
			if err != nil {
				return err
			}
			return o.output.write(cmd.OutOrStdout(), func(w io.Writer) error {
				switch format {
				case "json":
					_, err := w.Write(raw)
					return err
				case "csv":
					return report.WriteHeadroomCSV(w, all)
				}
				return report.WriteHeadroomTable(w, all)
			})
		},
	}
	c.Flags().StringVar(&flavor, "flavor", "", "name or id of a flavor (default: all)")
	c.Flags().StringVar(&zone, "zone", "", "only this availability zone (default: all)")
	return c
}
