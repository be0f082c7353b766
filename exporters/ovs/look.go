package ovs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/ovs/unixctl"
)

const (
	// maxDaemons bounds a look; a host has four, a database host six.
	maxDaemons = 64
	// forgetAfter is how long a daemon whose socket file is gone stays 0.
	forgetAfter = time.Hour
)

// looker looks at one host. It remembers daemons between looks.
type looker struct {
	host     Host
	timeout  time.Duration
	log      *slog.Logger
	now      func() time.Time
	expected []string             // daemons that the patterns name
	lastSeen map[string]time.Time // of a daemon's socket file
	state    map[string]string    // last logged, by daemon
	cloud    string
	daemons  exporters.Transitions
	kinds    map[string]*exporters.Transitions // of what daemons say of themselves
	snat     snatZones
}

func newLooker(cfg Config, h Host) *looker {
	k := &looker{host: h, timeout: cfg.Timeout, log: cfg.Logger.With("host", h.Name), now: cfg.Now,
		lastSeen: map[string]time.Time{}, state: map[string]string{}, cloud: cfg.Cloud, kinds: map[string]*exporters.Transitions{}}
	for _, pattern := range h.Sockets {
		if name, ok := expectedDaemon(pattern); ok && !slices.Contains(k.expected, name) {
			k.expected = append(k.expected, name)
		}
	}
	return k
}

var (
	// socketFile is "ovs-vswitchd.4711.ctl" or, where the program was told its
	// socket's name, "ovnsb_db.ctl".
	socketFile = regexp.MustCompile(`^(.+?)(?:\.[0-9]+)?\.ctl$`)
	pidPattern = regexp.MustCompile(`(?:\.(?:\*|\[0-9\]\*|\[0-9\]))?\.ctl$`)
)

func daemonOf(path string) (string, bool) {
	m := socketFile.FindStringSubmatch(filepath.Base(path))
	if m == nil {
		return "", false
	}
	return m[1], true
}

// expectedDaemon is the daemon that a pattern names, if it does not match any.
func expectedDaemon(pattern string) (string, bool) {
	base := filepath.Base(pattern)
	name := pidPattern.ReplaceAllString(base, "")
	return name, name != base && name != "" && !strings.ContainsAny(name, `*?[\`)
}

// socket is one file; a daemon that was killed leaves its own behind.
type socket struct {
	path  string
	mtime time.Time
}

// outcome is what one daemon gave.
type outcome struct {
	report
	daemon string
	alive  bool
	err    error // why it is not alive
}

func (k *looker) collect(ctx context.Context) (*exporters.Snapshot, error) {
	now := k.now()
	daemons, err := k.discover(now)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(daemons))
	var wg sync.WaitGroup
	for i, name := range slices.Sorted(maps.Keys(daemons)) {
		wg.Go(func() { outcomes[i] = k.ask(ctx, name, daemons[name]) })
	}
	wg.Wait()
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, ctx.Err() // mcloud stops: what failed says nothing about the daemons
	}

	var snap exporters.Snapshot
	for _, o := range outcomes {
		k.add(&snap, o)
	}
	k.addSNAT(ctx, &snap, outcomes)
	snap.Events = k.events(outcomes)
	return &snap, nil
}

// events are daemons that come, go or freeze, and changes of what they say of
// themselves: northd's status, their part in a cluster.
func (k *looker) events(outcomes []outcome) []mcloud.Event {
	states, byKind, whole := map[string]string{}, map[string]map[string]string{}, true
	for _, o := range outcomes {
		if errors.Is(o.err, fs.ErrPermission) {
			whole = false // it keeps the state it had
			continue
		}
		states[o.daemon] = "up"
		if !o.alive {
			states[o.daemon] = exporters.KindOf(o.err)
			whole = false // what it said of itself is not known any more
		}
		for key, state := range o.states {
			kind, name, _ := strings.Cut(key, "\x00")
			if byKind[kind] == nil {
				byKind[kind] = map[string]string{}
			}
			byKind[kind][strings.TrimSuffix(o.daemon+"/"+name, "/")] = state
		}
	}
	var all []mcloud.Event
	add := func(seen *exporters.Transitions, kind string, states map[string]string, complete bool, bad func(string) bool) {
		for _, t := range seen.Observe(states, complete) {
			severity := mcloud.SeverityInfo
			if bad(t.To) {
				severity = mcloud.SeverityWarning
			}
			all = append(all, t.Event(k.cloud, "ovs", kind, k.host.Name+"/"+t.Name, severity, k.now(), map[string]any{"host": k.host.Name}))
		}
	}
	add(&k.daemons, "daemon.state", states, true, func(state string) bool { return state != "up" })
	for _, kind := range []string{"northd.status", "raft.role"} {
		if k.kinds[kind] == nil {
			k.kinds[kind] = &exporters.Transitions{}
		}
		add(k.kinds[kind], kind, byKind[kind], whole, func(state string) bool { return state == "paused" || state == "candidate" })
	}
	return all
}

// discover groups the sockets by daemon, newest first, with the daemons that
// were there before or are expected and have none now.
func (k *looker) discover(now time.Time) (map[string][]socket, error) {
	daemons := map[string][]socket{}
	for _, pattern := range k.host.Sockets {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("ovs host %s: socket pattern %q: %w", k.host.Name, pattern, err)
		}
		for _, path := range paths {
			info, err := os.Lstat(path)
			name, ok := daemonOf(path)
			if err != nil || !ok || len(daemons) == maxDaemons {
				continue
			}
			s := socket{path, info.ModTime()}
			if !slices.Contains(daemons[name], s) {
				daemons[name] = append(daemons[name], s)
			}
			k.lastSeen[name] = now
		}
	}
	for _, sockets := range daemons {
		slices.SortFunc(sockets, func(a, b socket) int { return cmp.Or(b.mtime.Compare(a.mtime), strings.Compare(b.path, a.path)) })
	}
	for name, seen := range k.lastSeen {
		if now.Sub(seen) > forgetAfter {
			delete(k.lastSeen, name)
		} else if _, ok := daemons[name]; !ok {
			daemons[name] = nil
		}
	}
	for _, name := range k.expected {
		if _, ok := daemons[name]; !ok {
			daemons[name] = nil
		}
	}
	if len(daemons) == 0 {
		return nil, fmt.Errorf("ovs host %s: no control socket matches %q: no daemon runs here, or the directory may not be read (run as root or in the daemons' group)", k.host.Name, k.host.Sockets)
	}
	return daemons, nil
}

// ask talks to the newest socket that is alive.
func (k *looker) ask(ctx context.Context, name string, sockets []socket) outcome {
	o := outcome{daemon: name, err: fmt.Errorf("no control socket matches %q: %w", k.host.Sockets, fs.ErrNotExist)}
	for _, s := range sockets {
		r := report{host: k.host.Name, daemon: name, client: unixctl.Client{Path: s.path, Timeout: k.timeout},
			sets: func(set exporters.Set) bool { return exporters.Wants(ctx, set) }}
		err := r.run(ctx)
		if err == nil {
			return outcome{report: r, daemon: name, alive: true}
		}
		o.err = err
		if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist) {
			break // not a file left behind: this is the daemon, and it is ill
		}
	}
	return o
}

func (k *looker) add(snap *exporters.Snapshot, o outcome) {
	object := o.daemon + " on " + k.host.Name
	if errors.Is(o.err, fs.ErrPermission) {
		// Whether it lives is not known: no 0.
		snap.Failed = append(snap.Failed, exporters.ObjectError{Object: object, Err: fmt.Errorf("%w; run as root or in the daemons' group", o.err)})
		return
	}
	snap.Seen++
	alive := 0.0
	if o.alive {
		alive = 1
	}
	snap.Add(up, alive, k.host.Name, o.daemon)
	k.logState(o)
	// A dead daemon is a fact that the 0 tells in full; one that hangs or
	// babbles is a look that could not see what it should.
	if o.err != nil && !errors.Is(o.err, syscall.ECONNREFUSED) && !errors.Is(o.err, fs.ErrNotExist) {
		snap.Failed = append(snap.Failed, exporters.ObjectError{Object: object, Err: o.err})
	}
	for _, err := range o.failed {
		snap.Failed = append(snap.Failed, exporters.ObjectError{Object: object, Err: err})
	}
	snap.Samples = append(snap.Samples, o.snap.Samples...)
}

// logState says once when a daemon has died or answers again. Of one that hangs
// or babbles the Runner tells, as of everything that could not be read.
func (k *looker) logState(o outcome) {
	state := "up"
	if !o.alive {
		state = exporters.KindOf(o.err)
	}
	former := k.state[o.daemon]
	k.state[o.daemon] = state
	switch {
	case state == former:
	case !o.alive && state != exporters.KindRefused && state != exporters.KindNotFound:
	case !o.alive:
		k.log.Warn("daemon does not answer its control socket", "daemon", o.daemon, "err", o.err)
	case former != "":
		k.log.Info("daemon answers its control socket again", "daemon", o.daemon)
	}
}
