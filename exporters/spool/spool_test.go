package spool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"mcloud"
)

// collector is a Poster that stores, or fails as it is told.
type collector struct {
	mu     sync.Mutex
	events map[string]int // times stored, by id
	last   map[string]mcloud.Inventory
	posts  int
	// of inventories that came as the difference to the last one
	differences int

	answer   func(mcloud.Batch) error // nil: store
	received chan struct{}
}

func newCollector() *collector {
	return &collector{events: map[string]int{}, last: map[string]mcloud.Inventory{}, received: make(chan struct{}, 1000)}
}

func (c *collector) Post(_ context.Context, b mcloud.Batch) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.posts++
	defer func() { c.received <- struct{}{} }()
	if c.answer != nil {
		if err := c.answer(b); err != nil {
			return err
		}
	}
	for _, e := range b.Events {
		c.events[e.ID]++
	}
	for _, v := range b.Inventories {
		whole, err := c.whole(v)
		if err != nil {
			return err
		}
		c.last[key(v)] = whole
	}
	return nil
}

// whole makes a difference complete, as the store does, or refuses it.
func (c *collector) whole(v mcloud.Inventory) (mcloud.Inventory, error) {
	if err := v.Validate(); err != nil {
		return v, err
	}
	last := c.last[key(v)]
	switch {
	case v.Since.IsZero():
		return v, nil
	case last.Time.Equal(v.Time):
		return last, nil
	case !last.Time.Equal(v.Since):
		return v, &PostError{Code: 409, Message: mcloud.ErrOutdated.Error()}
	}
	c.differences++
	objects := map[string]mcloud.Object{}
	for _, o := range slices.Concat(last.Objects, v.Objects) {
		objects[o.ID] = o
	}
	for _, id := range v.Gone {
		delete(objects, id)
	}
	if len(objects) != v.Count {
		return v, fmt.Errorf("there are %d objects, want %d", len(objects), v.Count)
	}
	v.Since, v.Gone, v.Count, v.Complete, v.Objects = time.Time{}, nil, 0, true, nil
	for _, id := range slices.Sorted(maps.Keys(objects)) {
		v.Objects = append(v.Objects, objects[id])
	}
	return v, nil
}

func (c *collector) answers(f func(mcloud.Batch) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = f
}

func (c *collector) stored() (events int, posts int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.events), c.posts
}

func event(id string, bytes int) mcloud.Event {
	pad, _ := json.Marshal(map[string]string{"pad": strings.Repeat("x", bytes)})
	return mcloud.Event{ID: id, Time: time.Unix(1, 0).UTC(), Cloud: "lab", Source: "nova", Kind: "instance.create.end", Severity: mcloud.SeverityInfo, Payload: pad}
}

func inventory(complete bool, ids ...string) mcloud.Inventory {
	v := mcloud.Inventory{Cloud: "lab", Scope: "nova", Kind: mcloud.KindServer, Time: time.Now().UTC(), Complete: complete}
	for _, id := range ids {
		v.Objects = append(v.Objects, mcloud.NewObject(mcloud.KindServer, id, id, "", "", mcloud.Server{Name: id}))
	}
	return v
}

func open(t *testing.T, dir string, p Poster, change func(*Options)) *Spool {
	t.Helper()
	opts := Options{Dir: dir, Poster: p, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&opts)
	}
	s, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func record(t *testing.T, s *Spool, events []mcloud.Event, inventories ...mcloud.Inventory) {
	t.Helper()
	if err := s.Record(t.Context(), mcloud.Batch{Events: events, Inventories: inventories}); err != nil {
		t.Fatal(err)
	}
}

// drain delivers everything that can be delivered now.
func drain(t *testing.T, s *Spool) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = s.deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func count(t *testing.T, s *Spool, metric, want string) {
	t.Helper()
	var lines []string
	all, err := testutil.CollectAndFormat(s, expfmt.TypeTextPlain, metric)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(all)) {
		if !strings.HasPrefix(line, "#") && !strings.HasSuffix(line, " 0\n") {
			lines = append(lines, strings.TrimSuffix(strings.TrimPrefix(line, metric), "\n"))
		}
	}
	if got := strings.Join(lines, ", "); got != want {
		t.Errorf("%s is %q, want %q", metric, got, want)
	}
}

func TestEventsSurviveARestart(t *testing.T) {
	dir, c := t.TempDir(), newCollector()
	s := open(t, dir, c, nil)
	for i := range 5 {
		record(t, s, []mcloud.Event{event(fmt.Sprint("a", i), 10), event(fmt.Sprint("b", i), 10)})
	}
	s.Close()
	s = open(t, dir, c, nil)
	count(t, s, "mcloud_spool_files", `{kind="events"} 5`)
	drain(t, s)
	if n, posts := c.stored(); n != 10 || posts != 1 {
		t.Errorf("%d events in %d posts, want 10 in 1", n, posts)
	}
	count(t, s, "mcloud_spool_posted_total", `{record="event"} 10`)
	count(t, s, "mcloud_spool_files", "")
	s.Close()
	s = open(t, dir, c, nil)
	drain(t, s)
	if _, posts := c.stored(); posts != 1 {
		t.Errorf("acknowledged events were posted again")
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, newCollector(), nil)
	if _, err := Open(Options{Dir: dir, Poster: newCollector()}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("in use by process %d", os.Getpid())) {
		t.Errorf("second Open: %v", err)
	}
}

func TestLatestInventoryWins(t *testing.T) {
	c := newCollector()
	s := open(t, t.TempDir(), c, nil)
	record(t, s, nil, inventory(true, "1", "2"))
	record(t, s, nil, inventory(true, "2", "3"))
	count(t, s, "mcloud_spool_files", `{kind="inventory"} 1`)
	drain(t, s)
	if v := c.last["lab nova server"]; len(v.Objects) != 2 || v.Objects[1].ID != "3" {
		t.Errorf("stored %v", v)
	}
}

func TestUnchangedInventoryIsPostedNowAndThen(t *testing.T) {
	c := newCollector()
	s := open(t, t.TempDir(), c, func(o *Options) { o.RepeatEvery = 100 * time.Millisecond })
	record(t, s, nil, inventory(true, "1", "2"))
	drain(t, s)
	record(t, s, nil, inventory(true, "2", "1")) // another order is no change
	drain(t, s)
	if _, posts := c.stored(); posts != 1 {
		t.Errorf("%d posts of an unchanged inventory", posts)
	}
	count(t, s, "mcloud_spool_unchanged_total", " 1")
	time.Sleep(150 * time.Millisecond)
	record(t, s, nil, inventory(true, "1", "2"))
	drain(t, s)
	if _, posts := c.stored(); posts != 2 {
		t.Errorf("%d posts after RepeatEvery, want 2", posts)
	}
	// Back to the acknowledged state while another one waits: that one must not win.
	record(t, s, nil, inventory(true, "1"))
	record(t, s, nil, inventory(true, "1", "2"))
	drain(t, s)
	if v := c.last["lab nova server"]; len(v.Objects) != 2 {
		t.Errorf("stored %d objects, want the latest 2", len(v.Objects))
	}
}

func TestIncompleteInventoriesLoseNothing(t *testing.T) {
	c := newCollector()
	seen := map[string]bool{}
	c.answers(func(b mcloud.Batch) error {
		for _, v := range b.Inventories {
			for _, o := range v.Objects {
				seen[o.ID] = true
			}
		}
		return nil
	})
	s := open(t, t.TempDir(), c, nil)
	record(t, s, nil, inventory(false, "1"))
	record(t, s, nil, inventory(false, "2")) // has not 1: waits beside it
	count(t, s, "mcloud_spool_files", `{kind="inventory"} 2`)
	record(t, s, nil, inventory(false, "1", "2", "3")) // has both: replaces them
	count(t, s, "mcloud_spool_files", `{kind="inventory"} 1`)
	record(t, s, nil, inventory(false, "4"))
	drain(t, s)
	for _, id := range []string{"1", "2", "3", "4"} {
		if !seen[id] {
			t.Errorf("%s was lost", id)
		}
	}
}

func TestFullSpoolRefusesTheOldestEvents(t *testing.T) {
	c := newCollector()
	s := open(t, t.TempDir(), c, func(o *Options) { o.MaxBytes = 10 * block })
	record(t, s, nil, inventory(true, "1"))
	for i := range 20 {
		record(t, s, []mcloud.Event{event(fmt.Sprint(i), 100)})
	}
	count(t, s, "mcloud_spool_refused_total", `{reason="full"} 11`)
	count(t, s, "mcloud_spool_bytes", " 40960")
	drain(t, s)
	if c.events["10"] != 0 || c.events["11"] != 1 || c.events["19"] != 1 || len(c.last) != 1 {
		t.Errorf("stored %v, %d inventories", c.events, len(c.last))
	}
}

func TestTornFilesAreMovedAside(t *testing.T) {
	dir, c := t.TempDir(), newCollector()
	s := open(t, dir, c, nil)
	for i := range 4 {
		record(t, s, []mcloud.Event{event(fmt.Sprint(i), 100)})
	}
	s.Close()
	files, _ := filepath.Glob(filepath.Join(dir, "*.rec"))
	if len(files) != 4 {
		t.Fatalf("%d files", len(files))
	}
	short, _ := os.ReadFile(files[1])
	check(t, os.WriteFile(files[1], short[:len(short)/2], 0o600)) // cut short
	flipped, _ := os.ReadFile(files[2])
	flipped[len(flipped)-20] ^= 1
	check(t, os.WriteFile(files[2], flipped, 0o600)) // one bit
	check(t, os.WriteFile(filepath.Join(dir, "00000000000000000009.rec.tmp"), []byte("x"), 0o600))
	s = open(t, dir, c, nil)
	drain(t, s)
	if c.events["0"] != 1 || c.events["3"] != 1 || len(c.events) != 2 {
		t.Errorf("stored %v", c.events)
	}
	count(t, s, "mcloud_spool_refused_total", `{reason="torn"} 2`)
	if bad, _ := filepath.Glob(filepath.Join(dir, "bad", "*")); len(bad) != 2 {
		t.Errorf("bad has %q", bad)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.*")); len(left) != 0 {
		t.Errorf("left %q", left)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOneBadRecordDoesNotHoldTheOthers(t *testing.T) {
	dir, c := t.TempDir(), newCollector()
	c.answers(func(b mcloud.Batch) error {
		for _, e := range b.Events {
			if e.ID == "poison" {
				return &PostError{Code: 400, Message: "events[1]: no"}
			}
		}
		return nil
	})
	s := open(t, dir, c, nil)
	record(t, s, []mcloud.Event{event("1", 10), event("2", 10), event("poison", 10), event("3", 10)}, inventory(true, "x"))
	record(t, s, []mcloud.Event{event("4", 10)})
	drain(t, s)
	for _, id := range []string{"1", "2", "3", "4"} {
		if c.events[id] == 0 {
			t.Errorf("event %s was not stored", id)
		}
	}
	if len(c.last) != 1 {
		t.Error("the inventory was not stored")
	}
	count(t, s, "mcloud_spool_refused_total", `{reason="rejected"} 1`)
	bad, _ := filepath.Glob(filepath.Join(dir, "bad", "*.json"))
	if len(bad) != 1 {
		t.Fatalf("bad has %q", bad)
	}
	if kept, _ := os.ReadFile(bad[0]); !strings.Contains(string(kept), `"poison"`) || !strings.Contains(string(kept), "events[1]: no") {
		t.Errorf("kept %s", kept)
	}
}

func TestInvalidRecordIsRefusedAlone(t *testing.T) {
	c := newCollector()
	s := open(t, t.TempDir(), c, nil)
	record(t, s, []mcloud.Event{{ID: "no time"}, event("1", 1)})
	drain(t, s)
	if c.events["1"] != 1 {
		t.Error("the good event was not stored")
	}
	count(t, s, "mcloud_spool_refused_total", `{reason="invalid"} 1`)
}

func TestPostsAreBounded(t *testing.T) {
	c := newCollector()
	c.answers(func(b mcloud.Batch) error {
		if j, _ := json.Marshal(b); len(j) > 20_000 {
			t.Errorf("a post of %d bytes", len(j))
		}
		return nil
	})
	s := open(t, t.TempDir(), c, func(o *Options) { o.MaxBatchBytes = 20_000 })
	var events []mcloud.Event
	for i := range 100 {
		events = append(events, event(fmt.Sprint(i), 1000))
	}
	record(t, s, events)
	drain(t, s)
	if n, posts := c.stored(); n != 100 || posts < 6 {
		t.Errorf("%d events in %d posts", n, posts)
	}
}

func TestRunComesBackAfterAnOutage(t *testing.T) {
	c := newCollector()
	c.answers(func(mcloud.Batch) error { return &PostError{Code: 503, After: 20 * time.Millisecond} })
	s := open(t, t.TempDir(), c, nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	record(t, s, []mcloud.Event{event("1", 1)})
	<-c.received
	<-c.received
	c.answers(nil)
	record(t, s, []mcloud.Event{event("2", 1)})
	deadline := time.Now().Add(10 * time.Second)
	for n := 0; n < 2; n, _ = c.stored() {
		if time.Now().After(deadline) {
			t.Fatalf("%d events stored after the outage, want 2", n)
		}
		<-c.received
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if all, _ := testutil.CollectAndFormat(s, expfmt.TypeTextPlain, "mcloud_spool_post_errors_total"); !strings.Contains(string(all), `{kind="server_error"}`) {
		t.Errorf("post errors: %s", all)
	}
}

func TestAStartIsNoNewsAndAnOutageIs(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c := newCollector()
		s := open(t, dir, c, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		for _, away := range []struct {
			time time.Duration
			says int
		}{{5 * time.Second, 0}, {5 * time.Minute, 1}, {25 * time.Minute, 3}} {
			log.Reset()
			c.answers(func(mcloud.Batch) error { return &PostError{To: "here", Code: 503, Message: "starting"} })
			record(t, s, []mcloud.Event{event(fmt.Sprint(away.time), 1)})
			time.Sleep(away.time)
			c.answers(nil)
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if n := strings.Count(log.String(), "does not take records"); n != away.says {
				t.Errorf("away for %s: said %d times, want %d:\n%s", away.time, n, away.says, &log)
			}
			if back := strings.Contains(log.String(), "takes records again"); back != (away.says > 0) {
				t.Errorf("away for %s: its return is told: %v\n%s", away.time, back, &log)
			}
		}
		if events, _ := c.stored(); events != 3 {
			t.Errorf("%d events arrived, want 3", events)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestWait(t *testing.T) {
	if d := wait(&PostError{Code: 503, After: time.Hour}, 1); d != maxRetryAfter {
		t.Errorf("Retry-After of an hour waits %v", d)
	}
	for n := 1; n < 100; n++ {
		if d := wait(errors.New("x"), n); d < firstPause/2 || d > maxPause {
			t.Errorf("failure %d waits %v", n, d)
		}
	}
}

func TestRecordNeedsADiskThatTakesIt(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, newCollector(), nil)
	check(t, os.RemoveAll(dir))
	if err := s.Record(t.Context(), mcloud.Batch{Events: []mcloud.Event{event("1", 1)}}); err == nil {
		t.Error("Record promised an event that is nowhere")
	}
}

func TestLint(t *testing.T) {
	problems, err := testutil.CollectAndLint(open(t, t.TempDir(), newCollector(), nil))
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

func FuzzReadHeader(f *testing.F) {
	f.Add([]byte(`{"v":1,"kind":"events","records":1,"at":"2026-11-22T00:00:00Z","bytes":2,"crc":1}` + "\n{}"))
	f.Add([]byte(`{"v":1,"kind":"events","bytes":-5}` + "\n"))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "x.rec")
		check(t, os.WriteFile(path, content, 0o600))
		h, size, err := readHeader(path)
		if err == nil && (size != int64(len(content)) || h.Bytes < 0 || h.Bytes >= len(content)) {
			t.Errorf("accepted %q as %+v of %d bytes", content, h, size)
		}
		if err != nil && !errors.Is(err, errTorn) {
			t.Errorf("%v is not a torn file", err)
		}
	})
}
