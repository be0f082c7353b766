package ovs

import (
	"regexp"
	"strings"

	"mcloud/exporters"
)

// connected reads "connected" and "not connected"; anything else is not known.
func connected(text string) (value float64, ok bool) {
	switch strings.TrimSpace(text) {
	case "connected":
		return 1, true
	case "not connected":
		return 0, true
	}
	return 0, false
}

func readControllerConnection(r *report, text string) int {
	v, ok := connected(text)
	if !ok {
		return 0
	}
	r.add(controllerConnected, v)
	return 1
}

func readNorthdConnection(database string) func(*report, string) int {
	return func(r *report, text string) int {
		v, ok := connected(text)
		if !ok {
			return 0
		}
		r.add(northdConnected, v, r.daemon, database)
		return 1
	}
}

// readNorthdStatus reads "Status: active", "Status: standby" or "Status: paused".
func readNorthdStatus(r *report, text string) int {
	name, status, _ := pair(text)
	if name != "Status" || status == "" {
		return 0
	}
	r.add(northdActive, truth(status == "active"), r.daemon)
	for _, known := range []string{"active", "standby", "paused"} {
		r.add(northdStatus, truth(status == known), r.daemon, known)
	}
	r.noteState("northd.status", "", status)
	return 1
}

// readEngine reads "Node: SB_dns" and then "- recompute:  469". What OVN 23.03
// calls abort is cancel since 24.03; both are cancel here.
func readEngine(add func(r *report, value float64, node, kind string)) func(*report, string) int {
	return func(r *report, text string) (n int) {
		node := ""
		for line := range strings.Lines(text) {
			name, value, _ := pair(line)
			if name == "Node" {
				node = value
				continue
			}
			kind, ok := strings.CutPrefix(name, "- ")
			if kind == "abort" {
				kind = "cancel"
			}
			if v, isNumber := number(value); ok && isNumber && node != "" {
				add(r, v, node, kind)
				n++
			}
		}
		return n
	}
}

func addControllerEngine(r *report, v float64, node, kind string) {
	r.add(controllerEngine, v, node, kind)
	if mainNodes[node] && kind == "recompute" {
		r.add(controllerRecomputes, v, node)
	}
}

func addNorthdEngine(r *report, v float64, node, kind string) {
	r.add(northdEngine, v, r.daemon, node, kind)
	if mainNodes[node] && kind == "recompute" {
		r.add(northdRecomputes, v, r.daemon, node)
	}
}

// mainNodes are those where a recompute is the whole work done over, of
// ovn-controller (the flows) and ovn-northd (since OVN 21.09).
var mainNodes = map[string]bool{"logical_flow_output": true, "physical_flow_output": true, "lflow_output": true, "pflow_output": true, "lflow": true, "northd": true}

var stopwatchName = regexp.MustCompile(`^Statistics for '(.+)'$`)

// stopwatchValues are by their names in "stopwatch/show".
var stopwatchValues = map[string]string{"Maximum": "maximum", "Minimum": "minimum", "95th percentile": "95th_percentile",
	"Short term average": "short_term_average", "Long term average": "long_term_average"}

// loopWatches are the stopwatches that time a whole round.
var loopWatches = map[string]bool{"ovn-northd-loop": true, "flow-generation": true, "flow-installation": true}

// readStopwatches reads "stopwatch/show". Work of less than a millisecond has the
// minimum 0.
func readStopwatches(r *report, text string) (n int) {
	name := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if m := stopwatchName.FindStringSubmatch(line); m != nil {
			name = m[1]
			continue
		}
		key, value, _ := pair(line)
		if name == "" {
			continue
		}
		if v, ok := number(value); ok && key == "Total samples" {
			r.add(stopwatchSamples, v, r.daemon, name)
			n++
			continue
		}
		ms, isTime := strings.CutSuffix(value, " msec")
		v, ok := number(ms)
		statistic := stopwatchValues[key]
		if !isTime || !ok || statistic == "" {
			continue
		}
		n++
		r.add(stopwatchTime, v/1000, r.daemon, name, statistic)
		if loopWatches[name] {
			r.add(loopTime, v/1000, r.daemon, name, statistic)
		}
	}
	return n
}

// readControllerStatus reads "running" or "paused".
func readControllerStatus(r *report, text string) int {
	switch status := strings.TrimSpace(text); status {
	case "running", "paused":
		r.add(controllerRunning, truth(status == "running"))
		return 1
	}
	return 0
}

// readZones reads "ct-zone-list": "neutron-fca53ffd-…_snat 7".
func readZones(r *report, text string) (n int) {
	r.zones = map[string]string{}
	for line := range strings.Lines(text) {
		name, zone, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, ok := number(zone); ok && name != "" {
			r.zones[name] = zone
		}
	}
	r.add(controllerZones, float64(len(r.zones)))
	return len(r.zones)
}

// readLines counts what is listed, one a line.
func readLines(f *exporters.Family) func(*report, string) int {
	return func(r *report, text string) int {
		n := 0
		for line := range strings.Lines(text) {
			if strings.TrimSpace(line) != "" {
				n++
			}
		}
		r.add(f, float64(n))
		return n
	}
}

// readFlowCache reads "lflow-cache/show-stats".
func readFlowCache(r *report, text string) (n int) {
	for line := range strings.Lines(text) {
		name, value, _ := pair(line)
		if name == "Enabled" {
			n++ // known, though alone it gives no value
		}
		v, ok := number(value)
		if !ok {
			continue
		}
		kind, isEntries := strings.CutPrefix(name, "cache-")
		switch {
		case isEntries:
			r.add(lflowEntries, v, kind)
		case name == "trim count":
			r.add(lflowTrims, v)
		case name == "Mem usage (KB)":
			r.add(lflowBytes, v*1024)
		default:
			continue
		}
		n++
	}
	return n
}
