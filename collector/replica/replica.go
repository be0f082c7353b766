// Package replica makes one stream of the samples that several collectors took of
// the same series.
//
// Each collector of a group scrapes every target, at instants of its own, and ships
// what it has under its name, in the label Label. Taken together the samples would
// count double and their distances would be wrong. So one replica is read, the first
// by name, and the others where it has a gap: a scrape that it missed, an hour in
// which its machine was down.
//
// Choosing by a fixed order and not by what was chosen before has a reason: what a
// stretch of time looks like does not depend on where a question begins, so a range
// query, its steps and the rollups agree. Thanos's penalty, which stays with a replica
// until that fails, does depend on it.
//
// Two replicas see a counter at different moments, and a scrape's sample has the time
// at which the scrape began, not that at which the target read its counter. A sample
// shortly after another replica's may therefore be smaller, which PromQL takes for a
// reset. Where the stream goes over from one replica to another, at least three eighths
// of a scrape interval lie between the two samples: as long as the replicas' clocks and
// the targets' delays differ by less, no counter falls. And a gap is filled with as many
// samples as are missing in it.
//
// A stale marker says that the target or its series went away. If another replica
// still sees the series then, it did not, and the marker is left out.
package replica

import (
	"math"
	"slices"
	"sort"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
)

// Label has the name of the replica that took a sample, in the long-term store only:
// queries neither show it nor tell series by it, and alerts do not have it.
const Label = "__replica__"

// Without returns a series' labels without the replica, whose name is the second
// result, empty when the series has none.
func Without(ls labels.Labels) (labels.Labels, string) {
	name := ls.Get(Label)
	if name == "" {
		return ls, ""
	}
	return labels.NewBuilder(ls).Del(Label).Labels(), name
}

// Stream is samples in columns: Times ascend strictly, milliseconds since 1970.
type Stream struct {
	Times  []int64
	Values []float64
}

// Merge makes one stream of several, of which the first counts where it has no gap,
// else the second, and so on. It may return one of them.
func Merge(streams ...Stream) Stream {
	var all Stream
	for _, s := range streams {
		all = merge(all, s)
	}
	return all
}

func merge(a, b Stream) Stream {
	if len(a.Times) == 0 || len(b.Times) == 0 {
		if len(a.Times) == 0 {
			return b
		}
		return a
	}
	p := pair{a: a, b: b, aReal: real(a), bReal: real(b)}
	p.least = min(usual(p.aReal), usual(p.bReal))
	return p.merged()
}

// real are the times of the samples that are no stale markers. Without markers they
// are the stream's own times.
func real(s Stream) []int64 {
	if !slices.ContainsFunc(s.Values, value.IsStaleNaN) {
		return s.Times
	}
	var times []int64
	for i, t := range s.Times {
		if !value.IsStaleNaN(s.Values[i]) {
			times = append(times, t)
		}
	}
	return times
}

// usual is a distance that hardly any two samples fall below: what is near it needs no
// closer look. It is taken from a hundred or so places.
func usual(times []int64) int64 {
	var some []int64
	for i := 1; i < len(times); i += 1 + len(times)/128 {
		some = append(some, times[i]-times[i-1])
	}
	if len(some) == 0 {
		return math.MaxInt64
	}
	slices.Sort(some)
	return some[len(some)/10]
}

// pair is two streams being merged; the first is a.
type pair struct {
	a, b         Stream
	aReal, bReal []int64
	least        int64 // of both, see usual
}

// The times before and after all samples.
const (
	before = math.MinInt64
	after  = math.MaxInt64
)

func (p *pair) merged() Stream {
	out := Stream{Times: make([]int64, 0, len(p.a.Times)), Values: make([]float64, 0, len(p.a.Times))}
	next := 0 // of b
	fill := func(from, to int64) {
		low, high, most := p.gap(from, to)
		if most == 0 {
			return
		}
		for next += sort.Search(len(p.b.Times)-next, func(i int) bool { return p.b.Times[next+i] > low }); next < len(p.b.Times) && p.b.Times[next] <= high && most > 0; next++ {
			most--
			out.Times, out.Values = append(out.Times, p.b.Times[next]), append(out.Values, p.b.Values[next])
		}
	}
	last := int64(before)
	for i, t := range p.a.Times {
		if value.IsStaleNaN(p.a.Values[i]) && p.denied(t) {
			continue
		}
		fill(last, t)
		out.Times, out.Values = append(out.Times, t), append(out.Values, p.a.Values[i])
		last = t
	}
	fill(last, after)
	return out
}

// gap tells whether samples are missing between two of a's, and where in between those
// of b stand for them: in (low, high], and how many. 0: there is no gap.
func (p *pair) gap(from, to int64) (low, high int64, most int) {
	if from == before && to == after { // a has nothing to say
		return before, after, len(p.b.Times)
	}
	begin, end := from, to
	// At either end there is a gap when b was there an interval and a half earlier, or later.
	if from == before {
		begin = p.b.Times[0]
	}
	if to == after {
		end = p.b.Times[len(p.b.Times)-1]
	}
	if end <= begin || p.least == math.MaxInt64 || end-begin <= p.least+p.least/2 {
		return 0, 0, 0
	}
	interval := p.interval(begin, end)
	if interval == 0 || end-begin <= interval+interval/2 {
		return 0, 0, 0
	}
	low, high, most = before, after, len(p.b.Times)
	if from != before {
		low = from + interval/2
	}
	if to != after {
		high = to - interval/2
	}
	if from != before && to != after {
		most = int((to-from+interval/2)/interval) - 1
		// Half an interval from both ends leaves as many samples of b as are missing, but
		// for jitter: then one lies at either end.
		if p.between(low, high) == most-1 {
			if low -= interval / 8; p.between(low, high) < most {
				high += interval / 8
			}
		}
	}
	return low, high, most
}

// between counts b's samples in (low, high].
func (p *pair) between(low, high int64) int {
	until := func(t int64) int { return sort.Search(len(p.b.Times), func(i int) bool { return p.b.Times[i] > t }) }
	return max(0, until(high)-until(low))
}

// interval is the scrape interval around a gap in a: that of the replica with the
// shorter one. 0: not known.
func (p *pair) interval(begin, end int64) int64 {
	a, b := median(p.aReal, begin, end), median(p.bReal, begin, begin)
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// median is that of the distances between four samples and the next before begin and
// as many after end.
func median(times []int64, begin, end int64) int64 {
	const some = 4
	var distances [2 * some]int64
	n := 0
	upTo := sort.Search(len(times), func(i int) bool { return times[i] > begin }) // the first after begin
	for i := upTo - 1; i > 0 && n < some; i-- {
		distances[n] = times[i] - times[i-1]
		n++
	}
	from := sort.Search(len(times), func(i int) bool { return times[i] >= end })
	for i, k := max(from, upTo-1, 0), 0; i+1 < len(times) && k < some; i, k = i+1, k+1 {
		distances[n] = times[i+1] - times[i]
		n++
	}
	if n == 0 {
		return 0
	}
	slices.Sort(distances[:n])
	return distances[n/2]
}

// denied tells whether b saw the series in the interval after a's stale marker at t.
func (p *pair) denied(t int64) bool {
	i := sort.Search(len(p.b.Times), func(i int) bool { return p.b.Times[i] >= t })
	if i == len(p.b.Times) || value.IsStaleNaN(p.b.Values[i]) {
		return false
	}
	interval := p.interval(t, t)
	return interval > 0 && p.b.Times[i]-t <= interval+interval/2
}
