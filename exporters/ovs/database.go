package ovs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/ovn/ovsdb"
)

// These come from a host's own database. What is per interface is so for those
// that a host has few of: physical ones, bridges' own, and tunnels up to
// maxTunnels. Machines' are summed up, and each by itself in the set objects.
var (
	info         = family("ovs_info", "", gauge, base, "Open_vSwitch", "Open vSwitch of the host, always 1.", "system_id", "hostname", "version", "db_version", "dpdk_version", "system_type", "system_version")
	dpdkStarted  = family("ovs_dpdk_initialized", "", gauge, base, "Open_vSwitch", "DPDK has been initialized: 1 yes, 0 no.")
	hwOffload    = family("ovs_hw_offload_enabled", "", gauge, base, "Open_vSwitch", "Flows may be handed to the network card (other_config:hw-offload): 1 yes, 0 no.")
	pending      = family("ovs_configuration_pending", "", gauge, base, "Open_vSwitch", "Configurations that ovs-vswitchd has still to put into force; above 0 for long, it hangs.")
	bridgeInfo   = family("ovs_bridge_info", "", gauge, base, "Bridge", "Bridge, always 1.", "bridge", "datapath_type", "fail_mode")
	bridgePorts  = family("ovs_bridge_ports", "", gauge, base, "Bridge", "Ports of the bridge.", "bridge")
	interfaces   = family("ovs_interfaces", "", gauge, base, "Interface", "Interfaces by class (physical, tunnel, internal, patch, vm: those with an iface-id) and link: up, down, unknown.", "bridge", "class", "link")
	inError      = family("ovs_interfaces_in_error", "", gauge, base, "Interface", "Interfaces that ovs-vswitchd could not set up.", "bridge")
	controllerUp = family("ovs_controller_connected", "", gauge, base, "Controller", "OpenFlow controller is connected: 1 yes, 0 no.", "bridge", "target")
	managerUp    = family("ovs_manager_connected", "", gauge, base, "Manager", "OVSDB manager is connected: 1 yes, 0 no.", "target")

	classPackets = family("ovs_bridge_interface_packets_total", "", counter, base, "Interface", "Packets through a bridge's interfaces of a class since this exporter began, those that have gone since included.", "bridge", "class", "direction")
	classBytes   = family("ovs_bridge_interface_bytes_total", "bytes", counter, base, "Interface", "Bytes through a bridge's interfaces of a class since this exporter began, those that have gone since included.", "bridge", "class", "direction")
	classErrors  = family("ovs_bridge_interface_errors_total", "", counter, base, "Interface", "Packets in error at a bridge's interfaces of a class since this exporter began, those that have gone since included.", "bridge", "class", "direction")
	classDropped = family("ovs_bridge_interface_dropped_total", "", counter, base, "Interface", "Packets dropped at a bridge's interfaces of a class since this exporter began, those that have gone since included.", "bridge", "class", "direction")

	ifAdmin    = family("ovs_interface_admin_up", "", gauge, base, "Interface", "Interface is switched on: 1 yes, 0 no; absent where it cannot be told.", "bridge", "interface", "type")
	ifLink     = family("ovs_interface_link_up", "", gauge, base, "Interface", "Interface has a link: 1 yes, 0 no; absent where it cannot be told.", "bridge", "interface", "type")
	ifResets   = family("ovs_interface_link_resets_total", "", counter, base, "Interface", "Times the link went up or down.", "bridge", "interface", "type")
	ifSpeed    = family("ovs_interface_link_speed_bytes_per_second", "", gauge, base, "Interface", "Speed of the link.", "bridge", "interface", "type")
	ifMTU      = family("ovs_interface_mtu_bytes", "bytes", gauge, base, "Interface", "Largest packet that the interface takes.", "bridge", "interface", "type")
	ifPackets  = family("ovs_interface_packets_total", "", counter, base, "Interface", "Packets by direction, seen from the switch.", "bridge", "interface", "type", "direction")
	ifBytes    = family("ovs_interface_bytes_total", "bytes", counter, base, "Interface", "Bytes by direction, seen from the switch.", "bridge", "interface", "type", "direction")
	ifErrors   = family("ovs_interface_errors_total", "", counter, base, "Interface", "Packets in error by direction.", "bridge", "interface", "type", "direction")
	ifDropped  = family("ovs_interface_dropped_total", "", counter, base, "Interface", "Packets dropped by direction.", "bridge", "interface", "type", "direction")
	ifReasons  = family("ovs_interface_receive_errors_total", "", counter, base, "Interface", "Packets received in error by reason: crc, frame, overrun, missed.", "bridge", "interface", "type", "reason")
	ifCollide  = family("ovs_interface_collisions_total", "", counter, base, "Interface", "Collisions.", "bridge", "interface", "type")
	ifLACP     = family("ovs_interface_lacp_current", "", gauge, base, "Interface", "LACP of a bond's member is in step with its partner: 1 yes, 0 no.", "bridge", "interface")
	ifCFM      = family("ovs_interface_cfm_fault", "", gauge, base, "Interface", "Connectivity fault management finds a fault: 1 yes, 0 no.", "bridge", "interface")
	ifInfo     = family("ovs_interface_info", "", gauge, base, "Interface", "What an interface is, always 1.", "bridge", "interface", "type", "mac", "ofport", "ifindex", "duplex", "driver", "driver_version", "firmware_version")
	ifPolicing = family("ovs_interface_ingress_policing_rate_bytes_per_second", "", gauge, objects, "Interface", "Most that the interface may send into the switch; absent without a limit.", "bridge", "interface")
	ifBurst    = family("ovs_interface_ingress_policing_burst_bytes", "bytes", gauge, objects, "Interface", "Burst that the limit lets pass.", "bridge", "interface")
	ifOther    = family("ovs_interface_statistic_total", "", counter, inner, "Interface", "Further statistics of the interface's driver, by their own names (DPDK has dozens).", "bridge", "interface", "statistic")

	tunnelInfo    = family("ovs_tunnel_info", "", gauge, base, "Interface, Port", "Tunnel to another chassis, always 1.", "interface", "type", "local_ip", "remote_ip", "chassis")
	tunnelCarrier = family("ovs_tunnel_carrier", "", gauge, base, "Interface", "The interface by which the tunnel leaves has a link: 1 yes, 0 no.", "interface", "egress_interface")
	bfdFlaps      = family("ovs_bfd_flaps_total", "", counter, base, "Interface", "Times that BFD of a tunnel went up or down.", "interface")
	bfdSessions   = family("ovs_bfd_sessions", "", gauge, base, "Interface", "BFD sessions of tunnels by state: admin_down, down, init, up.", "state")
	bfdRemote     = family("ovs_bfd_remote_up", "", gauge, base, "Interface", "The other end of a tunnel's BFD session says it is up: 1 yes, 0 no.", "interface")

	vmInfo    = family("ovs_vm_interface_info", "", gauge, objects, "Interface", "Machine's interface, always 1; port_id is Neutron's, server_id Nova's.", "bridge", "interface", "port_id", "server_id", "mac")
	vmLink    = family("ovs_vm_interface_link_up", "", gauge, objects, "Interface", "Machine's interface has a link: 1 yes, 0 no.", "interface", "port_id")
	vmPackets = family("ovs_vm_interface_packets_total", "", counter, objects, "Interface", "Packets of a machine's interface by direction, seen from the switch.", "interface", "port_id", "direction")
	vmBytes   = family("ovs_vm_interface_bytes_total", "bytes", counter, objects, "Interface", "Bytes of a machine's interface by direction, seen from the switch.", "interface", "port_id", "direction")
	vmErrors  = family("ovs_vm_interface_errors_total", "", counter, objects, "Interface", "Packets in error of a machine's interface by direction.", "interface", "port_id", "direction")
	vmDropped = family("ovs_vm_interface_dropped_total", "", counter, objects, "Interface", "Packets dropped at a machine's interface by direction.", "interface", "port_id", "direction")

	ovnSettings = family("ovn_controller_info", "", gauge, base, "Open_vSwitch", "What ovn-controller is told of its place, always 1.", "system_id", "remote", "encap_type", "encap_ip", "integration_bridge", "cms_options")
	ovnMapping  = family("ovn_controller_bridge_mapping_info", "", gauge, base, "Open_vSwitch", "Bridge that leads to a physical network, always 1.", "network", "bridge")
	ovnAll      = family("ovn_controller_monitor_all", "", gauge, base, "Open_vSwitch", "ovn-controller reads the whole southbound database: 1 yes, 0 what its chassis needs.")
	ovnProbe    = family("ovn_controller_probe_interval_seconds", "seconds", gauge, base, "Open_vSwitch", "Idle time after which ovn-controller probes its connection, to the southbound database or the switch (openflow); absent where the default holds.", "connection")

	databaseFamilies = []*exporters.Family{info, dpdkStarted, hwOffload, pending, bridgeInfo, bridgePorts, interfaces, inError, controllerUp, managerUp,
		classPackets, classBytes, classErrors, classDropped,
		ifAdmin, ifLink, ifResets, ifSpeed, ifMTU, ifPackets, ifBytes, ifErrors, ifDropped, ifReasons, ifCollide, ifLACP, ifCFM, ifInfo, ifPolicing, ifBurst, ifOther,
		tunnelInfo, tunnelCarrier, bfdFlaps, bfdSessions, bfdRemote, vmInfo, vmLink, vmPackets, vmBytes, vmErrors, vmDropped,
		ovnSettings, ovnMapping, ovnAll, ovnProbe}
)

var databaseQueries = []ovsdb.Query{
	{Table: "Open_vSwitch", Columns: []string{"ovs_version", "db_version", "dpdk_version", "dpdk_initialized", "system_type", "system_version", "external_ids", "other_config", "next_cfg", "cur_cfg"}},
	{Table: "Bridge", Columns: []string{"name", "datapath_type", "fail_mode", "ports", "controller"}},
	{Table: "Port", Columns: []string{"interfaces", "external_ids"}},
	{Table: "Interface", Columns: []string{"name", "type", "admin_state", "link_state", "link_speed", "link_resets", "mtu", "ofport", "ifindex", "duplex", "error", "mac_in_use",
		"external_ids", "options", "status", "statistics", "bfd_status", "lacp_current", "cfm_fault", "ingress_policing_rate", "ingress_policing_burst"}},
	{Table: "Controller", Columns: []string{"target", "is_connected"}},
	{Table: "Manager", Columns: []string{"target", "is_connected"}},
}

// databaseLook reads a host's database. Each look is a connection of its own and
// one transaction: ovs-vswitchd writes every interface's statistics every five
// seconds, so that following them costs more than asking every fifteen.
type databaseLook struct {
	host   Host
	cloud  string
	now    func() time.Time
	totals totals
	links  exporters.Transitions
	bfds   exporters.Transitions
}

// endpoint is where the database listens. Without one in the configuration it is
// the socket db.sock beside the control sockets.
func (h Host) endpoint() (string, error) {
	if h.Database != "" {
		return h.Database, nil
	}
	for _, pattern := range h.Sockets {
		path := filepath.Join(filepath.Dir(pattern), "db.sock")
		if _, err := os.Stat(path); err == nil {
			return "unix:" + path, nil
		}
	}
	return "", fmt.Errorf("ovs host %s: no db.sock beside its control sockets, and no database is named: %w", h.Name, exporters.ErrAbsent)
}

func (k *databaseLook) collect(ctx context.Context) (*exporters.Snapshot, error) {
	endpoint, err := k.host.endpoint()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	conn, err := ovsdb.Open(ctx, ovsdb.Options{Database: "Open_vSwitch", Endpoints: []string{endpoint}})
	var tables [][]ovsdb.Row
	if err == nil {
		defer conn.Close()
		tables, err = conn.Select(ctx, databaseQueries...)
	}
	code := "0"
	if err != nil {
		code = exporters.KindOf(err)
	}
	exporters.CountCall(ctx, "ovsdb", code, time.Since(start))
	if err != nil {
		return nil, fmt.Errorf("ovs host %s: %w", k.host.Name, err)
	}
	return k.read(ctx, tables)
}

// hostDatabase is one look's rows, joined.
type hostDatabase struct {
	*databaseLook
	ctx  context.Context
	snap exporters.Snapshot
	// Of each Interface by uuid: its bridge, and its port's external_ids.
	bridgeOf map[string]string
	portOf   map[string]ovsdb.Row
	links    map[string]string
	bfds     map[string]string
	now      map[totalKey]traffic // by interface
}

func (k *databaseLook) read(ctx context.Context, tables [][]ovsdb.Row) (*exporters.Snapshot, error) {
	root, bridges, ports, rows, controllers, managers := tables[0], tables[1], tables[2], tables[3], tables[4], tables[5]
	if len(root) != 1 {
		return nil, fmt.Errorf("ovs host %s: table Open_vSwitch has %d rows, want 1; has ovs-vsctl init never run?", k.host.Name, len(root))
	}
	d := &hostDatabase{databaseLook: k, ctx: ctx, bridgeOf: map[string]string{}, portOf: map[string]ovsdb.Row{},
		links: map[string]string{}, bfds: map[string]string{}, now: map[totalKey]traffic{}}
	d.readRoot(root[0])
	d.readBridges(bridges, ports, controllers)
	for _, m := range managers {
		d.add(managerUp, exporters.Bool(m.Bool("is_connected")), m.String("target"))
	}
	d.readInterfaces(rows)
	d.totals.take(d.now)
	d.totals.addTo(d)
	d.snap.Events = append(d.events(&k.links, "interface.link", d.links), d.events(&k.bfds, "tunnel.bfd", d.bfds)...)
	return &d.snap, nil
}

func (d *hostDatabase) add(f *exporters.Family, value float64, labels ...string) {
	d.snap.Add(f, value, append([]string{d.host.Name}, labels...)...)
}

func (d *hostDatabase) events(seen *exporters.Transitions, kind string, states map[string]string) []mcloud.Event {
	var all []mcloud.Event
	for _, t := range seen.Observe(states, true) {
		severity := mcloud.SeverityInfo
		if t.To == "down" {
			severity = mcloud.SeverityWarning
		}
		all = append(all, t.Event(d.cloud, "ovs", kind, d.host.Name+"/"+t.Name, severity, d.databaseLook.now(), map[string]any{"host": d.host.Name}))
	}
	return all
}

func (d *hostDatabase) readRoot(r ovsdb.Row) {
	id := func(key string) string { return r.Get("external_ids", key) }
	d.add(info, 1, id("system-id"), id("hostname"), r.String("ovs_version"), r.String("db_version"), r.String("dpdk_version"), r.String("system_type"), r.String("system_version"))
	if v, ok := r.OptionalBool("dpdk_initialized"); ok {
		d.add(dpdkStarted, exporters.Bool(v))
	}
	d.add(hwOffload, exporters.Bool(r.Get("other_config", "hw-offload") == "true"))
	next, haveNext := r.Int("next_cfg")
	if cur, ok := r.Int("cur_cfg"); ok && haveNext {
		d.add(pending, float64(max(0, next-cur)))
	}
	if id("ovn-remote") == "" && id("ovn-encap-ip") == "" {
		return // no chassis
	}
	d.add(ovnSettings, 1, id("system-id"), id("ovn-remote"), id("ovn-encap-type"), id("ovn-encap-ip"), cmp.Or(id("ovn-bridge"), "br-int"), id("ovn-cms-options"))
	d.add(ovnAll, exporters.Bool(id("ovn-monitor-all") == "true"))
	for connection, key := range map[string]string{"southbound": "ovn-remote-probe-interval", "openflow": "ovn-openflow-probe-interval"} {
		if v, ok := number(id(key)); ok {
			if connection == "southbound" {
				v /= 1000 // milliseconds; the other has seconds (ovn-controller(8))
			}
			d.add(ovnProbe, v, connection)
		}
	}
	mapped := map[string]bool{}
	for mapping := range strings.SplitSeq(id("ovn-bridge-mappings"), ",") {
		network, bridge, ok := strings.Cut(strings.TrimSpace(mapping), ":")
		if ok && !mapped[mapping] {
			mapped[mapping] = true
			d.add(ovnMapping, 1, network, bridge)
		}
	}
}

func (d *hostDatabase) readBridges(bridges, ports, controllers []ovsdb.Row) {
	portByID, controllerByID := byUUID(ports), byUUID(controllers)
	for _, b := range bridges {
		name, members := b.String("name"), b.Strings("ports")
		d.add(bridgeInfo, 1, name, cmp.Or(b.String("datapath_type"), "system"), cmp.Or(b.String("fail_mode"), "standalone"))
		d.add(bridgePorts, float64(len(members)), name)
		for _, id := range members {
			for _, i := range portByID[id].Strings("interfaces") {
				d.bridgeOf[i], d.portOf[i] = name, portByID[id]
			}
		}
		for _, id := range b.Strings("controller") {
			if c, ok := controllerByID[id]; ok {
				d.add(controllerUp, exporters.Bool(c.Bool("is_connected")), name, c.String("target"))
			}
		}
	}
}

func byUUID(rows []ovsdb.Row) map[string]ovsdb.Row {
	by := make(map[string]ovsdb.Row, len(rows))
	for _, r := range rows {
		by[r.String("_uuid")] = r
	}
	return by
}

// maxTunnels is how many tunnels a host may have to be shown one by one in the
// base set. Each chassis has one to each other: of 2,000 they would be millions of
// series, of which the counts by link and the sums remain.
const maxTunnels = 64

// tunnelTypes are those of ovs-vswitchd.conf.db(5), Interface.
var tunnelTypes = []string{"geneve", "vxlan", "gre", "ip6gre", "erspan", "ip6erspan", "stt", "lisp", "gtpu", "bareudp", "srv6"}

func classOf(r ovsdb.Row) string {
	kind := r.String("type")
	switch {
	case slices.Contains(tunnelTypes, kind):
		return "tunnel"
	case r.Get("external_ids", "iface-id") != "" || strings.HasPrefix(kind, "dpdkvhostuser"):
		return "vm"
	case kind == "internal" || kind == "patch":
		return kind
	}
	return "physical"
}

func (d *hostDatabase) readInterfaces(rows []ovsdb.Row) {
	var byLink exporters.Tally
	errored := map[string]float64{}
	for name := range maps.Values(d.bridgeOf) {
		errored[name] = 0
	}
	tunnels := 0
	for _, r := range rows {
		if classOf(r) == "tunnel" {
			tunnels++
		}
	}
	perTunnel := tunnels <= maxTunnels || exporters.Wants(d.ctx, exporters.SetObjects)
	for _, r := range rows {
		d.snap.Seen++
		id, name := r.String("_uuid"), r.String("name")
		bridge, ok := d.bridgeOf[id]
		if name == "" || !ok {
			d.snap.Failed = append(d.snap.Failed, exporters.ObjectError{Object: "interface " + cmp.Or(name, id) + " of " + d.host.Name, Err: errors.New("it has no name or no bridge")})
			continue
		}
		class := classOf(r)
		byLink.Add(1, d.host.Name, bridge, class, cmp.Or(r.String("link_state"), "unknown"))
		if r.String("error") != "" {
			errored[bridge]++
		}
		d.now[totalKey{bridge, class, id}] = trafficOf(r)
		switch class {
		case "vm":
			if exporters.Wants(d.ctx, exporters.SetObjects) {
				d.readVM(r, bridge, name)
			}
		case "patch": // has neither link nor statistics of its own
		case "tunnel":
			d.links[name] = cmp.Or(r.String("link_state"), "unknown")
			if state := r.Get("bfd_status", "state"); state != "" {
				d.bfds[name] = state
			}
			if perTunnel {
				d.readInterface(r, bridge, name)
				d.readTunnel(r, d.portOf[id], name)
			}
		default:
			d.readInterface(r, bridge, name)
			if class == "physical" {
				d.links[name] = cmp.Or(r.String("link_state"), "unknown")
			}
		}
	}
	var sessions exporters.Tally
	for state := range maps.Values(d.bfds) {
		sessions.Add(1, d.host.Name, state)
	}
	sessions.AddTo(&d.snap, bfdSessions)
	byLink.AddTo(&d.snap, interfaces)
	for bridge, n := range errored {
		d.add(inError, n, bridge)
	}
}

// addState gives 1 for up and 0 for down; another word is not known.
func (d *hostDatabase) addState(f *exporters.Family, state string, labels ...string) {
	if state == "up" || state == "down" {
		d.add(f, exporters.Bool(state == "up"), labels...)
	}
}

func (d *hostDatabase) readInterface(r ovsdb.Row, bridge, name string) {
	kind := cmp.Or(r.String("type"), "system")
	d.addState(ifAdmin, r.String("admin_state"), bridge, name, kind)
	d.addState(ifLink, r.String("link_state"), bridge, name, kind)
	for column, f := range map[string]*exporters.Family{"link_resets": ifResets, "mtu": ifMTU} {
		if v, ok := r.Int(column); ok {
			d.add(f, float64(v), bridge, name, kind)
		}
	}
	if v, ok := r.Int("link_speed"); ok && v > 0 {
		d.add(ifSpeed, float64(v)/8, bridge, name, kind)
	}
	if v, ok := r.OptionalBool("lacp_current"); ok {
		d.add(ifLACP, exporters.Bool(v), bridge, name)
	}
	if v, ok := r.OptionalBool("cfm_fault"); ok {
		d.add(ifCFM, exporters.Bool(v), bridge, name)
	}
	status := maps.Collect(r.Map("status"))
	text := func(column string) string {
		if v, ok := r.Int(column); ok {
			return fmt.Sprint(v)
		}
		return ""
	}
	d.add(ifInfo, 1, bridge, name, kind, r.String("mac_in_use"), text("ofport"), text("ifindex"), r.String("duplex"), status["driver_name"], status["driver_version"], status["firmware_version"])
	if rate, ok := r.Int("ingress_policing_rate"); ok && rate > 0 && exporters.Wants(d.ctx, exporters.SetObjects) {
		d.addPolicing(r, bridge, name)
	}
	t := trafficOf(r)
	t.each(func(direction string, v flow) {
		for f, value := range map[*exporters.Family]*int64{ifPackets: v.packets, ifBytes: v.bytes, ifErrors: v.errors, ifDropped: v.dropped} {
			if value != nil {
				d.add(f, float64(*value), bridge, name, kind, direction)
			}
		}
	})
	for statistic, v := range r.Ints("statistics") {
		switch reason := receiveErrors[statistic]; {
		case reason != "":
			d.add(ifReasons, float64(v), bridge, name, kind, reason)
		case statistic == "collisions":
			d.add(ifCollide, float64(v), bridge, name, kind)
		case !common[statistic] && v >= 0:
			d.add(ifOther, float64(v), bridge, name, statistic)
		}
	}
}

func (d *hostDatabase) addPolicing(r ovsdb.Row, bridge, name string) {
	rate, _ := r.Int("ingress_policing_rate")
	d.add(ifPolicing, float64(rate)*1000/8, bridge, name) // kbit/s
	if burst, ok := r.Int("ingress_policing_burst"); ok {
		d.add(ifBurst, float64(burst)*1000/8, bridge, name)
	}
}

func (d *hostDatabase) readTunnel(r, port ovsdb.Row, name string) {
	options, status, bfd := maps.Collect(r.Map("options")), maps.Collect(r.Map("status")), maps.Collect(r.Map("bfd_status"))
	// "gw-2@172.31.0.201%172.31.0.11" (ovn-controller's encaps.c); older ones lack the end.
	chassis, _, _ := strings.Cut(port.Get("external_ids", "ovn-chassis-id"), "@")
	d.add(tunnelInfo, 1, name, r.String("type"), options["local_ip"], options["remote_ip"], chassis)
	d.addState(tunnelCarrier, status["tunnel_egress_iface_carrier"], name, status["tunnel_egress_iface"])
	if v, ok := number(bfd["flap_count"]); ok {
		d.add(bfdFlaps, v, name)
	}
	d.addState(bfdRemote, bfd["remote_state"], name)
}

func (d *hostDatabase) readVM(r ovsdb.Row, bridge, name string) {
	ids := maps.Collect(r.Map("external_ids"))
	port := ids["iface-id"]
	d.add(vmInfo, 1, bridge, name, port, ids["vm-id"], ids["attached-mac"])
	d.addState(vmLink, r.String("link_state"), name, port)
	if rate, ok := r.Int("ingress_policing_rate"); ok && rate > 0 {
		d.addPolicing(r, bridge, name)
	}
	t := trafficOf(r)
	t.each(func(direction string, v flow) {
		for f, value := range map[*exporters.Family]*int64{vmPackets: v.packets, vmBytes: v.bytes, vmErrors: v.errors, vmDropped: v.dropped} {
			if value != nil {
				d.add(f, float64(*value), name, port, direction)
			}
		}
	})
}
