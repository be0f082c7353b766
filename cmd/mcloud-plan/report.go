package main

import (
	"context"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"mcloud/planner/report"
)

func reportCommand(o *options) *cobra.Command {
	var at string
	c := &cobra.Command{
		Use:   "report",
		Short: "Say what runs out, when, by when to order and how much",
		Long: `Write the capacity report: compute by availability zone and storage by tier,
with the dates at which they run out (P50, and the early P10), order-by dates,
quantities, cost, and how far the forecast can be trusted.

The table is for a terminal, csv for a spreadsheet, html is one page with charts
that needs nothing beside itself, and json has every number of all of them.`,
		Example: `  mcloud-plan report
  mcloud-plan report --output html --output-file plan.html
  mcloud-plan report --at 2026-11-01T00:00:00Z
  mcloud-plan report --output json | jq '.answers[] | {name, p50, order_by}'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format, err := o.output.choose("table", "json", "csv", "html")
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
			if at != "" {
				query.Set("at", at)
			}
			var d report.Document
			raw, err := client.get(ctx, "/api/v1/report", query, &d)
			if err != nil {
				return err
			}
			return o.output.write(cmd.OutOrStdout(), func(w io.Writer) error {
				switch format {
				case "json":
					_, err := w.Write(raw)
					return err
				case "csv":
					return report.WriteCSV(w, d)
				case "html":
					return report.WriteHTML(w, d)
				}
				return report.WriteTable(w, d)
			})
		},
	}
	c.Flags().StringVar(&at, "at", "", "as of this instant, from what was stored then: 2026-11-01 or 2026-11-01T12:00:00Z")
	return c
}
