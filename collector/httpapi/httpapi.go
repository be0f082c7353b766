// Package httpapi is the collector's HTTP side: Prometheus's own API under /api/v1 for
// Grafana and the planner, the endpoint that takes Events and Inventories from
// exporters (records.go), the collector's metrics, its health, and a page that says
// what runs (status.go).
//
// It decides nothing: what it shows and where it writes comes in through Options.
package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"net/url"
	"runtime"
	"sync"
	"time"

	"github.com/grafana/regexp"
	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/notifications"
	apiv1 "github.com/prometheus/prometheus/web/api/v1"

	"mcloud"
	"mcloud/collector/query"
)

// Targets is what the API shows of scraping.
type Targets interface {
	apiv1.TargetRetriever
	apiv1.ScrapePoolsRetriever
}

// Storage is the hot TSDB as far as it is shown.
type Storage interface {
	storage.ExemplarQueryable
	apiv1.TSDBAdminStats
}

// Written is the hot TSDB as remote writers may write to it.
type Written interface {
	storage.Appendable
	storage.AppendableV2
}

// Options of the API. All but Receive, Records, SlowQueries, Full and Parts are required.
type Options struct {
	Engine    promql.QueryEngine
	Queryable storage.SampleAndChunkQueryable
	Parser    parser.Parser
	// LookbackDelta is the engine's.
	LookbackDelta time.Duration
	Storage       Storage
	Written       Written
	// Receive bounds remote-write requests.
	Receive       func(http.Handler) http.Handler
	StorageDir    string
	Targets       Targets
	Alertmanagers apiv1.AlertmanagerRetriever
	Rules         apiv1.RulesRetriever
	Config        func() config.Config
	// Runtime fills the fields of /api/v1/status/runtimeinfo that only the collector knows.
	Runtime     func() apiv1.RuntimeInfo
	Reload      func(context.Context) error
	ExternalURL *url.URL
	Listen      string
	Version     string
	// Full tells that there is no room for more unshipped samples: remote writers are
	// asked to come again later. Nil: never.
	Full    func() bool
	Records *Records
	// SlowQueries are shown at SlowQueriesPath.
	SlowQueries SlowQueries
	Parts       func() []Part
	// Registry is served at /metrics.
	Registry *prometheus.Registry
	Logger   *slog.Logger
}

// New returns the handler of a collector that is ready.
func New(o Options) http.Handler {
	api := newPrometheusAPI(o)
	router := route.New()
	api.Register(router.WithPrefix("/api/v1"))

	mux := http.NewServeMux()
	mux.Handle("/api/v1/", pushDownSwitch(router))
	mux.Handle("GET "+SlowQueriesPath, slowQueries(o.SlowQueries))
	var write http.Handler = router
	if o.Receive != nil {
		write = o.Receive(write)
	}
	mux.Handle("/api/v1/write", refuseWhen(o.Full, write))
	if o.Records != nil {
		mux.Handle(mcloud.RecordsPath, o.Records)
	}
	mux.Handle("GET /federate", federate(o))
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{Registry: o.Registry, MaxRequestsInFlight: 8, Timeout: 10 * time.Second}))
	mux.HandleFunc("GET /-/healthy", says(http.StatusOK, "mCloud collector is healthy.\n"))
	mux.HandleFunc("GET /-/ready", says(http.StatusOK, "mCloud collector is ready.\n"))
	mux.Handle("/-/reload", reload(o.Reload))
	mux.Handle("GET /{$}", statusPage(o))
	profiles(mux)
	return mux
}

// profiles are Go's, of the process: where its time and memory go. Those that take a while
// (profile, trace) say how long with seconds=.
func profiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

// Starting answers while the collector replays its log: alive, not ready.
func Starting(reg *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/healthy", says(http.StatusOK, "mCloud collector is healthy.\n"))
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "2")
		http.Error(w, "the collector is starting: it reads its write-ahead log back; try again in some seconds", http.StatusServiceUnavailable)
	})
	return mux
}

// pushDownSwitch lets a query say pushdown=0, to compare or to look for a fault. The
// parameter stands in the URL also when the query is posted.
func pushDownSwitch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v := r.URL.Query().Get("pushdown"); v == "0" || v == "false" {
			r = r.WithContext(query.WithPushDown(r.Context(), false))
		}
		next.ServeHTTP(w, r)
	})
}

func says(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = fmt.Fprint(w, text) // the client has gone: nobody is left to tell
	}
}

func reload(f func(context.Context) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost && r.Method != http.MethodPut {
			w.Header().Set("Allow", "POST, PUT")
			http.Error(w, "reload with POST", http.StatusMethodNotAllowed)
			return
		}
		if err := f(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

func refuseWhen(full func() bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if full != nil && full() {
			w.Header().Set("Retry-After", "30")
			http.Error(w, "the long-term store has been away for so long that the disk bound of unshipped samples is near; send again later", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// noOrigin allows no foreign web page to read the API.
var noOrigin = regexp.MustCompile(`^$`)

// newPrometheusAPI names the arguments that apiv1.NewAPI takes by position.
func newPrometheusAPI(o Options) *apiv1.API {
	started := time.Now()
	runtimeInfo := func() (apiv1.RuntimeInfo, error) {
		info := o.Runtime()
		info.StartTime, info.ServerTime = started.UTC(), time.Now().UTC()
		info.GoroutineCount, info.GOMAXPROCS = runtime.NumGoroutine(), runtime.GOMAXPROCS(0)
		return info, nil
	}
	version := &apiv1.PrometheusVersion{Version: o.Version, GoVersion: runtime.Version()}
	const (
		admin, search     = false, false
		maxSearchLimit    = 10_000
		readSampleLimit   = 50_000_000
		readConcurrency   = 10
		readFrameBytes    = 1 << 20
		agent             = false
		remoteWrite       = true
		otlp              = false
		convertDelta      = false
		nativeDelta       = false
		startTimesAsZero  = false
		typeAndUnitLabels = false
		appendMetadata    = false
	)
	return apiv1.NewAPI(
		o.Engine, o.Queryable,
		o.Written, o.Written, o.Storage,
		func(context.Context) apiv1.ScrapePoolsRetriever { return o.Targets },
		func(context.Context) apiv1.TargetRetriever { return o.Targets },
		func(context.Context) apiv1.AlertmanagerRetriever { return o.Alertmanagers },
		o.Config,
		map[string]string{},
		apiv1.GlobalURLOptions{ListenAddress: o.Listen, Host: o.ExternalURL.Host, Scheme: o.ExternalURL.Scheme},
		func(h http.HandlerFunc) http.HandlerFunc { return h }, // Starting answers before
		o.Storage, o.StorageDir,
		admin, search, maxSearchLimit,
		o.Logger,
		func(context.Context) apiv1.RulesRetriever { return o.Rules },
		readSampleLimit, readConcurrency, readFrameBytes,
		agent,
		noOrigin,
		runtimeInfo,
		version,
		func() []notifications.Notification { return nil },
		func() (<-chan notifications.Notification, func(), bool) { return nil, nil, false },
		o.Registry, o.Registry,
		nil, // the default statistics
		remoteWrite, remoteapi.MessageTypes{remoteapi.WriteV1MessageType, remoteapi.WriteV2MessageType},
		otlp, convertDelta, nativeDelta,
		startTimesAsZero,
		o.LookbackDelta,
		typeAndUnitLabels,
		appendMetadata,
		nil, // no error codes of our own
		features.NewRegistry(),
		apiv1.OpenAPIOptions{ExternalURL: o.ExternalURL.String(), Version: o.Version, MaxSearchLimit: maxSearchLimit},
		o.Parser,
	)
}

// Swap is a handler that can be replaced while it serves.
type Swap struct {
	mu sync.RWMutex
	h  http.Handler
}

// Set replaces the handler.
func (s *Swap) Set(h http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.h = h
}

func (s *Swap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	h := s.h
	s.mu.RUnlock()
	h.ServeHTTP(w, r)
}
