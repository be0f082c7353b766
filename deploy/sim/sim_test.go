package sim

import (
	"log/slog"
	"testing"
	"time"

	"mcloud"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// demo is the default cloud, not served.
func demo(t testing.TB) *Cloud {
	t.Helper()
	c, err := New(Options{Dir: t.TempDir(), Now: func() time.Time { return noon }, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestDemoHistory tells 180 days of the demo, each sixth hour; all hours take
// some seconds, see BenchmarkHistory.
func TestDemoHistory(t *testing.T) {
	c := demo(t)
	start, first := c.Began()
	if got := first.Sub(start); got != 180*24*time.Hour {
		t.Errorf("the demo has %s of history, want 180 days", got)
	}
	began := time.Now()
	series, samples := 0, 0
	if err := c.History(start, first, 6*time.Hour, func(_ string, _ map[string]string, times []int64, _ []float64) error {
		series++
		samples += len(times)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	t.Logf("%d series, %d samples in %s", series, samples, took)
	if series < 1500 || samples < 1_000_000 {
		t.Errorf("%d series with %d samples, want more", series, samples)
	}
}

func TestDemoObjectHistory(t *testing.T) {
	c := demo(t)
	began := time.Now()
	batches, objects, events := 0, 0, 0
	if err := c.ObjectHistory(noon.Add(-35*24*time.Hour), noon, 24*time.Hour, func(b mcloud.Batch) error {
		batches++
		events += len(b.Events)
		for _, v := range b.Inventories {
			objects += len(v.Objects)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d batches, %d objects, %d events in %s", batches, objects, events, time.Since(began))
	if events < 1000 || objects < 35*4000 {
		t.Errorf("%d events and %d objects, want more", events, objects)
	}
}

func BenchmarkHistory(b *testing.B) {
	c := demo(b)
	start, first := c.Began()
	for b.Loop() {
		if err := c.History(start, first, time.Hour, func(string, map[string]string, []int64, []float64) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
