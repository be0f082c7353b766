package clickhouse

import (
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"mcloud/collector/replica"
)

// chooser answers each window of a series from one of its replicas: the first by name,
// which is the one that package replica reads too, unless another has more samples in
// the window. One more says nothing: their scrapes lie differently in it.
//
// Where the first replica has no gap in a window, this is to the sample what merging
// the samples gives. Where it has one, the answer is that of a replica without, a
// scrape's jitter away. When all have gaps in one window it is put together from their
// buckets, if these are long enough for a scrape more or less to say nothing.
type chooser struct {
	gathering
	of  map[uint64]*stream // by id
	all []*contest
}

// stream is what is gathered of one stored series.
type stream struct {
	sliding
	id      uint64
	replica string
	of      *contest
}

// contest is the replicas of one series, or the one that it has.
type contest struct {
	labels   labels.Labels
	replicas []*stream
}

// newChooser takes the stored labels of all series by id.
func newChooser(found map[uint64]labels.Labels) *chooser {
	c := &chooser{of: make(map[uint64]*stream, len(found))}
	same := make(map[uint64][]*contest, len(found))
	streams := make([]stream, len(found))
	for id, stored := range found {
		ls, _ := replica.Without(stored)
		h := ls.Hash()
		at := slices.IndexFunc(same[h], func(o *contest) bool { return labels.Equal(o.labels, ls) })
		if at < 0 {
			at = len(same[h])
			one := &contest{labels: ls}
			same[h] = append(same[h], one)
			c.all = append(c.all, one)
		}
		one := &streams[len(c.of)]
		one.id, one.replica, one.of = id, stored.Get(replica.Label), same[h][at]
		one.of.replicas = append(one.of.replicas, one)
		c.of[id] = one
	}
	for _, s := range c.of {
		s.keep = len(s.of.replicas) > 1
	}
	return c
}

// contested tells whether some series has several replicas.
func (c *chooser) contested() bool {
	return slices.ContainsFunc(c.all, func(o *contest) bool { return len(o.replicas) > 1 })
}

// add takes the next bucket of a stored series, in order.
func (c *chooser) add(id uint64, bucket int, g gathered) {
	if s := c.of[id]; s != nil { // else it appeared between two statements
		s.add(&c.gathering, bucket, g)
	}
}

// inexact are the ids of the series for which the store has rounded too much.
func (c *chooser) inexact() []uint64 {
	var ids []uint64
	for _, o := range c.all {
		for _, s := range o.replicas {
			if s.finish(&c.gathering); s.inexact != nil {
				ids = append(ids, s.id)
			}
		}
	}
	return ids
}

// again forgets what was gathered of a stored series.
func (c *chooser) again(id uint64) {
	s := c.of[id]
	s.sliding = sliding{keep: s.keep}
}

// series returns those that have a value in some window, with the metric's name or not.
func (c *chooser) series() ([]storage.Series, error) {
	set := make([]storage.Series, 0, len(c.all))
	var b *labels.Builder
	for _, o := range c.all {
		answer, err := o.answer(&c.gathering)
		if err != nil {
			return nil, err
		}
		if len(answer.times) == 0 {
			continue
		}
		if answer.labels = o.labels; !c.f.named {
			if b == nil {
				b = labels.NewBuilder(o.labels)
			}
			b.Reset(o.labels)
			answer.labels = b.Del(model.MetricNameLabel).Labels()
		}
		set = append(set, answer)
	}
	return set, nil
}

// answer is the value of each window.
func (o *contest) answer(g *gathering) (*series, error) {
	if len(o.replicas) == 1 {
		one := &o.replicas[0].sliding
		one.finish(g)
		return &one.done, one.inexact
	}
	slices.SortFunc(o.replicas, func(a, b *stream) int { return strings.Compare(a.replica, b.replica) })
	w, out := g.windows, &series{}
	from, parts := make([]int, len(o.replicas)), make([][]numbered, len(o.replicas))
	for k, t := 0, w.start; t <= w.end; k, t = k+1, t+w.step {
		first := k * g.buckets.stride
		for i, r := range o.replicas {
			for from[i] < len(r.held) && r.held[from[i]].bucket < first {
				from[i]++
			}
			to := from[i]
			for to < len(r.held) && r.held[to].bucket < first+g.buckets.count {
				to++
			}
			parts[i] = r.held[from[i]:to]
		}
		if part := chosen(parts); len(part) > 0 {
			v, is, err := g.f.result(added(part, g.f.add), t-w.length, t)
			if err != nil {
				return nil, err
			}
			if is {
				out.times, out.values = append(out.times, t), append(out.values, v)
			}
		}
		if w.step == 0 {
			break
		}
	}
	return out, nil
}

// enough samples in a bucket on average, for one more or less to say nothing.
const enough = 10

// chosen is what a window is computed from, given the buckets of each replica.
func chosen(replicas [][]numbered) []numbered {
	best, most, present := -1, uint64(0), 0
	for _, part := range replicas {
		most = max(most, samplesOf(part))
		if len(part) > 0 {
			present++
		}
	}
	for i, part := range replicas {
		if n := samplesOf(part); best < 0 && n > 0 && n+1 >= most {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	part := replicas[best]
	if present < 2 || most < enough*uint64(len(part)) {
		return part
	}
	// Together they must have noticeably more: else the one is whole.
	if joint := joined(replicas); 100*samplesOf(joint) > 102*(most+1) {
		return joint
	}
	return part
}

func samplesOf(part []numbered) (n uint64) {
	for _, b := range part {
		n += b.n
	}
	return n
}

// joined takes each bucket from the first replica that has as many samples in it as any,
// but for one.
func joined(replicas [][]numbered) []numbered {
	var all []numbered
	at := make([]int, len(replicas))
	last := -1
	for {
		number, most := -1, uint64(0)
		for i, part := range replicas {
			if at[i] == len(part) {
				continue
			}
			switch b := part[at[i]]; {
			case number < 0 || b.bucket < number:
				number, most = b.bucket, b.n
			case b.bucket == number:
				most = max(most, b.n)
			}
		}
		if number < 0 {
			return all
		}
		taken := false
		for i, part := range replicas {
			if at[i] == len(part) || part[at[i]].bucket != number {
				continue
			}
			b := part[at[i]]
			at[i]++
			if taken || b.n+1 < most {
				continue
			}
			if taken = true; len(all) > 0 && last != i {
				b.gathered = b.after(all[len(all)-1].gathered)
			}
			all, last = append(all, b), i
		}
	}
}

// after is what follows that of another replica. When their scrapes lie closer together
// than those of one do, a smaller value is no reset of a counter: see package replica.
func (g gathered) after(other gathered) gathered {
	if g.firstAt == 0 || g.n < 2 || g.x >= other.y {
		return g // not of a rate, or fine
	}
	interval := (g.lastAt - g.firstAt) / int64(g.n-1)
	if g.firstAt-other.lastAt < interval*3/8 {
		g.x = other.y
	}
	return g
}

func added(part []numbered, add func(a, b gathered) gathered) gathered {
	sum := part[0].gathered
	for _, b := range part[1:] {
		sum = add(sum, b.gathered)
	}
	return sum
}

// finer divides windows that are one bucket each, and without gaps in between, so that
// replicas can be put together within a window.
func (b buckets) finer(w windows) buckets {
	if b.count > 1 || w.step != 0 && w.start != w.end && w.length != w.step {
		return b
	}
	for _, n := range []int64{24, 12, 10, 7, 6, 5, 4, 3, 2} {
		if width := w.length / n; w.length%n == 0 && width%300_000 == 0 && (width%3600_000 == 0 || w.length%3600_000 != 0) {
			return buckets{width: width, count: int(n), stride: int(n)}
		}
	}
	return b
}
