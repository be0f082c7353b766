package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"mcloud/cmd/config"
	"mcloud/planner"
	"mcloud/planner/placement"
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
			return ask(cmd, o, http.MethodPost, plansPath, func(w io.Writer, p rebalance.Plan) error {
				defer fmt.Fprintf(w, "\nNothing was changed. Apply it with: mcloud-plan rebalance apply %s\n", p.ID)
				return writePlan(w, p)
			})
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
			return ask(cmd, o, http.MethodGet, plansPath, writePlans)
		},
	}
}

// ask calls the planner and writes the answer as a table or as it came.
func ask[T any](cmd *cobra.Command, o *options, method, path string, render func(io.Writer, T) error) error {
	format, err := o.output.choose("table", "json")
	if err != nil {
		return err
	}
	client, err := o.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), o.timeout)
	defer cancel()
	var answer T
	raw, err := client.call(ctx, method, path, nil, nil, &answer)
	if err != nil {
		return err
	}
	return o.output.write(cmd.OutOrStdout(), func(w io.Writer) error {
		if format == "json" {
			_, err := w.Write(raw)
			return err
		}
		return render(w, answer)
	})
}

// account is who changes the cloud.
type account struct {
	file, cloud string
	yes         bool
}

func (a *account) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&a.cloud, "os-cloud", os.Getenv("OS_CLOUD"), "entry of clouds.yaml with the role admin (default: openstack.apply_cloud of the configuration) [$OS_CLOUD]")
	c.Flags().StringVar(&a.file, "clouds-file", os.Getenv("OS_CLIENT_CONFIG_FILE"), "the clouds.yaml (default: openstack.clouds_file of the configuration, else the usual places) [$OS_CLIENT_CONFIG_FILE]")
	c.Flags().BoolVarP(&a.yes, "yes", "y", false, "do not ask")
}

// complete fills in what the configuration says: the file given, or the one the
// planner runs with when it can be read here.
func (a *account) complete(ctx context.Context, o *options, client *client) error {
	path := o.config
	if path == "" && a.cloud == "" {
		var answer struct {
			Path string `json:"path"`
		}
		if _, err := client.get(ctx, "/api/v1/configuration", nil, &answer); err == nil && filepath.IsAbs(answer.Path) {
			if _, err := os.Stat(answer.Path); err == nil {
				path = answer.Path
			}
		}
	}
	if path != "" && a.cloud == "" {
		f, err := config.Load(path)
		if err != nil {
			return err
		}
		if f.OpenStack != nil && f.OpenStack.ApplyCloud != "" {
			a.cloud = f.OpenStack.ApplyCloud
			a.file = cmp.Or(a.file, f.OpenStack.CloudsFile)
		}
	}
	if a.cloud == "" {
		return errors.New("no account to change the cloud with: name an entry of clouds.yaml with --os-cloud, or give --config with openstack.apply_cloud")
	}
	return nil
}

func (a *account) confirm(cmd *cobra.Command, question string) error {
	if a.yes {
		return nil
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s as %q? [y/N] ", question, a.cloud)
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil && line == "" {
		return errors.New("nobody answered; --yes does it without asking")
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return errors.New("not done")
	}
	return nil
}

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

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func writePlan(w io.Writer, p rebalance.Plan) error {
	fmt.Fprintf(w, "Plan %s for cloud %s: keep new servers away from %s\n  why     %s\n  effect  %s\n  lever   %s: %s\n\n", p.ID, p.Cloud, p.Host.Name, p.Reason, p.Effect, p.Lever, p.LeverWhy)
	steps := newTable(w, "steps")
	steps.AppendHeader(table.Row{"", "change", "of", "to", "effect"})
	for _, s := range p.Steps {
		value := s.Value
		for k, v := range s.Metadata {
			value = strings.TrimSpace(value + " " + k + "=" + v)
		}
		steps.AppendRow(table.Row{s.Number, s.Kind, s.Target, value, s.Effect})
	}
	steps.Render()
	hosts := newTable(w, "hosts, hottest first")
	hosts.AppendHeader(table.Row{"host", "zone", "fullest", "allocated", "capacity", "share", "zone's mean", ""})
	for i, h := range p.Hosts {
		if i == 10 {
			hosts.AppendFooter(table.Row{fmt.Sprintf("and %d more", len(p.Hosts)-i)})
			break
		}
		state := h.Unusable
		if h.Steered {
			state = "steered away from already"
		}
		hosts.AppendRow(table.Row{h.Name, h.Zone, h.Class, h.Used[h.Class], h.Capacity[h.Class], percent(h.Score), percent(h.ZoneMean), state})
	}
	hosts.Render()
	return nil
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

func writePlans(w io.Writer, plans []planner.PlanState) error {
	t := newTable(w, "plans, the newest first")
	t.AppendHeader(table.Row{"plan", "stage", "since (UTC)", "host", "zone", "why"})
	for _, p := range plans {
		t.AppendRow(table.Row{p.Plan.ID, p.Stage, p.Time.UTC().Format(time.RFC3339), p.Plan.Host.Name, p.Plan.Host.Zone, p.Plan.Reason})
	}
	t.Render()
	return nil
}

func writeRecord(w io.Writer, r placement.Record) error {
	fmt.Fprintf(w, "plan %s is applied: %d changes made\n", r.Plan.ID, len(r.Made))
	for _, m := range r.Made {
		fmt.Fprintf(w, "  %-30s %s %s\n", m.Step.Kind, m.Step.Target, m.Step.Value)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "  note: %s\n", n)
	}
	fmt.Fprintf(w, "Take it back with: mcloud-plan rebalance undo %s\n", r.Plan.ID)
	return nil
}

func newTable(w io.Writer, title string) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	style := table.StyleLight
	style.Format.Header, style.Format.Footer = text.FormatDefault, text.FormatDefault
	t.SetStyle(style)
	t.SetTitle(title)
	return t
}
