package shipper

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prometheus/prometheus/tsdb/record"
)

// journey is the state of one run from the files on.
type journey struct {
	*Shipper
	reader     *walReader
	series     *catalogue
	checkpoint checkpoint
	pending    *intent
	// building takes the samples read; what was read before is in an intent.
	building *builder
	// done is up to where samples are shipped or in the pending intent: records before
	// it only teach series and times. given is up to where samples were given up to the
	// disk bound.
	done, given position

	// encoder writes intents, spare is the memory of the last batch shipped.
	encoder intentEncoder
	spare   Batch

	refs    []record.RefSeries
	samples []record.RefSample
}

const (
	// startTime is what a store that starts together with the collector may take: a
	// shorter absence is no news, since what waits is on disk.
	startTime = 10 * time.Second
	// repeatAfter is how long an absence that lasts stays quiet in the log.
	repeatAfter = 10 * time.Minute
)

// start waits for the first segment and opens it. Reading always begins at the first
// held segment, for the series and times that lie before the checkpoint.
func (j *journey) start(ctx context.Context) error {
	for {
		first, _, ok := j.hold.at(0, 0)
		if !ok {
			if !sleep(ctx, j.opts.PollInterval) {
				return ctx.Err()
			}
			continue
		}
		if cp := j.checkpoint; cp.Sequence > 0 && cp.Position.segment().before(first) {
			j.logger.Error("WAL segments were removed before they were shipped; their samples are missing in the long term",
				"first_missing", cp.Position.segment().name(), "first_held", first.name(), "dir", j.hold.dir)
		}
		return j.reader.open(first)
	}
}

// fill reads until the batch is due.
func (j *journey) fill(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if j.building.due(j.opts.Now(), j.opts.MaxBatchSamples, j.opts.FlushInterval) {
			return nil
		}
		more, err := j.step()
		if err != nil {
			return err
		}
		if !more {
			j.measure()
			if !sleep(ctx, j.opts.PollInterval) {
				return ctx.Err()
			}
		}
	}
}

// step consumes one record if there is one.
func (j *journey) step() (bool, error) {
	rec, ok, err := j.reader.next()
	if err != nil || !ok {
		return false, err
	}
	at := j.reader.position()
	at.Record--
	fate := toShip
	switch {
	case at.before(j.done) || at.Record < j.reader.seg.Skip:
		fate = shippedBefore
	case at.before(j.given):
		fate = givenUp
	}
	j.consume(rec, fate)
	return true, nil
}

// fate is what becomes of a record's samples.
type fate int

const (
	toShip fate = iota
	shippedBefore
	givenUp
)

func (j *journey) consume(rec []byte, fate fate) {
	var err error
	switch j.reader.dec.Type(rec) {
	case record.Series:
		if j.refs, err = j.reader.dec.Series(rec, j.refs[:0]); err == nil {
			j.series.define(j.refs, j.reader.generation)
		}
	case record.Samples, record.SamplesV2:
		if j.samples, err = j.reader.dec.Samples(rec, j.samples[:0]); err == nil {
			j.take(j.samples, fate)
		}
	case record.HistogramSamples, record.CustomBucketsHistogramSamples, record.HistogramSamplesV2:
		var h []record.RefHistogramSample
		h, err = j.reader.dec.HistogramSamples(rec, nil)
		j.leave(kindHistogram, len(h), fate)
	case record.FloatHistogramSamples, record.CustomBucketsFloatHistogramSamples, record.FloatHistogramSamplesV2:
		var h []record.RefFloatHistogramSample
		h, err = j.reader.dec.FloatHistogramSamples(rec, nil)
		j.leave(kindHistogram, len(h), fate)
	case record.Exemplars:
		var e []record.RefExemplar
		e, err = j.reader.dec.Exemplars(rec, nil)
		j.leave(kindExemplar, len(e), fate)
	case record.Unknown:
		err = errors.New("its type is unknown: it is damaged, or from a newer TSDB")
	default:
		// Metadata, tombstones and chunk markers concern the TSDB only.
	}
	if err != nil {
		j.metrics.corruptions.Inc()
		j.logger.Error("WAL record cannot be decoded and is left out", "file", j.hold.path(j.reader.seg), "record", j.reader.record, "err", err)
	}
}

func (j *journey) leave(kind string, n int, fate fate) {
	if fate == toShip {
		j.metrics.notShipped.WithLabelValues(kind).Add(float64(n))
	}
}

func (j *journey) take(samples []record.RefSample, fate fate) {
	now := j.opts.Now()
	before := j.building.samples
	var duplicates, orphans, given int
	for _, sample := range samples {
		s := j.series.byRef[sample.Ref]
		if s == nil {
			if fate == toShip {
				orphans++
			}
			continue
		}
		s.touched = j.reader.generation
		if sample.T <= s.last {
			if fate == toShip {
				duplicates++
			}
			continue
		}
		s.last = sample.T
		switch fate {
		case toShip:
			j.building.add(s, sample.T, sample.V, now)
		case givenUp:
			given++
		}
	}
	j.metrics.duplicates.Add(float64(duplicates))
	j.metrics.lost.WithLabelValues(lostToBound).Add(float64(given))
	if orphans > 0 {
		j.metrics.lost.WithLabelValues(lostNoSeries).Add(float64(orphans))
		j.logger.Error("samples refer to series that the WAL does not define; they cannot be shipped", "file", j.hold.path(j.reader.seg), "record", j.reader.record, "samples", orphans)
	}
	if before == 0 && j.building.samples > 0 && j.metrics.oldestUnshipped.Load() == 0 {
		j.metrics.oldestUnshipped.Store(j.building.oldest)
	}
}

// ship writes the intent of what was built and delivers it.
func (j *journey) ship(ctx context.Context) error {
	in := intent{
		intentHeader: intentHeader{Agent: j.checkpoint.Agent, Sequence: j.checkpoint.Sequence + 1, End: j.reader.position(), Part: j.opts.MaxBatchSamples},
		batch:        j.building.batch,
	}
	if err := j.encoder.write(j.intentPath(), in); err != nil {
		return fmt.Errorf("write the shipper's intent: %w", err)
	}
	j.building, j.spare = newBuilder(j.building.number+1, j.spare), Batch{}
	if err := j.deliver(ctx, in); err != nil {
		return err
	}
	j.spare = in.batch // which the store has, and does not keep
	return nil
}

// deliver sends an intent until the store has it, and moves the checkpoint.
func (j *journey) deliver(ctx context.Context, in intent) error {
	if j.metrics.oldestUnshipped.Load() == 0 && in.batch.Len() > 0 {
		j.metrics.oldestUnshipped.Store(slices.Min(in.batch.Time))
	}
	for i, from := 0, 0; from < in.batch.Len(); i, from = i+1, from+in.Part {
		part := in.batch.part(from, min(from+in.Part, in.batch.Len()))
		if err := j.insist(ctx, in.token(i), part); err != nil {
			return err
		}
	}
	j.checkpoint.Sequence = in.Sequence
	j.checkpoint.Position = in.End
	if in.End.before(j.given) {
		j.checkpoint.Position = j.given
	}
	if err := j.checkpoint.write(j.checkpointPath()); err != nil {
		return fmt.Errorf("write the shipper's checkpoint: %w", err)
	}
	j.metrics.batches.Inc()
	j.metrics.oldestUnshipped.Store(0)
	if j.building.samples > 0 {
		j.metrics.oldestUnshipped.Store(j.building.oldest)
	}
	if err := j.letGo(j.hold.outlived(j.reader.seg)); err != nil {
		return err
	}
	j.measure()
	return nil
}

// insist repeats one insert until it is acknowledged or ctx ends.
func (j *journey) insist(ctx context.Context, token string, b Batch) error {
	backoff := min(500*time.Millisecond, j.opts.MaxBackoff)
	var failingSince, said time.Time
	for {
		started := j.opts.Now()
		attempt, cancel := context.WithTimeout(ctx, j.opts.WriteTimeout)
		err := j.opts.Store.WriteSamples(attempt, token, b)
		cancel()
		now := j.opts.Now()
		j.metrics.insertSeconds.Observe(now.Sub(started).Seconds())
		if err == nil {
			j.metrics.storeUp.Set(1)
			j.metrics.shipped.Add(float64(b.Len()))
			j.metrics.lastSuccess.Set(float64(now.UnixMilli()) / 1000)
			if !said.IsZero() {
				j.logger.Info("the long-term store takes samples again", "away", now.Sub(failingSince).Round(time.Second).String())
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		j.metrics.storeUp.Set(0)
		j.metrics.failures.Inc()
		if failingSince.IsZero() {
			failingSince = now
		}
		if now.Sub(failingSince) >= startTime && now.Sub(said) >= repeatAfter {
			said = now
			j.logger.Error("the long-term store does not take samples; they wait on disk and the same batch is sent again",
				"token", token, "samples", b.Len(), "waiting_since", failingSince.UTC().Format(time.RFC3339), "held_bytes", j.metrics.heldBytes.Load(), "err", err)
		}
		if err := j.keepBound(); err != nil {
			return err
		}
		j.measure()
		if !sleep(ctx, jitter(backoff)) {
			return ctx.Err()
		}
		backoff = min(backoff*2, j.opts.MaxBackoff)
	}
}

// keepBound gives up the oldest unread segments while more than MaxHeldBytes are held.
// All that was read before is in the intent file, so what is given up is what follows.
func (j *journey) keepBound() error {
	for {
		_, bytes, _ := j.hold.usage(j.reader.seg)
		if bytes <= j.opts.MaxHeldBytes {
			return nil
		}
		if read := j.hold.outlived(j.reader.seg); len(read) > 0 {
			if err := j.letGo(read); err != nil {
				return err
			}
			continue
		}
		next, ok := j.hold.after(j.reader.seg)
		if oldest := j.hold.outlived(next); !ok || len(oldest) == 0 {
			return nil // the TSDB still has what is left
		}
		j.logger.Error("the disk bound of unshipped samples is reached: the oldest segment is given up, its samples will be missing in the long term (mcloud_shipper_lost_samples_total counts them); bring the store back or raise the bound",
			"segment", j.hold.path(j.reader.seg), "held_bytes", bytes, "bound_bytes", j.opts.MaxHeldBytes)
		j.given = position{Epoch: next.Epoch, Segment: next.Number}
		for given := j.reader.seg; j.reader.seg == given; {
			more, err := j.step()
			if err != nil {
				return err
			}
			if !more {
				return nil // the next call goes on
			}
		}
	}
}

// letGo releases segments that were read wholly and that the TSDB has truncated. The
// series they taught are written down first.
func (j *journey) letGo(segments []segment) error {
	if len(segments) == 0 {
		return nil
	}
	if first, _, ok := j.hold.at(0, 0); ok {
		live, err := j.series.readWALCheckpoint(j.opts.WALDir)
		if err != nil {
			j.logger.Warn("cannot read the series of the WAL checkpoint; old series are kept in memory until the next time", "err", err)
		} else {
			j.series.forget(j.generationOf(first), live)
		}
	}
	if err := j.series.write(j.seriesPath()); err != nil {
		return fmt.Errorf("write the shipper's series: %w", err)
	}
	for _, s := range segments {
		delete(j.reader.opened, s)
	}
	return j.hold.release(segments)
}

func (j *journey) generationOf(s segment) int {
	if g, ok := j.reader.opened[s]; ok {
		return g
	}
	return math.MinInt // not read in this run: forget nothing
}

// measure refreshes the gauges of the queue.
func (j *journey) measure() {
	outlived, bytes, queued := j.hold.usage(j.reader.seg)
	j.metrics.heldSegments.Store(int64(outlived))
	j.metrics.heldBytes.Store(bytes)
	j.metrics.queuedSegments.Store(int64(queued))
}
