package scenario

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mcloud"
	"mcloud/planner/capacity"
	"mcloud/planner/forecast"
	"mcloud/planner/forecast/forecasttest"
)

const tib = float64(1 << 40)

var now = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func in(days int) time.Time { return now.AddDate(0, 0, days) }

func host(zone string, i int, vcpus, memory int64) capacity.Host {
	name := fmt.Sprintf("%s-h%d", zone, i)
	return capacity.Host{ID: "id-" + name, Host: mcloud.Host{Name: name, ServiceHost: name, Zone: zone, State: "up", Status: "enabled"}, Providers: []capacity.Provider{{ID: "id-" + name, Provider: mcloud.Provider{
		Name: name, Inventories: map[string]mcloud.ProviderInventory{
			"VCPU":      {Total: vcpus, Reserved: 4, AllocationRatio: 4},
			"MEMORY_MB": {Total: memory, Reserved: 1024, AllocationRatio: 1},
		}, Usages: map[string]int64{"VCPU": 20, "MEMORY_MB": 8192},
	}}}}
}

// world has two zones of four equal hosts, of 368 vCPUs each, and a tier of three
// copies on six hosts of 10 TiB that are balanced: 17 TiB to nearfull, 15 after the
// loss of a host.
func world() World {
	w := World{
		Tiers: []capacity.Tier{
			{Name: "nvme", Pools: []capacity.PoolRef{{Cluster: "fast", Pool: "vms"}}, VolumeTypes: []string{"fast-ssd"}, Reserve: "host"},
			{Name: "geo", Pools: []capacity.PoolRef{{Cluster: "geo", Pool: "geo"}}, Reserve: "datacenter"},
		},
		Storage: capacity.Storage{
			Clusters: map[string]mcloud.CephCluster{},
			Pools: []capacity.CephPool{
				{ID: "fast/vms", Name: "vms", CephPool: mcloud.CephPool{Cluster: "fast", Type: "replicated", Size: 3, Root: "default", FailureDomain: "host"}},
				{ID: "geo/geo", Name: "geo", CephPool: mcloud.CephPool{Cluster: "geo", Type: "replicated", Size: 3, Root: "default", FailureDomain: "datacenter"}},
			},
			Use: map[string]capacity.PoolUse{"fast/vms": {Stored: 5 * tib, MaxAvail: 14 * tib}, "geo/geo": {Stored: 5 * tib, MaxAvail: 14 * tib}},
		},
	}
	for i := range 6 {
		w.Storage.OSDs = append(w.Storage.OSDs,
			osd("fast", i, fmt.Sprintf("ceph%d", i+1), ""),
			osd("geo", i, fmt.Sprintf("g%d", i+1), fmt.Sprintf("dc%d", i%3+1)))
	}
	for _, zone := range []string{"az1", "az2"} {
		for i := range 4 {
			w.Cloud.Hosts = append(w.Cloud.Hosts, host(zone, i+1, 96, 262144))
		}
	}
	w.Cloud.Flavors = []capacity.Flavor{
		{ID: "1", Flavor: mcloud.Flavor{Name: "m1.large", VCPUs: 8, MemoryMiB: 16384, Public: true}},
		{ID: "2", Flavor: mcloud.Flavor{Name: "m1.small", VCPUs: 2, MemoryMiB: 4096, Public: true}},
	}
	return w
}

func osd(cluster string, i int, host, dc string) capacity.OSD {
	return capacity.OSD{ID: fmt.Sprintf("%s/osd.%d", cluster, i), OSD: mcloud.OSD{
		Cluster: cluster, Number: int64(i), Host: host, Datacenter: dc, Root: "default", Up: true, In: true, Reweight: 1, TotalBytes: 10 << 40,
	}}
}

func parse(t interface{ Fatal(...any) }, texts ...string) []Change {
	var all []Change
	for _, text := range texts {
		action, rest, _ := strings.Cut(text, " ")
		c, err := Parse(Action(action), rest)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

func effect(t *testing.T, w World, subject Subject, texts ...string) Effect {
	t.Helper()
	effects, err := w.Apply(parse(t, texts...))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range effects {
		if e.Subject == subject {
			return e
		}
	}
	t.Fatalf("no effect on %s", subject)
	return Effect{}
}

var (
	vcpus = Subject{Zone, "az1", "VCPU"}
	nvme  = Subject{Kind: Tier, Name: "nvme"}
	geo   = Subject{Kind: Tier, Name: "geo"}
)

// TestHandArithmetic compares limits with what a person computes on paper. A host has
// (96 − 4) × 4 = 368 vCPUs; of a zone's four one is kept back.
func TestHandArithmetic(t *testing.T) {
	for _, tt := range []struct {
		subject         Subject
		limit, capacity float64
		demand          float64
		changes         []string
	}{
		{vcpus, 3 * 368, 4 * 368, 0, nil},
		{vcpus, 5 * 368, 6 * 368, 0, []string{"add-host az=az1,count=2"}},
		{vcpus, 3 * 368, 4 * 368, 0, []string{"add-host az=az2,count=2"}},
		{vcpus, 2 * 368, 3 * 368, 0, []string{"remove-host host=az1-h2"}},
		{vcpus, 2 * 368, 3 * 368, 0, []string{"lose host=az1-h2"}},
		{vcpus, 1 * 368, 2 * 368, 0, []string{"remove-host az=az1,count=2"}},
		{vcpus, 0, 1 * 368, 0, []string{"remove-host az=az1,count=3"}}, // nothing could carry on
		{vcpus, 0, 0, 0, []string{"lose az=az1"}},
		{vcpus, 3 * 368, 4 * 368, 0, []string{"remove-host az=az1,count=2", "add-host az=az1,count=2,like=az2-h1"}},
		{vcpus, 4 * 368, 4*368 + 4*200, 0, []string{"add-host az=az1,vcpus=200,memory=256GiB"}}, // the new one is the largest
		{vcpus, 3 * 92 * 6, 4 * 92 * 6, 0, []string{"ratio class=VCPU,ratio=6"}},
		{vcpus, 3 * 368, 3*368 + 92*6, 0, []string{"ratio class=VCPU,ratio=6,host=az1-h1"}},
		{vcpus, 3 * 368, 4 * 368, 20*8 + 5*2, []string{"project az=az1,flavors=m1.large:20+m1.small:5"}},
		{nvme, 15 * tib, 17 * tib, 0, nil},
		{nvme, 15 * tib, 17 * tib, 3 * tib, []string{"project volumes=fast-ssd:1TiB+nvme:2x1TiB"}},
		{nvme, 30 * tib, 34 * tib, 0, []string{"add-osd tier=nvme,count=6"}},
		{nvme, 30 * tib, 34 * tib, 0, []string{"add-osd tier=nvme,count=12,size=5TiB"}},
		{nvme, 11 * 10 * 0.9 / 3 * tib, 34 * tib, 0, []string{"add-osd tier=nvme,count=6,hosts=6"}}, // twelve hosts, one may die
		{nvme, 12 * tib, 50 * 0.85 / 3 * tib, 0, []string{"remove-osd osd=fast/osd.3"}},
		{nvme, 12 * tib, 50 * 0.85 / 3 * tib, 0, []string{"remove-osd tier=nvme"}},
		{nvme, 12 * tib, 50 * 0.85 / 3 * tib, 0, []string{"lose host=ceph1"}},
		{nvme, 15 * tib, 17 * tib, 0, []string{"add-osd tier=nvme,count=6", "remove-osd tier=nvme,count=6"}},
		{geo, 17 * tib, 17 * tib, 0, nil},
		{geo, 17 * tib, 17 * tib, 0, []string{"lose datacenter=dc1"}},      // two copies on two of them
		{geo, 17 * tib, 17 * tib, 0, []string{"add-osd tier=geo,count=2"}}, // the third datacentre bounds it
		{geo, 25.5 * tib, 25.5 * tib, 0, []string{"add-osd tier=geo,count=3"}},
		{geo, 8.5 * tib, 8.5 * tib, 0, []string{"lose host=g1"}},
	} {
		e := effect(t, world(), tt.subject, tt.changes...)
		level, demand := e.End()
		if math.Abs(level.Limit-tt.limit) > 1e-6*tib || math.Abs(level.Capacity-tt.capacity) > 1e-6*tib || math.Abs(demand-tt.demand) > 1e-6 {
			t.Errorf("%v: limit %g, capacity %g, demand %g of %s; want %g, %g, %g", tt.changes, level.Limit, level.Capacity, demand, tt.subject, tt.limit, tt.capacity, tt.demand)
		}
	}
}

// TestNewClass: hosts may bring what the zone did not have.
func TestNewClass(t *testing.T) {
	e := effect(t, world(), Subject{Zone, "az1", "DISK_GB"}, "add-host az=az1,count=3,vcpus=8,memory=64GiB,disk=100GiB")
	if level, _ := e.End(); e.Now != (Level{}) || level.Capacity != 300 || level.Limit != 200 {
		t.Errorf("%+v", e)
	}
}

// FuzzApply: no change, however odd, panics or makes a level that is no number.
func FuzzApply(f *testing.F) {
	for _, text := range slices.Concat(more, less, need) {
		f.Add(text + "\n" + text)
	}
	f.Add("add-osd tier=geo,count=99999,size=1B,hosts=7\nremove-osd tier=geo,count=100000\nlose az=az1\nadd-host az=az1,like=az2-h1")
	f.Fuzz(func(t *testing.T, text string) {
		var changes []Change
		for line := range strings.Lines(text) {
			action, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			c, err := Parse(Action(action), rest)
			if err != nil || c.Count > 1000 || len(changes) == 6 { // slow, not wrong
				return
			}
			changes = append(changes, c)
		}
		effects, err := world().Apply(changes)
		if err != nil {
			if !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		for _, e := range effects {
			level, demand := e.End()
			for _, v := range []float64{level.Limit, level.Capacity, demand, e.Growth} {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("%q: %s has %+v, demand %g, growth %g", text, e.Subject, level, demand, e.Growth)
				}
			}
		}
	})
}

// TestApplyChangesOnlyACopy: what there is stays.
func TestApplyChangesOnlyACopy(t *testing.T) {
	w := world()
	if _, err := w.Apply(parse(t, "add-host az=az1", "remove-host host=az1-h1", "ratio class=VCPU,ratio=9", "add-osd tier=nvme", "lose datacenter=dc1", "project az=az1,flavors=m1.small:1", "growth percent=10")); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(w, world()) {
		t.Error("the world was changed")
	}
}

func TestUnknownNames(t *testing.T) {
	for change, want := range map[string]string{
		"add-host az=az11":                 `zone "az11" is not known, did you mean "az1"?; known are: az1, az2`,
		"add-host az=az1,like=az1-h9":      `host "az1-h9" is not known, did you mean "az1-h1"?`,
		"remove-host host=nosuch":          `host "nosuch" is not known`,
		"add-osd tier=nvm":                 `tier "nvm" is not known, did you mean "nvme"?; known are: geo, nvme`,
		"add-osd tier=nvme,host=ceph9":     `host of tier nvme "ceph9" is not known, did you mean "ceph1"?`,
		"add-osd tier=nvme,cluster=geo":    `cluster of tier nvme "geo" is not known`,
		"remove-osd osd=fast/osd.9":        `OSD "fast/osd.9" is not known`,
		"remove-osd host=ceph9":            `host with OSDs "ceph9" is not known`,
		"project az=az1,flavors=m1.lrge:1": `flavor "m1.lrge" is not known, did you mean "m1.large"?; known are: m1.large, m1.small`,
		"project volumes=fast-sdd:1":       `tier or volume type "fast-sdd" is not known, did you mean "fast-ssd"?`,
		"lose rack=r1":                     `rack "r1" is not known: there is none at all`,
		"lose datacenter=dc4":              `datacenter "dc4" is not known, did you mean "dc1"?; known are: dc1, dc2, dc3`,
		"lose host=ceph1,cluster=fats":     `cluster "fats" is not known, did you mean "fast"?`,
		"ratio class=VCPUS,ratio=4":        `resource class "VCPUS" is not known, did you mean "VCPU"?`,
		"growth percent=5,tier=x":          `tier "x" is not known`,
	} {
		_, err := world().Apply(parse(t, change))
		if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), parse(t, change)[0].String()+": ") {
			t.Errorf("%s: %v, want %s", change, err, want)
		}
	}
	for change, want := range map[string]string{
		"project flavors=m1.small:1":   "which zone do its servers go to? write az=, known are: az1, az2",
		"remove-host az=az1,count=5":   "has only 4 hosts in service",
		"remove-osd tier=nvme,count=7": "only 6 such OSDs",
		"delay name=x,by=3d":           "give it to Compose first",
		"add-host az=az1,count=99995":  "more than 100000 hosts",
	} {
		if _, err := world().Apply(parse(t, change)); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", change, err, want)
		}
	}
}

func TestCompose(t *testing.T) {
	spring := Commitment{Name: "spring", Changes: parse(t, "add-host az=az1,count=2,from=2027-03-01,until=2027-03-31")}
	acme := Commitment{Name: "acme", Changes: parse(t, "project az=az1,flavors=m1.small:1,from=2026-11-01", "project volumes=nvme:1,from=2026-11-01,until=2026-12-01")}
	all := []Commitment{spring, acme}
	for _, tt := range []struct {
		ask, want []string
	}{
		// What has come is in what is measured; what may still come does from now on.
		{nil, []string{"add-host az=az1,count=2,from=2027-03-01,until=2027-03-31", "project volumes=nvme:1GiB,from=2026-11-22,until=2026-12-01"}},
		{[]string{"delay name=spring,by=31d", "without name=acme"}, []string{"add-host az=az1,count=2,from=2027-04-01,until=2027-05-01"}},
		{[]string{"without name=acme", "without name=spring", "add-host az=az2,from=2020-01-01"}, []string{"add-host az=az2"}},
	} {
		got, err := Compose(all, parse(t, tt.ask...), now)
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, c := range got {
			texts = append(texts, c.String())
		}
		if !reflect.DeepEqual(texts, tt.want) {
			t.Errorf("%v gives %q, want %q", tt.ask, texts, tt.want)
		}
	}
	if _, err := Compose(all, parse(t, "delay name=sprng,by=1d"), now); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), `did you mean "spring"?`) {
		t.Error(err)
	}
	if !spring.Pending(now) || spring.Pending(in(200)) {
		t.Error("Pending is wrong")
	}
}

func TestCommitmentValidate(t *testing.T) {
	good := Commitment{Name: "spring", Changes: parse(t, "add-host az=az1,from=2027-03-01")}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]Commitment{
		"has no date":         {Name: "x", Changes: parse(t, "add-host az=az1")},
		"cannot be promised":  {Name: "x", Changes: parse(t, "growth percent=3")},
		"has 0 changes":       {Name: "x"},
		`name "a b"`:          {Name: "a b", Changes: good.Changes},
		"want one of add-hos": {Name: "x", Changes: []Change{{Action: "explode"}}},
		"takes no tier":       {Name: "x", Changes: []Change{{Action: AddHosts, Zone: "az1", Tier: "nvme", From: now}}},
	} {
		if err := c.Validate(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}

// line is a history that grows by perDay from level with next to no noise.
func line(t testing.TB, level, perDay, noise float64) forecast.Result {
	r, err := forecast.New(forecasttest.Recipe{Start: in(-120), Step: 24 * time.Hour, Days: 120, Seed: 5, Level: level, PerDay: perDay, Noise: noise}.Series(),
		forecast.Options{Horizon: 365 * 24 * time.Hour, Paths: 100})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestDatesByHand: of a line that grows by 2 a day, dates move by what is added or
// taken divided by that.
func TestDatesByHand(t *testing.T) {
	r := line(t, 500, 2, 1e-9) // about 738 now, 1104 after half a year
	base := effect(t, world(), vcpus).Crossing(r)
	days := func(c forecast.Crossing) float64 { return c.P50.Sub(*base.P50).Hours() / 24 }
	for _, tt := range []struct {
		want    float64
		changes []string
	}{
		{0, []string{"growth percent=0"}},
		{-184 / 2, []string{"project az=az1,flavors=m1.large:23"}},                                 // 23 × 8 = 184
		{-184 / 2, []string{"project az=az1,flavors=m1.large:23,from=2027-01-01"}},                 // long before it is reached
		{0, []string{"project az=az1,flavors=m1.large:23,from=2027-11-01"}},                        // long after
		{0, []string{"add-host az=az2,count=4"}},                                                   // somewhere else
		{92 * 0.5 * 3 / 2, []string{"ratio class=VCPU,ratio=4.5"}},                                 // 3 × 46 more
		{-183 / 2 * 1.0, []string{"growth percent=100"}},                                           // half the time
		{0, []string{"add-host az=az1,count=1,from=2027-11-01"}},                                   // too late
		{0, []string{"project az=az1,flavors=m1.large:23", "ratio class=VCPU,ratio=4.6666666667"}}, // 3 × 92 × 2/3 = 184
	} {
		got := days(effect(t, world(), vcpus, tt.changes...).Crossing(r))
		if math.Abs(got-tt.want) > 1.01 {
			t.Errorf("%v moves the date by %g days, want %g", tt.changes, got, tt.want)
		}
	}
	if c := effect(t, world(), vcpus, "growth percent=-100").Crossing(r); c.State != forecast.Beyond {
		t.Errorf("without growth it is %s", c.State)
	}
	if c := effect(t, world(), vcpus, "add-host az=az1,count=2").Crossing(r); c.State != forecast.Beyond { // 736 / 2 = 368 days more
		t.Errorf("with two hosts more it is %s, %v", c.State, c.P50)
	}
	if c := effect(t, world(), vcpus, "remove-host az=az1").Crossing(r); c.State != forecast.Over { // 736 are left
		t.Errorf("with a host less it is %s", c.State)
	}
	if c := effect(t, world(), vcpus, "remove-host az=az1,from=2027-01-01").Crossing(r); c.P50 == nil || !c.P50.Equal(in(40)) {
		t.Errorf("with a host less from January it crosses %v", c.P50)
	}
	early, e := line(t, 600, 2, 1e-9), effect(t, world(), vcpus)
	if limit, full := e.Crossing(early), e.Full(early); full.P50 == nil || math.Abs(full.P50.Sub(*limit.P50).Hours()/24-184) > 1.01 {
		t.Errorf("the reserve lasts from %v to %v, want 184 days", limit.P50, full.P50)
	}
}

// TestUncertainDates: a delivery on any day of a range spreads the date of crossing.
func TestUncertainDates(t *testing.T) {
	r := line(t, 500, 2, 1e-9)
	base := effect(t, world(), vcpus).Crossing(r)
	e := effect(t, world(), vcpus, "remove-host host=az1-h1,from=2027-01-01,until=2027-04-11")
	c := e.Crossing(r)
	for quantile, tt := range map[string]struct {
		at   *time.Time
		want int
	}{"P10": {c.P10, 10}, "P50": {c.P50, 50}, "P90": {c.P90, 90}} {
		if tt.at == nil || math.Abs(tt.at.Sub(in(40+tt.want)).Hours()/24) > 3 {
			t.Errorf("%s is %v, want %v", quantile, tt.at, in(40+tt.want))
		}
	}
	if !c.P90.Before(*base.P50) {
		t.Error("the limit without the host is not met earlier")
	}
	if level, _ := e.At(in(60)); level.Limit != 2*368 {
		t.Errorf("from the first day on, %g may be gone", level.Limit)
	}
}

// subjects with histories that meet their limits within the horizon.
func histories(t testing.TB) map[Subject]forecast.Result {
	return map[Subject]forecast.Result{
		vcpus:                      line(t, 700, 2.5, 6),
		{Zone, "az2", "MEMORY_MB"}: line(t, 500_000, 1500, 3000),
		nvme:                       line(t, 8*tib, 0.03*tib, 0.05*tib),
		geo:                        line(t, 9*tib, 0.04*tib, 0.05*tib),
	}
}

// somewhere draws changes of the actions, each at once or from a day on.
func somewhere(t *rapid.T, label string, actions ...string) []Change {
	var all []Change
	for range rapid.IntRange(0, 3).Draw(t, label+"s") {
		text := rapid.SampledFrom(actions).Draw(t, label)
		if d := rapid.IntRange(0, 300).Draw(t, "day"); d > 20 {
			text += ",from=" + day(in(d))
		}
		all = append(all, parse(t, text)...)
	}
	return all
}

var (
	more = []string{"add-host az=az1", "add-host az=az2,count=2", "add-host az=az1,vcpus=300,memory=1TiB", "add-host az=az2,vcpus=8,memory=16GiB",
		"add-osd tier=nvme", "add-osd tier=nvme,count=6", "add-osd tier=geo,count=3", "add-osd tier=geo,count=2,size=30TiB", "add-osd tier=nvme,count=4,hosts=2", "add-osd tier=nvme,count=5,host=ceph1",
		"ratio class=VCPU,ratio=9"}
	less = []string{"remove-host az=az1", "remove-host az=az2,count=2", "lose host=ceph1", "lose datacenter=dc2", "lose host=az1-h1", "remove-osd tier=nvme,count=2", "remove-osd tier=geo,count=1"}
	need = []string{"project az=az1,flavors=m1.large:9", "project az=az2,flavors=m1.small:40,volumes=nvme:900+geo:50", "project volumes=fast-ssd:2x900"}
)

// earlier says whether a date of after comes before that of before.
func earlier(before, after forecast.Crossing) bool {
	if after.State == forecast.Over && before.State != forecast.Over {
		return true
	}
	if before.State == forecast.Over {
		return false // as early as can be
	}
	for _, q := range [][2]*time.Time{{before.P10, after.P10}, {before.P50, after.P50}, {before.P90, after.P90}} {
		if q[1] != nil && (q[0] == nil || q[1].Before(*q[0])) {
			return true
		}
	}
	return after.Probability > before.Probability
}

func crossings(t *rapid.T, w World, histories map[Subject]forecast.Result, changes []Change) map[Subject]forecast.Crossing {
	effects, err := w.Apply(changes)
	if err != nil {
		t.Skip(err) // nothing left to remove
	}
	all := map[Subject]forecast.Crossing{}
	for _, e := range effects {
		if r, ok := histories[e.Subject]; ok {
			all[e.Subject] = e.Crossing(r)
		}
	}
	return all
}

// TestMoreCapacityNeverBringsADateForward, whatever else happens.
func TestMoreCapacityNeverBringsADateForward(t *testing.T) {
	histories := histories(t)
	rapid.Check(t, func(t *rapid.T) {
		other := append(somewhere(t, "less", less...), somewhere(t, "need", need...)...)
		added := somewhere(t, "more", more...)
		before, after := crossings(t, world(), histories, other), crossings(t, world(), histories, append(added, other...))
		for subject, was := range before {
			if is := after[subject]; earlier(was, is) {
				t.Fatalf("%v besides %v brings %s forward, from %v to %v", added, other, subject, was.P50, is.P50)
			}
		}
	})
}

// TestACommitmentNeverDelays: what is promised to a project or goes out of service
// comes on top, whatever else happens; and a delayed purchase delays nothing.
func TestACommitmentNeverDelays(t *testing.T) {
	histories := histories(t)
	rapid.Check(t, func(t *rapid.T) {
		other := append(somewhere(t, "more", more...), somewhere(t, "less", less[2:4]...)...)
		promised := append(somewhere(t, "need", need...), somewhere(t, "less", less...)...)
		before, after := crossings(t, world(), histories, other), crossings(t, world(), histories, append(promised, other...))
		for subject, was := range before {
			if is := after[subject]; earlier(is, was) {
				t.Fatalf("%v besides %v delays %s, from %v to %v", promised, other, subject, was.P50, is.P50)
			}
		}
	})
}

// TestADelayedPurchaseNeverHelps, and more growth neither.
func TestADelayedPurchaseNeverHelps(t *testing.T) {
	histories := histories(t)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom(more[:10]).Draw(t, "purchase")
		purchase := []Commitment{{Name: "p", Changes: parse(t, text+",from="+day(in(rapid.IntRange(1, 300).Draw(t, "day"))))}}
		ask := []Change{{Action: Delay, Name: "p", Days: rapid.Float64Range(1, 200).Draw(t, "days")}}
		if rapid.Bool().Draw(t, "growth") {
			ask = []Change{{Action: Growth, Percent: rapid.Float64Range(0.1, 300).Draw(t, "percent")}}
		}
		both := [2]map[Subject]forecast.Crossing{}
		for i, changes := range [][]Change{nil, ask} {
			composed, err := Compose(purchase, changes, now)
			if err != nil {
				t.Fatal(err)
			}
			both[i] = crossings(t, world(), histories, composed)
		}
		for subject, was := range both[0] {
			if is := both[1][subject]; is.P50 != nil && earlier(is, was) && is.State != forecast.Over {
				t.Fatalf("%v with %v delays %s, from %v to %v", ask, text, subject, was.P50, is.P50)
			}
		}
	})
}
