package ovn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/ovn/ovsdb"
)

var chassisLabels = []string{"chassis", "hostname"}

var (
	sbNbCfg = &exporters.Family{Name: "ovn_sb_nb_cfg", Type: exporters.Gauge, Set: exporters.SetBase, Call: "SB_Global",
		Help: "Number of the configuration that the southbound database holds."}
	chassisInfo = &exporters.Family{Name: "ovn_chassis_info", Type: exporters.Gauge, Set: exporters.SetBase, Call: "Chassis",
		Labels: chassisLabels, Help: "Chassis that is registered, always 1."}
	chassisNbCfg = &exporters.Family{Name: "ovn_chassis_nb_cfg", Type: exporters.Gauge, Set: exporters.SetBase, Call: "Chassis_Private",
		Labels: chassisLabels, Help: "Number of the configuration that the chassis has put into force."}
	chassisLag = &exporters.Family{Name: "ovn_chassis_nb_cfg_lag", Type: exporters.Gauge, Set: exporters.SetBase, Call: "SB_Global, Chassis_Private",
		Labels: chassisLabels, Help: "Configurations that the chassis is behind the southbound database."}
	chassisTime = &exporters.Family{Name: "ovn_chassis_nb_cfg_timestamp_seconds", Unit: "seconds", Type: exporters.Gauge, Set: exporters.SetBase, Call: "Chassis_Private",
		Labels: chassisLabels, Help: "When the chassis last put a configuration into force, by its clock; absent if it never did."}
	chassisPorts = &exporters.Family{Name: "ovn_chassis_port_bindings", Type: exporters.Gauge, Set: exporters.SetBase, Call: "Port_Binding",
		Labels: chassisLabels, Help: "Logical ports bound to the chassis."}
	portBindings = &exporters.Family{Name: "ovn_port_bindings", Type: exporters.Gauge, Set: exporters.SetBase, Call: "Port_Binding",
		Labels: []string{"type", "up"}, Help: "Logical ports by type (vif for a machine's) and whether they are up."}
	bfdSessions = &exporters.Family{Name: "ovn_bfd_sessions", Type: exporters.Gauge, Set: exporters.SetBase, Call: "BFD",
		Labels: []string{"status"}, Help: "BFD sessions of logical ports by status."}

	southboundFamilies = []*exporters.Family{sbNbCfg, chassisInfo, chassisNbCfg, chassisLag, chassisTime, chassisPorts, portBindings, bfdSessions}
)

func (cfg Config) readSouthbound(ctx context.Context, conn *ovsdb.Conn) (*exporters.Snapshot, error) {
	tables, err := conn.Select(ctx,
		ovsdb.Query{Table: "SB_Global", Columns: []string{"nb_cfg"}},
		ovsdb.Query{Table: "Chassis", Columns: []string{"name", "hostname", "encaps", "nb_cfg"}},
		ovsdb.Query{Table: "Chassis_Private", Columns: []string{"name", "nb_cfg", "nb_cfg_timestamp"}},
		ovsdb.Query{Table: "Port_Binding", Columns: []string{"type", "chassis", "up"}},
		ovsdb.Query{Table: "Encap", Columns: []string{"type", "ip"}},
		ovsdb.Query{Table: "BFD", Columns: []string{"status"}},
	)
	if err != nil {
		return nil, err
	}
	global, chassis, private, ports, encaps, bfd := tables[0], tables[1], tables[2], tables[3], tables[4], tables[5]
	if len(global) != 1 {
		return nil, fmt.Errorf("OVN_Southbound at %s: SB_Global has %d rows, want 1; has ovn-northd never run?", conn.Endpoint, len(global))
	}
	var snap exporters.Snapshot
	nbCfg, _ := global[0].Int("nb_cfg")
	snap.Add(sbNbCfg, float64(nbCfg))
	complete := addChassis(&snap, conn, nbCfg, chassis, private)
	addPorts(&snap, chassis, ports, conn.Has("Port_Binding", "up"))
	counts := map[string]int{}
	for _, b := range bfd {
		counts[b.String("status")]++
	}
	for _, status := range []string{"admin_down", "down", "init", "up"} {
		if conn.Has("BFD") {
			snap.Add(bfdSessions, float64(counts[status]), status)
		}
	}
	snap.Inventories = append(snap.Inventories, mcloud.Inventory{
		Cloud: cfg.Cloud, Scope: "ovn", Kind: mcloud.KindChassis, Time: cfg.Now().UTC(),
		Complete: complete, Objects: chassisObjects(chassis, encaps),
	})
	return &snap, nil
}

// addChassis joins by name. Chassis_Private came with OVN 20.09; before, Chassis
// itself held nb_cfg. It reports whether every chassis could be named.
func addChassis(snap *exporters.Snapshot, conn *ovsdb.Conn, nbCfg int64, chassis, private []ovsdb.Row) bool {
	state := map[string]ovsdb.Row{}
	for _, p := range private {
		state[p.String("name")] = p
	}
	complete := true
	for _, c := range chassis {
		name, hostname := c.String("name"), c.String("hostname")
		if name == "" {
			complete = false
			snap.Failed = append(snap.Failed, exporters.ObjectError{Object: "chassis " + c.String("_uuid"), Err: errors.New("it has no name")})
			continue
		}
		snap.Seen++
		snap.Add(chassisInfo, 1, name, hostname)
		row, ok := state[name]
		if !conn.Has("Chassis_Private") {
			row, ok = c, true
		}
		if !ok {
			snap.Failed = append(snap.Failed, exporters.ObjectError{Object: "chassis " + name, Err: errors.New("it has no row in Chassis_Private: its ovn-controller never got that far")})
			continue
		}
		has, ok := row.Int("nb_cfg")
		if !ok {
			continue
		}
		snap.Add(chassisNbCfg, float64(has), name, hostname)
		snap.Add(chassisLag, float64(nbCfg-has), name, hostname)
		if ms, ok := row.Int("nb_cfg_timestamp"); ok && ms > 0 {
			snap.Add(chassisTime, float64(ms)/1000, name, hostname)
		}
	}
	return complete
}

func addPorts(snap *exporters.Snapshot, chassis, ports []ovsdb.Row, haveUp bool) {
	byChassis := map[string]int{}
	for _, p := range ports {
		if on := p.String("chassis"); on != "" {
			byChassis[on]++
		}
	}
	for _, c := range chassis {
		if name := c.String("name"); name != "" {
			snap.Add(chassisPorts, float64(byChassis[c.String("_uuid")]), name, c.String("hostname"))
		}
	}
	for key, n := range countPorts(ports, haveUp) {
		snap.Add(portBindings, float64(n), key[0], key[1])
	}
}

// countPorts counts by type and by "true", "false" or, where the schema does not
// tell, "unknown". Machines' ports, which have an empty type, are always there,
// so that a rule can see the last one come up.
func countPorts(ports []ovsdb.Row, haveUp bool) map[[2]string]int {
	counts := map[[2]string]int{}
	if haveUp {
		counts[[2]string{"vif", "true"}], counts[[2]string{"vif", "false"}] = 0, 0
	}
	for _, p := range ports {
		kind, up := p.String("type"), "unknown"
		if kind == "" {
			kind = "vif"
		}
		if haveUp {
			up = strconv.FormatBool(p.Bool("up"))
		}
		counts[[2]string{kind, up}]++
	}
	return counts
}

func chassisObjects(chassis, encaps []ovsdb.Row) []mcloud.Object {
	tunnel := map[string]string{}
	for _, e := range encaps {
		tunnel[e.String("_uuid")] = e.String("type") + " " + e.String("ip")
	}
	var objects []mcloud.Object
	for _, c := range chassis {
		name := c.String("name")
		if name == "" {
			continue
		}
		attributes := mcloud.Chassis{Hostname: c.String("hostname")}
		for _, id := range c.Strings("encaps") {
			if t, ok := tunnel[id]; ok {
				attributes.Encaps = append(attributes.Encaps, t)
			}
		}
		slices.Sort(attributes.Encaps)
		objects = append(objects, mcloud.NewObject(mcloud.KindChassis, name, attributes.Hostname, "", "", attributes))
	}
	return objects
}
