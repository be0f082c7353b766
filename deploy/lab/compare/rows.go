package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"text/tabwriter"
)

// key names one value: what is measured, of which object.
type key struct{ thing, object string }

// readings are the values of one section from one side.
type readings map[key]float64

// add sums, for counts that one side splits by more labels than the other.
func (r readings) add(thing, object string, value float64) { r[key{thing, object}] += value }

// row is one line of the table; nil means that side has no such value.
type row struct {
	section      string
	key          key
	ours, theirs *float64
	earlier      *float64 // theirs, before ours was read
	equal        bool
	quiet        bool // not printed when equal
}

// compareSection sets ours beside what the client said before and after it.
// Ours is equal when it lies between the two, both included, and when an object
// is known to both sides. An object that only one of the client's answers has
// came or went meanwhile, so ours may have it or not.
func compareSection(section string, ours, before, after readings) []row {
	keys := make(map[key]bool)
	for _, side := range []readings{ours, before, after} {
		for k := range side {
			keys[k] = true
		}
	}
	rows := make([]row, 0, len(keys))
	for k := range keys {
		r := row{section: section, key: k, ours: find(ours, k), theirs: find(after, k), earlier: find(before, k)}
		switch {
		case r.theirs != nil && r.earlier != nil:
			r.equal = r.ours != nil && between(*r.ours, *r.earlier, *r.theirs)
		case r.theirs != nil || r.earlier != nil:
			r.equal = r.ours == nil || same(r.ours, r.theirs) || same(r.ours, r.earlier)
		}
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.key.thing, b.key.thing), cmp.Compare(a.key.object, b.key.object))
	})
	return rows
}

func find(side readings, k key) *float64 {
	if value, ok := side[k]; ok {
		return &value
	}
	return nil
}

func same(a, b *float64) bool { return a != nil && b != nil && *a == *b }

// between is false for NaN, which equals nothing a client prints.
func between(value, a, b float64) bool { return math.Min(a, b) <= value && value <= math.Max(a, b) }

// printTable marks the rows that differ, and counts them.
func printTable(w io.Writer, rows []row, brief bool) {
	different := 0
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SECTION\tTHING\tOBJECT\tOURS\tCLIENT'S\tEQUAL")
	for _, r := range rows {
		mark := "yes"
		if !r.equal {
			mark = "NO  <---"
			different++
		}
		if r.equal && (brief || r.quiet) {
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", r.section, r.key.thing, r.key.object, number(r.ours), number(r.theirs), mark)
	}
	table.Flush()
	fmt.Fprintf(w, "%d of %d values are equal, %d differ\n", len(rows)-different, len(rows), different)
}

// printDifferences is for whoever sees only the end of what was printed.
func printDifferences(w io.Writer, different []row) {
	const most = 20
	for i, r := range different {
		if i == most {
			fmt.Fprintf(w, "DIFFERS: %d more, in the table\n", len(different)-most)
			break
		}
		fmt.Fprintf(w, "DIFFERS: %.160s: ours %s, before %s, client's %s\n", r.section+" "+r.key.thing+" "+r.key.object, number(r.ours), number(r.earlier), number(r.theirs))
	}
}

func number(value *float64) string {
	if value == nil {
		return "-"
	}
	return strconv.FormatFloat(*value, 'f', -1, 64)
}
