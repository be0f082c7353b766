package clickhouse

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A backup is a directory:
//
//	backup.json             what tables there are, their parts, how many files
//	data/TABLE/PART/FILE    the parts, as the engine had them
//	SHA256SUMS              of every file above, for sha256sum -c; written last
//
// It is taken while the store runs: the engine freezes each table at a moment
// (hard links), and the frozen files are copied. The tables are frozen in the order
// in which nothing lacks what it was made from: the rollups, the samples that they
// are of, the marks of what is to be rolled up, the series. What was rolled up
// meanwhile has its marks taken back but is not in the rollups: the backup names
// those units, and Restore marks them again.

// ErrBackup is wrapped by the errors that say that a backup is not whole.
var ErrBackup = errors.New("the backup is not whole")

const (
	sumsFile     = "SHA256SUMS"
	manifestFile = "backup.json"
	frozenPrefix = "mcloud_backup_" // the engine escapes other signs
	// settle is how long after the samples the marks are frozen: a batch whose
	// samples are in the backup has its marks by then.
	settle = 2 * time.Second
)

// Backup says what a backup holds.
type Backup struct {
	Created time.Time     `json:"created"`
	Engine  string        `json:"engine"`
	Tables  []BackupTable `json:"tables"`
	// Rolled are the units that were rolled up while the tables were frozen.
	Rolled []unit `json:"rolled,omitempty"`
	// Files are those in data, Bytes their size.
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
}

// BackupTable is one table of a Backup.
type BackupTable struct {
	Name   string   `json:"name"`
	Create string   `json:"create"`
	Parts  []string `json:"parts"`

	path string // of its data, below the store's directory
}

// frozenLast are the tables whose order of freezing matters.
var frozenLast = []string{"rollup_1d", "rollup_5m", "rollup_1h", "samples", unitsTable, "series", "label_index"}

const unitsTable = "rollup_units"

// Backup writes a backup of the embedded store, whose directory is dir, into the
// directory to, which must be empty or not there. progress, if not nil, hears the
// bytes copied and the bytes there are.
func (db *DB) Backup(ctx context.Context, dir, to string, progress func(done, total int64)) (Backup, error) {
	if err := emptyDir(to); err != nil {
		return Backup{}, err
	}
	b := Backup{Created: time.Now().UTC().Truncate(time.Second)}
	if err := db.conn.QueryRow(ctx, "SELECT version()").Scan(&b.Engine); err != nil {
		return b, db.wrap(ctx, "asking for the version", err)
	}
	var err error
	if b.Tables, err = db.backupTables(ctx, dir); err != nil {
		return b, err
	}
	// What a backup that was killed left frozen.
	stale, err := filepath.Glob(filepath.Join(dir, "shadow", frozenPrefix+"*"))
	if err != nil {
		return b, err
	}
	for _, s := range stale {
		if err := os.RemoveAll(s); err != nil {
			return b, fmt.Errorf("removing an older backup's rest: %w", err)
		}
	}
	name := frozenPrefix + b.Created.Format("20060102T150405Z")
	frozen := filepath.Join(dir, "shadow", name)
	defer os.RemoveAll(frozen)
	units := slices.ContainsFunc(b.Tables, func(t BackupTable) bool { return t.Name == unitsTable })
	var before map[unit]uint64
	if units {
		if before, err = db.rolledUpTo(ctx); err != nil {
			return b, err
		}
	}
	for _, t := range b.Tables {
		if t.Name == unitsTable {
			select {
			case <-time.After(settle):
			case <-ctx.Done():
				return b, ctx.Err()
			}
		}
		if err := db.conn.Exec(ctx, "ALTER TABLE "+t.Name+" FREEZE WITH NAME '"+name+"'"); err != nil {
			return b, db.wrap(ctx, "freezing "+t.Name, err)
		}
	}
	if units {
		after, err := db.rolledUpTo(ctx)
		if err != nil {
			return b, err
		}
		for _, u := range slices.Sorted(maps.Keys(after)) {
			if after[u] != before[u] {
				b.Rolled = append(b.Rolled, u)
			}
		}
	}
	return b, b.copyFrozen(ctx, frozen, to, progress)
}

// emptyDir makes a directory, or refuses one with something in it.
func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.MkdirAll(dir, 0o700)
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty (it has %s): name a directory that is, or is not there yet", dir, entries[0].Name())
	}
	return nil
}

// backupTables lists the tables in the order in which they are frozen.
func (db *DB) backupTables(ctx context.Context, dir string) ([]BackupTable, error) {
	const doing = "listing tables"
	rows, err := db.conn.Query(ctx, "SELECT name, create_table_query, data_paths[1] FROM system.tables WHERE database = currentDatabase() AND endsWith(engine, 'MergeTree') ORDER BY name")
	if err != nil {
		return nil, db.wrap(ctx, doing, err)
	}
	var all []BackupTable
	err = each(rows, func() error {
		var t BackupTable
		var path string
		if err := rows.Scan(&t.Name, &t.Create, &path); err != nil {
			return err
		}
		t.Create = strings.Replace(t.Create, "CREATE TABLE "+db.options.Database+".", "CREATE TABLE ", 1)
		abs, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(abs, path)
		if err != nil || !filepath.IsLocal(rel) {
			return fmt.Errorf("the store at %s keeps its data in %s, not in %s: run this where it runs, with its configuration; a ClickHouse server has BACKUP of its own", db.options.URL, path, dir)
		}
		t.path = rel
		all = append(all, t)
		return nil
	})
	if err != nil {
		return nil, db.wrap(ctx, doing, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the store at %s has no tables to back up", db.options.URL)
	}
	slices.SortStableFunc(all, func(a, b BackupTable) int {
		return slices.Index(frozenLast, a.Name) - slices.Index(frozenLast, b.Name)
	})
	return all, nil
}

// checksums gathers the lines of SHA256SUMS.
type checksums struct{ bytes.Buffer }

func (s *checksums) add(sum []byte, path string) {
	fmt.Fprintf(s, "%x  %s\n", sum, filepath.ToSlash(path))
}

// copyFrozen copies the frozen tables into to, and writes what is there.
func (b *Backup) copyFrozen(ctx context.Context, frozen, to string, progress func(done, total int64)) error {
	type file struct{ from, to string }
	var files []file
	for i := range b.Tables {
		t := &b.Tables[i]
		from := filepath.Join(frozen, t.path)
		err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && path == from {
				return fs.SkipAll // an empty table
			}
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(from, path)
			if err != nil {
				return err
			}
			if d.IsDir() {
				if rel != "." && !strings.ContainsRune(rel, filepath.Separator) {
					t.Parts = append(t.Parts, rel)
				}
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			b.Bytes += info.Size()
			files = append(files, file{path, filepath.Join("data", t.Name, rel)})
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading what was frozen: %w", err)
		}
	}
	if b.Files = len(files); b.Files == 0 {
		return fmt.Errorf("nothing was frozen in %s: the engine keeps it elsewhere", frozen)
	}
	var (
		s    checksums
		done int64
	)
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, sum, err := copyFile(f.from, filepath.Join(to, f.to))
		if err != nil {
			return fmt.Errorf("copying %s: %w", f.to, err)
		}
		s.add(sum, f.to)
		if done += n; progress != nil {
			progress(done, b.Bytes)
		}
	}
	manifest, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		return err
	}
	sum := sha256.Sum256(manifest)
	s.add(sum[:], manifestFile)
	if err := writeSynced(filepath.Join(to, manifestFile), manifest); err != nil {
		return err
	}
	return writeSynced(filepath.Join(to, sumsFile), s.Bytes())
}

// copyFile copies to a file that is new, onto the disk, and returns its size and
// checksum.
func copyFile(from, to string) (n int64, sum []byte, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, nil, err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return 0, nil, err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, nil, err
	}
	hash := sha256.New()
	n, err = io.Copy(io.MultiWriter(out, hash), in)
	return n, hash.Sum(nil), errors.Join(err, out.Sync(), out.Close())
}

func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// parseSums reads a SHA256SUMS; the error names the line.
func parseSums(content []byte) (map[string]string, error) {
	all := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(content))
	number := 0
	for lines.Scan() {
		number++
		sum, path, ok := strings.Cut(lines.Text(), "  ")
		raw, err := hex.DecodeString(sum)
		if !ok || err != nil || len(raw) != sha256.Size || !filepath.IsLocal(path) || path != filepath.ToSlash(filepath.Clean(path)) {
			return nil, fmt.Errorf("line %d is no checksum and file name", number)
		}
		if _, twice := all[path]; twice {
			return nil, fmt.Errorf("line %d names %s again", number, path)
		}
		all[path] = strings.ToLower(sum)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", number+1, err)
	}
	if len(content) == 0 || content[len(content)-1] != '\n' {
		return nil, fmt.Errorf("it ends in the middle of line %d", max(number, 1))
	}
	return all, nil
}

// CheckBackup reads a whole backup and compares every file with its checksum.
// Errors wrap ErrBackup and name the file.
func CheckBackup(ctx context.Context, dir string, progress func(done, total int64)) (Backup, error) {
	bad := func(file string, format string, args ...any) (Backup, error) {
		return Backup{}, fmt.Errorf("%w: %s: %s", ErrBackup, filepath.Join(dir, file), fmt.Sprintf(format, args...))
	}
	content, err := os.ReadFile(filepath.Join(dir, sumsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return bad(sumsFile, "is missing: this is no backup, or one that was not finished")
	}
	if err != nil {
		return Backup{}, err
	}
	want, err := parseSums(content)
	if err != nil {
		return bad(sumsFile, "%v", err)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return bad(manifestFile, "is missing")
	}
	if err != nil {
		return Backup{}, err
	}
	if sum := sha256.Sum256(manifest); want[manifestFile] != hex.EncodeToString(sum[:]) {
		return bad(manifestFile, "is not what was written: its checksum differs")
	}
	var b Backup
	if err := json.Unmarshal(manifest, &b); err != nil {
		return bad(manifestFile, "%v", err)
	}
	if len(want)-1 != b.Files {
		return bad(sumsFile, "names %d files, the backup has %d", len(want)-1, b.Files)
	}
	var done int64
	for _, path := range sortedKeys(want) {
		if err := ctx.Err(); err != nil {
			return b, err
		}
		if path == manifestFile {
			continue
		}
		n, sum, err := hashFile(filepath.Join(dir, path))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return bad(path, "is missing")
		case err != nil:
			return b, err
		case sum != want[path]:
			return bad(path, "is not what was written (%d bytes): its checksum differs", n)
		}
		if done += n; progress != nil {
			progress(done, b.Bytes)
		}
	}
	return b, nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func hashFile(path string) (int64, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, f)
	return n, hex.EncodeToString(hash.Sum(nil)), err
}

// Restore fills the empty embedded store, whose directory is dir, from a backup
// that CheckBackup found whole. The schema is that of the backup: Migrate brings it
// up to date.
func (db *DB) Restore(ctx context.Context, dir, from string, b Backup, progress func(done, total int64)) error {
	var there uint64
	if err := db.conn.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = currentDatabase()").Scan(&there); err != nil {
		return db.wrap(ctx, "looking at the store to restore into", err)
	}
	if there > 0 {
		return fmt.Errorf("the store at %s has tables already: a backup is restored into an empty one", dir)
	}
	for _, t := range b.Tables {
		if err := db.conn.Exec(ctx, t.Create); err != nil {
			return db.wrap(ctx, "creating "+t.Name, err)
		}
	}
	created, err := db.backupTables(ctx, dir)
	if err != nil {
		return err
	}
	paths := map[string]string{}
	for _, t := range created {
		paths[t.Name] = filepath.Join(dir, t.path, "detached")
	}
	var done int64
	for _, t := range b.Tables {
		for _, part := range t.Parts {
			if !filepath.IsLocal(part) || strings.ContainsAny(part, "'\\/") || paths[t.Name] == "" {
				return fmt.Errorf("%w: %s names part %q of table %q", ErrBackup, filepath.Join(from, manifestFile), part, t.Name)
			}
			source := filepath.Join(from, "data", t.Name, part)
			err := filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				rel, err := filepath.Rel(source, path)
				if err != nil {
					return err
				}
				n, _, err := copyFile(path, filepath.Join(paths[t.Name], part, rel))
				if done += n; progress != nil {
					progress(done, b.Bytes)
				}
				return err
			})
			if err != nil {
				return fmt.Errorf("restoring part %s of %s: %w", part, t.Name, err)
			}
			if err := db.conn.Exec(ctx, "ALTER TABLE "+t.Name+" ATTACH PART '"+part+"'"); err != nil {
				return db.wrap(ctx, "attaching part "+part+" of "+t.Name, err)
			}
		}
	}
	return db.markWhole(ctx, b.Rolled)
}
