// Package unixctl asks one OVS or OVN daemon through its control socket: a
// method and words go in, the text of the answer comes out. It knows no metric.
//
// The protocol is the JSON-RPC 1.0 of openvswitch/ovs:lib/unixctl.c and
// jsonrpc.c. It is stricter than most clients: params must be an array of
// strings, the id must not be null, and a "jsonrpc" member makes the daemon
// close the connection. There is no framing, the answer is one JSON object.
//
// Control sockets also take commands that change the daemon ("exit",
// "dpctl/del-flows"), so Call sends only the methods of readOnly.
package unixctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// DefaultMaxBytes bounds an answer; the largest asked for, coverage/show, has
// 5 KB, and dpctl/show -s about 300 bytes a port.
const DefaultMaxBytes = 16 << 20

// DefaultTimeout bounds one method. A daemon answers in 30 ms under load; one
// that is stopped accepts the connection and never answers.
const DefaultTimeout = 5 * time.Second

var (
	// ErrNotReadOnly says that the method may change the daemon and was not sent.
	ErrNotReadOnly = errors.New("not a read-only unixctl method")
	// ErrTooLarge says that the answer went beyond the accepted size.
	ErrTooLarge = errors.New("answer is too large")
	// ErrMalformed says that the peer does not speak unixctl.
	ErrMalformed = errors.New("malformed answer")
)

// DaemonError is the daemon's own refusal.
type DaemonError struct {
	Method  string
	Message string // one line
}

func (e *DaemonError) Error() string { return e.Method + ": daemon answered: " + e.Message }

// Kind is the word for it in counts of errors.
func (e *DaemonError) Kind() string { return "server_error" }

// Unknown reports whether the daemon has no such method at all, which differs
// by version, datapath and daemon, and is no fault.
func (e *DaemonError) Unknown() bool { return strings.Contains(e.Message, "is not a valid command") }

// Client asks the daemon behind one socket. The zero values of Timeout and
// MaxBytes mean the defaults. It holds no connection and is safe for
// concurrent use.
type Client struct {
	Path     string
	Timeout  time.Duration
	MaxBytes int64
}

// Call returns the text that the daemon answers to method. It ends with ctx or
// after Timeout, whichever comes first.
//
// Errors: ErrNotReadOnly, ErrTooLarge, ErrMalformed, *DaemonError, and those of
// the connection (a dead daemon's socket file gives syscall.ECONNREFUSED, a
// frozen daemon a net.Error with Timeout).
func (c Client) Call(ctx context.Context, method string, params ...string) (string, error) {
	text, _, err := c.CallPeer(ctx, method, params...)
	return text, err
}

// CallPeer is Call that also tells the daemon's process id: that of the process
// that opened the socket, 0 when it is in another namespace or not known.
func (c Client) CallPeer(ctx context.Context, method string, params ...string) (text string, pid int, err error) {
	if !ReadOnly(method) {
		return "", 0, fmt.Errorf("%q: %w", method, ErrNotReadOnly)
	}
	timeout, maxBytes := c.Timeout, c.MaxBytes
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	if maxBytes <= 0 {
		maxBytes = DefaultMaxBytes
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", c.Path)
	if err != nil {
		return "", 0, err
	}
	defer conn.Close()
	// Closing on cancellation frees a read before its deadline.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return "", 0, err
		}
	}
	if _, err := conn.Write(encode(method, params)); err != nil {
		return "", 0, fmt.Errorf("%s: send %s: %w", c.Path, method, cause(ctx, err))
	}
	text, err = decode(conn, method, maxBytes)
	if err != nil {
		return "", 0, fmt.Errorf("%s: %w", c.Path, cause(ctx, err))
	}
	return text, peer(conn), nil
}

// peer asks the kernel who opened the socket at the other end (SO_PEERCRED).
func peer(conn net.Conn) (pid int) {
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return 0
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) {
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	return pid
}

// cause says what an error of the connection means: at the deadline it is only
// an "i/o timeout", or a "use of closed network connection".
func cause(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("no answer, the daemon is frozen or overloaded: %w", context.DeadlineExceeded)
	case ctx.Err() != nil && errors.Is(err, net.ErrClosed):
		return ctx.Err()
	}
	return err
}

func encode(method string, params []string) []byte {
	if params == nil {
		params = []string{} // null makes the daemon hang up
	}
	b, err := json.Marshal(struct {
		ID     int      `json:"id"`
		Method string   `json:"method"`
		Params []string `json:"params"`
	}{1, method, params})
	if err != nil {
		panic("unixctl: a struct of strings is always JSON: " + err.Error())
	}
	return b
}

// decode reads one answer. Its result is text; newer daemons may answer JSON
// where it was asked for, which is never done here.
func decode(r io.Reader, method string, maxBytes int64) (string, error) {
	limited := &io.LimitedReader{R: r, N: maxBytes}
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
	if err := json.NewDecoder(limited).Decode(&answer); err != nil {
		var netErr net.Error
		switch {
		case limited.N <= 0:
			return "", fmt.Errorf("%s: %w: more than %d bytes", method, ErrTooLarge, maxBytes)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &netErr), errors.Is(err, net.ErrClosed):
			return "", fmt.Errorf("%s: read answer: %w", method, err)
		}
		return "", fmt.Errorf("%s: %w: %w", method, ErrMalformed, err)
	}
	if s, ok := text(answer.Error); ok {
		return "", &DaemonError{Method: method, Message: oneLine(s)}
	}
	if s, ok := text(answer.Result); ok {
		return s, nil
	}
	return "", fmt.Errorf("%s: %w: neither result nor error is a string", method, ErrMalformed)
}

func text(raw json.RawMessage) (string, bool) {
	var s *string
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}

func oneLine(s string) string {
	const maxBytes = 512 // enough to know what it is, no flood in the log
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxBytes {
		s = strings.ToValidUTF8(s[:maxBytes], "") + "…"
	}
	return s
}
