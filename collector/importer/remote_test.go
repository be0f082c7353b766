package importer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"
)

// A Prometheus of 6 hours: remoteSeries of m with a sample a minute, and a native
// histogram every ten minutes.
const (
	remoteSeries  = 3
	remoteHours   = 6
	remoteSamples = remoteHours * 60
)

var remoteStart = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func remoteValue(s, i int) float64 {
	switch {
	case s == 2 && i%7 == 0:
		return math.Float64frombits(value.StaleNaN)
	case s == 2:
		return math.Inf(1)
	}
	return float64(i*s) / 3
}

// prometheus serves remote read with Prometheus's own handler.
func prometheus(t *testing.T) http.Handler {
	t.Helper()
	db, err := tsdb.Open(t.TempDir(), slog.New(slog.DiscardHandler), nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	app := db.Appender(t.Context())
	for i := range remoteSamples {
		at := remoteStart.UnixMilli() + int64(i)*60_000
		for s := range remoteSeries {
			if _, err := app.Append(0, labels.FromStrings("__name__", "m", "s", fmt.Sprint(s)), at, remoteValue(s, i)); err != nil {
				t.Fatal(err)
			}
		}
		if i%10 == 0 {
			h := &histogram.Histogram{Count: uint64(i), Sum: 1, ZeroCount: uint64(i)}
			if _, err := app.AppendHistogram(0, labels.FromStrings("__name__", "h"), at, h, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	none := func() config.Config { return config.Config{} }
	return remote.NewReadHandler(slog.New(slog.DiscardHandler), nil, db, none, 1e6, 10, 4096)
}

// onlySamples is a server that knows the older kind of answer only.
func onlySamples(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		packed, _ := io.ReadAll(r.Body)
		content, err := compression.Decode(compression.Snappy, packed, nil)
		var question prompb.ReadRequest
		if err == nil {
			err = question.Unmarshal(content)
		}
		if err == nil {
			question.AcceptedResponseTypes = nil
			content, err = question.Marshal()
		}
		if err == nil {
			packed, err = compression.Encode(compression.Snappy, content, nil)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(packed))
		next.ServeHTTP(w, r)
	})
}

func everything() [][]*labels.Matcher {
	return [][]*labels.Matcher{{labels.MustNewMatcher(labels.MatchRegexp, "__name__", ".+")}}
}

func remoteOf(t *testing.T, h http.Handler) Remote {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return Remote{
		URL: server.URL + "/api/v1/read", Selectors: everything(), Window: 2 * time.Hour, Transport: server.Client().Transport,
		From: remoteStart, To: remoteStart.Add(remoteHours * time.Hour),
	}
}

// checkValues wants every sample of the hours, bit by bit.
func (m *memory) checkValues(t *testing.T, hours int) {
	t.Helper()
	m.check(t, remoteSeries, hours*60)
	for s := range remoteSeries {
		for at, v := range m.values[labels.FromStrings("__name__", "m", "s", fmt.Sprint(s)).String()] {
			i := int(at-remoteStart.UnixMilli()) / 60_000
			if want := remoteValue(s, i); math.Float64bits(v[0]) != math.Float64bits(want) {
				t.Fatalf("series %d, sample %d is %v, want %v", s, i, v[0], want)
			}
		}
	}
}

func TestRemoteRead(t *testing.T) {
	handler := prometheus(t)
	for name, h := range map[string]http.Handler{"streamed chunks": handler, "samples": onlySamples(handler)} {
		t.Run(name, func(t *testing.T) {
			m := &memory{}
			o := Options{Store: m, StateDir: t.TempDir(), BatchSamples: 100}
			r := remoteOf(t, h)
			var last RemoteResult
			r.Progress = func(p RemoteResult) { last = p }
			got, err := RunRemote(t.Context(), o, r)
			if err != nil {
				t.Fatal(err)
			}
			m.checkValues(t, remoteHours)
			if got.Samples != remoteSeries*remoteSamples || got.Done != remoteHours*time.Hour || got.Total != got.Done || got.Before != 0 || !got.At.Equal(r.To) {
				t.Errorf("%+v", got)
			}
			if last.Samples != got.Samples || last.Done != got.Done {
				t.Errorf("the last progress is %+v", last)
			}
			if len(got.Histograms) != 1 || got.Histograms["h"] != remoteSamples/10 {
				t.Errorf("histograms %v", got.Histograms)
			}
			calls := m.calls
			if got, err = RunRemote(t.Context(), o, r); err != nil || got.Samples != 0 || got.Before != remoteHours*time.Hour || got.Histograms["h"] != remoteSamples/10 || m.calls != calls {
				t.Errorf("once more: %+v %v, %d calls", got, err, m.calls-calls)
			}
			files, _ := os.ReadDir(o.StateDir)
			if len(files) != 1 {
				t.Errorf("%d files are left", len(files))
			}
		})
	}
}

// An import that ends at any batch, with or without the store having it, goes on there
// without asking for that window again, even if Prometheus has more by then, and has
// every sample once.
func TestRemoteReadGoesOn(t *testing.T) {
	handler := prometheus(t)
	for ends := 1; ends <= 12; ends++ {
		for _, kept := range []bool{false, true} {
			m := &memory{fail: func(call int) (bool, bool) { return call == ends, call != ends || kept }}
			asked := map[string]int{}
			r := remoteOf(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				body, _ := io.ReadAll(q.Body)
				asked[string(body)]++
				q.Body = io.NopCloser(bytes.NewReader(body))
				handler.ServeHTTP(w, q)
			}))
			o := Options{Store: m, StateDir: t.TempDir(), BatchSamples: 100, Tries: 1}
			_, err := RunRemote(t.Context(), o, r)
			if !errors.Is(err, errAway) || !strings.Contains(err.Error(), "run it again") {
				t.Fatalf("at %d: %v", ends, err)
			}
			o.BatchSamples = 70 // what the state says counts for the window in doubt
			r.To = r.To.Add(-2 * time.Hour)
			if _, err := RunRemote(t.Context(), o, r); err != nil {
				t.Fatal(err)
			}
			r.To = r.To.Add(2 * time.Hour)
			if _, err := RunRemote(t.Context(), o, r); err != nil {
				t.Fatal(err)
			}
			m.checkValues(t, remoteHours)
			for _, n := range asked {
				if n != 1 {
					t.Errorf("at %d: a window was asked for %d times", ends, n)
				}
			}
		}
	}
}

// Any stretches in any order: each hour is stored once.
func TestRemoteReadStretches(t *testing.T) {
	r := remoteOf(t, prometheus(t))
	m := &memory{}
	o := Options{Store: m, StateDir: t.TempDir()}
	for _, hours := range [][2]int{{4, 5}, {1, 2}, {1, 2}, {0, 3}, {0, 6}} {
		r.From, r.To = remoteStart.Add(time.Duration(hours[0])*time.Hour), remoteStart.Add(time.Duration(hours[1])*time.Hour+59*time.Minute)
		got, err := RunRemote(t.Context(), o, r)
		if err != nil || got.Done+got.Before != time.Duration(hours[1]-hours[0])*time.Hour {
			t.Errorf("%v: %+v %v", hours, got, err)
		}
	}
	m.checkValues(t, remoteHours)
}

func TestRemoteReadSelectors(t *testing.T) {
	r := remoteOf(t, prometheus(t))
	r.Selectors = [][]*labels.Matcher{
		{labels.MustNewMatcher(labels.MatchEqual, "__name__", "m"), labels.MustNewMatcher(labels.MatchEqual, "s", "1")},
		{labels.MustNewMatcher(labels.MatchRegexp, "s", "1|2")},
		{labels.MustNewMatcher(labels.MatchEqual, "__name__", "m")},
	}
	m := &memory{}
	o := Options{Store: m, StateDir: t.TempDir()}
	if _, err := RunRemote(t.Context(), o, r); err != nil {
		t.Fatal(err)
	}
	m.checkValues(t, remoteHours)
	// The same ones in another order are the same import.
	slices.Reverse(r.Selectors)
	if got, err := RunRemote(t.Context(), o, r); err != nil || got.Samples != 0 {
		t.Errorf("%+v %v", got, err)
	}
}

// A server that fails for a while, or whose answers are cut off anywhere, is asked again.
func TestRemoteReadTriesAgain(t *testing.T) {
	handler := prometheus(t)
	for _, h := range []http.Handler{handler, onlySamples(handler)} {
		var n atomic.Int64
		m := &memory{}
		r := remoteOf(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			whole := httptest.NewRecorder()
			switch n.Add(1) {
			case 1:
				http.Error(w, "busy", http.StatusServiceUnavailable)
				return
			case 2:
				http.Error(w, "slow down", http.StatusTooManyRequests)
				return
			case 4:
				h.ServeHTTP(whole, q)
				w.Header().Set("Content-Type", whole.Header().Get("Content-Type"))
				_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
				return
			case 6:
				h.ServeHTTP(whole, q)
				w.Header().Set("Content-Type", whole.Header().Get("Content-Type"))
				body := whole.Body.Bytes()
				body[len(body)/2] ^= 0x40
				_, _ = w.Write(body)
				return
			}
			h.ServeHTTP(w, q)
		}))
		got, err := RunRemote(t.Context(), Options{Store: m, StateDir: t.TempDir()}, r)
		if err != nil || n.Load() < 7 {
			t.Fatalf("%v after %d questions", err, n.Load())
		}
		m.checkValues(t, remoteHours)
		if got.Histograms["h"] != remoteSamples/10 {
			t.Errorf("histograms %v", got.Histograms)
		}
	}
}

// What will not get better is said at once, and nothing is stored.
func TestRemoteReadRefuses(t *testing.T) {
	frame := func(size int) string {
		var b bytes.Buffer
		w := &windowWriter{to: &b, left: 1 << 40}
		if err := errors.Join(w.write(make([]byte, size)), w.flush()); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	says := func(code int, kind, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		})
	}
	const streamed = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"
	whole := prometheus(t)
	for name, c := range map[string]struct {
		h      http.Handler
		change func(*Remote)
		says   string
	}{
		"forbidden":     {says(403, "text/plain", "who\n\tare you?"), nil, "403 Forbidden: who are you?"},
		"too much":      {says(400, "text/plain", "exceeded sample limit"), nil, "exceeded sample limit"},
		"a page":        {says(200, "text/html", "<html>"), nil, "is that the address of a remote read"},
		"a bomb":        {says(200, "application/x-protobuf", "\xff\xff\xff\xff\x0f\x00"), nil, "ask for less"},
		"a redirect":    {http.RedirectHandler("http://127.0.0.1:1/x", http.StatusTemporaryRedirect), nil, "307 Temporary Redirect"},
		"a huge frame":  {says(200, streamed, "\xff\xff\xff\xff\x0f\x00\x00\x00\x00"), nil, "a frame of"},
		"no protobuf":   {says(200, streamed, frame(10)), nil, "a frame cannot be read"},
		"half a frame":  {says(200, streamed, frame(10)[:1]), nil, "unexpected EOF"},
		"no room":       {whole, func(r *Remote) { r.MaxBytes = 100 }, "shorter window"},
		"it hangs":      {http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { _, _ = io.Copy(io.Discard, q.Body); <-q.Context().Done() }), func(r *Remote) { r.Timeout = 50 * time.Millisecond }, "no whole answer within 50ms"},
		"no address":    {whole, func(r *Remote) { r.URL = "prometheus:9090" }, "address like http://"},
		"user":          {whole, func(r *Remote) { r.URL = "http://a:secret@b/read" }, "apart from the address"},
		"no time":       {whole, func(r *Remote) { r.To = r.From }, "is no time"},
		"the future":    {whole, func(r *Remote) { r.To = time.Now().Add(time.Hour) }, "what is to come"},
		"no selectors":  {whole, func(r *Remote) { r.Selectors = nil }, "no series are selected"},
		"half an hour":  {whole, func(r *Remote) { r.Window = 90 * time.Minute }, "whole hours"},
		"nobody there":  {whole, func(r *Remote) { r.URL = "http://127.0.0.1:1/read" }, "connection refused"},
		"before Christ": {whole, func(r *Remote) { r.From = time.Unix(-1, 0) }, "is no time"},
	} {
		t.Run(name, func(t *testing.T) {
			m := &memory{}
			r := remoteOf(t, c.h)
			if c.change != nil {
				c.change(&r)
			}
			o := Options{Store: m, StateDir: t.TempDir(), Tries: 2}
			_, err := RunRemote(t.Context(), o, r)
			if !errors.Is(err, ErrSource) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, want %q", err, c.says)
			}
			if m.calls > 0 {
				t.Error("something is stored")
			}
			if left, _ := filepath.Glob(filepath.Join(o.StateDir, "*")); len(left) > 0 {
				t.Errorf("%v is left", left)
			}
		})
	}
	// A state that cannot be is not taken for none.
	r, o := remoteOf(t, whole), Options{Store: &memory{}, StateDir: t.TempDir()}
	if _, err := RunRemote(t.Context(), o, r); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(o.StateDir, "*.json"))
	for _, content := range []string{"{", `{"done":[{"from":5,"to":3}]}`, `{"current":{"from":5,"to":3}}`} {
		if err := os.WriteFile(files[0], []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := RunRemote(t.Context(), o, r); err == nil || !strings.Contains(err.Error(), files[0]) {
			t.Errorf("%s: %v", content, err)
		}
	}
}

func TestRemoteReadIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := remoteOf(t, http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		cancel()
		<-q.Context().Done()
	}))
	if _, err := RunRemote(ctx, Options{Store: &memory{}, StateDir: t.TempDir()}, r); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Frames are Prometheus's own.
func TestFrames(t *testing.T) {
	var b bytes.Buffer
	w := &windowWriter{to: &b, left: 1 << 30}
	want := [][]byte{[]byte("a"), bytes.Repeat([]byte("xyz"), 100_000), []byte("end")}
	for _, f := range want {
		if err := w.write(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	theirs, ours := remote.NewChunkedReader(bytes.NewReader(b.Bytes()), 1<<20, nil), frameReader{r: bufio.NewReader(bytes.NewReader(b.Bytes()))}
	for i := range want {
		x, err1 := theirs.Next()
		y, err2 := ours.next()
		if err1 != nil || err2 != nil || !bytes.Equal(x, want[i]) || !bytes.Equal(y, want[i]) {
			t.Errorf("frame %d: %v %v", i, err1, err2)
		}
	}
	if _, err := ours.next(); err != io.EOF {
		t.Error(err)
	}
	// Cut off anywhere but between frames it is not whole.
	whole := map[int]bool{0: true, 6: true, b.Len() - 8: true}
	for cut := range b.Len() {
		if cut > 40 && cut < b.Len()-40 {
			continue
		}
		f := frameReader{r: bufio.NewReader(bytes.NewReader(b.Bytes()[:cut]))}
		var err error
		for err == nil {
			_, err = f.next()
		}
		if (err == io.EOF) != whole[cut] {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

func FuzzRemoteAnswer(f *testing.F) {
	var b bytes.Buffer
	w := &windowWriter{span: span{0, 1 << 40}, to: &b, left: 1 << 30, histograms: map[string]int{}}
	series := &prompb.TimeSeries{Labels: []prompb.Label{{Name: "a", Value: "b"}}, Samples: []prompb.Sample{{Timestamp: 1, Value: 2}, {Timestamp: 3, Value: math.NaN()}}}
	if err := errors.Join(w.series(series), w.flush()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes(), true)
	answer, _ := (&prompb.ReadResponse{Results: []*prompb.QueryResult{{Timeseries: []*prompb.TimeSeries{series}}}}).Marshal()
	packed, err := compression.Encode(compression.Snappy, answer, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed, false)
	f.Fuzz(func(t *testing.T, body []byte, streamed bool) {
		kind := "application/x-protobuf"
		if streamed {
			kind = "application/x-streamed-protobuf"
		}
		var file bytes.Buffer
		w := &windowWriter{span: span{0, 1 << 40}, to: &file, left: 1 << 30, histograms: map[string]int{}}
		err := w.answer(&http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(bytes.NewReader(body))})
		if err != nil {
			return
		}
		if err := w.flush(); err != nil {
			t.Fatal(err)
		}
		// What was taken can be stored.
		if err := eachSample(&file, w.span, func(labels.Labels, int64, float64) error { return nil }); err != nil {
			t.Error(err)
		}
	})
}
