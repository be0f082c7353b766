package wal

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"
)

// Mended is a segment that was written anew without the records that were given up.
type Mended struct {
	File    string
	GivenUp int
}

// Mend looks through the segments of a log that nobody writes, and writes those anew in
// which records were given up. Segments that are damaged otherwise stay as they are: the
// TSDB's repair is for them. A log that is not there needs none.
func Mend(dir string) ([]Mended, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look through the write-ahead log: %w", err)
	}
	var mended []Mended
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil || e.IsDir() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		n, err := givenUpIn(path)
		if err != nil {
			return mended, fmt.Errorf("look through the write-ahead log: %w", err)
		}
		if n == 0 {
			continue
		}
		if err := rewrite(path); err != nil {
			return mended, fmt.Errorf("write the segment %s anew, without what a full disk left in it: %w", path, err)
		}
		mended = append(mended, Mended{path, n})
	}
	return mended, nil
}

// givenUpIn counts the records of a segment that were given up; 0 of one that is damaged.
func givenUpIn(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r := NewReader(f)
	r.raw = true
	for r.Next() {
	}
	if !errors.Is(r.Err(), io.EOF) {
		return 0, nil
	}
	return r.GivenUp(), nil
}

// rewrite puts a segment with the same records in the place of one.
func rewrite(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	aside := filepath.Dir(path) + ".mending"
	if err := os.RemoveAll(aside); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(aside)) }()
	// Twice the usual size: it may need somewhat more than it had, and must stay one.
	out, err := wlog.NewSize(slog.New(slog.DiscardHandler), nil, aside, 2*wlog.DefaultSegmentSize, compression.Snappy)
	if err != nil {
		return err
	}
	r := NewReader(f)
	for r.Next() {
		if err := out.Log(r.Record()); err != nil {
			return errors.Join(err, out.Close())
		}
	}
	if err := out.Close(); err != nil { // it syncs
		return err
	}
	if !errors.Is(r.Err(), io.EOF) {
		return r.Err()
	}
	return os.Rename(wlog.SegmentName(aside, 0), path)
}
