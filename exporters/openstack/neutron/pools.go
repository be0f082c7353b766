package neutron

import (
	"math"
	"net/netip"
	"slices"
)

// room says how many subnets of a length a pool's prefix holds. Numbers are
// floats because an IPv6 prefix holds more than 2^63.
type room struct{ capacity, used, free float64 }

// roomIn counts the subnets of length bits in a prefix: capacity when nothing is
// taken; used, those of exactly that length that are taken; free, how many more
// fit between what is taken, of whatever length. A subnet of another length takes
// the room of several or of part of one, so capacity is not used + free.
//
// taken are the subnets within the prefix, as within returns them. bits is at
// least the prefix's own and at most its address's.
func roomIn(prefix netip.Prefix, taken []netip.Prefix, bits int) room {
	r := room{capacity: math.Exp2(float64(bits - prefix.Bits()))}
	covered := 0.0
	var last netip.Prefix // the block of that length counted as not free before this one
	for _, t := range taken {
		if t.Bits() == bits {
			r.used++
		}
		if t.Bits() <= bits {
			covered += math.Exp2(float64(bits - t.Bits()))
			continue
		}
		// A smaller subnet spoils the block it lies in, and those after it in the
		// same block spoil it no further.
		block := netip.PrefixFrom(t.Addr(), bits).Masked()
		if block != last {
			covered++
			last = block
		}
	}
	r.free = max(r.capacity-covered, 0)
	return r
}

// within are the subnets that lie in the prefix, in order, without those that lie
// in another one of them: subnets of one pool overlap on different networks only
// when Neutron was told to allow it.
func within(prefix netip.Prefix, subnets []netip.Prefix) []netip.Prefix {
	var in []netip.Prefix
	for _, s := range subnets {
		switch {
		case !s.IsValid() || !s.Overlaps(prefix):
		case s.Bits() < prefix.Bits():
			in = append(in, prefix) // it takes the whole of it
		default:
			in = append(in, s.Masked())
		}
	}
	slices.SortFunc(in, func(a, b netip.Prefix) int {
		if c := a.Addr().Compare(b.Addr()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	kept := in[:0]
	for _, s := range in {
		if n := len(kept); n > 0 && kept[n-1].Contains(s.Addr()) {
			continue
		}
		kept = append(kept, s)
	}
	return kept
}
