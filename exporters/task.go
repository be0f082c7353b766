package exporters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// task is one Source in a Runner: its loop's state and its last good snapshot.
type task struct {
	source   Source
	key      string
	opts     Options
	sets     map[Set]bool // that are served
	log      *slog.Logger
	chorus   *chorus
	calls    *calls
	outbox   *outbox
	inFlight chan struct{} // holds a token while Collect runs, even past its deadline

	// contested are the families of which another Source may have the same
	// series; it does not change once the Runner runs.
	contested map[string]bool

	mu         sync.Mutex // guards the fields below
	health     health
	said       time.Time // when health was last logged
	chunks     []chunk   // of the last look that gave anything
	taken      time.Time // when that look ended
	last       lookResult
	errors     map[string]float64 // by kind
	clashNoted time.Time          // taken of the snapshot whose clashes were counted
}

// lookResult is what the self-metrics say about the last look.
type lookResult struct {
	done                  bool
	took                  time.Duration
	seen, skipped, failed int
}

type health string

const (
	healthNew     health = ""
	healthWhole   health = "ok"
	healthPartial health = "partial"
	healthFailing health = "failing"
	healthAbsent  health = "absent"
)

func taskKey(s Source) string { return fmt.Sprint(s.Name, s.Const) }

func newTask(s Source, opts Options, sets map[Set]bool, chorus *chorus) *task {
	log := opts.Logger.With("source", s.Name, "system", s.System)
	t := &task{
		source: s, key: taskKey(s), opts: opts, sets: sets, log: log, chorus: chorus,
		calls: newCalls(), inFlight: make(chan struct{}, 1), errors: map[string]float64{}, contested: map[string]bool{},
	}
	t.outbox = &outbox{to: opts.Recorder, wait: opts.RecordTimeout, log: log, repeat: opts.RepeatAfter, busy: make(chan struct{}, 1)}
	return t
}

// idle waits until nothing of the task runs any more, or ctx ends.
func (t *task) idle(ctx context.Context) bool {
	for _, busy := range []chan struct{}{t.inFlight, t.outbox.busy} {
		select {
		case busy <- struct{}{}:
			<-busy
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (t *task) looked() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last.done
}

func (t *task) state() health {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.health
}

// look takes one look and keeps what it gave. A look that does not return at
// its deadline is given up, and no other is started until it does.
func (t *task) look(ctx context.Context) {
	start := time.Now()
	snapshot, err := t.collect(ctx)
	if ctx.Err() != nil {
		return // the program stops: what failed now failed because of that
	}
	t.keep(snapshot, err, time.Since(start))
	if snapshot != nil {
		t.outbox.send(ctx, snapshot.Events, snapshot.Inventories)
	}
}

// hungGrace is how long after its deadline a look may still return.
const hungGrace = time.Second

func (t *task) collect(ctx context.Context) (*Snapshot, error) {
	select {
	case t.inFlight <- struct{}{}:
	default:
		return nil, WithKind(errors.New("an earlier look has not returned yet although its deadline has passed"), KindTimeout)
	}
	ctx = context.WithValue(context.WithValue(ctx, callsKey{}, t.calls), setsKey{}, t.sets)
	ctx, cancel := context.WithTimeout(ctx, t.source.Timeout)
	type outcome struct {
		snapshot *Snapshot
		err      error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() { <-t.inFlight }()
		defer cancel()
		snapshot, err := t.collectSafely(ctx)
		done <- outcome{snapshot, err}
	}()
	give := time.NewTimer(t.source.Timeout + hungGrace)
	defer give.Stop()
	select {
	case o := <-done:
		return o.snapshot, o.err
	case <-give.C:
		cancel()
		return nil, WithKind(fmt.Errorf("did not return within its timeout of %v", t.source.Timeout), KindTimeout)
	}
}

func (t *task) collectSafely(ctx context.Context) (snapshot *Snapshot, err error) {
	defer func() {
		if p := recover(); p != nil {
			t.log.Error("source panicked, which is a bug", "panic", p, "stack", string(debug.Stack()))
			snapshot, err = nil, WithKind(fmt.Errorf("panic: %v", p), KindPanic)
		}
	}()
	snapshot, err = t.source.Collector.Collect(ctx)
	if snapshot == nil && err == nil {
		err = errors.New("returned neither a snapshot nor an error, which is a bug")
	}
	return snapshot, err
}

// keep stores the outcome of a look and says so when it differs from before.
func (t *task) keep(snapshot *Snapshot, err error, took time.Duration) {
	now := time.Now()
	var made []chunk
	var bad []error
	if snapshot != nil {
		before, _ := t.fresh(now)
		made, bad = makeChunks(t.source, snapshot.Samples, t.sets, t.contested, before)
		snapshot.Samples = nil // they are many, and served from the chunks
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = lookResult{done: true, took: took}
	var problems []error
	if snapshot != nil {
		t.chunks, t.taken = made, now
		t.last.seen, t.last.skipped, t.last.failed = snapshot.Seen, snapshot.Skipped, len(snapshot.Failed)
		for _, f := range snapshot.Failed {
			problems = append(problems, f)
		}
		problems = append(problems, bad...)
	}
	h := t.judge(snapshot, err, len(problems))
	if h != healthAbsent {
		for _, e := range append(leaves(err), problems...) {
			t.errors[KindOf(e)]++
		}
	}
	if h == healthAbsent || h == healthFailing && now.Sub(t.taken) > t.source.MaxAge {
		t.chunks = nil
	}
	t.say(h, err, problems, now)
}

func (t *task) judge(snapshot *Snapshot, err error, problems int) health {
	switch {
	case snapshot == nil && errors.Is(err, ErrAbsent):
		return healthAbsent
	case snapshot == nil:
		return healthFailing
	case err != nil || problems > 0:
		return healthPartial
	}
	return healthWhole
}

// namedProblems is how many objects a log line names.
const namedProblems = 5

// say logs a change of health at once, and a bad one that lasts again only
// after RepeatAfter. The caller holds t.mu.
func (t *task) say(h health, err error, problems []error, now time.Time) {
	changed := h != t.health
	if !changed && (h == healthWhole || h == healthAbsent || now.Sub(t.said) < t.opts.RepeatAfter) {
		return
	}
	before := t.health
	t.health, t.said = h, now
	args := []any{"system", t.source.System}
	if before != healthNew && changed {
		args = append(args, "before", string(before))
	}
	why, way := "", false // way: the Source did not reach its system, so what it lacks is no reason of its own
	if err != nil {
		why = reason(err)
		way = connecting(err) != nil
		args = append(args, "error", why, "kind", KindOf(leaves(err)[0]))
	}
	for i, p := range problems {
		if !way {
			why += "\x00" + p.Error()
		}
		switch {
		case i < namedProblems:
			args = append(args, fmt.Sprintf("failed_%d", i+1), p.Error())
		case i == namedProblems:
			args = append(args, "more", len(problems)-namedProblems)
		}
	}
	switch h {
	case healthWhole:
		args = append(args, "objects", t.last.seen, "took", t.last.took.Round(time.Millisecond).String())
		if before == healthNew { // as it should be: the Runner says how many are
			t.log.Debug("source is complete", args...)
			return
		}
		t.chorus.say(slog.LevelInfo, "source is complete again", string(before)+t.source.System, t.source.Name, args...)
	case healthPartial:
		t.chorus.say(slog.LevelWarn, "source is incomplete: what was read is kept and served", why, t.source.Name, append(args, "objects", t.last.seen, "failed", t.last.failed)...)
	case healthFailing:
		message := "source failed: its last values are served until they are too old"
		switch {
		case t.taken.IsZero():
			message = "source failed: it has no values yet"
		case now.Sub(t.taken) > t.source.MaxAge:
			message = "source fails: it has no values, the last ones are too old"
		}
		t.chorus.say(slog.LevelError, message, why, t.source.Name, args...)
	case healthAbsent:
		if before == healthNew { // the Runner says how many are
			t.log.Debug("source has nothing to look at: " + err.Error())
			return
		}
		t.log.Info("source has nothing to look at: " + err.Error())
	}
}
