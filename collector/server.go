package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
)

// server is the HTTP server with its listener.
type server struct {
	http   *http.Server
	addr   string
	cancel context.CancelFunc // of all requests
	done   chan struct{}
	err    error // of Serve; read after done
}

// serve listens and answers in the background until stop.
func serve(o Options, h http.Handler) (*server, error) {
	listen, logger := o.Listen, o.Logger
	l, err := net.Listen("tcp", listen)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("listen on %s: another program does so already; stop it or choose another address: %w", listen, err)
		}
		return nil, fmt.Errorf("listen on %s: %w", listen, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{
		addr: l.Addr().String(), cancel: cancel, done: make(chan struct{}),
		http: &http.Server{
			Handler: o.Guard(h), TLSConfig: o.TLS, BaseContext: func(net.Listener) context.Context { return ctx },
			ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 5 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 1 << 20,
			ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		},
	}
	go func() {
		defer close(s.done)
		var err error
		if o.TLS != nil {
			err = s.http.ServeTLS(l, "", "")
		} else {
			err = web.Serve(l, s.http, &web.FlagConfig{WebConfigFile: &o.WebConfigFile}, quieted(logger, nil))
		}
		if !errors.Is(err, http.ErrServerClosed) {
			s.err = fmt.Errorf("HTTP server on %s: %w", s.addr, err)
		}
	}()
	return s, nil
}

// stop ends running requests and waits for the server.
func (s *server) stop() {
	s.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close() // what is left has had its second
	}
	<-s.done
}

// lockDir takes the data directory for this process; the lock ends with the process,
// however that ends.
func lockDir(dir string) (release func() error, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	f, err := os.OpenFile(dir+"/lock", os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		owner := make([]byte, 32)
		n, _ := f.ReadAt(owner, 0) // empty when the owner has not written yet
		cerr := f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s is used by process %s; stop it or choose another data directory", ErrInUse, dir, owner[:n])
		}
		return nil, errors.Join(fmt.Errorf("lock the data directory %s: %w", dir, err), cerr)
	}
	if err = f.Truncate(0); err == nil {
		_, err = fmt.Fprint(f, os.Getpid())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the data directory %s: %w", dir, err), f.Close())
	}
	return f.Close, nil
}
