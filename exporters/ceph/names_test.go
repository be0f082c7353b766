package ceph

import (
	"slices"
	"testing"

	"mcloud/exporters"
)

// Names of our own obey Prometheus's rules; Ceph's are listed, and the list holds
// no name that needs no exception or that nobody has.
func TestNamesObeyTheRules(t *testing.T) {
	complained := map[string]bool{}
	for _, f := range Families() {
		complaints := exporters.Lint([]exporters.Family{*f})
		if len(complaints) > 0 {
			complained[f.Name] = true
		}
		if !KeptName(f.Name) {
			for _, c := range complaints {
				t.Error(c)
			}
		}
	}
	for _, name := range kept {
		if !complained[name] {
			t.Errorf("%s needs no exception", name)
		}
		if !slices.ContainsFunc(Families(), func(f *exporters.Family) bool { return f.Name == name }) {
			t.Errorf("%s is no metric of ours", name)
		}
	}
}
