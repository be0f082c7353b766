package access

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// Guesses that one address has: some at once, then one each guessPeriod.
const (
	guessesAtOnce = 10
	guessPeriod   = 5 * time.Second
	// knownFor is how long credentials that were right are not counted as a guess.
	knownFor = time.Hour
	// addressesKept bounds the memory for addresses; the one unheard of for longest goes.
	addressesKept = 4096
	knownKept     = 4096
)

// throttle slows down who guesses, by address; IPv6 by the network of 64 bits, which is
// what one customer has. Whoever was recognised lately from there is not slowed down by
// others who guess. Behind a proxy all have one address.
type throttle struct {
	now func() time.Time

	mu    sync.Mutex
	left  *recent[netip.Prefix, bucket]
	known *recent[digest, time.Time] // until when
}

type bucket struct {
	guesses float64
	at      time.Time
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, left: newRecent[netip.Prefix, bucket](addressesKept), known: newRecent[digest, time.Time](knownKept)}
}

// network is what of a remote address counts as one guesser.
func network(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{} // all that have none are one
	}
	ip = ip.Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	prefix, _ := ip.Prefix(bits)
	return prefix
}

// may says whether one more guess is left, and else how long to wait for one.
func (t *throttle) may(from netip.Prefix) (wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.filled(from)
	if b.guesses < 1 {
		return time.Duration((1 - b.guesses) * float64(guessPeriod)), false
	}
	return 0, true
}

// guessed uses a guess up. As many as are checked at a time can be below none.
func (t *throttle) guessed(from netip.Prefix) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.filled(from)
	b.guesses = max(-guessesAtOnce, b.guesses-1)
	t.left.put(from, b)
}

func (t *throttle) filled(from netip.Prefix) bucket {
	now := t.now()
	b, ok := t.left.get(from)
	if !ok {
		return bucket{guessesAtOnce, now}
	}
	if passed := now.Sub(b.at); passed > 0 {
		b.guesses = min(guessesAtOnce, b.guesses+float64(passed)/float64(guessPeriod))
	}
	b.at = now
	return b
}

// recognised remembers that d, which is made of address and credentials, was right.
func (t *throttle) recognised(d digest) { t.known.put(d, t.now().Add(knownFor)) }

// knows says whether d was right lately.
func (t *throttle) knows(d digest) bool {
	until, ok := t.known.get(d)
	return ok && t.now().Before(until)
}
