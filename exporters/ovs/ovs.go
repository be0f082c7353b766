// Package ovs looks at the OVS and OVN daemons of a host through their control
// sockets: ovs-vswitchd, ovsdb-server, ovn-controller, ovn-northd; and at its
// bridges, interfaces and tunnels through its database. Sources is where to start;
// it speaks through exporters/ovs/unixctl, exporters/ovs/openflow and
// exporters/ovn/ovsdb and changes nothing.
//
// Calls per round and host: about 35 short ones to the control sockets, which are
// answered in some milliseconds each, and one transaction.
//
// The daemons answer text for people, which differs between versions. Values
// are taken by their names, unknown lines are passed over, and a command that a
// daemon does not have is no error.
package ovs

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/ovn/ovsdb"
)

// Config says which hosts to look at. A Host's sockets are files of this
// machine: elsewhere than in a lab, that is one host.
type Config struct {
	Cloud string
	Hosts []Host
	// Timeout bounds one command to one daemon; 0 means 3 s.
	Timeout time.Duration
	Logger  *slog.Logger     // nil means slog.Default
	Now     func() time.Time // nil means time.Now
}

// Host is one machine's daemons.
type Host struct {
	// Name is the label "host": as Nova and OVN call the machine.
	Name string
	// Sockets are glob patterns: "/run/openvswitch/*.ctl", "/run/ovn/*.ctl". One
	// that names a daemon ("/run/ovn/ovn-controller.*.ctl") makes that daemon
	// expected: it reads down when no file matches.
	Sockets []string
	// Database is where the host's Open_vSwitch database listens:
	// "unix:/run/openvswitch/db.sock", "tcp:127.0.0.1:6640". Empty means db.sock
	// beside the control sockets; where there is none, that look is absent.
	Database string
}

// Sources returns two looks for each host: at its daemons and at its database.
func Sources(cfg Config) ([]exporters.Source, error) {
	if cfg.Cloud == "" || len(cfg.Hosts) == 0 {
		return nil, fmt.Errorf("ovs: cloud %q and %d hosts, want a name and at least one", cfg.Cloud, len(cfg.Hosts))
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 3 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	var all []exporters.Source
	seen := map[string]bool{}
	for _, h := range cfg.Hosts {
		if err := h.check(); err != nil {
			return nil, err
		}
		if seen[h.Name] {
			return nil, fmt.Errorf("ovs host %q is there twice", h.Name)
		}
		seen[h.Name] = true
		all = append(all, exporters.Source{
			Name: "ovs/" + h.Name, System: "ovs", Period: 15 * time.Second, Timeout: 14 * time.Second,
			Const: map[string]string{"cloud": cfg.Cloud}, Families: families,
			Collector: exporters.CollectorFunc(newLooker(cfg, h).collect),
		}, exporters.Source{
			Name: "ovs_database/" + h.Name, System: "ovs", Period: 15 * time.Second, Timeout: 10 * time.Second,
			Const: map[string]string{"cloud": cfg.Cloud}, Families: databaseFamilies,
			Collector: exporters.CollectorFunc((&databaseLook{host: h, cloud: cfg.Cloud, now: cfg.Now}).collect),
		})
	}
	return all, nil
}

func (h Host) check() error {
	switch {
	case h.Name == "":
		return errors.New("ovs: a host has no name")
	case len(h.Sockets) == 0:
		return fmt.Errorf("ovs host %q: no socket patterns; /run/openvswitch/*.ctl and /run/ovn/*.ctl are usual", h.Name)
	}
	if h.Database != "" {
		if err := (ovsdb.Options{Database: "Open_vSwitch", Endpoints: []string{h.Database}}).Parse(); err != nil {
			return fmt.Errorf("ovs host %q: %w", h.Name, err)
		}
	}
	for _, pattern := range h.Sockets {
		if _, err := filepath.Match(pattern, ""); err != nil {
			return fmt.Errorf("ovs host %q: socket pattern %q: %w", h.Name, pattern, err)
		}
	}
	return nil
}
