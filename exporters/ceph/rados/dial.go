package rados

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// session returns the connection, or waits for the one that is being made. All
// commands share one attempt, and an attempt that outlives its caller's context
// still serves the next.
func (m *Mon) session(ctx context.Context) (*session, error) {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil, fmt.Errorf("ceph cluster %s: closed", m.cfg.Name)
	}
	if s := m.current; s != nil {
		m.mu.Unlock()
		return s, nil
	}
	a := m.dialing
	if a == nil {
		if err := m.mayDial(); err != nil {
			m.mu.Unlock()
			return nil, err
		}
		a = m.startDial()
	}
	m.mu.Unlock()
	select {
	case <-a.done:
		return a.session, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("ceph cluster %s: connecting with %s: %w", m.cfg.Name, m.cfg.Conf, ctx.Err())
	}
}

// mayDial says why not. The caller holds m.mu.
func (m *Mon) mayDial() error {
	switch {
	case m.abandoned >= m.cfg.MaxAbandoned:
		return &Error{Op: "connect", Config: m.cfg, Err: fmt.Errorf("%d connections hang in librados, no more are opened until one returns: %w", m.abandoned, m.lastErr),
			Hint: "find the monitor or network that takes connections and does not answer"}
	case m.now().Before(m.retryAt):
		return fmt.Errorf("not tried again before %s: %w", m.retryAt.UTC().Format(time.RFC3339), m.lastErr)
	}
	return nil
}

// startDial begins an attempt. The caller holds m.mu.
func (m *Mon) startDial() *attempt {
	a := &attempt{done: make(chan struct{})}
	m.dialing = a
	hung := time.AfterFunc(m.cfg.ConnectTimeout+m.grace, func() { m.giveUp(a) })
	m.running.Go(func() {
		h, err := m.dial(m.cfg)
		hung.Stop()
		m.finish(a, h, err)
	})
	return a
}

// giveUp ends an attempt whose dial hangs.
func (m *Mon) giveUp(a *attempt) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dialing != a {
		return
	}
	m.dialing = nil
	m.abandoned++
	a.err = hungError("connect", m.cfg)
	m.postpone(a.err)
	close(a.done)
}

// finish takes what the dial brought, also when it was given up meanwhile.
func (m *Mon) finish(a *attempt, h handle, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	late := m.dialing != a
	if late {
		m.abandoned--
	} else {
		m.dialing = nil
		defer close(a.done)
	}
	switch {
	case err != nil:
		if !late {
			a.err = m.explainDial(err)
			m.postpone(a.err)
		}
	case m.closed, m.current != nil:
		m.running.Go(h.Shutdown)
		a.err = fmt.Errorf("ceph cluster %s: closed", m.cfg.Name)
	default:
		m.failures, m.retryAt, m.lastErr = 0, time.Time{}, nil
		m.current = &session{handle: h, slots: make(chan struct{}, maxInFlight)}
		if !late {
			a.session = m.current
		}
	}
}

func (m *Mon) explainDial(err error) error {
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	return explain("connect", m.cfg, "", err)
}
