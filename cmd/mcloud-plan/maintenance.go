package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"mcloud/planner"
)

const maintenancePath = "/api/v1/maintenance"

func maintenanceCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "maintenance",
		Short: "Say that somebody works on a host, zone or cluster: no pages, no plans onto it",
		Long: `Open, list and end maintenance windows. While one is open Alertmanager holds back
what names the host, zone, Ceph cluster or datacentre, and the planner plans
nothing onto its hosts. Each is recorded as an event, and ends by itself.

What is paged for what is elsewhere goes on: the loss of a second host is told.`,
		Example: `  mcloud-plan maintenance start --host cmp-a1 --for 4h --reason "new memory"
  mcloud-plan maintenance start --datacenter geo/dc1 --from 2026-11-28T22:00:00Z --for 6h --reason "power works"
  mcloud-plan maintenance list
  mcloud-plan maintenance end 4be1a0c2`,
	}
	c.AddCommand(startCommand(o), endCommand(o), listCommand(o))
	return c
}

func startCommand(o *options) *cobra.Command {
	m := planner.Maintenance{}
	of := map[string]*string{planner.OfHost: new(string), planner.OfZone: new(string), planner.OfCluster: new(string), planner.OfDatacenter: new(string)}
	var from, until string
	var lasts time.Duration
	c := &cobra.Command{
		Use:     "start",
		Short:   "Open a window, now or later",
		Example: `  mcloud-plan maintenance start --host cmp-a1 --for 4h --reason "new memory"`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for kind, name := range of {
				if *name != "" {
					m.Of, m.Name = kind, *name
				}
			}
			var err error
			if m.From, m.Until, err = window(time.Now(), from, until, lasts); err != nil {
				return err
			}
			m.By = cmp.Or(m.By, whoAmI())
			var made planner.Maintenance
			return o.send(cmd, maintenancePath, m, &made, func(w io.Writer) error { return writeStarted(w, made) })
		},
	}
	flags := c.Flags()
	flags.StringVar(of[planner.OfHost], "host", "", "a compute or storage host, by the name that Nova or Ceph has for it")
	flags.StringVar(of[planner.OfZone], "zone", "", "an availability zone with all its compute hosts")
	flags.StringVar(of[planner.OfCluster], "cluster", "", "a Ceph cluster")
	flags.StringVar(of[planner.OfDatacenter], "datacenter", "", "a datacentre of a Ceph cluster, CLUSTER/DATACENTER")
	flags.DurationVar(&lasts, "for", 0, "how long it lasts (4h)")
	flags.StringVar(&from, "from", "", "when it begins, like 2026-11-28T22:00:00Z (default: now)")
	flags.StringVar(&until, "until", "", "when it ends, instead of --for")
	flags.StringVar(&m.Reason, "reason", "", "why, for who wonders at night")
	flags.StringVar(&m.By, "by", "", "who it is by (default: your name here)")
	c.MarkFlagsOneRequired("host", "zone", "cluster", "datacenter")
	c.MarkFlagsMutuallyExclusive("host", "zone", "cluster", "datacenter")
	c.MarkFlagsOneRequired("for", "until")
	c.MarkFlagsMutuallyExclusive("for", "until")
	_ = c.MarkFlagRequired("reason")
	return c
}

// window is [from, until) of what the flags say.
func window(now time.Time, from, until string, lasts time.Duration) (begins, ends time.Time, err error) {
	begins = now
	if from != "" {
		if begins, err = time.Parse(time.RFC3339, from); err != nil {
			return begins, ends, fmt.Errorf("--from %q: want a time like 2026-11-28T22:00:00Z", from)
		}
	}
	if until == "" {
		if lasts <= 0 {
			return begins, ends, errors.New("--for: want how long it lasts, like 4h")
		}
		return begins, begins.Add(lasts), nil
	}
	if ends, err = time.Parse(time.RFC3339, until); err != nil {
		return begins, ends, fmt.Errorf("--until %q: want a time like 2026-11-29T04:00:00Z", until)
	}
	return begins, ends, nil
}

// whoAmI is the name of who runs this, and where.
func whoAmI() string {
	name, host := "somebody", ""
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = "@" + h
	}
	return name + host
}

func endCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "end ID",
		Short:   "End a window now",
		Example: "  mcloud-plan maintenance end 4be1a0c2",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var ended planner.Maintenance
			return o.send(cmd, maintenancePath+"/"+args[0]+"/end", struct{}{}, &ended, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "Maintenance %s of %s %s has ended. Pages come again, and plans may use it.\n", ended.ID, ended.Of, ended.Name)
				return err
			})
		},
	}
}

func listCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the windows, those that end last first",
		Example: "  mcloud-plan maintenance list --output json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return question[[]planner.Maintenance]{
				path: maintenancePath, choices: []string{"table", "json"},
				formats: map[string]func(io.Writer, []planner.Maintenance) error{"table": func(w io.Writer, all []planner.Maintenance) error {
					return writeWindows(w, all, time.Now())
				}},
			}.ask(cmd, o)
		},
	}
}

// send posts body and shows the answer with table, or as the JSON that came.
func (o *options) send(cmd *cobra.Command, path string, body, into any, words func(io.Writer) error) error {
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
	raw, err := client.call(ctx, http.MethodPost, path, nil, body, into)
	if err != nil {
		return err
	}
	return o.output.write(cmd.OutOrStdout(), func(w io.Writer) error {
		if format == "table" {
			return words(w)
		}
		_, err := w.Write(raw)
		return err
	})
}

func writeStarted(w io.Writer, m planner.Maintenance) error {
	silenced := fmt.Sprintf("%d silences hold pages back", len(m.Silences))
	if len(m.Silences) == 0 {
		silenced = "nothing is silenced: no Alertmanager is named (collector.alertmanagers)"
	}
	hosts := ""
	if len(m.Hosts) > 0 {
		hosts = fmt.Sprintf(", and nothing is planned onto %d compute hosts", len(m.Hosts))
	}
	_, err := fmt.Fprintf(w, "Maintenance %s of %s %s from %s until %s: %s%s.\nEnd it sooner with: mcloud-plan maintenance end %s\n",
		m.ID, m.Of, m.Name, m.From.Format(time.RFC3339), m.Until.Format(time.RFC3339), silenced, hosts, m.ID)
	return err
}

func writeWindows(w io.Writer, all []planner.Maintenance, now time.Time) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "There has been no maintenance.")
		return err
	}
	t := newTable(w, "maintenance, those that end last first")
	t.AppendHeader(table.Row{"window", "state", "of", "from (UTC)", "until (UTC)", "by", "why"})
	for _, m := range all {
		state := "over"
		switch {
		case !m.Ended.IsZero():
			state = "ended"
		case m.At(now):
			state = "open"
		case now.Before(m.From):
			state = "planned"
		}
		t.AppendRow(table.Row{m.ID, state, m.Of + " " + m.Name, m.From.Format(time.RFC3339), m.Until.Format(time.RFC3339), m.By, m.Reason})
	}
	t.Render()
	return nil
}
