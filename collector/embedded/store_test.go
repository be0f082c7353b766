package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"go.uber.org/goleak"

	"mcloud/collector/embedded"
	"mcloud/collector/embedded/embeddedtest"
)

// TestMain doubles as another process: with STORE_CHILD set it opens the store
// there, prints its URL and serves until it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("STORE_CHILD"); dir != "" {
		s, err := embedded.Open(embedded.Options{Path: dir, Listen: "127.0.0.1:0"})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(s.URL())
		fmt.Fprintln(os.Stderr, s.Run(context.Background()))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func haveLibrary(t *testing.T) {
	t.Helper()
	if _, err := embedded.FindLibrary(""); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// open runs a store of the test's own until the returned function is called.
func open(t *testing.T, o embedded.Options) (*embedded.Store, func()) {
	t.Helper()
	haveLibrary(t)
	if o.Path == "" {
		o.Path = t.TempDir()
	}
	o.Listen = "127.0.0.1:0"
	s, err := embedded.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
			http.DefaultClient.CloseIdleConnections()
		})
	}
	t.Cleanup(stop)
	return s, stop
}

func ask(t *testing.T, method, url, body string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(b)
}

func TestHTTP(t *testing.T) {
	s, _ := open(t, embedded.Options{})
	at := func(params ...string) string {
		q := url.Values{}
		for i := 0; i < len(params); i += 2 {
			q.Set(params[i], params[i+1])
		}
		return s.URL() + "/?" + q.Encode()
	}
	for _, c := range []struct {
		name, method, url, body string
		status                  int
		want                    string // prefix of the answer
	}{
		{"ping", "GET", s.URL() + "/ping", "", 200, "Ok.\n"},
		{"no such page", "GET", s.URL() + "/play", "", 404, "There is no handle /play"},
		{"get", "GET", at("query", "SELECT 1"), "", 200, "1\n"},
		{"body", "POST", at(), "SELECT 1, 'x'", 200, "1\tx\n"},
		{"url and body are one text", "POST", at("query", "SELECT 1"), "+ 1", 200, "2\n"},
		{"default format", "POST", at("default_format", "JSONEachRow"), "SELECT 1 AS a", 200, `{"a":1}`},
		{"head of the format comes once", "POST", at(), "SELECT number FROM numbers(200000) ORDER BY number DESC LIMIT 1 FORMAT CSVWithNames", 200, "\"number\"\n199999\n"},
		{"empty json", "POST", at(), "SELECT 1 AS a WHERE 0 FORMAT JSONCompact", 200, "{"},
		{"database exists", "POST", at("database", "mcloud"), "SELECT currentDatabase()", 200, "mcloud\n"},
		{"unknown database", "POST", at("database", "nope"), "SELECT 1", 404, "Code: 81."},
		{"setting", "POST", at("max_result_rows", "1"), "SELECT number FROM numbers(5)", 500, "Code: 396."},
		{"setting is gone afterwards", "POST", at(), "SELECT getSetting('max_result_rows'), getSetting('async_insert'), getSetting('max_execution_time')", 200, "0\tfalse\t300\n"},
		{"unknown setting", "POST", at("nope", "1"), "SELECT 1", 404, "Code: 115."},
		{"setting with a bad name", "POST", at("a b", "1"), "SELECT 1", 404, "Code: 115."},
		{"parameters", "POST", at("param_s", `it's\\n`, "param_a", "[1,2]"), "SELECT {s:String}, {a:Array(UInt8)}", 200, `it\'s\\n` + "\t[1,2]\n"},
		{"create", "POST", at("database", "mcloud"), "CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a", 200, ""},
		{"get changes nothing", "GET", at("query", "DROP TABLE mcloud.t"), "", 403, "Code: 164."},
		{"insert values", "POST", at("database", "mcloud"), "INSERT INTO t VALUES (1, 'a\n\n'), (2, 'b')", 200, ""},
		{"insert data after url", "POST", at("database", "mcloud", "query", "INSERT INTO t FORMAT CSV"), "3,\"c\n\nd\"\n4,x", 200, ""},
		{"insert select", "POST", at("database", "mcloud"), "INSERT INTO t SELECT 5, 'e'", 200, ""},
		{"inserted", "POST", at("database", "mcloud"), "SELECT a, s FROM t ORDER BY a", 200, "1\ta\\n\\n\n2\tb\n3\tc\\n\\nd\n4\tx\n5\te\n"},
		{"bad data", "POST", at("query", "INSERT INTO mcloud.t FORMAT CSV"), "x,y", 400, "Code: 27."},
		{"set does not stay", "POST", at(), "SET max_threads = 7", 200, ""},
		{"set did not stay", "POST", at(), "SELECT getSetting('max_threads') = 7", 200, "0\n"},
		{"syntax", "POST", at(), "SELECT FROM WHERE", 400, "Code: 62."},
		{"two statements", "POST", at(), "SELECT 1; SELECT 2", 400, "Code: 62."},
		{"empty", "POST", at(), " ", 400, "Code: 62."},
		{"sessions", "POST", at("session_id", "x"), "SELECT 1", 501, "Code: 48."},
		{"compression", "POST", at("compress", "1"), "SELECT 1", 501, "Code: 48."},
		{"files", "POST", at(), "SELECT * FROM file('/etc/passwd')", 403, "Code: 497."},
		{"wrong user", "POST", at("user", "root"), "SELECT 1", 401, "Code: 516."},
		{"password where there is none", "POST", at("password", "x"), "SELECT 1", 401, "Code: 516."},
	} {
		status, header, body := ask(t, c.method, c.url, c.body)
		if status != c.status || !strings.HasPrefix(body, c.want) {
			t.Errorf("%s: %d %q, want %d %q", c.name, status, body, c.status, c.want)
		}
		if code, is := strings.CutPrefix(c.want, "Code: "); is && header.Get("X-ClickHouse-Exception-Code")+"." != code {
			t.Errorf("%s: exception code header %q, want %s", c.name, header.Get("X-ClickHouse-Exception-Code"), code)
		}
	}
	t.Run("a failure in the middle is marked", func(t *testing.T) {
		status, header, body := ask(t, "POST", at("max_block_size", "1000"), "SELECT throwIf(number = 200000, 'late') FROM numbers(1000000)")
		if status != 200 || !strings.Contains(body, "\r\n__exception__\r\n"+header.Get("X-ClickHouse-Exception-Tag")+"\r\nCode: 395.") {
			t.Errorf("%d %q", status, body[max(0, len(body)-300):])
		}
	})
	t.Run("web pages get nothing", func(t *testing.T) {
		for _, set := range []func(*http.Request){
			func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") },
			func(r *http.Request) { r.Host = "evil.example:8123" },
		} {
			req, _ := http.NewRequest("POST", at(), strings.NewReader("SELECT 1"))
			set(req)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != 401 {
				t.Errorf("status %d, want 401", res.StatusCode)
			}
		}
	})
	t.Run("bodies have a bound", func(t *testing.T) {
		status, _, body := ask(t, "POST", at(), "SELECT '"+strings.Repeat("x", 17<<20)+"'")
		if status != 413 {
			t.Errorf("%d %.100q, want 413", status, body)
		}
	})
}

func TestPassword(t *testing.T) {
	s, _ := open(t, embedded.Options{User: "u", Password: "p"})
	for _, c := range []struct {
		user, password string
		status         int
	}{{"u", "p", 200}, {"u", "x", 401}, {"default", "p", 401}, {"", "", 401}} {
		req, _ := http.NewRequest("GET", s.URL()+"/?query=SELECT+1", nil)
		req.SetBasicAuth(c.user, c.password)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.status {
			t.Errorf("%s:%s: %d, want %d", c.user, c.password, res.StatusCode, c.status)
		}
	}
	if _, err := embedded.Open(embedded.Options{Path: t.TempDir(), Listen: "0.0.0.0:0"}); err == nil || !strings.Contains(err.Error(), "needs a password") {
		t.Errorf("listening to the world without a password: %v", err)
	}
}

// client is clickhouse-go as every user of the store has it.
func client(t *testing.T, storeURL string, connections int) clickhouse.Conn {
	t.Helper()
	c, err := clickhouse.Open(&clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: []string{strings.TrimPrefix(storeURL, "http://")},
		Auth: clickhouse.Auth{Database: embedded.Database}, MaxOpenConns: connections,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestClient(t *testing.T) {
	s, _ := open(t, embedded.Options{})
	c, ctx := client(t, s.URL(), 8), t.Context()
	if err := c.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(ctx, "CREATE TABLE x (a UInt64, t DateTime64(3, 'UTC'), l LowCardinality(String), m Map(LowCardinality(String), String), n Nullable(Int32), f Float64) ENGINE = MergeTree ORDER BY a"); err != nil {
		t.Fatal(err)
	}
	b, err := c.PrepareBatch(ctx, "INSERT INTO x")
	if err != nil {
		t.Fatal(err)
	}
	const rows = 70000
	for i := range rows {
		if err := b.Append(uint64(i), time.UnixMilli(int64(i)), "l"+strconv.Itoa(i%7), map[string]string{"k": "\n\n"}, nil, float64(i)/3); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Send(); err != nil {
		t.Fatal(err)
	}
	var count uint64
	var m map[string]string
	if err := c.QueryRow(ctx, "SELECT count(), any(m) FROM x WHERE l = ? OR l != ?", "l3", "l3").Scan(&count, &m); err != nil || count != rows || m["k"] != "\n\n" {
		t.Errorf("count %d map %q: %v", count, m, err)
	}
	var ex *clickhouse.Exception
	if err := c.QueryRow(ctx, "SELECT nope FROM x").Scan(&count); !errors.As(err, &ex) || ex.Code != 47 {
		t.Errorf("unknown column: %v", err)
	}
	late, err := c.Query(ctx, "SELECT throwIf(number = 200000, 'late') FROM numbers(1000000) SETTINGS max_block_size = 1000")
	if err == nil {
		for late.Next() {
		}
		err = errors.Join(late.Err(), late.Close())
	}
	if !errors.As(err, &ex) || ex.Code != 395 {
		t.Errorf("late failure: %v", err)
	}
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			var n uint64
			if err := c.QueryRow(ctx, "SELECT uniqExact(a) + {g:UInt64} FROM x", clickhouse.Named("g", g)).Scan(&n); err != nil || n != rows+uint64(g) {
				t.Errorf("reader %d: %d %v", g, n, err)
			}
		})
	}
	wg.Wait()
}

func TestCancel(t *testing.T) {
	s, _ := open(t, embedded.Options{Connections: 1, QueueTime: 300 * time.Millisecond})
	const endless = "SELECT count() FROM numbers_mt(1000000000000) WHERE sipHash64(number) = 0"
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "POST", s.URL(), strings.NewReader(endless))
	gone := make(chan error, 1)
	go func() { _, err := http.DefaultClient.Do(req); gone <- err }()
	time.Sleep(200 * time.Millisecond)
	if status, _, body := ask(t, "POST", s.URL(), "SELECT 1"); status != 503 || !strings.HasPrefix(body, "Code: 202.") {
		t.Errorf("with the only connection busy: %d %s", status, body)
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the client: %v", err)
	}
	begin := time.Now()
	for {
		status, _, body := ask(t, "POST", s.URL(), "SELECT count() FROM system.processes WHERE query LIKE 'SELECT count() FROM numbers_mt%'")
		if status == 200 && body == "0\n" {
			break
		}
		if time.Since(begin) > 5*time.Second {
			t.Fatalf("the statement runs on: %d %s", status, body)
		}
	}
	t.Logf("stopped %v after the client left", time.Since(begin).Round(time.Millisecond))
	if status, _, body := ask(t, "POST", s.URL()+"/?max_execution_time=1", endless); status != 408 || !strings.HasPrefix(body, "Code: 159.") {
		t.Errorf("max_execution_time: %d %s", status, body)
	}
}

func TestCloseStopsStatements(t *testing.T) {
	s, stop := open(t, embedded.Options{})
	gone := make(chan error, 1)
	go func() {
		res, err := http.Post(s.URL(), "", strings.NewReader("SELECT count() FROM numbers_mt(1000000000000) WHERE sipHash64(number) = 0"))
		if err == nil {
			res.Body.Close()
		}
		gone <- err
	}()
	time.Sleep(300 * time.Millisecond)
	begin := time.Now()
	stop()
	if d := time.Since(begin); d > 3*time.Second {
		t.Errorf("closing took %v", d)
	}
	<-gone
}

// A Go program must survive its own mistakes while the engine is loaded.
func TestSignalsStayGo(t *testing.T) {
	open(t, embedded.Options{})
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	var p *int
	*p = 1
}

func TestOpenErrors(t *testing.T) {
	if _, err := embedded.Open(embedded.Options{Path: t.TempDir(), Listen: "127.0.0.1:0", Library: "/nowhere/libchdb.so"}); !errors.Is(err, embedded.ErrNoLibrary) || !strings.Contains(err.Error(), "/nowhere/libchdb.so") {
		t.Errorf("missing library: %v", err)
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv(embedded.LibraryEnv, filepath.Join(t.TempDir(), "libchdb.so"))
	if _, err := embedded.FindLibrary(""); !errors.Is(err, embedded.ErrNoLibrary) || !strings.Contains(err.Error(), embedded.LibraryEnv) {
		t.Errorf("library named by the environment: %v", err)
	}
}

// child starts another process with the store at dir.
func child(t *testing.T, dir string) (storeURL string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STORE_CHILD="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() { cmd.Process.Kill(); cmd.Wait() })
	t.Cleanup(kill)
	line := make([]byte, 64)
	n, err := out.Read(line)
	if err != nil {
		t.Fatalf("the other process: %v", err)
	}
	return string(bytes.TrimSpace(line[:n])), kill
}

func TestInUse(t *testing.T) {
	haveLibrary(t)
	dir := t.TempDir()
	other, kill := child(t, dir)
	if _, err := embedded.Open(embedded.Options{Path: dir, Listen: "127.0.0.1:0"}); !errors.Is(err, embedded.ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("opening it twice: %v", err)
	}
	if got, err := embeddedtest.Query(other, "SELECT 1"); err != nil || got != "1\n" {
		t.Errorf("asking the other process: %q %v", got, err)
	}
	kill()
	http.DefaultClient.CloseIdleConnections()
	open(t, embedded.Options{Path: dir})
}

func TestKilled(t *testing.T) {
	haveLibrary(t)
	dir := t.TempDir()
	var acknowledged uint64
	for round := range 3 {
		storeURL, kill := child(t, dir)
		if _, err := embeddedtest.Query(storeURL, "CREATE TABLE IF NOT EXISTS mcloud.t (n UInt64) ENGINE = MergeTree ORDER BY n"); err != nil {
			t.Fatal(err)
		}
		failed := make(chan struct{})
		go func() {
			defer close(failed)
			for n := acknowledged; ; n++ {
				if _, err := embeddedtest.Query(storeURL, fmt.Sprintf("INSERT INTO mcloud.t SELECT %d FROM numbers(1000)", n)); err != nil {
					return
				}
				acknowledged = n + 1
			}
		}()
		time.Sleep(time.Duration(200+100*round) * time.Millisecond)
		kill()
		<-failed
	}
	http.DefaultClient.CloseIdleConnections()
	if acknowledged < 10 {
		t.Fatalf("only %d inserts before the kills", acknowledged)
	}
	begin := time.Now()
	s, _ := open(t, embedded.Options{Path: dir})
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("opening took %v", d)
	}
	got, err := embeddedtest.Query(s.URL(), fmt.Sprintf("SELECT countIf(c >= 1000), countIf(c %% 1000 != 0) FROM (SELECT n, count() c FROM mcloud.t WHERE n < %d GROUP BY n)", acknowledged))
	if want := fmt.Sprintf("%d\t0\n", acknowledged); err != nil || got != want {
		t.Errorf("whole and torn batches: %q %v, want %q", got, err, want)
	}
}
