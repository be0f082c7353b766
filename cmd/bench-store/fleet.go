package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/prometheus/prometheus/model/labels"
)

// fleet is series as exporters give them: 30 % counters that grow unevenly, 15 %
// that hardly ever do, 15 % of processor seconds, 20 % gauges that stay, 20 % that do
// not; a tenth of the targets is scraped some milliseconds early or late. Prometheus takes
// about as many bytes a sample for them as it says it does for most people's.
type fleet struct {
	series []labels.Labels
	state  []float64
	random *rand.Rand
}

func newFleet(n int) *fleet {
	f := &fleet{random: rand.New(rand.NewPCG(3, uint64(n))), state: make([]float64, n)}
	for i := range n {
		f.state[i] = float64(f.random.IntN(1_000_000))
		f.series = append(f.series, labels.FromStrings(
			"__name__", fmt.Sprintf("fleet_metric_%03d", i%100), "cloud", "region-one", "host", fmt.Sprintf("compute-%05d", i/100),
			"instance", fmt.Sprintf("compute-%05d:9100", i/100), "job", "node", "zone", fmt.Sprintf("az-%d", i%3)))
	}
	return f
}

// next is the value of series i at the scrape due at t, and the time it has.
func (f *fleet) next(i int, t int64) (int64, float64) {
	v := &f.state[i]
	r := f.random
	switch kind := i % 20; { // all series of a metric are alike
	case kind < 6:
		*v += float64(r.IntN(200))
	case kind < 9:
		if r.IntN(50) == 0 {
			*v++
		}
	case kind < 12:
		*v = math.Round(*v*100+float64(1200+r.IntN(300))) / 100
	case kind < 16:
	default:
		*v = math.Round(math.Max(0, *v+r.NormFloat64()*30)*10) / 10
	}
	offset := int64(i / 100 * 7919 % 15000)
	if i/100%10 == 0 {
		offset += int64(r.IntN(7)) - 3
	}
	return t + offset, *v
}
