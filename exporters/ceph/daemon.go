package ceph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/ceph/asok"
)

var socketUp = &exporters.Family{Name: "ceph_daemon_socket_up", Type: exporters.Gauge, Set: exporters.SetBase, Call: "admin socket",
	Labels: []string{"ceph_daemon"}, Help: "Daemon on this host answers its admin socket: 1 yes, 0 no (dead or frozen)."}

func daemonFamilies() []*exporters.Family {
	return append([]*exporters.Family{socketUp, configSources, configDiffers}, perfCatalogue().families...)
}

func gatewayFamilies() []*exporters.Family {
	return append([]*exporters.Family{socketUp, configSources, configDiffers}, rgwCatalogue().families...)
}

const (
	// maxSockets bounds a look; a host has some dozens of daemons.
	maxSockets = 1024
	// forgetAfter is how long a daemon whose socket file is gone stays 0: long
	// enough for an alert, not for ever after an OSD moved away.
	forgetAfter = time.Hour
)

// daemons looks at the daemons of one cluster on this host. A look asks them
// concurrently within a bound; a frozen one costs its own deadline.
type daemons struct {
	*cluster
	known map[string]*daemon // by socket path
	// gateways says to look at RADOS gateways, whose counters have another label,
	// and otherwise at all daemons but those.
	gateways bool
	// gids are the gateways' instance ids by their own, as the mgr has them; nil
	// until the monitors have told.
	gids map[string]string
}

// daemon is what is remembered of one socket between looks. A look hands each
// to one goroutine, so it needs no lock.
type daemon struct {
	path     string
	name     string // "osd.3"; from the file name until the daemon has told
	started  socketID
	identity *identity   // nil until told, per start
	schema   schema      // nil until told, per start
	config   *configDiff // as of configAt; nil until told
	configAt time.Time
	counters string    // "perf" or "counter": the commands that its version has; "" until known
	state    string    // last logged: "up", "down"
	lastSeen time.Time // of the socket file
}

// identity is what "config show" says; all daemons of all versions have it,
// unlike "status", which a mon lacks and in which an mgr does not say its name.
type identity struct {
	Name string `json:"name"`
	FSID string `json:"fsid"`
}

// found is the outcome of asking one daemon.
type found struct {
	*daemon
	up      bool
	foreign bool // of another cluster
	perf    []counter
	unknown int   // counters that the schema does not list
	err     error // why it could not be asked in full
}

func newDaemons(c *cluster) *daemons { return &daemons{cluster: c, known: map[string]*daemon{}} }

func newGateways(c *cluster) *daemons {
	return &daemons{cluster: c, known: map[string]*daemon{}, gateways: true}
}

func (d *daemons) collect(ctx context.Context) (*exporters.Snapshot, error) {
	l := d.look(ctx)
	now := d.cfg.Now()
	present := d.discover(l, now)
	if len(present) == 0 && len(d.known) == 0 {
		switch {
		case len(l.errs) > 0:
		case d.gateways:
			l.errs = append(l.errs, fmt.Errorf("ceph cluster %s: no RADOS gateway runs on this host: %w", d.cfg.Name, exporters.ErrAbsent))
		default:
			l.errs = append(l.errs, fmt.Errorf("ceph cluster %s: no admin socket matches %q: no daemon runs here, or the directory may not be read (run as user ceph or root)", d.cfg.Name, d.cfg.Sockets))
		}
		return nil, errors.Join(l.errs...)
	}
	results := d.askAll(ctx, present)
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, ctx.Err() // mcloud stops: what failed says nothing about the daemons
	}
	if d.gateways && d.cfg.Perf && d.mon != nil {
		if services, ok := fetch[serviceMap](l, "service dump", nil); ok {
			d.gids = services.gatewayIDs()
		}
	}
	d.addAll(l, results)
	d.addVanished(l, results, now)
	return l.done()
}

// discover globs the sockets and brings d.known up to date.
func (d *daemons) discover(l *look, now time.Time) []*daemon {
	paths := map[string]bool{}
	for _, pattern := range d.cfg.Sockets {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			l.errs = append(l.errs, fmt.Errorf("ceph cluster %s: socket pattern %q: %w", d.cfg.Name, pattern, err))
		}
		for _, path := range matches {
			paths[path] = true
		}
	}
	var present []*daemon
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		name, ok := nameFromFile(path)
		if ok && isGateway(name) != d.gateways {
			continue // of the other Source
		}
		if !ok {
			l.snap.Skipped++ // a client's socket: it comes and goes with a pid
			continue
		}
		if len(present) == maxSockets {
			l.errs = append(l.errs, fmt.Errorf("ceph cluster %s: %d sockets match, %d are asked", d.cfg.Name, len(paths), maxSockets))
			break
		}
		daemon := d.known[path]
		if daemon == nil {
			daemon = newDaemon(path, name)
			d.known[path] = daemon
		}
		daemon.lastSeen = now
		present = append(present, daemon)
	}
	return present
}

func isGateway(name string) bool { return strings.HasPrefix(name, "client.rgw") }

func newDaemon(path, name string) *daemon { return &daemon{path: path, name: name} }

func (d *daemons) askAll(ctx context.Context, present []*daemon) []found {
	results := make([]found, len(present))
	var wg sync.WaitGroup
	slots := make(chan struct{}, d.cfg.SocketConcurrency)
	for i, daemon := range present {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			results[i] = d.ask(ctx, daemon)
		})
	}
	wg.Wait()
	return results
}

// ask brings what is known of the daemon up to date and reads its counters.
func (d *daemons) ask(ctx context.Context, daemon *daemon) found {
	f := found{daemon: daemon}
	started, err := socketIDOf(daemon.path)
	if err != nil {
		f.err = err
		return f
	}
	if started != daemon.started {
		daemon.started, daemon.identity, daemon.schema, daemon.counters, daemon.config = started, nil, nil, "", nil
	}
	client := asok.Client{Path: daemon.path, Timeout: d.cfg.SocketTimeout}
	if daemon.identity == nil {
		var who identity
		if f.err = d.decode(ctx, client, "config show", &who); f.err != nil {
			return f
		}
		daemon.identity = &who
		daemon.name = cmp.Or(who.Name, daemon.name)
	} else if !d.cfg.Perf {
		var version struct{} // the cheapest proof of life
		if f.err = d.decode(ctx, client, "version", &version); f.err != nil {
			return f
		}
	}
	f.up = true
	if known := d.knownFSID(); known != "" && daemon.identity.FSID != "" && known != daemon.identity.FSID {
		f.foreign = true
		return f
	}
	if d.cfg.Perf {
		f.perf, f.unknown, f.err = d.readPerf(ctx, client, daemon)
		if f.err == nil { // a frozen daemon costs one deadline, not two
			d.readConfig(ctx, client, daemon)
		}
		var silent interface{ Timeout() bool }
		if errors.As(f.err, &silent) && silent.Timeout() {
			f.up = false
		}
	}
	return f
}

func (d *daemons) decode(ctx context.Context, client asok.Client, prefix string, v any) error {
	start := time.Now()
	b, err := client.Ask(ctx, prefix, nil)
	if err == nil {
		if err = decodeJSON(b, v); err != nil {
			err = fmt.Errorf("%s: %q: %w", client.Path, prefix, err)
		}
	}
	code := "0"
	if err != nil {
		code = exporters.KindOf(err)
	}
	exporters.CountCall(ctx, "asok", code, time.Since(start))
	return err
}

func (d *daemons) readPerf(ctx context.Context, client asok.Client, daemon *daemon) ([]counter, int, error) {
	if daemon.schema == nil {
		if err := d.readSchema(ctx, client, daemon); err != nil {
			return nil, 0, err
		}
	}
	var dump perfValues
	if err := d.decode(ctx, client, daemon.counters+" dump", &dump); err != nil {
		return nil, 0, err
	}
	// Groups come and go while a daemon runs (an mgr's modules), so a counter
	// that the kept schema lacks is a reason to read it once more.
	if daemon.schema.lacks(dump) {
		if err := d.readSchema(ctx, client, daemon); err != nil {
			return nil, 0, err
		}
	}
	return daemon.schema.join(dump, d.cfg.PerfPriority)
}

// configPeriod is how often a daemon's configuration is looked at.
const configPeriod = 10 * time.Minute

// readConfig keeps the former answer when there is none: that the daemon does not
// answer is seen in what follows.
func (d *daemons) readConfig(ctx context.Context, client asok.Client, daemon *daemon) {
	if daemon.config != nil && d.cfg.Now().Sub(daemon.configAt) < configPeriod {
		return
	}
	var diff configDiff
	if err := d.decode(ctx, client, "config diff", &diff); err == nil {
		daemon.config, daemon.configAt = &diff, d.cfg.Now()
	}
}

// readSchema asks for "counter schema", which Ceph 18 has beside the older "perf
// schema" and which also has the counters with labels.
func (d *daemons) readSchema(ctx context.Context, client asok.Client, daemon *daemon) error {
	var fresh perfGroups[description]
	if daemon.counters == "" || daemon.counters == "counter" {
		err := d.decode(ctx, client, "counter schema", &fresh)
		var refusal *asok.DaemonError
		switch {
		case err == nil && len(fresh) > 0:
			daemon.counters, daemon.schema = "counter", newSchema(fresh)
			return nil
		case err != nil && !errors.As(err, &refusal):
			return err
		}
	}
	if err := d.decode(ctx, client, "perf schema", &fresh); err != nil {
		return err
	}
	daemon.counters, daemon.schema = "perf", newSchema(fresh)
	return nil
}

// addAll writes the outcomes. Two sockets of one daemon are a live one and the
// file that its killed predecessor left under another path; the live one counts.
func (d *daemons) addAll(l *look, results []found) {
	slices.SortStableFunc(results, func(a, b found) int { return -cmp.Compare(truth(a.up), truth(b.up)) })
	done, configs := map[string]bool{}, map[string]configDiff{}
	defer func() { addConfigs(&l.snap, configs) }()
	for _, f := range results {
		switch {
		case f.foreign, done[f.name], errors.Is(f.err, fs.ErrNotExist):
			l.snap.Skipped++
			continue
		case errors.Is(f.err, fs.ErrPermission):
			// Whether it lives is not known: no 0.
			l.fail(f.name, fmt.Errorf("%w; run as user ceph or root", f.err))
			continue
		}
		done[f.name] = true
		l.snap.Seen++
		l.snap.Add(socketUp, truth(f.up), f.name)
		d.logState(f)
		// A dead daemon is a fact that the 0 tells in full; all else is a look
		// that could not see what it should.
		if f.err != nil && !errors.Is(f.err, syscall.ECONNREFUSED) {
			l.fail(f.name, f.err)
		}
		l.snap.Skipped += f.unknown
		if f.up && f.config != nil {
			configs[f.name] = *f.config
		}
		switch id := strings.TrimPrefix(f.name, "client.rgw."); {
		case !d.gateways:
			perfCatalogue().addPerf(&l.snap, f.name, f.perf)
		case d.mon == nil:
			rgwCatalogue().addPerf(&l.snap, id, f.perf) // nobody to ask for its instance id
		case d.gids != nil: // or the same counters would come under two ids
			rgwCatalogue().addPerf(&l.snap, cmp.Or(d.gids[id], id), f.perf)
		}
	}
}

// addVanished keeps a daemon at 0 for a while after its socket file is gone,
// which is how a daemon stops in order.
func (d *daemons) addVanished(l *look, results []found, now time.Time) {
	shown := map[string]bool{}
	for _, f := range results {
		if !errors.Is(f.err, fs.ErrNotExist) {
			shown[f.name] = true
		}
	}
	for path, daemon := range d.known {
		switch {
		case now.Sub(daemon.lastSeen) > forgetAfter:
			delete(d.known, path)
		case daemon.lastSeen != now && daemon.identity != nil && !shown[daemon.name] && d.ours(daemon):
			shown[daemon.name] = true
			l.snap.Seen++
			l.snap.Add(socketUp, 0, daemon.name)
			d.logState(found{daemon: daemon, err: fmt.Errorf("%s: the socket is gone, the daemon was stopped", path)})
		}
	}
}

func (d *daemons) ours(daemon *daemon) bool {
	known := d.knownFSID()
	return known == "" || daemon.identity.FSID == "" || daemon.identity.FSID == known
}

// logState says once when a daemon stops or begins to answer. Why it does not may
// change from look to look; that is in the Source's errors.
func (d *daemons) logState(f found) {
	state := "down"
	if f.up {
		state = "up"
	}
	if state == f.state {
		return
	}
	former := f.state
	f.daemon.state = state
	switch {
	case !f.up:
		d.cfg.Logger.Warn("ceph daemon does not answer its admin socket", "ceph_daemon", f.name, "err", f.err)
	case former != "":
		d.cfg.Logger.Info("ceph daemon answers its admin socket again", "ceph_daemon", f.name)
	}
}
