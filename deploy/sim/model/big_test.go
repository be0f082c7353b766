package model

import (
	"testing"
	"time"
)

// BenchmarkBigCloud builds the cloud of make bench-exporter.
func BenchmarkBigCloud(b *testing.B) {
	for b.Loop() {
		w, err := New(Config{Seed: 1, Start: end.Add(-24 * time.Hour), End: end, Zones: 3, Hosts: 2000, Servers: 60_000, Projects: 500, Volumes: 100_000, OSDs: 1000, Ports: 120_000})
		if err != nil {
			b.Fatal(err)
		}
		w.AdvanceTo(end)
		ports := 3 * len(w.Customers())
		for _, s := range w.Ports() {
			ports++
			if s.Second != nil {
				ports++
			}
		}
		failed := 0
		for _, s := range w.Servers.All() {
			if s.Status == "ERROR" {
				failed++
			}
		}
		b.Logf("%d servers (%d without a host), %d volumes, %d ports, %d floating IPs", w.Servers.Len(), failed, w.Volumes.Len(), ports+w.FloatingIP.Len(), w.FloatingIP.Len())
	}
}

func TestChurnIsDeterministicAndMovesGenerations(t *testing.T) {
	small := func(c *Config) {
		c.Hosts, c.Servers, c.Projects, c.Volumes, c.Ports, c.Start = 9, 600, 8, 900, 1200, end.Add(-day)
	}
	a, b := grown(t, small), grown(t, small)
	generations := func(w *World) (sum int64) {
		for _, h := range w.Hosts {
			sum += h.Generation
		}
		return sum
	}
	before := generations(a)
	for range 3 {
		x, y := a.Churn(0.01), b.Churn(0.01)
		if x != y {
			t.Fatalf("churned %+v and %+v", x, y)
		}
		if x.ServersCreated != 2 || x.ServersDeleted != 2 || x.ServersChanged != 2 || x.VolumesChanged < 4 || x.PortsChanged < 5 {
			t.Errorf("churned %+v, want about 1 %% of 600 servers, 900 volumes and their ports", x)
		}
	}
	if got := generations(a); got < before+12 || got != generations(b) {
		t.Errorf("generations went from %d to %d and %d, want the same growth", before, got, generations(b))
	}
	seconds := 0
	for _, s := range a.Ports() {
		if s.Second != nil {
			seconds++
		}
	}
	if want := 1200 - 3*8 - 600 - 120; seconds < want*8/10 || seconds > want*12/10 {
		t.Errorf("%d second ports, want about %d", seconds, want)
	}
}
