package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"

	"mcloud"
	"mcloud/collector/embedded/embeddedtest"
)

// open returns a migrated store of the test's own in a real engine.
func open(t testing.TB) *DB {
	t.Helper()
	return dial(t, fresh(t, nil))
}

// fresh are the options of an empty store of the test's own, with a clock.
func fresh(t testing.TB, now func() time.Time) Options {
	t.Helper()
	p := embeddedtest.Anywhere(t)
	return Options{URL: p.URL, Database: p.Database, User: p.User, Password: p.Password, CAFile: p.CAFile, Cluster: p.Cluster, Now: now}
}

// dial opens a store as a process of its own would, knowing nothing.
func dial(t testing.TB, o Options) *DB {
	t.Helper()
	db, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestOpenErrors(t *testing.T) {
	url, database := embeddedtest.Database(t)
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-ClickHouse-Exception-Code", "115")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "Code: 115, e.displayText() = DB::Exception: Unknown setting client_protocol_version (version 18.16.1)")
	}))
	defer old.Close()
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	for _, c := range []struct {
		name string
		o    Options
		is   error
		says string
	}{
		{"wrong password", Options{URL: url, Database: database, Password: "wrong"}, ErrRefused, "check store.user and its password"},
		{"wrong user", Options{URL: url, Database: database, User: "nobody"}, ErrRefused, "nobody"},
		{"no database", Options{URL: url, Database: "nope"}, ErrNoDatabase, "CREATE DATABASE nope"},
		{"nothing there", Options{URL: "http://127.0.0.1:1"}, ErrUnavailable, "nothing listens there"},
		{"old server", Options{URL: old.URL}, ErrOldServer, "24.8 or newer"},
		{"other server", Options{URL: web.URL}, nil, "is that ClickHouse's HTTP port?"},
		{"no address", Options{URL: "127.0.0.1:8123"}, nil, "want http://host:8123"},
		{"password in the address", Options{URL: "http://u:secret@h:1"}, nil, "give user and password apart"},
		{"short retention", Options{URL: url, Retention: Retention{Ages: Ages{Raw: time.Hour}}}, nil, "a day at least"},
		{"no password file", Options{URL: url, PasswordFile: "/nowhere/pw"}, nil, "/nowhere/pw"},
		{"CA without https", Options{URL: url, CAFile: "/x"}, nil, "not https"},
	} {
		_, err := Open(t.Context(), c.o)
		if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestNew(t *testing.T) {
	if _, err := New(Options{URL: "nonsense"}); err == nil {
		t.Error("an address that is none is accepted")
	}
	url, database := embeddedtest.Database(t)
	db, err := New(Options{URL: url, Database: database})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Looks(t.Context(), ""); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "mcloud collector creates it") {
		t.Errorf("before Migrate: %v", err)
	}
	away, err := New(Options{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer away.Close()
	if err := away.Check(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("no store: %v", err)
	}
}

func TestMigrate(t *testing.T) {
	db := open(t)
	if err := db.Migrate(t.Context()); err != nil {
		t.Errorf("a second time: %v", err)
	}
	all, err := readMigrations(migrationFiles, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	if applied, err := db.appliedMigrations(t.Context()); err != nil || len(applied) != len(all) {
		t.Errorf("%d applied of %d: %v", len(applied), len(all), err)
	}
	changed := append([]migration(nil), all...)
	changed[0].checksum = "0"
	if err := db.migrate(t.Context(), changed); err == nil || !strings.Contains(err.Error(), "0001_samples was changed") {
		t.Errorf("a changed migration: %v", err)
	}
	if err := db.migrate(t.Context(), all[:1]); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("an older program: %v", err)
	}
	broken := append(append([]migration(nil), all...), migration{version: uint32(len(all) + 1), name: "broken", statements: []string{"CREATE TABLE"}})
	if err := db.migrate(t.Context(), broken); err == nil || !strings.Contains(err.Error(), "_broken") {
		t.Errorf("a broken migration: %v", err)
	}
}

func TestMigrateTogether(t *testing.T) {
	db, err := New(fresh(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if err := db.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestReadMigrations(t *testing.T) {
	for _, names := range [][]string{{"0002_b.sql"}, {"0001_a.sql", "0003_c.sql"}, {"1_a.sql"}, {"0001_a.sql", "0001_b.sql"}, {"x.sql"}} {
		files := fstest.MapFS{}
		for _, name := range names {
			files["m/"+name] = &fstest.MapFile{Data: []byte("SELECT 1")}
		}
		if _, err := readMigrations(files, "m"); err == nil {
			t.Errorf("%v is accepted", names)
		}
	}
}

// odd are the values that are easily lost.
var odd = []float64{
	0, math.Copysign(0, -1), 1, -1, 0.5, 0.1, 0.1 + 0.2, 1.0 / 3, 123.456789, 1e-9, 99.99,
	1 << 53, 1<<53 + 2, -(1 << 53), 1e15, 1e300, math.MaxFloat64, math.SmallestNonzeroFloat64, math.MaxInt64, math.MinInt64, math.MaxUint64,
	math.Inf(1), math.Inf(-1), math.NaN(), math.Float64frombits(value.StaleNaN), math.Float64frombits(0xfff8000000000001), 1792396800000.123,
}

func TestDecimal(t *testing.T) {
	for _, f := range odd {
		for from := range int8(maxExponent + 1) {
			v, e := encode(f, from)
			if got := decode(v, e); math.Float64bits(got) != math.Float64bits(f) || e < from {
				t.Errorf("%v from %d: %d/10^%d is %v", f, from, v, e, got)
			}
		}
	}
	if v, e := encode(12.25, 0); v != 1225 || e != 2 {
		t.Errorf("12.25 is %d/10^%d", v, e)
	}
}

func FuzzDecimal(f *testing.F) {
	for _, x := range odd {
		f.Add(math.Float64bits(x), int8(2))
	}
	f.Fuzz(func(t *testing.T, bits uint64, from int8) {
		if from < 0 || from > maxExponent {
			return
		}
		if got := math.Float64bits(decode(encode(math.Float64frombits(bits), from))); got != bits {
			t.Errorf("%x became %x", bits, got)
		}
	})
}

// base is a moment near now, so that no sample has expired.
var base = time.Now().UTC().Truncate(24 * time.Hour).Add(-48 * time.Hour).UnixMilli()

func series1(name string, pairs ...string) labels.Labels {
	return labels.FromStrings(append([]string{model.MetricNameLabel, name}, pairs...)...)
}

// read returns the samples of one metric by label set.
func read(t *testing.T, db *DB, mint, maxt int64, ms ...*labels.Matcher) map[string][]sample {
	t.Helper()
	q, err := db.Querier(mint, maxt)
	if err != nil {
		t.Fatal(err)
	}
	set := q.Select(t.Context(), true, nil, ms...)
	all := map[string][]sample{}
	for set.Next() {
		s := set.At()
		var one []sample
		it := s.Iterator(nil)
		for it.Next() != 0 {
			ts, v := it.At()
			one = append(one, sample{ts, math.Float64bits(v)})
		}
		all[s.Labels().String()] = one
	}
	if err := set.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

type sample struct {
	t    int64
	bits uint64
}

func TestSamplesComeBack(t *testing.T) {
	db := open(t)
	ls := series1("odd", "quote", `'"\`, "control", "a\tb\nc\x00d", "utf8", "grün", "back`tick", "x")
	b := Batch{Series: []labels.Labels{ls}}
	for i, v := range odd {
		b.Ref, b.Time, b.Value = append(b.Ref, 0), append(b.Time, base+int64(i)), append(b.Value, v)
	}
	b.Ref, b.Time, b.Value = append(b.Ref, 0, 0), append(b.Time, -1, maxTime), append(b.Value, 1, 1)
	for range 3 {
		if err := db.WriteSamples(t.Context(), "it's a 'token'\\", b); err != nil {
			t.Fatal(err)
		}
	}
	got := read(t, db, base, base+1000, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "odd"))
	if len(got) != 1 || len(got[ls.String()]) != len(odd) {
		t.Fatalf("got %v", got)
	}
	for i, s := range got[ls.String()] {
		if s.t != base+int64(i) || s.bits != math.Float64bits(odd[i]) {
			t.Errorf("sample %d: %d %v, want %d %v", i, s.t, math.Float64frombits(s.bits), base+int64(i), odd[i])
		}
	}
	// The column for people says the same.
	var differ uint64
	err := db.conn.QueryRow(t.Context(), "SELECT countIf(reinterpretAsUInt64(value) != bits) FROM (SELECT value, arrayElement({bits:Array(UInt64)}, toUnixTimestamp64Milli(ts) - {base:Int64} + 1) AS bits FROM samples)",
		named("bits", bitsOf(odd)), named("base", base)).Scan(&differ)
	if err != nil || differ != 0 {
		t.Errorf("%d values differ in the alias column: %v", differ, err)
	}
	if c, err := db.CountCheck(t.Context()); err != nil || c.Total != uint64(len(odd)) || c.Duplicate != 0 {
		t.Errorf("after three sends under one token: %+v %v", c, err)
	}
	if err := db.WriteSamples(t.Context(), "another", b); err != nil {
		t.Fatal(err)
	}
	if c, err := db.CountCheck(t.Context()); err != nil || c.Duplicate != uint64(len(odd)) {
		t.Errorf("after a send under another: %+v %v", c, err)
	}
	if again := read(t, db, base, base+1000, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "odd")); len(again[ls.String()]) != len(odd) {
		t.Errorf("stored twice, %d samples are read", len(again[ls.String()]))
	}
}

func bitsOf(fs []float64) []uint64 {
	bits := make([]uint64, len(fs))
	for i, f := range fs {
		bits[i] = math.Float64bits(f)
	}
	return bits
}

func TestWriteSamplesRefuses(t *testing.T) {
	db := open(t)
	ls := []labels.Labels{series1("m")}
	for name, b := range map[string]Batch{
		"lengths":   {Series: ls, Ref: []uint32{0}, Time: []int64{1}},
		"reference": {Series: ls, Ref: []uint32{1}, Time: []int64{1}, Value: []float64{1}},
		"size":      {Series: ls, Ref: make([]uint32, MaxBatch+1), Time: make([]int64, MaxBatch+1), Value: make([]float64, MaxBatch+1)},
	} {
		if err := db.WriteSamples(t.Context(), "t", b); !errors.Is(err, mcloud.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := db.WriteSamples(t.Context(), "", Batch{}); !errors.Is(err, mcloud.ErrInvalid) {
		t.Errorf("no token: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	one := Batch{Series: ls, Ref: []uint32{0}, Time: []int64{base}, Value: []float64{1}}
	if err := db.WriteSamples(ctx, "t", one); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestSeriesIDs(t *testing.T) {
	db := open(t)
	a, b := series1("m", "a", "1"), series1("m", "b", "2")
	// b is stored where a wants to be: a must take the next id, now and after a restart.
	var rows seriesRows
	today := dayOf(base)
	rows.add(&known{id: baseID(a)}, b, today.month(), today, today)
	rows.add(&known{id: nextID(baseID(a))}, series1("m", "c", "3"), today.month(), today, today)
	if err := db.writeSeries(t.Context(), &rows); err != nil {
		t.Fatal(err)
	}
	again := dial(t, Options{URL: db.options.URL, Database: db.options.Database})
	for i, each := range []*DB{db, db, again} {
		batch := Batch{Series: []labels.Labels{a, a, b}, Ref: []uint32{0, 1, 2}, Time: []int64{base + int64(i), base + int64(i), base}, Value: []float64{1, 1, 2}}
		if err := each.WriteSamples(t.Context(), fmt.Sprint(i), batch); err != nil {
			t.Fatal(err)
		}
		if got := each.series.find(a).id; got != nextID(nextID(baseID(a))) {
			t.Errorf("round %d: a has id %x, want %x", i, got, nextID(nextID(baseID(a))))
		}
		// b has an id in the store that is not its own hash's: a second one is made, and reading joins them.
	}
	got := read(t, db, base, base+10, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "m"))
	if len(got[a.String()]) != 3 || len(got[b.String()]) != 1 {
		t.Errorf("got %v", got)
	}
}

func TestSeriesOfMonths(t *testing.T) {
	db := open(t)
	ls := series1("m", "x", "y")
	start := dayOf(base - 70*dayMillis)
	for d := start; d <= start+65; d += 13 {
		b := Batch{Series: []labels.Labels{ls}, Ref: []uint32{0}, Time: []int64{int64(d) * dayMillis}, Value: []float64{float64(d)}}
		if err := db.WriteSamples(t.Context(), d.time().String(), b); err != nil {
			t.Fatal(err)
		}
	}
	for d := start; d <= start+65; d++ {
		got := read(t, db, int64(d)*dayMillis, int64(d+1)*dayMillis-1, labels.MustNewMatcher(labels.MatchEqual, "x", "y"))
		if want := (d-start)%13 == 0; (len(got) == 1) != want {
			t.Errorf("%s: %v, want samples: %v", d.time().Format(time.DateOnly), got, want)
		}
	}
}

func TestPruneFindsTheSameID(t *testing.T) {
	db := open(t)
	old, busy := series1("m", "old", "1"), series1("m", "busy", "1")
	write := func(token string, ts int64, ls ...labels.Labels) {
		t.Helper()
		b := Batch{Series: ls}
		for i := range ls {
			b.Ref, b.Time, b.Value = append(b.Ref, uint32(i)), append(b.Time, ts), append(b.Value, 1)
		}
		if err := db.WriteSamples(t.Context(), token, b); err != nil {
			t.Fatal(err)
		}
	}
	write("1", base-5*dayMillis, old, busy)
	id := db.series.find(old).id
	write("2", base, busy)
	if db.series.find(old) != nil || len(db.series.byID) != 1 {
		t.Errorf("an old series is remembered: %v", db.series.byID)
	}
	write("3", base+1, old)
	if got := db.series.find(old).id; got != id {
		t.Errorf("id %x became %x", id, got)
	}
}
