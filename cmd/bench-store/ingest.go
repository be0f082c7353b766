package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	prometheusremote "github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb"

	"mcloud/collector"
	"mcloud/collector/clickhouse"
	"mcloud/collector/shipper"
)

// childEnv makes this program one of the two receivers: "mcloud DIR" or
// "prometheus DIR". Each is a process of its own, so that its processor time and its
// memory are its own.
const childEnv = "BENCH_STORE_RECEIVER"

// profileEnv is what the names of the receivers' profiles of the processor begin with;
// empty for none. The engine's threads are not Go's, and not in them.
const profileEnv = "BENCH_STORE_PROFILE"

// perRequest is how many samples a remote writer sends at once unless configured.
const perRequest = 2000

// ingest sends the same remote-write requests to both receivers, one after the other,
// and says what each took until every sample is on disk: for the store, until the
// last row is acknowledged.
func ingest(ctx context.Context, series, scrapes int, dir string) error {
	fmt.Printf("ingest: remote write 1.0, %d series × %d scrapes in requests of %d samples\n", series, scrapes, perRequest)
	var peer float64
	for _, name := range []string{"prometheus", "mcloud"} {
		m, err := receive(ctx, name, series, scrapes, filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("receiver %s: %w", name, err)
		}
		speed := float64(m.sent) / 1e3 / m.cpu.Seconds()
		fmt.Printf("  %-11s %6.0f k samples per processor second; %.1f s processor, %.1f s wall (%.1f s until received); RSS %s\n",
			name, speed, m.cpu.Seconds(), m.wall.Seconds(), m.received.Seconds(), m.memory())
		if name == "prometheus" {
			peer = speed
		} else {
			fmt.Printf("  %.2f × Prometheus's speed (to reach: 0.7)\n", speed/peer)
		}
	}
	fmt.Println()
	return nil
}

// received is what a receiver took.
type received struct {
	sent                int
	cpu, wall, received time.Duration
	process
	heap int64 // that Go has of the memory, in bytes
}

func (r received) memory() string {
	return fmt.Sprintf("%d MiB (of it Go's %d MiB), at most %d MiB", r.rss>>20, r.heap>>20, r.peak>>20)
}

func receive(ctx context.Context, name string, series, scrapes int, dir string) (m received, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return m, err
	}
	self, err := os.Executable()
	if err != nil {
		return m, err
	}
	child := exec.CommandContext(ctx, self)
	child.Env = append(os.Environ(), childEnv+"="+name+" "+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		return m, err
	}
	if err := child.Start(); err != nil {
		return m, err
	}
	defer func() {
		if os.Getenv(profileEnv) != "" { // it writes its profile at its end
			_ = child.Process.Signal(syscall.SIGTERM)
			force := time.AfterFunc(time.Minute, func() { _ = child.Process.Kill() })
			defer force.Stop()
			err = errors.Join(err, child.Wait())
			return
		}
		err = errors.Join(err, child.Process.Kill())
		_ = child.Wait() // killed: its error is ours
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return m, fmt.Errorf("it does not start: %w", err)
	}
	url := strings.TrimSpace(line)
	f := newFleet(series)
	protos := make([][]prompb.Label, series)
	for i, ls := range f.series {
		ls.Range(func(l labels.Label) { protos[i] = append(protos[i], prompb.Label{Name: l.Name, Value: l.Value}) })
	}
	before, err := processOf(child.Process.Pid)
	if err != nil {
		return m, err
	}
	began := time.Now()
	from := time.Now().UnixMilli() - int64(scrapes+1)*15_000
	sent := 0
	for k := range scrapes {
		for at := 0; at < series; at += perRequest {
			var r prompb.WriteRequest
			for i := at; i < min(at+perRequest, series); i++ {
				t, v := f.next(i, from+int64(k)*15_000)
				r.Timeseries = append(r.Timeseries, prompb.TimeSeries{Labels: protos[i], Samples: []prompb.Sample{{Timestamp: t, Value: v}}})
			}
			raw, err := r.Marshal()
			if err != nil {
				return m, err
			}
			if err := post(ctx, url+"/api/v1/write", s2.EncodeSnappy(nil, raw)); err != nil {
				return m, err
			}
			sent += len(r.Timeseries)
		}
	}
	m.received = time.Since(began)
	if name == "mcloud" {
		if err := shipped(ctx, url, sent); err != nil {
			return m, err
		}
	}
	after, err := processOf(child.Process.Pid)
	if err != nil {
		return m, err
	}
	m.sent, m.wall, m.process = sent, time.Since(began), after
	m.cpu = after.cpu - before.cpu
	m.heap, err = goMemory(ctx, url)
	return m, err
}

func post(ctx context.Context, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s", res.Status, strings.TrimSpace(string(answer)))
	}
	return err
}

var shippedSamples = regexp.MustCompile(`(?m)^mcloud_shipper_shipped_samples_total (\S+)$`)

func metricsOf(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

var goSys, goReleased = regexp.MustCompile(`(?m)^go_memstats_sys_bytes (\S+)$`), regexp.MustCompile(`(?m)^go_memstats_heap_released_bytes (\S+)$`)

// goMemory is what Go has from the system, in bytes; the rest of a process is the
// engine's, or mapped files.
func goMemory(ctx context.Context, url string) (int64, error) {
	page, err := metricsOf(ctx, url)
	if err != nil {
		return 0, err
	}
	var n [2]float64
	for i, line := range []*regexp.Regexp{goSys, goReleased} {
		m := line.FindSubmatch(page)
		if m == nil {
			return 0, errors.New("the receiver does not say how much memory Go has")
		}
		if n[i], err = strconv.ParseFloat(string(m[1]), 64); err != nil {
			return 0, err
		}
	}
	return int64(n[0] - n[1]), nil
}

// shipped waits until the store has acknowledged as many samples.
func shipped(ctx context.Context, url string, want int) error {
	for deadline := time.Now().Add(30 * time.Minute); time.Now().Before(deadline); {
		page, err := metricsOf(ctx, url)
		if err != nil {
			return err
		}
		if m := shippedSamples.FindSubmatch(page); m != nil {
			if n, err := strconv.ParseFloat(string(m[1]), 64); err == nil && int(n) >= want {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return errors.New("samples are not shipped after 30 minutes")
}

type process struct {
	cpu       time.Duration
	rss, peak int64
}

var (
	rssLine  = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`)
	peakLine = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)
)

// processOf reads /proc: proc(5).
func processOf(pid int) (p process, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return p, err
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	fields := strings.Fields(string(rest))
	if len(fields) < 13 {
		return p, fmt.Errorf("/proc/%d/stat is short", pid)
	}
	for _, field := range fields[11:13] { // utime and stime, in hundredths of a second
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return p, err
		}
		p.cpu += time.Duration(n) * 10 * time.Millisecond
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return p, err
	}
	for line, into := range map[*regexp.Regexp]*int64{rssLine: &p.rss, peakLine: &p.peak} {
		if m := line.FindSubmatch(status); m != nil {
			kb, err := strconv.ParseInt(string(m[1]), 10, 64)
			if err != nil {
				return p, err
			}
			*into = kb << 10
		}
	}
	return p, nil
}

// receiver is what the program is with childEnv set: it prints its URL and receives
// until it is killed.
func receiver(ctx context.Context, what string) error {
	name, dir, _ := strings.Cut(what, " ")
	if prefix := os.Getenv(profileEnv); prefix != "" {
		f, err := os.Create(prefix + name + ".pprof")
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
		stop := context.AfterFunc(ctx, func() { // the end, before anything is closed
			if f, err := os.Create(prefix + name + ".heap.pprof"); err == nil {
				err = errors.Join(pprof.WriteHeapProfile(f), f.Close())
				if err != nil {
					fmt.Fprintln(os.Stderr, "bench-store:", err)
				}
			}
		})
		defer stop()
	}
	if name == "mcloud" {
		return receiveOurs(ctx, dir)
	}
	return receiveTheirs(ctx, dir)
}

type sampleStore struct{ *clickhouse.DB }

// WriteSamples implements shipper.Store.
func (s sampleStore) WriteSamples(ctx context.Context, token string, b shipper.Batch) error {
	return s.DB.WriteSamples(ctx, token, clickhouse.Batch(b))
}

func receiveOurs(ctx context.Context, dir string) error {
	db, err := openOurs(ctx, filepath.Join(dir, "store"), 90*24*time.Hour)
	if err != nil {
		return err
	}
	c, err := collector.New(collector.Options{
		DataDir: filepath.Join(dir, "collector"), Listen: "127.0.0.1:0", Config: collector.StaticConfig("bench", dir, nil),
		Store: sampleStore{db.DB}, LongTerm: db.DB,
	})
	if err != nil {
		return errors.Join(err, db.close())
	}
	go func() {
		<-c.Ready()
		fmt.Println("http://" + c.Addr())
	}()
	return errors.Join(c.Run(ctx), db.close())
}

func receiveTheirs(ctx context.Context, dir string) error {
	quiet := slog.New(slog.DiscardHandler)
	db, err := tsdb.Open(dir, quiet, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, db.Close())
	}
	fmt.Println("http://" + listener.Addr().String())
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector())
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.Handle("/api/v1/write", prometheusremote.NewWriteHandler(quiet, prometheus.NewRegistry(), db, remote.MessageTypes{remote.WriteV1MessageType}, false, false, false))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // the end of the benchmark
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(err, db.Close())
	}
	return db.Close()
}
