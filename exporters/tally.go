package exporters

import (
	"maps"
	"slices"
	"strings"
)

// Tally counts, or sums up, by label values: servers by status and zone. The
// zero value is empty and ready.
type Tally struct{ sums map[string]float64 }

// Add adds v to what has these label values.
func (t *Tally) Add(v float64, labels ...string) {
	if t.sums == nil {
		t.sums = map[string]float64{}
	}
	t.sums[strings.Join(labels, "\xff")] += v
}

// AddTo adds a sample of f for each combination of label values, in order.
func (t *Tally) AddTo(s *Snapshot, f *Family) {
	for _, key := range slices.Sorted(maps.Keys(t.sums)) {
		var labels []string
		if len(f.Labels) > 0 {
			labels = strings.Split(key, "\xff")
		}
		s.Add(f, t.sums[key], labels...)
	}
}
