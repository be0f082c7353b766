// Package plannertest is a small cloud for tests: three zones of hosts and four
// storage tiers, with half a year of history, as a planner.Inventory and a
// planner.History. Everything follows from constants.
package plannertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"mcloud"
	"mcloud/planner"
	"mcloud/planner/capacity"
	"mcloud/planner/forecast"
	"mcloud/planner/forecast/forecasttest"
)

// At is the instant the cloud is about; its history ends there.
var At = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	days  = 180
	step  = 6 * time.Hour
	hosts = 6 // in each zone
	tib   = float64(1 << 40)
)

var zones = []string{"az-a", "az-b", "az-c"}

// tierSpec is a tier of one pool: three copies on six hosts.
type tierSpec struct {
	name, cluster, class, domain string
	osdTiB                       int64
	recipe                       forecasttest.Recipe // in TiB
}

var tierSpecs = []tierSpec{
	{"nvme", "fast", "nvme", "host", 14, forecasttest.Recipe{Seed: 1, Level: 9, PerDay: 0.045, Noise: 0.02, Jitter: 0.01, Weekly: 0.03}},
	{"sas10k", "fast", "sas10k", "host", 20, forecasttest.Recipe{Seed: 2, Level: 18, PerDay: 0.03, Noise: 0.05, StepsPerDay: 0.02, StepSize: -1.2}},
	{"sas7k", "fast", "sas7k", "host", 80, forecasttest.Recipe{Seed: 3, Level: 60, PerDay: 0.02, Noise: 0.03}},
	{"geo-nvme", "geo", "nvme", "datacenter", 12, forecasttest.Recipe{Seed: 4, Level: 5.5, PerDay: 0.07, Noise: 0.02, TrendNoise: 0.0003}},
}

// Tiers are the tiers as configured.
func Tiers() []capacity.Tier {
	const week = 7 * 24 * time.Hour
	tiers := make([]capacity.Tier, len(tierSpecs))
	for i, s := range tierSpecs {
		tiers[i] = capacity.Tier{
			Name: s.name, Pools: []capacity.PoolRef{{Cluster: s.cluster, Pool: s.name}}, VolumeTypes: []string{s.name}, LeadTime: time.Duration(8+2*i) * week,
			Reserve: "host", Unit: capacity.Unit{Name: "OSD node, " + s.class, RawBytes: 2 * s.osdTiB << 40, Price: "18450.50", Currency: "EUR"},
		}
	}
	tiers[3].Reserve, tiers[3].Unit.Multiple = "datacenter", 3
	return tiers
}

// Options are a planner's options for this cloud.
func Options() planner.Options {
	return planner.Options{
		Cloud: "test", History: &History{}, Inventory: &Inventory{}, Tiers: Tiers(), Rules: capacity.AllRules(),
		Compute: planner.Compute{LeadTime: 42 * 24 * time.Hour, Host: planner.HostUnit{Price: "12000", Currency: "EUR"}},
		Now:     func() time.Time { return At },
	}
}

// Inventory answers from the constants. Fail names kinds that cannot be read;
// Empty says that nothing is stored.
type Inventory struct {
	Fail  map[mcloud.Kind]bool
	Empty bool
}

// Objects implements planner.Inventory.
func (v *Inventory) Objects(_ context.Context, cloud string, kind mcloud.Kind, at time.Time) ([]mcloud.Version, error) {
	if v.Fail[kind] {
		return nil, errors.New("the store is away")
	}
	if v.Empty || cloud != "test" {
		return nil, nil
	}
	var versions []mcloud.Version
	for _, o := range objects() {
		if o.Kind == kind {
			versions = append(versions, mcloud.Version{Object: o, Cloud: cloud, From: At.AddDate(-1, 0, 0)})
		}
	}
	return versions, nil
}

// Versions implements planner.Inventory: nothing ever changed.
func (v *Inventory) Versions(ctx context.Context, cloud string, kind mcloud.Kind, _, to time.Time) ([]mcloud.Version, error) {
	return v.Objects(ctx, cloud, kind, to)
}

func hostName(zone string, i int) string { return fmt.Sprintf("cmp-%s%d", zone[3:], i+1) }

func objects() []mcloud.Object {
	var all []mcloud.Object
	for z, zone := range zones {
		use := zoneRecipes(z)
		for i := range hosts {
			name := hostName(zone, i)
			h := mcloud.Host{Name: name, ServiceHost: name, Zone: zone, State: "up", Status: "enabled", Type: "QEMU"}
			if zone == "az-c" && i == 5 {
				h.Status, h.DisabledReason = "disabled", "disk replacement"
			}
			p := mcloud.Provider{Name: name, Root: "id-" + name, Inventories: map[string]mcloud.ProviderInventory{
				"VCPU":      {Total: 96, Reserved: 4, MinUnit: 1, MaxUnit: 96, StepSize: 1, AllocationRatio: 4},
				"MEMORY_MB": {Total: 786432, Reserved: 16384, MinUnit: 1, MaxUnit: 786432, StepSize: 1, AllocationRatio: 1},
			}, Usages: map[string]int64{}}
			for class, r := range use {
				v := r.Values()
				p.Usages[class] = int64(v[len(v)-1]) / hosts
			}
			if i == 0 {
				p.Traits = []string{"CUSTOM_GPU_READY"}
			}
			all = append(all, mcloud.NewObject(mcloud.KindHost, "id-"+name, name, "", "", h), mcloud.NewObject(mcloud.KindProvider, "id-"+name, name, "", "", p))
		}
	}
	for _, f := range []mcloud.Flavor{
		{Name: "m1.small", VCPUs: 2, MemoryMiB: 4096, Public: true},
		{Name: "m1.large", VCPUs: 8, MemoryMiB: 32768, Public: true},
		{Name: "m1.huge", VCPUs: 32, MemoryMiB: 262144, Public: true},
		{Name: "g1.large", VCPUs: 8, MemoryMiB: 65536, Public: true, ExtraSpecs: map[string]string{"trait:CUSTOM_GPU_READY": "required"}},
	} {
		all = append(all, mcloud.NewObject(mcloud.KindFlavor, "id-"+f.Name, f.Name, "", "", f))
	}
	for _, cluster := range []string{"fast", "geo"} {
		all = append(all, mcloud.NewObject(mcloud.KindCephCluster, cluster, cluster, "", "", mcloud.CephCluster{NearfullRatio: 0.85, BackfillfullRatio: 0.9, FullRatio: 0.95}))
	}
	for i, name := range []string{"acme", "beta", "gamma"} {
		all = append(all, mcloud.NewObject(mcloud.KindProject, fmt.Sprintf("p%d", i+1), name, "", "", mcloud.Project{Name: name, Enabled: true}))
	}
	all = append(all, unused()...)
	number := map[string]int64{}
	for _, s := range tierSpecs {
		for i := range 6 {
			host := fmt.Sprintf("%s-%d", s.class, i+1)
			o := mcloud.OSD{Cluster: s.cluster, Number: number[s.cluster], Host: host, Root: "default", DeviceClass: s.class, Up: true, In: true, Reweight: 1, CrushWeight: float64(s.osdTiB), TotalBytes: s.osdTiB << 40}
			if s.cluster == "geo" {
				o.Datacenter = fmt.Sprintf("dc%d", i%3+1)
			}
			number[s.cluster]++
			all = append(all, mcloud.NewObject(mcloud.KindOSD, fmt.Sprintf("%s/osd.%d", s.cluster, o.Number), "", s.cluster+"/"+host, "", o))
		}
		all = append(all, mcloud.NewObject(mcloud.KindCephPool, s.cluster+"/"+s.name, s.name, "", "", mcloud.CephPool{
			Cluster: s.cluster, Number: poolNumber(s.name), Type: "replicated", Size: 3, MinSize: 2, Root: "default", DeviceClass: s.class, FailureDomain: s.domain,
		}), mcloud.NewObject(mcloud.KindVolume, "vol-"+s.name, "", "", "p1", mcloud.Volume{Type: s.name, SizeGiB: int64(s.recipe.Level * 2048), Status: "in-use", AttachedTo: []string{"busy"}}))
	}
	return all
}

// unused is one of each kind that could be reclaimed, and one of each that is in use.
// Nobody measures the server "unseen".
func unused() []mcloud.Object {
	yes, no := true, false
	large := mcloud.Server{Status: "ACTIVE", Flavor: "m1.large", VCPUs: 8, MemoryMiB: 32768}
	off := large
	off.Status = "SHUTOFF"
	return []mcloud.Object{
		mcloud.NewObject(mcloud.KindServer, "off", "old-web", "", "p1", off), mcloud.NewObject(mcloud.KindServer, "idle", "test-db", "", "p1", large),
		mcloud.NewObject(mcloud.KindServer, "big", "cache", "", "p2", large), mcloud.NewObject(mcloud.KindServer, "busy", "shop", "", "p2", large), mcloud.NewObject(mcloud.KindServer, "unseen", "", "", "p3", large),
		mcloud.NewObject(mcloud.KindVolume, "orphan", "backup-2024", "", "p2", mcloud.Volume{Status: "available", Type: "scratch", SizeGiB: 512}),
		mcloud.NewObject(mcloud.KindVolumeSnapshot, "old", "before upgrade", "orphan", "p1", mcloud.VolumeSnapshot{Status: "available", SizeGiB: 40, Created: At.AddDate(0, 0, -200)}),
		mcloud.NewObject(mcloud.KindFloatingIP, "fip-1", "192.0.2.10", "", "p3", mcloud.FloatingIP{Status: "DOWN"}), mcloud.NewObject(mcloud.KindFloatingIP, "fip-2", "192.0.2.11", "", "p3", mcloud.FloatingIP{Port: "port"}),
		mcloud.NewObject(mcloud.KindNetwork, "net-1", "lab", "", "p3", mcloud.Network{Empty: &yes}), mcloud.NewObject(mcloud.KindNetwork, "net-2", "prod", "", "p1", mcloud.Network{Empty: &no}),
		mcloud.NewObject(mcloud.KindRouter, "r-1", "lab", "", "p3", mcloud.Router{GatewayIPs: []string{"192.0.2.12"}}), mcloud.NewObject(mcloud.KindRouter, "r-2", "prod", "", "p1", mcloud.Router{}),
	}
}

// guests is what servers really use: cores, or MiB of memory.
func (h *History) guests(memory bool, from, to time.Time, every time.Duration) (all []planner.Series) {
	for id, use := range map[string][2]float64{"off": {0, 0}, "idle": {0.05, 900}, "big": {0.8, 2500}, "busy": {6.5, 30000}} {
		s := planner.Series{Labels: map[string]string{"server_id": id}}
		v := use[0]
		if memory {
			v = use[1]
		}
		for t := from; !t.After(to) && !t.After(At); t = t.Add(every) {
			s.Points = append(s.Points, forecast.Point{Time: t, Value: v})
		}
		all = append(all, s)
	}
	return all
}

func poolNumber(name string) int64 {
	return int64(slices.IndexFunc(tierSpecs, func(s tierSpec) bool { return s.name == name }) + 1)
}

// zoneRecipes are the histories of a zone's allocations.
func zoneRecipes(z int) map[string]forecasttest.Recipe {
	r := func(seed uint64, level, perDay, noise, weekly float64) forecasttest.Recipe {
		return forecasttest.Recipe{Start: At.AddDate(0, 0, -days), Step: step, Days: days, Seed: seed + uint64(z)*10, Level: level, PerDay: perDay, Noise: noise, Weekly: weekly}
	}
	grow := []float64{3.2, 1.1, 0.2}[z]
	return map[string]forecasttest.Recipe{
		"VCPU":      r(11, 900, grow, 5, 10),
		"MEMORY_MB": r(12, 2_300_000, grow*2800, 9000, 12000),
	}
}

// History answers the planner's queries from the recipes. Fail is the error of
// every answer; Empty answers nothing; Days shortens what is there; Unscraped says
// that nobody measures hosts; LookAge is how old the exporter's last look is.
type History struct {
	Fail      error
	Empty     bool
	Days      int
	Unscraped bool
	LookAge   time.Duration
	Asked     atomic.Int64 // queries so far
}

var selector = regexp.MustCompile(`(\w+)(=~|=)"((?:[^"\\]|\\.)*)"`)

// Range implements planner.History.
func (h *History) Range(_ context.Context, query string, from, to time.Time, every time.Duration) ([]planner.Series, error) {
	h.Asked.Add(1)
	if h.Fail != nil {
		return nil, h.Fail
	}
	if h.Empty {
		return nil, nil
	}
	want := map[string]string{}
	for _, m := range selector.FindAllStringSubmatch(query, -1) {
		unquoted, err := strconv.Unquote(`"` + m[3] + `"`)
		if err != nil {
			return nil, err
		}
		want[m[1]] = unquoted
	}
	var out []planner.Series
	switch {
	case strings.Contains(query, "openstack_placement_usage_units"):
		out = h.allocated(want["hostname"], want["resource_class"], strings.Contains(query, "by (hostname)"), from, to, every)
	case strings.Contains(query, "openstack_cinder_project_volumes_size_bytes"):
		out = h.provisioned(want["volume_type"], strings.HasPrefix(query, "sum by (project_id)"), from, to, every)
	case strings.Contains(query, "ceph_pool_"):
		for _, s := range tierSpecs {
			id := strconv.FormatInt(poolNumber(s.name), 10)
			if m := want["pool_id"]; !regexp.MustCompile("^("+want["cluster"]+")$").MatchString(s.cluster) || m != "" && !regexp.MustCompile("^("+m+")$").MatchString(id) {
				continue
			}
			r := s.recipe
			r.Start, r.Step, r.Days = At.AddDate(0, 0, -days), step, days
			one := h.series(map[string]string{"cluster": s.cluster, "pool_id": id}, r, tib, from, to, every)
			if strings.Contains(query, "ceph_pool_max_avail") {
				full := 6 * float64(s.osdTiB) * 0.95 / 3 * tib * 0.96 // the fullest OSD is 4 % ahead
				for i := range one.Points {
					one.Points[i].Value = full - one.Points[i].Value
				}
			}
			out = append(out, one)
		}
	case strings.Contains(query, "mcloud_guest_"):
		if !h.Unscraped {
			out = h.guests(strings.Contains(query, "memory"), from, to, every)
		}
	case strings.Contains(query, "ceph_osd_stat_bytes_avail"):
		out = h.osdAvail(want["cluster"], to)
	case strings.Contains(query, "mcloud_host_"):
		if !h.Unscraped && want["cloud"] == "test" {
			out = h.hostUse(strings.Contains(query, "mcloud_host_cpu_used_ratio"), from, to, every)
		}
	case strings.Contains(query, "mcloud_source_last_success_timestamp_seconds"):
		for _, source := range strings.Split(want["source"], "|") {
			out = append(out, planner.Series{Labels: map[string]string{"source": source}, Points: []forecast.Point{{Time: to, Value: float64(to.Add(-h.LookAge).Unix())}}})
		}
	default:
		return nil, fmt.Errorf("plannertest knows no answer to %s", query)
	}
	return slices.DeleteFunc(out, func(s planner.Series) bool { return len(s.Points) == 0 }), nil
}

// allocated is what the zones allocate, of the hosts whose names match, by class or
// by host. Host i has a sixth of its zone's, and from the first day to the last
// (i − 2.5) % of it more.
func (h *History) allocated(names, classes string, byHost bool, from, to time.Time, every time.Duration) []planner.Series {
	match := func(pattern, s string) bool {
		return pattern == "" || regexp.MustCompile("^("+pattern+")$").MatchString(s)
	}
	sums := map[string]*planner.Series{}
	for z, zone := range zones {
		for class, r := range zoneRecipes(z) {
			if !match(classes, class) {
				continue
			}
			whole := h.series(nil, r, 1, from, to, every)
			matched := 0
			for i := range hosts {
				if match(names, hostName(zone, i)) {
					matched++
				}
			}
			for i := range hosts {
				labels := map[string]string{"resource_class": class}
				share := func(t time.Time) float64 {
					return 1.0/hosts + 0.01*(float64(i)-2.5)*(1-At.Sub(t).Hours()/24/days)
				}
				switch {
				case !match(names, hostName(zone, i)):
					continue
				case byHost:
					labels = map[string]string{"hostname": hostName(zone, i)}
				case matched == hosts && i > 0:
					continue // all of it is there with the first
				case matched == hosts:
					share = func(time.Time) float64 { return 1 }
				}
				key := labels["resource_class"] + labels["hostname"]
				if sums[key] == nil {
					sums[key] = &planner.Series{Labels: labels, Points: make([]forecast.Point, len(whole.Points))}
				}
				for n, q := range whole.Points {
					sums[key].Points[n] = forecast.Point{Time: q.Time, Value: sums[key].Points[n].Value + share(q.Time)*q.Value}
				}
			}
		}
	}
	var all []planner.Series
	for _, key := range slices.Sorted(maps.Keys(sums)) {
		all = append(all, *sums[key])
	}
	return all
}

// provisioned is the size of the volumes of a type: twice what its tier stores. Three
// projects share it, p1 more and p3 less and less of it.
func (h *History) provisioned(types string, byProject bool, from, to time.Time, every time.Duration) (all []planner.Series) {
	for _, s := range tierSpecs {
		if !regexp.MustCompile("^(" + types + ")$").MatchString(s.name) {
			continue
		}
		r := s.recipe
		r.Start, r.Step, r.Days = At.AddDate(0, 0, -days), step, days
		if !byProject {
			return append(all, h.series(map[string]string{}, r, 2*tib, from, to, every))
		}
		for i, share := range []float64{0.5, 0.3, 0.2} {
			one := h.series(map[string]string{"project_id": fmt.Sprintf("p%d", i+1)}, r, 2*tib, from, to, every)
			for n, q := range one.Points {
				one.Points[n].Value *= share + 0.1*float64(1-i)*(1-At.Sub(q.Time).Hours()/24/days)
			}
			all = append(all, one)
		}
		return all
	}
	return nil
}

// osdAvail is what is free on each OSD: the first of each tier is so much fuller than the
// others that ceph_pool_max_avail follows from it.
func (h *History) osdAvail(clusters string, at time.Time) (all []planner.Series) {
	number := map[string]int64{}
	for _, s := range tierSpecs {
		r := s.recipe
		r.Start, r.Step, r.Days = At.AddDate(0, 0, -days), step, days
		stored := h.series(nil, r, tib, at.Add(-step), at, step).Points
		for i := range 6 {
			daemon := fmt.Sprintf("osd.%d", number[s.cluster])
			number[s.cluster]++
			if len(stored) == 0 || !regexp.MustCompile("^("+clusters+")$").MatchString(s.cluster) {
				continue
			}
			total := float64(s.osdTiB) * tib
			avail := total - stored[len(stored)-1].Value*3/6
			if i == 0 {
				avail -= 0.95 * 0.04 * total
			}
			all = append(all, planner.Series{Labels: map[string]string{"cluster": s.cluster, "ceph_daemon": daemon}, Points: []forecast.Point{{Time: at, Value: avail}}})
		}
	}
	return all
}

// hostUse is the real use of hosts, or what they have. Of its 96 CPUs, host i of zone
// z uses (10 + 5z + i) %, and 30 % more in two hours of the day; of its memory half.
// The last host of the last zone is not measured.
func (h *History) hostUse(used bool, from, to time.Time, every time.Duration) (all []planner.Series) {
	begin := At.AddDate(0, 0, -days)
	if h.Days > 0 {
		begin = At.AddDate(0, 0, -h.Days)
	}
	for z, zone := range zones {
		for i := range hosts {
			if z == len(zones)-1 && i == hosts-1 {
				continue
			}
			cpu := planner.Series{Labels: map[string]string{"host": hostName(zone, i), "resource_class": "VCPU"}}
			memory := planner.Series{Labels: map[string]string{"host": hostName(zone, i), "resource_class": "MEMORY_MB"}}
			for t := from; !t.After(to); t = t.Add(every) {
				if t.Before(begin) || t.After(At) {
					continue
				}
				cpus, mib := 96., 786432.
				if used {
					share := 0.10 + 0.05*float64(z) + 0.01*float64(i)
					if t.Hour() < 2 {
						share += 0.30
					}
					cpus, mib = share*cpus, mib/2
				}
				cpu.Points = append(cpu.Points, forecast.Point{Time: t, Value: cpus})
				memory.Points = append(memory.Points, forecast.Point{Time: t, Value: mib})
			}
			all = append(all, cpu, memory)
		}
	}
	return all
}

// series evaluates a recipe at the instants of a range query; a value stands
// until the next one.
func (h *History) series(labels map[string]string, r forecasttest.Recipe, unit float64, from, to time.Time, every time.Duration) planner.Series {
	s := planner.Series{Labels: labels}
	v := r.Values()
	begin := r.Start
	if h.Days > 0 {
		begin = At.AddDate(0, 0, -h.Days)
	}
	for t := from; !t.After(to); t = t.Add(every) {
		if t.Before(begin) || t.After(At) {
			continue
		}
		if i := min(int(t.Sub(r.Start)/r.Step), len(v)-1); i >= 0 && !math.IsNaN(v[i]) {
			s.Points = append(s.Points, forecast.Point{Time: t, Value: v[i] * unit})
		}
	}
	return s
}
