package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"mcloud/cmd/config"
	"mcloud/cmd/parts"
)

func runParts(cmd *cobra.Command, f config.File, logger *slog.Logger, list ...parts.Part) error {
	return runGroup(cmd, f, parts.NewGroup(logger, list...))
}

// readyTimeout is how long the parts may take until the addresses are printed
// anyway, with their states.
const readyTimeout = 45 * time.Second

// runGroup runs the group until Ctrl-C and prints where everything listens.
func runGroup(cmd *cobra.Command, f config.File, group *parts.Group) error {
	return runAndTell(cmd, group, func(took time.Duration) { printAddresses(cmd, f, group, took) })
}

// runAndTell runs the group until Ctrl-C and calls tell once, when all parts are
// ready or have had their time.
func runAndTell(cmd *cobra.Command, group *parts.Group, tell func(took time.Duration)) error {
	began := time.Now()
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		waiting, stop := context.WithTimeout(ctx, readyTimeout)
		defer stop()
		_ = group.WaitReady(waiting) // what is told says who is not ready
		if ctx.Err() == nil {
			tell(time.Since(began))
		}
	}()
	err := group.Run(ctx)
	cancel()
	<-printed
	return err
}

func printAddresses(cmd *cobra.Command, f config.File, group *parts.Group, took time.Duration) {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "\nmCloud %s watches cloud %q, started in %.1f s\n\n", version, f.Cloud, took.Seconds())
	for _, p := range group.Parts {
		if p.URL == nil {
			continue
		}
		state := p.State()
		if state == "running" {
			state = ""
		}
		fmt.Fprintf(out, "  %-13s %-28s %s\n", p.Name, p.URL(), state)
	}
	fmt.Fprintf(out, "  %-13s %s\n\n  Ctrl-C stops everything; what was kept is there at the next start.\n\n", "data", f.DataDir)
}
