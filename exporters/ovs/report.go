package ovs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/ovs/openflow"
	"mcloud/exporters/ovs/unixctl"
)

// report is one daemon's answers as samples.
type report struct {
	host, daemon string
	client       unixctl.Client
	snap         exporters.Snapshot
	failed       []error // commands that failed, while the rest did not
	given        map[string]bool
	sets         func(exporters.Set) bool // that are wanted
	zones        map[string]string        // conntrack zones by name, of ovn-controller
	states       map[string]string        // for the events: "raft.role\x00OVN_Northbound" is "leader"
	databases    []string                 // of an ovsdb-server, without its own
}

// noteState keeps a state whose changes are events.
func (r *report) noteState(kind, name, state string) {
	if r.states == nil {
		r.states = map[string]string{}
	}
	r.states[kind+"\x00"+name] = state
}

// question is one command and how its text is read. read reports how many
// values it recognized.
type question struct {
	method string
	params []string
	read   func(r *report, text string) int
	// quiet allows an answer without a value: no tunnel has BFD, no thread polls.
	quiet bool
	// set is the one that needs it; "" means base.
	set exporters.Set
	// optional says that the datapath may refuse it, which is no fault.
	optional bool
}

// questions are by program, as "version" names it.
var questions = map[string][]question{
	"ovs-vswitchd": {
		{method: "dpctl/show", params: []string{"-s"}, read: readDatapaths, quiet: true},
		{method: "upcall/show", read: readUpcalls, quiet: true},
		{method: "dpif-netdev/pmd-stats-show", read: readThreads, quiet: true},
		{method: "bfd/show", read: readBFD, quiet: true},
		{method: "bond/show", read: readBonds, quiet: true},
		{method: "dpctl/ct-get-nconns", read: readNumber(ctEntries), optional: true},
		{method: "dpctl/ct-get-maxconns", read: readNumber(ctLimit), optional: true},
		{method: "dpctl/ct-stats-show", read: readConnections, set: exporters.SetPerf, optional: true},
		{method: "dpctl/ipf-get-status", read: readFragments, set: exporters.SetPerf, optional: true},
		{method: "dpif-netdev/pmd-rxq-show", read: readQueues, set: exporters.SetPerf, quiet: true},
		{method: "dpif-netdev/pmd-perf-show", read: readPerf, set: exporters.SetPerf, quiet: true},
	},
	"ovn-controller": {
		{method: "connection-status", read: readControllerConnection},
		{method: "debug/status", read: readControllerStatus},
		{method: "inc-engine/show-stats", read: readEngine(addControllerEngine), quiet: true},
		{method: "lflow-cache/show-stats", read: readFlowCache, quiet: true},
		{method: "stopwatch/show", read: readStopwatches, quiet: true},
		{method: "ct-zone-list", read: readZones, quiet: true},
		{method: "group-table-list", read: readLines(controllerGroups), set: exporters.SetPerf, quiet: true},
		{method: "meter-table-list", read: readLines(controllerMeters), set: exporters.SetPerf, quiet: true},
	},
	"ovn-northd": {
		{method: "status", read: readNorthdStatus},
		{method: "nb-connection-status", read: readNorthdConnection("northbound")},
		{method: "sb-connection-status", read: readNorthdConnection("southbound")},
		{method: "inc-engine/show-stats", read: readEngine(addNorthdEngine), quiet: true},
		{method: "stopwatch/show", read: readStopwatches, quiet: true},
	},
	"ovsdb-server": {
		{method: "ovsdb-server/sync-status", read: readSync, quiet: true},
	},
}

// everyone is asked these.
var everyone = []question{
	{method: "coverage/show", read: readCoverage, quiet: true},
	{method: "memory/show", read: readMemory, quiet: true},
}

// run asks the daemon everything that suits it. The error is that of the first
// question, which tells whether the daemon lives at all.
func (r *report) run(ctx context.Context) error {
	start := time.Now()
	text, pid, err := r.client.CallPeer(ctx, "version")
	countCall(ctx, start, err)
	if err != nil {
		return err
	}
	program, version := readVersion(text)
	r.add(versionInfo, 1, r.daemon, program, version)
	if pid > 0 {
		r.readProcess(pid, bootTime(), r.sets)
	}
	for _, q := range questions[program] {
		if !r.ask(ctx, q) {
			return nil
		}
	}
	for _, q := range everyone {
		if !r.ask(ctx, q) {
			return nil
		}
	}
	switch program {
	case "ovsdb-server":
		r.askDatabases(ctx)
	case "ovs-vswitchd":
		r.askBridges(ctx)
	}
	return nil
}

// add takes the first value of each series: a text that names something twice
// must not give a series twice.
func (r *report) add(f *exporters.Family, value float64, labels ...string) {
	if r.given == nil {
		r.given = map[string]bool{}
	}
	if key := f.Name + "\x00" + strings.Join(labels, "\x00"); !r.given[key] {
		r.given[key] = true
		r.snap.Add(f, value, append([]string{r.host}, labels...)...)
	}
}

func (r *report) call(ctx context.Context, method string, params ...string) (string, error) {
	start := time.Now()
	text, err := r.client.Call(ctx, method, params...)
	countCall(ctx, start, err)
	return text, err
}

func countCall(ctx context.Context, start time.Time, err error) {
	code := "0"
	if err != nil {
		code = exporters.KindOf(err)
	}
	exporters.CountCall(ctx, "unixctl", code, time.Since(start))
}

// ask keeps what one command gives. It reports whether to go on: a daemon that
// has just frozen is not asked the rest, each for its whole deadline.
func (r *report) ask(ctx context.Context, q question) (goOn bool) {
	if q.set != "" && !r.sets(q.set) {
		return true
	}
	text, err := r.call(ctx, q.method, q.params...)
	var refused *unixctl.DaemonError
	switch {
	case errors.As(err, &refused) && (refused.Unknown() || q.optional):
		return true // this version, datapath, daemon or standalone database has no such thing
	case err != nil:
		r.failed = append(r.failed, err)
		return refused != nil
	}
	if n := q.read(r, text); n == 0 && !(q.quiet && strings.TrimSpace(text) == "") && !r.legallyEmpty(q, text) {
		r.failed = append(r.failed, exporters.WithKind(fmt.Errorf("%s: nothing in the answer is known: %.80q", q.method, text), exporters.KindDecode))
	}
	return true
}

// legallyEmpty knows the sentences that stand for nothing.
func (r *report) legallyEmpty(q question, text string) bool {
	return q.method == "coverage/show" && strings.Contains(text, "events never hit")
}

// askDatabases asks for the storage and the cluster of each database of the server.
func (r *report) askDatabases(ctx context.Context) {
	names, err := r.call(ctx, "ovsdb-server/list-dbs")
	if err != nil {
		r.failed = append(r.failed, err)
		return
	}
	for name := range strings.FieldsSeq(names) {
		if name == "_Server" || len(r.databases) == maxKinds {
			continue
		}
		r.databases = append(r.databases, name)
		if !r.ask(ctx, question{method: "ovsdb-server/get-db-storage-status", params: []string{name}, read: readStorage(name)}) || !r.askCluster(ctx, name) {
			return
		}
	}
}

// askCluster asks for the cluster of one database. A server that has none of
// clustered databases does not know the command.
func (r *report) askCluster(ctx context.Context, database string) (goOn bool) {
	text, err := r.call(ctx, "cluster/status", database)
	var refused *unixctl.DaemonError
	switch {
	case errors.As(err, &refused) && (refused.Unknown() || strings.Contains(refused.Message, "unknown cluster")):
		r.add(raftEnabled, 0, r.daemon, database)
		return true
	case err != nil:
		r.failed = append(r.failed, err)
		return refused != nil
	}
	if readCluster(database)(r, text) == 0 {
		r.failed = append(r.failed, exporters.WithKind(fmt.Errorf("cluster/status %s: nothing in the answer is known: %.80q", database, text), exporters.KindDecode))
	}
	return true
}

// maxBridges bounds the questions about bridges; a host has three.
const maxBridges = 16

// askBridges asks what each bridge has learned.
func (r *report) askBridges(ctx context.Context) {
	names, err := r.call(ctx, "ofproto/list")
	if err != nil {
		r.failed = append(r.failed, err)
		return
	}
	n := 0
	for name := range strings.FieldsSeq(names) {
		r.countFlows(ctx, name)
		if n++; n > maxBridges || !r.ask(ctx, question{method: "fdb/stats-show", params: []string{name}, read: readFDB(name), optional: true}) {
			return
		}
	}
}

// countFlows asks the bridge's management socket, where there is one beside the
// control socket.
func (r *report) countFlows(ctx context.Context, bridge string) {
	path := filepath.Join(filepath.Dir(r.client.Path), filepath.Base(bridge)+".mgmt")
	if _, err := os.Stat(path); err != nil {
		return
	}
	start := time.Now()
	flows, err := openflow.Flows(ctx, path, r.client.Timeout)
	code := "0"
	if err != nil {
		code = exporters.KindOf(err)
		r.failed = append(r.failed, fmt.Errorf("flows of bridge %s: %w", bridge, err))
	} else {
		r.add(bridgeFlows, float64(flows), bridge)
	}
	exporters.CountCall(ctx, "openflow", code, time.Since(start))
}
