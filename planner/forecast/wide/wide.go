// Package wide reads series written one to a row, the form of the M competitions'
// files, and writes forecasts one step to a row. Use Read, then Write.
//
// It knows no time: values are equally far apart and in order.
package wide

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Series is one row: a name and its values, NaN where a cell was empty.
type Series struct {
	ID     string
	Values []float64
}

// mostValues bounds a row, so that a wrong file does not fill the memory.
const mostValues = 1_000_000

// Read reads rows "id,value,value,…". Empty cells at the end are not there, empty
// ones before a value, "NaN" and "NA" are missing values (NaN). A first row
// without any number after its first cell is a heading and left out. An error
// names name and the line: a cell that is no finite number, an id that is empty or
// comes twice, a row without values, a file without rows.
func Read(r io.Reader, name string) ([]Series, error) {
	in := bufio.NewReader(r)
	if mark, err := in.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		in.Discard(3)
	}
	records := csv.NewReader(in)
	records.FieldsPerRecord = -1
	records.ReuseRecord = true
	var all []Series
	lines := map[string]int{}
	for first := true; ; first = false {
		cells, err := records.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			var parse *csv.ParseError
			if errors.As(err, &parse) {
				return nil, fmt.Errorf("%s:%d: %w", name, parse.Line, parse.Err)
			}
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		line, _ := records.FieldPos(0)
		for len(cells) > 1 && strings.TrimSpace(cells[len(cells)-1]) == "" {
			cells = cells[:len(cells)-1]
		}
		if first && heading(cells) {
			continue
		}
		s, err := parse(cells)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		if before, twice := lines[s.ID]; twice {
			return nil, fmt.Errorf("%s:%d: series %q was already on line %d", name, line, s.ID, before)
		}
		lines[s.ID] = line
		all = append(all, s)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no series in it, want rows id,value,value,…", name)
	}
	return all, nil
}

// heading says whether cells after the first are words only.
func heading(cells []string) bool {
	for _, c := range cells[1:] {
		if _, err := number(c); err == nil {
			return false
		}
	}
	return len(cells) > 1
}

func parse(cells []string) (Series, error) {
	s := Series{ID: strings.TrimSpace(cells[0])}
	switch {
	case s.ID == "":
		return s, errors.New("the first cell, the series' name, is empty")
	case len(cells) == 1:
		return s, fmt.Errorf("series %q has no values", s.ID)
	case len(cells) > mostValues:
		return s, fmt.Errorf("series %q has %d values, the most is %d", s.ID, len(cells)-1, mostValues)
	}
	s.Values = make([]float64, len(cells)-1)
	known := false
	for i, cell := range cells[1:] {
		v, err := number(cell)
		if err != nil {
			return s, fmt.Errorf("series %q, value %d: %w", s.ID, i+1, err)
		}
		s.Values[i] = v
		known = known || !math.IsNaN(v)
	}
	if !known {
		return s, fmt.Errorf("series %q has no values", s.ID)
	}
	return s, nil
}

// number is a decimal number; NaN for what is missing.
func number(cell string) (float64, error) {
	cell = strings.TrimSpace(cell)
	switch strings.ToLower(cell) {
	case "", "nan", "na":
		return math.NaN(), nil
	}
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil || math.IsInf(v, 0) || strings.ContainsAny(cell, "xX_") {
		if len(cell) > 40 {
			cell = cell[:40] + "…"
		}
		return 0, fmt.Errorf("%q is not a finite number", cell)
	}
	return v, nil
}

// Forecast is what Write writes of one series: the mean and the quantiles, by
// level and step; without quantiles their cells stay empty.
type Forecast struct {
	ID        string
	Mean      []float64
	Quantiles [][]float64
}

// Write writes a heading and rows "id,step,mean,q…", steps from 1, one column for
// each level.
func Write(w io.Writer, levels []float64, forecasts []Forecast) error {
	out := csv.NewWriter(w)
	row := []string{"id", "step", "mean"}
	for _, l := range levels {
		row = append(row, "q"+strconv.FormatFloat(l, 'g', -1, 64))
	}
	if err := out.Write(row); err != nil {
		return err
	}
	for _, f := range forecasts {
		for h, mean := range f.Mean {
			row = append(row[:0], f.ID, strconv.Itoa(h+1), text(mean))
			for i := range levels {
				cell := ""
				if i < len(f.Quantiles) {
					cell = text(f.Quantiles[i][h])
				}
				row = append(row, cell)
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

func text(v float64) string { return strconv.FormatFloat(v, 'g', 10, 64) }
