package exporters

import (
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strconv"
	"strings"
)

// chunk is what one look gave of one family, as the page shows it.
type chunk struct {
	family *Family
	n      int // series
	piece  piece
	// lines are kept apart, and no piece is made, where another Source may have
	// the same series.
	lines []line
}

// line is one series: its labels as written, which tell it apart from others of
// its family, and the whole line.
type line struct{ labels, text string }

var (
	labelEscapes = strings.NewReplacer("\\", `\\`, "\n", `\n`, `"`, `\"`)
	helpEscapes  = strings.NewReplacer("\\", `\\`, "\n", `\n`)
)

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// layout is how the series of a family are written: its labels by name, those of
// Source.Const among them.
type layout struct {
	// before is what stands before each variable label's value, by the order on
	// the page, constant labels written out; after ends the last one.
	before []string
	after  string
	index  []int // of Sample.Labels, in the same order
}

func layoutOf(s Source, f *Family) layout {
	type label struct {
		name string
		at   int // in f.Labels, -1 for a constant one
	}
	var labels []label
	for name := range s.Const {
		labels = append(labels, label{name, -1})
	}
	for i, name := range f.Labels {
		labels = append(labels, label{name, i})
	}
	slices.SortFunc(labels, func(a, b label) int { return strings.Compare(a.name, b.name) })
	var l layout
	text := "{"
	for i, x := range labels {
		if i > 0 {
			text += ","
		}
		text += x.name + `="`
		if x.at < 0 {
			text += labelEscapes.Replace(valid(s.Const[x.name])) + `"`
			continue
		}
		l.before, l.index = append(l.before, text), append(l.index, x.at)
		text = `"`
	}
	if l.after = text + "}"; len(labels) == 0 {
		l.after = ""
	}
	return l
}

// append writes the labels of a sample.
func (l layout) append(b []byte, values []string) []byte {
	for i, at := range l.index {
		b = append(b, l.before[i]...)
		v := values[at]
		if plainLabel(v) {
			b = append(b, v...)
		} else {
			b = append(b, labelEscapes.Replace(valid(v))...)
		}
	}
	return append(b, l.after...)
}

// plainLabel says whether a value is written as it is.
func plainLabel(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func (l layout) compare(a, b []string) int {
	for _, at := range l.index {
		if n := strings.Compare(a[at], b[at]); n != 0 {
			return n
		}
	}
	return 0
}

// appendValue writes a number as Prometheus's text format has it.
func appendValue(b []byte, v float64) []byte {
	switch {
	case math.IsInf(v, 1):
		return append(b, "+Inf"...)
	case math.IsInf(v, -1):
		return append(b, "-Inf"...)
	case math.IsNaN(v):
		return append(b, "NaN"...)
	case v == math.Trunc(v) && math.Abs(v) < 1e6: // what most are, and 'g' writes the same
		return strconv.AppendInt(b, int64(v), 10)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

// makeChunks readies the samples of one look. Samples of a family that the Source
// did not declare, of a series that is there already, or that cannot be shown are
// left out, one error for each family. Families outside sets are checked and not
// kept. Pieces that are as before are taken over; contested families keep their
// lines apart.
func makeChunks(s Source, samples []Sample, sets map[Set]bool, contested map[string]bool, before []chunk) ([]chunk, []error) {
	declared := make(map[*Family]bool, len(s.Families))
	for _, f := range s.Families {
		declared[f] = true
	}
	wrong := complaints{}
	of := map[*Family][]Sample{}
	for _, sample := range samples {
		switch f := sample.Family; {
		case f == nil:
			wrong.add("", "a sample has no family")
		case !declared[f]:
			wrong.add(f.Name, "is not among the families that the source declares")
		case len(sample.Labels) != len(f.Labels):
			wrong.add(f.Name, fmt.Sprintf("has %d labels, want %d", len(sample.Labels), len(f.Labels)))
		default:
			of[f] = append(of[f], sample)
		}
	}
	var made []chunk
	var text []byte
	for _, f := range s.Families {
		all := of[f]
		if len(all) == 0 {
			continue
		}
		l := layoutOf(s, f)
		slices.SortStableFunc(all, func(a, b Sample) int { return l.compare(a.Labels, b.Labels) })
		c := chunk{family: f}
		text = text[:0]
		for i, sample := range all {
			if i > 0 && l.compare(all[i-1].Labels, sample.Labels) == 0 {
				wrong.add(f.Name, "has labels "+quoted(sample.Labels)+" twice")
				continue
			}
			c.n++
			if !sets[f.Set] {
				continue
			}
			begin := len(text) + len(f.Name)
			text = l.append(append(text, f.Name...), sample.Labels)
			end := len(text)
			text = append(appendValue(append(text, ' '), sample.Value), '\n')
			if contested[f.Name] {
				c.lines = append(c.lines, line{string(text[begin:end]), string(text[begin-len(f.Name):])})
			}
		}
		if !sets[f.Set] {
			continue
		}
		if c.lines == nil {
			c.piece = pieceOf(text, f, before)
		}
		made = append(made, c)
	}
	return made, wrong.errors()
}

// pieceOf compresses text unless the same was compressed before.
func pieceOf(text []byte, f *Family, before []chunk) piece {
	for _, c := range before {
		if c.family == f && c.piece.size == len(text) && c.piece.crc == crc32.ChecksumIEEE(text) {
			return c.piece
		}
	}
	return deflate(text)
}

func quoted(labels []string) string { return fmt.Sprintf("%q", labels) }

// complaints holds the first complaint about each family and counts the rest.
type complaints map[string]*complaint

type complaint struct {
	text string
	n    int
}

func (c complaints) add(family, text string) {
	if c[family] == nil {
		c[family] = &complaint{text: text}
	}
	c[family].n++
}

func (c complaints) errors() []error {
	var all []error
	for family, first := range c {
		err := fmt.Errorf("%s %s", family, first.text)
		if first.n > 1 {
			err = fmt.Errorf("%w (and %d samples more were left out)", err, first.n-1)
		}
		all = append(all, WithKind(err, KindSample))
	}
	slices.SortFunc(all, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return all
}
