package openstack

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	json "github.com/go-json-experiment/json/v1"
)

// The types of this file read what the services really send: times with and
// without zone, numbers in strings, ids that are numbers.

// Time is a time in UTC. null and "" are the zero Time.
type Time struct{ time.Time }

// timeLayouts are the forms seen; those without a zone are UTC.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999", "2006-01-02 15:04:05.999999", "2006-01-02 15:04:05.999999-07:00", "2006-01-02T15:04:05.999999-0700"}

// UnmarshalJSON reads any of the forms.
func (t *Time) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if s == nil || *s == "" {
		*t = Time{}
		return nil
	}
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, *s); err == nil {
			t.Time = at.UTC()
			return nil
		}
	}
	return fmt.Errorf("%q is not a time", *s)
}

// Float is a number, perhaps in a string. Known is false for null, "", and the
// words "unknown", "infinite", "inf", "nan" that Cinder's drivers give for a
// capacity.
type Float struct {
	Value float64
	Known bool
}

// UnmarshalJSON reads any of the forms.
func (f *Float) UnmarshalJSON(b []byte) error {
	*f = Float{}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
	case float64:
		*f = Float{v, true}
	case string:
		switch s := strings.ToLower(strings.TrimSpace(v)); s {
		case "", "unknown", "infinite":
		default:
			n, err := strconv.ParseFloat(s, 64)
			if err != nil {
				return fmt.Errorf("%q is not a number", v)
			}
			if !math.IsNaN(n) && !math.IsInf(n, 0) {
				*f = Float{n, true}
			}
		}
	default:
		return fmt.Errorf("%s is not a number", b)
	}
	return nil
}

// Pointer is nil when the number is not known.
func (f Float) Pointer() *float64 {
	if !f.Known {
		return nil
	}
	return &f.Value
}

// Int is a whole number, perhaps in a string; null and "" are 0.
type Int int64

// UnmarshalJSON reads any of the forms.
func (i *Int) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if s == "" || s == "null" {
		*i = 0
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return fmt.Errorf("%s is not a whole number", b)
	}
	*i = Int(n)
	return nil
}

// ID is an identifier: a string, or a number as older versions of some APIs
// give it. null is "".
type ID string

// UnmarshalJSON reads any of the forms.
func (id *ID) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(id))
	}
	s := string(b)
	if s == "null" {
		*id = ""
		return nil
	}
	if _, err := strconv.ParseInt(s, 10, 64); err != nil {
		return fmt.Errorf("%s is not an id", b)
	}
	*id = ID(s)
	return nil
}

// Bool is true or false, perhaps in a string, in any case; null and "" are false.
type Bool bool

// UnmarshalJSON reads any of the forms.
func (v *Bool) UnmarshalJSON(b []byte) error {
	switch strings.ToLower(strings.Trim(string(b), `"`)) {
	case "true", "1":
		*v = true
	case "false", "0", "null", "":
		*v = false
	default:
		return fmt.Errorf("%s is neither true nor false", b)
	}
	return nil
}
