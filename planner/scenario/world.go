package scenario

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mcloud/planner/capacity"
)

// World is what changes are applied to.
type World struct {
	Cloud   capacity.Cloud
	Storage capacity.Storage
	Tiers   []capacity.Tier
}

// Subject is a quantity that has a limit: a resource class of a zone, or what a tier
// stores.
type Subject struct {
	Kind  Kind   `json:"kind"`
	Name  string `json:"name"`
	Class string `json:"class,omitempty"` // of a zone
}

// Kind says what a Subject is.
type Kind string

// The kinds.
const (
	Zone Kind = "zone"
	Tier Kind = "tier"
)

func (s Subject) String() string {
	return strings.TrimSpace(string(s.Kind) + " " + s.Name + " " + s.Class)
}

func compareSubjects(a, b Subject) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Class, b.Class))
}

// Level is where a subject's limit stands.
type Level struct {
	// Limit is what a plan may fill, Capacity what can be filled without any reserve.
	Limit    float64 `json:"limit"`
	Capacity float64 `json:"capacity"`
}

// Effect is what changes do to one subject.
type Effect struct {
	Subject Subject `json:"subject"`
	// Now is before any change.
	Now Level `json:"now"`
	// Growth is what the growth that is foreseen is multiplied by; 1 leaves it.
	Growth float64 `json:"growth"`
	Steps  []Step  `json:"steps,omitempty"` // in the order of From
}

// Step is one change's part in an Effect: by how much limit and capacity rise, and
// demand, or fall where it is below zero.
type Step struct {
	From     time.Time `json:"from,omitzero"`
	Until    time.Time `json:"until,omitzero"`
	Limit    float64   `json:"limit"`
	Capacity float64   `json:"capacity"`
	Demand   float64   `json:"demand"`
	Why      string    `json:"why"` // the change
}

// Changed says whether e is any different from no change.
func (e Effect) Changed() bool { return e.Growth != 1 || len(e.Steps) > 0 }

// direction is which way a change can move a limit.
type direction int

const (
	exact direction = iota // either way
	up
	down
)

// state is the world as changes leave it, one after another.
type state struct {
	World
	// whole is Storage without what is taken away.
	whole   capacity.Storage
	taken   bool            // whether anything was
	reserve map[string]bool // zones that could keep a reserve at first
	levels  map[Subject]Level
	effects map[Subject]*Effect
}

// Apply carries out changes in the order of their dates, those without a date first.
// The answer has an Effect for every subject, ordered. Errors name the change and what
// is not known (ErrUnknown) or makes no sense (ErrInvalid).
func (w World) Apply(changes []Change) ([]Effect, error) {
	// Deep copies of what is written to; nobody else sees a change.
	w.Cloud.Hosts, w.Storage.OSDs = slices.Clone(w.Cloud.Hosts), slices.Clone(w.Storage.OSDs)
	s := &state{World: w, whole: w.Storage, reserve: map[string]bool{}, effects: map[Subject]*Effect{}}
	for _, z := range capacity.Zones(w.Cloud) {
		for _, c := range z.Classes {
			s.reserve[z.Zone] = s.reserve[z.Zone] || c.Reserve > 0
		}
	}
	s.levels = s.zoneLevels()
	maps.Copy(s.levels, s.tierLevels())
	for subject, level := range s.levels {
		s.effects[subject] = &Effect{Subject: subject, Now: level, Growth: 1}
	}
	inOrder := slices.Clone(changes)
	slices.SortStableFunc(inOrder, func(a, b Change) int { return a.From.Compare(b.From) })
	for _, c := range inOrder {
		if err := c.Validate(); err != nil {
			return nil, err
		}
		if err := s.apply(c); err != nil {
			return nil, fmt.Errorf("%s: %w", c, err)
		}
	}
	effects := make([]Effect, 0, len(s.effects))
	for _, e := range s.effects {
		effects = append(effects, *e)
	}
	slices.SortFunc(effects, func(a, b Effect) int { return compareSubjects(a.Subject, b.Subject) })
	return effects, nil
}

func (s *state) apply(c Change) error {
	switch c.Action {
	case Growth:
		return s.grow(c)
	case Project:
		return s.demand(c)
	}
	zones, tiers := true, false // which of them the change can move
	var way direction
	var err error
	switch c.Action {
	case AddHosts:
		way, err = up, s.addHosts(c)
	case RemoveHosts:
		way, err = down, s.removeHosts(c)
	case Ratio:
		err = s.ratio(c)
	case AddOSDs:
		zones, tiers = false, true
		way, err = up, s.addOSDs(c)
	case RemoveOSDs:
		zones, tiers = false, true
		way, err = down, s.removeOSDs(c)
	case Lose:
		tiers = true
		way, err = down, s.lose(c)
	default:
		err = invalid("it changes no capacity: give it to Compose first")
	}
	if err != nil {
		return err
	}
	if zones {
		s.settle(c, way, s.zoneLevels())
	}
	if tiers {
		s.settle(c, way, s.tierLevels())
	}
	return nil
}

// settle notes what a change has made of some of the levels.
//
// With fewer failure domains than copies, Ceph keeps fewer copies, and the arithmetic of
// a tier rewards a loss and punishes a purchase. That is no plan: a tier's level never
// rises by a loss nor falls by a purchase, and is never above what it would be without
// any loss.
func (s *state) settle(c Change, way direction, after map[Subject]Level) {
	for subject, is := range after {
		was := s.levels[subject]
		if subject.Kind == Tier {
			is = Level{Limit: bound(was.Limit, is.Limit, way), Capacity: bound(was.Capacity, is.Capacity, way)}
		}
		if is != was {
			e := s.effects[subject]
			if e == nil { // a resource class that the zone did not have
				e = &Effect{Subject: subject, Growth: 1}
				s.effects[subject] = e
			}
			e.Steps = append(e.Steps, Step{From: c.From, Until: c.Until, Limit: is.Limit - was.Limit, Capacity: is.Capacity - was.Capacity, Why: c.String()})
			s.levels[subject] = is
		}
	}
}

func bound(was, is float64, way direction) float64 {
	switch way {
	case up:
		return max(was, is)
	case down:
		return min(was, is)
	}
	return is
}

// zoneLevels are those of the hosts as they are now.
func (s *state) zoneLevels() map[Subject]Level {
	levels := map[Subject]Level{}
	for _, z := range capacity.Zones(s.Cloud) {
		for class, c := range z.Classes {
			limit := c.Limit
			switch {
			case !s.reserve[z.Zone]:
				// Nothing could be kept back at first, and its one failure domain may be
				// filled: another beside it takes none of that away.
				limit = max(c.Limit, c.Reserve)
			case c.Reserve == 0 && s.Cloud.Reserve.Hosts >= 0:
				limit = 0 // nothing is left that could carry on
			}
			levels[Subject{Zone, z.Zone, class}] = Level{Limit: float64(limit), Capacity: float64(c.Capacity)}
		}
	}
	return levels
}

// tierLevels are those of the OSDs as they are now.
func (s *state) tierLevels() map[Subject]Level {
	levels := map[Subject]Level{}
	for _, t := range s.Tiers {
		sum := capacity.TierOf(t, s.Storage)
		level := Level{Limit: sum.LimitBytes, Capacity: sum.LineBytes}
		if s.taken {
			whole := capacity.TierOf(t, s.whole)
			level = Level{Limit: min(level.Limit, whole.LimitBytes), Capacity: min(level.Capacity, whole.LineBytes)}
		}
		levels[Subject{Kind: Tier, Name: t.Name}] = level
	}
	return levels
}

func (s *state) grow(c Change) error {
	if err := s.known(c); err != nil {
		return err
	}
	for subject, e := range s.effects {
		all := c.Zone == "" && c.Tier == ""
		if all || subject.Kind == Zone && subject.Name == c.Zone || subject.Kind == Tier && subject.Name == c.Tier {
			e.Growth *= 1 + c.Percent/100
		}
	}
	return nil
}

// demand adds what a project takes of its zone and tiers. All of its volumes count as
// written full.
func (s *state) demand(c Change) error {
	zone := c.Zone
	zones := s.zones()
	if zone == "" && len(c.Flavors) > 0 {
		if len(zones) != 1 {
			return invalid("which zone do its servers go to? write az=, known are: %s", strings.Join(zones, ", "))
		}
		zone = zones[0]
	}
	if err := s.known(c); err != nil {
		return err
	}
	more := map[Subject]float64{}
	for _, name := range slices.Sorted(maps.Keys(c.Flavors)) {
		f, ok := s.Cloud.FlavorNamed(name)
		if !ok {
			return unknown("flavor", name, flavors(s.Cloud))
		}
		for class, amount := range capacity.RequestFor(f, c.VolumeBacked).Total() {
			more[Subject{Zone, zone, class}] += float64(amount) * float64(c.Flavors[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Volumes)) {
		tier, err := s.tierOf(name)
		if err != nil {
			return err
		}
		more[Subject{Kind: Tier, Name: tier}] += float64(c.Volumes[name]) * (1 << 30)
	}
	for subject, n := range more {
		if e := s.effects[subject]; e != nil && n > 0 {
			e.Steps = append(e.Steps, Step{From: c.From, Until: c.Until, Demand: n, Why: c.String()})
		} else if e == nil {
			return invalid("%s has no %s", zone, subject.Class)
		}
	}
	return nil
}

// tierOf finds a tier by its own name or by that of a volume type on it.
func (s *state) tierOf(name string) (string, error) {
	var known []string
	for _, t := range s.Tiers {
		if t.Name == name {
			return t.Name, nil
		}
		known = append(append(known, t.Name), t.VolumeTypes...)
	}
	for _, t := range s.Tiers {
		if slices.Contains(t.VolumeTypes, name) {
			return t.Name, nil
		}
	}
	return "", unknown("tier or volume type", name, known)
}

// known checks the zone and tier that c names.
func (s *state) known(c Change) error {
	if zones := s.zones(); c.Zone != "" && !slices.Contains(zones, c.Zone) {
		return unknown("zone", c.Zone, zones)
	}
	if c.Tier != "" {
		if _, ok := s.tier(c.Tier); !ok {
			return unknown("tier", c.Tier, tiers(s.Tiers))
		}
	}
	return nil
}

func (s *state) zones() []string {
	var all []string
	for _, h := range s.Cloud.Hosts {
		all = append(all, h.Zone)
	}
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

func (s *state) tier(name string) (capacity.Tier, bool) {
	for _, t := range s.Tiers {
		if t.Name == name {
			return t, true
		}
	}
	return capacity.Tier{}, false
}

func tiers(all []capacity.Tier) []string {
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = t.Name
	}
	return names
}

func flavors(c capacity.Cloud) []string {
	names := make([]string, len(c.Flavors))
	for i, f := range c.Flavors {
		names[i] = f.Name
	}
	return names
}
