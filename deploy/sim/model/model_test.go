package model

import (
	"testing"
	"time"
)

var end = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func grown(t testing.TB, change func(*Config)) *World {
	t.Helper()
	c := DefaultConfig(end)
	if change != nil {
		change(&c)
	}
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	w.AdvanceTo(c.End)
	return w
}

func TestDemoHasItsSizes(t *testing.T) {
	started := time.Now()
	w := grown(t, nil)
	t.Logf("180 days in %s", time.Since(started))
	if n := w.Servers.Len(); n < 1900 || n > 2100 {
		t.Errorf("%d servers, want about 2000", n)
	}
	for _, z := range w.Zones {
		var used, capacity int64
		for _, h := range z.Hosts[databaseHosts:] { // open to all
			used += h.Used.MemoryMB
			capacity += h.Inventories["MEMORY_MB"].Capacity()
		}
		t.Logf("%s: %d servers, memory %.1f %%", z.Name, z.population, 100*float64(used)/float64(capacity))
		if got := float64(used) / float64(capacity); got < z.utilisation-0.06 || got > z.utilisation+0.06 {
			t.Errorf("%s is used to %.2f, want about %.2f", z.Name, got, z.utilisation)
		}
	}
	for _, tier := range w.Tiers {
		u := w.Usage(tier.Cluster)
		got := float64(u.Used) / float64(u.Total)
		t.Logf("%s: %d volumes, %d GiB provisioned, raw %.1f %%, max avail %d GiB", tier.VolumeType, tier.Count, tier.provisioned, 100*got, u.MaxAvail[2]>>30)
		if got < tier.story.used-0.05 || got > tier.story.used+0.05 {
			t.Errorf("%s is full to %.3f, want about %.2f", tier.VolumeType, got, tier.story.used)
		}
	}
}

func TestSameSeedSameCloud(t *testing.T) {
	small := func(c *Config) {
		c.Hosts, c.Servers, c.Projects, c.Volumes, c.Start = 9, 200, 8, 300, end.Add(-20*day)
	}
	a, b := grown(t, small), grown(t, small)
	if a.Servers.Len() != b.Servers.Len() {
		t.Fatalf("%d and %d servers", a.Servers.Len(), b.Servers.Len())
	}
	for i, s := range a.Servers.All() {
		o := b.Servers.All()[i]
		if s.ID != o.ID || s.Host.Name != o.Host.Name || s.Flavor.Name != o.Flavor.Name || !s.Created.Equal(o.Created) {
			t.Fatalf("server %d differs: %s on %s, %s on %s", i, s.ID, s.Host.Name, o.ID, o.Host.Name)
		}
	}
	// The way there does not matter.
	c, err := New(a.Config)
	if err != nil {
		t.Fatal(err)
	}
	for at := c.Config.Start; at.Before(end); at = at.Add(7 * time.Hour) {
		c.AdvanceTo(at)
	}
	c.AdvanceTo(end)
	if c.Servers.Len() != a.Servers.Len() || c.Volumes.Len() != a.Volumes.Len() || c.NBCfg != a.NBCfg {
		t.Errorf("in steps: %d servers, %d volumes, nb_cfg %d; at once: %d, %d, %d", c.Servers.Len(), c.Volumes.Len(), c.NBCfg, a.Servers.Len(), a.Volumes.Len(), a.NBCfg)
	}
}

func TestAllocationsAreTheSumOfServers(t *testing.T) {
	w := grown(t, func(c *Config) { c.Hosts, c.Servers, c.Volumes = 12, 400, 400; c.Start = end.Add(-60 * day) })
	for _, h := range w.Hosts {
		var sum Resources
		for _, s := range h.Servers {
			sum = sum.plus(s.Flavor.Needs(s.BootVolume))
		}
		if sum != h.Used {
			t.Errorf("%s: used %+v, its servers take %+v", h.Name, h.Used, sum)
		}
		free := h.Free()
		if free.VCPU < 0 || free.MemoryMB < 0 || free.DiskGB < 0 {
			t.Errorf("%s is over its capacity: %+v free", h.Name, free)
		}
	}
	provisioned := map[*Tier]int64{}
	for _, v := range w.Volumes.All() {
		provisioned[v.Tier] += v.SizeGiB
	}
	for _, tier := range w.Tiers {
		if provisioned[tier] != tier.provisioned {
			t.Errorf("%s: %d GiB counted, %d kept", tier.VolumeType, provisioned[tier], tier.provisioned)
		}
	}
}

// TestTheFullestZoneRunsOut: az-a has room today and none in three months.
func TestTheFullestZoneRunsOut(t *testing.T) {
	w := grown(t, nil)
	failed := 0
	w.OnChange = func(c Change) {
		if c.Kind == ServerCreateError {
			failed++
		}
	}
	w.AdvanceTo(end.Add(7 * day))
	if failed > 3 {
		t.Errorf("%d servers found no host in the week after the end", failed)
	}
	w.AdvanceTo(end.Add(120 * day))
	t.Logf("%d servers found no host in 120 days", failed)
	if failed < 50 {
		t.Errorf("%d servers found no host in 120 days, want the zone to run out", failed)
	}
}

func TestTiersRunOutAsTold(t *testing.T) {
	w := grown(t, nil)
	crossed := map[string]int{}
	for days := 0; days <= 300; days += 5 {
		w.AdvanceTo(end.Add(time.Duration(days) * day))
		for _, tier := range w.Tiers {
			u := w.Usage(tier.Cluster)
			if _, seen := crossed[tier.VolumeType]; !seen && float64(u.Used) > NearfullRatio*float64(u.Total) {
				crossed[tier.VolumeType] = days
			}
		}
	}
	t.Logf("days until nearfull: %v", crossed)
	if d, ok := crossed["nvme"]; !ok || d < 25 || d > 80 {
		t.Errorf("nvme is nearfull after %d days (%t), want 25 to 80", d, ok)
	}
	if d, ok := crossed["sas10k"]; !ok || d < 120 || d > 300 {
		t.Errorf("sas10k is nearfull after %d days (%t), want 120 to 300", d, ok)
	}
	if d, ok := crossed["sas7k"]; ok {
		t.Errorf("sas7k is nearfull after %d days, want not in sight", d)
	}
}

func TestFaultsEnd(t *testing.T) {
	w := grown(t, func(c *Config) { c.Hosts, c.Servers, c.Volumes = 9, 50, 50; c.Start = end.Add(-day) })
	w.AdvanceTo(end.Add(6 * time.Minute))
	var down, frozen, osds int
	for _, h := range w.Hosts {
		if !h.Up {
			down++
		}
		if h.Chassis.Frozen {
			frozen++
		}
	}
	for _, o := range w.Tiers[0].Cluster.OSDs {
		if !o.Up {
			osds++
		}
	}
	if down == 0 || frozen == 0 || osds == 0 {
		t.Errorf("6 minutes after the end: %d hosts down, %d chassis frozen, %d OSDs down, want one of each", down, frozen, osds)
	}
	h := w.Hosts[len(w.Hosts)/2]
	w.AdvanceTo(end.Add(40 * time.Minute))
	if !h.Up {
		t.Errorf("%s is still down after 40 minutes", h.Name)
	}
}

// TestHistoryEndsWhole: whatever broke in the history is repaired when people begin to look.
func TestHistoryEndsWhole(t *testing.T) {
	broke := 0
	for seed := range uint64(200) {
		w := grown(t, func(c *Config) { c.Seed, c.Hosts, c.Servers, c.Volumes, c.Start = seed, 9, 9, 9, end.Add(-2*day) })
		for _, h := range w.Hosts {
			if !h.Up || h.Chassis.Frozen {
				t.Errorf("seed %d: %s is up: %t, its chassis frozen: %t", seed, h.Name, h.Up, h.Chassis.Frozen)
			}
			if h.StateChanged.Equal(end) {
				broke++
			}
		}
		for _, tier := range w.Tiers {
			for _, o := range tier.Cluster.OSDs {
				if !o.Up || !o.In {
					t.Errorf("seed %d: an OSD of %s is up: %t, in: %t", seed, tier.Cluster.Name, o.Up, o.In)
				}
				if o.Changed.Equal(end) {
					broke++
				}
			}
		}
	}
	if broke == 0 {
		t.Error("in none of 200 histories anything was broken until its end")
	}
}
