package ceph

import "slices"

// Names that Prometheus's rules have something against and that are kept because
// they are Ceph's: dashboards and rules of the mgr's module and of its successors
// are written against them. This is the one place that says which.
var kept = []string{
	"ceph_pool_objects_repaired", // a counter without _total, as the following
	"ceph_pool_rd", "ceph_pool_rd_bytes", "ceph_pool_wr", "ceph_pool_wr_bytes",
	"ceph_osd_apply_latency_ms", "ceph_osd_commit_latency_ms", // milliseconds
	"ceph_pool_recovering_objects_per_sec", "ceph_pool_recovering_bytes_per_sec", "ceph_pool_recovering_keys_per_sec",
	"ceph_pg_total",                    // a gauge with _total
	"ceph_cluster_osd_blocklist_count", // _count of something that is no histogram
}

// KeptName says whether a metric has its name for Ceph's sake, so that
// Prometheus's naming rules do not hold for it: those above and every
// performance counter of a daemon, which has the name that Ceph gives it.
func KeptName(name string) bool {
	return slices.Contains(kept, name) || perfCatalogue().byName[name] != nil
}
