package capacity

import "math"

// UnitsFor is how many whole units lift limit to need, in the multiples in
// which u is sold. ok is false when a unit adds nothing, so that no number
// would do.
func UnitsFor(need, limit, perUnit float64, u Unit) (units int64, ok bool) {
	if need <= limit {
		return 0, true
	}
	if perUnit <= 0 || math.IsInf(need, 0) || math.IsNaN(need) {
		return 0, false
	}
	multiple := max(1, u.Multiple)
	units = int64(math.Ceil((need - limit) / perUnit))
	return (units + multiple - 1) / multiple * multiple, true
}
