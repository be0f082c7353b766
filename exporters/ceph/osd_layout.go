package ceph

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"mcloud/exporters"
)

// What the mgr's module does not have: where OSDs are, how full and how even the
// device classes of each CRUSH root are, what blocks what.
var (
	osdLocation = infoFamily("ceph_osd_location_info", "osd tree", "Where CRUSH has the OSD, always 1.",
		"ceph_daemon", "host", "rack", "datacenter", "root", "device_class")
	osdCrushWeight = osdFamily("ceph_osd_crush_weight", "", "osd tree", "CRUSH weight, TiB by convention.")
	osdUtilization = osdFamily("ceph_osd_utilization_ratio", "ratio", "osd df", "Share of the OSD that is used, 0 to 1.")
	osdVariance    = osdDetail("ceph_osd_variance_ratio", "ratio", "osd df", "The OSD's utilisation over the average of the cluster's; 1 is even.")
	osdData        = osdDetail("ceph_osd_data_used_bytes", "bytes", "osd df", "Bytes of objects on the OSD.")
	osdOmap        = osdDetail("ceph_osd_omap_used_bytes", "bytes", "osd df", "Bytes of key-value data of objects on the OSD.")
	osdInternal    = osdDetail("ceph_osd_meta_used_bytes", "bytes", "osd df", "Bytes that the OSD needs for itself: its database and logs.")
	osdAffinity    = osdDetail("ceph_osd_primary_affinity", "", "osd dump", "How readily the OSD is made primary, 0 to 1.")
	osdFullness    = infoFamily("ceph_osd_fullness", "osd dump", "OSD is beyond a full ratio by the monitors' word (nearfull, backfillfull, full), always 1.", "ceph_daemon", "state")
	osdBlocking    = osdFamily("ceph_osd_blocking_pgs", "", "osd blocked-by", "Placement groups that wait for the OSD to peer.")
	osdUpmaps      = clusterFamily("ceph_osd_map_upmap_items", "", "osd dump", "Placement groups whose place the balancer or a person has changed.")
	osdEpoch       = clusterFamily("ceph_osd_map_epoch", "", "osd dump", "Epoch of the OSD map.")

	disk = infoFamily("ceph_disk_occupation", "osd metadata", "Disks of the OSD, always 1.",
		"ceph_daemon", "device", "db_device", "wal_device", "instance", "devices", "device_ids")
	diskHuman = infoFamily("ceph_disk_occupation_human", "osd metadata", "OSDs of a disk, for showing to people, always 1.",
		"ceph_daemon", "device", "instance")
	daemonHealth = infoFamily("ceph_daemon_health_metrics", "health detail",
		"What the daemon reports of itself: SLOW_OPS, PENDING_CREATING_PGS. Of several daemons with a problem Ceph tells the sum only: each then shows its equal share.",
		"type", "ceph_daemon")

	classOSDs = layoutFamily("ceph_crush_class_osds", "", "osd dump", "OSDs of a device class under a CRUSH root by state.", "state")
	classSize = layoutFamily("ceph_crush_class_bytes", "bytes", "osd df", "Raw size of the OSDs that report, by root and device class.")
	classUsed = layoutFamily("ceph_crush_class_used_bytes", "bytes", "osd df", "Raw bytes used, by root and device class.")
	classFree = layoutFamily("ceph_crush_class_avail_bytes", "bytes", "osd df", "Raw bytes free, by root and device class.")
	classUtil = layoutFamily("ceph_crush_class_utilization_ratio", "ratio", "osd df", "Utilisation of the OSDs of a device class that take data: min, mean, max, stddev, 0 to 1.", "stat")
	classPGs  = layoutFamily("ceph_crush_class_pgs", "", "osd df", "Placement group copies on the OSDs of a device class that take data: min, mean, max, stddev.", "stat")
	classFull = layoutFamily("ceph_crush_class_osds_over", "", "osd df", "OSDs of a device class that are fuller than a full ratio of the cluster.", "ratio")

	layoutFamilies = []*exporters.Family{osdLocation, osdCrushWeight, osdUtilization, osdVariance, osdData, osdOmap, osdInternal,
		osdAffinity, osdFullness, osdBlocking, osdUpmaps, osdEpoch, disk, diskHuman, daemonHealth,
		classOSDs, classSize, classUsed, classFree, classUtil, classPGs, classFull}
)

// osdDetail is of a set of its own: a thousand OSDs make a thousand series of each.
func osdDetail(name, unit, call, help string) *exporters.Family {
	f := osdFamily(name, unit, call, help)
	f.Set = exporters.SetObjects
	return f
}

func layoutFamily(name, unit, call, help string, more ...string) *exporters.Family {
	return &exporters.Family{Name: name, Unit: unit, Type: exporters.Gauge, Set: exporters.SetBase, Call: call,
		Labels: append([]string{"root", "device_class"}, more...), Help: help}
}

// addOSDState is what the map says of each OSD beside up and in.
func (l *look) addOSDState(dump osdDump) {
	l.snap.Add(osdUpmaps, float64(len(dump.Upmaps)))
	l.snap.Add(osdEpoch, dump.Epoch)
	for _, o := range dump.OSDs {
		name := osdName(o.OSD)
		l.snap.Add(osdAffinity, o.Affinity, name)
		for _, state := range []string{"nearfull", "backfillfull", "full"} {
			if slices.Contains(o.State, state) {
				l.snap.Add(osdFullness, 1, name, state)
			}
		}
	}
}

func (l *look) addBlocking(dump osdDump) {
	type answer struct {
		Ready *bool `json:"pg_ready"`
		By    struct {
			Infos []struct {
				ID int     `json:"id"`
				N  float64 `json:"num_blocked"`
			} `json:"osd_blocked_by_infos"`
		} `json:"osd_blocked_by"`
	}
	blocked, ok := fetch[answer](l, "osd blocked-by", nil)
	if !ok || blocked.Ready != nil && !*blocked.Ready {
		return
	}
	by := map[int]float64{}
	for _, one := range blocked.By.Infos {
		by[one.ID] = one.N
	}
	for _, o := range dump.OSDs {
		l.snap.Add(osdBlocking, by[o.OSD], osdName(o.OSD))
	}
}

// addDisks follows the mgr: an OSD that does not know its device has none.
func (l *look) addDisks(dump osdDump, metadata map[int]daemonMetadata) {
	type on struct{ device, host string }
	var order []on
	daemons := map[on][]string{}
	for _, o := range dump.OSDs {
		m := metadata[o.OSD]
		device, db, wal := m.BlueDevice, m.BlueDB, m.BlueWAL
		if m.ObjectStore == "filestore" {
			device, db, wal = m.FileDevice, "", m.Journal
		}
		if device == "" || device == "unknown" || m.Hostname == "" {
			continue
		}
		l.snap.Add(disk, 1, osdName(o.OSD), device, db, wal, m.Hostname, cmp.Or(m.Devices, "N/A"), cmp.Or(m.DeviceIDs, "N/A"))
		key := on{device, m.Hostname}
		if daemons[key] == nil {
			order = append(order, key)
		}
		daemons[key] = append(daemons[key], osdName(o.OSD))
	}
	for _, key := range order {
		l.snap.Add(diskHuman, 1, strings.Join(daemons[key], ", "), key.device, key.host)
	}
}

// class is a device class under a root.
type class struct{ root, name string }

func (l *look) addClasses(dump osdDump, places map[int]place, sizes map[int]crushNode) {
	var states exporters.Tally
	size, used, free := exporters.Tally{}, exporters.Tally{}, exporters.Tally{}
	utils, groups := map[class][]float64{}, map[class][]float64{}
	over := exporters.Tally{}
	for _, o := range dump.OSDs {
		p := places[o.OSD]
		c := class{p.root, p.node.DeviceClass}
		for _, state := range []string{"up_in", "up_out", "down_in", "down_out"} {
			states.Add(truth(state == osdStateName(o.Up, o.In)), c.root, c.name, state)
		}
		n, ok := sizes[o.OSD]
		if !ok || n.KB <= 0 {
			continue
		}
		size.Add(n.KB*1024, c.root, c.name)
		used.Add(n.KBUsed*1024, c.root, c.name)
		free.Add(n.KBAvail*1024, c.root, c.name)
		if o.In != 1 {
			continue // it takes no data, so it says nothing of how even the rest is
		}
		full := n.KBUsed / n.KB
		utils[c] = append(utils[c], full)
		groups[c] = append(groups[c], n.PGs)
		for name, ratio := range map[string]*float64{"nearfull": dump.Nearfull, "backfillfull": dump.Backfillful, "full": dump.Full} {
			if ratio != nil {
				over.Add(truth(full >= *ratio), c.root, c.name, name)
			}
		}
	}
	states.AddTo(&l.snap, classOSDs)
	size.AddTo(&l.snap, classSize)
	used.AddTo(&l.snap, classUsed)
	free.AddTo(&l.snap, classFree)
	over.AddTo(&l.snap, classFull)
	l.addSpread(classUtil, utils)
	l.addSpread(classPGs, groups)
}

func osdStateName(up, in int) string {
	switch {
	case up == 1 && in == 1:
		return "up_in"
	case up == 1:
		return "up_out"
	case in == 1:
		return "down_in"
	}
	return "down_out"
}

// addSpread adds least, mean, greatest and the population's standard deviation.
func (l *look) addSpread(f *exporters.Family, values map[class][]float64) {
	for c, list := range values {
		var sum, squares float64
		for _, v := range list {
			sum += v
		}
		mean := sum / float64(len(list))
		for _, v := range list {
			squares += (v - mean) * (v - mean)
		}
		l.snap.Add(f, slices.Min(list), c.root, c.name, "min")
		l.snap.Add(f, mean, c.root, c.name, "mean")
		l.snap.Add(f, slices.Max(list), c.root, c.name, "max")
		l.snap.Add(f, math.Sqrt(squares/float64(len(list))), c.root, c.name, "stddev")
	}
}

func (l *look) addPlaces(dump osdDump, places map[int]place) {
	for _, o := range dump.OSDs {
		p, ok := places[o.OSD]
		if !ok {
			continue
		}
		l.snap.Add(osdLocation, 1, osdName(o.OSD), p.buckets["host"], p.buckets["rack"], p.buckets["datacenter"], p.root, p.node.DeviceClass)
		l.snap.Add(osdCrushWeight, p.node.CrushWeight, osdName(o.OSD))
	}
}
