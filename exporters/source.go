// Package exporters runs Sources on a schedule within budgets, keeps the last
// good snapshot of each, says which succeeded, and serves them as one
// Prometheus page from memory: a scrape never waits for an API.
//
// A system's package (exporters/openstack/nova, exporters/ceph, …) returns
// Sources; cmd hands them to a Runner. What exists and what happened leave
// through the Recorder that cmd gives the Runner.
package exporters

import (
	"context"
	"time"

	"mcloud"
)

// Source is one look at one system, repeated.
type Source struct {
	// Name is unique in a Runner and stable: it is the label "source" of the
	// self-metrics. "nova_servers", "ceph_osd/fast".
	Name string
	// System owns the values: "nova", "placement", "ceph", "ovn", "ovs".
	System string
	// Period is the time between starts of two looks; Timeout bounds one look.
	Period, Timeout time.Duration
	// MaxAge is how old the last good snapshot may get before its samples
	// disappear instead of freezing; zero means three periods.
	MaxAge time.Duration
	// Const are labels put on every sample: {"cloud": "lab"} or {"cluster": "fast"}.
	Const map[string]string
	// Families are all that Collect may return samples of.
	Families  []*Family
	Collector Collector
}

// Collector takes one look. A look that got some of the objects returns them
// and an error that says what is missing: what came is kept and marked
// incomplete. A nil Snapshot with an error keeps the former snapshot until its
// MaxAge. Collect must return soon after ctx ends.
type Collector interface {
	Collect(ctx context.Context) (*Snapshot, error)
}

// CollectorFunc makes a function a Collector.
type CollectorFunc func(ctx context.Context) (*Snapshot, error)

// Collect calls f.
func (f CollectorFunc) Collect(ctx context.Context) (*Snapshot, error) { return f(ctx) }

// Snapshot is what one look saw. The Runner owns it after Collect returned.
type Snapshot struct {
	Samples     []Sample
	Inventories []mcloud.Inventory
	Events      []mcloud.Event
	// Seen counts the objects looked at, Skipped those left out on purpose.
	Seen, Skipped int
	// Failed names the objects that could not be read, and why.
	Failed []ObjectError
}

// Add appends a sample. labels are the values of f.Labels in their order; it
// panics when their number differs, which is a programming error.
func (s *Snapshot) Add(f *Family, value float64, labels ...string) {
	if len(labels) != len(f.Labels) {
		panic("exporters: " + f.Name + " takes other labels")
	}
	s.Samples = append(s.Samples, Sample{Family: f, Labels: labels, Value: value})
}

// Sample is one value of a Family at the time of the look.
type Sample struct {
	Family *Family
	Labels []string // values, in the order of Family.Labels
	Value  float64
}

// ObjectError is one object that could not be read.
type ObjectError struct {
	Object string // "server 7c1e…", "osd.3"
	Err    error
}

func (e ObjectError) Error() string { return e.Object + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e ObjectError) Unwrap() error { return e.Err }

// Recorder takes the Events and Inventories of a look on their way to the
// store. It must not block for longer than ctx; what it cannot take it counts
// and names itself.
type Recorder interface {
	Record(ctx context.Context, batch mcloud.Batch) error
}
