package pair

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestDecide(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	ago := func(seconds int) time.Time { return now.Add(-time.Duration(seconds) * time.Second) }
	for _, c := range []struct {
		name  string
		own   State
		other View
		want  bool
	}{
		{"the active one stays while it hears nothing", State{Active: true, Since: ago(99)}, View{LastHeard: ago(99)}, true},
		{"the passive one waits", State{Since: ago(99)}, View{LastHeard: ago(9)}, false},
		{"and takes over", State{Since: ago(99)}, View{LastHeard: ago(10)}, true},
		{"a preferred one waits as well, the other may be active", State{Since: ago(1), Preferred: true}, View{LastHeard: ago(1)}, false},
		{"the passive one stays behind an active one", State{Since: ago(99), Preferred: true}, View{Heard: true, State: State{Active: true, Since: ago(1)}}, false},
		{"the active one stays beside a passive one", State{Active: true, Since: ago(1)}, View{Heard: true, State: State{Since: ago(99), Preferred: true}}, true},
		{"neither: the preferred one begins", State{Since: ago(0), Preferred: true}, View{Heard: true, State: State{Since: ago(99)}}, true},
		{"neither: the other one lets it", State{Since: ago(5)}, View{Heard: true, State: State{Since: ago(0), Preferred: true}}, false},
		{"neither preferred: the one that waited longer", State{Since: ago(11)}, View{Heard: true, State: State{Since: ago(10)}}, true},
		{"neither preferred: the other waits", State{Since: ago(10)}, View{Heard: true, State: State{Since: ago(11)}}, false},
		{"both active: the older stays", State{Active: true, Since: ago(50)}, View{Heard: true, State: State{Active: true, Since: ago(9), Preferred: true}}, true},
		{"both active: the younger yields", State{Active: true, Since: ago(9), Preferred: true}, View{Heard: true, State: State{Active: true, Since: ago(50)}}, false},
		{"both since the same moment: the preferred stays", State{ID: "b", Active: true, Since: ago(9), Preferred: true}, View{Heard: true, State: State{ID: "a", Active: true, Since: ago(9)}}, true},
		{"nothing else differs: the smaller id", State{ID: "a", Active: true, Since: ago(9)}, View{Heard: true, State: State{ID: "b", Active: true, Since: ago(9)}}, true},
		{"nothing else differs: the greater id yields", State{ID: "b", Active: true, Since: ago(9)}, View{Heard: true, State: State{ID: "a", Active: true, Since: ago(9)}}, false},
	} {
		got, why := Decide(c.own, c.other, 10*time.Second, now)
		if got != c.want {
			t.Errorf("%s: active %v", c.name, got)
		}
		if changed := got != c.own.Active; changed != (why != "") {
			t.Errorf("%s: reason %q of a change %v", c.name, why, changed)
		}
	}
}

// TestNeverBothPassive decides for two that hear each other, from every state
// that they can be in: after two rounds exactly one is active.
func TestNeverBothPassive(t *testing.T) {
	now := time.Now()
	states := []State{}
	for _, active := range []bool{false, true} {
		for _, preferred := range []bool{false, true} {
			for _, since := range []time.Duration{20 * time.Second, 30 * time.Second} {
				states = append(states, State{Active: active, Preferred: preferred, Since: now.Add(-since)})
			}
		}
	}
	for _, a := range states {
		for _, b := range states {
			a, b := a, b
			a.ID, b.ID = "a", "b"
			for range 2 {
				decide := func(own, other State) State {
					active, _ := Decide(own, View{State: other, Heard: true, LastHeard: now}, 10*time.Second, now)
					if active != own.Active {
						own.Active, own.Since = active, now
					}
					return own
				}
				a, b = decide(a, b), decide(b, a)
			}
			if a.Active == b.Active {
				t.Errorf("both are active %v: %+v and %+v", a.Active, a, b)
			}
		}
	}
}

// address is a server whose Pair is known later than its URL.
type address struct {
	*httptest.Server
	handler atomic.Pointer[Pair]
}

func newAddress() *address {
	a := &address{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := a.handler.Load(); p != nil {
			p.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	return a
}

// half runs one exporter's half behind a server, until stop.
func half(t *testing.T, at *address, o Options) (*Pair, func()) {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	at.handler.Store(p)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = p.Run(ctx) })
	stop := sync.OnceFunc(func() { cancel(); running.Wait(); at.Close() })
	t.Cleanup(stop)
	return p, stop
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not within 5 s: %s", what)
}

func TestTakeover(t *testing.T) {
	const takeover = 250 * time.Millisecond
	atA, atB := newAddress(), newAddress()
	a, stopA := half(t, atA, Options{Peer: atB.URL, Takeover: takeover, Preferred: true})
	b, _ := half(t, atB, Options{Peer: atA.URL + "/", Takeover: takeover})
	eventually(t, "the preferred one is active", a.Active)
	<-a.Changed()
	if b.Active() {
		t.Error("the other one is active too")
	}
	eventually(t, "each hears the other", func() bool {
		return testutil.ToFloat64(only(a, "mcloud_exporter_peer_up")) == 1 && testutil.ToFloat64(only(b, "mcloud_exporter_peer_up")) == 1
	})
	stopA()
	eventually(t, "the other one takes over", b.Active)
	<-b.Changed()
	if n := testutil.ToFloat64(only(b, "mcloud_exporter_takeovers_total")); n != 1 {
		t.Errorf("%v takeovers", n)
	}
}

func TestAPeerThatIsItself(t *testing.T) {
	at := newAddress()
	p, _ := half(t, at, Options{Peer: at.URL, Takeover: 100 * time.Millisecond})
	eventually(t, "it looks nevertheless", p.Active)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !strings.Contains(p.failure, "is this exporter itself") {
		t.Errorf("failure %q", p.failure)
	}
}

func TestNewNamesABadCA(t *testing.T) {
	if _, err := New(Options{CA: "/nowhere.pem"}); err == nil || !strings.Contains(err.Error(), "exporter.pair.ca") {
		t.Errorf("error %v", err)
	}
}

// only gives one of a Pair's metrics.
func only(p *Pair, name string) prometheus.Collector { return one{p, name} }

type one struct {
	p    *Pair
	name string
}

func (o one) Describe(out chan<- *prometheus.Desc) {}

func (o one) Collect(out chan<- prometheus.Metric) {
	all := make(chan prometheus.Metric, 8)
	o.p.Collect(all)
	close(all)
	for m := range all {
		if strings.Contains(m.Desc().String(), `"`+o.name+`"`) {
			out <- m
		}
	}
}
