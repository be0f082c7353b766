// Package asok speaks to the admin socket of one Ceph daemon: a command goes
// in, the bytes of its answer come out. It knows the protocol and which
// commands only read; it knows no metric.
//
// The protocol is that of ceph/ceph:src/common/admin_socket.cc and
// admin_socket_client.cc: one JSON object ended by a NUL, then four bytes of
// big-endian length and that many bytes of answer; one command a connection.
// Whoever can connect may also change the daemon's configuration, so Ask sends
// the commands of readOnly and refuses all others before it connects.
package asok

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// DefaultMaxBytes bounds an answer; the largest seen, an OSD's perf schema, has 90 KB.
const DefaultMaxBytes = 16 << 20

// DefaultTimeout bounds one command. A daemon answers in 20 ms under load; one
// that is stopped accepts the connection and never answers.
const DefaultTimeout = 5 * time.Second

var (
	// ErrNotReadOnly says that the command may write and was not sent.
	ErrNotReadOnly = errors.New("not a read-only admin socket command")
	// ErrTooLarge says that the daemon announced more bytes than are accepted.
	ErrTooLarge = errors.New("answer is too large")
)

// DaemonError is the daemon's own refusal, which it sends as text in place of
// the answer: "ERROR: (22) Invalid argument\nunknown command prefix nope\n".
type DaemonError struct {
	Code    int    // errno, positive; 0 when the text holds none
	Message string // the rest, one line
}

func (e *DaemonError) Error() string {
	return fmt.Sprintf("daemon answered error %d: %s", e.Code, e.Message)
}

// Kind is the word for it in counts of errors.
func (e *DaemonError) Kind() string { return "server_error" }

// Client asks the daemon behind one socket. The zero values of Timeout and
// MaxBytes mean the defaults. It holds no connection; any number of goroutines
// may use it, though a daemon serves one after the other.
type Client struct {
	Path     string
	Timeout  time.Duration
	MaxBytes uint32
}

// Ask sends one command with its arguments and returns the answer, which may
// be empty. It ends with ctx or after Timeout, whichever comes first.
//
// Errors: ErrNotReadOnly, ErrTooLarge, *DaemonError, and those of the
// connection (a dead daemon's socket file gives syscall.ECONNREFUSED, a frozen
// daemon a net.Error with Timeout).
func (c Client) Ask(ctx context.Context, prefix string, args map[string]any) ([]byte, error) {
	request, err := encode(prefix, args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, or(c.Timeout, DefaultTimeout))
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", c.Path)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// Closing on cancellation frees a read that has no deadline of its own.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	if _, err := conn.Write(request); err != nil {
		return nil, fmt.Errorf("%s: send %q: %w", c.Path, prefix, cause(ctx, err))
	}
	answer, err := decode(conn, or(c.MaxBytes, DefaultMaxBytes))
	if err != nil {
		return nil, fmt.Errorf("%s: %q: %w", c.Path, prefix, cause(ctx, err))
	}
	return answer, nil
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

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

func encode(prefix string, args map[string]any) ([]byte, error) {
	if !ReadOnly(prefix) {
		return nil, fmt.Errorf("%q: %w", prefix, ErrNotReadOnly)
	}
	command := map[string]any{"format": "json"}
	for k, v := range args {
		command[k] = v
	}
	command["prefix"] = prefix // last, so that args cannot replace what was checked
	b, err := json.Marshal(command)
	if err != nil {
		return nil, fmt.Errorf("%q: arguments: %w", prefix, err)
	}
	return append(b, 0), nil
}

// decode reads one answer. The announced length is not trusted with memory:
// the buffer grows as bytes arrive.
func decode(r io.Reader, maxBytes uint32) ([]byte, error) {
	var length uint32
	if err := binary.Read(r, binary.BigEndian, &length); err != nil {
		return nil, fmt.Errorf("read length: %w", err)
	}
	if length > maxBytes {
		return nil, fmt.Errorf("%w: %d bytes announced, at most %d accepted", ErrTooLarge, length, maxBytes)
	}
	answer, err := io.ReadAll(io.LimitReader(r, int64(length)))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if len(answer) < int(length) {
		return nil, fmt.Errorf("read answer: %d of %d bytes: %w", len(answer), length, io.ErrUnexpectedEOF)
	}
	if refusal := parseError(answer); refusal != nil {
		return nil, refusal
	}
	return answer, nil
}
