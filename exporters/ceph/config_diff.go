package ceph

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"mcloud/exporters"
)

// Both are read with the performance counters (set "perf").
var (
	configSources = infoFamily("ceph_daemon_config_options", "config diff", "Options of the daemon that are not at their default, by where they are set: file, mon (the configuration database), override (at run time, lost at the next start), env, cmdline.",
		"ceph_daemon", "level")
	configDiffers = infoFamily("ceph_daemon_config_differs", "config diff", "Option that is set otherwise than in most daemons of the type on this host, always 1.", "ceph_daemon", "option")
)

// configDiff is "config diff": by option, its values by level beside "default"
// and "final". Values stay here: they may be secrets.
type configDiff struct {
	Diff map[string]map[string]json.RawMessage `json:"diff"`
}

// finals are the options in force that are not at their default. Those that hold
// the daemon's own name, its paths and addresses, differ by nature.
func (d configDiff) finals(daemon string) map[string]string {
	_, id, _ := strings.Cut(daemon, ".")
	values := map[string]string{}
	for option, levels := range d.Diff {
		value := string(levels["final"])
		switch {
		case option == "crush_location", option == "name", strings.HasSuffix(option, "_addr"), strings.HasSuffix(option, "_block_size"):
		case strings.Contains(value, daemon), strings.Contains(value, "/"+id), strings.Contains(value, "-"+id):
		default:
			values[option] = value
		}
	}
	return values
}

func addConfigs(snap *exporters.Snapshot, diffs map[string]configDiff) {
	byType := map[string][]string{}
	for _, daemon := range slices.Sorted(maps.Keys(diffs)) {
		levels := map[string]float64{}
		for _, values := range diffs[daemon].Diff {
			for level := range values {
				if level != "default" && level != "final" {
					levels[level]++
				}
			}
		}
		for level, n := range levels {
			snap.Add(configSources, n, daemon, level)
		}
		kind, _, _ := strings.Cut(daemon, ".")
		byType[kind] = append(byType[kind], daemon)
	}
	for _, daemons := range byType {
		if len(daemons) < 3 {
			continue // of two, none is most
		}
		values := map[string]map[string]int{} // by option and value; "" is the default
		finals := map[string]map[string]string{}
		for _, daemon := range daemons {
			finals[daemon] = diffs[daemon].finals(daemon)
			for option := range finals[daemon] {
				values[option] = map[string]int{}
			}
		}
		for option, counts := range values {
			for _, daemon := range daemons {
				counts[finals[daemon][option]]++
			}
			for _, daemon := range daemons {
				if 2*counts[finals[daemon][option]] < len(daemons) {
					snap.Add(configDiffers, 1, daemon, option)
				}
			}
		}
	}
}
