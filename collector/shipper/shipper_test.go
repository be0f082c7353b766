package shipper_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mcloud/collector/shipper"
)

func TestEverySampleArrivesOnce(t *testing.T) {
	r := newRig(t)
	r.start()
	r.commit(50)
	r.arrive()
	// Counted once the checkpoint is written, a moment after the store has them.
	eventually(t, func() bool { return int(r.metric("mcloud_shipper_shipped_samples_total")) == len(r.want) })
	eventually(t, func() bool { return r.metric("mcloud_shipper_lag_seconds") == 0 })
	lint(t, r.reg)
}

func TestFaultyStore(t *testing.T) {
	r := newRig(t)
	r.store.setFault(faulty(7))
	r.start()
	r.commit(200)
	r.arrive()
	if r.metric("mcloud_shipper_retries_total") == 0 {
		t.Error("no write failed: the test does not test")
	}
}

// The TSDB truncates its WAL many times while the store is away; nothing may be lost,
// across a restart as well.
func TestStoreAwayWhileWALTruncates(t *testing.T) {
	r := newRig(t)
	r.store.setFault(func() fault { return before })
	r.start()
	for range 4 {
		r.commit(150)
		if err := r.db.Compact(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() bool { return r.metric("mcloud_shipper_held_segments") > 2 })
	eventually(t, func() bool { return r.metric("mcloud_shipper_lag_seconds") > 0 })
	r.stop()
	r.start()
	r.commit(50)
	if n := r.store.stored(); n != 0 {
		t.Fatalf("%d samples are stored in a store that is away", n)
	}
	r.store.setFault(func() fault { return none })
	r.arrive()
	eventually(t, func() bool { return r.metric("mcloud_shipper_held_segments") == 0 })
	if lost := r.metric("mcloud_shipper_lost_samples_total"); lost != 0 {
		t.Errorf("%v samples are counted as lost", lost)
	}
}

// Each restart replays; no sample may come twice, whether Run ended between batches or
// within one.
func TestRestarts(t *testing.T) {
	r := newRig(t)
	for i := range 8 {
		r.store.setFault(faulty(uint64(i)))
		r.start()
		r.commit(40)
		time.Sleep(time.Duration(i) * 15 * time.Millisecond)
		r.stop()
	}
	r.store.setFault(func() fault { return none })
	r.start()
	r.arrive()
}

func TestDiskBoundGivesUpTheOldestAndCounts(t *testing.T) {
	r := newRig(t)
	r.store.setFault(func() fault { return before })
	const bound = 256 << 10
	bounded := func(o *shipper.Options) { o.MaxHeldBytes = bound }
	r.start(bounded)
	for range 8 {
		r.commit(150)
		if err := r.db.Compact(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() bool { return r.metric("mcloud_shipper_lost_samples_total") > 0 })
	eventually(t, func() bool { return r.metric("mcloud_shipper_held_bytes") <= bound })
	r.store.setFault(func() fault { return none })
	// Twice, for what was given up must not come back with what follows.
	for range 2 {
		r.settle()
		missing, double, wrong := r.store.check(r.want)
		if lost := int(r.metric("mcloud_shipper_lost_samples_total")); missing != lost {
			t.Errorf("%d samples missing, %d counted as lost", missing, lost)
		}
		if double+wrong != 0 {
			t.Errorf("%d stored twice, %d with another value", double, wrong)
		}
		r.commit(10)
	}
}

// Remote write repeats what it got no answer for; the TSDB takes an equal sample twice
// into its WAL.
func TestRepeatedSampleIsShippedOnce(t *testing.T) {
	r := newRig(t)
	r.start()
	r.commit(3)
	for range 2 {
		if err := commit(r.db, r.now); err != nil {
			t.Fatal(err)
		}
	}
	r.arrive()
	r.commit(1)
	r.arrive()
	if got := r.metric("mcloud_shipper_duplicate_samples_total"); got == 0 {
		t.Error("no duplicate counted")
	}
}

// A damaged segment: the TSDB throws away all that follows. What the shipper holds of
// the later segments still arrives, and nothing comes twice.
func TestDamagedSegment(t *testing.T) {
	r := newRig(t)
	r.store.setFault(func() fault { return before })
	r.start()
	r.commit(300)
	r.stop()
	segments := walFiles(t, r.dir)
	if len(segments) < 4 {
		t.Fatalf("only %d segments", len(segments))
	}
	// Where a head was cut, a segment ends early: what is empty there has no samples to lose.
	i := slices.IndexFunc(segments[:len(segments)-1], func(path string) bool { return hasDataAt(t, path, 20_000) })
	if i < 0 {
		t.Fatal("no segment has data where it is to be damaged")
	}
	damage(t, segments[i], 20_000)
	r.store.setFault(func() fault { return none })
	r.start()
	r.commit(100)
	r.settle()
	missing, double, wrong := r.store.check(r.want)
	perSegment := len(r.want) / len(segments)
	if double+wrong != 0 || missing == 0 || missing > perSegment*2 {
		t.Fatalf("%d missing (a segment has about %d), %d double, %d wrong", missing, perSegment, double, wrong)
	}
	if r.metric("mcloud_shipper_wal_corruptions_total") == 0 {
		t.Error("the damage is not counted")
	}
	// And once more, now that epochs exist.
	r.stop()
	r.start()
	r.commit(20)
	r.settle()
	if m, double, _ := r.store.check(r.want); m != missing || double != 0 {
		t.Errorf("after a restart %d missing, was %d, %d double", m, missing, double)
	}
}

// A data directory that was copied has no common inodes any more.
func TestCopiedDataDirectory(t *testing.T) {
	r := newRig(t)
	r.start()
	r.commit(150)
	r.arrive()
	r.store.setFault(func() fault { return before })
	r.commit(150)
	r.stop()
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(r.dir)); err != nil {
		t.Fatal(err)
	}
	r.dir = copied
	r.store.setFault(func() fault { return none })
	r.start()
	r.commit(20)
	r.arrive()
}

func TestDamagedFilesAreSaidAndSurvived(t *testing.T) {
	for _, name := range []string{"checkpoint.json", "intent", "series"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.start()
			r.commit(20)
			r.arrive()
			r.stop()
			path := filepath.Join(r.dir, "shipper", name)
			if err := os.WriteFile(path, []byte("{ not this"), 0o600); err != nil {
				t.Fatal(err)
			}
			r.start()
			r.commit(20)
			eventually(t, func() bool { m, _, _ := r.store.check(r.want); return m == 0 })
			if _, err := os.Stat(path + ".damaged"); err != nil {
				t.Error(err)
			}
		})
	}
}

// One commit larger than a batch is cut into parts under tokens of their own.
func TestLargeCommitIsCut(t *testing.T) {
	r := newRig(t)
	r.start(func(o *shipper.Options) { o.MaxBatchSamples = 16 })
	r.commit(5)
	r.arrive()
}

func TestHangingStoreDoesNotDelayShutdown(t *testing.T) {
	r := newRig(t)
	r.store.setFault(func() fault { return hang })
	r.start(func(o *shipper.Options) { o.WriteTimeout = time.Hour })
	r.commit(10)
	time.Sleep(100 * time.Millisecond)
	started := time.Now()
	r.stop()
	if d := time.Since(started); d > time.Second {
		t.Errorf("stop took %s", d)
	}
}

func TestOpenNeedsOneFilesystem(t *testing.T) {
	r := newRig(t)
	if _, err := shipper.Open(shipper.Options{Dir: r.dir}); err == nil {
		t.Error("options without WAL and store were taken")
	}
}

func walFiles(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(filepath.Join(dir, "hot", "wal"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && len(d.Name()) == 8 {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// hasDataAt says whether a WAL's page is filled there: its rest is zeros.
func hasDataAt(t *testing.T, path string, offset int) bool {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const length = 64 // of what the damage overwrites
	return len(b) >= offset+length && strings.Trim(string(b[offset:offset+length]), "\x00") != ""
}

func damage(t *testing.T, path string, offset int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(fmt.Sprint("damaged here", time.Now())), offset); err != nil {
		t.Fatal(err)
	}
}

func eventually(t testing.TB, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatal("did not become true within 30 s")
}
