package ovs

import (
	"regexp"
	"strings"

	"mcloud/exporters"
)

var (
	ctEntries   = family("ovs_conntrack_entries", "", gauge, base, "dpctl/ct-get-nconns", "Connections that the userspace datapath tracks; the kernel's are node_nf_conntrack_entries.")
	ctLimit     = family("ovs_conntrack_entries_limit", "", gauge, base, "dpctl/ct-get-maxconns", "Connections that the userspace datapath may track.")
	ctProtocols = family("ovs_conntrack_connections", "", gauge, inner, "dpctl/ct-stats-show", "Connections tracked by protocol.", "protocol")
	ctFragments = family("ovs_conntrack_fragments_total", "", counter, inner, "dpctl/ipf-get-status", "IP fragments by version and what became of them.", "ip_version", "result")
	snatUse     = family("ovn_snat_connections", "", gauge, inner, "ct-zone-list, dpctl/ct-stats-show zone=N", "Connections in a router's SNAT zone by protocol, on a chassis that hosts a gateway: each takes a port of the external address from 64,512 per protocol and destination. A few zones are read at a look, so a value may be some minutes old.", "logical_datapath", "protocol")

	rxqUsage   = family("ovs_pmd_rxq_usage_ratio", "ratio", gauge, inner, "dpif-netdev/pmd-rxq-show", "Share of a thread's cycles spent on one receive queue in the last minute.", "thread", "interface", "queue")
	rxqEnabled = family("ovs_pmd_rxq_enabled", "", gauge, inner, "dpif-netdev/pmd-rxq-show", "Receive queue is enabled: 1 yes, 0 no.", "thread", "interface", "queue")
	pmdIsolate = family("ovs_pmd_isolated", "", gauge, inner, "dpif-netdev/pmd-rxq-show", "Thread takes only the queues that are pinned to it: 1 yes, 0 no.", "thread")
	pmdExtra   = family("ovs_pmd_overhead_ratio", "ratio", gauge, inner, "dpif-netdev/pmd-rxq-show", "Share of a thread's cycles that belong to no queue.", "thread")

	perfIterations = family("ovs_pmd_iterations_total", "", counter, inner, "dpif-netdev/pmd-perf-show", "Rounds of a thread by state: idle, busy, sleep.", "thread", "state")
	perfSleep      = family("ovs_pmd_sleep_seconds_total", "seconds", counter, inner, "dpif-netdev/pmd-perf-show", "Time that a thread slept.", "thread")
	perfPasses     = family("ovs_pmd_datapath_passes_total", "", counter, inner, "dpif-netdev/pmd-perf-show", "Passes of packets through the datapath.", "thread")
	perfUpcalls    = family("ovs_pmd_upcalls_handled_total", "", counter, inner, "dpif-netdev/pmd-perf-show", "Upcalls of a thread by result: done, lost.", "thread", "result")
	perfTx         = family("ovs_pmd_transmit_packets_total", "", counter, inner, "dpif-netdev/pmd-perf-show", "Packets that a thread sent.", "thread")
	perfBatches    = family("ovs_pmd_transmit_batches_total", "", counter, inner, "dpif-netdev/pmd-perf-show", "Batches in which a thread sent packets.", "thread")

	bridgeFlows = family("ovs_bridge_flows", "", gauge, base, "OpenFlow", "OpenFlow rules of the bridge, counted by its management socket; absent where that is not beside the control socket.", "bridge")

	fdbEntries = family("ovs_fdb_entries", "", gauge, base, "fdb/stats-show", "MAC addresses that the bridge has learned.", "bridge")
	fdbLimit   = family("ovs_fdb_entries_limit", "", gauge, base, "fdb/stats-show", "MAC addresses that the bridge may learn.", "bridge")
	fdbEvents  = family("ovs_fdb_events_total", "", counter, base, "fdb/stats-show", "What became of MAC addresses: learned, expired, evicted (the table was full), moved to another port.", "bridge", "event")

	bondMember = family("ovs_bond_member_enabled", "", gauge, base, "bond/show", "Member of a bond carries traffic: 1 yes, 0 no.", "bond", "member")
	bondActive = family("ovs_bond_member_active", "", gauge, base, "bond/show", "Member is the bond's active one: 1 yes, 0 no.", "bond", "member")

	switchFamilies = []*exporters.Family{ctEntries, ctLimit, ctProtocols, ctFragments, snatUse, rxqUsage, rxqEnabled, pmdIsolate, pmdExtra,
		perfIterations, perfSleep, perfPasses, perfUpcalls, perfTx, perfBatches, bridgeFlows, fdbEntries, fdbLimit, fdbEvents, bondMember, bondActive}
)

// readNumber reads an answer that is one number.
func readNumber(f *exporters.Family) func(*report, string) int {
	return func(r *report, text string) int {
		v, ok := number(text)
		if !ok {
			return 0
		}
		r.add(f, v)
		return 1
	}
}

// connectionsOf reads "Connections Stats:", "    Total: 4", "  ICMP: 4". Total is
// known when anything is.
func connectionsOf(text string) (byProtocol map[string]float64, ok bool) {
	byProtocol = map[string]float64{}
	for line := range strings.Lines(text) {
		name, value, _ := pair(line)
		v, isNumber := number(value)
		switch {
		case !isNumber:
		case name == "Total":
			ok = true
		case len(byProtocol) < maxKinds:
			byProtocol[strings.ToLower(name)] = v
		}
	}
	return byProtocol, ok
}

func readConnections(r *report, text string) int {
	byProtocol, ok := connectionsOf(text)
	if !ok {
		return 0
	}
	for protocol, v := range byProtocol {
		r.add(ctProtocols, v, protocol)
	}
	return 1
}

// fragmentLine is "v4 frags accepted: 0".
var fragmentLine = regexp.MustCompile(`^(v[46]) frags (accepted|completed|expired|too small|overlapped|purged)$`)

func readFragments(r *report, text string) (n int) {
	for line := range strings.Lines(text) {
		name, value, _ := pair(line)
		m := fragmentLine.FindStringSubmatch(name)
		if v, ok := number(value); ok && m != nil {
			r.add(ctFragments, v, m[1], strings.ReplaceAll(m[2], " ", "_"))
			n++
		}
	}
	return n
}

// queueLine is "port: dpdk0  queue-id:  0 (enabled)   pmd usage:  7 %"; before
// OVS 2.16 it has no "pmd usage: NOT AVAIL" and the like.
var queueLine = regexp.MustCompile(`^\s*port: (\S+)\s+queue-id:\s*(\d+)(?:\s*\((\w+)\))?(?:\s+pmd usage:\s*(\d+)\s*%)?`)

func readQueues(r *report, text string) (n int) {
	thread := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if name, ok := datapathName(line); ok {
			thread = name
			continue
		}
		if strings.HasPrefix(line, "Displaying last") {
			n++ // known, though alone it gives no value
		}
		if thread == "" {
			continue
		}
		if m := queueLine.FindStringSubmatch(line); m != nil {
			if m[3] != "" {
				r.add(rxqEnabled, truth(m[3] == "enabled"), thread, m[1], m[2])
			}
			if v, ok := number(m[4]); ok {
				r.add(rxqUsage, v/100, thread, m[1], m[2])
			}
			n++
			continue
		}
		name, value, _ := pair(line)
		percent, ok := number(strings.TrimSuffix(value, "%"))
		switch {
		case name == "isolated":
			r.add(pmdIsolate, truth(value == "true"), thread)
			n++
		case name == "overhead" && ok:
			r.add(pmdExtra, percent/100, thread)
			n++
		}
	}
	return n
}

// perfLines are those of "dpif-netdev/pmd-perf-show" that "pmd-stats-show" lacks.
var perfLines = map[string]func(r *report, thread string, v float64){
	"- idle iterations":  func(r *report, thread string, v float64) { r.add(perfIterations, v, thread, "idle") },
	"- busy iterations":  func(r *report, thread string, v float64) { r.add(perfIterations, v, thread, "busy") },
	"- sleep iterations": func(r *report, thread string, v float64) { r.add(perfIterations, v, thread, "sleep") },
	"Sleep time (us)":    func(r *report, thread string, v float64) { r.add(perfSleep, v/1e6, thread) },
	"Datapath passes":    func(r *report, thread string, v float64) { r.add(perfPasses, v, thread) },
	"- Upcalls":          func(r *report, thread string, v float64) { r.add(perfUpcalls, v, thread, "done") },
	"- Lost upcalls":     func(r *report, thread string, v float64) { r.add(perfUpcalls, v, thread, "lost") },
	"Tx packets":         func(r *report, thread string, v float64) { r.add(perfTx, v, thread) },
	"Tx batches":         func(r *report, thread string, v float64) { r.add(perfBatches, v, thread) },
}

// perfThread is "pmd thread numa_id 0 core_id 1:".
var perfThread = regexp.MustCompile(`^(pmd thread numa_id \d+ core_id \d+):$`)

func readPerf(r *report, text string) (n int) {
	thread := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if m := perfThread.FindStringSubmatch(line); m != nil {
			thread = m[1]
			continue
		}
		name, value, _ := pair(line)
		value, _, _ = strings.Cut(value, " ")
		v, ok := number(value)
		if read := perfLines[name]; read != nil && ok && thread != "" {
			read(r, thread, v)
			n++
		}
	}
	return n
}

// fdbLines are of "fdb/stats-show BRIDGE".
var fdbLines = map[string]string{"Total number of learned MAC entries": "learned", "Total number of expired MAC entries": "expired",
	"Total number of evicted MAC entries": "evicted", "Total number of port moved MAC entries": "moved"}

func readFDB(bridge string) func(*report, string) int {
	return func(r *report, text string) (n int) {
		for line := range strings.Lines(text) {
			name, value, _ := pair(line)
			if name == "Current/maximum MAC entries in the table" {
				now, most, _ := strings.Cut(value, "/")
				if v, ok := number(now); ok {
					r.add(fdbEntries, v, bridge)
					n++
				}
				if v, ok := number(most); ok {
					r.add(fdbLimit, v, bridge)
				}
				continue
			}
			if v, ok := number(value); ok && fdbLines[name] != "" {
				r.add(fdbEvents, v, bridge, fdbLines[name])
				n++
			}
		}
		return n
	}
}

var (
	bondName = regexp.MustCompile(`^---- (.+) ----$`)
	// "member eth1: enabled"; OVS before 2.15 says slave.
	bondLine = regexp.MustCompile(`^(?:member|slave) (\S+): (\w+)`)
)

func readBonds(r *report, text string) (n int) {
	bond, member := "", ""
	flush := func(active bool) {
		if member != "" {
			r.add(bondActive, truth(active), bond, member)
		}
		member = ""
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch m := bondName.FindStringSubmatch(line); {
		case m != nil:
			flush(false)
			bond = m[1]
		case bond == "":
		case line == "active member" || line == "active slave":
			flush(true)
		default:
			if m := bondLine.FindStringSubmatch(line); m != nil {
				flush(false)
				member = m[1]
				r.add(bondMember, truth(m[2] == "enabled"), bond, member)
				n++
			}
		}
	}
	flush(false)
	return n
}
