package main

import (
	"encoding/json"
	"testing"
)

func TestOVNTablesRead(t *testing.T) {
	ours := ovnTablesOurs(pageOf(t, `
ovn_nb_rows{cloud="lab",table="DNS"} 4
ovn_nb_rows{cloud="lab",table="Copp"} 9
ovn_nb_nat_rules{cloud="lab",type="dnat_and_snat",distributed="true"} 6
ovn_nb_nat_rules{cloud="lab",type="dnat_and_snat",distributed="false"} 1
ovn_port_bindings{cloud="lab",type="vif",up="true"} 20
ovn_chassis_gateway_ports{cloud="lab",chassis="g",hostname="gw-1"} 2
ovn_project_logical_objects{cloud="lab",project_id="p",kind="logical_switch_port"} 7
ovn_project_logical_objects{cloud="lab",project_id="p",kind="acl"} 5
`))
	for k, want := range map[key]float64{{"rows", "NB DNS"}: 4, {"port bindings", "vif true"}: 20, {"gateway ports of chassis", "gw-1"}: 2, {"ports of project", "p"}: 7} {
		if ours[k] != want {
			t.Errorf("%v is %v, want %v", k, ours[k], want)
		}
	}
	if n := ours[key{"NAT rules", "dnat_and_snat"}]; n != 7 {
		t.Errorf("NAT rules are %v, have %v", n, ours)
	}
	if len(ours) != 5 {
		t.Errorf("%v", ours)
	}
	var row map[string]any
	if err := json.Unmarshal([]byte(`{"up":true,"type":"","ref":["uuid","a"],"set":["set",[["uuid","a"],["uuid","b"]]],"map":["map",[["k","v"]]]}`), &row); err != nil {
		t.Fatal(err)
	}
	if typeAndUp(row) != "vif true" || text(row["ref"]) != "a" || len(setOf(row["set"])) != 2 || len(setOf(row["ref"])) != 1 || inMap(row["map"], "k") != "v" || inMap(row["set"], "k") != "" {
		t.Error("values")
	}
}
