package openstack

import (
	"crypto/sha256"
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"strings"
	"sync"
)

// What no model can know, flags and descriptions and links, is taken from answers
// recorded from the lab, one object of each kind, so that shapes are the real ones.
//
//go:embed recorded/*.json
var recordings embed.FS

var recordedBytes = sync.OnceValue(func() map[string][]byte {
	all := map[string][]byte{}
	entries, err := recordings.ReadDir("recorded")
	if err != nil {
		panic(err) // embedded at build
	}
	for _, e := range entries {
		b, err := recordings.ReadFile(path.Join("recorded", e.Name()))
		if err != nil {
			panic(err)
		}
		all[strings.TrimSuffix(e.Name(), ".json")] = b
	}
	return all
})

// recorded is a fresh copy of a recorded object with keys of its top level
// replaced.
func recorded(kind string, over object) object {
	made, known := decoded.Load(kind)
	if !known {
		var doc object
		if err := json.Unmarshal(recordedBytes()[kind], &doc); err != nil {
			panic(fmt.Sprintf("openstack: recording %s: %v", kind, err))
		}
		made, _ = decoded.LoadOrStore(kind, doc)
	}
	doc := fresh(made.(object)).(object)
	maps.Copy(doc, over)
	return doc
}

// decoded are recordings by kind: a list takes the same one for each object.
var decoded sync.Map

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

// madeID is the UUID of a thing that the model does not have, always the same for
// the same words.
func madeID(words ...any) string {
	h := sha256.Sum256([]byte(fmt.Sprint(words...)))
	return fmt.Sprintf("%x-%x-4%03x-8%03x-%x", h[:4], h[4:6], int(h[6])<<4, int(h[8])<<4, h[10:16])
}
