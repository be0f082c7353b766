package report

import (
	"cmp"
	"slices"
	"time"
)

// Hierarchy is the future of a whole and its parts, of which each has its own
// forecast; they are reconciled, so that at every instant the parts are the whole.
type Hierarchy struct {
	What  string `json:"what"`            // "vCPU allocated", "provisioned on tier nvme"
	Class string `json:"class,omitempty"` // resource class, of allocations
	Tier  string `json:"tier,omitempty"`
	Unit  string `json:"unit"`
	// At are the instants of the members' values.
	At []time.Time `json:"at,omitempty"`
	// Members has the whole first, and each part behind what it is a part of.
	Members []Member `json:"members,omitempty"`
	// Why says why there are none, or no finer parts.
	Why string `json:"why,omitempty"`
}

// MemberKind says what a Member is.
type MemberKind string

// The kinds of members.
const (
	MemberCloud   MemberKind = "cloud"
	MemberZone    MemberKind = "zone"
	MemberHost    MemberKind = "host"
	MemberTier    MemberKind = "tier"
	MemberProject MemberKind = "project"
	MemberRest    MemberKind = "rest" // all other projects
)

// Member is the whole or a part.
type Member struct {
	Kind MemberKind `json:"kind"`
	ID   string     `json:"id,omitempty"` // of a project
	Name string     `json:"name"`
	// Parent is the place in Members of what this is a part of; -1 for the whole.
	Parent int     `json:"parent"`
	Now    float64 `json:"now"` // the last value of its history
	// P10, P50 and P90 are at the Hierarchy's instants. P50 of the parts add up to that
	// of the whole; P10 and P90 do not, as not all are late or early together.
	P10 []float64 `json:"p10,omitempty"`
	P50 []float64 `json:"p50,omitempty"`
	P90 []float64 `json:"p90,omitempty"`
	// Growth is P50 − Now.
	Growth []float64 `json:"growth,omitempty"`
	// Alone is what P50 was before it had to add up.
	Alone []float64 `json:"p50_alone,omitempty"`
	// The evidence, as in Basis.
	Model     string    `json:"model,omitempty"`
	Reason    string    `json:"reason,omitempty"` // why there is no model
	From      time.Time `json:"from,omitzero"`
	To        time.Time `json:"to,omitzero"`
	MeanError float64   `json:"backtest_mean_error,omitempty"`
	Relative  float64   `json:"backtest_relative,omitempty"`
	Coverage  float64   `json:"backtest_coverage,omitempty"`
	Origins   int       `json:"backtest_origins,omitempty"`
}

// Parts are the members below parent that grow most by the last instant, at most
// limit of them.
func (h Hierarchy) Parts(parent, limit int) []Member {
	var parts []Member
	for _, m := range h.Members {
		if m.Parent == parent {
			parts = append(parts, m)
		}
	}
	grown := func(m Member) float64 {
		if len(m.Growth) == 0 {
			return 0
		}
		return m.Growth[len(m.Growth)-1]
	}
	slices.SortStableFunc(parts, func(a, b Member) int {
		return cmp.Or(cmp.Compare(grown(b), grown(a)), cmp.Compare(a.Name, b.Name))
	})
	return parts[:min(limit, len(parts))]
}
