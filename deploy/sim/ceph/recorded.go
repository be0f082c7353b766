package ceph

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed recorded/*.json
var recordings embed.FS

var recordedBytes = sync.OnceValue(func() map[string][]byte {
	all := map[string][]byte{}
	entries, err := recordings.ReadDir("recorded")
	if err != nil {
		panic(fmt.Sprintf("ceph: embedded recordings: %v", err)) // the build left them out
	}
	for _, e := range entries {
		b, err := recordings.ReadFile("recorded/" + e.Name())
		if err != nil {
			panic(fmt.Sprintf("ceph: embedded recording %s: %v", e.Name(), err))
		}
		all[strings.TrimSuffix(e.Name(), ".json")] = b
	}
	return all
})

// recorded returns a fresh copy of a recorded answer with the given keys of its
// top level replaced. Numbers keep their form.
func recorded(name string, over object) object {
	made, known := decoded.Load(name)
	if !known {
		made, _ = decoded.LoadOrStore(name, decode(name))
	}
	doc := fresh(made.(object)).(object)
	maps.Copy(doc, over)
	return doc
}

// decoded are recordings by name: an answer takes the same one for each OSD.
var decoded sync.Map

func decode(name string) object {
	b, known := recordedBytes()[name]
	if !known {
		panic("ceph: no recording " + name)
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.UseNumber()
	var doc object
	if err := decoder.Decode(&doc); err != nil {
		panic(fmt.Sprintf("ceph: recording %s: %v", name, err))
	}
	return doc
}

// fresh is a copy that shares nothing which can be changed.
func fresh(v any) any {
	switch x := v.(type) {
	case object:
		c := make(object, len(x))
		for k, e := range x {
			c[k] = fresh(e)
		}
		return c
	case []any:
		c := make([]any, len(x))
		for i, e := range x {
			c[i] = fresh(e)
		}
		return c
	}
	return v
}

// at walks into nested objects of a recording.
func at(doc object, path ...string) object {
	for _, p := range path {
		doc = doc[p].(object)
	}
	return doc
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// stamp is a time as Ceph's maps write it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000+0000") }
