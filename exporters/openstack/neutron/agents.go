package neutron

import (
	"context"
	"strings"
	"sync/atomic"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var (
	agentUp = &exporters.Family{
		Name: "openstack_neutron_agent_up", Type: exporters.Gauge, Labels: []string{"host", "binary", "type"}, Set: exporters.SetBase, Call: "GET /agents",
		Help: "Whether the agent reported in time, by Neutron's own judgement: 1 alive, 0 not.",
	}
	agentEnabled = &exporters.Family{
		Name: "openstack_neutron_agent_enabled", Type: exporters.Gauge, Labels: []string{"host", "binary", "type"}, Set: exporters.SetBase, Call: "GET /agents",
		Help: "Whether an operator lets the agent work: 1 its admin state is up, 0 down.",
	}
	agentSeen = &exporters.Family{
		Name: "openstack_neutron_agent_last_seen_timestamp_seconds", Unit: "seconds", Type: exporters.Gauge, Labels: []string{"host", "binary", "type"}, Set: exporters.SetBase, Call: "GET /agents",
		Help: "When the agent last reported to Neutron, in seconds since 1970.",
	}
	agentInfo = &exporters.Family{
		Name: "openstack_neutron_agent_info", Type: exporters.Gauge, Labels: []string{"id", "host", "binary", "type", "zone"}, Set: exporters.SetBase, Call: "GET /agents",
		Help: "Always 1; says which id and availability zone an agent has. An OVN agent's id is its chassis.",
	}
	agentFamilies = []*exporters.Family{agentUp, agentEnabled, agentSeen, agentInfo}
)

// agent's ID is the chassis name for OVN, a uuid otherwise.
type agent struct {
	ID         string         `json:"id"`
	Binary     string         `json:"binary"`
	Type       string         `json:"agent_type"`
	Host       string         `json:"host"`
	Zone       string         `json:"availability_zone"`
	Alive      openstack.Bool `json:"alive"`
	AdminState openstack.Bool `json:"admin_state_up"`
	Heartbeat  openstack.Time `json:"heartbeat_timestamp"`
}

// state is what a transition is told of: "up", "down", "up disabled", …
func (a agent) state() string {
	state := "down"
	if a.Alive {
		state = "up"
	}
	if !a.AdminState {
		state += " disabled"
	}
	return state
}

// l3Agents says whether routers are carried by L3 agents, as neutron_agents saw
// it; false before it has looked, and with OVN.
type l3Agents struct{ there atomic.Bool }

type agentsCollector struct {
	cloud  *openstack.Cloud
	l3     *l3Agents
	states exporters.Transitions
}

func (c *agentsCollector) collect(ctx context.Context) (*exporters.Snapshot, error) {
	l := newLook(c.cloud)
	all, complete := list[agent](ctx, l, "/agents", "agents", nil)
	if !complete && len(all.Objects) == 0 {
		return l.end()
	}
	var objects []mcloud.Object
	states, known, l3 := map[string]string{}, map[string]agent{}, false
	for _, a := range all.Objects {
		l.s.Add(agentUp, exporters.Bool(bool(a.Alive)), a.Host, a.Binary, a.Type)
		l.s.Add(agentEnabled, exporters.Bool(bool(a.AdminState)), a.Host, a.Binary, a.Type)
		if !a.Heartbeat.IsZero() {
			l.s.Add(agentSeen, float64(a.Heartbeat.Unix()), a.Host, a.Binary, a.Type)
		}
		l.s.Add(agentInfo, 1, a.ID, a.Host, a.Binary, a.Type, a.Zone)
		objects = append(objects, mcloud.NewObject(mcloud.KindNetworkAgent, a.ID, a.Host, "", "", mcloud.NetworkAgent{
			Binary: a.Binary, Type: a.Type, Host: a.Host, Zone: a.Zone, Alive: bool(a.Alive), AdminState: bool(a.AdminState),
		}))
		name := a.Binary + " on " + a.Host
		states[name], known[name] = a.state(), a
		l3 = l3 || a.Type == "L3 agent"
	}
	complete = complete && len(all.Failed) == 0
	c.l3.there.Store(l3)
	l.record(mcloud.KindNetworkAgent, complete, objects)
	for _, t := range c.states.Observe(states, complete) {
		a := known[t.Name]
		severity := mcloud.SeverityInfo
		if t.To == "" || strings.HasPrefix(t.To, "down") {
			severity = mcloud.SeverityWarning
		}
		l.s.Events = append(l.s.Events, t.Event(c.cloud.Name(), "neutron", "agent.state", a.ID, severity, l.start, map[string]any{
			"binary": a.Binary, "host": a.Host, "type": a.Type,
		}))
	}
	return l.end()
}
