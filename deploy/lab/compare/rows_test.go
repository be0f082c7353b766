package main

import (
	"math"
	"strings"
	"testing"
)

// none stands for a side that does not know the object.
var none = math.Inf(-1)

func side(value float64) readings {
	if value == none {
		return readings{}
	}
	return readings{{"pool stored bytes", "fast/nvme"}: value}
}

func TestCompareSection(t *testing.T) {
	for _, test := range []struct {
		name                string
		ours, before, after float64
		equal               bool
	}{
		{"all the same", 5, 5, 5, true},
		{"grew between the client's answers, ours between", 6, 5, 7, true},
		{"fell between the client's answers, ours between", 6, 7, 5, true},
		{"ours is older than the client's first answer", 4, 5, 7, false},
		{"ours differs", 6, 5, 5, false},
		{"ours is a silent zero", 0, 5, 5, false},
		{"ours is not a number", math.NaN(), 5, 5, false},
		{"we do not know it", none, 5, 5, false},
		{"the client does not know it", 5, none, none, false},
		{"came meanwhile, seen", 5, none, 5, true},
		{"came meanwhile, not seen", none, none, 5, true},
		{"came meanwhile, seen wrong", 6, none, 5, false},
		{"went meanwhile, still seen", 5, 5, none, true},
		{"went meanwhile, seen wrong", 6, 5, none, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			rows := compareSection("ceph", side(test.ours), side(test.before), side(test.after))
			if len(rows) != 1 || rows[0].equal != test.equal {
				t.Errorf("rows = %+v, want one with equal = %v", rows, test.equal)
			}
		})
	}
}

func TestPrintTableMarksWhatDiffers(t *testing.T) {
	rows := compareSection("ceph",
		readings{{"osd up", "fast/osd.0"}: 1, {"osd up", "fast/osd.1"}: 1},
		readings{{"osd up", "fast/osd.0"}: 1, {"osd up", "fast/osd.2"}: 0},
		readings{{"osd up", "fast/osd.0"}: 1, {"osd up", "fast/osd.2"}: 0})
	var out strings.Builder
	printTable(&out, rows, false)
	want := `SECTION  THING   OBJECT      OURS  CLIENT'S  EQUAL
ceph     osd up  fast/osd.0  1     1         yes
ceph     osd up  fast/osd.1  1     -         NO  <---
ceph     osd up  fast/osd.2  -     0         NO  <---
1 of 3 values are equal, 2 differ
`
	if out.String() != want {
		t.Errorf("table is\n%s\nwant\n%s", out.String(), want)
	}
}

func TestDifferencesAreShort(t *testing.T) {
	ours := readings{}
	for i := range 25 {
		ours[key{"image named " + strings.Repeat("x", 500), string(rune('a' + i))}] = 1
	}
	var out strings.Builder
	printDifferences(&out, compareSection("glance", ours, nil, nil))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 21 || lines[20] != "DIFFERS: 5 more, in the table" {
		t.Errorf("got %d lines:\n%s", len(lines), out.String())
	}
	for _, line := range lines {
		if len(line) > 250 {
			t.Errorf("%d characters: %s", len(line), line)
		}
	}
}
