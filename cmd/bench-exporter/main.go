// Command exporter measures the exporter against a simulated cloud of full size:
// the calls, time and processor of its cold start and of later rounds in which 1 %
// of all objects changed, its memory, and what a scrape takes.
//
// The simulated cloud, the exporter and this program are three processes, so that
// what is measured is the exporter's alone. The exporter is wired by cmd/parts
// from a mcloud.yaml, as mcloud exporter is; only the monitors' protocol is
// another one, because librados cannot be simulated. Ceph's and OVS's control
// sockets are those of one host, because an exporter reaches no others.
//
// It prints what it measured beside what is to be reached, and fails only when it
// cannot measure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// size is how large the cloud is.
type size struct {
	hosts, servers, projects, volumes, ports, osds int
	latency, perThousand                           time.Duration
}

func (s *size) flags(f *flag.FlagSet) {
	f.IntVar(&s.hosts, "hosts", 2000, "hypervisors")
	f.IntVar(&s.servers, "servers", 60_000, "servers")
	f.IntVar(&s.projects, "projects", 500, "projects")
	f.IntVar(&s.volumes, "volumes", 100_000, "volumes")
	f.IntVar(&s.ports, "ports", 120_000, "ports")
	f.IntVar(&s.osds, "osds", 1000, "OSDs of each of the three Ceph clusters")
	f.DurationVar(&s.latency, "latency", 5*time.Millisecond, "of each call")
	f.DurationVar(&s.perThousand, "latency-per-1000", 20*time.Millisecond, "of each thousand objects in an answer")
}

func (s *size) arguments() []string {
	return []string{
		fmt.Sprint("-hosts=", s.hosts), fmt.Sprint("-servers=", s.servers), fmt.Sprint("-projects=", s.projects), fmt.Sprint("-volumes=", s.volumes),
		fmt.Sprint("-ports=", s.ports), fmt.Sprint("-osds=", s.osds), fmt.Sprint("-latency=", s.latency), fmt.Sprint("-latency-per-1000=", s.perThousand),
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run, arguments := measure, os.Args[1:]
	if len(arguments) > 0 {
		switch arguments[0] {
		case "cloud":
			run, arguments = serveCloud, arguments[1:]
		case "exporter":
			run, arguments = serveExporter, arguments[1:]
		}
	}
	if err := run(ctx, arguments); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench-exporter:", err)
		os.Exit(1)
	}
}
