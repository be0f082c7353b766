// Package ingest bounds what is let into the hot storage, so that one sender cannot
// take the memory of all: the labels of a series, their lengths, the series of a job
// and of all, the size of a remote-write request.
//
// What is over a limit is refused, and the rest of the same scrape or request goes in.
// Each refusal is counted by its reason (mcloud_collector_refused_samples_total), a
// remote writer is told with 400 what was refused and why, so that it does not send it
// again, and the log says it once a minute for each reason and job.
package ingest

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// Limits of what is let in. A zero is the default, a negative value is no limit.
type Limits struct {
	// Labels is how many labels a series may have, its name among them; 64.
	Labels int
	// LabelBytes bounds each name and each value of a label; 4096.
	LabelBytes int
	// Series and JobSeries are how many series the hot storage may hold, in all and of
	// one job (label job, "" without one); 5,000,000 and 2,000,000.
	Series, JobSeries int
	// RequestBytes bounds a remote-write request as it comes, compressed; 16 MiB. What
	// it decompresses to is bounded by 32 MiB in any case.
	RequestBytes int64
}

// WithDefaults fills in what is zero.
func (l Limits) WithDefaults() Limits {
	l.Labels = cmp.Or(l.Labels, 64)
	l.LabelBytes = cmp.Or(l.LabelBytes, 4096)
	l.Series = cmp.Or(l.Series, 5_000_000)
	l.JobSeries = cmp.Or(l.JobSeries, 2_000_000)
	l.RequestBytes = cmp.Or(l.RequestBytes, 16<<20)
	return l
}

// The reasons of refusals.
const (
	reasonLabels    = "labels"
	reasonLabelSize = "label_size"
	reasonSeries    = "series"
	reasonJobSeries = "job_series"
	reasonTime      = "time" // older or newer than the hot storage takes, or out of order
	reasonRequest   = "request_size"
)

// refusal is why one sample is not let in. It counts as out of bounds for the parts of
// Prometheus that append: they leave out the one sample and go on.
type refusal struct{ reason, message string }

func (r *refusal) Error() string { return r.message }
func (r *refusal) Unwrap() error { return storage.ErrOutOfBounds }

// Gate keeps the limits. Make one with New.
type Gate struct {
	limits  Limits
	logger  *slog.Logger
	refused *prometheus.CounterVec

	// open says that the hot storage has read its log back: what it held before is never
	// refused.
	open atomic.Bool

	mu     sync.Mutex // guards what follows
	series int
	ofJob  map[string]int
	said   map[string]time.Time // by reason and job
}

// New makes a gate and registers its metrics.
func New(l Limits, reg prometheus.Registerer, logger *slog.Logger) (*Gate, error) {
	g := &Gate{
		limits: l.WithDefaults(), logger: logger, ofJob: map[string]int{}, said: map[string]time.Time{},
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcloud_collector_refused_samples_total",
			Help: "Samples that were not let in, by reason: labels (too many), label_size, series and job_series (too many in all, of the job), " +
				"time (older, newer or in another order than the hot storage takes), request_size (counts requests).",
		}, []string{"reason"}),
	}
	for _, reason := range []string{reasonLabels, reasonLabelSize, reasonSeries, reasonJobSeries, reasonTime, reasonRequest} {
		g.refused.WithLabelValues(reason)
	}
	held := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mcloud_collector_series_limit_ratio", Help: "Series that the hot storage holds, of those that it may hold (collector.limits.series); absent without a limit.",
	}, func() float64 {
		g.mu.Lock()
		defer g.mu.Unlock()
		return float64(g.series) / float64(g.limits.Series)
	})
	collectors := []prometheus.Collector{g.refused}
	if g.limits.Series > 0 {
		collectors = append(collectors, held)
	}
	for _, c := range collectors {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("metrics of the limits: %w", err)
		}
	}
	return g, nil
}

// Open says that the hot storage has read back what it held: from now on, new series
// are held to the limits.
func (g *Gate) Open() { g.open.Store(true) }

// check is the refusal of a series for its labels; nil when they are within the limits.
func (g *Gate) check(l labels.Labels) *refusal {
	if n := l.Len(); g.limits.Labels > 0 && n > g.limits.Labels {
		return &refusal{reasonLabels, fmt.Sprintf("series %s has %d labels, the limit is %d (collector.limits.labels)", shown(l), n, g.limits.Labels)}
	}
	var long *refusal
	if most := g.limits.LabelBytes; most > 0 {
		l.Range(func(label labels.Label) {
			if long == nil && (len(label.Name) > most || len(label.Value) > most) {
				long = &refusal{reasonLabelSize, fmt.Sprintf("series %s: label %s has %d bytes, the limit is %d (collector.limits.label_bytes)",
					shown(l), cut(label.Name), max(len(label.Name), len(label.Value)), most)}
			}
		})
	}
	return long
}

// shown is a series as messages show it: its name and job, whatever else it has.
func shown(l labels.Labels) string {
	return fmt.Sprintf("%s{job=%q}", cut(l.Get(model.MetricNameLabel)), cut(l.Get("job")))
}

// cut shortens what somebody sent for a message.
func cut(s string) string {
	const most = 80
	if len(s) > most {
		return fmt.Sprintf("%q… (%d bytes)", s[:most], len(s))
	}
	return s
}

// note counts a refused sample, and says it once a minute for each reason and job.
func (g *Gate) note(r *refusal, job string) {
	g.refused.WithLabelValues(r.reason).Inc()
	const every, most = time.Minute, 1000
	g.mu.Lock()
	key, now := r.reason+"\x00"+job, time.Now()
	due := now.Sub(g.said[key]) >= every
	if due {
		if len(g.said) >= most {
			clear(g.said) // jobs that somebody makes up are not kept for ever
		}
		g.said[key] = now
	}
	g.mu.Unlock()
	if due {
		g.logger.Warn("samples are refused; others of the same sender go in", "reason", r.reason, "job", cut(job), "example", r.message)
	}
}

// refusalOf makes an error of the storage a refusal, if it is about the one sample.
func refusalOf(err error, l labels.Labels) (*refusal, bool) {
	var r *refusal
	if errors.As(err, &r) {
		return r, true
	}
	for _, known := range []error{storage.ErrOutOfBounds, storage.ErrOutOfOrderSample, storage.ErrTooOldSample, storage.ErrDuplicateSampleForTimestamp} {
		if errors.Is(err, known) {
			return &refusal{reasonTime, fmt.Sprintf("series %s: %v", shown(l), err)}, true
		}
	}
	return nil, false
}
