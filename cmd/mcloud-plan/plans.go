package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"mcloud/planner"
	"mcloud/planner/placement"
	"mcloud/planner/rebalance"
)

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
