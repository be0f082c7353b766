package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"mcloud"
)

// SlowQueriesPath is where the slow queries are shown: GET, with since (a duration as in
// PromQL, 24h) and top (how many, those that took longest first; 20).
const SlowQueriesPath = "/api/v1/status/slow_queries"

// SlowQueries is where slow queries are kept.
type SlowQueries interface {
	SlowQueries(ctx context.Context, since time.Time, top int) ([]mcloud.SlowQuery, error)
}

// slowReadTimeout is how long the store may take to list them.
const slowReadTimeout = 20 * time.Second

// slowQueries answers in the words of Prometheus's API: the queries in data, or what is
// wrong in error.
func slowQueries(kept SlowQueries) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		since, top, err := slowParameters(r)
		if err != nil {
			answer(w, http.StatusBadRequest, map[string]any{"status": "error", "errorType": "bad_data", "error": err.Error()})
			return
		}
		if kept == nil {
			answer(w, http.StatusServiceUnavailable, map[string]any{"status": "error", "errorType": "unavailable", "error": "this collector has no store that keeps slow queries; its log has them"})
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), slowReadTimeout)
		defer cancel()
		queries, err := kept.SlowQueries(ctx, time.Now().Add(-since), top)
		switch {
		case errors.Is(err, mcloud.ErrInvalid):
			answer(w, http.StatusBadRequest, map[string]any{"status": "error", "errorType": "bad_data", "error": err.Error()})
		case err != nil:
			w.Header().Set("Retry-After", "10")
			answer(w, http.StatusServiceUnavailable, map[string]any{"status": "error", "errorType": "unavailable", "error": err.Error()})
		default:
			answer(w, http.StatusOK, map[string]any{"status": "success", "data": queries})
		}
	})
}

func slowParameters(r *http.Request) (since time.Duration, top int, err error) {
	since, top = 24*time.Hour, 20
	if text := r.FormValue("since"); text != "" {
		d, err := model.ParseDuration(text)
		if err != nil {
			return 0, 0, fmt.Errorf("since=%.20q: %w: want something like 90m, 24h or 7d", text, err)
		}
		since = time.Duration(d)
	}
	if text := r.FormValue("top"); text != "" {
		if top, err = strconv.Atoi(text); err != nil || top < 1 {
			return 0, 0, fmt.Errorf("top=%.20q: want a number of queries above 0", text)
		}
	}
	return since, top, nil
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // a client that has gone hears nothing
}
