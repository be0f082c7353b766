package collector

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"

	"mcloud/collector/ingest"
)

// blocks returns n blocks of one minute each, newest first.
func blocks(t *testing.T, n int) []*tsdb.Block {
	t.Helper()
	dir := t.TempDir()
	opts := tsdb.DefaultOptions()
	opts.MinBlockDuration, opts.MaxBlockDuration = 60_000, 60_000
	db, err := tsdb.Open(dir, nil, nil, opts, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	db.DisableCompactions()
	app := db.Appender(context.Background())
	for at := int64(0); at < int64(n+1)*60_000; at += 10_000 {
		if _, err := app.Append(0, labels.FromStrings("__name__", "a"), at, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	all := db.Blocks()
	if len(all) < n {
		t.Fatalf("%d blocks", len(all))
	}
	var out []*tsdb.Block
	for i := range n {
		out = append(out, all[n-1-i])
	}
	return out
}

func TestKeepUnshipped(t *testing.T) {
	all := blocks(t, 4) // newest: [180 s, 240 s), oldest: [0, 60 s)
	size := all[0].Size()
	for _, c := range []struct {
		name            string
		unshipped, most int64
		deleted         int
	}{
		{"all is shipped", 0, 1 << 40, 3},
		{"only what is not to be deleted is unshipped", 180_001, 1 << 40, 3},
		{"two blocks wait", 70_000, 1 << 40, 1},
		{"all wait", 1, 1 << 40, 0},
		{"all wait, room for one", 1, size + size/2, 2},
		{"no room", 1, 0, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			del := map[ulid.ULID]struct{}{}
			for _, b := range all[1:] {
				del[b.Meta().ULID] = struct{}{}
			}
			got := keepUnshipped(all, del, c.unshipped, c.most)
			if len(got) != c.deleted {
				t.Errorf("%d blocks are deleted, want %d", len(got), c.deleted)
			}
			if c.deleted > 0 {
				if _, ok := got[all[3].Meta().ULID]; !ok {
					t.Error("the oldest is kept and a newer deleted")
				}
			}
		})
	}
}

// A new TSDB is whole from its making on, not from its first sample's time; and stays
// so after a restart.
func TestNewHotStorageIsWholeFromNow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "hot")
	before := time.Now().UnixMilli()
	gate, err := ingest.New(ingest.Limits{}, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	open := func() *hot {
		h, err := openHot(hotOptions{dir: dir, retention: time.Hour, unshipped: func() int64 { return 0 }, gate: gate,
			logger: slog.New(slog.DiscardHandler), reg: prometheus.NewRegistry(), repairs: prometheus.NewCounter(prometheus.CounterOpts{})})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	h := open()
	app := h.Appender(context.Background())
	if _, err := app.Append(0, labels.FromStrings("__name__", "a"), before-3_600_000, 1); err != nil {
		t.Fatal(err)
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	first, err := h.StartTime()
	if err != nil || first < before {
		t.Errorf("start %d, made at %d, %v", first, before, err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h = open()
	if again, err := h.StartTime(); err != nil || again != first {
		t.Errorf("after a restart the start is %d, was %d, %v", again, first, err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "whole-since"), []byte("??"), 0o600); err != nil {
		t.Fatal(err)
	}
	h = open()
	if again, err := h.StartTime(); err != nil || again < first {
		t.Errorf("with an unreadable note the start is %d, %v", again, err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

// Beside other replicas the TSDB is whole from when its collector came back on, unless that
// was at once: what it missed is in the long-term store.
func TestHotStorageOfAReplicaThatWasAway(t *testing.T) {
	for _, c := range []struct {
		name       string
		replicated bool
		away       time.Duration
		whole      bool
	}{{"alone", false, time.Hour, true}, {"restarted", true, 10 * time.Second, true}, {"away", true, time.Hour, false}} {
		dir := filepath.Join(t.TempDir(), "hot")
		open := func(replicated bool) *hot {
			gate, err := ingest.New(ingest.Limits{}, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			h, err := openHot(hotOptions{dir: dir, retention: 6 * time.Hour, unshipped: func() int64 { return 0 }, gate: gate, replicated: replicated,
				logger: slog.New(slog.DiscardHandler), reg: prometheus.NewRegistry(), repairs: prometheus.NewCounter(prometheus.CounterOpts{})})
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		h := open(false)
		app := h.Appender(context.Background())
		for _, at := range []time.Duration{c.away + time.Hour, c.away} {
			if _, err := app.Append(0, labels.FromStrings("__name__", "a"), time.Now().Add(-at).UnixMilli(), 1); err != nil {
				t.Fatal(err)
			}
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		// It was made long ago.
		if err := os.Remove(filepath.Join(dir, "whole-since")); err != nil {
			t.Fatal(err)
		}
		back := time.Now().UnixMilli()
		for _, what := range []string{"back", "back, and started again"} {
			h = open(c.replicated)
			start, err := h.StartTime()
			if err != nil || c.whole != (start < back) {
				t.Errorf("%s, %s: whole from %d ms after that on, %v", c.name, what, start-back, err)
			}
			// A scrape.
			app := h.Appender(context.Background())
			if _, err := app.Append(0, labels.FromStrings("__name__", "a"), time.Now().UnixMilli(), 1); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(app.Commit(), h.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
