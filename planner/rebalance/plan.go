// Package rebalance decides what to change so that load spreads better, and
// says why. It is pure: the same look at the cloud gives the same plan, with
// the same ID. Carrying a plan out is planner/placement's work.
//
// The lever used so far steers new servers away from the hottest host of the
// cloud: a custom trait marks its resource provider, and a host aggregate
// either makes Nova's weighers shun it (LeverWeights: works on every cloud as it
// is, a preference) or isolates it (LeverIsolate: a ban, but only where the
// schedulers run with enable_isolated_aggregate_filtering, which cannot be seen
// from outside and so is the operator's word). Running servers stay.
package rebalance

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Lever is how a host is kept free of new servers.
type Lever string

// The levers, the weaker first.
const (
	LeverWeights Lever = "weights"
	LeverIsolate Lever = "isolate"
)

// Trait marks the providers that a plan steers away from. nova-compute leaves
// CUSTOM_ traits alone.
const Trait = "CUSTOM_MCLOUD_HOT"

// aggregatePrefix begins the names of the host aggregates that plans make.
const aggregatePrefix = "mcloud-hot-"

// ErrNothingToDo is wrapped by New's error when no change would help; the text
// says why.
var ErrNothingToDo = errors.New("nothing to rebalance")

// ErrStale is wrapped by StillHolds' error.
var ErrStale = errors.New("make a new plan")

// StepKind says what a step changes, and where: a Placement aggregate is not a
// Nova host aggregate.
type StepKind string

// The kinds of steps, in the order that a plan has them.
const (
	CreateTrait      StepKind = "placement.trait.create"
	AddProviderTrait StepKind = "placement.provider.trait.add"
	CreateAggregate  StepKind = "nova.aggregate.create"
	SetMetadata      StepKind = "nova.aggregate.metadata"
	AddHost          StepKind = "nova.aggregate.host.add"
)

// Step is one change. Each can be done again without effect.
type Step struct {
	Number int      `json:"number"`
	Kind   StepKind `json:"kind"`
	// Target is the provider's uuid, the trait's or aggregate's name.
	Target   string            `json:"target"`
	Value    string            `json:"value,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Reason   string            `json:"reason"`
	Effect   string            `json:"effect"`
}

// Plan is what to do, in order.
type Plan struct {
	// ID is made of the content, so the same look gives the same plan.
	ID    string `json:"id"`
	Cloud string `json:"cloud"`
	// Time is of the look that the plan was made from.
	Time      time.Time `json:"time"`
	Lever     Lever     `json:"lever"`
	LeverWhy  string    `json:"lever_reason"`
	Host      Heat      `json:"host"`
	Reason    string    `json:"reason"`
	Effect    string    `json:"effect"`
	Trait     string    `json:"trait"`
	Aggregate string    `json:"aggregate"`
	Steps     []Step    `json:"steps"`
	// Hosts are all that were compared, hottest first.
	Hosts []Heat `json:"hosts"`
}

// Options are the operator's choices.
type Options struct {
	// Isolation is the operator's word that the schedulers run with
	// enable_isolated_aggregate_filtering.
	Isolation bool
	// MinGap is how much hotter, as a share of capacity, than the mean of its
	// zone a host must be (0 to 1).
	MinGap float64
	// MinFree is the share of every resource that the zone's other hosts must
	// have free to take the new servers (0 to 1).
	MinFree float64
}

// New makes the plan for the hottest host whose zone can spare it. The error
// wraps ErrNothingToDo, with the reason host by host.
func New(cloud string, at time.Time, hosts []Host, opts Options) (Plan, error) {
	heats := Measure(hosts)
	if len(heats) == 0 {
		return Plan{}, fmt.Errorf("%w: no host is known with its Placement inventory", ErrNothingToDo)
	}
	var refusals []string
	for _, heat := range heats {
		if why := unfit(heat, heats, opts); why != "" {
			refusals = append(refusals, heat.Name+" "+why)
			continue
		}
		return steer(cloud, at, heat, heats, opts), nil
	}
	if len(refusals) > 5 {
		refusals = append(refusals[:5], fmt.Sprintf("and %d more", len(refusals)-5))
	}
	return Plan{}, fmt.Errorf("%w: %s", ErrNothingToDo, strings.Join(refusals, "; "))
}

// unfit says why a host is left alone, or "".
func unfit(h Heat, all []Heat, opts Options) string {
	if !h.Usable {
		return "takes no new servers as it is (" + h.Unusable + ")"
	}
	if h.Steered {
		return "is steered away from already"
	}
	gap := h.Score - h.ZoneMean
	if gap <= 0 || gap < opts.MinGap {
		return fmt.Sprintf("is %.1f %% full, its zone %s %.1f %% on average: no hotter than %.1f points above", 100*h.Score, h.Zone, 100*h.ZoneMean, 100*opts.MinGap)
	}
	others := 0
	for _, class := range Classes {
		var free, capacity int64
		for _, o := range all {
			if o.Zone == h.Zone && o.Provider != h.Provider && o.Usable && !o.Steered {
				others++
				free += o.Free[class]
				capacity += o.Capacity[class]
			}
		}
		if others == 0 {
			return "has no other usable host in zone " + h.Zone
		}
		if capacity > 0 && float64(free) < opts.MinFree*float64(capacity) {
			return fmt.Sprintf("is needed: the other hosts of zone %s have %.1f %% of %s free, %.1f %% are wanted", h.Zone, 100*float64(free)/float64(capacity), class, 100*opts.MinFree)
		}
	}
	return ""
}

func steer(cloud string, at time.Time, h Heat, all []Heat, opts Options) Plan {
	p := Plan{Cloud: cloud, Time: at.UTC(), Host: h, Hosts: all, Trait: Trait, Aggregate: aggregatePrefix + h.ServiceHost}
	metadata := map[string]string{}
	if opts.Isolation {
		p.Lever = LeverIsolate
		p.LeverWhy = "the configuration says that the schedulers filter isolated aggregates, so the ban holds even when the zone gets full"
		metadata["trait:"+Trait] = "required"
	} else {
		p.Lever = LeverWeights
		p.LeverWhy = "weights need no scheduler configuration; they are a preference, the host is still used when nothing else fits"
		for _, weigher := range []string{"ram", "cpu", "disk", "io_ops"} {
			metadata[weigher+"_weight_multiplier"] = "-1.0"
		}
	}
	p.Reason = fmt.Sprintf("%s has %.1f %% of its %s allocated (%d of %d), the hosts of zone %s %.1f %% on average", h.Name, 100*h.Score, h.Class, h.Used[h.Class], h.Capacity[h.Class], h.Zone, 100*h.ZoneMean)
	p.Effect = fmt.Sprintf("new servers for zone %s go to its other hosts; the servers on %s stay", h.Zone, h.Name)
	step := func(kind StepKind, target, value string, metadata map[string]string, reason, effect string) {
		p.Steps = append(p.Steps, Step{Number: len(p.Steps) + 1, Kind: kind, Target: target, Value: value, Metadata: metadata, Reason: reason, Effect: effect})
	}
	step(CreateTrait, Trait, "", nil, "Placement knows only traits that were made", "none by itself")
	step(AddProviderTrait, h.Provider, Trait, nil, "marks "+h.Name+" for people and programs that ask Placement", "flavors may ask for or avoid marked hosts")
	step(CreateAggregate, p.Aggregate, "", nil, "the schedulers read metadata of host aggregates", "none by itself")
	step(SetMetadata, p.Aggregate, "", metadata, string(p.Lever)+": "+p.LeverWhy, "holds for every host in the aggregate")
	step(AddHost, p.Aggregate, h.ServiceHost, nil, p.Reason, p.Effect)
	p.ID = p.digest()
	return p
}

// digest names the plan by what it does and to what, not by when it was made.
func (p Plan) digest() string {
	b, err := json.Marshal(struct {
		Cloud, Provider string
		Lever           Lever
		Steps           []Step
	}{p.Cloud, p.Host.Provider, p.Lever, p.Steps})
	if err != nil {
		panic("rebalance: a plan that is not JSON: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}

// StillHolds re-checks a plan's reason against a newer look at its host: the
// error says what changed. A host that cooled below its zone's mean needs no
// steering any more.
func (p Plan) StillHolds(hosts []Host, opts Options) error {
	heats := Measure(hosts)
	i := slices.IndexFunc(heats, func(h Heat) bool { return h.Provider == p.Host.Provider })
	if i < 0 {
		return fmt.Errorf("%s is gone from Placement: %w", p.Host.Name, ErrStale)
	}
	now := heats[i]
	now.Steered = false // by this very plan, when it is carried on
	if why := unfit(now, heats, opts); why != "" {
		return fmt.Errorf("the reason no longer holds: %s %s: %w", now.Name, why, ErrStale)
	}
	return nil
}
