// Package sim is a simulated mCloud: an OpenStack cloud with OVN and four Ceph
// clusters that lives in this process and is reached over the real protocols:
// HTTP, admin sockets, unixctl sockets and OVSDB. It is for demonstrations, for
// scale and for tests; deploy/conformance holds it to the real thing.
//
// New builds the cloud with its past, Run serves it until its context ends.
// What it serves is one deterministic model (deploy/sim/model) whose past
// History and ObjectHistory can tell again.
package sim

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mcloud"
	"mcloud/deploy/sim/ceph"
	"mcloud/deploy/sim/model"
	"mcloud/deploy/sim/openstack"
)

// Options of a simulated cloud. The zero value of each but Dir is a default.
type Options struct {
	// Name is the cloud's name, "demo" by default.
	Name string
	// Dir is where sockets, clouds.yaml and the beginning of time are kept. A
	// Cloud that finds the latter goes on from there. Required; its path should
	// be short: a unix socket's has at most 107 bytes.
	Dir string
	// Listen is the HTTP APIs' address, "127.0.0.1:0" by default.
	Listen string

	Seed                                           uint64 // 1
	Zones, Hosts, Servers, Projects, Volumes, OSDs int    // of model.DefaultConfig
	// Ports at the first start; servers get a second one until there are so many.
	Ports int
	// Days of history before the first start: 180. One is enough for a cloud
	// whose past nobody asks for, and is built in a fraction of the time.
	Days int
	// Quiet leaves out the random faults.
	Quiet bool

	// Now is the clock, time.Now by default. Speed is how many seconds pass in
	// the cloud for each of the clock's since the first start, 1 by default.
	Now   func() time.Time
	Speed float64

	// Building is how long a server made over the API stays in BUILD: 2 s.
	Building time.Duration

	// Latency is how long each call of an OpenStack API or monitor command takes,
	// PerThousand how much longer for each thousand objects in its answer.
	Latency, PerThousand time.Duration

	// SocketHosts is on how many hosts the control sockets of OVS and of Ceph's
	// daemons are served: of the first chassis, and of the first CRUSH hosts of
	// each cluster. 0 is all. A daemon's socket is only reached on its own host,
	// so an exporter sees those of one.
	SocketHosts int
	// CephSocketHosts is it for Ceph's daemons, where it is not the same: a CRUSH host has
	// more of them than a chassis has. 0 is SocketHosts.
	CephSocketHosts int

	// Events takes what happens in the cloud while it runs, as notifications
	// would tell it, in order; nil for nobody. It is called from Run.
	Events func([]mcloud.Event)

	Logger *slog.Logger
}

// Cloud is a simulated cloud. Its methods may be called concurrently.
type Cloud struct {
	options Options
	config  model.Config
	ready   chan struct{}

	mu     sync.Mutex
	world  *model.World
	events []mcloud.Event // happened, not yet told
	lost   int            // events that did not fit

	api       *openstack.Server
	listener  net.Listener
	sockets   *ceph.Sockets
	mons      []*ceph.Mon // of the tiers' clusters
	network   *network
	passwords passwords
}

type passwords struct{ admin, reader string }

// New builds the cloud with its past and opens its listeners; Run serves them.
func New(o Options) (*Cloud, error) {
	o = o.complete()
	if o.Dir == "" {
		return nil, errors.New("simulated cloud: no directory for its sockets is given")
	}
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("simulated cloud: %w", err)
	}
	config, err := o.config()
	if err != nil {
		return nil, err
	}
	world, err := model.New(config)
	if err != nil {
		return nil, err
	}
	c := &Cloud{options: o, config: world.Config, world: world, ready: make(chan struct{}), passwords: passwords{secret(), secret()}}
	world.AdvanceTo(c.now())
	if o.Events != nil {
		world.OnChange = c.note
	}
	if c.listener, err = net.Listen("tcp", o.Listen); err != nil {
		return nil, fmt.Errorf("simulated cloud: %w", err)
	}
	c.api = openstack.New(c, openstack.Options{AdminPassword: c.passwords.admin, ReaderPassword: c.passwords.reader, Building: o.Building, Latency: o.Latency, PerThousand: o.PerThousand})
	c.api.SetURL("http://" + c.listener.Addr().String())
	var clusters []*model.Cluster
	for _, t := range world.Tiers {
		clusters = append(clusters, t.Cluster)
		mon := ceph.NewMon(c, t.Cluster)
		mon.Latency, mon.PerThousand = o.Latency, o.PerThousand
		c.mons = append(c.mons, mon)
	}
	c.sockets = ceph.NewSockets(c, filepath.Join(o.Dir, "ceph"), o.CephSocketHosts, clusters...)
	if c.network, err = newNetwork(c); err != nil {
		return nil, errors.Join(err, c.listener.Close())
	}
	return c, nil
}

func (o Options) complete() Options {
	d := model.DefaultConfig(time.Time{})
	def := func(n *int, fallback int) {
		if *n == 0 {
			*n = fallback
		}
	}
	def(&o.Zones, d.Zones)
	def(&o.Hosts, d.Hosts)
	def(&o.Servers, d.Servers)
	def(&o.Projects, d.Projects)
	def(&o.Volumes, d.Volumes)
	def(&o.OSDs, d.OSDs)
	def(&o.Days, 180)
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Name == "" {
		o.Name = "demo"
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Speed == 0 {
		o.Speed = 1
	}
	if o.CephSocketHosts == 0 {
		o.CephSocketHosts = o.SocketHosts
	}
	if o.Building == 0 {
		o.Building = 2 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// config reads the beginning of time from Dir, or makes and keeps it.
func (o Options) config() (model.Config, error) {
	path := filepath.Join(o.Dir, "cloud.json")
	end := o.Now().UTC().Truncate(time.Second)
	want := model.Config{
		Seed: o.Seed, Start: end.AddDate(0, 0, -o.Days), End: end, Zones: o.Zones, Hosts: o.Hosts, Servers: o.Servers,
		Projects: o.Projects, Volumes: o.Volumes, OSDs: o.OSDs, Ports: o.Ports, Faults: !o.Quiet,
	}
	b, err := os.ReadFile(path)
	switch {
	case err == nil:
		var kept model.Config
		if err := json.Unmarshal(b, &kept); err != nil {
			return want, fmt.Errorf("simulated cloud: %s: %w; remove the file to begin anew", path, err)
		}
		times := kept
		times.Start, times.End = want.Start, want.End
		if times != want {
			return want, fmt.Errorf("simulated cloud: %s keeps a cloud of other size or seed; remove the file to begin anew", path)
		}
		return kept, nil
	case !errors.Is(err, os.ErrNotExist):
		return want, fmt.Errorf("simulated cloud: %w", err)
	}
	if b, err = json.MarshalIndent(want, "", "  "); err != nil {
		return want, fmt.Errorf("simulated cloud: %w", err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return want, fmt.Errorf("simulated cloud: %w", err)
	}
	return want, nil
}

func secret() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}

// now is the time in the cloud.
func (c *Cloud) now() time.Time {
	since := c.options.Now().Sub(c.config.End)
	return c.config.End.Add(time.Duration(float64(since) * c.options.Speed))
}

// With runs do on the world at the present, alone. What do keeps of the world
// after it returned must be copies.
func (c *Cloud) With(do func(*model.World)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.world.AdvanceTo(c.now())
	do(c.world)
}

// Began is when the cloud's recorded life begins, and when it was first
// started: History can tell all between.
func (c *Cloud) Began() (start, first time.Time) { return c.config.Start, c.config.End }

// Ready is closed once everything is served.
func (c *Cloud) Ready() <-chan struct{} { return c.ready }

// Close releases the listeners of a Cloud that was never Run.
func (c *Cloud) Close() error {
	c.network.close()
	c.sockets.Close()
	return c.listener.Close()
}

// Run serves the cloud until ctx ends.
func (c *Cloud) Run(ctx context.Context) error {
	if err := c.sockets.Open(ctx); err != nil {
		return errors.Join(err, c.Close())
	}
	server := &http.Server{Handler: c.handler(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(c.options.Logger.Handler(), slog.LevelDebug)}
	var parts sync.WaitGroup
	failed := make(chan error, 1)
	parts.Go(func() {
		if err := server.Serve(c.listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("simulated cloud: %w", err)
		}
	})
	parts.Go(func() { c.network.run(ctx) })
	close(c.ready)
	err := c.live(ctx, failed)
	_ = server.Close() // the listener is all it could complain about
	c.sockets.Close()
	c.network.close()
	parts.Wait()
	return err
}

// live lets time pass once a second: sockets come and go with their daemons,
// and what happened is told.
func (c *Cloud) live(ctx context.Context, failed <-chan error) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			c.tell()
			return nil
		case err := <-failed:
			return err
		case <-tick.C:
			c.With(func(*model.World) {})
			c.tell()
			if err := c.sockets.Open(ctx); err != nil {
				c.options.Logger.Warn("simulated Ceph: cannot open an admin socket", "err", err)
			}
		}
	}
}
