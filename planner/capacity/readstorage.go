package capacity

import (
	"cmp"
	"encoding/json"
	"strings"

	"mcloud"
)

// ReadStorage decodes the Ceph clusters, OSDs, pools and Cinder volumes among
// objects; Use stays empty. An object that cannot be decoded is named and left
// out.
func ReadStorage(objects []mcloud.Object) (Storage, []Problem) {
	s := Storage{Clusters: map[string]mcloud.CephCluster{}, Use: map[string]PoolUse{}, ProvisionedGiB: map[string]int64{}}
	var problems []Problem
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
			}
		}
		if err != nil {
			problems = append(problems, Problem{string(o.Kind) + " " + cmp.Or(o.Name, o.ID), "attributes cannot be read: " + err.Error()})
		}
	}
	return s, problems
}
