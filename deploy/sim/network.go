package sim

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"mcloud/deploy/sim/model"
	"mcloud/deploy/sim/ovsdb"
	"mcloud/deploy/sim/unixctl"
)

// network is the OVN and OVS side: two databases and the daemons of each host.
type network struct {
	cloud  *Cloud
	north  *ovsdb.Server
	south  *ovsdb.Server
	dir    string
	hosts  []string
	daemon *unixctl.Server
}

func newNetwork(c *Cloud) (*network, error) {
	n := &network{cloud: c, dir: filepath.Join(c.options.Dir, "ovs")}
	var err error
	if n.north, err = n.database("OVN_Northbound", northbound); err != nil {
		return nil, err
	}
	if n.south, err = n.database("OVN_Southbound", southbound); err != nil {
		return nil, errors.Join(err, n.north.Close())
	}
	var daemons []unixctl.Daemon
	c.With(func(w *model.World) {
		for i, chassis := range w.AllChassis() {
			if c.options.SocketHosts > 0 && i >= c.options.SocketHosts {
				break
			}
			n.hosts = append(n.hosts, chassis.Hostname)
			daemons = append(daemons, n.daemons(chassis, 2000+10*i)...)
		}
	})
	if n.daemon, err = unixctl.Listen(daemons...); err != nil {
		return nil, errors.Join(err, n.north.Close(), n.south.Close())
	}
	return n, nil
}

// database serves what rows makes of the world.
func (n *network) database(name string, rows func(*model.World, string) []ovsdb.Row) (*ovsdb.Server, error) {
	return ovsdb.Listen("127.0.0.1:0", ovsdb.Database{Name: name, Schema: ovsdb.Schema(name), Rows: func(table string) (all []ovsdb.Row) {
		n.cloud.With(func(w *model.World) { all = rows(w, table) })
		return all
	}})
}

func (n *network) address(database string) string {
	if database == "OVN_Northbound" {
		return n.north.Address()
	}
	return n.south.Address()
}

func (n *network) glob(host string) string { return filepath.Join(n.dir, host, "*.ctl") }

func (n *network) run(ctx context.Context) {
	var parts sync.WaitGroup
	parts.Go(func() { n.north.Run(ctx) })
	parts.Go(func() { n.south.Run(ctx) })
	parts.Go(func() { n.daemon.Run(ctx) })
	parts.Wait()
}

func (n *network) close() {
	_, _ = n.north.Close(), n.south.Close() // closed twice at the end of Run
	n.daemon.Close()
}

// daemons are a host's three daemons with the control sockets they would have.
func (n *network) daemons(chassis *model.Chassis, pid int) []unixctl.Daemon {
	var all []unixctl.Daemon
	for i, d := range []struct{ program, kind string }{
		{"ovs-vswitchd", "vswitchd"}, {"ovsdb-server", "ovsdb-server"}, {"ovn-controller", "controller"},
	} {
		all = append(all, unixctl.Daemon{
			Path: filepath.Join(n.dir, chassis.Hostname, fmt.Sprintf("%s.%d.ctl", d.program, pid+i)),
			Answer: func(ctx context.Context, command string, args []string) (string, error) {
				for d.kind == "controller" && n.frozen(chassis) {
					select {
					case <-ctx.Done():
						return "", ctx.Err()
					case <-time.After(200 * time.Millisecond):
					}
				}
				return unixctl.Text(d.kind, command, args, n.state(chassis))
			},
		})
	}
	return all
}

func (n *network) frozen(chassis *model.Chassis) (frozen bool) {
	n.cloud.With(func(*model.World) { frozen = chassis.Frozen })
	return frozen
}

func (n *network) state(chassis *model.Chassis) (s unixctl.State) {
	n.cloud.With(func(w *model.World) {
		s.Uptime = w.Now.Sub(w.Config.Start).Seconds()
		if h := w.Host(chassis.Hostname); h != nil {
			for _, server := range h.Servers {
				if server.Port != nil {
					s.Taps = append(s.Taps, "tap"+server.Port.ID[:11])
				}
			}
			slices.Sort(s.Taps)
		}
		s.Flows = 30 + 14*len(s.Taps)
	})
	return s
}

// southbound makes the rows of OVN_Southbound.
func southbound(w *model.World, table string) []ovsdb.Row {
	var rows []ovsdb.Row
	switch table {
	case "SB_Global":
		return []ovsdb.Row{{"_uuid": globalID(1), "nb_cfg": w.NBCfg, "options": ovsdb.Map(map[string]string{"mac_prefix": "92:c9:a0"})}}
	case "Chassis":
		for _, c := range w.AllChassis() {
			options := ""
			if c.Gateway {
				options = "enable-chassis-as-gw"
			}
			rows = append(rows, ovsdb.Row{
				"_uuid": c.UUID, "name": c.Name, "hostname": c.Hostname, "encaps": ovsdb.UUID(c.Encap), "nb_cfg": 0,
				"other_config": ovsdb.Map(map[string]string{
					"datapath-type": "netdev", "iface-types": "geneve,gre,internal,patch,system,tap,vxlan", "is-interconn": "false",
					"ovn-bridge-mappings": "physnet1:br-ex", "ovn-cms-options": options, "ovn-monitor-all": "false", "port-up-notif": "true",
				}),
			})
		}
	case "Chassis_Private":
		for _, c := range w.AllChassis() {
			at := w.Now
			if c.Frozen {
				at = c.Since
			}
			rows = append(rows, ovsdb.Row{
				"_uuid": c.Private, "name": c.Name, "chassis": ovsdb.UUID(c.UUID), "nb_cfg": w.ConfigurationOf(c), "nb_cfg_timestamp": at.UnixMilli(),
			})
		}
	case "Encap":
		for _, c := range w.AllChassis() {
			rows = append(rows, ovsdb.Row{"_uuid": c.Encap, "chassis_name": c.Name, "ip": c.IP, "type": "geneve", "options": ovsdb.Map(map[string]string{"csum": "true"})})
		}
	case "Datapath_Binding":
		for _, n := range w.Networks {
			rows = append(rows, ovsdb.Row{
				"_uuid": n.Datapath, "tunnel_key": n.TunnelKey,
				"external_ids": ovsdb.Map(map[string]string{"logical-switch": n.ID, "name": "neutron-" + n.ID, "name2": n.Name}),
			})
			if !n.External {
				rows = append(rows, ovsdb.Row{
					"_uuid": n.RouterDatapath, "tunnel_key": n.TunnelKey + 1,
					"external_ids": ovsdb.Map(map[string]string{"logical-router": n.RouterID, "name": "neutron-" + n.RouterID}),
				})
			}
		}
	case "Port_Binding":
		return portBindings(w)
	}
	return rows
}

func globalID(n int) string { return "66529fd7-655f-4610-b5ca-" + fmt.Sprintf("%012d", n) }

func portBindings(w *model.World) []ovsdb.Row {
	var rows []ovsdb.Row
	for _, s := range w.Ports() {
		p := s.Port
		row := ovsdb.Row{
			"_uuid": p.BindingUUID, "logical_port": p.ID, "type": "", "datapath": ovsdb.UUID(p.Network.Datapath), "tunnel_key": p.TunnelKey,
			"mac": ovsdb.Set(p.MAC + " " + p.IP), "up": false,
			"external_ids": ovsdb.Map(map[string]string{"neutron:device_id": s.ID, "neutron:device_owner": "compute", "neutron:project_id": s.Project.ID, "neutron:host_id": ""}),
		}
		if s.Host != nil {
			row["chassis"], row["requested_chassis"], row["up"] = ovsdb.UUID(s.Host.Chassis.UUID), ovsdb.UUID(s.Host.Chassis.UUID), true
		}
		rows = append(rows, row)
	}
	for i, n := range w.Networks[1:] {
		gateway := w.Gateways[i%len(w.Gateways)]
		id := func(kind int) string { return n.RouterPortID[:24] + fmt.Sprintf("%012d", kind) }
		rows = append(rows,
			ovsdb.Row{"_uuid": id(1), "logical_port": n.RouterPortID, "type": "patch", "datapath": ovsdb.UUID(n.Datapath), "tunnel_key": 1, "up": false},
			ovsdb.Row{"_uuid": id(2), "logical_port": "lrp-" + n.RouterPortID, "type": "patch", "datapath": ovsdb.UUID(n.RouterDatapath), "tunnel_key": 1, "up": false},
			ovsdb.Row{"_uuid": id(3), "logical_port": n.DistributedID, "type": "localport", "datapath": ovsdb.UUID(n.Datapath), "tunnel_key": 2, "up": false},
			ovsdb.Row{"_uuid": id(4), "logical_port": "cr-lrp-" + n.GatewayPortID, "type": "chassisredirect", "datapath": ovsdb.UUID(n.RouterDatapath), "tunnel_key": 3, "chassis": ovsdb.UUID(gateway.UUID), "up": true})
	}
	external := w.Networks[0]
	return append(rows, ovsdb.Row{
		"_uuid": globalID(9), "logical_port": "provnet-" + external.ID, "type": "localnet", "datapath": ovsdb.UUID(external.Datapath), "tunnel_key": 1, "up": false,
		"options": ovsdb.Map(map[string]string{"network_name": "physnet1"}),
	})
}

// northbound makes the rows of OVN_Northbound.
func northbound(w *model.World, table string) []ovsdb.Row {
	var rows []ovsdb.Row
	switch table {
	case "NB_Global":
		slowest, at := w.NBCfg, w.Now
		for _, c := range w.AllChassis() {
			if cfg := w.ConfigurationOf(c); cfg < slowest {
				slowest, at = cfg, c.Since
			}
		}
		return []ovsdb.Row{{
			"_uuid": globalID(2), "name": "", "nb_cfg": w.NBCfg, "sb_cfg": w.NBCfg, "hv_cfg": slowest,
			"nb_cfg_timestamp": w.Now.UnixMilli(), "sb_cfg_timestamp": w.Now.UnixMilli(), "hv_cfg_timestamp": at.UnixMilli(),
		}}
	case "Logical_Switch":
		for _, n := range w.Networks {
			rows = append(rows, ovsdb.Row{"_uuid": n.ID, "name": "neutron-" + n.ID, "external_ids": ovsdb.Map(map[string]string{"neutron:network_name": n.Name, "neutron:mtu": "1442"})})
		}
	case "Logical_Switch_Port":
		for _, s := range w.Ports() {
			rows = append(rows, ovsdb.Row{
				"_uuid": s.Port.ID, "name": s.Port.ID, "type": "", "enabled": true, "up": s.Host != nil, "addresses": s.Port.MAC + " " + s.Port.IP,
				"external_ids": ovsdb.Map(map[string]string{"neutron:device_id": s.ID, "neutron:network_name": "neutron-" + s.Port.Network.ID, "neutron:project_id": s.Project.ID}),
			})
		}
		for i, n := range w.Networks[1:] {
			rows = append(rows, ovsdb.Row{"_uuid": n.RouterPortID, "name": n.RouterPortID, "type": "router", "enabled": true, "up": true, "addresses": "router", "options": ovsdb.Map(map[string]string{"router-port": "lrp-" + n.RouterPortID, "number": strconv.Itoa(i)})})
		}
	case "Logical_Router":
		for _, n := range w.Networks[1:] {
			rows = append(rows, ovsdb.Row{"_uuid": n.RouterID, "name": "neutron-" + n.RouterID, "enabled": true, "ports": ovsdb.UUID(n.GatewayPortID)})
		}
	case "Logical_Router_Port":
		for _, n := range w.Networks[1:] {
			rows = append(rows, ovsdb.Row{"_uuid": n.GatewayPortID, "name": "lrp-" + n.GatewayPortID, "mac": "fa:16:3e:00:00:01", "networks": n.GatewayIP + "/20"})
		}
	case "NAT":
		for _, f := range w.FloatingIP.All() {
			if f.Server != nil && f.Server.Port != nil {
				rows = append(rows, ovsdb.Row{"_uuid": f.ID, "type": "dnat_and_snat", "external_ip": f.Address, "logical_ip": f.Server.Port.IP, "logical_port": f.Server.Port.ID})
			}
		}
	}
	return rows
}
