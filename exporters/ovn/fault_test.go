package ovn

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcloud/exporters"
)

// faults are what a database's socket can do instead of answering.
var faults = map[string]func(net.Conn){
	"frozen":   func(c net.Conn) { io.Copy(io.Discard, c) },
	"hangs up": func(c net.Conn) { c.Read(make([]byte, 4096)) },
	"garbage":  reply("HTTP/1.1 400 Bad Request\r\n\r\n"),
	"half":     reply(`{"id":1,"result":[{"rows":[`),
	"no rows":  reply(`{"id":1,"error":null,"result":[]}`),
	"null":     reply(`{"id":1,"error":null,"result":null}`),
	"list":     reply(`[1,2,3]`),
	"deep":     reply(strings.Repeat("[", 1<<20)),
	"giant":    endless(`{"id":1,"result":"`, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
	// Greets well and goes wrong when the rows are asked for.
	"giant row": greeted(endless(`{"id":3,"result":{"NB_Global":{"`, strings.Repeat("y", 1<<12))),
	"many rows": greeted(endlessRows),
	"half the rows": greeted(func(c net.Conn) {
		io.WriteString(c, `{"id":3,"result":{"NAT":{"8d573120-1b75-4708-b617-7278bb5c0770":{"new":{`)
	}),
	"rows refused": greeted(func(c net.Conn) {
		io.WriteString(c, `{"id":3,"error":{"error":"not allowed","details":"go away"},"result":null}`)
	}),
	"rows are text": greeted(func(c net.Conn) { io.WriteString(c, `{"id":3,"result":{"NAT":"none"},"error":null}`) }),
	"no rows come":  greeted(func(c net.Conn) { io.Copy(io.Discard, c) }),
}

func reply(s string) func(net.Conn) {
	return func(c net.Conn) { c.Read(make([]byte, 4096)); io.WriteString(c, s) }
}

func endless(head, body string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, head)
		for {
			if _, err := io.WriteString(c, body); err != nil {
				return
			}
		}
	}
}

func endlessRows(c net.Conn) {
	io.WriteString(c, `{"id":3,"result":{"NAT":{"8d573120-1b75-4708-b617-7278bb5c0770":{"new":{"type":"snat"}}`)
	for i := 0; ; i++ {
		if _, err := fmt.Fprintf(c, `,"8d573120-1b75-4708-b617-%012x":{"new":{"type":"snat"}}`, i); err != nil {
			return
		}
	}
}

// greeted answers what opens a connection as a good server does.
func greeted(then func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		c.Read(make([]byte, 4096))
		io.WriteString(c, `{"id":1,"error":null,"result":[{"rows":[{"connected":true,"model":"standalone","leader":true,"index":["set",[]]}]}]}`)
		c.Read(make([]byte, 4096))
		io.WriteString(c, `{"id":2,"error":null,"result":{"tables":{"NAT":{"columns":{"type":{}}},"NB_Global":{"columns":{"nb_cfg":{}}}}}}`)
		c.Read(make([]byte, 64<<10))
		then(c)
	}
}

// Each fault of the northbound socket, from the start and after a good look:
// nothing of it is served as zero, the southbound families stay, self-metrics and
// one log line tell it, memory is bounded, and the first look after its end is good.
func TestFaultMatrix(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			good := newServer(t, "25.03", "OVN_Northbound", "nb")
			var handler atomic.Pointer[func(net.Conn)]
			set := func(f func(net.Conn)) { handler.Store(&f) }
			set(fault)
			var mu sync.Mutex
			open := map[net.Conn]bool{}
			north, _ := listen(t, func(c net.Conn) {
				mu.Lock()
				open[c] = true
				mu.Unlock()
				(*handler.Load())(c)
			})
			south, _ := newServer(t, "25.03", "OVN_Southbound", "sb").listen(t)
			looks := sources(t, Config{Northbound: []string{north}, Southbound: []string{south}})
			within := func(name string, timeout time.Duration) (*exporters.Snapshot, error) {
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				return looks[name].Collector.Collect(ctx)
			}
			look := func(name string) (*exporters.Snapshot, error) { return within(name, 30*time.Second) }
			fails := func(when string) {
				t.Helper()
				start := time.Now()
				snap, err := within("ovn_northbound", time.Second)
				if snap != nil || err == nil || !strings.Contains(err.Error(), north) || time.Since(start) > 10*time.Second {
					t.Errorf("%s: %v, %v after %v", when, snap, err, time.Since(start))
				}
				if snap, err := look("ovn_southbound"); err != nil || len(snap.Samples) < 50 {
					t.Errorf("%s: the southbound look suffers: %v", when, err)
				}
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			fails("from the start")
			set(good.handle)
			if snap, err := look("ovn_northbound"); err != nil || len(snap.Samples) < 50 {
				t.Fatalf("after its end: %v", err)
			}
			set(fault)
			mu.Lock()
			for c := range open {
				c.Close() // the good connection goes, as with its server
			}
			mu.Unlock()
			fails("after a good look")
			set(good.handle)
			if snap, err := look("ovn_northbound"); err != nil || len(snap.Samples) < 50 {
				t.Errorf("after its second end: %v", err)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 400<<20 {
				t.Errorf("memory grew by %d MiB", grown>>20)
			}
		})
	}
}

// A server that freezes on an open connection is found out by the next look.
func TestServerFreezesWhileFollowed(t *testing.T) {
	good := newServer(t, "25.03", "OVN_Northbound", "nb")
	endpoint, _ := good.listen(t)
	look := source(t, Config{Northbound: []string{endpoint}})
	if _, err := look.Collector.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	good.mu.Lock() // answers wait for it
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	snap, err := look.Collector.Collect(ctx)
	cancel()
	good.mu.Unlock()
	if snap != nil || exporters.KindOf(err) != exporters.KindTimeout {
		t.Fatalf("%v, %v", snap, err)
	}
	if _, err := look.Collector.Collect(t.Context()); err != nil {
		t.Errorf("after its thaw: %v", err)
	}
}

// Through the Runner: the page loses the dead database's values with their age,
// says so in its self-metrics and in one line of the log.
func TestRunnerTellsADeadDatabase(t *testing.T) {
	north, stopNorth := newServer(t, "25.03", "OVN_Northbound", "nb").listen(t)
	south, _ := newServer(t, "25.03", "OVN_Southbound", "sb").listen(t)
	all, end, err := Sources(Config{Cloud: "lab", Northbound: []string{north}, Southbound: []string{south}, Period: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	var log lockedBuffer
	runner := exporters.NewRunner(exporters.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for _, s := range all {
		if err := runner.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	<-runner.Ready()
	page := func() string {
		w := httptest.NewRecorder()
		runner.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return w.Body.String()
	}
	if p := page(); !strings.Contains(p, "ovn_nb_nb_cfg{") || !strings.Contains(p, "ovn_sb_nb_cfg{") {
		t.Fatal("both are there at first")
	}
	stopNorth()
	deadline := time.Now().Add(60 * time.Second)
	for p := page(); ; p = page() {
		var missing []string
		for _, want := range []string{`mcloud_source_success{cloud="lab",source="ovn_northbound",system="ovn"} 0`, `mcloud_source_success{cloud="lab",source="ovn_southbound",system="ovn"} 1`,
			`ovn_sb_nb_cfg{`, `ovn_db_member_up{cloud="lab",database="OVN_Northbound",endpoint="` + north + `"} 0`} {
			if !strings.Contains(p, want) {
				missing = append(missing, want)
			}
		}
		if len(missing) == 0 && !strings.Contains(p, "ovn_nb_nb_cfg{") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a dead database's values are served for ever, or these are missing: %q", missing)
		}
		time.Sleep(50 * time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Errorf("%d lines of errors:\n%s", n, log.String())
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
