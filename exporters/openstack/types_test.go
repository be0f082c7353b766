package openstack_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"mcloud"
)

// Notifications tell a volume's type by id, the API by name: the inventory has both.
func TestVolumeTypesNameTheTypesOfVolumes(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	s, err := collect(t, source(t, cloud, "cinder_types"))
	if err != nil {
		t.Fatal(err)
	}
	v := s.Inventories[0]
	if v.Kind != mcloud.KindVolumeType || !v.Complete || s.Samples[0].Value != float64(len(v.Objects)) {
		t.Errorf("inventory of %s, complete %v, %d objects, metric %v", v.Kind, v.Complete, len(v.Objects), s.Samples[0].Value)
	}
	names := map[string]string{}
	for _, o := range v.Objects {
		names[o.ID] = o.Name
		var a mcloud.VolumeType
		if err := json.Unmarshal(o.Attributes, &a); err != nil {
			t.Fatal(err)
		}
		if o.Name == "sas10k" && (!a.Public || a.ExtraSpecs["volume_backend_name"] != "sas10k") {
			t.Errorf("sas10k: %+v", a)
		}
	}
	var volumes struct {
		Volumes []struct {
			TypeID string `json:"volume_type_id"`
			Type   string `json:"volume_type"`
		}
	}
	if err := json.Unmarshal(f.recorded["cinder"]["/volumes/detail?all_tenants=1&limit=1000 @3.71"], &volumes); err != nil || len(volumes.Volumes) == 0 {
		t.Fatalf("%d volumes: %v", len(volumes.Volumes), err)
	}
	for _, vol := range volumes.Volumes {
		if names[vol.TypeID] != vol.Type {
			t.Errorf("type %s is %q, the volumes call it %q", vol.TypeID, names[vol.TypeID], vol.Type)
		}
	}
}

// A type that cannot be read is named and the others are kept, but the inventory
// is not the whole, so nothing is taken for deleted.
func TestBrokenVolumeTypeLeavesTheOthers(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if !strings.HasPrefix(call, "cinder /types") {
			return false
		}
		_, _ = io.WriteString(w, `{"volume_types": [{"id": "a", "name": "nvme", "is_public": false}, {"id": "b", "name": 7}]}`)
		return true
	})
	s, err := collect(t, source(t, cloud, "cinder_types"))
	if err != nil {
		t.Fatal(err)
	}
	v := s.Inventories[0]
	if len(v.Objects) != 1 || v.Objects[0].Name != "nvme" || v.Complete || len(s.Failed) != 1 || s.Failed[0].Object != "volume_type b" {
		t.Errorf("%d objects, complete %v, failed %v", len(v.Objects), v.Complete, s.Failed)
	}
}
