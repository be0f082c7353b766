package ovsdb

import "encoding/json"

// Row is one row by column, in the notation of RFC 7047 section 5.1: an atom,
// ["uuid", …], ["set", […]] or ["map", [[…, …]]]. The methods give the zero
// value for a column that is absent or of another type; Has on Conn and the
// pointers tell absence where it matters.
type Row map[string]json.RawMessage

// String is a string or the uuid of a reference.
func (r Row) String(column string) string {
	s, _ := atom[string](r[column])
	return s
}

// Int is an integer; ok is false when there is none.
func (r Row) Int(column string) (value int64, ok bool) { return atom[int64](r[column]) }

// Bool is a boolean, false for an empty optional one.
func (r Row) Bool(column string) bool {
	b, _ := atom[bool](r[column])
	return b
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

// members are the values of a set, or the value itself.
func members(raw json.RawMessage) []json.RawMessage {
	if len(raw) == 0 || string(raw) == "null" {
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
	if json.Unmarshal(raw, tagged) != nil || len(*tagged) != 2 || json.Unmarshal((*tagged)[0], &tag) != nil {
		return "", false
	}
	return tag, true
}
