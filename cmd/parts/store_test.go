package parts

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"mcloud/cmd/config"
	"mcloud/collector/clickhouse"
)

// hanging is a Querier of a store that never answers.
type hanging struct{ storage.Querier }

func (hanging) Select(ctx context.Context, _ bool, _ *storage.SelectHints, _ ...*labels.Matcher) storage.SeriesSet {
	<-ctx.Done()
	return storage.ErrSeriesSet(context.Cause(ctx))
}

func (hanging) Close() error { return nil }

func TestQueriesEndWhenTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStore(config.Default(), slog.New(slog.DiscardHandler))
		if _, err := s.DB(); !errors.Is(err, clickhouse.ErrUnavailable) {
			t.Errorf("before it was connected: %v", err)
		}
		s.available()
		q := newPatient(hanging{}, s.answers)
		defer q.Close()
		time.AfterFunc(3*time.Second, func() { s.unavailable(errors.New("it hangs")) })
		began := time.Now()
		err := q.Select(t.Context(), false, nil).Err()
		if !errors.Is(err, clickhouse.ErrUnavailable) || !strings.Contains(err.Error(), "it hangs") || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if _, err := s.DB(); !errors.Is(err, clickhouse.ErrUnavailable) {
			t.Errorf("while it is away: %v", err)
		}
		s.available()
		if _, err := s.DB(); err != nil {
			t.Errorf("when it is back: %v", err)
		}
	})
}

func TestWatchSaysEachAbsenceOnce(t *testing.T) {
	var code atomic.Int64
	code.Store(http.StatusOK)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(code.Load())) }))
	defer server.Close()
	var log bytes.Buffer // read after watch has returned
	s := NewStore(config.Default(), slog.New(slog.NewTextHandler(&log, nil)))
	db, err := clickhouse.New(clickhouse.Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s.available()
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() { defer close(watched); s.watch(ctx, db) }()
	becomes := func(status int, away bool) {
		t.Helper()
		code.Store(int64(status))
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if _, err := s.DB(); errors.Is(err, clickhouse.ErrUnavailable) == away {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("answers of status %d did not make it away=%v", status, away)
			}
		}
	}
	becomes(http.StatusServiceUnavailable, true)
	becomes(http.StatusOK, false)
	cancel()
	<-watched
	if n, back := strings.Count(log.String(), "does not answer"), strings.Count(log.String(), "answers again"); n != 1 || back != 1 {
		t.Errorf("said %d times that it is away and %d times that it is back:\n%s", n, back, &log)
	}
}
