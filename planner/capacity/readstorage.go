package capacity

import (
	"cmp"
	"encoding/json"
	"strings"

	"mcloud"
)

// ReadStorage decodes the Ceph clusters, OSDs, pools, Cinder volumes and
// snapshots among objects; Use and Avail stay empty. An object that cannot be decoded is named and left
// out.
func ReadStorage(objects []mcloud.Object) (Storage, []Problem) {
	s := Storage{Clusters: map[string]mcloud.CephCluster{}, Use: map[string]PoolUse{}, ProvisionedGiB: map[string]int64{}, ByProject: map[string]map[string]ProjectSum{}}
	var problems []Problem
	types := map[string]string{} // of volumes, by id
	add := func(volumeType, project string, change func(*ProjectSum)) {
		if s.ByProject[volumeType] == nil {
			s.ByProject[volumeType] = map[string]ProjectSum{}
		}
		p := s.ByProject[volumeType][project]
		change(&p)
		s.ByProject[volumeType][project] = p
	}
	for _, o := range objects {
		var err error
		switch o.Kind {
		case mcloud.KindCephCluster:
			var c mcloud.CephCluster
			if err = json.Unmarshal(o.Attributes, &c); err == nil {
				s.Clusters[o.ID] = c
			}
		case mcloud.KindOSD:
			d := OSD{ID: o.ID}
			if err = json.Unmarshal(o.Attributes, &d.OSD); err == nil {
				s.OSDs = append(s.OSDs, d)
			}
		case mcloud.KindCephPool:
			p := CephPool{ID: o.ID}
			if err = json.Unmarshal(o.Attributes, &p.CephPool); err == nil {
				p.Name = strings.TrimPrefix(cmp.Or(o.Name, o.ID), p.Cluster+"/")
				s.Pools = append(s.Pools, p)
			}
		case mcloud.KindVolume:
			var v mcloud.Volume
			if err = json.Unmarshal(o.Attributes, &v); err == nil {
				s.ProvisionedGiB[v.Type] += v.SizeGiB
				types[o.ID] = v.Type
				add(v.Type, o.Project, func(p *ProjectSum) {
					p.ProvisionedBytes += float64(v.SizeGiB) * (1 << 30)
					p.Volumes++
				})
			}
		}
		if err != nil {
			problems = append(problems, Problem{string(o.Kind) + " " + cmp.Or(o.Name, o.ID), "attributes cannot be read: " + err.Error()})
		}
	}
	for _, o := range objects { // now that the volumes' types are known
		if o.Kind != mcloud.KindVolumeSnapshot {
			continue
		}
		var snapshot mcloud.VolumeSnapshot
		if err := json.Unmarshal(o.Attributes, &snapshot); err != nil {
			problems = append(problems, Problem{string(o.Kind) + " " + cmp.Or(o.Name, o.ID), "attributes cannot be read: " + err.Error()})
			continue
		}
		if volumeType, ok := types[o.Parent]; ok {
			add(volumeType, o.Project, func(p *ProjectSum) {
				p.SnapshotBytes += float64(snapshot.SizeGiB) * (1 << 30)
				p.Snapshots++
			})
		}
	}
	return s, problems
}
