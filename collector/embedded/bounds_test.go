package embedded_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"mcloud/collector/embedded"
	"mcloud/collector/embedded/embeddedtest"
)

// The engine keeps within the memory, the threads and the cache that it is given,
// and answers on after a statement that wanted more.
func TestBounds(t *testing.T) {
	s, _ := open(t, embedded.Options{MemoryBytes: 400 << 20, CacheBytes: 32 << 20, Threads: 1})
	for _, q := range []struct{ statement, want string }{
		{"SELECT value FROM system.settings WHERE name = 'max_threads'", "1"},
		{"SELECT value FROM system.server_settings WHERE name = 'mark_cache_size'", strconv.Itoa(32 << 20)},
		{"SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'", strconv.Itoa(400 << 20)},
	} {
		if got, err := embeddedtest.Query(s.URL(), q.statement); err != nil || strings.TrimSpace(got) != q.want {
			t.Errorf("%s: %q %v, want %s", q.statement, got, err, q.want)
		}
	}
	_, err := embeddedtest.Query(s.URL(), "SELECT length(groupArray(number)) FROM numbers(200000000)")
	if err == nil || !strings.Contains(err.Error(), "MEMORY_LIMIT_EXCEEDED") {
		t.Errorf("1.6 GB within 400 MiB: %v", err)
	}
	if got, err := embeddedtest.Query(s.URL(), "SELECT sum(number) FROM numbers(1000)"); err != nil || got != "499500\n" {
		t.Errorf("afterwards: %q %v", got, err)
	}
}

// A store that was killed while it wrote is open again within a second. The
// processor's time is held to it, which the neighbours on the machine leave alone;
// the clock's is logged.
func TestOpensWithinASecond(t *testing.T) {
	haveLibrary(t)
	dir := t.TempDir()
	storeURL, kill := child(t, dir)
	if _, err := embeddedtest.Query(storeURL, "CREATE TABLE mcloud.t (k UInt64, n UInt64) ENGINE = MergeTree PARTITION BY k % 50 ORDER BY n"); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if _, err := embeddedtest.Query(storeURL, fmt.Sprintf("INSERT INTO mcloud.t SELECT number, number + %d FROM numbers(100000)", i)); err != nil {
			t.Fatal(err)
		}
	}
	go embeddedtest.Query(storeURL, "INSERT INTO mcloud.t SELECT 1, number FROM numbers(1000000000)") //nolint:errcheck // it is killed
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if got, err := embeddedtest.Query(storeURL, "SELECT count() > 1 FROM system.processes"); err == nil && got == "1\n" {
			break
		}
	}
	kill()
	http.DefaultClient.CloseIdleConnections()
	before := ownCPU(t)
	began := time.Now()
	s, _ := open(t, embedded.Options{Path: dir})
	wall, cpu := time.Since(began), ownCPU(t)-before
	t.Logf("open after kill -9: %s on the clock, %s of the processor", wall.Round(time.Millisecond), cpu)
	if cpu > time.Second {
		t.Errorf("%s of the processor, want a second at most", cpu)
	}
	if got, err := embeddedtest.Query(s.URL(), "SELECT countIf(k != 1) >= 490000 FROM mcloud.t"); err != nil || got != "1\n" {
		t.Errorf("what was acknowledged: %q %v", got, err)
	}
}

// ownCPU is what this process has taken of the processor: proc(5).
func ownCPU(t *testing.T) time.Duration {
	t.Helper()
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Skip(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
