package exporters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
)

// Options configure a Runner. The zero value is usable.
type Options struct {
	// Recorder takes Events and Inventories; nil drops them.
	Recorder Recorder
	// RecordTimeout bounds how long a Source's loop waits for Recorder; 5 s if zero.
	RecordTimeout time.Duration
	// Logger is slog.Default() if nil.
	Logger *slog.Logger
	// Sets of families that are served besides SetBase.
	Sets []Set
	// Registry is where the Runner registers itself and what Handler serves; a
	// new one if nil. Other metrics of the process may be registered with it.
	Registry *prometheus.Registry
	// RepeatAfter is how long a Source that goes on failing stays quiet in the
	// log; 10 minutes if zero.
	RepeatAfter time.Duration
	// StopTimeout is how long Run waits for looks that do not heed their
	// context; 5 s if zero.
	StopTimeout time.Duration
}

// Runner looks at Sources, each in its own loop, and serves what they saw last.
type Runner struct {
	opts   Options
	logger *slog.Logger
	chorus *chorus
	sets   map[Set]bool
	ready  chan struct{}

	headersMu sync.Mutex
	headers   map[string]piece // of families, by name

	mu      sync.RWMutex // guards the fields below
	running bool
	tasks   []*task // ordered by name
	unseen  int     // tasks whose first look has not ended
}

// NewRunner returns a Runner without Sources. It panics when Options.Registry
// has a Runner already, which is a programming error.
func NewRunner(opts Options) *Runner {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Registry == nil {
		opts.Registry = prometheus.NewRegistry()
	}
	opts.RecordTimeout = defaultTo(opts.RecordTimeout, 5*time.Second)
	opts.RepeatAfter = defaultTo(opts.RepeatAfter, 10*time.Minute)
	opts.StopTimeout = defaultTo(opts.StopTimeout, 5*time.Second)
	r := &Runner{opts: opts, logger: opts.Logger, chorus: newChorus(opts.Logger), sets: map[Set]bool{SetBase: true}, headers: map[string]piece{}, ready: make(chan struct{})}
	for _, s := range opts.Sets {
		r.sets[s] = true
	}
	opts.Registry.MustRegister(page{r})
	return r
}

func defaultTo(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// Add takes one more Source. It must not be called after Run. The error names
// what is wrong with the declaration: a name that is taken, a family that
// another Source declares otherwise, a label that is there twice.
func (r *Runner) Add(s Source) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running {
		return fmt.Errorf("source %q: added after the runner started", s.Name)
	}
	if err := r.check(s); err != nil {
		return fmt.Errorf("source %q: %w", s.Name, err)
	}
	if s.MaxAge <= 0 {
		s.MaxAge = 3 * s.Period
	}
	added := newTask(s, r.opts, r.sets, r.chorus)
	for _, t := range r.tasks {
		contest(t, added)
	}
	r.tasks = append(r.tasks, added)
	r.unseen++
	slices.SortFunc(r.tasks, func(a, b *task) int { return strings.Compare(a.key, b.key) })
	return nil
}

// contest marks the families of which both tasks may have the same series: no
// label that is constant in both tells them apart.
func contest(a, b *task) {
	for name, value := range a.source.Const {
		if other, has := b.source.Const[name]; has && other != value {
			return
		}
	}
	declared := map[string]bool{}
	for _, f := range a.source.Families {
		declared[f.Name] = true
	}
	for _, f := range b.source.Families {
		if declared[f.Name] {
			a.contested[f.Name], b.contested[f.Name] = true, true
		}
	}
}

func (r *Runner) check(s Source) error {
	switch {
	case s.Name == "" || s.System == "":
		return fmt.Errorf("has name %q and system %q, want both", s.Name, s.System)
	case s.Period <= 0 || s.Timeout <= 0:
		return fmt.Errorf("has period %v and timeout %v, want both above zero", s.Period, s.Timeout)
	case s.Collector == nil:
		return errors.New("has no collector")
	}
	own := map[string]bool{}
	for _, f := range s.Families {
		if err := checkFamily(s, f); err != nil {
			return err
		}
		if own[f.Name] {
			return fmt.Errorf("declares %s twice", f.Name)
		}
		own[f.Name] = true
	}
	for _, t := range r.tasks {
		if t.key == taskKey(s) {
			return errors.New("is there already; give it another name or other Const labels")
		}
		for _, theirs := range t.source.Families {
			for _, ours := range s.Families {
				if ours.Name == theirs.Name && (ours.Help != theirs.Help || ours.Type != theirs.Type) {
					return fmt.Errorf("declares %s otherwise than source %q", ours.Name, t.source.Name)
				}
			}
		}
	}
	return nil
}

func checkFamily(s Source, f *Family) error {
	switch {
	case !model.LegacyValidation.IsValidMetricName(f.Name):
		return fmt.Errorf("%q is not a metric name", f.Name)
	case f.Help == "":
		return fmt.Errorf("%s has no help", f.Name)
	case f.Type != Gauge && f.Type != Counter:
		return fmt.Errorf("%s has type %q", f.Name, f.Type)
	case f.Set == "":
		return fmt.Errorf("%s belongs to no set", f.Name)
	}
	for _, self := range SelfFamilies() {
		if f.Name == self.Name {
			return fmt.Errorf("declares %s, which is the runner's own", f.Name)
		}
	}
	seen := map[string]bool{}
	for _, label := range append(constNames(s), f.Labels...) {
		if !model.LegacyValidation.IsValidLabelName(label) || strings.HasPrefix(label, "__") {
			return fmt.Errorf("%s: %q is not a label name", f.Name, label)
		}
		if seen[label] {
			return fmt.Errorf("%s has label %q twice", f.Name, label)
		}
		seen[label] = true
	}
	return nil
}

// Sources returns what was added, by name.
func (r *Runner) Sources() []Source {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]Source, len(r.tasks))
	for i, t := range r.tasks {
		all[i] = t.source
	}
	return all
}

// Registry has the Runner's own metrics; others of the process go there too, and
// Handler serves them beside the Sources'.
func (r *Runner) Registry() *prometheus.Registry { return r.opts.Registry }

// Ready is closed once every Source has ended its first look, well or not.
func (r *Runner) Ready() <-chan struct{} { return r.ready }

// Run looks at the Sources until ctx ends and returns when every look has
// ended. Looks that do not heed their context are waited for no longer than
// Options.StopTimeout; the error then names them. Run may be called once.
func (r *Runner) Run(ctx context.Context) error {
	r.mu.Lock()
	if r.running {
		r.mu.Unlock()
		return errors.New("exporters: Run called twice")
	}
	r.running = true
	tasks := r.tasks
	if r.unseen == 0 {
		close(r.ready)
	}
	r.mu.Unlock()

	var loops sync.WaitGroup
	loops.Go(func() { r.chorus.run(ctx) })
	for _, t := range tasks {
		loops.Go(func() { r.loop(ctx, t) })
	}
	loops.Wait()

	stop, cancel := context.WithTimeout(context.Background(), r.opts.StopTimeout)
	defer cancel()
	var stuck []string
	for _, t := range tasks {
		if !t.idle(stop) {
			stuck = append(stuck, t.source.Name)
		}
	}
	if len(stuck) > 0 {
		return fmt.Errorf("exporters: still busy %v after the stop: %s", r.opts.StopTimeout, strings.Join(stuck, ", "))
	}
	return nil
}

// loop starts a look each period. The first one starts within a second, so that
// a page is there soon; later ones drift by up to a tenth of the period, so that
// Sources do not fall into step and hit an API together.
func (r *Runner) loop(ctx context.Context, t *task) {
	timer := time.NewTimer(rand.N(min(t.source.Period/10, time.Second) + 1))
	defer timer.Stop()
	for first := true; ; first = false {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		start := time.Now()
		t.look(ctx)
		if first {
			r.looked()
		}
		next := t.source.Period - t.source.Period/20 + rand.N(t.source.Period/10+1)
		timer.Reset(max(next-time.Since(start), t.source.Period/10))
	}
}

func (r *Runner) looked() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unseen--; r.unseen == 0 {
		close(r.ready)
		r.sayLooked()
	}
}

// sayLooked sums up the first looks. The caller holds r.mu.
func (r *Runner) sayLooked() {
	of := map[health]int{}
	for _, t := range r.tasks {
		of[t.state()]++
	}
	if of[healthNew] > 0 {
		return // the program stops
	}
	args := []any{"sources", len(r.tasks), "complete", of[healthWhole]}
	for _, h := range []health{healthPartial, healthFailing, healthAbsent} {
		if of[h] > 0 {
			args = append(args, string(h), of[h])
		}
	}
	r.logger.Info("every source has looked once", args...)
}

// Waiting names the Sources that have not ended a look yet.
func (r *Runner) Waiting() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var names []string
	for _, t := range r.tasks {
		if !t.looked() {
			names = append(names, t.source.Name)
		}
	}
	return names
}
