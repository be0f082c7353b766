package exporters

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// chorus keeps Sources that say the same from saying it one by one: a Keystone
// that is down fails a dozen of them. The first is logged at once and in full,
// those that follow are named together on one line when none has followed for
// chorusPause.
type chorus struct {
	log *slog.Logger

	mu    sync.Mutex // guards verses
	verse map[string]*verse
}

// verse is one thing said by several Sources.
type verse struct {
	level   slog.Level
	message string
	first   string
	others  []string
	last    time.Time // when a Source joined
}

// chorusPause is longer than most Sources take to find out about a fault that
// they share, and short enough to be read together with the first line.
const chorusPause = 15 * time.Second

func newChorus(log *slog.Logger) *chorus { return &chorus{log: log, verse: map[string]*verse{}} }

// say logs message of a Source, unless another said the same with the same
// reason just now.
func (c *chorus) say(level slog.Level, message, reason, source string, args ...any) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	key := message + "\x00" + reason
	if v := c.verse[key]; v != nil {
		v.last = now
		if source != v.first && !slices.Contains(v.others, source) {
			v.others = append(v.others, source)
		}
		return
	}
	c.verse[key] = &verse{level: level, message: message, first: source, last: now}
	c.log.Log(context.Background(), level, message, append([]any{"source", source}, args...)...)
}

// run names those that followed, until ctx ends.
func (c *chorus) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			c.close(time.Time{})
			return
		case now := <-tick.C:
			c.close(now)
		}
	}
}

// close ends what nobody has joined for chorusPause; everything at a zero now.
func (c *chorus) close(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, v := range c.verse {
		if !now.IsZero() && now.Sub(v.last) < chorusPause {
			continue
		}
		delete(c.verse, key)
		if len(v.others) > 0 {
			slices.Sort(v.others)
			c.log.Log(context.Background(), v.level, "the same of other sources: "+v.message, "as", v.first, "sources", strings.Join(v.others, " "), "count", len(v.others))
		}
	}
}

// connecting finds the error in err's tree that kept a Source from reaching its
// system at all: a method Connecting() bool says so. Every Source of that system
// fails with it, whatever it was about to ask.
func connecting(err error) error {
	var way interface {
		error
		Connecting() bool
	}
	if errors.As(err, &way) && way.Connecting() {
		return way
	}
	return nil
}

// reason is err on one line, each of the errors joined in it once.
func reason(err error) string {
	var said []string
	for i, e := range leaves(err) {
		if way := connecting(e); way != nil {
			e = way
		}
		if text := strings.ReplaceAll(e.Error(), "\n", "; "); !slices.Contains(said, text) {
			if said = append(said, text); len(said) == namedProblems && i < len(leaves(err))-1 {
				said = append(said, "…")
				break
			}
		}
	}
	return strings.Join(said, "; ")
}
