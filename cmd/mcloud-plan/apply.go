package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"mcloud/planner"
	"mcloud/planner/placement"
)

func applyCommand(o *options) *cobra.Command {
	var a account
	c := &cobra.Command{
		Use:   "apply [PLAN]",
		Short: "Carry out a plan (the newest one by default)",
		Long: `Carry out a plan: its reason is checked against the newest look first, and again
whenever somebody else has changed the provider meanwhile. What was there before
is recorded, so that undo takes back exactly what apply made.`,
		Example: "  mcloud-plan rebalance apply --config mcloud.yaml\n  mcloud-plan rebalance apply 4be1a0c2d3f4 --os-cloud admin --yes",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := o.output.choose("table", "json")
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), o.timeout)
			defer cancel()
			client, state, cloud, err := a.begin(ctx, cmd, o, args)
			if err != nil {
				return err
			}
			if err := writePlan(cmd.ErrOrStderr(), state.Plan); err != nil {
				return err
			}
			if err := a.confirm(cmd, "apply plan "+state.Plan.ID); err != nil {
				return err
			}
			if err := reached(ctx, client, state.Plan.ID, planner.Applying, nil); err != nil {
				return fmt.Errorf("nothing was changed, because it could not be recorded: %w", err)
			}
			record, applyErr := placement.Apply(ctx, cloud, state.Plan, func(ctx context.Context) error { return holds(ctx, client, state.Plan.ID) })
			stage := planner.Applied
			if applyErr != nil {
				stage = planner.Failed
			}
			// The record is worth more than the deadline that may have ended the work.
			after, cancelAfter := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
			defer cancelAfter()
			if err := reached(after, client, state.Plan.ID, stage, record); err != nil {
				applyErr = errors.Join(applyErr, fmt.Errorf("%d changes were made but not recorded (undo knows the plan's steps all the same): %w", len(record.Made), err))
			}
			if applyErr != nil {
				return applyErr
			}
			return o.output.write(cmd.OutOrStdout(), func(w io.Writer) error {
				if format == "json" {
					return writeJSON(w, record)
				}
				return writeRecord(w, record)
			})
		},
	}
	a.addFlags(c)
	return c
}

func undoCommand(o *options) *cobra.Command {
	var a account
	c := &cobra.Command{
		Use:     "undo [PLAN]",
		Short:   "Take back what applying a plan made (the newest one by default)",
		Example: "  mcloud-plan rebalance undo --config mcloud.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := o.output.choose("table", "json"); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), o.timeout)
			defer cancel()
			client, state, cloud, err := a.begin(ctx, cmd, o, args)
			if err != nil {
				return err
			}
			made, err := madeBy(state)
			if err != nil {
				return err
			}
			if err := a.confirm(cmd, fmt.Sprintf("undo %d changes of plan %s", len(made), state.Plan.ID)); err != nil {
				return err
			}
			notes, err := placement.Undo(ctx, cloud, made)
			if err != nil {
				return fmt.Errorf("%w; undo may be run again", err)
			}
			if err := reached(ctx, client, state.Plan.ID, planner.Undone, map[string]any{"notes": notes}); err != nil {
				return fmt.Errorf("it is undone, but that could not be recorded: %w", err)
			}
			return o.output.write(cmd.OutOrStdout(), func(w io.Writer) error {
				fmt.Fprintf(w, "plan %s is undone: %d changes taken back\n", state.Plan.ID, len(made))
				for _, n := range notes {
					fmt.Fprintf(w, "  note: %s\n", n)
				}
				return nil
			})
		},
	}
	a.addFlags(c)
	return c
}

// madeBy says what is to be taken back. A plan whose operator's program died
// has no record: then all its steps count, which undo takes back where it finds
// them.
func madeBy(state planner.PlanState) ([]placement.Made, error) {
	switch state.Stage {
	case planner.Planned:
		return nil, fmt.Errorf("plan %s was never applied", state.Plan.ID)
	case planner.Undone:
		return nil, fmt.Errorf("plan %s is undone already, since %s", state.Plan.ID, state.Time.Format(time.RFC3339))
	case planner.Applying:
		var made []placement.Made
		for _, step := range state.Plan.Steps {
			made = append(made, placement.Made{Step: step})
		}
		return made, nil
	}
	var record placement.Record
	if err := json.Unmarshal(state.Record, &record); err != nil {
		return nil, fmt.Errorf("the record of plan %s cannot be read: %w", state.Plan.ID, err)
	}
	return record.Made, nil
}

func (a *account) begin(ctx context.Context, cmd *cobra.Command, o *options, args []string) (*client, planner.PlanState, *placement.OpenStack, error) {
	var state planner.PlanState
	client, err := o.client()
	if err != nil {
		return nil, state, nil, err
	}
	id := "latest"
	if len(args) == 1 {
		id = args[0]
	}
	if _, err := client.get(ctx, plansPath+"/"+id, nil, &state); err != nil {
		return nil, state, nil, err
	}
	if err := a.complete(ctx, o, client); err != nil {
		return nil, state, nil, err
	}
	cloud, err := placement.Connect(ctx, a.file, a.cloud)
	return client, state, cloud, err
}

func reached(ctx context.Context, c *client, id string, stage planner.Stage, record any) error {
	var nothing struct{}
	_, err := c.call(ctx, http.MethodPost, plansPath+"/"+id+"/"+string(stage), nil, record, &nothing)
	return err
}

func holds(ctx context.Context, c *client, id string) error {
	var answer struct {
		Holds bool   `json:"holds"`
		Why   string `json:"why"`
	}
	if _, err := c.get(ctx, plansPath+"/"+id+"/check", nil, &answer); err != nil {
		return err
	}
	if !answer.Holds {
		return errors.New(answer.Why)
	}
	return nil
}
