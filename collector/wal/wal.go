// Package wal reads segments of Prometheus's write-ahead log, those among them in which
// a full disk left a piece of a record, and mends such segments.
//
// The TSDB writes a record that does not fit its page of 32 KiB in pieces. When the disk
// is full in between, the rest is given up and the writer of the record gets an error,
// but what was flushed stays (tsdb/wlog/wlog.go, WL.log, has a note on it). Prometheus's
// own readers take the next record for damage and everything behind it for lost, although
// that was acknowledged and is intact. Here the piece is left out, counted, and reading
// goes on: what was given up was never acknowledged.
//
// The format is described in Prometheus's tsdb/docs/format/wal.md.
package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/prometheus/prometheus/util/compression"
)

const (
	pageSize   = 32 << 10
	headerSize = 7 // type and compression, length (2), checksum (4)
)

// The lower bits of a header's first byte: what a piece is. Zero is the empty rest of a
// page.
const (
	pageEnd = iota
	full
	first
	middle
	last

	typeMask   = 1<<3 - 1
	snappyFlag = 1 << 3
	zstdFlag   = 1 << 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Reader reads the records of one segment, also while it is being written: Next is false
// with io.EOF where it ends now, and may be called again.
type Reader struct {
	from io.Reader

	page           [pageSize]byte
	read, written  int // in page
	offset         int64
	pieces         int // of the record that is being put together
	joined, record []byte
	decode         compression.DecodeBuffer
	raw            bool // records are not decompressed
	givenUp        int
	err            error
}

// NewReader reads from the beginning of a segment.
func NewReader(from io.Reader) *Reader {
	return &Reader{from: from, decode: compression.NewSyncDecodeBuffer()}
}

// Next reads the next record, and says whether there is one. Without one, Err says why.
// After an error that is not io.EOF the rest of the segment cannot be read.
func (r *Reader) Next() bool {
	if r.err != nil && !errors.Is(r.err, io.EOF) {
		return false
	}
	for {
		whole, wait, err := r.step()
		switch {
		case err != nil:
			r.err = err
			return false
		case whole:
			r.err = nil
			return true
		case !wait:
			continue
		}
		n, err := r.from.Read(r.page[r.written:])
		r.written += n
		if n == 0 {
			if err == nil {
				err = io.EOF
			}
			r.err = err
			return false
		}
	}
}

// Record is the record that Next read, valid until the next call.
func (r *Reader) Record() []byte { return r.record }

// Err is why there is no next record: io.EOF at the end as it is now.
func (r *Reader) Err() error { return r.err }

// Offset is where in the segment the next piece begins.
func (r *Reader) Offset() int64 { return r.offset }

// GivenUp is how many records so far were begun and given up by their writer.
func (r *Reader) GivenUp() int { return r.givenUp }

// step takes one piece. whole says that it ends a record, wait that more has to be read
// of the file first.
func (r *Reader) step() (whole, wait bool, err error) {
	if r.read == pageSize {
		r.read, r.written = 0, 0
	}
	left := pageSize - r.read // of the page, read or not
	there := r.page[r.read:r.written]
	if len(there) == 0 {
		return false, true, nil
	}
	kind := there[0] & typeMask
	if kind == pageEnd {
		for _, b := range there[1:] { // of the first byte only the type counts, to Prometheus's reader, too
			if b != 0 {
				return false, false, errors.New("the empty rest of a page is not empty")
			}
		}
		if len(there) < left {
			return false, true, nil
		}
		r.take(left)
		return false, false, nil
	}
	if len(there) < headerSize {
		if left < headerSize {
			return false, false, fmt.Errorf("a piece begins %d bytes before the end of its page", left)
		}
		return false, true, nil
	}
	length := int(binary.BigEndian.Uint16(there[1:]))
	if headerSize+length > left {
		return false, false, fmt.Errorf("a piece of %d bytes does not fit its page", length)
	}
	if len(there) < headerSize+length {
		return false, true, nil
	}
	data := there[headerSize : headerSize+length]
	if sum, want := crc32.Checksum(data, castagnoli), binary.BigEndian.Uint32(there[3:]); sum != want {
		return false, false, fmt.Errorf("checksum %x, expected %x", sum, want)
	}
	flags := there[0]
	switch kind {
	case full, first:
		if r.pieces > 0 {
			r.givenUp++
		}
		r.pieces, r.joined = 0, r.joined[:0]
	case middle, last:
		if r.pieces == 0 {
			return false, false, errors.New("a piece goes on with a record that was not begun")
		}
	default:
		return false, false, fmt.Errorf("a piece of unknown type %d", kind)
	}
	r.joined = append(r.joined, data...)
	r.pieces++
	if kind == full || kind == last {
		if err := r.end(flags); err != nil {
			return false, false, err
		}
		whole = true
	}
	r.take(headerSize + length)
	return whole, false, nil
}

func (r *Reader) take(n int) {
	r.read += n
	r.offset += int64(n)
}

// end makes a record of the pieces.
func (r *Reader) end(flags byte) (err error) {
	r.pieces = 0
	how := compression.None
	switch {
	case flags&snappyFlag != 0:
		how = compression.Snappy
	case flags&zstdFlag != 0:
		how = compression.Zstd
	}
	if r.raw {
		r.record = r.joined
		return nil
	}
	r.record, err = compression.Decode(how, r.joined, r.decode)
	return err
}
