package clickhouse

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"

	"mcloud"
	"mcloud/collector/embedded"
)

// fixture names the archive to write: a store as this version leaves it, to be
// kept before the next migration is written. testdata/store-NNNN.tar.gz is the
// store of the version whose last migration is NNNN.
var fixture = flag.String("fixture", "", "write a store of this version to `file.tar.gz`")

func TestWriteFixture(t *testing.T) {
	if *fixture == "" {
		t.Skip("-fixture names no file")
	}
	dir := t.TempDir()
	s, err := embedded.Open(embedded.Options{Path: dir, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	served := make(chan error, 1)
	go func() { served <- s.Run(ctx) }()
	fillFixture(t, dial(t, Options{URL: s.URL()}))
	stop()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	if err := pack(*fixture, dir); err != nil {
		t.Fatal(err)
	}
}

// fixtureStart is where the samples of every fixture begin: three weeks of
// partitions are touched from there on.
const fixtureStart = int64(1_790_812_800_000) // 2026-10-01T00:00:00Z

// fixtureSeries are the label sets of every fixture, and fixtureValue what
// series i has at sample k.
func fixtureSeries() []labels.Labels {
	return []labels.Labels{
		series1("requests_total", "host", "a"), series1("requests_total", "host", "b"),
		series1("temperature_celsius", "host", "a"), series1("oddities"),
	}
}

func fixtureValue(i, k int) float64 {
	switch i {
	case 0:
		return float64(k * 3 % 1000) // a counter that is reset
	case 1:
		return float64(k) * 1.5
	case 2:
		return math.Round(200+100*math.Sin(float64(k)/50)) / 10
	}
	return []float64{math.NaN(), math.Inf(1), 1.0 / 3, math.Float64frombits(value.StaleNaN), math.Copysign(0, -1), 1e300}[k%6]
}

// fixtureTimes are a minute apart for five hours, at the start and two weeks on.
func fixtureTimes() []int64 {
	var times []int64
	for _, from := range []int64{fixtureStart, fixtureStart + 14*dayMillis} {
		for k := range 300 {
			times = append(times, from+int64(k)*60_000)
		}
	}
	return times
}

func fixtureBatch() Batch {
	b := Batch{Series: fixtureSeries()}
	for k, at := range fixtureTimes() {
		for i := range b.Series {
			b.Ref, b.Time, b.Value = append(b.Ref, uint32(i)), append(b.Time, at), append(b.Value, fixtureValue(i, k))
		}
	}
	return b
}

// fillFixture writes something of everything that this version can hold.
func fillFixture(t *testing.T, db *DB) {
	t.Helper()
	ctx := t.Context()
	if err := db.WriteSamples(ctx, "fixture", fixtureBatch()); err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(fixtureStart).UTC()
	err := db.WriteEvents(ctx, []mcloud.Event{{ID: "e1", Cloud: "lab", Time: at, Source: "nova", Kind: "compute.instance.create.end", Severity: mcloud.SeverityInfo, Payload: []byte(`{"a":1}`)}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.WriteInventory(ctx, mcloud.Inventory{Cloud: "lab", Scope: "nova", Kind: mcloud.KindServer, Time: at, Complete: true, Objects: []mcloud.Object{{Kind: mcloud.KindServer, ID: "s1", Name: "one", Attributes: []byte(`{"vcpus":2}`)}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.WriteSlowQueries(ctx, []mcloud.SlowQuery{slowQuery("q1", at, 6)}); err != nil {
		t.Fatal(err)
	}
}

// pack writes a directory as a tar.gz. File times are left out: the same store
// gives the same archive.
func pack(to, dir string) (err error) {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z, _ := gzip.NewWriterLevel(f, gzip.BestCompression)
	w := tar.NewWriter(z)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		link := ""
		if info.Mode()&os.ModeSymlink != 0 {
			if link, err = os.Readlink(path); err != nil {
				return err
			}
		}
		h, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return err
		}
		h.Name, h.ModTime, h.Uname, h.Gname, h.Uid, h.Gid = name, time.Unix(0, 0), "", "", 0, 0
		if err := w.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	return errors.Join(err, w.Close(), z.Close())
}

// unpack is the opposite of pack.
func unpack(t *testing.T, from, dir string) {
	t.Helper()
	f, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.Clean("/"+h.Name))
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(path, 0o700)
		case tar.TypeSymlink:
			err = os.Symlink(h.Linkname, path)
		case tar.TypeReg:
			var content []byte
			if content, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, content, 0o600)
			}
		default:
			err = fmt.Errorf("%s is of type %c", h.Name, h.Typeflag)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// startFixture serves a copy of a fixture in a process of its own.
func startFixture(t *testing.T, name string) *DB {
	t.Helper()
	needLibrary(t)
	dir := t.TempDir()
	unpack(t, filepath.Join("testdata", name), dir)
	url, _ := startStore(t, dir)
	db, err := Open(t.Context(), Options{URL: url, Now: func() time.Time { return time.UnixMilli(fixtureStart + 30*dayMillis) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Every store that an earlier version left is brought up to date, loses nothing
// and goes on taking samples.
func TestMigrateFixtures(t *testing.T) {
	fixtures, err := filepath.Glob("testdata/store-*.tar.gz")
	if err != nil || len(fixtures) == 0 {
		t.Fatal("no fixtures", err)
	}
	for _, path := range fixtures {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".tar.gz"), func(t *testing.T) {
			db := startFixture(t, filepath.Base(path))
			for range 2 {
				if err := db.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			b := fixtureBatch()
			// The batch that the earlier version wrote is still known.
			if err := db.WriteSamples(t.Context(), "fixture", b); err != nil {
				t.Fatal(err)
			}
			c, err := db.CountCheck(t.Context())
			if want := uint64(len(b.Ref)); err != nil || c.Total != want || c.Duplicate != 0 {
				t.Fatalf("%+v %v, want %d and none twice", c, err, want)
			}
			if units, err := db.Roll(t.Context()); err != nil || units < 4 {
				t.Fatalf("%d units rolled up, %v", units, err)
			}
			checkRollups(t, db)
			for i, ls := range b.Series {
				ms := []*labels.Matcher{}
				ls.Range(func(l labels.Label) { ms = append(ms, labels.MustNewMatcher(labels.MatchEqual, l.Name, l.Value)) })
				got := read(t, db, fixtureStart, fixtureStart+30*dayMillis, ms...)[ls.String()]
				times := fixtureTimes()
				if len(got) != len(times) {
					t.Fatalf("%s: %d samples, want %d", ls, len(got), len(times))
				}
				for k, s := range got {
					if want := fixtureValue(i, k); s.t != times[k] || s.bits != math.Float64bits(want) {
						t.Fatalf("%s: sample %d is %d %x, want %d %v", ls, k, s.t, s.bits, times[k], want)
					}
				}
			}
			events, err := db.Events(t.Context(), EventFilter{Cloud: "lab", From: time.UnixMilli(fixtureStart - 1), To: time.UnixMilli(fixtureStart + 1)})
			if err != nil || len(events) != 1 || events[0].ID != "e1" {
				t.Errorf("events %v, %v", events, err)
			}
			if err := db.WriteSlowQueries(t.Context(), []mcloud.SlowQuery{slowQuery("q1", time.UnixMilli(fixtureStart).UTC(), 6)}); err != nil {
				t.Error(err)
			}
			if slow, err := db.SlowQueries(t.Context(), time.Time{}, 10); err != nil || len(slow) != 1 || slow[0].ID != "q1" {
				t.Errorf("slow queries %v, %v", slow, err)
			}
			objects, err := db.Objects(t.Context(), "lab", mcloud.KindServer, time.UnixMilli(fixtureStart+1))
			if err != nil || len(objects) != 1 || objects[0].Name != "one" {
				t.Errorf("objects %v, %v", objects, err)
			}
		})
	}
}
