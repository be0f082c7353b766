package shipper

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/wlog"
)

// series is what the WAL's reference of a sample stands for.
type series struct {
	labels labels.Labels
	// last is the time of the newest sample read; a later record of the same or an
	// older time is what the TSDB's head drops too: a repeated remote write, a target
	// that exposes a sample twice.
	last int64
	// touched is the generation (count of segments opened) it was last spoken of in.
	touched int

	// place in the batch being built, valid when batch is that batch's number.
	batch uint64
	index uint32
}

// catalogue resolves references. The TSDB writes a series' labels once, then puts
// them into its WAL checkpoint when it truncates; as the shipper may lag behind
// truncation, it keeps a snapshot of its own from before it lets go of a segment.
type catalogue struct {
	byRef  map[chunks.HeadSeriesRef]*series
	logger *slog.Logger
}

func newCatalogue(logger *slog.Logger) *catalogue {
	return &catalogue{byRef: map[chunks.HeadSeriesRef]*series{}, logger: logger}
}

// define takes series records in WAL order: a reference used anew gets its new labels.
func (c *catalogue) define(refs []record.RefSeries, generation int) {
	for _, r := range refs {
		if s := c.byRef[r.Ref]; s != nil && labels.Equal(s.labels, r.Labels) {
			s.touched = generation
			continue
		}
		c.byRef[r.Ref] = &series{labels: r.Labels, last: math.MinInt64, touched: generation}
	}
}

var snapshotKind = [8]byte([]byte("mcseris1"))

// write replaces the snapshot file.
func (c *catalogue) write(path string) error {
	refs := make([]record.RefSeries, 0, len(c.byRef))
	for ref, s := range c.byRef {
		refs = append(refs, record.RefSeries{Ref: ref, Labels: s.labels})
	}
	var enc record.Encoder
	return replaceFile(path, frame(snapshotKind, enc.Series(refs, nil)))
}

// read adds the snapshot's series; no file is no series.
func (c *catalogue) read(path string) error {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	payload, err := unframe(snapshotKind, content)
	if err != nil {
		return err
	}
	dec := record.NewDecoder(labels.NewSymbolTable(), c.logger)
	refs, err := dec.Series(payload, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	c.define(refs, 0)
	return nil
}

// readWALCheckpoint returns the series of the TSDB's latest WAL checkpoint: with the
// segments that still lie in the WAL these are all that later records may refer to.
func (c *catalogue) readWALCheckpoint(walDir string) ([]record.RefSeries, error) {
	dir, _, err := wlog.LastCheckpoint(walDir)
	if errors.Is(err, record.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rc, err := wlog.NewSegmentsReader(dir)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	var all []record.RefSeries
	dec := record.NewDecoder(labels.NewSymbolTable(), c.logger)
	r := wlog.NewReader(rc)
	for r.Next() {
		if dec.Type(r.Record()) != record.Series {
			continue
		}
		if all, err = dec.Series(r.Record(), all); err != nil {
			return nil, fmt.Errorf("WAL checkpoint %s: %w", dir, err)
		}
	}
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("WAL checkpoint %s: %w", dir, err)
	}
	return all, nil
}

// forget drops the series not spoken of since generation, but for those in keep.
func (c *catalogue) forget(generation int, keep []record.RefSeries) {
	kept := make(map[chunks.HeadSeriesRef]struct{}, len(keep))
	for _, r := range keep {
		kept[r.Ref] = struct{}{}
	}
	for ref, s := range c.byRef {
		if _, ok := kept[ref]; !ok && s.touched < generation {
			delete(c.byRef, ref)
		}
	}
}
