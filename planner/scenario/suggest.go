package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrUnknown is wrapped by errors about a name that the cloud does not have.
var ErrUnknown = errors.New("not known")

// unknown says that there is no such what, which one may be meant, and which are there.
func unknown(what, name string, known []string) error {
	known = slices.Compact(slices.Sorted(slices.Values(known)))
	if len(known) == 0 {
		return fmt.Errorf("%s %q is %w: there is none at all", what, name, ErrUnknown)
	}
	const most = 12
	list := strings.Join(known[:min(most, len(known))], ", ")
	if more := len(known) - most; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Errorf("%s %q is %w%s; known are: %s", what, name, ErrUnknown, meant(name, known), list)
}

// meant suggests the known name that is nearest to name: ", did you mean …?".
func meant(name string, known []string) string {
	best, distance := "", max(2, len(name)/2)+1
	for _, k := range known {
		if d := edits(strings.ToLower(name), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// edits is Levenshtein's distance, in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, corner+1)
		}
	}
	return row[len(b)]
}
