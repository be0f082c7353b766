package clickhouse

import "math"

// A sample's value is stored as the integer of its shortest decimal, v / 10^e,
// with 0 ≤ e ≤ maxExponent, and rawBits for what has none.
const (
	maxExponent = 6
	rawBits     = 127
)

var powers = [maxExponent + 1]float64{1, 10, 100, 1e3, 1e4, 1e5, 1e6}

// encode returns the v and e for a float. from is the exponent to begin with:
// within a series it should not fall, since v compresses by its differences.
// decode gives the same float back, bit for bit.
func encode(value float64, from int8) (v int64, e int8) {
	bits := math.Float64bits(value)
	for e := from; e <= maxExponent; e++ {
		x := math.RoundToEven(value * powers[e])
		// The comparison of bits, not of values, tells −0 from 0.
		if math.Abs(x) < 1<<53 && math.Float64bits(float64(int64(x))/powers[e]) == bits {
			return int64(x), e
		}
	}
	return int64(bits), rawBits
}

func decode(v int64, e int8) float64 {
	if e < 0 || e > maxExponent {
		return math.Float64frombits(uint64(v))
	}
	return float64(v) / powers[e]
}
