package openstack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"mcloud/exporters"
)

// Budget is how gently one API is treated.
type Budget struct {
	InFlight  int     // calls at the same time, from asking to the end of the answer
	PerSecond float64 // calls begun, on average; Burst is InFlight
}

// DefaultBudget is for APIs that Options.Budgets does not name. Four calls at a
// time is what bounds the load on an API that answers slowly; the rate bounds
// it on one that answers fast.
var DefaultBudget = Budget{InFlight: 4, PerSecond: 50}

// BudgetOf is the budget of an API that Options.Budgets does not name. Placement
// answers from one indexed query without a bus behind it, and a first look at R
// providers costs some calls for each: at 100 a second 2,000 of them are read in
// less than a minute.
func BudgetOf(api string) Budget {
	if api == "placement" {
		return Budget{InFlight: 8, PerSecond: 100}
	}
	return DefaultBudget
}

const (
	// maxAttempts bounds how often one GET is sent when 429 or 503 comes back.
	maxAttempts = 3
	// maxPause bounds what Retry-After may ask for.
	maxPause = 30 * time.Second
)

type apiKey struct{}

// withAPI says which API's budget and counters the calls of ctx belong to.
func withAPI(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, apiKey{}, name)
}

type apartKey struct{}

// apart gives the calls of ctx a budget of their own: whether an API answers, and
// how fast, must not depend on how many calls of ours wait for it.
func apart(ctx context.Context) context.Context {
	return context.WithValue(ctx, apartKey{}, true)
}

// transport gives each call its deadline, its place in the budget, its entry in
// the counters, and another try when the API asks for patience.
type transport struct {
	base    http.RoundTripper
	timeout time.Duration
	most    int64 // bytes of an answer
	budgets map[string]Budget

	mu    sync.Mutex
	gates map[string]*gate // by API name
}

func newTransport(base http.RoundTripper, opts Options) *transport {
	return &transport{base: base, timeout: opts.RequestTimeout, most: opts.MaxAnswerBytes, budgets: opts.Budgets, gates: map[string]*gate{}}
}

// gate is one API's budget.
type gate struct {
	slots chan struct{}
	large chan struct{} // held while an answer beyond largeAnswer is read
	rate  *rate.Limiter

	mu     sync.Mutex
	closed time.Time // until when nobody may pass, after a 429 or 503
}

func (t *transport) gate(api string) *gate {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.gates[api]
	if g == nil {
		b, ok := t.budgets[api]
		if !ok {
			b = BudgetOf(api)
		}
		b.InFlight = max(b.InFlight, 1)
		limit := rate.Limit(b.PerSecond)
		if b.PerSecond <= 0 {
			limit = rate.Inf
		}
		g = &gate{slots: make(chan struct{}, b.InFlight), large: make(chan struct{}, 1), rate: rate.NewLimiter(limit, b.InFlight)}
		t.gates[api] = g
	}
	return g
}

// enter waits for a slot and the rate; leave must be called after it succeeded.
func (g *gate) enter(ctx context.Context) error {
	for {
		g.mu.Lock()
		pause := time.Until(g.closed)
		g.mu.Unlock()
		if pause <= 0 {
			break
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := g.rate.Wait(ctx); err != nil {
		g.leave()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return context.DeadlineExceeded // the wait would outlast the deadline
	}
	return nil
}

func (g *gate) leave() { <-g.slots }

func (g *gate) close(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := time.Now().Add(d); until.After(g.closed) {
		g.closed = until
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	api, _ := req.Context().Value(apiKey{}).(string)
	if api == "" {
		api = "other"
	}
	g := t.gate(api)
	if apart, _ := req.Context().Value(apartKey{}).(bool); apart {
		g = t.gate("a visit to " + api)
	}
	for attempt := 1; ; attempt++ {
		resp, err := t.once(req, api, g)
		if err != nil || !again(req, resp, attempt) {
			return resp, err
		}
		pause := retryAfter(resp.Header, attempt)
		if deadline, ok := req.Context().Deadline(); ok && time.Until(deadline) < pause {
			return resp, nil
		}
		drop(resp)
		g.close(pause)
	}
}

// again says whether the same call may be sent once more.
func again(req *http.Request, resp *http.Response, attempt int) bool {
	patience := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable
	return patience && req.Method == http.MethodGet && attempt < maxAttempts
}

// retryAfter is how long to wait before the next attempt: what the header says
// in seconds or as a date (RFC 9110 section 10.2.3), bounded, or else half a
// second doubled each time, with some chance in it.
func retryAfter(h http.Header, attempt int) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return min(time.Duration(seconds)*time.Second, maxPause)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(time.Until(at), 0), maxPause)
	}
	d := 500 * time.Millisecond << (attempt - 1)
	return d/2 + rand.N(d)
}

func drop(resp *http.Response) {
	// What is left of a short answer is read so that the connection can be used
	// again; a long or broken one is not worth it.
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}

func (t *transport) once(req *http.Request, api string, g *gate) (*http.Response, error) {
	if err := g.enter(req.Context()); err != nil {
		return nil, fmt.Errorf("waiting for the budget of %s: %w", api, err)
	}
	ctx, cancel := context.WithTimeout(req.Context(), t.timeout)
	start := time.Now()
	resp, err := t.base.RoundTrip(req.Clone(ctx))
	took := time.Since(start)
	if err != nil {
		cancel()
		g.leave()
		exporters.CountCall(req.Context(), api, callKind(err), took)
		return nil, err
	}
	exporters.CountCall(req.Context(), api, strconv.Itoa(resp.StatusCode), took)
	left := t.most
	if resp.ContentLength > t.most {
		left = -1 // it need not be read to know
	}
	resp.Body = &answerBody{from: resp.Body, ctx: ctx, gate: g, left: left, most: t.most, done: func() { cancel(); g.leave() }}
	return resp, nil
}

// largeAnswer is from how many bytes on only one answer of an API is read at a
// time: an API gone mad must not fill the memory with InFlight of them.
const largeAnswer = 8 << 20

// answerBody ends an answer that is larger than allowed and gives the call's
// slot back when it is closed.
type answerBody struct {
	from       io.ReadCloser
	ctx        context.Context
	gate       *gate
	large      bool // whether it holds gate.large
	left, most int64
	once       sync.Once
	done       func()
}

func (b *answerBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, exporters.WithKind(fmt.Errorf("the answer is larger than %d MiB", b.most>>20), exporters.KindOther)
	}
	if !b.large && b.most-b.left > largeAnswer {
		select {
		case b.gate.large <- struct{}{}:
			b.large = true
		case <-b.ctx.Done():
			return 0, fmt.Errorf("waiting for another large answer: %w", b.ctx.Err())
		}
	}
	// One byte more than allowed tells a full answer from one that is too long.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.from.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return n + int(b.left), nil // the next Read says why
	}
	return n, err
}

func (b *answerBody) Close() error {
	err := b.from.Close()
	b.once.Do(func() {
		if b.large {
			<-b.gate.large
		}
		b.done()
	})
	return err
}

// readAll is io.ReadAll for answers that may be large: it does not copy what it
// has again and again while it grows, which would cost several times its size.
func readAll(from io.Reader) ([]byte, error) {
	var full [][]byte
	part := make([]byte, 0, 16<<10)
	for {
		n, err := from.Read(part[len(part):cap(part)])
		part = part[:len(part)+n]
		switch {
		case err == io.EOF:
			return bytes.Join(append(full, part), nil), nil
		case err != nil:
			return part, err // of a short answer, what came of it
		case len(part) == cap(part):
			full = append(full, part)
			part = make([]byte, 0, min(2*cap(part), 4<<20))
		}
	}
}
