package ovs

import (
	"slices"

	"mcloud/exporters"
)

func family(name, unit string, kind exporters.Type, set exporters.Set, call, help string, labels ...string) *exporters.Family {
	return &exporters.Family{Name: name, Unit: unit, Type: kind, Set: set, Call: call, Help: help, Labels: append([]string{"host"}, labels...)}
}

const (
	gauge, counter       = exporters.Gauge, exporters.Counter
	base, objects, inner = exporters.SetBase, exporters.SetObjects, exporters.SetPerf
)

var (
	up          = family("ovs_up", "", gauge, base, "version", "Daemon answers its control socket: 1 yes, 0 no (dead or frozen).", "daemon")
	versionInfo = family("ovs_version_info", "", gauge, base, "version", "Program and version of the daemon, always 1.", "daemon", "program", "version")
	coverage    = family("ovs_coverage_total", "", counter, inner, "coverage/show", "Events inside the daemon; those that never happened are absent.", "daemon", "event")
	memory      = family("ovs_memory_usage", "", gauge, base, "memory/show", "What the daemon holds, in numbers of its kind; kinds that end in KB are kibibytes.", "daemon", "kind")

	dpFlows   = family("ovs_datapath_flows", "", gauge, base, "dpctl/show -s", "Flows in the datapath.", "datapath")
	dpLookups = family("ovs_datapath_lookups_total", "", counter, base, "dpctl/show -s", "Packets looked up, by result: hit, missed (sent up), lost (dropped on the way up).", "datapath", "result")
	dpPorts   = family("ovs_datapath_ports", "", gauge, base, "dpctl/show -s", "Ports of the datapath.", "datapath")
	dpMasks   = family("ovs_datapath_masks", "", gauge, base, "dpctl/show -s", "Masks of the kernel datapath.", "datapath")
	dpMaskHit = family("ovs_datapath_masks_hit_total", "", counter, base, "dpctl/show -s", "Masks tried for packets in the kernel datapath.", "datapath")

	portPackets = family("ovs_datapath_port_packets_total", "", counter, objects, "dpctl/show -s", "Packets of a port by direction, seen from the switch.", "datapath", "port", "direction")
	portBytes   = family("ovs_datapath_port_bytes_total", "bytes", counter, objects, "dpctl/show -s", "Bytes of a port by direction, seen from the switch.", "datapath", "port", "direction")
	portErrors  = family("ovs_datapath_port_errors_total", "", counter, objects, "dpctl/show -s", "Packets in error of a port by direction.", "datapath", "port", "direction")
	portDropped = family("ovs_datapath_port_dropped_total", "", counter, objects, "dpctl/show -s", "Packets dropped at a port by direction.", "datapath", "port", "direction")

	upcallFlows    = family("ovs_upcall_flows", "", gauge, base, "upcall/show", "Flows that the revalidators keep.", "datapath")
	upcallFlowsAvg = family("ovs_upcall_flows_average", "", gauge, base, "upcall/show", "Flows that the revalidators kept on the average of late.", "datapath")
	upcallFlowsMax = family("ovs_upcall_flows_max", "", gauge, base, "upcall/show", "Most flows that were kept of late.", "datapath")
	upcallLimit    = family("ovs_upcall_flows_limit", "", gauge, base, "upcall/show", "Flows allowed; lowered when dumping them takes too long.", "datapath")
	upcallDump     = family("ovs_upcall_dump_duration_seconds", "seconds", gauge, base, "upcall/show", "How long the last dump of all flows took.", "datapath")

	pmdPackets = family("ovs_pmd_packets_total", "", counter, inner, "dpif-netdev/pmd-stats-show", "Packets received by a thread of the userspace datapath.", "thread")
	pmdRecirc  = family("ovs_pmd_recirculations_total", "", counter, inner, "dpif-netdev/pmd-stats-show", "Packets sent round again.", "thread")
	pmdHits    = family("ovs_pmd_hits_total", "", counter, inner, "dpif-netdev/pmd-stats-show", "Packets that found their flow, by the cache they found it in.", "thread", "cache")
	pmdUpcalls = family("ovs_pmd_upcalls_total", "", counter, inner, "dpif-netdev/pmd-stats-show", "Packets that missed, by the result of their upcall: success or failed.", "thread", "result")
	pmdCycles  = family("ovs_pmd_cycles_total", "", counter, inner, "dpif-netdev/pmd-stats-show", "CPU cycles by state: idle or processing.", "thread", "state")

	bfdUp         = family("ovs_bfd_up", "", gauge, base, "bfd/show", "BFD session of a tunnel is up: 1 yes, 0 no.", "interface")
	bfdForwarding = family("ovs_bfd_forwarding", "", gauge, base, "bfd/show", "BFD finds that the tunnel carries packets: 1 yes, 0 no.", "interface")

	raftLeader      = family("ovs_raft_leader", "", gauge, base, "cluster/status", "Server leads the cluster of its database: 1 yes, 0 no.", "daemon", "database")
	raftTerm        = family("ovs_raft_term", "", gauge, base, "cluster/status", "Term of the cluster; it rises with each election.", "daemon", "database")
	raftUncommitted = family("ovs_raft_entries_uncommitted", "", gauge, base, "cluster/status", "Log entries that a majority does not hold yet.", "daemon", "database")
	raftUnapplied   = family("ovs_raft_entries_unapplied", "", gauge, base, "cluster/status", "Log entries that the database does not show yet.", "daemon", "database")

	controllerConnected = family("ovn_controller_connected", "", gauge, base, "connection-status", "ovn-controller is connected to the southbound database: 1 yes, 0 no.")
	controllerEngine    = family("ovn_controller_engine_runs_total", "", counter, inner, "inc-engine/show-stats", "Runs of a node of the incremental engine, by kind: recompute, compute or cancel.", "node", "kind")
	lflowEntries        = family("ovn_controller_lflow_cache_entries", "", gauge, base, "lflow-cache/show-stats", "Entries of the logical flow cache by kind.", "kind")
	lflowBytes          = family("ovn_controller_lflow_cache_bytes", "bytes", gauge, base, "lflow-cache/show-stats", "Memory of the logical flow cache.")
	lflowTrims          = family("ovn_controller_lflow_cache_trims_total", "", counter, base, "lflow-cache/show-stats", "Times the logical flow cache was trimmed.")

	controllerRecomputes = family("ovn_controller_recomputes_total", "", counter, base, "inc-engine/show-stats", "Times that ovn-controller worked out all flows anew instead of what changed.", "node")
	controllerRunning    = family("ovn_controller_running", "", gauge, base, "debug/status", "ovn-controller runs: 1 yes, 0 it was paused.")
	controllerZones      = family("ovn_controller_ct_zones", "", gauge, base, "ct-zone-list", "Conntrack zones that ovn-controller has given out; there are 65,535.")
	controllerGroups     = family("ovn_controller_groups", "", gauge, inner, "group-table-list", "OpenFlow groups of load balancers.")
	controllerMeters     = family("ovn_controller_meters", "", gauge, inner, "meter-table-list", "OpenFlow meters.")

	loopTime         = family("ovn_loop_seconds", "seconds", gauge, base, "stopwatch/show", "How long a round takes, of ovn-northd (ovn-northd-loop) and of ovn-controller (flow-generation, flow-installation), by statistic: maximum, minimum, 95th_percentile, short_term_average, long_term_average. The daemon measures in milliseconds.", "daemon", "loop", "statistic")
	stopwatchTime    = family("ovn_stopwatch_seconds", "seconds", gauge, inner, "stopwatch/show", "How long a part of the work takes, by statistic.", "daemon", "stopwatch", "statistic")
	stopwatchSamples = family("ovn_stopwatch_samples_total", "", counter, inner, "stopwatch/show", "Times that a part of the work was done.", "daemon", "stopwatch")

	northdStatus     = family("ovn_northd_status", "", gauge, base, "status", "Status of ovn-northd (active, standby, paused): 1 for the one it has, 0 for the others.", "daemon", "status")
	northdEngine     = family("ovn_northd_engine_runs_total", "", counter, inner, "inc-engine/show-stats", "Runs of a node of ovn-northd's incremental engine, by kind: recompute, compute or cancel.", "daemon", "node", "kind")
	northdRecomputes = family("ovn_northd_recomputes_total", "", counter, base, "inc-engine/show-stats", "Times that ovn-northd worked out everything anew instead of what changed.", "daemon", "node")

	northdActive    = family("ovn_northd_active", "", gauge, base, "status", "ovn-northd is the active one: 1 active, 0 standby or paused.", "daemon")
	northdConnected = family("ovn_northd_connected", "", gauge, base, "nb-connection-status, sb-connection-status", "ovn-northd is connected to the database: 1 yes, 0 no.", "daemon", "database")

	families = slices.Concat([]*exporters.Family{up, versionInfo, coverage, memory, dpFlows, dpLookups, dpPorts, dpMasks, dpMaskHit,
		portPackets, portBytes, portErrors, portDropped, upcallFlows, upcallFlowsAvg, upcallFlowsMax, upcallLimit, upcallDump,
		pmdPackets, pmdRecirc, pmdHits, pmdUpcalls, pmdCycles, bfdUp, bfdForwarding,
		controllerConnected, controllerRunning, controllerEngine, controllerRecomputes, controllerZones, controllerGroups, controllerMeters,
		lflowEntries, lflowBytes, lflowTrims, loopTime, stopwatchTime, stopwatchSamples,
		northdActive, northdStatus, northdConnected, northdEngine, northdRecomputes}, raftFamilies, switchFamilies, processFamilies)
)

// Families are all metrics of the package, each once.
func Families() []*exporters.Family { return slices.Concat(families, databaseFamilies) }
