package ceph

import (
	"strings"

	"mcloud"
	"mcloud/exporters"
)

// healthEvents tells of checks that were raised, changed or are gone, of the
// cluster's state as a whole, of monitors that left or joined the quorum and of
// another active manager.
type healthEvents struct{ status, checks, mons, mgr exporters.Transitions }

func (h *healthEvents) health(l *look, answer healthAnswer) {
	for _, t := range h.status.Observe(map[string]string{l.cfg.Name: answer.Status}, true) {
		l.event(t, "health.status", l.cfg.Name, severityOfHealth(t.To), nil)
	}
	states := map[string]string{}
	for name, check := range answer.Checks {
		states[name] = check.Severity
	}
	for _, t := range h.checks.Observe(states, true) {
		l.event(t, "health.check", l.cfg.Name, severityOfHealth(t.To), map[string]any{"message": cut(answer.Checks[t.Name].Summary.Message)})
	}
}

// severityOfHealth of "" is that of a check which is gone.
func severityOfHealth(status string) mcloud.Severity {
	switch status {
	case "HEALTH_WARN":
		return mcloud.SeverityWarning
	case "HEALTH_ERR":
		return mcloud.SeverityError
	}
	return mcloud.SeverityInfo
}

func (h *healthEvents) quorum(l *look, inQuorum map[string]bool) {
	states := map[string]string{}
	for name, in := range inQuorum {
		states[name] = "out"
		if in {
			states[name] = "in"
		}
	}
	for _, t := range h.mons.Observe(states, true) {
		severity := mcloud.SeverityInfo
		if t.To == "out" {
			severity = mcloud.SeverityWarning
		}
		l.event(t, "mon.quorum", l.cfg.Name+"/"+t.Name, severity, nil)
	}
}

func (h *healthEvents) activeMgr(l *look, name string) {
	for _, t := range h.mgr.Observe(map[string]string{"active": name}, true) {
		severity := mcloud.SeverityInfo
		if t.To == "" {
			severity = mcloud.SeverityError
		}
		l.event(t, "mgr.active", l.cfg.Name, severity, nil)
	}
}

// osdEvents tells of OSDs that went up, down, in or out, and of flags.
type osdEvents struct{ osds, flags exporters.Transitions }

func (e *osdEvents) observe(l *look, dump osdDump) {
	states := map[string]string{}
	for _, o := range dump.OSDs {
		states[osdName(o.OSD)] = osdStateName(o.Up, o.In)
	}
	for _, t := range e.osds.Observe(states, true) {
		severity := mcloud.SeverityInfo
		if strings.HasPrefix(t.To, "down") {
			severity = mcloud.SeverityWarning
		}
		l.event(t, "osd.state", l.cfg.Name+"/"+t.Name, severity, nil)
	}
	flags := map[string]string{}
	for flag := range strings.SplitSeq(dump.Flags, ",") {
		if flag != "" {
			flags[flag] = "set"
		}
	}
	for _, t := range e.flags.Observe(flags, true) {
		severity := mcloud.SeverityInfo
		if t.To == "set" {
			severity = mcloud.SeverityWarning
		}
		l.event(t, "osd.flag", l.cfg.Name, severity, nil)
	}
}

func (l *look) event(t exporters.Transition, kind, resource string, severity mcloud.Severity, more map[string]any) {
	l.snap.Events = append(l.snap.Events, t.Event(l.cfg.Cloud, l.source(), kind, resource, severity, l.cfg.Now(), more))
}
