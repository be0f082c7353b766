package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// trouble is what a fault is done with.
type trouble struct {
	product *product
	load    *load
	chance  *rand.Rand
	away    time.Duration // the longest time that the store is away
}

// moment is a random time between two.
func (t trouble) moment(least, most time.Duration) time.Duration {
	return least + time.Duration(t.chance.Int64N(int64(max(most-least, 1))))
}

// fault is one way to break the product. do breaks it under load and says in a word
// what it did; processes that it ends are started again after it.
type fault struct {
	name string
	// noRules says that rules cannot be recorded meanwhile: there is nowhere to write.
	noRules bool
	do      func(ctx context.Context, t trouble) (note string, err error)
}

var all = []fault{
	{name: "kill -9 of the collector", do: func(_ context.Context, t trouble) (string, error) {
		t.product.collector.kill()
		return "", nil
	}},
	{name: "kill -9 of the store", do: func(_ context.Context, t trouble) (string, error) {
		t.product.store.kill()
		return "", nil
	}},
	{name: "kill -9 of both", do: func(_ context.Context, t trouble) (string, error) {
		t.product.store.kill()
		t.product.collector.kill()
		return "", nil
	}},
	{name: "kill -9 of the collector, five times", do: func(ctx context.Context, t trouble) (string, error) {
		for range 5 {
			t.product.collector.kill()
			if err := t.product.start(ctx); err != nil {
				return "", err
			}
			sleep(ctx, t.moment(0, time.Second))
		}
		return "", nil
	}},
	{name: "store stopped", do: func(ctx context.Context, t trouble) (string, error) {
		t.product.store.kill()
		d := t.moment(t.away/4, t.away)
		sleep(ctx, d)
		return d.Round(time.Second).String(), nil
	}},
	{name: "store frozen", do: func(ctx context.Context, t trouble) (string, error) {
		if err := t.product.store.signal(syscall.SIGSTOP); err != nil {
			return "", err
		}
		d := t.moment(t.away/4, t.away)
		sleep(ctx, d)
		return d.Round(time.Second).String(), t.product.store.signal(syscall.SIGCONT)
	}},
	{name: "store stopped, collector killed meanwhile", do: func(ctx context.Context, t trouble) (string, error) {
		t.product.store.kill()
		sleep(ctx, t.moment(0, t.away/4))
		t.product.collector.kill()
		if err := t.product.startCollector(ctx); err != nil {
			return "", err
		}
		d := t.moment(t.away/8, t.away/2)
		sleep(ctx, d)
		return d.Round(time.Second).String(), nil
	}},
	{name: "store twenty times as slow", do: slowStore},
	{name: "disk full", noRules: true, do: diskFull},
	{name: "sender's clock jumps", do: func(ctx context.Context, t trouble) (string, error) {
		by := []time.Duration{-time.Hour, 5 * time.Minute, -3 * time.Hour, 20 * time.Hour}[t.chance.IntN(4)]
		t.load.jump(by)
		sleep(ctx, 2*time.Second)
		t.load.jump(0)
		return by.String(), nil
	}},
	{name: "torn end of the write-ahead log", do: func(_ context.Context, t trouble) (string, error) {
		// As a crash leaves it: the beginning of a record that nobody was told is stored.
		t.product.collector.kill()
		segment, err := lastSegment(t.product.wal())
		if err != nil {
			return "", err
		}
		f, err := os.OpenFile(segment, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return "", err
		}
		torn := []byte{2, 0x10, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
		_, err = f.Write(torn[:1+t.chance.IntN(len(torn)-1)])
		return filepath.Base(segment), errors.Join(err, f.Close())
	}},
	{name: "truncated write-ahead log", do: func(ctx context.Context, t trouble) (string, error) {
		// What is cut off was shipped before: nothing can bring back what is nowhere else.
		t.load.pause(ctx)
		defer t.load.resume()
		if _, _, _, err := t.load.count(ctx); err != nil {
			return "", err
		}
		t.product.collector.kill()
		segment, err := lastSegment(t.product.wal())
		if err != nil {
			return "", err
		}
		info, err := os.Stat(segment)
		if err != nil {
			return "", err
		}
		left := t.chance.Int64N(info.Size() + 1)
		return fmt.Sprintf("%d of %d bytes left", left, info.Size()), os.Truncate(segment, left)
	}},
	{name: "torn checkpoint", do: func(_ context.Context, t trouble) (string, error) {
		t.product.collector.kill()
		segment, err := firstSegment(t.product.wal())
		if err != nil {
			return "", err
		}
		var n int
		if _, err := fmt.Sscan(filepath.Base(segment), &n); err != nil {
			return "", err
		}
		dir := filepath.Join(t.product.wal(), fmt.Sprintf("checkpoint.%08d", max(n-1, 0)))
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return "", err
		}
		garbage := make([]byte, 100)
		for i := range garbage {
			garbage[i] = byte(t.chance.Uint32())
		}
		garbage[0] = 1
		return filepath.Base(dir), os.WriteFile(filepath.Join(dir, "00000000"), garbage, 0o640)
	}},
}

func choose(part string) []fault {
	var chosen []fault
	for _, f := range all {
		if strings.Contains(f.name, part) {
			chosen = append(chosen, f)
		}
	}
	return chosen
}

func names(faults []fault) []string {
	list := make([]string, len(faults))
	for i, f := range faults {
		list[i] = f.name
	}
	return list
}

// slowStore lets the store run one millisecond of twenty.
func slowStore(ctx context.Context, t trouble) (string, error) {
	d := t.moment(t.away/4, t.away/2)
	for end := time.Now().Add(d); time.Now().Before(end) && ctx.Err() == nil; {
		if err := t.product.store.signal(syscall.SIGSTOP); err != nil {
			return "", err
		}
		time.Sleep(19 * time.Millisecond)
		if err := t.product.store.signal(syscall.SIGCONT); err != nil {
			return "", err
		}
		time.Sleep(time.Millisecond)
	}
	return d.Round(time.Second).String(), nil
}

// diskFull leaves no byte on the collector's disk for some seconds.
func diskFull(ctx context.Context, t trouble) (string, error) {
	if !t.product.small {
		return "not possible: no small disk could be mounted", nil
	}
	path := filepath.Join(t.product.collectorDir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	block := make([]byte, 1<<20)
	for err == nil {
		_, err = f.Write(block)
		if err != nil && len(block) > 1 {
			block, err = block[:len(block)/2], nil // to the last byte
		}
	}
	if closeErr := f.Close(); !errors.Is(err, syscall.ENOSPC) {
		return "", errors.Join(err, closeErr)
	}
	d := t.moment(2*time.Second, max(t.away/2, 4*time.Second))
	sleep(ctx, d)
	if err := os.Remove(path); err != nil {
		return "", err
	}
	note := d.Round(time.Second).String()
	if t.product.collector.ended() {
		note += ", it ended by itself"
	}
	return note, nil
}

func segments(wal string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(wal, "[0-9]*"))
	slices.Sort(found)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("no segment in %s", wal)
	}
	return found, err
}

func lastSegment(wal string) (string, error) {
	found, err := segments(wal)
	if err != nil {
		return "", err
	}
	return found[len(found)-1], nil
}

func firstSegment(wal string) (string, error) {
	found, err := segments(wal)
	if err != nil {
		return "", err
	}
	return found[0], nil
}
