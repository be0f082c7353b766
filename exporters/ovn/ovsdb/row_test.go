package ovsdb

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestRow(t *testing.T) {
	var r Row
	if err := json.Unmarshal([]byte(`{"name":"ch1","n":7,"up":true,"none":["set",[]],"one":["set",[true]],
		"ref":["uuid","8d57"],"refs":["set",[["uuid","a"],["uuid","b"]]],"single":["uuid","c"],"map":["map",[["k","v"]]],"float":1.5}`), &r); err != nil {
		t.Fatal(err)
	}
	if r.String("name") != "ch1" || r.String("ref") != "8d57" || r.String("none") != "" || r.String("absent") != "" || r.String("map") != "" {
		t.Error("strings")
	}
	if n, ok := r.Int("n"); n != 7 || !ok {
		t.Error("integer")
	}
	for _, column := range []string{"none", "absent", "name", "float", "map"} {
		if _, ok := r.Int(column); ok {
			t.Errorf("%s is no integer", column)
		}
	}
	if !r.Bool("up") || !r.Bool("one") || r.Bool("none") || r.Bool("absent") {
		t.Error("booleans")
	}
	if !slices.Equal(r.Strings("refs"), []string{"a", "b"}) || !slices.Equal(r.Strings("single"), []string{"c"}) || r.Strings("none") != nil {
		t.Error("sets")
	}
}

func FuzzRow(f *testing.F) {
	f.Add([]byte(`["set",[["uuid","a"],1,true]]`))
	f.Add([]byte(`["uuid"]`))
	f.Add([]byte(`["map",[["k","v"]]]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := Row{"c": b}
		_, _ = r.Int("c")
		_ = r.Bool("c")
		if s := r.Strings("c"); len(s) > len(b) {
			t.Errorf("%d strings out of %d bytes", len(s), len(b))
		}
		_ = r.String("c")
	})
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"id":1,"result":[{"rows":[{"a":1}]}],"error":null}`))
	f.Add([]byte(`{"id":1,"error":{"error":"x","details":"y"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m message
		if json.Unmarshal(b, &m) != nil {
			return
		}
		var rows []struct{ Rows []Row }
		_ = m.into(&rows)
	})
}
