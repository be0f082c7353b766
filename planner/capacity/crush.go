package capacity

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"mcloud"
)

// domainOf returns how an OSD names its bucket of a CRUSH type; nil for a type
// that OSD objects do not carry.
func domainOf(bucketType string) func(mcloud.OSD) string {
	switch bucketType {
	case "host":
		return func(o mcloud.OSD) string { return o.Host }
	case "rack":
		return func(o mcloud.OSD) string { return cmp.Or(o.Rack, o.Host) }
	case "datacenter":
		return func(o mcloud.OSD) string { return cmp.Or(o.Datacenter, o.Rack, o.Host) }
	}
	return nil
}

// osdSet is the OSDs that a rule of one root and device class draws from: those
// in, because only they hold data.
//
// root is the bucket of the take step, and may be one below a root. Of a rule with
// several take steps root and class have a line for each.
type osdSet struct{ cluster, root, class string }

func setOf(p mcloud.CephPool) osdSet {
	if len(p.Takes) == 0 {
		return osdSet{p.Cluster, p.Root, p.DeviceClass}
	}
	roots, classes := make([]string, len(p.Takes)), make([]string, len(p.Takes))
	for i, t := range p.Takes {
		roots[i], classes[i] = t.Bucket, t.DeviceClass
	}
	return osdSet{p.Cluster, strings.Join(roots, "\n"), strings.Join(classes, "\n")}
}

// has says whether o is in and below the set's take steps.
func (s osdSet) has(o *mcloud.OSD) bool { return o.In && o.Reweight > 0 && s.below(o) }

// below says whether CRUSH's tree has o below one of the set's take steps.
func (s osdSet) below(o *mcloud.OSD) bool {
	if o.Cluster != s.cluster {
		return false
	}
	if !strings.Contains(s.root, "\n") {
		return under(o, s.root, s.class)
	}
	classes := strings.Split(s.class, "\n")
	for i, root := range strings.Split(s.root, "\n") {
		if under(o, root, classes[i]) {
			return true
		}
	}
	return false
}

// under says whether o lies below bucket, "" being any, and is of class.
func under(o *mcloud.OSD, bucket, class string) bool {
	in := bucket == "" || bucket == o.Root || bucket == o.Datacenter || bucket == o.Rack || bucket == o.Host
	return in && (class == "" || class == o.DeviceClass)
}

func (s osdSet) members(osds []OSD) []OSD {
	n := 0
	for i := range osds {
		n += boolInt(s.has(&osds[i].OSD))
	}
	in := make([]OSD, 0, n)
	for i := range osds {
		if s.has(&osds[i].OSD) {
			in = append(in, osds[i])
		}
	}
	return in
}

func rawBytes(osds []OSD) float64 {
	var sum float64
	for _, o := range osds {
		sum += float64(o.TotalBytes)
	}
	return sum
}

// largestDomain finds the bucket of the type with the most bytes. ok is false
// when the type is unknown or there is only one bucket, whose loss nothing
// survives.
func largestDomain(osds []OSD, bucketType string) (name string, bytes float64, ok bool) {
	in := domainOf(bucketType)
	if in == nil {
		return "", 0, false
	}
	sum := map[string]float64{}
	for _, o := range osds {
		sum[in(o.OSD)] += float64(o.TotalBytes)
	}
	if len(sum) < 2 {
		return "", 0, false
	}
	for _, bucket := range slices.Sorted(maps.Keys(sum)) {
		if sum[bucket] > bytes {
			name, bytes = bucket, sum[bucket]
		}
	}
	return name, bytes, true
}

// without leaves out the OSDs of one bucket.
func without(osds []OSD, bucketType, name string) []OSD {
	in := domainOf(bucketType)
	var rest []OSD
	for _, o := range osds {
		if in(o.OSD) != name {
			rest = append(rest, o)
		}
	}
	return rest
}

// placeable is the most logical bytes that fit on osds when every OSD may be
// filled to its last byte and the shards of an object (size copies, or k+m
// chunks) lie in different buckets of the failure domain: the largest L with
// Σ min(domain, L/k) ≥ shards × L/k, by the pigeonhole principle. When fewer
// buckets are left than shards, the missing shards cannot be made again and
// take no room. With three equal datacentres and three copies it is one
// datacentre's bytes, with unequal ones the smallest datacentre's: what Ceph's
// MAX AVAIL misses for rules of several `take` steps (tracker 56650).
//
// Of a rule with several take steps it is the least that any of them holds of its part.
func placeable(osds []OSD, p mcloud.CephPool) float64 {
	if len(p.Takes) > 1 {
		least := math.Inf(1)
		for _, t := range p.Takes {
			part := p
			part.Takes, part.Root, part.DeviceClass, part.FailureDomain, part.Size = nil, t.Bucket, t.DeviceClass, t.FailureDomain, t.Copies
			in := setOf(part).members(osds)
			if len(in) == 0 {
				continue // it is gone: its copies cannot be made again and take no room
			}
			least = min(least, placeable(in, part))
		}
		if math.IsInf(least, 1) {
			return 0
		}
		return least
	}
	domain := domainOf(p.FailureDomain)
	if domain == nil { // "osd", or a type that is not known here
		domain = func(o mcloud.OSD) string { return cmp.Or(o.Cluster, "") + "/" + itoa(o.Number) }
	}
	sum := map[string]float64{}
	for _, o := range osds {
		sum[domain(o.OSD)] += float64(o.TotalBytes)
	}
	shards := min(int(p.Size), len(sum))
	if shards <= 0 {
		return 0
	}
	sizes := slices.Sorted(maps.Values(sum)) // ascending
	// Let x = L/k. The domains above x count x each, the others themselves. Walk
	// down from the largest: with j domains capped at x, Σ rest = (shards − j)·x.
	rest := 0.0
	for _, s := range sizes {
		rest += s
	}
	x := rest / float64(shards)
	for j := 1; j < shards; j++ {
		largest := sizes[len(sizes)-j]
		if x <= largest {
			rest -= largest
			x = rest / float64(shards-j)
		}
	}
	return x * float64(dataChunks(p))
}

// dataChunks is k of an erasure-coded pool and 1 of a replicated one.
func dataChunks(p mcloud.CephPool) int64 {
	if p.Type == "erasure" && p.DataChunks > 0 {
		return p.DataChunks
	}
	return 1
}

// copies is raw bytes per logical byte: size, or (k+m)/k.
// Source: ceph/src/mon/PGMap.cc, pool_raw_used_rate.
func copies(p mcloud.CephPool) float64 {
	return float64(max(1, p.Size)) / float64(dataChunks(p))
}
