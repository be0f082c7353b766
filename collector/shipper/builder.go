package shipper

import (
	"math"
	"time"
)

// builder gathers samples into a batch.
type builder struct {
	number  uint64 // unique in the process, never 0
	batch   Batch
	since   time.Time // when the first sample came
	oldest  int64     // earliest sample time, milliseconds
	samples int
}

// newBuilder builds in the memory of a batch that nobody needs any more.
func newBuilder(number uint64, spare Batch) *builder {
	clear(spare.Series)
	return &builder{number: number, oldest: math.MaxInt64, batch: Batch{Series: spare.Series[:0], Ref: spare.Ref[:0], Time: spare.Time[:0], Value: spare.Value[:0]}}
}

func (b *builder) add(s *series, t int64, v float64, now time.Time) {
	if s.batch != b.number {
		s.batch, s.index = b.number, uint32(len(b.batch.Series))
		b.batch.Series = append(b.batch.Series, s.labels)
	}
	if b.samples == 0 {
		b.since = now
	}
	b.samples++
	b.oldest = min(b.oldest, t)
	b.batch.Ref = append(b.batch.Ref, s.index)
	b.batch.Time = append(b.batch.Time, t)
	b.batch.Value = append(b.batch.Value, v)
}

// due tells whether to send now rather than wait for more samples.
func (b *builder) due(now time.Time, most int, wait time.Duration) bool {
	return b.samples >= most || b.samples > 0 && now.Sub(b.since) >= wait
}
