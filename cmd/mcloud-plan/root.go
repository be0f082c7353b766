package main

import (
	"cmp"
	"os"
	"time"

	"github.com/spf13/cobra"

	"mcloud/cmd/access"
	"mcloud/cmd/config"
	"mcloud/cmd/settings"
)

// options are the values of the flags that all commands share.
type options struct {
	url, config string
	present     config.Client // what is presented to the planner
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
  mcloud-plan report --output-file plan.xlsx               and as a workbook
  mcloud-plan forecast tier nvme                           what one of them will be
  mcloud-plan reclaim                                      what is paid for and not used
  mcloud-plan score                                        how right the last reports were
  mcloud-plan report --at 2026-11-01 --output json         as it would have been then
  mcloud-plan headroom --flavor m1.large --zone az-a       how many more servers fit
  mcloud-plan whatif --add-host az=az-a,count=4            what dates that would move`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&o.url, "url", os.Getenv("MCLOUD_PLAN_URL"), "URL of the planner [$MCLOUD_PLAN_URL]")
	flags.StringVar(&o.config, "config", os.Getenv("MCLOUD_CONFIG"), "the configuration file, mcloud.yaml [$MCLOUD_CONFIG]")
	flags.StringVar(&o.present.TokenFile, "token-file", settings.FromEnvironment("token-file", ""), "file with the token to present: one of access.tokens, or Keystone's [$"+settings.Variable("token-file")+"]")
	flags.StringVar(&o.present.User, "user", settings.FromEnvironment("user", ""), "user of access.users to present [$"+settings.Variable("user")+"]")
	flags.StringVar(&o.present.PasswordFile, "password-file", settings.FromEnvironment("password-file", ""), "file with the user's password [$"+settings.Variable("password-file")+"]")
	flags.StringVar(&o.present.CA, "cacert", settings.FromEnvironment("cacert", ""), "file with the authorities that the planner's certificate is checked against (default: the system's) [$"+settings.Variable("cacert")+"]")
	flags.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long to wait for an answer")
	flags.StringVarP(&o.output.format, "output", "o", "", "table, json or csv; of report also html, xlsx or pdf (default: what the name of --output-file says, else table)")
	flags.StringVar(&o.output.format, "format", "", "the same as --output")
	flags.StringVar(&o.output.file, "output-file", "", "write to this file instead of to standard output")
	root.AddCommand(reportCommand(&o), forecastCommand(&o), headroomCommand(&o), capacityCommand(&o), whatifCommand(&o), commitmentCommand(&o), scenarioCommand(&o), reclaimCommand(&o), scoreCommand(&o), rebalanceCommand(&o), chargebackCommand(&o), maintenanceCommand(&o), serveCommand(&o))
	return root
}

// client is for the planner that the flags, the environment or the file name.
func (o *options) client() (*client, error) {
	present := o.present
	if o.url == "" && o.config != "" {
		f, err := config.Load(o.config)
		if err != nil {
			return nil, err
		}
		o.url = f.PlannerURL()
		known := access.ClientOf(f, "planner", f.Planner.URL != "")
		if present.TokenFile == "" && present.User == "" {
			present.TokenFile, present.User, present.PasswordFile = known.TokenFile, known.User, known.PasswordFile
		}
		present.CA, present.ServerName = cmp.Or(present.CA, known.CA), known.ServerName
	}
	return newClient(cmp.Or(o.url, "http://"+config.DefaultPlannerListen), present)
}
