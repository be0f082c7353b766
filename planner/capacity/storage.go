package capacity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"mcloud"
)

// OSD and CephPool are the objects with their ids and names.
type OSD struct {
	ID string
	mcloud.OSD
}

// CephPool is a pool; Name is the pool's own, without the cluster.
type CephPool struct {
	ID, Name string
	mcloud.CephPool
}

// PoolUse is what `ceph df detail` says of a pool, in logical bytes.
type PoolUse struct{ Stored, MaxAvail float64 }

// Storage is everything TierOf needs of one instant.
type Storage struct {
	Clusters map[string]mcloud.CephCluster // by configured name
	OSDs     []OSD
	Pools    []CephPool
	// Use is by CephPool.ID; a pool without an entry is unknown, not empty.
	Use map[string]PoolUse
	// Avail is what is free on each OSD, by OSD.ID, in bytes; an OSD without an entry is
	// unknown. Without it MAX AVAIL is taken as Ceph tells it.
	Avail map[string]float64
	// ProvisionedGiB is the size of all Cinder volumes by volume type.
	ProvisionedGiB map[string]int64
	// ByProject is the same and the snapshots, by volume type and project id.
	ByProject map[string]map[string]ProjectSum

	// measured are the OSDs that Use was measured on, where OSDs are others: see On.
	measured []OSD
}

// On is s as it would be on other OSDs once Ceph had spread its data over them: they
// fill as unevenly as those that are there now.
func (s Storage) On(osds []OSD) Storage {
	if s.measured == nil {
		s.measured = s.OSDs
	}
	s.OSDs = osds
	return s
}

// TierSum is what a tier holds and may hold. Bytes are logical (after copies)
// unless the name says raw.
type TierSum struct {
	Tier  string   `json:"tier"`
	Pools []string `json:"pools"`
	OSDs  int      `json:"osds"` // in, of the tier's rules
	Down  int      `json:"osds_down,omitempty"`
	// RawBytes is the size of those OSDs; Copies the raw bytes a logical one takes.
	RawBytes float64 `json:"raw_bytes"`
	Copies   float64 `json:"copies"`
	// StoredBytes is what is kept now; Known is false when Ceph did not say.
	StoredBytes float64 `json:"stored_bytes"`
	Known       bool    `json:"known"`
	// ProvisionedBytes is what the volumes of the tier's types may grow to.
	ProvisionedBytes float64 `json:"provisioned_bytes"`
	// OtherRawBytes is taken on the same OSDs by pools outside the tier.
	OtherRawBytes float64 `json:"other_raw_bytes,omitempty"`
	// FullBytes is stored + MAX AVAIL: where writes stop.
	FullBytes float64 `json:"full_bytes"`
	// LineBytes is what is stored when the fullest OSD reaches LimitRatio.
	LineBytes  float64 `json:"line_bytes"`
	LimitRatio float64 `json:"limit_ratio"`
	// SurvivableBytes can be kept with all copies after the loss of LostDomain;
	// zero when no reserve is asked for or it cannot be computed.
	SurvivableBytes float64 `json:"survivable_bytes,omitempty"`
	LostDomain      string  `json:"lost_domain,omitempty"` // "host ceph-3"
	// LimitBytes is the smaller of the two: what a plan may fill.
	LimitBytes  float64 `json:"limit_bytes"`
	LimitReason string  `json:"limit_reason"`
	// Balance is how much of the OSDs can be used before the fullest one is
	// full, 0 to 1; the rest is lost to uneven filling.
	Balance float64 `json:"balance"`
	// BalanceGainBytes is by how much LimitBytes would rise if all OSDs filled alike: the
	// most that a balancer can gain.
	BalanceGainBytes float64 `json:"balance_gain_bytes,omitempty"`
	// OverSubscription is ProvisionedBytes / LimitBytes: above 1, thin volumes promise
	// more than the tier can hold. WrittenRatio is the part of them that is stored.
	OverSubscription float64 `json:"over_subscription,omitempty"`
	WrittenRatio     float64 `json:"written_ratio,omitempty"`
	// SnapshotBytes is what Cinder's snapshots of the tier's volumes hold at most: the
	// size that their volumes had. It is part of StoredBytes as far as it is written.
	SnapshotBytes float64 `json:"snapshot_bytes,omitempty"`
	// Projects are what the volumes of each project may grow to and its snapshots may
	// hold, by project id.
	Projects map[string]ProjectSum `json:"projects,omitempty"`
	// Rooms are what may still be written to each pool.
	Rooms []PoolRoom `json:"rooms,omitempty"`
	// Losses are what dies worst, by type of failure domain.
	Losses   []Loss   `json:"losses,omitempty"`
	Problems []string `json:"problems,omitempty"`
	// UnitBytes is what one Unit adds to LimitBytes.
	UnitBytes float64 `json:"unit_bytes,omitempty"`
}

// ProjectSum is a project's part of a tier.
type ProjectSum struct {
	ProvisionedBytes float64 `json:"provisioned_bytes"`
	SnapshotBytes    float64 `json:"snapshot_bytes,omitempty"`
	Volumes          int     `json:"volumes"`
	Snapshots        int     `json:"snapshots,omitempty"`
}

// Ceph's default ratios, for clusters that did not tell theirs.
// Source: ceph/src/common/options, mon_osd_{nearfull,backfillfull,full}_ratio.
const (
	defaultNearfull     = 0.85
	defaultBackfillfull = 0.90
	defaultFull         = 0.95
)

// TierOf sums a tier. The formulas follow ceph/src/mon/PGMap.cc,
// get_rule_avail and dump_object_stat_sum: a pool's MAX AVAIL is what may still
// be written before the fullest OSD of its rule reaches the full ratio, divided
// by its copies. So stored × copies of all pools on the OSDs + MAX AVAIL ×
// copies is the raw content at the full ratio, and × limit/full at another
// line. Pools on the same OSDs have the same room: it is counted once.
//
// The loss of a failure domain is a first estimate from the sizes of the OSDs:
// what can be placed on the others (see placeable) × backfillfull ratio ×
// Balance.
func TierOf(t Tier, s Storage) TierSum {
	sum := TierSum{Tier: t.Name, Known: true, Balance: 1}
	bySet := map[osdSet][]CephPool{}
	for _, ref := range t.Pools {
		sum.Pools = append(sum.Pools, ref.String())
		pool, ok := findPool(s.Pools, ref)
		if !ok {
			sum.problem("pool %s is not known: check the tier's pools and that the exporter of cluster %s works", ref, ref.Cluster)
			sum.Known = false
			continue
		}
		bySet[setOf(pool.CephPool)] = append(bySet[setOf(pool.CephPool)], pool)
	}
	for _, name := range t.VolumeTypes {
		sum.ProvisionedBytes += float64(s.ProvisionedGiB[name]) * (1 << 30)
	}
	sum.projects(t, s)
	var copied, weight, fullRaw, couldBeRaw float64
	for _, set := range slices.SortedFunc(maps.Keys(bySet), func(a, b osdSet) int {
		return cmp.Or(cmp.Compare(a.cluster, b.cluster), cmp.Compare(a.root, b.root), cmp.Compare(a.class, b.class))
	}) {
		part := sumSet(t, s, set, bySet[set], &sum)
		copied += part.copies * part.rawBytes
		weight += part.rawBytes
		fullRaw += part.balance * part.rawBytes
		couldBeRaw += part.rawBytes
	}
	if weight > 0 {
		sum.Copies = copied / weight
		sum.Balance = fullRaw / couldBeRaw
	}
	sum.LimitBytes, sum.LimitReason = sum.LineBytes, "nothing that is known"
	if sum.LineBytes > 0 {
		sum.LimitReason = fmt.Sprintf("the fullest OSD at %g %%", round(sum.LimitRatio*100))
	}
	if sum.LostDomain != "" && sum.SurvivableBytes < sum.LineBytes {
		sum.LimitBytes, sum.LimitReason = sum.SurvivableBytes, "the loss of "+sum.LostDomain
	}
	if sum.Balance > 0 {
		sum.BalanceGainBytes = sum.LimitBytes * (1/sum.Balance - 1)
	}
	if sum.LimitBytes > 0 {
		sum.OverSubscription = sum.ProvisionedBytes / sum.LimitBytes
	}
	if sum.ProvisionedBytes > 0 && sum.Known {
		sum.WrittenRatio = sum.StoredBytes / sum.ProvisionedBytes
	}
	if t.Unit.RawBytes > 0 && sum.Copies > 0 {
		sum.UnitBytes = float64(t.Unit.RawBytes) * sum.LimitRatio * sum.Balance / sum.Copies
	}
	return sum
}

// projects adds up what the projects have on the tier.
func (s *TierSum) projects(t Tier, from Storage) {
	for _, name := range t.VolumeTypes {
		for project, p := range from.ByProject[name] {
			if s.Projects == nil {
				s.Projects = map[string]ProjectSum{}
			}
			have := s.Projects[project]
			have.ProvisionedBytes += p.ProvisionedBytes
			have.SnapshotBytes += p.SnapshotBytes
			have.Volumes += p.Volumes
			have.Snapshots += p.Snapshots
			s.Projects[project] = have
			s.SnapshotBytes += p.SnapshotBytes
		}
	}
}

// setSum is what TierOf averages over OSD sets.
type setSum struct{ rawBytes, copies, balance float64 }

// sumSet adds the tier's pools on one set of OSDs to sum.
func sumSet(t Tier, s Storage, set osdSet, pools []CephPool, sum *TierSum) setSum {
	ratios := s.ratios(set.cluster)
	nearfull, backfillfull, full := ratios.nearfull, ratios.backfillfull, ratios.full
	limit := cmp.Or(t.Limit, nearfull)
	sum.LimitRatio = max(sum.LimitRatio, limit)

	osds := set.members(s.OSDs)
	part := setSum{rawBytes: rawBytes(osds), balance: 1}
	sum.OSDs += len(osds)
	sum.RawBytes += part.rawBytes
	for _, o := range osds {
		sum.Down += boolInt(!o.Up)
	}
	if len(osds) == 0 {
		sum.problem("cluster %s tells of no OSD with root %q and device class %q: the loss of a host is not computed", set.cluster, set.root, set.class)
	}

	were, of := osds, s
	if s.measured != nil {
		were, of.OSDs = set.members(s.measured), s.measured
	}
	use, known := of.useOf(pools, sum)
	part.copies = use.copies
	sum.StoredBytes += use.stored
	ideal := idealBytes(osds, pools) // of logical bytes, OSDs filled to the brim
	others := othersRaw(set, were, pools, of)
	sum.OtherRawBytes += others
	var lineRaw, fullRaw float64
	if known {
		fullRaw = use.raw + others + use.availRaw
		if before := idealBytes(were, pools); s.measured != nil && before > 0 {
			fullRaw *= ideal / before
		}
		lineRaw = fullRaw * limit / full
		if brim := ideal * use.copies; brim > 0 {
			part.balance = min(1, fullRaw/(brim*full))
			// MAX AVAIL cannot exceed what the failure domains can hold.
			if fullRaw > brim*full*1.05 {
				sum.problem("cluster %s: MAX AVAIL is above what its failure domains can hold (a rule with several take steps?): computed from the OSDs instead", set.cluster)
				fullRaw, lineRaw = brim*full, brim*limit
			}
		}
	} else {
		sum.Known = false
		sum.problem("no ceph_pool_stored or ceph_pool_max_avail for all pools of %s in cluster %s: room is estimated from the sizes of its OSDs", t.Name, set.cluster)
		fullRaw, lineRaw = ideal*use.copies*full, ideal*use.copies*limit
	}
	sum.FullBytes += max(0, fullRaw-others) / use.copies
	sum.LineBytes += max(0, lineRaw-others) / use.copies

	if t.Reserve == "" {
		return part
	}
	name, _, ok := largestDomain(osds, t.Reserve)
	if !ok {
		if len(osds) > 0 {
			sum.problem("cluster %s has fewer than two buckets of type %s: their loss is not computed", set.cluster, t.Reserve)
		}
		sum.SurvivableBytes += max(0, lineRaw-others) / use.copies
		return part
	}
	left := idealBytes(without(osds, t.Reserve, name), pools) * use.copies * backfillfull * part.balance
	sum.SurvivableBytes += max(0, left-others) / use.copies
	if sum.LostDomain != "" {
		sum.LostDomain += " and "
	}
	sum.LostDomain += t.Reserve + " " + name
	return part
}

// poolsUse is what pools on the same OSDs take together.
type poolsUse struct{ stored, raw, availRaw, copies float64 }

// useOf sums pools that share their OSDs: the room is counted once, as the
// least that any of them is told. known is false when one of them said nothing.
func (s Storage) useOf(pools []CephPool, tell *TierSum) (sum poolsUse, known bool) {
	known = true
	first := true
	var plain float64
	for _, p := range pools {
		plain += copies(p.CephPool) / float64(len(pools))
		u, ok, why := s.believed(p)
		if !ok {
			known = false
			continue
		}
		if why != "" {
			tell.problem("pool %s: Ceph's MAX AVAIL of %.3g TiB is wrong, because %s: %.3g TiB computed from its OSDs count instead", p.ID, s.Use[p.ID].MaxAvail/(1<<40), why, u.MaxAvail/(1<<40))
		}
		sum.stored += u.Stored
		sum.raw += u.Stored * copies(p.CephPool)
		if avail := u.MaxAvail * copies(p.CephPool); first || avail < sum.availRaw {
			sum.availRaw, first = avail, false
		}
	}
	sum.copies = plain
	if sum.stored > 0 {
		sum.copies = sum.raw / sum.stored
	}
	return sum, known
}

// idealBytes is the mean of placeable over the pools: they share the OSDs.
func idealBytes(osds []OSD, pools []CephPool) float64 {
	var sum float64
	for _, p := range pools {
		sum += placeable(osds, p.CephPool) / float64(len(pools))
	}
	return sum
}

// othersRaw is what pools outside the tier keep on its OSDs, by their share of
// the bytes of the OSDs they live on.
func othersRaw(set osdSet, osds []OSD, mine []CephPool, s Storage) float64 {
	var sum float64
	// Surely the same OSDs, even where no object tells of any.
	part := map[osdSet]float64{set: 1}
	for _, p := range s.Pools {
		if p.Cluster != set.cluster || slices.ContainsFunc(mine, func(m CephPool) bool { return m.ID == p.ID }) {
			continue
		}
		theirs := setOf(p.CephPool)
		share, known := part[theirs]
		if !known {
			if all := rawBytes(theirs.members(s.OSDs)); all > 0 {
				share = rawBytes(theirs.members(osds)) / all
			}
			part[theirs] = share
		}
		sum += s.Use[p.ID].Stored * copies(p.CephPool) * share
	}
	return sum
}

func findPool(pools []CephPool, ref PoolRef) (CephPool, bool) {
	for _, p := range pools {
		if p.Cluster == ref.Cluster && p.Name == ref.Pool {
			return p, true
		}
	}
	return CephPool{}, false
}

func (s *TierSum) problem(format string, args ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
}

func round(x float64) float64 {
	y, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'f', 2, 64), 64)
	return y
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
