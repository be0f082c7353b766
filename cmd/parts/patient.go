package parts

import (
	"context"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// patient is a Querier whose questions end when the store is found to be away.
type patient struct {
	storage.Querier
	answers context.Context // ends then
	done    context.Context // ends with Close
	close   context.CancelFunc
}

func newPatient(q storage.Querier, answers context.Context) patient {
	done, end := context.WithCancel(context.Background())
	return patient{Querier: q, answers: answers, done: done, close: end}
}

// while is ctx that also ends when the store is away. Series are read after Select
// has returned, so it lasts until Close.
func (p patient) while(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(p.answers, func() { cancel(context.Cause(p.answers)) })
	context.AfterFunc(p.done, func() { stop(); cancel(nil) })
	return ctx
}

// Select implements storage.Querier.
func (p patient) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	return p.Querier.Select(p.while(ctx), sorted, hints, matchers...)
}

// LabelValues implements storage.Querier.
func (p patient) LabelValues(ctx context.Context, name string, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return p.Querier.LabelValues(p.while(ctx), name, hints, matchers...)
}

// LabelNames implements storage.Querier.
func (p patient) LabelNames(ctx context.Context, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return p.Querier.LabelNames(p.while(ctx), hints, matchers...)
}

// Close implements storage.Querier.
func (p patient) Close() error {
	p.close()
	return p.Querier.Close()
}
