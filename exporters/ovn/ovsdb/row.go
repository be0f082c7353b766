package ovsdb

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Row is one row by column, in the notation of RFC 7047 section 5.1: an atom,
// ["uuid", …], ["set", […]] or ["map", [[…, …]]]. The methods give the zero
// value for a column that is absent or of another type; Has on Conn and the
// pointers tell absence where it matters.
//
// A hundred thousand rows are read at a start, so what is common is read without
// encoding/json: unescaped strings, references and maps of them.
type Row map[string]json.RawMessage

// ID is a row's uuid, a third of its text's size.
type ID [16]byte

// ParseID reads "8d573120-1b75-4708-b617-7278bb5c0770".
func ParseID(s string) (id ID, ok bool) {
	var digits [32]byte
	if len(s) != 36 {
		return id, false
	}
	n := 0
	for i := range len(s) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if s[i] != '-' {
				return ID{}, false
			}
		default:
			digits[n] = s[i]
			n++
		}
	}
	if _, err := hex.Decode(id[:], digits[:]); err != nil {
		return ID{}, false
	}
	return id, true
}

// String is the usual notation.
func (id ID) String() string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// String is a string or the uuid of a reference.
func (r Row) String(column string) string {
	raw := r[column]
	if s, ok := plainString(raw); ok {
		return s
	}
	if inner, ok := bytes.CutPrefix(raw, []byte(`["uuid",`)); ok && len(inner) > 0 && inner[len(inner)-1] == ']' {
		if s, ok := plainString(inner[:len(inner)-1]); ok {
			return s
		}
	}
	s, _ := atom[string](raw)
	return s
}

// plainString is a JSON string in which nothing is escaped.
func plainString(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return "", false
	}
	inner := raw[1 : len(raw)-1]
	for _, c := range inner {
		if c == '"' || c == '\\' || c < ' ' {
			return "", false
		}
	}
	return string(inner), utf8.Valid(inner)
}

// ID is the uuid of a reference; the zero ID when there is none.
func (r Row) ID(column string) ID {
	id, _ := ParseID(r.String(column))
	return id
}

// Int is an integer; ok is false when there is none.
func (r Row) Int(column string) (value int64, ok bool) {
	if raw := r[column]; len(raw) > 0 && raw[0] != '[' {
		n, err := strconv.ParseInt(string(raw), 10, 64)
		return n, err == nil
	}
	return atom[int64](r[column])
}

// Bool is a boolean, false for an empty optional one.
func (r Row) Bool(column string) bool {
	b, _ := r.OptionalBool(column)
	return b
}

// OptionalBool is a boolean; ok is false when there is none.
func (r Row) OptionalBool(column string) (value, ok bool) {
	switch string(r[column]) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return atom[bool](r[column])
}

// Strings are the members of a set of strings or references.
func (r Row) Strings(column string) []string {
	var all []string
	for _, raw := range members(r[column]) {
		if s, ok := atom[string](raw); ok {
			all = append(all, s)
		}
	}
	return all
}

// IDs are the members of a set of references.
func (r Row) IDs(column string) []ID {
	var all []ID
	for _, s := range r.Strings(column) {
		if id, ok := ParseID(s); ok {
			all = append(all, id)
		}
	}
	return all
}

// Len is the number of members of a set or of pairs of a map.
func (r Row) Len(column string) int {
	raw := r[column]
	if n, ok := eachPair(raw, nil); ok {
		return n
	}
	return len(members(raw))
}

// Get is a key's value in a map of strings, "" when it is not there.
func (r Row) Get(column, key string) (value string) {
	for k, v := range r.pairs(column) {
		escaped := bytes.IndexByte(k, '\\') >= 0
		if !escaped && len(k) == len(key)+2 && k[0] == '"' && string(k[1:len(k)-1]) == key || escaped && unquote(k) == key {
			return unquote(v)
		}
	}
	return ""
}

// Map is a map of strings.
func (r Row) Map(column string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for k, v := range r.pairs(column) {
			if !yield(unquote(k), unquote(v)) {
				return
			}
		}
	}
}

// Ints is a map from strings to integers.
func (r Row) Ints(column string) iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for k, v := range r.pairs(column) {
			if n, err := strconv.ParseInt(string(v), 10, 64); err == nil && !yield(unquote(k), n) {
				return
			}
		}
	}
}

// unquote decodes a JSON string.
func unquote(raw []byte) string {
	if s, ok := plainString(raw); ok {
		return s
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// pairs are a map's keys and values as JSON.
func (r Row) pairs(column string) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		eachPair(r[column], yield)
	}
}

// eachPair walks ["map",[[k,v],…]] and counts the pairs; ok is false when raw is
// none. Keys and values are atoms, of which none holds a bracket outside of
// quotes but ["uuid",…].
func eachPair(raw []byte, yield func(k, v []byte) bool) (n int, ok bool) {
	s := scanner{rest: raw}
	if !s.take('[') || string(s.atom()) != `"map"` || !s.take(',') || !s.take('[') {
		return 0, false
	}
	if s.take(']') {
		return 0, s.take(']')
	}
	for {
		if !s.take('[') {
			return n, false
		}
		k := s.atom()
		if k == nil || !s.take(',') {
			return n, false
		}
		v := s.atom()
		if v == nil || !s.take(']') {
			return n, false
		}
		n++
		if yield != nil && !yield(k, v) {
			return n, true
		}
		switch {
		case s.take(','):
		case s.take(']'):
			return n, s.take(']')
		default:
			return n, false
		}
	}
}

// scanner walks JSON that encoding/json has found valid.
type scanner struct{ rest []byte }

func (s *scanner) take(c byte) bool {
	for len(s.rest) > 0 && (s.rest[0] == ' ' || s.rest[0] == '\n' || s.rest[0] == '\t' || s.rest[0] == '\r') {
		s.rest = s.rest[1:]
	}
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// atom returns a string with its quotes, a word or number, or a reference; nil
// when there is none.
func (s *scanner) atom() []byte {
	s.take(0) // blanks
	if len(s.rest) == 0 {
		return nil
	}
	end := 0
	switch s.rest[0] {
	case '"':
		end = stringEnd(s.rest)
	case '[':
		if end = bytes.IndexByte(s.rest, ']') + 1; end > 0 && bytes.IndexByte(s.rest[1:end], '[') >= 0 {
			return nil
		}
	default:
		for end < len(s.rest) && strings.IndexByte(",]}[{ \n\t\r\"", s.rest[end]) < 0 {
			end++
		}
	}
	if end <= 0 {
		return nil
	}
	a := s.rest[:end]
	s.rest = s.rest[end:]
	return a
}

// stringEnd is the length of the string that b begins with, 0 when it does not end.
func stringEnd(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// atom reads one value; an optional column is a set of none or one.
func atom[T any](raw json.RawMessage) (value T, ok bool) {
	all := members(raw)
	if len(all) != 1 {
		return value, false
	}
	if json.Unmarshal(all[0], &value) == nil {
		return value, true
	}
	var tagged []json.RawMessage
	if tag, ok := tagOf(all[0], &tagged); ok && tag == "uuid" && json.Unmarshal(tagged[1], &value) == nil {
		return value, true
	}
	var zero T
	return zero, false
}

var emptySet = []byte(`["set",[]]`)

// members are the values of a set, or the value itself.
func members(raw json.RawMessage) []json.RawMessage {
	if len(raw) == 0 || string(raw) == "null" || bytes.Equal(raw, emptySet) {
		return nil
	}
	var tagged, set []json.RawMessage
	tag, ok := tagOf(raw, &tagged)
	if ok && tag == "set" && json.Unmarshal(tagged[1], &set) == nil {
		return set
	}
	return []json.RawMessage{raw}
}

func tagOf(raw json.RawMessage, tagged *[]json.RawMessage) (tag string, ok bool) {
	if raw[0] != '[' || json.Unmarshal(raw, tagged) != nil || len(*tagged) != 2 || json.Unmarshal((*tagged)[0], &tag) != nil {
		return "", false
	}
	return tag, true
}
