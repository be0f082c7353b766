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
	of  map[uint64]*contest // by id
	all []*contest
	set []*series // answers of series with one replica
}

// contest is the replicas of one series.
type contest struct {
	labels   labels.Labels
	ids      int
	replicas []candidate
}

type candidate struct {
	name string
	held []numbered // what the store gathered, by bucket
}

// newChooser takes the stored labels of all series by id.
func newChooser(found map[uint64]labels.Labels) *chooser {
	c := &chooser{of: make(map[uint64]*contest, len(found))}
	same := map[uint64][]*contest{}
	for id, stored := range found {
		ls, _ := replica.Without(stored)
		h := ls.Hash()
		at := slices.IndexFunc(same[h], func(o *contest) bool { return labels.Equal(o.labels, ls) })
		if at < 0 {
			at = len(same[h])
			same[h] = append(same[h], &contest{labels: ls})
		}
		c.of[id] = same[h][at]
		c.of[id].ids++
	}
	return c
}

// contested tells whether some series has several replicas.
func (c *chooser) contested() bool {
	for _, o := range c.of {
		if o.ids > 1 {
			return true
		}
	}
	return false
}

// add takes what was gathered of one stored series, and leaves s empty.
func (c *chooser) add(id uint64, stored labels.Labels, s *sliding) error {
	o := c.of[id]
	if o.ids == 1 {
		answer, err := s.finish()
		answer.named(o.labels)
		c.set = append(c.set, answer)
		return err
	}
	if len(o.replicas) == 0 {
		c.all = append(c.all, o)
	}
	o.replicas = append(o.replicas, candidate{stored.Get(replica.Label), slices.Clone(s.held)})
	s.held = s.held[:0]
	return nil
}

// series returns those that have a value in some window, with the metric's name or not.
func (c *chooser) series(s sliding) ([]storage.Series, error) {
	for _, o := range c.all {
		answer, err := o.answer(s)
		if err != nil {
			return nil, err
		}
		answer.named(o.labels)
		c.set = append(c.set, answer)
	}
	var set []storage.Series
	for _, one := range c.set {
		if len(one.times) == 0 {
			continue
		}
		if !s.f.named {
			one.labels = labels.NewBuilder(one.labels).Del(model.MetricNameLabel).Labels()
		}
		set = append(set, one)
	}
	return set, nil
}

func (s *series) named(ls labels.Labels) {
	if s != nil {
		s.labels = ls
	}
}

// answer is the value of each window.
func (o *contest) answer(s sliding) (*series, error) {
	slices.SortFunc(o.replicas, func(a, b candidate) int { return strings.Compare(a.name, b.name) })
	w, out := s.windows, &series{}
	from, parts := make([]int, len(o.replicas)), make([][]numbered, len(o.replicas))
	for k, t := 0, w.start; t <= w.end; k, t = k+1, t+w.step {
		first := k * s.buckets.stride
		for i, r := range o.replicas {
			for from[i] < len(r.held) && r.held[from[i]].bucket < first {
				from[i]++
			}
			to := from[i]
			for to < len(r.held) && r.held[to].bucket < first+s.buckets.count {
				to++
			}
			parts[i] = r.held[from[i]:to]
		}
		if part := chosen(parts); len(part) > 0 {
			v, is, err := s.f.result(added(part, s.f.add), t-w.length, t)
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
