// Command mcloud watches an OpenStack, OVN/OVS and Ceph cloud: `mcloud run` is
// everything in one process; exporter, collector and store are its parts alone;
// sim is a simulated cloud.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"mcloud/cmd/settings"
)

// version is set by the linker.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := rootCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mcloud:", err)
		os.Exit(1)
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "mcloud",
		Short: "Watch a cloud and say when it runs out",
		Long: `mCloud watches an OpenStack + OVN/OVS + Ceph cloud and says, with evidence,
when it runs out, what to buy, what to move, and who pays.`,
		Example: `  mcloud run --demo                      everything, against a simulated cloud
  mcloud run --config mcloud.yaml        everything, against your cloud
  mcloud exporter --config mcloud.yaml   only the exporter
  mcloud exporter metrics                what it exports`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	var s settings.Settings
	s.AddFlags(root.PersistentFlags())
	root.AddCommand(runCommand(&s), exporterCommand(&s), collectorCommand(&s), storeCommand(&s), importCommand(&s), simCommand(&s))
	return root
}
