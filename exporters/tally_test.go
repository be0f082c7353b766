package exporters

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTally(t *testing.T) {
	byStatus := &Family{Name: "servers", Labels: []string{"status", "zone"}}
	all := &Family{Name: "all"}
	var counts, sum Tally
	for _, v := range [][]string{{"ACTIVE", "b"}, {"ACTIVE", "a"}, {"ERROR", ""}, {"ACTIVE", "a"}} {
		counts.Add(1, v...)
		sum.Add(0.5)
	}
	s := &Snapshot{}
	counts.AddTo(s, byStatus)
	sum.AddTo(s, all)
	new(Tally).AddTo(s, all)
	want := []Sample{
		{byStatus, []string{"ACTIVE", "a"}, 2}, {byStatus, []string{"ACTIVE", "b"}, 1}, {byStatus, []string{"ERROR", ""}, 1},
		{all, nil, 2},
	}
	if diff := cmp.Diff(want, s.Samples); diff != "" {
		t.Error(diff)
	}
}
