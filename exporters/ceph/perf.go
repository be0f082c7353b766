package ceph

import (
	"bytes"
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
// name, type, unit, description, tab separated. It is written from the daemons'
// own schemas by the package's tests (go test -run Catalogue -update).
//
//go:embed perf.tsv
var perfTable string

// Counters that the table does not list, of other versions and daemons or of
// lower priority, keep their names as labels, so that none is lost and all
// metrics are still declared.
var (
	unlistedCounter = &exporters.Family{Name: "ceph_daemon_perf_total", Type: exporters.Counter, Set: exporters.SetPerf, Call: "perf dump",
		Labels: []string{"ceph_daemon", "group", "counter"}, Help: "Performance counter that has no metric of its own, in the daemon's unit."}
	unlistedGauge = &exporters.Family{Name: "ceph_daemon_perf", Type: exporters.Gauge, Set: exporters.SetPerf, Call: "perf dump",
		Labels: []string{"ceph_daemon", "group", "counter"}, Help: "Performance value that has no metric of its own, in the daemon's unit."}
)

type catalogue struct {
	families []*exporters.Family
	byName   map[string]*exporters.Family
}

var perfCatalogue = sync.OnceValue(func() catalogue {
	c := catalogue{byName: map[string]*exporters.Family{}}
	for line := range strings.Lines(perfTable) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 4 {
			panic(fmt.Sprintf("ceph: perf.tsv: line %q has %d fields, want 4", line, len(f)))
		}
		family := &exporters.Family{Name: f[0], Type: exporters.Type(f[1]), Unit: f[2], Help: f[3],
			Set: exporters.SetPerf, Call: "perf dump", Labels: []string{"ceph_daemon"}}
		c.families = append(c.families, family)
		c.byName[family.Name] = family
	}
	return c
})

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

// schema is what a daemon says of its counters, by group and counter, with the
// pointers folded out of the groups' names.
type schema map[string]map[string]description

func newSchema(raw map[string]map[string]description) schema {
	s := schema{}
	for group, counters := range raw {
		folded := fold(group)
		if s[folded] == nil {
			s[folded] = map[string]description{}
		}
		maps.Copy(s[folded], counters)
	}
	return s
}

// pointer is the address that Ceph puts into the names of short-lived groups:
// "objecter-0x7f014000c770", "throttle-objecter_ops-0x7f0140028800".
var pointer = regexp.MustCompile(`-0x[0-9a-fA-F]+`)

// fold gives all instances of a group one name, or each restart of a daemon
// would make new series.
func fold(group string) string { return pointer.ReplaceAllString(group, "") }

// lacks reports whether the dump has a counter that the schema has not.
func (s schema) lacks(dump map[string]map[string]json.RawMessage) bool {
	for group, counters := range dump {
		known := s[fold(group)]
		for name := range counters {
			if _, ok := known[name]; !ok {
				return true
			}
		}
	}
	return false
}

// counter is one value with the names Ceph has for it.
type counter struct {
	group, name string
	kind        exporters.Type
	value       float64
}

// join gives the dump's values their types. Averages become a sum and a count;
// their average since the start is left out, and so are histograms. Instances of
// one folded group are added up. unknown counts what the schema does not list.
func (s schema) join(dump map[string]map[string]json.RawMessage, priority int) (all []counter, unknown int, err error) {
	type key struct{ group, name string }
	sums := map[key]*counter{}
	add := func(group, name string, kind exporters.Type, value float64) {
		k := key{group, name}
		if sums[k] == nil {
			sums[k] = &counter{group: group, name: name, kind: kind}
		}
		sums[k].value += value
	}
	for group, counters := range dump {
		group = fold(group)
		for name, raw := range counters {
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
				add(group, current(group, name)+"_sum", exporters.Counter, *average.Sum)
				add(group, current(group, name)+"_count", exporters.Counter, *average.AvgCount)
			default:
				var value *float64
				if e := decodeJSON(raw, &value); e != nil || value == nil {
					err = fmt.Errorf("perf dump: %s.%s is %.60s, want a number", group, name, raw)
					continue
				}
				add(group, current(group, name), d.kind(), *value)
			}
		}
	}
	for _, c := range sums {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b counter) int { return strings.Compare(a.group+"\x00"+a.name, b.group+"\x00"+b.name) })
	return all, unknown, err
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

// bluestoreNames are the counters that Ceph 17 renamed, by their old name. The
// new name is used for both, so that an upgrade does not cut the series.
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

func current(group, name string) string {
	if group == "bluestore" {
		if renamed, ok := bluestoreNames[name]; ok {
			return renamed
		}
	}
	return name
}

// metricName is the mgr's rule: "ceph_" and the path, with everything that a
// metric's name may not hold as underscores.
func metricName(group, name string) string {
	var b bytes.Buffer
	b.WriteString("ceph_")
	path := strings.NewReplacer("::", "_", "+", "_plus").Replace(group + "_" + name)
	for _, r := range path {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			b.WriteRune(r)
		} else {
			b.WriteByte('_')
		}
	}
	return b.String()
}

// monOwned are metrics that the monitors give for every OSD of the cluster; the
// same from a socket would be the same series twice.
var monOwned = sync.OnceValue(func() map[string]bool {
	owned := map[string]bool{}
	for _, f := range slices.Concat(healthFamilies, osdFamilies(), poolFamilies(), pgFamilies()) {
		owned[f.Name] = true
	}
	return owned
})

func addPerf(snap *exporters.Snapshot, daemon string, counters []counter) {
	for _, c := range counters {
		name := metricName(c.group, c.name)
		family := perfCatalogue().byName[name]
		switch {
		case monOwned()[name]:
		case family != nil:
			snap.Add(family, c.value, daemon)
		case c.kind == exporters.Counter:
			snap.Add(unlistedCounter, c.value, daemon, c.group, c.name)
		default:
			snap.Add(unlistedGauge, c.value, daemon, c.group, c.name)
		}
	}
}
