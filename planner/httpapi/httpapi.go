// Package httpapi serves the planner over HTTP: the report for people at /, the
// same and more as JSON under /api/v1, metrics and health. Other parts of the
// planner join with a Route.
//
//	GET /                                     the report as a page
//	GET /api/v1/status                        how the planner itself does
//	GET /api/v1/report[?at=TIME][&format=json|html|table|csv|xlsx]
//	GET /api/v1/headroom[?flavor=F][&zone=Z]
//	GET /api/v1/forecast?tier=T|zone=Z[&class=C]|series=EXPRESSION[&limit=N][&horizon=90d][&seasonal=true]
//	GET /api/v1/score                         past reports against what came
//	GET /api/v1/reclaim                       what is paid for and not used
//	GET /api/v1/events?from=T, /api/v1/projects
//	GET /api/v1/openapi.json                  this API, described
//	GET /metrics, /healthz, /readyz
package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"mcloud/planner"
	"mcloud/planner/capacity"
	"mcloud/planner/reclaim"
	"mcloud/planner/report"
)

// Planner is what the handlers ask.
type Planner interface {
	Status() planner.Status
	Report(ctx context.Context, at time.Time) (report.Document, error)
	Headroom(ctx context.Context, flavor, zone string) ([]capacity.Headroom, error)
	Forecast(ctx context.Context, q planner.Question) ([]report.Forecast, error)
	Score(ctx context.Context) (report.Score, error)
	Reclaim(ctx context.Context) (reclaim.Result, error)
}

// Options of a Handler; Planner is required.
type Options struct {
	Planner Planner
	// Metrics serves /metrics; nil leaves it out.
	Metrics http.Handler
	// Routes are served beside the planner's own.
	Routes []Route
	// Sight is what the one may see for whom a context is; nil: everybody sees all.
	Sight func(context.Context) planner.Sight
	// Version is the program's, for the description of the API.
	Version string
	// Timeout bounds one request; default 2 minutes.
	Timeout time.Duration
	Logger  *slog.Logger
	Now     func() time.Time // default time.Now
}

// Route is one more endpoint. Serve returns what is written as JSON, or an
// error, which Problem or the planner's own errors give a status.
type Route struct {
	Pattern string // as for http.ServeMux: "GET /api/v1/chargeback"
	Serve   func(r *http.Request) (any, error)
}

// Problem is an error with an HTTP status and what to do about it. Its JSON is
// the body of every answer that is not 200.
type Problem struct {
	Status  int    `json:"-"`
	Message string `json:"error"`
	Cure    string `json:"cure,omitempty"`
}

func (p *Problem) Error() string { return p.Message }

// Invalid is the Problem of a request that cannot be understood.
func Invalid(cure, format string, args ...any) *Problem {
	return &Problem{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...), Cure: cure}
}

type server struct {
	Options
}

// New returns the handler.
func New(o Options) http.Handler {
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sight == nil {
		o.Sight = func(context.Context) planner.Sight { return planner.Sight{All: true} }
	}
	s := &server{o}
	mux := http.NewServeMux()
	patterns := []string{"GET /{$}", "GET /api/v1/report", "GET /healthz", "GET /readyz", "GET " + OpenAPIPath}
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /api/v1/report", s.report)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	routes := append([]Route{
		{"GET /api/v1/status", func(*http.Request) (any, error) { return s.Planner.Status(), nil }},
		{"GET /api/v1/headroom", s.headroom},
		{"GET /api/v1/forecast", s.forecast},
		{"GET /api/v1/reclaim", func(r *http.Request) (any, error) { return s.Planner.Reclaim(r.Context()) }},
		{"GET /api/v1/score", func(r *http.Request) (any, error) { return s.Planner.Score(r.Context()) }},
	}, o.Routes...)
	for _, route := range routes {
		patterns = append(patterns, route.Pattern)
	}
	if o.Metrics != nil {
		patterns = append(patterns, "GET /metrics")
	}
	routes = append(routes, Route{"GET " + OpenAPIPath, s.describe(patterns)})
	for _, route := range routes {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			answer, err := route.Serve(r)
			if err != nil {
				s.fail(w, r, err)
				return
			}
			s.write(w, r, "application/json", func(w io.Writer) error { return report.WriteJSON(w, answer) })
		})
	}
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, &Problem{http.StatusNotFound, "there is nothing at " + r.Method + " " + r.URL.Path, "GET / has the report, GET /api/v1/report its JSON"})
	})
	return s.guard(mux)
}

// guard bounds every request in time, refuses changes that a page of another
// site asks a browser for, and sets the headers that keep a page from being taken
// for something else.
func (s *server) guard(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), s.Timeout)
		defer cancel()
		ctx = context.WithValue(ctx, sightKey{}, s.Sight(ctx))
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

type sightKey struct{}

// sightOf is what who asks may see; nothing where nobody said so.
func sightOf(ctx context.Context) planner.Sight {
	sight, _ := ctx.Value(sightKey{}).(planner.Sight)
	return sight
}

func (s *server) page(w http.ResponseWriter, r *http.Request) {
	d, err := s.Planner.Report(r.Context(), time.Time{})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.write(w, r, "text/html; charset=utf-8", func(w io.Writer) error { return report.WriteHTML(w, d) })
}

func (s *server) report(w http.ResponseWriter, r *http.Request) {
	write, contentType, err := formatOf(r.FormValue("format"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	at, err := s.instant(r.FormValue("at"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	d, err := s.Planner.Report(r.Context(), at)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.write(w, r, contentType, func(w io.Writer) error { return write(w, d) })
}

func formatOf(name string) (write func(io.Writer, report.Document) error, contentType string, err error) {
	switch name {
	case "", "json":
		return func(w io.Writer, d report.Document) error { return report.WriteJSON(w, d) }, "application/json", nil
	case "html":
		return report.WriteHTML, "text/html; charset=utf-8", nil
	case "table":
		return report.WriteTable, "text/plain; charset=utf-8", nil
	case "xlsx":
		return report.WriteXLSX, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", nil
	case "csv":
		return report.WriteCSV, "text/csv; charset=utf-8", nil
	}
	return nil, "", Invalid("use json, html, table, csv or xlsx", "format %q is not known", name)
}

// instant reads a time as RFC 3339, a UTC day or Unix seconds; "" is the zero
// time, which means the last report.
func (s *server) instant(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		at, err = time.Parse(time.DateOnly, text)
	}
	if err != nil {
		seconds, numberErr := strconv.ParseInt(text, 10, 64)
		if numberErr != nil {
			return time.Time{}, Invalid("write for example at=2026-11-22T12:00:00Z or at=2026-11-22", "at=%q is not a time", text)
		}
		at = time.Unix(seconds, 0)
	}
	if now := s.Now(); at.After(now) {
		return time.Time{}, Invalid("name an instant in the past; the report itself looks ahead", "at=%s lies in the future (it is %s)", text, now.UTC().Format(time.RFC3339))
	}
	return at.UTC(), nil
}

func (s *server) headroom(r *http.Request) (any, error) {
	return s.Planner.Headroom(r.Context(), r.FormValue("flavor"), r.FormValue("zone"))
}

func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	if st := s.Planner.Status(); st.Runs == st.Failures {
		s.fail(w, r, planner.ErrNotReady)
		return
	}
	fmt.Fprintln(w, "ok")
}

// write renders before it sends, so that an error is not a broken half of 200.
func (s *server) write(w http.ResponseWriter, r *http.Request, contentType string, render func(io.Writer) error) {
	var body bytes.Buffer
	if err := render(&body); err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", contentType)
	if _, err := body.WriteTo(w); err != nil {
		s.Logger.Debug("a client left before its answer", "path", r.URL.Path, "error", err)
	}
}

// fail answers with the Problem that err is.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.Status >= 500 && p.Status != http.StatusServiceUnavailable {
		s.Logger.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(p.Status)
	if err := json.NewEncoder(w).Encode(p); err != nil {
		s.Logger.Debug("a client left before its answer", "path", r.URL.Path, "error", err)
	}
}

func problemOf(err error) *Problem {
	var p *Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, planner.ErrNotReady):
		return &Problem{http.StatusServiceUnavailable, err.Error(), "wait a little; GET /api/v1/status says what the planner is doing"}
	case errors.Is(err, planner.ErrUnknown):
		return &Problem{http.StatusNotFound, err.Error(), ""}
	case errors.Is(err, planner.ErrBadRequest):
		return &Problem{http.StatusBadRequest, err.Error(), ""}
	case errors.Is(err, context.DeadlineExceeded):
		return &Problem{http.StatusGatewayTimeout, "the answer was not ready in time: " + err.Error(), "see whether the collector and the store are slow"}
	}
	return &Problem{http.StatusInternalServerError, err.Error(), ""}
}
