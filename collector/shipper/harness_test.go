package shipper_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"

	"mcloud/collector/shipper"
)

// fakeStore counts what it is given the way ClickHouse does: a token is taken once for
// each of two partitions, and a batch may be stored in one of them when it fails.
type fakeStore struct {
	mu     sync.Mutex
	tokens map[string]uint64 // content hash
	taken  map[string]bool   // token/partition
	count  map[string]int    // "labels@time"
	values map[string]uint64
	fault  func() fault
	errs   []error
}

type fault int

const (
	none fault = iota
	before
	after
	partial
	hang
	hangAfter
)

var errAway = errors.New("store is away")

func newFakeStore() *fakeStore {
	return &fakeStore{tokens: map[string]uint64{}, taken: map[string]bool{}, count: map[string]int{}, values: map[string]uint64{}, fault: func() fault { return none }}
}

// faulty fails about half of all writes, in every way, by a seeded choice.
func faulty(seed uint64) func() fault {
	r := rand.New(rand.NewPCG(seed, 1))
	return func() fault {
		if r.IntN(2) == 0 {
			return none
		}
		return fault(1 + r.IntN(5))
	}
}

func (s *fakeStore) setFault(f func() fault) { s.mu.Lock(); s.fault = f; s.mu.Unlock() }

func (s *fakeStore) WriteSamples(ctx context.Context, token string, b shipper.Batch) error {
	s.mu.Lock()
	f := s.fault()
	if f != before && f != hang {
		s.take(token, b, f)
	}
	s.mu.Unlock()
	switch f {
	case none:
		return nil
	case hang, hangAfter:
		<-ctx.Done()
		return ctx.Err()
	}
	return errAway
}

func (s *fakeStore) take(token string, b shipper.Batch, f fault) {
	h := fnv.New64a()
	for i := range b.Time {
		fmt.Fprint(h, b.Series[b.Ref[i]], b.Time[i], math.Float64bits(b.Value[i]))
	}
	if was, ok := s.tokens[token]; ok && was != h.Sum64() {
		s.errs = append(s.errs, fmt.Errorf("token %s came with other content", token))
	}
	s.tokens[token] = h.Sum64()
	for part := range 2 {
		key := fmt.Sprint(token, "/", part)
		if s.taken[key] || part == 1 && f == partial {
			continue
		}
		s.taken[key] = true
		for i := range b.Time {
			if i%2 != part {
				continue
			}
			id := sampleID(b.Series[b.Ref[i]], b.Time[i])
			s.count[id]++
			s.values[id] = math.Float64bits(b.Value[i])
		}
	}
}

func sampleID(l labels.Labels, t int64) string { return fmt.Sprintf("%s@%d", l, t) }

// check returns how many of want are missing, how many pairs are stored twice, and how
// many have another value.
func (s *fakeStore) check(want map[string]uint64) (missing, double, wrong int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, v := range want {
		switch {
		case s.count[id] == 0:
			missing++
		case s.values[id] != v:
			wrong++
		}
	}
	for _, n := range s.count {
		if n > 1 {
			double++
		}
	}
	return missing, double, wrong
}

func (s *fakeStore) has(id string) bool { s.mu.Lock(); defer s.mu.Unlock(); return s.count[id] > 0 }

func (s *fakeStore) stored() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.count) }

// round is the samples of one commit at time t: 60 lasting series and 10 that live for
// twenty rounds, one value in seven not an ordinary number.
func round(t int64) map[string]sample {
	out := map[string]sample{}
	add := func(l labels.Labels) {
		h := fnv.New64a()
		fmt.Fprint(h, l, t)
		v := float64(h.Sum64()%1000) / 10
		switch h.Sum64() % 7 {
		case 0:
			v = []float64{math.NaN(), math.Inf(1), math.Float64frombits(0x7ff0000000000002) /* stale */}[h.Sum64()/7%3]
		}
		out[sampleID(l, t)] = sample{l, t, v}
	}
	for i := range 60 {
		add(labels.FromStrings("__name__", "lasting", "i", fmt.Sprint(i)))
	}
	for i := range 10 {
		add(labels.FromStrings("__name__", "passing", "i", fmt.Sprint(i), "born", fmt.Sprint(t/20_000)))
	}
	return out
}

type sample struct {
	l labels.Labels
	t int64
	v float64
}

// commit appends one round.
func commit(db *tsdb.DB, t int64) error {
	app := db.Appender(context.Background())
	for _, s := range round(t) {
		if _, err := app.Append(0, s.l, s.t, s.v); err != nil {
			_ = app.Rollback()
			return err
		}
	}
	return app.Commit()
}

func expect(want map[string]uint64, t int64) {
	for id, s := range round(t) {
		want[id] = math.Float64bits(s.v)
	}
}

// options of a TSDB that rolls, compacts and truncates its WAL within seconds of work:
// its time is the rounds' time.
func tinyTSDB() *tsdb.Options {
	o := tsdb.DefaultOptions()
	o.WALSegmentSize = 64 << 10
	o.MinBlockDuration = 60_000
	o.MaxBlockDuration = 60_000
	o.RetentionDuration = 300_000
	return o
}

// rig is a shipper beside a TSDB.
type rig struct {
	t     testing.TB
	dir   string
	store *fakeStore
	reg   *prometheus.Registry
	db    *tsdb.DB
	ship  *shipper.Shipper
	now   int64
	want  map[string]uint64
	stop  func()
}

func newRig(t testing.TB) *rig {
	return &rig{t: t, dir: t.TempDir(), store: newFakeStore(), want: map[string]uint64{}, now: 1_000_000}
}

func shipperOptions(dir string, store shipper.Store) shipper.Options {
	return shipper.Options{
		Dir: filepath.Join(dir, "shipper"), WALDir: filepath.Join(dir, "hot", "wal"), Store: store,
		MaxBatchSamples: 2000, FlushInterval: 30 * time.Millisecond, PollInterval: 5 * time.Millisecond,
		WriteTimeout: 100 * time.Millisecond, MaxBackoff: 20 * time.Millisecond,
	}
}

// start opens and runs both.
func (r *rig) start(change ...func(*shipper.Options)) {
	r.t.Helper()
	o := shipperOptions(r.dir, r.store)
	r.reg = prometheus.NewRegistry()
	o.Registerer = r.reg
	o.Logger = slog.New(slog.NewTextHandler(testWriter{r.t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	for _, c := range change {
		c(&o)
	}
	var err error
	if r.ship, err = shipper.Open(o); err != nil {
		r.t.Fatal(err)
	}
	if r.db, err = tsdb.Open(filepath.Join(r.dir, "hot"), nil, nil, tinyTSDB(), nil); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.ship.Run(ctx) }()
	r.stop = func() {
		r.t.Helper()
		cancel()
		select {
		case err := <-done:
			if err != nil {
				r.t.Errorf("Run: %v", err)
			}
		case <-time.After(3 * time.Second):
			r.t.Fatal("Run did not return within 3 s of the end of its context")
		}
		if err := r.db.Close(); err != nil {
			r.t.Error(err)
		}
		r.stop = func() {}
	}
	r.t.Cleanup(func() { r.stop() })
}

func (r *rig) commit(rounds int) {
	r.t.Helper()
	for range rounds {
		r.now += 1000
		if err := commit(r.db, r.now); err != nil {
			r.t.Fatal(err)
		}
		expect(r.want, r.now)
	}
}

// arrive waits until all that was committed is stored, once and with its value.
func (r *rig) arrive() {
	r.t.Helper()
	var missing, double, wrong int
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if missing, double, wrong = r.store.check(r.want); missing == 0 {
			break
		}
	}
	if missing+double+wrong != 0 || len(r.store.errs) > 0 {
		r.t.Fatalf("of %d samples %d are missing, %d stored twice, %d with another value; %v", len(r.want), missing, double, wrong, r.store.errs)
	}
}

// settle waits until the last commit is stored and nothing more is on its way; what is
// missing then stays missing. A batch goes in parts, so that its last sample may be
// stored before others of the same commit are.
func (r *rig) settle() {
	r.t.Helper()
	last := sampleID(labels.FromStrings("__name__", "lasting", "i", "0"), r.now)
	eventually(r.t, func() bool { return r.store.has(last) && r.metric("mcloud_shipper_lag_seconds") == 0 })
}

func (r *rig) metric(name string) float64 {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	sum, found := 0.0, false
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			found = true
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	if !found {
		r.t.Fatalf("no metric %s", name)
	}
	return sum
}

func lint(t *testing.T, reg prometheus.Gatherer) {
	t.Helper()
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

type testWriter struct{ testing.TB }

func (w testWriter) Write(b []byte) (int, error) { w.Logf("%s", b); return len(b), nil }
