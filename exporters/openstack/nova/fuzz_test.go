package nova

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"mcloud"
)

// FuzzServer reads anything as a server: what comes out can be recorded, and what
// setGroups does to it leaves everything else as it was.
func FuzzServer(f *testing.F) {
	for _, seed := range []string{
		`{"id": "a", "name": "vm", "status": "ACTIVE", "tenant_id": "p", "flavor": {"original_name": "m1", "vcpus": 1, "swap": ""}, "image": "", "created": "2026-11-22T06:08:29Z"}`,
		`{"id": "b", "status": "ERROR", "fault": {"code": 500, "message": "No valid host was found. \ud800"}, "OS-EXT-STS:power_state": 300}`,
		`{"id": "c", "status": "UNKNOWN", "image": {"id": "x"}, "os-extended-volumes:volumes_attached": [{"id": "v"}, {}]}`,
		`{"updated": "yesterday"}`, `null`, `[]`, `{"flavor": {"extra_specs": {"a": "b"}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v server
		if json.Unmarshal(b, &v) != nil || string(b) == "null" {
			return
		}
		if v.fault != nil && (len(v.fault.message) > maxFault || !utf8.ValidString(v.fault.message)) {
			t.Errorf("fault %q", v.fault.message)
		}
		var before, after mcloud.Server
		if err := json.Unmarshal(v.object.Attributes, &before); err != nil {
			t.Fatal(err)
		}
		v.setGroups([]string{"g"})
		v.setGroups(nil)
		if err := json.Unmarshal(v.object.Attributes, &after); err != nil {
			t.Fatal(err)
		}
		x, _ := json.Marshal(before)
		y, _ := json.Marshal(after)
		if string(x) != string(y) {
			t.Errorf("%s became %s", x, y)
		}
		if v.status.Value() == "" && v.differs(&v) || v.billsOtherwise(&v) {
			t.Error("differs from itself")
		}
	})
}

// FuzzQuotaSet reads anything as a project's quotas.
func FuzzQuotaSet(f *testing.F) {
	for _, seed := range []string{
		`{"id": "x", "cores": {"limit": -1, "in_use": 3, "reserved": 0}}`, `{"cores": 7}`, `{"cores": {"limit": "x"}}`, `null`, `{"a": {}, "a": {"limit": 1}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s quotaSet
		if json.Unmarshal(b, &s) != nil {
			return
		}
		for resource := range s {
			if !utf8.ValidString(resource) {
				t.Errorf("resource %q", resource)
			}
		}
	})
}
