package openstack

import (
	"context"
	"time"

	"mcloud/exporters"
)

// Source makes a Source of this cloud. timeout bounds one look.
func (c *Cloud) Source(name, system string, period, timeout time.Duration, collect func(context.Context) (*exporters.Snapshot, error), families ...*exporters.Family) exporters.Source {
	return exporters.Source{
		Name: name, System: system, Period: period, Timeout: timeout,
		Const: map[string]string{"cloud": c.name}, Families: families, Collector: exporters.CollectorFunc(collect),
	}
}

// NoteIn counts the listing in a look: what was seen, and what failed by name.
func (l Listing[T]) NoteIn(s *exporters.Snapshot) {
	s.Seen += len(l.Objects) + l.shown + len(l.Failed)
	s.Failed = append(s.Failed, l.Failed...)
}

// Call is one request that Sources make, declared so that it can be tried
// without a look: what an account may see is known before anything is missing.
type Call struct {
	API   API
	Path  string // "/os-services"; {project} is a project's id, {id} see Of
	Query map[string]string
	// Of is the list whose first object's uuid or id takes the place of {id}: path
	// with its query, and member. Empty for a Path without {id}.
	Of, OfMember string
	// Owner is the member with an object's project, for a list that has those of
	// all projects: "tenant_id". A service may answer an account without rights
	// with its own project's objects instead of refusing.
	Owner string
	// Rule is the service's policy rule that decides, as its policy.yaml spells it.
	Rule string
	// Role is the role that Rule asks for by default: "admin", "reader", …
	Role string
	// Gives says what is missing without it, in a few words.
	Gives string
	// Optional says that the service works without it: an extension, a plugin.
	Optional bool
	// Dispensable says that Sources do without it where it is forbidden, and nothing
	// else is missing or marked incomplete for it.
	Dispensable bool
}
