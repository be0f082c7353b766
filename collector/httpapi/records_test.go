package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"mcloud"
)

type memory struct {
	err         error
	events      []mcloud.Event
	inventories []mcloud.Inventory
}

func (m *memory) WriteEvents(_ context.Context, e []mcloud.Event) error {
	m.events = append(m.events, e...)
	return m.err
}

func (m *memory) WriteInventory(_ context.Context, v mcloud.Inventory) error {
	m.inventories = append(m.inventories, v)
	return m.err
}

func endpoint(t *testing.T, s RecordStore) (*Records, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	r, err := NewRecords(RecordsOptions{Store: s, Registerer: reg, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return r, reg
}

func zip(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, s)
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func goodBatch(t *testing.T) string {
	t.Helper()
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	b, err := json.Marshal(mcloud.Batch{
		Events: []mcloud.Event{{ID: "1", Time: at, Cloud: "c", Source: "nova", Kind: "k", Severity: mcloud.SeverityInfo}},
		Inventories: []mcloud.Inventory{{Cloud: "c", Scope: "nova", Kind: mcloud.KindServer, Time: at, Complete: true,
			Objects: []mcloud.Object{{Kind: mcloud.KindServer, ID: "s", Attributes: json.RawMessage("{}")}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAnswers(t *testing.T) {
	good := goodBatch(t)
	const bound = 1 << 20
	for _, c := range []struct {
		name, body, encoding string
		store                RecordStore
		code                 int
		says                 string
	}{
		{"plain", good, "", &memory{}, 200, `"events":1`},
		{"gzip", zip(t, good), "gzip", &memory{}, 200, `"inventories":1`},
		{"empty", `{}`, "", nil, 503, "no long-term store"},
		{"invalid event", `{"events":[{"id":"1"}]}`, "", &memory{}, 400, "events[0]"},
		{"not JSON", `{`, "", &memory{}, 400, "JSON"},
		{"more than one", good + good, "", &memory{}, 400, "follows"},
		{"not gzip", good, "gzip", &memory{}, 400, "gzip"},
		{"cut gzip", zip(t, good)[:30], "gzip", &memory{}, 400, "JSON"},
		{"unknown encoding", good, "zstd", &memory{}, 415, "zstd"},
		{"bomb", zip(t, `{"events":[`+strings.Repeat(" ", bound+10)), "gzip", &memory{}, 413, "in parts"},
		{"store is away", good, "", &memory{err: errors.New("connection refused")}, 503, "connection refused"},
		{"store refuses", good, "", &memory{err: fmt.Errorf("object s: %w", mcloud.ErrInvalid)}, 400, "object s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, reg := endpoint(t, c.store)
			r.maxBytes = bound
			req := httptest.NewRequest(http.MethodPost, mcloud.RecordsPath, strings.NewReader(c.body))
			if c.encoding != "" {
				req.Header.Set("Content-Encoding", c.encoding)
			}
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			if w.Code != c.code || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%d %s, want %d and %q", w.Code, w.Body, c.code, c.says)
			}
			if !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s is not JSON", w.Body)
			}
			if (w.Code == 503) != (w.Header().Get("Retry-After") != "") {
				t.Errorf("%d with Retry-After %q", w.Code, w.Header().Get("Retry-After"))
			}
			if n := testutil.ToFloat64(r.requests.WithLabelValues(fmt.Sprint(c.code))); n != 1 {
				t.Errorf("counted %v times", n)
			}
			if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
				t.Errorf("metrics: %v %v", problems, err)
			}
			if m, ok := c.store.(*memory); ok && m.err == nil && c.code != 200 && len(m.events)+len(m.inventories) > 0 {
				t.Error("part of a refused batch was stored")
			}
		})
	}
}

func TestTooLargeAsSent(t *testing.T) {
	r, _ := endpoint(t, &memory{})
	req := httptest.NewRequest(http.MethodPost, mcloud.RecordsPath, io.MultiReader(strings.NewReader(`{"events":[`), io.LimitReader(blanks{}, MaxRecordsBody)))
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

type blanks struct{}

func (blanks) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func TestOnlyPost(t *testing.T) {
	r, _ := endpoint(t, &memory{})
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, mcloud.RecordsPath, nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodPost {
		t.Errorf("%d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

// A fifth sender waits and is put off when its patience ends.
func TestAtOnceIsBounded(t *testing.T) {
	r, _ := endpoint(t, &memory{})
	for range recordsAtOnce {
		r.slots <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, mcloud.RecordsPath, strings.NewReader(`{}`)).WithContext(ctx))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d", w.Code)
	}
}

func TestRemoteWriteIsPutOffWhenFull(t *testing.T) {
	full := true
	h := refuseWhen(func() bool { return full }, says(http.StatusNoContent, ""))
	for _, want := range []int{http.StatusServiceUnavailable, http.StatusNoContent} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/v1/write", nil))
		if w.Code != want {
			t.Errorf("full=%v: %d", full, w.Code)
		}
		full = false
	}
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add([]byte(`{"events":[{"id":"1","time":"2026-01-01T00:00:00Z","cloud":"c","source":"s","kind":"k","severity":"info"}]}`), false)
	f.Add([]byte(`{"inventories":[{}]}`), false)
	f.Add([]byte{0x1f, 0x8b, 8}, true)
	f.Fuzz(func(t *testing.T, body []byte, zipped bool) {
		encoding := ""
		if zipped {
			encoding = "gzip"
		}
		batch, refused := decodeBatch(bytes.NewReader(body), encoding, 1<<16)
		if refused == nil {
			if err := batch.Validate(); err != nil {
				t.Errorf("taken, but %v", err)
			}
			return
		}
		if refused.code < 400 || refused.code > 499 || refused.err == nil {
			t.Errorf("refused with %d %v", refused.code, refused.err)
		}
	})
}
