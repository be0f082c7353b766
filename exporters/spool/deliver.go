package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"time"

	"mcloud"
	"mcloud/exporters"
)

const (
	// firstPause and maxPause bound the wait after a post that failed; it doubles
	// each time.
	firstPause = time.Second
	maxPause   = time.Minute
	// maxRetryAfter bounds what the collector may ask for.
	maxRetryAfter = 5 * time.Minute
	// startTime is what a collector and its store may take to start: a shorter
	// absence is no news, since what waits is on disk.
	startTime = 10 * time.Second
)

// Run posts what waits until ctx ends. What is not acknowledged by then stays
// on disk for the next start.
func (s *Spool) Run(ctx context.Context) error {
	failures, since := 0, time.Time{}
	for {
		pause := time.Duration(0)
		more, err := s.deliver(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			if failures++; failures == 1 {
				since = time.Now()
			}
			pause = wait(err, failures)
			s.failed(err, failures, since, pause)
		case failures > 0:
			s.recovered(failures, since)
			failures = 0
		}
		if err == nil && more {
			continue
		}
		if !s.sleep(ctx, pause) {
			return nil
		}
	}
}

// sleep waits for the pause, or without one for something new.
func (s *Spool) sleep(ctx context.Context, pause time.Duration) bool {
	if pause == 0 {
		select {
		case <-ctx.Done():
			return false
		case <-s.wake:
			return true
		}
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func wait(err error, failures int) time.Duration {
	var asked interface{ RetryAfter() time.Duration }
	if errors.As(err, &asked) && asked.RetryAfter() > 0 {
		return min(asked.RetryAfter(), maxRetryAfter)
	}
	pause := min(firstPause<<min(failures-1, 10), maxPause)
	return pause/2 + rand.N(pause/2+1)
}

func (s *Spool) failed(err error, failures int, since time.Time, pause time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := exporters.KindOf(err)
	s.stats.postErrors[kind]++
	if (kind == exporters.KindRefused || kind == exporters.KindServerError) && time.Since(since) < startTime {
		return
	}
	s.complain(subjectPost, "the collector does not take records; they wait on disk", "error", err.Error(),
		"failures", failures, "again_in", pause.Round(time.Second/10).String(), "files", len(s.entries), "bytes", s.bytes)
}

// subjectPost is what complain calls posts that failed.
const subjectPost = "post"

// recovered ends a failure, and says so if the failure was said.
func (s *Spool) recovered(failures int, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, said := s.said[subjectPost]; !said {
		return
	}
	delete(s.said, subjectPost) // the next one is said at once
	s.log.Info("the collector takes records again", "failures", failures, "away", time.Since(since).Round(time.Second).String())
}

// RawPoster is a Poster that takes a batch as JSON too, which saves decoding and
// encoding large ones.
type RawPoster interface {
	PostJSON(ctx context.Context, batch []byte) error
}

// deliver posts one batch and says whether more waits.
func (s *Spool) deliver(ctx context.Context) (more bool, err error) {
	defer s.posted()
	taken, batch, err := s.take()
	if err != nil || len(taken) == 0 {
		return false, err
	}
	if batch.raw != nil {
		err = s.postRaw(ctx, batch.raw)
		batch.raw = nil
	} else {
		err = s.post(ctx, batch.Batch)
	}
	switch {
	case err == nil:
		s.acknowledge(taken)
	case permanent(err), conflict(err):
		err = s.single(ctx, taken)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries) > 0, err
}

// posted ends what take began.
func (s *Spool) posted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.posting)
}

// load is what take read: a batch, or one as JSON.
type load struct {
	mcloud.Batch
	raw []byte
}

// rawFrom is the size from which a file is posted as it is.
const rawFrom = 1 << 20

// take reads the oldest files, up to a batch, but no two inventories of the same
// things in one. Torn files are moved aside. An error is one of the disk, which
// may pass.
func (s *Spool) take() (taken []entry, batch load, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys, size := s.posting, 0
	_, takesRaw := s.opts.Poster.(RawPoster)
	for _, e := range slices.Clone(s.entries) {
		if len(taken) > 0 && (size+e.Bytes > s.opts.MaxBatchBytes || keys[e.Key]) {
			break
		}
		var b mcloud.Batch
		var err error
		if takesRaw && e.Bytes >= rawFrom {
			if len(taken) > 0 {
				break // with the next post, alone
			}
			batch.raw, err = s.readRaw(e)
		} else {
			b, err = s.read(e)
		}
		switch {
		case errors.Is(err, errTorn):
			s.setAside(s.path(e.seq), err)
			s.remove(e)
			continue
		case errors.Is(err, fs.ErrNotExist):
			s.stats.refused["torn"] += float64(e.Records)
			s.log.Error("a file of the spool is gone: who deletes files there?", "file", s.path(e.seq))
			s.remove(e)
			continue
		case err != nil:
			return nil, load{}, fmt.Errorf("reading what waits on disk: %w", err)
		}
		batch.Events = append(batch.Events, b.Events...)
		batch.Inventories = append(batch.Inventories, b.Inventories...)
		taken = append(taken, e)
		if e.Key != "" {
			keys[e.Key] = true
		}
		size += e.Bytes
		if batch.raw != nil {
			break
		}
	}
	return taken, batch, nil
}

func (s *Spool) post(ctx context.Context, batch mcloud.Batch) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.PostTimeout)
	defer cancel()
	return s.opts.Poster.Post(ctx, batch)
}

func (s *Spool) postRaw(ctx context.Context, batch []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.PostTimeout)
	defer cancel()
	return s.opts.Poster.(RawPoster).PostJSON(ctx, batch)
}

// conflict says that the collector does not hold the look that an inventory is
// the difference to.
func conflict(err error) bool {
	var c interface{ Conflict() bool }
	return errors.As(err, &c) && c.Conflict()
}

func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}

func (s *Spool) acknowledge(taken []entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, e := range taken {
		s.remove(e)
		if e.Kind == kindEvents {
			s.stats.posted["event"] += float64(e.Records)
			continue
		}
		s.stats.posted["inventory"]++
		if e.Complete {
			s.acked[e.Key] = ack{hash: e.Hash, at: now, objects: e.objects, look: e.look, full: e.full}
		} else {
			delete(s.acked, e.Key) // what the store holds is no longer the last complete one
		}
	}
	s.stats.lastPost = now
}

// single posts the files of a refused batch one by one, to find the culprit.
func (s *Spool) single(ctx context.Context, taken []entry) error {
	for _, e := range taken {
		s.mu.Lock()
		batch, err := s.read(e)
		s.mu.Unlock()
		if err != nil {
			continue // replaced by a newer one meanwhile, or found torn with the next take
		}
		refused, why, err := s.bisect(ctx, batch)
		if conflict(err) {
			s.outdated(e, err)
			continue
		}
		if err != nil {
			return err
		}
		s.settle(e, refused, why)
	}
	return nil
}

// outdated drops a difference that the collector has no use for: the next look
// brings everything.
func (s *Spool) outdated(e entry, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(e)
	delete(s.acked, e.Key)
	s.stats.outdated++
	s.log.Info("the collector does not hold the last look; the next one is posted whole", "inventory", e.Key, "said", why.Error())
}

// settle ends a file whose records were all posted or refused for good.
func (s *Spool) settle(e entry, refused mcloud.Batch, why error) {
	n := len(refused.Events) + len(refused.Inventories)
	if n == 0 {
		s.acknowledge([]entry{e})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keepBad(e, refused, why)
	s.remove(e)
	s.stats.refused["rejected"] += float64(n)
	s.stats.posted["event"] += float64(e.Records - n)
}

// bisect posts a batch, dividing it while it is refused, and returns the records
// that are refused each on its own. An error ends it early; what was posted by
// then is posted again later, which changes nothing.
func (s *Spool) bisect(ctx context.Context, batch mcloud.Batch) (refused mcloud.Batch, why, err error) {
	err = s.post(ctx, batch)
	switch {
	case err == nil:
		return mcloud.Batch{}, nil, nil
	case !permanent(err):
		return mcloud.Batch{}, nil, err
	case len(batch.Events) <= 1:
		return batch, fmt.Errorf("%d events, %d inventories: %w", len(batch.Events), len(batch.Inventories), err), nil
	}
	half := len(batch.Events) / 2
	for _, part := range [][]mcloud.Event{batch.Events[:half], batch.Events[half:]} {
		bad, badWhy, err := s.bisect(ctx, mcloud.Batch{Events: part})
		if err != nil {
			return mcloud.Batch{}, nil, err
		}
		refused.Events = append(refused.Events, bad.Events...)
		if badWhy != nil {
			why = badWhy
		}
	}
	return refused, why, nil
}
