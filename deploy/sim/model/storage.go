package model

import (
	"math"
	"slices"
	"time"
)

// Tier is one class of storage: a volume type, its Cinder backend and the Ceph
// cluster behind it.
type Tier struct {
	VolumeType, TypeID, Description string
	Backend                         string // "stor-1@nvme"
	PoolName                        string // after the # in the pool's full name
	MaxOverSubscription             float64
	Cluster                         *Cluster

	story       tierStory
	meanGiB     float64 // of a new volume
	provisioned int64   // GiB of all volumes
	Count       int     // volumes
}

// Volume is a Cinder volume.
type Volume struct {
	ID, Name      string
	Project       *Project
	User          User
	Tier          *Tier
	SizeGiB       int64
	Status        string // available, in-use
	Bootable      bool
	Image         *Image
	Server        *Server
	AttachmentID  string
	Device        string
	AttachedAt    time.Time
	Created       time.Time
	Updated       time.Time
	Deleted       time.Time
	Snapshots     []*Snapshot
	writtenAtLast float64 // the part of it that is written in the end, 0 to 1
}

// Snapshot is a Cinder snapshot.
type Snapshot struct {
	ID, Name string
	Volume   *Volume
	Created  time.Time
}

// Written is the space the volume takes in its pool before replication: thin
// volumes fill within some weeks to the part that their owner uses.
func (v *Volume) Written(at time.Time) float64 {
	days := at.Sub(v.Created).Hours() / 24
	return float64(v.SizeGiB) * (1 << 30) * v.writtenAtLast * (1 - 0.6*math.Exp(-max(days, 0)/20))
}

// PoolFullName is the volume's os-vol-host-attr:host.
func (t *Tier) PoolFullName() string { return t.Backend + "#" + t.PoolName }

// ProvisionedGiB is the sum of the sizes of the tier's volumes.
func (t *Tier) ProvisionedGiB() int64 { return t.provisioned }

// tierStory says how a tier fills: its use of raw space at End, what is added
// a day, and a level shift some time before End.
type tierStory struct {
	used, perDay     float64 // of raw capacity, 0 to 1
	shift, shiftDays float64 // a jump of used, so many days before End
	volumes          float64 // share of all volumes
}

func (s tierStory) at(t, end time.Time) float64 {
	days := t.Sub(end).Hours() / 24
	used := s.used + s.perDay*days
	if days < -s.shiftDays {
		used -= s.shift
	}
	return max(0.02, used)
}

// meanWritten is the part of the provisioned space that is written, on average
// over a population of all ages.
const meanWritten = 0.625

// buildTiers makes the four tiers: nvme crosses 85 % raw 6 to 7 weeks after
// End, within the lead time of hardware; sas10k within the year; geo in more
// than one; sas7k not in sight.
func (w *World) buildTiers() {
	for i, t := range []struct {
		name, cluster, description string
		over                       float64
		layout                     layout
		story                      tierStory
	}{
		{"nvme", "nvme", "NVMe, three copies", 4, layout{class: "nvme", bytes: 7_681_501_126_656, copies: 3, domain: "host"}, tierStory{0.78, 0.0015, 0, 0, 0.35}},
		{"sas10k", "sas10k", "10k SAS, three copies", 2, layout{class: "sas10k", bytes: 2_400_476_553_216, copies: 3, domain: "host"}, tierStory{0.62, 0.0011, 0.03, 60, 0.25}},
		{"sas7k", "sas7k", "7.2k SAS, erasure coded 4+2", 2, layout{class: "sas7k", bytes: 16_000_900_661_248, copies: 1.5, data: 4, coding: 2, domain: "host"}, tierStory{0.35, 0.0003, 0.03, 110, 0.20}},
		{"geo-nvme", "geo", "NVMe, one copy in each of three data centres", 3, layout{class: "nvme", bytes: 7_681_501_126_656, copies: 3, domain: "datacenter"}, tierStory{0.55, 0.0007, 0, 0, 0.20}},
	} {
		tier := &Tier{
			VolumeType: t.name, TypeID: w.uuid(), Description: t.description, Backend: "stor-1@" + t.name, PoolName: t.name,
			MaxOverSubscription: t.over, story: t.story,
		}
		tier.Cluster = w.buildCluster(t.cluster, i, t.layout, tier)
		provisioned := tier.target(w.Config.End, w.Config.End)
		tier.meanGiB = max(1, provisioned/max(1, float64(w.Config.Volumes)*t.story.volumes))
		w.Tiers = append(w.Tiers, tier)
	}
}

// target is how many GiB should be provisioned at t.
func (t *Tier) target(at, end time.Time) float64 {
	c := t.Cluster
	return float64(c.Total()) * t.story.at(at, end) / c.layout.copies / meanWritten / (1 << 30)
}

var volumeSizes = struct{ factor, weight []float64 }{
	[]float64{0.25, 0.5, 1, 2, 4}, []float64{0.20, 0.32, 0.30, 0.12, 0.06},
}

func (w *World) volumeSize(t *Tier) int64 {
	size := t.meanGiB * volumeSizes.factor[w.pick(volumeSizes.weight)]
	if size > 25 {
		return int64(math.Round(size/10) * 10)
	}
	return int64(max(1, math.Round(size)))
}

// CreateVolume makes a volume at w.Now.
func (w *World) CreateVolume(name string, p *Project, u User, t *Tier, sizeGiB int64) *Volume {
	v := &Volume{
		ID: w.uuid(), Name: name, Project: p, User: u, Tier: t, SizeGiB: sizeGiB, Status: "available",
		Created: w.Now, Updated: w.Now, writtenAtLast: 0.35 + 0.6*w.rand.Float64(),
	}
	w.Volumes.add(v.ID, v)
	t.provisioned += sizeGiB
	t.Count++
	w.emit(VolumeCreateEnd, v)
	return v
}

// DeleteVolume detaches a volume if need be and removes it with its snapshots.
func (w *World) DeleteVolume(v *Volume) {
	if v.Status == "deleted" {
		return
	}
	w.detach(v)
	v.Status, v.Deleted, v.Updated = "deleted", w.Now, w.Now
	v.Tier.provisioned -= v.SizeGiB
	v.Tier.Count--
	w.Volumes.remove(v.ID)
	w.emit(VolumeDeleteEnd, v)
}

// ExtendVolume makes a volume larger.
func (w *World) ExtendVolume(v *Volume, sizeGiB int64) {
	if v.Status == "deleted" || sizeGiB <= v.SizeGiB {
		return
	}
	v.Tier.provisioned += sizeGiB - v.SizeGiB
	v.SizeGiB, v.Updated = sizeGiB, w.Now
	w.emit(VolumeResizeEnd, v)
}

func (w *World) attach(v *Volume, s *Server) {
	if v.Server != nil || v.Status != "available" {
		return
	}
	v.Server, v.Status, v.AttachmentID, v.AttachedAt, v.Updated = s, "in-use", w.uuid(), w.Now, w.Now
	v.Device = "/dev/vd" + string(rune('a'+min(len(s.Volumes)+1, 25)))
	if len(s.Volumes) == 0 && s.BootVolume {
		v.Device, v.Bootable = "/dev/vda", true
	}
	s.Volumes = append(s.Volumes, v)
	w.emit(VolumeAttachEnd, v)
}

func (w *World) detach(v *Volume) {
	s := v.Server
	if s == nil {
		return
	}
	s.Volumes = slices.DeleteFunc(s.Volumes, func(x *Volume) bool { return x == v })
	v.Server, v.Status, v.AttachmentID, v.Device, v.Updated = nil, "available", "", "", w.Now
	w.emit(VolumeDetachEnd, v)
}

// Tier returns the tier of a volume type's name or id, or nil.
func (w *World) Tier(ref string) *Tier {
	for _, t := range w.Tiers {
		if t.VolumeType == ref || t.TypeID == ref {
			return t
		}
	}
	return nil
}
