package ceph

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"mcloud/exporters"
)

// perfTable lists the counters of Ceph 16.2 and 18.2 with priority 5 and above:
// name, type, unit, the labels that the daemon itself gives, description, tab
// separated. It is written from the daemons' own schemas by the package's tests
// (go test -run Catalogue -update).
//
//go:embed perf.tsv
var perfTable string

// catalogue are the metrics of performance counters under one label that names
// the daemon: "ceph_daemon", and for a RADOS gateway "instance_id", as the mgr
// has it.
type catalogue struct {
	families []*exporters.Family
	byName   map[string]*exporters.Family
	// Counters that the table does not list, of other versions and daemons or of
	// lower priority, keep their names as labels, so that none is lost and all
	// metrics are still declared.
	unlistedCounter, unlistedGauge *exporters.Family
}

var (
	perfCatalogue = sync.OnceValue(func() *catalogue { return newCatalogue("ceph_daemon") })
	rgwCatalogue  = sync.OnceValue(func() *catalogue { return newCatalogue("instance_id") })
)

func newCatalogue(daemonLabel string) *catalogue {
	c := &catalogue{byName: map[string]*exporters.Family{}}
	add := func(f exporters.Family, labels ...string) *exporters.Family {
		f.Set, f.Call, f.Labels = exporters.SetPerf, "perf dump", append([]string{daemonLabel}, labels...)
		c.families = append(c.families, &f)
		return &f
	}
	c.unlistedCounter = add(exporters.Family{Name: "ceph_daemon_perf_total", Type: exporters.Counter,
		Help: "Performance counter that has no metric of its own, in the daemon's unit."}, "group", "counter", "labels")
	c.unlistedGauge = add(exporters.Family{Name: "ceph_daemon_perf", Type: exporters.Gauge,
		Help: "Performance value that has no metric of its own, in the daemon's unit."}, "group", "counter", "labels")
	for line := range strings.Lines(perfTable) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 5 {
			panic(fmt.Sprintf("ceph: perf.tsv: line %q has %d fields, want 5", line, len(f)))
		}
		var labels []string
		if f[3] != "" {
			labels = strings.Split(f[3], ",")
		}
		c.byName[f[0]] = add(exporters.Family{Name: f[0], Type: exporters.Type(f[1]), Unit: f[2], Help: f[4]}, labels...)
	}
	return c
}

// The bits of a counter's type, from ceph/ceph:src/common/perf_counters.h.
const (
	typeTime      = 1
	typeAverage   = 4
	typeCounter   = 8
	typeHistogram = 16
)

// description is one counter in "perf schema".
type description struct {
	Type     int    `json:"type"`
	Help     string `json:"description"`
	Priority int    `json:"priority"`
	Units    string `json:"units"` // "bytes", "none"
}

// instance is one set of counters of a group. Labels are the daemon's own, of
// "counter dump" (Ceph 18 on): {"fs_name": "cephfs"}. Most groups have one
// instance without labels.
type instance[T any] struct {
	Labels   map[string]string `json:"labels"`
	Counters map[string]T      `json:"counters"`
}

// dump holds a daemon's values by group, of "perf dump" or "counter dump"; its
// schema has the same shape.
type (
	perfGroups[T any] map[string][]instance[T]
	perfValues        = perfGroups[json.RawMessage]
)

// UnmarshalJSON takes both shapes: {"osd": {"op": 7}} of "perf dump" and
// {"osd": [{"labels": {}, "counters": {"op": 7}}]} of "counter dump". A group of
// another shape is left out; what it was is seen in that its counters are missing.
func (g *perfGroups[T]) UnmarshalJSON(b []byte) error {
	var raw map[string]json.RawMessage
	if err := decodeJSON(b, &raw); err != nil {
		return err
	}
	*g = make(perfGroups[T], len(raw))
	for group, text := range raw {
		if bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("[")) {
			var instances []instance[T]
			if err := decodeJSON(text, &instances); err != nil {
				return fmt.Errorf("group %.60q: %w", group, err)
			}
			(*g)[group] = instances
			continue
		}
		var counters map[string]T
		if err := decodeJSON(text, &counters); err != nil {
			return fmt.Errorf("group %.60q: %w", group, err)
		}
		(*g)[group] = []instance[T]{{Counters: counters}}
	}
	return nil
}

// schema is what a daemon says of its counters, by group and counter, with the
// pointers folded out of the groups' names. All instances of a group are alike.
type schema map[string]map[string]description

func newSchema(raw perfGroups[description]) schema {
	s := schema{}
	for group, instances := range raw {
		folded := fold(group)
		if s[folded] == nil {
			s[folded] = map[string]description{}
		}
		for _, one := range instances {
			maps.Copy(s[folded], one.Counters)
		}
	}
	return s
}

// pointer is the address that Ceph puts into the names of short-lived groups:
// "objecter-0x7f014000c770", "throttle-objecter_ops-0x7f0140028800".
var pointer = regexp.MustCompile(`-0x[0-9a-fA-F]+`)

// fold gives all instances of such a group one name, or each restart of a daemon
// would make new series. It is not that of the group without a pointer, whose
// values stay what the mgr says they are.
func fold(group string) string { return pointer.ReplaceAllString(group, "-other") }

// lacks reports whether the dump has a counter that the schema has not.
func (s schema) lacks(dump perfValues) bool {
	for group, instances := range dump {
		known := s[fold(group)]
		for _, one := range instances {
			for name := range one.Counters {
				if _, ok := known[name]; !ok {
					return true
				}
			}
		}
	}
	return false
}

// counter is one value with the names Ceph has for it.
type counter struct {
	group, name string
	labels      string // the daemon's own, "fs_name=cephfs,id=0": sorted by name
	kind        exporters.Type
	value       float64
}

// join gives the dump's values their types. Averages become a sum and a count;
// their average since the start is left out, and so are histograms. Instances of
// one folded group are added up. unknown counts what the schema does not list.
func (s schema) join(dump perfValues, priority int) (all []counter, unknown int, err error) {
	type key struct{ group, name, labels string }
	sums := map[key]*counter{}
	add := func(group, name, labels string, kind exporters.Type, value float64) {
		for _, name := range names(group, name) {
			k := key{group, name, labels}
			if sums[k] == nil {
				sums[k] = &counter{group: group, name: name, labels: labels, kind: kind}
			}
			sums[k].value += value
		}
	}
	for group, instances := range dump {
		group = fold(group)
		for _, one := range instances {
			labels := labelText(one.Labels)
			for name, raw := range one.Counters {
				d, ok := s[group][name]
				switch {
				case !ok:
					unknown++
				case d.Priority < priority || d.Type&typeHistogram != 0:
				case d.Type&typeAverage != 0:
					var average struct{ AvgCount, Sum *float64 }
					if e := decodeJSON(raw, &average); e != nil || average.AvgCount == nil || average.Sum == nil {
						err = fmt.Errorf("perf dump: %s.%s is %.60s, want avgcount and sum", group, name, raw)
						continue
					}
					add(group, name+"_sum", labels, exporters.Counter, *average.Sum)
					add(group, name+"_count", labels, exporters.Counter, *average.AvgCount)
				default:
					var value *float64
					if e := decodeJSON(raw, &value); e != nil || value == nil {
						err = fmt.Errorf("perf dump: %s.%s is %.60s, want a number", group, name, raw)
						continue
					}
					add(group, name, labels, d.kind(), *value)
				}
			}
		}
	}
	for _, c := range sums {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b counter) int {
		return cmp.Or(strings.Compare(a.group, b.group), strings.Compare(a.name, b.name), strings.Compare(a.labels, b.labels))
	})
	return all, unknown, err
}

func labelText(labels map[string]string) string {
	pairs := make([]string, 0, len(labels))
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, name+"="+labels[name])
	}
	return strings.Join(pairs, ",")
}

func (d description) kind() exporters.Type {
	if d.Type&typeCounter != 0 {
		return exporters.Counter
	}
	return exporters.Gauge
}

func (d description) unit() string {
	switch {
	case d.Units == "bytes":
		return "bytes"
	case d.Type&typeTime != 0:
		return "seconds"
	}
	return ""
}

// bluestoreNames are the counters that Ceph 17 renamed, by their old name. An
// old daemon's are served under both: the name that its mgr gives them, and the
// one that an upgrade does not cut.
var bluestoreNames = map[string]string{
	"bluestore_allocated":            "allocated",
	"bluestore_stored":               "stored",
	"bluestore_compressed":           "compressed",
	"bluestore_compressed_allocated": "compressed_allocated",
	"bluestore_compressed_original":  "compressed_original",
	"bluestore_onodes":               "onodes",
	"bluestore_pinned_onodes":        "onodes_pinned",
	"bluestore_fragmentation_micros": "fragmentation_micros",
	"bluestore_write_big":            "write_big",
	"bluestore_write_big_bytes":      "write_big_bytes",
	"bluestore_write_big_blobs":      "write_big_blobs",
	"bluestore_write_big_deferred":   "write_big_deferred",
	"bluestore_write_small":          "write_small",
	"bluestore_write_small_bytes":    "write_small_bytes",
	"bluestore_write_small_unused":   "write_small_unused",
	"bluestore_write_small_pre_read": "write_small_pre_read",
	"bluestore_txc":                  "txc_count",
	"commit_lat":                     "txc_commit_lat",
	"submit_lat":                     "txc_submit_lat",
	"throttle_lat":                   "txc_throttle_lat",
}

// names are the names under which a counter is served, its own first. name may
// end in _sum or _count.
func names(group, name string) []string {
	if group == "bluestore" {
		base, suffix := name, ""
		for _, s := range []string{"_sum", "_count"} {
			if b, ok := strings.CutSuffix(name, s); ok {
				base, suffix = b, s
			}
		}
		if renamed, ok := bluestoreNames[base]; ok {
			return []string{name, renamed + suffix}
		}
	}
	return []string{name}
}

// metricName is the rule of the mgr's prometheus module (promethize): "ceph_"
// and the path, "." "/" and blanks as underscores, "+" as _plus, a hyphen at the
// end as _minus. Colons stay, against Prometheus's advice; what else a name may
// not hold is an underscore.
func metricName(group, name string) string {
	path := strings.NewReplacer("::", "_", "+", "_plus").Replace(group + "." + name)
	if cut, ok := strings.CutSuffix(path, "-"); ok {
		path = cut + "_minus"
	}
	b := append(make([]byte, 0, len("ceph_")+len(path)), "ceph_"...)
	for _, r := range path {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == ':' {
			b = append(b, byte(r))
		} else {
			b = append(b, '_')
		}
	}
	return string(b)
}

// monOwned are metrics that the monitors give for every OSD of the cluster; the
// same from a socket would be the same series twice.
var monOwned = sync.OnceValue(func() map[string]bool {
	owned := map[string]bool{}
	for _, f := range monFamilies() {
		owned[f.Name] = true
	}
	return owned
})

// addPerf writes a daemon's counters as the catalogue has them.
func (c *catalogue) addPerf(snap *exporters.Snapshot, daemon string, counters []counter) {
	for _, one := range counters {
		name := metricName(one.group, one.name)
		if monOwned()[name] {
			continue
		}
		if family := c.byName[name]; family != nil {
			if values, ok := ownLabels(family.Labels[1:], one.labels); ok {
				snap.Add(family, one.value, append([]string{daemon}, values...)...)
				continue
			}
		}
		family := c.unlistedGauge
		if one.kind == exporters.Counter {
			family = c.unlistedCounter
		}
		snap.Add(family, one.value, daemon, one.group, one.name, one.labels)
	}
}

// ownLabels are the values of the labels that a daemon gave, in the order of
// names; ok is false when it gave others.
func ownLabels(names []string, text string) (values []string, ok bool) {
	if len(names) == 0 {
		return nil, text == ""
	}
	pairs := strings.Split(text, ",")
	if len(pairs) != len(names) {
		return nil, false
	}
	for i, pair := range pairs {
		value, ok := strings.CutPrefix(pair, names[i]+"=")
		if !ok {
			return nil, false
		}
		values = append(values, value)
	}
	return values, true
}
