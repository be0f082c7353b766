package rados

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

type errno int

func (e errno) Error() string  { return fmt.Sprintf("rados: ret=%d", int(e)) }
func (e errno) ErrorCode() int { return int(e) }

// fakeHandle answers by answer and says when it is shut down.
type fakeHandle struct {
	answer func() ([]byte, string, error)
	shut   *atomic.Int32
}

func (h fakeHandle) MonCommand([]byte) ([]byte, string, error) { return h.answer() }
func (h fakeHandle) Omap(string, string, string, string, int) (map[string][]byte, error) {
	b, _, err := h.answer()
	return map[string][]byte{"key": b}, err
}
func (h fakeHandle) Shutdown() { h.shut.Add(1) }

var testConfig = Config{Name: "fast", Conf: "/etc/ceph/fast.conf", User: "client.exporter", ConnectTimeout: time.Second, CommandTimeout: time.Second, MaxAbandoned: 2}

func testMon(t *testing.T, dial func(Config) (handle, error)) *Mon {
	t.Helper()
	m, err := newMon(testConfig, dial)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCommandsShareOneConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials, shut atomic.Int32
		m := testMon(t, func(Config) (handle, error) {
			dials.Add(1)
			time.Sleep(100 * time.Millisecond)
			return fakeHandle{func() ([]byte, string, error) { return []byte("{}"), "", nil }, &shut}, nil
		})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if b, err := m.Command(t.Context(), map[string]any{"prefix": "status"}); err != nil || string(b) != "{}" {
					t.Errorf("%q, %v", b, err)
				}
			})
		}
		wg.Wait()
		m.Close()
		if dials.Load() != 1 || shut.Load() != 1 {
			t.Errorf("%d dials, %d shut down", dials.Load(), shut.Load())
		}
		if _, err := m.Command(t.Context(), nil); err == nil {
			t.Error("a closed Mon takes a command")
		}
	})
}

// A cluster that takes commands and never answers: the caller waits no longer
// than its context, the handle is given up, another is opened later, and no
// more than two are ever left hanging.
func TestHungHandlesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials, shut atomic.Int32
		release := make(chan struct{})
		m := testMon(t, func(Config) (handle, error) {
			dials.Add(1)
			return fakeHandle{func() ([]byte, string, error) { <-release; return nil, "", nil }, &shut}, nil
		})
		for range 50 {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			start := time.Now()
			if _, err := m.Command(ctx, nil); err == nil {
				t.Error("a hung cluster answered")
			} else if time.Since(start) > 4*time.Second {
				t.Errorf("waited %v, the timeout is 1 s and the grace 2 s", time.Since(start))
			}
			cancel()
			time.Sleep(10 * time.Second)
		}
		if got := m.Stats(); got.Abandoned != 2 || dials.Load() != 2 {
			t.Errorf("%+v after %d dials", got, dials.Load())
		}
		if _, err := m.Command(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "2 connections hang") {
			t.Errorf("error is %v", err)
		}
		close(release) // librados comes back
		synctest.Wait()
		time.Sleep(2 * time.Minute)
		if got := m.Stats(); got.Abandoned != 0 || shut.Load() != 2 {
			t.Errorf("%+v, %d shut down", got, shut.Load())
		}
		if _, err := m.Command(t.Context(), nil); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		m.Close()
	})
}

func TestHungDialIsGivenUpAndUsedWhenItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials, shut atomic.Int32
		m := testMon(t, func(Config) (handle, error) {
			dials.Add(1)
			time.Sleep(time.Hour)
			return fakeHandle{func() ([]byte, string, error) { return nil, "", nil }, &shut}, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := m.Command(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("first: %v", err)
		}
		var e *Error
		if _, err := m.Command(t.Context(), nil); !errors.As(err, &e) || e.Kind() != "timeout" {
			t.Errorf("second: %v", err)
		}
		time.Sleep(2 * time.Hour)
		if got := m.Stats(); got.Abandoned != 0 || !got.Connected {
			t.Errorf("after the dial came back: %+v", got)
		}
		m.Close()
		if shut.Load() != dials.Load() {
			t.Errorf("%d dials, %d shut down", dials.Load(), shut.Load())
		}
	})
}

// The caller's context may end long before librados does; the handle is judged
// by librados's own time all the same.
func TestImpatientCallersDoNotHideAHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shut atomic.Int32
		release := make(chan struct{})
		m := testMon(t, func(Config) (handle, error) {
			return fakeHandle{func() ([]byte, string, error) { <-release; return nil, "", nil }, &shut}, nil
		})
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			if _, err := m.Command(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error is %v", err)
			}
			cancel()
		}
		time.Sleep(4 * time.Second)
		if got := m.Stats(); got.Abandoned != 1 || got.Connected {
			t.Errorf("%+v", got)
		}
		close(release)
		m.Close()
	})
}

func TestFailedDialsBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int32
		m := testMon(t, func(Config) (handle, error) { dials.Add(1); return nil, errno(-13) })
		for range 600 { // ten minutes
			if _, err := m.Command(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "ceph auth get client.exporter") {
				t.Fatalf("error is %v", err)
			}
			time.Sleep(time.Second)
		}
		if n := dials.Load(); n < 10 || n > 20 {
			t.Errorf("%d dials in ten minutes", n)
		}
		m.Close()
	})
}

func TestTimeoutsInARowReplaceTheHandle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, code := range []errno{-110, 110} {
			var dials, shut atomic.Int32
			m := testMon(t, func(Config) (handle, error) {
				dials.Add(1)
				return fakeHandle{func() ([]byte, string, error) { return nil, "", code }, &shut}, nil
			})
			for range timeoutsBeforeRedial {
				var e *Error
				if _, err := m.Command(t.Context(), nil); !errors.As(err, &e) || e.Kind() != "timeout" || e.Code != 110 {
					t.Errorf("%d: %v", code, err)
				}
			}
			synctest.Wait()
			if m.Stats().Connected || shut.Load() != 1 {
				t.Errorf("%d: the handle is still in use", code)
			}
			m.Close()
		}
	})
}

func TestErrorsNameClusterFileAndCure(t *testing.T) {
	for _, c := range []struct {
		op       string
		code     errno
		kind     string
		contains []string
	}{
		{"connect", -2, "not_found", []string{"client.exporter", "keyring"}},
		{"connect", -13, "unauthorized", []string{"refuse the key", "ceph auth get"}},
		{"connect", -1, "unauthorized", []string{"refuse the key"}},
		{"connect", -110, "timeout", []string{"no monitor", "1s"}},
		{"connect", -22, "other", []string{"malformed"}},
		{"command", -13, "forbidden", []string{"ceph auth caps client.exporter mon 'allow r'"}},
		{"command", 110, "timeout", []string{"quorum", "manager"}},
		{"command", -108, "refused", []string{"shut this client out"}},
	} {
		e := explain(c.op, testConfig, "access denied", c.code)
		for _, want := range append(c.contains, "fast", "/etc/ceph/fast.conf") {
			if !strings.Contains(e.Error(), want) {
				t.Errorf("%s %d: %q lacks %q", c.op, c.code, e, want)
			}
		}
		if e.Kind() != c.kind || !errors.Is(e, c.code) {
			t.Errorf("%s %d: kind %s, cause %v", c.op, c.code, e.Kind(), errors.Unwrap(e))
		}
		if number := syscall.Errno(max(c.code, -c.code)); !errors.Is(e, number) || errors.Is(e, syscall.EAGAIN) {
			t.Errorf("%s %d: is %v: %v, is EAGAIN: %v", c.op, c.code, number, errors.Is(e, number), errors.Is(e, syscall.EAGAIN))
		}
	}
}

func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	conf := write("ceph.conf", "[global]\n")
	good := write("good", "# key\n[client.exporter]\n\tkey = AQ\n")
	other := write("other", "[client.exporter2]\n\tkey = AQ\n")
	for _, c := range []struct{ conf, keyring, want string }{
		{conf, "", ""},
		{conf, good, ""},
		{conf, other, other + " has no section [client.exporter]"},
		{conf, dir + "/absent", "absent: no such file"},
		{dir + "/absent.conf", good, "absent.conf: no such file"},
	} {
		cfg := testConfig
		cfg.Conf, cfg.Keyring = c.conf, c.keyring
		err := checkFiles(cfg)
		var e *Error
		switch {
		case c.want == "":
			if err != nil {
				t.Errorf("%+v: %v", c, err)
			}
		case !errors.As(err, &e) || e.Kind() != "not_found" || !strings.Contains(err.Error(), c.want):
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for _, cfg := range []Config{{}, {Name: "fast"}, {Conf: "x"}} {
		if _, err := newMon(cfg, nil); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}

func TestUserIsAClient(t *testing.T) {
	for user, want := range map[string]string{"": "client.admin", "exporter": "client.exporter", "client.exporter": "client.exporter"} {
		if c, err := (Config{Name: "fast", Conf: "x", User: user}).complete(); err != nil || c.User != want {
			t.Errorf("%q: %q, %v", user, c.User, err)
		}
	}
}

// Two clusters in one process, one hung: the other's commands take no longer.
func TestHungClusterDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shut atomic.Int32
		release := make(chan struct{})
		hung := testMon(t, func(Config) (handle, error) {
			return fakeHandle{func() ([]byte, string, error) { <-release; return nil, "", nil }, &shut}, nil
		})
		well := testMon(t, func(Config) (handle, error) {
			return fakeHandle{func() ([]byte, string, error) { return []byte("{}"), "", nil }, &shut}, nil
		})
		var waiting sync.WaitGroup
		for range 3 * maxInFlight {
			waiting.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if _, err := hung.Command(ctx, nil); err == nil {
					t.Error("a hung cluster answered")
				}
			})
		}
		synctest.Wait()
		for range 100 {
			start := time.Now()
			if _, err := well.Command(t.Context(), nil); err != nil || time.Since(start) != 0 {
				t.Fatalf("%v after %v", err, time.Since(start))
			}
			if v, err := well.Omap(t.Context(), "p", "o", "", "", 1); err != nil || len(v) != 1 {
				t.Fatalf("%v %v", v, err)
			}
		}
		waiting.Wait()
		close(release)
		hung.Close()
		well.Close()
	})
}
