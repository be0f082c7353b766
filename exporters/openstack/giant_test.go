package openstack_test

import (
	"net/http"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// TestGiantAnswersKeepMemoryBounded has an API answer everything with 200 MB while
// all of its Sources look at once, under the limits of the product.
func TestGiantAnswersKeepMemoryBounded(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(func(o *openstack.Options) { o.Budgets = nil })
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if !strings.HasPrefix(call, "neutron ") {
			return false
		}
		giant(w, 200<<20)
		return true
	})
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	peak := watchHeap(t)
	var wait sync.WaitGroup
	for _, s := range ofSystem(cloud, "neutron") {
		wait.Go(func() {
			if _, err := collect(t, s); err == nil || !strings.Contains(err.Error(), "the answer is larger than 64 MiB") {
				t.Errorf("%s: %v (%s)", s.Name, err, exporters.KindOf(err))
			}
		})
	}
	wait.Wait()
	most := peak()
	got := most - min(before.HeapAlloc, most)
	t.Logf("%d MiB more heap at most", got>>20)
	if got > 300<<20 {
		t.Errorf("%d MiB more heap, want at most 300", got>>20)
	}
}

// watchHeap returns a function that ends the watch and says the most memory that
// the heap had.
func watchHeap(t *testing.T) func() uint64 {
	t.Helper()
	end, most := make(chan struct{}), make(chan uint64)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		var peak uint64
		for {
			metrics.Read(sample)
			peak = max(peak, sample[0].Value.Uint64()+sample[1].Value.Uint64())
			select {
			case <-end:
				most <- peak
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 { close(end); return <-most }
}
