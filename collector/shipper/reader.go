package shipper

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/record"

	"mcloud/collector/wal"
)

// walReader reads the records of the held segments one after the other, and follows
// the last one while the TSDB writes it.
type walReader struct {
	hold    *hold
	logger  *slog.Logger
	metrics *metrics

	seg  segment
	file *os.File
	live *wal.Reader
	// dec interns label strings for one segment; more would grow without bound.
	dec record.Decoder
	// record is how many records of seg were returned.
	record int
	// givenUp is how many records were seen that a full disk cut off.
	givenUp int
	// last is set when a successor was seen: the segment is complete, what can be
	// read now is all there will be.
	last bool
	// generation counts opened segments; opened remembers which segment began which.
	generation int
	opened     map[segment]int
	warned     segment
}

func newWALReader(h *hold, m *metrics, logger *slog.Logger) *walReader {
	return &walReader{hold: h, metrics: m, logger: logger, opened: map[segment]int{}}
}

func (r *walReader) position() position {
	return position{Epoch: r.seg.Epoch, Segment: r.seg.Number, Record: r.record}
}

// open begins to read s from its first record.
func (r *walReader) open(s segment) error {
	r.close()
	f, err := os.Open(r.hold.path(s))
	if err != nil {
		return fmt.Errorf("open held WAL segment: %w", err)
	}
	r.seg, r.file, r.record, r.last = s, f, 0, false
	r.live, r.givenUp = wal.NewReader(f), 0
	r.dec = record.NewDecoder(labels.NewSymbolTable(), r.logger)
	if _, known := r.opened[s]; !known {
		r.generation++
		r.opened[s] = r.generation
	}
	return nil
}

func (r *walReader) close() {
	if r.file != nil {
		_ = r.file.Close() // only read from
		r.file = nil
	}
}

// next returns the next record, valid until the next call, and whether there is one
// now. It goes on to the next segment when one is complete; a segment that cannot be
// read to its end is reported and left.
func (r *walReader) next() ([]byte, bool, error) {
	for {
		if r.live.Next() {
			r.record++
			r.reportGivenUp()
			return r.live.Record(), true, nil
		}
		err := r.live.Err()
		successor, exists := r.hold.after(r.seg)
		if errors.Is(err, io.EOF) {
			switch {
			case !exists:
				return nil, false, nil
			case !r.last:
				// What was written between our reading and the successor's birth.
				r.last = true
				continue
			}
			r.reportTornTail()
		} else {
			if !exists {
				return nil, false, r.retryLive(err)
			}
			r.metrics.corruptions.Inc()
			r.logger.Error("held WAL segment is damaged; its samples after the damage cannot be shipped, the next segment is read on",
				"file", r.hold.path(r.seg), "offset", r.live.Offset(), "bytes_lost", r.size()-r.live.Offset(), "err", err)
		}
		if err := r.open(successor); err != nil {
			return nil, false, err
		}
	}
}

func (r *walReader) size() int64 {
	fi, err := r.file.Stat()
	if err != nil {
		return r.live.Offset()
	}
	return fi.Size()
}

// reportTornTail says what a crash left half-written at the end of a segment. It was
// never acknowledged.
func (r *walReader) reportTornTail() {
	if torn := r.size() - r.live.Offset(); torn > 0 {
		r.logger.Warn("WAL segment ends in a record that a crash cut; it was never acknowledged", "file", r.hold.path(r.seg), "bytes", torn)
	}
}

// reportGivenUp says that the TSDB began a record and could not end it. Its writer got an
// error.
func (r *walReader) reportGivenUp() {
	if n := r.live.GivenUp(); n > r.givenUp {
		r.givenUp = n
		r.logger.Warn("the write-ahead log has a piece of a record that was given up when the disk was full; it was never acknowledged, and is left out",
			"file", r.hold.path(r.seg), "before_offset", r.live.Offset())
	}
}

// retryLive reopens a segment that is still being written and could not be read: the
// next try begins at its start and comes back to the same record, or, should fewer
// be readable now, to an earlier one, whose samples are then known by their times.
func (r *walReader) retryLive(cause error) error {
	if r.warned != r.seg {
		r.warned = r.seg
		r.logger.Warn("cannot read the WAL segment being written; trying again until it can be read or a new segment begins",
			"file", r.hold.path(r.seg), "offset", r.live.Offset(), "err", cause)
	}
	done, s := r.record, r.seg
	if err := r.open(s); err != nil {
		return err
	}
	for r.record < done && r.live.Next() {
		r.record++
	}
	return nil
}

// equalPrefix counts the records that two segment files both begin with.
func equalPrefix(a, b string) (int, error) {
	fa, err := os.Open(a)
	if err != nil {
		return 0, err
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return 0, err
	}
	defer fb.Close()
	ra, rb := wal.NewReader(fa), wal.NewReader(fb)
	n := 0
	for ra.Next() && rb.Next() && string(ra.Record()) == string(rb.Record()) {
		n++
	}
	return n, nil
}
