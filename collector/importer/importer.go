// Package importer puts what another Prometheus has kept straight into the
// long-term store: the blocks of its TSDB, OpenMetrics text with timestamps, or what it
// answers to remote read.
//
// A source is read in an order that is the same each time and cut into batches,
// which are named by the source's identity and their number. After each batch
// that is acknowledged its number is written down, so an import that ended goes on
// where it was, and the one batch in doubt is known to the store by its name. Begin
// with Blocks or OpenMetrics, of which Run does one, or with RunRemote.
package importer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"mcloud/collector/shipper"
)

// ErrSource is wrapped by errors of what is to be imported.
var ErrSource = errors.New("cannot import")

// Source is something to import.
type Source struct {
	// Name is the same for the same content.
	Name string
	// Path is where it lies, Samples how many it says it has, 0 when it does not.
	Path    string
	Samples uint64

	// each calls f for every float sample, in an order that is always the same, and
	// returns how many native histograms it passed over.
	each func(ctx context.Context, f func(labels.Labels, int64, float64) error) (histograms int, err error)
}

// Options of Run; Store and StateDir are required.
type Options struct {
	Store shipper.Store
	// StateDir keeps how far each source is.
	StateDir string
	// BatchSamples ends a batch, 200,000 when 0. It must stay the same until a
	// source is done: it is kept in its state.
	BatchSamples int
	// Tries is how often a batch is sent before Run gives up, 8 when 0; the pauses
	// double from half a second.
	Tries int
	// Progress hears the samples done; may be nil.
	Progress func(Result)
}

// Result is what an import has done.
type Result struct {
	// Samples are all of the source's, Before those that an earlier run had stored.
	Samples, Before uint64
	// Histograms are native ones, which the store does not keep.
	Histograms int
}

// state is the file that says how far a source is.
type state struct {
	Batches      int    `json:"batches"` // acknowledged
	BatchSamples int    `json:"batch_samples"`
	Samples      uint64 `json:"samples"`
	Done         bool   `json:"done"`
}

// Run imports a source, from where an earlier Run ended. An error may be tried
// again: nothing is stored twice.
func Run(ctx context.Context, o Options, s Source) (Result, error) {
	if o.BatchSamples == 0 {
		o.BatchSamples = 200_000
	}
	if o.Tries == 0 {
		o.Tries = 8
	}
	path := filepath.Join(o.StateDir, s.Name+".json")
	st := state{BatchSamples: o.BatchSamples}
	if err := os.MkdirAll(o.StateDir, 0o700); err != nil {
		return Result{}, err
	}
	content, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(content, &st)
		if err == nil && (st.BatchSamples <= 0 || st.Batches < 0) {
			err = errors.New("its numbers cannot be")
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Result{}, fmt.Errorf("how far the import of %s is, in %s: %w; without the file it begins anew, and what it stored long ago may be stored twice", s.Path, path, err)
	}
	if err != nil {
		// Before the first batch: the sizes of all are those of this run.
		if err := st.write(path); err != nil {
			return Result{}, err
		}
	}
	r := Result{Before: st.Samples}
	if st.Done {
		r.Samples = st.Samples
		return r, nil
	}
	g := gather{size: st.BatchSamples}
	number := 0
	send := func() error {
		b := g.take()
		number++
		r.Samples += uint64(b.Len())
		if number > st.Batches {
			if err := insist(ctx, o, fmt.Sprintf("import-%s-%d", s.Name, number), b); err != nil {
				return fmt.Errorf("%s, batch %d: %w; run it again and it goes on there", s.Path, number, err)
			}
			st.Batches, st.Samples = number, r.Samples
			if err := st.write(path); err != nil {
				return err
			}
		}
		if o.Progress != nil {
			o.Progress(r)
		}
		return nil
	}
	r.Histograms, err = s.each(ctx, func(ls labels.Labels, t int64, v float64) error {
		if g.add(ls, t, v) {
			return send()
		}
		return ctx.Err()
	})
	if err == nil && g.batch.Len() > 0 {
		err = send()
	}
	if err != nil {
		return r, err
	}
	st.Done = true
	return r, st.write(path)
}

func (s state) write(path string) error { return writeState(path, s) }

// writeState replaces the file, on disk.
func writeState(path string, s any) error {
	content, err := json.Marshal(s)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// insist sends a batch until it is acknowledged or the tries are used up.
func insist(ctx context.Context, o Options, token string, b shipper.Batch) error {
	pause := 500 * time.Millisecond
	for try := 1; ; try++ {
		err := o.Store.WriteSamples(ctx, token, b)
		if err == nil || ctx.Err() != nil || try == o.Tries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// gather makes batches of size samples.
type gather struct {
	size  int
	batch shipper.Batch
	index map[uint64][]uint32
}

// add returns true when the batch is full.
func (g *gather) add(ls labels.Labels, t int64, v float64) bool {
	g.batch.Ref = append(g.batch.Ref, g.ref(ls))
	g.batch.Time, g.batch.Value = append(g.batch.Time, t), append(g.batch.Value, v)
	return len(g.batch.Ref) >= g.size
}

func (g *gather) ref(ls labels.Labels) uint32 {
	if n := len(g.batch.Series); n > 0 && labels.Equal(g.batch.Series[n-1], ls) {
		return uint32(n - 1)
	}
	h := ls.Hash()
	for _, i := range g.index[h] {
		if labels.Equal(g.batch.Series[i], ls) {
			return i
		}
	}
	if g.index == nil {
		g.index = map[uint64][]uint32{}
	}
	i := uint32(len(g.batch.Series))
	g.batch.Series, g.index[h] = append(g.batch.Series, ls), append(g.index[h], i)
	return i
}

func (g *gather) take() shipper.Batch {
	b := g.batch
	g.batch, g.index = shipper.Batch{}, nil
	return b
}

// Blocks are the blocks of the TSDB in dir, oldest first, or the one block that
// dir is.
func Blocks(dir string) ([]Source, error) {
	if meta, err := readMeta(dir); err == nil {
		return []Source{block(dir, meta)}, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSource, err)
	}
	type found struct {
		dir  string
		meta tsdb.BlockMeta
	}
	var all []found
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		meta, err := readMeta(path)
		if errors.Is(err, fs.ErrNotExist) || !e.IsDir() {
			continue // wal, chunks_head, lock
		}
		if err != nil {
			return nil, err
		}
		all = append(all, found{path, meta})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: %s has no blocks: name a Prometheus data directory or a block (01J…, with meta.json)", ErrSource, dir)
	}
	slices.SortFunc(all, func(a, b found) int { return int(max(-1, min(1, a.meta.MinTime-b.meta.MinTime))) })
	sources := make([]Source, len(all))
	for i, f := range all {
		sources[i] = block(f.dir, f.meta)
	}
	return sources, nil
}

func readMeta(dir string) (tsdb.BlockMeta, error) {
	var meta tsdb.BlockMeta
	content, err := os.ReadFile(filepath.Join(dir, "meta.json"))
	if err != nil {
		return meta, err
	}
	if err := json.Unmarshal(content, &meta); err != nil {
		return meta, fmt.Errorf("%w: %s: %w", ErrSource, filepath.Join(dir, "meta.json"), err)
	}
	return meta, nil
}

func block(dir string, meta tsdb.BlockMeta) Source {
	return Source{Name: "block-" + meta.ULID.String(), Path: dir, Samples: meta.Stats.NumSamples, each: func(ctx context.Context, f func(labels.Labels, int64, float64) error) (histograms int, err error) {
		b, err := tsdb.OpenBlock(slog.New(slog.DiscardHandler), dir, nil, nil)
		if err != nil {
			return 0, fmt.Errorf("%w: block %s: %w", ErrSource, dir, err)
		}
		defer func() { err = errors.Join(err, b.Close()) }()
		q, err := tsdb.NewBlockQuerier(b, meta.MinTime, meta.MaxTime)
		if err != nil {
			return 0, fmt.Errorf("%w: block %s: %w", ErrSource, dir, err)
		}
		defer func() { err = errors.Join(err, q.Close()) }()
		set := q.Select(ctx, true, nil, labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".*"))
		var it chunkenc.Iterator
		for set.Next() {
			s := set.At()
			ls := s.Labels()
			it = s.Iterator(it)
			for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
				if kind != chunkenc.ValFloat {
					histograms++
					continue
				}
				t, v := it.At()
				if err := f(ls, t, v); err != nil {
					return histograms, err
				}
			}
			if err := it.Err(); err != nil {
				return histograms, fmt.Errorf("%w: block %s, series %s: %w", ErrSource, dir, ls, err)
			}
		}
		if err := set.Err(); err != nil {
			return histograms, fmt.Errorf("%w: block %s: %w", ErrSource, dir, err)
		}
		return histograms, nil
	}}
}

// maxText bounds a file of OpenMetrics text, which is read whole.
const maxText = 4 << 30

// OpenMetrics is a file of OpenMetrics text, every sample with a timestamp.
func OpenMetrics(path string) (Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Source{}, fmt.Errorf("%w: %w", ErrSource, err)
	}
	if info.Size() > maxText {
		return Source{}, fmt.Errorf("%w: %s has %d bytes, at most %d are read at once: split it, each part with # EOF at its end", ErrSource, path, info.Size(), int64(maxText))
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return Source{}, fmt.Errorf("%w: %w", ErrSource, err)
	}
	sum := sha256.Sum256(content)
	return Source{Name: "openmetrics-" + hex.EncodeToString(sum[:16]), Path: path, each: func(_ context.Context, f func(labels.Labels, int64, float64) error) (int, error) {
		return 0, eachText(path, content, f)
	}}, nil
}

// eachText parses OpenMetrics text; errors name file and line.
func eachText(path string, content []byte, f func(labels.Labels, int64, float64) error) error {
	p := textparse.NewOpenMetricsParser(content, labels.NewSymbolTable())
	line := 0
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		line++
		if err != nil {
			return fmt.Errorf("%w: %s:%d: %w", ErrSource, path, line, err)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		_, at, v := p.Series()
		if at == nil {
			return fmt.Errorf("%w: %s:%d: a sample without a timestamp: its time is not known", ErrSource, path, line)
		}
		var ls labels.Labels
		p.Labels(&ls)
		if err := f(ls, *at, v); err != nil {
			return err
		}
	}
}
