package forecast

import (
	"fmt"
	"math"
	"slices"
)

// bank runs the models that a series allows from the same origins: the rolling
// backtest and, as the last origin, the forecast itself.
type bank struct {
	y       []float64
	origins []int // ascending, the last is len(y)
	steps   []int // by origin
	periods []int

	names []string
	paths [][][]float64 // by model, origin and step
}

// names of seasons in models: "[24]".
func marked(name string, periods ...int) string {
	if len(periods) == 0 {
		return name
	}
	return fmt.Sprint(name, periods)
}

// runModels fits and rolls every model.
func runModels(y []float64, origins []int, steps []int, periods []int) *bank {
	b := &bank{y: y, origins: origins, steps: steps, periods: periods}
	b.add("naive", func(origin int, out []float64) { fillWith(out, y[origin-1]) })
	b.add("drift", func(origin int, out []float64) {
		slope := (y[origin-1] - y[0]) / float64(max(1, origin-1))
		for h := range out {
			out[h] = y[origin-1] + slope*float64(h+1)
		}
	})
	for _, p := range periods {
		if origins[0] >= p {
			b.add(marked("seasonal naive", p), func(origin int, out []float64) {
				for h := range out {
					out[h] = y[origin-p+h%p]
				}
			})
		}
	}
	b.family("", y)
	if least := slices.Min(y); least > 0 {
		logs := make([]float64, len(y))
		for i, v := range y {
			logs[i] = math.Log(v)
		}
		from := len(b.names)
		b.family("log ", logs)
		top := math.Log(slices.Max(y)) + math.Log(slices.Max(y)/least) + 1
		for _, byOrigin := range b.paths[from:] {
			for _, path := range byOrigin {
				for h, v := range path {
					path[h] = math.Exp(math.Min(v, top))
				}
			}
		}
	}
	b.bound()
	return b
}

// bound keeps every path within one range of the history of its values, and at or
// above zero where those were.
func (b *bank) bound() {
	for k, origin := range b.origins {
		low, high := slices.Min(b.y[:origin]), slices.Max(b.y[:origin])
		span := high - low
		floor, roof := low-span, high+span
		if low >= 0 {
			floor = math.Max(0, floor)
		}
		for _, byOrigin := range b.paths {
			for h, v := range byOrigin[k] {
				if math.IsNaN(v) {
					continue
				}
				byOrigin[k][h] = math.Max(floor, math.Min(roof, v))
			}
		}
	}
}

func (b *bank) room(name string) [][]float64 {
	b.names = append(b.names, name)
	total := 0
	for _, n := range b.steps {
		total += n
	}
	all := make([]float64, total)
	byOrigin := make([][]float64, len(b.origins))
	for k, n := range b.steps {
		byOrigin[k], all = all[:n:n], all[n:]
	}
	b.paths = append(b.paths, byOrigin)
	return byOrigin
}

func (b *bank) add(name string, predict func(origin int, out []float64)) {
	byOrigin := b.room(name)
	for k, origin := range b.origins {
		predict(origin, byOrigin[k])
	}
}

// family adds the models that have parameters, of the values y or their logarithms.
func (b *bank) family(prefix string, y []float64) {
	if len(b.periods) < 2 { // with two seasons a trend without any foresees nothing
		b.smooth(prefix+"damped trend", y, new(dampedETS), nil)
		b.smooth(prefix+"theta", y, new(dynamicTheta), nil)
	}
	if len(b.periods) > 0 {
		b.smooth(prefix+marked("damped trend", b.periods...), y, new(dampedETS), b.periods)
		b.smooth(prefix+marked("theta", b.periods...), y, new(dynamicTheta), b.periods)
	}
	for _, a := range autoregressions(b.periods) {
		paths := make([][][]float64, len(a.members))
		for m := range a.members {
			paths[m] = b.room(prefix + a.names[m])
		}
		a.roll(y, b.origins, paths)
	}
}

// smooth adds one smoother: its parameters and seasons are those of the part
// before the first origin for the backtest, and of everything for the forecast.
func (b *bank) smooth(name string, y []float64, s smoother, periods []int) {
	byOrigin := b.room(name)
	last := len(b.origins) - 1
	part := func(known int, origins []int, out [][]float64) {
		if known < leastSmoothed {
			for _, o := range out {
				fillWith(o, math.NaN())
			}
			return
		}
		d := decompose(y[:known], periods)
		rest := y
		if len(d.periods) > 0 {
			rest = d.adjusted(y)
		}
		s.fit(rest[:known])
		s.walk(rest, origins, out)
		if len(d.periods) > 0 {
			for k, origin := range origins {
				for h := range out[k] {
					out[k][h] += d.at(origin + h)
				}
			}
		}
	}
	if last > 0 {
		part(b.origins[0], b.origins[:last], byOrigin[:last])
	}
	part(b.origins[last], b.origins[last:], byOrigin[last:])
}

// autoregressions are the families for no, one or two seasons.
func autoregressions(periods []int) []autoregression {
	switch len(periods) {
	case 0:
		return []autoregression{
			{members: [][]int{upTo(3), upTo(8)}, names: []string{"AR(3)", "AR(8)"}},
			{diffs: []int{1}, members: [][]int{upTo(4), upTo(13)}, names: []string{"ARI(4,1)", "ARI(13,1)"}},
		}
	case 1:
		p := periods[0]
		near := lagSet(upTo(4), []int{p - 1, p, p + 1, p + 2})
		far := lagSet(upTo(5), []int{p / 4, p / 2, p - 1, p, p + 1, p + 2, 2*p - 1, 2 * p, 2*p + 1})
		return []autoregression{
			{diffs: []int{1}, members: [][]int{upTo(4), upTo(13)}, names: []string{"ARI(4,1)", "ARI(13,1)"}},
			{members: [][]int{near, far}, names: []string{marked("AR short", p), marked("AR long", p)}},
			{diffs: []int{1}, members: [][]int{lagSet(upTo(5), []int{p / 4, p / 2, p - 1, p, p + 1, 2 * p})}, names: []string{marked("ARI", p)}},
			{diffs: []int{p}, members: [][]int{lagSet(upTo(4), []int{p, p + 1})}, names: []string{marked("seasonal ARI", p)}},
		}
	}
	p, q := periods[0], periods[1]
	around := []int{q - 1, q, q + 1, q + 2}
	var multiples []int
	for k := 3 * p; k < q-1; k += p {
		multiples = append(multiples, k)
	}
	long := lagSet(upTo(3), []int{p - 1, p, p + 1, p + 2, 2*p - 1, 2 * p, 2*p + 1}, multiples, around)
	full := lagSet(upTo(min(p+2, 30)), []int{2 * p, 2*p + 1}, multiples, []int{q - 1, q, q + 1})
	return []autoregression{
		{members: [][]int{long, full}, names: []string{marked("AR long", p, q), marked("AR full", p, q)}},
		{diffs: []int{p}, members: [][]int{lagSet(upTo(3), []int{p, p + 1, 2 * p, 2*p + 1}, multiples, []int{q, q + 1})}, names: []string{marked("seasonal ARI", p, q)}},
		{diffs: []int{q}, members: [][]int{lagSet(upTo(2), []int{p, p + 1})}, names: []string{marked("seasonal ARI", q)}},
		{diffs: []int{1}, members: [][]int{lagSet(upTo(3), []int{p - 1, p, p + 1, 2 * p}, multiples, []int{q - 1, q, q + 1})}, names: []string{marked("ARI", p, q)}},
	}
}

func upTo(n int) []int {
	lags := make([]int, n)
	for i := range lags {
		lags[i] = i + 1
	}
	return lags
}

// lagSet is the lags of all sets that are at least 1, each once, ascending.
func lagSet(sets ...[]int) []int {
	all := slices.Concat(sets...)
	all = slices.DeleteFunc(all, func(lag int) bool { return lag < 1 })
	slices.Sort(all)
	return slices.Compact(all)
}
