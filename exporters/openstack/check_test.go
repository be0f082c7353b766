package openstack_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"mcloud/exporters/openstack"
)

func TestCheckSaysWhatTheAccountMay(t *testing.T) {
	f := newFakeCloud(t)
	f.absent = []string{"heat"}
	cloud, _ := f.connect(nil)
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if strings.HasPrefix(call, "nova /quota/") && call != "nova /quota/mine" {
			_, _ = io.WriteString(w, `{"quota_set": {}}`)
			return true
		}
		for begin, say := range map[string]struct {
			code int
			body string
		}{
			"nova /allowed":    {200, `{"services": []}`},
			"nova /forbidden":  {403, `{"forbidden": {"message": "Policy doesn't allow os_compute_api:os-services:list to be performed."}}`},
			"nova /secret":     {403, `{}`},
			"nova /none":       {200, `{"things": []}`},
			"nova /some":       {200, `{"things": [{"id": "one"}, {"id": "two"}]}`},
			"nova /things/one": {200, `{"thing": {}}`},
			"nova /broken":     {500, `{}`},
			"nova /missing":    {404, `{}`},
			"nova /own":        {200, `{"volumes": [{"id": "1", "tenant": "mine"}, {"id": "2", "tenant": "mine"}], "volumes_links": []}`},
			"nova /all":        {200, `{"volumes": [{"id": "1", "tenant": "mine"}, {"id": "2", "tenant": "theirs"}]}`},
			"nova /quota/mine": {403, `{"forbidden": {"message": "not of one's own"}}`},
			"nova /messages/m": {200, `{"message": {}}`},
			"nova /messages":   {200, `{"messages": [{"id": 1, "notification_uuid": "m"}]}`},
			"nova /hidden":     {200, `{"volumes": [{"id": "1"}]}`},
		} {
			if call == begin || strings.HasPrefix(call, begin+" ") {
				w.WriteHeader(say.code)
				_, _ = io.WriteString(w, say.body)
				return true
			}
		}
		return false
	})
	f.project = "mine"
	nova := openstack.API{Name: "nova", Types: []string{"compute"}, Version: "v2.1"}
	heat := openstack.API{Name: "heat", Types: []string{"orchestration"}}
	for _, c := range []struct {
		call openstack.Call
		want openstack.Verdict
		says string
	}{
		{openstack.Call{API: nova, Path: "/allowed"}, openstack.Allowed, ""},
		{openstack.Call{API: nova, Path: "/forbidden", Rule: "os_compute_api:os-services:list", Role: "admin"}, openstack.Forbidden, "os_compute_api:os-services:list to be performed"},
		{openstack.Call{API: nova, Path: "/broken"}, openstack.Failed, "500"},
		{openstack.Call{API: nova, Path: "/missing"}, openstack.Failed, "404"},
		{openstack.Call{API: nova, Path: "/missing", Optional: true}, openstack.Absent, "404"},
		{openstack.Call{API: heat, Path: "/stacks"}, openstack.Absent, "orchestration"},
		{openstack.Call{API: nova, Path: "/things/{id}", Of: "/some", OfMember: "things"}, openstack.Allowed, ""},
		{openstack.Call{API: nova, Path: "/things/{id}", Of: "/none", OfMember: "things"}, openstack.Untried, "the cloud has no things"},
		{openstack.Call{API: nova, Path: "/things/{id}", Of: "/secret", OfMember: "things"}, openstack.Forbidden, "to find one"},
		{openstack.Call{API: nova, Path: "/own", Owner: "tenant"}, openstack.Narrow, "the account's own project"},
		{openstack.Call{API: nova, Path: "/hidden", Owner: "tenant"}, openstack.Narrow, "the account's own project"},
		{openstack.Call{API: nova, Path: "/all", Owner: "tenant"}, openstack.Allowed, ""},
		{openstack.Call{API: nova, Path: "/quota/{project}"}, openstack.Allowed, ""},
		{openstack.Call{API: nova, Path: "/forbidden", Optional: true, Dispensable: true}, openstack.Forbidden, "os_compute_api:os-services:list to be performed"},
		{openstack.Call{API: nova, Path: "/messages/{id}", Of: "/messages", OfMember: "messages"}, openstack.Allowed, ""},
	} {
		told := 0
		got := openstack.Check(t.Context(), cloud, []openstack.Call{c.call}, func(openstack.Finding) { told++ })
		if len(got) != 1 || got[0].Verdict != c.want || !strings.Contains(got[0].Detail, c.says) || told != 1 {
			t.Errorf("%s %s: %+v, want %s with %q", c.call.API.Name, c.call.Path, got, c.want, c.says)
		}
		if got[0].Rule != c.call.Rule || got[0].Role != c.call.Role || got[0].Dispensable != c.call.Dispensable {
			t.Errorf("%s: rule, role or dispensable is lost: %+v", c.call.Path, got[0])
		}
	}
}

// TestCheckWithoutAToken fails every call for the same reason, and calls none of
// them forbidden.
func TestCheckWithoutAToken(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(func(w http.ResponseWriter, r *http.Request, _ string) bool {
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	api := openstack.API{Name: "nova", Types: []string{"compute"}, Version: "v2.1"}
	got := openstack.Check(t.Context(), cloud, []openstack.Call{{API: api, Path: "/servers"}}, nil)
	if got[0].Verdict != openstack.Failed || !strings.Contains(got[0].Detail, "check user, password") {
		t.Errorf("%+v", got)
	}
}
