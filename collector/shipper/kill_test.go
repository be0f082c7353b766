package shipper_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
	"go.uber.org/goleak"

	"mcloud/collector/shipper"
)

const childEnv = "MCLOUD_SHIPPER_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := child(dir, os.Getenv(childEnv+"_URL")); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// child is a collector under load: it commits rounds as fast as every 2 ms, says so
// after each ("ack TIME"), and ships to the parent.
func child(dir, url string) error {
	ship, err := shipper.Open(func() shipper.Options {
		o := shipperOptions(dir, httpStore(url))
		o.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		return o
	}())
	if err != nil {
		return err
	}
	db, err := tsdb.Open(filepath.Join(dir, "hot"), nil, nil, tinyTSDB(), nil)
	if err != nil {
		return err
	}
	go func() { _ = ship.Run(context.Background()) }() // ends with the process, which is killed
	t := max(1_000_000, db.Head().MaxTime())
	for {
		t += 1000
		if err := commit(db, t); err != nil {
			return err
		}
		fmt.Println("ack", t)
		time.Sleep(2 * time.Millisecond)
	}
}

// httpStore carries batches from the child to the parent.
type httpStore string

type wireBatch struct {
	Token  string
	Series []map[string]string
	Ref    []uint32
	Time   []int64
	Value  []float64
}

func (url httpStore) WriteSamples(ctx context.Context, token string, b shipper.Batch) error {
	w := wireBatch{Token: token, Ref: b.Ref, Time: b.Time, Value: b.Value}
	for _, l := range b.Series {
		w.Series = append(w.Series, l.Map())
	}
	var body bytes.Buffer
	if err := gob.NewEncoder(&body).Encode(w); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(url), &body)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("store answered %s", resp.Status)
	}
	return nil
}

func serve(store shipper.Store) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var b wireBatch
		if err := gob.NewDecoder(req.Body).Decode(&b); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		batch := shipper.Batch{Ref: b.Ref, Time: b.Time, Value: b.Value}
		for _, l := range b.Series {
			batch.Series = append(batch.Series, labels.FromMap(l))
		}
		if err := store.WriteSamples(req.Context(), b.Token, batch); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}))
}

// Ten times kill -9 at a random moment under load, with a store that fails half of its
// writes in every way; after that, every acknowledged sample is stored once.
func TestKilledTenTimes(t *testing.T) {
	dir := t.TempDir()
	store := newFakeStore()
	store.setFault(faulty(42))
	server := serve(store)
	defer server.Close()
	want := map[string]uint64{}
	for kill := range 10 {
		c := startChild(t, dir, server.URL)
		c.acked(t, want, 20+rand.IntN(150))
		c.kill(t, want)
		t.Logf("kill %d: %d samples acknowledged, %d stored", kill+1, len(want), store.stored())
	}
	store.setFault(func() fault { return none })
	c := startChild(t, dir, server.URL)
	c.acked(t, want, 20)
	deadline := time.Now().Add(4 * time.Minute) // a loaded machine takes a while over it; a lost sample never comes
	for missing := 1; missing > 0 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		missing, _, _ = store.check(want)
	}
	c.kill(t, map[string]uint64{})
	missing, double, wrong := store.check(want)
	if missing+double+wrong != 0 || len(store.errs) > 0 {
		t.Fatalf("of %d acknowledged samples %d are missing, %d stored twice, %d with another value; %v", len(want), missing, double, wrong, store.errs)
	}
	t.Logf("%d acknowledged samples, 0 missing, 0 double", len(want))
}

type childProcess struct {
	cmd  *exec.Cmd
	acks chan int64
	once sync.Once
}

func startChild(t *testing.T, dir, url string) *childProcess {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+dir, childEnv+"_URL="+url)
	cmd.Stderr = testWriter{t}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &childProcess{cmd: cmd, acks: make(chan int64, 1<<20)}
	go func() { // ends when the child's stdout does
		defer close(c.acks)
		for s := bufio.NewScanner(out); s.Scan(); {
			if n, err := strconv.ParseInt(strings.TrimPrefix(s.Text(), "ack "), 10, 64); err == nil {
				c.acks <- n
			}
		}
	}()
	t.Cleanup(func() { c.kill(t, map[string]uint64{}) })
	return c
}

// acked waits for n acknowledged commits and adds them to want.
func (c *childProcess) acked(t *testing.T, want map[string]uint64, n int) {
	t.Helper()
	for range n {
		select {
		case at, ok := <-c.acks:
			if !ok {
				t.Fatal("child ended by itself")
			}
			expect(want, at)
		case <-time.After(60 * time.Second):
			t.Fatal("child does not commit")
		}
	}
}

// kill sends SIGKILL and adds what was acknowledged until then.
func (c *childProcess) kill(t *testing.T, want map[string]uint64) {
	t.Helper()
	c.once.Do(func() {
		if err := c.cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		for at := range c.acks {
			expect(want, at)
		}
		_ = c.cmd.Wait() // "signal: killed"
	})
}
