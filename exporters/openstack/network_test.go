package openstack_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
	"mcloud/exporters/openstack/designate"
	"mcloud/exporters/openstack/neutron"
	"mcloud/exporters/openstack/octavia"
)

// values are a family's samples by their labels, joined with commas.
func values(s *exporters.Snapshot, family string) map[string]float64 {
	found := map[string]float64{}
	for _, sample := range s.Samples {
		if sample.Family.Name == family {
			found[strings.Join(sample.Labels, ",")] = sample.Value
		}
	}
	return found
}

func wantValues(t *testing.T, s *exporters.Snapshot, family string, want map[string]float64) {
	t.Helper()
	if got := values(s, family); !cmp.Equal(got, want) {
		t.Errorf("%s: %s", family, cmp.Diff(want, got))
	}
}

// baseOnly is a ctx as a Runner makes it that serves no set but the base.
func baseOnly(t *testing.T, s exporters.Source) (*exporters.Snapshot, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(exporters.WithSets(t.Context()), time.Minute)
	defer cancel()
	return s.Collector.Collect(ctx)
}

// canned answers calls by their path, whatever their query.
func canned(answers map[string]string) func(http.ResponseWriter, *http.Request, string) bool {
	return func(w http.ResponseWriter, _ *http.Request, call string) bool {
		path, _, _ := strings.Cut(call, "?")
		text, ok := answers[path]
		if ok {
			_, _ = io.WriteString(w, text)
		}
		return ok
	}
}

// TestDeclaredCallsAreMade holds Calls against what the Sources ask for.
func TestDeclaredCallsAreMade(t *testing.T) {
	for service, calls := range map[string][]openstack.Call{"neutron": neutron.Calls(), "octavia": octavia.Calls(), "designate": designate.Calls()} {
		declared := map[string]bool{}
		for _, c := range calls {
			declared[c.Path] = true
			if c.Gives == "" || c.API.Name != service {
				t.Errorf("%s: %+v", service, c)
			}
		}
		f := newFakeCloud(t)
		cloud, _ := f.connect(nil)
		for _, s := range ofSystem(cloud, service) {
			if _, err := collect(t, s); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
		}
		_, made := f.called(service)
		for _, call := range made {
			path, _, _ := strings.Cut(strings.Fields(call)[1], "?")
			segments := strings.Split(path, "/")
			for i, segment := range segments {
				if len(segment) == 36 {
					segments[i] = "{id}"
				}
				if len(segment) == 32 {
					segments[i] = "{project}"
				}
			}
			if path = strings.Join(segments, "/"); !declared[path] {
				t.Errorf("%s: GET %s is made and not declared", service, path)
			}
		}
	}
}
