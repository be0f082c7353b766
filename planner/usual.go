package planner

import (
	"fmt"

	"mcloud/planner/capacity"
	"mcloud/planner/scenario"
)

// usualGrowth is by how many percent more and less growth is looked at, and
// usualDelay by how many days purchases come later.
const (
	usualGrowth = 20
	usualDelay  = 90
)

// mostUsualLosses bounds the datacentres and racks whose loss every report looks at.
const mostUsualLosses = 6

// usual are the questions that every report answers without being asked: more and less
// growth, nothing of what is promised, purchases that come late, a datacentre or a rack
// that is lost. Their names have blanks in them, which those of stored ones have not.
func usual(commitments []scenario.Commitment, s capacity.Storage, reserve map[string][]string) []scenario.Scenario {
	all := []scenario.Scenario{
		{Name: fmt.Sprintf("growth %d %% more", usualGrowth), Changes: []scenario.Change{{Action: scenario.Growth, Percent: usualGrowth}}},
		{Name: fmt.Sprintf("growth %d %% less", usualGrowth), Changes: []scenario.Change{{Action: scenario.Growth, Percent: -usualGrowth}}},
	}
	none := scenario.Scenario{Name: "nothing of what is promised"}
	late := scenario.Scenario{Name: fmt.Sprintf("purchases %d days late", usualDelay)}
	for _, c := range commitments {
		none.Changes = append(none.Changes, scenario.Change{Action: scenario.Without, Name: c.Name})
		for _, change := range c.Changes {
			if change.Action == scenario.AddHosts || change.Action == scenario.AddOSDs {
				late.Changes = append(late.Changes, scenario.Change{Action: scenario.Delay, Name: c.Name, Days: usualDelay})
				break
			}
		}
	}
	for _, s := range []scenario.Scenario{none, late} {
		if len(s.Changes) > 0 && len(s.Changes) <= scenario.MaxChanges {
			all = append(all, s)
		}
	}
	datacentres, racks := map[string]bool{}, map[string]bool{}
	for _, o := range s.OSDs {
		datacentres[o.Datacenter], racks[o.Rack] = true, true
	}
	for name := range reserve {
		racks[name] = true
	}
	delete(datacentres, "")
	delete(racks, "")
	// One alone is everything: its loss is no question.
	if len(datacentres) > 1 && len(datacentres) <= mostUsualLosses {
		for _, name := range sortedKeys(datacentres) {
			all = append(all, scenario.Scenario{Name: "datacentre " + name + " is lost", Changes: []scenario.Change{{Action: scenario.Lose, Datacenter: name}}})
		}
	}
	if len(racks) > 1 && len(racks) <= mostUsualLosses {
		for _, name := range sortedKeys(racks) {
			all = append(all, scenario.Scenario{Name: "rack " + name + " is lost", Changes: []scenario.Change{{Action: scenario.Lose, Rack: name}}})
		}
	}
	return all
}
