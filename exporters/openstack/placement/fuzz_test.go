package placement

import (
	"encoding/json"
	"testing"

	"mcloud"
)

// FuzzSummaries reads anything as provider_summaries: usages are given for all
// classes of the inventories or not at all.
func FuzzSummaries(f *testing.F) {
	for _, seed := range []string{
		`{"a": {"resources": {"VCPU": {"capacity": 4, "used": 1}, "MEMORY_MB": {"capacity": 4, "used": 1}}, "traits": ["B", "A"]}}`,
		`{"a": {"resources": {"VCPU": {"capacity": 4, "used": 1}}}}`, `{"a": {}}`, `{"a": null}`, `null`,
	} {
		f.Add([]byte(seed))
	}
	inventories := map[string]mcloud.ProviderInventory{"VCPU": {Total: 4, AllocationRatio: 1}, "MEMORY_MB": {Total: 4, AllocationRatio: 1}}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s summaries
		if json.Unmarshal(b, &s) != nil {
			return
		}
		for uuid, own := range s {
			used, ok := own.used(inventories)
			if ok != (used != nil) || ok && len(used) != 2 {
				t.Errorf("used %v, %v", used, ok)
			}
			if s.agrees(uuid, &known{inventories: inventories, traits: own.Traits}) && !ok {
				t.Error("agrees without all classes")
			}
		}
	})
}
