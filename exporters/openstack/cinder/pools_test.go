package cinder

import (
	"encoding/json"
	"math"
	"testing"
)

func poolOf(t *testing.T, capabilities string) pool {
	t.Helper()
	var p pool
	if err := json.Unmarshal([]byte(`{"name": "h@b#p", "capabilities": `+capabilities+`}`), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// The expected values are what cinder.utils.calculate_virtual_free_capacity of
// Cinder 26 gives for the same input, and calculate_max_over_subscription_ratio
// for "auto".
func TestVirtualFreeIsWhatCinderCalculates(t *testing.T) {
	for name, c := range map[string]struct {
		capabilities string
		want         float64 // NaN: not known
	}{
		"thin":                       {`{"total_capacity_gb": 10000, "free_capacity_gb": 9947.5, "provisioned_capacity_gb": 150, "max_over_subscription_ratio": "4.0", "reserved_percentage": 5, "thin_provisioning_support": true}`, 37850},
		"thin, reserve rounded down": {`{"total_capacity_gb": 99, "free_capacity_gb": 99, "provisioned_capacity_gb": 0, "max_over_subscription_ratio": 2, "reserved_percentage": 7, "thin_provisioning_support": true}`, 186},
		"thin, overdrawn":            {`{"total_capacity_gb": 100, "free_capacity_gb": 50, "provisioned_capacity_gb": 350, "max_over_subscription_ratio": "3", "reserved_percentage": 0, "thin_provisioning_support": "True"}`, -50},
		"thick, by what is promised": {`{"total_capacity_gb": 1000, "free_capacity_gb": 900, "provisioned_capacity_gb": 500, "reserved_percentage": 10}`, 400},
		"thick, by what is free":     {`{"total_capacity_gb": 1000, "free_capacity_gb": 300, "provisioned_capacity_gb": 500, "max_over_subscription_ratio": "20.0", "thin_provisioning_support": false}`, 300},
		"provisioned not told":       {`{"total_capacity_gb": 1000, "free_capacity_gb": 1000, "allocated_capacity_gb": 200, "max_over_subscription_ratio": 1, "thin_provisioning_support": true}`, 800},
		"auto":                       {`{"total_capacity_gb": 1000, "free_capacity_gb": 901, "provisioned_capacity_gb": 300, "max_over_subscription_ratio": "auto", "thin_provisioning_support": true}`, 3700},
		"auto, empty":                {`{"total_capacity_gb": 1000, "free_capacity_gb": 1000, "provisioned_capacity_gb": 0, "max_over_subscription_ratio": "auto", "thin_provisioning_support": true}`, 20000},
		"infinite":                   {`{"total_capacity_gb": "infinite", "free_capacity_gb": "infinite", "provisioned_capacity_gb": 10, "max_over_subscription_ratio": "2", "thin_provisioning_support": true}`, math.NaN()},
		"unknown free":               {`{"total_capacity_gb": 1000, "free_capacity_gb": "unknown", "provisioned_capacity_gb": 10}`, math.NaN()},
		"null":                       {`{"total_capacity_gb": null, "free_capacity_gb": null}`, math.NaN()},
		"thin without a ratio":       {`{"total_capacity_gb": 1000, "free_capacity_gb": 1000, "provisioned_capacity_gb": 0, "thin_provisioning_support": true}`, math.NaN()},
		"nothing told":               {`{}`, math.NaN()},
		"auto, more free than all":   {`{"total_capacity_gb": 10, "free_capacity_gb": 11, "provisioned_capacity_gb": 5, "max_over_subscription_ratio": "auto", "thin_provisioning_support": true}`, math.NaN()},
	} {
		got := poolOf(t, c.capabilities).virtualFree()
		if got.Known == math.IsNaN(c.want) || got.Known && math.Abs(got.Value-c.want) > 1e-9 {
			t.Errorf("%s: %+v, want %v", name, got, c.want)
		}
	}
}

func TestDriversWriteTheSameInManyWays(t *testing.T) {
	for in, want := range map[string]string{`"iSCSI"`: "iSCSI", `["ceph", "rbd"]`: "ceph", `[]`: "", `null`: ""} {
		if got := poolOf(t, `{"storage_protocol": `+in+`}`).Capabilities.Protocol; string(got) != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
	if got := poolOf(t, `{"volume_backend_name": ""}`).backend(); got != "b" {
		t.Errorf("backend %q, want what stands in the pool's name", got)
	}
}

func FuzzPool(f *testing.F) {
	f.Add([]byte(`{"name": "h@b#p", "capabilities": {"total_capacity_gb": "infinite", "max_over_subscription_ratio": "auto", "storage_protocol": ["a"]}}`))
	f.Add([]byte(`{"name": "h", "capabilities": {"total_capacity_gb": 1e308, "free_capacity_gb": -1e308, "provisioned_capacity_gb": "1e308", "max_over_subscription_ratio": "AUTO", "thin_provisioning_support": "true"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p pool
		if json.Unmarshal(b, &p) != nil {
			return
		}
		p.backend()
		if v := p.virtualFree(); v.Known && math.IsNaN(v.Value) {
			t.Errorf("NaN of %s", b)
		}
		p.object()
	})
}
