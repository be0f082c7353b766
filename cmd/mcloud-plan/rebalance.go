package main

import (
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"mcloud/planner"
	"mcloud/planner/rebalance"
)

const plansPath = "/api/v1/rebalance/plans"

func rebalanceCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "rebalance",
		Short: "Steer new servers away from the hottest host, and back",
		Long: `Plan, apply and undo what spreads load better. A plan names the hottest host and
why; applied, it marks the host's resource provider with a trait and puts the
host into a host aggregate that keeps new servers away. Running servers stay.

plan, status and everything else only look. apply and undo change the cloud, with
an account of yours: openstack.apply_cloud of the configuration file, or
--os-cloud. Each is recorded as an event.`,
		Example: `  mcloud-plan rebalance plan
  mcloud-plan rebalance apply 4be1a0c2d3f4 --config mcloud.yaml
  mcloud-plan rebalance status
  mcloud-plan rebalance undo 4be1a0c2d3f4 --config mcloud.yaml`,
	}
	c.AddCommand(planCommand(o), applyCommand(o), undoCommand(o), statusCommand(o))
	return c
}

func planCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "plan",
		Short:   "Say which host to steer away from, why and how; changes nothing",
		Example: "  mcloud-plan rebalance plan\n  mcloud-plan rebalance plan --output json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return question[rebalance.Plan]{
				method: http.MethodPost, path: plansPath, choices: []string{"table", "json"},
				formats: map[string]func(io.Writer, rebalance.Plan) error{"table": func(w io.Writer, p rebalance.Plan) error {
					defer fmt.Fprintf(w, "\nNothing was changed. Apply it with: mcloud-plan rebalance apply %s\n", p.ID)
					return writePlan(w, p)
				}},
			}.ask(cmd, o)
		},
	}
}

func statusCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "List the plans and what became of them",
		Example: "  mcloud-plan rebalance status",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return question[[]planner.PlanState]{
				path: plansPath, choices: []string{"table", "json"},
				formats: map[string]func(io.Writer, []planner.PlanState) error{"table": writePlans},
			}.ask(cmd, o)
		},
	}
}
