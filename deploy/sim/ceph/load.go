package ceph

import (
	"math"
	"time"

	"mcloud/deploy/sim/model"
)

// load is a cluster's client traffic per second.
type load struct{ reads, writes, readBytes, writeBytes int64 }

// busy is how busy clients are at t relative to the mean: a daily swing with
// its peak at 14 UTC.
func busy(t time.Time) float64 {
	hours := float64(t.Unix()%86400) / 3600
	return 1 + 0.6*math.Sin(2*math.Pi*(hours-8)/24)
}

// work is the integral of busy from since to t in seconds: it only grows, so
// counters made of it are counters.
func work(since, t time.Time) float64 {
	if !t.After(since) {
		return 0
	}
	phase := func(x time.Time) float64 { return 2 * math.Pi * (float64(x.UnixMilli())/1000/3600 - 8) / 24 }
	swing := 0.6 * 24 * 3600 / (2 * math.Pi)
	return t.Sub(since).Seconds() - swing*(math.Cos(phase(t))-math.Cos(phase(since)))
}

// operations is the mean of a cluster's client operations per second.
var operations = map[string]float64{"nvme": 20000, "sas10k": 5000, "sas7k": 1500}

// split makes reads and writes with their bytes of a number of operations.
func split(ops float64) load {
	return load{int64(ops * 0.6), int64(ops * 0.4), int64(ops * 0.6 * 18 * 1024), int64(ops * 0.4 * 14 * 1024)}
}

func (s *state) rate() load { return split(operations[s.DeviceClass()] * busy(s.world.Now)) }

// total is the traffic since the cluster's first day, of the media and not of
// today's volumes, so that it never falls when volumes go.
func (s *state) total() load {
	return split(operations[s.DeviceClass()] * work(s.Created, s.world.Now))
}

// meanLatency is an OSD's mean commit latency in milliseconds.
func meanLatency(o *model.OSD) float64 {
	base := map[string]float64{"nvme": 1, "sas10k": 6, "sas7k": 14}[o.Class]
	return base * (1 + float64(mix(uint64(o.Number))%30)/100)
}

// latency is an OSD's commit latency now, in whole milliseconds.
func (s *state) latency(o *model.OSD) int64 {
	return int64(math.Round(meanLatency(o) * (0.5 + 0.5*busy(s.world.Now))))
}

// objects of a pool: RBD cuts images into 4 MiB.
func (s *state) objects(p *model.Pool) int64 { return s.usage.Stored[p.Number]/(4<<20) + 1 }

func (s *state) stored() (sum int64) {
	for _, p := range s.Pools {
		sum += s.usage.Stored[p.Number]
	}
	return sum
}

// osdKB is an OSD's size and use in KiB; an OSD that is out tells nothing.
func (s *state) osdKB(o *model.OSD) (size, used int64) {
	if !o.In {
		return 0, 0
	}
	return o.Bytes >> 10, s.usage.OSDUsed[o.Number] >> 10
}
