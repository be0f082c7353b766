package sim

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcloud/deploy/sim/ceph"
	"mcloud/deploy/sim/model"
	"mcloud/deploy/sim/openstack"
)

// Emit takes one series: its name, its labels (the exporter's, "cloud" or
// "cluster" among them; "job" and "instance" are the scraper's), and its
// samples, times in milliseconds, in order.
type Emit func(name string, labels map[string]string, times []int64, values []float64) error

// History tells the past once more, as the exporters would have seen it every
// step from from to to, both inclusive: what Placement had and gave, Nova's
// services and servers, Cinder's pools and volumes, Neutron's addresses, OVN's
// lag and Ceph's health, OSDs and pools. Times before the cloud began are left
// out. It ends with emit's first error.
//
// The story is the model's own, from its beginning: what people changed through
// the APIs since is not in it.
func (c *Cloud) History(from, to time.Time, step time.Duration, emit Emit) error {
	if step <= 0 {
		return fmt.Errorf("history of the simulated cloud: step is %s, want more than 0", step)
	}
	w, err := model.New(c.config)
	if err != nil {
		return err
	}
	if from.Before(c.config.Start) {
		from = c.config.Start
	}
	r := recorder{cloud: c.options.Name, series: map[seriesKey]*series{}}
	for at := from; !at.After(to); at = at.Add(step) {
		w.AdvanceTo(at)
		r.times = append(r.times, at.UnixMilli())
		r.look(w)
	}
	return r.emit(emit)
}

// seriesKey tells series apart: a name and up to eight label values.
type seriesKey struct {
	name   string
	values [8]string
}

type series struct {
	key    seriesKey
	names  []string // of its labels
	values []float64
}

// recorder gathers samples, one column of values for each series; NaN where a
// series had none.
type recorder struct {
	cloud  string
	times  []int64
	series map[seriesKey]*series
	order  []*series
}

// add records a value at the last time. labels are names and values in turn.
func (r *recorder) add(name string, value float64, labels ...string) {
	key := seriesKey{name: name}
	for i := 1; i < len(labels); i += 2 {
		key.values[i/2] = labels[i]
	}
	s := r.series[key]
	if s == nil {
		s = &series{key: key, values: make([]float64, 0, cap(r.times))}
		for i := 0; i < len(labels); i += 2 {
			s.names = append(s.names, labels[i])
		}
		r.series[key] = s
		r.order = append(r.order, s)
	}
	for len(s.values) < len(r.times)-1 {
		s.values = append(s.values, math.NaN())
	}
	s.values = append(s.values, value)
}

func (r *recorder) emit(emit Emit) error {
	slices.SortFunc(r.order, func(a, b *series) int {
		if n := strings.Compare(a.key.name, b.key.name); n != 0 {
			return n
		}
		return slices.Compare(a.key.values[:], b.key.values[:])
	})
	for _, s := range r.order {
		labels := make(map[string]string, len(s.names))
		for i, name := range s.names {
			labels[name] = s.key.values[i]
		}
		var times []int64
		var values []float64
		for i, v := range s.values {
			if !math.IsNaN(v) {
				times, values = append(times, r.times[i]), append(values, v)
			}
		}
		if err := emit(s.key.name, labels, times, values); err != nil {
			return err
		}
	}
	return nil
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// look records everything at one instant.
func (r *recorder) look(w *model.World) {
	r.compute(w)
	r.placement(w)
	written := w.WrittenByTier()
	usage := map[*model.Tier]model.Usage{}
	for _, t := range w.Tiers {
		usage[t] = w.UsageOf(t.Cluster, written[t])
	}
	r.volumes(w, usage)
	r.network(w)
	for _, t := range w.Tiers {
		r.ceph(w, t.Cluster, usage[t])
	}
}

func (r *recorder) compute(w *model.World) {
	const p = "openstack_nova_"
	states := map[[2]string]float64{}
	for _, s := range openstack.ControlServices() {
		r.add(p+"service_up", 1, "cloud", r.cloud, "host", s.Host, "binary", s.Binary, "zone", "internal")
		r.add(p+"service_enabled", 1, "cloud", r.cloud, "host", s.Host, "binary", s.Binary, "zone", "internal")
	}
	for _, h := range w.Hosts {
		z := h.Zone.Name
		r.add(p+"service_up", oneIf(h.Up), "cloud", r.cloud, "host", h.Name, "binary", "nova-compute", "zone", z)
		r.add(p+"service_enabled", oneIf(h.Enabled), "cloud", r.cloud, "host", h.Name, "binary", "nova-compute", "zone", z)
		r.add(p+"hypervisor_up", oneIf(h.Up), "cloud", r.cloud, "hostname", h.Name, "host", h.Name, "zone", z)
		r.add(p+"hypervisor_info", 1, "cloud", r.cloud, "hostname", h.Name, "host", h.Name, "zone", z, "type", "QEMU",
			"aggregates", strings.Join(aggregateNames(w, h), ","), "id", h.UUID, "version", "9002001")
		r.add(p+"host_servers", float64(len(h.Servers)), "cloud", r.cloud, "host", h.Name, "zone", z)
		states[[2]string{upDown(h.Up), enabled(h.Enabled)}]++
	}
	for k, n := range states {
		r.add(p+"hypervisors", n, "cloud", r.cloud, "state", k[0], "status", k[1], "type", "QEMU")
	}
	servers := map[[2]string]float64{}
	for _, s := range w.Servers.All() {
		zone := ""
		if s.Host != nil {
			zone = s.Host.Zone.Name
		}
		servers[[2]string{s.Status, zone}]++
	}
	for k, n := range servers {
		r.add(p+"servers", n, "cloud", r.cloud, "status", k[0], "zone", k[1])
	}
	r.add(p+"flavors", float64(len(w.Flavors)), "cloud", r.cloud)
	r.add(p+"aggregates", float64(len(w.Aggregates)), "cloud", r.cloud)
}

func upDown(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

func enabled(on bool) string {
	if on {
		return "enabled"
	}
	return "disabled"
}

// aggregateNames of a host, sorted.
func aggregateNames(w *model.World, h *model.Host) []string {
	var names []string
	for _, a := range w.AggregatesOf(h) {
		names = append(names, a.Name)
	}
	slices.Sort(names)
	return names
}

func (r *recorder) placement(w *model.World) {
	const p = "openstack_placement_"
	for _, h := range w.Hosts {
		for _, class := range model.ResourceClasses {
			v := h.Inventories[class]
			add := func(name string, value float64) {
				r.add(name, value, "cloud", r.cloud, "hostname", h.Name, "resource_class", class)
			}
			add(p+"inventory_units", float64(v.Total))
			add(p+"reserved_units", float64(v.Reserved))
			add(p+"allocation_ratio", v.AllocationRatio)
			add(p+"capacity_units", float64(v.Capacity()))
			add(p+"usage_units", float64(h.Used.Of(class)))
		}
		r.add(p+"generation", float64(h.Generation), "cloud", r.cloud, "hostname", h.Name)
	}
}

func (r *recorder) volumes(w *model.World, usage map[*model.Tier]model.Usage) {
	const p, gib = "openstack_cinder_", 1 << 30
	count, size, snapshots := map[[2]string]float64{}, map[[2]string]float64{}, 0.0
	for _, v := range w.Volumes.All() {
		k := [2]string{v.Status, v.Tier.VolumeType}
		count[k]++
		size[k] += float64(v.SizeGiB) * gib
		snapshots += float64(len(v.Snapshots))
	}
	for k, n := range count {
		r.add(p+"volumes", n, "cloud", r.cloud, "status", k[0], "volume_type", k[1], "zone", "nova")
		r.add(p+"volumes_size_bytes", size[k], "cloud", r.cloud, "status", k[0], "volume_type", k[1], "zone", "nova")
	}
	if snapshots > 0 {
		r.add(p+"snapshots", snapshots, "cloud", r.cloud, "status", "available")
	}
	service := func(host, binary string) {
		r.add(p+"service_up", 1, "cloud", r.cloud, "host", host, "binary", binary, "zone", "nova")
		r.add(p+"service_enabled", 1, "cloud", r.cloud, "host", host, "binary", binary, "zone", "nova")
	}
	service("ctl-1", "cinder-scheduler")
	for _, t := range w.Tiers {
		service(t.Backend, "cinder-volume")
		total, free := openstack.PoolGiB(usage[t])
		add := func(name string, value float64) {
			r.add(p+"pool_"+name, value, "cloud", r.cloud, "pool", t.PoolFullName(), "backend", t.VolumeType)
		}
		add("capacity_bytes", total*gib)
		add("free_bytes", free*gib)
		add("allocated_bytes", float64(t.ProvisionedGiB())*gib)
		add("provisioned_bytes", float64(t.ProvisionedGiB())*gib)
		add("max_over_subscription_ratio", t.MaxOverSubscription)
		add("reserved_ratio", 0)
		add("up", 1)
	}
}

func (r *recorder) network(w *model.World) {
	for _, n := range w.Networks {
		r.add("openstack_neutron_network_ips_used", float64(n.Used()), "cloud", r.cloud, "network_id", n.ID, "name", n.Name, "ip_version", "4")
		r.add("openstack_neutron_network_ips_capacity", float64(n.Capacity()), "cloud", r.cloud, "network_id", n.ID, "name", n.Name, "ip_version", "4")
	}
	for _, c := range w.AllChassis() {
		r.add("ovn_chassis_nb_cfg_lag", float64(w.NBCfg-w.ConfigurationOf(c)), "cloud", r.cloud, "chassis", c.Name, "hostname", c.Hostname)
	}
	r.add("ovn_sb_nb_cfg", float64(w.NBCfg), "cloud", r.cloud)
}

var poolSeries = []string{
	"stored", "stored_raw", "max_avail", "avail_raw", "bytes_used", "percent_used", "objects", "quota_bytes", "rd", "rd_bytes", "wr", "wr_bytes",
}

func (r *recorder) ceph(w *model.World, c *model.Cluster, u model.Usage) {
	for _, p := range c.Pools {
		space := ceph.PoolSpace(w, c, u, p)
		for _, key := range poolSeries {
			r.add("ceph_pool_"+key, space[key], "cluster", c.Name, "pool_id", strconv.Itoa(p.Number))
		}
	}
	for _, class := range []string{"", c.DeviceClass()} {
		prefix, labels := "ceph_cluster_", []string{"cluster", c.Name}
		if class != "" {
			prefix, labels = "ceph_cluster_by_class_", append(labels, "device_class", class)
		}
		r.add(prefix+"total_bytes", float64(u.Total), labels...)
		r.add(prefix+"total_used_bytes", float64(u.Used), labels...)
		r.add(prefix+"total_used_raw_bytes", float64(u.Used), labels...)
	}
	r.add("ceph_cluster_total_avail_bytes", float64(u.Total-u.Used), "cluster", c.Name)
	r.add("ceph_health_status", ceph.HealthLevel(w, c, u), "cluster", c.Name)
	r.add("ceph_osd_full_ratio", model.FullRatio, "cluster", c.Name)
	r.add("ceph_osd_backfillfull_ratio", model.BackfillfullRatio, "cluster", c.Name)
	r.add("ceph_osd_nearfull_ratio", model.NearfullRatio, "cluster", c.Name)
	for _, o := range c.OSDs {
		daemon := "osd." + strconv.Itoa(o.Number)
		add := func(name string, value float64) {
			r.add("ceph_osd_"+name, value, "cluster", c.Name, "ceph_daemon", daemon)
		}
		add("up", oneIf(o.Up))
		add("in", oneIf(o.In))
		add("weight", oneIf(o.In))
		size, used := int64(0), u.OSDUsed[o.Number]
		if o.In {
			size = o.Bytes
		}
		kib := func(bytes int64) float64 { return float64(bytes >> 10 << 10) }
		add("stat_bytes", kib(size))
		add("stat_bytes_used", kib(used))
		add("stat_bytes_avail", kib(size)-kib(used))
	}
}
