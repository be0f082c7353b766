package planner_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"mcloud"
	"mcloud/planner"
	"mcloud/planner/plannertest"
)

// TestHeadroomMetrics: servers and hosts by zone, of public flavors only.
func TestHeadroomMetrics(t *testing.T) {
	o := plannertest.Options()
	o.Inventory = &flavors{Inventory: o.Inventory, change: func(v []mcloud.Version) []mcloud.Version {
		secret := v[0]
		secret.Object = mcloud.NewObject(mcloud.KindFlavor, "id-p1", "p1.private", "", "", mcloud.Flavor{Name: "p1.private", VCPUs: 1, MemoryMiB: 1024})
		again := v[0]
		again.ID = "id-again" // a name twice, as while a flavor is replaced, must not break the page
		// Of this one, servers whose root disk is a volume would fit.
		disk := v[0]
		disk.Object = mcloud.NewObject(mcloud.KindFlavor, "id-d1", "d1.disk", "", "", mcloud.Flavor{Name: "d1.disk", VCPUs: 1, MemoryMiB: 1024, DiskGiB: 10, Public: true})
		return append(v, secret, again, disk)
	}}
	p := start(t, o)
	latest(t, p)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(p)
	const want = `
# HELP mcloud_headroom_hosts Hosts of the zone that take at least one more server of a public flavor, its root disk on the host. Absent when the cloud has not been looked at lately.
# TYPE mcloud_headroom_hosts gauge
mcloud_headroom_hosts{cloud="test",flavor="d1.disk",zone="az-a"} 0
mcloud_headroom_hosts{cloud="test",flavor="d1.disk",zone="az-b"} 0
mcloud_headroom_hosts{cloud="test",flavor="d1.disk",zone="az-c"} 0
mcloud_headroom_hosts{cloud="test",flavor="g1.large",zone="az-a"} 1
mcloud_headroom_hosts{cloud="test",flavor="g1.large",zone="az-b"} 1
mcloud_headroom_hosts{cloud="test",flavor="g1.large",zone="az-c"} 1
mcloud_headroom_hosts{cloud="test",flavor="m1.huge",zone="az-a"} 0
mcloud_headroom_hosts{cloud="test",flavor="m1.huge",zone="az-b"} 6
mcloud_headroom_hosts{cloud="test",flavor="m1.huge",zone="az-c"} 5
mcloud_headroom_hosts{cloud="test",flavor="m1.large",zone="az-a"} 6
mcloud_headroom_hosts{cloud="test",flavor="m1.large",zone="az-b"} 6
mcloud_headroom_hosts{cloud="test",flavor="m1.large",zone="az-c"} 5
mcloud_headroom_hosts{cloud="test",flavor="m1.small",zone="az-a"} 6
mcloud_headroom_hosts{cloud="test",flavor="m1.small",zone="az-b"} 6
mcloud_headroom_hosts{cloud="test",flavor="m1.small",zone="az-c"} 5
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "mcloud_headroom_hosts"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(p, "mcloud_headroom_servers"); n != 15 {
		t.Errorf("%d series of servers, want 5 public flavors in 3 zones", n)
	}
}

// flavors changes what an inventory has of flavors.
type flavors struct {
	planner.Inventory
	change func([]mcloud.Version) []mcloud.Version
}

func (f *flavors) Objects(ctx context.Context, cloud string, kind mcloud.Kind, at time.Time) ([]mcloud.Version, error) {
	found, err := f.Inventory.Objects(ctx, cloud, kind, at)
	if err == nil && kind == mcloud.KindFlavor {
		found = f.change(found)
	}
	return found, err
}

// TestHeadroomIsOfNow: what is not known, or was true a while ago, is not served; no
// full cloud is reported because nobody looks.
func TestHeadroomIsOfNow(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*planner.Options)
		want   int
	}{
		{"looked at lately", func(o *planner.Options) { o.History = &plannertest.History{LookAge: 20 * time.Minute} }, 12},
		{"nobody looks for an hour", func(o *planner.Options) { o.History = &plannertest.History{LookAge: time.Hour} }, 0},
		{"a plan every hour", func(o *planner.Options) {
			o.History, o.Period = &plannertest.History{LookAge: time.Hour}, time.Hour
		}, 12},
		{"one of the two was not looked at", func(o *planner.Options) {
			o.History = &history{History: &plannertest.History{}, about: "last_success", answer: func(s []planner.Series, err error) ([]planner.Series, error) { return s[:1], err }}
		}, 0},
		{"no providers are read", func(o *planner.Options) {
			o.Inventory = &plannertest.Inventory{Fail: map[mcloud.Kind]bool{mcloud.KindProvider: true}}
		}, 0},
		{"no aggregates are read", func(o *planner.Options) {
			o.Inventory = &plannertest.Inventory{Fail: map[mcloud.Kind]bool{mcloud.KindAggregate: true}}
		}, 0},
		{"nothing is stored", func(o *planner.Options) { o.Inventory = &plannertest.Inventory{Empty: true} }, 0},
	} {
		o := plannertest.Options()
		tt.change(&o)
		p := start(t, o)
		latest(t, p)
		for _, metric := range []string{"mcloud_headroom_servers", "mcloud_headroom_hosts"} {
			if n := testutil.CollectAndCount(p, metric); n != tt.want {
				t.Errorf("%s: %d series of %s, want %d", tt.name, n, metric, tt.want)
			}
		}
	}
}

// TestHeadroomOfAnOldPlan: when plans fail, the last one's headroom goes.
func TestHeadroomOfAnOldPlan(t *testing.T) {
	o := plannertest.Options()
	var later atomic.Int64
	o.Now = func() time.Time { return plannertest.At.Add(time.Duration(later.Load())) }
	p := start(t, o)
	latest(t, p)
	later.Store(int64(29 * time.Minute))
	if n := testutil.CollectAndCount(p, "mcloud_headroom_servers"); n != 12 {
		t.Errorf("after 29 minutes %d series, want 12", n)
	}
	later.Store(int64(31 * time.Minute))
	if n := testutil.CollectAndCount(p, "mcloud_headroom_servers"); n != 0 {
		t.Errorf("after 31 minutes %d series, want none", n)
	}
}
