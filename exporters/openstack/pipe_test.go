package openstack_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// pipes is a network of one listener in memory. With it a test in a bubble of
// testing/synctest has its own clock, and a timeout of 30 s takes no time.
type pipes struct {
	conns chan net.Conn
	gone  chan struct{}
	end   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), gone: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	reset := &atomic.Bool{}
	select {
	case p.conns <- pipeEnd{server, reset}:
		return pipeEnd{client, reset}, nil
	case <-p.gone:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.gone:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.end.Do(func() { close(p.gone) }); return nil }
func (p *pipes) Addr() net.Addr { return pipeAddress{} }

type pipeAddress struct{}

func (pipeAddress) Network() string { return "tcp" }
func (pipeAddress) String() string  { return "cloud.test:80" }

// pipeEnd is one end of a connection that the other may reset.
type pipeEnd struct {
	net.Conn
	reset *atomic.Bool
}

func (c pipeEnd) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil && c.reset.Load() {
		err = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return n, err
}

// reset breaks the connection of a request off.
func reset(t *testing.T, w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	if end, ok := c.(pipeEnd); ok {
		end.reset.Store(true)
	}
	_ = c.Close()
}

// newPipedCloud is a fakeCloud to be used in a bubble; connect to it with
// piped.
func newPipedCloud(t *testing.T) (*fakeCloud, *pipes) {
	t.Helper()
	f, network := unservedCloud(t), newPipes()
	f.Server = &httptest.Server{Listener: network, Config: &http.Server{Handler: f}}
	f.Start()
	t.Cleanup(f.Close)
	return f, network
}
