package unixctl

// readOnly are the methods that change nothing in the daemon.
var readOnly = map[string]bool{
	"version":                    true,
	"list-commands":              true,
	"coverage/show":              true,
	"memory/show":                true,
	"stopwatch/show":             true,
	"upcall/show":                true,
	"dpctl/show":                 true,
	"dpctl/dump-dps":             true,
	"dpctl/ct-stats-show":        true,
	"dpctl/ct-get-nconns":        true,
	"dpctl/ct-get-maxconns":      true,
	"dpif/show":                  true,
	"dpif-netdev/pmd-stats-show": true,
	"dpif-netdev/pmd-rxq-show":   true,
	"dpif-netdev/pmd-perf-show":  true,
	"dpctl/ipf-get-status":       true,
	"group-table-list":           true,
	"meter-table-list":           true,

	"ovsdb-server/get-db-storage-status": true,
	"ofproto/list":                       true,
	"bfd/show":                           true,
	"lacp/show":                          true,
	"bond/show":                          true,
	"fdb/stats-show":                     true,
	"cluster/status":                     true,
	"ovsdb-server/list-dbs":              true,
	"ovsdb-server/sync-status":           true,
	"connection-status":                  true,
	"nb-connection-status":               true,
	"sb-connection-status":               true,
	"inc-engine/show-stats":              true,
	"lflow-cache/show-stats":             true,
	"debug/status":                       true,
	"ct-zone-list":                       true,
	"status":                             true,
	"is-paused":                          true,
}

// ReadOnly reports whether Call would send the method.
func ReadOnly(method string) bool { return readOnly[method] }
