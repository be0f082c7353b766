package main

import (
	"fmt"
	"maps"
)

// What the demo of 60 hosts has.
const demoHosts, demoProjects, demoOSDs = 60, 40, 18

// grow makes the series of a demo of that many hosts from those of the usual one: each that
// is of a host, an OSD or a project is there as often as there are more of them.
func grow(all []sample, hosts int) []sample {
	var grown []sample
	for _, s := range all {
		label, times := growth(s.Metric, hosts)
		grown = append(grown, s)
		for i := 1; i < times; i++ {
			set := maps.Clone(s.Metric)
			set[label] = fmt.Sprintf("%s-%d", set[label], i)
			for _, same := range []string{"host", "hostname", "chassis"} { // names of one host
				if v, there := set[same]; there && same != label && label != "ceph_daemon" && label != "project_id" {
					set[same] = fmt.Sprintf("%s-%d", v, i)
				}
			}
			grown = append(grown, sample{set, s.Value})
		}
	}
	return grown
}

// growth is the label by which a series is one of many, and how many there shall be for it.
func growth(set map[string]string, hosts int) (label string, times int) {
	switch {
	case set["ceph_daemon"] != "" && set["ceph_daemon"][:min(4, len(set["ceph_daemon"]))] == "osd.":
		return "ceph_daemon", min(hosts/2, 1000) / demoOSDs
	case set["project_id"] != "":
		return "project_id", hosts / 4 / demoProjects
	case set["zone"] == "internal" || set["cluster"] != "":
		return "", 1
	case set["host"] != "":
		return "host", hosts / demoHosts
	case set["hostname"] != "":
		return "hostname", hosts / demoHosts
	case set["chassis"] != "":
		return "chassis", hosts / demoHosts
	}
	return "", 1
}
