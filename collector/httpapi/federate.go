package httpapi

import (
	"bufio"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// federate answers /federate as Prometheus does: the newest sample, not older than the
// lookback, of every series that one of match[] selects, as text for another Prometheus
// to scrape, with the external labels of the configuration. Native histograms have no
// text and are left out.
func federate(o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		selectors, err := o.Parser.ParseMetricSelectors(r.Form["match[]"])
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		vector, err := newest(r, o, selectors)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8")
		out := bufio.NewWriter(w)
		external := o.Config().GlobalConfig.ExternalLabels
		last := ""
		for _, s := range vector {
			name := s.Metric.Get(model.MetricNameLabel)
			if name == "" {
				continue
			}
			if name != last {
				fmt.Fprintf(out, "# TYPE %s untyped\n", metricName(name))
				last = name
			}
			writeSample(out, name, s, external)
		}
		_ = out.Flush() // the client has gone: nobody is left to tell
	})
}

// newest is what federate shows, by name.
func newest(r *http.Request, o Options, selectors [][]*labels.Matcher) (promql.Vector, error) {
	now := time.Now()
	mint, maxt := now.Add(-o.LookbackDelta).UnixMilli()+1, now.UnixMilli()
	q, err := o.Queryable.Querier(mint, maxt)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	var sets []storage.SeriesSet
	for _, s := range selectors {
		sets = append(sets, q.Select(r.Context(), true, &storage.SelectHints{Start: mint, End: maxt}, s...))
	}
	var (
		vector promql.Vector
		it     chunkenc.Iterator
	)
	set := storage.NewMergeSeriesSet(sets, 0, storage.ChainedSeriesMerge)
	for set.Next() {
		s := promql.Sample{Metric: set.At().Labels(), T: math.MinInt64}
		it = set.At().Iterator(it)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			if kind != chunkenc.ValFloat {
				s.T = math.MinInt64
			} else if t, v := it.At(); t <= maxt {
				s.T, s.F = t, v
			}
		}
		if it.Err() != nil {
			return nil, it.Err()
		}
		if s.T >= mint && !value.IsStaleNaN(s.F) {
			vector = append(vector, s)
		}
	}
	slices.SortStableFunc(vector, func(a, b promql.Sample) int {
		return strings.Compare(a.Metric.Get(model.MetricNameLabel), b.Metric.Get(model.MetricNameLabel))
	})
	return vector, set.Err()
}

func metricName(name string) string {
	if model.LegacyValidation.IsValidMetricName(name) {
		return name
	}
	return quoted(name)
}

var textEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func quoted(s string) string { return `"` + textEscapes.Replace(s) + `"` }

// writeSample is one line. A series' own labels win over the external ones; one
// without an instance says so, or the scraper would put its own there.
func writeSample(out *bufio.Writer, name string, s promql.Sample, external labels.Labels) {
	b := labels.NewBuilder(s.Metric)
	b.Del(model.MetricNameLabel)
	external.Range(func(l labels.Label) {
		if b.Get(l.Name) == "" {
			b.Set(l.Name, l.Value)
		}
	})
	var inside []string
	if !model.LegacyValidation.IsValidMetricName(name) {
		inside = append(inside, quoted(name))
	} else {
		out.WriteString(name)
	}
	ls := b.Labels()
	ls.Range(func(l labels.Label) {
		label := l.Name
		if !model.LegacyValidation.IsValidLabelName(label) {
			label = quoted(label)
		}
		inside = append(inside, label+"="+quoted(l.Value))
	})
	if ls.Get(model.InstanceLabel) == "" {
		inside = append(inside, model.InstanceLabel+`=""`)
	}
	fmt.Fprintf(out, "{%s} %s %d\n", strings.Join(inside, ","), strconv.FormatFloat(s.F, 'g', -1, 64), s.T)
}
