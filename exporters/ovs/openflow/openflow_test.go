package openflow

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recorded is what br-int of OVS 3.5 sent: hello, then the count of its flows.
const recorded = "060000080000000504130028000000020002000000000000000000000000869500000000002252fa0000067d00000000"

func serve(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "b.mgmt")
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
			answer(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return path
}

func TestFlows(t *testing.T) {
	answer, err := hex.DecodeString(recorded)
	if err != nil {
		t.Fatal(err)
	}
	path := serve(t, func(c net.Conn) {
		request := make([]byte, 64)
		if _, err := io.ReadFull(c, request); err != nil || request[1] != typeHello || request[9] != typeRequest {
			t.Errorf("asked %x, %v", request, err)
		}
		c.Write(answer)
	})
	if n, err := Flows(t.Context(), path, time.Second); err != nil || n != 1661 {
		t.Errorf("%d, %v", n, err)
	}
	for name, c := range map[string]struct {
		answer func(net.Conn)
		want   error
	}{
		"frozen":   {func(c net.Conn) { io.Copy(io.Discard, c) }, context.DeadlineExceeded},
		"hangs up": {func(c net.Conn) { c.Read(make([]byte, 64)) }, io.EOF},
		"garbage":  {func(c net.Conn) { c.Read(make([]byte, 64)); io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n") }, ErrMalformed},
		"half":     {func(c net.Conn) { c.Read(make([]byte, 64)); c.Write(answer[:len(answer)-9]) }, io.ErrUnexpectedEOF},
		"error":    {func(c net.Conn) { c.Read(make([]byte, 64)); c.Write(message(typeError, requestID, []byte{0, 1, 0, 2})) }, ErrMalformed},
		"babbles":  {func(c net.Conn) { c.Read(make([]byte, 64)); c.Write(bytes.Repeat(message(typeHello, 1, nil), 99)) }, ErrMalformed},
	} {
		if n, err := Flows(t.Context(), serve(t, c.answer), 200*time.Millisecond); n != 0 || !errors.Is(err, c.want) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	if _, err := Flows(t.Context(), path+"x", time.Second); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

type stream struct {
	io.Reader
	io.Writer
}

func FuzzAsk(f *testing.F) {
	b, err := hex.DecodeString(recorded)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(strings.Repeat("\x04\x00\x00\x08", 4)))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = ask(stream{bytes.NewReader(b), io.Discard})
	})
}
