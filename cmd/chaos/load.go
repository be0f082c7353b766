package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"

	"mcloud/collector/clickhouse"
)

// load sends samples by remote write and remembers those that were acknowledged: one
// sample of every series at each of increasing times.
type load struct {
	product *product
	series  int
	gap     string // what the last count missed, in words

	mu      sync.Mutex // guards what follows
	acked   []int64    // of this round, Unix milliseconds
	last    int64
	by      time.Duration // that the sender's clock is wrong
	paused  bool
	sending bool
}

func newLoad(p *product, series int) *load { return &load{product: p, series: series} }

func value(at int64, series int) float64 { return float64(at%100_000)/100 + float64(series) }

// run sends until ctx ends. What got no answer is sent again as it was; what was refused
// is not.
func (l *load) run(ctx context.Context) {
	for ctx.Err() == nil {
		at, ok := l.next()
		if !ok {
			sleep(ctx, 20*time.Millisecond)
			continue
		}
		for {
			status, err := l.send(ctx, at)
			if err == nil && status/100 == 2 {
				l.acknowledge(at)
				break
			}
			if err == nil && status/100 == 4 || ctx.Err() != nil {
				break
			}
			sleep(ctx, 100*time.Millisecond)
		}
		l.mu.Lock()
		l.sending = false
		l.mu.Unlock()
		sleep(ctx, 20*time.Millisecond)
	}
}

// next is the time of the next samples; false while the load pauses.
func (l *load) next() (int64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused {
		return 0, false
	}
	l.sending = true
	if l.by != 0 {
		return time.Now().Add(l.by).UnixMilli(), true
	}
	l.last = max(l.last+1, time.Now().UnixMilli())
	return l.last, true
}

func (l *load) acknowledge(at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = append(l.acked, at)
	l.last = max(l.last, at)
}

// patience is how long the product may take without any progress, on a machine that may
// be slow: to take samples, and to store more of them.
const patience = 3 * time.Minute

// taken waits until samples are acknowledged that were not when it was called.
func (l *load) taken(ctx context.Context) error {
	n := func() int { l.mu.Lock(); defer l.mu.Unlock(); return len(l.acked) }
	for before, deadline := n(), time.Now().Add(patience); n() <= before; sleep(ctx, 20*time.Millisecond) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the collector acknowledges no samples for %s", patience)
		}
	}
	return nil
}

// jump makes the sender's clock wrong.
func (l *load) jump(by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.by = by
}

// pause returns when nothing is being sent.
func (l *load) pause(ctx context.Context) {
	for ctx.Err() == nil {
		l.mu.Lock()
		l.paused = true
		sending := l.sending
		l.mu.Unlock()
		if !sending {
			return
		}
		sleep(ctx, 10*time.Millisecond)
	}
}

func (l *load) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = false
}

func (l *load) send(ctx context.Context, at int64) (int, error) {
	request := prompb.WriteRequest{Timeseries: make([]prompb.TimeSeries, l.series)}
	for i := range request.Timeseries {
		request.Timeseries[i] = prompb.TimeSeries{
			Labels:  []prompb.Label{{Name: "__name__", Value: "chaos"}, {Name: "n", Value: strconv.Itoa(i)}},
			Samples: []prompb.Sample{{Timestamp: at, Value: value(at, i)}},
		}
	}
	raw, err := request.Marshal()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second) // a round's end does not cut a request
	defer cancel()
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+l.product.collectorAt+"/api/v1/write", bytes.NewReader(snappy.Encode(nil, raw)))
	if err != nil {
		return 0, err
	}
	post.Header.Set("Content-Encoding", "snappy")
	post.Header.Set("Content-Type", "application/x-protobuf")
	response, err := http.DefaultClient.Do(post)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// count waits until the store has everything that was acknowledged in this round, as long
// as there is progress, and counts what is missing or has another value, and what is there
// twice. The next count begins anew.
func (l *load) count(ctx context.Context) (acknowledged, missing, doubled int, err error) {
	l.mu.Lock()
	acked := l.acked
	l.acked = nil
	l.mu.Unlock()
	acknowledged = len(acked) * l.series
	if acknowledged == 0 {
		return 0, 0, 0, nil
	}
	db, err := clickhouse.Open(ctx, clickhouse.Options{URL: "http://" + l.product.storeAt, Database: "mcloud", MaxSamples: 50_000_000})
	if err != nil {
		return 0, 0, 0, err
	}
	defer db.Close()
	least := acknowledged + 1
	for deadline := time.Now().Add(patience); ; sleep(ctx, 500*time.Millisecond) {
		if missing, err = l.missing(ctx, db, acked); missing == 0 && err == nil || ctx.Err() != nil || time.Now().After(deadline) {
			break
		}
		if err == nil && missing < least {
			least, deadline = missing, time.Now().Add(patience)
		}
	}
	if err != nil {
		return acknowledged, missing, 0, err
	}
	check, err := db.CountCheck(ctx)
	return acknowledged, missing, int(check.Duplicate), err
}

// missing is how many of the acknowledged samples the store does not have as they were.
func (l *load) missing(ctx context.Context, db *clickhouse.DB, acked []int64) (int, error) {
	least, most := acked[0], acked[0]
	for _, at := range acked {
		least, most = min(least, at), max(most, at)
	}
	q, err := db.Querier(least-1, most+1)
	if err != nil {
		return 0, err
	}
	defer q.Close()
	stored := make(map[int]map[int64]float64, l.series)
	set := q.Select(ctx, false, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", "chaos"))
	for set.Next() {
		series := set.At()
		n, err := strconv.Atoi(series.Labels().Get("n"))
		if err != nil {
			return 0, err
		}
		if stored[n] == nil {
			stored[n] = map[int64]float64{}
		}
		for it := series.Iterator(nil); it.Next() != 0; {
			at, v := it.At()
			stored[n][at] = v
		}
	}
	if err := set.Err(); err != nil {
		return 0, err
	}
	missing, first, last := 0, int64(0), int64(0)
	for _, at := range acked {
		for n := range l.series {
			if v, ok := stored[n][at]; !ok || v != value(at, n) {
				missing++
				if first == 0 {
					first = at
				}
				last = at
			}
		}
	}
	l.gap = ""
	if missing > 0 {
		const layout = "15:04:05.000"
		l.gap = fmt.Sprintf("missing from %s to %s UTC", time.UnixMilli(first).UTC().Format(layout), time.UnixMilli(last).UTC().Format(layout))
	}
	return missing, nil
}

// watchRules watches the recorded rule until the load ends. What it returns says how long
// the rule stood still at most while the collector answered.
func watchRules(ctx context.Context, p *product) func() time.Duration {
	var worst time.Duration
	done := make(chan struct{})
	go func() {
		defer close(done)
		var ready time.Time // since when the collector has answered without a break
		for ctx.Err() == nil {
			at, err := ruleValue(ctx, p)
			switch {
			case err != nil:
				ready = time.Time{}
			case ready.IsZero():
				ready = time.Now()
			default:
				from := ready
				if at.After(from) {
					from = at
				}
				worst = max(worst, time.Since(from))
			}
			sleep(ctx, 250*time.Millisecond)
		}
	}()
	return func() time.Duration { <-done; return worst }
}

// ruleValue is when the rule was evaluated last; the zero time when it was not yet.
func ruleValue(ctx context.Context, p *product) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.collectorAt+"/api/v1/query?query="+url.QueryEscape("chaos_rule"), nil)
	if err != nil {
		return time.Time{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return time.Time{}, err
	}
	defer response.Body.Close()
	var answer struct {
		Data struct {
			Result []struct {
				Value [2]any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return time.Time{}, err
	}
	if response.StatusCode != http.StatusOK {
		return time.Time{}, fmt.Errorf("HTTP %s", response.Status)
	}
	if len(answer.Data.Result) == 0 {
		return time.Time{}, nil
	}
	text, _ := answer.Data.Result[0].Value[1].(string)
	seconds, err := strconv.ParseFloat(text, 64)
	return time.UnixMilli(int64(seconds * 1000)), err
}
