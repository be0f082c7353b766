package collector_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"go.uber.org/goleak"

	"mcloud/collector"
	"mcloud/collector/clickhouse"
	"mcloud/collector/embedded"
	"mcloud/collector/shipper"
)

const childEnv = "MCLOUD_COLLECTOR_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		fmt.Fprintln(os.Stderr, "child:", child(dir))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// child is what one machine runs: the embedded store and the collector in one process,
// until it is killed. It prints both addresses.
func child(dir string) error {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx := context.Background()
	store, err := embedded.Open(embedded.Options{Path: filepath.Join(dir, "store"), Listen: "127.0.0.1:0", Logger: logger})
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- store.Run(ctx) }()
	<-store.Ready()
	db, err := clickhouse.Open(ctx, clickhouse.Options{URL: store.URL(), Logger: logger})
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	c, err := collector.New(collector.Options{
		DataDir: filepath.Join(dir, "data"), Listen: "127.0.0.1:0", Config: collector.StaticConfig("test", dir, nil),
		Store: sampleStore{db}, LongTerm: db, FlushInterval: 50 * time.Millisecond, Logger: logger,
	})
	if err != nil {
		return err
	}
	go func() { failed <- c.Run(ctx) }()
	select {
	case <-c.Ready():
		fmt.Println(c.Addr(), store.URL())
		return <-failed
	case err := <-failed:
		return err
	}
}

type sampleStore struct{ db *clickhouse.DB }

func (s sampleStore) WriteSamples(ctx context.Context, token string, b shipper.Batch) error {
	return s.db.WriteSamples(ctx, token, clickhouse.Batch(b))
}

// Ten times kill -9 of collector and store under load: every sample that remote write
// acknowledged is in the store exactly once, with its value.
func TestCollectorAndStoreKilledTenTimes(t *testing.T) {
	if _, err := embedded.FindLibrary(""); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	load := &load{acknowledged: map[string]float64{}, at: time.Now().UnixMilli()}
	for kill := range 10 {
		c := startChild(t, dir)
		stop := time.AfterFunc(time.Duration(300+rand.IntN(900))*time.Millisecond, c.kill)
		for load.send(c.addr) == nil {
		}
		stop.Stop()
		c.kill()
		t.Logf("kill %d: %d samples acknowledged", kill+1, len(load.acknowledged))
	}
	c := startChild(t, dir)
	if err := load.send(c.addr); err != nil {
		t.Fatal(err)
	}
	db, err := clickhouse.Open(context.Background(), clickhouse.Options{URL: c.store})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var missing, wrong int
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if missing, wrong = load.compare(t, db); missing == 0 {
			break
		}
	}
	count, err := db.CountCheck(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d samples acknowledged, %d stored: %d missing, %d double", len(load.acknowledged), count.Total, missing, count.Duplicate)
	if missing != 0 || wrong != 0 || count.Duplicate != 0 || count.Total < uint64(len(load.acknowledged)) {
		t.Errorf("%d missing, %d with another value, %d double, %d in all", missing, wrong, count.Duplicate, count.Total)
	}
}

// load sends by remote write and notes what was acknowledged.
type load struct {
	at           int64
	acknowledged map[string]float64
}

func (l *load) send(addr string) error {
	l.at = max(l.at+1, time.Now().UnixMilli())
	sent := map[string]float64{}
	var req prompb.WriteRequest
	for i := range 200 {
		v := float64(l.at%1000)/10 + float64(i)
		host := fmt.Sprint("host", i)
		req.Timeseries = append(req.Timeseries, prompb.TimeSeries{
			Labels:  []prompb.Label{{Name: "__name__", Value: "load"}, {Name: "host", Value: host}},
			Samples: []prompb.Sample{{Timestamp: l.at, Value: v}},
		})
		sent[fmt.Sprint(host, "@", l.at)] = v
	}
	body, err := req.Marshal()
	if err != nil {
		return err
	}
	resp, err := http.Post("http://"+addr+"/api/v1/write", "application/x-protobuf", bytes.NewReader(snappy.Encode(nil, body)))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return errors.New(resp.Status + " " + string(text))
	}
	for id, v := range sent {
		l.acknowledged[id] = v
	}
	return nil
}

func (l *load) compare(t *testing.T, db *clickhouse.DB) (missing, wrong int) {
	t.Helper()
	querier, err := db.Querier(l.at-10*time.Minute.Milliseconds(), l.at+1)
	if err != nil {
		t.Fatal(err)
	}
	defer querier.Close()
	stored := map[string]float64{}
	set := querier.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", "load"))
	var it chunkenc.Iterator
	for set.Next() {
		host := set.At().Labels().Get("host")
		for it = set.At().Iterator(it); it.Next() == chunkenc.ValFloat; {
			at, v := it.At()
			stored[fmt.Sprint(host, "@", at)] = v
		}
	}
	if err := set.Err(); err != nil {
		t.Fatal(err)
	}
	for id, v := range l.acknowledged {
		got, ok := stored[id]
		switch {
		case !ok:
			missing++
		case got != v:
			wrong++
		}
	}
	return missing, wrong
}

type childProcess struct {
	addr, store string
	kill        func()
}

func startChild(t *testing.T, dir string) childProcess {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // has ended already, then
		_ = cmd.Wait()         // "signal: killed"
		http.DefaultClient.CloseIdleConnections()
	})
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("child did not start: %v", err)
	}
	addr, store, _ := strings.Cut(strings.TrimSpace(line), " ")
	return childProcess{addr, store, kill}
}
