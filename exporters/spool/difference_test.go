package spool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"mcloud"
)

// ids are n objects' ids, a00 and on.
func ids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("a%02d", i)
	}
	return list
}

func (c *collector) has(t *testing.T, v mcloud.Inventory) {
	t.Helper()
	got := c.last[key(v)]
	a, _ := json.Marshal(got.Objects)
	b, _ := json.Marshal(v.Objects)
	if string(a) != string(b) || !got.Time.Equal(v.Time) {
		t.Errorf("the store has %s of %v\nwant %s of %v", a, got.Time, b, v.Time)
	}
}

func TestOnlyWhatChangedIsPosted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCollector()
		s := open(t, t.TempDir(), c, nil)
		look := func(v mcloud.Inventory) mcloud.Inventory {
			time.Sleep(time.Second)
			v.Time = time.Now().UTC()
			record(t, s, nil, v)
			return v
		}
		v := look(inventory(true, ids(20)...))
		drain(t, s)
		c.has(t, v)
		if c.differences != 0 {
			t.Error("the first one was a difference")
		}
		v.Objects = append(v.Objects[1:], mcloud.NewObject(mcloud.KindServer, "new", "", "", "", mcloud.Server{}))
		v.Objects[3].Parent = "elsewhere"
		v = look(v)
		drain(t, s)
		c.has(t, v)
		if c.differences != 1 {
			t.Errorf("%d differences, want 1", c.differences)
		}
		// Two looks before the next post: the second replaces the first, and is
		// the difference to what was acknowledged.
		v.Objects[3].Parent = "home"
		look(v)
		v.Objects[4].Parent = "elsewhere"
		v.Objects[3].Parent = "elsewhere" // as it was acknowledged
		v = look(v)
		drain(t, s)
		c.has(t, v)
		// More than half is posted whole, which also makes it short.
		v = look(inventory(true, "a05"))
		drain(t, s)
		c.has(t, v)
		if c.differences != 2 {
			t.Errorf("%d differences, want 2", c.differences)
		}
		// What came in an incomplete one is not known to be all.
		record(t, s, nil, inventory(false, "b"))
		drain(t, s)
		v = look(inventory(true, "a05", "b", "c"))
		drain(t, s)
		c.has(t, v)
		if c.differences != 2 {
			t.Errorf("%d differences after an incomplete one, want 2", c.differences)
		}
		// Nothing changed for long: the store learns that, in few bytes.
		time.Sleep(11 * time.Minute)
		v = look(v)
		drain(t, s)
		c.has(t, v)
		if c.differences != 3 {
			t.Errorf("%d differences, want 3", c.differences)
		}
		time.Sleep(6 * time.Hour)
		v = look(v)
		drain(t, s)
		c.has(t, v)
		if c.differences != 3 {
			t.Error("all was not posted after six hours")
		}
	})
}

func TestCollectorThatLostTheLastLookIsGivenAll(t *testing.T) {
	c := newCollector()
	s := open(t, t.TempDir(), c, nil)
	v := inventory(true, ids(20)...)
	other := v
	other.Scope = "nova2"
	record(t, s, nil, v, other)
	drain(t, s)
	delete(c.last, key(v)) // restored from a backup
	next := func(v mcloud.Inventory) mcloud.Inventory {
		v.Time = v.Time.Add(time.Minute)
		v.Objects = append([]mcloud.Object(nil), v.Objects...)
		v.Objects[7].Name += "+"
		return v
	}
	v, other = next(v), next(other)
	record(t, s, []mcloud.Event{event("e", 1)}, v, other)
	drain(t, s)
	c.has(t, other)
	if _, there := c.last[key(v)]; there || c.events["e"] == 0 {
		t.Errorf("a difference to nothing was stored, or the event beside it was not: %v", c.events)
	}
	count(t, s, "mcloud_spool_outdated_total", " 1")
	count(t, s, "mcloud_spool_refused_total", "")
	v, other = next(v), next(other)
	record(t, s, nil, v, other)
	drain(t, s)
	c.has(t, v)
	c.has(t, other)
}

// TestLookDuringAPostIsWhole records while the one before is under way, whose
// end nobody knows.
func TestLookDuringAPostIsWhole(t *testing.T) {
	c := newCollector()
	s := open(t, t.TempDir(), c, nil)
	v := inventory(true, ids(20)...)
	record(t, s, nil, v)
	drain(t, s)
	second, third := v, v
	second.Time, third.Time = v.Time.Add(time.Minute), v.Time.Add(2*time.Minute)
	second.Objects = second.Objects[1:]
	c.answers(func(mcloud.Batch) error {
		c.answer = nil
		record(t, s, nil, third)
		return nil
	})
	record(t, s, nil, second)
	drain(t, s)
	c.has(t, third)
	count(t, s, "mcloud_spool_outdated_total", "")
}

// TestAnyHistoryEndsTheSame records random looks at a collector that now and then
// fails before or after it stored, and that loses what it had.
func TestAnyHistoryEndsTheSame(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 8 {
		c := newCollector()
		dir := t.TempDir()
		s := open(t, dir, c, nil)
		at := time.Now().UTC()
		var v mcloud.Inventory
		look := func() {
			at = at.Add(time.Minute)
			v = inventory(true)
			for _, id := range ids(30) {
				if random.IntN(10) > 0 {
					v.Objects = append(v.Objects, mcloud.NewObject(mcloud.KindServer, id, fmt.Sprint(random.IntN(20)/19), "", "", mcloud.Server{}))
				}
			}
			v.Time = at
			record(t, s, nil, v)
		}
		for range 30 {
			look()
			switch random.IntN(6) {
			case 0:
				c.answers(func(mcloud.Batch) error { return errors.New("away") })
			case 1: // stored, but the answer is lost
				c.answers(func(b mcloud.Batch) error {
					for _, x := range b.Inventories {
						if whole, err := c.whole(x); err == nil {
							c.last[key(x)] = whole
						}
					}
					return errors.New("connection reset")
				})
			case 2:
				clear(c.last)
				fallthrough
			default:
				c.answers(nil)
			}
			for range 3 {
				_, _ = s.deliver(t.Context())
			}
			if random.IntN(10) == 0 {
				s.Close()
				s = open(t, dir, c, nil)
			}
		}
		c.answers(nil)
		for range 3 { // one for what waits, one that may be refused, one whole
			drain(t, s)
			look()
			drain(t, s)
		}
		c.has(t, v)
		s.Close()
	}
}

func bigInventory(n int) mcloud.Inventory {
	v := inventory(true)
	for i := range n {
		id := fmt.Sprintf("5a0c6f44-0b7e-4b1e-9b1c-%012d", i)
		v.Objects = append(v.Objects, mcloud.NewObject(mcloud.KindServer, id, "acme-web-"+id[30:], "a3b1", "0123456789abcdef0123456789abcdef", mcloud.Server{
			Name: "acme-web-" + id[30:], Status: "ACTIVE", Host: "compute-0001", Hypervisor: "compute-0001", Zone: "az-1", Flavor: "m1.large", VCPUs: 4, MemoryMiB: 8192,
		}))
	}
	return v
}

type blackhole struct{}

func (blackhole) Post(context.Context, mcloud.Batch) error { return nil }
func (blackhole) PostJSON(context.Context, []byte) error   { return nil }

// BenchmarkRecord is what a look at 60,000 servers costs the spool until it is
// posted: unchanged, with 1 % changed, and the first.
func BenchmarkRecord(b *testing.B) {
	v := bigInventory(60_000)
	for _, c := range []struct {
		name    string
		changed int
		first   bool
	}{{"unchanged", 0, false}, {"1%", 600, false}, {"first", 0, true}} {
		b.Run(c.name, func(b *testing.B) {
			s, err := Open(Options{Dir: b.TempDir(), Poster: blackhole{}, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			look := func() {
				v.Time = v.Time.Add(time.Second)
				if err := s.Record(b.Context(), mcloud.Batch{Inventories: []mcloud.Inventory{v}}); err != nil {
					b.Fatal(err)
				}
				for more := true; more; {
					if more, err = s.deliver(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			}
			look()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if c.first {
					clear(s.acked)
				}
				for j := range c.changed {
					v.Objects[(j*100+i)%len(v.Objects)].Name += "x"
				}
				look()
			}
		})
	}
}
