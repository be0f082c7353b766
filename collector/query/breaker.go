package query

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// errPaused says that the store was not asked.
var errPaused = errors.New("not asked again yet")

// breaker keeps questions from a store that has just not answered. After the pause
// one question is let through at a time; its answer ends the pause or renews it.
type breaker struct {
	pause time.Duration
	now   func() time.Time

	mu    sync.Mutex
	until time.Time // zero: the store answers
	cause error
}

func (b *breaker) allow() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if b.until.IsZero() {
		return nil
	}
	if now.Before(b.until) {
		return fmt.Errorf("%w, next try in %s; last time: %w", errPaused, b.until.Sub(now).Round(time.Second), b.cause)
	}
	b.until = now.Add(b.pause) // this one asks, the others wait for what it learns
	return nil
}

func (b *breaker) success() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until, b.cause = time.Time{}, nil
}

func (b *breaker) failure(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until, b.cause = b.now().Add(b.pause), err
}
