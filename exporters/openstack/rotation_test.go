package openstack_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"mcloud/exporters/openstack"
)

// reader counts what a Rotation reads.
type reader struct {
	mu    sync.Mutex
	calls []string
	fail  func(id string) error
}

func (r *reader) read(_ context.Context, id string) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, id)
	if r.fail != nil {
		if err := r.fail(id); err != nil {
			return 0, err
		}
	}
	return len(r.calls), nil
}

func (r *reader) took() []string {
	calls := r.calls
	r.calls = nil
	slices.Sort(calls)
	return calls
}

func ids(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("p%03d", i))
	}
	return all
}

func TestRotationReadsAllOnceThenAShare(t *testing.T) {
	r, from := openstack.Rotation[int]{Kind: "quota", Period: time.Minute, Life: 20 * time.Minute}, &reader{}
	now := time.Now()
	if _, err := r.Refresh(t.Context(), ids(100), now, from.read); err != nil || len(from.took()) != 100 {
		t.Fatalf("the first look did not read all: %v", err)
	}
	read := map[string]int{}
	for range 20 {
		now = now.Add(time.Minute)
		if _, err := r.Refresh(t.Context(), ids(100), now, from.read); err != nil {
			t.Fatal(err)
		}
		calls := from.took()
		if len(calls) != 5 {
			t.Fatalf("a look read %d, want 5 of 100", len(calls))
		}
		for _, id := range calls {
			read[id]++
		}
	}
	if len(read) != 100 {
		t.Errorf("after one life %d of 100 were read again", len(read))
	}
	// What is new is read at once, what changed comes before its turn, what is gone is forgotten.
	r.Touch("p042")
	now = now.Add(time.Minute)
	if _, err := r.Refresh(t.Context(), append(ids(100)[1:], "new"), now, from.read); err != nil {
		t.Fatal(err)
	}
	calls := from.took()
	if !slices.Contains(calls, "p042") || !slices.Contains(calls, "new") || len(calls) != 6 {
		t.Errorf("read %v, want p042, new and four others", calls)
	}
	if _, there := r.Value("p000"); there || len(maps.Collect(r.Values())) != 100 {
		t.Error("what is gone is still known")
	}
}

func TestRotationKeepsWhatItHasAndGivesUp(t *testing.T) {
	r, from := openstack.Rotation[int]{Kind: "quota of project", Period: time.Minute, Life: 2 * time.Minute, Parallel: 1}, &reader{}
	now := time.Now()
	from.fail = func(id string) error {
		if id == "p003" {
			return errors.New("no")
		}
		return nil
	}
	failed, err := r.Refresh(t.Context(), ids(10), now, from.read)
	if err != nil || len(failed) != 1 || failed[0].Error() != "quota of project p003: no" {
		t.Fatalf("one bad object: %v, %v", failed, err)
	}
	if len(maps.Collect(r.Values())) != 9 {
		t.Error("the nine good ones are not all there")
	}
	from.took()
	from.fail = func(string) error { return errors.New("down") }
	failed, err = r.Refresh(t.Context(), ids(100), now.Add(time.Minute), from.read)
	if err == nil || len(failed) < 5 || len(from.took()) > 7 {
		t.Errorf("an API that is down was asked on: %d failed, %v", len(failed), err)
	}
	if len(maps.Collect(r.Values())) != 9 {
		t.Error("values that could not be read again were dropped at once")
	}
	if _, _ = r.Refresh(t.Context(), ids(100), now.Add(7*time.Minute), from.read); len(maps.Collect(r.Values())) != 0 {
		t.Error("values older than three lives are still served")
	}
}

func TestRotationStopsWithItsContext(t *testing.T) {
	r, from := openstack.Rotation[int]{Kind: "quota", Period: time.Minute, Life: time.Hour}, &reader{}
	ctx, cancel := context.WithCancel(t.Context())
	from.fail = func(string) error {
		if len(from.calls) == 10 {
			cancel()
		}
		return nil
	}
	_, err := r.Refresh(ctx, ids(100), time.Now(), from.read)
	if !errors.Is(err, context.Canceled) || len(from.took()) > 15 {
		t.Errorf("err %v", err)
	}
}

func TestRotationLeavesFinalValues(t *testing.T) {
	r, from := openstack.Rotation[int]{Kind: "quota", Period: time.Minute, Life: 2 * time.Minute, Final: func(n int) bool { return n <= 2 }}, &reader{}
	now := time.Now()
	for i, want := range []int{4, 1, 1} { // all; half of the two that are not final
		if _, err := r.Refresh(t.Context(), ids(4), now.Add(time.Duration(i)*time.Minute), from.read); err != nil {
			t.Fatal(err)
		}
		if n := len(from.calls); i == 0 && n != want {
			t.Errorf("first look: %d calls", n)
		} else if i > 0 && n-4 != i*want {
			t.Errorf("look %d: %d calls since the first, want %d", i+1, n-4, i*want)
		}
	}
	var final string
	for id, n := range r.Values() {
		if n <= 2 {
			final = id
		}
	}
	r.Touch(final)
	from.took()
	if _, err := r.Refresh(t.Context(), ids(4), now.Add(3*time.Minute), from.read); err != nil || !slices.Contains(from.took(), final) {
		t.Errorf("a final value that was touched is not read again (%v)", err)
	}
}
