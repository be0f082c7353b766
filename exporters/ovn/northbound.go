package ovn

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/ovn/ovsdb"
)

func nbFamily(name, unit, call, help string, labels ...string) *exporters.Family {
	return &exporters.Family{Name: name, Unit: unit, Type: exporters.Gauge, Set: exporters.SetBase, Call: call, Labels: labels, Help: help}
}

func inSet(set exporters.Set, f *exporters.Family) *exporters.Family {
	f.Set = set
	return f
}

var (
	// nbGlobal is by column of NB_Global.
	nbGlobal = map[string]*exporters.Family{
		"nb_cfg": nbFamily("ovn_nb_nb_cfg", "", "NB_Global", "Number of the configuration that the northbound database holds."),
		"sb_cfg": nbFamily("ovn_nb_sb_cfg", "", "NB_Global", "Number of the configuration that ovn-northd has written southbound."),
		"hv_cfg": nbFamily("ovn_nb_hv_cfg", "", "NB_Global", "Number of the configuration that every chassis has put into force."),
	}
	// nbTimes are milliseconds in the database; 0 means never.
	nbTimes = map[string]*exporters.Family{
		"nb_cfg_timestamp": nbFamily("ovn_nb_nb_cfg_timestamp_seconds", "seconds", "NB_Global", "When ovn-northd began with the configuration; absent if never."),
		"sb_cfg_timestamp": nbFamily("ovn_nb_sb_cfg_timestamp_seconds", "seconds", "NB_Global", "When the configuration was written southbound; absent if never."),
		"hv_cfg_timestamp": nbFamily("ovn_nb_hv_cfg_timestamp_seconds", "seconds", "NB_Global", "When the last chassis put the configuration into force; absent if never."),
	}
	// nbDelays is by the number that has to reach nb_cfg.
	nbDelays = map[string]*exporters.Family{
		"sb_cfg": nbFamily("ovn_nb_sb_cfg_delay_seconds", "seconds", "NB_Global", "Time from when ovn-northd saw the last bump of nb_cfg until it was southbound, or until now while it is not. nb_cfg moves only when a client bumps it, as Neutron does to see whether its agents live."),
		"hv_cfg": nbFamily("ovn_nb_hv_cfg_delay_seconds", "seconds", "NB_Global", "Time from when ovn-northd saw the last bump of nb_cfg until every chassis had it in force, or until now while one has not."),
	}
	nbLiveness = nbFamily("ovn_nb_neutron_liveness_check_timestamp_seconds", "seconds", "NB_Global", "When Neutron last bumped nb_cfg to see whether its agents live; absent when it never did.")

	nbRows        = nbFamily("ovn_nb_rows", "", "OVN_Northbound", "Rows of a northbound table.", "table")
	nbSwitches    = nbFamily("ovn_nb_logical_switches", "", "Logical_Switch", "Logical switches.")
	nbRouters     = nbFamily("ovn_nb_logical_routers", "", "Logical_Router", "Logical routers.")
	nbRouterPorts = nbFamily("ovn_nb_logical_router_ports", "", "Logical_Router_Port", "Ports of logical routers.")
	nbSwitchPorts = nbFamily("ovn_nb_logical_switch_ports", "", "Logical_Switch_Port", "Ports of logical switches by type (vif for a machine's) and whether they are up.", "type", "up")
	nbDisabled    = nbFamily("ovn_nb_logical_switch_ports_disabled", "", "Logical_Switch_Port", "Ports of logical switches that an administrator has switched off.")
	nbACLs        = nbFamily("ovn_nb_acls", "", "ACL", "Access rules by direction (from-lport, to-lport) and action.", "direction", "action")
	nbLoggedACLs  = nbFamily("ovn_nb_acls_logged", "", "ACL", "Access rules that log what they match, by whether a meter bounds the log.", "metered")
	nbNAT         = nbFamily("ovn_nb_nat_rules", "", "NAT", "NAT rules by type (snat, dnat, dnat_and_snat: a floating IP) and whether they work on the machine's own chassis.", "type", "distributed")
	nbVIPs        = nbFamily("ovn_nb_load_balancer_vips", "", "Load_Balancer", "Virtual addresses of load balancers by protocol.", "protocol")
	nbLBs         = nbFamily("ovn_nb_load_balancers", "", "Load_Balancer", "Load balancers by protocol.", "protocol")
	nbDNS         = nbFamily("ovn_nb_dns_records", "", "DNS", "Names that ovn-controller answers itself.")
	nbBFD         = nbFamily("ovn_nb_bfd_sessions", "", "BFD", "BFD sessions of static routes by status.", "status")
	nbObjects     = nbFamily("ovn_project_logical_objects", "", "OVN_Northbound", "Logical objects of a project by kind: logical_switch_port, logical_switch, logical_router, acl, nat_snat, nat_dnat_and_snat, load_balancer, static_route. A port tells its project; a switch is its metadata port's or else most of its ports', a router its interfaces', a rule its group's ports'. Of what belongs to none that is known project_id is empty.", "project_id", "kind")

	switchInfo  = inSet(exporters.SetObjects, nbFamily("ovn_logical_switch_info", "", "Logical_Switch", "Logical switch, always 1.", "logical_switch", "name", "network", "type"))
	routerInfo  = inSet(exporters.SetObjects, nbFamily("ovn_logical_router_info", "", "Logical_Router", "Logical router, always 1.", "logical_router", "name", "router", "enabled"))
	groupACLs   = inSet(exporters.SetObjects, nbFamily("ovn_port_group_acls", "", "Port_Group", "Access rules of a port group; security_group_id is Neutron's.", "port_group", "security_group_id"))
	routerNAT   = inSet(exporters.SetObjects, nbFamily("ovn_logical_router_nat_rules", "", "Logical_Router, NAT", "NAT rules of a logical router by type.", "logical_router", "type"))
	routerRoute = inSet(exporters.SetObjects, nbFamily("ovn_logical_router_static_routes", "", "Logical_Router", "Static routes of a logical router.", "logical_router"))

	northboundFamilies = []*exporters.Family{
		nbGlobal["nb_cfg"], nbGlobal["sb_cfg"], nbGlobal["hv_cfg"],
		nbTimes["nb_cfg_timestamp"], nbTimes["sb_cfg_timestamp"], nbTimes["hv_cfg_timestamp"],
		nbDelays["sb_cfg"], nbDelays["hv_cfg"], nbLiveness, nbRows,
		nbSwitches, nbRouters, nbRouterPorts, nbSwitchPorts, nbDisabled, nbACLs, nbLoggedACLs, nbNAT, nbVIPs, nbLBs, nbDNS, nbBFD, nbObjects,
		switchInfo, routerInfo, groupACLs, routerNAT, routerRoute,
	}
)

// northboundQueries are the columns that are followed. Columns that a change of
// something else would send again and again are left out: the ports of switches
// and groups, the addresses of sets.
var northboundQueries = []ovsdb.Query{
	{Table: "NB_Global", Columns: []string{"nb_cfg", "sb_cfg", "hv_cfg", "nb_cfg_timestamp", "sb_cfg_timestamp", "hv_cfg_timestamp", "external_ids"}},
	{Table: "Logical_Switch", Columns: []string{"name", "external_ids"}},
	{Table: "Logical_Switch_Port", Columns: []string{"type", "up", "enabled", "external_ids"}},
	{Table: "Logical_Router", Columns: []string{"name", "enabled", "external_ids", "nat", "static_routes"}},
	{Table: "Port_Group", Columns: []string{"name", "external_ids", "acls"}},
	{Table: "ACL", Columns: []string{"direction", "action", "log", "meter"}},
	{Table: "NAT", Columns: []string{"type", "logical_port", "external_mac"}},
	{Table: "Load_Balancer", Columns: []string{"protocol", "vips", "external_ids"}},
	{Table: "DNS", Columns: []string{"records"}},
	{Table: "BFD", Columns: []string{"status"}},
	// Rows of these are counted only.
	{Table: "Logical_Router_Port"}, {Table: "Logical_Router_Static_Route"}, {Table: "Logical_Router_Policy"}, {Table: "Address_Set"},
	{Table: "DHCP_Options"}, {Table: "Gateway_Chassis"}, {Table: "HA_Chassis"}, {Table: "HA_Chassis_Group"}, {Table: "Meter"}, {Table: "Meter_Band"},
	{Table: "QoS"}, {Table: "Copp"}, {Table: "Forwarding_Group"}, {Table: "Mirror"}, {Table: "Static_MAC_Binding"}, {Table: "Load_Balancer_Group"},
	{Table: "Load_Balancer_Health_Check"}, {Table: "Chassis_Template_Var"}, {Table: "Sample"},
}

func (d *deployment) northbound() half {
	return half{
		families: northboundFamilies,
		queries:  func(context.Context) []ovsdb.Query { return northboundQueries },
		start:    func(context.Context, ovsdb.Has) ovsdb.Fold { return newNorth() },
		read: func(ctx context.Context, s ovsdb.State, f ovsdb.Fold) (*exporters.Snapshot, error) {
			return d.readNorth(ctx, s, f.(*north))
		},
	}
}

// north is the northbound database, folded.
type north struct {
	rows     counts[string] // by table
	global   *nbGlobalRow
	switches map[ovsdb.ID]nbSwitch
	routers  map[ovsdb.ID]nbRouter
	groups   map[ovsdb.ID]nbGroup
	nat      map[ovsdb.ID]natKey
	lbs      map[ovsdb.ID]nbLB

	ports    counts[portKey]
	disabled counts[bool]
	acls     counts[[2]string]
	logged   counts[bool]
	dns      counts[bool]
	bfd      counts[string]
	// Who owns what, by what its ports say: ports of each project, and (name,
	// project) of networks, of metadata ports' networks, routers and groups.
	projects                               counts[string]
	onSwitch, metadata, onRouter, inGroups counts[[2]string]
}

type (
	nbGlobalRow struct {
		numbers  map[string]int64
		liveness time.Time
	}
	nbSwitch struct{ name, network, kind string }
	nbRouter struct {
		name, router string
		enabled      bool
		nat          []ovsdb.ID
		routes       int
	}
	nbGroup struct {
		name, securityGroup string
		acls                int
	}
	natKey struct {
		kind        string
		distributed bool
	}
	nbLB struct {
		protocol, router, network string
		vips                      int
	}
	// portKey is a port's type and whether it is up: "true", "false" or, where the
	// schema does not tell, "unknown".
	portKey struct{ kind, up string }
)

func newNorth() *north {
	return &north{
		rows: counts[string]{}, switches: map[ovsdb.ID]nbSwitch{}, routers: map[ovsdb.ID]nbRouter{}, groups: map[ovsdb.ID]nbGroup{},
		nat: map[ovsdb.ID]natKey{}, lbs: map[ovsdb.ID]nbLB{}, ports: counts[portKey]{}, disabled: counts[bool]{}, acls: counts[[2]string]{},
		logged: counts[bool]{}, dns: counts[bool]{}, bfd: counts[string]{}, projects: counts[string]{},
		onSwitch: counts[[2]string]{}, metadata: counts[[2]string]{}, onRouter: counts[[2]string]{}, inGroups: counts[[2]string]{},
	}
}

// Apply folds one row's change.
func (f *north) Apply(table, id string, old, new ovsdb.Row) error {
	change(old, new, func(_ ovsdb.Row, n int) { f.rows.add(table, n) })
	switch table {
	case "NB_Global":
		f.global = readGlobal(new)
	case "Logical_Switch":
		keep(f.switches, id, new, func(r ovsdb.Row) nbSwitch {
			return nbSwitch{r.String("name"), r.Get("external_ids", "neutron:network_name"), r.Get("external_ids", "neutron:provnet-network-type")}
		})
	case "Logical_Router":
		keep(f.routers, id, new, func(r ovsdb.Row) nbRouter {
			enabled, told := r.OptionalBool("enabled")
			return nbRouter{r.String("name"), r.Get("external_ids", "neutron:router_name"), enabled || !told, r.IDs("nat"), r.Len("static_routes")}
		})
	case "Port_Group":
		keep(f.groups, id, new, func(r ovsdb.Row) nbGroup {
			return nbGroup{r.String("name"), r.Get("external_ids", "neutron:security_group_id"), r.Len("acls")}
		})
	case "NAT":
		keep(f.nat, id, new, func(r ovsdb.Row) natKey {
			// Both are set: it works where the machine is (ovn-nb(5), NAT).
			return natKey{r.String("type"), r.String("logical_port") != "" && r.String("external_mac") != ""}
		})
	case "Load_Balancer":
		keep(f.lbs, id, new, readLB)
	case "Logical_Switch_Port":
		change(old, new, f.port)
	case "ACL":
		change(old, new, func(r ovsdb.Row, n int) {
			f.acls.add([2]string{r.String("direction"), r.String("action")}, n)
			if r.Bool("log") {
				f.logged.add(r.String("meter") != "", n)
			}
		})
	case "DNS":
		change(old, new, func(r ovsdb.Row, n int) { f.dns.add(true, n*r.Len("records")) })
	case "BFD":
		change(old, new, func(r ovsdb.Row, n int) { f.bfd.add(r.String("status"), n) })
	}
	return f.rows.bounded(table, table)
}

// port counts a port, and what it says of who owns its network, its router and
// its groups.
func (f *north) port(r ovsdb.Row, n int) {
	f.ports.add(portKeyOf(r), n)
	if enabled, told := r.OptionalBool("enabled"); told && !enabled {
		f.disabled.add(true, n)
	}
	project := r.Get("external_ids", "neutron:project_id")
	if project == "" {
		return
	}
	f.projects.add(project, n)
	network, owner := r.Get("external_ids", "neutron:network_name"), r.Get("external_ids", "neutron:device_owner")
	if network != "" {
		f.onSwitch.add([2]string{network, project}, n)
		if owner == "network:distributed" {
			f.metadata.add([2]string{network, project}, n)
		}
	}
	if strings.HasPrefix(owner, "network:router_interface") || owner == "network:ha_router_replicated_interface" {
		f.onRouter.add([2]string{"neutron-" + r.Get("external_ids", "neutron:device_id"), project}, n)
	}
	for group := range strings.FieldsSeq(r.Get("external_ids", "neutron:security_group_ids")) {
		f.inGroups.add([2]string{group, project}, n)
	}
}

func portKeyOf(r ovsdb.Row) portKey {
	kind, up := r.String("type"), "unknown"
	if kind == "" {
		kind = "vif"
	}
	if _, there := r["up"]; there {
		up = strconv.FormatBool(r.Bool("up"))
	}
	return portKey{kind, up}
}

func readGlobal(r ovsdb.Row) *nbGlobalRow {
	if r == nil {
		return nil
	}
	g := &nbGlobalRow{numbers: map[string]int64{}}
	for _, columns := range []map[string]*exporters.Family{nbGlobal, nbTimes} {
		for column := range columns {
			if v, ok := r.Int(column); ok {
				g.numbers[column] = v
			}
		}
	}
	// Python's str(datetime) with a zone.
	g.liveness, _ = time.Parse("2006-01-02 15:04:05.999999-07:00", r.Get("external_ids", "neutron:liveness_check_at"))
	return g
}

// readLB reads what Octavia's OVN provider and Neutron's port forwarding write.
func readLB(r ovsdb.Row) nbLB {
	lb := nbLB{protocol: r.String("protocol"), vips: r.Len("vips")}
	if lb.protocol == "" {
		lb.protocol = "tcp" // ovn-nb(5): the default
	}
	lb.router = r.Get("external_ids", "lr_ref")
	if lb.router == "" {
		lb.router = r.Get("external_ids", "neutron:router_name")
	}
	var networks map[string]json.RawMessage
	if json.Unmarshal([]byte(r.Get("external_ids", "ls_refs")), &networks) == nil && len(networks) > 0 {
		lb.network = slices.Min(slices.Collect(maps.Keys(networks)))
	}
	return lb
}

func (f *north) check() error {
	for _, err := range []error{
		f.rows.check("rows of"), f.ports.check("ports"), f.disabled.check("disabled ports"), f.acls.check("ACLs"), f.logged.check("logged ACLs"),
		f.dns.check("DNS records"), f.bfd.check("BFD sessions"), f.projects.check("ports of project"), f.onSwitch.check("ports of switch and project"),
		f.metadata.check("metadata ports of"), f.onRouter.check("ports of router and project"), f.inGroups.check("ports of group and project"),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *deployment) readNorth(ctx context.Context, s ovsdb.State, f *north) (*exporters.Snapshot, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	if n := f.rows["NB_Global"]; n != 1 || f.global == nil {
		return nil, fmt.Errorf("OVN_Northbound at %s: NB_Global has %d rows, want 1; has ovn-northd or ovn-nbctl init never run?", s.Endpoint, n)
	}
	now := d.cfg.Now()
	owners := f.owners()
	view := northView{at: now, nbCfg: f.global.numbers["nb_cfg"], owner: map[ovsdb.ID]string{}}
	if ms := f.global.numbers["nb_cfg_timestamp"]; ms > 0 {
		view.nbTime = time.UnixMilli(ms)
	}
	for id, sw := range f.switches {
		view.owner[id] = owners.network[sw.name]
	}
	for id, r := range f.routers {
		view.owner[id] = owners.router[r.name]
	}
	d.mu.Lock()
	d.north = view
	d.mu.Unlock()

	var snap exporters.Snapshot
	f.addGlobal(&snap, now)
	for _, q := range northboundQueries {
		if s.Has(q.Table) {
			snap.Seen += f.rows[q.Table]
			snap.Add(nbRows, float64(f.rows[q.Table]), q.Table)
		}
	}
	snap.Add(nbSwitches, float64(f.rows["Logical_Switch"]))
	snap.Add(nbRouters, float64(f.rows["Logical_Router"]))
	snap.Add(nbRouterPorts, float64(f.rows["Logical_Router_Port"]))
	addPorts(&snap, nbSwitchPorts, f.ports, s.Has("Logical_Switch_Port", "up"))
	snap.Add(nbDisabled, float64(f.disabled[true]))
	for key, n := range f.acls {
		snap.Add(nbACLs, float64(n), key[0], key[1])
	}
	for _, metered := range []bool{false, true} {
		snap.Add(nbLoggedACLs, float64(f.logged[metered]), strconv.FormatBool(metered))
	}
	f.addNAT(&snap)
	f.addLoadBalancers(&snap)
	if s.Has("DNS") {
		snap.Add(nbDNS, float64(f.dns[true]))
	}
	addSessions(&snap, nbBFD, f.bfd, s.Has("BFD", "status"))
	f.addProjects(&snap, owners)
	if exporters.Wants(ctx, exporters.SetObjects) {
		f.addObjects(&snap)
	}
	return &snap, nil
}

func (f *north) addGlobal(snap *exporters.Snapshot, now time.Time) {
	numbers := f.global.numbers
	for column, family := range nbGlobal {
		if v, ok := numbers[column]; ok {
			snap.Add(family, float64(v))
		}
	}
	for column, family := range nbTimes {
		if ms := numbers[column]; ms > 0 {
			snap.Add(family, float64(ms)/1000)
		}
	}
	if !f.global.liveness.IsZero() {
		snap.Add(nbLiveness, float64(f.global.liveness.UnixMilli())/1000)
	}
	begun := numbers["nb_cfg_timestamp"]
	for column, family := range nbDelays {
		reached, there := numbers[column]
		at := numbers[column+"_timestamp"]
		switch {
		case begun <= 0 || !there:
		case reached >= numbers["nb_cfg"] && at > 0:
			snap.Add(family, max(0, float64(at-begun)/1000))
		case reached < numbers["nb_cfg"]:
			snap.Add(family, max(0, now.Sub(time.UnixMilli(begun)).Seconds()))
		}
	}
}

// addPorts gives counts by type and state. Machines' ports are always there, so
// that a rule can see the last one come up.
func addPorts(snap *exporters.Snapshot, family *exporters.Family, ports counts[portKey], haveUp bool) {
	shown := maps.Clone(ports)
	if haveUp {
		for _, up := range []string{"true", "false"} {
			shown[portKey{"vif", up}] += 0
		}
	}
	for key, n := range shown {
		snap.Add(family, float64(n), key.kind, key.up)
	}
}

func addSessions(snap *exporters.Snapshot, family *exporters.Family, sessions counts[string], have bool) {
	if !have {
		return
	}
	shown := maps.Clone(sessions)
	for _, status := range []string{"admin_down", "down", "init", "up"} {
		shown[status] += 0
	}
	for status, n := range shown {
		snap.Add(family, float64(n), status)
	}
}

func (f *north) addNAT(snap *exporters.Snapshot) {
	byKey := counts[natKey]{{"snat", false}: 0, {"dnat_and_snat", false}: 0, {"dnat_and_snat", true}: 0}
	for _, key := range f.nat {
		byKey[key]++
	}
	for key, n := range byKey {
		snap.Add(nbNAT, float64(n), key.kind, strconv.FormatBool(key.distributed))
	}
}

func (f *north) addLoadBalancers(snap *exporters.Snapshot) {
	var number, vips exporters.Tally
	for _, lb := range f.lbs {
		number.Add(1, lb.protocol)
		vips.Add(float64(lb.vips), lb.protocol)
	}
	number.AddTo(snap, nbLBs)
	vips.AddTo(snap, nbVIPs)
}

// owners are projects by name of what they own.
type owners struct{ network, router, group map[string]string }

// owners finds whose each network, router and group is. A project that has most
// ports owns it, the first by id among equals; a network's metadata port, which
// Neutron makes for the network's own project, is worth more.
func (f *north) owners() owners {
	o := owners{network: most(f.onSwitch), router: most(f.onRouter), group: most(f.inGroups)}
	maps.Copy(o.network, most(f.metadata))
	return o
}

func most(claims counts[[2]string]) map[string]string {
	best := map[string]string{}
	for claim, n := range claims {
		holder, there := best[claim[0]]
		if held := claims[[2]string{claim[0], holder}]; !there || n > held || n == held && claim[1] < holder {
			best[claim[0]] = claim[1]
		}
	}
	return best
}

func (f *north) addProjects(snap *exporters.Snapshot, o owners) {
	var t exporters.Tally
	for project, n := range f.projects {
		t.Add(float64(n), project, "logical_switch_port")
	}
	for _, sw := range f.switches {
		t.Add(1, o.network[sw.name], "logical_switch")
	}
	for _, r := range f.routers {
		project := o.router[r.name]
		t.Add(1, project, "logical_router")
		t.Add(float64(r.routes), project, "static_route")
		for _, id := range r.nat {
			if key, ok := f.nat[id]; ok {
				t.Add(1, project, "nat_"+key.kind)
			}
		}
	}
	for _, g := range f.groups {
		t.Add(float64(g.acls), o.group[g.securityGroup], "acl")
	}
	for _, lb := range f.lbs {
		project := o.router[lb.router]
		if project == "" {
			project = o.network[lb.network]
		}
		t.Add(1, project, "load_balancer")
	}
	t.AddTo(snap, nbObjects)
}

func (f *north) addObjects(snap *exporters.Snapshot) {
	for id, sw := range f.switches {
		snap.Add(switchInfo, 1, id.String(), sw.name, sw.network, sw.kind)
	}
	for id, r := range f.routers {
		snap.Add(routerInfo, 1, id.String(), r.name, r.router, strconv.FormatBool(r.enabled))
		snap.Add(routerRoute, float64(r.routes), id.String())
		var t exporters.Tally
		for _, nat := range r.nat {
			if key, ok := f.nat[nat]; ok {
				t.Add(1, id.String(), key.kind)
			}
		}
		t.AddTo(snap, routerNAT)
	}
	for _, g := range f.groups {
		snap.Add(groupACLs, float64(g.acls), g.name, g.securityGroup)
	}
}
