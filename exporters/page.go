package exporters

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// series is one sample, ready for the page.
type series struct {
	key    string // name and label values, unique on a page
	set    Set
	metric prometheus.Metric
}

// makeSeries readies the samples of one look. Samples of a family that the
// Source did not declare, of a series that is there already, or that cannot be
// shown are left out, one error for each family.
func makeSeries(s Source, samples []Sample) ([]series, []error) {
	type shape struct {
		desc  *prometheus.Desc
		value prometheus.ValueType
	}
	constLabels := prometheus.Labels{}
	for name, value := range s.Const {
		constLabels[name] = strings.ToValidUTF8(value, "\uFFFD")
	}
	shapes := make(map[*Family]shape, len(s.Families))
	for _, f := range s.Families {
		value := prometheus.GaugeValue
		if f.Type == Counter {
			value = prometheus.CounterValue
		}
		shapes[f] = shape{prometheus.NewDesc(f.Name, f.Help, f.Labels, constLabels), value}
	}
	var constKey strings.Builder
	for _, name := range constNames(s) {
		fmt.Fprintf(&constKey, "\xff%s\xff%s", name, s.Const[name])
	}

	made := make([]series, 0, len(samples))
	seen := make(map[string]bool, len(samples))
	wrong := complaints{}
	for _, sample := range samples {
		if sample.Family == nil {
			wrong.add("", "a sample has no family")
			continue
		}
		f := sample.Family
		sh, declared := shapes[f]
		if !declared {
			wrong.add(f.Name, "is not among the families that the source declares")
			continue
		}
		labels := make([]string, len(sample.Labels))
		for i, v := range sample.Labels {
			labels[i] = strings.ToValidUTF8(v, "\uFFFD")
		}
		key := seriesKey(f, labels) + constKey.String()
		if seen[key] {
			wrong.add(f.Name, "has labels "+quoted(labels)+" twice")
			continue
		}
		metric, err := prometheus.NewConstMetric(sh.desc, sh.value, sample.Value, labels...)
		if err != nil {
			wrong.add(f.Name, err.Error())
			continue
		}
		seen[key] = true
		made = append(made, series{key: key, set: f.Set, metric: metric})
	}
	slices.SortFunc(made, func(a, b series) int { return strings.Compare(a.key, b.key) })
	return made, wrong.errors()
}

// seriesKey names a series among all that are on a page. Label names take part
// because two Sources may give a family different ones.
func seriesKey(f *Family, values []string) string {
	pairs := make([]string, min(len(values), len(f.Labels)))
	for i := range pairs {
		pairs[i] = f.Labels[i] + "\xff" + values[i]
	}
	slices.Sort(pairs)
	return f.Name + "\xff" + strings.Join(pairs, "\xff")
}

func quoted(labels []string) string { return fmt.Sprintf("%q", labels) }

// complaints holds the first complaint about each family and counts the rest.
type complaints map[string]*complaint

type complaint struct {
	text string
	n    int
}

func (c complaints) add(family, text string) {
	if c[family] == nil {
		c[family] = &complaint{text: text}
	}
	c[family].n++
}

func (c complaints) errors() []error {
	var all []error
	for family, first := range c {
		err := fmt.Errorf("%s %s", family, first.text)
		if first.n > 1 {
			err = fmt.Errorf("%w (and %d samples more were left out)", err, first.n-1)
		}
		all = append(all, WithKind(err, KindSample))
	}
	slices.SortFunc(all, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return all
}

// page gives the last snapshots to a Prometheus registry. It describes nothing
// beforehand ("unchecked"), because what is there changes with each look.
type page struct{ r *Runner }

func (page) Describe(chan<- *prometheus.Desc) {}

// Collect sends the series in the order of Sources and keys. Of a series that
// two Sources have, the first is served and the other counted against its Source.
func (p page) Collect(out chan<- prometheus.Metric) {
	p.r.mu.RLock()
	tasks := p.r.tasks
	p.r.mu.RUnlock()
	now := time.Now()
	seen := map[string]*task{}
	for _, t := range tasks {
		fresh, taken := t.fresh(now)
		clashes := complaints{}
		for _, s := range fresh {
			if !p.r.sets[s.set] {
				continue
			}
			if first := seen[s.key]; first != nil {
				family, _, _ := strings.Cut(s.key, "\xff")
				clashes.add(family, fmt.Sprintf("is served by source %q already", first.source.Name))
				continue
			}
			seen[s.key] = t
			out <- s.metric
		}
		t.noteClashes(clashes.errors(), taken)
		for _, m := range t.selfMetrics(now) {
			out <- m
		}
	}
}

// fresh returns the series of the last good look unless they are too old.
func (t *task) fresh(now time.Time) ([]series, time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.taken) > t.source.MaxAge {
		return nil, t.taken
	}
	return t.series, t.taken
}

// noteClashes counts the clashes of one snapshot once, however often it is served.
func (t *task) noteClashes(clashes []error, taken time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(clashes) == 0 || t.clashNoted.Equal(taken) {
		return
	}
	if t.clashNoted.IsZero() {
		t.log.Error("series were left out because another source has them", "first", clashes[0].Error(), "families", len(clashes))
	}
	t.clashNoted = taken
	t.errors[KindSample] += float64(len(clashes))
}

// selfMetrics are the Runner's own series about the task.
func (t *task) selfMetrics(now time.Time) []prometheus.Metric {
	calls := t.calls.snapshot()
	lostInventories, lostEvents := t.outbox.lost()
	t.mu.Lock()
	defer t.mu.Unlock()

	snap := &Snapshot{}
	name, system := t.source.Name, t.source.System
	snap.Add(selfPeriod, t.source.Period.Seconds(), name, system)
	for k, n := range t.errors {
		snap.Add(selfErrors, n, name, k)
	}
	for k, n := range calls {
		snap.Add(selfCalls, n.n, name, k.api, k.code)
		snap.Add(selfCallSeconds, n.seconds, name, k.api, k.code)
	}
	if t.opts.Recorder != nil {
		snap.Add(selfUnrecorded, lostInventories, name, "inventory")
		snap.Add(selfUnrecorded, lostEvents, name, "event")
	}
	if t.last.done {
		snap.Add(selfAbsent, Bool(t.health == healthAbsent), name, system)
		snap.Add(selfDuration, t.last.took.Seconds(), name, system)
		snap.Add(selfObjects, float64(t.last.seen), name, "seen")
		snap.Add(selfObjects, float64(t.last.skipped), name, "skipped")
		snap.Add(selfObjects, float64(t.last.failed), name, "failed")
		if t.health != healthAbsent {
			snap.Add(selfSuccess, Bool(t.health != healthFailing), name, system)
			snap.Add(selfComplete, Bool(t.health == healthWhole), name, system)
		}
	}
	if !t.taken.IsZero() {
		snap.Add(selfLastSuccess, float64(t.taken.UnixMilli())/1000, name, system)
	}
	made, wrong := makeSeries(Source{Name: name, Const: t.selfConst(), Families: SelfFamilies()}, snap.Samples)
	metrics := make([]prometheus.Metric, 0, len(made)+len(wrong))
	for _, s := range made {
		metrics = append(metrics, s.metric)
	}
	for _, err := range wrong {
		metrics = append(metrics, prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(err), err))
	}
	return metrics
}

// selfConst leaves out Const labels that the self-metrics need for themselves.
func (t *task) selfConst() map[string]string {
	labels := map[string]string{}
	for name, value := range t.source.Const {
		if !slices.Contains([]string{"source", "system", "api", "code", "kind", "state", "record"}, name) {
			labels[name] = value
		}
	}
	return labels
}
