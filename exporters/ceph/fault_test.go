package ceph

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/ceph/asok"
)

// rig is two clusters under one Runner, each with monitors and two daemons; the
// first one's monitors and its osd.0 can be broken.
type rig struct {
	t       *testing.T
	runner  *exporters.Runner
	monMode atomic.Pointer[string]
	socket  string // of the daemon to break
	log     lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(strings.Split(l.b.String(), "\n"), func(s string) bool { return s == "" })
}

const (
	rigPeriod  = time.Second
	rigTimeout = 2 * time.Second
)

func newRig(t *testing.T) *rig {
	r := &rig{t: t}
	healthy := ""
	r.monMode.Store(&healthy)
	logger := slog.New(slog.NewTextHandler(&r.log, nil))
	r.runner = exporters.NewRunner(exporters.Options{Sets: []exporters.Set{exporters.SetPerf}, Logger: logger})
	for _, name := range []string{"broken", "whole"} {
		dir := t.TempDir()
		if name == "broken" {
			r.socket = filepath.Join(dir, "ceph-osd.0.asok")
		} else {
			serveDaemon(t, filepath.Join(dir, "ceph-osd.0.asok"), recorded(t, "18.2", "osd", "osd.0", rigFSID))
		}
		serveDaemon(t, filepath.Join(dir, "ceph-mon.a.asok"), recorded(t, "18.2", "mon", "mon.a", rigFSID))
		mon := rigMon{fakeMon{dir: "testdata/18.2/fast"}, func() string { return "" }}
		if name == "broken" {
			mon.answer, mon.mode = r.monFault, func() string { return *r.monMode.Load() }
		}
		cfg := testConfig()
		cfg.Name, cfg.Perf, cfg.Logger, cfg.FSID = name, true, logger, rigFSID
		cfg.Now = time.Now
		cfg.Sockets = []string{filepath.Join(dir, "*.asok")}
		cfg.SocketTimeout = rigTimeout / 2
		all, err := Sources(cfg, mon)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			s.Period, s.Timeout, s.MaxAge = rigPeriod, rigTimeout, time.Minute
			if err := r.runner.Add(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	return r
}

// rigMon has what OSDs lead, which only the smaller cluster's recording has.
type rigMon struct {
	fakeMon
	mode func() string
}

func (m rigMon) Command(ctx context.Context, command map[string]any) ([]byte, error) {
	if command["prefix"] != "pg ls-by-primary" {
		return m.fakeMon.Command(ctx, command)
	}
	id := command["osd"].(int)
	if m.mode() == "osd.0 down" && id == 0 {
		return nil, osdNotUp(id)
	}
	led := fakeMon{dir: "testdata/18.2/geo", answer: m.answer}
	return led.Command(ctx, merge(maps.Clone(command), map[string]any{"osd": id % 3}))
}

// monFault answers as monitors in the mode do.
func (r *rig) monFault(ctx context.Context, prefix string) ([]byte, error) {
	switch *r.monMode.Load() {
	case "frozen":
		<-ctx.Done()
		return nil, ctx.Err()
	case "down":
		return nil, exporters.WithKind(errors.New("ret=-107"), exporters.KindRefused)
	case "without manager capabilities":
		switch prefix {
		case "osd df", "osd perf", "pg dump", "osd pool stats", "osd blocked-by", "balancer status", "crash ls", "pg ls-by-primary":
			return nil, exporters.WithKind(errors.New("ret=-13: access denied"), exporters.KindForbidden)
		}
	case "garbage":
		return []byte("<html>"), nil
	case "half answer":
		return []byte(`{"fsid":"x","osds":[{"osd":0,"up":`), nil
	case "empty object":
		return []byte(`{}`), nil
	}
	return nil, nil
}

// page is the value of each series that is served.
func (r *rig) page() map[string]float64 {
	r.t.Helper()
	families, err := r.runner.Gatherer().Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += fmt.Sprintf(",%s=%s", l.GetName(), l.GetValue())
			}
			values[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return values
}

// wait looks at the page until want is true of it.
func (r *rig) wait(what string, want func(map[string]float64) bool) map[string]float64 {
	r.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		page := r.page()
		if want(page) {
			return page
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("never: %s\n%s", what, strings.Join(r.log.lines(), "\n"))
		}
		time.Sleep(rigPeriod / 10)
	}
}

func self(page map[string]float64, metric, source, cluster string) float64 {
	for name, v := range page {
		if strings.HasPrefix(name, metric+",cluster="+cluster+",source="+source+"/") {
			return v
		}
	}
	return math.NaN()
}

// rigFSID is that of the recorded cluster: daemons of another would be left out.
const rigFSID = "180b1fa5-0000-4000-8000-00000000fa57"

var rigSources = []string{"ceph_health", "ceph_osd", "ceph_pool", "ceph_pg", "ceph_service", "ceph_heartbeat", "ceph_log", "ceph_scrub", "ceph_daemon"}

func complete(cluster string) func(map[string]float64) bool {
	return func(page map[string]float64) bool {
		for _, s := range rigSources {
			if self(page, "mcloud_source_complete", s, cluster) != 1 {
				return false
			}
		}
		return true
	}
}

func TestFaultMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	answer := recorded(t, "18.2", "osd", "osd.0", rigFSID)
	// raw serves bytes on the socket whatever is asked.
	raw := func(b []byte) func(*rig) func() {
		return func(r *rig) func() { return serveBytes(r.t, r.socket, b) }
	}
	mon := func(mode string) func(*rig) func() {
		return func(r *rig) func() {
			r.monMode.Store(&mode)
			healthy := ""
			return func() { r.monMode.Store(&healthy) }
		}
	}
	for _, c := range []struct {
		name   string
		fault  func(*rig) func()
		failed []string // the Sources that must say so
		kind   string
	}{
		{"socket frozen", func(r *rig) func() { return serveDaemon(r.t, r.socket, func(string) []byte { return nil }) }, []string{"ceph_daemon"}, exporters.KindTimeout},
		{"socket absent", func(r *rig) func() { return func() {} }, nil, ""}, // a daemon that was stopped: a fact, told by its 0
		{"socket garbage", func(r *rig) func() {
			return serveDaemon(r.t, r.socket, func(string) []byte { return []byte("<html>") })
		}, []string{"ceph_daemon"}, exporters.KindDecode},
		{"socket giant length", raw(append([]byte{0xff, 0xff, 0xff, 0xff}, make([]byte, 1<<20)...)), []string{"ceph_daemon"}, exporters.KindOther},
		{"socket half answer", raw(append(binary.BigEndian.AppendUint32(nil, 1000), `{"name":`...)), []string{"ceph_daemon"}, exporters.KindDecode},
		{"socket closes at once", raw(nil), []string{"ceph_daemon"}, ""},
		{"mon frozen", mon("frozen"), rigSources[:8], exporters.KindTimeout},
		{"mon down", mon("down"), rigSources[:8], exporters.KindRefused},
		{"mon read-only caps", mon("without manager capabilities"), []string{"ceph_osd", "ceph_pool", "ceph_pg", "ceph_service", "ceph_heartbeat", "ceph_scrub"}, exporters.KindForbidden},
		{"mon says that an OSD is down", mon("osd.0 down"), nil, ""}, // it leads nothing: left out, not failed
		{"mon garbage", mon("garbage"), rigSources[:8], exporters.KindDecode},
		{"mon half answer", mon("half answer"), rigSources[:8], exporters.KindDecode},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.t = t
			heal := serveDaemon(t, r.socket, answer)
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- r.runner.Run(ctx) }()
			defer func() {
				stop()
				<-done
			}()
			healthy := r.wait("both are complete", func(p map[string]float64) bool { return complete("broken")(p) && complete("whole")(p) })
			quiet := len(r.log.lines())

			onSocket, onOSD := strings.HasPrefix(c.name, "socket"), strings.Contains(c.name, "an OSD is down")
			if onSocket {
				heal()
				if err := os.Remove(r.socket); err != nil {
					t.Fatal(err)
				}
			}
			end := c.fault(r)
			faulty := r.wait("the fault is visible, with errors of kind "+c.kind, func(p map[string]float64) bool {
				for _, s := range c.failed {
					if self(p, "mcloud_source_complete", s, "broken") != 0 || c.kind != "" && p["mcloud_source_errors_total,cluster=broken,kind="+c.kind+",source="+s+"/broken"] == 0 {
						return false
					}
				}
				if onOSD && p["mcloud_source_objects,cluster=broken,source=ceph_scrub/broken,state=skipped"] != 1 {
					return false
				}
				up, known := p["ceph_daemon_socket_up,ceph_daemon=osd.0,cluster=broken"]
				return !onSocket || known && up == 0
			})
			// The fault lasts, and the rest goes on: a look of theirs may be slow on a busy
			// machine, but not all of them.
			time.Sleep(3 * rigPeriod)
			later := r.wait("what the fault does not touch goes on", func(p map[string]float64) bool {
				for _, s := range rigSources {
					const succeeded = "mcloud_source_last_success_timestamp_seconds"
					if self(p, "mcloud_source_complete", s, "whole") != 1 || self(p, succeeded, s, "whole") <= self(faulty, succeeded, s, "whole") {
						return false // of the other cluster
					}
					if touched := onSocket == (s == "ceph_daemon") && !onOSD; !touched && self(p, "mcloud_source_complete", s, "broken") != 1 {
						return false
					}
				}
				return true
			})
			lines := r.log.lines()[quiet:]
			r.noFalseValues(healthy, later, onSocket)
			if n := len(lines); onOSD && n != 0 {
				t.Errorf("%d log lines about an OSD that the cluster knows to be down:\n%s", n, strings.Join(lines, "\n"))
			} else if !onOSD && (n == 0 || n > len(c.failed)+1) {
				t.Errorf("%d log lines, want one for each of %d sources at most and one for a daemon:\n%s", n, len(c.failed), strings.Join(lines, "\n"))
			}
			end()
			if onSocket {
				os.Remove(r.socket)
				serveDaemon(t, r.socket, answer)
			}
			since := time.Now()
			r.wait("recovery", complete("broken"))
			// One period, after the look that still saw the fault; the rest is for a busy machine.
			if took := time.Since(since); took > rigPeriod+rigTimeout+5*time.Second {
				t.Errorf("recovery took %v, the period is %v", took, rigPeriod)
			}
			r.wait("everything is there again", func(p map[string]float64) bool {
				for name := range healthy {
					if _, ok := p[name]; !ok && strings.HasPrefix(name, "ceph_") {
						return false
					}
				}
				return true
			})
		})
	}
}

// noFalseValues finds series whose value the fault changed: what is not known must
// be absent or what it was.
func (r *rig) noFalseValues(healthy, now map[string]float64, onSocket bool) {
	r.t.Helper()
	for name, v := range now {
		was, ok := healthy[name]
		if !strings.HasPrefix(name, "ceph_") || onSocket && name == "ceph_daemon_socket_up,ceph_daemon=osd.0,cluster=broken" {
			continue
		}
		if !ok || v != was && !math.IsNaN(v) {
			r.t.Errorf("%s is %v, was %v (%v)", name, v, was, ok)
		}
	}
	// Families from the other cluster and from elsewhere stay.
	for name := range healthy {
		if _, ok := now[name]; !ok && strings.Contains(name, "cluster=whole") && strings.HasPrefix(name, "ceph_") {
			r.t.Errorf("%s of the other cluster is gone", name)
		}
	}
}

// serveBytes is a socket that reads a request and writes b, then closes.
func serveBytes(t *testing.T, path string, b []byte) (stop func()) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(time.Second))
			conn.Read(make([]byte, 4096))
			conn.Write(b)
			conn.Close()
		}
	}()
	return sync.OnceFunc(func() { l.Close(); <-done })
}

// Whatever length a daemon announces, no more memory is taken than bytes came.
func TestGiantLengthTakesNoMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ceph-osd.0.asok")
	stop := serveBytes(t, path, append(binary.BigEndian.AppendUint32(nil, asok.DefaultMaxBytes), "{}"...))
	defer stop()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := (asok.Client{Path: path}).Ask(t.Context(), "perf dump", nil); err == nil {
		t.Error("half an answer is taken")
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("%d bytes were allocated for two", grown)
	}
}
