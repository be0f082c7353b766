package dashboards

// The places where every query is executed by a test.
const (
	Demo = "demo" // mcloud run --demo
	Lab  = "lab"  // deploy/lab
)

const (
	noHostExporters = "no node_exporter and no libvirt exporter is scraped"
	noTLS           = "no endpoint has TLS"
	shortHistory    = "its history is minutes long, and no forecast of it crosses a limit within the horizon"
	nothingFires    = "no alert may be firing"
	noSockets       = "no exporter runs on the OSDs' hosts"
)

// withoutData lists the panels that have no data in a place, and why. What is not in it
// has to show something there.
var withoutData = []struct{ where, dashboard, panel, why string }{
	{Demo, "Compute", "CPU really used", noHostExporters}, {Lab, "Compute", "CPU really used", noHostExporters},
	{Demo, "Rebalance", "Really used: CPU", noHostExporters}, {Lab, "Rebalance", "Really used: CPU", noHostExporters},
	{Demo, "Hosts", "CPU used", noHostExporters}, {Lab, "Hosts", "CPU used", noHostExporters},
	{Demo, "Hosts", "Memory used", noHostExporters}, {Lab, "Hosts", "Memory used", noHostExporters},
	{Demo, "Hosts", "Filesystems", noHostExporters}, {Lab, "Hosts", "Filesystems", noHostExporters},
	{Demo, "Hosts", "Network received", noHostExporters}, {Lab, "Hosts", "Network received", noHostExporters},
	{Demo, "Hosts", "Network sent", noHostExporters}, {Lab, "Hosts", "Network sent", noHostExporters},
	{Demo, "Hosts", "Errors and drops", noHostExporters}, {Lab, "Hosts", "Errors and drops", noHostExporters},
	{Demo, "Hosts", "Waiting for a core", noHostExporters}, {Lab, "Hosts", "Waiting for a core", noHostExporters},
	{Demo, "Hosts", "Busiest guests", noHostExporters}, {Lab, "Hosts", "Busiest guests", noHostExporters},
	{Demo, "Hosts", "Most writes", noHostExporters}, {Lab, "Hosts", "Most writes", noHostExporters},

	{Demo, "Ceph cluster", "Latency of writes", noSockets}, {Lab, "Ceph cluster", "Latency of writes", "clients write only when a test does"},
	{Demo, "Ceph OSDs", "Heartbeats", noSockets}, {Lab, "Ceph OSDs", "Heartbeats", "OSDs tell of pairs once they have pinged for a while"},
	{Demo, "Ceph OSDs", "Read latency by class", noSockets}, {Lab, "Ceph OSDs", "Read latency by class", "clients read only when a test does"},
	{Demo, "Ceph OSDs", "Write latency by class", noSockets}, {Lab, "Ceph OSDs", "Write latency by class", "clients write only when a test does"},
	{Demo, "Ceph OSDs", "Slowest writers", noSockets}, {Lab, "Ceph OSDs", "Slowest writers", "clients write only when a test does"},
	{Demo, "Ceph OSDs", "Client operations", noSockets},
	{Demo, "Ceph pools", "Of the quota", "no pool has a quota"}, {Lab, "Ceph pools", "Of the quota", "no pool has a quota"},
	{Demo, "Ceph pools", "RBD images", "the simulated monitors have no RBD"}, {Lab, "Ceph pools", "RBD images", "images are counted once an hour"},
	{Demo, "Ceph pools", "RBD provisioned", "the simulated monitors have no RBD"}, {Lab, "Ceph pools", "RBD provisioned", "images are counted once an hour"},

	{Demo, "Network", "Raft: entries behind", "its databases are standalone"}, {Lab, "Network", "Raft: entries behind", "its databases may be standalone"},
	{Demo, "Network", "Received", "the simulated switches have no physical interfaces"}, {Lab, "Network", "Received", "its bridges have no physical interfaces"},
	{Demo, "Network", "Dropped", "the simulated switches count no drops"},

	{Demo, "Load balancers, DNS, secrets, HA", "Certificates of endpoints", noTLS}, {Lab, "Load balancers, DNS, secrets, HA", "Certificates of endpoints", noTLS},
	{Demo, "Load balancers, DNS, secrets, HA", "Login page", "it has no dashboard"},
	{Lab, "Load balancers, DNS, secrets, HA", "First secret to end", "none of its secrets has to end"},
	{Lab, "Load balancers, DNS, secrets, HA", "Connections", "the provider ovn counts none"},
	{Lab, "Storage tiers", "Snapshots and backups", "it has no service for backups"},
	{Lab, "Chargeback", "Images, snapshots and backups", "it has no service for backups"},
	{Lab, "Storage tiers", "Provisioned of capacity", "its drivers' capacity may be unknown to Cinder"},
	{Lab, "Storage tiers", "Still to be placed", "its drivers' capacity may be unknown to Cinder"},

	{Demo, "Chargeback", "Last notification", "it has no message queue"}, {Lab, "Chargeback", "Last notification", "nobody may have done anything yet"},
	{Demo, "Chargeback", "Notifications", "it has no message queue"},

	{Demo, "mCloud overview", "What waits for somebody", nothingFires}, {Lab, "mCloud overview", "What waits for somebody", nothingFires},
	{Demo, "mCloud overview", "When it fired", nothingFires}, {Lab, "mCloud overview", "When it fired", nothingFires},
	{Demo, "Events", "What waits for somebody", nothingFires}, {Lab, "Events", "What waits for somebody", nothingFires},
	{Demo, "Events", "When it fired", nothingFires}, {Lab, "Events", "When it fired", nothingFires},

	{Lab, "mCloud overview", "Storage tiers: time left", shortHistory},
	{Lab, "Capacity and runway", "Tiers: time left", shortHistory},
	{Lab, "Capacity and runway", "Zones: time left", shortHistory},
}

// WithoutData is why the query gives nothing in the place, "" where it has to give
// something.
func (q Query) WithoutData(where string) string {
	for _, w := range withoutData {
		if w.where == where && w.dashboard == q.Dashboard && w.panel == q.Panel {
			return w.why
		}
	}
	return ""
}
