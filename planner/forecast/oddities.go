package forecast

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// oddGap is the share of a history that one gap must take to be told.
const oddGap = 0.05

// oddities says in plain words what a reader of s's forecast should know of its
// history: values below zero, and long stretches without any.
func oddities(s Series) (notes []string) {
	first := slices.IndexFunc(s.Values, func(v float64) bool { return !math.IsNaN(v) })
	if first < 0 {
		return nil
	}
	known, negative, lowest := 0, 0, 0.0
	gap, gapEnd, run := 0, 0, 0
	for i, v := range s.Values[first:] {
		if math.IsNaN(v) {
			run++
			continue
		}
		if run > gap {
			gap, gapEnd = run, first+i
		}
		run = 0
		known++
		if v < 0 {
			negative++
			lowest = min(lowest, v)
		}
	}
	if negative > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d values are below zero, down to %.6g: a quantity that fills up cannot be, check what is measured", negative, known, lowest))
	}
	if n := len(s.Values) - first; gap > 2 && float64(gap) >= oddGap*float64(n) {
		at := func(i int) string { return s.Start.Add(time.Duration(i) * s.Step).UTC().Format(time.RFC3339) }
		notes = append(notes, fmt.Sprintf("nothing was measured from %s to %s: a straight line was put in between", at(gapEnd-gap), at(gapEnd)))
	}
	return notes
}
