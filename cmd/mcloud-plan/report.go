package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"mcloud/planner/report"
)

func reportCommand(o *options) *cobra.Command {
	var at, browser string
	var pdf bool
	c := &cobra.Command{
		Use:   "report",
		Short: "Say what runs out, when, by when to order and how much",
		Long: `Write the capacity report: compute by availability zone and storage by tier,
with the dates at which they run out (P50, and the early P10), order-by dates,
quantities, cost, and how far the forecast can be trusted.

The table is for a terminal, csv for programs, xlsx a workbook with a sheet for each
section. html is one page with charts that needs nothing beside itself, pdf that page
printed by Chromium or Chrome, and json has every number of all of them.`,
		Example: `  mcloud-plan report
  mcloud-plan report --output html --output-file plan.html
  mcloud-plan report --output-file plan.xlsx
  mcloud-plan report --pdf --output-file plan.pdf
  mcloud-plan report --at 2026-11-01T00:00:00Z
  mcloud-plan report --output json | jq '.answers[] | {name, p50, order_by}'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if pdf {
				if o.output.format != "" && o.output.format != "pdf" {
					return fmt.Errorf("--pdf and --output %s: choose one", o.output.format)
				}
				o.output.format = "pdf"
			}
			return question[report.Document]{
				path: "/api/v1/report", query: map[string]string{"at": at},
				choices: []string{"table", "json", "csv", "html", "xlsx", "pdf"},
				formats: map[string]func(io.Writer, report.Document) error{
					"csv":   report.WriteCSV,
					"html":  report.WriteHTML,
					"table": report.WriteTable,
					"xlsx":  report.WriteXLSX,
					"pdf":   func(w io.Writer, d report.Document) error { return writePDF(cmd.Context(), w, d, browser) },
				},
			}.ask(cmd, o)
		},
	}
	c.Flags().StringVar(&at, "at", "", "as of this instant, from what was stored then: 2026-11-01 or 2026-11-01T12:00:00Z")
	c.Flags().BoolVar(&pdf, "pdf", false, "the same as --output pdf")
	c.Flags().StringVar(&browser, "browser", os.Getenv("MCLOUD_BROWSER"), "the Chromium or Chrome that prints a PDF (default: looked for) [$MCLOUD_BROWSER]")
	return c
}
