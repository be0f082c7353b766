package collector

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"

	"mcloud/collector/ingest"
	"mcloud/collector/wal"
)

// hot is the TSDB of the last hours.
type hot struct {
	*tsdb.DB
	stats *tsdb.DBStats
	// since is when it was made or last lost samples to a damaged WAL, Unix
	// milliseconds: from then on it is whole. 0: unknown, from its first sample on.
	// Beside other replicas it is also when this collector came back.
	since int64
}

// StartTime is the time from which on the TSDB has every sample.
func (h *hot) StartTime() (int64, error) {
	start, err := h.DB.StartTime()
	return max(start, h.since), err
}

// Stats serves /api/v1/status/tsdb.
func (h *hot) Stats(label string, limit int) (*tsdb.Stats, error) {
	return h.Head().Stats(label, limit), nil
}

// BlockMetas serves /api/v1/status/tsdb/blocks.
func (h *hot) BlockMetas() ([]tsdb.BlockMeta, error) { return h.DB.BlockMetas(), nil }

// WALReplayStatus serves /api/v1/status/walreplay.
func (h *hot) WALReplayStatus() (tsdb.WALReplayStatus, error) {
	return h.stats.Head.WALReplayStatus.GetWALReplayStatus(), nil
}

type hotOptions struct {
	dir       string
	retention time.Duration
	// unshipped is the time of the oldest sample that only the TSDB has (Unix
	// milliseconds), or 0; blocks from then on are kept, up to maxKept bytes.
	unshipped func() int64
	maxKept   int64
	logger    *slog.Logger
	reg       prometheus.Registerer
	repairs   prometheus.Counter
	gate      *ingest.Gate
	// replicated says that the long-term store has samples that other collectors took
	// while this one was down.
	replicated bool
}

// brief is how long a collector may be down for its hot storage to count as whole: a
// restart costs a scrape or two.
const brief = 30 * time.Second

func (o hotOptions) walDir() string { return filepath.Join(o.dir, "wal") }

// openHot opens the TSDB. Damage to the WAL does not keep it from opening: what was
// lost is logged, and the time from which on it is whole is remembered.
func openHot(o hotOptions) (*hot, error) {
	h := &hot{stats: tsdb.NewDBStats(), since: readSince(o)}
	if _, err := os.Stat(o.dir); errors.Is(err, os.ErrNotExist) {
		// A new TSDB beside a store that may know more: a first sample with an old time
		// of its own must not make it look whole from then on.
		if err := os.MkdirAll(o.dir, 0o750); err != nil {
			return nil, fmt.Errorf("create the hot storage: %w", err)
		}
		h.wholeFromNow(o)
	}
	if o.setAsideDamagedCheckpoint() {
		h.damaged(o)
	}
	mended, err := wal.Mend(o.walDir())
	if err != nil {
		return nil, err
	}
	for _, m := range mended {
		o.logger.Warn("the disk was full while the write-ahead log was written; what was begun and never acknowledged was taken out of it", "file", m.File, "records", m.GivenUp)
	}
	former, err := holdWAL(o.walDir())
	if err != nil {
		return nil, err
	}
	defer former.close()

	var opened atomic.Pointer[tsdb.DB]
	opts := tsdb.DefaultOptions()
	opts.RetentionDuration = o.retention.Milliseconds()
	opts.MaxBlockDuration = opts.MinBlockDuration
	opts.WALCompression = compression.Snappy
	// Exemplars are kept in memory, the newest of all series together; the
	// configuration's storage.exemplars says how many.
	opts.EnableExemplarStorage, opts.MaxExemplars = true, config.DefaultExemplarsConfig.MaxExemplars
	opts.SeriesLifecycleCallback = o.gate
	opts.BlocksToDelete = func(blocks []*tsdb.Block) map[ulid.ULID]struct{} {
		db := opened.Load()
		if db == nil {
			return nil // before Open returned; the next look is a minute away
		}
		return keepUnshipped(blocks, tsdb.DefaultBlocksToDelete(db)(blocks), o.unshipped(), o.maxKept)
	}
	db, err := tsdb.Open(o.dir, quieted(o.logger, nil), o.reg, opts, h.stats)
	if err != nil && walIsBeyondRepair(err) {
		aside, moveErr := o.setAsideHead()
		if moveErr != nil {
			return nil, errors.Join(fmt.Errorf("open the hot storage in %s: %w", o.dir, err), moveErr)
		}
		o.logger.Error("the write-ahead log could not be repaired and was put aside; the hot storage begins anew from its blocks, queries of the time before use the long-term store",
			"dir", o.walDir(), "kept_as", aside, "err", err)
		h.damaged(o)
		db, err = tsdb.Open(o.dir, quieted(o.logger, nil), o.reg, opts, h.stats)
	}
	if err != nil {
		return nil, fmt.Errorf("open the hot storage in %s: %w", o.dir, err)
	}
	h.DB = db
	opened.Store(db)
	o.gate.Open()
	if former.reportRepair(o) {
		h.damaged(o)
	}
	if newest := time.UnixMilli(db.Head().MaxTime()); o.replicated && time.Since(newest) > brief {
		h.wholeFromNow(o)
	}
	return h, nil
}

// keepUnshipped takes from the blocks to delete those with unshipped samples, as long
// as all that is kept for it stays below most bytes.
func keepUnshipped(blocks []*tsdb.Block, del map[ulid.ULID]struct{}, unshipped, most int64) map[ulid.ULID]struct{} {
	if unshipped == 0 {
		return del
	}
	var kept int64
	for _, b := range blocks { // newest first
		id := b.Meta().ULID
		if _, ok := del[id]; !ok || b.Meta().MaxTime <= unshipped || b.Meta().Compaction.Deletable {
			continue // deletable: another block has its samples
		}
		if kept += b.Size(); kept > most {
			break
		}
		delete(del, id)
	}
	return del
}

func (h *hot) damaged(o hotOptions) {
	o.repairs.Inc()
	h.wholeFromNow(o)
}

// wholeFromNow remembers, also for later starts, that the past is not whole.
func (h *hot) wholeFromNow(o hotOptions) {
	now := time.Now()
	h.since = now.UnixMilli()
	if err := os.WriteFile(sincePath(o), []byte(now.UTC().Format(time.RFC3339Nano)+"\n"), 0o640); err != nil {
		o.logger.Error("cannot note from when on the hot storage is whole; after the next start, queries of that time may miss samples that the long-term store has", "err", err)
	}
}

func sincePath(o hotOptions) string { return filepath.Join(o.dir, "whole-since") }

func readSince(o hotOptions) int64 {
	text, err := os.ReadFile(sincePath(o))
	if err != nil {
		return 0 // never damaged
	}
	t, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(text)))
	if err != nil {
		return time.Now().UnixMilli() // damaged, who knows when
	}
	return t.UnixMilli()
}

// setAsideDamagedCheckpoint looks at the WAL's checkpoint, because the TSDB takes
// damage there for damage in the segment of the same number, and deletes all segments.
func (o hotOptions) setAsideDamagedCheckpoint() bool {
	dir, _, err := wlog.LastCheckpoint(o.walDir())
	if err != nil {
		return false // there is none
	}
	damage := readThrough(dir)
	if damage == nil {
		return false
	}
	aside := filepath.Join(o.walDir(), "damaged-"+filepath.Base(dir)+"-"+strconv.FormatInt(time.Now().Unix(), 10))
	err = os.Rename(dir, aside)
	o.logger.Error("the checkpoint of the write-ahead log is damaged and was put aside; samples of series that only it defines are missing from the hot storage, queries of the time before now use the long-term store",
		"file", dir, "kept_as", aside, "err", damage, "rename_err", err)
	return true
}

func readThrough(dir string) error {
	rc, err := wlog.NewSegmentsReader(dir)
	if err != nil {
		return err
	}
	defer rc.Close()
	r := wlog.NewReader(rc)
	for r.Next() {
	}
	return r.Err()
}

func walIsBeyondRepair(err error) bool {
	var c *wlog.CorruptionErr
	return errors.As(err, &c) || strings.Contains(err.Error(), "repair corrupted W")
}

// setAsideHead moves the WAL and the head's chunks away.
func (o hotOptions) setAsideHead() (string, error) {
	aside := filepath.Join(o.dir, "damaged-"+time.Now().UTC().Format("20060102T150405Z"))
	if err := os.MkdirAll(aside, 0o750); err != nil {
		return "", err
	}
	for _, name := range []string{"wal", "wbl", "chunks_head"} {
		if err := os.Rename(filepath.Join(o.dir, name), filepath.Join(aside, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("put the damaged write-ahead log aside: %w", err)
		}
	}
	return aside, nil
}

// heldWAL are the WAL's segments as they were before the TSDB opened: repair replaces
// the damaged one and deletes those after it.
type heldWAL []heldSegment

type heldSegment struct {
	path string
	file *os.File
	info os.FileInfo
}

func holdWAL(dir string) (heldWAL, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the write-ahead log: %w", err)
	}
	var w heldWAL
	for _, e := range entries { // sorted by name, which is by number
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		path := filepath.Join(dir, e.Name())
		f, err := os.Open(path)
		if err != nil {
			w.close()
			return nil, fmt.Errorf("read the write-ahead log: %w", err)
		}
		info, err := f.Stat()
		if err != nil {
			w.close()
			return nil, fmt.Errorf("read the write-ahead log: %w", errors.Join(err, f.Close()))
		}
		w = append(w, heldSegment{path, f, info})
	}
	return w, nil
}

func (w heldWAL) close() {
	for _, s := range w {
		_ = s.file.Close() // only read from
	}
}

// reportRepair says what a repair took away and tells whether it was anything that had
// been acknowledged; a record that a crash cut at the end was not.
func (w heldWAL) reportRepair(o hotOptions) bool {
	var changed heldWAL
	var dropped int64
	for _, s := range w {
		info, err := os.Stat(s.path)
		if err == nil && os.SameFile(info, s.info) {
			continue
		}
		if changed = append(changed, s); len(changed) > 1 {
			dropped += s.info.Size()
		}
	}
	if len(changed) == 0 {
		return false
	}
	first := changed[0]
	live := wal.NewReader(first.file)
	for live.Next() {
	}
	if errors.Is(live.Err(), io.EOF) && dropped == 0 {
		o.logger.Info("a record that the last crash cut was removed from the end of the write-ahead log; nothing that was acknowledged is lost", "file", first.path)
		return false
	}
	o.logger.Error("a segment of the write-ahead log is damaged; the hot storage lost what came after the damage, the long-term store still gets the later segments; queries of the time before now use the long-term store",
		"file", first.path, "offset", live.Offset(), "bytes_lost", first.info.Size()-live.Offset()+dropped, "later_segments_lost", len(changed)-1,
		"written_until", changed[len(changed)-1].info.ModTime().UTC().Format(time.RFC3339), "err", live.Err())
	return true
}
