// Package rados sends monitor commands with librados. Open is where to start;
// its Mon satisfies exporters/ceph.Mon.
//
// librados takes no context and by default waits for ever, and a call that
// hangs cannot be ended. So every call runs in a goroutine of its own; a handle
// that does not come back is left alone, counted and replaced, up to a bound.
// One Mon is one cluster: a hung one delays no other.
//
// The part that needs librados is built with -tags ceph and cgo only; without,
// Open returns ErrNotBuilt.
package rados

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// ErrNotBuilt is returned by Open in a program built without librados.
var ErrNotBuilt = errors.New("built without librados: build with cgo and -tags ceph (and pacific for librados 16), or leave out the cluster's conf")

// Config says which cluster to open and as whom.
type Config struct {
	// Name is the cluster's name in errors and metrics. Required.
	Name string
	// Conf is the path of its ceph.conf. Required.
	Conf string
	// User is "client.exporter" or "exporter"; "client.admin" when empty.
	User string
	// Keyring is the path of the user's keyring; empty leaves it to Conf.
	Keyring string
	// ClusterName is what $cluster stands for in Conf: "ceph" when empty.
	ClusterName string
	// ConnectTimeout bounds connecting, CommandTimeout one command; 5 s when 0.
	ConnectTimeout, CommandTimeout time.Duration
	// MaxAbandoned is how many hung handles are left alone before no more are
	// opened; each holds about eleven threads. 3 when 0.
	MaxAbandoned int
}

func (c Config) complete() (Config, error) {
	switch {
	case c.Name == "":
		return c, errors.New("ceph cluster: it has no name")
	case c.Conf == "":
		return c, fmt.Errorf("ceph cluster %s: no conf file is named", c.Name)
	}
	if c.User == "" {
		c.User = "admin"
	}
	if !strings.HasPrefix(c.User, "client.") {
		c.User = "client." + c.User // librados takes any other type of name and fails later
	}
	if c.ClusterName == "" {
		c.ClusterName = "ceph"
	}
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	if c.CommandTimeout <= 0 {
		c.CommandTimeout = 5 * time.Second
	}
	if c.MaxAbandoned <= 0 {
		c.MaxAbandoned = 3
	}
	return c, nil
}

const (
	// hangGrace is how long after its own timeout a call of librados may still
	// return before its handle is taken for hung.
	hangGrace = 2 * time.Second
	// maxInFlight bounds the commands of one handle.
	maxInFlight = 8
	// timeoutsBeforeRedial is how many commands in a row may time out before
	// the handle is replaced; librados looks for another monitor by itself first.
	timeoutsBeforeRedial = 3
	minBackoff           = time.Second
	maxBackoff           = time.Minute
)

// handle is one connection of librados.
type handle interface {
	MonCommand(command []byte) (output []byte, status string, err error)
	Omap(pool, object, after, prefix string, most int) (map[string][]byte, error)
	Shutdown()
}

// Mon is one cluster. It connects at the first command and again after a
// failure, with back-off. Safe for concurrent use.
type Mon struct {
	cfg   Config
	dial  func(Config) (handle, error)
	now   func() time.Time
	grace time.Duration

	mu        sync.Mutex
	closed    bool
	current   *session
	dialing   *attempt
	abandoned int // hung sessions and dials that may still return
	failures  int // dials in a row
	retryAt   time.Time
	lastErr   error
	running   sync.WaitGroup // of every goroutine, hung ones included
}

// session is one handle in use.
type session struct {
	handle   handle
	slots    chan struct{}
	timeouts int  // in a row; guarded by Mon.mu
	gone     bool // retired or abandoned; guarded by Mon.mu
	users    sync.WaitGroup
}

// attempt is one dial that any number of commands wait for. done is closed after
// session or err is set.
type attempt struct {
	done    chan struct{}
	session *session
	err     error
}

func newMon(cfg Config, dial func(Config) (handle, error)) (*Mon, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	return &Mon{cfg: cfg, dial: dial, now: time.Now, grace: hangGrace}, nil
}

// Stats are for whoever wants to know why a cluster does not answer.
type Stats struct {
	Connected bool
	Abandoned int // handles that hang in librados right now
	Failures  int // attempts to connect that failed in a row
}

// Stats returns the state of this moment.
func (m *Mon) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Stats{Connected: m.current != nil, Abandoned: m.abandoned, Failures: m.failures}
}

// Command sends one monitor command and returns its output. It ends with ctx,
// and at the latest when the cluster's timeouts have passed. Errors are *Error
// or those of ctx.
func (m *Mon) Command(ctx context.Context, command map[string]any) ([]byte, error) {
	request, err := json.Marshal(command)
	if err != nil {
		return nil, fmt.Errorf("ceph cluster %s: command is not JSON: %w", m.cfg.Name, err)
	}
	var output []byte
	err = m.do(ctx, func(h handle) (status string, err error) {
		output, status, err = h.MonCommand(request)
		return status, err
	})
	if err != nil {
		return nil, err // output may still be written to by a call that hangs
	}
	return output, nil
}

// Omap reads keys and values of one object: at most most of those that begin with
// prefix and come after the key after. Errors are as those of Command; an object
// that does not exist has the kind not_found.
func (m *Mon) Omap(ctx context.Context, pool, object, after, prefix string, most int) (map[string][]byte, error) {
	var values map[string][]byte
	err := m.do(ctx, func(h handle) (_ string, err error) {
		values, err = h.Omap(pool, object, after, prefix, most)
		return "", err
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// do makes one call over the connection, in a goroutine of its own.
func (m *Mon) do(ctx context.Context, call func(handle) (status string, err error)) error {
	s, err := m.session(ctx)
	if err != nil {
		return err
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("ceph cluster %s: %d commands are waiting already: %w", m.cfg.Name, maxInFlight, ctx.Err())
	}
	return m.run(ctx, s, call)
}

// run leaves the goroutine its own way back: the channel holds one result, so a
// late one never blocks.
func (m *Mon) run(ctx context.Context, s *session, call func(handle) (string, error)) error {
	if !m.enter(s) {
		<-s.slots
		return &Error{Op: "command", Config: m.cfg, Err: errors.New("the connection was just given up"), Hint: "it is opened again by itself"}
	}
	came := make(chan error, 1)
	hung := time.AfterFunc(m.cfg.CommandTimeout+m.grace, func() { m.abandon(s) })
	go func() {
		defer m.running.Done()
		defer s.users.Done()
		status, err := call(s.handle)
		hung.Stop()
		<-s.slots
		came <- m.judge(s, status, err)
	}()
	late := time.NewTimer(m.cfg.CommandTimeout + m.grace + 100*time.Millisecond)
	defer late.Stop()
	select {
	case err := <-came:
		return err
	case <-ctx.Done():
		return fmt.Errorf("ceph cluster %s: %w", m.cfg.Name, ctx.Err())
	case <-late.C:
		return hungError("command", m.cfg)
	}
}

// enter counts a call that is about to start, unless the session is gone.
func (m *Mon) enter(s *session) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.gone || m.closed {
		return false
	}
	s.users.Add(1)
	m.running.Add(1)
	return true
}

// judge makes an error of librados one of ours, and retires a session that has
// lost its cluster.
func (m *Mon) judge(s *session, status string, err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		s.timeouts = 0
		return nil
	}
	wrapped := explain("command", m.cfg, status, err)
	switch {
	case wrapped.lost():
		m.retire(s)
	case wrapped.timeout():
		if s.timeouts++; s.timeouts >= timeoutsBeforeRedial {
			m.retire(s)
		}
	default:
		s.timeouts = 0
	}
	return wrapped
}

// retire shuts a session down once its calls have returned. The caller holds m.mu.
func (m *Mon) retire(s *session) {
	if s.gone {
		return
	}
	s.gone = true
	if m.current == s {
		m.current = nil
	}
	m.running.Go(func() {
		s.users.Wait()
		s.handle.Shutdown()
	})
}

// abandon leaves a session alone whose call hangs. When the call comes back
// after all, the handle is shut down and counts no more.
func (m *Mon) abandon(s *session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.gone {
		return
	}
	s.gone = true
	if m.current == s {
		m.current = nil
	}
	m.abandoned++
	m.postpone(hungError("command", m.cfg))
	m.running.Go(func() {
		s.users.Wait()
		s.handle.Shutdown()
		m.mu.Lock()
		m.abandoned--
		m.mu.Unlock()
	})
}

// postpone notes a failure and when to try again. The caller holds m.mu.
func (m *Mon) postpone(err error) {
	m.lastErr = err
	m.retryAt = m.now().Add(min(minBackoff<<min(m.failures, 10), maxBackoff))
	m.failures++
}

// closeGrace bounds Close; a handle that hangs must not keep the program.
const closeGrace = 3 * time.Second

// Close ends the connection. It returns after at most a few seconds even when
// librados hangs; further commands fail.
func (m *Mon) Close() {
	m.mu.Lock()
	m.closed = true
	if m.current != nil {
		m.retire(m.current)
	}
	m.mu.Unlock()
	done := make(chan struct{})
	go func() {
		m.running.Wait()
		close(done)
	}()
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-done:
	case <-grace.C:
	}
}
