package model

import (
	"fmt"
	"math"
	"time"
)

// Cluster is a Ceph cluster with one CRUSH root and one device class.
type Cluster struct {
	Name, FSID string
	Tier       *Tier
	OSDs       []*OSD
	Hosts      []*Bucket // CRUSH hosts
	Sites      []*Bucket // CRUSH datacenters; none where the domain is the host
	Mons       []string
	Mgrs       []string
	Pools      []*Pool
	Created    time.Time
	Epoch      int64 // of the OSD map

	layout layout
}

// layout is how a cluster is built and keeps its data.
type layout struct {
	class  string
	bytes  int64 // of an OSD
	copies float64
	// data and coding are the chunks of an erasure-coded pool; 0 for replicas.
	data, coding int64
	domain       string // failure domain
}

// Bucket is a CRUSH host or datacenter.
type Bucket struct {
	ID   int // negative
	Name string
	Site *Bucket // of a host
	OSDs []*OSD
}

// OSD is a Ceph OSD.
type OSD struct {
	Number  int
	UUID    string
	Host    *Bucket
	Class   string
	Bytes   int64
	Up, In  bool
	Changed time.Time // of Up
	Booted  time.Time

	share float64 // of the data of its group while all are in
}

// PoolKind says what fills a pool.
type PoolKind int

// What fills a pool.
const (
	VolumesPool PoolKind = iota
	ImagesPool
	ManagerPool
)

// Pool is a Ceph pool.
type Pool struct {
	Number       int
	Name         string
	Kind         PoolKind
	Size         int64 // copies, or chunks
	Data, Coding int64
	PGs          int64
	Rule         int // rule id
	Application  string
	Created      time.Time
}

// RawFactor is the raw bytes for a stored one.
func (p *Pool) RawFactor() float64 {
	if p.Data > 0 {
		return float64(p.Size) / float64(p.Data)
	}
	return float64(p.Size)
}

// The ratios of the OSD map, Ceph's defaults.
const (
	NearfullRatio     = 0.85
	BackfillfullRatio = 0.90
	FullRatio         = 0.95
)

// FailureDomain is the CRUSH type the copies are spread over.
func (c *Cluster) FailureDomain() string { return c.layout.domain }

// DeviceClass is the class of all its OSDs.
func (c *Cluster) DeviceClass() string { return c.layout.class }

// ErasureCoded returns the chunks of the volumes pool, or 0, 0.
func (c *Cluster) ErasureCoded() (data, coding int64) { return c.layout.data, c.layout.coding }

func (w *World) buildCluster(name string, index int, l layout, tier *Tier) *Cluster {
	c := &Cluster{
		Name: name, FSID: fmt.Sprintf("6e0000%02x-0000-4000-8000-%012x", index+1, w.rand.Uint64()&0xffffffffffff), Tier: tier,
		Mons: []string{"a", "b", "c"}, Mgrs: []string{"x", "y"}, Created: w.Config.Start.Add(-300 * 24 * time.Hour), Epoch: 400, layout: l,
	}
	hosts := max(6, (w.Config.OSDs+23)/24)
	if l.domain == "datacenter" {
		hosts = (hosts + 2) / 3 * 3
	}
	firstSite := max(40, 4+2*hosts)
	for i := range hosts {
		host := &Bucket{ID: -(3 + 2*i), Name: fmt.Sprintf("ceph-%s-%d", name, i+1)}
		if l.domain == "datacenter" {
			if i < 3 {
				c.Sites = append(c.Sites, &Bucket{ID: -(firstSite + 2*i), Name: fmt.Sprintf("dc%d", i+1)})
			}
			host.Site = c.Sites[i%3]
		}
		c.Hosts = append(c.Hosts, host)
	}
	for i := range w.Config.OSDs {
		host := c.Hosts[i%hosts]
		o := &OSD{Number: i, UUID: w.uuid(), Host: host, Class: l.class, Bytes: l.bytes, Up: true, In: true, Changed: w.Config.Start, Booted: w.Config.Start}
		o.share = 1 + max(-0.06, min(0.06, 0.025*w.rand.NormFloat64()))
		host.OSDs = append(host.OSDs, o)
		if host.Site != nil {
			host.Site.OSDs = append(host.Site.OSDs, o)
		}
		c.OSDs = append(c.OSDs, o)
	}
	data := &Pool{Number: 2, Name: "volumes-" + tier.VolumeType, Kind: VolumesPool, Size: int64(l.copies), PGs: groupsFor(w.Config.OSDs), Rule: 1, Application: "rbd", Created: c.Created}
	if l.data > 0 {
		data.Data, data.Coding, data.Size = l.data, l.coding, l.data+l.coding
	}
	c.Pools = []*Pool{
		{Number: 1, Name: "device_health_metrics", Kind: ManagerPool, Size: 3, PGs: 1, Rule: 0, Application: "mgr_devicehealth", Created: c.Created},
		data,
	}
	if name == "nvme" {
		c.Pools = append(c.Pools, &Pool{Number: 3, Name: "images", Kind: ImagesPool, Size: 3, PGs: 64, Rule: 0, Application: "rbd", Created: c.Created})
	}
	return c
}

// groupsFor is the PGs of the volumes pool: about a hundred copies to an OSD.
func groupsFor(osds int) int64 {
	n := int64(512)
	for 2*n <= int64(osds)*100/3 {
		n *= 2
	}
	return n
}

// Total is the raw capacity of the OSDs that are in.
func (c *Cluster) Total() int64 {
	var sum int64
	for _, o := range c.OSDs {
		if o.In {
			sum += o.Bytes
		}
	}
	return sum
}

// Usage is a cluster's space at one instant, in bytes.
type Usage struct {
	Stored     map[int]int64 // by pool number, before replication
	OSDUsed    []int64       // by OSD number; 0 for one that is out
	Total      int64         // raw
	Used       int64         // raw
	MaxAvail   map[int]int64 // by pool number, before replication
	Degraded   float64       // part of the copies that is missing, 0 to 1
	Nearfull   []*OSD
	UsedByPool map[int]int64 // raw
}

// bluefs is what every OSD uses for itself, as a part of its size.
const bluefs = 0.004

// Usage computes the space of the cluster at w.Now from its volumes.
func (w *World) Usage(c *Cluster) Usage { return w.UsageOf(c, w.written(c.Tier)) }

// WrittenByTier is what the volumes of each tier hold now, in bytes.
func (w *World) WrittenByTier() map[*Tier]float64 {
	sums := make(map[*Tier]float64, len(w.Tiers))
	for _, v := range w.Volumes.All() {
		sums[v.Tier] += v.Written(w.Now)
	}
	return sums
}

func (w *World) written(t *Tier) float64 {
	var sum float64
	for _, v := range w.Volumes.All() {
		if v.Tier == t {
			sum += v.Written(w.Now)
		}
	}
	return sum
}

// UsageOf is Usage with the bytes that the tier's volumes hold given.
func (w *World) UsageOf(c *Cluster, written float64) Usage {
	u := Usage{
		Stored: map[int]int64{}, MaxAvail: map[int]int64{}, UsedByPool: map[int]int64{},
		OSDUsed: make([]int64, len(c.OSDs)), Total: c.Total(),
	}
	var raw float64
	for _, p := range c.Pools {
		var stored float64
		switch p.Kind {
		case VolumesPool:
			stored = written
		case ImagesPool:
			for _, i := range w.Images {
				stored += float64(i.Size) * (40 + w.Now.Sub(w.Config.Start).Hours()/24*0.05)
			}
		case ManagerPool:
			stored = 3 << 20
		}
		u.Stored[p.Number] = int64(stored)
		u.UsedByPool[p.Number] = int64(stored * p.RawFactor())
		raw += stored * p.RawFactor()
	}
	c.spread(raw, &u)
	for _, o := range c.OSDs {
		u.Used += u.OSDUsed[o.Number]
		if o.In && float64(u.OSDUsed[o.Number]) > NearfullRatio*float64(o.Bytes) {
			u.Nearfull = append(u.Nearfull, o)
		}
	}
	available := c.ruleAvailable(u.OSDUsed)
	for _, p := range c.Pools {
		u.MaxAvail[p.Number] = int64(available / p.RawFactor())
	}
	var down, all float64
	for _, o := range c.OSDs {
		all += float64(o.Bytes)
		if !o.Up && o.In {
			down += float64(o.Bytes)
		}
	}
	u.Degraded = down / all
	return u
}

// spread puts raw bytes on the OSDs that are in, by their shares: over the
// whole cluster, or a third to each datacenter where copies are kept apart so.
func (c *Cluster) spread(raw float64, u *Usage) {
	groups := [][]*OSD{c.OSDs}
	if len(c.Sites) > 0 {
		groups = nil
		for _, s := range c.Sites {
			groups = append(groups, s.OSDs)
		}
	}
	for _, group := range groups {
		var shares float64
		for _, o := range group {
			if o.In {
				shares += o.share
			}
		}
		for _, o := range group {
			if o.In && shares > 0 {
				used := raw/float64(len(groups))*o.share/shares + bluefs*float64(o.Bytes)
				u.OSDUsed[o.Number] = int64(min(used, 0.98*float64(o.Bytes)))
			}
		}
	}
}

// ruleAvailable is what a rule over all OSDs can still take, raw: the least
// over the OSDs of (available − what the full ratio keeps) ÷ the OSD's share of
// the weight (ceph/ceph:src/mon/PGMap.cc, get_rule_avail).
func (c *Cluster) ruleAvailable(used []int64) float64 {
	var weight float64
	for _, o := range c.OSDs {
		if o.In {
			weight += float64(o.Bytes)
		}
	}
	least := math.Inf(1)
	for _, o := range c.OSDs {
		if !o.In {
			continue
		}
		free := float64(o.Bytes-used[o.Number]) - float64(o.Bytes)*(1-FullRatio)
		least = min(least, max(0, free)/(float64(o.Bytes)/weight))
	}
	if math.IsInf(least, 1) {
		return 0
	}
	return least
}
