package ovn

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"mcloud/exporters"
	"mcloud/exporters/ovn/ovsdb"
)

var (
	gatewayPorts      = sbFamily("ovn_gateway_ports", "", "Port_Binding, HA_Chassis_Group", "Gateway ports of routers by where they are: preferred (on a candidate of the highest priority), failed_over (on another), unbound (on none: no traffic passes).", "state")
	gatewayCandidates = sbFamily("ovn_gateway_ports_by_candidates", "", "HA_Chassis_Group", "Gateway ports of routers by how many registered chassis may host them, 5 standing for more; with 0 or 1 the loss of a chassis is not survived.", "candidates")
	chassisActive     = sbFamily("ovn_chassis_gateway_ports", "", "Port_Binding", "Gateway ports of routers that are on the chassis, of those that may be.", chassisLabels...)
	chassisPreferred  = sbFamily("ovn_chassis_gateway_ports_preferred", "", "HA_Chassis_Group", "Gateway ports of routers that should be on the chassis by priority.", chassisLabels...)
	chassisCandidate  = sbFamily("ovn_chassis_gateway_ports_candidate", "", "HA_Chassis_Group", "Gateway ports of routers that the chassis may host.", chassisLabels...)
	gatewayInfo       = inSet(exporters.SetObjects, sbFamily("ovn_gateway_port_info", "", "Port_Binding", "Gateway port of a router and the chassis it is on, always 1.", "port", "router", "hostname", "state"))

	gatewayFamilies = []*exporters.Family{gatewayPorts, gatewayCandidates, chassisActive, chassisPreferred, chassisCandidate, gatewayInfo}
)

// gatewayRow is a Port_Binding of type chassisredirect, by which one chassis
// sends a distributed router's traffic in and out.
type gatewayRow struct {
	port              string
	datapath, chassis ovsdb.ID
	group             ovsdb.ID   // HA_Chassis_Group
	old               []ovsdb.ID // Gateway_Chassis, before OVN 2.12
}

// candidate is a chassis, zero when it is not registered, and its priority.
type candidate struct {
	chassis  ovsdb.ID
	priority int64
}

// candidates are the registered chassis that may host the gateway, the highest
// priority first.
func (f *south) candidates(g gatewayRow) []candidate {
	ids := f.groups[g.group]
	if len(ids) == 0 {
		ids = g.old
	}
	var all []candidate
	for _, id := range ids {
		if c, ok := f.members[id]; ok {
			if _, registered := f.chassis[c.chassis]; registered {
				all = append(all, c)
			}
		}
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Compare(b.priority, a.priority) })
	return all
}

// mostCandidates bounds the label "candidates"; Neutron makes at most five.
const mostCandidates = 5

func (d *deployment) addGateways(ctx context.Context, snap *exporters.Snapshot, f *south) {
	states := counts[string]{"preferred": 0, "failed_over": 0, "unbound": 0}
	numbers := counts[int]{0: 0, 1: 0}
	active, preferred, candidate := counts[ovsdb.ID]{}, counts[ovsdb.ID]{}, counts[ovsdb.ID]{}
	where := map[string]string{}
	for _, g := range f.gateways {
		all := f.candidates(g)
		state := "failed_over"
		if g.chassis == none {
			state = "unbound"
		}
		for _, c := range all {
			candidate[c.chassis]++
			if c.priority == all[0].priority {
				preferred[c.chassis]++
				if c.chassis == g.chassis {
					state = "preferred"
				}
			}
		}
		states[state]++
		numbers[min(len(all), mostCandidates)]++
		on := f.chassis[g.chassis].hostname
		if g.chassis != none {
			active[g.chassis]++
		}
		where[g.port] = cmp.Or(on, "nowhere")
		if exporters.Wants(ctx, exporters.SetObjects) {
			router := strings.TrimPrefix(f.datapaths[g.datapath].name, "neutron-")
			snap.Add(gatewayInfo, 1, g.port, router, on, state)
		}
	}
	for state, n := range states {
		snap.Add(gatewayPorts, float64(n), state)
	}
	for number, n := range numbers {
		snap.Add(gatewayCandidates, float64(n), strconv.Itoa(number))
	}
	for id, c := range f.chassis {
		if c.name == "" || !c.gateway && candidate[id] == 0 && active[id] == 0 {
			continue
		}
		snap.Add(chassisActive, float64(active[id]), c.name, c.hostname)
		snap.Add(chassisPreferred, float64(preferred[id]), c.name, c.hostname)
		snap.Add(chassisCandidate, float64(candidate[id]), c.name, c.hostname)
	}
	// A gateway that moves is a failover, or the way back from one.
	snap.Events = append(snap.Events, d.events(&d.gateways, "gateway.chassis", where, true,
		func(t exporters.Transition) bool { return t.From != "" && t.To != "" })...)
}
