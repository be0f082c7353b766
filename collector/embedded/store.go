// Package embedded runs ClickHouse's engine inside the process: libchdb.so,
// loaded without cgo, behind ClickHouse's HTTP interface on loopback. So one
// client, collector/clickhouse, serves for both a ClickHouse server and a
// machine that has none, and a second process can read the same store.
//
// Open starts it, Run serves until its context ends. The package knows no table
// and does no more of the HTTP interface than clickhouse-go and curl need: no
// sessions, no compression, one user.
package embedded

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Database is created by Open. The engine's own "default" is an Overlay
// database, in which refreshable views and EXCHANGE TABLES do not work.
const Database = "mcloud"

// DefaultListen is where the store listens unless told otherwise.
const DefaultListen = "127.0.0.1:8123"

// ErrInUse is returned by Open when another process has the data open.
var ErrInUse = errors.New("store is in use")

// Options say where the data lies and what the engine may take of the machine.
type Options struct {
	// Path is the data's directory; it is created with mode 0700.
	Path string
	// Library is the path of libchdb.so; see FindLibrary.
	Library string
	// Listen is the address served, DefaultListen when empty. With port 0 a
	// free port is taken, see URL.
	Listen string
	// User and Password are asked of every client when Password is set. User
	// is "default" when empty.
	User, Password string
	// TLS serves with TLS; nil: plainly.
	TLS *tls.Config
	// MemoryBytes bounds what the engine allocates; above it statements fail
	// with code 241. 2 GiB when 0.
	MemoryBytes int64
	// CacheBytes bounds its cache of marks, 256 MiB when 0.
	CacheBytes int64
	// Threads bounds those of one statement, the number of CPUs when 0.
	Threads int
	// Connections bounds the statements that run at once, 8 when 0; others
	// wait QueueTime, 30 s when 0, and then fail with code 202.
	Connections int
	QueueTime   time.Duration
	// QueryTime bounds a statement that sets no max_execution_time; 5 min when 0.
	QueryTime time.Duration
	// BodyBytes bounds a request's body, 256 MiB when 0.
	BodyBytes int64
	Logger    *slog.Logger
}

func (o Options) withDefaults() Options {
	def := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.MemoryBytes, 2<<30)
	def(&o.CacheBytes, min(256<<20, o.MemoryBytes/4))
	def(&o.BodyBytes, 256<<20)
	if o.Threads == 0 {
		o.Threads = runtime.NumCPU()
	}
	if o.Connections == 0 {
		o.Connections = 8
	}
	if o.QueueTime == 0 {
		o.QueueTime = 30 * time.Second
	}
	if o.QueryTime == 0 {
		o.QueryTime = 5 * time.Minute
	}
	if o.User == "" {
		o.User = "default"
	}
	if o.Listen == "" {
		o.Listen = DefaultListen
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.Path == "":
		return errors.New("embedded store: no path for its data")
	case o.MemoryBytes < 256<<20:
		return fmt.Errorf("embedded store: %d bytes of memory, at least 256 MiB are needed", o.MemoryBytes)
	case o.CacheBytes < 0 || o.CacheBytes > o.MemoryBytes || o.Threads < 1 || o.Connections < 1 || o.BodyBytes < 1:
		return errors.New("embedded store: cache, threads, connections and body size must be positive, and the cache fit into the memory")
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fmt.Errorf("embedded store: listen address: %w", err)
	}
	if ip := net.ParseIP(host); o.Password == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("embedded store: listening on %s needs a password, without one only loopback is allowed", o.Listen)
	}
	return nil
}

// Store is an open store that listens; the process can have one at a time.
type Store struct {
	options  Options
	listener net.Listener
	http     *http.Server
	pool     *pool
	lock     *os.File
	ready    chan struct{}
	begin    sync.Once
	gate     gate
	closing  sync.Once
	closeErr error
	cancel   context.CancelFunc
}

// open tells whether the process has a Store.
var open sync.Mutex

// Open loads the library, opens or creates the data and starts to listen;
// requests are answered from Run on. It takes up to a second.
// The errors wrap ErrNoLibrary or ErrInUse where the cause is that.
func Open(o Options) (*Store, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	// A relative path breaks the engine's fsync of directories.
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	library, err := FindLibrary(o.Library)
	if err != nil {
		return nil, err
	}
	if !open.TryLock() {
		return nil, fmt.Errorf("%w: this process has one open already", ErrInUse)
	}
	s := &Store{options: o, ready: make(chan struct{})}
	undo := func(err error) (*Store, error) {
		s.shut()
		open.Unlock()
		return nil, err
	}
	if s.lock, err = lock(path); err != nil {
		return undo(err)
	}
	if s.listener, err = net.Listen("tcp", o.Listen); err != nil {
		if errors.Is(err, unix.EADDRINUSE) {
			return undo(fmt.Errorf("%w: another program listens on %s; stop it, or choose another address with --store.listen", unix.EADDRINUSE, o.Listen))
		}
		return undo(fmt.Errorf("embedded store: %w; choose another address with --store.listen", err))
	}
	if err := load(library); err != nil {
		return undo(fmt.Errorf("embedded store: %w", err))
	}
	s.pool, err = newPool([]string{
		"--path=" + path,
		"--max_server_memory_usage=" + strconv.FormatInt(o.MemoryBytes, 10),
		"--mark_cache_size=" + strconv.FormatInt(o.CacheBytes, 10),
		"--uncompressed_cache_size=0",
		"--background_pool_size=" + strconv.Itoa(max(2, o.Threads)),
	}, settings{
		{"max_threads", strconv.Itoa(o.Threads)},
		{"max_execution_time", strconv.FormatFloat(o.QueryTime.Seconds(), 'f', -1, 64)},
		// 26.5 gathers small inserts by default and acknowledges the gathering.
		{"async_insert", "0"},
		{"session_timezone", "UTC"},
	}, o.Connections, o.QueueTime)
	if err != nil {
		return undo(fmt.Errorf("embedded store: data in %s: %w", path, err))
	}
	version, err := s.prepare()
	if err != nil {
		return undo(fmt.Errorf("embedded store: %w", err))
	}
	if err := forgetLoading(library); err != nil {
		o.Logger.Debug("the store takes more memory than it needs", "err", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.http = &http.Server{
		Handler: &server{
			pool: s.pool, version: version, user: o.User, password: o.Password,
			maxBody: o.BodyBytes, writeTimeout: time.Minute, enter: s.gate.enter,
		},
		TLSConfig:         o.TLS,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       o.QueryTime + o.QueueTime,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    1 << 20, // URLs carry parameters; ClickHouse's http_max_uri_size is the same
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
	}
	o.Logger.Info("embedded store open", "path", path, "library", library, "version", version, "url", s.URL())
	return s, nil
}

// prepare creates the database and returns the engine's version.
func (s *Store) prepare() (string, error) {
	l, err := s.pool.take(context.Background(), "default", nil)
	if err != nil {
		return "", err
	}
	defer l.release()
	if _, err := l.exec("CREATE DATABASE IF NOT EXISTS " + Database + " ENGINE = Atomic"); err != nil {
		return "", err
	}
	version, err := l.exec("SELECT version()")
	return strings.TrimSpace(version), err
}

// URL is where the store answers: "http://127.0.0.1:8123".
func (s *Store) URL() string {
	scheme := "http"
	if s.options.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + s.listener.Addr().String()
}

// Ready is closed when requests are answered.
func (s *Store) Ready() <-chan struct{} { return s.ready }

// Run answers requests until ctx ends, then closes the store. Statements that
// run at that time are stopped.
func (s *Store) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() {
		if s.options.TLS != nil {
			served <- s.http.ServeTLS(s.listener, "", "")
			return
		}
		served <- s.http.Serve(s.listener)
	}()
	s.begin.Do(func() { close(s.ready) })
	var err error
	select {
	case <-ctx.Done():
		err = s.Close()
		<-served
	case err = <-served:
		if errors.Is(err, http.ErrServerClosed) {
			err = nil // Close was called
		}
		err = errors.Join(err, s.Close())
	}
	return err
}

// Close stops running statements, closes the data and frees the port. It may
// be called more than once.
func (s *Store) Close() error {
	s.closing.Do(func() {
		// Requests under way see their context end, which stops their statements.
		s.cancel()
		s.closeErr = s.http.Close()
		s.gate.close()
		s.closeErr = errors.Join(s.closeErr, s.shut())
		open.Unlock()
	})
	return s.closeErr
}

// gate lets requests in until it closes, and closes when all have left.
type gate struct {
	inside sync.RWMutex
	closed bool
}

func (g *gate) enter() (leave func(), open bool) {
	g.inside.RLock()
	return g.inside.RUnlock, !g.closed
}

func (g *gate) close() {
	g.inside.Lock()
	defer g.inside.Unlock()
	g.closed = true
}

func (s *Store) shut() error {
	var err error
	if s.pool != nil {
		s.pool.close()
	}
	if s.listener != nil {
		if e := s.listener.Close(); !errors.Is(e, net.ErrClosed) {
			err = e
		}
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// lock creates the directory and takes its lock, which the kernel gives back
// when the process ends in any way.
func lock(path string) (*os.File, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(path, "mcloud.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder := make([]byte, 16)
		n, _ := f.ReadAt(holder, 0)
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: the store at %s is open in process %s; ask that one over HTTP, or stop it first", ErrInUse, path, strings.TrimSpace(string(holder[:n])))
		}
		return nil, fmt.Errorf("embedded store: locking %s: %w", f.Name(), err)
	}
	if err := errors.Join(f.Truncate(0), writePID(f)); err != nil {
		f.Close()
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	return f, nil
}

func writePID(f *os.File) error {
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
