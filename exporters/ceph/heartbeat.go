package ceph

import (
	"cmp"
	"context"

	"mcloud/exporters"
)

var (
	heartbeat = &exporters.Family{Name: "ceph_heartbeat_rtt_seconds", Unit: "seconds", Type: exporters.Gauge, Set: exporters.SetBase, Call: "pg dump osds",
		Labels: []string{"from_datacenter", "to_datacenter", "interface", "stat"},
		Help:   "Round trip of the OSDs' heartbeats from one datacentre to another over the front (public) or back (cluster) network, of the last minute: mean of all pairs, max of any."}
	heartbeatPairs = infoFamily("ceph_heartbeat_pairs", "pg dump osds", "Pairs of OSDs that send each other heartbeats, by datacentre and network.",
		"from_datacenter", "to_datacenter", "interface")
	shardsRepaired = &exporters.Family{Name: "ceph_osd_shards_repaired_total", Type: exporters.Counter, Set: exporters.SetBase, Call: "pg dump osds",
		Labels: []string{"ceph_daemon"}, Help: "Object copies on the OSD that were repaired after a read error, since its start; many mean a dying disk."}
	snapTrims = osdFamily("ceph_osd_snap_trim_queue", "", "pg dump osds", "Snapshots that the OSD has yet to trim.")

	heartbeatFamilies = []*exporters.Family{heartbeat, heartbeatPairs, shardsRepaired, snapTrims}
)

// osdReport is one OSD in "pg dump osds", about 600 bytes and 650 more for each
// of its heartbeat peers: the largest answer there is, so it is asked seldom.
type osdReport struct {
	OSD      int     `json:"osd"`
	Repaired float64 `json:"num_shards_repaired"`
	Trims    float64 `json:"snap_trim_queue_len"`
	Pings    []struct {
		OSD        int `json:"osd"`
		Interfaces []struct {
			Name    string `json:"interface"` // "front", "back"
			Average struct {
				Minute float64 `json:"1min"` // milliseconds
			} `json:"average"`
			Max struct {
				Minute float64 `json:"1min"`
			} `json:"max"`
		} `json:"interfaces"`
	} `json:"network_ping_times"`
}

func (c *cluster) collectHeartbeats(ctx context.Context) (*exporters.Snapshot, error) {
	l := c.look(ctx)
	tree, ok := fetch[crushTree](l, "osd tree", nil)
	if !ok {
		return l.done()
	}
	places := tree.places()
	// An OSD outside of any datacentre is of its root.
	where := func(osd int) string {
		p := places[osd]
		return cmp.Or(p.buckets["datacenter"], p.root)
	}
	type way struct{ from, to, network string }
	type trips struct{ sum, n, max float64 }
	all := map[way]*trips{}
	ok = l.read("pg dump", map[string]any{"dumpcontents": []string{"osds"}}, func(b []byte) error {
		return eachElement(b, "osd_stats", func(o *osdReport) {
			l.snap.Seen++
			l.snap.Add(shardsRepaired, o.Repaired, osdName(o.OSD))
			l.snap.Add(snapTrims, o.Trims, osdName(o.OSD))
			for _, peer := range o.Pings {
				for _, net := range peer.Interfaces {
					w := way{where(o.OSD), where(peer.OSD), net.Name}
					if all[w] == nil {
						all[w] = &trips{}
					}
					t := all[w]
					t.sum, t.n, t.max = t.sum+net.Average.Minute, t.n+1, max(t.max, net.Max.Minute)
				}
			}
		})
	})
	if !ok {
		l.snap = exporters.Snapshot{} // of half the OSDs there is no mean
		return l.done()
	}
	for w, t := range all {
		l.snap.Add(heartbeat, t.sum/t.n/1000, w.from, w.to, w.network, "mean")
		l.snap.Add(heartbeat, t.max/1000, w.from, w.to, w.network, "max")
		l.snap.Add(heartbeatPairs, t.n, w.from, w.to, w.network)
	}
	return l.done()
}
