package ovn

import (
	"context"
	"fmt"

	"mcloud/exporters"
	"mcloud/exporters/ovn/ovsdb"
)

func nbFamily(name, unit, call, help string, labels ...string) *exporters.Family {
	return &exporters.Family{Name: name, Unit: unit, Type: exporters.Gauge, Set: exporters.SetBase, Call: call, Labels: labels, Help: help}
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
	nbSwitches    = nbFamily("ovn_nb_logical_switches", "", "Logical_Switch", "Logical switches.")
	nbRouters     = nbFamily("ovn_nb_logical_routers", "", "Logical_Router", "Logical routers.")
	nbRouterPorts = nbFamily("ovn_nb_logical_router_ports", "", "Logical_Router_Port", "Ports of logical routers.")
	nbSwitchPorts = nbFamily("ovn_nb_logical_switch_ports", "", "Logical_Switch_Port", "Ports of logical switches by type (vif for a machine's) and whether they are up.", "type", "up")

	northboundFamilies = []*exporters.Family{
		nbGlobal["nb_cfg"], nbGlobal["sb_cfg"], nbGlobal["hv_cfg"],
		nbTimes["nb_cfg_timestamp"], nbTimes["sb_cfg_timestamp"], nbTimes["hv_cfg_timestamp"],
		nbSwitches, nbRouters, nbRouterPorts, nbSwitchPorts,
	}
)

func (cfg Config) readNorthbound(ctx context.Context, conn *ovsdb.Conn) (*exporters.Snapshot, error) {
	tables, err := conn.Select(ctx,
		ovsdb.Query{Table: "NB_Global", Columns: []string{"nb_cfg", "sb_cfg", "hv_cfg", "nb_cfg_timestamp", "sb_cfg_timestamp", "hv_cfg_timestamp"}},
		ovsdb.Query{Table: "Logical_Switch"},
		ovsdb.Query{Table: "Logical_Router"},
		ovsdb.Query{Table: "Logical_Router_Port"},
		ovsdb.Query{Table: "Logical_Switch_Port", Columns: []string{"type", "up"}},
	)
	if err != nil {
		return nil, err
	}
	global := tables[0]
	if len(global) != 1 {
		return nil, fmt.Errorf("OVN_Northbound at %s: NB_Global has %d rows, want 1; has ovn-northd or ovn-nbctl init never run?", conn.Endpoint, len(global))
	}
	var snap exporters.Snapshot
	for column, family := range nbGlobal {
		if v, ok := global[0].Int(column); ok {
			snap.Add(family, float64(v))
		}
	}
	for column, family := range nbTimes {
		if ms, ok := global[0].Int(column); ok && ms > 0 {
			snap.Add(family, float64(ms)/1000)
		}
	}
	for i, family := range []*exporters.Family{nbSwitches, nbRouters, nbRouterPorts} {
		snap.Seen += len(tables[i+1])
		snap.Add(family, float64(len(tables[i+1])))
	}
	snap.Seen += len(tables[4])
	for key, n := range countPorts(tables[4], conn.Has("Logical_Switch_Port", "up")) {
		snap.Add(nbSwitchPorts, float64(n), key[0], key[1])
	}
	return &snap, nil
}
