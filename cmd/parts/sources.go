package parts

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"mcloud/cmd/config"
	"mcloud/exporters"
	"mcloud/exporters/ceph"
	"mcloud/exporters/ceph/rados"
	"mcloud/exporters/openstack"
	"mcloud/exporters/openstack/barbican"
	"mcloud/exporters/openstack/cinder"
	"mcloud/exporters/openstack/designate"
	"mcloud/exporters/openstack/glance"
	"mcloud/exporters/openstack/gnocchi"
	"mcloud/exporters/openstack/heat"
	"mcloud/exporters/openstack/horizon"
	"mcloud/exporters/openstack/ironic"
	"mcloud/exporters/openstack/keystone"
	"mcloud/exporters/openstack/magnum"
	"mcloud/exporters/openstack/manila"
	"mcloud/exporters/openstack/masakari"
	"mcloud/exporters/openstack/neutron"
	"mcloud/exporters/openstack/nova"
	"mcloud/exporters/openstack/octavia"
	"mcloud/exporters/openstack/placement"
	"mcloud/exporters/openstack/swift"
	"mcloud/exporters/openstack/trove"
	"mcloud/exporters/ovn"
	"mcloud/exporters/ovs"
)

// OpenMon connects to a cluster's monitors; the demo's are simulated.
type OpenMon func(c config.CephCluster) (ceph.Mon, error)

// Librados is the real one.
func Librados(c config.CephCluster) (ceph.Mon, error) {
	return rados.Open(rados.Config{Name: c.Name, Conf: c.Conf, User: c.User, Keyring: c.Keyring, ConnectTimeout: 3 * time.Second, CommandTimeout: 3 * time.Second})
}

// Sources are all looks that f asks for: this is the visible list of what is
// plugged in. A part whose configuration cannot be right becomes a Source that
// fails with the reason, so that the others go on and the fault is seen.
// close ends what the Sources hold open.
func Sources(f config.File, open OpenMon, logger *slog.Logger) (sources []exporters.Source, close func()) {
	var mons []ceph.Mon
	add := func(name, system string, made []exporters.Source, err error) {
		if err != nil {
			sources = append(sources, broken(name, system, err))
			return
		}
		sources = append(sources, made...)
	}
	if o := f.OpenStack; o != nil {
		made, err := openStackSources(f, *o, logger)
		add("openstack", "openstack", made, err)
	}
	for _, c := range f.Ceph {
		var mon ceph.Mon
		var err error
		if c.Conf != "" {
			if mon, err = open(c); err == nil {
				mons = append(mons, mon)
			} else {
				mon = nil
				add("ceph_mon/"+c.Name, "ceph", nil, err)
			}
		}
		if mon == nil && len(c.Sockets) == 0 {
			continue
		}
		made, err := ceph.Sources(ceph.ClusterConfig{Cloud: f.Cloud, Name: c.Name, Sockets: c.Sockets, Perf: c.Perf || contains(f.Exporter.Sets, "perf"), Logger: logger}, mon)
		add("ceph/"+c.Name, "ceph", every(made, time.Duration(c.Period)), err)
	}
	if o := f.OVN; o != nil {
		made, err := ovn.Sources(ovn.Config{Cloud: f.Cloud, Southbound: members(o.Southbound), Northbound: members(o.Northbound), CACert: o.CA, Cert: o.Cert, Key: o.Key})
		add("ovn", "ovn", every(made, time.Duration(o.Period)), err)
	}
	if len(f.OVS) > 0 {
		made, err := ovsSources(f, logger)
		add("ovs", "ovs", made, err)
	}
	return sources, func() {
		for _, m := range mons {
			m.Close()
		}
	}
}

// OpenStack connects to the cloud that f names; it asks it nothing yet.
func OpenStack(f config.File, o config.OpenStack, logger *slog.Logger) (*openstack.Cloud, error) {
	return openstack.Connect(context.Background(), openstack.Options{
		CloudsFile: o.CloudsFile, Cloud: o.Cloud, Name: f.Cloud, Region: o.Region, Interface: o.Interface, SystemScope: o.SystemScope, Budgets: budgets(o), Logger: logger,
	})
}

func openStackSources(f config.File, o config.OpenStack, logger *slog.Logger) ([]exporters.Source, error) {
	cloud, err := OpenStack(f, o, logger)
	if err != nil {
		return nil, err
	}
	period := time.Duration(o.Period)
	sources := []exporters.Source{openstack.UpSource(cloud, openstack.UpConfig{Period: period})}
	sources = append(sources, keystone.Sources(cloud, keystone.Config{Period: 2 * period})...)
	sources = append(sources, placement.Sources(cloud, placement.Config{Period: period})...)
	sources = append(sources, nova.Sources(cloud, nova.Config{Period: period, FlavorPeriod: 4 * period})...)
	sources = append(sources, cinder.Sources(cloud, cinder.Config{Period: period, VolumePeriod: period, TypePeriod: 4 * period})...)
	sources = append(sources, neutron.Sources(cloud, neutron.Config{Period: period, NetworkPeriod: 2 * period})...)
	sources = append(sources, glance.Sources(cloud, glance.Config{Period: 2 * period})...)
	sources = append(sources, heat.Sources(cloud, heat.Config{Period: 2 * period})...)
	sources = append(sources, octavia.Sources(cloud, octavia.Config{Period: 2 * period})...)
	sources = append(sources, barbican.Sources(cloud, barbican.Config{Period: 2 * period})...)
	sources = append(sources, designate.Sources(cloud, designate.Config{Period: 2 * period})...)
	sources = append(sources, masakari.Sources(cloud, masakari.Config{Period: 2 * period})...)
	sources = append(sources, horizon.Sources(cloud, horizon.Config{URL: o.Horizon, Period: 2 * period})...)
	sources = append(sources, gnocchi.Sources(cloud, gnocchi.Config{Period: 4 * period})...)
	sources = append(sources, ironic.Sources(cloud, ironic.Config{Period: 4 * period})...)
	sources = append(sources, magnum.Sources(cloud, magnum.Config{Period: 4 * period})...)
	sources = append(sources, manila.Sources(cloud, manila.Config{Period: 4 * period})...)
	sources = append(sources, swift.Sources(cloud, swift.Config{Period: 10 * period})...)
	sources = append(sources, trove.Sources(cloud, trove.Config{Period: 10 * period})...)
	return sources, nil
}

// budgets are the file's; what it leaves out of one is the API's own.
func budgets(o config.OpenStack) map[string]openstack.Budget {
	all := make(map[string]openstack.Budget, len(o.Budgets))
	for name, b := range o.Budgets {
		budget := openstack.BudgetOf(name)
		if b.InFlight > 0 {
			budget.InFlight = b.InFlight
		}
		if b.PerSecond > 0 {
			budget.PerSecond = b.PerSecond
		}
		all[name] = budget
	}
	return all
}

func ovsSources(f config.File, logger *slog.Logger) ([]exporters.Source, error) {
	hosts := make([]ovs.Host, 0, len(f.OVS))
	for _, h := range f.OVS {
		hosts = append(hosts, ovs.Host{Name: h.Host, Sockets: h.Sockets})
	}
	return ovs.Sources(ovs.Config{Cloud: f.Cloud, Hosts: hosts, Logger: logger})
}

// every sets the period of sources that have a longer one.
func every(sources []exporters.Source, period time.Duration) []exporters.Source {
	for i := range sources {
		if period > 0 && sources[i].Period > period {
			sources[i].Period = period
			sources[i].Timeout = min(sources[i].Timeout, max(period, 5*time.Second))
		}
	}
	return sources
}

// broken fails with err at every look.
func broken(name, system string, err error) exporters.Source {
	return exporters.Source{Name: name, System: system, Period: time.Minute, Timeout: time.Second,
		Collector: exporters.CollectorFunc(func(context.Context) (*exporters.Snapshot, error) { return nil, err })}
}

func members(list string) []string {
	var out []string
	for _, m := range strings.Split(list, ",") {
		if m = strings.TrimSpace(m); m != "" {
			out = append(out, m)
		}
	}
	return out
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// errNoSources says that there is nothing to look at.
var errNoSources = errors.New("nothing to watch: name an openstack, ceph, ovn or ovs section in mcloud.yaml")
