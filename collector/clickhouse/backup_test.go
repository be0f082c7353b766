package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
)

// A backup that is taken while samples are written and rolled up is whole, and
// an empty directory that it is restored into answers as the store did: what was
// acknowledged before is there, nothing is there twice, and the rollups are their
// samples.
func TestBackupUnderLoad(t *testing.T) {
	needLibrary(t)
	dir, to, fresh := t.TempDir(), filepath.Join(t.TempDir(), "backup"), t.TempDir()
	url, kill := startStore(t, dir)
	db := dial(t, Options{URL: url, Now: later})
	r := rand.New(rand.NewPCG(11, 12))
	parts := history(r, 1).split(r, 40)
	if err := db.WriteSamples(t.Context(), "part 0", parts[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := labels.MustNewMatcher(labels.MatchRegexp, "__name__", ".+")
	before := read(t, db, base, base+2*dayMillis, all)
	ctx, stop := context.WithCancel(t.Context())
	var (
		load    sync.WaitGroup
		written atomic.Int64
	)
	load.Go(func() {
		for i := 1; i < len(parts) && ctx.Err() == nil; i++ {
			if err := db.WriteSamples(context.WithoutCancel(ctx), fmt.Sprint("part ", i), parts[i]); err != nil {
				t.Error(err)
				return
			}
			written.Store(int64(i))
		}
	})
	load.Go(func() {
		for ctx.Err() == nil {
			if _, err := db.Roll(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	})
	b, err := db.Backup(t.Context(), dir, to, nil)
	stop()
	load.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if written.Load() == 0 {
		t.Error("there was no load")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "shadow", frozenPrefix+"*")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	if _, err := db.Backup(t.Context(), dir, to, nil); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("a backup into a backup: %v", err)
	}
	if _, err := db.Backup(t.Context(), fresh, filepath.Join(to, "x"), nil); err == nil || !strings.Contains(err.Error(), "not in "+fresh) {
		t.Errorf("a backup of another store's directory: %v", err)
	}
	os.RemoveAll(filepath.Join(to, "x"))
	kill()

	if got, err := CheckBackup(t.Context(), to, nil); err != nil || got.Files != b.Files || got.Files == 0 {
		t.Fatalf("%d files, %v", got.Files, err)
	}
	url, _ = startStore(t, fresh)
	restored, err := Open(t.Context(), Options{URL: url, Now: later})
	if err != nil {
		t.Fatal(err)
	}
	defer restored.Close()
	if err := restored.Restore(t.Context(), fresh, to, b, nil); err != nil {
		t.Fatal(err)
	}
	if err := restored.Restore(t.Context(), fresh, to, b, nil); err == nil || !strings.Contains(err.Error(), "has tables already") {
		t.Errorf("a second time: %v", err)
	}
	if err := restored.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := read(t, restored, base, base+2*dayMillis, all)
	for name, samples := range before {
		if have := after[name]; !isSubsequence(samples, have) {
			t.Errorf("%s: %d samples before, %d restored, and not those", name, len(samples), len(have))
		}
	}
	if c, err := restored.CountCheck(t.Context()); err != nil || c.Duplicate > 0 {
		t.Errorf("%+v %v", c, err)
	}
	if _, err := restored.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkRollups(t, restored)
	if err := restored.WriteSamples(t.Context(), "after", parts[0]); err != nil {
		t.Error(err)
	}
}

func isSubsequence(a, of []sample) bool {
	for _, s := range of {
		if len(a) > 0 && a[0] == s {
			a = a[1:]
		}
	}
	return len(a) == 0
}

// fakeBackup writes a small backup as Backup does.
func fakeBackup(t testing.TB) string {
	t.Helper()
	frozen, to := t.TempDir(), t.TempDir()
	for _, name := range []string{"all_1_1_0/data.bin", "all_1_1_0/columns.txt", "all_2_2_0/data.bin"} {
		path := filepath.Join(frozen, "store/x", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("content of "+name), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	b := Backup{Tables: []BackupTable{{Name: "samples", Create: "CREATE TABLE samples", path: "store/x"}, {Name: "empty", path: "store/y"}}}
	if err := b.copyFrozen(t.Context(), frozen, to, nil); err != nil {
		t.Fatal(err)
	}
	return to
}

// Each way in which a backup can be damaged is told by the file's name.
func TestCheckBackupNamesTheFile(t *testing.T) {
	if b, err := CheckBackup(t.Context(), fakeBackup(t), nil); err != nil || b.Files != 3 || len(b.Tables[0].Parts) != 2 {
		t.Fatalf("%+v %v", b, err)
	}
	file := "data/samples/all_1_1_0/data.bin"
	cut := func(n int) func(string) error {
		return func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return os.Truncate(path, info.Size()-int64(n))
		}
	}
	garbage := func(path string) error { return os.WriteFile(path, []byte("\x00garbage"), 0o600) }
	for _, c := range []struct {
		name, file string
		damage     func(path string) error
		says       string
	}{
		{"a part's file is gone", file, os.Remove, "is missing"},
		{"a part's file is cut", file, cut(3), "checksum differs"},
		{"a part's file is empty", file, cut(29), "checksum differs"},
		{"a part's file is garbage", file, garbage, "checksum differs"},
		{"no manifest", manifestFile, os.Remove, "is missing"},
		{"the manifest is cut", manifestFile, cut(10), "checksum differs"},
		{"no checksums", sumsFile, os.Remove, "no backup, or one that was not finished"},
		{"the checksums are cut", sumsFile, cut(10), "ends in the middle of line 4"},
		{"the checksums lack a line", sumsFile, func(path string) error {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			_, rest, _ := strings.Cut(string(content), "\n")
			return os.WriteFile(path, []byte(rest), 0o600)
		}, "names 2 files, the backup has 3"},
		{"the checksums are garbage", sumsFile, garbage, "line 1 is no checksum"},
	} {
		dir := fakeBackup(t)
		if err := c.damage(filepath.Join(dir, c.file)); err != nil {
			t.Fatal(err)
		}
		_, err := CheckBackup(t.Context(), dir, nil)
		if !errors.Is(err, ErrBackup) || !strings.Contains(err.Error(), filepath.Join(dir, c.file)) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := CheckBackup(t.Context(), t.TempDir(), nil); !errors.Is(err, ErrBackup) {
		t.Error(err)
	}
}

func FuzzParseSums(f *testing.F) {
	content, err := os.ReadFile(filepath.Join(fakeBackup(f), sumsFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add([]byte("00  ../../etc/passwd\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		all, err := parseSums(content)
		for path := range all {
			if err == nil && !filepath.IsLocal(path) {
				t.Errorf("%q leads out of the backup", path)
			}
		}
		if err == nil && !slices.IsSorted(sortedKeys(all)) {
			t.Error("not sorted", maps.Keys(all))
		}
	})
}
