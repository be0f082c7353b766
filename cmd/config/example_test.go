package config

import "testing"

// TestExamplesAreRead keeps what people copy from true.
func TestExamplesAreRead(t *testing.T) {
	for _, path := range []string{"../../deploy/examples/mcloud.yaml", "../../deploy/lab/mcloud.yaml"} {
		f, err := Load(path)
		if err != nil {
			t.Error(err)
		}
		if len(f.Ceph) != 2 || len(f.Planner.Tiers) < 2 || f.OVN == nil {
			t.Errorf("%s: %d clusters, %d tiers", path, len(f.Ceph), len(f.Planner.Tiers))
		}
	}
}
