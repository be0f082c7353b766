package exporters

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"sync"
)

// piece is a part of a page, compressed on its own: pieces one after the other
// are one gzip stream.
type piece struct {
	deflated []byte // DEFLATE blocks, none of them the last, ending at a whole byte
	size     int    // of the text
	crc      uint32 // of the text, IEEE
	shift    uint32 // what crcCombine needs for size
}

// compressors are kept because each has a megabyte of tables.
var compressors = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is valid
	}
	return w
}}

// deflate compresses text.
func deflate(text []byte) piece {
	w := compressors.Get().(*flate.Writer)
	defer compressors.Put(w)
	var b bytes.Buffer
	w.Reset(&b)
	_, _ = w.Write(text) // a Buffer takes everything
	_ = w.Flush()
	return piece{deflated: bytes.Clone(b.Bytes()), size: len(text), crc: crc32.ChecksumIEEE(text), shift: crcShift(len(text))}
}

// body is a page in pieces.
type body struct{ pieces []piece }

func (b *body) add(p piece) { b.pieces = append(b.pieces, p) }

// The frame of a gzip member (RFC 1952): no name, no time, fastest, unknown system.
var (
	gzipHead = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255}
	// lastBlock is an empty stored block that ends a DEFLATE stream (RFC 1951).
	lastBlock = []byte{1, 0, 0, 0xff, 0xff}
)

const gzipTail = 8

func (b *body) gzipSize() int {
	n := len(gzipHead) + len(lastBlock) + gzipTail
	for _, p := range b.pieces {
		n += len(p.deflated)
	}
	return n
}

// writeGzip writes the page as one gzip member.
func (b *body) writeGzip(w io.Writer) error {
	if _, err := w.Write(gzipHead); err != nil {
		return err
	}
	var crc, size uint32
	for _, p := range b.pieces {
		if _, err := w.Write(p.deflated); err != nil {
			return err
		}
		crc = crcMultiply(p.shift, crc) ^ p.crc
		size += uint32(p.size)
	}
	end := binary.LittleEndian.AppendUint32(bytes.Clone(lastBlock), crc)
	_, err := w.Write(binary.LittleEndian.AppendUint32(end, size))
	return err
}

// plain reads the page as text.
func (b *body) plain() io.Reader {
	parts := make([]io.Reader, 0, len(b.pieces)+1)
	for _, p := range b.pieces {
		parts = append(parts, bytes.NewReader(p.deflated))
	}
	return flate.NewReader(io.MultiReader(append(parts, bytes.NewReader(lastBlock))...))
}

// The checksum of two texts one after the other is that of the first, multiplied
// by x to the power of the second's bits modulo the polynomial, plus that of the
// second (zlib's crc32_combine_gen and crc32_combine_op, crc32.c).

// crcMultiply multiplies two polynomials modulo CRC-32's, bits reflected.
func crcMultiply(a, b uint32) uint32 {
	var product uint32
	for bit := uint32(1) << 31; bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		if b&1 != 0 {
			b = b>>1 ^ crc32.IEEE
		} else {
			b >>= 1
		}
	}
	return product
}

// crcShift is x to the power of 8·n modulo the polynomial.
func crcShift(n int) uint32 {
	result, power := uint32(1)<<31, uint32(1)<<23 // 1, and x to the power of 8
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			result = crcMultiply(power, result)
		}
		power = crcMultiply(power, power)
	}
	return result
}
