package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang/snappy"
	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb"
)

// receiver is a hot storage behind a gate, with Prometheus's receiver before it.
type receiver struct {
	*testing.T
	gate *Gate
	db   *tsdb.DB
	http http.Handler
	log  *log
}

type log struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func receive(t *testing.T, limits Limits) *receiver {
	t.Helper()
	r := &receiver{T: t, log: &log{}}
	var err error
	r.gate, err = New(limits, prometheus.NewRegistry(), slog.New(slog.NewTextHandler(r.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	r.open(t.TempDir())
	return r
}

func (r *receiver) open(dir string) {
	r.Helper()
	opts := tsdb.DefaultOptions()
	opts.SeriesLifecycleCallback = r.gate
	db, err := tsdb.Open(dir, slog.New(slog.DiscardHandler), nil, opts, nil)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = db.Close() })
	r.gate.Open()
	r.db = db
	r.http = r.gate.Receive(remote.NewWriteHandler(slog.New(slog.DiscardHandler), prometheus.NewRegistry(), r.gate.Before(db),
		remoteapi.MessageTypes{remoteapi.WriteV1MessageType, remoteapi.WriteV2MessageType}, false, false, false))
}

// write sends one sample of each series by remote write 1.0 or 2.0.
func (r *receiver) write(version int, at time.Time, series ...labels.Labels) (int, string, http.Header) {
	r.Helper()
	kind, message := "application/x-protobuf", []byte(nil)
	var err error
	switch version {
	case 1:
		var request prompb.WriteRequest
		for _, s := range series {
			one := prompb.TimeSeries{Samples: []prompb.Sample{{Value: 1, Timestamp: at.UnixMilli()}}}
			s.Range(func(l labels.Label) { one.Labels = append(one.Labels, prompb.Label{Name: l.Name, Value: l.Value}) })
			request.Timeseries = append(request.Timeseries, one)
		}
		message, err = request.Marshal()
	default:
		kind += ";proto=io.prometheus.write.v2.Request"
		symbols := writev2.NewSymbolTable()
		var request writev2.Request
		for _, s := range series {
			request.Timeseries = append(request.Timeseries, writev2.TimeSeries{
				LabelsRefs: symbols.SymbolizeLabels(s, nil), Samples: []writev2.Sample{{Value: 1, Timestamp: at.UnixMilli()}},
			})
		}
		request.Symbols = symbols.Symbols()
		message, err = request.Marshal()
	}
	if err != nil {
		r.Fatal(err)
	}
	return r.post(kind, snappy.Encode(nil, message))
}

func (r *receiver) post(kind string, body []byte) (int, string, http.Header) {
	request := httptest.NewRequest(http.MethodPost, "/api/v1/write", bytes.NewReader(body))
	request.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	r.http.ServeHTTP(w, request)
	return w.Code, w.Body.String(), w.Result().Header
}

func (r *receiver) refused(reason string) float64 {
	return testutil.ToFloat64(r.gate.refused.WithLabelValues(reason))
}

func TestOneRefusedSeriesDoesNotHinderTheOthers(t *testing.T) {
	manyLabels := []string{"__name__", "many", "job", "j"}
	for i := range 10 {
		manyLabels = append(manyLabels, fmt.Sprintf("l%d", i), "x")
	}
	for _, c := range []struct {
		name, reason, says string
		bad                labels.Labels
	}{
		{"a label of 10 MB", reasonLabelSize, "label big has 10485760 bytes, the limit is 100 (collector.limits.label_bytes)",
			labels.FromStrings("__name__", "x", "job", "j", "big", strings.Repeat("a", 10<<20))},
		{"a long label name", reasonLabelSize, "has 200 bytes, the limit is 100", labels.FromStrings("__name__", "x", "job", "j", strings.Repeat("n", 200), "v")},
		{"too many labels", reasonLabels, "has 12 labels, the limit is 8 (collector.limits.labels)", labels.FromStrings(manyLabels...)},
		{"a series too many for its job", reasonJobSeries, "its job has 2 series already, the limit (collector.limits.job_series)", labels.FromStrings("__name__", "third", "job", "full")},
	} {
		for _, version := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s, %d.0", c.name, version), func(t *testing.T) {
				r := receive(t, Limits{Labels: 8, LabelBytes: 100, JobSeries: 2})
				full := []labels.Labels{labels.FromStrings("__name__", "first", "job", "full"), labels.FromStrings("__name__", "second", "job", "full")}
				if code, body, _ := r.write(version, time.Now(), full...); code != http.StatusNoContent {
					t.Fatalf("%d %s", code, body)
				}
				good := labels.FromStrings("__name__", "good", "job", "j")
				code, body, header := r.write(version, time.Now(), c.bad, good)
				if code != http.StatusBadRequest || !strings.Contains(body, c.says) || len(body) > 1000 {
					t.Errorf("answered %d %.1000s; want 400 with %q", code, body, c.says)
				}
				if !strings.HasPrefix(body, "1 of 2 samples were refused, the others are stored") {
					t.Errorf("answered %s", body)
				}
				if version == 2 && header.Get("X-Prometheus-Remote-Write-Samples-Written") != "1" {
					t.Errorf("written by the answer's header: %v, want 1", header)
				}
				if n := r.db.Head().NumSeries(); n != 3 {
					t.Errorf("%d series stored, want 3", n)
				}
				if n := r.refused(c.reason); n != 1 {
					t.Errorf("%v refused for %s, want 1", n, c.reason)
				}
				if said := r.log.String(); !strings.Contains(said, "reason="+c.reason) || len(said) > 2000 {
					t.Errorf("logged: %.2000s", said)
				}
				// What is there already goes on.
				if code, body, _ := r.write(version, time.Now().Add(time.Second), append(full, good)...); code != http.StatusNoContent {
					t.Errorf("what was there before: %d %s", code, body)
				}
			})
		}
	}
}

// A million new series a minute are so many that the limits stop them, without a line of
// log for each.
func TestAFloodOfSeries(t *testing.T) {
	r := receive(t, Limits{Series: 500, JobSeries: 400})
	var refused float64
	for i := range 20 {
		var flood []labels.Labels
		for j := range 100 {
			flood = append(flood, labels.FromStrings("__name__", "flood", "job", "churn", "id", fmt.Sprint(i, "-", j)))
		}
		if code, body, _ := r.write(1, time.Now(), flood...); code != http.StatusNoContent && code != http.StatusBadRequest {
			t.Fatalf("%d %s", code, body)
		}
		refused = r.refused(reasonJobSeries)
	}
	if n := r.db.Head().NumSeries(); n != 400 || refused != 1600 {
		t.Errorf("%d series let in, %v refused; want 400 and 1600", n, refused)
	}
	if code, body, _ := r.write(1, time.Now(), labels.FromStrings("__name__", "other", "job", "quiet")); code != http.StatusNoContent {
		t.Errorf("another job: %d %s", code, body)
	}
	if lines := strings.Count(r.log.String(), "\n"); lines != 1 {
		t.Errorf("%d lines logged, want 1:\n%s", lines, r.log)
	}
	var rest []labels.Labels
	for j := range 200 {
		rest = append(rest, labels.FromStrings("__name__", "other", "job", fmt.Sprint("quiet", j)))
	}
	code, body, _ := r.write(1, time.Now(), rest...)
	if code != http.StatusBadRequest || !strings.Contains(body, "collector.limits.series") || r.db.Head().NumSeries() != 500 {
		t.Errorf("beyond the limit of all: %d %s, %d series", code, body, r.db.Head().NumSeries())
	}
}

// What the storage held before a restart is there afterwards, although the limit is
// lower now; and series that it lets go make room.
func TestLimitIsLowerAfterARestart(t *testing.T) {
	r := receive(t, Limits{JobSeries: 10})
	dir := r.db.Dir()
	var ten []labels.Labels
	for j := range 10 {
		ten = append(ten, labels.FromStrings("__name__", "x", "job", "j", "n", fmt.Sprint(j)))
	}
	if code, body, _ := r.write(1, time.Now(), ten...); code != http.StatusNoContent {
		t.Fatalf("%d %s", code, body)
	}
	if err := r.db.Close(); err != nil {
		t.Fatal(err)
	}
	gate, err := New(Limits{JobSeries: 5}, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r.gate = gate
	r.open(dir)
	if n := r.db.Head().NumSeries(); n != 10 {
		t.Errorf("%d series after the restart, want 10", n)
	}
	another := labels.FromStrings("__name__", "y", "job", "j")
	if code, _, _ := r.write(1, time.Now(), another); code != http.StatusBadRequest {
		t.Errorf("a new series: %d, want 400", code)
	}
	if err := r.db.Head().Truncate(time.Now().Add(time.Hour).UnixMilli()); err != nil {
		t.Fatal(err)
	}
	gate.mu.Lock()
	defer gate.mu.Unlock()
	if gate.ofJob["j"] != 0 || gate.series != 0 {
		t.Errorf("series held by the gate's count: %v", gate.ofJob)
	}
}

func TestOldAndFutureSamples(t *testing.T) {
	r := receive(t, Limits{})
	series := labels.FromStrings("__name__", "x", "job", "j")
	if code, body, _ := r.write(1, time.Now(), series); code != http.StatusNoContent {
		t.Fatalf("%d %s", code, body)
	}
	if code, body, _ := r.write(1, time.Unix(3600, 0), series); code != http.StatusBadRequest || !strings.Contains(body, "1 of 1 samples were refused") {
		t.Errorf("1970: %d %s", code, body)
	}
	if code, body, _ := r.write(1, time.Now().AddDate(40, 0, 0), series); code != http.StatusBadRequest || !strings.Contains(body, "future") {
		t.Errorf("in forty years: %d %s", code, body)
	}
	if n := r.refused(reasonTime); n != 1 {
		t.Errorf("%v refused for their time, want 1: the future is Prometheus's own limit", n)
	}
	if code, body, _ := r.write(1, time.Now().Add(time.Second), series); code != http.StatusNoContent {
		t.Errorf("now: %d %s", code, body)
	}
}

func TestHostileRequests(t *testing.T) {
	r := receive(t, Limits{RequestBytes: 1 << 20})
	bomb := snappy.Encode(nil, make([]byte, 64<<20)) // 3 MB of it, and of zeros
	small := snappy.Encode(nil, make([]byte, 16<<20))
	for _, c := range []struct {
		name string
		body []byte
		code int
		says string
	}{
		{"too large", bomb, http.StatusRequestEntityTooLarge, "collector.limits.request_bytes"},
		{"claims to be 4 GiB", append([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, 0, 0), http.StatusBadRequest, ""},
		{"zeros", small, http.StatusBadRequest, ""},
		{"no snappy", []byte("hello"), http.StatusBadRequest, ""},
		{"no protobuf", snappy.Encode(nil, []byte("hello")), http.StatusBadRequest, ""},
		{"empty", nil, http.StatusBadRequest, ""},
	} {
		code, body, _ := r.post("application/x-protobuf", c.body)
		if code != c.code || !strings.Contains(body, c.says) || body == "" {
			t.Errorf("%s: %d %q, want %d with %q", c.name, code, body, c.code, c.says)
		}
	}
	if code, _, _ := r.post("text/plain", snappy.Encode(nil, nil)); code != http.StatusUnsupportedMediaType {
		t.Errorf("text: %d", code)
	}
	// Without a length, it is noticed while it is read.
	request := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/api/v1/write", io.MultiReader(bytes.NewReader(bomb)))
	request.ContentLength = -1
	w := httptest.NewRecorder()
	r.http.ServeHTTP(w, request)
	if w.Code/100 != 4 {
		t.Errorf("too large, of unknown length: %d", w.Code)
	}
	if n := r.refused(reasonRequest); n != 2 {
		t.Errorf("%v requests refused for their size, want 2", n)
	}
	if n := r.db.Head().NumSeries(); n != 0 {
		t.Errorf("%d series", n)
	}
}

func TestMetricsOfTheLimits(t *testing.T) {
	reg := prometheus.NewRegistry()
	g, err := New(Limits{Series: 4}, reg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	g.PostCreation(labels.FromStrings("job", "j"))
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP mcloud_collector_series_limit_ratio Series that the hot storage holds, of those that it may hold (collector.limits.series); absent without a limit.
# TYPE mcloud_collector_series_limit_ratio gauge
mcloud_collector_series_limit_ratio 0.25
`), "mcloud_collector_series_limit_ratio"); err != nil {
		t.Error(err)
	}
	if _, err := New(Limits{}, reg, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("registered twice without an error")
	}
}
