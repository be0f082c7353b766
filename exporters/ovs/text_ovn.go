package ovs

import "strings"

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
	return 1
}

// readEngine reads "Node: SB_dns" and then "- recompute:  469". What OVN 23.03
// calls abort is cancel since 24.03; both are cancel here.
func readEngine(r *report, text string) (n int) {
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
			r.add(controllerEngine, v, node, kind)
			n++
		}
	}
	return n
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

// readCluster reads "cluster/status DATABASE".
func readCluster(database string) func(*report, string) int {
	return func(r *report, text string) (n int) {
		for line := range strings.Lines(text) {
			name, value, _ := pair(line)
			if indent(line) > 0 {
				continue
			}
			v, isNumber := number(value)
			switch {
			case name == "Role":
				r.add(raftLeader, truth(value == "leader"), r.daemon, database)
			case name == "Term" && isNumber:
				r.add(raftTerm, v, r.daemon, database)
			case name == "Entries not yet committed" && isNumber:
				r.add(raftUncommitted, v, r.daemon, database)
			case name == "Entries not yet applied" && isNumber:
				r.add(raftUnapplied, v, r.daemon, database)
			default:
				continue
			}
			n++
		}
		return n
	}
}
