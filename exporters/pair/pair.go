// Package pair says which of two exporters looks at the cloud: one is active,
// the other stands by and takes over when it hears nothing of the first. So the
// APIs are asked once, and the loss of one exporter costs no more than
// Options.Takeover and a look.
//
// Each asks the other for its State over HTTP and decides by Decide, a pure
// function. There is no third party and so no majority: two that do not hear
// each other are both active, until they do again. That costs double calls and
// series from two instances, never a gap and nothing wrong: Events and Objects
// are the same however often they are stored.
package pair

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Path is where an exporter tells its State.
const Path = "/-/pair"

// State is what one exporter of a pair tells the other.
type State struct {
	// ID is made anew at each start; it settles what nothing else does.
	ID string `json:"id"`
	// Active says that it looks at the cloud; Since is since when it is, or is not.
	Active bool      `json:"active"`
	Since  time.Time `json:"since"`
	// Preferred is the one that begins when neither is active.
	Preferred bool `json:"preferred"`
}

// View is the other's State as it was last heard of.
type View struct {
	State State
	// Heard is whether it answered just now; LastHeard is when it last did, or when
	// this exporter began to listen.
	Heard     bool
	LastHeard time.Time
}

// Decide says whether own should be active, and why when that is a change.
func Decide(own State, other View, takeover time.Duration, now time.Time) (active bool, why string) {
	switch {
	case !other.Heard:
		if !own.Active && now.Sub(other.LastHeard) >= takeover {
			return true, fmt.Sprintf("the other exporter has not answered for %v", takeover)
		}
		return own.Active, ""
	case own.Active && other.State.Active:
		if outranks(other.State, own) {
			return false, "the other exporter is active as well, and has been for longer"
		}
		return true, ""
	case own.Active || other.State.Active:
		return own.Active, ""
	case own.Preferred && !other.State.Preferred:
		return true, "neither exporter is active, and this one is preferred"
	case now.Sub(own.Since) >= takeover && outranks(own, other.State):
		return true, "neither exporter is active"
	}
	return false, ""
}

// outranks says whether a keeps what both want: the one in its state for longer,
// then the preferred one, then the one with the smaller ID.
func outranks(a, b State) bool {
	switch {
	case !a.Since.Equal(b.Since):
		return a.Since.Before(b.Since)
	case a.Preferred != b.Preferred:
		return a.Preferred
	}
	return a.ID < b.ID
}

// Options configure a Pair.
type Options struct {
	// Peer is the other exporter's address: "https://exporter-2:9198".
	Peer string
	// CA is a file with the authorities that its certificate is checked against;
	// the system's when empty. User and PasswordFile are for its basic
	// authentication; none when empty.
	CA, User, PasswordFile string
	// Transport reaches the other, and may present what it wants itself; CA does not
	// count then.
	Transport http.RoundTripper
	Preferred bool
	// Takeover is how long the other may be silent; 10 s if zero. It is asked each
	// fifth of that time.
	Takeover time.Duration
	Logger   *slog.Logger
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// Pair is this exporter's half. Its methods may be called concurrently.
type Pair struct {
	opts    Options
	client  *http.Client
	changed chan struct{} // holds a token when the decision changed

	mu        sync.Mutex // guards the fields below
	own       State
	other     View
	takeovers float64
	failure   string // of the last question; "" when it was answered
}

// New makes ready; it asks nothing yet. A Pair begins passive.
func New(o Options) (*Pair, error) {
	if o.Takeover <= 0 {
		o.Takeover = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Peer = strings.TrimRight(o.Peer, "/")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if o.Transport == nil {
		o.Transport = transport
	}
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, fmt.Errorf("exporter.pair.ca: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("exporter.pair.ca: %s has no certificate in PEM", o.CA)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	now := o.Now()
	return &Pair{
		opts: o, client: &http.Client{Transport: o.Transport, Timeout: max(o.Takeover/5, 200*time.Millisecond)}, changed: make(chan struct{}, 1),
		own: State{ID: hex.EncodeToString(id), Since: now, Preferred: o.Preferred}, other: View{LastHeard: now},
	}, nil
}

// Active says whether this exporter is to look at the cloud.
func (p *Pair) Active() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.own.Active
}

// Changed yields after each change of Active; several may come as one.
func (p *Pair) Changed() <-chan struct{} { return p.changed }

// ServeHTTP tells the own State.
func (p *Pair) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	own := p.own
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(own)
}

// Run asks the other and decides until ctx ends.
func (p *Pair) Run(ctx context.Context) error {
	defer p.client.CloseIdleConnections()
	tick := time.NewTicker(p.opts.Takeover / 5)
	defer tick.Stop()
	for {
		p.round(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (p *Pair) round(ctx context.Context) {
	state, err := p.ask(ctx)
	if ctx.Err() != nil {
		return
	}
	now := p.opts.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note(err)
	p.other.Heard = err == nil
	if err == nil {
		p.other.State, p.other.LastHeard = state, now
	}
	active, why := Decide(p.own, p.other, p.opts.Takeover, now)
	if active == p.own.Active {
		return
	}
	p.own.Active, p.own.Since = active, now
	if active {
		p.takeovers++
	}
	p.opts.Logger.Warn(map[bool]string{true: "this exporter looks at the cloud now", false: "this exporter stands by now"}[active], "because", why, "peer", p.opts.Peer)
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// note logs when the other falls silent or answers again. The caller holds p.mu.
func (p *Pair) note(err error) {
	before := p.failure
	p.failure = ""
	if err != nil {
		p.failure = err.Error()
	}
	switch {
	case before == "" && err != nil:
		p.opts.Logger.Warn("the other exporter of the pair does not answer", "peer", p.opts.Peer, "error", err.Error())
	case before != "" && err == nil:
		p.opts.Logger.Info("the other exporter of the pair answers again", "peer", p.opts.Peer)
	}
}

// maxState bounds the answer.
const maxState = 4 << 10

func (p *Pair) ask(ctx context.Context) (State, error) {
	var s State
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.opts.Peer+Path, nil)
	if err != nil {
		return s, err
	}
	if p.opts.User != "" {
		password, err := os.ReadFile(p.opts.PasswordFile)
		if err != nil {
			return s, fmt.Errorf("exporter.pair.password_file: %w", err)
		}
		req.SetBasicAuth(p.opts.User, strings.TrimRight(string(password), "\r\n"))
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("GET %s%s: %s; is it an mCloud exporter with a section exporter.pair?", p.opts.Peer, Path, resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxState)).Decode(&s); err != nil {
		return s, fmt.Errorf("GET %s%s: %w", p.opts.Peer, Path, err)
	}
	if s.ID == "" || s.Since.IsZero() {
		return s, errors.New("GET " + p.opts.Peer + Path + ": the answer has no id or no since; is it an mCloud exporter?")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.ID == p.own.ID {
		return s, errors.New("exporter.pair.peer " + p.opts.Peer + " is this exporter itself")
	}
	return s, nil
}

var (
	activeDesc    = prometheus.NewDesc("mcloud_exporter_active", "Whether this exporter of a pair looks at the cloud: 1 yes, 0 it stands by.", nil, nil)
	peerDesc      = prometheus.NewDesc("mcloud_exporter_peer_up", "Whether the other exporter of the pair answers: 1 yes, 0 no.", nil, nil)
	takeoversDesc = prometheus.NewDesc("mcloud_exporter_takeovers_total", "How often this exporter of a pair became the active one.", nil, nil)
)

// Describe implements prometheus.Collector.
func (p *Pair) Describe(out chan<- *prometheus.Desc) {
	out <- activeDesc
	out <- peerDesc
	out <- takeoversDesc
}

// Collect implements prometheus.Collector.
func (p *Pair) Collect(out chan<- prometheus.Metric) {
	p.mu.Lock()
	active, heard, takeovers := p.own.Active, p.other.Heard, p.takeovers
	p.mu.Unlock()
	number := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	out <- prometheus.MustNewConstMetric(activeDesc, prometheus.GaugeValue, number(active))
	out <- prometheus.MustNewConstMetric(peerDesc, prometheus.GaugeValue, number(heard))
	out <- prometheus.MustNewConstMetric(takeoversDesc, prometheus.CounterValue, takeovers)
}
