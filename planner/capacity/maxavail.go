package capacity

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"mcloud"
)

// take is one take step of a pool's rule, with the OSDs below its bucket.
type take struct {
	mcloud.CrushTake
	osds []OSD // in
}

// takesOf are the take steps of p's rule.
func takesOf(p CephPool, osds []OSD) []take {
	steps := p.Takes
	if len(steps) == 0 {
		steps = []mcloud.CrushTake{{Bucket: p.Root, DeviceClass: p.DeviceClass, FailureDomain: p.FailureDomain, Copies: p.Size}}
	}
	all := make([]take, len(steps))
	for i, s := range steps {
		set := osdSet{p.Cluster, s.Bucket, s.DeviceClass}
		all[i] = take{s, set.members(osds)}
	}
	return all
}

// MaxAvail is what Ceph itself calls MAX AVAIL of a pool, from what is free on each OSD
// (Storage.Avail): the least of max(0, avail − total × (1 − full ratio)) / weight over
// the OSDs of the rule, divided by copies. weight is the OSD's share of the CRUSH weight
// below its take step; those of several take steps are added up and not divided by their
// number, for which the answer is too small by that factor (tracker 56650): Room is not.
// ok is false when some OSD's free space is not known.
//
// While copies are missing Ceph divides by fewer of them: degraded is the share of all
// copies that is, 0 in a healthy cluster.
// Source: ceph/src/mon/PGMap.cc, get_rule_avail and dump_object_stat_sum;
// ceph/src/crush/CrushWrapper.cc, get_rule_weight_osd_map.
func (s Storage) MaxAvail(p CephPool, degraded float64) (bytes float64, ok bool) {
	full := s.ratios(p.Cluster).full
	weights, byID := map[string]float64{}, map[string]OSD{}
	for _, t := range takesOf(p, s.OSDs) {
		var sum float64
		for _, o := range t.osds {
			sum += o.CrushWeight
		}
		// OSDs that are out keep their weight in CRUSH's tree.
		set := osdSet{p.Cluster, t.Bucket, t.DeviceClass}
		for _, o := range s.OSDs {
			if set.below(&o.OSD) && !set.has(&o.OSD) {
				sum += o.CrushWeight
			}
		}
		for _, o := range t.osds {
			if o.CrushWeight > 0 && o.TotalBytes > 0 {
				weights[o.ID] += o.CrushWeight / sum
				byID[o.ID] = o
			}
		}
	}
	least := math.Inf(1)
	for id, w := range weights {
		avail, known := s.Avail[id]
		if !known {
			return 0, false
		}
		least = min(least, fillable(byID[id], avail, full)/w)
	}
	if math.IsInf(least, 1) {
		return 0, false
	}
	if degraded >= 1 {
		return 0, true
	}
	return least / (copies(p.CephPool) * (1 - degraded)), true
}

// fillable is what may be written to an OSD before it has reached ratio.
func fillable(o OSD, avail, ratio float64) float64 {
	return max(0, avail-float64(o.TotalBytes)*(1-ratio))
}

// Room is what may be written to a pool before an OSD reaches ratio, each take step and
// each failure domain for itself: what MAX AVAIL means to say. Of each object a domain
// gets one copy where its weight asks for that much or more, as each datacentre of three
// does with three copies, and else its share by weight. ok is false when some OSD's
// free space is not known.
func (s Storage) Room(p CephPool, ratio float64) (bytes float64, ok bool) {
	least := math.Inf(1)
	for _, t := range takesOf(p, s.OSDs) {
		for i, share := range shares(t, p) {
			if share == 0 {
				continue
			}
			avail, known := s.Avail[t.osds[i].ID]
			if !known {
				return 0, false
			}
			least = min(least, fillable(t.osds[i], avail, ratio)/share)
		}
	}
	if math.IsInf(least, 1) {
		return 0, false
	}
	return least, true
}

// shares are the bytes that land on each of t.osds for one logical byte. A domain of
// weight W gets min(1, λ·W) copies, λ such that all copies have a place: CRUSH's
// expectation when two copies never share a domain.
func shares(t take, p CephPool) []float64 {
	domain := domainOf(t.FailureDomain)
	if domain == nil {
		domain = func(o mcloud.OSD) string { return itoa(o.Number) }
	}
	weight := map[string]float64{}
	for _, o := range t.osds {
		if o.TotalBytes > 0 && o.CrushWeight > 0 {
			weight[domain(o.OSD)] += o.CrushWeight
		}
	}
	placed := copiesPlaced(slices.Sorted(maps.Values(weight)), int(t.Copies))
	all := make([]float64, len(t.osds))
	for i, o := range t.osds {
		if o.TotalBytes > 0 && o.CrushWeight > 0 {
			w := weight[domain(o.OSD)]
			all[i] = min(1, placed*w) * o.CrushWeight / w / float64(dataChunks(p.CephPool))
		}
	}
	return all
}

// copiesPlaced is λ with Σ min(1, λ·W) = copies over ascending weights; +Inf when there
// are no more domains than copies, so that each gets one.
func copiesPlaced(weights []float64, copies int) float64 {
	if len(weights) <= copies {
		return math.Inf(1)
	}
	var rest float64
	for _, w := range weights {
		rest += w
	}
	for full := range copies {
		largest := weights[len(weights)-1-full]
		lambda := float64(copies-full) / rest
		if lambda*largest <= 1 {
			return lambda
		}
		rest -= largest
	}
	return math.Inf(1)
}

// ratioSet are a cluster's ratios, with Ceph's defaults for what it did not tell.
type ratioSet struct{ nearfull, backfillfull, full float64 }

func (s Storage) ratios(cluster string) ratioSet {
	c := s.Clusters[cluster]
	return ratioSet{cmp.Or(c.NearfullRatio, defaultNearfull), cmp.Or(c.BackfillfullRatio, defaultBackfillfull), cmp.Or(c.FullRatio, defaultFull)}
}

// believed is what of a pool's use TierOf counts with: Ceph's own MAX AVAIL, unless what
// is free on the OSDs shows that it is wrong. why says so then.
func (s Storage) believed(p CephPool) (u PoolUse, known bool, why string) {
	if u, known = s.Use[p.ID]; !known {
		return u, false, ""
	}
	room, ok := s.Room(p, s.ratios(p.Cluster).full)
	switch {
	case !ok:
	case len(p.Takes) > 1:
		u.MaxAvail, why = room, "its rule has several take steps"
	case room < u.MaxAvail*0.95:
		// A domain must hold a copy of everything, whatever its weight.
		why = "its failure domains are of different sizes"
		if healthy, ok := s.MaxAvail(p, 0); ok && healthy < u.MaxAvail*0.95 {
			why = "copies are missing, and it counts as if they stayed so"
		}
		u.MaxAvail = room
	}
	return u, known, why
}

// Level is how full a pool's OSDs are foreseen to be when the pool holds stored logical
// bytes more: the utilisation of the fullest, 0 to 1. ok is false when some OSD's free
// space is not known.
func (s Storage) Level(p CephPool, more float64) (fullest float64, ok bool) {
	for _, t := range takesOf(p, s.OSDs) {
		for i, share := range shares(t, p) {
			if share == 0 {
				continue
			}
			avail, known := s.Avail[t.osds[i].ID]
			if !known {
				return 0, false
			}
			total := float64(t.osds[i].TotalBytes)
			fullest = max(fullest, (total-avail+more*share)/total)
			ok = true
		}
	}
	return fullest, ok
}

// Loss is what a tier can still hold when a failure domain dies now and never comes
// back.
type Loss struct {
	Type string `json:"type"` // "host", "rack", "datacenter"
	Name string `json:"name"`
	// RawBytes is the size of its OSDs, Share that of the tier's.
	RawBytes float64 `json:"raw_bytes"`
	Share    float64 `json:"share"`
	// SurvivableBytes can be kept with all copies that there is a place for, and no OSD
	// above the backfillfull ratio: where it is reached, the loss can no longer be made
	// good. Copies is how many there will be a place for, of the pool with the fewest.
	SurvivableBytes float64 `json:"survivable_bytes"`
	Copies          int64   `json:"copies"`
	// SpareBytes is SurvivableBytes without what is stored; below zero it does not fit.
	SpareBytes float64 `json:"spare_bytes"`
}

// LossOf says what the loss of one failure domain does to a tier. ok is false when the
// tier has no OSD there, or nowhere else.
func LossOf(t Tier, s Storage, bucketType, name string) (l Loss, ok bool) {
	in := domainOf(bucketType)
	if in == nil {
		return l, false
	}
	osds := t.OSDs(s)
	var rest []OSD
	l = Loss{Type: bucketType, Name: name}
	for _, o := range osds {
		if in(o.OSD) == name {
			l.RawBytes += float64(o.TotalBytes)
		} else {
			rest = append(rest, o)
		}
	}
	if l.RawBytes == 0 || len(rest) == 0 {
		return l, false
	}
	l.Share = l.RawBytes / rawBytes(osds)
	others := slices.DeleteFunc(slices.Clone(s.OSDs), func(o OSD) bool { // of other tiers too
		return in(o.OSD) == name && slices.ContainsFunc(t.Pools, func(ref PoolRef) bool { return ref.Cluster == o.Cluster })
	})
	alone := t
	alone.Reserve, alone.Limit = "", 0
	sum := TierOf(alone, s.On(others))
	l.Copies = -1
	backfillfull, nearfull := 1.0, 1.0
	for _, ref := range t.Pools {
		pool, found := findPool(s.Pools, ref)
		if !found {
			return l, false
		}
		ratios := s.ratios(ref.Cluster)
		backfillfull, nearfull = min(backfillfull, ratios.backfillfull), min(nearfull, ratios.nearfull)
		if n := placesFor(pool, rest); l.Copies < 0 || n < l.Copies {
			l.Copies = n
		}
	}
	l.SurvivableBytes = sum.LineBytes * backfillfull / nearfull
	l.SpareBytes = l.SurvivableBytes - sum.StoredBytes
	return l, true
}

// MaxAvailAfter is what Ceph will call MAX AVAIL of p once a failure domain is gone and
// its copies are made again where there is a place for them: the others fill up by those,
// what has no place stays missing, and the OSDs that are out keep their CRUSH weight.
// ok is false when some OSD's free space or what some pool of the cluster stores is not
// known.
func (s Storage) MaxAvailAfter(p CephPool, bucketType, name string) (bytes float64, ok bool) {
	after, ok := s.after(p.Cluster, bucketType, name)
	if !ok {
		return 0, false
	}
	return after.maxAvailMissing(p)
}

// after is s with one failure domain of a cluster gone and its copies made again.
func (s Storage) after(cluster, bucketType, name string) (after Storage, ok bool) {
	in := domainOf(bucketType)
	if in == nil {
		return s, false
	}
	after = s
	after.OSDs, after.Avail = slices.Clone(s.OSDs), maps.Clone(s.Avail)
	for i, o := range after.OSDs {
		if o.Cluster == cluster && in(o.OSD) == name {
			after.OSDs[i].In, after.OSDs[i].Reweight = false, 0
		}
	}
	for _, p := range s.Pools {
		if p.Cluster != cluster {
			continue
		}
		use, known := s.Use[p.ID]
		if !known {
			return s, false
		}
		for _, t := range takesOf(p, s.OSDs) {
			for i, share := range shares(t, p) {
				after.Avail[t.osds[i].ID] += use.Stored * share
			}
		}
		for _, t := range takesOf(p, after.OSDs) {
			for i, share := range shares(t, p) {
				after.Avail[t.osds[i].ID] -= use.Stored * share
			}
		}
	}
	return after, true
}

// maxAvailMissing is MAX AVAIL of a pool some copies of which have no place on s.
func (s Storage) maxAvailMissing(p CephPool) (bytes float64, ok bool) {
	missing := 1 - float64(placesFor(p, s.OSDs))/float64(max(1, p.Size))
	if s.Use[p.ID].Stored == 0 {
		missing = 0 // Ceph counts copies of objects, and there are none
	}
	return s.MaxAvail(p, missing)
}

// placesFor is how many copies or chunks of p's objects have a place on osds.
func placesFor(p CephPool, osds []OSD) int64 {
	var places int64
	for _, t := range takesOf(p, osds) {
		domain := domainOf(t.FailureDomain)
		if domain == nil {
			domain = func(o mcloud.OSD) string { return itoa(o.Number) }
		}
		there := map[string]bool{}
		for _, o := range t.osds {
			there[domain(o.OSD)] = true
		}
		places += min(t.Copies, int64(len(there)))
	}
	return places
}

// candidatesForWorst is how many of the largest domains Losses looks at: what a smaller
// one leaves is more, but for rules that a domain's neighbours decide about.
const candidatesForWorst = 4

// largest are the names with the n greatest sizes, the greatest first.
func largest(sizes map[string]float64, n int) []string {
	names := slices.SortedFunc(maps.Keys(sizes), func(a, b string) int { return cmp.Or(cmp.Compare(sizes[b], sizes[a]), cmp.Compare(a, b)) })
	return names[:min(n, len(names))]
}

// Losses are, for each type of failure domain that the tier has several of, the loss of
// the one that leaves the least.
func Losses(t Tier, s Storage) []Loss {
	var all []Loss
	osds := t.OSDs(s)
	for _, bucketType := range []string{"host", "rack", "datacenter"} {
		in := domainOf(bucketType)
		sizes := map[string]float64{}
		for _, o := range osds {
			// An OSD that is in no rack has its host for one: that is told as a host.
			if named := map[string]string{"host": o.Host, "rack": o.Rack, "datacenter": o.Datacenter}[bucketType]; named != "" {
				sizes[in(o.OSD)] += float64(o.TotalBytes)
			}
		}
		var worst Loss
		for _, name := range largest(sizes, candidatesForWorst) {
			if l, ok := LossOf(t, s, bucketType, name); ok && (worst.Name == "" || l.SurvivableBytes < worst.SurvivableBytes) {
				worst = l
			}
		}
		if worst.Name != "" {
			all = append(all, worst)
		}
	}
	return all
}

// PoolRoom is what may still be written to a pool, by Ceph and by its OSDs. What is not
// known is absent.
type PoolRoom struct {
	Pool        string  `json:"pool"` // "fast/vms"
	StoredBytes float64 `json:"stored_bytes"`
	// ToldBytes is the MAX AVAIL that Ceph tells, MaxAvailBytes the same computed.
	ToldBytes     *float64 `json:"told_max_avail_bytes,omitempty"`
	MaxAvailBytes *float64 `json:"max_avail_bytes,omitempty"`
	// RoomBytes is what MAX AVAIL should say, NearfullBytes what may be written until an
	// OSD is nearly full.
	RoomBytes     *float64 `json:"room_bytes,omitempty"`
	NearfullBytes *float64 `json:"nearfull_bytes,omitempty"`
	// Without is what Ceph will call MAX AVAIL when something is gone: "datacenter dc1".
	Without map[string]float64 `json:"max_avail_without,omitempty"`
}

// mostDatacentres bounds those whose loss Rooms looks at.
const mostDatacentres = 8

// Rooms are those of t's pools, without what losses take and without each datacentre.
func Rooms(t Tier, s Storage, losses []Loss) []PoolRoom {
	var rooms []PoolRoom
	known := func(v float64, ok bool) *float64 {
		if !ok {
			return nil
		}
		return &v
	}
	datacentres := map[string]float64{}
	for _, o := range t.OSDs(s) {
		if o.Datacenter != "" {
			datacentres[o.Datacenter] += float64(o.TotalBytes)
		}
	}
	type lost struct{ cluster, bucketType, name string }
	after := map[lost]*Storage{} // of which several pools ask; nil: not known
	for _, ref := range t.Pools {
		pool, found := findPool(s.Pools, ref)
		if !found {
			continue
		}
		use, told := s.Use[pool.ID]
		ratios := s.ratios(ref.Cluster)
		r := PoolRoom{Pool: ref.String(), StoredBytes: use.Stored, ToldBytes: known(use.MaxAvail, told), MaxAvailBytes: known(s.MaxAvail(pool, 0)),
			RoomBytes: known(s.Room(pool, ratios.full)), NearfullBytes: known(s.Room(pool, ratios.nearfull)), Without: map[string]float64{}}
		without := func(bucketType, name string) {
			key := lost{ref.Cluster, bucketType, name}
			left, asked := after[key]
			if !asked {
				if made, ok := s.after(ref.Cluster, bucketType, name); ok {
					left = &made
				}
				after[key] = left
			}
			if left == nil {
				return
			}
			if v, ok := left.maxAvailMissing(pool); ok {
				r.Without[bucketType+" "+name] = v
			}
		}
		for _, l := range losses {
			without(l.Type, l.Name)
		}
		for _, name := range largest(datacentres, mostDatacentres) {
			without("datacenter", name)
		}
		rooms = append(rooms, r)
	}
	return rooms
}
