package parts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// stops are the parts that have ended, in order.
type stops struct {
	mu    sync.Mutex
	names []string
}

func (s *stops) add(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names = append(s.names, name)
}

func (s *stops) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.names, " ")
}

// until runs until its context ends, and then takes a while.
func until(name string, takes time.Duration, order *stops) Part {
	return Part{Name: name, Run: func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(takes)
		order.add(name)
		return nil
	}}
}

func failing(name string, optional bool, err error) Part {
	return Part{Name: name, Optional: optional, Run: func(context.Context) error { return err }}
}

func TestGroup(t *testing.T) {
	taken := fmt.Errorf("%w: another program listens on 127.0.0.1:1", syscall.EADDRINUSE)
	for name, c := range map[string]struct {
		parts  []Part
		fails  string // what Run returns; "" when it goes on until it is told to stop
		logged int    // lines
	}{
		"an optional part may fail":                       {[]Part{failing("store", true, errors.New("no library"))}, "", 1},
		"another may not":                                 {[]Part{failing("planner", false, errors.New("no disk"))}, "planner: no disk", 0},
		"nor end by itself":                               {[]Part{failing("planner", false, nil)}, "planner ended by itself", 0},
		"an address in use is a mistake, optional or not": {[]Part{failing("store", true, taken)}, "store: address already in use: another program listens on 127.0.0.1:1", 0},
		"the same mistake is said once":                   {[]Part{failing("store", true, taken), failing("planner", false, taken)}, "address already in use", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				var order stops
				g := NewGroup(slog.New(slog.NewTextHandler(&log, nil)), append([]Part{until("first", 0, &order)}, c.parts...)...)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := g.Run(ctx)
				if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails) || strings.Contains(err.Error(), "\n")) {
					t.Errorf("%v, want one line with %q", err, c.fails)
				}
				if n := strings.Count(log.String(), "\n"); n != c.logged {
					t.Errorf("%d lines, want %d:\n%s", n, c.logged, &log)
				}
				if order.String() != "first" {
					t.Error("the other part was not stopped")
				}
			})
		})
	}
}

func TestGroupStopsInReverseOrderAndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order stops
		g := NewGroup(slog.New(slog.DiscardHandler), until("store", time.Second, &order), until("collector", time.Second, &order), until("exporter", time.Second, &order))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := g.Run(ctx); err != nil {
			t.Error(err)
		}
		if got := order.String(); got != "exporter collector store" {
			t.Errorf("stopped in the order %s", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var order stops
		g := NewGroup(slog.New(slog.DiscardHandler), until("store", 0, &order), until("collector", time.Minute, &order), until("exporter", 0, &order))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		err := g.Run(ctx)
		if err == nil || !strings.Contains(err.Error(), "collector did not stop within") || time.Since(began) > 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if got := order.String(); got != "exporter store" {
			t.Errorf("%s ended beside the one that hangs", got)
		}
		time.Sleep(time.Minute)
	})
}
