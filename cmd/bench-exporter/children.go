package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	_ "net/http/pprof" // for -profile
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"

	"mcloud/cmd/config"
	"mcloud/cmd/parts"
	"mcloud/deploy/sim"
	simceph "mcloud/deploy/sim/ceph"
	"mcloud/exporters/ceph"
)

// served is what the cloud's process tells of itself, once it serves.
type served struct {
	Address  string
	NB, SB   string
	Clusters []cluster
	Host     string // whose control sockets are served
	Sockets  string // of OVS and OVN there
}

type cluster struct{ Name, Sockets string }

// clusters of the simulated cloud that are watched; it has one more.
const clusters = 3

// serveCloud is the process of the simulated cloud. It ends with its standard input.
func serveCloud(ctx context.Context, arguments []string) error {
	var s size
	flags := flag.NewFlagSet("cloud", flag.ContinueOnError)
	s.flags(flags)
	dir := flags.String("dir", "", "")
	profile := flags.String("profile", "", "")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	serveProfile(*profile)
	debug.SetGCPercent(400) // the processor is the exporter's, memory there is enough of
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	cloud, err := sim.New(sim.Options{
		Name: "bench", Dir: filepath.Join(*dir, "sim"), Hosts: s.hosts, Servers: s.servers, Projects: s.projects, Volumes: s.volumes, Ports: s.ports,
		OSDs: s.osds, Days: 1, Quiet: true, Latency: s.latency, PerThousand: s.perThousand, SocketHosts: 1,
	})
	if err != nil {
		return err
	}
	if err := cloud.WriteClouds(filepath.Join(*dir, "clouds.yaml")); err != nil {
		return err
	}
	go func() {
		<-cloud.Ready()
		e := cloud.Endpoints()
		out := served{Address: e.URL, NB: e.NB, SB: e.SB, Host: e.Hosts[0].Name, Sockets: e.Hosts[0].Sockets}
		for _, c := range e.Clusters {
			if len(out.Clusters) < clusters {
				out.Clusters = append(out.Clusters, cluster{c.Name, c.Sockets})
			}
		}
		_ = json.NewEncoder(os.Stdout).Encode(out) // the parent is gone: stdin ends too
	}()
	return cloud.Run(ctx)
}

// serveProfile serves net/http/pprof for the process's life, where wanted.
func serveProfile(address string) {
	if address != "" {
		go func() { _ = http.ListenAndServe(address, nil) }()
	}
}

// serveExporter is the exporter's process: mcloud exporter, but for the monitors.
func serveExporter(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("exporter", flag.ContinueOnError)
	path := flags.String("config", "", "")
	address := flags.String("monitors", "", "")
	profile := flags.String("profile", "", "")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	serveProfile(*profile)
	f, err := config.Load(*path)
	if err != nil {
		return err
	}
	parts.LimitMemory(f.Exporter.Memory)
	open := func(c config.CephCluster) (ceph.Mon, error) { return simceph.DialMon(*address, "/-/mon/"+c.Name), nil }
	part, err := parts.Exporter(f, open, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return part.Run(ctx)
}

// child is a process of this program in another role.
type child struct {
	command *exec.Cmd
	stdin   io.Closer
	stdout  io.Reader
	ended   chan struct{}
	err     error // once ended
}

// start starts a role; its log is a file beside the data.
func start(dir, role string, arguments ...string) (*child, error) {
	log, err := os.Create(filepath.Join(dir, role+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c := &child{command: exec.Command(os.Args[0], append([]string{role}, arguments...)...), ended: make(chan struct{})}
	c.command.Stderr = log
	if c.stdin, err = c.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.stdout = out
	if err := c.command.Start(); err != nil {
		return nil, fmt.Errorf("starting the %s: %w", role, err)
	}
	return c, nil
}

// watch waits for the child's end; its standard output must have been read.
func (c *child) watch() {
	go func() {
		c.err = c.command.Wait()
		close(c.ended)
	}()
}

// stop ends the child and waits for it.
func (c *child) stop() {
	_ = c.stdin.Close()
	<-c.ended
}
