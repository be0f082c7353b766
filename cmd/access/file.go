package access

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// lookPeriod is how often files are looked at for a change: what was taken out of one
// counts no longer than that.
const lookPeriod = time.Second

// maxFile bounds a file of certificates, tokens or hashes, in bytes.
const maxFile = 1 << 20

// files are read together, and again when one of them has changed. When that fails,
// what was read before goes on to count and the log says so.
type files[T any] struct {
	what   string // the configuration's key
	paths  []string
	read   func(contents [][]byte) (T, error)
	logger *slog.Logger
	now    func() time.Time

	mu     sync.Mutex
	looked time.Time
	stamps []stamp
	value  T
	said   string
}

// stamp tells whether a file is another one.
type stamp struct {
	changed time.Time
	size    int64
	inode   uint64
}

func openFiles[T any](what string, logger *slog.Logger, now func() time.Time, read func([][]byte) (T, error), paths ...string) (*files[T], error) {
	f := &files[T]{what: what, paths: paths, read: read, logger: logger, now: now}
	if err := f.load(); err != nil {
		return nil, fmt.Errorf("%w: %w", errConfig, err)
	}
	f.looked = now()
	return f, nil
}

// get is what the files say now.
func (f *files[T]) get() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.now(); now.Sub(f.looked) >= lookPeriod || now.Before(f.looked) {
		f.looked = now
		err := f.load()
		switch {
		case err == nil:
			f.said = ""
		case err.Error() != f.said:
			f.said = err.Error()
			f.logger.Error("a changed file cannot be used; what it said before goes on to count", "key", f.what, "error", err)
		}
	}
	return f.value
}

// load reads what has changed since. The caller holds f.mu or is alone.
func (f *files[T]) load() error {
	stamps := make([]stamp, len(f.paths))
	for i, p := range f.paths {
		s, err := stampOf(p)
		if err != nil {
			return fmt.Errorf("%s: %w", f.what, err)
		}
		stamps[i] = s
	}
	if slices.Equal(stamps, f.stamps) {
		return nil
	}
	contents := make([][]byte, len(f.paths))
	for i, p := range f.paths {
		content, err := readBounded(p)
		if err != nil {
			return fmt.Errorf("%s: %w", f.what, err)
		}
		contents[i] = content
	}
	value, err := f.read(contents)
	if err != nil {
		return fmt.Errorf("%s: %w", f.what, err)
	}
	if f.stamps != nil {
		f.logger.Info("a changed file was read again", "key", f.what)
	}
	f.value, f.stamps = value, stamps
	return nil
}

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	if !info.Mode().IsRegular() {
		return stamp{}, &fs.PathError{Op: "read", Path: path, Err: errors.New("it is no file")}
	}
	return stamp{info.ModTime(), info.Size(), inode(info)}, nil
}

func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it is larger than %d bytes", maxFile)}
	}
	return content, err
}
