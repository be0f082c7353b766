package exporters

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mcloud"
)

var (
	up = &Family{Name: "test_up", Help: "Whether it is up.", Type: Gauge, Labels: []string{"host"}, Set: SetBase, Call: "GET /"}
	// perf is declared by the test source but opt-in.
	perf   = &Family{Name: "test_reads_total", Help: "Reads.", Type: Counter, Set: SetPerf, Call: "GET /"}
	hidden = &Family{Name: "test_hidden", Help: "Declared by nobody.", Type: Gauge, Set: SetBase}
)

func testSource(name string, collect CollectorFunc) Source {
	return Source{
		Name: name, System: "test", Period: time.Minute, Timeout: 10 * time.Second,
		Const: map[string]string{"cloud": "lab"}, Families: []*Family{up, perf}, Collector: collect,
	}
}

// bench runs Sources in a synctest bubble and keeps the log.
type bench struct {
	t      *testing.T
	runner *Runner
	log    *logBuffer
	cancel context.CancelFunc
	ended  chan error
}

func start(t *testing.T, opts Options, sources ...Source) *bench {
	t.Helper()
	b := &bench{t: t, log: &logBuffer{}, ended: make(chan error, 1)}
	opts.Logger = slog.New(slog.NewTextHandler(b.log, nil))
	b.runner = NewRunner(opts)
	for _, s := range sources {
		if err := b.runner.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.cancel = cancel
	go func() { b.ended <- b.runner.Run(ctx) }()
	time.Sleep(2 * time.Second) // the first looks start within a second
	synctest.Wait()
	return b
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (b *bench) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (b *bench) stop() error {
	b.cancel()
	return <-b.ended
}

func (b *bench) get(path string) (int, string) {
	w := httptest.NewRecorder()
	b.runner.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code, w.Body.String()
}

func (b *bench) page() string { _, body := b.get("/metrics"); return body }

func (b *bench) has(lines ...string) {
	b.t.Helper()
	page := b.page()
	for _, l := range lines {
		if !strings.Contains("\n"+page, "\n"+l+"\n") {
			b.t.Errorf("page lacks %q:\n%s", l, page)
		}
	}
}

func (b *bench) lacks(parts ...string) {
	b.t.Helper()
	page := b.page()
	for _, p := range parts {
		if strings.Contains(page, p) {
			b.t.Errorf("page has %q:\n%s", p, page)
		}
	}
}

func (b *bench) logged(part string, times int) {
	b.t.Helper()
	if n := strings.Count(b.log.String(), part); n != times {
		b.t.Errorf("log has %q %d times, want %d:\n%s", part, n, times, b.log)
	}
}

func oneHost(host string, value float64) *Snapshot {
	s := &Snapshot{Seen: 1}
	s.Add(up, value, host)
	return s
}

func TestGoodSourceIsServedFromMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int64
		b := start(t, Options{}, testSource("a", func(ctx context.Context) (*Snapshot, error) {
			looks.Add(1)
			CountCall(ctx, "test", "200", 250*time.Millisecond)
			s := oneHost("h1", float64(looks.Load()))
			s.Add(perf, 5)
			return s, nil
		}))
		b.has(`test_up{cloud="lab",host="h1"} 1`,
			`mcloud_source_success{cloud="lab",source="a",system="test"} 1`,
			`mcloud_source_complete{cloud="lab",source="a",system="test"} 1`,
			`mcloud_source_calls_total{api="test",cloud="lab",code="200",source="a"} 1`,
			`mcloud_source_calls_seconds_total{api="test",cloud="lab",code="200",source="a"} 0.25`,
			`mcloud_source_objects{cloud="lab",source="a",state="seen"} 1`)
		b.lacks("test_reads_total") // a set that is not asked for
		b.page()
		if n := looks.Load(); n != 1 {
			t.Errorf("%d looks after two scrapes, want 1", n)
		}
		b.after(10 * time.Minute)
		if n := looks.Load(); n < 10 || n > 12 {
			t.Errorf("%d looks in ten minutes of period one minute", n)
		}
		b.logged("source is complete", 0) // nothing new
		b.logged("every source has looked once\" sources=1 complete=1", 1)
		if err := b.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestFailureKeepsTheLastValuesUntilTheyAreTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		b := start(t, Options{}, testSource("a", func(context.Context) (*Snapshot, error) {
			if broken.Load() {
				return nil, WithKind(errors.New("keystone says no"), KindUnauthorized)
			}
			return oneHost("h1", 1), nil
		}))
		defer b.stop()
		broken.Store(true)
		b.after(70 * time.Second)
		b.has(`test_up{cloud="lab",host="h1"} 1`, `mcloud_source_success{cloud="lab",source="a",system="test"} 0`,
			`mcloud_source_complete{cloud="lab",source="a",system="test"} 0`,
			`mcloud_source_errors_total{cloud="lab",kind="unauthorized",source="a"} 1`)
		b.after(3 * time.Minute)
		b.lacks("test_up{")
		b.after(20 * time.Minute)
		b.logged("keystone says no", 3) // at once, then each ten minutes
		broken.Store(false)
		b.after(70 * time.Second)
		b.has(`test_up{cloud="lab",host="h1"} 1`, `mcloud_source_success{cloud="lab",source="a",system="test"} 1`)
		b.logged("before=failing", 1)
	})
}

// lostWay is the error of a system that could not be reached.
type lostWay struct{}

func (lostWay) Error() string    { return "keystone: connection refused" }
func (lostWay) Connecting() bool { return true }

func TestSourcesThatFailAlikeSayItOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		var sources []Source
		for _, name := range []string{"a", "b", "c", "d"} {
			sources = append(sources, testSource(name, func(context.Context) (*Snapshot, error) {
				if broken.Load() {
					return nil, errors.Join(fmt.Errorf("%s, first page: %w", name, lostWay{}), fmt.Errorf("%s, second page: %w", name, lostWay{}))
				}
				return oneHost("of-"+name, 1), nil
			}))
		}
		sources = append(sources, testSource("e", func(context.Context) (*Snapshot, error) { return nil, errors.New("something else") }))
		b := start(t, Options{}, sources...)
		b.after(20 * time.Second)
		b.logged("connection refused", 1)
		b.logged("something else", 1)
		b.logged("the same of other sources: source failed", 1)
		b.logged("count=3", 1)
		b.logged("sources=5 complete=0 failing=5", 1)
		broken.Store(false)
		b.after(2 * time.Minute)
		b.logged("msg=\"source is complete again", 1)
		b.logged("the same of other sources: source is complete again", 1)
		if err := b.stop(); err != nil {
			t.Error(err)
		}
		b.has(`mcloud_source_success{cloud="lab",source="d",system="test"} 1`)
	})
}

func TestPartialLookIsKeptAndNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Options{}, testSource("a", func(context.Context) (*Snapshot, error) {
			s := oneHost("h1", 1)
			s.Skipped = 2
			for i := range 7 {
				s.Failed = append(s.Failed, ObjectError{fmt.Sprintf("server %d", i), &json.SyntaxError{}})
			}
			return s, errors.Join(WithKind(errors.New("page 2"), KindServerError), context.DeadlineExceeded)
		}))
		defer b.stop()
		b.has(`test_up{cloud="lab",host="h1"} 1`, `mcloud_source_success{cloud="lab",source="a",system="test"} 1`,
			`mcloud_source_complete{cloud="lab",source="a",system="test"} 0`,
			`mcloud_source_objects{cloud="lab",source="a",state="failed"} 7`,
			`mcloud_source_objects{cloud="lab",source="a",state="skipped"} 2`,
			`mcloud_source_errors_total{cloud="lab",kind="decode",source="a"} 7`,
			`mcloud_source_errors_total{cloud="lab",kind="server_error",source="a"} 1`,
			`mcloud_source_errors_total{cloud="lab",kind="timeout",source="a"} 1`)
		b.logged("server 4", 1)
		b.logged("server 5", 0)
		b.logged("more=2", 1)
	})
}

func TestPanicIsOneSourcesAffair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Options{},
			testSource("a", func(context.Context) (*Snapshot, error) { panic("boom") }),
			testSource("b", func(context.Context) (*Snapshot, error) { return oneHost("h1", 1), nil }))
		defer b.stop()
		b.has(`test_up{cloud="lab",host="h1"} 1`, `mcloud_source_errors_total{cloud="lab",kind="panic",source="a"} 1`,
			`mcloud_source_success{cloud="lab",source="a",system="test"} 0`)
		b.logged("panic: boom", 1)
	})
}

func TestAbsentSystemIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Options{}, testSource("a", func(context.Context) (*Snapshot, error) {
			return nil, fmt.Errorf("%w: no endpoint of type key-manager", ErrAbsent)
		}))
		defer b.stop()
		b.after(time.Hour)
		b.has(`mcloud_source_absent{cloud="lab",source="a",system="test"} 1`)
		b.lacks("mcloud_source_success{", "mcloud_source_errors_total{")
		b.logged("no endpoint of type key-manager", 0) // at a start the sum says it
		b.logged("absent=1", 1)
	})
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		b := start(t, Options{}, testSource("a", func(context.Context) (*Snapshot, error) {
			if looks++; looks == 1 {
				return oneHost("h1", 1), nil
			}
			return nil, fmt.Errorf("%w: no endpoint of type key-manager", ErrAbsent)
		}))
		defer b.stop()
		b.after(time.Hour)
		b.logged("no endpoint of type key-manager", 1)
	})
}

func TestBadSamplesNeverBreakThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Options{},
			testSource("a", func(context.Context) (*Snapshot, error) {
				s := oneHost("h1", 1)
				s.Add(up, 2, "h1")
				s.Add(hidden, 1)
				s.Add(up, 3, "bad\xffutf8")
				s.Samples = append(s.Samples, Sample{Family: up, Value: 1}) // no label at all
				return s, nil
			}),
			testSource("b", func(context.Context) (*Snapshot, error) {
				s := oneHost("h1", 9)
				s.Add(up, 9, "h2")
				return s, nil
			}))
		defer b.stop()
		if code, _ := b.get("/metrics"); code != 200 {
			t.Fatalf("status %d", code)
		}
		b.has(`test_up{cloud="lab",host="h1"} 1`, `test_up{cloud="lab",host="h2"} 9`, `test_up{cloud="lab",host="bad`+"\uFFFD"+`utf8"} 3`,
			`mcloud_source_errors_total{cloud="lab",kind="sample",source="a"} 2`,
			`mcloud_source_errors_total{cloud="lab",kind="sample",source="b"} 1`) // counted once, though scraped twice
		b.lacks("test_hidden")
		b.logged("test_hidden is not among the families that the source declares", 1)
		b.logged(`test_up is served by source \"a\" already`, 1)
	})
}

func TestLookThatDoesNotReturnIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var looks atomic.Int64
		b := start(t, Options{StopTimeout: 3 * time.Second}, testSource("a", func(context.Context) (*Snapshot, error) {
			looks.Add(1)
			<-release
			return oneHost("h1", 1), nil
		}))
		b.after(3 * time.Minute)
		if n := looks.Load(); n != 1 {
			t.Errorf("%d looks run at once", n)
		}
		b.has(`mcloud_source_success{cloud="lab",source="a",system="test"} 0`)
		err := b.stop()
		if err == nil || !strings.Contains(err.Error(), "still busy 3s after the stop: a") {
			t.Errorf("Run returned %v", err)
		}
		close(release)
	})
}

func TestReadyNamesWhoIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Options{},
			testSource("quick", func(context.Context) (*Snapshot, error) { return nil, errors.New("no") }),
			testSource("slow", func(ctx context.Context) (*Snapshot, error) {
				time.Sleep(5 * time.Second)
				return oneHost("h1", 1), nil
			}))
		defer b.stop()
		if code, body := b.get("/-/ready"); code != 503 || !strings.Contains(body, "first look of: slow\n") {
			t.Errorf("%d %q", code, body)
		}
		b.after(5 * time.Second)
		if code, _ := b.get("/-/ready"); code != 200 {
			t.Errorf("status %d after all looks", code)
		}
		if code, body := b.get("/"); code != 200 || !strings.Contains(body, `class="failing"`) {
			t.Errorf("%d %s", code, body)
		}
		if code, _ := b.get("/healthz"); code != 200 {
			t.Errorf("healthz %d", code)
		}
	})
}

type recorder func(ctx context.Context, b mcloud.Batch) error

func (r recorder) Record(ctx context.Context, b mcloud.Batch) error { return r(ctx, b) }

func TestRecorderNeverHoldsTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var got []mcloud.Batch
		var mu sync.Mutex
		var looks atomic.Int64
		b := start(t, Options{RecordTimeout: time.Second, Recorder: recorder(func(_ context.Context, b mcloud.Batch) error {
			<-release
			mu.Lock()
			defer mu.Unlock()
			got = append(got, b)
			return nil
		})}, testSource("a", func(context.Context) (*Snapshot, error) {
			s := oneHost("h1", 1)
			s.Events = []mcloud.Event{{ID: fmt.Sprint(looks.Add(1))}}
			s.Inventories = []mcloud.Inventory{{Cloud: "lab", Complete: true}, {Scope: s.Events[0].ID}}
			return s, nil
		}))
		b.after(150 * time.Second)
		if n := looks.Load(); n < 3 {
			t.Errorf("%d looks while the recorder hangs, want 3", n)
		}
		close(release)
		b.after(2 * time.Minute)
		b.stop()
		mu.Lock()
		defer mu.Unlock()
		seen := map[string]int{}
		for _, batch := range got {
			for _, e := range batch.Events {
				seen[e.ID]++
			}
			for _, v := range batch.Inventories {
				if !v.Complete {
					seen[v.Scope] += 10
				}
			}
		}
		for id := int64(1); id < looks.Load(); id++ {
			if seen[fmt.Sprint(id)] != 11 {
				t.Errorf("event and incomplete inventory %d were recorded otherwise than once: %v", id, seen)
			}
		}
		b.has(fmt.Sprintf(`mcloud_source_unrecorded_total{cloud="lab",record="inventory",source="a"} %d`, 2))
	})
}

func TestAddRefusesWhatWouldBreakThePage(t *testing.T) {
	collect := func(context.Context) (*Snapshot, error) { return nil, nil }
	good := testSource("a", collect)
	with := func(change func(*Source)) Source {
		s := testSource("b", collect)
		change(&s)
		return s
	}
	for want, s := range map[string]Source{
		"is there already":                         good,
		"period 0s":                                with(func(s *Source) { s.Period = 0 }),
		"no collector":                             with(func(s *Source) { s.Collector = nil }),
		`test_up has label "host" twice`:           with(func(s *Source) { s.Const = map[string]string{"host": "x"} }),
		`"no-name" is not a metric name`:           with(func(s *Source) { s.Families = []*Family{{Name: "no-name"}} }),
		`declares test_up otherwise than source`:   with(func(s *Source) { f := *up; f.Help = "Other."; s.Families = []*Family{&f} }),
		`declares test_up twice`:                   with(func(s *Source) { s.Families = []*Family{up, up} }),
		`declares mcloud_source_success, which is`: with(func(s *Source) { s.Families = []*Family{selfSuccess} }),
	} {
		r := NewRunner(Options{})
		if err := r.Add(good); err != nil {
			t.Fatal(err)
		}
		if err := r.Add(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestSameNameInTwoClouds(t *testing.T) {
	r := NewRunner(Options{})
	a, b := testSource("a", nil), testSource("a", nil)
	a.Collector = CollectorFunc(func(context.Context) (*Snapshot, error) { return nil, nil })
	b.Collector, b.Const = a.Collector, map[string]string{"cloud": "other"}
	if err := errors.Join(r.Add(a), r.Add(b)); err != nil {
		t.Error(err)
	}
}
