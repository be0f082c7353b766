package ovn

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"mcloud/exporters"
)

const (
	labSouthbound = "tcp:127.0.0.1:6642"
	labNorthbound = "tcp:127.0.0.1:6641"
)

// What the Sources say of the lab's OVN is what ovn-sbctl and ovn-nbctl say.
func TestLabAgreesWithTheOVNClients(t *testing.T) {
	if os.Getenv("MCLOUD_LAB_CLOUDS") == "" {
		t.Skip("MCLOUD_LAB_CLOUDS names no clouds.yaml of a running lab; make lab-up lab-seed starts one, make e2e sets it")
	}
	conn, err := net.DialTimeout("tcp", "127.0.0.1:6642", time.Second)
	if err != nil {
		t.Fatalf("the OpenStack lab is not up (deploy/lab/openstack/up): %v", err)
	}
	conn.Close()
	south, north := source(t, Config{Southbound: []string{labSouthbound}}), source(t, Config{Northbound: []string{labNorthbound}})
	for _, c := range []struct {
		source                        exporters.Source
		family, client, table, column string
	}{
		{south, "ovn_chassis_info", "ovn-sbctl", "Chassis", "name"},
		{south, "ovn_port_bindings", "ovn-sbctl", "Port_Binding", "logical_port"},
		{north, "ovn_nb_logical_switch_ports", "ovn-nbctl", "Logical_Switch_Port", "name"},
		{north, "ovn_nb_logical_switches", "ovn-nbctl", "Logical_Switch", "name"},
	} {
		// Others use the lab: the number may change between two questions.
		before := ask(t, c.client, c.table, c.column)
		start := time.Now()
		snap, err := c.source.Collector.Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(start)
		after := ask(t, c.client, c.table, c.column)
		if n := int(count(t, snap.Samples, c.family)); n != before && n != after || n == 0 {
			t.Errorf("%s adds up to %d, %s counts %d and then %d", c.family, n, c.client, before, after)
		}
		t.Logf("%s in %v:\n%s", c.family, took, render(t, c.source, snap))
	}
}

// ask counts the rows that the client of the lab lists.
func ask(t *testing.T, client, table, column string) int {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "../../deploy/lab/openstack/"+client, "-f", "json", "--columns="+column, "list", table).Output()
	if err != nil {
		t.Fatalf("%s: %v", client, err)
	}
	var list struct{ Data [][]any }
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatalf("%s: %v", strconv.Quote(string(out)), err)
	}
	return len(list.Data)
}
