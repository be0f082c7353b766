// Package scenario answers "what if": changes to a cloud's capacity and demand, each
// from a date, that somebody considers (a Scenario) or has promised (a Commitment).
// Everything is a pure function.
//
// Use Parse to read a change as people write it, Compose to join commitments with a
// scenario, and World.Apply to learn what that does to every limit: an Effect for each
// Subject, which then reads a forecast anew (Effect.Crossing). What there is changes
// only in a copy; no number is guessed, a name that is not known is an error that says
// which are.
package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Action is what a Change does.
type Action string

// The actions. Only Project and Growth change demand; Delay and Without change
// commitments; the others change capacity.
const (
	AddHosts    Action = "add-host"
	RemoveHosts Action = "remove-host"
	AddOSDs     Action = "add-osd"
	RemoveOSDs  Action = "remove-osd"
	Project     Action = "project"
	Lose        Action = "lose"
	Ratio       Action = "ratio"
	Growth      Action = "growth"
	Delay       Action = "delay"
	Without     Action = "without"
)

// Change is one thing that is different. Which fields count, and which must be there,
// follows from Action; see actions.
type Change struct {
	Action Action `json:"action"`
	// From is when it happens; zero is at once. With Until it happens on some day from
	// From to Until, each as likely.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Name is the project's, or the commitment's that is delayed or left out.
	Name string `json:"name,omitempty"`

	Zone       string `json:"zone,omitempty"`
	Host       string `json:"host,omitempty"` // a compute host, or a host of CRUSH
	Rack       string `json:"rack,omitempty"`
	Datacenter string `json:"datacenter,omitempty"`
	Tier       string `json:"tier,omitempty"`
	Cluster    string `json:"cluster,omitempty"`
	OSD        string `json:"osd,omitempty"` // "fast/osd.3"

	// Count is of hosts or OSDs; zero is 1.
	Count int64 `json:"count,omitempty"`
	// Hosts is how many new hosts added OSDs come in; zero: in the hosts there are.
	Hosts int64 `json:"hosts,omitempty"`
	// Like is the host that added ones are like; else they are like most in the zone,
	// or have these resources, before the allocation ratio.
	Like      string `json:"like,omitempty"`
	VCPUs     int64  `json:"vcpus,omitempty"`
	MemoryMiB int64  `json:"memory_mib,omitempty"`
	DiskGiB   int64  `json:"disk_gib,omitempty"`
	// RawBytes is the size of one added OSD; zero: like most of the tier.
	RawBytes int64 `json:"raw_bytes,omitempty"`

	// Flavors are a project's servers by flavor, Volumes its GiB by tier or volume type.
	Flavors map[string]int64 `json:"flavors,omitempty"`
	Volumes map[string]int64 `json:"volumes,omitempty"`
	// VolumeBacked servers have no root disk on their host.
	VolumeBacked bool `json:"volume_backed,omitempty"`

	Class string `json:"class,omitempty"` // resource class
	// Ratio is the new allocation ratio of Class.
	Ratio float64 `json:"ratio,omitempty"`
	// Percent is by how much growth is more, above 0, or less, down to -100.
	Percent float64 `json:"percent,omitempty"`
	// Days is by how much a commitment comes later.
	Days float64 `json:"days,omitempty"`
}

// ErrInvalid is wrapped by errors about a change that makes no sense.
var ErrInvalid = errors.New("bad change")

func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrInvalid)...)
}

// shape says what an action is made of, in the keys that people write.
type shape struct {
	keys    []string // that it may have besides from and until
	one     []string // at least one of which it must have
	undated bool     // it has no dates
	example string
}

var actions = map[Action]shape{
	AddHosts:    {keys: []string{"az", "count", "like", "vcpus", "memory", "disk"}, one: []string{"az"}, example: "az=az1,count=4,from=2027-03-01"},
	RemoveHosts: {keys: []string{"az", "count", "host"}, one: []string{"az", "host"}, example: "host=cmp-a1"},
	AddOSDs:     {keys: []string{"tier", "cluster", "count", "size", "host", "hosts"}, one: []string{"tier"}, example: "tier=nvme,count=12,size=7.68TB,hosts=3"},
	RemoveOSDs:  {keys: []string{"tier", "cluster", "count", "osd", "host"}, one: []string{"tier", "osd", "host"}, example: "tier=nvme,count=6"},
	Project:     {keys: []string{"name", "az", "flavors", "volumes", "boot"}, one: []string{"flavors", "volumes"}, example: "name=acme,az=az1,flavors=m1.large:20+m1.small:5,volumes=nvme:10TiB,from=2027-02-01"},
	Lose:        {keys: []string{"host", "rack", "datacenter", "az", "cluster"}, one: []string{"host", "rack", "datacenter", "az"}, example: "datacenter=dc1"},
	Ratio:       {keys: []string{"class", "ratio", "az", "host"}, one: []string{"ratio"}, example: "class=VCPU,ratio=6,az=az1"},
	Growth:      {keys: []string{"percent", "az", "tier"}, one: []string{"percent"}, undated: true, example: "percent=20,tier=nvme"},
	Delay:       {keys: []string{"name", "by"}, one: []string{"name"}, undated: true, example: "name=spring-nodes,by=90d"},
	Without:     {keys: []string{"name"}, one: []string{"name"}, undated: true, example: "name=spring-nodes"},
}

// Actions are the known actions, in a fixed order.
func Actions() []Action {
	return []Action{AddHosts, RemoveHosts, AddOSDs, RemoveOSDs, Project, Lose, Ratio, Growth, Delay, Without}
}

// Example is how a change of the action may be written.
func (a Action) Example() string { return actions[a].example }

// Keys are what may be written of the action, dates included.
func (a Action) Keys() []string {
	s := actions[a]
	keys := slices.Clone(s.keys)
	if !s.undated {
		keys = append(keys, "from", "until")
	}
	return keys
}

// bounds that no real change exceeds; they keep sums from overflowing.
const (
	maxCount   = 100_000
	maxAmount  = 1 << 40
	maxPercent = 10_000
	maxDays    = 36_500
	// maxHosts and maxOSDs bound what a world may grow to, and so the cost of an answer.
	maxHosts = 100_000
	maxOSDs  = 200_000
)

// Validate says what is wrong with c in itself, without looking at any cloud. Its
// errors wrap ErrInvalid.
func (c Change) Validate() error {
	s, known := actions[c.Action]
	if !known {
		return invalid("action %q, want one of %s", c.Action, join(Actions()))
	}
	has := func(key string) bool { return fieldOf(key).get(c) != "" }
	if !slices.ContainsFunc(s.one, has) {
		return invalid("%s says no %s; write for example %s", c.Action, strings.Join(s.one, " nor "), s.example)
	}
	allowed := c.Action.Keys()
	for _, f := range fields {
		if f.get(c) != "" && !slices.Contains(allowed, f.key) {
			return invalid("%s takes no %s, only %s", c.Action, f.key, strings.Join(allowed, ", "))
		}
	}
	for key, n := range map[string]int64{"count": c.Count, "hosts": c.Hosts} {
		if n < 0 || n > maxCount {
			return invalid("%s: %s=%d, want 1 to %d", c.Action, key, n, maxCount)
		}
	}
	for key, n := range map[string]int64{"vcpus": c.VCPUs, "memory": c.MemoryMiB, "disk": c.DiskGiB, "size": c.RawBytes >> 20} {
		if n < 0 || n > maxAmount {
			return invalid("%s: %s is below 0 or too large", c.Action, key)
		}
	}
	for key, amounts := range map[string]map[string]int64{"flavors": c.Flavors, "volumes": c.Volumes} {
		for name, n := range amounts {
			if name == "" || n <= 0 || n > maxAmount || strings.ContainsAny(name, ",+:=") {
				return invalid("%s: %s has %q: %d, want names and amounts above 0", c.Action, key, name, n)
			}
		}
	}
	switch {
	case !c.Until.IsZero() && c.From.IsZero():
		return invalid("%s: until=%s without from", c.Action, day(c.Until))
	case !c.Until.IsZero() && c.Until.Before(c.From):
		return invalid("%s: until=%s lies before from=%s", c.Action, day(c.Until), day(c.From))
	case c.Action == Ratio && !(c.Ratio > 0 && c.Ratio <= maxPercent):
		return invalid("ratio: ratio=%g, want more than 0", c.Ratio)
	case c.Action == Ratio && c.Class == "":
		return invalid("ratio says no class; write for example %s", s.example)
	case c.Action == Growth && !(c.Percent >= -100 && c.Percent <= maxPercent):
		return invalid("growth: percent=%g, want -100 (none) to %d", c.Percent, maxPercent)
	case c.Action == Delay && !(c.Days > 0 && c.Days <= maxDays):
		return invalid("delay: by=%gd, want more than 0 days; write for example %s", c.Days, s.example)
	case c.Action == AddHosts && c.Like != "" && (c.VCPUs > 0 || c.MemoryMiB > 0 || c.DiskGiB > 0):
		return invalid("add-host: like=%s and resources, want one of both", c.Like)
	case c.Action == AddHosts && (c.VCPUs > 0) != (c.MemoryMiB > 0):
		return invalid("add-host: vcpus=%d and memory=%d MiB, want both", c.VCPUs, c.MemoryMiB)
	case c.Action == AddOSDs && c.Host != "" && c.Hosts > 0:
		return invalid("add-osd: host=%s and hosts=%d, want one of both", c.Host, c.Hosts)
	}
	return nil
}

// Commitment is what somebody has promised: a project that comes, a purchase on its
// way, hardware that goes. It counts in every report until its dates have passed; then
// what came of it is in what is measured.
type Commitment struct {
	Name    string   `json:"name"`
	Note    string   `json:"note,omitempty"`
	Changes []Change `json:"changes"`
	// Recorded is when it was stored.
	Recorded time.Time `json:"recorded,omitzero"`
}

// Scenario is a stored question.
type Scenario struct {
	Name     string    `json:"name"`
	Note     string    `json:"note,omitempty"`
	Changes  []Change  `json:"changes"`
	Recorded time.Time `json:"recorded,omitzero"`
}

// Validate returns an error wrapping ErrInvalid that names the commitment.
func (c Commitment) Validate() error {
	if err := validName("commitment", c.Name); err != nil {
		return err
	}
	if err := validChanges("commitment "+c.Name, c.Changes); err != nil {
		return err
	}
	for _, change := range c.Changes {
		switch {
		case change.Action == Growth || change.Action == Delay || change.Action == Without || change.Action == Lose:
			return invalid("commitment %s: %s cannot be promised, only asked about with `mcloud-plan whatif`", c.Name, change.Action)
		case change.From.IsZero():
			return invalid("commitment %s: %s has no date: write from=2027-03-01", c.Name, change.Action)
		}
	}
	return nil
}

// Validate returns an error wrapping ErrInvalid that names the scenario.
func (s Scenario) Validate() error {
	if err := validName("scenario", s.Name); err != nil {
		return err
	}
	return validChanges("scenario "+s.Name, s.Changes)
}

// Named is a Commitment or a Scenario.
type Named interface {
	Commitment | Scenario
	label() (what, name string)
}

func (c Commitment) label() (what, name string) { return "commitment", c.Name }
func (s Scenario) label() (what, name string)   { return "scenario", s.Name }

// Find is the one of that name; its error wraps ErrUnknown.
func Find[T Named](all []T, name string) (T, error) {
	var known []string
	for _, one := range all {
		_, n := one.label()
		if n == name {
			return one, nil
		}
		known = append(known, n)
	}
	var none T
	what, _ := none.label()
	return none, unknown(what, name, known)
}

const maxName = 64

func validName(what, name string) error {
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r))
	}) {
		return invalid("%s name %q, want letters, digits, -, _ and ., at most %d", what, name, maxName)
	}
	return nil
}

// MaxChanges bounds one commitment, scenario or question.
const MaxChanges = 200

func validChanges(of string, changes []Change) error {
	if len(changes) == 0 || len(changes) > MaxChanges {
		return invalid("%s has %d changes, want 1 to %d", of, len(changes), MaxChanges)
	}
	for _, c := range changes {
		if err := c.Validate(); err != nil {
			return fmt.Errorf("%s: %w", of, err)
		}
	}
	return nil
}

// Pending says whether any of c's dates is still to come at at.
func (c Commitment) Pending(at time.Time) bool {
	return slices.ContainsFunc(c.Changes, func(change Change) bool { return change.last().After(at) })
}

// last is the latest date at which c may happen.
func (c Change) last() time.Time {
	if c.Until.After(c.From) {
		return c.Until
	}
	return c.From
}

// Compose joins what is promised with what is asked: the changes of commitments that
// are still to come at at, delayed or left out as changes say, and then the other
// changes. Dates that lie before at become at.
func Compose(commitments []Commitment, changes []Change, at time.Time) ([]Change, error) {
	later, out := map[string]time.Duration{}, map[string]bool{}
	var own []Change
	for _, c := range changes {
		if c.Action == Delay || c.Action == Without {
			if _, err := Find(commitments, c.Name); err != nil {
				return nil, err
			}
		}
		switch c.Action {
		case Delay:
			later[c.Name] += time.Duration(c.Days * float64(24*time.Hour))
		case Without:
			out[c.Name] = true
		default:
			own = append(own, c)
		}
	}
	var all []Change
	for _, have := range commitments {
		if out[have.Name] {
			continue
		}
		for _, c := range have.Changes {
			if !c.last().After(at) {
				continue
			}
			c = c.notBefore(at)
			if by := later[have.Name]; by > 0 {
				if c.From = c.From.Add(by); !c.Until.IsZero() {
					c.Until = c.Until.Add(by)
				}
			}
			all = append(all, c)
		}
	}
	for _, c := range own {
		all = append(all, c.notBefore(at))
	}
	return all, nil
}

// notBefore moves dates that have passed to at, and to the zero time when all have.
func (c Change) notBefore(at time.Time) Change {
	if !c.last().After(at) {
		c.From, c.Until = time.Time{}, time.Time{}
	} else if c.From.Before(at) {
		c.From = at
	}
	return c
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func join[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, w := range list {
		words[i] = string(w)
	}
	return strings.Join(words, ", ")
}
