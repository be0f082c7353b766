package conformance

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
)

// Shape is what a JSON answer looks like without its values: the JSON types
// seen at each path. Elements of arrays are one path, "servers[].id"; keys of
// objects that are data, as uuids and resource classes are, are "*".
type Shape map[string]*Node

// Node is one path of a Shape.
type Node struct {
	Types    map[string]bool // string, number, bool, null, object, array
	Optional bool            // missing from some of the objects that could have it
}

// shapeOf gathers the Shape of v. data names paths whose keys are data.
func shapeOf(v any, data map[string]bool) Shape {
	s := Shape{}
	s.add("", []any{v}, data)
	return s
}

// add notes the values found at one path.
func (s Shape) add(path string, values []any, data map[string]bool) {
	node := &Node{Types: map[string]bool{}}
	s[path] = node
	fields, objects := map[string][]any{}, 0
	var elements []any
	for _, v := range values {
		switch x := v.(type) {
		case nil:
			node.Types["null"] = true
		case bool:
			node.Types["bool"] = true
		case float64:
			node.Types["number"] = true
		case string:
			node.Types["string"] = true
		case []any:
			node.Types["array"] = true
			elements = append(elements, x...)
		case map[string]any:
			node.Types["object"] = true
			objects++
			for k, f := range x {
				if data[path] {
					k = "*"
				}
				fields[k] = append(fields[k], f)
			}
		}
	}
	if len(elements) > 0 {
		s.add(path+"[]", elements, data)
	}
	for k, found := range fields {
		below := strings.TrimPrefix(path+"."+k, ".")
		s.add(below, found, data)
		s[below].Optional = k == "*" || len(found) < objects
	}
}

// String writes a path a line, sorted: path, types, and "optional".
func (s Shape) String() string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%s %s", cmpEmpty(path), strings.Join(slices.Sorted(maps.Keys(s[path].Types)), "|"))
		if s[path].Optional {
			b.WriteString(" optional")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func cmpEmpty(path string) string {
	if path == "" {
		return "."
	}
	return strings.ReplaceAll(path, " ", "␣")
}

// parseShape reads what String wrote.
func parseShape(text string) (Shape, error) {
	s := Shape{}
	for n, line := range strings.Split(strings.TrimSpace(text), "\n") {
		words := strings.Fields(line)
		if len(words) < 2 || len(words) > 3 {
			return nil, fmt.Errorf("line %d: %q is not a path, types and maybe \"optional\"", n+1, line)
		}
		node := &Node{Types: map[string]bool{}, Optional: len(words) == 3}
		for _, t := range strings.Split(words[1], "|") {
			node.Types[t] = true
		}
		path := strings.ReplaceAll(words[0], "␣", " ")
		if path == "." {
			path = ""
		}
		s[path] = node
	}
	return s, nil
}

// parent is the path that holds path.
func parent(path string) string {
	if trimmed, ok := strings.CutSuffix(path, "[]"); ok {
		return trimmed
	}
	// A dot inside a key cannot be told from one between keys; that costs at
	// most a missed difference.
	at := strings.LastIndex(path, ".")
	if at < 0 {
		return ""
	}
	return path[:at]
}

// differences says where got is not shaped as want is. What want showed only as
// null, and what either showed as an empty list or object, cannot be compared. loose are paths
// below which nothing is said: they hold what depends on the state.
func differences(want, got Shape, loose []string) []string {
	skip := func(path string) bool {
		for _, l := range loose {
			if path == l || strings.HasPrefix(path, l+".") || strings.HasPrefix(path, l+"[]") {
				return true
			}
		}
		return false
	}
	var all []string
	for path, w := range want {
		g, has := got[path]
		switch {
		case skip(path):
		case !has && !w.Optional && inhabited(got, parent(path)):
			all = append(all, fmt.Sprintf("%s is missing (%s)", path, w.words()))
		case has && !alike(w, g):
			all = append(all, fmt.Sprintf("%s is %s, want %s", path, g.words(), w.words()))
		}
	}
	for path := range got {
		if _, has := want[path]; !has && !skip(path) && inhabited(want, parent(path)) {
			all = append(all, path+" is invented")
		}
	}
	sort.Strings(all)
	return all
}

// inhabited says whether the shape shows what is below the path.
func inhabited(s Shape, path string) bool {
	if _, has := s[path]; !has {
		return false
	}
	for other := range s {
		if other != path && (strings.HasPrefix(other, path+".") || strings.HasPrefix(other, path+"[]") || path == "") {
			return true
		}
	}
	return false
}

// alike: every type that got shows is one that want shows. Where want showed
// nothing but null, got may show anything.
func alike(want, got *Node) bool {
	if onlyNull(want) {
		return true
	}
	for t := range got.Types {
		if !want.Types[t] {
			return false
		}
	}
	return true
}

func onlyNull(n *Node) bool { return len(n.Types) == 1 && n.Types["null"] }

func (n *Node) words() string { return strings.Join(slices.Sorted(maps.Keys(n.Types)), "|") }
