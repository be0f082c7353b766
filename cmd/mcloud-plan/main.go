// Command mcloud-plan says when a cloud runs out and what to buy: a client of
// the planner that `mcloud run` or `mcloud-plan serve` runs.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := rootCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mcloud-plan:", err)
		os.Exit(1)
	}
}
