package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

var (
	unknownField = regexp.MustCompile(`^line (\d+): field (\S+) not found in type (\S+)$`)
	atLine       = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
)

// decodeStrict reads content into out. The error is one line: file:line, what
// is wrong, and the field that was probably meant.
func decodeStrict(path string, content []byte, out any) error {
	dec := yaml.NewDecoder(bytes.NewReader(content))
	dec.KnownFields(true)
	err := dec.Decode(out)
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: the file is empty", path)
	}
	if err == nil {
		return nil
	}
	messages := []string{err.Error()}
	var typed *yaml.TypeError
	if errors.As(err, &typed) {
		messages = typed.Errors
	}
	message := messages[0]
	if m := unknownField.FindStringSubmatch(message); m != nil {
		message = fmt.Sprintf("%s:%s: unknown field %q", path, m[1], m[2])
		if meant := nearest(m[2], fieldsOf(reflect.TypeOf(out), m[3])); meant != "" {
			message += fmt.Sprintf("; did you mean %q?", meant)
		}
	} else if m := atLine.FindStringSubmatch(message); m != nil {
		message = fmt.Sprintf("%s:%s: %s", path, m[1], m[2])
	} else {
		message = path + ": " + strings.TrimPrefix(message, "yaml: ")
	}
	if len(messages) > 1 {
		message += fmt.Sprintf(" (and %d more)", len(messages)-1)
	}
	return errors.New(message)
}

// fieldsOf lists the YAML names of the struct called name in the tree of t.
func fieldsOf(t reflect.Type, name string) []string {
	seen := map[reflect.Type]bool{}
	var find func(t reflect.Type) []string
	find = func(t reflect.Type) []string {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || seen[t] {
			return nil
		}
		seen[t] = true
		var fields []string
		for i := range t.NumField() {
			tag, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
			if tag != "" && tag != "-" {
				fields = append(fields, tag)
			}
		}
		if t.String() == name {
			return fields
		}
		for i := range t.NumField() {
			if found := find(t.Field(i).Type); found != nil {
				return found
			}
		}
		return nil
	}
	return find(t)
}

// nearest returns the word that differs least, if it differs little.
func nearest(word string, from []string) string {
	best, distance := "", len(word)/2+1
	for _, w := range from {
		if d := edits(word, w); d < distance {
			best, distance = w, d
		}
	}
	return best
}

// edits is Levenshtein's distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// Duration reads "30s", "6h" and, as Prometheus does, "180d", "2w" and "1y".
type Duration time.Duration

// UnmarshalYAML implements yaml.Unmarshaler.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := parseDuration(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	*d = Duration(v)
	return nil
}

func parseDuration(s string) (time.Duration, error) {
	for suffix, unit := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "y": 365 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(s, suffix); ok {
			if n, err := strconv.ParseFloat(number, 64); err == nil && n > 0 && n*float64(unit) < float64(40000*24*time.Hour) {
				return time.Duration(n * float64(unit)), nil
			}
		}
	}
	if v, err := time.ParseDuration(s); err == nil && v > 0 {
		return v, nil
	}
	return 0, fmt.Errorf("%q is no duration; write for example 30s, 6h or 90d", s)
}

// Bytes reads "2GiB", "500MB" and plain numbers of bytes.
type Bytes int64

// UnmarshalYAML implements yaml.Unmarshaler.
func (b *Bytes) UnmarshalYAML(n *yaml.Node) error {
	units := []struct {
		name string
		size float64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}
	for _, u := range units {
		if number, ok := strings.CutSuffix(n.Value, u.name); ok {
			if v, err := strconv.ParseFloat(strings.TrimSpace(number), 64); err == nil && v > 0 && v*u.size < 1<<60 {
				*b = Bytes(v * u.size)
				return nil
			}
		}
	}
	return fmt.Errorf("line %d: %q is no size; write for example 2GiB", n.Line, n.Value)
}
