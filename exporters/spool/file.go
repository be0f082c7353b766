package spool

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcloud"
)

// A file of the spool is called by its sequence number, NNN….rec, and has one
// line of JSON, the header, then the JSON of a mcloud.Batch:
//
//	{"v":1,"kind":"inventory","key":"lab nova server",…,"bytes":812,"crc":…}\n{"inventories":[…]}

const (
	kindEvents    = "events"
	kindInventory = "inventory"

	suffix  = ".rec"
	version = 1
	// block is what the smallest file takes on disk.
	block = 4096
)

type header struct {
	Version  int       `json:"v"`
	Kind     string    `json:"kind"`
	Key      string    `json:"key,omitempty"` // of an inventory
	Complete bool      `json:"complete,omitempty"`
	Hash     string    `json:"hash,omitempty"` // of an inventory's objects
	Records  int       `json:"records"`
	At       time.Time `json:"at"` // when it was recorded
	Bytes    int       `json:"bytes"`
	CRC      uint32    `json:"crc"` // Castagnoli, of the Batch's JSON
}

// entry is a file that waits.
type entry struct {
	header
	seq     uint64
	size    int64     // on disk
	objects []sum     // of an inventory as it is with this, by id; nil after a restart
	look    time.Time // of an inventory
	full    time.Time // when all objects of an inventory were recorded
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (s *Spool) path(seq uint64) string {
	return filepath.Join(s.opts.Dir, fmt.Sprintf("%020d%s", seq, suffix))
}

// write adds a file. The caller holds s.mu.
func (s *Spool) write(e entry, batch mcloud.Batch) error {
	h := &e.header
	body, err := json.Marshal(batch)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	h.Version, h.At, h.Bytes, h.CRC = version, time.Now().UTC(), len(body), crc32.Checksum(body, castagnoli)
	head, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	e.seq, e.size = s.next, onDisk(int64(len(head)+1+len(body)))
	if err := writeSynced(s.path(e.seq), head, []byte("\n"), body); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.next++
	s.add(e)
	return nil
}

func (s *Spool) add(e entry) {
	s.entries = append(s.entries, e)
	s.bytes += e.size
}

func onDisk(n int64) int64 { return (n + block - 1) / block * block }

// writeSynced makes a file that is whole or not there, also after a power cut.
func writeSynced(path string, content ...[]byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	for _, part := range content {
		if err == nil {
			_, err = f.Write(part)
		}
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// remove deletes a file that is delivered, replaced or refused. The caller
// holds s.mu. An entry that is not there any more is left alone.
func (s *Spool) remove(e entry) {
	at, there := slices.BinarySearchFunc(s.entries, e.seq, func(e entry, seq uint64) int { return cmp.Compare(e.seq, seq) })
	if !there {
		return
	}
	s.entries = slices.Delete(s.entries, at, at+1)
	s.bytes -= e.size
	if err := os.Remove(s.path(e.seq)); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.complain("remove", "a file of the spool cannot be deleted; after a restart it is posted again, which changes nothing", "error", err.Error())
	}
}

// errTorn is an error about a file's content, which no second try mends.
var errTorn = errors.New("torn file")

// readRaw returns the JSON of the batch of a file.
func (s *Spool) readRaw(e entry) ([]byte, error) {
	content, err := os.ReadFile(s.path(e.seq))
	if err != nil {
		return nil, err
	}
	_, body, _ := bytes.Cut(content, []byte("\n"))
	if len(body) != e.Bytes || crc32.Checksum(body, castagnoli) != e.CRC {
		return nil, fmt.Errorf("%w: %d bytes with another checksum than the header says of %d", errTorn, len(body), e.Bytes)
	}
	return body, nil
}

// read returns the batch of a file.
func (s *Spool) read(e entry) (mcloud.Batch, error) {
	var batch mcloud.Batch
	body, err := s.readRaw(e)
	if err != nil {
		return batch, err
	}
	if err := json.Unmarshal(body, &batch); err != nil {
		return batch, fmt.Errorf("%w: %w", errTorn, err)
	}
	return batch, nil
}

// readHeader returns what a file says of itself and checks its length.
func readHeader(path string) (header, int64, error) {
	var h header
	f, err := os.Open(path)
	if err != nil {
		return h, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return h, 0, err
	}
	line, err := bufio.NewReader(io.LimitReader(f, 64<<10)).ReadBytes('\n')
	if err != nil {
		return h, 0, fmt.Errorf("%w: no header: %w", errTorn, err)
	}
	if err := json.Unmarshal(line, &h); err != nil {
		return h, 0, fmt.Errorf("%w: header: %w", errTorn, err)
	}
	switch {
	case h.Version != version || h.Kind != kindEvents && h.Kind != kindInventory:
		return h, 0, fmt.Errorf("%w: version %d of kind %q is not known", errTorn, h.Version, h.Kind)
	case info.Size() != int64(len(line)+h.Bytes):
		return h, 0, fmt.Errorf("%w: has %d bytes, its header says %d", errTorn, info.Size(), len(line)+h.Bytes)
	}
	return h, info.Size(), nil
}

// load takes over the files of the directory.
func (s *Spool) load() error {
	found, err := os.ReadDir(s.opts.Dir)
	if err != nil {
		return err
	}
	for _, d := range found { // ReadDir sorts by name, which is by seq
		path := filepath.Join(s.opts.Dir, d.Name())
		if strings.HasSuffix(d.Name(), ".tmp") {
			// Never renamed, so never promised to anyone.
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		seq, err := strconv.ParseUint(strings.TrimSuffix(d.Name(), suffix), 10, 64)
		if err != nil || !strings.HasSuffix(d.Name(), suffix) {
			continue // lock, bad
		}
		s.next = max(s.next, seq+1)
		h, size, err := readHeader(path)
		switch {
		case errors.Is(err, errTorn):
			s.setAside(path, err)
		case err != nil:
			return err
		default:
			s.add(entry{header: h, seq: seq, size: onDisk(size)})
		}
	}
	return nil
}

const (
	// maxBad bounds the files that are kept for a person to look at.
	maxBad      = 100
	maxBadBytes = 64 << 20
)

// setAside moves a file to "bad", where it is never looked at again. The caller
// holds s.mu, or is Open.
func (s *Spool) setAside(path string, why error) {
	s.stats.refused["torn"]++
	to := filepath.Join(s.badDir(), filepath.Base(path))
	if err := os.Rename(path, to); err != nil {
		s.log.Error("a torn file of the spool cannot be moved aside", "file", path, "torn", why.Error(), "error", err.Error())
		return
	}
	s.log.Error("a file of the spool was torn and is left out: the disk lost power or is failing", "moved_to", to, "error", why.Error())
	s.trimBad()
}

// keepBad writes records that the collector refused for good to "bad".
func (s *Spool) keepBad(e entry, batch mcloud.Batch, why error) {
	to := filepath.Join(s.badDir(), fmt.Sprintf("%020d-%d.json", e.seq, time.Now().UnixNano()))
	content, err := json.Marshal(struct {
		Why   string       `json:"why"`
		Batch mcloud.Batch `json:"batch"`
	}{why.Error(), batch})
	if err == nil {
		err = writeSynced(to, content)
	}
	if err != nil {
		s.log.Error("refused records cannot be kept for a look", "error", err.Error())
		return
	}
	s.complain("rejected", "the collector refused records for good; they are left out and kept for a look", "kept_in", to, "error", why.Error())
	s.trimBad()
}

// trimBad deletes the oldest files of "bad" beyond its bounds.
func (s *Spool) trimBad() {
	found, err := os.ReadDir(s.badDir())
	if err != nil {
		s.log.Error("the directory of bad records cannot be read", "error", err.Error())
		return
	}
	var size int64
	for i, d := range slices.Backward(found) {
		if info, err := d.Info(); err == nil {
			size += info.Size()
		}
		if len(found)-i <= maxBad && size <= maxBadBytes || i == len(found)-1 {
			continue
		}
		if err := os.Remove(filepath.Join(s.badDir(), d.Name())); err != nil {
			s.log.Error("an old bad record cannot be deleted", "error", err.Error())
		}
	}
}
