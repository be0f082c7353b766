package main

import (
	"cmp"
	"os"
	"time"

	"github.com/spf13/cobra"

	"mcloud/cmd/config"
)

// options are the values of the flags that all commands share.
type options struct {
	url, config string
	timeout     time.Duration
	output      output
}

func rootCommand() *cobra.Command {
	var o options
	root := &cobra.Command{
		Use:   "mcloud-plan",
		Short: "Say when the cloud runs out, what to buy and by when",
		Long: `mcloud-plan asks a running planner what runs out, when, by when to order, how
much to buy, and how sure that is.

It finds the planner by --url, else by planner.url or planner.listen of the
configuration file, else at http://` + config.DefaultPlannerListen + `.`,
		Example: `  mcloud-plan report                                       what runs out, as a table
  mcloud-plan report --output-file plan.html               the same with charts, for a browser
  mcloud-plan report --at 2026-11-01 --output json         as it would have been then
  mcloud-plan headroom --flavor m1.large --zone az-a       how many more servers fit`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&o.url, "url", os.Getenv("MCLOUD_PLAN_URL"), "URL of the planner [$MCLOUD_PLAN_URL]")
	flags.StringVar(&o.config, "config", os.Getenv("MCLOUD_CONFIG"), "the configuration file, mcloud.yaml [$MCLOUD_CONFIG]")
	flags.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long to wait for an answer")
	flags.StringVarP(&o.output.format, "output", "o", "", "table, json, csv or html (default: what the name of --output-file says, else table)")
	flags.StringVar(&o.output.format, "format", "", "the same as --output")
	flags.StringVar(&o.output.file, "output-file", "", "write to this file instead of to standard output")
	root.AddCommand(reportCommand(&o), headroomCommand(&o), rebalanceCommand(&o), chargebackCommand(&o), serveCommand(&o))
	return root
}

// client is for the planner that the flags, the environment or the file name.
func (o *options) client() (*client, error) {
	if o.url == "" && o.config != "" {
		f, err := config.Load(o.config)
		if err != nil {
			return nil, err
		}
		o.url = cmp.Or(f.Planner.URL, "http://"+f.Planner.Listen)
	}
	return newClient(cmp.Or(o.url, "http://"+config.DefaultPlannerListen))
}
