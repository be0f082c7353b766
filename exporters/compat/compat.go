// Package compat serves mCloud's values a second time under the names and labels
// of another exporter, where the meaning is the same, so that dashboards and
// rules written for that one go on working. It asks nothing: it translates what
// a prometheus.Gatherer has.
//
// The translation is data, a Rule for each of the other's families. What has no
// Rule is listed with its reason in the table of peers (exporters/peers).
package compat

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Rule makes one family of the other exporter from one of ours, or a part of it:
// the samples of several Rules of one Name come together. Those that have the
// same labels afterwards are added up.
type Rule struct {
	// Name and Help are the family that is made.
	Name, Help string
	Type       dto.MetricType
	// From is our family.
	From string
	// Where are labels of ours that a sample must have; nil for all of them. "!x"
	// stands for every value but x.
	Where map[string]string
	// Labels are what the samples get, in the other's spelling.
	Labels []Label
	// Joins complete a sample by labels of other families of ours. A sample that
	// finds none gets empty labels.
	Joins []Join
	// Scale multiplies the value; 0 means 1.
	Scale float64
	// Value, if not nil, makes the value of our value and labels; with false the
	// sample is left out.
	Value func(v float64, labels map[string]string) (float64, bool)
}

// Join names a family of ours that agrees with a sample in the labels On: an
// _info for its labels, or another one for its value, which is the label "value".
// "a=b" in On is a's value in the sample and b's in the joined family.
type Join struct {
	With string
	On   []string
}

// Label is one label of the other's.
type Label struct {
	Name string
	// From is our label that it gets its value from, or two of them as "a+b", with
	// "_" between their values; Const is a fixed value. Joined says that From is a
	// label of the joined families: "name", or "family.name" where two have it.
	From, Const string
	Joined      bool
	// Words replaces values: {"1": "enabled", "0": "disabled"}.
	Words map[string]string
}

// Gatherer gives what from has and, besides, what rules make of it. const labels
// of ours that no Rule names ("cloud") are kept on what is made, so that several
// clouds stay apart.
func Gatherer(from prometheus.Gatherer, rules []Rule) prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		ours, err := from.Gather()
		made := Translate(ours, rules)
		all := append(slices.Clone(ours), made...)
		slices.SortFunc(all, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
		return all, err
	})
}

// Translate applies the rules. A family that ours has under the very name is
// served as it is and not made again.
func Translate(ours []*dto.MetricFamily, rules []Rule) []*dto.MetricFamily {
	byName := map[string]*dto.MetricFamily{}
	for _, f := range ours {
		byName[f.GetName()] = f
	}
	at := map[string]*translation{}
	var made []*translation
	for _, r := range rules {
		from := byName[r.From]
		if from == nil || byName[r.Name] != nil {
			continue
		}
		t := at[r.Name]
		if t == nil {
			t = &translation{family: &dto.MetricFamily{Name: &r.Name, Help: &r.Help, Type: &r.Type}, at: map[string]*dto.Metric{}}
			at[r.Name], made = t, append(made, t)
		}
		r.apply(t, from, byName)
	}
	var families []*dto.MetricFamily
	for _, t := range made {
		if len(t.family.Metric) > 0 {
			t.sort()
			families = append(families, t.family)
		}
	}
	return families
}

// translation is a family in the making.
type translation struct {
	family *dto.MetricFamily
	at     map[string]*dto.Metric // by labels
}

func (t *translation) sort() {
	slices.SortFunc(t.family.Metric, func(a, b *dto.Metric) int { // all have the same label names
		return slices.CompareFunc(a.Label, b.Label, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetValue(), b.GetValue()) })
	})
}

// cloud is the label that every sample of a cloud carries.
const cloud = "cloud"

func (r Rule) apply(t *translation, from *dto.MetricFamily, ours map[string]*dto.MetricFamily) {
	complete := r.joined(ours)
	for _, m := range from.Metric {
		labels := labelsOf(m)
		if !r.wants(labels) {
			continue
		}
		value, ok := r.value(m, labels)
		if !ok {
			continue
		}
		pairs := r.labels(labels, complete(labels))
		id := fmt.Sprint(pairs)
		if there := t.at[id]; there != nil {
			add(there, value)
			continue
		}
		made := &dto.Metric{Label: pairs}
		if t.family.GetType() == dto.MetricType_COUNTER {
			made.Counter = &dto.Counter{Value: &value}
		} else {
			made.Gauge = &dto.Gauge{Value: &value}
		}
		t.at[id] = made
		t.family.Metric = append(t.family.Metric, made)
	}
}

func (r Rule) wants(labels map[string]string) bool {
	for name, want := range r.Where {
		if other, not := strings.CutPrefix(want, "!"); not == (labels[name] == other) {
			return false
		}
	}
	return true
}

func (r Rule) value(m *dto.Metric, labels map[string]string) (float64, bool) {
	v := m.GetGauge().GetValue() + m.GetCounter().GetValue() // one of them is there
	if r.Value != nil {
		return r.Value(v, labels)
	}
	if r.Scale != 0 {
		v *= r.Scale
	}
	return v, true
}

func (r Rule) labels(own, joined map[string]string) []*dto.LabelPair {
	pairs := make([]*dto.LabelPair, 0, len(r.Labels)+1)
	named := false
	for _, l := range r.Labels {
		value := l.Const
		switch {
		case l.Joined:
			value = joined[l.From]
		case l.From != "":
			first, second, two := strings.Cut(l.From, "+")
			if value = own[first]; two {
				value += "_" + own[second]
			}
		}
		if word, ok := l.Words[value]; ok {
			value = word
		}
		named = named || l.Name == cloud
		pairs = append(pairs, &dto.LabelPair{Name: &l.Name, Value: &value})
	}
	if v, ok := own[cloud]; ok && !named {
		name := cloud
		pairs = append(pairs, &dto.LabelPair{Name: &name, Value: &v})
	}
	slices.SortFunc(pairs, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	return pairs
}

// joined gives the labels that a sample with the labels given gets from Joins.
func (r Rule) joined(ours map[string]*dto.MetricFamily) func(map[string]string) map[string]string {
	indexes := make([]map[string]map[string]string, len(r.Joins))
	for i, join := range r.Joins {
		indexes[i] = map[string]map[string]string{}
		f := ours[join.With]
		if f == nil {
			continue
		}
		for _, m := range f.Metric {
			labels := labelsOf(m)
			if !strings.HasSuffix(join.With, "_info") {
				labels["value"] = strconv.FormatFloat(m.GetGauge().GetValue(), 'g', -1, 64)
			}
			indexes[i][key(labels, join.On, true)] = labels
		}
	}
	return func(labels map[string]string) map[string]string {
		all := map[string]string{}
		for i, join := range r.Joins {
			found := indexes[i][key(labels, join.On, false)]
			maps.Copy(all, found)
			for name, value := range found {
				all[join.With+"."+name] = value
			}
		}
		return all
	}
}

// key is what a sample, or with joined a series of the joined family, is found by.
func key(labels map[string]string, on []string, joined bool) string {
	values := []string{labels[cloud]}
	for _, pair := range on {
		name, theirs, two := strings.Cut(pair, "=")
		if two && joined {
			name = theirs
		}
		values = append(values, labels[name])
	}
	return strings.Join(values, "\xff")
}

func labelsOf(m *dto.Metric) map[string]string {
	labels := make(map[string]string, len(m.Label))
	for _, l := range m.Label {
		labels[l.GetName()] = l.GetValue()
	}
	return labels
}

func add(m *dto.Metric, v float64) {
	if m.Counter != nil {
		*m.Counter.Value += v
		return
	}
	*m.Gauge.Value += v
}
