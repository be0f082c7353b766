package importer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"

	"mcloud/collector/shipper"
)

// memory is a store that keeps batches by token, and fails when it is told to.
type memory struct {
	tokens map[string]bool
	values map[string]map[int64][]float64
	// fail says of the nth call whether it fails, and whether the batch is kept.
	fail  func(call int) (fails, kept bool)
	calls int
}

var errAway = errors.New("away")

// WriteSamples implements shipper.Store.
func (m *memory) WriteSamples(_ context.Context, token string, b shipper.Batch) error {
	m.calls++
	fails, kept := false, true
	if m.fail != nil {
		fails, kept = m.fail(m.calls)
	}
	if kept && !m.tokens[token] {
		if m.tokens == nil {
			m.tokens, m.values = map[string]bool{}, map[string]map[int64][]float64{}
		}
		m.tokens[token] = true
		for i, ref := range b.Ref {
			name := b.Series[ref].String()
			if m.values[name] == nil {
				m.values[name] = map[int64][]float64{}
			}
			m.values[name][b.Time[i]] = append(m.values[name][b.Time[i]], b.Value[i])
		}
	}
	if fails {
		return errAway
	}
	return nil
}

// check wants every sample once.
func (m *memory) check(t *testing.T, series, samples int) {
	t.Helper()
	if len(m.values) != series {
		t.Errorf("%d series, want %d", len(m.values), series)
	}
	for name, at := range m.values {
		if len(at) != samples {
			t.Errorf("%s: %d samples, want %d", name, len(at), samples)
		}
		for ms, values := range at {
			if len(values) != 1 {
				t.Fatalf("%s at %d is there %d times", name, ms, len(values))
			}
		}
	}
}

const (
	blockSeries, blockSamples = 7, 120
	blockStart                = int64(1_790_812_800_000)
)

// blocks writes a TSDB directory with two blocks.
func blocks(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for k := range 2 {
		w, err := tsdb.NewBlockWriter(slog.New(slog.DiscardHandler), dir, 2*3_600_000)
		if err != nil {
			t.Fatal(err)
		}
		app := w.Appender(t.Context())
		for i := range blockSamples {
			for s := range blockSeries {
				at := blockStart + int64(k)*7_200_000 + int64(i)*60_000
				if _, err := app.Append(0, labels.FromStrings("__name__", "m", "s", fmt.Sprint(s)), at, float64(i*s)/2); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "wal"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// An import that ends at any batch, with or without the store having it, goes on
// there and has every sample once.
func TestImportOfBlocksGoesOn(t *testing.T) {
	sources, err := Blocks(blocks(t))
	if err != nil || len(sources) != 2 || sources[0].Samples != blockSeries*blockSamples {
		t.Fatal(sources, err)
	}
	for ends := 1; ends <= 12; ends++ {
		for _, kept := range []bool{false, true} {
			m := &memory{fail: func(call int) (bool, bool) { return call == ends, call != ends || kept }}
			o := Options{Store: m, StateDir: t.TempDir(), BatchSamples: 150, Tries: 1}
			failed := 0
			for _, s := range sources {
				r, err := Run(t.Context(), o, s)
				if err != nil {
					if failed++; !errors.Is(err, errAway) || !strings.Contains(err.Error(), "run it again") {
						t.Fatal(err)
					}
					o.BatchSamples = 99 // what the state says counts
					if r, err = Run(t.Context(), o, s); err != nil {
						t.Fatal(err)
					}
				}
				if r.Samples != blockSeries*blockSamples {
					t.Errorf("%+v", r)
				}
			}
			if failed != 1 {
				t.Errorf("it failed %d times", failed)
			}
			m.check(t, blockSeries, 2*blockSamples)
			calls := m.calls
			for _, s := range sources {
				if r, err := Run(t.Context(), o, s); err != nil || r.Before != r.Samples || r.Samples == 0 {
					t.Errorf("once more: %+v %v", r, err)
				}
			}
			if m.calls != calls {
				t.Error("what is done is sent again")
			}
		}
	}
}

func TestImportOfText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.om")
	var b strings.Builder
	b.WriteString("# TYPE m gauge\n")
	for s := range 3 {
		for k := range 50 {
			fmt.Fprintf(&b, "m{s=\"%d\"} %d.5 %d\n", s, k, 1_790_812_800+k*15)
		}
	}
	b.WriteString("# EOF\n")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := OpenMetrics(path)
	if err != nil {
		t.Fatal(err)
	}
	m := &memory{fail: func(call int) (bool, bool) { return call == 2, true }}
	r, err := Run(t.Context(), Options{Store: m, StateDir: t.TempDir(), BatchSamples: 40}, s)
	if err != nil || r.Samples != 150 {
		t.Fatalf("%+v %v", r, err)
	}
	m.check(t, 3, 50)
	if v := m.values[`{__name__="m", s="2"}`][1_790_812_800_000+49*15_000]; len(v) != 1 || v[0] != 49.5 {
		t.Errorf("%v", v)
	}
}

func TestImportErrors(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.om")
	for content, says := range map[string]string{
		"m 1 5\nm{ 2\n# EOF\n":              "bad.om:2:",
		"m 1 5\nm 2\n# EOF\n":               "bad.om:2: a sample without a timestamp",
		"m 1 5\n":                           "bad.om:",
		"# TYPE m gauge\nm 1 5\nm x 2\n":    "bad.om:3:",
		"\x00\x01garbage of another kind\n": "bad.om:1:",
	} {
		if err := os.WriteFile(bad, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := OpenMetrics(bad)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Run(t.Context(), Options{Store: &memory{}, StateDir: t.TempDir()}, s)
		if !errors.Is(err, ErrSource) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", content, err)
		}
	}
	if _, err := Blocks(dir); !errors.Is(err, ErrSource) || !strings.Contains(err.Error(), "has no blocks") {
		t.Error(err)
	}
	if _, err := OpenMetrics(filepath.Join(dir, "none")); !errors.Is(err, ErrSource) {
		t.Error(err)
	}
	tsdbDir := blocks(t)
	sources, err := Blocks(tsdbDir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(sources[0].Path, "index"), 100); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), Options{Store: &memory{}, StateDir: t.TempDir()}, sources[0]); !errors.Is(err, ErrSource) || !strings.Contains(err.Error(), sources[0].Path) {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(sources[1].Path, "meta.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Blocks(tsdbDir); !errors.Is(err, ErrSource) || !strings.Contains(err.Error(), "meta.json") {
		t.Error(err)
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("# TYPE m gauge\nm{a=\"b\"} 1 2\n# EOF\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		err := eachText("x.om", content, func(labels.Labels, int64, float64) error { return nil })
		if err != nil && !errors.Is(err, ErrSource) {
			t.Error(err)
		}
	})
}
