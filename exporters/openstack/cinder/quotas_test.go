package cinder

import (
	"encoding/json"
	"math"
	"testing"

	"mcloud/exporters"
)

func TestQuotaOfTypesIsToldFromThatOfTheProject(t *testing.T) {
	var q quota
	err := json.Unmarshal([]byte(`{"id": "p1", "volumes": {"limit": 10, "in_use": 2, "reserved": 1}, "per_volume_gigabytes": {"limit": -1, "in_use": 0, "reserved": 0},
		"volumes_fast_ssd": {"limit": -1, "in_use": 1, "reserved": 0}, "gigabytes_fast_ssd": {"limit": "40", "in_use": 5, "reserved": null},
		"gigabytes_": {"limit": 1}, "shares": {"limit": "many"}}`), &q)
	if err != nil {
		t.Fatal(err)
	}
	if len(q) != 4 || q[resource{"gigabytes", "fast_ssd"}].Limit != 40 || q[resource{Name: "volumes"}].Reserved != 1 {
		t.Errorf("%+v", q)
	}
	s := &exporters.Snapshot{}
	q.addTo(s, "p1", true)
	got := map[string]float64{}
	for _, v := range s.Samples {
		key := v.Family.Name
		for _, l := range v.Labels {
			key += " " + l
		}
		got[key] = v.Value
	}
	for key, want := range map[string]float64{
		"openstack_cinder_quota_in_use p1 volumes":                         2,
		"openstack_cinder_quota_limit_bytes p1 per_volume_gigabytes":       math.Inf(1),
		"openstack_cinder_type_quota_limit p1 fast_ssd volumes":            math.Inf(1),
		"openstack_cinder_type_quota_limit_bytes p1 fast_ssd gigabytes":    40 * gib,
		"openstack_cinder_type_quota_in_use_bytes p1 fast_ssd gigabytes":   5 * gib,
		"openstack_cinder_type_quota_reserved_bytes p1 fast_ssd gigabytes": 0,
	} {
		if v, ok := got[key]; !ok || v != want {
			t.Errorf("%s: %v %v, want %v", key, v, ok, want)
		}
	}
	if len(got) != 10 {
		t.Errorf("%d series, want 10: %v", len(got), got)
	}
}

func FuzzQuota(f *testing.F) {
	f.Add([]byte(`{"id": "x", "volumes": {"limit": -1}, "gigabytes_a": {"limit": "7"}}`))
	f.Add([]byte(`{"volumes": []}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var q quota
		if json.Unmarshal(b, &q) != nil {
			return
		}
		q.addTo(&exporters.Snapshot{}, "p", true)
	})
}

func FuzzVolume(f *testing.F) {
	f.Add([]byte(`{"id": "a", "status": "in-use", "size": "10", "volume_type": null, "attachments": [{"server_id": "b"}], "created_at": "2026-11-25T18:14:51.669017", "volume_image_metadata": {"image_id": "x"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v volume
		if json.Unmarshal(b, &v) != nil {
			return
		}
		_ = v.object()
		_ = v.changed()
	})
}
