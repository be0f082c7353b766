package ovs

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcloud/exporters"
)

// faults are what a socket can do instead of answering.
var faults = map[string]func(net.Conn){
	"frozen":   func(c net.Conn) { io.Copy(io.Discard, c) },
	"hangs up": func(net.Conn) {},
	"garbage":  func(c net.Conn) { io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") },
	"half":     func(c net.Conn) { io.WriteString(c, `{"id":1,"result":"ovs-vswit`) },
	"null":     func(c net.Conn) { io.WriteString(c, `{"id":1,"result":null,"error":null}`) },
	"list":     func(c net.Conn) { io.WriteString(c, `[]`) },
	"giant": func(c net.Conn) {
		io.WriteString(c, `{"id":1,"result":"`)
		chunk := strings.Repeat("x", 1<<16)
		for {
			if _, err := io.WriteString(c, chunk); err != nil {
				return
			}
		}
	},
}

// switchable is a socket whose behaviour can be changed while it is there.
func switchable(t *testing.T, path string) (set func(func(net.Conn))) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var now atomic.Pointer[func(net.Conn)]
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				(*now.Load())(conn)
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return func(f func(net.Conn)) { now.Store(&f) }
}

// Each fault of one daemon's socket: it alone reads 0 and is named, what the
// other daemons say stays, and the first look after its end is whole.
func TestFaultMatrixOfControlSockets(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, err := os.MkdirTemp("", "ctl") // t.TempDir's path may be too long for a socket
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			set := switchable(t, filepath.Join(dir, "ovs-vswitchd.1.ctl"))
			serveDaemon(t, filepath.Join(dir, "ovn-controller.2.ctl"), recorded("3.5", "ovn-controller"))
			good := func(c net.Conn) { serveRequest(c, recorded("3.5", "ovs-vswitchd")) }
			source := source(t, func(c *Config) { c.Timeout = 2 * time.Second }, filepath.Join(dir, "*.ctl"))
			for range 2 {
				set(fault)
				snap, err := collect(t, source)
				if err != nil {
					t.Fatal(err)
				}
				got := render(snap)
				if value(t, snap, `ovs_up{host="hv1",daemon="ovs-vswitchd"}`) != 0 || strings.Contains(got, "ovs_datapath_") || strings.Contains(got, "ovs_conntrack_") {
					t.Errorf("the faulty daemon gives\n%s", got)
				}
				if value(t, snap, `ovs_up{host="hv1",daemon="ovn-controller"}`) != 1 || value(t, snap, `ovn_controller_connected{host="hv1"}`) != 1 {
					t.Error("the other daemon suffers")
				}
				if len(snap.Failed) != 1 || !strings.Contains(snap.Failed[0].Error(), "ovs-vswitchd on hv1") {
					t.Errorf("named are %v", snap.Failed)
				}
				set(good)
				if snap, err := collect(t, source); err != nil || len(snap.Failed) > 0 || value(t, snap, `ovs_up{host="hv1",daemon="ovs-vswitchd"}`) != 1 {
					t.Fatalf("after its end: %v, %v", err, snap.Failed)
				}
			}
		})
	}
}

// The same of a host's database: nothing is served of it, and the next look is good.
func TestFaultMatrixOfTheDatabase(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, err := os.MkdirTemp("", "db")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			path := filepath.Join(dir, "db.sock")
			set, host := switchable(t, path), loadHost(t, "3.5/database-gw-1")
			source := databaseSource(t, "unix:"+path)
			look := func(timeout time.Duration) (*exporters.Snapshot, error) {
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				return source.Collector.Collect(ctx)
			}
			for range 2 {
				set(fault)
				if snap, err := look(time.Second); snap != nil || err == nil || !strings.Contains(err.Error(), "hv1") {
					t.Errorf("%v, %v", snap, err)
				}
				set(func(c net.Conn) { host.handle(c, nil) })
				if snap, err := look(30 * time.Second); err != nil || len(snap.Samples) < 50 {
					t.Fatalf("after its end: %v", err)
				}
			}
		})
	}
}

// SNAT zones are counted a few at a look, in turn, on a host with a gateway.
func TestSNATZones(t *testing.T) {
	dir := t.TempDir()
	asked := map[string]int{}
	var mu sync.Mutex
	serveDaemon(t, filepath.Join(dir, "ovs-vswitchd.1.ctl"), func(method string, params []string) (string, error) {
		if method == "dpctl/ct-stats-show" && len(params) == 1 {
			mu.Lock()
			asked[params[0]]++
			mu.Unlock()
			return "Connections Stats:\n    Total: 7\n  TCP: 5\n  UDP: 2\n", nil
		}
		return recorded("3.5", "ovs-vswitchd")(method, params)
	})
	serveDaemon(t, filepath.Join(dir, "ovn-controller.2.ctl"), recorded("3.5", "ovn-controller"))
	source := source(t, nil, filepath.Join(dir, "*.ctl"))
	var snap *exporters.Snapshot
	for range 2 {
		var err error
		if snap, err = collect(t, source); err != nil || len(snap.Failed) > 0 {
			t.Fatal(err, snap.Failed)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != 2*zonesPerLook && len(asked) != 7 {
		t.Errorf("asked for %v", asked)
	}
	if got := value(t, snap, `ovn_snat_connections{host="hv1",logical_datapath="neutron-fca53ffd-6971-4ad8-b8ee-71e1fd10991e",protocol="tcp"}`); got != 5 {
		t.Errorf("%v connections", got)
	}
}

// Kernel datapaths refuse what only the userspace one can: no fault, and no zero.
func TestDatapathThatRefuses(t *testing.T) {
	dir := t.TempDir()
	serveDaemon(t, filepath.Join(dir, "ovs-vswitchd.1.ctl"), func(method string, params []string) (string, error) {
		if strings.HasPrefix(method, "dpctl/ct-") || method == "dpctl/ipf-get-status" {
			return "", errRefused
		}
		return recorded("3.5", "ovs-vswitchd")(method, params)
	})
	snap, err := collect(t, source(t, nil, filepath.Join(dir, "*.ctl")))
	if err != nil || len(snap.Failed) > 0 || strings.Contains(render(snap), "ovs_conntrack") {
		t.Errorf("%v, %v", err, snap.Failed)
	}
}

// What the lab's machines lack: polling threads, bonds.
func TestOtherTexts(t *testing.T) {
	r := &report{host: "hv1", daemon: "ovs-vswitchd"}
	readQueues(r, "Displaying last 60 seconds pmd usage %\npmd thread numa_id 0 core_id 1:\n  isolated : true\n  port: dpdk0             queue-id:  2 (enabled)   pmd usage: 37 %\n  port: vhost1            queue-id:  0 (disabled)  pmd usage: NOT AVAIL\n  overhead:  3 %\n")
	readPerf(r, "pmd thread numa_id 0 core_id 1:\n\n  Iterations:         184304299142  (2.35 us/it)\n  - Used TSC cycles:  997990776491190  ( 99.8 % of total cycles)\n  - idle iterations:  157612371830  (  7.3 % of used cycles)\n  - busy iterations:   26691927312  ( 92.7 % of used cycles)\n  Sleep time (us):          1500000  (  0 us/iteration avg.)\n  Rx packets:         1553492231479  (3572 Kpps, 595 cycles/pkt)\n  - Upcalls:                     2  (  0.0 %, 0.0 us/upcall)\n  - Lost upcalls:                1  (  0.0 %)\n  Tx packets:         1553492699287  (3572 Kpps)\n")
	readBonds(r, "---- bond0 ----\nbond_mode: active-backup\nlacp_status: off\n\nmember eth1: enabled\n  active member\n  may_enable: true\n\nmember eth2: disabled\n  may_enable: false\n")
	readCluster("OVN_Southbound")(r, readFile(t, "testdata/raft/leader-after-a-kill.txt"))
	readCluster("OVN_Northbound")(r, readFile(t, "testdata/raft/follower.txt"))
	for want, v := range map[string]float64{
		`ovs_pmd_isolated{host="hv1",thread="pmd thread numa_id 0 core_id 1"}`:                                                1,
		`ovs_pmd_overhead_ratio{host="hv1",thread="pmd thread numa_id 0 core_id 1"}`:                                          0.03,
		`ovs_pmd_rxq_usage_ratio{host="hv1",thread="pmd thread numa_id 0 core_id 1",interface="dpdk0",queue="2"}`:             0.37,
		`ovs_pmd_rxq_enabled{host="hv1",thread="pmd thread numa_id 0 core_id 1",interface="vhost1",queue="0"}`:                0,
		`ovs_pmd_iterations_total{host="hv1",thread="pmd thread numa_id 0 core_id 1",state="busy"}`:                           26691927312,
		`ovs_pmd_sleep_seconds_total{host="hv1",thread="pmd thread numa_id 0 core_id 1"}`:                                     1.5,
		`ovs_pmd_upcalls_handled_total{host="hv1",thread="pmd thread numa_id 0 core_id 1",result="lost"}`:                     1,
		`ovs_bond_member_active{host="hv1",bond="bond0",member="eth1"}`:                                                       1,
		`ovs_bond_member_active{host="hv1",bond="bond0",member="eth2"}`:                                                       0,
		`ovs_bond_member_enabled{host="hv1",bond="bond0",member="eth2"}`:                                                      0,
		`ovs_raft_peer_lag{host="hv1",daemon="ovs-vswitchd",database="OVN_Southbound",peer="7521"}`:                           34,
		`ovs_raft_peer_lag{host="hv1",daemon="ovs-vswitchd",database="OVN_Southbound",peer="59e8"}`:                           0,
		`ovs_raft_peer_last_message_age_seconds{host="hv1",daemon="ovs-vswitchd",database="OVN_Southbound",peer="7521"}`:      62.535,
		`ovs_raft_peer_connected{host="hv1",daemon="ovs-vswitchd",database="OVN_Southbound",peer="7521",direction="inbound"}`: 0,
		`ovs_raft_disconnections_total{host="hv1",daemon="ovs-vswitchd",database="OVN_Southbound"}`:                           1,
		`ovs_raft_last_election_age_seconds{host="hv1",daemon="ovs-vswitchd",database="OVN_Southbound"}`:                      59.778,
		`ovs_raft_role{host="hv1",daemon="ovs-vswitchd",database="OVN_Northbound",role="follower"}`:                           1,
		`ovs_raft_leader_known{host="hv1",daemon="ovs-vswitchd",database="OVN_Northbound"}`:                                   1,
		`ovs_raft_peer_last_message_age_seconds{host="hv1",daemon="ovs-vswitchd",database="OVN_Northbound",peer="ec27"}`:      0.324,
		`ovs_raft_peers{host="hv1",daemon="ovs-vswitchd",database="OVN_Northbound"}`:                                          2,
	} {
		if got := value(t, &r.snap, want); got != v {
			t.Errorf("%s is %v, want %v", want, got, v)
		}
	}
	if strings.Contains(render(&r.snap), `ovs_raft_peer_lag{host="hv1",daemon="ovs-vswitchd",database="OVN_Northbound"`) {
		t.Error("a follower does not know who lags")
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
