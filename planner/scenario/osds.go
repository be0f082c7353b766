package scenario

import (
	"cmp"
	"fmt"
	"slices"

	"mcloud/planner/capacity"
)

// tierOSDs are the OSDs of the tier that c names, of its cluster when it names one.
// All must be of one cluster.
func (s *state) tierOSDs(c Change, of capacity.Storage) ([]capacity.OSD, error) {
	t, ok := s.tier(c.Tier)
	if !ok {
		return nil, unknown("tier", c.Tier, tiers(s.Tiers))
	}
	all := t.OSDs(of)
	clusters := clustersOf(all)
	if c.Cluster != "" {
		if !slices.Contains(clusters, c.Cluster) {
			return nil, unknown("cluster of tier "+c.Tier, c.Cluster, clusters)
		}
		all = slices.DeleteFunc(all, func(o capacity.OSD) bool { return o.Cluster != c.Cluster })
	} else if len(clusters) > 1 {
		return nil, invalid("tier %s is in clusters %v: write which, as cluster=", c.Tier, clusters)
	}
	if len(all) == 0 {
		return nil, invalid("no OSD of tier %s is known: see that the exporter reaches its cluster", c.Tier)
	}
	return all, nil
}

// addOSDs adds OSDs like most of the tier's: to the host named, to new hosts, or in
// turn to the hosts there are. Neighbours in turn lie in different failure domains.
func (s *state) addOSDs(c Change) error {
	var err error
	for _, to := range []*capacity.Storage{&s.Storage, &s.whole} {
		if *to, err = s.withOSDs(c, *to); err != nil {
			return err
		}
	}
	return nil
}

func (s *state) withOSDs(c Change, to capacity.Storage) (capacity.Storage, error) {
	have, err := s.tierOSDs(c, to)
	if err != nil {
		return to, err
	}
	places := spread(have)
	if c.Host != "" {
		places = slices.DeleteFunc(places, func(o capacity.OSD) bool { return o.Host != c.Host })
		if len(places) == 0 {
			return to, unknown("host of tier "+c.Tier, c.Host, osdHosts(have))
		}
	}
	size := cmp.Or(c.RawBytes, commonSize(have))
	hosts := int64(len(places))
	if c.Hosts > 0 {
		hosts = c.Hosts
	}
	number := int64(len(to.OSDs))
	if number+c.Count > maxOSDs {
		return to, invalid("that makes more than %d OSDs", maxOSDs)
	}
	osds := slices.Clone(to.OSDs)
	for i := range max(1, c.Count) {
		place := places[i%hosts%int64(len(places))]
		if c.Hosts > 0 {
			place.Host = fmt.Sprintf("new host %d of %s", number+i%hosts+1, c.Tier)
		}
		place.ID = fmt.Sprintf("%s/new osd %d", place.Cluster, number+i+1)
		place.Number = -(number + i + 1) // no real OSD's
		place.TotalBytes, place.CrushWeight = size, float64(size)/(1<<40)
		place.Up, place.In, place.Reweight = true, true, 1
		osds = append(osds, place)
	}
	return to.On(osds), nil
}

// spread is an OSD of each host, such that neighbours lie in different datacentres,
// and then racks, as far as there are any.
func spread(osds []capacity.OSD) []capacity.OSD {
	var hosts []capacity.OSD
	for _, o := range osds {
		if !slices.ContainsFunc(hosts, func(h capacity.OSD) bool { return h.Host == o.Host }) {
			hosts = append(hosts, o)
		}
	}
	slices.SortFunc(hosts, func(a, b capacity.OSD) int {
		return cmp.Or(cmp.Compare(a.Datacenter, b.Datacenter), cmp.Compare(a.Rack, b.Rack), cmp.Compare(a.Host, b.Host))
	})
	inRack, inDatacenter := map[[2]string]int{}, map[string]int{}
	type rank struct{ inRack, inDatacenter int }
	ranks := map[string]rank{}
	for _, h := range hosts {
		rack := [2]string{h.Datacenter, h.Rack}
		ranks[h.Host] = rank{inRack[rack], inDatacenter[h.Datacenter]}
		inRack[rack]++
		inDatacenter[h.Datacenter]++
	}
	slices.SortStableFunc(hosts, func(a, b capacity.OSD) int {
		x, y := ranks[a.Host], ranks[b.Host]
		if a.Datacenter != b.Datacenter {
			return cmp.Or(cmp.Compare(x.inDatacenter, y.inDatacenter), cmp.Compare(a.Datacenter, b.Datacenter))
		}
		return cmp.Or(cmp.Compare(x.inDatacenter, y.inDatacenter), cmp.Compare(x.inRack, y.inRack))
	})
	return hosts
}

// commonSize is the size that most OSDs have; of equally many the larger.
func commonSize(osds []capacity.OSD) int64 {
	count := map[int64]int{}
	for _, o := range osds {
		count[o.TotalBytes]++
	}
	var best int64
	for size, n := range count {
		if n > count[best] || n == count[best] && size > best {
			best = size
		}
	}
	return best
}

func (s *state) removeOSDs(c Change) error {
	if c.OSD != "" {
		i := slices.IndexFunc(s.Storage.OSDs, func(o capacity.OSD) bool { return o.ID == c.OSD })
		if i < 0 {
			return unknown("OSD", c.OSD, osdIDs(s.Storage.OSDs))
		}
		s.drop(func(o capacity.OSD) bool { return o.ID == c.OSD })
		return nil
	}
	if c.Tier == "" {
		all := ofCluster(s.Storage.OSDs, c.Cluster)
		if !slices.Contains(osdHosts(all), c.Host) {
			return unknown("host with OSDs", c.Host, osdHosts(all))
		}
		s.drop(func(o capacity.OSD) bool { return o.Host == c.Host && (c.Cluster == "" || o.Cluster == c.Cluster) })
		return nil
	}
	have, err := s.tierOSDs(c, s.Storage)
	if err != nil {
		return err
	}
	if c.Host != "" {
		all := osdHosts(have)
		if have = slices.DeleteFunc(have, func(o capacity.OSD) bool { return o.Host != c.Host }); len(have) == 0 {
			return unknown("host of tier "+c.Tier, c.Host, all)
		}
		if c.Count == 0 {
			c.Count = int64(len(have))
		}
	}
	count := max(1, c.Count)
	if count > int64(len(have)) {
		return invalid("there are only %d such OSDs, not %d", len(have), count)
	}
	gone := map[string]bool{}
	for int64(len(gone)) < count {
		// One of each host in turn, the newest first.
		for _, place := range spread(have) {
			if int64(len(gone)) == count {
				break
			}
			newest := slices.MaxFunc(ofHost(have, place.Host), func(a, b capacity.OSD) int { return cmp.Compare(max(a.Number, -a.Number), max(b.Number, -b.Number)) })
			gone[newest.ID] = true
			have = slices.DeleteFunc(have, func(o capacity.OSD) bool { return o.ID == newest.ID })
		}
	}
	s.drop(func(o capacity.OSD) bool { return gone[o.ID] })
	return nil
}

// lose takes away what has the name: compute hosts and OSDs alike.
func (s *state) lose(c Change) error {
	if err := s.known(c); err != nil {
		return err
	}
	osds := ofCluster(s.Storage.OSDs, c.Cluster)
	if c.Cluster != "" && len(osds) == 0 {
		return unknown("cluster", c.Cluster, clustersOf(s.Storage.OSDs))
	}
	type place struct {
		what, name string
		hosts      map[string][]string // compute hosts by such a place
		of         func(capacity.OSD) string
	}
	byName := map[string][]string{}
	for _, h := range s.Cloud.Hosts {
		byName[h.Name] = []string{h.Name}
	}
	for _, p := range []place{
		{"host", c.Host, byName, func(o capacity.OSD) string { return o.Host }},
		{"rack", c.Rack, s.Cloud.Reserve.Racks(s.Cloud), func(o capacity.OSD) string { return o.Rack }},
		{"datacenter", c.Datacenter, nil, func(o capacity.OSD) string { return o.Datacenter }},
	} {
		if p.name == "" {
			continue
		}
		var known []string
		for name := range p.hosts {
			known = append(known, name)
		}
		for _, o := range osds {
			if name := p.of(o); name != "" {
				known = append(known, name)
			}
		}
		if !slices.Contains(known, p.name) {
			return unknown(p.what, p.name, known)
		}
		for i, h := range s.Cloud.Hosts {
			if slices.Contains(p.hosts[p.name], h.Name) {
				s.retire(i)
			}
		}
		s.drop(func(o capacity.OSD) bool { return p.of(o) == p.name && (c.Cluster == "" || o.Cluster == c.Cluster) })
	}
	for i, h := range s.Cloud.Hosts {
		if c.Zone != "" && h.Zone == c.Zone {
			s.retire(i)
		}
	}
	return nil
}

func (s *state) drop(gone func(capacity.OSD) bool) {
	s.taken = true
	s.Storage = s.Storage.On(slices.DeleteFunc(slices.Clone(s.Storage.OSDs), gone))
}

func ofCluster(osds []capacity.OSD, cluster string) []capacity.OSD {
	return slices.DeleteFunc(slices.Clone(osds), func(o capacity.OSD) bool { return cluster != "" && o.Cluster != cluster })
}

func ofHost(osds []capacity.OSD, host string) []capacity.OSD {
	return slices.DeleteFunc(slices.Clone(osds), func(o capacity.OSD) bool { return o.Host != host })
}

func clustersOf(osds []capacity.OSD) []string {
	return distinct(osds, func(o capacity.OSD) string { return o.Cluster })
}

func osdHosts(osds []capacity.OSD) []string {
	return distinct(osds, func(o capacity.OSD) string { return o.Host })
}

func osdIDs(osds []capacity.OSD) []string {
	return distinct(osds, func(o capacity.OSD) string { return o.ID })
}

func distinct(osds []capacity.OSD, of func(capacity.OSD) string) []string {
	var all []string
	for _, o := range osds {
		all = append(all, of(o))
	}
	return slices.Compact(slices.Sorted(slices.Values(all)))
}
