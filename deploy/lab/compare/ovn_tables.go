package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Tables whose rows are counted on both sides, beside those that are read below.
var (
	northTables = []string{"Logical_Switch", "Logical_Router", "Logical_Router_Port", "Logical_Router_Static_Route", "DHCP_Options", "Gateway_Chassis", "Load_Balancer", "Port_Group", "DNS", "Address_Set", "Meter"}
	southTables = []string{"Datapath_Binding", "Encap", "HA_Chassis", "HA_Chassis_Group", "Multicast_Group", "Load_Balancer", "Port_Group", "DNS", "MAC_Binding", "FDB", "BFD"}
)

func ovnTablesOurs(p page) readings {
	out := make(readings)
	rows := func(family, side string, tables []string) {
		p.each(family, func(labels map[string]string, value float64) {
			for _, table := range tables {
				if labels["table"] == table {
					out.add("rows", side+" "+table, value)
				}
			}
		})
	}
	rows("ovn_nb_rows", "NB", northTables)
	rows("ovn_sb_rows", "SB", southTables)
	for family, thing := range map[string]string{
		"ovn_nb_logical_switch_ports": "switch ports", "ovn_port_bindings": "port bindings", "ovn_nb_acls": "ACLs", "ovn_nb_nat_rules": "NAT rules",
		"ovn_chassis_port_bindings": "ports of chassis", "ovn_chassis_gateway_ports": "gateway ports of chassis", "ovn_project_logical_objects": "ports of project",
	} {
		p.each(family, func(labels map[string]string, value float64) {
			switch {
			case value == 0:
			case labels["kind"] != "" && labels["kind"] != "logical_switch_port":
			default:
				out.add(thing, ovnObject(labels), value)
			}
		})
	}
	return out
}

// ovnObject is what tells a series from the others of its family.
func ovnObject(labels map[string]string) string {
	for _, names := range [][]string{{"type", "up"}, {"direction", "action"}, {"hostname"}, {"project_id"}, {"type"}} {
		var words []string
		for _, name := range names {
			if labels[name] != "" {
				words = append(words, labels[name])
			}
		}
		if len(words) == len(names) {
			return strings.Join(words, " ")
		}
	}
	return ""
}

func ovnTablesTheirs(ctx context.Context, c *clients) (readings, error) {
	out := make(readings)
	read := func(program, table, columns string, each func(row map[string]any)) error {
		var t ovsdbTable
		if err := c.ask(ctx, &t, filepath.Join(c.tools, program), "--format=json", "--columns="+columns, "list", table); err != nil {
			return err
		}
		rows, err := t.rows()
		if err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
		for _, row := range rows {
			each(row)
		}
		return nil
	}
	for _, side := range []struct {
		name, program string
		tables        []string
	}{{"NB", "ovn-nbctl", northTables}, {"SB", "ovn-sbctl", southTables}} {
		for _, table := range side.tables {
			out.add("rows", side.name+" "+table, 0)
			if err := read(side.program, table, "_uuid", func(map[string]any) { out.add("rows", side.name+" "+table, 1) }); err != nil {
				return nil, err
			}
		}
	}
	hosts := map[string]string{}
	for _, question := range []struct {
		program, table, columns string
		each                    func(row map[string]any)
	}{
		{"ovn-sbctl", "Chassis", "_uuid,hostname", func(row map[string]any) { hosts[text(row["_uuid"])] = text(row["hostname"]) }},
		{"ovn-nbctl", "Logical_Switch_Port", "type,up,external_ids", func(row map[string]any) {
			out.add("switch ports", typeAndUp(row), 1)
			if project := inMap(row["external_ids"], "neutron:project_id"); project != "" {
				out.add("ports of project", project, 1)
			}
		}},
		{"ovn-nbctl", "ACL", "_uuid,direction,action", func(row map[string]any) {
			out.add("ACLs", text(row["direction"])+" "+text(row["action"]), 1)
		}},
		{"ovn-nbctl", "NAT", "_uuid,type", func(row map[string]any) { out.add("NAT rules", text(row["type"]), 1) }},
		{"ovn-sbctl", "Port_Binding", "_uuid,type,up,chassis", func(row map[string]any) {
			out.add("port bindings", typeAndUp(row), 1)
			host, bound := hosts[text(row["chassis"])]
			if bound {
				out.add("ports of chassis", host, 1)
			}
			if bound && row["type"] == "chassisredirect" {
				out.add("gateway ports of chassis", host, 1)
			}
		}},
	} {
		if err := read(question.program, question.table, question.columns, question.each); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// typeAndUp is "vif true" for a machine's port that is up.
func typeAndUp(row map[string]any) string {
	kind := text(row["type"])
	if kind == "" {
		kind = "vif"
	}
	return kind + " " + strconv.FormatBool(row["up"] == true)
}

// text is a string, or the uuid of a reference.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		if len(v) == 2 && v[0] == "uuid" {
			return text(v[1])
		}
	}
	return ""
}

// inMap is a key's value in ["map", [[key, value], …]].
func inMap(v any, key string) string {
	outer, ok := v.([]any)
	if !ok || len(outer) != 2 {
		return ""
	}
	pairs, _ := outer[1].([]any)
	for _, p := range pairs {
		if pair, ok := p.([]any); ok && len(pair) == 2 && pair[0] == key {
			return text(pair[1])
		}
	}
	return ""
}

// The switches of every host, by ovs-vsctl and ovs-appctl of the lab's chroot.

func ovsOurs(p page) readings {
	out := make(readings)
	for family, thing := range map[string]string{"ovs_bridge_ports": "ports of bridge", "ovs_interface_link_up": "link", "ovs_interface_admin_up": "admin", "ovs_interface_mtu_bytes": "mtu",
		"ovs_interfaces": "interfaces", "ovn_northd_active": "northd active", "ovs_conntrack_entries_limit": "conntrack limit", "ovs_bridge_flows": "flows of bridge"} {
		p.each(family, func(labels map[string]string, value float64) {
			object := labels["host"]
			for _, name := range []string{"bridge", "interface"} {
				if labels[name] != "" && family != "ovs_interfaces" {
					object += " " + labels[name]
				}
			}
			out.add(thing, object, value)
		})
	}
	return out
}

func ovsTheirs(ctx context.Context, c *clients) (readings, error) {
	out := make(readings)
	root := filepath.Join(c.lab, "openstack", "root")
	runs, err := filepath.Glob(filepath.Join(root, "srv", "ovs", "*", "run"))
	if err != nil || len(runs) == 0 {
		return nil, fmt.Errorf("no host's switch under %s: is the lab up? %w", root, err)
	}
	for _, run := range runs {
		host, inside := filepath.Base(filepath.Dir(run)), strings.TrimPrefix(run, root)
		list := func(table, columns string) ([]map[string]any, error) {
			var t ovsdbTable
			if err := c.ask(ctx, &t, "chroot", root, "ovs-vsctl", "--timeout=20", "--db=unix:"+inside+"/db.sock", "--format=json", "--columns="+columns, "list", table); err != nil {
				return nil, err
			}
			return t.rows()
		}
		bridges, err := list("Bridge", "name,ports")
		if err != nil {
			return nil, err
		}
		ports, err := list("Port", "_uuid,interfaces")
		if err != nil {
			return nil, err
		}
		interfaces, err := list("Interface", "_uuid,name,type,admin_state,link_state,mtu,external_ids")
		if err != nil {
			return nil, err
		}
		bridgeOf := map[string]string{} // by interface
		for _, b := range bridges {
			members := setOf(b["ports"])
			out.add("ports of bridge", host+" "+text(b["name"]), float64(len(members)))
			for _, p := range ports {
				for _, id := range setOf(p["interfaces"]) {
					if slices.Contains(members, text(p["_uuid"])) {
						bridgeOf[id] = text(b["name"])
					}
				}
			}
		}
		for _, i := range interfaces {
			out.add("interfaces", host, 1)
			if inMap(i["external_ids"], "iface-id") != "" || i["type"] == "patch" {
				continue
			}
			object := host + " " + bridgeOf[text(i["_uuid"])] + " " + text(i["name"])
			for column, thing := range map[string]string{"admin_state": "admin", "link_state": "link"} {
				switch i[column] {
				case "up":
					out.add(thing, object, 1)
				case "down":
					out.add(thing, object, 0)
				}
			}
			if mtu, ok := i["mtu"].(float64); ok {
				out.add("mtu", object, mtu)
			}
		}
		for _, b := range bridges {
			answer, complaint, err := c.start(ctx, "", "chroot", root, "ovs-ofctl", "--timeout=20", "dump-aggregate", "unix:"+inside+"/"+text(b["name"])+".mgmt")
			if err != nil {
				return nil, fmt.Errorf("ovs-ofctl of %s: %w: %s", host, err, complaint)
			}
			_, count, _ := strings.Cut(string(answer), "flow_count=")
			flows, err := strconv.ParseFloat(strings.TrimSpace(count), 64)
			if err != nil {
				return nil, fmt.Errorf("ovs-ofctl of %s: dump-aggregate: %w", host, err)
			}
			out.add("flows of bridge", host+" "+text(b["name"]), flows)
		}
		answer, complaint, err := c.start(ctx, "", "chroot", root, "ovs-appctl", "--timeout=20", "-t", inside+"/ovs-vswitchd.ctl", "dpctl/ct-get-maxconns")
		if err != nil {
			return nil, fmt.Errorf("ovs-appctl of %s: %w: %s", host, err, complaint)
		}
		limit, err := strconv.ParseFloat(strings.TrimSpace(string(answer)), 64)
		if err != nil {
			return nil, fmt.Errorf("ovs-appctl of %s: dpctl/ct-get-maxconns: %w", host, err)
		}
		out.add("conntrack limit", host, limit)
	}
	answer, complaint, err := c.start(ctx, "", "chroot", root, "ovs-appctl", "--timeout=20", "-t", "/srv/ovn/northd.ctl", "status")
	if err != nil {
		return nil, fmt.Errorf("ovs-appctl of ovn-northd: %w: %s", err, complaint)
	}
	active := 0.0
	if strings.TrimSpace(string(answer)) == "Status: active" {
		active = 1
	}
	out.add("northd active", "ctl-1", active)
	return out, nil
}

// setOf are the uuids of a set, or of the one member that stands alone.
func setOf(v any) []string {
	if one := text(v); one != "" {
		return []string{one}
	}
	outer, ok := v.([]any)
	if !ok || len(outer) != 2 {
		return nil
	}
	members, _ := outer[1].([]any)
	var all []string
	for _, m := range members {
		all = append(all, text(m))
	}
	return all
}
