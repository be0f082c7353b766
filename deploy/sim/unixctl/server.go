// Package unixctl serves the control sockets of simulated OVS and OVN daemons:
// JSON-RPC 1.0 over a unix stream, answers as text for people, recorded from
// OVS 3.1 and OVN 23.03 with their counters grown by time and load.
package unixctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Daemon is one daemon's control socket.
type Daemon struct {
	Path string // "…/ovs-vswitchd.1234.ctl"
	// Answer returns the text of a command, or an UnknownError. It may block
	// until ctx ends, as a frozen daemon does.
	Answer func(ctx context.Context, command string, args []string) (string, error)
}

// UnknownError is a command that the daemon does not have.
type UnknownError struct{ Command string }

func (e UnknownError) Error() string {
	return fmt.Sprintf("%q is not a valid command (use \"list-commands\" to see a list of valid commands)\n", e.Command)
}

// Server serves any number of daemons.
type Server struct {
	daemons   map[*net.UnixListener]Daemon
	listeners []*net.UnixListener
}

// Listen opens the daemons' sockets; Run serves them.
func Listen(daemons ...Daemon) (*Server, error) {
	s := &Server{daemons: map[*net.UnixListener]Daemon{}}
	for _, d := range daemons {
		if err := s.listen(d); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

func (s *Server) listen(d Daemon) error {
	name := filepath.Base(d.Path)
	if err := os.MkdirAll(filepath.Dir(d.Path), 0o750); err != nil {
		return fmt.Errorf("control socket %s: %w", name, err)
	}
	if err := os.Remove(d.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("control socket %s: %w", name, err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: d.Path, Net: "unix"})
	if err != nil {
		return fmt.Errorf("control socket %s: %w (a path of a unix socket has at most 107 bytes)", name, err)
	}
	s.daemons[l], s.listeners = d, append(s.listeners, l)
	return nil
}

// Close closes the sockets and removes their files; Run then ends.
func (s *Server) Close() {
	for _, l := range s.listeners {
		_ = l.Close()
	}
}

// Run serves until ctx ends or Close.
func (s *Server) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, s.Close)
	defer stop()
	var all sync.WaitGroup
	for l, d := range s.daemons {
		all.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				all.Go(func() { d.serve(ctx, conn) })
			}
		})
	}
	all.Wait()
	cancel()
}

// request is what a client sends; whatever else makes the peer close (measured
// with OVS 3.1: null params, a "jsonrpc" key, a null id).
type request struct {
	ID      any      `json:"id"`
	Method  string   `json:"method"`
	Params  []string `json:"params"`
	Version *string  `json:"jsonrpc"`
}

func (d Daemon) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	decoder := json.NewDecoder(io.LimitReader(conn, 1<<20))
	for {
		if conn.SetReadDeadline(time.Now().Add(time.Minute)) != nil {
			return
		}
		var r request
		if decoder.Decode(&r) != nil || r.ID == nil || r.Params == nil || r.Version != nil || r.Method == "" {
			return
		}
		text, err := d.Answer(ctx, r.Method, r.Params)
		reply := map[string]any{"id": r.ID, "result": text, "error": nil}
		var unknown UnknownError
		switch {
		case errors.As(err, &unknown):
			reply = map[string]any{"id": r.ID, "error": err.Error()} // no result key
		case err != nil:
			return
		}
		b, err := json.Marshal(reply)
		if err != nil {
			return
		}
		if _, err := conn.Write(b); err != nil {
			return
		}
	}
}
