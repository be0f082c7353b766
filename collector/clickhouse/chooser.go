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
// scrape's jitter away. When all have gaps in one window it is the best of them.
type chooser struct {
	windows windows
	of      map[uint64]*contest // by id
	all     []*contest
}

// contest is the replicas of one series.
type contest struct {
	labels   labels.Labels
	ids      int
	replicas []candidate
}

type candidate struct {
	name    string
	answer  *series
	samples []uint64 // of each window, as far as there are any
}

// newChooser takes the stored labels of all series by id.
func newChooser(w windows, found map[uint64]labels.Labels) *chooser {
	c := &chooser{windows: w, of: make(map[uint64]*contest, len(found))}
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

// add takes what the windows of one stored series gave, and the number of samples in them.
func (c *chooser) add(id uint64, stored labels.Labels, answer *series, samples []uint64) {
	o := c.of[id]
	if len(o.replicas) == 0 {
		c.all = append(c.all, o)
	}
	if o.ids == 1 {
		samples = nil // nobody asks
	}
	o.replicas = append(o.replicas, candidate{stored.Get(replica.Label), answer, slices.Clone(samples)})
}

// series returns those that have a value in some window, with the metric's name or not.
func (c *chooser) series(named bool) []storage.Series {
	var set []storage.Series
	for _, one := range c.all {
		s := one.answer(c.windows)
		if len(s.times) == 0 {
			continue
		}
		if s.labels = one.labels; !named {
			s.labels = labels.NewBuilder(one.labels).Del(model.MetricNameLabel).Labels()
		}
		set = append(set, s)
	}
	return set
}

func (o *contest) answer(w windows) *series {
	if len(o.replicas) == 1 {
		return o.replicas[0].answer
	}
	slices.SortFunc(o.replicas, func(a, b candidate) int { return strings.Compare(a.name, b.name) })
	out := &series{}
	next := make([]int, len(o.replicas)) // of the answers
	for k, t := 0, w.start; t <= w.end; k, t = k+1, t+w.step {
		most := uint64(0)
		for _, r := range o.replicas {
			if k < len(r.samples) {
				most = max(most, r.samples[k])
			}
		}
		chosen := most == 0
		for i, r := range o.replicas {
			has := next[i] < len(r.answer.times) && r.answer.times[next[i]] == t
			if !chosen && k < len(r.samples) && r.samples[k] > 0 && r.samples[k]+1 >= most {
				chosen = true
				if has {
					out.times, out.values = append(out.times, t), append(out.values, r.answer.values[next[i]])
				}
			}
			if has {
				next[i]++
			}
		}
		if w.step == 0 {
			break
		}
	}
	return out
}
