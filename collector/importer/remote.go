package importer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// Remote is a Prometheus, or what speaks its remote read, to be imported from. URL,
// Selectors, From, To and Transport are required.
//
// What is asked for is cut into windows of time, of an hour at first, longer where there
// are few samples. A window is read whole to a file before anything of it is stored, so
// that an import that was killed finds the same samples in the same order as before, and
// goes on in the window it was in; Prometheus is asked again only for what never arrived
// whole.
type Remote struct {
	// URL of the endpoint, http://prometheus:9090/api/v1/read.
	URL string
	// Selectors are the series wanted; one that several select is taken once.
	Selectors [][]*labels.Matcher
	// From is inclusive, To exclusive; both are cut to whole hours.
	From, To time.Time
	// Window is the most that is asked for at once, a whole number of hours; 24 h when 0.
	Window time.Duration
	// Timeout bounds one answer, 10 min when 0.
	Timeout time.Duration
	// MaxBytes bounds the file of one window, 4 GiB when 0.
	MaxBytes int64
	// Transport presents credentials.
	Transport http.RoundTripper
	// Progress hears how far it is; may be nil.
	Progress func(RemoteResult)
}

// RemoteResult is what an import from a Remote has done.
type RemoteResult struct {
	// Samples were stored by this run.
	Samples uint64
	// At is the end of what is stored without a gap from From on; Done and Before are how
	// much time this run and earlier ones stored, Total how much is wanted.
	At                  time.Time
	Done, Before, Total time.Duration
	// Histograms are the native ones that were passed over by this and earlier runs, of
	// each metric.
	Histograms map[string]int
}

// span is a stretch of time in milliseconds, [From, To).
type span struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// remoteState is the file that says what of a Remote is stored.
type remoteState struct {
	URL       string   `json:"url"`
	Selectors []string `json:"selectors"`
	// Done are stored, in order, none touching the next.
	Done []span `json:"done"`
	// Current is in the file of the window, whole, and being stored.
	Current    *span          `json:"current,omitempty"`
	Histograms map[string]int `json:"histograms,omitempty"`
}

const hourMillis = int64(time.Hour / time.Millisecond)

// fewSamples in a window make the next one twice as long, manySamples half as long.
const fewSamples, manySamples = 500_000, 5_000_000

// maxNamed bounds the metrics whose histograms are counted apart; the rest are "…".
const maxNamed = 1000

// remoteRun is one RunRemote.
type remoteRun struct {
	Remote
	o      Options
	client *http.Client
	name   string
	state  remoteState
	result RemoteResult
}

// RunRemote imports from r what no earlier run with the same StateDir, URL and Selectors
// stored. An error may be tried again: nothing is stored twice.
func RunRemote(ctx context.Context, o Options, r Remote) (RemoteResult, error) {
	run, err := newRemoteRun(o, r)
	if err != nil {
		return RemoteResult{}, err
	}
	if run.state.Current != nil { // whatever is asked for now
		if err := run.storeWindow(ctx); err != nil {
			return run.result, err
		}
	}
	wanted := span{r.From.UnixMilli() / hourMillis * hourMillis, r.To.UnixMilli() / hourMillis * hourMillis}
	run.result.Total, run.result.Done = millis(wanted.To-wanted.From), 0
	run.result.Before = run.within(wanted)
	size := hourMillis
	for {
		w, more := run.next(wanted, size)
		run.result.At = time.UnixMilli(w.From).UTC()
		run.progress()
		if !more {
			return run.result, nil
		}
		before := run.result.Samples
		if err := run.fetch(ctx, w); err != nil {
			return run.result, err
		}
		if err := run.storeWindow(ctx); err != nil {
			return run.result, err
		}
		run.result.Done = run.within(wanted) - run.result.Before
		switch n := run.result.Samples - before; {
		case n < fewSamples:
			size = min(2*size, run.Window.Milliseconds())
		case n > manySamples:
			size = max(size/2/hourMillis, 1) * hourMillis
		}
	}
}

func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func newRemoteRun(o Options, r Remote) (*remoteRun, error) {
	if r.Window == 0 {
		r.Window = 24 * time.Hour
	}
	if r.Timeout == 0 {
		r.Timeout = 10 * time.Minute
	}
	if r.MaxBytes == 0 {
		r.MaxBytes = 4 << 30
	}
	if o.Tries == 0 {
		o.Tries = 8
	}
	bad := func(format string, args ...any) (*remoteRun, error) {
		return nil, fmt.Errorf("%w: %s", ErrSource, fmt.Sprintf(format, args...))
	}
	u, err := url.Parse(r.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return bad("remote read needs an address like http://prometheus:9090/api/v1/read")
	case u.User != nil:
		return bad("%s: give user and password apart from the address", u.Redacted())
	case len(r.Selectors) == 0:
		return bad("%s: no series are selected", r.URL)
	case r.Window < time.Hour || r.Window%time.Hour != 0:
		return bad("%s: windows of %s: want whole hours", r.URL, r.Window)
	case r.From.UnixMilli() < 0 || !r.From.Before(r.To):
		return bad("%s: from %s to %s is no time", r.URL, r.From.UTC().Format(time.RFC3339), r.To.UTC().Format(time.RFC3339))
	case r.To.After(time.Now()):
		return bad("%s: to %s: what is to come cannot be imported", r.URL, r.To.UTC().Format(time.RFC3339))
	}
	run := &remoteRun{Remote: r, o: o, client: &http.Client{Transport: r.Transport, CheckRedirect: noRedirect}, state: remoteState{URL: r.URL}}
	for _, s := range r.Selectors {
		run.state.Selectors = append(run.state.Selectors, selector(s))
	}
	slices.Sort(run.state.Selectors)
	sum := sha256.Sum256([]byte(r.URL + "\n" + strings.Join(run.state.Selectors, "\n")))
	run.name = "remote-" + hex.EncodeToString(sum[:16])
	if err := os.MkdirAll(o.StateDir, 0o700); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(run.statePath())
	if errors.Is(err, fs.ErrNotExist) {
		return run, nil
	}
	if err == nil {
		if err = json.Unmarshal(content, &run.state); err == nil {
			err = run.state.check()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("how far the import from %s is, in %s: %w; without the file it begins anew, and what it stored long ago may be stored twice", r.URL, run.statePath(), err)
	}
	run.result.Histograms = run.state.Histograms
	return run, nil
}

// noRedirect has a redirect told instead of followed, with what is presented, to wherever.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// selector is the matchers' text, the same for the same matchers.
func selector(matchers []*labels.Matcher) string {
	all := make([]string, len(matchers))
	for i, m := range matchers {
		all[i] = m.String()
	}
	slices.Sort(all)
	return "{" + strings.Join(all, ",") + "}"
}

func (s remoteState) check() error {
	last := int64(-1)
	for _, d := range s.Done {
		if d.From <= last || d.To <= d.From {
			return errors.New("its stretches of time cannot be")
		}
		last = d.To
	}
	if c := s.Current; c != nil && (c.From < 0 || c.To <= c.From) {
		return errors.New("its window cannot be")
	}
	return nil
}

func (r *remoteRun) statePath() string  { return filepath.Join(r.o.StateDir, r.name+".json") }
func (r *remoteRun) windowPath() string { return filepath.Join(r.o.StateDir, r.name+".window") }

func (r *remoteRun) progress() {
	if r.Progress != nil {
		r.Progress(r.result)
	}
}

// within is how much of a stretch is stored.
func (r *remoteRun) within(s span) time.Duration {
	var n int64
	for _, d := range r.state.Done {
		n += max(0, min(d.To, s.To)-max(d.From, s.From))
	}
	return millis(n)
}

// next is the first window of wanted that is not stored, of size milliseconds at most;
// more is false when there is none.
func (r *remoteRun) next(wanted span, size int64) (w span, more bool) {
	w = span{wanted.From, wanted.To}
	for _, d := range r.state.Done {
		if d.From <= w.From && w.From < d.To {
			w.From = d.To
		} else if d.From > w.From {
			w.To = min(w.To, d.From)
		}
	}
	w.From = min(w.From, wanted.To)
	w.To = min(w.To, w.From+size)
	return w, w.From < w.To
}

// add puts a stretch among those that are stored.
func (s *remoteState) add(d span) {
	all := append(s.Done, d)
	slices.SortFunc(all, func(a, b span) int { return int(max(-1, min(1, a.From-b.From))) })
	s.Done = all[:1]
	for _, d := range all[1:] {
		if last := &s.Done[len(s.Done)-1]; d.From <= last.To {
			last.To = max(last.To, d.To)
		} else {
			s.Done = append(s.Done, d)
		}
	}
}

// fetch reads a window to its file, whole, and notes that it is there.
func (r *remoteRun) fetch(ctx context.Context, w span) error {
	at := fmt.Sprintf("%s, %s to %s", r.URL, time.UnixMilli(w.From).UTC().Format(time.RFC3339), time.UnixMilli(w.To).UTC().Format(time.RFC3339))
	pause := 500 * time.Millisecond
	for try := 1; ; try++ {
		histograms, err := r.fetchOnce(ctx, w)
		if err == nil {
			named := maps.Clone(r.state.Histograms)
			if named == nil {
				named = map[string]int{}
			}
			for name, n := range histograms {
				if _, is := named[name]; !is && len(named) >= maxNamed {
					name = "…"
				}
				named[name] += n
			}
			r.state.Histograms, r.state.Current = named, &w
			r.result.Histograms = named
			return writeState(r.statePath(), r.state)
		}
		var final refused
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &final):
			return fmt.Errorf("%w: %s: %w", ErrSource, at, err)
		case try == r.o.Tries:
			return fmt.Errorf("%w: %s: %w (after %d tries); run it again and it goes on there", ErrSource, at, err, try)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause + rand.N(pause)):
		}
		pause = min(2*pause, 30*time.Second)
	}
}

// fetchOnce returns how many histograms of which metrics it passed over.
func (r *remoteRun) fetchOnce(ctx context.Context, w span) (histograms map[string]int, err error) {
	f, err := os.OpenFile(r.windowPath()+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, refused{err}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	to := &windowWriter{span: w, to: f, left: r.MaxBytes, histograms: map[string]int{}}
	for i, matchers := range r.Selectors {
		to.skip = r.Selectors[:i]
		if err := r.read(ctx, w, matchers, to); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(to.flush(), f.Sync(), f.Close()); err != nil {
		return nil, refused{err}
	}
	if err := os.Rename(f.Name(), r.windowPath()); err != nil {
		return nil, refused{err}
	}
	return to.histograms, syncDir(r.o.StateDir) // before the state says that it is there
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return refused{err}
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return refused{err}
	}
	return nil
}

// storeWindow stores the current window from its file, and notes that it is.
func (r *remoteRun) storeWindow(ctx context.Context) error {
	w := *r.state.Current
	source := Source{
		Name: fmt.Sprintf("%s-%d-%d", r.name, w.From, w.To), Path: r.URL + " from " + time.UnixMilli(w.From).UTC().Format(time.RFC3339),
		each: func(ctx context.Context, f func(labels.Labels, int64, float64) error) (int, error) {
			content, err := os.Open(r.windowPath())
			if err != nil {
				return 0, err
			}
			defer content.Close()
			return 0, eachSample(content, w, f)
		},
	}
	o, stored := r.o, r.result.Samples
	count := func(done Result) { r.result.Samples = stored + max(done.Samples, done.Before) - done.Before }
	o.Progress = func(done Result) { count(done); r.progress() }
	done, err := Run(ctx, o, source)
	count(done)
	if err != nil {
		return err
	}
	r.state.add(w)
	r.state.Current = nil
	if err := writeState(r.statePath(), r.state); err != nil {
		return err
	}
	for _, path := range []string{r.windowPath(), filepath.Join(r.o.StateDir, source.Name+".json")} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// refused is an error after which the same question gets the same answer.
type refused struct{ error }

func (r refused) Unwrap() error { return r.error }

// brief is a server's message in one line.
func brief(body []byte) string {
	return string(bytes.Join(bytes.Fields(bytes.ToValidUTF8(body[:min(len(body), 300)], nil)), []byte{' '}))
}
