package shipper

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/prometheus/prometheus/tsdb/wlog"
)

// segment is a WAL segment that the shipper holds a hard link of.
//
// A WAL can be repaired (the TSDB rewrites a corrupt segment up to the damage and
// deletes the later ones) or replaced, and then numbers a second time what it
// numbered before. Epoch tells these generations apart: within an epoch numbers
// only grow.
type segment struct {
	Epoch, Number int
	// Skip is how many records at its start equal those of the segment of the same
	// number in an earlier epoch: their samples have been read from there.
	Skip int
}

func (s segment) name() string { return fmt.Sprintf("%06d-%08d-%d", s.Epoch, s.Number, s.Skip) }

func parseSegment(name string) (segment, bool) {
	var s segment
	if n, err := fmt.Sscanf(name, "%d-%d-%d", &s.Epoch, &s.Number, &s.Skip); n != 3 || err != nil {
		return segment{}, false
	}
	return s, s.name() == name
}

func (s segment) before(t segment) bool {
	return s.Epoch < t.Epoch || s.Epoch == t.Epoch && s.Number < t.Number
}

// hold is the directory of held segments. Its methods may be called concurrently.
type hold struct {
	dir, walDir string
	logger      *slog.Logger

	mu    sync.Mutex
	held  []segment         // in reading order
	sizes map[segment]int64 // of those the WAL has no more; this is disk that only the shipper needs
}

func openHold(dir, walDir string, logger *slog.Logger) (*hold, error) {
	h := &hold{dir: dir, walDir: walDir, logger: logger, sizes: map[segment]int64{}}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("create the directory of held WAL segments: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the directory of held WAL segments: %w", err)
	}
	for _, e := range entries {
		if s, ok := parseSegment(e.Name()); ok {
			h.held = append(h.held, s)
		}
	}
	h.sort()
	return h, h.sync()
}

func (h *hold) sort() {
	slices.SortFunc(h.held, func(a, b segment) int {
		switch {
		case a.before(b):
			return -1
		case b.before(a):
			return 1
		}
		return 0
	})
}

func (h *hold) path(s segment) string { return filepath.Join(h.dir, s.name()) }

// sync links the WAL's segments that are not held yet.
func (h *hold) sync() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dropRemoved()
	numbers, err := walNumbers(h.walDir)
	if err != nil {
		return err
	}
	inWAL := map[segment]bool{}
	added := false
	for _, n := range numbers {
		s, isNew, err := h.link(n)
		if errors.Is(err, fs.ErrNotExist) {
			continue // truncated since it was listed, so it had been held long before
		}
		if err != nil {
			return err
		}
		inWAL[s] = true
		added = added || isNew
	}
	clear(h.sizes)
	for _, s := range h.held {
		if inWAL[s] {
			continue
		}
		fi, err := os.Stat(h.path(s))
		if err != nil {
			return fmt.Errorf("held WAL segment: %w", err)
		}
		h.sizes[s] = fi.Size()
	}
	if added {
		return syncDir(h.dir)
	}
	return nil
}

// dropRemoved forgets held segments that someone deleted.
func (h *hold) dropRemoved() {
	h.held = slices.DeleteFunc(h.held, func(s segment) bool {
		_, err := os.Stat(h.path(s))
		gone := errors.Is(err, fs.ErrNotExist)
		if gone {
			h.logger.Error("a held WAL segment was deleted from outside; what it had unshipped is missing in the long term", "file", h.path(s))
		}
		return gone
	})
}

// link returns the held segment that is the WAL's segment n, linking it when it is new.
func (h *hold) link(n int) (s segment, isNew bool, err error) {
	walPath := wlog.SegmentName(h.walDir, n)
	walInfo, err := os.Stat(walPath)
	if err != nil {
		return segment{}, false, err
	}
	former := -1 // index of the latest held segment with this number
	for i, s := range h.held {
		if s.Number == n {
			former = i
		}
	}
	if former >= 0 {
		info, err := os.Stat(h.path(h.held[former]))
		if err != nil {
			return segment{}, false, fmt.Errorf("held WAL segment: %w", err)
		}
		if os.SameFile(walInfo, info) {
			return h.held[former], false, nil
		}
	}
	s = segment{Number: n}
	if len(h.held) > 0 {
		last := h.held[len(h.held)-1]
		s.Epoch = last.Epoch
		if n <= last.Number {
			s.Epoch++
		}
	}
	if former >= 0 {
		if s.Skip, err = equalPrefix(h.path(h.held[former]), walPath); err != nil {
			return segment{}, false, err
		}
		h.logger.Info("WAL segment was rewritten since it was last seen; the records both have are shipped once",
			"file", walPath, "held", h.path(h.held[former]), "records_in_common", s.Skip)
	}
	if err := os.Link(walPath, h.path(s)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return segment{}, false, err
		}
		return segment{}, false, fmt.Errorf("hold WAL segment (the WAL and %s must lie on one filesystem that has hard links): %w", h.dir, err)
	}
	h.held = append(h.held, s)
	return s, true, nil
}

// at returns the held segment of this epoch and number, or else the next one in
// reading order; exact tells which.
func (h *hold) at(epoch, number int) (s segment, exact, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	want := segment{Epoch: epoch, Number: number}
	for _, s := range h.held {
		if !s.before(want) {
			return s, !want.before(s), true
		}
	}
	return segment{}, false, false
}

// after returns the segment read after s.
func (h *hold) after(s segment) (segment, bool) {
	next, _, ok := h.at(s.Epoch, s.Number+1)
	return next, ok
}

// outlived returns the held segments before limit that the WAL has no more, oldest first.
func (h *hold) outlived(limit segment) []segment {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []segment
	for _, s := range h.held {
		if _, gone := h.sizes[s]; gone && s.before(limit) {
			out = append(out, s)
		}
	}
	return out
}

// release deletes held segments.
func (h *hold) release(segments []segment) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range segments {
		if err := os.Remove(h.path(s)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("release held WAL segment: %w", err)
		}
		delete(h.sizes, s)
		h.held = slices.DeleteFunc(h.held, func(t segment) bool { return t == s })
	}
	return nil
}

// usage returns how many segments are held that the WAL has no more, their bytes,
// and how many segments there are from s on.
func (h *hold) usage(s segment) (outlived int, bytes int64, queued int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.sizes {
		outlived++
		bytes += n
	}
	for _, t := range h.held {
		if !t.before(s) {
			queued++
		}
	}
	return outlived, bytes, queued
}

func walNumbers(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list WAL segments: %w", err)
	}
	var numbers []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && !e.IsDir() {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}
