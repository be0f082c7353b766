package capacity

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mcloud"
)

// recorded is a real cluster's answers, as the exporter's tests keep them, in the words
// of this package.
func recorded(t *testing.T, version, cluster string) (Storage, map[string]float64) {
	t.Helper()
	read := func(name string, into any) {
		raw, err := os.ReadFile(filepath.Join("../../exporters/ceph/testdata", version, cluster, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatal(name, err)
		}
	}
	var tree struct {
		Nodes []struct {
			ID          int
			Name, Type  string
			Children    []int
			DeviceClass string  `json:"device_class"`
			CrushWeight float64 `json:"crush_weight"`
			Reweight    float64
			KB          int64 `json:"kb"`
			KBAvail     int64 `json:"kb_avail"`
		}
	}
	var dump struct {
		Full, Backfillfull, Nearfull float64
		FullRatio                    float64 `json:"full_ratio"`
		BackfillfullRatio            float64 `json:"backfillfull_ratio"`
		NearfullRatio                float64 `json:"nearfull_ratio"`
		Pools                        []struct {
			Name    string `json:"pool_name"`
			Size    int64
			Type    int
			Rule    int    `json:"crush_rule"`
			Profile string `json:"erasure_code_profile"`
		}
		Profiles map[string]map[string]string `json:"erasure_code_profiles"`
	}
	var rules []struct {
		ID    int `json:"rule_id"`
		Steps []struct {
			Op, Type string
			ItemName string `json:"item_name"`
		}
	}
	var df struct {
		Pools []struct {
			Name  string
			Stats struct {
				Stored   float64
				MaxAvail float64 `json:"max_avail"`
			}
		}
	}
	read("osd_df_tree", &tree)
	read("osd_dump", &dump)
	read("osd_crush_rule_dump", &rules)
	read("df_detail", &df)

	s := Storage{Clusters: map[string]mcloud.CephCluster{cluster: {FullRatio: dump.FullRatio, BackfillfullRatio: dump.BackfillfullRatio, NearfullRatio: dump.NearfullRatio}}, Use: map[string]PoolUse{}, Avail: map[string]float64{}}
	parent := map[int]int{}
	for i, n := range tree.Nodes {
		for _, c := range n.Children {
			parent[c] = i
		}
	}
	for _, n := range tree.Nodes {
		if n.Type != "osd" {
			continue
		}
		o := OSD{ID: fmt.Sprintf("%s/%s", cluster, n.Name), OSD: mcloud.OSD{Cluster: cluster, Number: int64(n.ID), DeviceClass: n.DeviceClass, CrushWeight: n.CrushWeight, Reweight: n.Reweight, Up: true, In: n.Reweight > 0, TotalBytes: n.KB * 1024}}
		for up, ok := parent[n.ID]; ok; up, ok = parent[tree.Nodes[up].ID] {
			switch bucket := tree.Nodes[up]; bucket.Type {
			case "host":
				o.Host = bucket.Name
			case "rack":
				o.Rack = bucket.Name
			case "datacenter":
				o.Datacenter = bucket.Name
			case "root":
				o.Root = bucket.Name
			}
		}
		s.OSDs = append(s.OSDs, o)
		s.Avail[o.ID] = float64(n.KBAvail) * 1024
	}
	for _, p := range dump.Pools {
		q := CephPool{ID: cluster + "/" + p.Name, Name: p.Name, CephPool: mcloud.CephPool{Cluster: cluster, Size: p.Size, Type: "replicated"}}
		if p.Type == 3 {
			q.Type = "erasure"
			fmt.Sscan(dump.Profiles[p.Profile]["k"], &q.DataChunks)
		}
		for _, r := range rules {
			for _, step := range r.Steps {
				if r.ID == p.Rule && step.Op == "take" {
					q.Root, q.DeviceClass, _ = strings.Cut(step.ItemName, "~")
				}
				if r.ID == p.Rule && strings.HasPrefix(step.Op, "choose") {
					q.FailureDomain = step.Type
				}
			}
		}
		s.Pools = append(s.Pools, q)
	}
	told := map[string]float64{}
	for _, p := range df.Pools {
		told[cluster+"/"+p.Name] = p.Stats.MaxAvail
		s.Use[cluster+"/"+p.Name] = PoolUse{Stored: p.Stats.Stored, MaxAvail: p.Stats.MaxAvail}
	}
	return s, told
}

// TestMaxAvailIsCephs compares with what `ceph df` said of every pool of four real
// clusters: three device classes and three datacentres, of 16.2 and 18.2.
func TestMaxAvailIsCephs(t *testing.T) {
	for _, version := range []string{"16.2", "18.2"} {
		for _, cluster := range []string{"fast", "geo"} {
			s, told := recorded(t, version, cluster)
			if len(told) < 3 {
				t.Fatalf("%s %s: %d pools", version, cluster, len(told))
			}
			for _, p := range s.Pools {
				got, ok := s.MaxAvail(p, 0)
				if want := told[p.ID]; !ok || math.Abs(got-want) > 0.005*want {
					t.Errorf("%s %s: MAX AVAIL %.0f, ceph df says %.0f (%+.2f %%)", version, p.ID, got, want, 100*(got/want-1))
				}
				// These clusters are even, so that nothing is to be corrected.
				if room, ok := s.Room(p, s.ratios(cluster).full); !ok || math.Abs(room-got) > 0.05*got {
					t.Errorf("%s %s: room %.0f, MAX AVAIL %.0f", version, p.ID, room, got)
				}
			}
		}
	}
}

// tree makes OSDs of so many TiB, each in a host of its own in the named datacentre, with
// avail TiB free.
func tree(sizes []float64, dcs []string, avail []float64) Storage {
	s := Storage{Clusters: map[string]mcloud.CephCluster{"c": {NearfullRatio: 0.85, BackfillfullRatio: 0.9, FullRatio: 0.95}}, Avail: map[string]float64{}, Use: map[string]PoolUse{}}
	for i, size := range sizes {
		id := fmt.Sprintf("c/osd.%d", i)
		s.OSDs = append(s.OSDs, OSD{ID: id, OSD: mcloud.OSD{Cluster: "c", Number: int64(i), Host: fmt.Sprintf("h%d", i), Datacenter: dcs[i], Root: "default", DeviceClass: "nvme", Up: true, In: true, Reweight: 1, CrushWeight: size, TotalBytes: int64(size * tib)}})
		s.Avail[id] = avail[i] * tib
	}
	return s
}

func threeTakes(size int64) CephPool {
	p := pool("c", "p", "nvme", "host", size, 0)
	p.Root = "dc1"
	for _, dc := range []string{"dc1", "dc2", "dc3"} {
		p.Takes = append(p.Takes, mcloud.CrushTake{Bucket: dc, DeviceClass: "nvme", FailureDomain: "host", Copies: size / 3})
	}
	return p
}

// TestSeveralTakes: a rule with a take step for each datacentre. By hand, two OSDs of 10
// TiB in each, empty: a datacentre holds 2 × 9.5 TiB of copies up to the full ratio, so
// that is the pool's room, and Ceph says a third of it.
func TestSeveralTakes(t *testing.T) {
	dcs := []string{"dc1", "dc1", "dc2", "dc2", "dc3", "dc3"}
	even := []float64{10, 10, 10, 10, 10, 10}
	s := tree(even, dcs, even)
	p := threeTakes(3)
	s.Pools = []CephPool{p}
	told, _ := s.MaxAvail(p, 0)
	within(t, "what Ceph says", told, 19.0/3*tib, 1e-9)
	room, ok := s.Room(p, 0.95)
	within(t, "the room", room, 19*tib, 1e-9)
	s.Use["c/p"] = PoolUse{MaxAvail: told}
	sum := TierOf(Tier{Name: "geo", Pools: []PoolRef{{"c", "p"}}}, s)
	within(t, "the tier's full line", sum.FullBytes, 19*tib, 1e-9)
	within(t, "the tier's nearfull line", sum.LineBytes, 17*tib, 1e-9)
	within(t, "copies", sum.Copies, 3, 1e-9)
	if sum.OSDs != 6 || !ok || !strings.Contains(strings.Join(sum.Problems, " "), "several take steps") {
		t.Errorf("%d OSDs, problems %v", sum.OSDs, sum.Problems)
	}
	// The third datacentre is half as large, and one of its OSDs half full: 5 × 0.95 − 2.5
	// TiB more for half of what comes.
	s = tree([]float64{10, 10, 10, 10, 5, 5}, dcs, []float64{10, 10, 10, 10, 5, 2.5})
	room, _ = s.Room(p, 0.95)
	within(t, "the room of the smallest datacentre", room, 2*(5*0.95-2.5)*tib, 1e-9)
	// Six copies, two in each.
	s = tree(even, dcs, even)
	room, _ = s.Room(threeTakes(6), 0.95)
	within(t, "with two copies in each", room, 9.5*tib, 1e-9)
}

// TestUnequalDatacentres: one take step, three copies in three datacentres, one of which
// is smaller. By weight Ceph expects less there than the copy of everything that comes.
func TestUnequalDatacentres(t *testing.T) {
	s := tree([]float64{20, 20, 10}, []string{"dc1", "dc2", "dc3"}, []float64{18, 18, 8})
	p := pool("c", "p", "nvme", "datacenter", 3, 0)
	s.Pools, s.Use["c/p"] = []CephPool{p}, PoolUse{Stored: 2 * tib}
	told, _ := s.MaxAvail(p, 0)
	within(t, "what Ceph says", told, 7.5/0.2/3*tib, 1e-9) // 12.5
	room, _ := s.Room(p, 0.95)
	within(t, "the room", room, 7.5*tib, 1e-9)
	s.Use["c/p"] = PoolUse{Stored: 2 * tib, MaxAvail: told}
	sum := TierOf(Tier{Name: "geo", Pools: []PoolRef{{"c", "p"}}}, s)
	within(t, "full line", sum.FullBytes, 9.5*tib, 1e-9)
	if !strings.Contains(strings.Join(sum.Problems, " "), "different sizes") {
		t.Errorf("problems %v", sum.Problems)
	}
	// Degraded: what Ceph says counts missing copies out.
	even := tree([]float64{20, 20, 20}, []string{"dc1", "dc2", "dc3"}, []float64{18, 18, 18})
	even.Pools = []CephPool{p}
	healthy, _ := even.MaxAvail(p, 0)
	degraded, _ := even.MaxAvail(p, 1./3)
	within(t, "with a third of the copies missing", degraded, 1.5*healthy, 1e-9)
	even.Use["c/p"] = PoolUse{Stored: 2 * tib, MaxAvail: degraded}
	sum = TierOf(Tier{Name: "geo", Pools: []PoolRef{{"c", "p"}}}, even)
	within(t, "the full line counts with all copies", sum.FullBytes, 19*tib, 1e-9)
	if !strings.Contains(strings.Join(sum.Problems, " "), "copies are missing") {
		t.Errorf("problems %v", sum.Problems)
	}
	delete(s.Avail, "c/osd.2")
	if _, ok := s.Room(p, 0.95); ok {
		t.Error("an OSD whose free space is not known has one")
	}
	if _, ok := s.MaxAvail(p, 0); ok {
		t.Error("an OSD whose free space is not known has one")
	}
}

// TestLevel: filling a pool by what Room says brings the fullest OSD to the ratio.
func TestLevelMeetsRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(3, 9).Draw(t, "osds")
		sizes, avail, dcs := make([]float64, n), make([]float64, n), make([]string, n)
		for i := range n {
			sizes[i] = rapid.Float64Range(1, 20).Draw(t, "TiB")
			avail[i] = sizes[i] * rapid.Float64Range(0.3, 1).Draw(t, "free")
			dcs[i] = fmt.Sprintf("dc%d", i%3+1)
		}
		s := tree(sizes, dcs, avail)
		p := pool("c", "p", "nvme", rapid.SampledFrom([]string{"host", "datacenter", "osd"}).Draw(t, "domain"), 3, 0)
		if rapid.Bool().Draw(t, "takes") {
			p = threeTakes(3)
		}
		room, ok := s.Room(p, 0.85)
		if !ok {
			t.Fatal("no room is known")
		}
		level, _ := s.Level(p, room)
		if level < 0.85-1e-9 || level > 0.85+1e-6 {
			t.Fatalf("%g more bring the fullest OSD to %g", room, level)
		}
		// Each take step's shares are its copies, or as many as there are domains.
		for _, take := range takesOf(p, s.OSDs) {
			var sum float64
			domains := map[string]bool{}
			for i, share := range shares(take, p) {
				sum += share
				o := take.osds[i]
				domains[map[string]string{"host": o.Host, "datacenter": o.Datacenter, "osd": o.ID}[take.FailureDomain]] = true
			}
			if want := math.Min(float64(take.Copies), float64(len(domains))); math.Abs(sum-want) > 1e-9 {
				t.Fatalf("shares of %+v sum to %g, want %g", take.CrushTake, sum, want)
			}
		}
	})
}

// TestLosses, by hand: six hosts of 10 TiB in three datacentres, 6 TiB of three copies in
// each, balanced. Without a host 50 TiB × 0.9 / 3; without a datacentre two copies on 40.
func TestLosses(t *testing.T) {
	dcs := []string{"dc1", "dc1", "dc2", "dc2", "dc3", "dc3"}
	s := tree([]float64{10, 10, 10, 10, 10, 10}, dcs, []float64{7, 7, 7, 7, 7, 7})
	hosts, geo := pool("c", "p", "nvme", "host", 3, 0), pool("c", "q", "nvme", "datacenter", 3, 0)
	hosts.ID, geo.ID = "c/p", "c/q"
	for _, tt := range []struct {
		pool   CephPool
		want   []Loss
		after  float64 // MAX AVAIL without dc1
		stored float64
	}{
		{hosts, []Loss{
			{Type: "host", Name: "h0", RawBytes: 10 * tib, Share: 1. / 6, SurvivableBytes: 15 * tib, Copies: 3, SpareBytes: 9 * tib},
			{Type: "datacenter", Name: "dc1", RawBytes: 20 * tib, Share: 1. / 3, SurvivableBytes: 12 * tib, Copies: 3, SpareBytes: 6 * tib},
		}, (7 - 1.5 - 0.5) * 6 / 3, 6}, // 18 TiB on four OSDs are 4.5 each
		{geo, []Loss{
			{Type: "host", Name: "h0", RawBytes: 10 * tib, Share: 1. / 6, SurvivableBytes: 9 * tib, Copies: 3, SpareBytes: 3 * tib},
			{Type: "datacenter", Name: "dc1", RawBytes: 20 * tib, Share: 1. / 3, SurvivableBytes: 18 * tib, Copies: 2, SpareBytes: 12 * tib},
		}, (7 - 0.5) * 6 / 3 * 1.5, 6}, // nothing moves, and a third of the copies is missing
	} {
		s.Pools = []CephPool{tt.pool}
		s.Use = map[string]PoolUse{tt.pool.ID: {Stored: tt.stored * tib, MaxAvail: 13 * tib}}
		tier := Tier{Name: "t", Pools: []PoolRef{{"c", tt.pool.Name}}}
		got := Losses(tier, s)
		if len(got) != len(tt.want) {
			t.Fatalf("%s: %+v", tt.pool.Name, got)
		}
		for i, want := range tt.want {
			l := got[i]
			if l.Type != want.Type || l.Name != want.Name || l.Copies != want.Copies {
				t.Errorf("%s: %+v, want %+v", tt.pool.Name, l, want)
			}
			within(t, l.Type+" share", l.Share, want.Share, 1e-9)
			within(t, l.Type+" survivable", l.SurvivableBytes, want.SurvivableBytes, 1e-9)
			within(t, l.Type+" spare", l.SpareBytes, want.SpareBytes, 1e-9)
			within(t, l.Type+" raw", l.RawBytes, want.RawBytes, 1e-9)
		}
		after, ok := s.MaxAvailAfter(tt.pool, "datacenter", "dc1")
		if !ok {
			t.Fatal("no MAX AVAIL without dc1")
		}
		within(t, tt.pool.Name+" without dc1", after, tt.after*tib, 1e-9)
	}
	if _, ok := LossOf(Tier{Name: "t", Pools: []PoolRef{{"c", "p"}}}, s, "rack", "r1"); ok {
		t.Error("a rack that is not there is lost")
	}
}

// TestSharedOSDs: pools on the same OSDs have the room once, and each its own stored.
func TestSharedOSDs(t *testing.T) {
	s, told := recorded(t, "16.2", "fast")
	var nvme Tier
	var stored float64
	for _, p := range s.Pools {
		if p.DeviceClass == "nvme" {
			nvme.Pools = append(nvme.Pools, PoolRef{p.Cluster, p.Name})
			stored += s.Use[p.ID].Stored
		}
	}
	if len(nvme.Pools) < 2 {
		t.Fatalf("%d pools share OSDs", len(nvme.Pools))
	}
	nvme.Name = "nvme"
	sum := TierOf(nvme, s)
	room := told["fast/"+nvme.Pools[0].Pool]
	within(t, "stored", sum.StoredBytes, stored, 1e-9)
	// Others' pools on the same OSDs have their part, and none of the room twice.
	if sum.FullBytes-sum.StoredBytes > room*1.001 || sum.FullBytes-sum.StoredBytes < room*0.98 {
		t.Errorf("%d pools have room for %g, MAX AVAIL is %g", len(nvme.Pools), sum.FullBytes-sum.StoredBytes, room)
	}
}

// TestProjects: what volumes and snapshots promise, by project, and how far that goes
// beyond what the tier holds.
func TestProjects(t *testing.T) {
	object := func(kind mcloud.Kind, id, parent, project string, attributes any) mcloud.Object {
		return mcloud.NewObject(kind, id, id, parent, project, attributes)
	}
	s, problems := ReadStorage([]mcloud.Object{
		object(mcloud.KindVolumeSnapshot, "s1", "v1", "p1", mcloud.VolumeSnapshot{SizeGiB: 1024}),
		object(mcloud.KindVolumeSnapshot, "s2", "gone", "p1", mcloud.VolumeSnapshot{SizeGiB: 1024}),
		object(mcloud.KindVolume, "v1", "", "p1", mcloud.Volume{Type: "fast", SizeGiB: 20 * 1024}),
		object(mcloud.KindVolume, "v2", "", "p2", mcloud.Volume{Type: "fast", SizeGiB: 14 * 1024}),
		object(mcloud.KindVolume, "v3", "", "p2", mcloud.Volume{Type: "slow", SizeGiB: 1024}),
		{Kind: mcloud.KindVolumeSnapshot, ID: "bad", Attributes: json.RawMessage(`[]`)},
	})
	if len(problems) != 1 || !strings.Contains(problems[0].String(), "volume_snapshot bad") {
		t.Errorf("problems %v", problems)
	}
	s.OSDs, s.Pools = osds("c", "x", 10, "h1", "h2", "h3", "h4", "h5", "h6"), []CephPool{pool("c", "p", "x", "host", 3, 0)}
	s.Use["c/p"] = PoolUse{Stored: 5.1 * tib, MaxAvail: 12 * tib} // 17.1 of 19: a balance of 0.9
	sum := TierOf(Tier{Name: "fast", Pools: []PoolRef{{"c", "p"}}, VolumeTypes: []string{"fast"}}, s)
	within(t, "limit", sum.LimitBytes, 17*0.9*tib, 1e-9)
	within(t, "over-subscription", sum.OverSubscription, 34/(17*0.9), 1e-9)
	within(t, "written", sum.WrittenRatio, 5.1/34, 1e-9)
	within(t, "snapshots", sum.SnapshotBytes, tib, 1e-9)
	within(t, "gain of balancing", sum.BalanceGainBytes, 1.7*tib, 1e-9)
	if p1 := sum.Projects["p1"]; len(sum.Projects) != 2 || p1.ProvisionedBytes != 20*tib || p1.SnapshotBytes != tib || p1.Volumes != 1 || p1.Snapshots != 1 {
		t.Errorf("projects %+v", sum.Projects)
	}
}

// BenchmarkTier is a tier of five pools in a cluster of 5,000 OSDs and twenty pools.
func BenchmarkTier(b *testing.B) {
	const n = 5000
	sizes, avail, dcs := make([]float64, n), make([]float64, n), make([]string, n)
	for i := range n {
		sizes[i], avail[i], dcs[i] = 7, 4+float64(i%10)/10, fmt.Sprintf("dc%d", i%3+1)
	}
	s := tree(sizes, dcs, avail)
	for i := range s.OSDs {
		s.OSDs[i].Host = fmt.Sprintf("h%d", i/20)
	}
	tier := Tier{Name: "t", Reserve: "host"}
	for i := range 20 {
		p := pool("c", fmt.Sprintf("p%d", i), "nvme", "host", 3, 0)
		s.Pools = append(s.Pools, p)
		s.Use[p.ID] = PoolUse{Stored: 100 * tib, MaxAvail: 2000 * tib}
		if i < 5 {
			tier.Pools = append(tier.Pools, PoolRef{"c", p.Name})
		}
	}
	b.Run("sum", func(b *testing.B) {
		for b.Loop() {
			TierOf(tier, s)
		}
	})
	b.Run("losses", func(b *testing.B) {
		for b.Loop() {
			Losses(tier, s)
		}
	})
	b.Run("rooms", func(b *testing.B) {
		losses := Losses(tier, s)
		for b.Loop() {
			Rooms(tier, s, losses)
		}
	})
}
