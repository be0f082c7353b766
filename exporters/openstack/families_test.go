package openstack_test

import (
	"maps"
	"slices"
	"testing"
)

// TestEveryFamilyHasARecordedAnswer looks as a Runner that serves all sets would,
// twice, and expects a sample of each family that is declared: what real services
// answered is enough to see it.
func TestEveryFamilyHasARecordedAnswer(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	for _, system := range []string{"keystone", "cinder", "glance", "heat"} {
		missing := map[string]bool{}
		for _, s := range ofSystem(cloud, system) {
			for _, family := range s.Families {
				missing[family.Name] = true
			}
			for range 2 {
				snapshot, err := collect(t, s)
				if err != nil {
					t.Fatalf("%s: %v", s.Name, err)
				}
				for _, sample := range snapshot.Samples {
					delete(missing, sample.Family.Name)
				}
			}
		}
		// Of these the services answer with a state that a healthy lab has not.
		delete(missing, "openstack_cinder_volumes_passing_oldest_timestamp_seconds")
		if len(missing) > 0 {
			t.Errorf("%s: no sample of %q", system, slices.Sorted(maps.Keys(missing)))
		}
	}
}
