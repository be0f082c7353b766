package asok

// readOnly are the commands that change nothing in the daemon, of all daemons
// and of Ceph 16 to 19. "bench" is missing because it writes to the disk,
// "perf reset", "config set", "injectargs" and "heap" because they change the
// daemon.
var readOnly = map[string]bool{
	"help":                            true,
	"get_command_descriptions":        true,
	"version":                         true,
	"git_version":                     true,
	"status":                          true,
	"mon_status":                      true,
	"mgr_status":                      true,
	"config show":                     true,
	"config get":                      true,
	"config diff":                     true,
	"perf dump":                       true,
	"perf schema":                     true,
	"perf histogram dump":             true,
	"perf histogram schema":           true,
	"counter dump":                    true,
	"counter schema":                  true,
	"dump_mempools":                   true,
	"ops":                             true,
	"dump_ops_in_flight":              true,
	"dump_blocked_ops":                true,
	"dump_blocked_ops_count":          true,
	"dump_historic_ops":               true,
	"dump_historic_ops_by_duration":   true,
	"dump_historic_slow_ops":          true,
	"dump_osd_network":                true,
	"dump_scrubs":                     true,
	"dump_recovery_reservations":      true,
	"bluestore bluefs device info":    true,
	"bluefs stats":                    true,
	"bluestore allocator score block": true,
	"bluestore allocator fragmentation block": true,
	"objecter_requests":                       true,
	"sessions":                                true,
	"session ls":                              true,
	"cache status":                            true,
	"connection scores dump":                  true,
}

// ReadOnly reports whether Ask would send the command.
func ReadOnly(prefix string) bool { return readOnly[prefix] }
