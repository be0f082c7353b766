package ceph

import (
	"encoding/json"
	"fmt"
	"testing"

	"mcloud/exporters"
)

func TestConfigDiffers(t *testing.T) {
	diffs := map[string]configDiff{}
	for i, memory := range []int{4, 4, 8, 4} {
		var d configDiff
		if err := json.Unmarshal(fmt.Appendf(nil, `{"diff":{"osd_memory_target":{"default":1,"mon":%d,"final":%d},"log_file":{"default":"x","file":"y","final":"/var/log/ceph-osd.%d.log"}}}`, memory, memory, i), &d); err != nil {
			t.Fatal(err)
		}
		diffs[fmt.Sprint("osd.", i)] = d
	}
	snap := &exporters.Snapshot{}
	addConfigs(snap, diffs)
	if countOf(snap, "ceph_daemon_config_differs{") != 1 || value(t, snap, `ceph_daemon_config_differs{ceph_daemon="osd.2",option="osd_memory_target"}`) != 1 ||
		value(t, snap, `ceph_daemon_config_options{ceph_daemon="osd.0",level="mon"}`) != 1 {
		t.Error(render(snap))
	}
}
