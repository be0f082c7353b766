package openstack_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// TestEmptyListsThatCannotBe tells a cloud where nothing is from one that hides.
func TestEmptyListsThatCannotBe(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		if r.Method != http.MethodGet || strings.HasSuffix(call, "version document") {
			return false
		}
		_, _ = io.WriteString(w, `{"projects": [], "services": [], "agents": [], "providers": []}`)
		return true
	})
	identity := openstack.API{Name: "keystone", Types: []string{"identity"}, Version: "v3"}
	network := openstack.API{Name: "neutron", Types: []string{"network"}, Version: "v2.0"}
	for _, c := range []struct {
		api          openstack.API
		path, member string
		query        url.Values
		impossible   bool
	}{
		{identity, "/projects", "projects", nil, true},
		{identity, "/projects", "projects", url.Values{"limit": {"10"}}, true},
		{identity, "/projects", "projects", url.Values{"domain_id": {"x"}}, false},
		{network, "/agents", "agents", nil, false},
	} {
		l, err := openstack.List[struct{ ID string }](t.Context(), cloud, c.api, c.path, c.member, c.query)
		if len(l.Objects) > 0 || c.impossible != (err != nil) || err != nil && (exporters.KindOf(err) != exporters.KindDecode || !strings.Contains(err.Error(), "in no cloud that is in use")) {
			t.Errorf("%s%s?%s: %v", c.api.Name, c.path, c.query.Encode(), err)
		}
	}
	// No family of such a list becomes zero.
	for _, name := range []string{"keystone_projects", "nova_hosts", "placement_providers", "cinder_services"} {
		for _, s := range allSources(cloud) {
			if s.Name != name {
				continue
			}
			snapshot, err := s.Collector.Collect(context.Background())
			if err == nil {
				t.Errorf("%s: no error", name)
			}
			if snapshot == nil {
				continue
			}
			for _, sample := range snapshot.Samples {
				if sample.Value == 0 {
					t.Errorf("%s: %s %v is 0", name, sample.Family.Name, sample.Labels)
				}
			}
		}
	}
}
