package sim

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mcloud"
	"mcloud/deploy/sim/model"
)

func small(dir string) Options {
	return Options{Dir: dir, Hosts: 6, Servers: 40, Projects: 3, Volumes: 40, OSDs: 6, Days: 10, Logger: slog.New(slog.DiscardHandler)}
}

// TestRunServesAndStops: what Run opens it closes, and soon.
func TestRunServesAndStops(t *testing.T) {
	o := small(t.TempDir())
	var mu sync.Mutex
	var events []mcloud.Event
	o.Events = func(e []mcloud.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e...)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	<-c.Ready()
	response, err := http.Get(c.Endpoints().URL + "/compute/v2.1/")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if !strings.Contains(string(b), "2.100") {
		t.Errorf("Nova's version document is %s", b)
	}
	c.With(func(w *model.World) {
		w.CreateServer(model.Request{Name: "told", Project: w.Customers()[0], User: w.Customers()[0].Users[0], Flavor: w.Flavors[0]})
		w.SetOSDUp(w.Tiers[0].Cluster, w.Tiers[0].Cluster.OSDs[0], false)
	})
	socket := strings.Replace(c.Endpoints().Clusters[0].Sockets, "*.asok", "ceph-osd.0.asok", 1)
	deadline := time.Now().Add(10 * time.Second)
	for {
		mu.Lock()
		told := len(events)
		mu.Unlock()
		_, refused := net.Dial("unix", socket)
		if told >= 2 && refused != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 10 s: %d events told, the socket of the stopped OSD answers: %v", told, refused)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if _, err := os.Stat(socket); err != nil {
		t.Errorf("the killed OSD's socket file is gone: %v", err)
	}
	for _, e := range events {
		if err := e.Validate(); err != nil {
			t.Error(err)
		}
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Run did not end within 5 s")
	}
	left, _ := filepath.Glob(filepath.Join(o.Dir, "*", "*", "*.ctl"))
	if len(left) > 0 {
		t.Errorf("%d control sockets are left", len(left))
	}
}

// TestSecondStartGoesOn: a second start finds the first one's cloud, later.
func TestSecondStartGoesOn(t *testing.T) {
	o := small(t.TempDir())
	o.Now = func() time.Time { return noon }
	ids := func(c *Cloud) (list []string) {
		c.With(func(w *model.World) {
			for _, s := range w.Servers.All() {
				list = append(list, s.ID)
			}
		})
		return list
	}
	first, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	before := ids(first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	o.Now = func() time.Time { return noon.Add(time.Hour) }
	second, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	same := 0
	after := ids(second)
	for _, id := range before {
		for _, other := range after {
			if id == other {
				same++
			}
		}
	}
	if same < len(before)-5 {
		t.Errorf("an hour later %d of %d servers are the same", same, len(before))
	}
	o.Servers++
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "cloud.json") {
		t.Errorf("another size in the same directory: %v, want an error that names the file", err)
	}
}
