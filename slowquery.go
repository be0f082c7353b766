package mcloud

import "time"

// SlowReason says why a query is kept as a SlowQuery.
type SlowReason string

// The reasons; of several the one that stands first here.
const (
	SlowLimit     SlowReason = "limit"     // it would have loaded more samples than allowed
	SlowTimeout   SlowReason = "timeout"   // it, or its long-term part, did not end in the time allowed
	SlowCancelled SlowReason = "cancelled" // it was slow, and who asked left
	SlowError     SlowReason = "error"     // it was slow, and failed otherwise
	SlowAnswered  SlowReason = "slow"      // it was slow, and answered
)

// SlowQuery is a query of PromQL that took longer than it should, or that ran
// into a limit.
type SlowQuery struct {
	// ID is of this one run of the query, the same when it is written again.
	ID string `json:"id"`
	// Time is when it began; UTC, milliseconds.
	Time time.Time `json:"time"`
	// Expression has MaxSlowExpression bytes at most; a longer one ends with "…".
	Expression string `json:"expression"`
	// Kind is instant or range.
	Kind string `json:"kind"`
	// Start and End are the first and the last time asked for, both the one of an
	// instant query, whose StepSeconds are 0.
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	StepSeconds float64   `json:"step_seconds"`
	Seconds     float64   `json:"seconds"`
	// Samples were loaded in all, PeakSamples held at once.
	Samples     int64 `json:"samples"`
	PeakSamples int64 `json:"peak_samples"`
	// PushedDown says that the long-term store computed a part.
	PushedDown bool       `json:"pushed_down"`
	Reason     SlowReason `json:"reason"`
	Error      string     `json:"error,omitempty"`
	// User is who asked; empty where nobody has to say.
	User string `json:"user,omitempty"`
	// Collector is the replica that answered; empty for one alone.
	Collector string `json:"collector,omitempty"`
}

// MaxSlowExpression bounds SlowQuery.Expression and SlowQuery.Error, in bytes.
const MaxSlowExpression = 4096
