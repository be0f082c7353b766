package ovn_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/ovn"
	"mcloud/exporters/ovs"
)

// cluster is a real clustered OVN, looked at through both packages.
type cluster struct {
	t       *testing.T
	looks   map[string]exporters.Source
	last    map[string]*exporters.Snapshot
	events  []mcloud.Event
	sockets string
}

const raftScript = "../../deploy/lab/ovn-raft/raft"

func (c *cluster) run(args ...string) {
	c.t.Helper()
	if out, err := exec.CommandContext(c.t.Context(), raftScript, args...).CombinedOutput(); err != nil {
		c.t.Fatalf("raft %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// look takes one look of each Source; the error is that of the named one.
func (c *cluster) look(name string) error {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	snap, err := c.looks[name].Collector.Collect(ctx)
	if snap != nil {
		c.last[name] = snap
		c.events = append(c.events, snap.Events...)
	}
	return err
}

// value adds up the samples of a family whose labels hold all of want.
func (c *cluster) value(look, family string, want ...string) (sum float64, n int) {
	for _, s := range c.last[look].Samples {
		if s.Family.Name == family && !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(s.Labels, w) }) {
			sum += s.Value
			n++
		}
	}
	return sum, n
}

// await looks until the condition holds.
func (c *cluster) await(what string, looks []string, holds func() bool) time.Duration {
	c.t.Helper()
	start := time.Now()
	for {
		var errs []error
		for _, name := range looks {
			if err := c.look(name); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			}
		}
		if len(errs) == 0 && holds() {
			c.t.Logf("%s after %v", what, time.Since(start).Round(time.Millisecond))
			return time.Since(start)
		}
		if time.Since(start) > 60*time.Second {
			c.t.Fatalf("%s: not within a minute; %v", what, errs)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (c *cluster) leader(database string) (member int) {
	for i := range 3 {
		if v, _ := c.value("ovn_members", "ovn_db_member_leader", database, endpoint(database, i+1)); v == 1 {
			return i + 1
		}
	}
	return 0
}

func endpoint(database string, member int) string {
	port := 16641 + 10*(member-1)
	if database == "OVN_Southbound" {
		port++
	}
	return fmt.Sprintf("tcp:127.0.0.1:%d", port)
}

func (c *cluster) sawEvent(kind, to string) bool {
	return slices.ContainsFunc(c.events, func(e mcloud.Event) bool {
		return e.Kind == kind && strings.Contains(string(e.Payload), fmt.Sprintf(`"to":%q`, to))
	})
}

// A leader is killed, a member frozen, the active northd killed: the looks go on
// with the members that are left, and tell who leads, who is gone and how far
// each has come.
func TestLabRaftFailover(t *testing.T) {
	if os.Getenv("MCLOUD_LAB_CLOUDS") == "" {
		t.Skip("MCLOUD_LAB_CLOUDS names no clouds.yaml of a running lab; make lab-up starts one, make e2e sets it")
	}
	lab := os.Getenv("MCLOUD_LAB")
	if lab == "" {
		lab = "/var/lib/mcloud-lab"
	}
	c := &cluster{t: t, looks: map[string]exporters.Source{}, last: map[string]*exporters.Snapshot{}, sockets: filepath.Join(lab, "openstack/root/srv/ovn-raft")}
	down := func() { exec.Command(raftScript, "down").Run() }
	down()
	t.Cleanup(down)
	c.run("up")
	cfg := ovn.Config{Cloud: "lab"}
	for i := range 3 {
		cfg.Northbound = append(cfg.Northbound, endpoint("OVN_Northbound", i+1))
		cfg.Southbound = append(cfg.Southbound, endpoint("OVN_Southbound", i+1))
	}
	all, end, err := ovn.Sources(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	daemons, err := ovs.Sources(ovs.Config{Cloud: "lab", Timeout: time.Second, Logger: slog.New(slog.DiscardHandler), Hosts: []ovs.Host{{Name: "ctl", Sockets: []string{filepath.Join(c.sockets, "*.ctl")}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(all, daemons[0]) {
		c.looks[s.Name] = s
	}
	everything := []string{"ovn_northbound", "ovn_southbound", "ovn_members", "ovs/ctl"}

	c.await("one leader of each, all members level, one northd active", everything, func() bool {
		leaders, members := c.value("ovn_members", "ovn_db_member_leader")
		lag, _ := c.value("ovn_members", "ovn_db_member_log_lag")
		byControl, servers := c.value("ovs/ctl", "ovs_raft_leader")
		active, northds := c.value("ovs/ctl", "ovn_northd_active")
		return leaders == 2 && members == 6 && lag == 0 && byControl == 2 && servers == 6 && active == 1 && northds == 2
	})
	nb := c.leader("OVN_Northbound")
	daemon := fmt.Sprintf("nb%d", nb)
	term, _ := c.value("ovs/ctl", "ovs_raft_term", daemon, "OVN_Northbound")
	if peers, n := c.value("ovs/ctl", "ovs_raft_peer_lag", daemon, "OVN_Northbound"); peers != 0 || n != 3 {
		t.Errorf("the leader tells of %d members that they lag by %v", n, peers)
	}
	if n, _ := c.value("ovn_northbound", "ovn_nb_logical_switches"); n != 1 {
		t.Errorf("%v logical switches", n)
	}

	c.run("kill", "nb", fmt.Sprint(nb))
	took := c.await("the northbound look goes on with another member", []string{"ovn_northbound"}, func() bool { return true })
	if took > 15*time.Second {
		t.Errorf("that took %v", took)
	}
	c.await("another leads, the killed one is down", []string{"ovn_northbound", "ovn_members", "ovs/ctl"}, func() bool {
		up, _ := c.value("ovn_members", "ovn_db_member_up", endpoint("OVN_Northbound", nb))
		alive, _ := c.value("ovs/ctl", "ovs_up", daemon)
		now := c.leader("OVN_Northbound")
		return up == 0 && alive == 0 && now != 0 && now != nb
	})
	newTerm, _ := c.value("ovs/ctl", "ovs_raft_term", fmt.Sprintf("nb%d", c.leader("OVN_Northbound")), "OVN_Northbound")
	t.Logf("leader nb%d in term %v, then nb%d in term %v", nb, term, c.leader("OVN_Northbound"), newTerm)
	if newTerm <= term {
		t.Errorf("term %v after %v", newTerm, term)
	}
	if !c.sawEvent("database.role", "leader") || !c.sawEvent("database.role", "down") || !c.sawEvent("raft.role", "leader") {
		t.Errorf("events: %v", c.events)
	}

	c.run("start", "nb", fmt.Sprint(nb))
	c.await("the killed one is back and level", []string{"ovn_members"}, func() bool {
		lag, n := c.value("ovn_members", "ovn_db_member_log_lag", "OVN_Northbound")
		return lag == 0 && n == 3
	})

	// The member that the southbound look reads from freezes.
	frozen := 1
	c.run("freeze", "sb", fmt.Sprint(frozen))
	c.await("the southbound look leaves the frozen member", []string{"ovn_southbound"}, func() bool { return true })
	c.await("the frozen member reads down", []string{"ovn_members"}, func() bool {
		up, _ := c.value("ovn_members", "ovn_db_member_up", endpoint("OVN_Southbound", frozen))
		return up == 0
	})
	c.run("thaw", "sb", fmt.Sprint(frozen))
	c.await("all are up again", everything, func() bool {
		up, _ := c.value("ovn_members", "ovn_db_member_up")
		return up == 6
	})

	active := 1
	if v, _ := c.value("ovs/ctl", "ovn_northd_active", "northd2"); v == 1 {
		active = 2
	}
	c.run("kill", "northd", fmt.Sprint(active))
	c.await("the standby northd is active", []string{"ovs/ctl"}, func() bool {
		v, _ := c.value("ovs/ctl", "ovn_northd_active", fmt.Sprintf("northd%d", 3-active))
		return v == 1
	})
	if !c.sawEvent("northd.status", "active") || !c.sawEvent("daemon.state", exporters.KindRefused) {
		t.Errorf("events: %v", c.events)
	}
}
