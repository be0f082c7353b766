package asok

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serve is a daemon whose whole behaviour is answer.
func serve(t *testing.T, answer func(conn net.Conn, request []byte)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "d.asok")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if request, err := bufio.NewReader(conn).ReadBytes(0); err == nil {
				answer(conn, bytes.TrimSuffix(request, []byte{0}))
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return path
}

func frame(body string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

func TestAsk(t *testing.T) {
	path := serve(t, func(conn net.Conn, request []byte) {
		var command map[string]any
		if err := json.Unmarshal(request, &command); err != nil {
			t.Errorf("request %q: %v", request, err)
		}
		if command["prefix"] != "perf dump" || command["format"] != "json" || command["logger"] != "bluestore" {
			t.Errorf("request is %s", request)
		}
		conn.Write(frame(`{"osd":{}}`))
	})
	got, err := Client{Path: path}.Ask(t.Context(), "perf dump", map[string]any{"logger": "bluestore", "prefix": "config set"})
	if err != nil || string(got) != `{"osd":{}}` {
		t.Fatalf("Ask() = %q, %v", got, err)
	}
}

func TestAskRefusesToWrite(t *testing.T) {
	for _, prefix := range []string{"", "config set", "injectargs", "bench", "perf reset", "perf dump ", "PERF DUMP"} {
		// There is no socket: the refusal must come before the connection.
		_, err := Client{Path: "/nonexistent"}.Ask(t.Context(), prefix, nil)
		if !errors.Is(err, ErrNotReadOnly) {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

func TestAskFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(net.Conn, []byte)
		check  func(error) bool
	}{
		{"frozen", func(c net.Conn, _ []byte) { io.Copy(io.Discard, c) }, isTimeout},
		{"half a length", func(c net.Conn, _ []byte) { c.Write([]byte{0, 0}) }, is(io.ErrUnexpectedEOF)},
		{"no answer", func(c net.Conn, _ []byte) {}, is(io.EOF)},
		{"half an answer", func(c net.Conn, _ []byte) { c.Write(frame(`{"a":1}`)[:7]) }, is(io.ErrUnexpectedEOF)},
		{"giant length", func(c net.Conn, _ []byte) { c.Write([]byte{255, 255, 255, 255, 'x'}) }, is(ErrTooLarge)},
		{"refusal", func(c net.Conn, _ []byte) {
			c.Write(frame("ERROR: (22) Invalid argument\nunknown command prefix nope\n"))
		}, func(err error) bool {
			var d *DaemonError
			return errors.As(err, &d) && d.Code == 22 && d.Message == "Invalid argument unknown command prefix nope"
		}},
		{"refusal without code", func(c net.Conn, _ []byte) { c.Write(frame("ERROR: (x")) }, func(err error) bool {
			var d *DaemonError
			return errors.As(err, &d) && d.Code == 0
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := serve(t, c.answer)
			start := time.Now()
			_, err := Client{Path: path, Timeout: 200 * time.Millisecond}.Ask(t.Context(), "version", nil)
			if !c.check(err) {
				t.Errorf("error is %v", err)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

func TestAskDeadSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.asok")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // what a killed daemon leaves behind
	l.Close()
	if _, err := (Client{Path: path}).Ask(t.Context(), "version", nil); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dead: %v", err)
	}
	if _, err := (Client{Path: path + "2"}).Ask(t.Context(), "version", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}

func TestAskCancelled(t *testing.T) {
	path := serve(t, func(c net.Conn, _ []byte) { io.Copy(io.Discard, c) })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := Client{Path: path, Timeout: time.Minute}.Ask(ctx, "version", nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestEmptyAnswerIsLegal(t *testing.T) {
	got, err := decode(bytes.NewReader(frame("")), 10)
	if err != nil || len(got) != 0 {
		t.Errorf("decode() = %q, %v", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(frame(`{"a":1}`))
	f.Add(frame("ERROR: (22) Invalid argument\n"))
	f.Add(frame("ERROR: (99999999999999999999) x"))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decode(bytes.NewReader(b), 1<<10)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("error of more than one line: %q", err)
			}
			return
		}
		if want := binary.BigEndian.Uint32(b); len(got) != int(want) || len(got) > 1<<10 {
			t.Errorf("%d bytes decoded, %d announced", len(got), want)
		}
	})
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
