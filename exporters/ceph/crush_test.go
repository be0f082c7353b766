package ceph

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mcloud"
)

func TestTakes(t *testing.T) {
	take := func(bucket, class, domain string, copies int64) mcloud.CrushTake {
		return mcloud.CrushTake{Bucket: bucket, DeviceClass: class, FailureDomain: domain, Copies: copies}
	}
	for name, tt := range map[string]struct {
		steps string
		size  int64
		want  []mcloud.CrushTake
	}{
		"one take": {`[{"op":"take","item_name":"default~nvme"},{"op":"chooseleaf_firstn","num":0,"type":"host"},{"op":"emit"}]`, 3, nil},
		"a copy in each of three datacentres": {`[{"op":"take","item_name":"dc1~nvme"},{"op":"chooseleaf_firstn","num":1,"type":"host"},{"op":"emit"},
			{"op":"take","item_name":"dc2~nvme"},{"op":"chooseleaf_firstn","num":1,"type":"host"},{"op":"emit"},
			{"op":"take","item_name":"dc3~nvme"},{"op":"chooseleaf_firstn","num":1,"type":"host"},{"op":"emit"}]`, 3,
			[]mcloud.CrushTake{take("dc1", "nvme", "host", 1), take("dc2", "nvme", "host", 1), take("dc3", "nvme", "host", 1)}},
		"two and two": {`[{"op":"set_chooseleaf_tries","num":5},{"op":"take","item_name":"site1"},{"op":"choose_firstn","num":2,"type":"rack"},{"op":"chooseleaf_firstn","num":1,"type":"host"},{"op":"emit"},
			{"op":"take","item_name":"site2"},{"op":"chooseleaf_firstn","num":2,"type":"host"},{"op":"emit"}]`, 4,
			[]mcloud.CrushTake{take("site1", "", "rack", 2), take("site2", "", "host", 2)}},
		"the first on ssd, the rest on hdd": {`[{"op":"take","item_name":"default~ssd"},{"op":"chooseleaf_firstn","num":1,"type":"host"},{"op":"emit"},
			{"op":"take","item_name":"default~hdd"},{"op":"chooseleaf_firstn","num":-1,"type":"host"},{"op":"emit"}]`, 3,
			[]mcloud.CrushTake{take("default", "ssd", "host", 1), take("default", "hdd", "host", 2)}},
		"more is asked for than there are copies": {`[{"op":"take","item_name":"a"},{"op":"chooseleaf_firstn","num":2,"type":"host"},{"op":"emit"},
			{"op":"take","item_name":"b"},{"op":"chooseleaf_firstn","num":2,"type":"host"},{"op":"emit"},
			{"op":"take","item_name":"c"},{"op":"chooseleaf_firstn","num":2,"type":"host"},{"op":"emit"}]`, 3,
			[]mcloud.CrushTake{take("a", "", "host", 2), take("b", "", "host", 1)}},
		"without an emit": {`[{"op":"take","item_name":"a"},{"op":"take","item_name":"b"}]`, 3, nil},
	} {
		var r crushRule
		if err := json.Unmarshal([]byte(`{"steps":`+tt.steps+`}`), &r); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tt.want, r.takes(tt.size)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
