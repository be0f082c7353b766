package placement

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mcloud/planner/rebalance"
)

// Undo takes back what the records made, the last first, and nothing else: a
// trait or host that others added meanwhile stays. It returns notes on what
// was found undone already or had to stay.
func Undo(ctx context.Context, cloud Cloud, made []Made) ([]string, error) {
	var r Record
	for _, m := range slices.Backward(made) {
		if err := r.undo(ctx, cloud, m); err != nil {
			return r.Notes, fmt.Errorf("undo step %d, %s %s: %w", m.Step.Number, m.Step.Kind, m.Step.Target, err)
		}
	}
	return r.Notes, nil
}

func (r *Record) undo(ctx context.Context, cloud Cloud, m Made) error {
	step := m.Step
	switch step.Kind {
	case rebalance.CreateTrait:
		err := cloud.DeleteTrait(ctx, step.Target)
		switch {
		case errors.Is(err, ErrNotFound):
			return r.note(nil, "trait %s is gone already", step.Target)
		case errors.Is(err, ErrConflict):
			return r.note(nil, "trait %s stays: another provider has it", step.Target)
		}
		return err
	case rebalance.AddProviderTrait:
		_, changed, err := r.editTraits(ctx, cloud, step.Target, nil, func(traits []string) []string {
			return slices.DeleteFunc(slices.Clone(traits), func(t string) bool { return t == step.Value })
		})
		if errors.Is(err, ErrNotFound) {
			return r.note(nil, "provider %s is gone", step.Target)
		}
		if err != nil || changed {
			return err
		}
		return r.note(nil, "provider %s has no trait %s already", step.Target, step.Value)
	}
	a, err := cloud.Aggregate(ctx, step.Target)
	if errors.Is(err, ErrNotFound) {
		return r.note(nil, "aggregate %s is gone already", step.Target)
	}
	if err != nil {
		return err
	}
	switch step.Kind {
	case rebalance.AddHost:
		if !slices.Contains(a.Hosts, step.Value) {
			return r.note(nil, "host %s is out of aggregate %s already", step.Value, step.Target)
		}
		return cloud.RemoveHost(ctx, a.ID, step.Value)
	case rebalance.SetMetadata:
		return cloud.SetMetadata(ctx, a.ID, m.Metadata)
	case rebalance.CreateAggregate:
		if len(a.Hosts) > 0 {
			return r.note(nil, "aggregate %s stays: it holds %v", step.Target, a.Hosts)
		}
		return cloud.DeleteAggregate(ctx, a.ID)
	}
	return fmt.Errorf("a step of kind %q is not known to this version of mcloud-plan", step.Kind)
}
