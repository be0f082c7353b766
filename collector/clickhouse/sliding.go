package clickhouse

import (
	"errors"
	"math"
)

// gathering is what is gathered for a call: into which buckets, for which windows, and
// by which function.
type gathering struct {
	windows windows
	buckets buckets
	f       overTime
}

// sliding puts a series' windows together from its buckets, which come in order, as soon
// as it has them.
type sliding struct {
	held []numbered // buckets of windows that are not done
	keep bool       // all buckets are held: others than this one do the windows
	next int        // the first window that is not done
	done series
	// inexact is why a window's value is not what Prometheus computes; the series then
	// takes nothing more.
	inexact error
	open    numbered // the bucket that samples are taken into
	last    int64    // the time of the last of them
	end     int64    // of the open bucket: its last instant
}

type numbered struct {
	bucket int
	gathered
}

// count is the number of windows.
func (w windows) count() int {
	if w.step == 0 {
		return 1
	}
	return int((w.end-w.start)/w.step) + 1
}

// add takes the next bucket.
func (s *sliding) add(g *gathering, bucket int, of gathered) {
	s.until(g, bucket)
	s.held = append(s.held, numbered{bucket, of})
}

// take takes the next samples, and returns how many buckets they began. One of the same
// time as the last is the same sample.
func (s *sliding) take(g *gathering, at []int64, values []float64) (begun int) {
	for i, t := range at {
		switch {
		case s.open.n > 0 && t <= s.last:
			continue
		case s.open.n == 0 || t > s.end:
			s.close(g)
			bucket, end := g.bucket(t)
			if bucket < 0 {
				continue
			}
			s.open.bucket, s.end = bucket, end
			begun++
		}
		s.last = t
		g.f.take(&s.open.gathered, t, values[i])
	}
	return begun
}

// close ends the bucket that samples are taken into.
func (s *sliding) close(g *gathering) {
	if s.open.n > 0 {
		s.add(g, s.open.bucket, s.open.gathered)
		s.open = numbered{}
	}
}

// bucket is the number of a sample's bucket and its last instant; -1 between windows.
func (g *gathering) bucket(at int64) (number int, end int64) {
	from := g.windows.start - g.windows.length
	distance := g.buckets.distance()
	k := (at - from - 1) / distance
	begin := from + k*distance
	if at > begin+g.buckets.width {
		return -1, 0
	}
	return int(k), begin + g.buckets.width
}

// finish does all windows that are left.
func (s *sliding) finish(g *gathering) {
	s.close(g)
	s.until(g, math.MaxInt)
}

// until does the windows that end before a bucket.
func (s *sliding) until(g *gathering, bucket int) {
	if s.keep {
		return
	}
	w, b := g.windows, g.buckets
	for n := w.count(); s.next < n && s.next*b.stride+b.count <= bucket && s.inexact == nil; s.next++ {
		first := s.next * b.stride
		from := 0
		for from < len(s.held) && s.held[from].bucket < first {
			from++
		}
		if from > 0 { // in place: what is held is as little as a window
			s.held = s.held[:copy(s.held, s.held[from:])]
		}
		if len(s.held) == 0 {
			// Nothing is there for the windows up to the bucket.
			if bucket == math.MaxInt {
				s.next = n
			} else if k := (bucket - b.count) / b.stride; bucket >= b.count {
				s.next = max(s.next, k)
			}
			continue
		}
		to := 0
		for to < len(s.held) && s.held[to].bucket < first+b.count {
			to++
		}
		if to == 0 {
			continue
		}
		t := w.start + int64(s.next)*w.step
		v, is, err := g.f.result(added(s.held[:to], g.f.add), t-w.length, t)
		switch {
		case errors.Is(err, ErrInexact):
			s.inexact, s.held = err, nil
		case is:
			if s.done.times == nil {
				room := min(n-s.next, 512)
				s.done.times, s.done.values = make([]int64, 0, room), make([]float64, 0, room)
			}
			s.done.times, s.done.values = append(s.done.times, t), append(s.done.values, v)
		}
	}
	if s.inexact != nil {
		s.held = nil
	}
}
