package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"mcloud/cmd/config"
	"mcloud/cmd/parts"
	"mcloud/cmd/settings"
	"mcloud/deploy/sim"
)

func simCommand(s *settings.Settings) *cobra.Command {
	var o sim.Options
	command := &cobra.Command{
		Use:   "sim",
		Short: "Serve a simulated cloud: OpenStack's APIs, OVN, OVS and Ceph sockets",
		Long: `Serve a simulated cloud over the real protocols: OpenStack's HTTP APIs, OVSDB,
OVS's and Ceph's control sockets. Everything is on loopback or under the data
directory; clouds.yaml there has an account with the role admin and one with
reader. Ceph's monitors answer only inside mcloud run --demo.`,
		Example: "  mcloud sim --data-dir /tmp/sim\n  OS_CLIENT_CONFIG_FILE=/tmp/sim/clouds.yaml openstack --os-cloud demo server list --all-projects",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger, err := s.Logger(os.Stderr)
			if err != nil {
				return err
			}
			if s.DataDir == "" {
				s.DataDir = filepath.Join("data", "sim")
			}
			if o.Dir, err = filepath.Abs(s.DataDir); err != nil {
				return fmt.Errorf("data directory: %w", err)
			}
			o.Logger = logger
			if l := (config.Listener{Listen: o.Listen}); !l.Loopback() && !s.Insecure {
				return fmt.Errorf("--listen %s: that is not on loopback, and the simulated cloud has no TLS and well-known passwords; --insecure serves it there", o.Listen)
			}
			cloud, err := sim.New(o)
			if err != nil {
				return err
			}
			if err := cloud.WriteClouds(filepath.Join(o.Dir, "clouds.yaml")); err != nil {
				return err
			}
			group := parts.NewGroup(logger, parts.Part{Name: "cloud", Ready: cloud.Ready(), Run: cloud.Run})
			return runAndTell(cmd, group, func(time.Duration) { printEndpoints(cmd, cloud, o.Dir) })
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.Name, "name", "demo", "name of the cloud")
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:0", "address of the HTTP APIs")
	flags.Uint64Var(&o.Seed, "seed", 1, "the same seed gives the same cloud")
	flags.IntVar(&o.Zones, "zones", 3, "availability zones")
	flags.IntVar(&o.Hosts, "hosts", 60, "compute hosts")
	flags.IntVar(&o.Servers, "servers", 2000, "servers at the first start")
	flags.IntVar(&o.Projects, "projects", 40, "projects")
	flags.IntVar(&o.Volumes, "volumes", 3000, "volumes at the first start")
	flags.IntVar(&o.OSDs, "osds", 18, "OSDs of each Ceph cluster")
	flags.IntVar(&o.Ports, "ports", 0, "ports at the first start: servers get a second one until there are so many")
	flags.IntVar(&o.Days, "days", 180, "days of history before the first start; 1 for a large cloud that is there soon")
	flags.DurationVar(&o.Latency, "latency", 0, "how long each API call and monitor command takes")
	flags.DurationVar(&o.PerThousand, "latency-per-1000", 0, "how much longer for each thousand objects in the answer")
	flags.IntVar(&o.SocketHosts, "socket-hosts", 0, "on how many hosts the control sockets of OVS and Ceph are served; 0 is all")
	flags.Float64Var(&o.Speed, "speed", 1, "seconds that pass in the cloud for each real one")
	flags.BoolVar(&o.Quiet, "quiet", false, "without random faults")
	return command
}

func printEndpoints(cmd *cobra.Command, cloud *sim.Cloud, dir string) {
	e := cloud.Endpoints()
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "\nsimulated cloud %q\n\n  Keystone     %s   (%s)\n  OVN          NB %s, SB %s\n", e.Cloud, e.AuthURL, filepath.Join(dir, "clouds.yaml"), e.NB, e.SB)
	for _, c := range e.Clusters {
		fmt.Fprintf(out, "  Ceph %-8s%s\n", c.Name, c.Sockets)
	}
	if len(e.Hosts) > 0 {
		fmt.Fprintf(out, "  OVS %-9s%s and %d more hosts\n", e.Hosts[0].Name, e.Hosts[0].Sockets, len(e.Hosts)-1)
	}
	fmt.Fprintln(out)
}
