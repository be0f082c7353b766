// Package placement is the only code of the product that changes a cloud: it
// carries out an approved plan of planner/rebalance, step by step, and takes it
// back. Apply and Undo are idempotent and keep a Record of what was there
// before; Connect gives the Cloud that they work on.
package placement

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mcloud/planner/rebalance"
)

// Errors that callers decide by.
var (
	// ErrConflict: somebody changed the provider since its generation was read.
	// Read again, check the reason again, try again.
	ErrConflict = errors.New("changed by somebody else meanwhile")
	// ErrNotFound: the object is not there.
	ErrNotFound = errors.New("not found")
	// ErrStale: the plan's reason no longer holds; make a new plan.
	ErrStale = errors.New("plan is out of date")
)

// Provider is what a write to a resource provider needs.
type Provider struct {
	Generation int64
	Traits     []string
}

// Aggregate is a Nova host aggregate.
type Aggregate struct {
	ID       string
	Hosts    []string
	Metadata map[string]string
}

// Cloud is what Apply and Undo change. Placement's writes carry the
// generation; Nova's aggregates have none, so they are read back.
type Cloud interface {
	HasTrait(ctx context.Context, trait string) (bool, error)
	CreateTrait(ctx context.Context, trait string) error
	// DeleteTrait fails with ErrConflict while a provider has the trait.
	DeleteTrait(ctx context.Context, trait string) error
	Provider(ctx context.Context, uuid string) (Provider, error)
	// SetTraits replaces the provider's traits, or fails with ErrConflict when
	// its generation is another by now.
	SetTraits(ctx context.Context, uuid string, p Provider) error
	// Aggregate returns ErrNotFound when none has the name.
	Aggregate(ctx context.Context, name string) (Aggregate, error)
	CreateAggregate(ctx context.Context, name string) (Aggregate, error)
	SetMetadata(ctx context.Context, id string, metadata map[string]string) error
	AddHost(ctx context.Context, id, host string) error
	RemoveHost(ctx context.Context, id, host string) error
	DeleteAggregate(ctx context.Context, id string) error
}

// Record says what a plan found and did, enough to take it back.
type Record struct {
	Plan rebalance.Plan `json:"plan"`
	// Made lists what did not exist before and was made: only that is taken back.
	Made []Made `json:"made"`
	// Notes say what was found done already, or had to be read again.
	Notes []string `json:"notes,omitempty"`
}

// Made is one change that was really carried out.
type Made struct {
	Step rebalance.Step `json:"step"`
	// Before is the provider's former generation, or the metadata's former values
	// ("" for keys that were not there).
	Generation int64             `json:"generation,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
}

// maxTries bounds how often a write is tried when others write too.
const maxTries = 5

// Apply carries out the plan. check is asked before anything is changed, and
// again after each conflict: its error, wrapped in ErrStale, stops the work.
// The Record is also returned with an error: it says what was done until then,
// and Undo of it takes that back.
func Apply(ctx context.Context, cloud Cloud, plan rebalance.Plan, check func(context.Context) error) (Record, error) {
	r := Record{Plan: plan}
	if err := check(ctx); err != nil {
		return r, fmt.Errorf("%w: %w", ErrStale, err)
	}
	for _, step := range plan.Steps {
		if err := r.apply(ctx, cloud, step, check); err != nil {
			return r, fmt.Errorf("step %d, %s %s: %w", step.Number, step.Kind, step.Target, err)
		}
	}
	return r, nil
}

func (r *Record) apply(ctx context.Context, cloud Cloud, step rebalance.Step, check func(context.Context) error) error {
	switch step.Kind {
	case rebalance.CreateTrait:
		there, err := cloud.HasTrait(ctx, step.Target)
		if err != nil || there {
			return r.note(err, "trait %s is there already", step.Target)
		}
		if err := cloud.CreateTrait(ctx, step.Target); err != nil {
			return err
		}
		r.Made = append(r.Made, Made{Step: step})
		return nil
	case rebalance.AddProviderTrait:
		generation, changed, err := r.editTraits(ctx, cloud, step.Target, check, func(traits []string) []string {
			if slices.Contains(traits, step.Value) {
				return traits
			}
			return append(slices.Clone(traits), step.Value)
		})
		if err != nil || !changed {
			return r.note(err, "provider %s has trait %s already", step.Target, step.Value)
		}
		r.Made = append(r.Made, Made{Step: step, Generation: generation})
		return nil
	}
	return r.applyAggregate(ctx, cloud, step)
}

func (r *Record) applyAggregate(ctx context.Context, cloud Cloud, step rebalance.Step) error {
	a, err := cloud.Aggregate(ctx, step.Target)
	switch step.Kind {
	case rebalance.CreateAggregate:
		if err == nil {
			return r.note(nil, "aggregate %s is there already", step.Target)
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		if _, err := cloud.CreateAggregate(ctx, step.Target); err != nil {
			return err
		}
		r.Made = append(r.Made, Made{Step: step})
		return nil
	case rebalance.SetMetadata:
		if err != nil {
			return err
		}
		former := map[string]string{}
		for k, v := range step.Metadata {
			if a.Metadata[k] != v {
				former[k] = a.Metadata[k]
			}
		}
		if len(former) == 0 {
			return r.note(nil, "aggregate %s has the metadata already", step.Target)
		}
		if err := cloud.SetMetadata(ctx, a.ID, step.Metadata); err != nil {
			return err
		}
		r.Made = append(r.Made, Made{Step: step, Metadata: former})
		return readBack(ctx, cloud, step.Target, func(a Aggregate) bool {
			for k, v := range step.Metadata {
				if a.Metadata[k] != v {
					return false
				}
			}
			return true
		})
	case rebalance.AddHost:
		if err != nil {
			return err
		}
		if slices.Contains(a.Hosts, step.Value) {
			return r.note(nil, "host %s is in aggregate %s already", step.Value, step.Target)
		}
		if err := cloud.AddHost(ctx, a.ID, step.Value); err != nil {
			return err
		}
		r.Made = append(r.Made, Made{Step: step})
		return readBack(ctx, cloud, step.Target, func(a Aggregate) bool { return slices.Contains(a.Hosts, step.Value) })
	}
	return fmt.Errorf("a step of kind %q is not known to this version of mcloud-plan", step.Kind)
}

func (r *Record) note(err error, format string, args ...any) error {
	if err == nil {
		r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
	}
	return err
}

// editTraits reads, edits and writes a provider's traits, again when somebody
// else wrote meanwhile, and returns the generation before the write.
func (r *Record) editTraits(ctx context.Context, cloud Cloud, uuid string, check func(context.Context) error, edit func([]string) []string) (generation int64, changed bool, err error) {
	for try := 1; ; try++ {
		p, err := cloud.Provider(ctx, uuid)
		if err != nil {
			return 0, false, err
		}
		traits := edit(p.Traits)
		if slices.Equal(traits, p.Traits) {
			return p.Generation, false, nil
		}
		err = cloud.SetTraits(ctx, uuid, Provider{Generation: p.Generation, Traits: traits})
		if err == nil {
			return p.Generation, true, nil
		}
		if !errors.Is(err, ErrConflict) || try == maxTries {
			return 0, false, err
		}
		r.Notes = append(r.Notes, fmt.Sprintf("provider %s was at another generation than %d: read again", uuid, p.Generation))
		if check != nil {
			if err := check(ctx); err != nil {
				return 0, false, fmt.Errorf("%w: %w", ErrStale, err)
			}
		}
	}
}

func readBack(ctx context.Context, cloud Cloud, name string, is func(Aggregate) bool) error {
	a, err := cloud.Aggregate(ctx, name)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if !is(a) {
		return fmt.Errorf("read back: aggregate %s is not as it was set; %w", name, ErrConflict)
	}
	return nil
}
