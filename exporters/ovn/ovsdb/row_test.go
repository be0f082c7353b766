package ovsdb

import (
	"bytes"
	"encoding/json"
	"maps"
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

func TestRowMaps(t *testing.T) {
	r := Row{
		"m":     json.RawMessage(`["map",[["a","1"],["b\"","2\u00e9"],["c",""]]]`),
		"n":     json.RawMessage(`["map",[["rx_bytes",210],["tx",-1],["odd","x"]]]`),
		"empty": json.RawMessage(`["map",[]]`),
		"set":   json.RawMessage(`["set",[["uuid","8d573120-1b75-4708-b617-7278bb5c0770"],["uuid","x"]]]`),
		"one":   json.RawMessage(`["uuid","8d573120-1b75-4708-b617-7278bb5c0770"]`),
	}
	if r.Get("m", "a") != "1" || r.Get("m", `b"`) != "2é" || r.Get("m", "c") != "" || r.Get("m", "d") != "" || r.Get("n", "rx_bytes") != "" || r.Get("absent", "a") != "" {
		t.Error("values")
	}
	if got := maps.Collect(r.Ints("n")); len(got) != 2 || got["rx_bytes"] != 210 || got["tx"] != -1 {
		t.Error(got)
	}
	for column, want := range map[string]int{"m": 3, "n": 3, "empty": 0, "set": 2, "one": 1, "absent": 0} {
		if got := r.Len(column); got != want {
			t.Errorf("%s has %d, want %d", column, got, want)
		}
	}
	ids := r.IDs("set")
	if len(ids) != 1 || ids[0] != r.ID("one") || ids[0].String() != "8d573120-1b75-4708-b617-7278bb5c0770" || r.ID("m") != (ID{}) {
		t.Error(ids)
	}
}

// What is read without encoding/json reads the same as with it.
func FuzzRow(f *testing.F) {
	for _, s := range []string{`["set",[["uuid","a"],1,true]]`, `["uuid"]`, `["map",[["k","v"]]]`, `["map",[["k",["uuid","x"]],["a\"b",-5],["k",1.5e3]]]`,
		`["uuid","8d573120-1b75-4708-b617-7278bb5c0770"]`, `"\u00e9"`, "\"\xff\"", `["set",["up"]]`, ` [ "map" , [ [ "k" , "v" ] ] ] `, `1.0`, `-0`, `["map",[["k",["set",[]]]]]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !json.Valid(b) {
			return
		}
		r := Row{"c": bytes.TrimSpace(b)}
		_, _ = r.Int("c")
		_ = r.Bool("c")
		if s := r.Strings("c"); len(s) > len(b) {
			t.Errorf("%d strings out of %d bytes", len(s), len(b))
		}
		if want, _ := atom[string](r["c"]); r.String("c") != want {
			t.Errorf("string %q, want %q", r.String("c"), want)
		}
		_, _ = r.IDs("c"), r.Len("c")
		want, isMap := slowMap(r["c"])
		n, ok := eachPair(r["c"], nil)
		if isMap && (!ok || n != len(want)) {
			t.Errorf("%d pairs (%v), want %d", n, ok, len(want))
		}
		if !isMap {
			return
		}
		i := 0
		for k, v := range r.Map("c") {
			if k != want[i][0] || v != want[i][1] {
				t.Errorf("pair %d is %q: %q, want %q", i, k, v, want[i])
			}
			i++
		}
	})
}

// slowMap reads a map whose keys and values are atoms; what is no string reads "".
func slowMap(raw json.RawMessage) (pairs [][2]string, ok bool) {
	var outer, list []json.RawMessage
	if tag, ok := tagOf(raw, &outer); !ok || tag != "map" || string(outer[0]) != `"map"` || json.Unmarshal(outer[1], &list) != nil || string(outer[1]) == "null" {
		return nil, false
	}
	for _, p := range list {
		var pair []json.RawMessage
		if json.Unmarshal(p, &pair) != nil || len(pair) != 2 {
			return nil, false
		}
		var kv [2]string
		for i, v := range pair {
			if v[0] == '{' || v[0] == '[' {
				return nil, false
			}
			_ = json.Unmarshal(v, &kv[i])
		}
		pairs = append(pairs, kv)
	}
	return pairs, true
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
