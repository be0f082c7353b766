package capacity

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mcloud"
)

const tib = float64(1 << 40)

// osds makes OSDs of size TiB in the named hosts, one for each name.
func osds(cluster, class string, tebibytes int64, hosts ...string) []OSD {
	var all []OSD
	for i, h := range hosts {
		dc, host, ok := strings.Cut(h, "/")
		if !ok {
			dc, host = "", h
		}
		all = append(all, OSD{ID: fmt.Sprintf("%s/osd.%d", cluster, i), OSD: mcloud.OSD{
			Cluster: cluster, Number: int64(i), Host: host, Datacenter: dc, Root: "default", DeviceClass: class,
			Up: true, In: true, Reweight: 1, CrushWeight: float64(tebibytes), TotalBytes: tebibytes << 40,
		}})
	}
	return all
}

func pool(cluster, name, class, domain string, size, k int64) CephPool {
	p := CephPool{ID: cluster + "/" + name, Name: name, CephPool: mcloud.CephPool{
		Cluster: cluster, Type: "replicated", Size: size, Root: "default", DeviceClass: class, FailureDomain: domain,
	}}
	if k > 0 {
		p.Type, p.DataChunks = "erasure", k
	}
	return p
}

func within(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*math.Max(1, math.Abs(want)) {
		t.Errorf("%s is %.4g, want %.4g", what, got, want)
	}
}

func TestTierOf(t *testing.T) {
	// Six hosts with 10 TiB each, size 3: 19 TiB are the full line (0.95 × 60 / 3).
	s := Storage{
		Clusters: map[string]mcloud.CephCluster{"fast": {NearfullRatio: 0.85, BackfillfullRatio: 0.9, FullRatio: 0.95}},
		OSDs:     osds("fast", "nvme", 10, "h1", "h2", "h3", "h4", "h5", "h6"),
		Pools:    []CephPool{pool("fast", "vms", "nvme", "host", 3, 0), pool("fast", "images", "nvme", "host", 3, 0)},
		Use: map[string]PoolUse{
			"fast/vms":    {Stored: 5 * tib, MaxAvail: 13 * tib},
			"fast/images": {Stored: 1 * tib, MaxAvail: 13 * tib},
		},
		ProvisionedGiB: map[string]int64{"nvme": 9 * 1024},
	}
	tier := Tier{Name: "nvme", Pools: []PoolRef{{"fast", "vms"}, {"fast", "images"}}, VolumeTypes: []string{"nvme"}, Reserve: "host", Unit: Unit{RawBytes: 10 << 40}}
	got := TierOf(tier, s)
	within(t, "stored", got.StoredBytes, 6*tib, 1e-9)
	within(t, "provisioned", got.ProvisionedBytes, 9*tib, 1e-9)
	within(t, "full line counts the shared room once", got.FullBytes, 19*tib, 1e-9)
	within(t, "nearfull line", got.LineBytes, 17*tib, 1e-9)
	within(t, "balance", got.Balance, 1, 1e-9)
	within(t, "after the loss of a host", got.SurvivableBytes, 50*0.9/3*tib, 1e-9)
	within(t, "limit", got.LimitBytes, 15*tib, 1e-9)
	within(t, "a unit adds", got.UnitBytes, 10*0.85/3*tib, 1e-9)
	if got.LimitReason != "the loss of host h1" {
		t.Errorf("limit reason %q", got.LimitReason)
	}

	tier.Reserve = ""
	tier.Pools = tier.Pools[:1]
	got = TierOf(tier, s)
	within(t, "a pool outside the tier takes room", got.LimitBytes, 16*tib, 1e-9)
	within(t, "other raw", got.OtherRawBytes, 3*tib, 1e-9)

	// Half of MAX AVAIL: the fullest OSD is far ahead of the others.
	s.Use["fast/vms"] = PoolUse{Stored: 5 * tib, MaxAvail: 4 * tib}
	if got = TierOf(tier, s); got.Balance > 0.6 || got.Balance < 0.4 {
		t.Errorf("balance %.2f, want about (5+1+4)/19", got.Balance)
	}

	delete(s.Use, "fast/vms")
	got = TierOf(tier, s)
	if got.Known || len(got.Problems) == 0 {
		t.Errorf("a pool without statistics is taken for known: %+v", got)
	}
	within(t, "line from the OSDs alone", got.LineBytes, 16*tib, 1e-9)

	got = TierOf(Tier{Name: "x", Pools: []PoolRef{{"fast", "nosuch"}}}, s)
	if got.Known || !strings.Contains(strings.Join(got.Problems, " "), "fast/nosuch") {
		t.Errorf("an unknown pool is not named: %+v", got)
	}
}

func TestErasureCoded(t *testing.T) {
	s := Storage{
		OSDs:  osds("c", "hdd", 10, "h1", "h2", "h3", "h4", "h5", "h6"),
		Pools: []CephPool{pool("c", "data", "hdd", "host", 6, 4)},
		Use:   map[string]PoolUse{"c/data": {Stored: 8 * tib, MaxAvail: 30 * tib}},
	}
	got := TierOf(Tier{Name: "hdd", Pools: []PoolRef{{"c", "data"}}, Reserve: "host"}, s)
	within(t, "copies of 4+2", got.Copies, 1.5, 1e-9)
	within(t, "line", got.LineBytes, 34*tib, 1e-9)
	// Five hosts cannot hold six chunks apart: five remain of each object.
	within(t, "after the loss of a host", got.SurvivableBytes, 4*10*0.9*tib, 1e-9)
}

func TestThreeDatacentres(t *testing.T) {
	s := Storage{
		OSDs:  append(osds("geo", "nvme", 10, "dc1/a", "dc1/b", "dc2/c", "dc2/d", "dc3/e"), OSD{}),
		Pools: []CephPool{pool("geo", "volumes", "nvme", "datacenter", 3, 0)},
		Use:   map[string]PoolUse{"geo/volumes": {Stored: 2 * tib, MaxAvail: (50*0.95/3 - 2) * tib}},
	}
	tier := Tier{Name: "geo-nvme", Pools: []PoolRef{{"geo", "volumes"}}, Reserve: "datacenter"}
	got := TierOf(tier, s)
	within(t, "the smallest datacentre bounds the line", got.LineBytes, 10*0.85*tib, 1e-9)
	if !strings.Contains(strings.Join(got.Problems, " "), "several take steps") {
		t.Errorf("MAX AVAIL above what a datacentre holds is not told: %v", got.Problems)
	}
	// Two datacentres left, two copies of each object: still the smaller one.
	within(t, "after the loss of a datacentre", got.SurvivableBytes, 10*0.9*tib, 1e-9)

	tier.Reserve = "rack"
	s.OSDs = osds("geo", "nvme", 10, "one")
	if got = TierOf(tier, s); got.SurvivableBytes != got.LineBytes {
		t.Errorf("a reserve that cannot be computed changed the limit: %+v", got)
	}
}

// TestPlaceableIsTheBound checks the walk against its definition: at L the
// domains hold all shards apart, just above they do not.
func TestPlaceableIsTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.Int64Range(1, 100), 1, 8).Draw(t, "TiB")
		var all []OSD
		for i, n := range sizes {
			all = append(all, osds("c", "x", n, fmt.Sprintf("h%d", i))...)
		}
		p := pool("c", "p", "x", "host", rapid.Int64Range(1, 6).Draw(t, "size"), 0)
		x := placeable(all, p.CephPool) / tib
		shards := math.Min(float64(p.Size), float64(len(sizes)))
		room := func(x float64) float64 {
			var sum float64
			for _, n := range sizes {
				sum += math.Min(float64(n), x)
			}
			return sum - shards*x
		}
		if room(x) < -1e-6 || room(x*1.001) > 0 {
			t.Fatalf("sizes %v, %v shards: %v is not the bound", sizes, shards, x)
		}
	})
}

// TestMoreNeverHurts: more OSD bytes never lower a limit; more stored never
// raises what is free.
func TestMoreNeverHurts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hosts := []string{"h1", "h2", "h3", "h4"}
		size := rapid.Int64Range(1, 40).Draw(t, "TiB")
		s := Storage{OSDs: osds("c", "x", size, hosts...), Pools: []CephPool{pool("c", "p", "x", "host", 3, 0)}}
		tier := Tier{Name: "x", Pools: []PoolRef{{"c", "p"}}, Reserve: rapid.SampledFrom([]string{"", "host"}).Draw(t, "reserve")}
		before := TierOf(tier, s).LimitBytes
		s.OSDs[rapid.IntRange(0, 3).Draw(t, "osd")].TotalBytes += 1 << 40
		if tier.Reserve == "host" {
			for i := range s.OSDs { // every host grows: no new largest one
				s.OSDs[i].TotalBytes = size<<40 + 1<<40
			}
		}
		if after := TierOf(tier, s).LimitBytes; after < before {
			t.Fatalf("limit fell from %g to %g", before, after)
		}
	})
}

func TestUnitsFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		need, limit := rapid.Float64Range(0, 1e6).Draw(t, "need"), rapid.Float64Range(0, 1e6).Draw(t, "limit")
		per, multiple := rapid.Float64Range(0.1, 1e5).Draw(t, "per"), rapid.Int64Range(0, 4).Draw(t, "multiple")
		n, ok := UnitsFor(need, limit, per, Unit{Multiple: multiple})
		if !ok || n < 0 || n%max(1, multiple) != 0 {
			t.Fatalf("%d units, ok %v", n, ok)
		}
		if limit+float64(n)*per < need*(1-1e-12) {
			t.Fatalf("%d units do not reach %g from %g", n, need, limit)
		}
		if n > 0 && limit+float64(n-max(1, multiple))*per >= need {
			t.Fatalf("%d units are more than needed", n)
		}
	})
	if _, ok := UnitsFor(10, 1, 0, Unit{}); ok {
		t.Error("a unit that adds nothing is said to help")
	}
}

// TestOn: OSDs that come or go change the room in proportion to what can be placed,
// and leave the balance as it is.
func TestOn(t *testing.T) {
	s := Storage{
		Clusters: map[string]mcloud.CephCluster{"c": {NearfullRatio: 0.85, BackfillfullRatio: 0.9, FullRatio: 0.95}},
		OSDs:     osds("c", "x", 10, "h1", "h2", "h3", "h4", "h5", "h6"),
		Pools:    []CephPool{pool("c", "p", "x", "host", 3, 0)},
		Use:      map[string]PoolUse{"c/p": {Stored: 5 * tib, MaxAvail: 12.1 * tib}}, // 17.1 of 19: a balance of 0.9
	}
	tier := Tier{Name: "x", Pools: []PoolRef{{"c", "p"}}}
	before := TierOf(tier, s)
	within(t, "balance", before.Balance, 0.9, 1e-9)
	after := TierOf(tier, s.On(osds("c", "x", 10, "h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8", "h9")))
	within(t, "half as many hosts more", after.LineBytes, 1.5*before.LineBytes, 1e-9)
	within(t, "full line", after.FullBytes, 1.5*17.1*tib, 1e-9)
	within(t, "balance stays", after.Balance, 0.9, 1e-9)
	within(t, "stored stays", after.StoredBytes, 5*tib, 1e-9)
	back := TierOf(tier, s.On(osds("c", "x", 10, "h1")).On(s.OSDs))
	within(t, "there and back", back.LineBytes, before.LineBytes, 1e-9)
}
