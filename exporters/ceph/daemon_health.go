package ceph

import (
	"regexp"
	"strings"
)

// The daemons' own reports reach the monitors as health checks only, from
// ceph/ceph:src/mgr/DaemonHealthMetricCollector.cc: "3 slow ops, oldest one
// blocked for 35 sec, daemons [osd.0,mon.a] have slow ops.", and "5 PGs pending
// on creation" with "osds [osd.1,osd.2] have pending PGs." A check that is not
// raised means 0 for every daemon. More than ten daemons are cut by "...".
var (
	reportChecks  = map[string]string{"SLOW_OPS": "SLOW_OPS", "PENDING_CREATING_PGS": "PENDING_CREATING_PGS"}
	namedInReport = regexp.MustCompile(`(?:osd|mon|mds|mgr)\.[^\s,\]\[]+`)
)

// report is one such check: how many, and whose.
type report struct {
	sum     float64
	daemons map[string]bool
	cut     bool // there are more than are named
}

func readReport(check healthCheck) report {
	r := report{sum: leadingNumber(check.Summary.Message), daemons: map[string]bool{}}
	text := check.Summary.Message
	for _, d := range check.Detail {
		text += " " + d.Message
	}
	r.cut = strings.Contains(text, "...")
	for _, name := range namedInReport.FindAllString(text, -1) {
		r.daemons[strings.TrimRight(name, ".")] = true
	}
	return r
}

// addReports writes what each daemon reports of itself. What cannot be known, of
// a daemon that a cut list may or may not hold, is left out.
func (l *look) addReports(answer healthAnswer, kind string, daemons []string) {
	check, raised := answer.Checks[reportChecks[kind]]
	r := readReport(check)
	for _, name := range daemons {
		switch {
		case !raised:
			l.snap.Add(daemonHealth, 0, kind, name)
		case r.daemons[name]:
			l.snap.Add(daemonHealth, r.sum/float64(len(r.daemons)), kind, name)
		case !r.cut && len(r.daemons) > 0:
			l.snap.Add(daemonHealth, 0, kind, name)
		}
	}
}
