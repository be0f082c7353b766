package ovs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/ovs/unixctl"
)

// report is one daemon's answers as samples.
type report struct {
	host, daemon string
	client       unixctl.Client
	snap         exporters.Snapshot
	failed       []error // commands that failed, while the rest did not
	given        map[string]bool
}

// question is one command and how its text is read. read reports how many
// values it recognized.
type question struct {
	method string
	params []string
	read   func(r *report, text string) int
	// quiet allows an answer without a value: no tunnel has BFD, no thread polls.
	quiet bool
}

// questions are by program, as "version" names it.
var questions = map[string][]question{
	"ovs-vswitchd": {
		{method: "dpctl/show", params: []string{"-s"}, read: readDatapaths, quiet: true},
		{method: "upcall/show", read: readUpcalls, quiet: true},
		{method: "dpif-netdev/pmd-stats-show", read: readThreads, quiet: true},
		{method: "bfd/show", read: readBFD, quiet: true},
	},
	"ovn-controller": {
		{method: "connection-status", read: readControllerConnection},
		{method: "inc-engine/show-stats", read: readEngine, quiet: true},
		{method: "lflow-cache/show-stats", read: readFlowCache, quiet: true},
	},
	"ovn-northd": {
		{method: "status", read: readNorthdStatus},
		{method: "nb-connection-status", read: readNorthdConnection("northbound")},
		{method: "sb-connection-status", read: readNorthdConnection("southbound")},
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
	text, err := r.call(ctx, "version")
	if err != nil {
		return err
	}
	program, version := readVersion(text)
	r.add(versionInfo, 1, r.daemon, program, version)
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
	if program == "ovsdb-server" {
		r.askClusters(ctx)
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
	code := "0"
	if err != nil {
		code = exporters.KindOf(err)
	}
	exporters.CountCall(ctx, "unixctl", code, time.Since(start))
	return text, err
}

// ask keeps what one command gives. It reports whether to go on: a daemon that
// has just frozen is not asked the rest, each for its whole deadline.
func (r *report) ask(ctx context.Context, q question) (goOn bool) {
	text, err := r.call(ctx, q.method, q.params...)
	var refused *unixctl.DaemonError
	switch {
	case errors.As(err, &refused) && (refused.Unknown() || strings.Contains(refused.Message, "unknown cluster")):
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

// askClusters asks for the state of each clustered database of the server.
func (r *report) askClusters(ctx context.Context) {
	names, err := r.call(ctx, "ovsdb-server/list-dbs")
	if err != nil {
		r.failed = append(r.failed, err)
		return
	}
	for name := range strings.FieldsSeq(names) {
		if name == "_Server" {
			continue
		}
		if !r.ask(ctx, question{method: "cluster/status", params: []string{name}, read: readCluster(name)}) {
			return
		}
	}
}
