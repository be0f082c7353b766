package main

import (
	"context"
	"fmt"
)

func cephOurs(p page) readings {
	out := make(readings)
	names := make(map[[2]string]string) // cluster, pool id → pool name
	p.each("ceph_pool_metadata", func(labels map[string]string, _ float64) {
		names[[2]string{labels["cluster"], labels["pool_id"]}] = labels["name"]
	})
	pools := func(family, thing string) {
		p.each(family, func(labels map[string]string, value float64) {
			name, ok := names[[2]string{labels["cluster"], labels["pool_id"]}]
			if !ok {
				name = "pool_id " + labels["pool_id"] + " without ceph_pool_metadata"
			}
			out.add(thing, labels["cluster"]+"/"+name, value)
		})
	}
	pools("ceph_pool_stored", "pool stored bytes")
	pools("ceph_pool_max_avail", "pool max_avail bytes")
	daemons := func(family, thing string) {
		p.each(family, func(labels map[string]string, value float64) {
			out.add(thing, labels["cluster"]+"/"+labels["ceph_daemon"], value)
		})
	}
	daemons("ceph_osd_up", "osd up")
	daemons("ceph_osd_in", "osd in")
	return out
}

// cephDF is `ceph df detail`.
type cephDF struct {
	Pools []struct {
		Name  string `json:"name"`
		Stats struct {
			Stored   float64 `json:"stored"`
			MaxAvail float64 `json:"max_avail"`
		} `json:"stats"`
	} `json:"pools"`
}

// cephOSDs is `ceph osd dump`.
type cephOSDs struct {
	OSDs []struct {
		ID int     `json:"osd"`
		Up float64 `json:"up"`
		In float64 `json:"in"`
	} `json:"osds"`
}

func (d cephDF) readings(cluster string, out readings) {
	for _, pool := range d.Pools {
		out.add("pool stored bytes", cluster+"/"+pool.Name, pool.Stats.Stored)
		out.add("pool max_avail bytes", cluster+"/"+pool.Name, pool.Stats.MaxAvail)
	}
}

func (d cephOSDs) readings(cluster string, out readings) {
	for _, osd := range d.OSDs {
		out.add("osd up", fmt.Sprintf("%s/osd.%d", cluster, osd.ID), osd.Up)
		out.add("osd in", fmt.Sprintf("%s/osd.%d", cluster, osd.ID), osd.In)
	}
}

func cephTheirs(ctx context.Context, c *clients) (readings, error) {
	clusters, err := c.cephClusters()
	if err != nil {
		return nil, err
	}
	out := make(readings)
	for _, cluster := range clusters {
		var df cephDF
		if err := c.ceph(ctx, cluster, &df, "df", "detail"); err != nil {
			return out, err
		}
		df.readings(cluster, out)
		var osds cephOSDs
		if err := c.ceph(ctx, cluster, &osds, "osd", "dump"); err != nil {
			return out, err
		}
		osds.readings(cluster, out)
	}
	return out, nil
}
