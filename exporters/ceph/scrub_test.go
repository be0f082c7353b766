package ceph

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"mcloud/exporters"
)

// osdNotUp is what a manager says that is asked for what an OSD leads that is
// down, as exporters/ceph/rados gives it.
func osdNotUp(id int) error {
	return fmt.Errorf("ceph cluster c1: command as client.exporter: rados: ret=-11, %w: osd %d is not up", syscall.EAGAIN, id)
}

// leaders is a cluster in which each OSD leads one group of pool 1, scrubbed at
// an hour of its own; a negative one is down and leads nothing.
type leaders struct {
	hours []int
	asked []int
	fail  map[int]error
}

func (c *leaders) Command(_ context.Context, command map[string]any) ([]byte, error) {
	if command["prefix"] == "osd ls" {
		var ids []string
		for id := range c.hours {
			ids = append(ids, fmt.Sprint(id))
		}
		return []byte("[" + strings.Join(ids, ",") + "]"), nil
	}
	id := command["osd"].(int)
	c.asked = append(c.asked, id)
	if err := c.fail[id]; err != nil {
		return nil, err
	}
	if c.hours[id] < 0 {
		return nil, osdNotUp(id)
	}
	stamp := scrubbedAt(c.hours[id]).Format("2006-01-02T15:04:05.000000-0700")
	return fmt.Appendf(nil, `{"pg_ready":true,"pg_stats":[{"pgid":"1.%x","state":"active+clean","last_scrub_stamp":%q,"last_deep_scrub_stamp":%q}]}`, id, stamp, stamp), nil
}

func (*leaders) Close() {}

func scrubbedAt(hour int) time.Time { return time.Date(2026, 11, 22, hour, 0, 0, 0, time.UTC) }

// oldest is the hour that a look says, -1 when it says none.
func oldest(snap *exporters.Snapshot) int {
	for _, s := range snap.Samples {
		if s.Family == oldestScrub {
			return time.Unix(int64(s.Value), 0).UTC().Hour()
		}
	}
	return -1
}

// An OSD that is down leads nothing. It fails no look, and what it led is
// remembered until all others, who lead it now, were asked.
func TestOSDThatIsDownIsLeftOut(t *testing.T) {
	mon := &leaders{hours: []int{5, 4, 3, -1}}
	s := sources(t, testConfig(), mon)["ceph_scrub"]
	look := func(what string, hour, seen, skipped int) {
		t.Helper()
		snap, err := collect(t, s)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if oldest(snap) != hour || snap.Seen != seen || snap.Skipped != skipped || len(snap.Failed) != 0 {
			t.Errorf("%s: oldest at %d o'clock, %d seen, %d skipped, %v failed, want %d o'clock, %d, %d and none", what, oldest(snap), snap.Seen, snap.Skipped, snap.Failed, hour, seen, skipped)
		}
	}
	look("down from the first look", 3, 3, 1)
	look("still down", 3, 3, 1)
	mon.hours[3] = 2
	look("it comes up", 2, 4, 0)
	mon.hours[3] = -1
	look("goes down: others may have been asked before", 2, 3, 1)
	mon.hours[0] = 1 // takes over what waits longest
	look("the others are asked", 1, 3, 1)
	mon.hours[0] = 5
	look("what it led is forgotten", 3, 3, 1)
	mon.hours[2] = -1
	look("a second one goes down", 3, 2, 2)
	look("all others are asked", 3, 2, 2)
	look("forgotten as well", 4, 2, 2)
	mon.hours = []int{-1, -1, -1, -1}
	for range 3 {
		if _, err := collect(t, s); err != nil {
			t.Error(err)
		}
	}
	look("all are down", -1, 0, 4)
}

// In a large cluster the others are asked in turn: what the OSD that is down led
// stays for a round, and the rest goes on in their turns.
func TestOSDThatIsDownInALargeCluster(t *testing.T) {
	const osds = 1200 // 20 a look
	mon := &leaders{hours: make([]int, osds)}
	for id := range mon.hours {
		mon.hours[id] = 12
	}
	mon.hours[7] = 3
	s := sources(t, testConfig(), mon)["ceph_scrub"]
	for range osds / firstShare {
		if _, err := collect(t, s); err != nil {
			t.Fatal(err)
		}
	}
	mon.hours[7] = -1
	for i := range scrubRounds + 2 {
		mon.asked = nil
		snap, err := collect(t, s)
		if err != nil {
			t.Fatal(err)
		}
		if len(mon.asked) > osds/scrubRounds+1 {
			t.Fatalf("look %d asks %d OSDs", i, len(mon.asked))
		}
		want := 3
		if i > scrubRounds {
			want = 12
		}
		if oldest(snap) != want {
			t.Fatalf("look %d after it went down: oldest at %d o'clock, want %d", i, oldest(snap), want)
		}
	}
	mon.hours[7] = 5
	if snap, err := collect(t, s); err != nil || oldest(snap) != 5 || snap.Skipped != 0 {
		t.Errorf("it is up again: oldest at %d o'clock, %d skipped, %v", oldest(snap), snap.Skipped, err)
	}
}

// Any other reason is a failure: named, counted, and the rest is kept.
func TestOSDThatCannotBeAskedIsAFailure(t *testing.T) {
	mon := &leaders{hours: []int{5, 4, 3}, fail: map[int]error{}}
	s := sources(t, testConfig(), mon)["ceph_scrub"]
	if _, err := collect(t, s); err != nil {
		t.Fatal(err)
	}
	for _, failure := range []error{syscall.EAGAIN, errors.New("osd 1 is not up to date"), errors.New("ret=-22")} {
		mon.fail[1] = failure
		snap, err := collect(t, s)
		if !errors.Is(err, failure) || !strings.Contains(err.Error(), "osd.1") {
			t.Errorf("%v: error is %v, want one that names osd.1", failure, err)
		}
		if snap == nil || oldest(snap) != 3 || snap.Skipped != 0 {
			t.Errorf("%v: the others are not kept", failure)
		}
	}
}
