package ovn

import (
	"slices"

	"mcloud"
	"mcloud/exporters"
)

// events are what has changed since the look before, of one kind. bad says
// whether a change is one that somebody should see; a resource's id is its name.
func (d *deployment) events(seen *exporters.Transitions, kind string, states map[string]string, complete bool, bad func(exporters.Transition) bool) []mcloud.Event {
	var all []mcloud.Event
	for _, t := range seen.Observe(states, complete) {
		severity := mcloud.SeverityInfo
		if bad(t) {
			severity = mcloud.SeverityWarning
		}
		all = append(all, t.Event(d.cfg.Cloud, "ovn", kind, t.Name, severity, d.cfg.Now(), nil))
	}
	return all
}

// becomes finds changes to one of the states bad.
func becomes(bad ...string) func(exporters.Transition) bool {
	return func(t exporters.Transition) bool { return slices.Contains(bad, t.To) }
}
