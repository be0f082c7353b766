package neutron

import (
	"encoding/binary"
	"net/netip"
	"testing"

	json "github.com/go-json-experiment/json/v1"
)

func prefixes(list ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, p := range list {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

// TestRoomIn has the numbers that openstack-exporter's test of the same thing
// expects of its fixtures, and those that are easy to check by hand.
func TestRoomIn(t *testing.T) {
	for _, c := range []struct {
		prefix string
		taken  []netip.Prefix
		bits   int
		want   room
	}{
		{"10.0.0.0/24", nil, 24, room{1, 0, 1}},
		{"10.0.0.0/24", nil, 26, room{4, 0, 4}},
		{"10.0.0.0/24", prefixes("10.0.0.0/26"), 26, room{4, 1, 3}},
		{"10.0.0.0/24", prefixes("10.0.0.0/26"), 25, room{2, 0, 1}},
		{"10.0.0.0/24", prefixes("10.0.0.0/26"), 24, room{1, 0, 0}},
		{"10.0.0.0/24", prefixes("10.0.0.0/26"), 28, room{16, 0, 12}},
		{"10.0.0.0/24", prefixes("10.0.0.0/28", "10.0.0.64/28", "10.0.0.16/28"), 26, room{4, 0, 2}},
		{"10.0.0.0/24", prefixes("10.0.0.0/24"), 26, room{4, 0, 0}},
		{"10.0.0.0/24", prefixes("10.0.0.0/16"), 26, room{4, 0, 0}},                                // more than the whole of it
		{"10.0.0.0/24", prefixes("10.0.1.0/26", "192.168.0.0/16", "fd00::/64"), 26, room{4, 0, 4}}, // elsewhere
		{"10.0.0.0/24", prefixes("10.0.0.0/26", "10.0.0.0/26"), 26, room{4, 1, 3}},                 // twice, by two networks
		{"fd00::/48", prefixes("fd00:0:0:1::/64"), 64, room{65536, 1, 65535}},
		{"::/0", nil, 128, room{340282366920938463463374607431768211456, 0, 340282366920938463463374607431768211456}},
	} {
		prefix := netip.MustParsePrefix(c.prefix)
		if got := roomIn(prefix, within(prefix, c.taken), c.bits); got != c.want {
			t.Errorf("/%d in %s with %v taken: %+v, want %+v", c.bits, c.prefix, c.taken, got, c.want)
		}
	}
}

// FuzzRoomIn compares with counting every block by looking at every address.
func FuzzRoomIn(f *testing.F) {
	f.Add(uint32(0x0a000000), byte(24), []byte{0, 26, 64, 28}, byte(26))
	f.Add(uint32(0xffffff00), byte(25), []byte{0, 20, 255, 32, 128, 25}, byte(30))
	f.Fuzz(func(t *testing.T, base uint32, length byte, subnets []byte, bits byte) {
		prefix := netip.PrefixFrom(v4(base), 22+int(length)%11).Masked()
		of := prefix.Bits() + int(bits)%(33-prefix.Bits())
		first := binary.BigEndian.Uint32(prefix.Addr().AsSlice())
		size := uint32(1) << (32 - prefix.Bits())
		var taken []netip.Prefix
		busy := make([]bool, size)
		for i := 0; i+1 < len(subnets) && len(taken) < 8; i += 2 {
			s := netip.PrefixFrom(v4(first+uint32(subnets[i])*size/256), 20+int(subnets[i+1])%13).Masked()
			taken = append(taken, s)
			for at := range size {
				busy[at] = busy[at] || s.Contains(v4(first+at))
			}
		}
		free, block := 0.0, uint32(1)<<(32-of)
		for at := uint32(0); at < size; at += block {
			whole := true
			for i := range block {
				whole = whole && !busy[at+i]
			}
			if whole {
				free++
			}
		}
		got := roomIn(prefix, within(prefix, taken), of)
		if got.free != free || got.capacity != float64(size/block) || got.used > got.capacity || got.used+got.free > got.capacity {
			t.Errorf("/%d in %s with %v taken: %+v, want %v free of %d", of, prefix, taken, got, free, size/block)
		}
	})
}

func v4(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

func FuzzLimitsOf(f *testing.F) {
	f.Add([]byte(`{"network": 100, "port": -1, "project_id": "p", "trunk": null, "x": 1e400}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for resource, n := range limitsOf(decoded(text)) {
			if n < 0 || n != n {
				t.Errorf("%s: %v", resource, n)
			}
		}
	})
}

func decoded(text []byte) map[string]json.RawMessage {
	var quota map[string]json.RawMessage
	if json.Unmarshal(text, &quota) != nil {
		return nil
	}
	return quota
}
