package shipper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Store is the long term.
type Store interface {
	// WriteSamples returns nil only when the batch is stored for good. A batch whose
	// token it has stored before must be acknowledged and not stored again; the
	// shipper never uses a token for other content. Any error makes the shipper send
	// the same again, for as long as it takes. It must return soon after ctx ends.
	WriteSamples(ctx context.Context, token string, b Batch) error
}

// Options of a Shipper. Dir, WALDir and Store are required.
type Options struct {
	// Dir is the shipper's own directory, on the filesystem of WALDir.
	Dir string
	// WALDir is the TSDB's "wal" directory; it need not exist yet.
	WALDir string
	Store  Store
	// MaxBatchSamples ends a batch (200,000), FlushInterval ends it earlier (5 s).
	MaxBatchSamples int
	FlushInterval   time.Duration
	// WriteTimeout bounds one insert (30 s), MaxBackoff the pause between two (30 s).
	WriteTimeout, MaxBackoff time.Duration
	// PollInterval is how often the WAL is looked at (250 ms).
	PollInterval time.Duration
	// MaxHeldBytes bounds the disk used beyond the TSDB's own WAL (16 GiB): when the
	// store has been away for so long that more is held, the oldest samples are given
	// up, counted and logged.
	MaxHeldBytes int64
	Registerer   prometheus.Registerer
	Logger       *slog.Logger
	Now          func() time.Time
}

// Shipper ships one TSDB's samples to one Store.
type Shipper struct {
	opts    Options
	logger  *slog.Logger
	hold    *hold
	metrics *metrics
}

// Open takes hold of what the WAL has now. Call it before the TSDB is opened.
func Open(opts Options) (*Shipper, error) {
	if opts.Dir == "" || opts.WALDir == "" || opts.Store == nil {
		return nil, errors.New("shipper needs a directory, a WAL directory and a store")
	}
	setDefault(&opts.MaxBatchSamples, 200_000)
	setDefault(&opts.FlushInterval, 5*time.Second)
	setDefault(&opts.WriteTimeout, 30*time.Second)
	setDefault(&opts.MaxBackoff, 30*time.Second)
	setDefault(&opts.PollInterval, 250*time.Millisecond)
	setDefault(&opts.MaxHeldBytes, 16<<30)
	if opts.Registerer == nil {
		opts.Registerer = prometheus.NewRegistry()
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	h, err := openHold(filepath.Join(opts.Dir, "segments"), opts.WALDir, opts.Logger)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(opts.Registerer, opts.Now)
	if err != nil {
		return nil, err
	}
	return &Shipper{opts: opts, logger: opts.Logger, hold: h, metrics: m}, nil
}

func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Full tells that the disk bound is near (four fifths): whoever can send later should
// be asked to.
func (s *Shipper) Full() bool { return s.metrics.heldBytes.Load() > s.opts.MaxHeldBytes/5*4 }

// Run ships until ctx ends and then returns nil at once: what was on its way is sent
// again by the next Run. Whatever goes wrong with the disk is logged and Run begins
// again from its files, as it does after a crash.
func (s *Shipper) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { s.holdOn(ctx) })
	for {
		err := s.run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		s.metrics.restarts.Inc()
		s.logger.Error("shipping stopped and begins again from its files in 5 s", "dir", s.opts.Dir, "err", err)
		if !sleep(ctx, 5*time.Second) {
			return nil
		}
	}
}

// holdOn links new segments while the rest of the shipper may wait for the store.
func (s *Shipper) holdOn(ctx context.Context) {
	failing := false
	for sleep(ctx, s.opts.PollInterval) {
		err := s.hold.sync()
		if err != nil && !failing {
			s.logger.Error("cannot take hold of new WAL segments; should the TSDB truncate them before this is cured, their samples are missing in the long term", "err", err)
		}
		failing = err != nil
	}
}

func (s *Shipper) checkpointPath() string { return filepath.Join(s.opts.Dir, "checkpoint.json") }
func (s *Shipper) intentPath() string     { return filepath.Join(s.opts.Dir, "intent") }
func (s *Shipper) seriesPath() string     { return filepath.Join(s.opts.Dir, "series") }

// run recovers from the files and ships until an error or the end of ctx.
func (s *Shipper) run(ctx context.Context) error {
	j, err := s.resume()
	if err != nil {
		return err
	}
	defer j.reader.close()
	if err := j.start(ctx); err != nil {
		return err
	}
	if j.pending != nil {
		s.logger.Info("sending again what was on its way when the collector stopped", "token", j.pending.token(0), "samples", j.pending.batch.Len())
		if err := j.deliver(ctx, *j.pending); err != nil {
			return err
		}
		j.pending = nil
	}
	for {
		if err := j.fill(ctx); err != nil {
			return err
		}
		if err := j.ship(ctx); err != nil {
			return err
		}
	}
}

// resume reads checkpoint, intent and series. Files that are damaged are put aside:
// then the price may be a repeated sample, which readers of the store remove.
func (s *Shipper) resume() (*journey, error) {
	j := &journey{Shipper: s, series: newCatalogue(s.logger)}
	j.reader = newWALReader(s.hold, s.metrics, s.logger)
	j.building = newBuilder(1, Batch{})

	cp, err := readCheckpoint(s.checkpointPath())
	if errors.Is(err, errDamaged) {
		s.putAside(s.checkpointPath(), "held segments are shipped from their start under new tokens; samples may be stored twice, queries remove the second", err)
		cp, err = newCheckpoint(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the shipper's checkpoint: %w", err)
	}
	// Written at once so that the agent's name stays the same whatever happens next.
	if err := cp.write(s.checkpointPath()); err != nil {
		return nil, fmt.Errorf("write the shipper's checkpoint: %w", err)
	}
	j.checkpoint, j.done = cp, cp.Position

	in, err := readIntent(s.intentPath())
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, errDamaged):
		s.putAside(s.intentPath(), "the batch is built again from the WAL under a new token; its samples may be stored twice, queries remove the second", err)
		j.checkpoint.Sequence++ // never reuse the token with other content
	case err != nil:
		return nil, fmt.Errorf("read the shipper's intent: %w", err)
	case in.Agent == cp.Agent && in.Sequence > cp.Sequence:
		j.pending, j.done = &in, in.End
	}

	known, err := j.series.readWALCheckpoint(s.opts.WALDir)
	if err != nil {
		// The TSDB says the same of its checkpoint, and louder.
		s.logger.Error("cannot read the series of the WAL checkpoint; samples of series that are only defined there are counted as lost", "err", err)
	}
	j.series.define(known, 0)
	if err := j.series.read(s.seriesPath()); err != nil {
		if !errors.Is(err, errDamaged) {
			return nil, fmt.Errorf("read the shipper's series: %w", err)
		}
		s.putAside(s.seriesPath(), "series that only it named are counted as lost", err)
	}
	return j, nil
}

func (s *Shipper) putAside(path, price string, cause error) {
	aside := path + ".damaged"
	err := os.Rename(path, aside)
	s.logger.Error("damaged file of the shipper was put aside; "+price, "file", path, "kept_as", aside, "err", cause, "rename_err", err)
}

// sleep returns false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// jitter spreads retries over ±25 %.
func jitter(d time.Duration) time.Duration {
	return d*3/4 + time.Duration(rand.Int64N(int64(d)/2+1))
}

// OldestUnshipped is the time (Unix milliseconds) of the oldest sample that the store
// has not acknowledged, as far as it was read; 0 when there is none.
func (s *Shipper) OldestUnshipped() int64 { return s.metrics.oldestUnshipped.Load() }
