package ovn

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/ovn/ovsdb"
)

var chassisLabels = []string{"chassis", "hostname"}

func sbFamily(name, unit, call, help string, labels ...string) *exporters.Family {
	return nbFamily(name, unit, call, help, labels...)
}

var (
	sbNbCfg      = sbFamily("ovn_sb_nb_cfg", "", "SB_Global", "Number of the configuration that the southbound database holds.")
	sbRows       = sbFamily("ovn_sb_rows", "", "OVN_Southbound", "Rows of a southbound table.", "table")
	chassisInfo  = sbFamily("ovn_chassis_info", "", "Chassis", "Chassis that is registered, always 1.", chassisLabels...)
	chassisEncap = sbFamily("ovn_chassis_encap_info", "", "Encap", "Tunnel end of a chassis, always 1.", "chassis", "hostname", "type", "ip")
	chassisGW    = sbFamily("ovn_chassis_gateway", "", "Chassis", "Chassis may host gateways by its ovn-cms-options: 1 yes, 0 no.", chassisLabels...)
	chassisNbCfg = sbFamily("ovn_chassis_nb_cfg", "", "Chassis_Private", "Number of the configuration that the chassis has put into force.", chassisLabels...)
	chassisLag   = sbFamily("ovn_chassis_nb_cfg_lag", "", "SB_Global, Chassis_Private", "Configurations that the chassis is behind the southbound database.", chassisLabels...)
	chassisTime  = sbFamily("ovn_chassis_nb_cfg_timestamp_seconds", "seconds", "Chassis_Private", "When the chassis last put a configuration into force, by its clock; absent if it never did.", chassisLabels...)
	chassisAge   = sbFamily("ovn_chassis_nb_cfg_age_seconds", "seconds", "Chassis_Private", "Time since the chassis last put a configuration into force. It also grows while nobody bumps nb_cfg: what is wrong shows in ovn_chassis_nb_cfg_lag.", chassisLabels...)
	chassisDelay = sbFamily("ovn_chassis_nb_cfg_delay_seconds", "seconds", "NB_Global, Chassis_Private", "Time from when ovn-northd saw the last bump of nb_cfg until the chassis had it in force, or until now while it has not; by the clocks of both.", chassisLabels...)
	chassisPorts = sbFamily("ovn_chassis_port_bindings", "", "Port_Binding", "Logical ports bound to the chassis.", chassisLabels...)
	chassisLost  = sbFamily("ovn_chassis_port_bindings_missing", "", "Port_Binding", "Logical ports that are to be on the chassis and are bound to none.", chassisLabels...)
	portBindings = sbFamily("ovn_port_bindings", "", "Port_Binding", "Logical ports by type (vif for a machine's) and whether they are up.", "type", "up")
	portsUnbound = sbFamily("ovn_port_bindings_unbound", "", "Port_Binding", "Machines' ports that are bound to no chassis, by whether one is asked for them.", "requested")
	portsAstray  = sbFamily("ovn_port_bindings_astray", "", "Port_Binding", "Logical ports that are bound to another chassis than the one asked for; for a moment in a live migration.")
	bfdSessions  = sbFamily("ovn_bfd_sessions", "", "BFD", "BFD sessions of logical ports by status.", "status")
	monitors     = sbFamily("ovn_service_monitors", "", "Service_Monitor", "Health checks of load balancers' members by status.", "status")

	portInfo    = inSet(exporters.SetObjects, sbFamily("ovn_logical_switch_port_info", "", "Port_Binding", "Logical port, always 1; logical_switch is empty on a router.", "port", "type", "logical_switch", "hostname", "addresses"))
	portKeyOfSB = inSet(exporters.SetObjects, sbFamily("ovn_logical_switch_port_tunnel_key", "", "Port_Binding", "Number of the port in tunnels' packets.", "port", "logical_switch"))
	switchKey   = inSet(exporters.SetObjects, sbFamily("ovn_datapath_tunnel_key", "", "Datapath_Binding", "Number of the logical switch or router in tunnels' packets.", "datapath", "name", "kind"))
	switchPorts = inSet(exporters.SetObjects, sbFamily("ovn_datapath_ports", "", "Port_Binding", "Ports of the logical switch or router.", "datapath", "name", "kind"))

	flowsTotal   = inSet(exporters.SetDebug, sbFamily("ovn_logical_flows", "", "Logical_Flow", "Rows of logical flows, of which one may serve many datapaths."))
	flowsProject = inSet(exporters.SetDebug, sbFamily("ovn_project_logical_flows", "", "Logical_Flow, Logical_DP_Group", "Logical flows of a project's switches and routers; one that many datapaths share counts for each. Empty for what belongs to nobody that is known.", "project_id"))
	flowsOf      = inSet(exporters.SetDebug, sbFamily("ovn_datapath_logical_flows", "", "Logical_Flow, Logical_DP_Group", "Logical flows of a logical switch or router.", "datapath", "name", "kind"))

	southboundFamilies = slices.Concat([]*exporters.Family{sbNbCfg, sbRows, chassisInfo, chassisEncap, chassisGW, chassisNbCfg, chassisLag, chassisTime, chassisAge, chassisDelay,
		chassisPorts, chassisLost, portBindings, portsUnbound, portsAstray, bfdSessions, monitors,
		portInfo, portKeyOfSB, switchKey, switchPorts, flowsTotal, flowsProject, flowsOf}, gatewayFamilies)
)

// southboundQueries are the columns that are followed; flowQueries those of the
// set debug besides. A cloud has some hundred thousand logical flows: the two
// columns are about 100 bytes each on the wire, at the start and as they change,
// and cost a counter per datapath here.
var (
	southboundQueries = []ovsdb.Query{
		{Table: "SB_Global", Columns: []string{"nb_cfg"}},
		{Table: "Chassis", Columns: []string{"name", "hostname", "encaps", "nb_cfg", "other_config", "external_ids"}},
		{Table: "Chassis_Private", Columns: []string{"name", "nb_cfg", "nb_cfg_timestamp"}},
		{Table: "Encap", Columns: []string{"type", "ip"}},
		{Table: "Port_Binding", Columns: []string{"type", "chassis", "requested_chassis", "up", "datapath"}},
		{Table: "Datapath_Binding", Columns: []string{"external_ids", "tunnel_key"}},
		{Table: "HA_Chassis_Group", Columns: []string{"name", "ha_chassis"}},
		{Table: "HA_Chassis", Columns: []string{"chassis", "priority"}},
		{Table: "Gateway_Chassis", Columns: []string{"chassis", "priority"}},
		{Table: "BFD", Columns: []string{"status", "logical_port", "dst_ip"}},
		{Table: "Service_Monitor", Columns: []string{"status"}},
		// Rows of these are counted only.
		{Table: "MAC_Binding"}, {Table: "FDB"}, {Table: "Multicast_Group"}, {Table: "IGMP_Group"}, {Table: "IP_Multicast"}, {Table: "DNS"}, {Table: "Meter"},
		{Table: "Load_Balancer"}, {Table: "Port_Group"}, {Table: "Address_Set"}, {Table: "Controller_Event"}, {Table: "Static_MAC_Binding"},
		{Table: "Chassis_Template_Var"}, {Table: "Mirror"}, {Table: "ECMP_Nexthop"}, {Table: "Advertised_Route"}, {Table: "Learned_Route"},
	}
	// A gateway's own columns come with those of all ports: they are short.
	gatewayColumns = []string{"logical_port", "ha_chassis_group", "gateway_chassis"}
	portColumns    = []string{"tunnel_key", "mac"} // set objects
	flowQueries    = []ovsdb.Query{
		{Table: "Logical_Flow", Columns: []string{"logical_datapath", "logical_dp_group"}},
		{Table: "Logical_DP_Group", Columns: []string{"datapaths"}},
	}
)

func southboundQueriesFor(ctx context.Context) []ovsdb.Query {
	all := slices.Clone(southboundQueries)
	for i, q := range all {
		if q.Table == "Port_Binding" {
			all[i].Columns = slices.Concat(q.Columns, gatewayColumns)
			if exporters.Wants(ctx, exporters.SetObjects) {
				all[i].Columns = append(all[i].Columns, portColumns...)
			}
		}
	}
	if exporters.Wants(ctx, exporters.SetDebug) {
		all = append(all, flowQueries...)
	}
	return all
}

func (d *deployment) southbound() half {
	return half{
		families: southboundFamilies,
		queries:  southboundQueriesFor,
		start: func(ctx context.Context, _ ovsdb.Has) ovsdb.Fold {
			return newSouth(exporters.Wants(ctx, exporters.SetObjects))
		},
		read: func(ctx context.Context, s ovsdb.State, f ovsdb.Fold) (*exporters.Snapshot, error) {
			return d.readSouth(ctx, s, f.(*south))
		},
	}
}

// south is the southbound database, folded.
type south struct {
	rows      counts[string]
	nbCfg     int64
	chassis   map[ovsdb.ID]chassisRow
	private   map[ovsdb.ID]privateRow
	encaps    map[ovsdb.ID][2]string // type, ip
	datapaths map[ovsdb.ID]datapathRow
	gateways  map[ovsdb.ID]gatewayRow // ports of type chassisredirect
	groups    map[ovsdb.ID][]ovsdb.ID // HA_Chassis of an HA_Chassis_Group
	members   map[ovsdb.ID]candidate  // by HA_Chassis or Gateway_Chassis
	bfd       map[ovsdb.ID][2]string  // session, status
	ports     map[ovsdb.ID]portRow    // set objects, nil without

	portTypes        counts[portKey]
	bound, missing   counts[ovsdb.ID] // by chassis
	onDatapath       counts[ovsdb.ID]
	unbound          counts[bool] // by whether a chassis is asked for
	astray           counts[bool]
	checks           counts[string]
	flows, flowsOfDP counts[ovsdb.ID] // by Logical_DP_Group, by datapath
	flowGroups       map[ovsdb.ID][]ovsdb.ID
}

type (
	chassisRow struct {
		id, name, hostname string
		encaps             []ovsdb.ID
		gateway            bool
		nbCfg              int64 // before OVN 20.09 the only one
	}
	privateRow struct {
		name       string
		nbCfg, ms  int64
		hasNumbers bool
	}
	datapathRow struct {
		nb         ovsdb.ID // Logical_Switch or Logical_Router
		kind, name string
		key        int64
	}
	portRow struct {
		name, kind, addresses string
		datapath, chassis     ovsdb.ID
		key                   int64
	}
)

func newSouth(objects bool) *south {
	f := &south{
		rows: counts[string]{}, chassis: map[ovsdb.ID]chassisRow{}, private: map[ovsdb.ID]privateRow{}, encaps: map[ovsdb.ID][2]string{},
		datapaths: map[ovsdb.ID]datapathRow{}, gateways: map[ovsdb.ID]gatewayRow{}, groups: map[ovsdb.ID][]ovsdb.ID{}, members: map[ovsdb.ID]candidate{},
		bfd: map[ovsdb.ID][2]string{}, portTypes: counts[portKey]{}, bound: counts[ovsdb.ID]{}, missing: counts[ovsdb.ID]{}, onDatapath: counts[ovsdb.ID]{},
		unbound: counts[bool]{}, astray: counts[bool]{}, checks: counts[string]{}, flows: counts[ovsdb.ID]{}, flowsOfDP: counts[ovsdb.ID]{}, flowGroups: map[ovsdb.ID][]ovsdb.ID{},
	}
	if objects {
		f.ports = map[ovsdb.ID]portRow{}
	}
	return f
}

// Apply folds one row's change.
func (f *south) Apply(table, id string, old, new ovsdb.Row) error {
	change(old, new, func(_ ovsdb.Row, n int) { f.rows.add(table, n) })
	switch table {
	case "SB_Global":
		f.nbCfg, _ = new.Int("nb_cfg")
	case "Chassis":
		keep(f.chassis, id, new, func(r ovsdb.Row) chassisRow {
			nbCfg, _ := r.Int("nb_cfg")
			return chassisRow{id, r.String("name"), r.String("hostname"), r.IDs("encaps"), mayHostGateways(r), nbCfg}
		})
	case "Chassis_Private":
		keep(f.private, id, new, func(r ovsdb.Row) privateRow {
			nbCfg, ok := r.Int("nb_cfg")
			ms, _ := r.Int("nb_cfg_timestamp")
			return privateRow{r.String("name"), nbCfg, ms, ok}
		})
	case "Encap":
		keep(f.encaps, id, new, func(r ovsdb.Row) [2]string { return [2]string{r.String("type"), r.String("ip")} })
	case "Datapath_Binding":
		keep(f.datapaths, id, new, readDatapath)
	case "HA_Chassis_Group":
		keep(f.groups, id, new, func(r ovsdb.Row) []ovsdb.ID { return r.IDs("ha_chassis") })
	case "HA_Chassis", "Gateway_Chassis":
		keep(f.members, id, new, func(r ovsdb.Row) candidate {
			priority, _ := r.Int("priority")
			return candidate{r.ID("chassis"), priority}
		})
	case "BFD":
		keep(f.bfd, id, new, func(r ovsdb.Row) [2]string {
			return [2]string{r.String("logical_port") + " to " + r.String("dst_ip"), r.String("status")}
		})
	case "Service_Monitor":
		change(old, new, func(r ovsdb.Row, n int) { f.checks.add(r.String("status"), n) })
	case "Port_Binding":
		change(old, new, f.port)
		f.keepPort(id, new)
	case "Logical_Flow":
		change(old, new, func(r ovsdb.Row, n int) {
			f.flows.add(r.ID("logical_dp_group"), n)
			f.flowsOfDP.add(r.ID("logical_datapath"), n)
		})
	case "Logical_DP_Group":
		keep(f.flowGroups, id, new, func(r ovsdb.Row) []ovsdb.ID { return r.IDs("datapaths") })
	}
	return f.rows.bounded(table, table)
}

// mayHostGateways reads ovn-cms-options, which moved from external_ids to
// other_config in OVN 21.03.
func mayHostGateways(r ovsdb.Row) bool {
	for _, column := range []string{"other_config", "external_ids"} {
		for option := range strings.SplitSeq(r.Get(column, "ovn-cms-options"), ",") {
			if strings.TrimSpace(option) == "enable-chassis-as-gw" {
				return true
			}
		}
	}
	return false
}

func readDatapath(r ovsdb.Row) datapathRow {
	dp := datapathRow{name: r.Get("external_ids", "name")}
	dp.key, _ = r.Int("tunnel_key")
	for _, kind := range []string{"switch", "router"} {
		if nb, ok := ovsdb.ParseID(r.Get("external_ids", "logical-"+kind)); ok {
			dp.kind, dp.nb = kind, nb
		}
	}
	return dp
}

var none ovsdb.ID

func (f *south) port(r ovsdb.Row, n int) {
	key := portKeyOf(r)
	f.portTypes.add(key, n)
	f.onDatapath.add(r.ID("datapath"), n)
	on, wanted := r.ID("chassis"), r.ID("requested_chassis")
	switch {
	case on != none:
		f.bound.add(on, n)
		if wanted != none && wanted != on && key.kind == "vif" {
			f.astray.add(true, n)
		}
	case key.kind == "vif":
		f.unbound.add(wanted != none, n)
		if wanted != none {
			f.missing.add(wanted, n)
		}
	}
}

// keepPort holds gateways always and every port in the set objects.
func (f *south) keepPort(id string, new ovsdb.Row) {
	if new == nil || new.String("type") == "chassisredirect" {
		keep(f.gateways, id, new, func(r ovsdb.Row) gatewayRow {
			return gatewayRow{r.String("logical_port"), r.ID("datapath"), r.ID("chassis"), r.ID("ha_chassis_group"), r.IDs("gateway_chassis")}
		})
	}
	if f.ports == nil {
		return
	}
	keep(f.ports, id, new, func(r ovsdb.Row) portRow {
		key, _ := r.Int("tunnel_key")
		return portRow{r.String("logical_port"), portKeyOf(r).kind, strings.Join(r.Strings("mac"), ", "), r.ID("datapath"), r.ID("chassis"), key}
	})
}

func (f *south) check() error {
	for _, err := range []error{
		f.rows.check("rows of"), f.portTypes.check("ports"), f.bound.check("ports on"), f.missing.check("ports missing on"), f.onDatapath.check("ports of"),
		f.unbound.check("unbound ports"), f.astray.check("ports astray"), f.checks.check("service monitors"), f.flows.check("flows of"), f.flowsOfDP.check("flows of"),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *deployment) readSouth(ctx context.Context, s ovsdb.State, f *south) (*exporters.Snapshot, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	if n := f.rows["SB_Global"]; n != 1 {
		return nil, fmt.Errorf("OVN_Southbound at %s: SB_Global has %d rows, want 1; has ovn-northd never run?", s.Endpoint, n)
	}
	var snap exporters.Snapshot
	snap.Add(sbNbCfg, float64(f.nbCfg))
	for _, q := range southboundQueriesFor(ctx) {
		if s.Has(q.Table) {
			snap.Seen += f.rows[q.Table]
			snap.Add(sbRows, float64(f.rows[q.Table]), q.Table)
		}
	}
	complete := d.addChassis(&snap, s, f)
	addPorts(&snap, portBindings, f.portTypes, s.Has("Port_Binding", "up"))
	if s.Has("Port_Binding", "requested_chassis") {
		snap.Add(portsUnbound, float64(f.unbound[true]), "true")
		snap.Add(portsUnbound, float64(f.unbound[false]), "false")
		snap.Add(portsAstray, float64(f.astray[true]))
	} else {
		snap.Add(portsUnbound, float64(f.unbound[false]), "unknown")
	}
	sessions, states := counts[string]{}, map[string]string{}
	for _, b := range f.bfd {
		sessions[b[1]]++
		states[b[0]] = b[1]
	}
	addSessions(&snap, bfdSessions, sessions, s.Has("BFD"))
	snap.Events = append(snap.Events, d.events(&d.sessions, "bfd.status", states, true, becomes("down"))...)
	for status, n := range f.checks {
		snap.Add(monitors, float64(n), status)
	}
	d.addGateways(ctx, &snap, f)
	if exporters.Wants(ctx, exporters.SetObjects) {
		f.addObjects(&snap)
	}
	if exporters.Wants(ctx, exporters.SetDebug) && s.Has("Logical_Flow") {
		d.addFlows(&snap, f)
	}
	snap.Inventories = append(snap.Inventories, mcloud.Inventory{
		Cloud: d.cfg.Cloud, Scope: "ovn", Kind: mcloud.KindChassis, Time: d.cfg.Now().UTC(),
		Complete: complete, Objects: f.chassisObjects(),
	})
	return &snap, nil
}

// laggingAfter is how long a chassis may be behind before it is called lagging:
// with each bump of nb_cfg all are for a moment.
const laggingAfter = 60 * time.Second

// addChassis joins by name. Chassis_Private came with OVN 20.09; before, Chassis
// itself held nb_cfg. It reports whether every chassis could be named.
func (d *deployment) addChassis(snap *exporters.Snapshot, s ovsdb.State, f *south) (complete bool) {
	now := d.cfg.Now()
	north, haveNorth := d.fresh()
	private := map[string]privateRow{}
	for _, p := range f.private {
		private[p.name] = p
	}
	registered, current := map[string]string{}, map[string]string{}
	complete = true
	byName := slices.SortedFunc(maps.Keys(f.chassis), func(a, b ovsdb.ID) int { return strings.Compare(f.chassis[a].name, f.chassis[b].name) })
	for _, id := range byName {
		c := f.chassis[id]
		if c.name == "" {
			complete = false
			snap.Failed = append(snap.Failed, exporters.ObjectError{Object: "chassis " + c.id, Err: errors.New("it has no name")})
			continue
		}
		registered[c.name] = "registered"
		snap.Add(chassisInfo, 1, c.name, c.hostname)
		snap.Add(chassisGW, exporters.Bool(c.gateway), c.name, c.hostname)
		snap.Add(chassisPorts, float64(f.bound[id]), c.name, c.hostname)
		if s.Has("Port_Binding", "requested_chassis") {
			snap.Add(chassisLost, float64(f.missing[id]), c.name, c.hostname)
		}
		seen := map[[2]string]bool{}
		for _, encap := range c.encaps {
			if e, ok := f.encaps[encap]; ok && !seen[e] {
				seen[e] = true
				snap.Add(chassisEncap, 1, c.name, c.hostname, e[0], e[1])
			}
		}
		row, ok := private[c.name]
		if !s.Has("Chassis_Private") {
			row, ok = privateRow{c.name, c.nbCfg, 0, true}, true
		}
		if !ok {
			snap.Failed = append(snap.Failed, exporters.ObjectError{Object: "chassis " + c.name, Err: errors.New("it has no row in Chassis_Private: its ovn-controller never got that far")})
			continue
		}
		if !row.hasNumbers {
			continue
		}
		snap.Add(chassisNbCfg, float64(row.nbCfg), c.name, c.hostname)
		snap.Add(chassisLag, float64(f.nbCfg-row.nbCfg), c.name, c.hostname)
		at := time.UnixMilli(row.ms)
		current[c.name] = "current"
		if row.ms > 0 {
			snap.Add(chassisTime, float64(row.ms)/1000, c.name, c.hostname)
			snap.Add(chassisAge, max(0, now.Sub(at).Seconds()), c.name, c.hostname)
			if row.nbCfg < f.nbCfg && now.Sub(at) > laggingAfter {
				current[c.name] = "lagging"
			}
		}
		if !haveNorth || north.nbTime.IsZero() {
			continue
		}
		switch {
		case row.nbCfg >= north.nbCfg && row.ms > 0:
			snap.Add(chassisDelay, max(0, at.Sub(north.nbTime).Seconds()), c.name, c.hostname)
		case row.nbCfg < north.nbCfg:
			snap.Add(chassisDelay, max(0, now.Sub(north.nbTime).Seconds()), c.name, c.hostname)
		}
	}
	snap.Events = append(snap.Events, d.events(&d.registered, "chassis.registered", registered, complete, becomes(""))...)
	snap.Events = append(snap.Events, d.events(&d.current, "chassis.configuration", current, complete, becomes("lagging"))...)
	return complete
}

func (f *south) addObjects(snap *exporters.Snapshot) {
	name := func(id ovsdb.ID, kind string) string {
		if dp := f.datapaths[id]; dp.kind == kind {
			return dp.name
		}
		return ""
	}
	for _, p := range f.ports {
		snap.Add(portInfo, 1, p.name, p.kind, name(p.datapath, "switch"), f.chassis[p.chassis].hostname, p.addresses)
		snap.Add(portKeyOfSB, float64(p.key), p.name, name(p.datapath, "switch"))
	}
	for id, dp := range f.datapaths {
		snap.Add(switchKey, float64(dp.key), id.String(), dp.name, dp.kind)
		snap.Add(switchPorts, float64(f.onDatapath[id]), id.String(), dp.name, dp.kind)
	}
}

// addFlows spreads the flows of each group over its datapaths, and those over
// their owners when the northbound database is read too.
func (d *deployment) addFlows(snap *exporters.Snapshot, f *south) {
	snap.Add(flowsTotal, float64(f.rows["Logical_Flow"]))
	of := map[ovsdb.ID]int{}
	for id, n := range f.flowsOfDP {
		of[id] += n
	}
	for group, n := range f.flows {
		for _, id := range f.flowGroups[group] {
			of[id] += n
		}
	}
	north, haveNorth := d.fresh()
	var t exporters.Tally
	for id, dp := range f.datapaths {
		snap.Add(flowsOf, float64(of[id]), id.String(), dp.name, dp.kind)
		t.Add(float64(of[id]), north.owner[dp.nb])
	}
	if haveNorth {
		t.AddTo(snap, flowsProject)
	}
}

func (f *south) chassisObjects() []mcloud.Object {
	var objects []mcloud.Object
	for _, c := range f.chassis {
		if c.name == "" {
			continue
		}
		attributes := mcloud.Chassis{Hostname: c.hostname}
		for _, id := range c.encaps {
			if e, ok := f.encaps[id]; ok {
				attributes.Encaps = append(attributes.Encaps, e[0]+" "+e[1])
			}
		}
		slices.Sort(attributes.Encaps)
		objects = append(objects, mcloud.NewObject(mcloud.KindChassis, c.name, c.hostname, "", "", attributes))
	}
	return objects
}
