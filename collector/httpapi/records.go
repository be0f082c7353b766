package httpapi

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcloud"
)

// RecordStore keeps what exists and what happened. A method returns nil only when all
// is stored for good; storing the same again changes nothing.
type RecordStore interface {
	WriteEvents(ctx context.Context, events []mcloud.Event) error
	WriteInventory(ctx context.Context, inventory mcloud.Inventory) error
}

// Bounds of one request.
const (
	MaxRecordsBody  = 32 << 20  // as sent
	MaxRecordsBytes = 256 << 20 // after gunzip
	// recordsTimeout is how long the store may take before the sender is asked to
	// come again; senders wait longer than that.
	recordsTimeout = 25 * time.Second
	// recordsAtOnce bounds memory: that many requests are read and stored at a time.
	recordsAtOnce = 4
)

// RecordsOptions of the endpoint.
type RecordsOptions struct {
	// Store may be nil: then every batch is put off with 503.
	Store RecordStore
	// Unavailable tells the store's errors after which the same batch is welcome
	// later (503). Nil: all but those wrapping mcloud.ErrInvalid.
	Unavailable func(error) bool
	Registerer  prometheus.Registerer
	Logger      *slog.Logger
}

// Records takes mcloud.Batch by POST at mcloud.RecordsPath and answers as record.go of
// the root package promises.
type Records struct {
	opts     RecordsOptions
	maxBytes int64 // after gunzip
	slots    chan struct{}
	requests *prometheus.CounterVec
	stored   *prometheus.CounterVec
	seconds  prometheus.Histogram
}

// NewRecords registers its metrics.
func NewRecords(o RecordsOptions) (*Records, error) {
	if o.Unavailable == nil {
		o.Unavailable = func(err error) bool { return !errors.Is(err, mcloud.ErrInvalid) }
	}
	r := &Records{
		opts: o, maxBytes: MaxRecordsBytes,
		slots: make(chan struct{}, recordsAtOnce),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcloud_records_requests_total", Help: "Batches of events and inventories posted, by HTTP status answered.",
		}, []string{"code"}),
		stored: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcloud_records_stored_total", Help: "Records of acknowledged batches, by type; repeated ones count again.",
		}, []string{"type"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "mcloud_records_duration_seconds", Help: "Time from a posted batch to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 14),
		}),
	}
	for _, kind := range []string{"event", "inventory", "object"} {
		r.stored.WithLabelValues(kind)
	}
	for _, c := range []prometheus.Collector{r.requests, r.stored, r.seconds} {
		if err := o.Registerer.Register(c); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// refusal is an error with the status it is answered with.
type refusal struct {
	code int
	err  error
}

func (r *Records) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	started := time.Now()
	code, answer := http.StatusOK, map[string]any{}
	batch, refused := r.take(w, req)
	if refused != nil {
		code, answer["error"] = refused.code, refused.err.Error()
		if code == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "5")
		}
		if code == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", http.MethodPost)
		}
		level := slog.LevelWarn
		if code == http.StatusServiceUnavailable {
			level = slog.LevelDebug // they are sent again, and who keeps them says so if it lasts
		}
		r.opts.Logger.Log(req.Context(), level, "posted records are not stored", "status", code, "from", req.RemoteAddr, "err", refused.err)
	} else {
		answer["events"], answer["inventories"] = len(batch.Events), len(batch.Inventories)
	}
	r.requests.WithLabelValues(strconv.Itoa(code)).Inc()
	r.seconds.Observe(time.Since(started).Seconds())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer) // a sender that has gone sends again
}

func (r *Records) take(w http.ResponseWriter, req *http.Request) (mcloud.Batch, *refusal) {
	if req.Method != http.MethodPost {
		return mcloud.Batch{}, &refusal{http.StatusMethodNotAllowed, errors.New("records are posted")}
	}
	ctx, cancel := context.WithTimeout(req.Context(), recordsTimeout)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return mcloud.Batch{}, &refusal{http.StatusServiceUnavailable, errors.New("too many batches at once; send again later")}
	}
	batch, refused := decodeBatch(http.MaxBytesReader(w, req.Body, MaxRecordsBody), req.Header.Get("Content-Encoding"), r.maxBytes)
	if refused != nil {
		return batch, refused
	}
	if err := r.store(ctx, batch); err != nil {
		if errors.Is(err, mcloud.ErrOutdated) {
			return batch, &refusal{http.StatusConflict, err}
		}
		if errors.Is(err, mcloud.ErrInvalid) || !r.opts.Unavailable(err) {
			return batch, &refusal{http.StatusBadRequest, err}
		}
		return batch, &refusal{http.StatusServiceUnavailable, err}
	}
	return batch, nil
}

var errNoStore = errors.New("this collector has no long-term store")

// store keeps events before inventories, so that what an object's change was caused by
// is there when the change is.
func (r *Records) store(ctx context.Context, b mcloud.Batch) error {
	if r.opts.Store == nil {
		return errNoStore
	}
	if len(b.Events) > 0 {
		if err := r.opts.Store.WriteEvents(ctx, b.Events); err != nil {
			return fmt.Errorf("store %d events: %w", len(b.Events), err)
		}
		r.stored.WithLabelValues("event").Add(float64(len(b.Events)))
	}
	for i, v := range b.Inventories {
		if err := r.opts.Store.WriteInventory(ctx, v); err != nil {
			return fmt.Errorf("store inventories[%d] (%s of %s/%s): %w", i, v.Kind, v.Cloud, v.Scope, err)
		}
		r.stored.WithLabelValues("inventory").Inc()
		r.stored.WithLabelValues("object").Add(float64(len(v.Objects)))
	}
	return nil
}

// decodeBatch reads one JSON batch, plain or gzip, of at most limit bytes.
func decodeBatch(body io.Reader, encoding string, limit int64) (mcloud.Batch, *refusal) {
	switch encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return mcloud.Batch{}, badBody(fmt.Errorf("gzip: %w", err))
		}
		body = z
	default:
		return mcloud.Batch{}, &refusal{http.StatusUnsupportedMediaType, fmt.Errorf("content encoding %q is not known here; send gzip or none", encoding)}
	}
	limited := &io.LimitedReader{R: body, N: limit + 1}
	dec := json.NewDecoder(limited)
	var batch mcloud.Batch
	err := dec.Decode(&batch)
	if limited.N <= 0 {
		return batch, &refusal{http.StatusRequestEntityTooLarge, fmt.Errorf("batch is larger than %d bytes unpacked; send it in parts", limit)}
	}
	if err != nil {
		return batch, badBody(fmt.Errorf("JSON: %w", err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return batch, badBody(errors.New("JSON: something follows the batch"))
	}
	if err := batch.Validate(); err != nil {
		return batch, &refusal{http.StatusBadRequest, err}
	}
	return batch, nil
}

func badBody(err error) *refusal {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return &refusal{http.StatusRequestEntityTooLarge, fmt.Errorf("batch is larger than %d bytes as sent; send it in parts", large.Limit)}
	}
	return &refusal{http.StatusBadRequest, err}
}
