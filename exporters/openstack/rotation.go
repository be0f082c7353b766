package openstack

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mcloud/exporters"
)

// Rotation reads what costs one call for each of many objects (a project's
// quota, a zone's recordsets) without asking for all of them at each look. What
// was never read is read at once; what is there is read again once in a Life,
// an even share at each look, and sooner when Touch says that it changed. The
// fields are set before the first call; Refresh must not be called
// concurrently.
type Rotation[T any] struct {
	// Kind names the objects in errors: "quota of project".
	Kind string
	// Period is the time between two looks; Life how long a value is believed
	// before it is read again. A value that could not be read again for two
	// further Lives is dropped rather than served for ever.
	Period, Life time.Duration
	// Parallel bounds the calls of this Rotation at a time, besides the API's
	// budget; 2 if zero.
	Parallel int
	// Final says that a value does not change any more: it is read again only when
	// touched. None is if nil.
	Final func(T) bool

	kept    map[string]kept[T]
	mu      sync.Mutex // guards touched
	touched map[string]bool
}

type kept[T any] struct {
	value T
	read  time.Time
	tried time.Time
}

// Touch makes an object's turn come with the next looks. It may be called
// concurrently.
func (r *Rotation[T]) Touch(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.touched == nil {
		r.touched = map[string]bool{}
	}
	r.touched[id] = true
}

// maxRefusals is how many calls in a row may fail before a look asks no more: an
// API that is down, or an account without the right, is not asked 500 times.
const maxRefusals = 5

// Refresh reads those of ids whose turn it is and forgets what is not among ids
// any more. Objects that could not be read are returned, with the former value
// kept for a while; err says that the look was given up before its end.
func (r *Rotation[T]) Refresh(ctx context.Context, ids []string, now time.Time, read func(ctx context.Context, id string) (T, error)) (failed []exporters.ObjectError, err error) {
	r.forget(ids, now)
	due := r.due(ids, now)
	var mu sync.Mutex // guards failed, refusals and r.kept
	refusals := 0
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(max(r.Parallel, 2))
	for _, id := range due {
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() error {
			if groupCtx.Err() != nil {
				return groupCtx.Err()
			}
			value, err := read(groupCtx, id)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				refusals = 0
				r.kept[id] = kept[T]{value: value, read: now, tried: now}
				r.untouch(id)
				return nil
			}
			if groupCtx.Err() != nil {
				return groupCtx.Err()
			}
			if old, ok := r.kept[id]; ok {
				old.tried = now
				r.kept[id] = old
			}
			failed = append(failed, exporters.ObjectError{Object: r.Kind + " " + id, Err: err})
			if refusals++; refusals >= maxRefusals {
				return fmt.Errorf("%d calls in a row failed, the others are not tried at this look: %w", refusals, err)
			}
			return nil
		})
	}
	err = group.Wait()
	if ctx.Err() != nil {
		err = fmt.Errorf("%s: no time left for all of them: %w", r.Kind, ctx.Err())
	}
	slices.SortFunc(failed, func(a, b exporters.ObjectError) int { return strings.Compare(a.Object, b.Object) })
	return failed, err
}

func (r *Rotation[T]) untouch(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.touched, id)
}

func (r *Rotation[T]) forget(ids []string, now time.Time) {
	if r.kept == nil {
		r.kept = map[string]kept[T]{}
	}
	present := make(map[string]bool, len(ids))
	for _, id := range ids {
		present[id] = true
	}
	maps.DeleteFunc(r.kept, func(id string, k kept[T]) bool { return !present[id] || now.Sub(k.read) > 3*r.Life })
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.touched, func(id string, _ bool) bool { return !present[id] })
}

// due are all that were never read, and of the others this look's share: the
// touched ones first, then those that were tried the longest ago. The share is
// taken whether it is their time or not, so that values read together at the
// start do not all come due together later. Final ones have no turn.
func (r *Rotation[T]) due(ids []string, now time.Time) []string {
	r.mu.Lock()
	touched := maps.Clone(r.touched)
	r.mu.Unlock()
	var unread, read []string
	for _, id := range ids {
		switch k, ok := r.kept[id]; {
		case !ok:
			unread = append(unread, id)
		case touched[id] || r.Final == nil || !r.Final(k.value):
			read = append(read, id)
		}
	}
	slices.SortStableFunc(read, func(a, b string) int {
		if touched[a] != touched[b] {
			if touched[a] {
				return -1
			}
			return 1
		}
		return r.kept[a].tried.Compare(r.kept[b].tried)
	})
	share := len(read)
	if r.Life > r.Period && r.Period > 0 {
		share = int(math.Ceil(float64(len(read)) * float64(r.Period) / float64(r.Life)))
	}
	read = read[:min(share, len(read))]
	read = slices.DeleteFunc(read, func(id string) bool { return r.kept[id].tried.Equal(now) })
	return append(unread, read...)
}

// Values are what is known, by id.
func (r *Rotation[T]) Values() iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, id := range slices.Sorted(maps.Keys(r.kept)) {
			if !yield(id, r.kept[id].value) {
				return
			}
		}
	}
}

// Value is what is known of one object.
func (r *Rotation[T]) Value(id string) (T, bool) {
	k, ok := r.kept[id]
	return k.value, ok
}
