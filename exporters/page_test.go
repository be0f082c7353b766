package exporters

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// TestPageIsAsClientGolangWritesIt writes the same samples both ways.
func TestPageIsAsClientGolangWritesIt(t *testing.T) {
	f := &Family{Name: "test_value", Help: "Back\\slash,\nnew line and \"quotes\".", Type: Gauge, Labels: []string{"zone", "host"}, Set: SetBase}
	counter := &Family{Name: "test_bare", Help: "Without labels.", Type: Counter, Set: SetBase}
	s := Source{Const: map[string]string{"cloud": "l\"a\\b\n", "m": "x\xff"}, Families: []*Family{f, counter}}
	var samples []Sample
	add := func(f *Family, v float64, labels ...string) { samples = append(samples, Sample{f, labels, v}) }
	for i, v := range []float64{0, 1, -1, 0.1, 1e21, 1e20, 123456789, 999999, 1000000, 1000001, -1e6, 1.5e-9, math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN(), math.Copysign(0, -1), 20000000} {
		add(f, v, fmt.Sprint("z", i%3), fmt.Sprint("h", i))
	}
	for _, label := range []string{"", " ", "h", "h ", "h!", `h"`, "h\n", `h\`, "ü", "\x00", "\xff", "\u2028"} {
		add(f, 7, label, "odd")
	}
	add(counter, 5)

	registry := prometheus.NewRegistry()
	constant := prometheus.Labels{"cloud": s.Const["cloud"], "m": valid(s.Const["m"])}
	registry.MustRegister(metrics(func(out chan<- prometheus.Metric) {
		for _, x := range samples {
			kind := prometheus.GaugeValue
			if x.Family.Type == Counter {
				kind = prometheus.CounterValue
			}
			labels := make([]string, len(x.Labels))
			for i, v := range x.Labels {
				labels[i] = valid(v)
			}
			out <- prometheus.MustNewConstMetric(prometheus.NewDesc(x.Family.Name, x.Family.Help, x.Family.Labels, constant), kind, x.Value, labels...)
		}
	}))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, mf := range families {
		if _, err := expfmt.MetricFamilyToText(&want, mf); err != nil {
			t.Fatal(err)
		}
	}
	rand.Shuffle(len(samples), func(i, j int) { samples[i], samples[j] = samples[j], samples[i] })
	r := NewRunner(Options{})
	chunks, wrong := makeChunks(s, samples, r.sets, nil, nil)
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	r.tasks = []*task{{source: Source{MaxAge: time.Hour}, chunks: chunks, taken: time.Now()}}
	b, err := r.compose(nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(b.plain())
	if err != nil || string(got) != want.String() {
		t.Errorf("error %v, page\n%s\nwant\n%s", err, got, want.String())
	}
}

type metrics func(chan<- prometheus.Metric)

func (metrics) Describe(chan<- *prometheus.Desc)       {}
func (m metrics) Collect(out chan<- prometheus.Metric) { m(out) }

func TestGzippedPageIsThePlainOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Options{}, testSource("a", func(context.Context) (*Snapshot, error) {
			s := oneHost("h1", 1)
			for i := range 5000 {
				s.Add(up, float64(i), fmt.Sprint("host-", i))
			}
			return s, nil
		}))
		defer b.stop()
		plain := b.page()
		req := httptest.NewRequest("GET", "/metrics", nil)
		req.Header.Set("Accept-Encoding", "deflate, gzip;q=1.0, *;q=0.5")
		w := httptest.NewRecorder()
		b.runner.Handler().ServeHTTP(w, req)
		if w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Content-Length") != fmt.Sprint(w.Body.Len()) {
			t.Errorf("headers %v for %d bytes", w.Header(), w.Body.Len())
		}
		z, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		z.Multistream(false) // one member: some clients read no second one
		unzipped, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		if string(unzipped) != plain {
			t.Error("the gzipped page is another one")
		}
		families, err := b.runner.Gatherer().Gather()
		if err != nil {
			t.Fatal(err)
		}
		var again strings.Builder
		for _, f := range families {
			if _, err := expfmt.MetricFamilyToText(&again, f); err != nil {
				t.Fatal(err)
			}
		}
		if again.String() != plain {
			t.Error("what is gathered is not what is served")
		}
		req.Header.Set("Accept-Encoding", "gzip;q=0")
		w = httptest.NewRecorder()
		b.runner.Handler().ServeHTTP(w, req)
		if w.Header().Get("Content-Encoding") != "" || w.Body.String() != plain {
			t.Error("gzip was refused and came")
		}
	})
}

func TestChecksumsAreJoined(t *testing.T) {
	random := rand.NewChaCha8([32]byte{7})
	for _, n := range []int{0, 1, 2, 255, 4096, 1 << 17} {
		a, b := make([]byte, 333), make([]byte, n)
		_, _ = random.Read(a)
		_, _ = random.Read(b)
		want := crc32.ChecksumIEEE(bytes.Join([][]byte{a, b}, nil))
		if got := crcMultiply(crcShift(n), crc32.ChecksumIEEE(a)) ^ crc32.ChecksumIEEE(b); got != want {
			t.Errorf("%d bytes behind 333: %08x, want %08x", n, got, want)
		}
	}
}

// TestSameTextIsNotCompressedAgain compares where the bytes are.
func TestSameTextIsNotCompressedAgain(t *testing.T) {
	s := testSource("a", nil)
	look := func(value float64, before []chunk) []chunk {
		made, wrong := makeChunks(s, oneHost("h1", value).Samples, map[Set]bool{SetBase: true}, nil, before)
		if len(wrong) > 0 || len(made) != 1 {
			t.Fatal(made, wrong)
		}
		return made
	}
	first := look(1, nil)
	if again := look(1, first); &again[0].piece.deflated[0] != &first[0].piece.deflated[0] {
		t.Error("the same text was compressed again")
	}
	if other := look(2, first); bytes.Equal(other[0].piece.deflated, first[0].piece.deflated) {
		t.Error("another value has the same piece")
	}
}

// bigPage is a Runner with n series of 100 families in ten Sources.
func bigPage(b *testing.B, n int) (*Runner, []Source, [][]Sample) {
	r := NewRunner(Options{})
	var sources []Source
	var samples [][]Sample
	for i := range 10 {
		s := Source{Name: fmt.Sprint("s", i), System: "test", Period: time.Minute, Timeout: time.Minute, Const: map[string]string{"cloud": "lab"},
			Collector: CollectorFunc(func(context.Context) (*Snapshot, error) { return nil, nil })}
		var all []Sample
		for j := range 10 {
			f := &Family{Name: fmt.Sprintf("test_%d_%d", i, j), Help: "One of many.", Type: Gauge, Labels: []string{"host", "zone"}, Set: SetBase}
			s.Families = append(s.Families, f)
			for k := range n / 100 {
				all = append(all, Sample{f, []string{fmt.Sprintf("compute-%04d.example.org", k), "az-1"}, float64(k * j)})
			}
		}
		if err := r.Add(s); err != nil {
			b.Fatal(err)
		}
		sources, samples = append(sources, s), append(samples, all)
	}
	for i, t := range r.tasks {
		t.chunks, _ = makeChunks(sources[i], samples[i], r.sets, nil, nil)
		t.taken, t.last.done = time.Now(), true
	}
	return r, sources, samples
}

func BenchmarkScrape(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		for _, encoding := range []string{"identity", "gzip"} {
			b.Run(fmt.Sprintf("%d/%s", n, encoding), func(b *testing.B) {
				r, _, _ := bigPage(b, n)
				h := r.Handler()
				req := httptest.NewRequest("GET", "/metrics", nil)
				req.Header.Set("Accept-Encoding", encoding)
				b.ReportAllocs()
				for b.Loop() {
					w := httptest.NewRecorder()
					w.Body = nil
					h.ServeHTTP(w, req)
				}
			})
		}
	}
}

// BenchmarkKeep is what a look's end costs: 10,000 series that changed, and that
// did not.
func BenchmarkKeep(b *testing.B) {
	r, sources, samples := bigPage(b, 100_000)
	for _, same := range []bool{false, true} {
		b.Run(fmt.Sprintf("same=%v", same), func(b *testing.B) {
			before := r.tasks[0].chunks
			if !same {
				before = nil
			}
			b.ReportAllocs()
			for b.Loop() {
				makeChunks(sources[0], samples[0], r.sets, nil, before)
			}
		})
	}
}
