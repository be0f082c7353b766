package unixctl

import (
	"context"
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
func serve(t *testing.T, answer func(conn net.Conn, request map[string]any)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "d.ctl")
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
			var request map[string]any
			if err := json.NewDecoder(conn).Decode(&request); err == nil {
				answer(conn, request)
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return path
}

func TestCall(t *testing.T) {
	path := serve(t, func(conn net.Conn, request map[string]any) {
		params, ok := request["params"].([]any)
		if _, second := request["jsonrpc"]; second || request["id"] == nil || !ok {
			t.Errorf("a real daemon would hang up on %v", request)
		}
		json.NewEncoder(conn).Encode(map[string]any{"id": request["id"], "error": nil, "result": request["method"].(string) + "|" + join(params)})
	})
	for _, c := range []struct {
		method string
		params []string
		want   string
	}{
		{"version", nil, "version|"},
		{"dpctl/show", []string{"-s"}, "dpctl/show|-s"},
	} {
		if got, err := (Client{Path: path}).Call(t.Context(), c.method, c.params...); got != c.want || err != nil {
			t.Errorf("%s: %q, %v", c.method, got, err)
		}
	}
}

func join(params []any) string {
	var words []string
	for _, p := range params {
		words = append(words, p.(string))
	}
	return strings.Join(words, " ")
}

func TestCallRefusesToWrite(t *testing.T) {
	for _, method := range []string{"", "exit", "dpctl/del-flows", "vlog/set", "coverage/show "} {
		if _, err := (Client{Path: "/nonexistent"}).Call(t.Context(), method); !errors.Is(err, ErrNotReadOnly) {
			t.Errorf("%q: %v", method, err)
		}
	}
}

func TestCallFaults(t *testing.T) {
	say := func(s string) func(net.Conn, map[string]any) {
		return func(c net.Conn, _ map[string]any) { io.WriteString(c, s) }
	}
	for _, c := range []struct {
		name   string
		answer func(net.Conn, map[string]any)
		check  func(error) bool
	}{
		{"frozen", func(c net.Conn, _ map[string]any) { io.Copy(io.Discard, c) }, isTimeout},
		{"hangs up", say(""), is(io.EOF)},
		{"half", say(`{"id":1,"result":"cove`), is(io.ErrUnexpectedEOF)},
		{"garbage", say("HTTP/1.1 400 Bad Request\r\n\r\n"), is(ErrMalformed)},
		{"no string", say(`{"id":1,"result":{"a":1},"error":null}`), is(ErrMalformed)},
		{"all null", say(`{"id":1,"result":null,"error":null}`), is(ErrMalformed)},
		{"giant", say(`{"result":"` + strings.Repeat("x", 4096)), is(ErrTooLarge)},
		{"unknown method", say(`{"id":1,"error":"\"version\" is not a valid command (use \"list-commands\")\n"}`), func(err error) bool {
			var d *DaemonError
			return errors.As(err, &d) && d.Unknown()
		}},
		{"refused", say(`{"id":1,"error":"ovs-vswitchd: no datapath\n","result":null}`), func(err error) bool {
			var d *DaemonError
			return errors.As(err, &d) && !d.Unknown() && d.Message == "ovs-vswitchd: no datapath"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := Client{Path: serve(t, c.answer), Timeout: 200 * time.Millisecond, MaxBytes: 1024}
			if _, err := client.Call(t.Context(), "version"); !c.check(err) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestCallDeadSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ctl")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // what a killed daemon leaves behind
	l.Close()
	if _, err := (Client{Path: path}).Call(t.Context(), "version"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dead: %v", err)
	}
	if _, err := (Client{Path: path + "2"}).Call(t.Context(), "version"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}

func TestCallCancelled(t *testing.T) {
	path := serve(t, func(c net.Conn, _ map[string]any) { io.Copy(io.Discard, c) })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := (Client{Path: path, Timeout: time.Minute}).Call(ctx, "version"); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"id":1,"result":"text","error":null}`))
	f.Add([]byte(`{"id":1,"error":"\"nope\" is not a valid command\n"}`))
	f.Add([]byte(`{"result":`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		text, err := decode(strings.NewReader(string(b)), "version", 1<<10)
		if err == nil && len(text) > 4<<10 {
			t.Errorf("%d bytes from an answer of at most 1024", len(text))
		}
		if err != nil && text != "" {
			t.Errorf("both text %q and error %v", text, err)
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
