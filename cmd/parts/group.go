// Package parts builds the product's long-running parts from a configuration
// and runs them together: store, collector, exporter, planner. Both programs use
// it, so a part is wired in one way whether it runs alone or with the others.
package parts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"mcloud/cmd/access"
	"mcloud/collector"
	"mcloud/collector/embedded"
)

// Part is one long-running piece.
type Part struct {
	Name string
	// Run works until ctx ends and returns nil then; it is called once.
	Run func(ctx context.Context) error
	// Ready is closed when the part does its work; nil means at once.
	Ready <-chan struct{}
	// URL is where it listens, once Ready; nil when it does not.
	URL func() string
	// Optional parts may fail: the others go on, and the error is logged and shown.
	Optional bool

	state *atomic.Value // string
}

// State is "starting", "running", "stopped" or the error that ended the part.
func (p Part) State() string {
	if p.state == nil {
		return "not started"
	}
	s := p.state.Load().(string)
	if s != "starting" {
		return s
	}
	select {
	case <-p.Ready:
		return "running"
	default:
		return s
	}
}

// StopTimeout bounds the end of all parts together.
const StopTimeout = 4500 * time.Millisecond

// Group runs parts.
type Group struct {
	Parts  []Part
	Logger *slog.Logger
}

// NewGroup keeps the order: a part is started after, and stopped before, those
// ahead of it.
func NewGroup(logger *slog.Logger, list ...Part) *Group {
	closed := make(chan struct{})
	close(closed)
	for i := range list {
		list[i].state = &atomic.Value{}
		list[i].state.Store("starting")
		if list[i].Ready == nil {
			list[i].Ready = closed
		}
	}
	return &Group{Parts: list, Logger: logger}
}

// WaitReady returns when all parts that still run are ready, or ctx ends.
func (g *Group) WaitReady(ctx context.Context) error {
	for _, p := range g.Parts {
		for waiting := true; waiting; {
			select {
			case <-p.Ready:
				waiting = false
			case <-ctx.Done():
				return fmt.Errorf("%s is %s: %w", p.Name, p.State(), ctx.Err())
			case <-time.After(50 * time.Millisecond):
				waiting = p.State() == "starting"
			}
		}
	}
	return nil
}

// inUse says that another process has what a part needs, or that a part would be open to
// the network. That is a mistake at the start, not a fault to live with, also where a
// part is optional; and where one part finds it, others mostly do as well.
func inUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, embedded.ErrInUse) || errors.Is(err, collector.ErrInUse) || errors.Is(err, access.ErrExposed)
}

type ended struct {
	index int
	err   error
}

// Run runs all parts until ctx ends or a part that is not optional fails, and
// stops them in reverse order. It returns that part's error, or one that names
// the parts that did not stop within StopTimeout.
func (g *Group) Run(ctx context.Context) error {
	done := make(chan ended, len(g.Parts))
	cancels := make([]context.CancelFunc, len(g.Parts))
	for i, p := range g.Parts {
		// Not ctx's child: the order of stopping is the group's.
		partCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		cancels[i] = cancel
		go func() {
			err := p.Run(partCtx)
			switch {
			case err != nil:
				p.state.Store("failed: " + err.Error())
			default:
				p.state.Store("stopped")
			}
			done <- ended{i, err}
		}()
	}
	var failure error
	running := map[int]bool{}
	for i := range g.Parts {
		running[i] = true
	}
	for failure == nil && len(running) > 0 && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case e := <-done:
			delete(running, e.index)
			p := g.Parts[e.index]
			switch {
			case e.err != nil && p.Optional && !inUse(e.err):
				g.Logger.Error(p.Name+" failed, the other parts go on", "error", e.err)
			case e.err != nil:
				failure = fmt.Errorf("%s: %w", p.Name, e.err)
			case !p.Optional:
				failure = fmt.Errorf("%s ended by itself", p.Name)
			}
		}
	}
	deadline := time.After(StopTimeout)
	for i := len(g.Parts) - 1; i >= 0; i-- {
		cancels[i]()
		patience := time.After(StopTimeout / 3) // one that hangs must not cost the others their orderly end
		for waiting := true; waiting && running[i]; {
			select {
			case e := <-done:
				g.stopped(e, running, failure)
			case <-patience:
				waiting = false
			case <-deadline:
				return errors.Join(failure, g.late(running, cancels))
			}
		}
	}
	for len(running) > 0 {
		select {
		case e := <-done:
			g.stopped(e, running, failure)
		case <-deadline:
			return errors.Join(failure, g.late(running, cancels))
		}
	}
	return failure
}

func (g *Group) stopped(e ended, running map[int]bool, failure error) {
	delete(running, e.index)
	if e.err != nil && !errors.Is(e.err, context.Canceled) && !(failure != nil && inUse(e.err)) {
		g.Logger.Error("part ended with an error while stopping", "part", g.Parts[e.index].Name, "error", e.err)
	}
}

// late names the parts that still run, after all were told to stop.
func (g *Group) late(running map[int]bool, cancels []context.CancelFunc) error {
	var names []string
	for i, p := range g.Parts {
		cancels[i]()
		if running[i] {
			names = append(names, p.Name)
		}
	}
	return fmt.Errorf("%s did not stop within %s", strings.Join(names, ", "), StopTimeout)
}
