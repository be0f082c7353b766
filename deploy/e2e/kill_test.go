//go:build lab

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"

	"mcloud/collector/clickhouse"
)

// load pushes samples by remote write and remembers those that were
// acknowledged: one sample a series and push, at increasing times.
type load struct {
	url    string
	series int

	mu    sync.Mutex
	acked []int64 // timestamps, ms: each stands for one sample of every series
}

func (l *load) push(ctx context.Context, at int64) error {
	request := &prompb.WriteRequest{}
	for i := range l.series {
		request.Timeseries = append(request.Timeseries, prompb.TimeSeries{
			Labels:  []prompb.Label{{Name: "__name__", Value: "e2e_load"}, {Name: "n", Value: fmt.Sprint(i)}},
			Samples: []prompb.Sample{{Timestamp: at, Value: float64(at%1000) + float64(i)/10}},
		})
	}
	raw, err := request.Marshal()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, bytes.NewReader(snappy.Encode(nil, raw)))
	if err != nil {
		return err
	}
	post.Header.Set("Content-Encoding", "snappy")
	post.Header.Set("Content-Type", "application/x-protobuf")
	post.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	response, err := http.DefaultClient.Do(post)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("HTTP %s", response.Status)
	}
	return nil
}

// run pushes until ctx ends. A push without an answer is sent again as it was.
func (l *load) run(ctx context.Context) {
	for ctx.Err() == nil {
		at := time.Now().UnixMilli()
		for ctx.Err() == nil {
			if err := l.push(ctx, at); err == nil {
				l.mu.Lock()
				l.acked = append(l.acked, at)
				l.mu.Unlock()
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(25 * time.Millisecond)
	}
}

// process starts one of the programs apart from the others.
func process(t *testing.T, log *lockedBuffer, program string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(binary(t, program), args...)
	c.Stdout, c.Stderr = log, log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

func answers(t *testing.T, what, url string, log *lockedBuffer) {
	t.Helper()
	waitFor(t, what+" answers", time.Minute, func() (bool, string) {
		status, _, err := get(context.Background(), url)
		return err == nil && status == http.StatusOK, log.tail(5)
	})
}

const idle = "cloud: e2e\n"

// TestKilledTenTimesNothingIsLostOrDoubled kills the collector with SIGKILL
// under load and counts what it had acknowledged in the store.
func TestKilledTenTimesNothingIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	p := newProduct(t, "")
	p.config = filepath.Join(t.TempDir(), "mcloud.yaml")
	if err := os.WriteFile(p.config, []byte(idle), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := append([]string{"--config", p.config}, p.flags()...)
	store := process(t, p.log, "mcloud", append([]string{"store"}, flags...)...)
	t.Cleanup(func() { _ = store.Process.Kill(); _ = store.Wait() })
	answers(t, "store", "http://"+p.store+"/ping", p.log)
	l := &load{url: "http://" + p.collector + "/api/v1/write", series: 200}
	ctx, stop := context.WithCancel(t.Context())
	var pushing sync.WaitGroup
	pushing.Go(func() { l.run(ctx) })
	var collector *exec.Cmd
	for range 10 {
		collector = process(t, p.log, "mcloud", append([]string{"collector"}, flags...)...)
		answers(t, "collector", "http://"+p.collector+"/-/ready", p.log)
		time.Sleep(time.Second + time.Duration(rand.IntN(2000))*time.Millisecond)
		_ = collector.Process.Kill()
		_ = collector.Wait()
	}
	collector = process(t, p.log, "mcloud", append([]string{"collector"}, flags...)...)
	t.Cleanup(func() { _ = collector.Process.Kill(); _ = collector.Wait() })
	answers(t, "collector", "http://"+p.collector+"/-/ready", p.log)
	time.Sleep(2 * time.Second)
	stop()
	pushing.Wait()
	l.check(t, p)
}

// TestRunKilledIsBackInFiveSeconds kills the whole, engine and all, under load.
func TestRunKilledIsBackInFiveSeconds(t *testing.T) {
	t.Parallel()
	p := newProduct(t, "")
	p.config = filepath.Join(t.TempDir(), "mcloud.yaml")
	if err := os.WriteFile(p.config, []byte(idle+"collector: {scrape_interval: 1s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := &load{url: "http://" + p.collector + "/api/v1/write", series: 200}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var pushing sync.WaitGroup
	pushing.Go(func() { l.run(ctx) })
	for i := range 4 {
		began := time.Now()
		run := process(t, p.log, "mcloud", append([]string{"run", "--config", p.config}, p.flags()...)...)
		t.Cleanup(func() { _ = run.Process.Kill(); _ = run.Wait() })
		answers(t, "collector", "http://"+p.collector+"/-/ready", p.log)
		answers(t, "store", "http://"+p.store+"/ping", p.log)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("start %d took %s", i+1, took)
		}
		time.Sleep(time.Second + time.Duration(rand.IntN(2000))*time.Millisecond)
		if i < 3 {
			_ = run.Process.Kill()
			_ = run.Wait()
		}
	}
	stop()
	pushing.Wait()
	l.check(t, p)
}

// TestStoreAwayForAWhile freezes the store under load, then kills it: queries of
// the last hours and rules go on, and everything arrives afterwards. It is away
// for 30 s; MCLOUD_E2E_PAUSE=10m is the long form.
func TestStoreAwayForAWhile(t *testing.T) {
	t.Parallel()
	pause := 30 * time.Second
	if s := os.Getenv("MCLOUD_E2E_PAUSE"); s != "" {
		var err error
		if pause, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	p := newProduct(t, "")
	p.config = filepath.Join(t.TempDir(), "mcloud.yaml")
	if err := os.WriteFile(p.config, []byte(idle+"collector:\n  scrape_interval: 1s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := append([]string{"--config", p.config}, p.flags()...)
	start := func() *exec.Cmd {
		s := process(t, p.log, "mcloud", append([]string{"store"}, flags...)...)
		answers(t, "store", "http://"+p.store+"/ping", p.log)
		return s
	}
	store := start()
	collector := process(t, p.log, "mcloud", append([]string{"collector"}, flags...)...)
	t.Cleanup(func() { _ = collector.Process.Kill(); _ = collector.Wait() })
	answers(t, "collector", "http://"+p.collector+"/-/ready", p.log)
	p.exited = make(chan error)
	l := &load{url: "http://" + p.collector + "/api/v1/write", series: 200}
	ctx, stop := context.WithCancel(t.Context())
	var pushing sync.WaitGroup
	pushing.Go(func() { l.run(ctx) })
	p.waitForQuery(t, `e2e_load{n="0"}`, 20*time.Second)
	time.Sleep(3 * time.Second)
	_ = store.Process.Signal(syscall.SIGSTOP) // it takes connections and does not answer
	evaluations := `sum(prometheus_rule_evaluations_total)`
	p.waitForQuery(t, evaluations, 20*time.Second)
	before, err := p.query(evaluations)
	if err != nil {
		t.Fatal(err)
	}
	frozen := true
	for began := time.Now(); time.Since(began) < pause; time.Sleep(2 * time.Second) {
		if frozen && time.Since(began) > pause/2 {
			frozen = false
			_ = store.Process.Kill()
			_ = store.Wait()
		}
		asked := time.Now()
		got, err := p.query(`count(rate(e2e_load[1m]))`)
		if err != nil || len(got) != 1 || got[0].number() != 200 {
			t.Fatalf("a query of the last minute while the store is away: %v, %v", got, err)
		}
		// That it hangs takes some seconds to find out, once.
		limit := 2 * time.Second
		if time.Since(began) < 10*time.Second {
			limit = 8 * time.Second
		}
		if took := time.Since(asked); took > limit {
			t.Errorf("a query of the last minute took %s while the store was away (frozen: %v)", took, frozen)
		}
	}
	if n := len(p.complains()); n > 5 {
		t.Errorf("%d complaints about one store that is away:\n%s", n, strings.Join(p.complains(), "\n"))
	}
	after, err := p.query(evaluations)
	if err != nil || len(after) == 0 || after[0].number() <= before[0].number() {
		t.Errorf("rules stood still while the store was away: %v then %v, %v", before, after, err)
	}
	store = start()
	t.Cleanup(func() { _ = store.Process.Kill(); _ = store.Wait() })
	stop()
	pushing.Wait()
	l.check(t, p)
}

// check waits until everything acknowledged has arrived, then counts missing
// and doubled (series, timestamp) pairs.
func (l *load) check(t *testing.T, p *product) {
	t.Helper()
	db, err := clickhouse.Open(t.Context(), clickhouse.Options{URL: "http://" + p.store, Database: "mcloud", MaxSamples: 50_000_000})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	want := len(l.acked) * l.series
	if want < 1000 {
		t.Fatalf("only %d samples were acknowledged: that is no load", want)
	}
	var missing int
	waitFor(t, fmt.Sprintf("%d acknowledged samples are in the store", want), 3*time.Minute, func() (bool, string) {
		missing = 0
		q, err := db.Querier(l.acked[0]-1, l.acked[len(l.acked)-1]+1)
		if err != nil {
			return false, err.Error()
		}
		defer q.Close()
		found := map[string]map[int64]float64{}
		set := q.Select(t.Context(), false, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", "e2e_load"))
		for set.Next() {
			s := set.At()
			times := map[int64]float64{}
			for it := s.Iterator(nil); it.Next() != 0; {
				at, v := it.At()
				times[at] = v
			}
			found[s.Labels().Get("n")] = times
		}
		if err := set.Err(); err != nil {
			return false, err.Error()
		}
		for i := range l.series {
			times := found[fmt.Sprint(i)]
			for _, at := range l.acked {
				if v, ok := times[at]; !ok || v != float64(at%1000)+float64(i)/10 {
					missing++
				}
			}
		}
		return missing == 0, fmt.Sprintf("%d missing or wrong; %s", missing, p.log.tail(2))
	})
	count, err := db.CountCheck(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("acknowledged %d, missing %d, doubled %d of %d rows", want, missing, count.Duplicate, count.Total)
	if count.Duplicate != 0 {
		t.Errorf("%d (series, timestamp) pairs are doubled", count.Duplicate)
	}
	if strings.Contains(p.log.String(), "panic:") {
		t.Errorf("something panicked:\n%s", p.log.tail(40))
	}
}
