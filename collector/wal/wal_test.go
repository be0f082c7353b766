package wal

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"
)

// records are n of them, some longer than a page.
func records(seed uint64, n int) [][]byte {
	chance := rand.New(rand.NewPCG(seed, 0))
	list := make([][]byte, n)
	for i := range list {
		size := chance.IntN(300)
		if chance.IntN(10) == 0 {
			size = chance.IntN(3 * pageSize)
		}
		list[i] = make([]byte, size)
		for j := range list[i] {
			list[i][j] = byte(chance.Uint32() >> (8 * chance.IntN(4)))
		}
	}
	return list
}

// segment writes records as the TSDB does.
func segment(t testing.TB, how compression.Type, list [][]byte) string {
	t.Helper()
	dir := t.TempDir()
	w, err := wlog.New(slog.New(slog.DiscardHandler), nil, dir, how)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range list {
		if err := w.Log(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return wlog.SegmentName(dir, 0)
}

func readAll(from io.Reader) (list [][]byte, givenUp int, err error) {
	r := NewReader(from)
	for r.Next() {
		list = append(list, bytes.Clone(r.Record()))
	}
	return list, r.GivenUp(), r.Err()
}

func TestReadsWhatTheTSDBWrites(t *testing.T) {
	for _, how := range []compression.Type{compression.None, compression.Snappy, compression.Zstd} {
		want := records(1, 500)
		f, err := os.Open(segment(t, how, want))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		got, givenUp, err := readAll(f)
		if !errors.Is(err, io.EOF) || givenUp != 0 || !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%s: %d of %d records read, %d given up, %v", how, len(got), len(want), givenUp, err)
		}
	}
}

// dribble gives a byte or a few at a time, and says that it ends in between.
type dribble struct {
	of     []byte
	chance *rand.Rand
}

func (d *dribble) Read(p []byte) (int, error) {
	n := min(d.chance.IntN(2000), len(d.of), len(p))
	if d.chance.IntN(3) == 0 {
		n = 0
	}
	copy(p, d.of[:n])
	d.of = d.of[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// A segment that is being written ends anywhere at any time; reading goes on when more
// is there.
func TestFollowsASegmentThatIsBeingWritten(t *testing.T) {
	want := records(2, 200)
	whole, err := os.ReadFile(segment(t, compression.Snappy, want))
	if err != nil {
		t.Fatal(err)
	}
	d := &dribble{whole, rand.New(rand.NewPCG(3, 0))}
	r := NewReader(d)
	var got [][]byte
	for len(d.of) > 0 || r.Err() == nil {
		if r.Next() {
			got = append(got, bytes.Clone(r.Record()))
		} else if !errors.Is(r.Err(), io.EOF) {
			t.Fatal(r.Err())
		}
	}
	for r.Next() {
		got = append(got, bytes.Clone(r.Record()))
	}
	if !slices.EqualFunc(got, want, bytes.Equal) || r.Offset() != int64(len(whole)) {
		t.Errorf("%d of %d records read, up to %d of %d", len(got), len(want), r.Offset(), len(whole))
	}
}

// fullDisk makes a log on a disk that is full after so many bytes, by the limit on the
// size of files that a process may have: the TSDB's write fails in the same place. It
// returns the segment and the records whose writer got no error.
func onFullDisk(t *testing.T, size uint64, list [][]byte) (string, [][]byte) {
	t.Helper()
	dir := t.TempDir()
	w, err := wlog.New(slog.New(slog.DiscardHandler), nil, dir, compression.None)
	if err != nil {
		t.Fatal(err)
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	limit := func(most uint64) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: most, Max: was.Max}); err != nil {
			t.Fatal(err)
		}
	}
	defer limit(was.Cur)
	var written [][]byte
	limit(size)
	failed := 0
	for i, rec := range list {
		if i == len(list)*2/3 {
			limit(was.Cur) // somebody made room
		}
		if err := w.Log(rec); err == nil {
			written = append(written, rec)
		} else if failed++; !errors.Is(err, syscall.EFBIG) {
			t.Fatal(err)
		}
	}
	if failed == 0 {
		t.Fatal("the disk was never full")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return wlog.SegmentName(dir, 0), written
}

// contains says whether all of some are in a list, in their order.
func contains(list, some [][]byte) bool {
	at := 0
	for _, rec := range list {
		if at < len(some) && bytes.Equal(rec, some[at]) {
			at++
		}
	}
	return at == len(some)
}

func TestFullDisk(t *testing.T) {
	given := 0
	for seed := range uint64(40) {
		path, written := onFullDisk(t, 20_000+seed*10_007, records(seed, 300))
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		got, givenUp, err := readAll(f)
		f.Close()
		if !errors.Is(err, io.EOF) || !contains(got, written) {
			t.Errorf("seed %d: of %d records that were written, %d were read: %v", seed, len(written), len(got), err)
		}
		given += givenUp
		mended, err := Mend(filepath.Dir(path))
		if err != nil || (len(mended) == 1) != (givenUp > 0) {
			t.Errorf("seed %d: %d given up, mended %v, %v", seed, givenUp, mended, err)
		}
		// Now Prometheus's own reader reads it, too.
		f, err = os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		own := wlog.NewReader(f)
		var again [][]byte
		for own.Next() {
			again = append(again, bytes.Clone(own.Record()))
		}
		f.Close()
		if own.Err() != nil || !slices.EqualFunc(again, got, bytes.Equal) {
			t.Errorf("seed %d: Prometheus reads %d of %d records after mending: %v", seed, len(again), len(got), own.Err())
		}
		if left, err := filepath.Glob(filepath.Dir(path) + ".*"); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	}
	if given == 0 {
		t.Error("no record was given up on any of the full disks: this tests nothing")
	}
}

func TestDamageIsLeftToTheTSDB(t *testing.T) {
	path := segment(t, compression.Snappy, records(5, 300))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole[len(whole)/2] ^= 0xff
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := readAll(bytes.NewReader(whole)); errors.Is(err, io.EOF) {
		t.Error("read without an error")
	}
	if mended, err := Mend(filepath.Dir(path)); err != nil || len(mended) != 0 {
		t.Errorf("%v %v", mended, err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, whole) {
		t.Errorf("changed: %v", err)
	}
	if mended, err := Mend(filepath.Join(t.TempDir(), "nowhere")); err != nil || mended != nil {
		t.Errorf("a log that is not there: %v %v", mended, err)
	}
}

// FuzzReader: whatever Prometheus's reader reads, this one reads too, and it never reads
// more than there is.
func FuzzReader(f *testing.F) {
	for seed := range uint64(3) {
		whole, err := os.ReadFile(segment(f, compression.Snappy, records(seed, 4)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(whole)
		f.Add(whole[:len(whole)*2/3])
	}
	f.Add([]byte{})
	f.Add(make([]byte, pageSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		own := wlog.NewReader(bytes.NewReader(b))
		var want [][]byte
		for own.Next() {
			want = append(want, bytes.Clone(own.Record()))
		}
		got, givenUp, err := readAll(bytes.NewReader(b))
		if len(got) < len(want) || !slices.EqualFunc(got[:len(want)], want, bytes.Equal) {
			t.Errorf("%d records, Prometheus reads %d (%v)", len(got), len(want), own.Err())
		}
		if own.Err() == nil && (givenUp > 0 || !errors.Is(err, io.EOF)) {
			t.Errorf("Prometheus reads to the end; %d given up, %v", givenUp, err)
		}
	})
}
