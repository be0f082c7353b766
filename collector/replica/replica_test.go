package replica

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
)

const (
	second   = 1000
	interval = 15 * second
)

var stale = math.Float64frombits(value.StaleNaN)

// stream is written as seconds; a minus means a stale marker. Values are the seconds
// plus of.
func stream(of float64, seconds ...int) Stream {
	var s Stream
	for _, t := range seconds {
		v := of + math.Abs(float64(t))
		if t < 0 {
			t, v = -t, stale
		}
		s.Times, s.Values = append(s.Times, int64(t)*second), append(s.Values, v)
	}
	return s
}

// text writes a stream of the test's replicas a, b and c, which add 0, 0.1 and 0.2.
func text(s Stream) string {
	var out []string
	for i, t := range s.Times {
		name := "!"
		if !value.IsStaleNaN(s.Values[i]) {
			name = string("abc"[int(math.Round((s.Values[i]-math.Floor(s.Values[i]))*10))])
		}
		out = append(out, fmt.Sprintf("%s%d", name, t/second))
	}
	return fmt.Sprint(out)
}

func TestMerge(t *testing.T) {
	for _, c := range []struct {
		name    string
		a, b, c []int
		want    string
	}{
		{name: "nothing", want: "[]"},
		{name: "one", a: []int{0, 15, 30}, want: "[a0 a15 a30]"},
		{name: "only the second", b: []int{7, 22}, want: "[b7 b22]"},
		{name: "both whole", a: []int{0, 15, 30, 45}, b: []int{7, 22, 37, 52}, want: "[a0 a15 a30 a45]"},
		{name: "both at the same times", a: []int{0, 15, 30, 45}, b: []int{0, 15, 30, 45}, want: "[a0 a15 a30 a45]"},
		{name: "a scrape missed", a: []int{0, 15, 45, 60}, b: []int{8, 23, 38, 53}, want: "[a0 a15 b23 a45 a60]"},
		{name: "missed, little later", a: []int{0, 15, 45, 60}, b: []int{1, 16, 31, 46, 61}, want: "[a0 a15 b31 a45 a60]"},
		{name: "missed, little earlier", a: []int{0, 15, 45, 60}, b: []int{14, 29, 44, 59}, want: "[a0 a15 b29 a45 a60]"},
		{name: "every second one missed", a: []int{0, 30, 60, 90}, b: []int{8, 23, 38, 53, 68, 83}, want: "[a0 b8 a30 b38 a60 b68 a90]"},
		{name: "down and up again", a: []int{0, 15, 75, 90}, b: []int{10, 25, 40, 55, 70, 85}, want: "[a0 a15 b25 b40 b55 a75 a90]"},
		{name: "fails for good", a: []int{0, 15, 30}, b: []int{7, 22, 37, 52, 67}, want: "[a0 a15 a30 b52 b67]"},
		{name: "begins later", a: []int{60, 75, 90}, b: []int{7, 22, 37, 52, 67, 82}, want: "[b7 b22 b37 b52 a60 a75 a90]"},
		{name: "begins little later", a: []int{20, 35, 50}, b: []int{3, 18, 33, 48}, want: "[a20 a35 a50]"},
		{name: "one short distance", a: []int{20, 23, 38, 53}, b: []int{3, 18, 33, 48}, want: "[a20 a23 a38 a53]"},
		{name: "ends alike", a: []int{0, 15, 30}, b: []int{7, 22, 37}, want: "[a0 a15 a30]"},
		{name: "both down", a: []int{0, 15, 90, 105}, b: []int{7, 22, 82, 97}, want: "[a0 a15 b82 a90 a105]"},
		{name: "three", a: []int{0, 15, 120, 135}, b: []int{5, 20, 35, 50, 125}, c: []int{10, 25, 40, 55, 70, 85, 100, 115, 130}, want: "[a0 a15 b35 b50 c70 c85 c100 a120 a135]"},
		{name: "the second down as well", a: []int{0, 15, 120, 135}, b: []int{5, 20, 125, 140}, c: []int{10, 25, 40, 55, 70, 85, 100, 115, 130}, want: "[a0 a15 c25 c40 c55 c70 c85 c100 a120 a135]"},
		{name: "another scrape interval", a: []int{0, 15, 30, 45, 60, 120, 180, 240, 300, 360}, b: []int{7, 22, 37, 52, 67, 127, 187, 247, 307, 367},
			want: "[a0 a15 a30 a45 a60 a120 a180 a240 a300 a360]"},
		{name: "gone, as both say", a: []int{0, 15, 30, -45}, b: []int{7, 22, -37}, want: "[a0 a15 a30 !45]"},
		{name: "gone and back", a: []int{0, 15, 30, -45, 300, 315}, b: []int{10, 25, 40, -55, 295, 310}, want: "[a0 a15 a30 !45 !55 a300 a315]"},
		{name: "the first cannot reach the target", a: []int{0, 15, 30, -45}, b: []int{9, 24, 39, 54, 69, 84}, want: "[a0 a15 a30 b39 b54 b69 b84]"},
		{name: "and it is gone after that", a: []int{0, 15, 30, -45}, b: []int{9, 24, 39, 54, 69, -84}, want: "[a0 a15 a30 b39 b54 b69 !84]"},
		{name: "and reaches it again", a: []int{0, 15, 30, -45, 90, 105}, b: []int{9, 24, 39, 54, 69, 84, 99}, want: "[a0 a15 a30 b39 b54 b69 a90 a105]"},
		{name: "the second cannot reach the target", a: []int{0, 15, 30, 45, 60}, b: []int{9, 24, -39}, want: "[a0 a15 a30 a45 a60]"},
		{name: "only markers", a: []int{-15}, b: []int{9, 24, 39}, want: "[b9 b24 b39]"},
		{name: "one sample each", a: []int{15}, b: []int{24}, want: "[a15]"},
	} {
		if got := text(Merge(stream(0, c.a...), stream(0.1, c.b...), stream(0.2, c.c...))); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// world is a counter as it really is, and its resets.
type world struct {
	rate   float64 // a second
	resets []int64 // ascending
}

// at is the counter's value.
func (w world) at(t int64) float64 {
	since := int64(0)
	for _, r := range w.resets {
		if r <= t {
			since = r
		}
	}
	return w.rate * float64(t-since) / second
}

// collector scrapes a world from phase on; delay is how long a target may take.
type collector struct {
	phase, jitter, delay int64
	down                 [][2]int64
}

func (c collector) scrape(r *rand.Rand, w world, until int64) Stream {
	var s Stream
	for t := c.phase; t < until; t += interval {
		at := t + r.Int64N(2*c.jitter+1) - c.jitter
		if at < 0 || slices.ContainsFunc(c.down, func(d [2]int64) bool { return d[0] <= at && at < d[1] }) {
			continue
		}
		s.Times, s.Values = append(s.Times, at), append(s.Values, w.at(at+r.Int64N(c.delay+1)))
	}
	return s
}

// increase is what the stream's counter grew by, and how often it fell.
func increase(s Stream) (sum float64, falls int) {
	for i := 1; i < len(s.Values); i++ {
		if d := s.Values[i] - s.Values[i-1]; d >= 0 {
			sum += d
		} else {
			sum, falls = sum+s.Values[i], falls+1
		}
	}
	return sum, falls
}

func (s Stream) within(from, to int64) Stream {
	var in Stream
	for i, t := range s.Times {
		if from < t && t <= to {
			in.Times, in.Values = append(in.Times, t), append(in.Values, s.Values[i])
		}
	}
	return in
}

// Two collectors with outages at different times are as good as one without any: the
// number of samples, what counters grow by and how often they are reset, in any window.
func TestTwoCollectorsAreOne(t *testing.T) {
	const hours = 2 * 3600 * second
	filled := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := world{rate: 1 + 99*r.Float64()}
		for t := int64(0); r.IntN(4) > 0; {
			t += interval + r.Int64N(hours/3)
			w.resets = append(w.resets, t)
		}
		a := collector{phase: r.Int64N(interval), jitter: r.Int64N(100), delay: r.Int64N(5 * second)}
		b := collector{phase: r.Int64N(interval), jitter: a.jitter, delay: a.delay}
		whole := a
		// Outages of one scrape up to half an hour, of the one or the other, minutes apart.
		for t := 3 * interval * int64(1); ; {
			t += 4*interval + r.Int64N(hours/6)
			d := [2]int64{t, t + interval + r.Int64N(hours/4)}
			if r.IntN(3) == 0 {
				d[1] = t + interval
			}
			if t = d[1]; t > hours-4*interval {
				break
			}
			if r.IntN(3) > 0 {
				a.down = append(a.down, d)
			} else {
				b.down = append(b.down, d)
			}
		}
		truth := whole.scrape(r, w, hours)
		first, second := a.scrape(r, w, hours), b.scrape(r, w, hours)
		got := Merge(first, second)
		filled += len(got.Times) - len(first.Times)
		for i := 1; i < len(got.Times); i++ {
			if d := got.Times[i] - got.Times[i-1]; d < interval*3/8-2*a.jitter || d > interval*3/2+4*a.jitter {
				t.Fatalf("seed %d: %d ms between two samples at %d", seed, d, got.Times[i])
			}
		}
		for range 20 {
			from := r.Int64N(hours)
			to := from + 10*interval + r.Int64N(hours)
			gaps := 1
			for _, d := range a.down {
				if d[0] < to && from < d[1] {
					gaps++
				}
			}
			want, have := truth.within(from, to), got.within(from, to)
			if d := len(have.Times) - len(want.Times); d < -gaps || d > gaps || gaps == 1 && a.jitter == 0 && d != 0 {
				t.Fatalf("seed %d: %d samples in (%d, %d], one collector has %d", seed, len(have.Times), from, to, len(want.Times))
			}
			wantSum, wantFalls := increase(want)
			haveSum, haveFalls := increase(have)
			// The ends are an interval and a half apart at most, and a reset between
			// two samples hides what was counted before it.
			edge := w.rate * float64(3*interval/2+a.delay+2*a.jitter) / 1000
			if math.Abs(wantSum-haveSum) > edge*float64(2+wantFalls) {
				t.Fatalf("seed %d: grew by %g in (%d, %d], for one collector by %g", seed, haveSum, from, to, wantSum)
			}
			if d := haveFalls - wantFalls; d < -1 || d > 1 || d != 0 && len(w.resets) == 0 {
				t.Fatalf("seed %d: fell %d times in (%d, %d], for one collector %d times", seed, haveFalls, from, to, wantFalls)
			}
			// A question that begins elsewhere gets the same, but for its edges.
			part := Merge(first.within(from, to), second.within(from, to))
			if inner := part.within(from+2*interval, to-2*interval); !slices.Equal(inner.Times, got.within(from+2*interval, to-2*interval).Times) {
				t.Fatalf("seed %d: (%d, %d] looks otherwise when asked alone", seed, from, to)
			}
		}
	}
	if filled < 1000 {
		t.Errorf("only %d samples were filled in", filled)
	}
}

func TestWithout(t *testing.T) {
	ls := labels.FromStrings("__name__", "m", Label, "a", "x", "y")
	plain, name := Without(ls)
	if name != "a" || !labels.Equal(plain, labels.FromStrings("__name__", "m", "x", "y")) {
		t.Errorf("%s %q", plain, name)
	}
	if again, name := Without(plain); name != "" || !labels.Equal(again, plain) {
		t.Errorf("%s %q", again, name)
	}
}

func BenchmarkMerge(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	w := world{rate: 3}
	one := collector{phase: 1000, jitter: 20}.scrape(r, w, 24*3600*second)
	other := collector{phase: 9000, jitter: 20}.scrape(r, w, 24*3600*second)
	for b.Loop() {
		Merge(one, other)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(one.Times)), "ns/sample")
}
