package openstack_test

import (
	"net/http"
	"strings"
	"testing"

	"mcloud/exporters"
)

// TestProjectsThatDoNotDecode proves that a list with objects that cannot be read
// is an error, is completed by the one before, and is not shared as a good one.
func TestProjectsThatDoNotDecode(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	answer := `{"projects": [{"id": {"wrong": true}}, {"id": "new", "name": "new"}], "links": {"next": null}}`
	broken := func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if !strings.HasPrefix(call, "keystone /projects") {
			return false
		}
		_, _ = w.Write([]byte(answer))
		return true
	}
	f.inject(broken)
	list, err := cloud.Projects(t.Context(), 0)
	if exporters.KindOf(err) != exporters.KindDecode || len(list.Objects) != 1 {
		t.Errorf("at the start: %d projects, error %v; want the new one and an error of kind decode", len(list.Objects), err)
	}
	f.inject(nil)
	good, err := cloud.Projects(t.Context(), 0)
	if err != nil || len(good.Objects) < 2 {
		t.Fatalf("%d projects, error %v", len(good.Objects), err)
	}
	f.inject(broken)
	if list, err = cloud.Projects(t.Context(), 0); err == nil || len(list.Objects) != len(good.Objects)+1 {
		t.Errorf("%d projects, error %v; want the %d before, the new one, and an error", len(list.Objects), err, len(good.Objects))
	}
	if list, err = cloud.ReadProjects(t.Context()); err != nil || len(list.Objects) != 1 || len(list.Failed) != 1 {
		t.Errorf("%d projects and %d that failed (%v), want what is read now", len(list.Objects), len(list.Failed), err)
	}
	answer = `{"proj`
	if list, err = cloud.Projects(t.Context(), 0); err == nil || len(list.Objects) != len(good.Objects) {
		t.Errorf("%d projects, error %v; want the %d before and an error", len(list.Objects), err, len(good.Objects))
	}
}

// TestProjectThatComesTwice proves that a project that moved to the next page while
// they were read is one project.
func TestProjectThatComesTwice(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		if !strings.HasPrefix(call, "keystone /projects") {
			return false
		}
		answer := `{"projects": [{"id": "a"}, {"id": "b"}], "links": {"next": "http://x/v3/projects?marker=b"}}`
		if r.URL.Query().Get("marker") == "b" {
			answer = `{"projects": [{"id": "b"}, {"id": "c"}], "links": {"next": null}}`
		}
		_, _ = w.Write([]byte(answer))
		return true
	})
	if list, err := cloud.Projects(t.Context(), 0); err != nil || len(list.Objects) != 3 {
		t.Errorf("%d projects, error %v; want 3", len(list.Objects), err)
	}
}
