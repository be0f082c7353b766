package ingest

import (
	"context"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// Storage is what can be written to in both of Prometheus's ways.
type Storage interface {
	storage.Appendable
	storage.AppendableV2
}

// Before is a storage behind the gate, for remote writers and scrapes.
func (g *Gate) Before(s Storage) Storage { return gated{g, s} }

type gated struct {
	gate   *Gate
	behind Storage
}

func (s gated) Appender(ctx context.Context) storage.Appender {
	return &appender{Appender: s.behind.Appender(ctx), gate: s.gate, request: requestOf(ctx)}
}

func (s gated) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return &appenderV2{AppenderV2: s.behind.AppenderV2(ctx), gate: s.gate}
}

// appender leaves out what is refused. A remote-write receiver does not learn of it
// here: its answer is changed afterwards (Receive).
type appender struct {
	storage.Appender
	gate    *Gate
	request *request // nil outside of one
}

func (a *appender) Append(ref storage.SeriesRef, l labels.Labels, t int64, v float64) (storage.SeriesRef, error) {
	got, taken, err := a.gate.try(a.request, ref, l, func() (storage.SeriesRef, error) { return a.Appender.Append(ref, l, t, v) })
	if taken && a.request != nil {
		a.request.samples++
	}
	return got, err
}

func (a *appender) AppendHistogram(ref storage.SeriesRef, l labels.Labels, t int64, h *histogram.Histogram, fh *histogram.FloatHistogram) (storage.SeriesRef, error) {
	got, taken, err := a.gate.try(a.request, ref, l, func() (storage.SeriesRef, error) { return a.Appender.AppendHistogram(ref, l, t, h, fh) })
	if taken && a.request != nil {
		a.request.histograms++
	}
	return got, err
}

func (a *appender) AppendExemplar(ref storage.SeriesRef, l labels.Labels, e exemplar.Exemplar) (storage.SeriesRef, error) {
	for _, of := range []labels.Labels{l, e.Labels} {
		if r := a.gate.check(of); r != nil {
			return 0, r
		}
	}
	return a.Appender.AppendExemplar(ref, l, e)
}

// appenderV2 is appender for scrapes, which know what to do with one refused sample.
type appenderV2 struct {
	storage.AppenderV2
	gate *Gate
}

func (a *appenderV2) Append(ref storage.SeriesRef, l labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options) (storage.SeriesRef, error) {
	got, _, err := a.gate.try(nil, ref, l, func() (storage.SeriesRef, error) { return a.AppenderV2.Append(ref, l, st, t, v, h, fh, opts) })
	return got, err
}

// try appends, unless the series' labels are refused. A ref is of a series that was let
// in before. Only in a request is something refused without an error.
func (g *Gate) try(in *request, ref storage.SeriesRef, l labels.Labels, do func() (storage.SeriesRef, error)) (got storage.SeriesRef, taken bool, err error) {
	if ref == 0 {
		if r := g.check(l); r != nil {
			return 0, false, g.refuse(in, r, l, r)
		}
	}
	if got, err = do(); err == nil {
		return got, true, nil
	}
	if r, known := refusalOf(err, l); known {
		return 0, false, g.refuse(in, r, l, err)
	}
	return got, false, err
}

// refuse counts a refused sample, and is the error that the appending part gets.
func (g *Gate) refuse(in *request, r *refusal, l labels.Labels, err error) error {
	g.note(r, l.Get("job"))
	if in.refuse(r) {
		return nil
	}
	return err
}
