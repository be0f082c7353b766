package shipper

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/s2"
)

// Files of the shipper are replaced whole: written beside, synced, renamed, and the
// directory synced. A reader sees the old content or the new.
func replaceFile(path string, content []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

// errDamaged says that a file is not what the shipper wrote.
var errDamaged = errors.New("damaged file")

// A frame is: 8 bytes that name kind and version, CRC-32C of the rest (big endian),
// and the payload compressed as one S2 block.
const frameHeader = 8 + 4

// maxPayload bounds what a frame may claim to unpack to.
const maxPayload = 2 << 30

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func frame(kind [8]byte, payload []byte) []byte { return frameInto(nil, kind, payload) }

// frameInto is frame in the memory of into, where that is enough.
func frameInto(into []byte, kind [8]byte, payload []byte) []byte {
	out := slices.Grow(into[:0], frameHeader+s2.MaxEncodedLen(len(payload)))[:frameHeader]
	copy(out, kind[:])
	block := s2.Encode(out[frameHeader:cap(out)], payload)
	out = out[:frameHeader+len(block)]
	binary.BigEndian.PutUint32(out[8:], crc32.Checksum(out[frameHeader:], castagnoli))
	return out
}

func unframe(kind [8]byte, content []byte) ([]byte, error) {
	if len(content) < frameHeader || [8]byte(content[:8]) != kind {
		return nil, fmt.Errorf("%w: it does not begin with %q", errDamaged, kind)
	}
	block := content[frameHeader:]
	if binary.BigEndian.Uint32(content[8:]) != crc32.Checksum(block, castagnoli) {
		return nil, fmt.Errorf("%w: checksum differs", errDamaged)
	}
	if n, err := s2.DecodedLen(block); err != nil || n > maxPayload {
		return nil, fmt.Errorf("%w: payload of %d bytes", errDamaged, n)
	}
	payload, err := s2.Decode(nil, block)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return payload, nil
}
