// Package spool keeps what exporters recorded on disk until the collector has
// stored it, so that neither side's restart nor a store that is away for hours
// loses an Event.
//
// Record writes a file for each batch of Events and for each Inventory, and Run
// posts them, oldest first, until they are acknowledged. Posting twice changes
// nothing at the collector, so a crash between the two is harmless.
//
//   - Events are kept until they are acknowledged. When the spool is full, the
//     oldest records are refused, counted and logged.
//   - Of the complete Inventories of one cloud, scope and kind only the latest
//     waits. One that is the same as the last acknowledged one is left out,
//     unless that is Options.RepeatEvery ago: the store learns of every change at
//     once, and at least that often that nothing changed. What changed is posted
//     as the difference to the last acknowledged one while that is smaller; a
//     collector that does not hold that one says so and is given everything with
//     the next look.
//   - An incomplete Inventory replaces a waiting one if it has all its objects,
//     and waits beside it otherwise.
//   - Records that the collector refuses for good (400, 413) are singled out and
//     moved to the directory "bad", with what it said; the others go on.
//
// A file is written beside, synced and renamed, so it is whole or not there; one
// that is torn nevertheless is moved to "bad", counted and named.
package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"mcloud"
)

// Poster brings a batch to the collector and returns once it is stored. The
// error of a batch that must not be sent again has a method Permanent() bool
// that says so; one that names a time to wait has RetryAfter() time.Duration.
type Poster interface {
	Post(ctx context.Context, batch mcloud.Batch) error
}

// Options configure a Spool.
type Options struct {
	Dir    string // made if it is not there; one process at a time may use it
	Poster Poster
	// MaxBytes bounds the records that wait, on disk; 256 MiB if zero.
	MaxBytes int64
	// MaxBatchBytes bounds the JSON of one post; 4 MiB if zero. A single
	// Inventory may be larger, because it is not divided.
	MaxBatchBytes int
	// RepeatEvery is how often an unchanged Inventory is posted; 10 minutes if zero.
	RepeatEvery time.Duration
	// FullEvery is how often at least all objects of an Inventory are posted, and
	// not only those that changed; 6 hours if zero, never if negative.
	FullEvery time.Duration
	// PostTimeout bounds one post; 30 s if zero.
	PostTimeout time.Duration
	// Logger is slog.Default() if nil.
	Logger *slog.Logger
}

// Spool is an exporters.Recorder. Its methods may be called concurrently; Run
// once.
type Spool struct {
	opts Options
	log  *slog.Logger
	lock *os.File
	wake chan struct{} // a token says that there is something new

	mu      sync.Mutex // guards the fields below; never held during a post
	entries []entry    // that wait, by seq
	bytes   int64
	next    uint64
	acked   map[string]ack  // by inventory key
	posting map[string]bool // inventory keys of the post that is under way
	stats   stats
	said    map[string]time.Time // when a message was logged, by subject
}

// ack is what the collector acknowledged last of one key.
type ack struct {
	hash string
	at   time.Time

	// The complete look that the store holds as its last, to which a later one
	// may be the difference; no objects when that is not known.
	objects []sum
	look    time.Time
	full    time.Time // when everything was recorded last
}

// Open takes over what an earlier process left in the directory.
func Open(opts Options) (*Spool, error) {
	opts.MaxBytes = cmp.Or(opts.MaxBytes, 256<<20)
	opts.MaxBatchBytes = cmp.Or(opts.MaxBatchBytes, 4<<20)
	opts.RepeatEvery = cmp.Or(opts.RepeatEvery, 10*time.Minute)
	opts.FullEvery = cmp.Or(opts.FullEvery, 6*time.Hour)
	if opts.FullEvery < 0 {
		opts.FullEvery = math.MaxInt64
	}
	opts.PostTimeout = cmp.Or(opts.PostTimeout, 30*time.Second)
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Dir == "" || opts.Poster == nil {
		return nil, errors.New("spool: needs a directory and a poster")
	}
	s := &Spool{
		opts: opts, log: opts.Logger.With("spool", opts.Dir), wake: make(chan struct{}, 1),
		acked: map[string]ack{}, posting: map[string]bool{}, stats: newStats(), said: map[string]time.Time{},
	}
	if err := os.MkdirAll(s.badDir(), 0o700); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	var err error
	if s.lock, err = lockDir(opts.Dir); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		s.lock.Close()
		return nil, fmt.Errorf("spool: %w", err)
	}
	if len(s.entries) > 0 {
		s.log.Info("records of an earlier run wait for the collector", "files", len(s.entries), "bytes", s.bytes)
		s.wakeUp()
	}
	return s, nil
}

// Close lets another process use the directory. What waits stays there.
func (s *Spool) Close() error { return s.lock.Close() }

func (s *Spool) badDir() string { return filepath.Join(s.opts.Dir, "bad") }

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder := make([]byte, 16)
		n, _ := f.ReadAt(holder, 0) // empty when it has not written yet
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("spool: %s is in use by process %s: stop it, or choose another data directory", dir, strings.TrimSpace(string(holder[:n])))
		}
		return nil, fmt.Errorf("spool: locking %s: %w", dir, err)
	}
	if err = f.Truncate(0); err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("spool: %w", err)
	}
	return f, nil
}

// Record implements exporters.Recorder: it returns when the records are on disk.
// Invalid records are refused, counted and logged, which is not an error; an
// error means that the disk did not take the rest.
func (s *Spool) Record(ctx context.Context, batch mcloud.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	events := slices.DeleteFunc(slices.Clone(batch.Events), func(e mcloud.Event) bool { return s.invalid(e.Validate()) })
	inventories := slices.DeleteFunc(slices.Clone(batch.Inventories), func(v mcloud.Inventory) bool { return s.invalid(v.Validate()) })

	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.putEvents(events)
	for _, v := range inventories {
		err = errors.Join(err, s.putInventory(v))
	}
	s.makeRoom()
	s.wakeUp()
	return err
}

func (s *Spool) invalid(err error) bool {
	if err == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.refused["invalid"]++
	s.complain("invalid", "an exporter recorded something invalid, which is a bug; it is left out", "error", err.Error())
	return true
}

func (s *Spool) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// repeatAfter is how long a subject that goes on failing stays quiet in the log.
const repeatAfter = 10 * time.Minute

// complain logs an error about a subject, at most once in repeatAfter. The
// caller holds s.mu.
func (s *Spool) complain(subject, message string, args ...any) {
	if now := time.Now(); now.Sub(s.said[subject]) >= repeatAfter {
		s.said[subject] = now
		s.log.Error(message, args...)
	}
}

// putEvents writes events in files of no more than a batch each.
func (s *Spool) putEvents(events []mcloud.Event) error {
	for len(events) > 0 {
		n := takeUpTo(events, s.opts.MaxBatchBytes)
		if err := s.write(entry{header: header{Kind: kindEvents, Records: n}}, mcloud.Batch{Events: events[:n]}); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

// takeUpTo is how many events fit a batch, at least one.
func takeUpTo(events []mcloud.Event, bytes int) int {
	const frame = 512 // an event's JSON without its payload, about
	for i, e := range events {
		if bytes -= frame + len(e.Payload); bytes < 0 && i > 0 {
			return i
		}
	}
	return len(events)
}

func (s *Spool) putInventory(v mcloud.Inventory) error {
	v.Objects = slices.Clone(v.Objects)
	slices.SortFunc(v.Objects, func(a, b mcloud.Object) int { return cmp.Compare(a.ID, b.ID) })
	objects, hash := sumsOf(v.Objects)
	h := header{Kind: kindInventory, Key: key(v), Complete: v.Complete, Hash: hash, Records: 1}
	waiting := slices.ContainsFunc(s.entries, func(e entry) bool { return e.Key == h.Key })
	last := s.acked[h.Key]
	if !waiting && v.Complete && last.hash == h.Hash && time.Since(last.at) < s.opts.RepeatEvery {
		s.stats.unchanged++
		return nil
	}
	replaced := slices.Clone(s.entries)
	replaced = slices.DeleteFunc(replaced, func(e entry) bool { return e.Key != h.Key || !replaces(h, objects, e) })
	e := entry{header: h, objects: objects, look: v.Time, full: time.Now()}
	if v.Complete && !s.posting[h.Key] && last.objects != nil && last.look.Before(v.Time) && time.Since(last.full) < s.opts.FullEvery {
		if d, small := difference(v, objects, last); small {
			v, e.full = d, last.full
			s.stats.differences++
		}
	}
	if err := s.write(e, mcloud.Batch{Inventories: []mcloud.Inventory{v}}); err != nil {
		return err
	}
	for _, e := range replaced {
		s.remove(e)
	}
	return nil
}

// replaces says whether an inventory makes one that waits superfluous.
func replaces(h header, objects []sum, waiting entry) bool {
	if h.Complete {
		return true
	}
	if waiting.Complete || waiting.objects == nil {
		return false
	}
	for _, o := range waiting.objects {
		if _, there := find(objects, o.id); !there {
			return false
		}
	}
	return true
}

// makeRoom refuses the oldest records until the bound is kept: events first in,
// first out, then inventories. The newest record stays whatever its size. The
// caller holds s.mu.
func (s *Spool) makeRoom() {
	for s.bytes > s.opts.MaxBytes && len(s.entries) > 1 {
		at := max(slices.IndexFunc(s.entries[:len(s.entries)-1], func(e entry) bool { return e.Kind == kindEvents }), 0)
		e := s.entries[at]
		s.remove(e)
		s.stats.refused["full"] += float64(e.Records)
		s.complain("full", "the spool is full and the oldest records are lost: is the collector away? give the spool more room or repair the collector",
			"kind", e.Kind, "records", e.Records, "recorded", e.At.Format(time.RFC3339), "max_bytes", s.opts.MaxBytes, "refused", s.stats.refused["full"])
	}
}

// key tells apart the inventories of which only the latest matters.
func key(v mcloud.Inventory) string { return fmt.Sprintf("%s %s %s", v.Cloud, v.Scope, v.Kind) }
