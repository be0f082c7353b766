package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mcloud/planner/reclaim"
	"mcloud/planner/report"
)

func reclaimCommand(o *options) *cobra.Command {
	var project, category string
	c := &cobra.Command{
		Use:   "reclaim",
		Short: "Say what is paid for and not used, whose it is and what it costs",
		Long: `List servers that are off, idle or too large, volumes that are attached to nothing,
old snapshots, floating IPs that lead nowhere, empty networks and unused routers:
how much would be free again, whose it is, and what it costs a month of 730 hours by
the price list of chargeback.

What cannot be told is "unknown", with the reason, never 0: the use of servers needs
a libvirt exporter, and nothing has been off for 30 days in a cloud that has been
recorded for one.`,
		Example: `  mcloud-plan reclaim
  mcloud-plan reclaim --project acme
  mcloud-plan reclaim --category 'volumes not attached' --output csv
  mcloud-plan reclaim --output json | jq '.per_month, .currency'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if category != "" && !slices.Contains(reclaim.Names, reclaim.Name(category)) {
				return fmt.Errorf("--category %q: want one of %s", category, strings.Join(quoted(reclaim.Names), ", "))
			}
			only := func(write func(io.Writer, reclaim.Result) error) func(io.Writer, reclaim.Result) error {
				return func(w io.Writer, r reclaim.Result) error { return write(w, narrow(r, project, category)) }
			}
			q := question[reclaim.Result]{
				path:    "/api/v1/reclaim",
				choices: []string{"table", "json", "csv"},
				formats: map[string]func(io.Writer, reclaim.Result) error{"csv": only(report.WriteReclaimCSV), "table": only(report.WriteReclaimTable)},
			}
			if project != "" || category != "" {
				q.formats["json"] = only(func(w io.Writer, r reclaim.Result) error { return report.WriteJSON(w, r) })
			}
			return q.ask(cmd, o)
		},
	}
	c.Flags().StringVar(&project, "project", "", "only what this project, by name or id, could give back (default: all)")
	c.Flags().StringVar(&category, "category", "", "only this category, such as 'servers off' (default: all)")
	return c
}

func quoted(names []reclaim.Name) []string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = fmt.Sprintf("%q", n)
	}
	return all
}

// narrow leaves the findings of a project and category; the sums of the categories
// stay those of all.
func narrow(r reclaim.Result, project, category string) reclaim.Result {
	if project != "" {
		r.Projects = slices.DeleteFunc(slices.Clone(r.Projects), func(p reclaim.ProjectSum) bool { return p.Project != project && p.Name != project })
	}
	r.Findings = slices.DeleteFunc(slices.Clone(r.Findings), func(f reclaim.Finding) bool {
		return project != "" && f.Project != project && f.ProjectName != project || category != "" && f.Category != reclaim.Name(category)
	})
	return r
}
