package exporters

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// What a Runner serves has two parts. The series of the Sources are written in
// the text format and compressed when a look ends, so that a scrape of hundreds
// of thousands only puts pieces together; of a large cloud they are too many to
// be metrics of client_golang, which makes, checks and sorts each of them at each
// scrape. The Runner's own series and whatever else is registered are few, and
// come from the Registry.

// page gives the Runner's own series to a Prometheus registry. It describes
// nothing beforehand ("unchecked"), because what is there changes with each look.
type page struct{ r *Runner }

func (page) Describe(chan<- *prometheus.Desc) {}

// Collect sends the series in the order of Sources.
func (p page) Collect(out chan<- prometheus.Metric) {
	now := time.Now()
	for _, t := range p.r.allTasks() {
		for _, m := range t.selfMetrics(now) {
			out <- m
		}
	}
}

// metricsHandler serves the page in the text format, which every Prometheus
// takes; gzipped for who accepts it.
func (r *Runner) metricsHandler() http.Handler {
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "promhttp_metric_handler_errors_total",
		Help: "Total number of internal errors encountered by the promhttp metric handler.",
	}, []string{"cause"})
	if err := r.opts.Registry.Register(failures); err != nil {
		var there prometheus.AlreadyRegisteredError
		if !errors.As(err, &there) {
			panic(err) // the Registry has it with other labels: a programming error
		}
		failures = there.ExistingCollector.(*prometheus.CounterVec)
	}
	failures.WithLabelValues("gathering")
	failures.WithLabelValues("encoding")
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		families, err := r.opts.Registry.Gather()
		if err != nil {
			failures.WithLabelValues("gathering").Inc()
			r.logger.Error("error gathering metrics", "error", err.Error())
			if len(families) == 0 {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		body, err := r.compose(families, time.Now())
		if err != nil {
			failures.WithLabelValues("encoding").Inc()
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
		w.Header().Add("Vary", "Accept-Encoding")
		if acceptsGzip(req.Header) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Length", strconv.Itoa(body.gzipSize()))
			err = body.writeGzip(w)
		} else {
			_, err = io.Copy(w, body.plain())
		}
		if err != nil {
			r.logger.Log(req.Context(), slog.LevelDebug, "page was not delivered", "error", err.Error())
		}
	})
}

// Gatherer gives everything that Handler serves as metrics of client_golang. It
// reads the page to make them, which is dear in a large cloud.
func (r *Runner) Gatherer() prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		registered, err := r.opts.Registry.Gather()
		page, failed := r.compose(registered, time.Now())
		if failed != nil {
			return registered, errors.Join(err, failed)
		}
		parser := expfmt.NewTextParser(model.LegacyValidation)
		families, failed := parser.TextToMetricFamilies(page.plain())
		all := slices.SortedFunc(maps.Values(families), func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
		return all, errors.Join(err, failed)
	})
}

func acceptsGzip(h http.Header) bool {
	for _, value := range h.Values("Accept-Encoding") {
		for _, part := range strings.Split(value, ",") {
			name, parameters, _ := strings.Cut(part, ";")
			if name = strings.TrimSpace(name); name != "gzip" && name != "*" {
				continue
			}
			quality, has := strings.CutPrefix(strings.ReplaceAll(parameters, " ", ""), "q=")
			if q, err := strconv.ParseFloat(quality, 64); has && err == nil && q == 0 {
				return false
			}
			return true
		}
	}
	return false
}

// compose puts the page together, by names of families. A family that the
// Registry has is not served from a Source too.
func (r *Runner) compose(registered []*dto.MetricFamily, now time.Time) (*body, error) {
	own := map[string]bool{}
	for _, f := range registered {
		own[f.GetName()] = true
	}
	type part struct {
		of *chunk
		by *task
	}
	chunks := map[string][]part{}
	var names []string
	for _, t := range r.allTasks() {
		fresh, taken := t.fresh(now)
		for i := range fresh {
			c := &fresh[i]
			name := c.family.Name
			if own[name] {
				t.noteClashes([]error{WithKind(fmt.Errorf("%s is among the metrics of the program itself", name), KindSample)}, taken)
				continue
			}
			if chunks[name] == nil {
				names = append(names, name)
			}
			chunks[name] = append(chunks[name], part{c, t})
		}
	}
	slices.Sort(names)
	out := &body{}
	var text bytes.Buffer
	next := 0
	write := func(until string) error { // what the Registry has before a name
		for ; next < len(registered) && (until == "" || registered[next].GetName() < until); next++ {
			if _, err := expfmt.MetricFamilyToText(&text, registered[next]); err != nil {
				return err
			}
		}
		if text.Len() > 0 {
			out.add(deflate(text.Bytes()))
			text.Reset()
		}
		return nil
	}
	clashes := map[*task]complaints{}
	for _, name := range names {
		if err := write(name); err != nil {
			return nil, err
		}
		out.add(r.header(chunks[name][0].of.family))
		seen := map[string]*task{}
		for _, p := range chunks[name] {
			if p.of.lines == nil {
				out.add(p.of.piece)
				continue
			}
			for _, l := range p.of.lines {
				if first := seen[l.labels]; first != nil {
					if clashes[p.by] == nil {
						clashes[p.by] = complaints{}
					}
					clashes[p.by].add(name, fmt.Sprintf("is served by source %q already", first.source.Name))
					continue
				}
				seen[l.labels] = p.by
				text.WriteString(l.text)
			}
			if text.Len() > 0 {
				out.add(deflate(text.Bytes()))
				text.Reset()
			}
		}
	}
	for t, c := range clashes {
		_, taken := t.fresh(now)
		t.noteClashes(c.errors(), taken)
	}
	return out, write("")
}

// header is the beginning of a family on the page.
func (r *Runner) header(f *Family) piece {
	r.headersMu.Lock()
	defer r.headersMu.Unlock()
	h, made := r.headers[f.Name]
	if !made {
		h = deflate([]byte(fmt.Sprintf("# HELP %s %s\n# TYPE %s %s\n", f.Name, helpEscapes.Replace(valid(f.Help)), f.Name, f.Type)))
		r.headers[f.Name] = h
	}
	return h
}

func (r *Runner) allTasks() []*task {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.tasks
}

// fresh returns what the last good look gave unless it is too old.
func (t *task) fresh(now time.Time) ([]chunk, time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.taken) > t.source.MaxAge {
		return nil, t.taken
	}
	return t.chunks, t.taken
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
	constant := t.selfConst()
	metrics := make([]prometheus.Metric, 0, len(snap.Samples))
	for _, sample := range snap.Samples {
		value := prometheus.GaugeValue
		if sample.Family.Type == Counter {
			value = prometheus.CounterValue
		}
		desc := prometheus.NewDesc(sample.Family.Name, sample.Family.Help, sample.Family.Labels, constant)
		labels := make([]string, len(sample.Labels))
		for i, v := range sample.Labels {
			labels[i] = valid(v)
		}
		metric, err := prometheus.NewConstMetric(desc, value, sample.Value, labels...)
		if err != nil {
			metric = prometheus.NewInvalidMetric(desc, err)
		}
		metrics = append(metrics, metric)
	}
	return metrics
}

// selfConst leaves out Const labels that the self-metrics need for themselves.
func (t *task) selfConst() map[string]string {
	labels := map[string]string{}
	for name, value := range t.source.Const {
		if !slices.Contains([]string{"source", "system", "api", "code", "kind", "state", "record"}, name) {
			labels[name] = valid(value)
		}
	}
	return labels
}
