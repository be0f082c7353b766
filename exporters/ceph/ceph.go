// Package ceph looks at Ceph clusters from two sides: their monitors, through
// the Mon interface it declares, and the admin sockets of the daemons on this
// host, through exporters/ceph/asok. Sources is where to start.
//
// Metrics have the names and labels of the mgr's own prometheus module, so that
// existing dashboards and rules keep working, whatever the mgr does. What the
// package will not do: change anything. Every monitor command it sends runs
// with the capabilities mon 'allow r', mgr 'allow r', osd 'allow r'.
package ceph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"mcloud/exporters"
)

// Mon takes monitor commands of one cluster. exporters/ceph/rados implements it
// with librados.
type Mon interface {
	// Command sends one command, {"prefix": "df", "detail": "detail",
	// "format": "json"}, and returns its output. It ends with ctx even when the
	// cluster hangs, and may be called concurrently.
	Command(ctx context.Context, command map[string]any) ([]byte, error)
	Close()
}

// Omaps reads the keys and values of objects. A Mon that has it too lets RBD
// images be listed: their names and sizes are kept so, and reading them needs no
// more than osd 'allow r'.
type Omaps interface {
	// Omap returns at most most of the keys that begin with prefix and come after
	// the key after. It ends with ctx. An object that does not exist is an error of
	// the kind not_found.
	Omap(ctx context.Context, pool, object, after, prefix string, most int) (map[string][]byte, error)
}

// ClusterConfig says what to look at. Only Cloud and Name are required.
type ClusterConfig struct {
	Cloud string // name of the cloud the cluster serves
	Name  string // name of the cluster: the label "cluster" and the start of object ids
	// Sockets are glob patterns of the admin sockets on this host:
	// "/var/run/ceph/*.asok". None means that no daemon is asked.
	Sockets []string
	// FSID is the cluster's id when it is known beforehand; otherwise it is
	// learnt from the monitors. Sockets of another cluster are left out.
	FSID string
	// Tiers are the names that the configuration has for pools: the label "tier".
	Tiers map[string]string
	// Perf also reads the daemons' performance counters (set "perf").
	Perf bool
	// PerfPriority is the least priority a counter must have to be exported;
	// 0 means 5, "useful", as the mgr does. 1 is nearly everything.
	PerfPriority int
	// SocketTimeout bounds one command to one daemon; 0 means 5 s.
	SocketTimeout time.Duration
	// SocketConcurrency is how many daemons are asked at once; 0 means 8.
	SocketConcurrency int
	Logger            *slog.Logger     // nil means slog.Default
	Now               func() time.Time // nil means time.Now
}

// Sources returns the looks at one cluster: those through the monitors when mon
// is not nil, the one through admin sockets when cfg.Sockets are given. The
// caller closes mon after the Runner has stopped.
func Sources(cfg ClusterConfig, mon Mon) ([]exporters.Source, error) {
	cfg, err := cfg.complete(mon)
	if err != nil {
		return nil, err
	}
	c := &cluster{cfg: cfg, mon: mon}
	c.learnFSID(cfg.FSID)
	var all []exporters.Source
	add := func(name string, period, timeout time.Duration, families []*exporters.Family, collect exporters.CollectorFunc) {
		all = append(all, exporters.Source{
			Name: name + "/" + cfg.Name, System: "ceph", Period: period, Timeout: timeout,
			Const: map[string]string{"cluster": cfg.Name}, Families: families, Collector: collect,
		})
	}
	if mon != nil {
		add("ceph_health", 15*time.Second, 15*time.Second, allHealthFamilies(), newHealth(c).collect)
		add("ceph_osd", 30*time.Second, 25*time.Second, osdFamilies(), (&osds{cluster: c}).collect)
		add("ceph_pool", 30*time.Second, 25*time.Second, poolFamilies(), c.collectPools)
		add("ceph_pg", time.Minute, 50*time.Second, pgFamilies(), c.collectPGs)
		add("ceph_scrub", scrubPeriod, 50*time.Second, scrubFamilies, newScrubs(c).collect)
		add("ceph_heartbeat", 5*time.Minute, 2*time.Minute, heartbeatFamilies, c.collectHeartbeats)
		add("ceph_log", 15*time.Second, 15*time.Second, logFamilies, newClusterLog(c).collect)
		if omaps, ok := mon.(Omaps); ok {
			add("ceph_rbd", imagePeriod, 4*time.Minute, imageFamilies, newImages(c, omaps).collect)
		}
		add("ceph_service", time.Minute, 50*time.Second, serviceFamilies, c.collectServices)
	}
	if len(cfg.Sockets) > 0 {
		add("ceph_daemon", 30*time.Second, 28*time.Second, daemonFamilies(), newDaemons(c).collect)
		add("ceph_rgw", 30*time.Second, 28*time.Second, gatewayFamilies(), newGateways(c).collect)
	}
	return all, nil
}

// Families are all metrics of the package, each once.
func Families() []*exporters.Family {
	// A gateway's counters are those of daemons under another label.
	return slices.Concat(monFamilies(), daemonFamilies())
}

// monFamilies are those that come from the monitors.
func monFamilies() []*exporters.Family {
	health := slices.DeleteFunc(allHealthFamilies(), func(f *exporters.Family) bool { return f == daemonHealth }) // of the OSDs too
	return slices.Concat(health, osdFamilies(), poolFamilies(), pgFamilies(), serviceFamilies, scrubFamilies, heartbeatFamilies, logFamilies, imageFamilies)
}

func (cfg ClusterConfig) complete(mon Mon) (ClusterConfig, error) {
	switch {
	case cfg.Cloud == "":
		return cfg, fmt.Errorf("ceph cluster %q: no cloud is named", cfg.Name)
	case cfg.Name == "":
		return cfg, errors.New("ceph cluster: it has no name")
	case mon == nil && len(cfg.Sockets) == 0:
		return cfg, fmt.Errorf("ceph cluster %q: neither monitors nor admin sockets to ask; give a conf file or socket patterns", cfg.Name)
	case cfg.PerfPriority < 0 || cfg.PerfPriority > 11:
		return cfg, fmt.Errorf("ceph cluster %q: perf priority is %d, want 0 to 11", cfg.Name, cfg.PerfPriority)
	}
	for _, pattern := range cfg.Sockets {
		if _, err := filepath.Match(pattern, ""); err != nil {
			return cfg, fmt.Errorf("ceph cluster %q: socket pattern %q: %w", cfg.Name, pattern, err)
		}
	}
	if cfg.PerfPriority == 0 {
		cfg.PerfPriority = 5
	}
	if cfg.SocketTimeout <= 0 {
		cfg.SocketTimeout = 5 * time.Second
	}
	if cfg.SocketConcurrency <= 0 {
		cfg.SocketConcurrency = 8
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Logger = cfg.Logger.With("cluster", cfg.Name)
	return cfg, nil
}
