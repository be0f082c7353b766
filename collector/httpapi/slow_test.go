package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"mcloud"
)

type slowStore struct {
	since time.Time
	top   int
	err   error
}

func (s *slowStore) SlowQueries(_ context.Context, since time.Time, top int) ([]mcloud.SlowQuery, error) {
	s.since, s.top = since, top
	return []mcloud.SlowQuery{{ID: "1", Expression: "up", Seconds: 7}}, s.err
}

func TestSlowQueriesEndpoint(t *testing.T) {
	for parameters, want := range map[string]struct {
		since time.Duration
		top   int
	}{"": {24 * time.Hour, 20}, "?since=7d&top=3": {7 * 24 * time.Hour, 3}, "?since=90m": {90 * time.Minute, 20}} {
		s := &slowStore{}
		w := httptest.NewRecorder()
		began := time.Now()
		slowQueries(s).ServeHTTP(w, httptest.NewRequest("GET", SlowQueriesPath+parameters, nil))
		var body struct {
			Status string
			Data   []mcloud.SlowQuery
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != 200 || body.Status != "success" || len(body.Data) != 1 || body.Data[0].Expression != "up" {
			t.Errorf("%s: %d %s", parameters, w.Code, w.Body)
		}
		if s.top != want.top || s.since.Before(began.Add(-want.since)) || s.since.After(time.Now().Add(-want.since)) {
			t.Errorf("%s: asked since %s for %d", parameters, s.since, s.top)
		}
	}
	for name, c := range map[string]struct {
		kept       SlowQueries
		parameters string
		code       int
	}{
		"since":      {&slowStore{}, "?since=yesterday", http.StatusBadRequest},
		"top":        {&slowStore{}, "?top=0", http.StatusBadRequest},
		"too many":   {&slowStore{err: fmt.Errorf("%w: 99999999", mcloud.ErrInvalid)}, "?top=99999999", http.StatusBadRequest},
		"store away": {&slowStore{err: errors.New("away")}, "", http.StatusServiceUnavailable},
		"no store":   {nil, "", http.StatusServiceUnavailable},
	} {
		w := httptest.NewRecorder()
		slowQueries(c.kept).ServeHTTP(w, httptest.NewRequest("GET", SlowQueriesPath+c.parameters, nil))
		var body struct{ Status, Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != c.code || body.Status != "error" || body.Error == "" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
