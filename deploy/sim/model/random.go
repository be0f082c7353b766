package model

import (
	"fmt"
	"math"
	"time"
)

// uuid draws a random UUID (RFC 9562 version 4) from the World's own stream.
func (w *World) uuid() string {
	a, b := w.rand.Uint64(), w.rand.Uint64()
	a = a&^0xf000 | 0x4000
	b = b&^(3<<62) | 1<<63
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffffffffffff)
}

// hexID draws an id as Keystone gives them: 32 hex digits.
func (w *World) hexID() string {
	return fmt.Sprintf("%016x%016x", w.rand.Uint64(), w.rand.Uint64())
}

func (w *World) mac() string {
	x := w.rand.Uint32()
	return fmt.Sprintf("fa:16:3e:%02x:%02x:%02x", x>>16&0xff, x>>8&0xff, x&0xff)
}

// poisson draws the number of events when mean are expected; mean is at most
// a few hundred here, so Knuth's product is cut into pieces below underflow.
func (w *World) poisson(mean float64) int {
	n := 0
	for ; mean > 30; mean -= 30 {
		n += w.poisson(30)
	}
	if mean <= 0 {
		return n
	}
	limit, product := math.Exp(-mean), w.rand.Float64()
	for product > limit {
		n++
		product *= w.rand.Float64()
	}
	return n
}

// lifetime draws an exponentially distributed time.
func (w *World) lifetime(mean time.Duration) time.Duration {
	d := time.Duration(w.rand.ExpFloat64() * float64(mean))
	return min(d, 20*mean).Truncate(time.Second)
}

// within draws a whole second of the time from from, exclusive, to from+d, inclusive.
func (w *World) within(from time.Time, d time.Duration) time.Time {
	return from.Add(time.Duration(1+w.rand.Int64N(int64(max(d/time.Second, 1)))) * time.Second)
}

// working says how busy people are at t, about 1 on average over a week:
// Monday to Friday from 7 to 17 UTC with a dip at noon, little at night and on
// Saturday and Sunday.
func working(t time.Time) float64 {
	hour := float64(t.Hour()) + float64(t.Minute())/60
	day := 0.35 + 2.6*math.Exp(-math.Pow((hour-12)/4.2, 2)) - 0.4*math.Exp(-math.Pow((hour-12.3)/0.8, 2))
	if wd := t.Weekday(); wd == time.Saturday || wd == time.Sunday {
		day *= 0.35
	}
	return day
}

// pick draws an index with probability proportional to weights.
func (w *World) pick(weights []float64) int {
	var sum float64
	for _, x := range weights {
		sum += x
	}
	at := w.rand.Float64() * sum
	for i, x := range weights {
		if at < x {
			return i
		}
		at -= x
	}
	return len(weights) - 1
}
